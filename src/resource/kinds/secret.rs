//! Secret: certificates and keys.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::cells;
use super::check::{self, At};
use crate::resource::{Column, Kind, Typed};

/// The kind `Secret` (core, v1).
pub static SECRET: Kind = Kind {
    columns: &[
        Column { name: "TYPE", wide: false, cell: |r| cells::text(r, &["type"], OPAQUE).to_owned() },
        Column { name: "DATA", wide: false, cell: |r| cells::len(r, &["data"]).to_string() },
    ],
    check: |resource, problems| check::body::<Secret>(resource, problems, rules),
    stored,
    ..cells::kind("Secret", "secrets", "secret")
};

/// The type of Secrets of which nothing is known.
const OPAQUE: &str = "Opaque";
/// The type of Secrets with a certificate and its key.
const TLS: &str = "kubernetes.io/tls";
/// Most bytes of all values together (Kubernetes' bound).
const MAX_BYTES: usize = 1 << 20;
/// Longest key, in bytes (Kubernetes' bound).
const MAX_KEY: usize = 253;

/// The keys without which a Secret of a type is refused.
const KEYS_OF_TYPES: &[(&str, &[&str])] = &[
    (TLS, &["tls.crt", "tls.key"]),
    ("kubernetes.io/ssh-auth", &["ssh-privatekey"]),
    ("kubernetes.io/dockercfg", &[".dockercfg"]),
    ("kubernetes.io/dockerconfigjson", &[".dockerconfigjson"]),
];

/// A Secret's body.
#[derive(Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Secret {
    /// Values in base64.
    pub data: BTreeMap<String, String>,
    /// Values as they are; part of `data` once stored.
    pub string_data: BTreeMap<String, String>,
    /// What it is for.
    pub r#type: String,
    /// Whether it stays as it is.
    pub immutable: Option<bool>,
}

impl Typed for Secret {
    const ROOT: Option<&'static str> = None;
}

impl Secret {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        let written = self.string_data.get(key).map(|text| text.clone().into_bytes());
        written.or_else(|| decode(self.data.get(key)?).ok())
    }

    fn keys(&self) -> impl Iterator<Item = &String> {
        self.data.keys().chain(self.string_data.keys())
    }
}

/// Reads base64; line breaks in it are passed over.
fn decode(text: &str) -> Result<Vec<u8>, base64::DecodeError> {
    if !text.contains(['\r', '\n']) {
        return STANDARD.decode(text);
    }
    STANDARD.decode(text.replace(['\r', '\n'], ""))
}

/// Keys and lengths of the stored values, in bytes.
pub fn sizes(body: &Map<String, Json>) -> Vec<(&str, usize)> {
    let data = body.get("data").and_then(Json::as_object).into_iter().flatten();
    data.map(|(key, value)| (key.as_str(), decode(value.as_str().unwrap_or_default()).map_or(0, |bytes| bytes.len())))
        .collect()
}

/// `stringData` is only for writing: the API server moves it into `data`, where it wins.
fn stored(body: &mut Map<String, Json>) {
    let written = body.remove("stringData");
    let texts: Vec<(String, Json)> = match written {
        Some(Json::Object(texts)) => texts
            .into_iter()
            .map(|(key, text)| (key, STANDARD.encode(text.as_str().unwrap_or_default()).into()))
            .collect(),
        _ => Vec::new(),
    };
    if !texts.is_empty() {
        let data = body.entry("data").or_insert(Json::Null);
        if !data.is_object() {
            *data = Json::Object(Map::new());
        }
        data.as_object_mut().into_iter().for_each(|data| data.extend(texts.clone()));
    }
    let untyped = body.get("type").is_none_or(|of| of.as_str().unwrap_or_default().is_empty());
    if untyped {
        body.insert("type".into(), OPAQUE.into());
    }
}

fn rules(at: &mut At<'_>, secret: &Secret) {
    let mut bytes = secret.string_data.values().map(String::len).sum::<usize>();
    for (key, text) in &secret.data {
        let mut data = at.field("data");
        let mut at = data.field(key);
        match decode(text) {
            Ok(value) => bytes += value.len(),
            // Where in the value says nothing of the value itself.
            Err(_) => at.advise("illegal base64 data", "encode the value, or write it as it is under stringData"),
        }
    }
    for (field, keys) in [("data", secret.data.keys()), ("stringData", secret.string_data.keys())] {
        for key in keys {
            let mut data = at.field(field);
            if let Err(why) = key_rule(key) {
                data.field(key).invalid_key(format!("Invalid value: \"{key}\": {why}"));
            }
        }
    }
    if bytes > MAX_BYTES {
        at.field("data").invalid(format!("Too long: may not be more than {MAX_BYTES} bytes"));
    }
    let needed = KEYS_OF_TYPES.iter().find(|(of, _)| *of == secret.r#type).map_or(&[][..], |(_, keys)| keys);
    for needed in needed.iter().filter(|needed| !secret.keys().any(|key| key == *needed)) {
        at.field("data").field(needed).required();
    }
}

/// What the keys of a Secret may be, in Kubernetes' words.
fn key_rule(key: &str) -> Result<(), String> {
    if key.len() > MAX_KEY {
        return Err(format!("must be no more than {MAX_KEY} characters"));
    }
    if matches!(key, "." | "..") || key.starts_with("..") {
        return Err("must not be '.', or start with '..'".into());
    }
    let good = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    if good {
        return Ok(());
    }
    Err("a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME', \
         or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
        .into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::diagnostic::Problems;
    use crate::resource::{Meta, Resource};

    fn resource(body: Json) -> Resource {
        let body = body.as_object().expect("a map").clone();
        Resource { kind: &SECRET, version: "v1".into(), meta: Meta::default(), body, origin: None }
    }

    #[test]
    fn values_are_base64_and_types_have_their_keys() {
        for (body, problems) in [
            (json!({}), &[][..]),
            (json!({"data": {"a": "aGk="}, "type": "example.com/mine", "immutable": true}), &[]),
            (json!({"data": {"a": "aG\nk=\n"}}), &[]),
            (json!({"data": {"a": "hi"}}), &["data.a: illegal base64 data"]),
            (json!({"stringData": {"tls.crt": "c", "tls.key": "k"}, "type": TLS}), &[]),
            (json!({"data": {"tls.crt": ""}, "type": TLS}), &["data[tls.key]: Required value"]),
            (
                json!({"stringData": {"..a": "x"}}),
                &["stringData[..a]: Invalid value: \"..a\": must not be '.', or start with '..'"],
            ),
            (json!({"string_data": {}}), &["string_data: unknown field \"string_data\""]),
        ] {
            let mut found = Problems::new();
            (SECRET.check)(&resource(body), &mut found);
            assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), problems);
        }
    }

    #[test]
    fn texts_become_data_when_they_are_stored_and_win() {
        let mut resource = resource(json!({"data": {"a": "eA==", "b": "eQ=="}, "stringData": {"a": "hi", "c": ""}}));
        stored(&mut resource.body);
        assert_eq!(json!(resource.body), json!({"data": {"a": "aGk=", "b": "eQ==", "c": ""}, "type": "Opaque"}));
        assert_eq!(sizes(&resource.body), [("a", 2), ("b", 1), ("c", 0)]);
        let secret: Secret = resource.typed().expect("it decodes");
        assert_eq!((secret.get("a"), secret.get("d")), (Some(b"hi".to_vec()), None));
    }
}
