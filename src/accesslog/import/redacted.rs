//! Leaving out of imported entries what a proxy would not have recorded.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value as Json;

use super::Found;
use crate::accesslog::redact::CREDENTIALS;
use crate::accesslog::{REDACTED, Redact, is_credential, line};

/// Fields that hold a path, an address with one or a text that may, as our entries, Envoy's and others' call them; without
/// regard to case and to what is between words.
const PATHS: [&str; 13] = [
    "path",
    "url",
    "uri",
    "requestpath",
    "requesturlpath",
    "urlpath",
    "request",
    "target",
    "originalpath",
    "xenvoyoriginalpath",
    "route",
    "reason",
    "remedy",
];

/// A line without any of these has no query, no credential and no header with one. What is escaped may be any of them.
static TELLTALE: LazyLock<Regex> = LazyLock::new(|| {
    let parts = CREDENTIALS.map(|part| part.replace('-', "[-_]")).join("|");
    Regex::new(&format!(r"(?i)\?|;|\\u|{parts}")).expect("a valid pattern")
});

/// An entry without the values that are to be left out of it.
pub(super) fn redacted(found: Found<'_>, redact: Redact) -> Result<Found<'_>, String> {
    if redact != Redact::All && !TELLTALE.is_match(&found.line) {
        return Ok(found);
    }
    let mut fields = line::fields(&found.line).map_err(|error| error.to_string())?;
    let mut changed = false;
    for (name, value) in fields.iter_mut().skip(HEAD) {
        changed |= leave_out(name, value, redact);
    }
    if !changed {
        return Ok(found);
    }
    let mut text = String::with_capacity(found.line.len());
    line::begin(&mut text, found.level, found.time, &found.instance);
    for (name, value) in fields.iter().skip(HEAD) {
        line::name(&mut text, name);
        line::value(&mut text, value);
    }
    line::end(&mut text);
    Ok(Found { line: Cow::Owned(text), ..found })
}

/// Fields that every line begins with.
const HEAD: usize = 3;

/// Replaces what is to be left out of a field and of what is in it; whether there was something. It goes as deep as a
/// line's values may, which serde_json bounds.
fn leave_out(name: &str, value: &mut Json, redact: Redact) -> bool {
    let lower = name.to_ascii_lowercase();
    let word: String = lower.chars().filter(char::is_ascii_alphanumeric).collect();
    let of_request = ["headers", "values"].iter().any(|end| word.ends_with(end)) || word == "useragent";
    // A list or an object of a credential's name has credentials.
    if is_credential(name) || redact == Redact::All && of_request {
        return leave_out_texts(value);
    }
    match value {
        Json::String(text) if PATHS.contains(&word.as_str()) => match redact.path(text).filter(|shown| shown != text) {
            Some(shown) => {
                *text = shown;
                true
            }
            None => false,
        },
        // `|` and not `||`, so that nothing is skipped, here and below.
        Json::Object(fields) => {
            fields.iter_mut().fold(false, |changed, (name, value)| changed | leave_out(name, value, redact))
        }
        Json::Array(values) => values.iter_mut().fold(false, |changed, value| changed | leave_out(name, value, redact)),
        _ => false,
    }
}

/// Replaces all texts in a value. Numbers stay: they are counts, as of tokens.
fn leave_out_texts(value: &mut Json) -> bool {
    match value {
        Json::String(text) if text != REDACTED => {
            REDACTED.clone_into(text);
            true
        }
        Json::Object(fields) => fields.values_mut().fold(false, |changed, value| changed | leave_out_texts(value)),
        Json::Array(values) => values.iter_mut().fold(false, |changed, value| changed | leave_out_texts(value)),
        _ => false,
    }
}
