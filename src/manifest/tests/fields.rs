//! Every field of Istio's networking kinds, as it should be and as it should not.

use serde_json::Value as Json;

use crate::diagnostic::Source;
use crate::manifest::{Locator, parse};

/// Every field of the kinds of networking.
const EVERY_FIELD: &str = include_str!("../../../fixtures/kinds/networking.yaml");

fn findings(text: &str) -> Vec<String> {
    let parsed = parse(&Source::new("f", text));
    parsed.findings.iter().map(|finding| finding.problem.to_string()).collect()
}

#[test]
fn every_field_is_understood_under_every_version_and_in_both_spellings() {
    assert_eq!(findings(EVERY_FIELD), [""; 0]);
    for version in ["v1", "v1beta1", "v1alpha3"] {
        let text: String = EVERY_FIELD
            .lines()
            .map(|line| match line.split_once("networking.istio.io/v") {
                Some((before, _)) => format!("{before}networking.istio.io/{version}\n"),
                None => format!("{line}\n"),
            })
            .collect();
        assert_eq!(findings(&text), [""; 0], "{version}");
    }
    let mut snakes: Vec<Json> = Vec::new();
    for document in EVERY_FIELD.split("---\n").filter(|document| !document.contains("kind: Secret")) {
        let mut tree: Json = serde_yaml::from_str(document).expect("the fixture is YAML");
        let spec = snake(tree["spec"].take());
        tree["spec"] = spec;
        snakes.push(tree);
    }
    let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": snakes});
    assert_eq!(findings(&list.to_string()), [""; 0]);
}

/// The tree with its keys in snake case.
fn snake(tree: Json) -> Json {
    match tree {
        Json::Object(fields) => fields.into_iter().map(|(key, value)| (snake_key(&key), snake(value))).collect(),
        Json::Array(items) => items.into_iter().map(snake).collect(),
        scalar => scalar,
    }
}

fn snake_key(key: &str) -> String {
    key.chars()
        .map(|c| if c.is_ascii_uppercase() { format!("_{}", c.to_ascii_lowercase()) } else { c.into() })
        .collect()
}

proptest::proptest! {
    #[test]
    fn no_value_in_any_place_makes_a_check_panic(
        documents in proptest::collection::vec((0_usize..400, 0_usize..12), 1..20),
    ) {
        for document in EVERY_FIELD.split("---\n") {
            let mut tree: Json = serde_yaml::from_str(document).expect("the fixture is YAML");
            for (place, value) in &documents {
                let mut place = *place;
                replace(&mut tree, &mut place, &odd()[*value]);
            }
            let source = Source::new("f", tree.to_string());
            let parsed = parse(&source);
            let mut locator = Locator::new(&source);
            for finding in &parsed.findings {
                assert!(!locator.render(finding, false).is_empty());
            }
        }
    }
}

/// Values that are seldom what a field takes.
fn odd() -> [Json; 12] {
    let json = |text| serde_json::from_str(text).expect("valid JSON");
    [
        json("null"),
        json("-1"),
        json("1e300"),
        json("18446744073709551615"),
        json("true"),
        json("\"\""),
        json("\"*\""),
        json("\"%\""),
        json("\"unix://\""),
        json("\"9223372036854775807h\""),
        json("[null, {}]"),
        json("{\"\": {\"a/b\": []}}"),
    ]
}

/// Puts a value in the place that is reached after so many others.
fn replace(tree: &mut Json, place: &mut usize, value: &Json) {
    let inner: Vec<&mut Json> = match tree {
        Json::Object(fields) => fields.values_mut().collect(),
        Json::Array(items) => items.iter_mut().collect(),
        _ => Vec::new(),
    };
    for part in inner {
        match *place {
            0 => {
                *part = value.clone();
                *place = usize::MAX;
                return;
            }
            usize::MAX => return,
            _ => *place -= 1,
        }
        replace(part, place, value);
        if *place == usize::MAX {
            return;
        }
    }
}
