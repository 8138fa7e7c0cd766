use std::collections::HashSet;

use super::*;
use crate::diagnostic::{Problem, Problems};
use crate::resource::{Meta, Resource};

#[test]
fn every_name_means_one_kind() {
    let mut seen = HashSet::new();
    for kind in KINDS {
        let names: HashSet<&str> = kind.short.iter().copied().chain([kind.plural, kind.singular]).collect();
        for name in names {
            assert!(seen.insert(name), "{name} means two kinds");
            assert_eq!(by_name(name), Some(*kind));
            assert_eq!(name, name.to_ascii_lowercase());
        }
    }
}

#[test]
fn every_kind_is_found_under_all_its_groups_and_versions() {
    for kind in KINDS {
        for (group, version) in groups(kind) {
            let api_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
            let found = by_manifest(Some(&api_version), kind.name).expect("a served version is found");
            assert_eq!(found.kind, *kind);
            assert!(kind.versions.contains(&found.version));
            assert_eq!(by_name(&format!("{}.{version}.{group}", kind.plural)), Some(*kind));
        }
        assert_eq!(by_manifest(None, kind.name).map(|found| found.kind), Some(*kind));
        assert!(!kind.versions.is_empty());
    }
}

#[test]
fn words_of_the_command_line_are_understood() {
    for word in [
        "VirtualService",
        "vs",
        "VS",
        "virtualservices",
        "virtualservice.networking.istio.io",
        "virtualservices.v1alpha3.networking.istio.io",
    ] {
        assert_eq!(by_name(word), Some(&VIRTUAL_SERVICE), "{word}");
    }
    assert_eq!(by_name("deployments.extensions"), Some(&DEPLOYMENT));
    for word in ["", "foo", "vs.networking.istio.io", "gateways.apps", "gateways.v2.networking.istio.io", "."] {
        assert_eq!(by_name(word), None, "{word}");
    }
}

#[test]
fn a_wrong_version_or_letter_case_is_no_kind() {
    assert!(by_manifest(Some("networking.istio.io/v1alpha4"), "Gateway").is_none());
    assert!(by_manifest(Some("networking.istio.io/v1"), "gateway").is_none());
    assert!(by_manifest(Some("v1"), "Gateway").is_none());
}

#[test]
fn a_category_lists_its_kinds() {
    let names: Vec<_> = in_category("policy-istio-io").map(|kind| kind.name).collect();
    assert!(["rule", "logentry", "stdio"].iter().all(|name| names.contains(name)), "{names:?}");
    assert!(!names.contains(&"Gateway"));
}

/// The problems that a kind's check finds in a spec, `path: message` each.
pub(super) fn check(kind: &'static Kind, spec: &str) -> Vec<String> {
    problems(kind, "x", "", spec).iter().map(ToString::to_string).collect()
}

/// The same with their severity: `warning path: message`.
pub(super) fn checked(kind: &'static Kind, spec: &str) -> Vec<String> {
    checked_as(kind, "x", "", spec)
}

/// The same of a resource with this name and namespace.
pub(super) fn checked_as(kind: &'static Kind, name: &str, namespace: &str, spec: &str) -> Vec<String> {
    let severity = |problem: &Problem| if problem.is_error() { "error" } else { "warning" };
    problems(kind, name, namespace, spec).iter().map(|problem| format!("{} {problem}", severity(problem))).collect()
}

fn problems(kind: &'static Kind, name: &str, namespace: &str, spec: &str) -> Problems {
    let spec: Json = serde_yaml::from_str(spec).expect("the test's spec is YAML");
    let namespace = (!namespace.is_empty()).then(|| namespace.to_owned());
    let meta = Meta { name: name.into(), namespace, ..Meta::default() };
    let body = Map::from_iter([("spec".to_owned(), spec)]);
    let resource = Resource { kind, version: kind.versions[0].into(), meta, body, origin: None };
    let mut problems = Problems::new();
    (kind.check)(&resource, &mut problems);
    problems
}
