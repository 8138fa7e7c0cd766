//! The rules of what an HTTP route matches.

use std::collections::BTreeMap;

use super::{HttpMatch, StringMatch, rules};
use crate::resource::kinds::check::At;

/// Longest regular expression, in bytes (Istio's bound on Envoy's programs).
const MAX_REGEX: usize = 1024;
/// Most memory a compiled expression may take, in bytes; more than any of 1 KiB needs in practice.
const MAX_PROGRAM: usize = 10 << 20;

pub(super) fn http_match(at: &mut At<'_>, entry: &HttpMatch, in_mesh: bool) {
    let parts = [("scheme", &entry.scheme), ("method", &entry.method), ("authority", &entry.authority)];
    at.part("uri", entry.uri.as_ref(), |at, uri| string_match(at, uri, "uri", true));
    for (name, part) in parts {
        at.part(name, part.as_ref(), |at, part| string_match(at, part, name, false));
    }
    header_matches(at, "headers", &entry.headers, in_mesh);
    header_matches(at, "withoutHeaders", &entry.without_headers, in_mesh);
    each_match(at, "queryParams", &entry.query_params, |at, _, value| string_match(at, value, "query param", false));
    rules::conditions(at, entry.port, &entry.source_labels, &entry.gateways, &entry.source_namespace);
}

fn header_matches(at: &mut At<'_>, field: &str, headers: &BTreeMap<String, Option<StringMatch>>, in_mesh: bool) {
    let without = field == "withoutHeaders";
    each_match(at, field, headers, |at, name, value| {
        if in_mesh && name.starts_with("@request.auth.claims") {
            at.invalid("JWT claim based routing is only supported for gateway");
        } else if !name.starts_with("@request.auth.claims") && !is_matchable(name) {
            at.invalid(format!("header name {name:?} is not a valid header name"));
        }
        let present = without && value.regex.as_deref() == Some("*");
        if !present {
            string_match(at, value, "header", false);
        }
    });
}

fn each_match(
    at: &mut At<'_>,
    field: &str,
    matches: &BTreeMap<String, Option<StringMatch>>,
    check: impl Fn(&mut At<'_>, &str, &StringMatch),
) {
    let mut at = at.field(field);
    for (name, value) in matches {
        let mut at = at.field(name);
        match value {
            Some(value) => check(&mut at, name, value),
            None => at.advise(format!("match {name} cannot be null"), "write {} for \"present\""),
        }
    }
}

fn is_matchable(name: &str) -> bool {
    matches!(name, ":method" | ":scheme" | ":authority" | ":path" | ":status") || is_token(name)
}

/// Whether a text is a header name (RFC 9110 section 5.1).
pub(in crate::resource::kinds) fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Checks a condition on a text; `what` names it in messages.
pub(super) fn string_match(at: &mut At<'_>, value: &StringMatch, what: &str, empty_prefix: bool) {
    let given = [value.exact.is_some(), value.prefix.is_some(), value.regex.is_some()];
    if given.iter().filter(|given| **given).count() > 1 {
        at.invalid("only one of exact, prefix and regex may be given");
    }
    if value.prefix.as_deref() == Some("") && !empty_prefix {
        at.field("prefix").invalid(format!("\"{what}\": prefix string match should not be empty"));
    }
    at.part("regex", value.regex.as_ref(), |at, regex| self::regex(at, regex, what));
}

/// Checks an RE2 expression.
pub(super) fn regex(at: &mut At<'_>, regex: &str, what: &str) {
    if regex.is_empty() {
        return at.invalid(format!("\"{what}\": regex string match should not be empty"));
    }
    if regex.len() > MAX_REGEX {
        return at.invalid(format!("\"{what}\": regex is too large, max length allowed is {MAX_REGEX}"));
    }
    if let Err(error) = regex::RegexBuilder::new(regex).size_limit(MAX_PROGRAM).build() {
        let error = error.to_string();
        let gist = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
        at.invalid(format!("\"{what}\": {gist}; Istio uses RE2 style regex-based match"));
    }
}
