//! Tables of resources and calls: where each call goes.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::*;
use crate::call::{Arrival, normalize};
use crate::diagnostic::Source;
use crate::expr::Timestamp;
use crate::manifest::parse;
use crate::registry::{MemoryRegistry, Operation, Registry, Transaction};
use crate::snapshot::{Compiler, ListenerSpec};

const SLEEP: &str = include_str!("../../fixtures/scenario/sleep.yaml");
const SCENARIO: &str = include_str!("../../fixtures/scenario/01-egress-gateway.yaml");

/// The snapshot of some manifests, for a sidecar of sleep in namespace default.
fn snapshot(manifests: &str) -> Snapshot {
    let registry = MemoryRegistry::new();
    let parsed = parse(&Source::new("test", format!("{SLEEP}\n---\n{manifests}")));
    let errors: Vec<_> = parsed.findings.iter().filter(|finding| finding.problem.is_error()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let mut operations = Vec::new();
    for mut resource in parsed.resources {
        resource.meta.namespace.get_or_insert_with(|| "default".into());
        operations.push(Operation::Create(resource));
    }
    registry.commit(Transaction { operations }).expect("a valid change");
    let listener = ListenerSpec { workload: Some(("sleep".into(), "default".into())) };
    Compiler { listeners: vec![listener], ..Compiler::default() }.compile(&registry).expect("it compiles")
}

fn call(snapshot: &Snapshot, request: &str) -> Call {
    let mut words = request.split(' ');
    let mut head = http::Request::builder().method(words.next().expect("a method")).uri(words.next().expect("a URL"));
    head = head.header("host", "ignored.example");
    for header in words {
        let (name, value) = header.split_once('=').expect("name=value");
        head = head.header(name, value);
    }
    let caller = snapshot.callers().next().flatten().cloned().map(Arc::new);
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let arrival = Arrival { time: Timestamp::ZERO, chance: 0, caller, peer };
    normalize(head.body(()).expect("a valid head").into_parts().0, arrival).expect("a valid call")
}

/// `address:port`, with `tls` and the server name if TLS is originated; or the failure.
fn outcome(snapshot: &Snapshot, request: &str) -> String {
    match judge(snapshot, 0, &call(snapshot, request), Spend::Take, &mut Scratch::new(), &mut |_| {}).decision {
        Decision::Refuse(failure) => format!("{failure:?}"),
        Decision::Forward(way) => match &way.cluster.target {
            Target::Endpoints(endpoints) => match endpoints.first() {
                None => "no endpoint".into(),
                Some(endpoint) => {
                    let tls = endpoint.tls.as_ref().map(|tls| format!(" tls {}", tls.sni)).unwrap_or_default();
                    format!("{}:{}{tls}", endpoint.address, endpoint.port)
                }
            },
            Target::Gateway(port) => format!("gateway {port}"),
        },
    }
}

#[track_caller]
fn table(manifests: &str, rows: &[(&str, &str)]) {
    let snapshot = snapshot(manifests);
    for (request, expected) in rows {
        assert_eq!(&outcome(&snapshot, request), expected, "{request}");
    }
}

const SITE: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: site}
spec:
  hosts: [site.example]
  resolution: DNS
  ports: [{number: 80, name: http, protocol: HTTP}, {number: 8080, name: alt, protocol: HTTP}]
";

#[test]
fn the_scenario_leaves_through_the_gateway_over_tls() {
    let snapshot = snapshot(SCENARIO);
    assert_eq!(outcome(&snapshot, "GET http://edition.cnn.com/politics"), "edition.cnn.com:443 tls edition.cnn.com");
    let judged = judge(
        &snapshot,
        0,
        &call(&snapshot, "GET http://edition.cnn.com/politics"),
        Spend::Take,
        &mut Scratch::new(),
        &mut |_| {},
    )
    .hop;
    assert_eq!(judged, Hop::Gateway(443));
    assert_eq!(outcome(&snapshot, "GET http://money.cnn.com/"), "UnknownHost");
}

#[test]
fn a_registered_host_without_routes_is_reached_on_its_own_ports_only() {
    table(
        SITE,
        &[
            ("GET http://site.example/", "site.example:80"),
            ("GET http://SITE.example.:8080/", "site.example:8080"),
            ("GET http://site.example:81/", "UnknownHost"),
            ("GET http://a.site.example/", "UnknownHost"),
            ("GET http://sleep/", "no endpoint"),
            ("GET http://sleep.default.svc.cluster.local/", "no endpoint"),
        ],
    );
}

#[test]
fn the_first_route_that_matches_wins_and_none_is_a_404() {
    let routes = "---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: site}
spec:
  hosts: [site.example]
  http:
  - match: [{uri: {exact: /health}}, {uri: {regex: '/v[0-9]+/.*'}, method: {exact: POST}}]
    route: [{destination: {host: site.example, port: {number: 8080}}}]
  - match: [{uri: {prefix: /sport}, headers: {x-kind: {prefix: a}}, withoutHeaders: {x-no: {}}}]
    route: [{destination: {host: site.example, port: {number: 80}}}]
  - match: [{queryParams: {page: {exact: '2'}}, sourceLabels: {app: sleep}}]
    route: [{destination: {host: nowhere.example}}]
";
    table(
        &format!("{SITE}{routes}"),
        &[
            ("GET http://site.example/health", "site.example:8080"),
            ("GET http://site.example/health?x=1", "site.example:8080"),
            ("GET http://site.example/healthy", "NoRoute"),
            ("POST http://site.example/v12/x", "site.example:8080"),
            ("GET http://site.example/v12/x", "NoRoute"),
            ("GET http://site.example/sports x-kind=abc", "site.example:80"),
            ("GET http://site.example/sports x-kind=b", "NoRoute"),
            ("GET http://site.example/sports x-kind=a x-no=", "NoRoute"),
            ("GET http://site.example/x?a=1&page=2&page=3", "NoCluster"),
            ("GET http://site.example/x?page=3", "NoRoute"),
        ],
    );
}

#[test]
fn routes_that_cannot_apply_at_a_place_leave_the_default() {
    let routes = "---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: site}
spec:
  hosts: ['*.example']
  http:
  - match: [{port: 8080}]
    route: [{destination: {host: site.example, port: {number: 80}}}]
";
    table(
        &format!("{SITE}{routes}"),
        &[
            ("GET http://site.example/", "site.example:80"),
            ("GET http://site.example:8080/", "site.example:80"),
            ("GET http://other.example/", "UnknownHost"),
        ],
    );
}

#[test]
fn a_port_level_policy_replaces_the_destinations_and_plain_text_never_stands_in_for_tls() {
    let rule = |spec: &str| {
        format!(
            "{SITE}---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: site}}\n\
             spec: {{host: site.example, trafficPolicy: {spec}}}\n"
        )
    };
    let ports =
        "{tls: {mode: SIMPLE}, portLevelSettings: [{port: {number: 8080}, tls: {mode: SIMPLE, sni: other.example}}]}";
    table(
        &rule(ports),
        &[
            ("GET http://site.example/", "site.example:80 tls site.example"),
            ("GET http://site.example:8080/", "site.example:8080 tls other.example"),
        ],
    );
    for mode in ["{tls: {mode: ISTIO_MUTUAL}}", "{tls: {mode: SIMPLE, credentialName: secret}}"] {
        table(&rule(mode), &[("GET http://site.example/", "Tls(Unusable)")]);
    }
}

#[test]
fn what_is_not_exported_to_a_namespace_is_not_seen_there() {
    let hidden = SITE.replace("  hosts:", "  exportTo: [elsewhere]\n  hosts:");
    table(&hidden, &[("GET http://site.example/", "UnknownHost")]);
}

#[test]
fn a_gateway_that_routes_to_itself_is_a_loop_that_ends() {
    let looping = SCENARIO.replace(
        "        host: edition.cnn.com\n        port:\n          number: 443\n      weight: 100\n",
        "        host: istio-egressgateway.istio-system.svc.cluster.local\n        port:\n          number: 443\n",
    );
    assert_ne!(looping, SCENARIO);
    table(&looping, &[("GET http://edition.cnn.com/", "NoCluster")]);
}
