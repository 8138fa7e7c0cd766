//! Tables of resources and calls: where each call goes.

mod actions;
mod binding;
mod matches;
mod changes;
mod grants;
mod outbound;
mod routes;
mod rules;
mod services;
mod sight;
mod tunnels;

use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::call::{Arrival, normalize};
use crate::diagnostic::Source;
use crate::expr::Timestamp;
use crate::manifest::parse;
use crate::registry::{MemoryRegistry, Operation, Registry, Transaction};
use crate::routing::{Carries, Endpoint, OutboundPolicy, Target};
use crate::snapshot::{Compiler, ListenerSpec};

use tunnels::tunnel;

const SLEEP: &str = include_str!("../../fixtures/scenario/sleep.yaml");
const SCENARIO: &str = include_str!("../../fixtures/scenario/01-egress-gateway.yaml");

/// The snapshot of some manifests, for a sidecar of sleep in namespace default.
fn snapshot(manifests: &str) -> Snapshot {
    compiled(manifests, OutboundPolicy::RegistryOnly)
}

fn compiled(manifests: &str, outbound: OutboundPolicy) -> Snapshot {
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
    Compiler { listeners: [listener].into_iter().collect(), outbound, ..Compiler::default() }
        .compile(&registry)
        .expect("it compiles")
}

fn call(snapshot: &Snapshot, request: &str) -> Call {
    let mut words = request.split(' ');
    let mut head = http::Request::builder().method(words.next().expect("a method")).uri(words.next().expect("a URL"));
    head = head.version(http::Version::HTTP_2);
    for header in words {
        let (name, value) = header.split_once('=').expect("name=value");
        head = head.header(name, value);
    }
    let caller = snapshot.callers().next().flatten().cloned();
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let arrival = Arrival { time: Timestamp::ZERO, chance: 0, caller, peer, tls: None };
    normalize(head.body(()).expect("a valid head").into_parts().0, arrival).expect("a valid call")
}

/// `address:port`, with `tls` and the server name if TLS is originated; or the failure.
fn outcome(snapshot: &Snapshot, request: &str) -> String {
    let call = call(snapshot, request);
    match judge(snapshot, Hop::Sidecar(0), &call, Spend::Take, &mut Scratch::new(), &mut |_| {}).decision {
        Decision::Refuse(failure) => format!("{failure:?}"),
        Decision::Answer(answer) => format!("answer {}", answer.status),
        Decision::Ask(asking) => format!("ask {}", asking.authorizer.name),
        Decision::Forward(way) => match (way.cluster.original(&call), &way.cluster.target) {
            (Some(endpoint), _) => at(&endpoint),
            (None, Target::Endpoints(endpoints)) => endpoints.first().map_or_else(|| "no endpoint".into(), at),
            (None, Target::Gateway(port)) => format!("gateway {port}"),
        },
    }
}

fn at(endpoint: &Endpoint) -> String {
    let tls = endpoint.tls.as_ref().map(|tls| format!(" tls {}", tls.sni)).unwrap_or_default();
    format!("{}:{}{tls}", endpoint.address, endpoint.port)
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
        Hop::Sidecar(0),
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
fn a_host_that_is_declared_so_comes_before_the_short_name_of_a_service() {
    let manifest = SITE.replace("site.example", "sleep.default");
    for _ in 0..8 {
        table(
            &manifest,
            &[
                ("GET http://sleep.default/", "sleep.default:80"),
                ("GET http://sleep.default.svc.cluster.local/", "no endpoint"),
            ],
        );
    }
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
    table(
        &rule("{tls: {mode: ISTIO_MUTUAL}}"),
        &[("GET http://site.example/", "site.example:80 tls outbound_.80_._.site.example")],
    );
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

#[test]
fn a_scheme_is_that_of_the_listener_or_server() {
    let by_scheme = |protocol: &str, tls: &str| {
        format!(
            "{SITE}---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: out}}
spec:
  selector: {{istio: egressgateway}}
  servers: [{{port: {{number: 443, name: x, protocol: {protocol}}}, hosts: ['*'], {tls}}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: site}}
spec:
  hosts: [site.example]
  gateways: [mesh, out]
  http:
  - match: [{{scheme: {{exact: http}}, gateways: [mesh]}}]
    route: [{{destination: {{host: istio-egressgateway.istio-system.svc.cluster.local, port: {{number: 443}}}}}}]
  - match: [{{scheme: {{exact: https}}}}]
    redirect: {{uri: /}}
  - directResponse: {{status: 201}}
"
        )
    };
    table(&by_scheme("HTTP", ""), &[("GET http://site.example/", "answer 201")]);
    table(&by_scheme("HTTPS", "tls: {mode: ISTIO_MUTUAL}"), &[("GET http://site.example/", "answer 301")]);
}

#[test]
fn a_virtual_service_for_few_namespaces_comes_before_one_for_all() {
    let service = |name: &str, namespace: &str, to: &str, status: u16| {
        format!(
            "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: {name}, namespace: \
             {namespace}}}\nspec: {{hosts: [site.example], exportTo: [{to}], http: [{{directResponse: {{status: \
             {status}}}}}]}}\n"
        )
    };
    let public = service("a", "default", "'*'", 201);
    let given = service("b", "istio-system", "default", 202);
    let own = service("c", "default", ".", 203);
    let request = "GET http://site.example/";
    table(&format!("{SITE}{public}"), &[(request, "answer 201")]);
    table(&format!("{SITE}{public}{given}"), &[(request, "answer 202")]);
    table(&format!("{SITE}{public}{given}{own}"), &[(request, "answer 203")]);
}

mod explained {
    use proptest::prelude::*;

    use super::*;
    use crate::policy;

    const PARTS: &str = "---
apiVersion: config.istio.io/v1alpha2
kind: denier
metadata: {name: stop, namespace: istio-system}
spec: {status: {code: 16}}
---
apiVersion: config.istio.io/v1alpha2
kind: checknothing
metadata: {name: any, namespace: istio-system}
spec: {}
---
apiVersion: config.istio.io/v1alpha2
kind: listchecker
metadata: {name: list, namespace: istio-system}
spec: {overrides: [/a, /b]}
---
apiVersion: config.istio.io/v1alpha2
kind: listentry
metadata: {name: path, namespace: istio-system}
spec: {value: request.path}
";

    fn leaf() -> impl Strategy<Value = String> {
        let attribute = prop::sample::select(vec![
            "request.host",
            "request.path",
            "request.headers[\"x-h\"]",
            "source.labels[\"app\"]",
            "request.auth.principal",
            "(request.auth.principal | \"/a\")",
        ]);
        let text = prop::sample::select(vec!["", "/a", "/", "site.example", ".example", "sleep"]);
        (attribute, text, 0..5).prop_map(|(attribute, text, form)| match form {
            0 => format!("{attribute} == {text:?}"),
            1 => format!("{attribute} != {text:?}"),
            2 => format!("match({attribute}, \"{text}*\")"),
            3 => format!("match({attribute}, \"*{text}\")"),
            _ => format!("{attribute}.startsWith({text:?})"),
        })
    }

    fn condition() -> impl Strategy<Value = String> {
        leaf().prop_recursive(3, 8, 2, |inner| {
            (inner.clone(), inner, any::<bool>())
                .prop_map(|(a, b, and)| format!("({a} {} {b})", if and { "&&" } else { "||" }))
        })
    }

    fn rules(conditions: &[(String, bool)]) -> String {
        let rule = |(number, (condition, lists)): (usize, &(String, bool))| {
            let action = if *lists {
                "list.listchecker, instances: [path.listentry]"
            } else {
                "stop.denier, instances: [any.checknothing]"
            };
            format!(
                "---\napiVersion: config.istio.io/v1alpha2\nkind: rule\nmetadata: {{name: r{number}, namespace: \
                 istio-system}}\nspec:\n  match: '{condition}'\n  actions: [{{handler: {action}}}]\n"
            )
        };
        conditions.iter().enumerate().map(rule).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Rules that the index leaves out are explained without it, so the two could differ.
        #[test]
        fn what_is_explained_is_what_was_judged(
            conditions in prop::collection::vec((condition(), any::<bool>()), 1..6),
            path in prop::sample::select(vec!["/", "/a", "/%61", "/b", "/x/../a", "/c"]),
            header in prop::sample::select(vec!["", " x-h=/a", " x-h=sleep"]),
        ) {
            let snapshot = snapshot(&format!("{SITE}{PARTS}{}", rules(&conditions)));
            let call = call(&snapshot, &format!("GET http://site.example{path}{header}"));
            let mut asked = std::collections::HashMap::new();
            let judgement = judge(&snapshot, Hop::Sidecar(0), &call, Spend::Peek, &mut Scratch::new(), &mut |seen| {
                if let policy::Seen::Rule { rule, matched } = seen {
                    asked.insert(rule.name.to_string(), matched.map_err(|error| error.to_string()));
                }
            });
            let explained = explain(&snapshot, Hop::Sidecar(0), &call);
            let status = match &judgement.decision { Decision::Forward(_) => 200, Decision::Answer(answer) => answer.status, Decision::Refuse(failure) => failure.status(), Decision::Ask(_) => 0 };
            prop_assert_eq!(explained.status, status);
            prop_assert_eq!(explained.rules.len(), conditions.len());
            for step in &explained.rules {
                let judged = asked.get(&*step.rule.name).cloned().unwrap_or(Ok(false));
                prop_assert_eq!(&step.matched, &judged, "{}", step.rule.name);
                let why = step.why.as_ref().expect("it has a match");
                let value = why.value.as_ref().map(|value| value == "true").map_err(String::clone);
                prop_assert_eq!(&value, &judged, "{}", step.rule.name);
                let last = why.leaves().last().map(|leaf| leaf.value.as_ref().map(|value| value == "true").map_err(String::clone));
                prop_assert_eq!(last, Some(judged), "the last part that is shown decided");
            }
            let refusing: Vec<_> = judgement.checked.refusals.iter().map(|refusal| refusal.rule.clone()).collect();
            let shown = explained.rules.iter().flat_map(|step| &step.checks);
            let failed = shown.filter(|check| check.verdict != Ok(crate::policy::verdict::Verdict::Ok));
            prop_assert_eq!(failed.map(|check| check.rule.clone()).collect::<Vec<_>>(), refusing);
        }
    }
}
