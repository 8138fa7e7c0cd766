//! The fields that only the registry sets: uid, resourceVersion, generation, creationTimestamp, generated names.

use jiff::Timestamp;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use crate::resource::Resource;

use super::Revision;

/// What Kubernetes makes random names of: no vowels and no look-alikes, so that no words arise.
const NAME_ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// Random characters after a `generateName` prefix.
const RANDOM_CHARACTERS: usize = 5;

/// Longest part of a prefix that is used: a generated name stays within a DNS label of 63 characters.
const PREFIX_CHARACTERS: usize = 63 - RANDOM_CHARACTERS;

/// What all writes of one commit are stamped with.
pub(super) struct Stamp {
    /// The commit's revision.
    pub(super) revision: Revision,
    /// Its time, RFC 3339 in UTC with whole seconds.
    now: String,
    /// Whether resources may say themselves how old they are.
    believes: bool,
}

impl Stamp {
    /// A stamp of the present second.
    pub(super) fn now(revision: Revision) -> Self {
        let second = Timestamp::from_second(Timestamp::now().as_second()).expect("the present is in range");
        Self { revision, now: second.to_string(), believes: false }
    }

    /// A stamp of the present second for all that does not say how old it is.
    pub(super) fn believing(revision: Revision) -> Self {
        Self { believes: true, ..Self::now(revision) }
    }

    /// The resource as it is stored when it is new; what the client sent for our fields is dropped.
    pub(super) fn created(&self, mut resource: Resource) -> Resource {
        let namespace = resource.meta.namespace.take().filter(|namespace| !namespace.is_empty());
        resource.meta.namespace = resource.kind.namespaced.then(|| namespace.unwrap_or_else(|| "default".to_owned()));
        resource.meta.uid = Some(Uuid::new_v4().to_string());
        let told = resource.meta.creation_timestamp.take().filter(|_| self.believes);
        resource.meta.creation_timestamp = told.or_else(|| Some(self.now.clone()));
        resource.meta.generation = has_generation(&resource).then_some(1);
        (resource.kind.stored)(&mut resource.body);
        self.revise(resource)
    }

    /// The resource as it is stored in place of `old`; `None` if nothing but our own fields and the origin differ.
    pub(super) fn replaced(&self, old: &Resource, mut new: Resource) -> Option<Resource> {
        new.meta.namespace.clone_from(&old.meta.namespace);
        new.meta.uid.clone_from(&old.meta.uid);
        new.meta.creation_timestamp.clone_from(&old.meta.creation_timestamp);
        new.meta.resource_version.clone_from(&old.meta.resource_version);
        new.meta.generation = old.meta.generation;
        (new.kind.stored)(&mut new.body);
        if new.meta == old.meta && new.body == old.body && new.version == old.version {
            return None;
        }
        if !same_but_for_status(&old.body, &new.body) {
            new.meta.generation = old.meta.generation.map(|generation| generation.saturating_add(1));
        }
        Some(self.revise(new))
    }

    fn revise(&self, mut resource: Resource) -> Resource {
        resource.meta.resource_version = Some(self.revision.to_string());
        resource
    }
}

/// Kubernetes counts generations of custom kinds and of `apps`, not of the core group.
fn has_generation(resource: &Resource) -> bool {
    !resource.kind.group.is_empty()
}

fn same_but_for_status(old: &Map<String, Json>, new: &Map<String, Json>) -> bool {
    let declared = |body: &Map<String, Json>| body.len() - usize::from(body.contains_key("status"));
    declared(old) == declared(new)
        && old.iter().filter(|(key, _)| *key != "status").all(|(key, value)| new.get(key) == Some(value))
}

/// A name that begins with a prefix and ends in five random characters.
pub(crate) fn generate_name(prefix: &str) -> String {
    let prefix: String = prefix.chars().take(PREFIX_CHARACTERS).collect();
    prefix + &safe_text(Uuid::new_v4().as_u128(), RANDOM_CHARACTERS)
}

/// The last `length` digits of a number, written in Kubernetes' alphabet for names.
pub(crate) fn safe_text(number: u128, length: usize) -> String {
    let base = NAME_ALPHABET.len() as u128;
    let digits = std::iter::successors(Some(number), |rest| Some(rest / base)).take(length);
    digits.map(|rest| char::from(NAME_ALPHABET[(rest % base) as usize])).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{RULE, SERVICE, resource};
    use super::*;

    fn stamp(revision: u64) -> Stamp {
        Stamp::now(Revision(revision))
    }

    #[test]
    fn a_new_resource_gets_uid_time_generation_and_revision() {
        let mut sent = resource(&RULE, "default", "r", json!({"spec": {"match": "a"}}));
        sent.meta.uid = Some("forged".into());
        sent.meta.generation = Some(99);
        sent.meta.creation_timestamp = Some("1970-01-01T00:00:00Z".into());
        let stored = stamp(7).created(sent);
        assert_eq!(Uuid::parse_str(stored.meta.uid.as_deref().unwrap()).unwrap().get_version_num(), 4);
        assert_eq!(stored.meta.resource_version.as_deref(), Some("7"));
        assert_eq!(stored.meta.generation, Some(1));
        let created = stored.meta.creation_timestamp.unwrap();
        assert_eq!(created.len(), "2026-11-23T07:08:15Z".len(), "whole seconds: {created}");
        assert!(created.ends_with('Z') && created.starts_with("20"), "{created}");
    }

    #[test]
    fn core_kinds_have_no_generation() {
        assert_eq!(stamp(1).created(resource(&SERVICE, "default", "s", json!({}))).meta.generation, None);
    }

    #[test]
    fn a_change_outside_status_starts_a_generation() {
        let old = stamp(1).created(resource(&RULE, "default", "r", json!({"spec": {"match": "a"}})));
        let new = stamp(2).replaced(&old, resource(&RULE, "default", "r", json!({"spec": {"match": "b"}}))).unwrap();
        assert_eq!((new.meta.generation, new.meta.resource_version.as_deref()), (Some(2), Some("2")));
        assert_eq!((new.meta.uid, new.meta.creation_timestamp), (old.meta.uid, old.meta.creation_timestamp));
    }

    #[test]
    fn a_change_of_status_or_labels_keeps_the_generation() {
        let body = json!({"spec": {"match": "a"}});
        let old = stamp(1).created(resource(&RULE, "default", "r", body.clone()));
        let with_status = resource(&RULE, "default", "r", json!({"spec": {"match": "a"}, "status": {"ok": true}}));
        let with_status = stamp(2).replaced(&old, with_status).unwrap();
        let mut labelled = resource(&RULE, "default", "r", body);
        labelled.meta.labels.insert("a".into(), "b".into());
        let labelled = stamp(3).replaced(&with_status, labelled).unwrap();
        assert_eq!((with_status.meta.generation, labelled.meta.generation), (Some(1), Some(1)));
        assert_eq!(labelled.meta.resource_version.as_deref(), Some("3"));
    }

    #[test]
    fn the_same_again_is_no_change_whatever_the_client_sends_for_our_fields() {
        let old = stamp(1).created(resource(&RULE, "default", "r", json!({"spec": {"match": "a"}})));
        let mut again = resource(&RULE, "default", "r", json!({"spec": {"match": "a"}}));
        again.meta.uid = Some("forged".into());
        again.meta.generation = Some(4);
        assert!(stamp(2).replaced(&old, again).is_none());
    }

    #[test]
    fn generated_names_fit_a_dns_label() {
        let name = generate_name(&"x".repeat(100));
        assert_eq!(name.len(), 63);
        assert!(name.bytes().skip(58).all(|byte| NAME_ALPHABET.contains(&byte)), "{name}");
        assert_ne!(generate_name("a-"), generate_name("a-"));
    }
}
