//! Values as JSON and YAML have them, and as a person reads them.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::expr::{OwnedValue, ValueRef, ValueType};

/// Reads a value of a type. Texts are those of [`OwnedValue::parse`]; numbers may stand in quotes, as in protobuf's JSON.
///
/// # Errors
/// What is no value of the type, in words that follow the attribute's name.
pub(super) fn read(of: ValueType, json: &Json) -> Result<OwnedValue, String> {
    let value = match (of, json) {
        (ValueType::StringMap, Json::Object(pairs)) => return read_map(pairs).map(OwnedValue::StringMap),
        (ValueType::StringMap, _) => None,
        (_, Json::String(text)) => OwnedValue::parse(of, text),
        (ValueType::Int64, Json::Number(number)) => number.as_i64().map(OwnedValue::Int64),
        (ValueType::Double, Json::Number(number)) => number.as_f64().map(OwnedValue::Double),
        (ValueType::Bool, Json::Bool(truth)) => Some(OwnedValue::Bool(*truth)),
        _ => None,
    };
    value.ok_or_else(|| format!("could not convert {} to {of}", shown(json)))
}

fn read_map(pairs: &serde_json::Map<String, Json>) -> Result<BTreeMap<String, String>, String> {
    let pair = |(key, value): (&String, &Json)| match value {
        Json::String(text) => Ok((key.clone(), text.clone())),
        other => Err(format!("the value of key {key} is not a string: {}", shown(other))),
    };
    pairs.iter().map(pair).collect()
}

/// A value in a message, cut to what fits a line.
fn shown(json: &Json) -> String {
    /// In characters.
    const LONGEST: usize = 64;
    json.to_string().chars().take(LONGEST).collect()
}

/// The type that a value without a declared one has; `None` for null and lists.
pub(super) fn guess(json: &Json) -> Option<ValueType> {
    match json {
        Json::String(_) => Some(ValueType::String),
        Json::Number(number) if number.is_i64() => Some(ValueType::Int64),
        Json::Number(_) => Some(ValueType::Double),
        Json::Bool(_) => Some(ValueType::Bool),
        Json::Object(_) => Some(ValueType::StringMap),
        Json::Null | Json::Array(_) => None,
    }
}

/// Appends a value as JSON; times have no more decimals than they need.
pub(crate) fn write_json(value: ValueRef<'_>, out: &mut String) {
    match value {
        ValueRef::Timestamp(time) => {
            out.push('"');
            time.write_rfc3339(out);
            out.push('"');
        }
        other => other.write_json(out),
    }
}

/// Appends a value for people: texts and maps as JSON, so that nothing in them can drive the terminal, all else bare.
pub(crate) fn write_text(value: ValueRef<'_>, out: &mut String) {
    match value {
        ValueRef::Timestamp(time) => time.write_rfc3339(out),
        ValueRef::Int64(_)
        | ValueRef::Double(_)
        | ValueRef::Bool(_)
        | ValueRef::Duration(_)
        | ValueRef::IpAddress(_) => value.write_text(out),
        other => other.write_json(out),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_come_back_as_they_were_given() {
        for (of, json) in [
            (ValueType::String, json!("a\"b")),
            (ValueType::Int64, json!(-5)),
            (ValueType::Double, json!(1.5)),
            (ValueType::Bool, json!(true)),
            (ValueType::Timestamp, json!("2018-06-18T13:22:58.5Z")),
            (ValueType::Duration, json!("1h30m0s")),
            (ValueType::IpAddress, json!("10.0.0.1")),
            (ValueType::DnsName, json!("Cnn.com")),
            (ValueType::EmailAddress, json!("a@x.org")),
            (ValueType::Uri, json!("http://x/")),
            (ValueType::StringMap, json!({"a": "1"})),
        ] {
            let mut out = String::new();
            write_json(read(of, &json).unwrap().value(), &mut out);
            assert_eq!(serde_json::from_str::<Json>(&out).unwrap(), json);
        }
    }

    #[test]
    fn a_value_of_another_type_is_refused() {
        for (of, json) in [
            (ValueType::String, json!(5)),
            (ValueType::Int64, json!(1.5)),
            (ValueType::Int64, json!(9_223_372_036_854_775_808_u64)),
            (ValueType::Bool, json!("yes")),
            (ValueType::IpAddress, json!("10.1.12")),
            (ValueType::StringMap, json!("a")),
            (ValueType::StringMap, json!({"a": 1})),
            (ValueType::String, json!(["a"])),
        ] {
            assert!(read(of, &json).is_err(), "{json} as {of}");
        }
        assert_eq!(read(ValueType::Int64, &json!("7")), Ok(OwnedValue::Int64(7)));
    }
}
