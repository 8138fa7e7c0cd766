//! A manifest a code, and the lines that it gives.

use super::*;
use crate::diagnostic::Source;
use crate::manifest::parse;
use crate::registry::{MemoryRegistry, Operation, Registry as _, Transaction};
use crate::resource::Meta;
use crate::resource::kinds::NAMESPACE;

/// The registry of a manifest, in the namespaces that it names.
fn registry_of(text: &str) -> MemoryRegistry {
    let parsed = parse(&Source::new("test.yaml", text.to_owned()));
    let unreadable: Vec<_> = parsed.findings.iter().filter(|finding| finding.subject.is_none()).collect();
    assert!(unreadable.is_empty(), "{unreadable:?}");
    let mut resources = parsed.resources;
    let mut namespaces = std::collections::BTreeSet::new();
    for resource in resources.iter_mut().filter(|resource| resource.kind.namespaced) {
        namespaces.insert(resource.meta.namespace.get_or_insert_with(|| "default".to_owned()).clone());
    }
    let implied =
        namespaces.into_iter().filter(|name| !["default", "istio-system"].contains(&name.as_str())).map(|name| {
            let meta = Meta { name, ..Meta::default() };
            Resource { kind: &NAMESPACE, version: "v1".into(), meta, body: serde_json::Map::new(), origin: None }
        });
    let operations = implied.chain(resources).map(Operation::Create).collect();
    let registry = MemoryRegistry::new();
    registry.commit(Transaction { operations }).expect("the resources fit together");
    registry
}

/// What is found in manifests: `CODE Kind namespace/name field: message`.
fn found(text: &str) -> Vec<String> {
    let line = |one: Finding| {
        let Finding { code, key, at, message, .. } = one;
        let namespace = key.namespace.map(|namespace| namespace + "/").unwrap_or_default();
        format!("{} {} {namespace}{} {at}: {message}", code.name, key.kind.name, key.name)
    };
    analyze(&registry_of(text)).expect("memory can be read").into_iter().map(line).collect()
}

/// Those of a code.
fn of(code: &str, text: &str) -> Vec<String> {
    found(text).into_iter().filter(|line| line.starts_with(code)).collect()
}

/// A manifest of a kind of networking, with its spec in flow style.
fn networking(kind: &str, name: &str, spec: &str) -> String {
    format!("apiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n---\n")
}

fn gateway(name: &str, spec: &str) -> String {
    networking("Gateway", name, &format!("{{selector: {{istio: egressgateway}}, servers: {spec}}}"))
}

fn virtual_service(name: &str, spec: &str) -> String {
    networking("VirtualService", name, spec)
}

fn rule(name: &str, spec: &str) -> String {
    networking("DestinationRule", name, spec)
}

/// `a.com` with the ports 80 and 443, both of HTTP.
fn site() -> String {
    entry(
        "site",
        "{hosts: [a.com], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}, \
                   {number: 443, name: https, protocol: HTTP}]}",
    )
}

fn entry(name: &str, spec: &str) -> String {
    networking("ServiceEntry", name, spec)
}

/// A server of a Gateway for a host, on port 80.
const SERVER: &str = "{port: {number: 80, name: http, protocol: HTTP}, hosts: [a.com]}";

#[test]
fn codes_are_in_order_and_each_stands_once() {
    let names: Vec<_> = CODES.iter().map(|code| code.name).collect();
    let istios: Vec<_> = names.iter().filter(|name| name.starts_with("IST")).copied().collect();
    let mut sorted = istios.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(istios, sorted);
    assert!(CODES.iter().all(|code| !code.gist.ends_with('.') && !code.gist.is_empty()));
}

#[test]
fn references_of_virtual_services_are_followed() {
    let route = |to: &str| format!("{{hosts: [a.com], http: [{{route: [{{destination: {to}}}]}}]}}");
    let vs = |to: &str| of("IST01", &(site() + &virtual_service("x", &route(to))));
    let at = "VirtualService default/x spec.http[0].route[0].destination";
    assert_eq!(vs("{host: a.com, port: {number: 80}}"), [""; 0]);
    assert_eq!(
        vs("{host: b.com, port: {number: 80}}"),
        [format!("IST0101 {at}.host: Referenced host not found: \"b.com\"")]
    );
    assert_eq!(
        vs("{host: a.com, port: {number: 81}}"),
        [format!("IST0101 {at}.port.number: Referenced host:port not found: \"a.com:81\"")]
    );
    assert_eq!(
        vs("{host: a.com, port: {number: 80}, subset: v1}"),
        [format!("IST0101 {at}.subset: Referenced host+subset in destinationrule not found: \"a.com+v1\"")]
    );
    assert_eq!(
        vs("{host: a.com}"),
        [format!(
            "IST0112 {at}.host: This VirtualService routes to a service \"a.com\" that exposes multiple ports [80 443]. \
             Specifying a port in the destination is required to disambiguate."
        )]
    );
    let mirror = "{hosts: [a.com], http: [{route: [{destination: {host: a.com, port: {number: 80}}}], mirror: {host: \
                  b.com}}]}";
    assert_eq!(
        of("IST01", &(site() + &virtual_service("x", mirror))),
        ["IST0101 VirtualService default/x spec.http[0].mirror.host: Referenced mirror host not found: \"b.com\""]
    );
    let delegating = "{hosts: [a.com], http: [{delegate: {name: leaf}}]}";
    assert_eq!(
        of("IST01", &(site() + &virtual_service("x", delegating))),
        ["IST0101 VirtualService default/x spec.http[0].delegate: Referenced delegate not found: \"default/leaf\""]
    );
}

#[test]
fn gateways_of_virtual_services_exist_and_serve_their_hosts() {
    let bound = |gateway: &str, host: &str| {
        let to = "route: [{destination: {host: a.com, port: {number: 80}}}]";
        virtual_service("x", &format!("{{hosts: [{host}], gateways: [{gateway}], http: [{{{to}}}]}}"))
    };
    let declared = site() + &gateway("out", &format!("[{SERVER}]"));
    assert_eq!(of("IST01", &(declared.clone() + &bound("out", "a.com"))), [""; 0]);
    assert_eq!(of("IST01", &(declared.clone() + &bound("default/out", "'*.com'"))), [""; 0]);
    assert_eq!(
        of("IST01", &(declared.clone() + &bound("nope", "a.com"))),
        ["IST0101 VirtualService default/x spec.gateways[0]: Referenced gateway not found: \"nope\""]
    );
    assert_eq!(
        of("IST01", &(declared + &bound("out", "b.com"))),
        [
            "IST0132 VirtualService default/x spec.gateways[0]: one or more host [b.com] defined in VirtualService default/x \
          not found in Gateway default/out."
        ]
    );
}

#[test]
fn two_virtual_services_of_one_host_are_in_conflict_at_the_sidecars() {
    let to = "http: [{route: [{destination: {host: a.com, port: {number: 80}}}]}]";
    let both = |other: &str| {
        let one = virtual_service("one", &format!("{{hosts: [a.com], {to}}}"));
        of("IST0109", &(site() + &one + &virtual_service("two", &format!("{{hosts: [a.com], {other} {to}}}"))))
    };
    let message = "metadata.name: The VirtualServices default/one,default/two associated with mesh gateway define the same \
                   host */a.com which can lead to undefined behavior. This can be fixed by merging the conflicting \
                   VirtualServices into a single resource.";
    assert_eq!(
        both(""),
        [
            format!("IST0109 VirtualService default/one {message}"),
            format!("IST0109 VirtualService default/two {message}")
        ]
    );
    assert_eq!(both("gateways: [out],"), [""; 0]);
    assert_eq!(both("exportTo: [.],"), [""; 0]);
}

#[test]
fn routes_that_are_never_taken_are_named() {
    let to = "route: [{destination: {host: a.com, port: {number: 80}}}]";
    let http = |entries: &[&str]| {
        let routes: Vec<_> = entries.iter().map(|entry| format!("{{{entry}{to}}}")).collect();
        let spec = format!("{{hosts: [a.com], http: [{}]}}", routes.join(", "));
        of("IST013", &(site() + &virtual_service("x", &spec)))
    };
    let x = "VirtualService default/x spec.http";
    assert_eq!(
        http(&["", ""]),
        [format!("IST0130 {x}[1]: VirtualService rule #1 not used (only the last rule can have no matches).")]
    );
    assert_eq!(
        http(&["", "match: [{method: {exact: GET}}], "]),
        [format!("IST0130 {x}[1]: VirtualService rule #1 not used (route without matches defined before).")]
    );
    let uri = "match: [{uri: {exact: /a}}], ";
    assert_eq!(
        http(&[uri, &format!("name: again, {uri}")]),
        [
            format!("IST0130 {x}[1]: VirtualService rule \"again\" not used (all matches used by prior rules)."),
            format!(
                "IST0131 {x}[1].match[0]: VirtualService rule \"again\" match #0 is not used (duplicate/overlapping match \
                 in rule #0)."
            ),
        ]
    );
    assert_eq!(
        http(&["match: [{uri: {prefix: /a}}], ", "match: [{uri: {prefix: /ab}, method: {exact: GET}}], "]),
        [format!(
            "IST0131 {x}[1].match[0]: VirtualService rule #1 match #0 of prefix /ab is not used (duplicate/overlapping \
             match in rule #0 of prefix /a on #0)."
        )]
    );
    for different in ["gateways: [out]", "headers: {x: {}}", "port: 80", "method: {exact: GET}", "sourceNamespace: a"] {
        let first = format!("match: [{{uri: {{prefix: /a}}, {different}}}], ");
        assert_eq!(http(&[&first, "match: [{uri: {prefix: /ab}}], "]), [""; 0], "{different}");
    }
}

#[test]
fn gateways_have_a_workload_and_are_not_in_each_others_way() {
    assert_eq!(
        of("IST01", &networking("Gateway", "out", &format!("{{selector: {{a: b}}, servers: [{SERVER}]}}"))),
        ["IST0101 Gateway default/out spec.selector: Referenced selector not found: \"a=b\""]
    );
    let port = "{port: {number: 8443, name: http, protocol: HTTP}, hosts: [a.com]}";
    assert_eq!(
        of("IST01", &gateway("out", &format!("[{port}]"))),
        [
            "IST0162 Gateway default/out spec.servers[0].port.number: The gateway is listening on a target port (port 8443) \
          that is not defined in the Service associated with its workload instances (Pod selector istio=egressgateway). If \
          you need to access the gateway port through the gateway Service, it will not be available."
        ]
    );
    let wide = SERVER.replace("a.com", "'*.com'");
    let message = |other: &str, hosts: &str| {
        format!(
            "Conflict with gateways default/{other} (workload selector istio=egressgateway, port 80, hosts {hosts})."
        )
    };
    assert_eq!(
        of("IST01", &(gateway("one", &format!("[{SERVER}]")) + &gateway("two", &format!("[{wide}]")))),
        [
            format!("IST0145 Gateway default/one spec.servers[0]: {}", message("two", "a.com")),
            format!("IST0145 Gateway default/two spec.servers[0]: {}", message("one", "*.com")),
        ]
    );
    let other = SERVER.replace("a.com", "b.com");
    assert_eq!(
        of("IST01", &(gateway("one", &format!("[{SERVER}]")) + &gateway("two", &format!("[{other}]")))),
        [""; 0]
    );
}

#[test]
fn a_certificate_of_two_gateways_is_named() {
    let server = |host: &str| {
        let tls = "tls: {mode: SIMPLE, serverCertificate: c, privateKey: k}";
        format!("[{{port: {{number: 443, name: https, protocol: HTTPS}}, hosts: [{host}], {tls}}}]")
    };
    let message = "may cause 404s if clients re-use HTTP2 connections.";
    assert_eq!(
        of("IST0138", &(gateway("one", &server("a.com")) + &gateway("two", &server("b.com")))),
        [
            format!(
                "IST0138 Gateway default/one metadata.name: Duplicate certificate in multiple gateways [default/one \
                 default/two] {message}"
            ),
            format!(
                "IST0138 Gateway default/two metadata.name: Duplicate certificate in multiple gateways [default/two \
                 default/one] {message}"
            ),
        ]
    );
}

#[test]
fn a_subset_for_the_mesh_alone_has_no_effect_at_a_gateway() {
    let to =
        |subset: &str| format!("http: [{{route: [{{destination: {{host: a.com, {subset}port: {{number: 80}}}}}}]}}]");
    let declared = site()
        + &rule("a", "{host: a.com, subsets: [{name: v1}]}")
        + &gateway("out", &format!("[{SERVER}]"))
        + &virtual_service("mesh", &format!("{{hosts: [a.com], {}}}", to("subset: v1, ")))
        + &virtual_service("edge", &format!("{{hosts: [a.com], gateways: [out], {}}}", to("")));
    assert_eq!(
        of("IST0140", &declared),
        ["IST0140 VirtualService default/edge spec.http[0].route[0].destination.host: Subset in virtual service \
          default/mesh has no effect on ingress gateway default/edge requests"]
    );
}

#[test]
fn routes_by_claims_need_somebody_who_verifies_tokens() {
    let to = "route: [{destination: {host: a.com, port: {number: 80}}}]";
    let spec = format!(
        "{{hosts: [a.com], gateways: [out], http: [{{match: [{{headers: {{'@request.auth.claims.group': {{exact: a}}}}}}], \
         {to}}}]}}"
    );
    let found = of("IST0149", &(site() + &gateway("out", &format!("[{SERVER}]")) + &virtual_service("x", &spec)));
    assert_eq!(found.len(), 1, "{found:?}");
    let start = "IST0149 VirtualService default/x spec.http[0].match[0]: The virtual service uses the JWT claim based \
                 routing (key: request.auth.claims.group) but found no request authentication for the gateway \
                 (default/out) pod (istio-egressgateway-";
    assert!(found[0].starts_with(start), "{found:?}");
}

#[test]
fn destination_rules_have_hosts_subsets_and_authorities() {
    assert_eq!(
        of("IST01", &rule("x", "{host: nope.com, subsets: [{name: v1}]}")),
        [
            "IST0174 DestinationRule default/x spec.host: The host nope.com defined in the DestinationRule does not match any \
          services in the mesh."
        ]
    );
    assert_eq!(
        of("IST01", &(site() + &rule("x", "{host: a.com, subsets: [{name: v1, labels: {v: '1'}}, {name: all}]}"))),
        [
            "IST0173 DestinationRule default/x spec.subsets[0].labels: The Subset v1 defined in the DestinationRule does not \
          select any pods, which may lead to 503 UH (NoHealthyUpstream)."
        ]
    );
    let with_labels = entry(
        "b",
        "{hosts: [b.com], resolution: STATIC, endpoints: [{address: 1.2.3.4, labels: {v: '1'}}], ports: [{number: 80, \
         name: http, protocol: HTTP}]}",
    );
    assert_eq!(
        of("IST01", &(with_labels + &rule("x", "{host: b.com, subsets: [{name: v1, labels: {v: '1'}}]}"))),
        [""; 0]
    );
    let said = "DestinationRule default/x in namespace default has TLS mode set to SIMPLE but no caCertificates are set to \
                validate server identity for host: a.com";
    let tls = "{host: a.com, trafficPolicy: {tls: {mode: SIMPLE}, portLevelSettings: [{port: {number: 443}, tls: {mode: \
               SIMPLE}}, {port: {number: 80}, tls: {mode: SIMPLE, caCertificates: f}}]}}";
    assert_eq!(
        of("IST012", &(site() + &rule("x", tls))),
        [
            format!("IST0128 DestinationRule default/x spec.trafficPolicy.tls: {said}"),
            format!(
                "IST0129 DestinationRule default/x spec.trafficPolicy.portLevelSettings[0].tls: {said} at port number:443"
            ),
        ]
    );
    assert_eq!(
        of("IST0127", &(site() + &rule("x", "{host: a.com, workloadSelector: {matchLabels: {app: nope}}}"))),
        [
            "IST0127 DestinationRule default/x spec.workloadSelector.matchLabels: No matching workloads for this resource with \
          the following labels: app=nope"
        ]
    );
}

#[test]
fn service_entries_tell_their_ports_apart() {
    assert_eq!(
        of(
            "IST0134",
            &entry("x", "{hosts: [a.com], resolution: DNS, ports: [{number: 5432, name: db, protocol: TCP}]}")
        ),
        ["IST0134 ServiceEntry default/x spec.ports[0]: ServiceEntry addresses are required for this protocol."]
    );
    let port = |protocol: &str| {
        format!("{{hosts: [a.com], resolution: DNS, ports: [{{number: 443, name: x, protocol: {protocol}}}]}}")
    };
    let message = "The ServiceEntries default/one, default/two define the same host a.com and port 443 with different \
                   protocols (HTTP, TLS); that of the oldest counts.";
    assert_eq!(
        of("IST0177", &(entry("one", &port("HTTP")) + &entry("two", &port("TLS")))),
        [
            format!("IST0177 ServiceEntry default/one spec.ports[0].protocol: {message}"),
            format!("IST0177 ServiceEntry default/two spec.ports[0].protocol: {message}"),
        ]
    );
    assert_eq!(of("IST0177", &(entry("one", &port("TLS")) + &entry("two", &port("tls")))), [""; 0]);
}

#[test]
fn ports_of_services_are_named_after_their_protocol() {
    let service = |name: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: x}}\nspec: {{ports: [{{name: {name}, port: 80, targetPort: \
             8080}}]}}\n"
        )
    };
    assert_eq!(
        of("IST0118", &service("web")),
        [
            "IST0118 Service default/x spec.ports[0]: Port name web (port: 80, targetPort: 8080) doesn't follow the naming \
          convention of Istio port."
        ]
    );
    for good in ["http", "http-web", "grpc-web-x", "tcp-1"] {
        assert_eq!(of("IST0118", &service(good)), [""; 0], "{good}");
    }
}

#[test]
fn what_the_kinds_themselves_say_comes_under_istioctl_s_codes() {
    let lines = of("IST01", &networking("Gateway", "x", "{servers: [{port: {number: 1, name: a, protocol: TCP}}]}"));
    let expected = "IST0106 Gateway default/x spec.servers[0].hosts: Schema validation error: spec.servers[0].hosts: server \
                    config must contain at least one host";
    assert!(lines.iter().any(|line| line == expected), "{lines:?}");
}

#[test]
fn the_scenario_has_nothing_but_what_is_true_of_it() {
    let files = ["sleep.yaml", "01-egress-gateway.yaml", "02-egress-monitoring.yaml"];
    let read = |name: &str| {
        let path = format!("{}/fixtures/scenario/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).expect("a fixture")
    };
    let text: Vec<_> = files.into_iter().map(read).collect();
    let port = |rule: &str| {
        format!(
            "EGR0027 DestinationRule default/{rule} spec.trafficPolicy.portLevelSettings[0]: Port 443 has settings of its own, \
             which replace those of the destination whole: its loadBalancer does not hold there."
        )
    };
    let origination = "originate-tls-for-edition-cnn-com";
    let expected = [
        format!(
            "IST0129 DestinationRule default/{origination} spec.trafficPolicy.portLevelSettings[0].tls: DestinationRule \
             default/{origination} in namespace default has TLS mode set to SIMPLE but no caCertificates are set to validate \
             server identity for host: edition.cnn.com at port number:443"
        ),
        "EGR0024 ServiceEntry default/cnn spec.hosts: Calls to edition.cnn.com:443 from sleep do not pass the gateway, as those \
         to port 80 do."
            .to_owned(),
        port("mutual-tls-for-egressgateway"),
        port(origination),
    ];
    assert_eq!(found(&text.join("\n---\n")), expected);
}

#[test]
fn credentials_of_gateways_are_certificates_with_keys() {
    let tls = "tls: {mode: SIMPLE, credentialName: cert}";
    let server = format!("[{{port: {{number: 443, name: https, protocol: HTTPS}}, hosts: [a.com], {tls}}}]");
    let secret = |data: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: cert, namespace: istio-system}}\nstringData: {data}\n---\n"
        )
    };
    let credentials = |text: &str| {
        let other = |line: &String| !line.starts_with("IST0133");
        of("IST01", text).into_iter().filter(other).collect::<Vec<_>>()
    };
    let at = "Gateway default/out spec.servers[0].tls.credentialName";
    assert_eq!(
        credentials(&gateway("out", &server)),
        [format!("IST0101 {at}: Referenced credentialName not found: \"cert\"")]
    );
    assert_eq!(
        credentials(&(gateway("out", &server) + &secret("{tls.crt: a, tls.key: b}"))),
        [format!(
            "IST0161 {at}: The credential referenced by the Gateway out in namespace default is invalid, which can cause the \
             traffic not to work as expected."
        )]
    );
    let good = "{tls.crt: '-----BEGIN CERTIFICATE-----', tls.key: '-----BEGIN PRIVATE KEY-----'}";
    assert_eq!(credentials(&(gateway("out", &server) + &secret(good))), [""; 0]);
}

#[test]
fn one_sidecar_is_for_a_workload() {
    let sidecar = |name: &str, selector: &str| {
        networking("Sidecar", name, &format!("{{{selector}egress: [{{hosts: ['./*']}}]}}"))
    };
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: sleep, labels: {app: sleep}}\nspec: {containers: [{name: c, image: \
               c}]}\n---\n";
    let of_sleep = "workloadSelector: {labels: {app: sleep}}, ";
    assert_eq!(
        of("IST01", &sidecar("a", of_sleep)),
        ["IST0101 Sidecar default/a spec.workloadSelector.labels: Referenced selector not found: \"app=sleep\""]
    );
    let message = "The Sidecars [a b] in namespace \"default\" select the same workload pod \"sleep\", which can lead to \
                   undefined behavior.";
    assert_eq!(
        of("IST01", &(pod.to_owned() + &sidecar("a", of_sleep) + &sidecar("b", of_sleep))),
        ["a", "b"].map(|name| format!("IST0110 Sidecar default/{name} metadata.name: {message}"))
    );
    let message =
        "The Sidecars [a b] in namespace \"default\" have no workload selector, which can lead to undefined behavior.";
    assert_eq!(
        of("IST01", &(sidecar("a", "") + &sidecar("b", ""))),
        ["a", "b"].map(|name| format!("IST0111 Sidecar default/{name} metadata.name: {message}"))
    );
}

/// Those of a code in the scenario's and other fixtures, and in a manifest beside them.
fn beside(code: &str, fixtures: &[&str], text: &str) -> Vec<String> {
    let read = |name: &&str| {
        let path = format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).expect("a fixture")
    };
    let all: Vec<_> = fixtures.iter().map(read).chain([text.to_owned()]).collect();
    of(code, &all.join("\n---\n"))
}

/// A manifest of one of Mixer's kinds, with its spec in flow style.
fn mixer(kind: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: config.istio.io/v1alpha2\nkind: {kind}\nmetadata: {{name: {name}, namespace: istio-system}}\nspec: \
         {spec}\n---\n"
    )
}

/// A rule that logs, with what it needs.
fn logging(condition: &str) -> String {
    mixer("stdio", "out", "{}")
        + &mixer("logentry", "entry", "{severity: '\"info\"', monitored_resource_type: '\"x\"'}")
        + &mixer(
            "rule",
            "log",
            &format!("{{match: '{condition}', actions: [{{handler: out.stdio, instances: [entry.logentry]}}]}}"),
        )
}

/// A rule that refuses, with what it needs.
fn denying(condition: &str) -> String {
    mixer("denier", "never", "{status: {code: 7}}")
        + &mixer("checknothing", "any", "{}")
        + &mixer(
            "rule",
            "deny",
            &format!("{{match: '{condition}', actions: [{{handler: never.denier, instances: [any.checknothing]}}]}}"),
        )
}

#[test]
fn rules_that_encryption_blinds_are_named_with_the_ways_out() {
    let passed = ["scenario/sleep.yaml", "passthrough/egress-gateway.yaml"];
    let found = beside(
        "EGR0001",
        &passed,
        &logging("request.host.endsWith(\"cnn.com\") && request.path.startsWith(\"/politics\")"),
    );
    assert_eq!(found.len(), 2, "{found:#?}");
    let start = "EGR0001 rule istio-system/log spec.match: rule log reads request.path, but calls to *.cnn.com:443 from sleep \
                 are passed through encrypted: it never applies to them. Ways out: ";
    assert!(found[0].starts_with(start), "{found:#?}");
    assert!(found[1].contains("calls to edition.cnn.com:443 from sleep"), "{found:#?}");
    let checks = beside("EGR0001", &passed, &denying("request.path.startsWith(\"/x\")"));
    assert!(checks[0].contains("its checks cannot be carried out, and the calls are refused"), "{checks:#?}");
    for seen in [
        "context.protocol == \"http\" && request.path.startsWith(\"/x\")",
        "request.path.startsWith(\"/x\") && request.host == \"other.com\"",
        "(request.host | connection.requested_server_name) == \"edition.cnn.com\"",
        "source.namespace == \"default\"",
    ] {
        assert_eq!(beside("EGR0001", &passed, &logging(seen)), [""; 0], "{seen}");
    }
    let scenario = ["scenario/sleep.yaml", "scenario/01-egress-gateway.yaml"];
    assert_eq!(beside("EGR0001", &scenario, &logging("request.path.startsWith(\"/politics\")")), [""; 0]);
}

#[test]
fn what_is_seen_of_calls_is_computed_from_the_compiled_routes() {
    let lines = |fixtures: &[&str], name: &str| {
        let read = |name: &&str| std::fs::read_to_string(format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR")));
        let text: Vec<_> = fixtures.iter().map(|name| read(name).expect("a fixture")).collect();
        let registry = registry_of(&text.join("\n---\n"));
        let key = Key::new(&crate::resource::kinds::SERVICE_ENTRY, "default", name);
        let entry = registry.get(&key).expect("memory").expect("the entry");
        let seen = visible(&registry, &entry).expect("it compiles").into_iter();
        seen.map(|one| format!("{}:{} {}: {}", one.host, one.port, one.way, one.sees.words())).collect::<Vec<_>>()
    };
    assert_eq!(
        lines(&["scenario/sleep.yaml", "scenario/01-egress-gateway.yaml"], "cnn"),
        [
            "edition.cnn.com:80 HTTP to the sidecar, TLS originated at the gateway: path, method, headers visible",
            "edition.cnn.com:443 HTTP to the sidecar, TLS originated at the sidecar: path, method, headers visible",
        ]
    );
    let passed = ["scenario/sleep.yaml", "passthrough/egress-gateway.yaml"];
    assert_eq!(
        lines(&passed, "cnn"),
        ["edition.cnn.com:443 HTTPS passed through sidecar and gateway: only SNI, addresses, bytes"]
    );
    assert_eq!(lines(&passed, "all-cnn").len(), 1);
}

#[test]
fn conditions_that_no_call_can_meet_are_named() {
    let never = |condition: &str| {
        let found = beside("EGR0002", &["scenario/sleep.yaml"], &logging(condition));
        let start = "EGR0002 rule istio-system/log spec.match: Rule log can never match: ";
        found.iter().map(|line| line.strip_prefix(start).unwrap_or(line).to_owned()).collect::<Vec<_>>()
    };
    let table = [
        (
            "request.path.startsWith(\"politics\")",
            "request.path is to begin with \"politics\", but a path begins with /.",
        ),
        ("request.method == \"get\"", "request.method is to be \"get\", but methods are in capitals."),
        (
            "request.host == \"a.com:443\"",
            "request.host is to be \"a.com:443\", but a host has no port here (destination.port has it).",
        ),
        ("request.host == \"A.com\"", "request.host is to be \"A.com\", but hosts are in lower case."),
        (
            "context.protocol == \"https\" && request.path == \"/\"",
            "context.protocol is to be \"https\", but it is \"http\" or \"tcp\".",
        ),
        (
            "request.host == \"a.com\" && request.host.endsWith(\"b.com\")",
            "request.host cannot be \"a.com\" and end with \"b.com\" at once.",
        ),
        (
            "request.path.startsWith(\"/a\") && request.path.startsWith(\"/b\")",
            "request.path cannot begin with \"/a\" and begin with \"/b\" at once.",
        ),
        ("1 == 2", "its match is false, whatever the call."),
    ];
    for (condition, why) in table {
        assert_eq!(never(condition), [why], "{condition}");
    }
    for possible in [
        "request.path.startsWith(\"/a\") && request.path.endsWith(\"b\")",
        "request.host == \"a.com\" || request.host == \"b.com\"",
        "request.path.startsWith(\"/a\") && request.path.startsWith(\"/ab\")",
        "request.headers[\"x\"] == \"1\" && request.headers[\"y\"] == \"2\"",
    ] {
        assert_eq!(never(possible), [""; 0], "{possible}");
    }
    let elsewhere = logging("true").replace("istio-system", "nowhere");
    let found = of("EGR0002", &elsewhere);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains("it sees only calls of workloads of namespace nowhere, where there is none"),
        "{found:?}"
    );
}

#[test]
fn rules_for_hosts_that_nothing_registers_are_named() {
    let for_host = |condition: &str| of("EGR0003", &(site() + &logging(condition)));
    assert_eq!(
        for_host("request.host.endsWith(\"cnn.com\")"),
        [
            "EGR0003 rule istio-system/log spec.match: Rule log is for hosts that end with \"cnn.com\", and no ServiceEntry \
          registers one: calls there are refused before it is asked."
        ]
    );
    for registered in ["request.host == \"a.com\"", "request.host.endsWith(\".com\")", "request.path == \"/\""] {
        assert_eq!(for_host(registered), [""; 0], "{registered}");
    }
}

#[test]
fn attributes_that_never_have_a_value_are_named() {
    assert_eq!(
        of("EGR0004", &logging("source.user == \"a\"")),
        [
            "EGR0004 rule istio-system/log spec.match: Rule log needs source.user, which no call has a value for here: its match \
          cannot be decided. Give it a default, as in source.user | \"unknown\"."
        ]
    );
    assert_eq!(of("EGR0004", &logging("(source.user | \"b\") == \"a\"")), [""; 0]);
}

#[test]
fn parts_are_used_and_rules_do_not_say_the_same_twice() {
    let rule = |name: &str, action: &str| mixer("rule", name, &format!("{{match: 'true', actions: [{action}]}}"));
    let unused = mixer("stdio", "idle", "{}")
        + &mixer("logentry", "spare", "{severity: '\"info\"', monitored_resource_type: '\"x\"'}");
    assert_eq!(
        of("EGR000", &(unused + &logging("true"))),
        [
            "EGR0007 stdio istio-system/idle metadata.name: No rule uses the handler idle.stdio.istio-system: it does nothing.",
            "EGR0008 logentry istio-system/spare metadata.name: No rule uses the instance spare.logentry.istio-system: it does \
             nothing.",
        ]
    );
    let again = rule("more", "{handler: out.stdio.istio-system, instances: [entry.logentry]}");
    assert_eq!(
        of("EGR0005", &(logging("true") + &again)),
        [
            "EGR0005 rule istio-system/more spec.actions[0].instances[0]: Rule more does what rule log does, for the same calls: \
          instance entry.logentry.istio-system, handler out.stdio.istio-system."
        ]
    );
    assert_eq!(
        of("IST0101", &rule("x", "{handler: h.stdio, instances: [i.logentry]}")),
        [
            "IST0101 rule istio-system/x spec.actions[0].handler: Referenced handler not found: \"h.stdio\"",
            "IST0101 rule istio-system/x spec.actions[0].instances[0]: Referenced instance not found: \"i.logentry\"",
        ]
    );
}

#[test]
fn checks_that_decide_nothing_are_named() {
    let reporting = denying("true").replace(
        "{name: deny, namespace: istio-system}",
        "{name: deny, namespace: istio-system, annotations: {egressctl.io/mode: report}}",
    );
    assert_eq!(
        of("EGR0009", &reporting),
        ["EGR0009 rule istio-system/deny metadata.annotations: What rule deny refuses is only reported (annotation \
          egressctl.io/mode: report): the calls go."]
    );
    let agreeing = mixer("noop", "agree", "{}") + &denying("true").replace("never.denier", "agree.noop");
    assert_eq!(
        of("EGR0010", &agreeing),
        [
            "EGR0010 rule istio-system/deny spec.actions[0].instances[0]: The check of rule deny is handed to a noop, which agrees \
          with everything: it refuses nothing."
        ]
    );
    let list = |annotations: &str| {
        mixer("listchecker", "pages", "{overrides: [/a]}")
            + &mixer("listentry", "page", "{value: request.path}")
            + &mixer("rule", "check", "{actions: [{handler: pages.listchecker, instances: [page.listentry]}]}").replace(
                "{name: check, namespace: istio-system}",
                &format!("{{name: check, namespace: istio-system{annotations}}}"),
            )
    };
    assert_eq!(
        of("EGR0011", &list(", annotations: {egressctl.io/mode: report}")),
        [
            "EGR0011 listchecker istio-system/pages metadata.name: The list pages says what is allowed, but refuses nothing: every \
          rule that uses it only reports."
        ]
    );
    assert_eq!(of("EGR0011", &list("")), [""; 0]);
}

#[test]
fn a_quota_that_every_call_gets_elsewhere_is_never_asked() {
    let quota =
        mixer("memquota", "count", "{quotas: [{name: calls.quota.istio-system, maxAmount: 5, validDuration: 1s}]}")
            + &mixer("quota", "calls", "{dimensions: {}}");
    let rule = |name: &str, condition: &str| {
        mixer("rule", name, &format!("{{{condition}actions: [{{handler: count.memquota, instances: [calls.quota]}}]}}"))
    };
    assert_eq!(
        of("EGR0006", &(quota.clone() + &rule("a", "") + &rule("b", "match: 'request.host == \"a.com\"', "))),
        [
            "EGR0006 rule istio-system/b spec.actions[0].instances[0]: Rule b never gives the quota calls: rule a, which is asked \
          first, gives it to every call."
        ]
    );
    assert_eq!(of("EGR0006", &(quota + &rule("b", "") + &rule("a", "match: 'request.host == \"a.com\"', "))), [""; 0]);
}

#[test]
fn callers_are_proven_to_istio_s_gateway_by_mutual_tls_alone() {
    let fixtures = ["scenario/sleep.yaml", "scenario/01-egress-gateway.yaml"];
    let rule = logging("source.principal == \"cluster.local/ns/default/sa/sleep\"");
    assert_eq!(beside("EGR0012", &fixtures, &rule), [""; 0]);
    let text =
        std::fs::read_to_string(format!("{}/fixtures/scenario/01-egress-gateway.yaml", env!("CARGO_MANIFEST_DIR")));
    let plain = text.expect("a fixture").replace("ISTIO_MUTUAL", "DISABLE");
    let found = beside("EGR0012", &fixtures[..1], &(plain + "\n---\n" + &rule));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains(
            "no DestinationRule for istio-egressgateway.istio-system.svc.cluster.local has tls mode ISTIO_MUTUAL"
        ),
        "{found:?}"
    );
}

#[test]
fn hosts_cover_what_they_seem_to() {
    let hosts = |code: &str, hosts: &str, rest: &str| of(code, &entry("x", &format!("{{hosts: [{hosts}], {rest}}}")));
    let http = "ports: [{number: 80, name: http, protocol: HTTP}]";
    assert_eq!(
        hosts("EGR0013", "'*.a.com'", &format!("resolution: DNS, {http}")),
        [
            "EGR0013 ServiceEntry default/x spec.hosts[0]: *.a.com is no name that DNS could resolve. Set resolution to NONE, so \
          that the name of each call is resolved, or list the hosts one by one."
        ]
    );
    assert_eq!(
        hosts("EGR0016", "'*.a.com'", &format!("resolution: NONE, {http}")),
        [
            "EGR0016 ServiceEntry default/x spec.hosts[0]: *.a.com lets out calls to every name below a.com, also to those that \
          nobody wrote down."
        ]
    );
    let form = |host: &str| {
        let found = hosts("EGR0015", host, &format!("resolution: NONE, {http}"));
        found.iter().map(|line| line.split("spec.hosts[0]: ").nth(1).unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    for (written, said) in [
        ("'api.*.a.com'", "api.*.a.com has a wildcard that does not stand first, alone: write *.a.com."),
        (
            "'*a.com'",
            "*a.com has a wildcard for a part of a label, which also covers other owners' names: write *.a.com.",
        ),
        (
            "'*-api.a.com'",
            "*-api.a.com has a wildcard for a part of a label, which also covers other owners' names: write *.a.com.",
        ),
        (
            "m\u{fc}nchen.de",
            "m\u{fc}nchen.de is never asked for in this form, but in punycode: write xn--mnchen-3ya.de.",
        ),
    ] {
        assert_eq!(form(written), [said]);
    }
    for good in ["'*.a.com'", "a.com", "xn--mnchen-3ya.de"] {
        assert_eq!(form(good), [""; 0], "{good}");
    }
    assert_eq!(
        hosts("EGR0019", "a.com", "resolution: DNS, ports: [{number: 443, name: https, protocol: HTTP}]"),
        [
            "EGR0019 ServiceEntry default/x spec.ports[0].name: Port 443 is named https, but its protocol is HTTP, and only that \
          counts: callers speak plain HTTP to it."
        ]
    );
}

#[test]
fn tcp_hosts_on_one_port_are_told_apart_by_addresses() {
    let db = |name: &str, addresses: &str| {
        entry(
            name,
            &format!(
                "{{hosts: [{name}.com], {addresses}resolution: DNS, ports: [{{number: 5432, name: tcp, protocol: TCP}}]}}"
            ),
        )
    };
    let found = of("EGR0014", &(db("one", "") + &db("two", "")));
    assert_eq!(found.len(), 1, "{found:?}");
    let start = "EGR0014 ServiceEntry default/two spec.ports[0]: two.com and one.com (default/one) are both TCP on port 5432 \
                 without addresses";
    assert!(found[0].starts_with(start), "{found:?}");
    assert_eq!(of("EGR0014", &(db("one", "") + &db("two", "addresses: [10.0.0.1], "))), [""; 0]);
}

#[test]
fn sidecars_say_what_of_the_unregistered_they_let_out() {
    let sidecar = |policy: &str| {
        networking("Sidecar", "x", &format!("{{egress: [{{hosts: ['*/*']}}], outboundTrafficPolicy: {policy}}}"))
    };
    assert_eq!(
        of("EGR001", &sidecar("{mode: ALLOW_ANY}")),
        [
            "EGR0017 Sidecar default/x spec.outboundTrafficPolicy.mode: Mode ALLOW_ANY lets out calls to every host: ServiceEntries \
          are no list of what is allowed."
        ]
    );
    assert_eq!(
        of("EGR001", &sidecar("{}")),
        [
            "EGR0018 Sidecar default/x spec.outboundTrafficPolicy: An outboundTrafficPolicy without mode is REGISTRY_ONLY, not what \
          the mesh has."
        ]
    );
    assert_eq!(of("EGR001", &sidecar("{mode: REGISTRY_ONLY}")), [""; 0]);
}

#[test]
fn a_second_host_through_the_gateway_needs_a_subset_of_its_own() {
    let gateway = "istio-egressgateway.istio-system.svc.cluster.local";
    let tls = |sni: &str| format!("{{host: {gateway}, trafficPolicy: {{tls: {{mode: ISTIO_MUTUAL, sni: {sni}}}}}}}");
    let to = |host: &str| {
        virtual_service(
            host.split('.').next().unwrap_or_default(),
            &format!(
                "{{hosts: [{host}], http: [{{route: [{{destination: {{host: {gateway}, port: {{number: 443}}}}}}]}}]}}"
            ),
        )
    };
    let both = rule("first", &tls("a.com")) + &rule("second", &tls("b.com")) + &to("a.com") + &to("b.com");
    assert_eq!(
        of("EGR0020", &both),
        [format!(
            "EGR0020 DestinationRule default/second spec.trafficPolicy: DestinationRule default/first is for {gateway} too, and \
             older: its trafficPolicy holds, and this one is not used. Put them into one, with a subset for each host that goes \
             there, and its sni."
        )]
    );
    let found = of("EGR0021", &(rule("first", &tls("a.com")) + &to("a.com") + &to("b.com")));
    assert_eq!(
        found,
        [
            "EGR0021 DestinationRule default/first spec.trafficPolicy.tls.sni: VirtualService default/b sends calls to b.com by this \
          rule, whose sni is a.com: at the other end they are taken for calls to that host. Give b.com a subset of its own, \
          with its sni."
        ]
    );
}

#[test]
fn virtual_services_of_one_host_are_merged_at_a_gateway() {
    let bound = |name: &str| {
        let to = "http: [{route: [{destination: {host: a.com, port: {number: 80}}}]}]";
        virtual_service(name, &format!("{{hosts: [a.com], gateways: [out], {to}}}"))
    };
    let found = of("EGR0022", &(site() + &gateway("out", &format!("[{SERVER}]")) + &bound("one") + &bound("two")));
    assert_eq!(
        found[0],
        "EGR0022 VirtualService default/one spec.hosts: The VirtualServices default/one, default/two are of the same host a.com at \
         gateway default/out: their routes are put together, the oldest first, and those that take everything last."
    );
    assert_eq!(found.len(), 2);
}

#[test]
fn routes_are_of_the_protocol_that_their_port_speaks() {
    let port = |protocol: &str| {
        entry(
            "x",
            &format!("{{hosts: [a.com], resolution: DNS, ports: [{{number: 443, name: x, protocol: {protocol}}}]}}"),
        )
    };
    let http = virtual_service("v", "{hosts: [a.com], http: [{route: [{destination: {host: a.com}}]}]}");
    let tls = virtual_service(
        "v",
        "{hosts: [a.com], tls: [{match: [{sniHosts: [a.com]}], route: [{destination: {host: a.com}}]}]}",
    );
    let at = "EGR0023 VirtualService default/v";
    assert_eq!(
        of("EGR0023", &(port("TLS") + &http)),
        [format!(
            "{at} spec.http: Routes of http are never used: what the hosts' ports (443) speak is passed through unread. Use tls \
             routes, or declare a port of protocol HTTP."
        )]
    );
    assert_eq!(
        of("EGR0023", &(port("HTTP") + &tls)),
        [format!(
            "{at} spec.tls: Routes of tls are never used: the hosts' ports (443) speak HTTP, and protocol decides, not the number. \
             Declare protocol TLS for HTTPS that is to be passed through."
        )]
    );
    assert_eq!(of("EGR0023", &(port("HTTP") + &http)), [""; 0]);
    assert_eq!(of("EGR0023", &(port("TLS") + &tls)), [""; 0]);
}

#[test]
fn routes_refuse_in_time_and_faults_are_injected() {
    let to = "route: [{destination: {host: a.com, port: {number: 80}}}]";
    let http = |code: &str, routes: &str| {
        of(code, &(site() + &virtual_service("x", &format!("{{hosts: [a.com], http: [{routes}]}}"))))
    };
    let at = "VirtualService default/x spec.http";
    let refusing = "{match: [{uri: {prefix: /sport/private}}], directResponse: {status: 403}}";
    let sport = format!("{{match: [{{uri: {{prefix: /sport}}}}], {to}}}");
    assert_eq!(
        http("EGR0025", &format!("{sport}, {refusing}")),
        [format!(
            "EGR0025 {at}[1]: Rule #1 refuses (403) what rule #0 lets through before: the first that matches decides, not the most \
             specific. Put it first."
        )]
    );
    assert_eq!(http("EGR0025", &format!("{refusing}, {sport}")), [""; 0]);
    assert_eq!(
        http("EGR0026", &format!("{{{to}, fault: {{abort: {{httpStatus: 503}}}}}}")),
        [format!(
            "EGR0026 {at}[0].fault.abort: The abort has no percentage, and so is never injected: an absent percentage is 0."
        )]
    );
    assert_eq!(
        http("EGR0029", &format!("{{match: [{{uri: {{prefix: /api}}}}], rewrite: {{uri: /}}, {to}}}")),
        [format!(
            "EGR0029 {at}[0].rewrite.uri: The prefix /api is replaced as it stands, by /: /api/x becomes //x. Match the prefix \
             /api/ in an entry of its own."
        )]
    );
}

#[test]
fn settings_of_a_port_replace_those_of_the_destination() {
    let policy = "{host: a.com, trafficPolicy: {loadBalancer: {simple: RANDOM}, portLevelSettings: [{port: {number: 443}, tls: \
                  {mode: SIMPLE, sni: b.com}}]}}";
    assert_eq!(
        of("EGR002", &(site() + &rule("x", policy))),
        [
            "EGR0027 DestinationRule default/x spec.trafficPolicy.portLevelSettings[0]: Port 443 has settings of its own, which \
             replace those of the destination whole: its loadBalancer does not hold there.",
            "EGR0028 DestinationRule default/x spec.trafficPolicy.portLevelSettings[0].tls.sni: With an sni (b.com), but without \
             subjectAltNames, Istio verifies no name in the certificate; here the sni is verified.",
        ]
    );
}

#[test]
fn routes_that_apply_nowhere_at_the_sidecars_are_named() {
    let to = "route: [{destination: {host: a.com, port: {number: 80}}}]";
    let with = |entry: &str| {
        of(
            "EGR0030",
            &(site() + &virtual_service("x", &format!("{{hosts: [a.com], http: [{{match: [{entry}], {to}}}]}}"))),
        )
    };
    assert_eq!(
        with("{port: 8080}"),
        [
            "EGR0030 VirtualService default/x spec.http: No route applies at the sidecars, where calls come to the hosts' ports 80, \
          443: they go straight to the hosts, as if this VirtualService were not there."
        ]
    );
    for applying in ["{port: 80}", "{uri: {exact: /a}}", "{gateways: [mesh]}"] {
        assert_eq!(with(applying), [""; 0], "{applying}");
    }
    assert_eq!(with("{gateways: [out]}").len(), 1);
}

#[test]
fn credentials_of_destinations_are_there_and_count() {
    let policy = "{host: a.com, trafficPolicy: {tls: {mode: SIMPLE, credentialName: ca}}}";
    assert_eq!(
        of("IST01", &(site() + &rule("x", policy)))[0],
        "IST0101 DestinationRule default/x spec.trafficPolicy.tls.credentialName: Referenced credentialName not found: \"ca\""
    );
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: ca-cacert, namespace: istio-system}\nstringData: {ca.crt: \
                  x}\n---\n";
    assert_eq!(of("IST0101", &(secret.to_owned() + &site() + &rule("x", policy))), [""; 0]);
}

#[test]
fn quotas_are_charged() {
    let quota =
        mixer("memquota", "count", "{quotas: [{name: calls.quota.istio-system, maxAmount: 5, validDuration: 1s}]}")
            + &mixer("quota", "calls", "{dimensions: {}}")
            + &mixer("rule", "give", "{actions: [{handler: count.memquota, instances: [calls.quota]}]}");
    assert_eq!(
        of("EGR", &quota),
        [
            "EGR0031 rule istio-system/give spec.actions[0].instances[0]: Rule give gives the quota calls, but no QuotaSpec that a \
          QuotaSpecBinding binds to a service charges it: no call is ever counted."
        ]
    );
    let spec = mixer("QuotaSpec", "spec", "{rules: [{quotas: [{quota: calls, charge: 1}]}]}");
    let binding = mixer("QuotaSpecBinding", "binding", "{quotaSpecs: [{name: spec}], services: [{service: '*'}]}");
    assert_eq!(of("EGR", &(quota + &spec + &binding)), [""; 0]);
}

#[test]
fn policies_of_the_fixtures_have_no_faults() {
    for name in ["whitelist.yaml", "opa.yaml", "quota.yaml", "prometheus.yaml"] {
        let fixtures = ["scenario/sleep.yaml", "scenario/01-egress-gateway.yaml", &format!("policy/{name}")];
        let lines: Vec<_> =
            beside("", &fixtures, "").into_iter().filter(|line| line.contains("istio-system/")).collect();
        assert_eq!(lines, [""; 0], "{name}");
    }
}
