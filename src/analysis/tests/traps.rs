//! Traps of egress: hosts, routes and TLS that do something else than they seem to.

use super::*;

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
