//! Which DestinationRule holds for a call, and what of it.

use super::*;

const TWO_PORTS: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: other}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: site, namespace: other}
spec:
  hosts: [a.site.example]
  resolution: DNS
  ports: [{number: 80, name: http, protocol: HTTP}, {number: 81, name: alt, protocol: HTTP}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: site}
spec:
  hosts: [a.site.example]
  http:
  - match: [{uri: {prefix: /one}}]
    route: [{destination: {host: a.site.example, subset: one}}]
  - match: [{uri: {prefix: /two}}]
    route: [{destination: {host: a.site.example, subset: two}}]
  - route: [{destination: {host: a.site.example}}]
";

/// A DestinationRule whose TLS asks for a name that tells the rule.
fn rule(name: &str, namespace: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: {name}, namespace: \
         {namespace}}}\nspec:\n  {}\n",
        spec.replace('\n', "\n  ")
    )
}

fn simple(name: &str, namespace: &str, host: &str, more: &str) -> String {
    rule(
        name,
        namespace,
        &format!("host: '{host}'\ntrafficPolicy: {{tls: {{mode: SIMPLE, sni: {name}.rule}}}}\n{more}"),
    )
}

/// The name that TLS to a path asks for; none in plain text.
fn sni(snapshot: &Snapshot, path: &str) -> String {
    let found = outcome(snapshot, &format!("GET http://a.site.example{path}"));
    found.split_once(" tls ").map_or_else(|| found.clone(), |(_, sni)| sni.to_owned())
}

#[test]
fn the_callers_namespace_comes_before_the_services_and_that_before_the_root() {
    let caller = simple("caller", "default", "*.example", "");
    let service = simple("service", "other", "a.site.example", "");
    let hidden = simple("hidden", "other", "a.site.example", "exportTo: ['.']");
    let root = simple("root", "istio-system", "*.site.example", "");
    let older = simple("older", "default", "*.site.example", "");
    let younger = simple("younger", "default", "*.site.example", "");
    for (rules, expected) in [
        (vec![], "a.site.example:80"),
        (vec![&root], "root.rule"),
        (vec![&root, &service], "service.rule"),
        (vec![&root, &hidden], "root.rule"),
        (vec![&root, &service, &caller], "caller.rule"),
        (vec![&caller, &older, &younger], "older.rule"),
    ] {
        let manifests: String = std::iter::once(TWO_PORTS).chain(rules.iter().map(|text| text.as_str())).collect();
        assert_eq!(sni(&snapshot(&manifests), "/"), expected, "{rules:?}");
    }
}

#[test]
fn rules_of_one_host_and_namespace_are_one_and_the_older_wins() {
    let subsets = |names: &str| format!("subsets: [{names}]");
    let subset = |name: &str, sni: &str| {
        format!("{{name: {name}, labels: {{}}, trafficPolicy: {{tls: {{mode: SIMPLE, sni: {sni}.subset}}}}}}")
    };
    let first = rule("first", "default", &format!("host: a.site.example\n{}", subsets(&subset("one", "first"))));
    let more = format!("{}, {}", subset("one", "second"), subset("two", "second"));
    let second = simple("second", "default", "a.site.example", &subsets(&more));
    let third = simple("third", "default", "a.site.example", "");
    let elsewhere = simple(
        "z-elsewhere",
        "default",
        "a.site.example",
        &format!("exportTo: ['.']\n{}", subsets(&subset("three", "x"))),
    );
    let both = snapshot(&format!("{TWO_PORTS}{first}{second}{third}{elsewhere}"));
    assert_eq!(sni(&both, "/one"), "first.subset", "the older wins a name");
    assert_eq!(sni(&both, "/two"), "second.subset", "subsets are united");
    assert_eq!(sni(&both, "/"), "second.rule", "the first policy that there is");
    let alone = snapshot(&format!("{TWO_PORTS}{first}"));
    assert_eq!(sni(&alone, "/two"), "NoCluster");
}

#[test]
fn rules_for_selected_workloads_come_first_and_if_there_are_no_others_nothing_holds() {
    let select = |app: &str| format!("workloadSelector: {{matchLabels: {{app: {app}}}}}");
    let general = simple("general", "default", "a.site.example", "");
    let fits = simple("fits", "default", "a.site.example", &select("sleep"));
    let other = simple("other", "default", "a.site.example", &select("nobody"));
    let root = simple("root", "istio-system", "a.site.example", "");
    for (rules, expected) in [
        (vec![&general, &fits, &root], "fits.rule"),
        (vec![&general, &other, &root], "general.rule"),
        (vec![&other, &root], "a.site.example:80"),
        (vec![&fits, &root], "fits.rule"),
    ] {
        let manifests: String = std::iter::once(TWO_PORTS).chain(rules.iter().map(|text| text.as_str())).collect();
        assert_eq!(sni(&snapshot(&manifests), "/"), expected, "{rules:?}");
    }
}

#[test]
fn a_port_replaces_whole_a_subset_overlays_and_its_own_port_replaces_four_parts() {
    let tls = |sni: &str| format!("tls: {{mode: SIMPLE, sni: {sni}}}");
    let spec = format!(
        "host: a.site.example\ntrafficPolicy:\n  {}\n  portLevelSettings: [{{port: {{number: 81}}, loadBalancer: {{simple: \
         RANDOM}}}}]\nsubsets:\n- {{name: one, labels: {{}}, trafficPolicy: {{loadBalancer: {{simple: \
         RANDOM}}}}}}\n- {{name: two, labels: {{}}, trafficPolicy: {{{}, portLevelSettings: [{{port: {{number: 81}}, \
         loadBalancer: {{simple: RANDOM}}}}]}}}}",
        tls("general"),
        tls("subset"),
    );
    let snapshot = snapshot(&format!("{TWO_PORTS}{}", rule("r", "default", &spec)));
    let to = |url: &str| outcome(&snapshot, &format!("GET http://a.site.example{url}"));
    assert_eq!(to("/"), "a.site.example:80 tls general");
    assert_eq!(to(":81/"), "a.site.example:81", "a listed port drops what is said of all");
    assert_eq!(to("/one"), "a.site.example:80 tls general", "a subset says only what is different");
    assert_eq!(to("/two"), "a.site.example:80 tls subset");
    assert_eq!(to(":81/two"), "a.site.example:81", "its own port level has no TLS");
}

const CREDENTIAL: &str = "---
apiVersion: v1
kind: Secret
metadata: {name: whole}
stringData: {tls.crt: CERTIFICATE, tls.key: KEY, ca.crt: AUTHORITY}
---
apiVersion: v1
kind: Secret
metadata: {name: half}
stringData: {tls.crt: CERTIFICATE, ca.crt: AUTHORITY}
";

#[test]
fn a_sidecar_reads_secrets_for_rules_that_select_it_and_never_sends_plain_text_instead() {
    let select = "workloadSelector: {matchLabels: {app: sleep}}";
    for (mode, name, selector, expected) in [
        ("MUTUAL", "whole", select, "a.site.example"),
        ("SIMPLE", "half", select, "a.site.example"),
        ("MUTUAL", "half", select, "Tls(NoCredential)"),
        ("MUTUAL", "none", select, "Tls(NoCredential)"),
        ("SIMPLE", "none", select, "Tls(NoCredential)"),
        ("SIMPLE", "whole", "", "Tls(Unselected)"),
    ] {
        let spec = format!(
            "host: a.site.example\ntrafficPolicy: {{tls: {{mode: {mode}, credentialName: {name}}}}}\n{selector}"
        );
        let snapshot = snapshot(&format!("{TWO_PORTS}{CREDENTIAL}{}", rule("r", "default", &spec)));
        assert_eq!(sni(&snapshot, "/"), expected, "{mode} {name} {selector}");
        let call = call(&snapshot, "GET http://a.site.example/");
        let judged = judge(&snapshot, Hop::Sidecar(0), &call, Spend::Take, &mut Scratch::new(), &mut |_| {});
        let shown = format!("{judged:?} {:?}", snapshot.routes);
        assert!(!shown.contains("KEY") && !shown.contains("AUTHORITY"), "a Secret is shown");
    }
}

#[test]
fn the_gateway_reads_secrets_of_its_own_namespace() {
    let with = |secret: &str| {
        SCENARIO.replace("        mode: SIMPLE", "        credentialName: c\n        mode: SIMPLE")
            + &CREDENTIAL.replace("name: half", &format!("name: c, namespace: {secret}"))
    };
    assert_ne!(with("default").len(), SCENARIO.len() + CREDENTIAL.len());
    let request = "GET http://edition.cnn.com/";
    table(&with("istio-system"), &[(request, "edition.cnn.com:443 tls edition.cnn.com")]);
    table(&with("default"), &[(request, "Tls(NoCredential)")]);
}
