//! What a Sidecar resource lets its workloads see, and what becomes of the rest.

use super::*;

const MESH: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: other}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: a}
spec:
  hosts: [a.example]
  resolution: DNS
  ports: [{number: 80, name: http, protocol: HTTP}, {number: 81, name: alt, protocol: HTTP}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: b, namespace: other}
spec:
  hosts: [b.example]
  resolution: DNS
  ports: [{number: 80, name: http, protocol: HTTP}, {number: 443, name: tls, protocol: TLS}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: b, namespace: other}
spec:
  hosts: [b.example]
  http: [{directResponse: {status: 201}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: to-b}
spec:
  hosts: [only-routed.example]
  http: [{route: [{destination: {host: b.example}}]}]
";

fn sidecar(spec: &str) -> String {
    format!(
        "{MESH}---\napiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {{name: s}}\nspec:\n  {}\n",
        spec.replace('\n', "\n  ")
    )
}

#[test]
fn egress_hosts_limit_services_and_virtual_services() {
    for (spec, a, a_at_81, b, only_routed) in [
        ("egress: [{hosts: ['*/*']}]", "a.example:80", "a.example:81", "answer 201", "b.example:80"),
        ("egress: [{hosts: ['./*']}]", "a.example:80", "a.example:81", "UnknownHost", "b.example:80"),
        ("egress: [{hosts: ['other/*']}]", "UnknownHost", "UnknownHost", "answer 201", "UnknownHost"),
        ("egress: [{hosts: ['*/b.example']}]", "UnknownHost", "UnknownHost", "answer 201", "UnknownHost"),
        ("egress: [{hosts: ['~/*']}]", "UnknownHost", "UnknownHost", "UnknownHost", "UnknownHost"),
        ("egress: [{hosts: ['*/*', '~other/*']}]", "a.example:80", "a.example:81", "UnknownHost", "b.example:80"),
        (
            "egress: [{port: {number: 80, protocol: HTTP, name: x}, hosts: ['./a.example']}]",
            "a.example:80",
            "UnknownHost",
            "UnknownHost",
            "UnknownHost",
        ),
        (
            "egress: [{port: {number: 81, protocol: HTTP, name: x}, hosts: ['other/*']}, {hosts: ['*/*']}]",
            "a.example:80",
            "UnknownHost",
            "answer 201",
            "b.example:80",
        ),
        // It lists none: all are seen.
        ("outboundTrafficPolicy: {}", "a.example:80", "a.example:81", "answer 201", "b.example:80"),
    ] {
        let snapshot = snapshot(&sidecar(spec));
        let to = |url: &str| outcome(&snapshot, &format!("GET http://{url}/"));
        let found = [to("a.example"), to("a.example:81"), to("b.example"), to("only-routed.example")];
        assert_eq!(found, [a, a_at_81, b, only_routed], "{spec}");
    }
}

#[test]
fn tunnels_see_the_same() {
    let to_b = |spec: &str| tunnel(&snapshot(&sidecar(spec)), "b.example:443", Some("b.example"));
    assert_eq!(to_b("egress: [{hosts: ['*/*']}]"), "outbound|443||b.example at b.example:443");
    assert_eq!(to_b("egress: [{hosts: ['./*']}]"), "not reached");
}

#[test]
fn a_policy_that_is_there_without_mode_is_registry_only_and_an_absent_one_the_proxys() {
    let any = OutboundPolicy::AllowAny;
    let everything = "egress: [{hosts: ['*/*']}]\n";
    for (spec, default, expected) in [
        (format!("{everything}outboundTrafficPolicy: {{}}"), any, "UnknownHost"),
        (format!("{everything}outboundTrafficPolicy: {{mode: REGISTRY_ONLY}}"), any, "UnknownHost"),
        (everything.to_owned(), any, "other.example:80"),
        (everything.to_owned(), OutboundPolicy::RegistryOnly, "UnknownHost"),
        (
            format!("{everything}outboundTrafficPolicy: {{mode: ALLOW_ANY}}"),
            OutboundPolicy::RegistryOnly,
            "other.example:80",
        ),
        (
            format!(
                "{everything}outboundTrafficPolicy: {{mode: ALLOW_ANY, egressProxy: {{host: a.example, port: {{number: \
                 81}}}}}}"
            ),
            OutboundPolicy::RegistryOnly,
            "a.example:81",
        ),
    ] {
        let snapshot = compiled(&sidecar(&spec), default);
        assert_eq!(outcome(&snapshot, "GET http://other.example/"), expected, "{spec}");
    }
    // What is registered, but not seen, is as good as unknown.
    let snapshot = compiled(&sidecar("egress: [{hosts: ['./*']}]\noutboundTrafficPolicy: {mode: ALLOW_ANY}"), any);
    assert_eq!(outcome(&snapshot, "GET http://b.example/"), "b.example:80");
}

#[test]
fn the_sidecar_that_selects_the_workload_applies_and_one_of_the_root_namespace_where_there_is_no_other() {
    let of = |name: &str, namespace: &str, selector: &str, hosts: &str| {
        format!(
            "---\napiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {{name: {name}, namespace: \
             {namespace}}}\nspec: {{{selector}egress: [{{hosts: ['{hosts}']}}]}}\n"
        )
    };
    let root = of("root", "istio-system", "", "~/*");
    let own = of("root", "istio-system", "", "./*");
    let general = of("general", "default", "", "./*");
    let selecting = of("selecting", "default", "workloadSelector: {labels: {app: sleep}}, ", "other/*");
    let others = of("others", "default", "workloadSelector: {labels: {app: nobody}}, ", "*/*");
    for (sidecars, a, b) in [
        (vec![], "a.example:80", "answer 201"),
        (vec![&root], "UnknownHost", "UnknownHost"),
        // Of the proxy's namespace, not of the Sidecar's.
        (vec![&own], "a.example:80", "UnknownHost"),
        (vec![&root, &others], "UnknownHost", "UnknownHost"),
        (vec![&root, &others, &general], "a.example:80", "UnknownHost"),
        (vec![&root, &others, &general, &selecting], "UnknownHost", "answer 201"),
    ] {
        let manifests: String = std::iter::once(MESH).chain(sidecars.iter().map(|text| text.as_str())).collect();
        let snapshot = snapshot(&manifests);
        let found = ["a", "b"].map(|host| outcome(&snapshot, &format!("GET http://{host}.example/")));
        assert_eq!(found, [a, b], "{sidecars:?}");
    }
}
