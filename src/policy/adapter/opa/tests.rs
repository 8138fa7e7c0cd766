//! Policies and what they say.

use super::super::testing::Trial;
use super::*;

const WHO: &str = "
subject: {user: '\"alice\"', properties: {size: '5', ratio: '0.5', good: 'true', ip: 'ip(\"10.0.0.1\")'}}
action: {method: request.method, path: request.path}
";

const MIXER: &str = r#"
policy:
- |
  package mixerauthz
  policy = [{"rule": {"verbs": ["GET"], "paths": ["/sport", "/health"]}}]
  default allow = false
  allow = true {
    rule = policy[_].rule
    input.subject.user == "alice"
    input.action.path == rule.paths[_]
    input.action.method == rule.verbs[_]
  }
checkMethod: data.mixerauthz.allow
"#;

fn asked(policy: &str, path: &str) -> String {
    Trial::new(&OPA, policy, &authorization::AUTHORIZATION, WHO).check(path)
}

/// The answer of a rule `allow` with such a text in package `p`.
fn allow(rule: &str) -> String {
    asked(&format!("checkMethod: data.p.allow\npolicy:\n- |\n  package p\n  {rule}"), "/sport")
}

#[test]
fn a_policy_of_mixers_time_allows_and_refuses() {
    assert_eq!(asked(MIXER, "/sport"), "OK");
    assert_eq!(asked(MIXER, "/politics"), "PERMISSION_DENIED opa: request was rejected");
}

#[test]
fn a_policy_of_todays_rego_and_several_modules_work_together() {
    let policy = "
policy:
- \"package q\\nimport rego.v1\\nokay contains p if some p in [\\\"/sport\\\"]\"
- \"package p\\nallow if input.action.path in data.q.okay\"
checkMethod: data.p.allow";
    assert_eq!(asked(policy, "/sport"), "OK");
    assert_eq!(asked(policy, "/politics"), "PERMISSION_DENIED opa: request was rejected");
}

#[test]
fn properties_keep_their_types_and_empty_fields_are_left_out() {
    let properties = "input.subject.properties";
    for holds in [
        format!("{properties}.size == 5"),
        format!("{properties}.ratio == 0.5"),
        format!("{properties}.good == true"),
        format!("{properties}.ip == \"10.0.0.1\""),
        "not input.subject.groups".to_owned(),
        "not input.action.properties".to_owned(),
        "count(input.action) == 2".to_owned(),
    ] {
        assert_eq!(allow(&format!("allow {{ {holds} }}")), "OK", "{holds}");
    }
}

#[test]
fn a_rule_without_answer_refuses_unless_it_is_told_not_to() {
    assert_eq!(allow("allow { false }"), "PERMISSION_DENIED opa: request was rejected");
    assert!(allow("allow = 1").starts_with("PERMISSION_DENIED opa: request was rejected: "));
    assert!(allow("allow { allow }\n  f(x) { x }").starts_with("PERMISSION_DENIED opa: request was rejected: "));
    assert_eq!(allow("allow { false }\nfailClose: false"), "OK");
    assert_eq!(allow("allow = 1\nfailClose: false"), "OK");
    assert_eq!(allow("allow = false\nfailClose: false"), "PERMISSION_DENIED opa: request was rejected");
}

#[test]
fn a_policy_that_never_ends_is_stopped() {
    let endless = [
        "allow { g }\n  g { allow }",
        "f(x) = y { y := f(x) }\n  allow { f(1) }",
        "s = [1, 2, 3, 4, 5, 6, 7, 8, 9]\n  allow { s[a] + s[b] + s[c] + s[d] + s[e] + s[f] + s[g] == 0 }",
    ];
    for rule in endless {
        let told = allow(rule);
        assert!(told.contains("maximum instruction limit"), "{rule}: {told}");
    }
}

fn fault(policy: &str) -> (String, Option<std::ops::Range<usize>>) {
    let faults = Trial::faults(&OPA, policy);
    let first = faults.iter().next().expect("a fault");
    (first.to_string(), first.within.clone())
}

/// What is wrong with a module, and the text at fault.
fn wrong(module: &str) -> (String, String) {
    let (told, within) =
        fault(&format!("checkMethod: data.p.allow\npolicy: [package x, {}]", serde_json::json!(module)));
    let at = within.map(|within| module[within].to_owned()).unwrap_or_default();
    (told, at)
}

#[test]
fn what_is_wrong_is_told_with_its_place_in_the_module() {
    let (told, at) = wrong("package p\n\nallow { x := }");
    assert_eq!((told.as_str(), at.as_str()), ("spec.policy[1]: expecting }", "{"));
    let (told, at) = wrong("package p\nallow { x := yonder }");
    assert_eq!((told.as_str(), at.as_str()), ("spec.policy[1]: Undefined variable: 'yonder'", "yonder"));
    let (told, at) = wrong("package p\nallow if { http.send({}) }");
    assert_eq!((told.as_str(), at.as_str()), ("spec.policy[1]: Unknown function: 'http.send'", "http.send"));
    let (told, at) = wrong("package p\n# numbers.range(1, 2)\nallow { s := \"rand.intn\"; numbers.range (1, 9) }");
    let expected = "spec.policy[1]: the function numbers.range is not available here";
    assert_eq!((told.as_str(), at.as_str()), (expected, "numbers.range"));
    let (told, _) = fault("policy: [package p]\ncheckMethod: data.p.allow");
    assert_eq!(told, "spec.checkMethod: the policy has no rule data.p.allow");
}

#[test]
fn what_would_read_the_system_or_the_clock_is_unknown() {
    for call in [
        "time.now_ns()",
        "opa.runtime()",
        "http.send({})",
        "uuid.rfc4122(\"a\")",
        "rand.intn(\"a\", 2)",
        "print(\"x\")",
    ] {
        let (told, _) = wrong(&format!("package p\nallow {{ {call} }}"));
        assert!(told.contains("Unknown function") || told.contains("not available"), "{call}: {told}");
    }
}

#[test]
fn brackets_that_would_hold_the_parser_up_are_refused_before_it_sees_them() {
    let nested = |depth: usize| format!("package p\nallow {{ x := {}1{} }}", "[".repeat(depth), "]".repeat(depth));
    for depth in [10, 200, 100_000] {
        let (told, at) = wrong(&nested(depth));
        assert_eq!(told, "spec.policy[1]: brackets are nested more than 10 deep");
        assert_eq!(at, "[");
    }
    assert_eq!(allow("allow { x := [[[[[1]]]]] }"), "OK");
}
