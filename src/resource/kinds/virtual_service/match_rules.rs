//! The rules of what an HTTP route matches.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::fmt::Display;

use super::re2::{program, same_to_re2};
use super::rules::{self, Bound};
use super::{HttpMatch, StringMatch};
use crate::resource::kinds::check::At;

/// Longest regular expression, in bytes (Istio's bound on Envoy's programs).
const MAX_REGEX: usize = 1024;
/// Largest program of an expression, in instructions: Envoy refuses larger ones as Istio starts it
/// (`re2.max_program_size.error_level`).
const MAX_PROGRAM: u64 = 32_768;
/// Most instructions of all different expressions of a VirtualService: room for some ten thousand common ones, which take less
/// than a second to compile.
const MAX_PROGRAMS: u64 = 16 * MAX_PROGRAM;

/// The expressions of a VirtualService, as far as they have been looked at: many resources would be too large together of which
/// each alone is not.
#[derive(Debug, Default)]
pub(super) struct Expressions(RefCell<(HashSet<String>, u64)>);

impl Expressions {
    /// Counts an expression's program, if it is not known yet; the size of all with it where that is too large.
    fn add(&self, regex: &str, program: u64) -> Result<(), u64> {
        let (known, size) = &mut *self.0.borrow_mut();
        if known.contains(regex) {
            return Ok(());
        }
        let with = size.saturating_add(program);
        if with > MAX_PROGRAMS {
            return Err(with);
        }
        known.insert(regex.to_owned());
        *size = with;
        Ok(())
    }
}

fn http_match(at: &mut At<'_>, entry: &HttpMatch, bound: &Bound<'_>) {
    let parts = [("scheme", &entry.scheme), ("method", &entry.method), ("authority", &entry.authority)];
    at.part("uri", entry.uri.as_ref(), |at, uri| string_match(at, uri, "uri", true, bound));
    for (name, part) in parts {
        at.part(name, part.as_ref(), |at, part| string_match(at, part, name, false, bound));
    }
    header_matches(at, "headers", &entry.headers, bound);
    header_matches(at, "withoutHeaders", &entry.without_headers, bound);
    for (name, value) in &entry.query_params {
        let mut at = at.field("queryParams");
        at.part(name, value.as_ref(), |at, value| string_match(at, value, "queryParams", false, bound));
    }
    rules::conditions(at, entry.port, &entry.source_labels, &entry.gateways, &entry.source_namespace);
}

fn header_matches(at: &mut At<'_>, field: &str, headers: &BTreeMap<String, Option<StringMatch>>, bound: &Bound<'_>) {
    let without = field == "withoutHeaders";
    let mut at = at.field(field);
    for (name, value) in headers {
        let mut at = at.field(name);
        match (is_claim(name), bound.in_mesh) {
            (true, true) => at.invalid_key(format!(
                "JWT claim based routing (key: {name}) is only supported for gateway, found no gateways: [{}]",
                bound.gateways.join(" ")
            )),
            (false, _) if !is_matchable(name) => {
                at.invalid_key(format!("header name {name} is not a valid header name"))
            }
            _ => {}
        }
        match value {
            // Of withoutHeaders `*` is no expression, but "present".
            Some(value) if without && value.regex.as_deref() == Some("*") => {}
            Some(value) => string_match(&mut at, value, field, false, bound),
            None if without => {}
            None => at.advise(format!("header match {name} cannot be null"), "write {} for \"present\""),
        }
    }
}

/// Whether a header's name stands for a claim of a token: `@request.auth.claims.sub`, `@request.auth.claims[sub]`.
fn is_claim(name: &str) -> bool {
    let claims = name.to_ascii_lowercase();
    claims.strip_prefix("@request.auth.claims").is_some_and(|claim| claim.starts_with(['.', '[']))
}

fn is_matchable(name: &str) -> bool {
    matches!(name, ":method" | ":scheme" | ":authority" | ":path" | ":status") || is_token(name)
}

/// Whether a text is a header name (RFC 9110 section 5.1).
pub(super) fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Checks the matches of a route.
pub(super) fn http_matches(at: &mut At<'_>, matches: &[HttpMatch], bound: &Bound<'_>) {
    at.each("match", matches, |at, entry| http_match(at, entry, bound));
}

/// Checks a condition on a text; `what` names it in messages.
pub(super) fn string_match(at: &mut At<'_>, value: &StringMatch, what: &str, empty_prefix: bool, bound: &Bound<'_>) {
    let given = [value.exact.is_some(), value.prefix.is_some(), value.regex.is_some()];
    if given.iter().filter(|given| **given).count() > 1 {
        at.invalid("only one of exact, prefix and regex may be given");
    }
    if value.prefix.as_deref() == Some("") && !empty_prefix {
        at.field("prefix").invalid(format!("\"{what}\": prefix string match should not be empty"));
    }
    at.part("regex", value.regex.as_ref(), |at, regex| self::regex(at, regex, what, bound));
}

/// Checks an RE2 expression.
pub(super) fn regex(at: &mut At<'_>, regex: &str, what: &str, bound: &Bound<'_>) {
    if regex.is_empty() {
        return at.invalid(format!("\"{what}\": regex string match should not be empty"));
    }
    if regex.len() > MAX_REGEX {
        return at.invalid(format!("\"{what}\": regex is too large, max length allowed is {MAX_REGEX}"));
    }
    let foreign = |why: &dyn Display| format!("\"{what}\": {why}; Istio uses RE2 style regex-based match");
    let size = match program(regex) {
        Ok(size) => size,
        Err(why) => return at.invalid(foreign(&why)),
    };
    if let Err(why) = same_to_re2(regex) {
        at.invalid(foreign(&why));
    } else if size > MAX_PROGRAM {
        at.advise(
            format!("\"{what}\": the program of the regex has some {size} instructions, more than the {MAX_PROGRAM} that Envoy takes"),
            "counted repetitions are written out: {0,1000} is a thousand times what stands before it",
        );
    } else if let Err(all) = bound.expressions.add(regex, size) {
        at.advise(
            format!("\"{what}\": with this one the regexes of the VirtualService have {all} instructions, more than {MAX_PROGRAMS}"),
            "most paths can be told apart by exact and prefix, which cost nothing",
        );
    }
}
