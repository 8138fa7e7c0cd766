//! Which VirtualService counts at a place, and which of its routes.

use super::*;

/// Two registered hosts with two ports of HTTP each.
const HOSTS: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: hosts}
spec:
  hosts: [a.site.example, b.site.example]
  resolution: DNS
  ports: [{number: 80, name: http, protocol: HTTP}, {number: 8080, name: alt, protocol: HTTP}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: single}
spec:
  hosts: [single.example]
  resolution: DNS
  ports: [{number: 8443, name: http, protocol: HTTP}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: closed}
spec:
  hosts: [closed.example]
  resolution: DNS
  ports: [{number: 443, name: https, protocol: HTTPS}]
";

fn routed(name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: vs-{name}}}\nspec:\n  {}\n",
        spec.replace('\n', "\n  ")
    )
}

fn answering(name: &str, hosts: &str, status: u16) -> String {
    routed(name, &format!("hosts: [{hosts}]\nhttp: [{{directResponse: {{status: {status}}}}}]"))
}

#[test]
fn routes_that_all_fall_away_leave_the_service_and_one_that_stays_leaves_nothing_else() {
    for (entry, expected) in [
        ("{port: 8080}", "a.site.example:80"),
        ("{gateways: [out]}", "a.site.example:80"),
        ("{sourceLabels: {app: web}}", "a.site.example:80"),
        ("{sourceNamespace: other}", "a.site.example:80"),
        // With gateways named the source is not looked at.
        ("{gateways: [mesh], sourceLabels: {app: web}, sourceNamespace: other}", "answer 201"),
        ("{sourceLabels: {app: sleep}, sourceNamespace: default}", "answer 201"),
        ("{port: 80}", "answer 201"),
        ("{uri: {exact: /x}}", "NoRoute"),
        ("{port: 8080}, {uri: {exact: /x}}", "NoRoute"),
    ] {
        let spec = format!(
            "hosts: [a.site.example]\ngateways: [mesh, out]\nhttp: [{{match: [{entry}], directResponse: {{status: 201}}}}]"
        );
        table(&format!("{HOSTS}{}", routed("r", &spec)), &[("GET http://a.site.example/", expected)]);
    }
}

#[test]
fn hosts_that_nobody_registered_are_routed_on_port_80_or_beside_a_registered_one() {
    let alone = answering("alone", "new.example, '*.fresh.example'", 201);
    let beside = answering("beside", "single.example, guest.example", 202);
    let wide = answering("wide", "'*.site.example'", 203);
    table(
        &format!("{HOSTS}{alone}{beside}{wide}"),
        &[
            ("GET http://new.example/", "answer 201"),
            ("GET http://new.example:8080/", "UnknownHost"),
            ("GET http://x.fresh.example/", "answer 201"),
            ("GET http://fresh.example/", "UnknownHost"),
            ("GET http://guest.example:8443/", "answer 202"),
            ("GET http://guest.example/", "UnknownHost"),
            ("GET http://single.example:8443/", "answer 202"),
            // A wildcard stands for the registered hosts that it covers.
            ("GET http://a.site.example/", "answer 203"),
            ("GET http://b.site.example:8080/", "answer 203"),
            ("GET http://c.site.example/", "UnknownHost"),
        ],
    );
}

#[test]
fn a_host_has_one_virtual_service_the_most_specific_and_of_equals_the_oldest() {
    let manifests = [
        answering("1", "'*.example'", 201),
        answering("2", "'*.site.example'", 202),
        answering("3", "a.site.example", 203),
        answering("4", "a.site.example", 204),
    ];
    table(
        &format!("{HOSTS}{}", manifests.concat()),
        &[
            ("GET http://a.site.example/", "answer 203"),
            ("GET http://b.site.example/", "answer 202"),
            ("GET http://single.example:8443/", "answer 201"),
        ],
    );
}

#[test]
fn a_host_is_found_in_any_spelling_and_by_its_port_alone() {
    table(
        HOSTS,
        &[
            ("GET http://A.Site.EXAMPLE/", "a.site.example:80"),
            ("GET http://a.site.example./", "a.site.example:80"),
            ("GET http://a.site.example:8080/", "a.site.example:8080"),
            ("GET http://a.site.example:9/", "UnknownHost"),
            // HTTPS is not opened: of a port that carries it nothing is known in HTTP.
            ("GET http://closed.example:443/", "UnknownHost"),
        ],
    );
    let routes = answering("r", "closed.example", 201);
    let snapshot = snapshot(&format!("{HOSTS}{routes}"));
    let found = tunnel(&snapshot, "closed.example:443", Some("closed.example"));
    assert_eq!(found, "outbound|443||closed.example at closed.example:443", "routes of HTTP are not used for HTTPS");
}

#[test]
fn a_destination_without_port_is_the_callers_at_a_sidecar() {
    let to = |host: &str| {
        routed("r", &format!("hosts: [a.site.example]\nhttp: [{{route: [{{destination: {{host: {host}}}}}]}}]"))
    };
    for (host, at_80, at_8080) in [
        ("b.site.example", "b.site.example:80", "b.site.example:8080"),
        ("single.example", "NoCluster", "NoCluster"),
        ("nobody.example", "NoCluster", "NoCluster"),
        ("c.site.example", "NoCluster", "NoCluster"),
    ] {
        table(
            &format!("{HOSTS}{}", to(host)),
            &[("GET http://a.site.example/", at_80), ("GET http://a.site.example:8080/", at_8080)],
        );
    }
}

const TO_THE_GATEWAY: &str =
    "{destination: {host: istio-egressgateway.istio-system.svc.cluster.local, port: {number: 80}}}";

/// Gateways with servers on port 80, and the sidecar's route there for hosts.
fn gateways(hosts: &str, servers: &[(&str, &str)]) -> String {
    let gateway = |(name, server): &(&str, &str)| {
        format!(
            "---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: {name}}}\nspec:\n  selector: {{istio: \
             egressgateway}}\n  servers: [{{port: {{number: 80, name: http, protocol: HTTP}}, {server}}}]\n"
        )
    };
    let gateways: String = servers.iter().map(gateway).collect();
    let mesh = routed("mesh", &format!("hosts: [{hosts}]\nhttp: [{{route: [{TO_THE_GATEWAY}]}}]"));
    format!("{HOSTS}{gateways}{mesh}")
}

fn bound(name: &str, hosts: &str, http: &str) -> String {
    routed(name, &format!("hosts: [{hosts}]\ngateways: [out]\nhttp:\n{http}"))
}

#[test]
fn at_a_gateway_virtual_services_of_a_host_are_merged_and_what_takes_all_comes_last() {
    let manifests =
        gateways("a.site.example, b.site.example, x.example", &[("out", "hosts: ['*.site.example', a.site.example]")])
            + &bound("1", "'*.site.example'", "- directResponse: {status: 201}")
            + &bound("2", "a.site.example", "- match: [{uri: {prefix: /two}}]\n  directResponse: {status: 202}");
    table(
        &manifests,
        &[
            ("GET http://a.site.example/two", "answer 202"),
            ("GET http://a.site.example/", "answer 201"),
            ("GET http://b.site.example/two", "answer 201"),
            ("GET http://x.example/", "NoRoute"),
        ],
    );
}

#[test]
fn a_gateway_serves_what_server_and_virtual_service_have_in_common() {
    for (server, hosts, a, b) in [
        ("hosts: ['*']", "a.site.example", "answer 201", "NoRoute"),
        ("hosts: [a.site.example]", "'*.site.example'", "answer 201", "NoRoute"),
        ("hosts: ['*.site.example']", "'*'", "answer 201", "answer 201"),
        ("hosts: [default/a.site.example]", "'*'", "answer 201", "NoRoute"),
        ("hosts: [./a.site.example]", "'*'", "answer 201", "NoRoute"),
        ("hosts: ['*/a.site.example']", "'*'", "answer 201", "NoRoute"),
        ("hosts: [other/a.site.example]", "'*'", "NoRoute", "NoRoute"),
        ("hosts: ['*.else.example']", "a.site.example", "NoRoute", "NoRoute"),
    ] {
        let manifests = gateways("a.site.example, b.site.example", &[("out", server)])
            + &bound("r", hosts, "- directResponse: {status: 201}");
        table(&manifests, &[("GET http://a.site.example/", a), ("GET http://b.site.example/", b)]);
    }
}

#[test]
fn several_gateways_on_one_port_share_one_table() {
    let manifests = gateways(
        "a.site.example, b.site.example",
        &[("out", "hosts: [a.site.example]"), ("too", "hosts: [b.site.example]")],
    ) + &bound("1", "a.site.example", "- directResponse: {status: 201}")
        + &routed("2", "hosts: [b.site.example]\ngateways: [default/too]\nhttp: [{directResponse: {status: 202}}]");
    table(&manifests, &[("GET http://a.site.example/", "answer 201"), ("GET http://b.site.example/", "answer 202")]);
}

#[test]
fn a_gateway_that_redirects_to_https_does_so_for_all_its_hosts_and_others_share_its_port() {
    let servers = [("out", "hosts: [a.site.example], tls: {httpsRedirect: true}"), ("too", "hosts: [b.site.example]")];
    let manifests = gateways("a.site.example, b.site.example, x.example", &servers)
        + &bound("1", "a.site.example", "- directResponse: {status: 201}")
        + &routed("2", "hosts: [b.site.example]\ngateways: [too]\nhttp: [{directResponse: {status: 202}}]");
    table(
        &manifests,
        &[
            ("GET http://a.site.example/", "answer 301"),
            ("GET http://b.site.example/", "answer 202"),
            ("GET http://x.example/", "NoRoute"),
        ],
    );
    let without_routes = gateways("a.site.example", &servers[..1]);
    table(&without_routes, &[("GET http://a.site.example/", "answer 301")]);
}

#[test]
fn at_a_gateway_ports_are_the_servers_and_the_source_is_the_gateway() {
    for (entry, expected) in [
        ("{port: 80}", "answer 201"),
        ("{port: 8080}", "NoRoute"),
        ("{gateways: [out]}", "answer 201"),
        ("{gateways: [./out]}", "answer 201"),
        ("{gateways: [default/out]}", "answer 201"),
        ("{gateways: [out.default.svc.cluster.local]}", "answer 201"),
        ("{gateways: [other/out]}", "NoRoute"),
        ("{gateways: [mesh]}", "NoRoute"),
        ("{sourceLabels: {istio: egressgateway}}", "answer 201"),
        ("{sourceLabels: {app: sleep}}", "NoRoute"),
        ("{sourceNamespace: default}", "NoRoute"),
        ("{sourceNamespace: istio-system}", "answer 201"),
        ("{gateways: [out], sourceLabels: {app: nobody}}", "answer 201"),
    ] {
        let manifests = gateways("a.site.example", &[("out", "hosts: ['*']")])
            + &bound("r", "a.site.example", &format!("- match: [{entry}]\n  directResponse: {{status: 201}}"));
        let snapshot = snapshot(&manifests);
        assert_eq!(outcome(&snapshot, "GET http://a.site.example/"), expected, "{entry}");
    }
}

#[test]
fn a_destination_without_port_is_at_a_gateway_the_only_one_or_else_the_servers() {
    let to = |host: &str| {
        gateways("a.site.example", &[("out", "hosts: ['*']")])
            + &bound("r", "a.site.example", &format!("- route: [{{destination: {{host: {host}}}}}]"))
    };
    for (host, expected) in
        [("single.example", "single.example:8443"), ("b.site.example", "b.site.example:80"), ("x.example", "NoCluster")]
    {
        table(&to(host), &[("GET http://a.site.example/", expected)]);
    }
}

#[test]
fn a_gateway_follows_what_is_exported_to_its_namespace_what_is_its_own_first() {
    let routed = |name: &str, namespace: &str, export_to: &str, path: &str, status: u16| {
        format!(
            "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: {name}, namespace: \
             {namespace}}}\nspec:\n  hosts: [a.site.example]\n  gateways: [default/out]\n  exportTo: [{export_to}]\n  http: \
             [{{match: [{{uri: {{prefix: {path}}}}}], directResponse: {{status: {status}}}}}]\n"
        )
    };
    for (virtual_services, expected) in [
        (routed("a", "default", "'*'", "/", 201), "answer 201"),
        (routed("a", "default", ".", "/", 201), "NoRoute"),
        (routed("a", "default", "other", "/", 201), "NoRoute"),
        (routed("a", "default", "istio-system", "/", 201), "answer 201"),
        (routed("a", "istio-system", ".", "/", 201), "answer 201"),
        (
            routed("a", "default", "'*'", "/x", 201)
                + &routed("b", "default", "istio-system", "/x", 202)
                + &routed("c", "istio-system", ".", "/x", 203),
            "answer 203",
        ),
        (routed("a", "default", "'*'", "/x", 201) + &routed("b", "default", "istio-system", "/x", 202), "answer 202"),
    ] {
        let manifests = gateways("a.site.example", &[("out", "hosts: ['*']")]) + &virtual_services;
        table(&manifests, &[("GET http://a.site.example/x", expected)]);
    }
}
