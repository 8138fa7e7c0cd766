//! Reading `metadata` as a user wrote it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value as Json;

use crate::diagnostic::{Code, FieldPath, Problem, Problems};

use super::decode::{Spelling, decode_all};
use super::kinds::AUTHORIZATION_POLICY;
use super::kinds::authorization_policy::DRY_RUN;
use super::meta::{MODE, MODES, OURS, REDACT, REDACTS};
use super::{Kind, Meta, name};

/// Reads the metadata of a resource of `kind`, which stands at `metadata`, and notes every fault.
///
/// Fields that the registry sets (`uid`, `generation`, `managedFields`, …) are accepted and dropped, so that what
/// `get -o yaml` printed can be declared again; `resourceVersion` is kept as the revision that a change is based on, and
/// `creationTimestamp` for who judges files alone, for the older of two resources may win.
pub fn read(tree: &Json, kind: &Kind, problems: &mut Problems) -> Meta {
    let at = FieldPath::of("metadata");
    let (decoded, found) = decode_all::<ObjectMeta>(tree, &at, Spelling::Exact);
    let name_at = at.field("name");
    let nameless = !found.iter().any(|problem| problem.at == name_at || problem.at == at);
    problems.extend(found);
    let meta = from_kubernetes(decoded.unwrap_or_default(), kind);
    if nameless && meta.name.is_empty() && meta.generate_name.is_none() {
        problems.push(
            Problem::error(Code::Required, name_at.clone(), "Required value: name or generateName is required")
                .help("every resource has a name under metadata"),
        );
    }
    if !meta.name.is_empty() {
        refuse(name::dns_subdomain(&meta.name), &name_at, &meta.name, problems);
    }
    if let Some(prefix) = &meta.generate_name {
        let bare = prefix.trim_end_matches(['-', '.']);
        refuse(name::dns_subdomain(bare), &at.field("generateName"), prefix, problems);
    }
    if let Some(namespace) = &meta.namespace {
        refuse(name::dns_label(namespace), &at.field("namespace"), namespace, problems);
    }
    name::check_labels(&meta.labels, &at.field("labels"), problems);
    name::check_annotations(&meta.annotations, &at.field("annotations"), problems);
    mode(&meta, &at.field("annotations"), problems);
    if kind.group.ends_with("istio.io") && *kind != AUTHORIZATION_POLICY {
        dry_run(&meta, &at.field("annotations"), problems);
    }
    meta
}

/// Only AuthorizationPolicies can be tried without effect.
fn dry_run(meta: &Meta, annotations: &FieldPath, problems: &mut Problems) {
    if meta.annotations.contains_key(DRY_RUN) {
        let namespace = meta.namespace.as_deref().unwrap_or("default");
        let name = &meta.name;
        let message = format!("{namespace}/{name} has unsupported annotation {DRY_RUN}, please remove the annotation");
        problems.push(Problem::error(Code::Invalid, annotations.field(DRY_RUN), message).on_key());
    }
}

/// A mode that is misspelled would enforce what its author wants to try first.
fn mode(meta: &Meta, annotations: &FieldPath, problems: &mut Problems) {
    for (key, at) in misplaced(meta, annotations) {
        let message = format!("{key} has no effect");
        problems.push(
            Problem::warning(Code::NoEffect, at, message)
                .on_key()
                .help(format!("the annotations are {MODE} and {REDACT}")),
        );
    }
    for (name, values) in [(MODE, &MODES[..]), (REDACT, &REDACTS)] {
        if let Some(value) = meta.annotations.get(name)
            && !values.contains(&value.as_str())
        {
            let message = format!("Unsupported value: \"{value}\"");
            let problem = Problem::error(Code::NotSupported, annotations.field(name), message);
            problems.push(problem.expected(values.iter().copied()));
        }
    }
}

/// Keys of ours that are no annotation of ours: misspelled, or a label.
fn misplaced<'m>(meta: &'m Meta, annotations: &FieldPath) -> Vec<(&'m str, FieldPath)> {
    let ours = |key: &&String| key.starts_with(OURS);
    let labels = FieldPath::of("metadata.labels");
    let wrong = meta
        .annotations
        .keys()
        .filter(ours)
        .filter(|key| ![MODE, REDACT].contains(&key.as_str()))
        .map(|key| (key, annotations));
    let wrong = wrong.chain(meta.labels.keys().filter(ours).map(|key| (key, &labels)));
    wrong.map(|(key, at)| (key.as_str(), at.field(key))).collect()
}

fn from_kubernetes(meta: ObjectMeta, kind: &Kind) -> Meta {
    let text = |text: Option<String>| text.filter(|text| !text.is_empty());
    Meta {
        annotations: meta.annotations.unwrap_or_default(),
        labels: meta.labels.unwrap_or_default(),
        name: meta.name.unwrap_or_default(),
        generate_name: text(meta.generate_name),
        namespace: text(meta.namespace).filter(|_| kind.namespaced),
        resource_version: text(meta.resource_version),
        creation_timestamp: meta.creation_timestamp.map(|time| time.0.to_string()),
        ..Meta::default()
    }
}

fn refuse(verdict: Result<(), impl AsRef<str>>, at: &FieldPath, value: &str, problems: &mut Problems) {
    if let Err(why) = verdict {
        problems.push(name::invalid(at.clone(), value, why.as_ref()));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::kinds;

    fn found(tree: Json) -> (Meta, Vec<String>) {
        let mut problems = Problems::new();
        let meta = read(&tree, &kinds::GATEWAY, &mut problems);
        (meta, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_the_registry_set_is_accepted_and_dropped_but_for_revision_and_age() {
        let (meta, problems) = found(json!({
            "name": "x", "uid": "u", "creationTimestamp": "2026-11-23T07:08:15Z", "generation": 3, "selfLink": "/x",
            "resourceVersion": "7", "managedFields": [{"manager": "m", "fieldsV1": {"f:spec": {}}}],
            "finalizers": ["a"], "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u"}],
        }));
        assert_eq!(problems, Vec::<String>::new());
        let kept = Meta {
            name: "x".into(),
            resource_version: Some("7".into()),
            creation_timestamp: Some("2026-11-23T07:08:15Z".into()),
            ..Meta::default()
        };
        assert_eq!(meta, kept);
    }

    #[test]
    fn a_bad_name_is_refused_in_kubectl_s_words() {
        let (_, problems) = found(json!({"name": "Cnn_3"}));
        assert_eq!(
            problems,
            ["metadata.name: Invalid value: \"Cnn_3\": a lowercase RFC 1123 subdomain must consist of lower case \
              alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. \
              'example.com', regex used for validation is \
              '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"]
        );
    }

    #[test]
    fn a_mode_in_another_place_or_spelling_is_warned_of() {
        let (_, problems) = found(json!({
            "name": "x", "annotations": {"egressctl.io/mod": "report"}, "labels": {"egressctl.io/mode": "report"},
        }));
        assert_eq!(
            problems,
            [
                "metadata.annotations[egressctl.io/mod]: egressctl.io/mod has no effect",
                "metadata.labels[egressctl.io/mode]: egressctl.io/mode has no effect",
            ]
        );
    }

    #[test]
    fn nothing_of_istio_s_but_policies_can_be_tried() {
        let (_, problems) = found(json!({"name": "x", "annotations": {"istio.io/dry-run": "true"}}));
        assert_eq!(
            problems,
            [
                "metadata.annotations[istio.io/dry-run]: default/x has unsupported annotation istio.io/dry-run, please remove \
              the annotation"
            ]
        );
    }

    #[test]
    fn every_fault_is_found() {
        let (_, problems) = found(json!({"labels": {"a b": "c d"}, "namspace": "x", "namespace": "X"}));
        let places: Vec<_> = problems.iter().map(|problem| problem.split(": ").next().unwrap_or_default()).collect();
        assert_eq!(
            places,
            ["metadata.namspace", "metadata.name", "metadata.namespace", "metadata.labels.a b", "metadata.labels.a b"]
        );
    }
}
