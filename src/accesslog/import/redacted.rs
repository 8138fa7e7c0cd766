//! Leaving out of imported entries what a proxy would not have recorded.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value as Json;

use super::Found;
use crate::accesslog::{REDACTED, Redact, is_credential, line};

/// Fields that hold a path or an address with one, as our entries, Envoy's and others' call them.
const PATHS: [&str; 8] = ["path", "url", "uri", "requestPath", "request", "target", "originalPath", "route"];

/// A line without any of these has no query, no credential and no header with one.
static TELLTALE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\?|token|secret|api.?key|password|auth|session|credential|cookie|referer")
        .expect("a valid pattern")
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
        match value {
            Json::String(value) => line::string(&mut text, value),
            value => text.push_str(&value.to_string()),
        }
    }
    line::end(&mut text);
    Ok(Found { line: Cow::Owned(text), ..found })
}

/// Fields that every line begins with.
const HEAD: usize = 3;

/// Replaces what is to be left out of a field; whether there was something.
fn leave_out(name: &str, value: &mut Json, redact: Redact) -> bool {
    let shown = match value {
        Json::String(_) if is_credential(name) => Some(REDACTED.to_owned()),
        Json::String(text) if PATHS.contains(&name) => redact.path(text),
        Json::String(_) if redact == Redact::All && name == "userAgent" => Some(REDACTED.to_owned()),
        Json::Object(fields) if name.to_ascii_lowercase().ends_with("headers") => {
            let all = |_: &str| redact == Redact::All;
            let mut changed = false;
            for (_, value) in fields.iter_mut().filter(|(name, _)| all(name) || is_credential(name)) {
                changed |= *value != REDACTED;
                *value = REDACTED.into();
            }
            return changed;
        }
        _ => None,
    };
    let changed = shown.filter(|shown| value != shown.as_str());
    changed.is_some_and(|shown| {
        *value = shown.into();
        true
    })
}
