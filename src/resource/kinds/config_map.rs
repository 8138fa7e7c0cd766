//! ConfigMap: texts by key. One of them, `istio` in the root namespace, holds the configuration of the mesh.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::check::{self, At};
use super::{cells, mesh_config};
use crate::resource::{Column, Kind, Resource, Typed};

/// The kind `ConfigMap` (core, v1).
pub static CONFIG_MAP: Kind = Kind {
    short: &["cm"],
    columns: &[Column { name: "DATA", wide: false, cell: |r| entries(r).to_string() }],
    check: |resource, problems| {
        check::body::<ConfigMap>(resource, problems, |at, map| {
            rules(at, map);
            if resource.meta.name == mesh_config::NAME && resource.namespace() == mesh_config::NAMESPACE {
                mesh_config::check(at, map);
            }
        });
    },
    ..cells::kind("ConfigMap", "configmaps", "configmap")
};

/// Most bytes of all values together (Kubernetes' bound).
const MAX_BYTES: usize = 1 << 20;
/// Longest key, in bytes (Kubernetes' bound).
const MAX_KEY: usize = 253;

/// A ConfigMap's body.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConfigMap {
    /// Texts.
    pub data: BTreeMap<String, String>,
    /// Bytes in base64.
    pub binary_data: BTreeMap<String, String>,
    /// Whether it stays as it is.
    pub immutable: Option<bool>,
}

impl Typed for ConfigMap {
    const ROOT: Option<&'static str> = None;
}

fn entries(resource: &Resource) -> usize {
    cells::len(resource, &["data"]) + cells::len(resource, &["binaryData"])
}

fn rules(at: &mut At<'_>, map: &ConfigMap) {
    for (field, values) in [("data", &map.data), ("binaryData", &map.binary_data)] {
        for key in values.keys() {
            let plain = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
            if key.is_empty() || key.len() > MAX_KEY || !plain {
                at.field(field).field(key).invalid_key(
                    "a valid config key must consist of alphanumeric characters, '-', '_' or '.', and be at most 253 long",
                );
            }
        }
    }
    for key in map.binary_data.keys().filter(|key| map.data.contains_key(*key)) {
        at.field("binaryData").field(key).invalid_key("duplicate of key present in data");
    }
    let bytes = map.data.values().chain(map.binary_data.values()).map(String::len).sum::<usize>();
    if bytes > MAX_BYTES {
        at.invalid(format!("Too long: may not be more than {MAX_BYTES} bytes"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;
    use crate::diagnostic::Problems;
    use crate::resource::Meta;

    fn found(name: &str, body: serde_json::Value) -> Vec<String> {
        let meta = Meta { name: name.into(), namespace: Some("istio-system".into()), ..Meta::default() };
        let body: Map<_, _> = body.as_object().expect("a map").clone();
        let resource = Resource { kind: &CONFIG_MAP, version: "v1".into(), meta, body, origin: None };
        let mut problems = Problems::new();
        (CONFIG_MAP.check)(&resource, &mut problems);
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn keys_are_plain_and_stand_once() {
        assert_eq!(found("x", json!({"data": {"a.b_c-1": "text"}, "binaryData": {"d": "QQ=="}})), [""; 0]);
        let key =
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.', and be at most 253 long";
        assert_eq!(
            found("x", json!({"data": {"a b": "", "c": ""}, "binaryData": {"c": ""}})),
            [format!("data.a b: {key}"), "binaryData.c: duplicate of key present in data".to_owned()]
        );
        assert_eq!(found("x", json!({"data": {"mesh": "extensionProviders: [{}]"}})), [""; 0]);
    }

    #[test]
    fn the_configuration_of_the_mesh_is_checked() {
        let mesh = |text: &str| found("istio", json!({"data": {"mesh": text}}));
        let provider = |fields: &str| format!("extensionProviders:\n- name: p\n  envoyExtAuthzHttp: {{{fields}}}");
        assert_eq!(mesh("accessLogFile: /dev/stdout"), [""; 0]);
        for mode in ["DEFAULT", "NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"] {
            assert_eq!(mesh(&format!("pathNormalization: {{normalization: {mode}}}")), [""; 0]);
        }
        assert_eq!(mesh(&provider("service: foo/a.foo.svc.cluster.local, port: 8000, timeout: 1s")), [""; 0]);
        for (text, problem) in [
            ("a: [".to_owned(), "data.mesh: not YAML: "),
            (
                "pathNormalization: {normalization: STRICT}".to_owned(),
                "data.mesh: pathNormalization.normalization: expected DEFAULT, NONE, BASE, MERGE_SLASHES, ",
            ),
            (
                "extensionProviders: [{}]".to_owned(),
                "data.mesh: extensionProviders[0].name: extension provider name must not be empty, found empty at index: 0",
            ),
            (
                "extensionProviders: [{name: a}, {name: a}]".to_owned(),
                "data.mesh: extensionProviders[1].name: extension provider name must be unique, found duplicate: a",
            ),
            (
                provider("port: 8000"),
                "data.mesh: extensionProviders[0].envoyExtAuthzHttp.service: service must not be empty",
            ),
            (
                provider("service: a.b, port: 0"),
                "data.mesh: extensionProviders[0].envoyExtAuthzHttp.port: port must be in the range [1, 65535], found: 0",
            ),
            (
                provider("service: a.b, port: 1, pathPrefix: x"),
                "data.mesh: extensionProviders[0].envoyExtAuthzHttp.pathPrefix: pathPrefix must begin with `/`, found: \"x\"",
            ),
            (
                provider("service: a.b, port: 1, statusOnError: x"),
                "data.mesh: extensionProviders[0].envoyExtAuthzHttp.statusOnError: unsupported statusOnError x",
            ),
            (
                provider("service: a.b, port: 1, prt: 2"),
                "data.mesh: extensionProviders[0].envoyExtAuthzHttp.prt: unknown field \"prt\"",
            ),
        ] {
            let problems = mesh(&text);
            assert!(problems.iter().any(|found| found.starts_with(problem)), "{text}: {problems:?}");
        }
    }
}
