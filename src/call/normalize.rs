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

use crate::expr::Timestamp;
use crate::identity::Caller;

use super::handed::HANDED;
use super::{Authority, Call, Failure, TlsSession};

/// Most bytes of a request's target and header fields; Envoy takes 60 KiB of fields.
pub const MAX_HEAD: usize = 64 * 1024;

/// The default port of `http` (RFC 9110 §4.2.1).
pub(super) const HTTP_PORT: u16 = 80;

/// The default port of `https` (RFC 9110 §4.2.2).
const HTTPS_PORT: u16 = 443;

/// Headers that mean something to one connection only (RFC 9110 §7.6.1), or that carry credentials for us.
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHORIZATION,
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

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

/// Brings a request head into canonical form.
///
/// # Errors
/// [`Failure::BadRequest`] for what could be read in two ways, [`Failure::HeadTooLarge`] past [`MAX_HEAD`],
/// [`Failure::NestedConnect`] for CONNECT, whose calls are [`Call::tunnel_to`]'s.
pub fn normalize(head: http::request::Parts, arrival: Arrival) -> Result<Call, Failure> {
    let http::request::Parts { method, uri, version, mut headers, .. } = head;
    if method == Method::CONNECT {
        return Err(Failure::NestedConnect);
    }
    if head_size(&uri, &headers) > MAX_HEAD {
        return Err(Failure::HeadTooLarge);
    }
    check_framing(&mut headers)?;
    // Its value could be compared with nothing, and would hide others of its name.
    if headers.values().any(|value| std::str::from_utf8(value.as_bytes()).is_err()) {
        return Err(Failure::BadRequest("the value of a header is no text in UTF-8"));
    }
    let host = host_header(&headers, version)?;
    let (scheme, port) = match arrival.tls {
        None => (Scheme::HTTP, HTTP_PORT),
        Some(_) => (Scheme::HTTPS, HTTPS_PORT),
    };
    if version == Version::HTTP_2 {
        check_authority(host, &uri, port)?;
    }
    let authority = match (uri.scheme(), uri.authority()) {
        (Some(asked), Some(authority)) if *asked == scheme => authority_of(authority.as_str(), port)?,
        (Some(_), _) if scheme == Scheme::HTTPS => {
            return Err(Failure::BadRequest("over TLS only https:// can be asked for in absolute form"));
        }
        (Some(_), _) => return Err(Failure::BadRequest("only http:// requests are forwarded in absolute form")),
        // A target such as `politics`, which some would take for a path and others for a host.
        (None, Some(_)) => return Err(Failure::BadRequest("the target has no leading slash")),
        (None, None) => authority_of(host.ok_or(Failure::BadRequest("no Host header"))?, port)?,
    };
    let path = canonical_path(&method, uri.path_and_query())?;
    let upgrade = upgrade_of(&headers);
    strip(&mut headers)?;
    let Arrival { time, chance, caller, peer, tls } = arrival;
    Ok(Call { time, chance, caller, peer, method, authority, path, headers, upgrade, tunnel: None, tls })
}

fn head_size(uri: &Uri, headers: &HeaderMap) -> usize {
    let target = uri.path_and_query().map_or(0, |target| target.as_str().len());
    headers.iter().fold(target, |size, (name, value)| size + name.as_str().len() + value.len())
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

/// What a trailer must not say, because it comes too late for it (RFC 9110 §6.5.1): how a message is framed, routed,
/// authenticated or understood.
const NO_TRAILERS: [HeaderName; 14] = [
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::COOKIE,
    header::EXPECT,
    header::HOST,
    header::LOCATION,
    header::MAX_FORWARDS,
    header::RANGE,
    header::SET_COOKIE,
    header::WWW_AUTHENTICATE,
];

/// Removes from the trailers of a message what may not stand there.
pub fn strip_trailers(trailers: &mut HeaderMap) {
    let ours: Vec<HeaderName> = trailers.keys().filter(|name| is_ours(name)).cloned().collect();
    for name in NO_TRAILERS.iter().chain(&HOP_BY_HOP).chain(&ours) {
        trailers.remove(name);
    }
}

/// RFC 9112 §3.2: exactly one Host in HTTP/1.1, at most one before.
fn host_header(headers: &HeaderMap, version: Version) -> Result<Option<&str>, Failure> {
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

/// RFC 9113 §8.3.1: in HTTP/2 the target has the host, and a Host beside it must say the same.
fn check_authority(host: Option<&str>, uri: &Uri, port: u16) -> Result<(), Failure> {
    match (host, uri.authority()) {
        (Some(host), Some(authority)) if authority_of(host, port)? != authority_of(authority.as_str(), port)? => {
            Err(Failure::BadRequest("the Host header and :authority differ"))
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
    let last = host.rsplit('.').next().unwrap_or_default();
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
    match text.split_once(':') {
        Some((host, port)) => Some((host, Some(port))),
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
    host.len() <= MAX_HOST
        && host.split('.').all(|label| {
            !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
}

fn canonical_path(method: &Method, path: Option<&PathAndQuery>) -> Result<PathAndQuery, Failure> {
    const BAD: Failure = Failure::BadRequest("the path cannot be normalized");
    let Some(target) = path else { return Ok(PathAndQuery::from_static("/")) };
    match target.path() {
        "*" if method == Method::OPTIONS => return Ok(target.clone()),
        path if !path.starts_with('/') => return Err(BAD),
        _ => {}
    }
    match normalize_path(target.path()).ok_or(BAD)? {
        // `http://host?query` has no path of its own, and its text does not begin with the one it stands for.
        Cow::Borrowed(_) if target.as_str().starts_with('/') => Ok(target.clone()),
        path => {
            let mut path = path.into_owned();
            if let Some(query) = target.query() {
                path.push('?');
                path.push_str(query);
            }
            PathAndQuery::try_from(path).map_err(|_| BAD)
        }
    }
}

/// [`canonical_path`] of a target that a route made.
pub(super) fn canonical(method: &Method, target: &PathAndQuery) -> Result<PathAndQuery, Failure> {
    canonical_path(method, Some(target)).map_err(|_| Failure::Rewrite)
}

/// A path that a route made, with the query of the call; refused unless merging slashes alone makes it canonical.
pub(super) fn rewritten(path: &str, query: Option<&str>) -> Result<PathAndQuery, Failure> {
    let alone = path.split_once('?').map_or(path, |(path, _)| path);
    if !alone.starts_with('/') || path.contains('#') {
        return Err(Failure::Rewrite);
    }
    let merged = merge_slashes(alone);
    if !matches!(normalize_path(&merged), Some(Cow::Borrowed(_))) {
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

/// Decodes escapes of characters that mean the same without, writes the others in capitals, escapes what is no ASCII, takes
/// `\` for `/`, removes dot segments, merges slashes: Istio's `MERGE_SLASHES`, and more. `None` for an escaped NUL. `%2F` stays, because origins tell it from `/` (npm's scoped packages).
fn normalize_path(path: &str) -> Option<Cow<'_, str>> {
    let bytes = path.as_bytes();
    let plain = !bytes.iter().any(|b| matches!(b, b'%' | b'\\') || !b.is_ascii())
        && !bytes.windows(2).any(|pair| pair[0] == b'/' && matches!(pair[1], b'/' | b'.'));
    if plain {
        return Some(Cow::Borrowed(path));
    }
    let decoded = one_spelling(path)?;
    let mut segments: Vec<&str> = Vec::new();
    let mut last_is_directory = false;
    for segment in decoded.split('/').skip(1) {
        last_is_directory = matches!(segment, "" | "." | "..");
        match segment {
            "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    // Merged after the dot segments, so that `/a//../b` is `/a/b` as RFC 3986 §5.2.4 has it.
    let mut merged = String::with_capacity(decoded.len());
    for segment in segments.iter().filter(|segment| !segment.is_empty()) {
        merged.push('/');
        merged.push_str(segment);
    }
    if last_is_directory || merged.is_empty() {
        merged.push('/');
    }
    Some(if merged == path { Cow::Borrowed(path) } else { Cow::Owned(merged) })
}

/// The byte that an escape at the beginning stands for.
fn escaped(text: &str) -> Option<u8> {
    let hex = text.strip_prefix('%')?.get(..2).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u8::from_str_radix(hex, 16).ok()
}

/// Characters that stand for themselves in a segment, escaped or not: the unreserved ones, and of those that RFC 3986 §3.3
/// allows there besides all but `;`, `=`, `&` and `+`, which some origins tell apart.
fn means_itself(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$'()*,:@".contains(&byte)
}

/// The path with each character written in one way.
fn one_spelling(path: &str) -> Option<String> {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(position) = rest.find(|letter: char| matches!(letter, '%' | '\\') || !letter.is_ascii()) {
        out.push_str(&rest[..position]);
        rest = &rest[position..];
        let taken = match escaped(rest) {
            Some(0) => return None,
            Some(byte) if means_itself(byte) => {
                out.push(char::from(byte));
                3
            }
            Some(_) => {
                out.push_str(&rest[..3].to_ascii_uppercase());
                3
            }
            None if rest.starts_with('\\') => {
                out.push('/');
                1
            }
            None if !rest.starts_with('%') => {
                let letter = rest.chars().next()?;
                letter.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| out.push_str(&format!("%{byte:02X}")));
                letter.len_utf8()
            }
            // A lone `%` is written as what it means: with what is decoded behind it, it must not become an escape.
            None => {
                out.push_str("%25");
                1
            }
        };
        rest = &rest[taken..];
    }
    out.push_str(rest);
    Some(out)
}

/// The protocol that a request asks to go on with, if it is one that may be (RFC 9110 §7.8). Others are not forwarded, as
/// if they had not been asked for: HTTP/2 and TLS would carry requests that nobody judges.
fn upgrade_of(headers: &HeaderMap) -> Option<HeaderValue> {
    let options = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let mut options = options.flat_map(|value| value.split(','));
    let mut asked = headers.get_all(header::UPGRADE).iter();
    let protocol = asked.next().filter(|_| asked.next().is_none())?;
    let has_body = headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0");
    let name = protocol.to_str().ok()?.to_ascii_lowercase();
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._/".contains(&b));
    let judged_further = ["h2", "http", "tls"].iter().any(|prefix| name.starts_with(prefix));
    let wanted = options.any(|option| option.trim().eq_ignore_ascii_case("upgrade"));
    (wanted && plain && !judged_further && !has_body).then(|| protocol.clone())
}

/// Removes what is for this hop only, and what only a proxy of ours may say of a caller.
fn strip(headers: &mut HeaderMap) -> Result<(), Failure> {
    let mut named: Vec<HeaderName> = Vec::new();
    for value in headers.get_all(header::CONNECTION) {
        let value = value.to_str().map_err(|_| Failure::BadRequest("Connection is not plain ASCII"))?;
        // Most connections say only `keep-alive` or `close`, which the table below has.
        let names = value.split(',').map(str::trim).filter(|name| !name.is_empty());
        named.extend(names.filter(|n| !known_option(n)).filter_map(|name| name.parse().ok()));
    }
    named.extend(headers.keys().filter(|name| is_ours(name)).cloned());
    for name in HOP_BY_HOP.iter().chain(&named) {
        headers.remove(name);
    }
    headers.remove(header::HOST);
    Ok(())
}

fn known_option(option: &str) -> bool {
    ["keep-alive", "close"].iter().any(|known| known.eq_ignore_ascii_case(option))
}

/// By this a client asks for more in the answer. It is for this hop alone, and no policy sees it.
pub const DEBUG: &str = "x-egress-debug";

/// Headers by which proxies of a mesh tell each other about calls: from a caller they would be forgeries. And [`DEBUG`].
fn is_ours(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with("x-envoy-") || name == "x-forwarded-client-cert" || name == DEBUG || name == HANDED.as_str()
}

#[cfg(test)]
mod tests;
