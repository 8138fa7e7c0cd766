//! A manifest a code, and the lines that it gives.

use super::*;
use crate::diagnostic::Source;
use crate::manifest::parse;
use crate::registry::{MemoryRegistry, Operation, Registry as _, Transaction};
use crate::resource::Meta;
use crate::resource::kinds::NAMESPACE;

mod policy;
mod traps;

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
    // What one namespace keeps for itself stands beside what all see.
    let found = both("exportTo: [.],");
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[1].contains("default/one,default/two") && found[1].contains("same host default/a.com"), "{found:#?}");
    assert_eq!(both("exportTo: [other],").len(), 2);
    let apart = virtual_service("one", &format!("{{hosts: [a.com], exportTo: [here], {to}}}"))
        + &virtual_service("two", &format!("{{hosts: [a.com], exportTo: [there], {to}}}"));
    assert_eq!(of("IST0109", &(site() + &apart)), [""; 0]);
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
    let narrower = |labels: &str| {
        let selector = format!("{{selector: {labels}, servers: [{SERVER}]}}");
        of("IST0145", &(gateway("one", &format!("[{SERVER}]")) + &networking("Gateway", "two", &selector)))
    };
    assert_eq!(narrower("{istio: egressgateway, app: istio-egressgateway}").len(), 2, "both select the gateway");
    assert_eq!(narrower("{istio: egressgateway, app: other}"), [""; 0]);
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
