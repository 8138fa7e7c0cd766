//! listchecker: a handler that looks values up in a list (Mixer).

use std::net::IpAddr;

use serde::Deserialize;

use super::cells;
use super::check::{self, At};
use crate::expr::pattern;
use crate::resource::{Duration, Kind, Part, Role};

/// The kind `listchecker` (config.istio.io).
pub static LISTCHECKER: Kind = cells::part(
    "listchecker",
    "listcheckers",
    Part { role: Role::Handler, check: |tree, at, problems| check::params::<Listchecker>(tree, at, problems, rules) },
);

/// `spec` of a listchecker.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Listchecker {
    /// Where the list is fetched from; without it there are only the overrides.
    pub provider_url: String,
    /// Time between fetches.
    pub refresh_interval: Duration,
    /// How long a list is good for after it was fetched.
    pub ttl: Duration,
    /// How long Mixer's clients could keep an answer; here each call is decided anew.
    pub caching_interval: Duration,
    /// How often Mixer's clients could use an answer.
    pub caching_use_count: i32,
    /// Entries that are always on the list.
    pub overrides: Vec<String>,
    /// What an entry is.
    pub entry_type: EntryType,
    /// Whether being on the list is what refuses.
    pub blacklist: bool,
}

impl Default for Listchecker {
    fn default() -> Self {
        const SECOND: i64 = 1_000_000_000;
        Self {
            provider_url: String::new(),
            refresh_interval: Duration { nanos: 60 * SECOND },
            ttl: Duration { nanos: 300 * SECOND },
            caching_interval: Duration { nanos: 300 * SECOND },
            caching_use_count: 10_000,
            overrides: Vec::new(),
            entry_type: EntryType::Strings,
            blacklist: false,
        }
    }
}

/// What an entry of a list is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EntryType {
    /// A text.
    #[default]
    Strings,
    /// A text in any letter case.
    CaseInsensitiveStrings,
    /// An address, or a range of them in CIDR form.
    IpAddresses,
    /// A regular expression (RE2), which need not match the whole value.
    Regex,
}

/// Reads an address or a CIDR range; the bits after the prefix do not count.
///
/// # Errors
/// What is wrong with it.
pub fn parse_range(text: &str) -> Result<(IpAddr, u8), String> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| format!("\"{text}\" is no IP address or CIDR range"))?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    // A number may be parsed with a sign, which no prefix has.
    let digits = |length: &&str| length.bytes().all(|byte| byte.is_ascii_digit());
    match length.map_or(Some(longest), |length| Some(length).filter(digits)?.parse().ok()) {
        Some(length) if length <= longest => Ok((address, length)),
        _ => Err(format!("\"{text}\" is no CIDR range: its prefix must be from 0 to {longest}")),
    }
}

fn rules(at: &mut At<'_>, list: &Listchecker) {
    const SECOND: i64 = 1_000_000_000;
    if !list.provider_url.is_empty() {
        provider(&mut at.field("providerUrl"), &list.provider_url);
        if list.refresh_interval.nanos < SECOND {
            at.field("refreshInterval").invalid("must be at least 1s");
        }
        if list.ttl.nanos < list.refresh_interval.nanos {
            at.field("ttl").invalid("must be at least as long as refreshInterval");
        }
    }
    if list.caching_interval.nanos < 0 {
        at.field("cachingInterval").invalid("must not be negative");
    }
    if list.caching_use_count < 0 {
        at.field("cachingUseCount").invalid("must not be negative");
    }
    if list.provider_url.is_empty() && list.overrides.is_empty() && !list.blacklist {
        at.warn(
            "the list is empty: neither overrides nor a providerUrl; a whitelist without entries refuses everything",
        );
    }
    at.each("overrides", &list.overrides, |at, entry| match list.entry_type {
        EntryType::Regex => at.verdict(pattern::compile(entry).map(drop).map_err(|error| error.to_string())),
        EntryType::IpAddresses => at.verdict(parse_range(entry).map(drop)),
        EntryType::Strings | EntryType::CaseInsensitiveStrings => {}
    });
}

fn provider(at: &mut At<'_>, url: &str) {
    let uri = url.parse::<http::Uri>().ok();
    let fetched = |uri: &http::Uri| matches!(uri.scheme_str(), Some("http" | "https"));
    if uri.filter(fetched).is_none_or(|uri| uri.host().is_none_or(str::is_empty)) {
        at.advise("a provider needs a URL with scheme and host", "for example http://lists.example/paths.txt");
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn entries_are_of_the_lists_type() {
        let list = |overrides: &str| check(&LISTCHECKER, overrides);
        assert_eq!(list("overrides: [/health, '']"), [""; 0]);
        assert_eq!(
            list("entryType: IP_ADDRESSES\noverrides: [10.0.0.0/8, '::1', 10.0.0.0/33, x, 10.0.0.0/+8]"),
            [
                "spec.overrides[2]: \"10.0.0.0/33\" is no CIDR range: its prefix must be from 0 to 32",
                "spec.overrides[3]: \"x\" is no IP address or CIDR range",
                "spec.overrides[4]: \"10.0.0.0/+8\" is no CIDR range: its prefix must be from 0 to 32"
            ]
        );
        assert_eq!(list("entryType: REGEX\noverrides: ['a(']").len(), 1);
    }

    #[test]
    fn a_provider_is_reached_over_http() {
        for url in ["http://lists.example/a", "https://user:secret@[2001:db8::1]:8443/a?b", "HTTP://lists.example"] {
            assert_eq!(check(&LISTCHECKER, &format!("providerUrl: '{url}'")), [""; 0], "{url}");
        }
        for url in
            ["ftp://lists.example/a", "http://", "http:///a", "//lists.example", "http://a b/", "/a", "http://[::1/"]
        {
            assert_eq!(check(&LISTCHECKER, &format!("providerUrl: '{url}'")).len(), 1, "{url}");
        }
    }

    #[test]
    fn times_of_a_provider_fit_together() {
        assert_eq!(
            check(&LISTCHECKER, "providerUrl: nowhere\nrefreshInterval: 10s\nttl: 5s"),
            [
                "spec.providerUrl: a provider needs a URL with scheme and host",
                "spec.ttl: must be at least as long as refreshInterval"
            ]
        );
    }
}
