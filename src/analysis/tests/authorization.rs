//! Policies of authorization that no call can match, or that hold nowhere.

use super::*;

const SITE: &str = include_str!("../../../fixtures/scenario/01-egress-gateway.yaml");
const SLEEP: &str = include_str!("../../../fixtures/scenario/sleep.yaml");

/// What is said, under a code, of a policy at the gateway beside the scenario.
fn of_policy(code: &str, spec: &str) -> Vec<String> {
    let policy = format!(
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: p, namespace: istio-system}}\nspec: \
         {spec}\n"
    );
    let said = of(code, &format!("{SITE}---\n{SLEEP}---\n{policy}"));
    let own = |line: &String| line.contains("AuthorizationPolicy istio-system/p");
    said.into_iter()
        .filter(own)
        .map(|line| line.split(" istio-system/p ").nth(1).unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn fields_that_no_call_can_match_are_told_with_the_reason() {
    for (field, said) in [
        ("paths: [politics]", "paths: No call can match paths: a path begins with /, and \"politics\" does not."),
        ("methods: [get]", "methods: No call can match methods: methods are in capitals, and \"get\" is not."),
        (
            "ports: ['8080']",
            "ports: No call can match ports: no Gateway has a server on port 8080, and only that port counts, not the \
             origin's.",
        ),
        (
            "hosts: [editon.cnn.com]",
            "hosts: No call can match hosts: nothing registers editon.cnn.com (did you mean edition.cnn.com?).",
        ),
    ] {
        let found = of_policy("EGR0032", &format!("{{rules: [{{to: [{{operation: {{{field}}}}}]}}]}}"));
        assert_eq!(found, [format!("spec.rules[0].to[0].operation.{said}")]);
    }
    for good in ["paths: [politics, /politics]", "hosts: [edition.cnn.com]", "ports: ['443']", "hosts: ['*.other']"] {
        assert_eq!(
            of_policy("EGR0032", &format!("{{rules: [{{to: [{{operation: {{{good}}}}}]}}]}}")),
            [""; 0],
            "{good}"
        );
    }
    assert_eq!(
        of_policy("EGR0032", "{rules: [{when: [{key: request.auth.principal, values: [x]}]}]}"),
        ["spec.rules[0].when[0].values: No call can match request.auth.principal: nobody verifies tokens here."]
    );
}

#[test]
fn callers_that_are_nobody_and_workloads_that_are_not_there_are_told() {
    let from = |source: &str| format!("{{rules: [{{from: [{{source: {{{source}}}}}]}}]}}");
    assert_eq!(
        of_policy("EGR0034", &from("principals: [cluster.local/ns/default/sa/slep]")),
        [
            "spec.rules[0].from[0].source.principals: No workload of namespace default runs as slep; did you mean sleep?."
        ]
    );
    assert_eq!(of_policy("EGR0034", &from("principals: [cluster.local/ns/default/sa/sleep, '*/sa/x']")), [""; 0]);
    assert_eq!(
        of_policy("IST0127", "{selector: {matchLabels: {app: nothing}}}"),
        ["spec.selector: No matching workloads for this resource with the following labels: app=nothing"]
    );
    assert_eq!(of_policy("IST0127", "{selector: {matchLabels: {istio: egressgateway}}}"), [""; 0]);
    assert_eq!(of_policy("EGR0033", "{}").len(), 1);
    assert_eq!(of_policy("EGR0033", "{rules: [{}]}").len(), 0);
}

#[test]
fn a_policy_for_calls_that_do_not_pass_the_gateway_is_told_so() {
    let spec = "{rules: [{to: [{operation: {hosts: [b.example]}}]}]}";
    let entry = entry("b", "{hosts: [b.example], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]}");
    let policy = format!(
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: p, namespace: istio-system}}\nspec: \
         {spec}\n"
    );
    let said = of("EGR0035", &format!("{SITE}---\n{entry}---\n{policy}"));
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(of_policy("EGR0035", &spec.replace("b.example", "edition.cnn.com")), [""; 0]);
}
