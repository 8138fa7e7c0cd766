//! Configurations that are compiled change by change decide as the same ones compiled from nothing.

use proptest::prelude::*;

use super::{SCENARIO, SLEEP, call, outcome};
use crate::diagnostic::Source;
use crate::manifest::parse;
use crate::registry::{MemoryRegistry, Operation, Registry, Transaction, View};
use crate::resource::Resource;
use crate::snapshot::{Compiler, ListenerSpec, Snapshot};

/// Forms of resources; those of one name take each other's place.
const FORMS: [&str; 25] = [
    "ServiceEntry a {hosts: [a.example], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]}",
    "ServiceEntry a {hosts: [a.example, '*.a.example'], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}, {number: 443, name: tls, protocol: TLS}]}",
    "ServiceEntry a {hosts: [a.example], resolution: STATIC, endpoints: [{address: 192.0.2.1, labels: {v: '1'}}], ports: [{number: 80, name: http, protocol: HTTP}]}",
    "ServiceEntry a {hosts: [a.example], exportTo: [istio-system], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]}",
    "ServiceEntry b {hosts: [b.example], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP, targetPort: 8080}]}",
    "ServiceEntry b {hosts: [b.example, a.example], resolution: STATIC, workloadSelector: {labels: {app: vm}}, ports: [{number: 80, name: http, protocol: HTTP}]}",
    "WorkloadEntry vm {address: 192.0.2.7, labels: {app: vm}}",
    "WorkloadEntry vm {address: 192.0.2.8, labels: {app: vm}}",
    "DestinationRule a {host: a.example, trafficPolicy: {tls: {mode: SIMPLE}}}",
    "DestinationRule a {host: a.example, subsets: [{name: one, labels: {v: '1'}}]}",
    "DestinationRule wide {host: '*.example', trafficPolicy: {tls: {mode: SIMPLE, sni: wide.example}}}",
    "DestinationRule wide {host: '*.example', workloadSelector: {matchLabels: {app: sleep}}, trafficPolicy: {tls: {mode: SIMPLE, credentialName: own}}}",
    "VirtualService a {hosts: [a.example], http: [{match: [{uri: {prefix: /x}}], directResponse: {status: 201}}, {route: [{destination: {host: b.example}}]}]}",
    "VirtualService a {hosts: [a.example], http: [{match: [{uri: {prefix: /x}}], directResponse: {status: 202}}, {route: [{destination: {host: a.example, subset: one}}]}]}",
    "VirtualService a {hosts: ['*.example'], http: [{match: [{uri: {prefix: /x}}], directResponse: {status: 203}}]}",
    "VirtualService a {hosts: [a.example], gateways: [mesh, out], http: [{match: [{gateways: [mesh]}], route: [{destination: {host: istio-egressgateway.istio-system.svc.cluster.local, port: {number: 80}}}]}, {match: [{gateways: [out]}], route: [{destination: {host: a.example}}]}]}",
    "VirtualService root {hosts: [b.example], http: [{match: [{uri: {prefix: /d}}], delegate: {name: leaf}}, {route: [{destination: {host: b.example}}]}]}",
    "VirtualService leaf {http: [{directResponse: {status: 204}}]}",
    "VirtualService leaf {http: [{match: [{uri: {prefix: /d/x}}], directResponse: {status: 205}}]}",
    "VirtualService merged {hosts: [a.example], gateways: [out], http: [{match: [{uri: {prefix: /m}}], directResponse: {status: 206}}]}",
    "Gateway out {selector: {istio: egressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}",
    "Gateway out {selector: {istio: egressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [b.example]}]}",
    "Sidecar default {egress: [{hosts: ['./a.example', istio-system/*]}]}",
    "Sidecar default {outboundTrafficPolicy: {mode: ALLOW_ANY}, egress: [{hosts: ['*/*']}]}",
    "Sidecar default {workloadSelector: {labels: {app: other}}, egress: [{hosts: ['./b.example']}]}",
];

const REQUESTS: [&str; 10] = [
    "GET http://a.example/",
    "GET http://a.example/x",
    "GET http://a.example/m",
    "GET http://b.example/",
    "GET http://b.example/d/x",
    "GET http://b.example/d",
    "GET http://w.a.example/x",
    "GET http://c.example/x",
    "GET http://a.example:443/",
    "GET http://edition.cnn.com/politics",
];

fn resource(form: &str) -> Resource {
    let (kind, rest) = form.split_once(' ').expect("a kind");
    let (name, spec) = rest.split_once(' ').expect("a name");
    let text = format!(
        "apiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: default}}\nspec: {spec}\n"
    );
    let parsed = parse(&Source::new("form", text));
    parsed.resources.into_iter().next().unwrap_or_else(|| panic!("{form}: {:?}", parsed.findings))
}

fn compiler() -> Compiler {
    Compiler {
        listeners: [ListenerSpec { workload: Some(("sleep".into(), "default".into())) }].into_iter().collect(),
        ..Compiler::default()
    }
}

/// What becomes of each request, and the routes that were looked at.
fn decisions(snapshot: &Snapshot) -> Vec<String> {
    let decided = REQUESTS.iter().map(|request| {
        let call = call(snapshot, request);
        let considered = snapshot.routes.considered_by_sidecar(snapshot.scope(0), &call);
        let at_gateway = snapshot.routes.considered_by_gateway(80, &call, false);
        format!("{request}: {} {considered:?} {at_gateway:?}", outcome(snapshot, request))
    });
    decided.collect()
}

fn commit(registry: &MemoryRegistry, operations: Vec<Operation>) {
    registry.commit(Transaction { operations }).expect("a valid change");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn change_by_change_is_as_from_nothing(
        changes in prop::collection::vec((0..FORMS.len(), prop::bool::weighted(0.8)), 1..14),
    ) {
        let registry = MemoryRegistry::new();
        let scenario = parse(&Source::new("scenario", format!("{SLEEP}\n---\n{SCENARIO}"))).resources.into_iter();
        let placed = scenario.map(|mut resource| {
            resource.meta.namespace.get_or_insert_with(|| "default".into());
            Operation::Create(resource)
        });
        commit(&registry, placed.collect());
        let kept = compiler();
        kept.compile(&registry).expect("the scenario compiles");
        for (form, there) in changes {
            let resource = resource(FORMS[form]);
            let key = resource.key();
            let known = registry.get(&key).expect("in memory").is_some();
            match (known, there) {
                (false, true) => commit(&registry, vec![Operation::Create(resource)]),
                (true, true) => commit(&registry, vec![Operation::Replace(resource)]),
                (true, false) => commit(&registry, vec![Operation::Delete(key)]),
                (false, false) => continue,
            }
            let changed = kept.compile(&registry).expect("it compiles");
            let anew = compiler().compile(&registry).expect("it compiles");
            prop_assert_eq!(decisions(&changed), decisions(&anew), "after {}", FORMS[form]);
        }
    }
}

#[test]
fn what_did_not_change_is_the_same_piece() {
    let registry = MemoryRegistry::new();
    let compiler = compiler();
    let create = |form: &str| commit(&registry, vec![Operation::Create(resource(form))]);
    create(FORMS[0]);
    let first = compiler.compile(&registry).expect("it compiles");
    let rule = "apiVersion: config.istio.io/v1alpha2\nkind: rule\nmetadata: {name: r, namespace: default}\nspec: {match: \
                'true', actions: []}\n";
    let rule = parse(&Source::new("rule", rule.to_owned())).resources.into_iter().map(Operation::Create).collect();
    commit(&registry, rule);
    let second = compiler.compile(&registry).expect("it compiles");
    assert!(std::sync::Arc::ptr_eq(&first.routes, &second.routes), "rules are none of the routes' business");
    assert!(!std::sync::Arc::ptr_eq(&first.policy, &second.policy));
    create(FORMS[12]);
    let third = compiler.compile(&registry).expect("it compiles");
    assert!(std::sync::Arc::ptr_eq(&second.policy, &third.policy), "routes are none of the policy's");
    assert!(!std::sync::Arc::ptr_eq(&second.routes, &third.routes));
}
