//! kubectl's client-side apply: a three-way merge of what was applied last, what is stored, and what is wanted.
//!
//! What was applied last is kept in an annotation, so a field that disappears from a file is removed, while fields that
//! others have set stay. Lists are replaced whole, as in a JSON merge patch (RFC 7386), for every kind.

use serde_json::{Map, Value as Json};

use crate::resource::{Labels, Resource};

use super::Operation;

/// The annotation that keeps what was applied last.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What applying comes to.
#[derive(Debug, Clone)]
pub struct ApplyPlan {
    /// `Create` (kubectl says `created`), `Replace` (`configured`), or nothing (`unchanged`). A replacement carries the
    /// `resourceVersion` that it is based on.
    pub operation: Option<Operation>,
    /// The line, beginning with `Warning: `, that kubectl prints.
    pub warning: Option<String>,
}

/// What to do so that the wanted resource is stored; `live` is what is stored under its key now.
pub fn apply(live: Option<&Resource>, wanted: &Resource) -> ApplyPlan {
    let Some(live) = live else {
        let mut created = with_last_applied(wanted);
        created.body = merge_maps(&Map::new(), &Map::new(), &wanted.body);
        return ApplyPlan { operation: Some(Operation::Create(created)), warning: None };
    };
    let merged = merge(live, wanted);
    let is_same = merged.meta == live.meta && merged.body == live.body && merged.version == live.version;
    let has_annotation = live.meta.annotations.contains_key(LAST_APPLIED);
    ApplyPlan {
        operation: (!is_same).then(|| {
            let mut merged = merged;
            if let Some(expected) = &wanted.meta.resource_version {
                merged.meta.resource_version = Some(expected.clone());
            }
            Operation::Replace(merged)
        }),
        warning: (!has_annotation).then(|| missing_annotation(wanted)),
    }
}

/// The resource with an annotation that says what was applied: itself. `create --save-config` stores this.
pub fn with_last_applied(wanted: &Resource) -> Resource {
    let mut wanted = wanted.clone();
    wanted.meta.annotations.insert(LAST_APPLIED.to_owned(), last_applied(&wanted));
    wanted
}

/// The value of the annotation for a resource: its compact JSON with `annotations` at least empty, and a line end.
pub fn last_applied(resource: &Resource) -> String {
    let mut bare = resource.clone();
    bare.meta.annotations.remove(LAST_APPLIED);
    bare.meta.creation_timestamp = None;
    let mut tree = bare.to_json();
    if let Some(Json::Object(meta)) = tree.get_mut("metadata") {
        meta.entry("annotations").or_insert_with(|| Json::Object(Map::new()));
    }
    escape_html(&tree.to_string()) + "\n"
}

/// Go's JSON encoder, which kubectl uses, escapes these characters; in JSON they stand only inside strings.
fn escape_html(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                escaped += &format!("\\u{:04x}", u32::from(character));
            }
            other => escaped.push(other),
        }
    }
    escaped
}

fn missing_annotation(resource: &Resource) -> String {
    format!(
        "Warning: resource {}/{} is missing the {LAST_APPLIED} annotation which is required by kubectl apply. \
         kubectl apply should only be used on resources created declaratively by either kubectl create --save-config \
         or kubectl apply. The missing annotation will be patched automatically.",
        resource.kind.plural, resource.meta.name
    )
}

fn merge(live: &Resource, wanted: &Resource) -> Resource {
    let last = read_last_applied(live);
    let last_map = |key: &str| last.get("metadata").and_then(|meta| meta.get(key)).unwrap_or(&Json::Null);
    let mut merged = live.clone();
    merged.version.clone_from(&wanted.version);
    merged.meta.labels = merge_labels(last_map("labels"), &live.meta.labels, &wanted.meta.labels);
    let annotations = with_last_applied(wanted).meta.annotations;
    merged.meta.annotations = merge_labels(last_map("annotations"), &live.meta.annotations, &annotations);
    merged.body = merge_maps(&last, &live.body, &wanted.body);
    merged.origin.clone_from(&wanted.origin);
    merged
}

/// What was applied last, without `apiVersion` and `kind`, which are no part of a body; empty where nothing (readable)
/// is kept: then nothing is removed.
fn read_last_applied(live: &Resource) -> Map<String, Json> {
    let text = live.meta.annotations.get(LAST_APPLIED).map(String::as_str).unwrap_or_default();
    serde_json::from_str(text).unwrap_or_default()
}

fn merge_labels(last: &Json, live: &Labels, wanted: &Labels) -> Labels {
    let is_dropped = |key: &String| last.get(key).is_some() && !wanted.contains_key(key);
    let kept = live.iter().filter(|(key, _)| !is_dropped(key));
    kept.chain(wanted).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// `live`, with every field of `wanted`, without the fields of `last` that `wanted` has no more. A null in `wanted` is
/// as good as absence.
fn merge_maps(last: &Map<String, Json>, live: &Map<String, Json>, wanted: &Map<String, Json>) -> Map<String, Json> {
    let mut merged = live.clone();
    merged.retain(|key, _| !last.contains_key(key) || wanted.get(key).is_some_and(|value| !value.is_null()));
    for (key, value) in wanted.iter().filter(|(_, value)| !value.is_null()) {
        let empty = Map::new();
        let field = match (live.get(key), value) {
            (Some(Json::Object(live)), Json::Object(wanted)) => {
                let last = last.get(key).and_then(Json::as_object).unwrap_or(&empty);
                Json::Object(merge_maps(last, live, wanted))
            }
            (_, Json::Object(wanted)) => Json::Object(merge_maps(&empty, &empty, wanted)),
            (_, other) => other.clone(),
        };
        merged.insert(key.clone(), field);
    }
    merged
}

#[cfg(test)]
mod tests;
