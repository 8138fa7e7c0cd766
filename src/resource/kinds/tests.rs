use std::collections::HashSet;

use super::*;
use crate::diagnostic::Problems;
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
    assert_eq!(names, ["rule", "logentry", "stdio", "attributemanifest"]);
}

/// The problems that a kind's check finds in a spec, `path: message` each.
pub(super) fn check(kind: &'static Kind, spec: &str) -> Vec<String> {
    let spec: Json = serde_yaml::from_str(spec).expect("the test's spec is YAML");
    let meta = Meta { name: "x".into(), ..Meta::default() };
    let body = Map::from_iter([("spec".to_owned(), spec)]);
    let resource = Resource { kind, version: kind.versions[0].into(), meta, body, origin: None };
    let mut problems = Problems::new();
    (kind.check)(&resource, &mut problems);
    problems.iter().map(ToString::to_string).collect()
}
