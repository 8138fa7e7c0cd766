//! The words for what does not fit.

use std::borrow::Cow;

use serde_json::Value as Json;

use crate::diagnostic::suggest::nearest;
use crate::diagnostic::{Code, FieldPath, Problem};

/// Longest piece of a value that is repeated in a message, in characters.
const MAX_QUOTED: usize = 60;

pub(super) fn wrong_type(value: &Json, at: FieldPath, expected: Cow<'static, str>) -> Problem {
    let help = advice(value, &expected);
    let message = format!("wrong type: expected {expected}, found {}", describe(value));
    let words = schema_words(value, &at, &expected);
    let problem = Problem { kubernetes: words, ..Problem::error(Code::WrongType, at, message) }.expected([expected]);
    match help {
        Some(help) => problem.help(help),
        None => problem,
    }
}

pub(super) fn unknown_field(key: &str, parent: FieldPath, fields: &'static [&'static str]) -> Problem {
    let message = format!("unknown field \"{}\"", shortened(key));
    let problem =
        Problem::error(Code::UnknownField, parent.field(key), message).on_key().expected(fields.iter().copied());
    match nearest(key, fields.iter().copied()) {
        Some(name) => problem.help(format!("did you mean \"{name}\"?")),
        None => problem,
    }
}

pub(super) fn not_supported(value: &Json, at: FieldPath, variants: &'static [&'static str]) -> Problem {
    let Json::String(text) = value else {
        return wrong_type(value, at, format!("one of {}", variants.join(", ")).into());
    };
    let message = format!("unsupported value \"{}\"", shortened(text));
    let words = unsupported(text, variants.iter().copied());
    let problem = Problem::error(Code::NotSupported, at, message).expected(variants.iter().copied()).kubernetes(words);
    match nearest(text, variants.iter().copied()) {
        Some(name) => problem.help(format!("did you mean \"{name}\"?")),
        None => problem,
    }
}

/// Kubernetes' words for a value outside an enumeration.
pub(crate) fn unsupported<'a>(text: &str, supported: impl IntoIterator<Item = &'a str>) -> String {
    let supported: Vec<String> = supported.into_iter().map(|name| format!("\"{name}\"")).collect();
    format!("Unsupported value: \"{}\": supported values: {}", shortened(text), supported.join(", "))
}

/// Kubernetes' words for a value of a wrong type, where the type that is expected is one of JSON schema's.
fn schema_words(value: &Json, at: &FieldPath, expected: &str) -> Option<String> {
    let expected = match expected {
        "a string" => "string",
        "a list" => "array",
        "a map" => "object",
        "true or false" => "boolean",
        "a whole number" => "integer",
        "a number" => "number",
        _ => return None,
    };
    let found = match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(number) if number.is_f64() => "number",
        Json::Number(_) => "integer",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    };
    Some(format!("Invalid value: \"{found}\": {at} in body must be of type {expected}: \"{found}\""))
}

fn advice(value: &Json, expected: &str) -> Option<String> {
    match (expected, value) {
        ("a string", Json::Bool(_) | Json::Number(_)) => Some("put the value in quotes".into()),
        ("a duration such as 1.5s", Json::Number(_)) => Some(format!("write a unit behind it: {value}s")),
        ("a list", Json::String(_) | Json::Bool(_) | Json::Number(_)) if value.to_string().len() <= MAX_QUOTED => {
            Some(format!("write it as a list: [{value}]"))
        }
        ("a list", Json::Object(_)) => Some("begin the item with \"- \"".into()),
        ("true or false", Json::String(text)) if text == "true" || text == "false" => {
            Some(format!("remove the quotes: {text}"))
        }
        _ => None,
    }
}

fn describe(value: &Json) -> String {
    match value {
        Json::Null => "null".into(),
        Json::Bool(value) => value.to_string(),
        Json::Number(number) => format!("the number {number}"),
        Json::String(text) => format!("the string \"{}\"", shortened(text)),
        Json::Array(_) => "a list".into(),
        Json::Object(_) => "a map".into(),
    }
}

fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MAX_QUOTED) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}
