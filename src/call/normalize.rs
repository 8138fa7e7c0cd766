//! The only way to make a [`Call`]: one canonical form, or a refusal.
//!
//! Two spellings of one request must not be judged differently, and what is judged must be what is sent. So host and
//! path are brought into one form first (RFC 3986 §6.2.2, RFC 9110 §4.2.3), and what could be read in two ways is
//! refused (RFC 9112 §3.2, §6.3).

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::{PathAndQuery, Scheme};
use http::{Method, Uri, Version};
use memchr::{memchr, memrchr};
use smallvec::SmallVec;

use crate::expr::Timestamp;
use crate::identity::Caller;

use super::path::{self, PathNormalization};
use super::{Authority, Call, Failure, TlsSession, Unread};

/// Most bytes of a request's target and header fields; Envoy takes 60 KiB of fields.
pub const MAX_HEAD: usize = 64 * 1024;

/// The default port of `http` (RFC 9110 §4.2.1).
pub(super) const HTTP_PORT: u16 = 80;

/// The default port of `https` (RFC 9110 §4.2.2).
pub(super) const HTTPS_PORT: u16 = 443;

/// Whether a header means something to one connection only (RFC 9110 §7.6.1), or carries credentials for us. Comparing text takes
/// less than comparing names.
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "http2-settings"
            | "proxy-connection"
            | "proxy-authorization"
            | "proxy-authenticate"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// What is known of a request besides its head.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// When it arrived.
    pub time: Timestamp,
    /// A random number.
    pub chance: u64,
    /// Who calls, where that is proven.
    pub caller: Option<Caller>,
    /// The address of the connection's other end.
    pub peer: IpAddr,
    /// The TLS by which it came, where that ended here.
    pub tls: Option<Arc<TlsSession>>,
}

/// Brings a request head into canonical form, strictly.
///
/// # Errors
/// Those of [`normalize_by`].
pub fn normalize(head: http::request::Parts, arrival: Arrival) -> Result<Call, Failure> {
    normalize_by(PathNormalization::Strict, head, arrival).map_err(|unread| unread.failure)
}

/// Brings a request head into canonical form, its path as is said.
///
/// # Errors
/// What is known of one that is refused:
/// [`Failure::BadRequest`] for what could be read in two ways, [`Failure::HeadTooLarge`] past [`MAX_HEAD`],
/// [`Failure::NestedConnect`] for CONNECT, whose calls are [`Call::tunnel_to`]'s.
pub fn normalize_by(
    paths: PathNormalization,
    head: http::request::Parts,
    arrival: Arrival,
) -> Result<Call, Box<Unread>> {
    let http::request::Parts { method, uri, version, mut headers, .. } = head;
    let line = (&method, &uri, version);
    let (authority, path, upgrade) = match read(paths, line, &mut headers, arrival.tls.is_some()) {
        Ok(read) => read,
        Err(failure) => return Err(Box::new(Unread::of_parts(failure, line, &headers, arrival))),
    };
    if let Err(failure) = check_pairs(&headers) {
        return Err(Box::new(Unread::of_parts(failure, line, &headers, arrival).to(authority)));
    }
    let Arrival { time, chance, caller, peer, tls } = arrival;
    Ok(Call { time, chance, caller, peer, method, authority, path, headers, upgrade, tunnel: None, tls })
}

/// What a head asks for in canonical form; the headers lose what is for this hop only.
fn read(
    paths: PathNormalization,
    (method, uri, version): (&Method, &Uri, Version),
    headers: &mut HeaderMap,
    over_tls: bool,
) -> Result<(Authority, PathAndQuery, Option<HeaderValue>), Failure> {
    if method == Method::CONNECT {
        return Err(Failure::NestedConnect);
    }
    if head_size(uri, headers) > MAX_HEAD {
        return Err(Failure::HeadTooLarge);
    }
    check_framing(headers)?;
    if version == Version::HTTP_2 {
        check_fields(headers)?;
    }
    let host = host_header(headers, version)?;
    let (scheme, port) = if over_tls { (Scheme::HTTPS, HTTPS_PORT) } else { (Scheme::HTTP, HTTP_PORT) };
    check_authority(host, uri, port)?;
    let authority = match (uri.scheme(), uri.authority()) {
        (Some(asked), Some(authority)) if *asked == scheme => authority_of(authority.as_str(), port)?,
        (Some(_), _) if over_tls => {
            return Err(Failure::BadRequest("over TLS only https:// can be asked for in absolute form"));
        }
        (Some(_), _) => return Err(Failure::BadRequest("only http:// requests are forwarded in absolute form")),
        // A target such as `politics`, which some would take for a path and others for a host.
        (None, Some(_)) => return Err(Failure::BadRequest("the target has no leading slash")),
        (None, None) => authority_of(host.ok_or(Failure::BadRequest("no Host header"))?, port)?,
    };
    let path = canonical_path(paths, method, uri.path_and_query())?;
    let upgrade = upgrade_of(headers);
    check_method(method, headers)?;
    strip(headers)?;
    Ok((authority, path, upgrade))
}

fn head_size(uri: &Uri, headers: &HeaderMap) -> usize {
    let target = uri.path_and_query().map_or(0, |target| target.as_str().len());
    headers.iter().fold(target, |size, (name, value)| size + name.as_str().len() + value.len())
}

/// RFC 9113 §8.2.1: what only HTTP/2 can send, and origins of HTTP/1.1 would read as something else.
fn check_fields(headers: &HeaderMap) -> Result<(), Failure> {
    if headers.values().any(|value| value.as_bytes().trim_ascii().len() < value.len()) {
        return Err(Failure::BadRequest("the value of a header begins or ends with a blank"));
    }
    // The library for HTTP takes it for a part of a name.
    match headers.keys().any(|name| name.as_str().contains('"')) {
        true => Err(Failure::BadRequest("the name of a header has quotes")),
        false => Ok(()),
    }
}

/// RFC 9112 §6.3: a message with both lengths may be an attempt to smuggle a second one. A length is written in one way, which
/// nobody takes for an octal number.
fn check_framing(headers: &mut HeaderMap) -> Result<(), Failure> {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(length) = lengths.next() else { return Ok(()) };
    if headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(Failure::BadRequest("both Transfer-Encoding and Content-Length"));
    }
    if lengths.next().is_some() {
        return Err(Failure::BadRequest("more than one Content-Length header"));
    }
    let digits = length.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let number: Option<u64> = digits.and_then(|digits| digits.parse().ok());
    let number = number.ok_or(Failure::BadRequest("Content-Length is no number"))?;
    if length.len() > 1 && length.as_bytes()[0] == b'0' {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(number));
    }
    Ok(())
}

/// Whether a trailer must not say this, because it comes too late for it (RFC 9110 §6.5.1): how a message is framed, routed,
/// authenticated or understood.
fn is_no_trailer(name: &str) -> bool {
    matches!(
        name,
        "authorization"
            | "cache-control"
            | "content-encoding"
            | "content-length"
            | "content-range"
            | "content-type"
            | "cookie"
            | "expect"
            | "host"
            | "location"
            | "max-forwards"
            | "range"
            | "set-cookie"
            | "www-authenticate"
    )
}

/// Removes from the trailers of a message what may not stand there.
pub fn strip_trailers(trailers: &mut HeaderMap) {
    let goes =
        |name: &&HeaderName| is_no_trailer(name.as_str()) || is_hop_by_hop(name.as_str()) || is_ours(name.as_str());
    let gone: Vec<HeaderName> = trailers.keys().filter(goes).cloned().collect();
    for name in gone {
        trailers.remove(name);
    }
}

/// RFC 9112 §3.2: exactly one Host in HTTP/1.1, at most one before.
pub(super) fn host_header(headers: &HeaderMap, version: Version) -> Result<Option<&str>, Failure> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(Failure::BadRequest("more than one Host header"));
    }
    match host {
        Some(host) => host.to_str().map(Some).map_err(|_| Failure::BadRequest("Host is not plain ASCII")),
        None if version == Version::HTTP_11 => Err(Failure::BadRequest("no Host header")),
        None => Ok(None),
    }
}

/// RFC 9112 §3.2.2, RFC 9113 §8.3.1: where the target has the host, a Host beside it must say the same. Servers differ in
/// which of both they take.
fn check_authority(host: Option<&str>, uri: &Uri, port: u16) -> Result<(), Failure> {
    match (host, uri.authority()) {
        (Some(host), Some(authority)) if host == authority.as_str() => Ok(()),
        (Some(host), Some(authority)) if authority_of(host, port)? != authority_of(authority.as_str(), port)? => {
            Err(Failure::BadRequest("the target and the Host header are for different hosts"))
        }
        _ => Ok(()),
    }
}

/// The canonical form of the name in a ClientHello; `None` for what is no name of a host. An address is none
/// (RFC 6066 §3).
pub fn server_name(text: &str) -> Option<Box<str>> {
    let name = text.strip_suffix('.').unwrap_or(text);
    let valid =
        valid_host(name) && !name.starts_with('[') && name.parse::<IpAddr>().is_err() && !is_other_spelling(name);
    valid.then(|| name.to_ascii_lowercase().into_boxed_str())
}

/// Lower case, no trailing dot, no default port: so that `EDITION.cnn.com.:80` is judged as `edition.cnn.com`.
pub(super) fn authority_of(text: &str, default: u16) -> Result<Authority, Failure> {
    let (host, port) = split_port(text).ok_or(BAD_HOST)?;
    authority(host, port.filter(|port| !port.is_empty()), default)
}

/// An authority that must have a port (RFC 9112 §3.2.3).
pub(super) fn authority_with_port(text: &str) -> Result<Authority, Failure> {
    match split_port(text) {
        Some((host, Some(port))) if !port.is_empty() => authority(host, Some(port), HTTP_PORT),
        _ => Err(Failure::BadRequest("the target of a tunnel is not a host and a port")),
    }
}

const BAD_HOST: Failure = Failure::BadRequest("the host is not a valid name or address");

fn authority(host: &str, port: Option<&str>, default: u16) -> Result<Authority, Failure> {
    let port = match port {
        None => default,
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().map_err(|_| BAD_HOST)?,
        Some(_) => return Err(BAD_HOST),
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.is_empty() || port == 0 || !valid_host(host) {
        return Err(BAD_HOST);
    }
    match host.strip_prefix('[') {
        None if is_other_spelling(host) => Err(BAD_HOST),
        None => Ok(Authority::written(host, port, default)),
        Some(address) => Ok(Authority::written(&one_address(address).ok_or(BAD_HOST)?, port, default)),
    }
}

/// An address of IPv6 has many spellings, and one of IPv4 has a mapped one: each is written in the one way of RFC 5952, so
/// that no policy or route is gone around by another. It comes with its closing bracket.
fn one_address(bracketed: &str) -> Option<String> {
    let address: std::net::Ipv6Addr = bracketed.strip_suffix(']')?.parse().ok()?;
    Some(match address.to_ipv4_mapped() {
        Some(mapped) => mapped.to_string(),
        None => format!("[{address}]"),
    })
}

/// Whether it is an address of IPv4 to some, but not in the one form that it is judged in: `127.1`, `0x7f.0.0.1`,
/// `2130706433`. No name ends in a number (WHATWG URL §3.5; RFC 3696 §2).
fn is_other_spelling(host: &str) -> bool {
    let last = memrchr(b'.', host.as_bytes()).map_or(host, |dot| &host[dot + 1..]);
    if !last.starts_with(|first: char| first.is_ascii_digit()) {
        return false;
    }
    let hexadecimal = last.strip_prefix("0x").or(last.strip_prefix("0X"));
    let number = match hexadecimal {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => last.bytes().all(|byte| byte.is_ascii_digit()),
    };
    number && host.parse::<std::net::Ipv4Addr>().is_err()
}

impl Authority {
    /// Of a valid host.
    pub(super) fn new(host: &str, port: u16) -> Self {
        Self::written(host, port, HTTP_PORT)
    }

    fn written(host: &str, port: u16, default: u16) -> Self {
        let mut canonical = host.to_ascii_lowercase();
        let length = canonical.len();
        if port != default {
            canonical.push(':');
            canonical.push_str(&port.to_string());
        }
        Self { text: canonical.into_boxed_str(), host: length, port }
    }
}

fn split_port(text: &str) -> Option<(&str, Option<&str>)> {
    if text.starts_with('[') {
        let end = text.find(']')? + 1;
        return match &text[end..] {
            "" => Some((text, None)),
            rest => Some((&text[..end], Some(rest.strip_prefix(':')?))),
        };
    }
    match memchr(b':', text.as_bytes()) {
        Some(colon) => Some((&text[..colon], Some(&text[colon + 1..]))),
        None => Some((text, None)),
    }
}

/// Longest host name (RFC 1035 §2.3.4), also a bound on what is kept per call.
const MAX_HOST: usize = 255;

/// Letters, digits, `-`, `_` and dots, no empty label; or an address in brackets. User information and escapes, which
/// origins read in different ways, are not.
fn valid_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[') {
        return address.strip_suffix(']').is_some_and(|a| a.parse::<std::net::Ipv6Addr>().is_ok());
    }
    let mut before = b'.';
    let valid = host.bytes().all(|byte| {
        let dots = byte == b'.' && before == b'.';
        before = byte;
        !dots && (byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
    });
    valid && before != b'.' && host.len() <= MAX_HOST
}

const BAD_PATH: Failure = Failure::BadRequest("the path cannot be normalized");

fn canonical_path(
    paths: PathNormalization,
    method: &Method,
    target: Option<&PathAndQuery>,
) -> Result<PathAndQuery, Failure> {
    let Some(target) = target else { return Ok(PathAndQuery::from_static("/")) };
    match target.path() {
        "*" if method == Method::OPTIONS => return Ok(target.clone()),
        path if !path.starts_with('/') => return Err(BAD_PATH),
        _ => {}
    }
    with_path(target, paths.apply(target.path()).map_err(Failure::BadRequest)?)
}

/// A target with another path.
fn with_path(target: &PathAndQuery, path: Cow<'_, str>) -> Result<PathAndQuery, Failure> {
    match path {
        // `http://host?query` has no path of its own, and its text does not begin with the one it stands for.
        Cow::Borrowed(_) if target.as_str().starts_with('/') => Ok(target.clone()),
        path => {
            let mut path = path.into_owned();
            if let Some(query) = target.query() {
                path.push('?');
                path.push_str(query);
            }
            PathAndQuery::try_from(path).map_err(|_| BAD_PATH)
        }
    }
}

/// The form of a target that a route made.
pub(super) fn canonical(target: &PathAndQuery) -> Result<PathAndQuery, Failure> {
    let path = path::canonical(target.path()).ok_or(Failure::Rewrite)?;
    with_path(target, path).map_err(|_| Failure::Rewrite)
}

/// A path that a route made, with the query of the call; refused unless merging slashes alone makes it canonical.
pub(super) fn rewritten(path: &str, query: Option<&str>) -> Result<PathAndQuery, Failure> {
    let alone = path.split_once('?').map_or(path, |(path, _)| path);
    if !alone.starts_with('/') || path.contains('#') {
        return Err(Failure::Rewrite);
    }
    let merged = merge_slashes(alone);
    if !matches!(path::canonical(&merged), Some(Cow::Borrowed(_))) {
        return Err(Failure::Rewrite);
    }
    let target = match query {
        Some(query) => PathAndQuery::try_from(format!("{path}?{query}")),
        None => PathAndQuery::try_from(path),
    };
    target.map_err(|_| Failure::Rewrite)
}

fn merge_slashes(path: &str) -> String {
    let mut merged = String::with_capacity(path.len());
    for letter in path.chars() {
        if letter != '/' || !merged.ends_with('/') {
            merged.push(letter);
        }
    }
    merged
}

/// The protocol that a request asks to go on with, if it is one that may be (RFC 9110 §7.8). Others are not forwarded, as
/// if they had not been asked for: HTTP/2 and TLS would carry requests that nobody judges.
fn upgrade_of(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut asked = headers.get_all(header::UPGRADE).iter();
    let protocol = asked.next().filter(|_| asked.next().is_none())?;
    let options = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let mut options = options.flat_map(|value| value.split(','));
    let has_body = headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0");
    let name = protocol.to_str().ok()?.to_ascii_lowercase();
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._/".contains(&b));
    let judged_further = ["h2", "http", "tls"].iter().any(|prefix| name.starts_with(prefix));
    let wanted = options.any(|option| option.trim().eq_ignore_ascii_case("upgrade"));
    (wanted && plain && !judged_further && !has_body).then(|| protocol.clone())
}

/// Headers by which some servers take a request for one of another method.
const METHOD_OVERRIDES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];

/// Methods that some servers know in any letter case, though they have one (RFC 9110 §9.1).
const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];

/// Refuses what makes servers read another method than the one that is judged, or wait for what nobody knows.
fn check_method(method: &Method, headers: &HeaderMap) -> Result<(), Failure> {
    let alike = |known: &&str| known.eq_ignore_ascii_case(method.as_str());
    if !KNOWN.contains(&method.as_str()) && KNOWN.iter().any(alike) {
        return Err(Failure::BadRequest("the method is a common one in another letter case"));
    }
    let overrides = |name: &HeaderName| {
        let name = name.as_str();
        // No other begins so, and hardly any header does.
        name.starts_with('x')
            && METHOD_OVERRIDES.contains(&&*with_hyphens(name).map_or(Cow::Borrowed(name), Cow::Owned))
    };
    let is_other = |value: &HeaderValue| !value.as_bytes().eq_ignore_ascii_case(method.as_str().as_bytes());
    if headers.iter().any(|(name, value)| overrides(name) && is_other(value)) {
        return Err(Failure::BadRequest("a header asks for another method than the request's"));
    }
    // RFC 9110 §10.1.1.
    let mut expected = headers.get_all(header::EXPECT).iter();
    match expected.all(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        true => Ok(()),
        false => Err(Failure::BadRequest("an expectation other than 100-continue")),
    }
}

/// Refuses two headers that are one to those who know no difference between `-` and `_` (RFC 3875 §4.1.18).
fn check_pairs(headers: &HeaderMap) -> Result<(), Failure> {
    let mut seen: Vec<String> = headers.keys().filter_map(|name| with_hyphens(name.as_str())).collect();
    seen.sort_unstable();
    let twice = seen.windows(2).any(|pair| pair[0] == pair[1]);
    match twice || seen.iter().any(|name| headers.contains_key(name)) {
        true => Err(Failure::BadRequest("two headers differ only in `-` and `_`, which some servers take for one")),
        false => Ok(()),
    }
}

/// The name with `-` in the place of each `_`, where there are any.
pub(super) fn with_hyphens(name: &str) -> Option<String> {
    memchr(b'_', name.as_bytes()).is_some().then(|| name.replace('_', "-"))
}

/// Removes what is for this hop only, and what only a proxy may say of a caller.
fn strip(headers: &mut HeaderMap) -> Result<(), Failure> {
    let mut removed: SmallVec<[HeaderName; 8]> = SmallVec::new();
    for value in headers.get_all(header::CONNECTION) {
        let value = value.to_str().map_err(|_| Failure::BadRequest("Connection is not plain ASCII"))?;
        // Most connections say only `keep-alive` or `close`, which the table below has.
        let names = value.split(',').map(str::trim).filter(|name| !name.is_empty());
        removed.extend(names.filter(|n| !is_plain_option(n)).filter_map(|name| name.parse().ok()));
    }
    // An expectation is met here, before the body is read.
    let goes = |name: &str| matches!(name, "host" | "expect") || is_hop_by_hop(name) || is_ours(name);
    removed.extend(headers.keys().filter(|name| goes(name.as_str())).cloned());
    for name in removed {
        headers.remove(name);
    }
    Ok(())
}

/// Whether an option of Connection names no header but those that are always removed.
pub fn is_plain_option(option: &str) -> bool {
    ["keep-alive", "close"].iter().any(|known| known.eq_ignore_ascii_case(option))
}

/// By this a client asks for more in the answer. It is for this hop alone, and no policy sees it.
pub const DEBUG: &str = "x-egress-debug";

/// Headers by which proxies tell each other and origins who calls and for what: from a caller they would be forgeries. And
/// what is for us. A name with `_` is to many servers the one with `-`; with it a header that frames would be one more.
fn is_ours(name: &str) -> bool {
    match with_hyphens(name) {
        Some(name) => is_proxys(&name) || is_hop_by_hop(&name) || name == "content-length",
        None => is_proxys(name),
    }
}

/// The names of proxies' headers, and the beginnings of such names: who calls and by which certificate (RFC 9440 §3), from
/// where, and for what. (Scripts of CGI take `proxy` for a setting of theirs.)
fn is_proxys(name: &str) -> bool {
    const PREFIXES: [&str; 6] =
        ["x-envoy-", "x-egress-", "x-forwarded-", "x-original-", "x-client-cert", "x-ssl-client-"];
    let is_known = matches!(
        name,
        "forwarded"
            | "proxy"
            | "x-istio-attributes"
            | "client-cert"
            | "client-cert-chain"
            | "remote-user"
            | "x-remote-user"
            | "x-real-ip"
            | "x-client-ip"
            | "x-cluster-client-ip"
            | "true-client-ip"
            | "x-remote-ip"
            | "x-remote-addr"
            | "x-rewrite-url"
            | "x-override-url"
            | "x-host"
            | "x-http-host-override"
    );
    is_known || (name.starts_with('x') && PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
}

#[cfg(test)]
mod tests;
