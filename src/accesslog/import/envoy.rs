//! Access logs of Envoy, and of Istio's proxies, in their default text forms and as JSON.
//!
//! Their fields get the names that our entries have. Sources: Envoy's default format string, Istio's `accessLogFormat` of
//! releases 1.1 to 1.20, and its JSON keys, which are Envoy's command operators in lower case.

use serde_json::Value as Json;

use super::{Found, ours};
use crate::accesslog::Format;

/// Full name of the instance of such entries.
const INSTANCE: &str = "imported.envoy.istio-system";

/// What is known of a line: names of our entries, in byte order, with values.
type Fields = Vec<(String, Json)>;

/// A word of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Word<'t> {
    text: &'t str,
    quoted: bool,
}

impl Word<'_> {
    fn number(self) -> Option<i64> {
        self.text.parse().ok().filter(|_| !self.quoted)
    }
}

/// `[TIME] "METHOD PATH PROTOCOL" CODE FLAGS …`.
pub(super) fn text(text: &str) -> Result<Found<'_>, String> {
    let not_one = || "it begins like a line of Envoy's access log, and does not go on like one".to_owned();
    let (time, rest) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')).ok_or_else(not_one)?;
    let words = words(rest);
    let [request, code, flags, after @ ..] = words.as_slice() else { return Err(not_one()) };
    let code = code.number().ok_or_else(not_one)?;
    // Istio's releases put other words between the flags and the numbers of bytes.
    let sizes = after.windows(3).position(|three| three.iter().all(|word| word.number().is_some()));
    let sizes = sizes.filter(|at| *at <= 3).ok_or_else(not_one)?;
    let [details, termination, transport] = told(&after[..sizes]);
    let word = |place: usize| after.get(sizes + place).map_or("-", |word| word.text);
    let mut request = request.text.splitn(3, ' ');
    let (method, path, protocol) = (request.next(), request.next(), request.next());
    let number = |place: usize| Json::from(after[sizes + place].number());
    let of_connection = |place| word(place).rsplit_once(':').map_or("-", |(address, _)| address);
    let fields = vec![
        given("destination", word(7)),
        ("durationMicros".to_owned(), Json::from(after[sizes + 2].number().map(|millis| millis.saturating_mul(1000)))),
        given("flag", flags.text),
        given("method", method.unwrap_or("-")),
        given("path", path.unwrap_or("-")),
        given("protocol", protocol.unwrap_or("-")),
        given("reason", details),
        given("requestId", word(6)),
        ("requestSize".to_owned(), number(0)),
        ("responseCode".to_owned(), code.into()),
        ("responseSize".to_owned(), number(1)),
        given("route", word(14)),
        given("serverName", word(13)),
        given("sourceIp", of_connection(12)),
        given("terminationReason", termination),
        given("transportFailure", transport),
        given("upstream", word(8)),
        given("upstreamCluster", word(9)),
        given("userAgent", word(5)),
    ];
    entry(time, code, flags.text, fields)
}

/// What stands between the flags and the numbers of bytes: details of the response code, of the connection's end, and why the
/// transport upstream failed. Mixer's status was there before the details, in quotes.
fn told<'t>(words: &[Word<'t>]) -> [&'t str; 3] {
    match words {
        [details] => [details.text, "-", "-"],
        [details, transport] => [details.text, "-", transport.text],
        [details, termination, transport] => [details.text, termination.text, transport.text],
        _ => ["-"; 3],
    }
}

/// The keys of Istio's JSON, and what their values are called here.
const KEYS: [(&str, &str); 17] = [
    ("authority", "destination"),
    ("connection_termination_details", "terminationReason"),
    ("response_flags", "flag"),
    ("method", "method"),
    ("path", "path"),
    ("protocol", "protocol"),
    ("response_code_details", "reason"),
    ("request_id", "requestId"),
    ("bytes_received", "requestSize"),
    ("response_code", "responseCode"),
    ("bytes_sent", "responseSize"),
    ("route_name", "route"),
    ("requested_server_name", "serverName"),
    ("upstream_cluster", "upstreamCluster"),
    ("upstream_host", "upstream"),
    ("upstream_transport_failure_reason", "transportFailure"),
    ("user_agent", "userAgent"),
];

/// A line of Istio's JSON access log.
pub(super) fn json(given: &[(String, Json)]) -> Result<Found<'static>, String> {
    let value = |name: &str| given.iter().find(|(key, _)| key == name).map(|(_, value)| value);
    let text = |name| value(name).and_then(Json::as_str).unwrap_or("-");
    let number = |name| match value(name) {
        Some(Json::String(text)) => text.parse().ok(),
        other => other.and_then(Json::as_i64),
    };
    let code = number("response_code").ok_or("it has a start_time, and no response_code")?;
    let mut fields: Fields = KEYS
        .iter()
        .map(|(key, name)| {
            let is_number = ["requestSize", "responseCode", "responseSize"].contains(name);
            let value = if is_number { number(key).into() } else { value(key).cloned().unwrap_or(Json::Null) };
            ((*name).to_owned(), value)
        })
        .collect();
    fields
        .push(("durationMicros".to_owned(), number("duration").map(|millis: i64| millis.saturating_mul(1000)).into()));
    let source = text("downstream_remote_address");
    fields.push(("sourceIp".to_owned(), source.rsplit_once(':').map(|(address, _)| address).into()));
    entry(text("start_time"), code, text("response_flags"), fields)
}

fn given(name: &str, text: &str) -> (String, Json) {
    (name.to_owned(), text.into())
}

/// Flags of calls that were refused, and did not fail: by an authorizer, a limit, for want of a route or a cluster, for what
/// the request is, or by a fault that was asked for.
const REFUSED: [&str; 6] = ["UAEX", "RL", "NR", "NC", "DPE", "FI"];

/// Starts of details of calls that policies refused.
const DENIED: [&str; 2] = ["rbac_access_denied", "ext_authz_denied"];

/// Where Istio sends what nobody registered and must not leave.
const BLACK_HOLE: &str = "BlackHoleCluster";

/// Without what is not known, which is written `-`.
fn entry(time: &str, code: i64, flags: &str, mut fields: Fields) -> Result<Found<'static>, String> {
    fields.retain(|(_, value)| !value.is_null() && value.as_str().is_none_or(|text| text != "-" && !text.is_empty()));
    let of = |name: &str| fields.iter().find(|(known, _)| known == name).and_then(|(_, value)| value.as_str());
    let is_connection = of("method").is_none();
    let host = of("serverName").filter(|_| of("destination").is_none()).map(|name| given("destination", host(name)));
    let details = ["reason", "terminationReason"].into_iter().filter_map(of);
    let is_refused = flags.split(',').any(|flag| REFUSED.contains(&flag))
        || details.into_iter().any(|told| DENIED.iter().any(|denied| told.starts_with(denied)))
        || of("upstreamCluster") == Some(BLACK_HOLE);
    // A log does not tell of each call that went whether it was allowed, so that nothing is said of those.
    fields.extend(host.into_iter().chain(is_refused.then(|| given("verdict", "deny"))));
    if is_connection && code == 0 {
        // Bytes that are passed on have no status.
        fields.retain(|(name, _)| name != "responseCode");
    }
    fields.sort_by(|(one, _), (other, _)| one.cmp(other));
    let level = match code {
        _ if flags != "-" => "error",
        0 if is_connection => "info",
        500.. | 0 => "error",
        400.. => "warn",
        _ => "info",
    };
    let own = [("level", level), ("time", time), ("instance", INSTANCE)];
    let own = own.map(|(name, value)| (name.to_owned(), Json::from(value)));
    ours::of_fields(own.into_iter().chain(fields).collect(), Format::Json)
}

/// The host of the name that TLS asks for; between Istio's gateways it is `outbound_.PORT_.SUBSET_.HOST`.
fn host(name: &str) -> &str {
    name.strip_prefix("outbound_.").and_then(|rest| rest.splitn(3, "_.").nth(2)).unwrap_or(name)
}

/// Whether a line is one of what Envoy says of itself: `[DATE TIME][THREAD][LEVEL]…`.
pub(super) fn is_notice(text: &str) -> bool {
    let begin = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    begin.is_some_and(|(time, rest)| {
        rest.starts_with('[') && time.contains(' ') && time.starts_with(|first: char| first.is_ascii_digit())
    })
}

/// Words between blanks; one in quotes may have blanks of its own.
fn words(mut text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    loop {
        text = text.trim_start();
        let (word, rest) = match text.strip_prefix('"') {
            Some(inner) => match inner.split_once('"') {
                Some((word, rest)) => (Word { text: word, quoted: true }, rest),
                None => return words,
            },
            None if text.is_empty() => return words,
            None => {
                let (word, rest) = text.split_at(text.find(' ').unwrap_or(text.len()));
                (Word { text: word, quoted: false }, rest)
            }
        };
        words.push(word);
        text = rest;
    }
}
