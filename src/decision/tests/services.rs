//! Where registered hosts are reached: resolutions, endpoints, ports, workloads.

use super::*;

fn entry(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}}}\nspec:\n  {}\n---\n",
        spec.replace('\n', "\n  ")
    )
}

/// One call with each of these chances: everything that a cluster's endpoints can be.
fn endpoints(snapshot: &Snapshot, url: &str) -> Vec<String> {
    let call = call(snapshot, &format!("GET {url}"));
    let judged = judge(snapshot, Hop::Sidecar(0), &call, Spend::Take, &mut Scratch::new(), &mut |_| {});
    let Decision::Forward(way) = judged.decision else { panic!("{url}: {:?}", judged.decision) };
    match &way.cluster.target {
        Target::Endpoints(endpoints) => endpoints.iter().map(at).collect(),
        Target::Gateway(port) => vec![format!("gateway {port}")],
    }
}

const PORT: &str = "ports: [{number: 80, name: http, protocol: HTTP, targetPort: 8080}]";

#[test]
fn resolutions_say_what_is_dialled() {
    for (spec, url, expected) in [
        ("hosts: [a.example]\nresolution: DNS", "http://a.example/", "a.example:8080"),
        ("hosts: [a.example]\nresolution: DNS_ROUND_ROBIN", "http://a.example/", "a.example:8080"),
        ("hosts: [a.example]\nresolution: NONE", "http://a.example/", "a.example:8080"),
        ("hosts: ['*.example']\nresolution: NONE", "http://b.example/", "b.example:8080"),
        ("hosts: ['*.example']\nresolution: DYNAMIC_DNS", "http://b.example/", "b.example:8080"),
        ("hosts: [a.example]\nresolution: STATIC", "http://a.example/", "no endpoint"),
        (
            "hosts: [a.example]\nresolution: STATIC\nendpoints: [{address: 192.0.2.1}]",
            "http://a.example/",
            "192.0.2.1:8080",
        ),
        (
            "hosts: [a.example]\nresolution: STATIC\nendpoints: [{address: 192.0.2.1, ports: {http: 9}}]",
            "http://a.example/",
            "192.0.2.1:9",
        ),
        (
            "hosts: ['*.example']\nresolution: DNS\nendpoints: [{address: all.example.net}]",
            "http://b.example/",
            "all.example.net:8080",
        ),
        (
            "hosts: [a.example]\nresolution: STATIC\nendpoints: [{address: 'unix:///tmp/s'}]",
            "http://a.example/",
            "unix:///tmp/s:8080",
        ),
    ] {
        let manifests = entry("e", &format!("{spec}\n{PORT}"));
        let snapshot = snapshot(manifests.trim_end_matches("---\n"));
        assert_eq!(outcome(&snapshot, &format!("GET {url}")), expected, "{spec}");
    }
}

#[test]
fn protocols_say_what_is_done_with_calls_and_names_of_ports_do_not() {
    for (protocol, over_http, tunnelled) in [
        ("HTTP", "a.example:90", "Tunnel(TlsToHttp)"),
        ("http2", "a.example:90", "Tunnel(TlsToHttp)"),
        ("GRPC", "a.example:90", "Tunnel(TlsToHttp)"),
        ("grpc-web", "a.example:90", "Tunnel(TlsToHttp)"),
        ("''", "a.example:90", "Tunnel(TlsToHttp)"),
        ("HTTPS", "UnknownHost", "outbound|90||a.example at a.example:90"),
        ("tls", "UnknownHost", "outbound|90||a.example at a.example:90"),
        ("TCP", "UnknownHost", "outbound|90||a.example at a.example:90"),
        ("Mongo", "UnknownHost", "outbound|90||a.example at a.example:90"),
        ("REDIS", "UnknownHost", "outbound|90||a.example at a.example:90"),
        ("MYSQL", "UnknownHost", "outbound|90||a.example at a.example:90"),
    ] {
        let ports = format!("ports: [{{number: 90, name: tls-looking, protocol: {protocol}}}]");
        let manifests = entry("e", &format!("hosts: [a.example]\nresolution: DNS\n{ports}"));
        let snapshot = snapshot(manifests.trim_end_matches("---\n"));
        assert_eq!(outcome(&snapshot, "GET http://a.example:90/"), over_http, "{protocol}");
        assert_eq!(tunnel(&snapshot, "a.example:90", Some("a.example")), tunnelled, "{protocol}");
    }
}

const WORKLOADS: &str = "
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: one, labels: {zone: x}}
spec: {address: 192.0.2.1, labels: {app: db, version: v1}, ports: {http: 9001}, weight: 3}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: two}
spec: {address: 192.0.2.2, labels: {app: db, version: v2}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: elsewhere, namespace: istio-system}
spec: {address: 192.0.2.3, labels: {app: db}}
---
apiVersion: v1
kind: Service
metadata: {name: core}
spec: {selector: {app: db}, ports: [{name: http, port: 80, targetPort: 8081}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: db}
spec:
  host: db.example
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2, app: db}}, {name: v3, labels: {version: v3}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: db}
spec:
  hosts: [v.example]
  http:
  - match: [{uri: {prefix: /v1}}]
    route: [{destination: {host: db.example, subset: v1}}]
  - match: [{uri: {prefix: /v2}}]
    route: [{destination: {host: db.example, subset: v2}}]
  - match: [{uri: {prefix: /v3}}]
    route: [{destination: {host: db.example, subset: v3}}]
  - match: [{uri: {prefix: /v4}}]
    route: [{destination: {host: db.example, subset: v4}}]
---
";

#[test]
fn workload_entries_answer_for_services_and_entries_that_select_them_and_subsets_are_by_label() {
    let db = entry(
        "db",
        &format!("hosts: [db.example]\nresolution: STATIC\nworkloadSelector: {{labels: {{app: db}}}}\n{PORT}"),
    );
    let zone = entry(
        "z",
        &format!("hosts: [z.example]\nresolution: STATIC\nworkloadSelector: {{labels: {{zone: x}}}}\n{PORT}"),
    );
    let snapshot = snapshot((WORKLOADS.to_owned() + &db + &zone).trim_end_matches("---\n"));
    let both = ["192.0.2.1:9001", "192.0.2.2:8080"];
    assert_eq!(endpoints(&snapshot, "http://db.example/"), both);
    assert_eq!(endpoints(&snapshot, "http://z.example/"), both[..1], "labels of the metadata count too");
    assert_eq!(endpoints(&snapshot, "http://core/"), ["192.0.2.1:9001", "192.0.2.2:8081"]);
    assert_eq!(endpoints(&snapshot, "http://v.example/v1"), both[..1]);
    assert_eq!(endpoints(&snapshot, "http://v.example/v2"), both[1..]);
    assert!(endpoints(&snapshot, "http://v.example/v3").is_empty(), "nobody has the labels: UH");
    assert_eq!(outcome(&snapshot, "GET http://v.example/v4"), "NoCluster", "nobody declared the subset: NC");
}

#[test]
fn a_second_entry_adds_its_ports_with_its_own_endpoints_and_one_that_is_resolved_in_another_way_adds_none() {
    let of = |name: &str, number: u16, resolution: &str, endpoints: &str| {
        entry(
            name,
            &format!(
                "hosts: [a.example]\nresolution: {resolution}\nports: [{{number: {number}, name: p{number}, protocol: \
                 HTTP}}]\n{endpoints}"
            ),
        )
    };
    let manifests = of("a", 80, "STATIC", "endpoints: [{address: 192.0.2.1}]")
        + &of("b", 81, "STATIC", "endpoints: [{address: 192.0.2.2}]")
        + &of("c", 80, "STATIC", "endpoints: [{address: 192.0.2.3}]")
        + &of("d", 82, "DNS", "");
    table(
        manifests.trim_end_matches("---\n"),
        &[
            ("GET http://a.example/", "192.0.2.1:80"),
            ("GET http://a.example:81/", "192.0.2.2:81"),
            ("GET http://a.example:82/", "UnknownHost"),
        ],
    );
}

#[test]
fn each_port_has_its_own_hosts() {
    let narrow =
        entry("narrow", "hosts: [a.example]\nresolution: DNS\nports: [{number: 443, name: tls, protocol: TLS}]");
    let wide = entry("wide", &format!("hosts: ['*.example']\nresolution: NONE\n{PORT}"));
    let manifests = narrow + &wide;
    table(manifests.trim_end_matches("---\n"), &[("GET http://a.example/", "a.example:8080")]);
}

#[test]
fn a_gateway_does_not_know_what_the_caller_dialled() {
    for (hosts, resolution, http, tls) in [
        ("edition.cnn.com", "DNS", "edition.cnn.com:80", "edition.cnn.com:443"),
        ("edition.cnn.com", "NONE", "no endpoint", ""),
        ("'*.cnn.com'", "NONE", "no endpoint", ""),
        ("'*.cnn.com'", "DYNAMIC_DNS", "edition.cnn.com:80", "edition.cnn.com:443"),
    ] {
        let ports = "ports: [{number: 80, name: http, protocol: HTTP}, {number: 443, name: tls, protocol: TLS}]";
        let through = format!(
            "apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: out}}
spec:
  selector: {{istio: egressgateway}}
  servers:
  - {{port: {{number: 80, name: http, protocol: HTTP}}, hosts: ['*']}}
  - {{port: {{number: 443, name: tls, protocol: TLS}}, hosts: ['*'], tls: {{mode: PASSTHROUGH}}}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: through}}
spec:
  hosts: [edition.cnn.com]
  gateways: [mesh, out]
  http:
  - match: [{{gateways: [mesh]}}]
    route: [{{destination: {{host: istio-egressgateway.istio-system.svc.cluster.local, port: {{number: 80}}}}}}]
  - match: [{{gateways: [out]}}]
    route: [{{destination: {{host: {hosts}, port: {{number: 80}}}}}}]
  tls:
  - match: [{{gateways: [mesh], sniHosts: [edition.cnn.com]}}]
    route: [{{destination: {{host: istio-egressgateway.istio-system.svc.cluster.local, port: {{number: 443}}}}}}]
  - match: [{{gateways: [out], sniHosts: [edition.cnn.com]}}]
    route: [{{destination: {{host: {hosts}, port: {{number: 443}}}}}}]
"
        );
        let manifests = entry("cnn", &format!("hosts: [{hosts}]\nresolution: {resolution}\n{ports}")) + &through;
        let snapshot = snapshot(&manifests);
        assert_eq!(outcome(&snapshot, "GET http://edition.cnn.com/"), http, "{hosts} {resolution}");
        let found = tunnel(&snapshot, "edition.cnn.com:443", Some("edition.cnn.com"));
        assert_eq!(found.split(" at ").nth(1), Some(tls), "{hosts} {resolution}: {found}");
    }
}

#[test]
fn a_service_is_seen_where_its_annotation_exports_it_to() {
    let service = |to: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata:\n  name: s\n  namespace: istio-system\n  annotations: \
             {{networking.istio.io/exportTo: '{to}'}}\nspec: {{ports: [{{port: 80, name: http}}]}}\n"
        )
    };
    for (to, expected) in
        [("default", "no endpoint"), ("other, default", "no endpoint"), ("*", "no endpoint"), (".", "UnknownHost")]
    {
        assert_eq!(outcome(&snapshot(&service(to)), "GET http://s.istio-system/"), expected, "{to}");
    }
}
