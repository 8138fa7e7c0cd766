//! Cells of tables.

use serde_json::Value as Json;

use crate::resource::{Kind, Part, Resource};

/// Categories of Istio's networking kinds.
pub(super) const NETWORKING: &[&str] = &["istio-io", "networking-istio-io"];
/// Categories of Mixer's kinds.
pub(super) const POLICY: &[&str] = &["istio-io", "policy-istio-io"];
/// The API group of the kinds that are nobody's but ours.
pub(super) const OURS: &str = "egressctl.io";
/// Categories of Istio's security kinds.
pub(super) const SECURITY: &[&str] = &["istio-io", "security-istio-io"];
/// Categories of the kinds of Istio's first authorization.
pub(super) const RBAC: &[&str] = &["istio-io", "rbac-istio-io"];
/// Versions of Istio's security kinds.
pub(super) const SECURITY_VERSIONS: &[&str] = &["v1", "v1beta1"];
/// Versions of Istio's networking kinds.
pub(super) const NETWORKING_VERSIONS: &[&str] = &["v1", "v1beta1", "v1alpha3"];

/// A kind with nothing but its name: the fields that most kinds share, to be overridden.
pub(super) const fn kind(name: &'static str, plural: &'static str, singular: &'static str) -> Kind {
    Kind {
        group: "",
        versions: &["v1"],
        aliases: &[],
        name,
        plural,
        singular,
        short: &[],
        namespaced: true,
        categories: &[],
        columns: &[],
        check: |_, _| {},
        stored: |_| {},
        part: None,
    }
}

/// A kind of which rules are put together; its check is that of its params, at `spec`.
pub(super) const fn part(name: &'static str, plural: &'static str, part: Part) -> Kind {
    Kind {
        group: "config.istio.io",
        versions: &["v1alpha2"],
        categories: POLICY,
        part: Some(part),
        check: super::check::part,
        ..kind(name, plural, name)
    }
}

/// The value at a path of keys, as a custom resource's column shows it: a text as it is, anything else as JSON, and
/// nothing where there is no value.
pub(super) fn custom(resource: &Resource, keys: &[&str]) -> String {
    match lookup(resource, keys) {
        None | Some(Json::Null) => String::new(),
        Some(Json::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

/// The value at a path of keys as text; `fallback` where there is none.
pub(super) fn text<'a>(resource: &'a Resource, keys: &[&str], fallback: &'a str) -> &'a str {
    lookup(resource, keys).and_then(Json::as_str).unwrap_or(fallback)
}

/// The value at a path of keys as a number; 0 where there is none.
pub(super) fn number(resource: &Resource, keys: &[&str]) -> u64 {
    lookup(resource, keys).and_then(Json::as_u64).unwrap_or(0)
}

/// The items of the list at a path of keys; none where there is no list.
pub(super) fn items<'a>(resource: &'a Resource, keys: &[&str]) -> &'a [Json] {
    lookup(resource, keys).and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

/// How many keys the map at a path of keys has; 0 where there is none.
pub(super) fn len(resource: &Resource, keys: &[&str]) -> usize {
    lookup(resource, keys).and_then(Json::as_object).map_or(0, serde_json::Map::len)
}

/// The map of labels at a path of keys as `a=b,c=d`; `<none>` where there is none.
pub(super) fn selector(resource: &Resource, keys: &[&str]) -> String {
    let labels = lookup(resource, keys).and_then(Json::as_object);
    let pairs =
        labels.into_iter().flatten().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
    or_none(pairs.collect::<Vec<_>>().join(","))
}

/// One key of each item of a list, joined by `,`; `<none>` where there is nothing.
pub(super) fn joined(items: &[Json], key: &str) -> String {
    or_none(items.iter().filter_map(|item| item.get(key)?.as_str()).collect::<Vec<_>>().join(","))
}

/// `<none>` for the empty text.
pub(super) fn or_none(text: String) -> String {
    if text.is_empty() { "<none>".into() } else { text }
}

fn lookup<'a>(resource: &'a Resource, keys: &[&str]) -> Option<&'a Json> {
    let (first, rest) = keys.split_first()?;
    rest.iter().try_fold(resource.body.get(*first)?, |value, key| value.get(key))
}
