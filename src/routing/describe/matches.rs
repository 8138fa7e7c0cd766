//! Conditions of routes in istioctl's short form.

use super::super::matching::{Match, PseudoHeader, Text};

/// `/sport*`, `/health`, `regex .*`; and what else must hold, as `/sport*, method GET, header x-user a*`.
pub(super) fn shown(condition: Option<&Match>) -> String {
    let Some(condition) = condition else { return "/*".to_owned() };
    let mut parts = vec![condition.uri.as_ref().map_or_else(|| "/*".to_owned(), text)];
    let named = [("scheme", &condition.scheme), ("method", &condition.method), ("authority", &condition.authority)];
    parts.extend(named.iter().filter_map(|(name, wanted)| Some(format!("{name} {}", text(wanted.as_ref()?)))));
    parts.extend(condition.headers.iter().map(|(name, wanted)| format!("header {name} {}", text(wanted))));
    parts.extend(condition.without_headers.iter().map(|(name, wanted)| format!("no header {name} {}", text(wanted))));
    parts.extend(condition.query.iter().map(|(name, wanted)| format!("query {name} {}", text(wanted))));
    parts.extend(condition.pseudo_headers.iter().map(|PseudoHeader { part, text: wanted, wanted: holds }| {
        format!("{} {} {}", if *holds { "header" } else { "no header" }, part.name(), text(wanted))
    }));
    parts.join(", ")
}

fn text(condition: &Text) -> String {
    match condition {
        Text::Exact(text) => text.to_string(),
        Text::ExactIgnoringCase(text) => format!("{text} in any case"),
        Text::Prefix(text) => format!("{text}*"),
        Text::PrefixIgnoringCase(text) => format!("{text}* in any case"),
        Text::Regex(whole) => format!("regex {}", whole.written()),
        Text::Present => "*".to_owned(),
    }
}
