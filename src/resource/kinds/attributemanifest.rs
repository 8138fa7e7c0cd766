//! attributemanifest: attributes beyond Istio's own that expressions may name (Mixer).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::cells;
use super::check::{self, At};
use crate::diagnostic::Code;
use crate::expr::{ValueType, Vocabulary, is_attribute_name};
use crate::resource::{Kind, Typed};

/// The kind `attributemanifest` (config.istio.io).
pub static ATTRIBUTEMANIFEST: Kind = Kind {
    group: "config.istio.io",
    versions: &["v1alpha2"],
    categories: cells::POLICY,
    check: |resource, problems| check::spec::<AttributeManifest>(resource, problems, rules),
    ..cells::kind("attributemanifest", "attributemanifests", "attributemanifest")
};

/// `spec` of an attributemanifest.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AttributeManifest {
    /// Which revision of the manifest this is; for people.
    pub revision: String,
    /// Name of the component that gives the attributes their values; for people.
    pub name: String,
    /// The attributes by their names.
    pub attributes: BTreeMap<String, AttributeInfo>,
}

impl Typed for AttributeManifest {
    const ROOT: Option<&'static str> = Some("spec");
}

impl AttributeManifest {
    /// Names and types of the attributes; those without a type are left out.
    pub fn types(&self) -> impl Iterator<Item = (&str, ValueType)> {
        self.attributes.iter().filter_map(|(name, info)| Some((name.as_str(), info.value_type.get()?)))
    }
}

/// An attribute of a manifest.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AttributeInfo {
    /// What it means; for people.
    pub description: String,
    /// Its type.
    pub value_type: AttributeType,
}

/// A type as Istio's API numbers it (`istio.policy.v1beta1.ValueType`); the order is that of the numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum AttributeType {
    /// No type.
    #[default]
    #[serde(rename = "VALUE_TYPE_UNSPECIFIED")]
    Unspecified,
    /// [`ValueType::String`].
    #[serde(rename = "STRING")]
    String,
    /// [`ValueType::Int64`].
    #[serde(rename = "INT64")]
    Int64,
    /// [`ValueType::Double`].
    #[serde(rename = "DOUBLE")]
    Double,
    /// [`ValueType::Bool`].
    #[serde(rename = "BOOL")]
    Bool,
    /// [`ValueType::Timestamp`].
    #[serde(rename = "TIMESTAMP")]
    Timestamp,
    /// [`ValueType::IpAddress`].
    #[serde(rename = "IP_ADDRESS")]
    IpAddress,
    /// [`ValueType::EmailAddress`].
    #[serde(rename = "EMAIL_ADDRESS")]
    EmailAddress,
    /// [`ValueType::Uri`].
    #[serde(rename = "URI")]
    Uri,
    /// [`ValueType::DnsName`].
    #[serde(rename = "DNS_NAME")]
    DnsName,
    /// [`ValueType::Duration`].
    #[serde(rename = "DURATION")]
    Duration,
    /// [`ValueType::StringMap`].
    #[serde(rename = "STRING_MAP")]
    StringMap,
}

impl AttributeType {
    /// The type in the language; `None` for no type.
    pub fn get(self) -> Option<ValueType> {
        Some(match self {
            Self::Unspecified => return None,
            Self::String => ValueType::String,
            Self::Int64 => ValueType::Int64,
            Self::Double => ValueType::Double,
            Self::Bool => ValueType::Bool,
            Self::Timestamp => ValueType::Timestamp,
            Self::IpAddress => ValueType::IpAddress,
            Self::EmailAddress => ValueType::EmailAddress,
            Self::Uri => ValueType::Uri,
            Self::DnsName => ValueType::DnsName,
            Self::Duration => ValueType::Duration,
            Self::StringMap => ValueType::StringMap,
        })
    }
}

fn rules(at: &mut At<'_>, manifest: &AttributeManifest) {
    let mut attributes = at.field("attributes");
    for (name, info) in &manifest.attributes {
        let mut at = attributes.field(name);
        if !name.split('.').all(is_part) {
            at.advise(
                format!("\"{name}\" is no attribute name"),
                "a name is words of letters, digits, `_` and `-`, joined by `.`",
            );
        } else if !is_attribute_name(name) {
            at.ignored(format!("no expression can spell \"{name}\""));
        }
        at_type(&mut at.field("valueType"), name, info.value_type);
    }
}

fn is_part(part: &str) -> bool {
    !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

fn at_type(at: &mut At<'_>, name: &str, of: AttributeType) {
    let Some(of) = of.get() else { return at.required() };
    if let Some((_, standard)) = Vocabulary::standard().get(name).filter(|(_, standard)| *standard != of) {
        at.problems.error(
            Code::Invalid,
            at.path.clone(),
            format!("attribute {name} is one of Istio's own and of type {standard}, not {of}"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;
    use crate::diagnostic::FieldPath;
    use crate::resource::decode::decode;

    #[test]
    fn types_are_names_or_numbers_of_istios_enumeration() {
        let tree = serde_json::json!({"attributes": {
            "a.b": {"valueType": "DNS_NAME"}, "a.c": {"value_type": 11}, "a.d": {"description": "x", "valueType": 5},
        }});
        let manifest: AttributeManifest = decode(&tree, &FieldPath::root()).unwrap();
        let types: Vec<_> = manifest.types().collect();
        assert_eq!(types, [("a.b", ValueType::DnsName), ("a.c", ValueType::StringMap), ("a.d", ValueType::Timestamp)]);
    }

    #[test]
    fn a_manifest_may_repeat_istios_attributes_but_not_change_them() {
        let spec = "attributes:\n  request.size: {valueType: STRING}\n  request.path: {valueType: STRING}";
        assert_eq!(
            check(&ATTRIBUTEMANIFEST, spec),
            ["spec.attributes[request.size].valueType: \
              attribute request.size is one of Istio's own and of type INT64, not STRING"]
        );
    }

    #[test]
    fn every_attribute_has_a_name_and_a_type() {
        for (spec, problem) in [
            ("attributes: {a.b: {}}", "spec.attributes[a.b].valueType: Required value"),
            ("attributes: {a.b: {valueType: TEXT}}", "unsupported value"),
            ("attributes: {'a b': {valueType: URI}}", "\"a b\" is no attribute name"),
            ("attributes: {a..b: {valueType: URI}}", "\"a..b\" is no attribute name"),
            ("attributes: {a-b: {valueType: URI}}", "no expression can spell \"a-b\""),
            ("attributes: {a.type: {valueType: URI}}", "no expression can spell \"a.type\""),
        ] {
            let found = check(&ATTRIBUTEMANIFEST, spec);
            assert!(found.len() == 1 && found[0].to_lowercase().contains(&problem.to_lowercase()), "{spec}: {found:?}");
        }
        assert!(check(&ATTRIBUTEMANIFEST, "revision: '1'\nname: x\nattributes: {a.b_c: {valueType: URI}}").is_empty());
    }
}
