use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use super::*;

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Mode {
    #[default]
    Off,
    Simple,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Inner {
    port_number: u32,
    mode: Mode,
    time: crate::resource::Duration,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Outer {
    hosts: Vec<String>,
    inner: Vec<Inner>,
    labels: BTreeMap<String, String>,
    #[serde(rename = "severity_levels")]
    levels: BTreeMap<String, i32>,
    flag: Option<bool>,
}

fn all(tree: serde_json::Value) -> (Outer, Vec<String>) {
    let (value, problems) = decode_all(&tree, &FieldPath::of("spec"), Spelling::Protobuf);
    (value.expect("every field has a default"), problems.iter().map(ToString::to_string).collect())
}

#[test]
fn every_problem_is_found_in_one_pass() {
    let (value, problems) = all(json!({
        "hosts": "a.com", "inner": [{"portNumber": "x", "mode": "SIMPEL"}, {"portNumber": 5, "prot": 1}],
        "labels": {"a": 1}, "flag": "true",
    }));
    assert_eq!(value.inner[1].port_number, 5);
    assert_eq!(
        problems,
        [
            "spec.flag: wrong type: expected true or false, found the string \"true\"",
            "spec.hosts: wrong type: expected a list, found the string \"a.com\"",
            "spec.inner[0].mode: unsupported value \"SIMPEL\"",
            "spec.inner[0].portNumber: wrong type: expected a whole number, found the string \"x\"",
            "spec.inner[1].prot: unknown field \"prot\"",
            "spec.labels.a: wrong type: expected a string, found the number 1",
        ]
    );
}

#[test]
fn an_unknown_field_names_the_nearest_one() {
    let (_, problems) = decode_all::<Outer>(&json!({"host": []}), &FieldPath::root(), Spelling::Protobuf);
    let problem = problems.iter().next().expect("one problem");
    assert_eq!(problem.help.as_deref(), Some("did you mean \"hosts\"?"));
    assert_eq!(problem.expected, ["hosts", "inner", "labels", "severity_levels", "flag"]);
    assert!(problem.on_key);
}

#[test]
fn keys_may_be_camel_case_or_snake_case_and_camel_case_wins() {
    for key in ["port_number", "portNumber"] {
        assert_eq!(all(json!({"inner": [{key: 1}]})).0.inner[0].port_number, 1);
    }
    for key in ["severity_levels", "severityLevels"] {
        assert_eq!(all(json!({key: {"info": 2}})).0.levels["info"], 2);
    }
    assert_eq!(all(json!({"inner": [{"port_number": 1, "portNumber": 2}]})).0.inner[0].port_number, 2);
}

#[test]
fn exact_spelling_knows_no_snake_case() {
    let (_, problems) = decode_all::<Inner>(&json!({"port_number": 1}), &FieldPath::root(), Spelling::Exact);
    assert_eq!(problems.iter().next().map(|problem| problem.code), Some(Code::UnknownField));
}

#[test]
fn integers_may_be_quoted_and_enums_numbered() {
    let (value, problems) = all(json!({"inner": [{"portNumber": "443", "mode": 1}]}));
    assert_eq!((value.inner[0].port_number, &value.inner[0].mode), (443, &Mode::Simple));
    assert!(problems.is_empty());
}

#[test]
fn a_number_out_of_range_names_the_range() {
    let (_, problems) = all(json!({"inner": [{"portNumber": -1}]}));
    assert_eq!(
        problems,
        ["spec.inner[0].portNumber: wrong type: expected a whole number from 0 to 4294967295, found the number -1"]
    );
}

#[test]
fn a_value_that_its_type_refuses_does_not_hide_the_others() {
    let (value, problems) = all(json!({"inner": [{"time": "soon", "portNumber": 7}, {"time": "later"}], "x": 1}));
    assert_eq!(value.inner[0].port_number, 7);
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(problems[0].starts_with("spec.inner[0].time: "), "{problems:?}");
    assert!(problems[1].starts_with("spec.inner[1].time: "), "{problems:?}");
}

#[test]
fn a_duration_without_unit_is_told_what_it_lacks() {
    let (_, problems) = decode_all::<Inner>(&json!({"time": 5}), &FieldPath::root(), Spelling::Protobuf);
    let problem = problems.iter().next().expect("one problem");
    assert_eq!(problem.message, "wrong type: expected a duration such as 1.5s, found the number 5");
    assert_eq!(problem.help.as_deref(), Some("write a unit behind it: 5s"));
}

#[test]
fn null_is_absent() {
    let (value, problems) = all(json!({"hosts": null, "flag": null}));
    assert_eq!((value, problems), (Outer::default(), vec![]));
    assert_eq!(decode::<Outer>(&Json::Null, &FieldPath::root()), Ok(Outer::default()));
}

proptest::proptest! {
    #[test]
    fn no_tree_makes_it_panic(text in "[\\[\\]{}\",:a-z0-9-]{0,60}", key in "hosts|inner|labels|flag") {
        let tree: Json = serde_json::from_str(&text).unwrap_or(Json::String(text));
        all(json!({key: tree}));
    }
}
