//! The Pods of a Deployment: derived from it, with the names that Kubernetes would give them.

use serde_json::{Value as Json, json};

use crate::registry::safe_text;
use crate::resource::{Key, Kind, Labels, Meta, Resource};

/// The label that ties a Pod to the template it was made from.
const TEMPLATE_HASH: &str = "pod-template-hash";

/// Most Pods that a Deployment has here, whatever it asks for: they exist to be listed, and nobody reads more.
const MAX_REPLICAS: u64 = 1000;

/// Characters of the hash of the template in a Pod's name.
const HASH_CHARACTERS: usize = 10;

/// Characters after it that tell the Pods of a Deployment apart.
const SUFFIX_CHARACTERS: usize = 5;

/// Names that [`SUFFIX_CHARACTERS`] of 27 can form.
const SUFFIXES: u128 = 27_u128.pow(SUFFIX_CHARACTERS as u32);

/// Step from one Pod's suffix to the next one's. It shares no factor with [`SUFFIXES`], so all suffixes differ, and is
/// that number times the golden ratio, so neighbours do not look alike.
const SUFFIX_STEP: u128 = 8_868_112;

/// Longest prefix of a generated name: with the suffix it stays within a DNS label of 63 characters.
const PREFIX_CHARACTERS: usize = 63 - SUFFIX_CHARACTERS;

/// The Pods that a Deployment asks for, running; `pod` is the kind Pod. The same Deployment always gives the same Pods:
/// a name changes only with the template (its hash) or when the Deployment is created anew (the suffix).
pub fn pods_of(deployment: &Resource, pod: &'static Kind) -> Vec<Resource> {
    let origin = Derivation::of(deployment);
    (0..replicas(deployment)).map(|index| origin.pod(pod, index)).collect()
}

/// How many Pods a Deployment has.
pub(super) fn replicas(deployment: &Resource) -> u64 {
    deployment.spec().get("replicas").and_then(Json::as_u64).unwrap_or(1).min(MAX_REPLICAS)
}

/// The Pod that a Deployment has, or would have first if it asks for none.
pub(super) fn first_pod(deployment: &Resource, pod: &'static Kind) -> Resource {
    Derivation::of(deployment).pod(pod, 0)
}

/// Whether a Pod of this name can be one of the Deployment's; cheap, and never wrong when it says no.
pub(super) fn may_own(deployment: &Resource, pod: &Key) -> bool {
    let shared = deployment.meta.name.chars().take(PREFIX_CHARACTERS - 1);
    deployment.meta.namespace == pod.namespace && shared.zip(pod.name.chars()).all(|(ours, theirs)| ours == theirs)
}

/// What all Pods of a Deployment have in common.
struct Derivation<'a> {
    deployment: &'a Resource,
    hash: String,
    /// `sleep-5b597d7f8c-`, cut to what fits.
    prefix: String,
    /// What makes this Deployment unlike an earlier one of its name.
    seed: u64,
}

impl<'a> Derivation<'a> {
    fn of(deployment: &'a Resource) -> Self {
        let template = deployment.spec().get("template").unwrap_or(&Json::Null).to_string();
        let hash = safe_text(fnv1a(template.as_bytes()).into(), HASH_CHARACTERS);
        let prefix = format!("{}-{hash}-", deployment.meta.name).chars().take(PREFIX_CHARACTERS).collect();
        let identity = match &deployment.meta.uid {
            Some(uid) => uid.clone(),
            None => deployment.key().to_string(),
        };
        Self { deployment, hash, prefix, seed: fnv1a(identity.as_bytes()) }
    }

    fn pod(&self, kind: &'static Kind, index: u64) -> Resource {
        let template = self.deployment.spec().get("template").unwrap_or(&Json::Null);
        let spec = template.get("spec").cloned().unwrap_or_else(|| json!({}));
        let body = [("status".to_owned(), self.status(&spec)), ("spec".to_owned(), spec)].into_iter().collect();
        let version = kind.versions.first().copied().unwrap_or("v1").to_owned();
        Resource { kind, version, meta: self.meta(template, index), body, origin: self.deployment.origin.clone() }
    }

    fn meta(&self, template: &Json, index: u64) -> Meta {
        let suffix = safe_text((u128::from(self.seed) + u128::from(index) * SUFFIX_STEP) % SUFFIXES, SUFFIX_CHARACTERS);
        let name = format!("{}{suffix}", self.prefix);
        let mut labels = string_map(template.pointer("/metadata/labels"));
        labels.insert(TEMPLATE_HASH.to_owned(), self.hash.clone());
        let owner = &self.deployment.meta;
        Meta {
            annotations: string_map(template.pointer("/metadata/annotations")),
            labels,
            uid: Some(self.uid(&name)),
            name,
            generate_name: Some(self.prefix.clone()),
            namespace: owner.namespace.clone(),
            creation_timestamp: owner.creation_timestamp.clone(),
            resource_version: owner.resource_version.clone(),
            generation: None,
        }
    }

    /// A UUID that stays the same as long as the Pod's name does.
    fn uid(&self, name: &str) -> String {
        let number = (u128::from(self.seed) << 64) | u128::from(fnv1a(name.as_bytes()));
        uuid::Builder::from_random_bytes(number.to_be_bytes()).into_uuid().to_string()
    }

    fn status(&self, spec: &Json) -> Json {
        let started = &self.deployment.meta.creation_timestamp;
        let containers = spec.get("containers").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        let statuses: Vec<Json> = containers
            .iter()
            .map(|container| {
                json!({
                    "name": container.get("name"),
                    "image": container.get("image"),
                    "ready": true,
                    "restartCount": 0,
                    "started": true,
                    "state": {"running": {"startedAt": started}},
                })
            })
            .collect();
        json!({
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}, {"type": "ContainersReady", "status": "True"}],
            "containerStatuses": statuses,
            "startTime": started,
        })
    }
}

/// The entries of a JSON object whose values are texts.
pub(super) fn string_map(tree: Option<&Json>) -> Labels {
    let entries = tree.and_then(Json::as_object).into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// The 64-bit FNV-1a hash, written out because names must not change with the compiler, as std's hash may.
fn fnv1a(bytes: &[u8]) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    bytes.iter().fold(OFFSET, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::registry::testing::{POD, labels};

    use super::super::workload::tests::deployment;

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn a_pod_is_named_as_kubernetes_names_it_and_always_the_same() {
        let pods = pods_of(&deployment("sleep"), &POD);
        let [pod] = pods.as_slice() else { panic!("one replica is the default: {pods:?}") };
        let parts: Vec<&str> = pod.meta.name.split('-').collect();
        assert_eq!((parts[0], parts[1].len(), parts[2].len(), parts.len()), ("sleep", 10, 5, 3));
        assert_eq!(pod.meta.labels, labels(&[("app", "sleep"), (TEMPLATE_HASH, parts[1])]));
        assert_eq!(pods_of(&deployment("sleep"), &POD), pods);
    }

    #[test]
    fn names_are_stable_across_builds() {
        let pod = &pods_of(&deployment("sleep"), &POD)[0];
        assert_eq!(pod.meta.name, "sleep-prm9v4vzxd-gtfvs");
    }

    #[test]
    fn another_template_changes_the_hash_and_another_uid_the_suffix() {
        let parts = |deployment: &Resource| {
            let name = pods_of(deployment, &POD)[0].meta.name.clone();
            let (hash, suffix) = name.strip_prefix("sleep-").unwrap().split_once('-').unwrap();
            (hash.to_owned(), suffix.to_owned())
        };
        let original = parts(&deployment("sleep"));
        let mut edited = deployment("sleep");
        edited.body["spec"]["template"]["spec"]["containers"][0]["image"] = json!("other");
        let mut recreated = deployment("sleep");
        recreated.meta.uid = Some("another".into());
        assert_ne!(parts(&edited).0, original.0);
        assert_eq!(parts(&edited).1, original.1);
        assert_eq!(parts(&recreated).0, original.0);
        assert_ne!(parts(&recreated).1, original.1);
    }

    #[test]
    fn replicas_are_bounded_and_all_named_differently() {
        let mut many = deployment("sleep");
        many.body["spec"]["replicas"] = json!(1_000_000_000);
        let pods = pods_of(&many, &POD);
        assert_eq!(pods.len(), 1000);
        assert_eq!(pods.iter().map(|pod| &pod.meta.name).collect::<BTreeSet<_>>().len(), 1000);
        assert_eq!(pods.iter().map(|pod| &pod.meta.uid).collect::<BTreeSet<_>>().len(), 1000);
        many.body["spec"]["replicas"] = json!(0);
        assert!(pods_of(&many, &POD).is_empty());
    }

    #[test]
    fn a_pod_runs_and_its_containers_are_ready() {
        let pod = &pods_of(&deployment("sleep"), &POD)[0];
        assert_eq!(pod.body["status"]["phase"], "Running");
        assert_eq!(pod.body["status"]["containerStatuses"][0]["name"], "sleep");
        assert_eq!(pod.body["status"]["containerStatuses"][0]["ready"], true);
        assert_eq!(pod.spec()["serviceAccountName"], "sleep");
    }

    #[test]
    fn a_long_name_is_cut_to_a_dns_label() {
        let long = deployment(&"x".repeat(200));
        let pod = &pods_of(&long, &POD)[0];
        assert_eq!(pod.meta.name.len(), 63);
        assert!(may_own(&long, &pod.key()));
    }

    #[test]
    fn a_deployment_without_template_has_a_pod_without_containers() {
        let mut empty = deployment("sleep");
        empty.body.clear();
        assert_eq!(pods_of(&empty, &POD)[0].body["status"]["containerStatuses"], json!([]));
    }
}
