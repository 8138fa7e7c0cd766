use proptest::prelude::*;
use serde_json::json;

use super::super::testing::*;
use super::super::{Error, MemoryRegistry, Registry, View};
use super::*;

fn registry() -> MemoryRegistry {
    MemoryRegistry::with_kinds(FEW_KINDS)
}

fn spec(spec: Json) -> Resource {
    resource(&RULE, "default", "r", json!({ "spec": spec }))
}

fn live(registry: &MemoryRegistry) -> Resource {
    registry.get(&rule_key("r")).unwrap().unwrap()
}

/// Applies as the command does; what kubectl would say.
fn apply_to(registry: &MemoryRegistry, wanted: &Resource) -> &'static str {
    let plan = apply(registry.get(&wanted.key()).unwrap().as_ref(), wanted);
    let said = match &plan.operation {
        Some(Operation::Create(_)) => "created",
        Some(Operation::Replace(_)) => "configured",
        Some(Operation::Delete(_)) => panic!("apply never deletes"),
        None => "unchanged",
    };
    if let Some(operation) = plan.operation {
        registry.commit(one(operation)).unwrap();
    }
    said
}

#[test]
fn applying_creates_then_leaves_alone_then_configures() {
    let registry = registry();
    assert_eq!(apply_to(&registry, &spec(json!({"match": "a"}))), "created");
    assert_eq!(apply_to(&registry, &spec(json!({"match": "a"}))), "unchanged");
    assert_eq!(apply_to(&registry, &spec(json!({"match": "b"}))), "configured");
    assert_eq!(live(&registry).body["spec"]["match"], "b");
    assert_eq!(live(&registry).meta.generation, Some(2));
}

#[test]
fn the_annotation_is_compact_json_with_annotations_and_a_line_end() {
    let mut wanted = labelled(spec(json!({"match": "a < b && c > d"})), &[("app", "x")]);
    wanted.meta.annotations.insert(LAST_APPLIED.into(), "an old one".into());
    let expected = concat!(
        r#"{"apiVersion":"config.istio.io/v1alpha2","kind":"rule","metadata":{"annotations":{},"labels":{"app":"x"},"#,
        r#""name":"r","namespace":"default"},"spec":{"match":"a \u003c b \u0026\u0026 c \u003e d"}}"#,
        "\n"
    );
    assert_eq!(last_applied(&wanted), expected);
    assert_eq!(serde_json::from_str::<Json>(expected).unwrap()["spec"], wanted.body["spec"]);
}

#[test]
fn annotations_of_the_file_stand_in_the_annotation() {
    let mut wanted = spec(json!({}));
    wanted.meta.annotations.insert("note".into(), "x".into());
    assert!(last_applied(&wanted).contains(r#""metadata":{"annotations":{"note":"x"},"name":"r""#));
}

#[test]
fn a_field_that_left_the_file_is_removed() {
    let registry = registry();
    apply_to(&registry, &spec(json!({"match": "a", "deep": {"x": 1, "y": 2}, "list": [1, 2]})));
    assert_eq!(apply_to(&registry, &spec(json!({"deep": {"y": 2}}))), "configured");
    assert_eq!(live(&registry).body["spec"], json!({"deep": {"y": 2}}));
}

#[test]
fn a_whole_section_that_left_the_file_is_removed() {
    let registry = registry();
    apply_to(&registry, &resource(&RULE, "default", "r", json!({"spec": {"a": 1}, "data": {"b": 2}})));
    apply_to(&registry, &spec(json!({"a": 1})));
    assert_eq!(Json::Object(live(&registry).body), json!({"spec": {"a": 1}}));
}

#[test]
fn what_others_have_set_stays() {
    let registry = registry();
    apply_to(&registry, &spec(json!({"match": "a"})));
    let mut other = labelled(live(&registry), &[("theirs", "1")]);
    other.body.insert("status".into(), json!({"ready": true}));
    other.body["spec"]["added"] = json!("by hand");
    registry.commit(one(Operation::Replace(other))).unwrap();
    assert_eq!(apply_to(&registry, &spec(json!({"match": "a"}))), "unchanged", "the file does not speak of those");
    assert_eq!(apply_to(&registry, &spec(json!({"match": "b"}))), "configured");
    let stored = live(&registry);
    assert_eq!(
        Json::Object(stored.body),
        json!({"spec": {"match": "b", "added": "by hand"}, "status": {"ready": true}})
    );
    assert_eq!(stored.meta.labels, labels(&[("theirs", "1")]));
}

#[test]
fn what_others_changed_of_ours_is_set_back() {
    let registry = registry();
    apply_to(&registry, &spec(json!({"match": "a"})));
    let mut other = live(&registry);
    other.body["spec"]["match"] = json!("changed by hand");
    registry.commit(one(Operation::Replace(other))).unwrap();
    assert_eq!(apply_to(&registry, &spec(json!({"match": "a"}))), "configured");
    assert_eq!(live(&registry).body["spec"]["match"], "a");
}

#[test]
fn lists_are_replaced_whole() {
    let registry = registry();
    apply_to(&registry, &spec(json!({"hosts": ["a", "b", "c"]})));
    apply_to(&registry, &spec(json!({"hosts": ["c"]})));
    assert_eq!(live(&registry).body["spec"]["hosts"], json!(["c"]));
}

#[test]
fn labels_and_annotations_that_left_the_file_are_removed() {
    let registry = registry();
    let mut first = labelled(spec(json!({})), &[("a", "1"), ("b", "2")]);
    first.meta.annotations.insert("note".into(), "x".into());
    apply_to(&registry, &first);
    apply_to(&registry, &labelled(spec(json!({})), &[("b", "3")]));
    let stored = live(&registry).meta;
    assert_eq!(stored.labels, labels(&[("b", "3")]));
    assert_eq!(stored.annotations.keys().collect::<Vec<_>>(), [LAST_APPLIED]);
}

#[test]
fn null_is_as_good_as_absence() {
    let registry = registry();
    apply_to(&registry, &spec(json!({"a": 1, "b": {"c": null}, "d": null})));
    assert_eq!(apply_to(&registry, &spec(json!({"a": null, "b": {}}))), "configured");
    assert_eq!(live(&registry).body["spec"], json!({"b": {}}));
}

#[test]
fn a_resource_that_was_not_applied_is_warned_of_and_then_adopted() {
    let registry = registry();
    registry.commit(create([spec(json!({"match": "a", "kept": 1}))])).unwrap();
    let plan = apply(Some(&live(&registry)), &spec(json!({"match": "a"})));
    let expected = "Warning: resource rules/r is missing the kubectl.kubernetes.io/last-applied-configuration \
                    annotation which is required by kubectl apply. kubectl apply should only be used on resources \
                    created declaratively by either kubectl create --save-config or kubectl apply. The missing \
                    annotation will be patched automatically.";
    assert_eq!(plan.warning.as_deref(), Some(expected));
    assert_eq!(apply_to(&registry, &spec(json!({"match": "a"}))), "configured");
    assert_eq!(live(&registry).body["spec"], json!({"match": "a", "kept": 1}), "nothing is known to be removed");
    let again = apply(Some(&live(&registry)), &spec(json!({"match": "a"})));
    assert!(again.operation.is_none() && again.warning.is_none());
}

#[test]
fn an_unreadable_annotation_removes_nothing() {
    let registry = registry();
    let mut damaged = spec(json!({"kept": 1}));
    damaged.meta.annotations.insert(LAST_APPLIED.into(), "{".into());
    registry.commit(create([damaged])).unwrap();
    assert_eq!(apply_to(&registry, &spec(json!({"match": "a"}))), "configured");
    assert_eq!(live(&registry).body["spec"], json!({"match": "a", "kept": 1}));
}

#[test]
fn a_change_between_reading_and_writing_is_a_conflict() {
    let registry = registry();
    apply_to(&registry, &spec(json!({"match": "a"})));
    let plan = apply(Some(&live(&registry)), &spec(json!({"match": "b"})));
    registry.commit(one(Operation::Replace(spec(json!({"match": "c"}))))).unwrap();
    assert!(matches!(registry.commit(one(plan.operation.unwrap())), Err(Error::Conflict(_))));
}

#[test]
fn a_resource_version_in_the_file_must_be_the_stored_one() {
    let registry = registry();
    apply_to(&registry, &spec(json!({"match": "a"})));
    let mut stale = spec(json!({"match": "b"}));
    stale.meta.resource_version = Some("1".into());
    let plan = apply(Some(&live(&registry)), &stale);
    assert!(matches!(registry.commit(one(plan.operation.unwrap())), Err(Error::Conflict(_))));
}

#[test]
fn another_version_of_the_kind_is_a_change() {
    let registry = registry();
    let wanted = resource(&GATEWAY, "default", "g", json!({"spec": {}}));
    assert_eq!(apply_to(&registry, &wanted), "created");
    let older = Resource { version: "v1alpha3".into(), ..wanted };
    assert_eq!(apply_to(&registry, &older), "configured");
    assert_eq!(registry.get(&older.key()).unwrap().unwrap().version, "v1alpha3");
}

/// Small trees over few keys, so that two of them overlap.
fn tree() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![Just(Json::Null), any::<bool>().prop_map(Json::from), "[a-c<&]{0,2}".prop_map(Json::from)];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Json::from),
            prop::collection::btree_map("[a-d]", inner, 0..4).prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

/// A tree without the null fields of maps that lie in maps.
fn without_nulls(tree: &Json) -> Json {
    let Json::Object(fields) = tree else { return tree.clone() };
    let present = fields.iter().filter(|(_, value)| !value.is_null());
    Json::Object(present.map(|(key, value)| (key.clone(), without_nulls(value))).collect())
}

proptest! {
    #[test]
    fn where_nobody_else_writes_the_file_is_what_is_stored(first in tree(), second in tree()) {
        let registry = registry();
        apply_to(&registry, &spec(first.clone()));
        prop_assert_eq!(apply_to(&registry, &spec(first)), "unchanged");
        apply_to(&registry, &spec(second.clone()));
        let stored = live(&registry).body.get("spec").cloned().unwrap_or_default();
        prop_assert_eq!(stored, without_nulls(&second));
        prop_assert_eq!(apply_to(&registry, &spec(second)), "unchanged");
    }
}
