//! Configurations that are compiled change by change decide as the same ones compiled from nothing.

use proptest::prelude::*;

use super::{SCENARIO, SLEEP, call, outcome, tunnel};
use crate::diagnostic::Source;
use crate::manifest::parse;
use crate::registry::{MemoryRegistry, Operation, Registry, Transaction, View};
use crate::resource::Resource;
use crate::routing::describe::Place;
use crate::snapshot::{Compiler, ListenerSpec, Snapshot};

/// Forms of resources, with the namespace where it is not default; those of one name take each other's place.
const FORMS: [&str; 55] = [
    "ServiceEntry a {hosts: [a.example], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]}",
    "ServiceEntry a {hosts: [a.example, '*.a.example'], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}, {number: 443, name: tls, protocol: TLS}]}",
    "ServiceEntry a {hosts: [a.example], resolution: STATIC, endpoints: [{address: 192.0.2.1, labels: {v: '1'}}], ports: [{number: 80, name: http, protocol: HTTP}]}",
    "ServiceEntry a {hosts: [a.example], exportTo: [istio-system], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]}",
    "ServiceEntry b {hosts: [b.example], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP, targetPort: 8080}]}",
    "ServiceEntry b {hosts: [b.example, a.example], resolution: STATIC, workloadSelector: {labels: {app: vm}}, ports: [{number: 80, name: http, protocol: HTTP}, {number: 8080, name: alt, protocol: HTTP}]}",
    "ServiceEntry more {hosts: [a.example], resolution: DNS, ports: [{number: 8080, name: alt, protocol: HTTP}, {number: 443, name: tls, protocol: TLS}]}",
    "ServiceEntry wide {hosts: ['*.example'], resolution: NONE, ports: [{number: 80, name: http, protocol: HTTP}, {number: 443, name: tls, protocol: TLS}]}",
    "ServiceEntry t {hosts: [t.example], addresses: [192.0.2.0/24, 198.51.100.1], resolution: STATIC, endpoints: [{address: 203.0.113.1}], ports: [{number: 3306, name: tcp, protocol: TCP}]}",
    "ServiceEntry t {hosts: [t.example], addresses: [198.51.100.2], resolution: DNS, ports: [{number: 3306, name: tcp, protocol: TCP}, {number: 80, name: http, protocol: HTTP}]}",
    "ServiceEntry u {hosts: [u.example, s.default], addresses: [198.51.100.1], resolution: DNS, ports: [{number: 3306, name: tcp, protocol: TCP}, {number: 80, name: http, protocol: HTTP}]}",
    "ServiceEntry b.other {hosts: [b.example, s.default.svc.cluster.local], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]}",
    "Service s {ports: [{port: 80, name: http}], selector: {app: vm}}",
    "Service s {ports: [{port: 8080, name: http}, {port: 3306, name: tcp}], selector: {istio: egressgateway}}",
    "Service s.other {ports: [{port: 80, name: http}]}",
    "WorkloadEntry vm {address: 192.0.2.7, labels: {app: vm}}",
    "WorkloadEntry vm {address: 192.0.2.8, labels: {app: vm}}",
    "WorkloadEntry vm2 {address: 192.0.2.9, labels: {app: vm, v: '1'}}",
    "DestinationRule a {host: a.example, trafficPolicy: {tls: {mode: SIMPLE}}}",
    "DestinationRule a {host: a.example, subsets: [{name: one, labels: {v: '1'}}]}",
    "DestinationRule a {host: '*.example', subsets: [{name: one, labels: {v: '1'}, trafficPolicy: {tls: {mode: SIMPLE}}}]}",
    "DestinationRule wide {host: '*.example', trafficPolicy: {tls: {mode: SIMPLE, sni: wide.example}}}",
    "DestinationRule wide {host: '*.example', workloadSelector: {matchLabels: {app: sleep}}, trafficPolicy: {tls: {mode: SIMPLE, credentialName: own}}}",
    "DestinationRule old {host: a.example, workloadSelector: {matchLabels: {app: sleep}}, trafficPolicy: {tls: {mode: SIMPLE, sni: old.example}}}",
    "DestinationRule gw.istio-system {host: a.example, exportTo: ['.'], trafficPolicy: {portLevelSettings: [{port: {number: 80}, tls: {mode: SIMPLE, credentialName: own}}]}}",
    "Secret own {tls.crt: c, tls.key: k, ca.crt: a}",
    "Secret own {tls.crt: c, tls.key: k}",
    "Secret own-cacert {ca.crt: b}",
    "Secret own.istio-system {tls.crt: c, tls.key: k, ca.crt: a}",
    "VirtualService a {hosts: [a.example], http: [{match: [{uri: {prefix: /x}}], directResponse: {status: 201}}, {route: [{destination: {host: b.example}}]}]}",
    "VirtualService a {hosts: [a.example], http: [{match: [{uri: {prefix: /x}}], directResponse: {status: 202}}, {route: [{destination: {host: a.example, subset: one}}]}]}",
    "VirtualService a {hosts: ['*.example'], http: [{match: [{uri: {prefix: /x}}], directResponse: {status: 203}}]}",
    "VirtualService a {hosts: [a.example], gateways: [mesh, out], http: [{match: [{gateways: [mesh]}], route: [{destination: {host: istio-egressgateway.istio-system.svc.cluster.local, port: {number: 80}}}]}, {match: [{gateways: [out]}], route: [{destination: {host: a.example}}]}]}",
    "VirtualService a.other {hosts: [a.example], exportTo: [default], http: [{match: [{uri: {prefix: /x}}], directResponse: {status: 210}}]}",
    "VirtualService early {hosts: [a.example, '*.a.example'], http: [{match: [{sourceLabels: {app: sleep}}], directResponse: {status: 211}}, {route: [{destination: {host: b.example}}], mirror: {host: s}}]}",
    "VirtualService many {hosts: [a.example, new.example, '*.new.example', s], gateways: [mesh, out], http: [{match: [{uri: {prefix: /x}}], route: [{destination: {host: s}}]}, {directResponse: {status: 207}}]}",
    "VirtualService many {hosts: ['*', new.example], http: [{match: [{uri: {prefix: /x}}], directResponse: {status: 212}}]}",
    "VirtualService root {hosts: [b.example], gateways: [mesh, out], http: [{match: [{uri: {prefix: /d}}], delegate: {name: leaf}}, {route: [{destination: {host: b.example}}]}]}",
    "VirtualService leaf {http: [{directResponse: {status: 204}}]}",
    "VirtualService leaf {http: [{match: [{uri: {prefix: /d/x}}], route: [{destination: {host: a.example, subset: one}}]}]}",
    "VirtualService leaf {hosts: [b.example], http: [{directResponse: {status: 205}}]}",
    "VirtualService merged {hosts: [a.example], gateways: [out], http: [{match: [{uri: {prefix: /m}}], directResponse: {status: 206}}]}",
    "VirtualService bytes {hosts: [a.example, t.example], gateways: [mesh, out], tls: [{match: [{sniHosts: [a.example], port: 443}], route: [{destination: {host: b.example, port: {number: 80}}}]}], tcp: [{match: [{port: 3306}], route: [{destination: {host: u.example}}]}]}",
    "VirtualService bytes {hosts: ['*.example'], tls: [{match: [{sniHosts: ['*.a.example', b.example]}], route: [{destination: {host: a.example}}]}]}",
    "VirtualService narrow {hosts: [w.a.example], tls: [{match: [{sniHosts: [w.a.example]}], route: [{destination: {host: a.example}}]}]}",
    "Gateway out {selector: {istio: egressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}",
    "Gateway out {selector: {istio: egressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [b.example]}, {port: {number: 3306, name: tcp, protocol: TCP}, hosts: ['*']}]}",
    "Gateway out {selector: {istio: egressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['other/a.example', './new.example', '*.new.example']}, {port: {number: 80, name: more, protocol: HTTP}, hosts: ['*.example'], tls: {httpsRedirect: true}}, {port: {number: 443, name: tls, protocol: TLS}, hosts: ['*.example'], tls: {mode: PASSTHROUGH}}]}",
    "Gateway two.istio-system {selector: {istio: egressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [a.example]}, {port: {number: 8443, name: https, protocol: HTTPS}, hosts: ['*'], tls: {mode: SIMPLE, credentialName: own}}]}",
    "Gateway two.istio-system {selector: {istio: other}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [a.example]}]}",
    "Sidecar default {egress: [{hosts: ['./a.example', istio-system/*]}]}",
    "Sidecar default {outboundTrafficPolicy: {mode: ALLOW_ANY}, egress: [{hosts: ['*/*']}]}",
    "Sidecar default {workloadSelector: {labels: {app: other}}, egress: [{hosts: ['./b.example']}]}",
    "Sidecar own {workloadSelector: {labels: {app: sleep}}, egress: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['./*', 'istio-system/*']}, {hosts: ['*/*', '~./b.example']}]}",
    "Sidecar mesh.istio-system {outboundTrafficPolicy: {mode: ALLOW_ANY, egressProxy: {host: a.example, port: {number: 80}}}}",
];

const OTHER: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: other}\n";

/// Where each of them is asked about.
const REQUESTS: [&str; 17] = [
    "GET http://a.example/",
    "GET http://a.example/x",
    "GET http://a.example/m",
    "GET http://a.example:8080/",
    "GET http://b.example/",
    "GET http://b.example/d/x",
    "GET http://b.example/d",
    "GET http://w.a.example/x",
    "GET http://c.example/x",
    "GET http://new.example/x",
    "GET http://w.new.example:8080/",
    "GET http://s/x",
    "GET http://s.default/x",
    "GET http://198.51.100.1/",
    "GET http://a.example:443/",
    "GET http://nowhere.test/",
    "GET http://edition.cnn.com/politics",
];

/// Tunnels with the name that their TLS asks for.
const TUNNELS: [(&str, &str); 7] = [
    ("a.example:443", "a.example"),
    ("w.a.example:443", "w.a.example"),
    ("b.example:443", "b.example"),
    ("t.example:3306", ""),
    ("s.default:3306", ""),
    ("198.51.100.1:3306", ""),
    ("192.0.2.1:443", "a.example"),
];

/// A resource of a form; of two that are there together the older is the one that came in the earlier second.
fn resource(form: &str, second: usize) -> Resource {
    let (kind, rest) = form.split_once(' ').expect("a kind");
    let (name, spec) = rest.split_once(' ').expect("a name");
    let (name, namespace) = name.split_once('.').unwrap_or((name, "default"));
    let (version, field) = match kind {
        "Service" => ("v1", "spec"),
        "Secret" => ("v1", "stringData"),
        _ => ("networking.istio.io/v1", "spec"),
    };
    let text = format!(
        "apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}, creationTimestamp: \
         '2026-01-01T00:00:0{second}Z'}}\n{field}: {spec}\n"
    );
    let parsed = parse(&Source::new("form", text));
    parsed.resources.into_iter().next().unwrap_or_else(|| panic!("{form}: {:?}", parsed.findings))
}

fn compiler() -> Compiler {
    let workload = |name: &str, namespace: &str| ListenerSpec { workload: Some((name.into(), namespace.into())) };
    let listeners = vec![workload("sleep", "default"), ListenerSpec { workload: None }, workload("web", "other")];
    Compiler { listeners, ..Compiler::default() }
}

/// What becomes of each request and tunnel, the routes that are looked at for it, and all that people are shown.
fn decisions(snapshot: &Snapshot) -> Vec<String> {
    let mut decided = Vec::new();
    for request in REQUESTS {
        let call = call(snapshot, request);
        let at_sidecars: Vec<_> = (0..3)
            .map(|listener| snapshot.scope(listener))
            .map(|scope| {
                let considered = snapshot.routes.considered_by_sidecar(scope, &call);
                format!("{considered:?} {:?}", snapshot.routes.sidecar(scope, &call).end)
            })
            .collect();
        let at_gateway = snapshot.routes.considered_by_gateway(80, &call, false);
        let outside = snapshot.routes.serves(80, &call);
        decided.push(format!("{request}: {} {at_sidecars:?} {at_gateway:?} {outside}", outcome(snapshot, request)));
    }
    for (target, name) in TUNNELS {
        let name = (!name.is_empty()).then_some(name);
        decided.push(format!("{target}: {}", tunnel(snapshot, target, name)));
    }
    let shown = (0..3).map(|listener| Place::Sidecar(snapshot.scope(listener))).chain([Place::Gateway]).map(|place| {
        let routes = &snapshot.routes;
        let (mut of_http, mut listeners) = (routes.routes(place), routes.listeners(place));
        of_http.sort_by_key(|route| format!("{route:?}"));
        listeners.sort_by_key(|listener| format!("{listener:?}"));
        let (clusters, endpoints) = (routes.clusters(place), routes.endpoints(place, 0));
        format!("{place:?} {of_http:?} {listeners:?} {clusters:?} {endpoints:?} {:?}", routes.originated(place))
    });
    decided.extend(shown);
    decided.push(format!(
        "{:?}",
        (0..3).map(|listener| snapshot.routes.only_tcp_host(snapshot.scope(listener), 3306)).collect::<Vec<_>>()
    ));
    decided
}

fn commit(registry: &MemoryRegistry, operations: Vec<Operation>) {
    registry.commit(Transaction { operations }).expect("a valid change");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn change_by_change_is_as_from_nothing(
        steps in prop::collection::vec(
            prop::collection::vec((0..FORMS.len(), prop::bool::weighted(0.8), 0..4_usize), 1..4), 1..10),
    ) {
        let registry = MemoryRegistry::new();
        let scenario = parse(&Source::new("scenario", format!("{SLEEP}\n---\n{SCENARIO}\n---\n{OTHER}"))).resources.into_iter();
        let placed = scenario.map(|mut resource| {
            resource.meta.namespace.get_or_insert_with(|| "default".into());
            Operation::Create(resource)
        });
        commit(&registry, placed.collect());
        let kept = compiler();
        kept.compile(&registry).expect("the scenario compiles");
        for step in steps {
            // One commit for each, but a snapshot for all of them.
            for (form, there, second) in &step {
                let resource = resource(FORMS[*form], *second);
                let key = resource.key();
                match (registry.get(&key).expect("in memory").is_some(), there) {
                    (false, true) => commit(&registry, vec![Operation::Create(resource)]),
                    (true, true) => commit(&registry, vec![Operation::Replace(resource)]),
                    (true, false) => commit(&registry, vec![Operation::Delete(key)]),
                    (false, false) => continue,
                }
            }
            let changed = kept.compile(&registry).expect("it compiles");
            let anew = compiler().compile(&registry).expect("it compiles");
            for (changed, anew) in decisions(&changed).iter().zip(decisions(&anew)) {
                prop_assert_eq!(changed, &anew, "after {:?}", step.iter().map(|(form, ..)| FORMS[*form]).collect::<Vec<_>>());
            }
        }
    }
}

#[test]
fn what_did_not_change_is_the_same_piece() {
    let registry = MemoryRegistry::new();
    let compiler = compiler();
    let create = |form: &str| commit(&registry, vec![Operation::Create(resource(form, 0))]);
    create(FORMS[0]);
    let first = compiler.compile(&registry).expect("it compiles");
    let rule = "apiVersion: config.istio.io/v1alpha2\nkind: rule\nmetadata: {name: r, namespace: default}\nspec: {match: \
                'true', actions: []}\n";
    let rule = parse(&Source::new("rule", rule.to_owned())).resources.into_iter().map(Operation::Create).collect();
    commit(&registry, rule);
    let second = compiler.compile(&registry).expect("it compiles");
    assert!(std::sync::Arc::ptr_eq(&first.routes, &second.routes), "rules are none of the routes' business");
    assert!(!std::sync::Arc::ptr_eq(&first.policy, &second.policy));
    create(FORMS[29]);
    let third = compiler.compile(&registry).expect("it compiles");
    assert!(std::sync::Arc::ptr_eq(&second.policy, &third.policy), "routes are none of the policy's");
    assert!(!std::sync::Arc::ptr_eq(&second.routes, &third.routes));
}
