//! What was sent and never became a call.

use std::net::IpAddr;

use http::header::{self, HeaderMap};
use http::{Method, Uri, Version, request};

use crate::accesslog::REDACTED;
use crate::expr::Timestamp;
use crate::identity::Caller;

use super::normalize::{HTTP_PORT, HTTPS_PORT, authority_of, host_header};
use super::{Arrival, Authority, Call, Failure, decision_id};

/// What is known of a request that never became a [`Call`]: enough to find it again. Nothing of it was judged, and it says
/// nothing that could be read in two ways.
#[derive(Debug, Clone)]
pub struct Unread {
    /// Why it is none.
    pub failure: Failure,
    time: Timestamp,
    chance: u64,
    caller: Option<Caller>,
    peer: IpAddr,
    method: Option<Method>,
    authority: Option<Authority>,
    path: Option<Box<str>>,
}

impl Unread {
    /// Of what only this is known.
    pub fn new(failure: Failure, arrival: Arrival) -> Self {
        let Arrival { time, chance, caller, peer, .. } = arrival;
        Self { failure, time, chance, caller, peer, method: None, authority: None, path: None }
    }

    /// Of a request whose head was read.
    pub fn of_head(failure: Failure, head: &request::Parts, arrival: Arrival) -> Self {
        Self::of_parts(failure, (&head.method, &head.uri, head.version), &head.headers, arrival)
    }

    pub(super) fn of_parts(
        failure: Failure,
        (method, uri, version): (&Method, &Uri, Version),
        headers: &HeaderMap,
        arrival: Arrival,
    ) -> Self {
        let port = if arrival.tls.is_some() { HTTPS_PORT } else { HTTP_PORT };
        let authority = authority_told(uri, (version, headers), port);
        let path = Some(uri.path()).filter(|path| path.starts_with('/'));
        let path = path.map(told);
        Self { method: Some(method.clone()), authority, path, ..Self::new(failure, arrival) }
    }

    /// Of a call that is refused as one.
    pub fn of_call(failure: Failure, call: Call) -> Self {
        let Call { time, chance, caller, peer, method, authority, path, .. } = call;
        let path = told(path.path());
        let (method, authority, path) = (Some(method), Some(authority), Some(path));
        Self { failure, time, chance, caller, peer, method, authority, path }
    }

    /// As which host and port it would have been judged, once that is known.
    #[must_use]
    pub(super) fn to(self, authority: Authority) -> Self {
        Self { authority: Some(authority), ..self }
    }

    /// When it arrived.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// The name by which its refusal is found again: that of a decision, see [`Call::decision_id`].
    pub fn decision_id(&self) -> String {
        decision_id(self.chance)
    }

    /// Who sent it, where that is proven.
    pub fn caller(&self) -> Option<&Caller> {
        self.caller.as_ref()
    }

    /// The address of the connection's other end.
    pub fn peer(&self) -> IpAddr {
        self.peer
    }

    /// The method, if there was one.
    pub fn method(&self) -> Option<&Method> {
        self.method.as_ref()
    }

    /// Host and port, where all that says them says the same, and it is a host.
    pub fn authority(&self) -> Option<&Authority> {
        self.authority.as_ref()
    }

    /// The path as it was sent, without query, and without what stands behind a `;`, or behind what may become one, or the beginning
    /// of a query, when it is read once more: in a path that is in no canonical form nobody finds credentials.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }
}

impl From<Box<Unread>> for Failure {
    fn from(unread: Box<Unread>) -> Self {
        unread.failure
    }
}

/// What is told of a path.
fn told(path: &str) -> Box<str> {
    let parts =
        |(at, byte): &(usize, u8)| *byte == b';' || (*byte == b'%' && hides_separator(&path.as_bytes()[at + 1..]));
    match path.bytes().enumerate().find(parts) {
        None => path.into(),
        Some((at, b';')) => format!("{};{REDACTED}", &path[..at]).into(),
        Some((at, _)) => format!("{}{REDACTED}", &path[..at]).into(),
    }
}

/// Whether what stands behind a `%` is a `;`, `?` or `#`, however often it is escaped.
fn hides_separator(mut escape: &[u8]) -> bool {
    while let Some(rest) = escape.strip_prefix(b"25") {
        escape = rest;
    }
    matches!(escape, [b'3', b'b' | b'B' | b'f' | b'F', ..] | [b'2', b'3', ..])
}

/// The host that the target and the Host header tell, unless one of them is none, or they differ.
fn authority_told(uri: &Uri, (version, headers): (Version, &HeaderMap), port: u16) -> Option<Authority> {
    let read = |text: &str| authority_of(text, port).ok();
    let target = uri.authority().map(|authority| read(authority.as_str()));
    // Of two nobody knows which is meant; none is no fault here.
    let host = host_header(headers, version).or_else(|failure| match headers.contains_key(header::HOST) {
        true => Err(failure),
        false => Ok(None),
    });
    match (target, host.ok()?.map(read)) {
        (Some(target), Some(host)) if target != host => None,
        (told, other) => told.or(other)?,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn arrival() -> Arrival {
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Arrival { time: Timestamp::ZERO, chance: 0x5f0c_1e2d_3a4b_5968, caller: None, peer, tls: None }
    }

    #[test]
    fn of_a_request_that_is_no_call_is_told_what_can_be_read_in_one_way_only() {
        for (target, hosts, authority, path) in [
            ("http://A.example/a%2fb?q=secret", &["a.example"][..], Some("a.example"), Some("/a%2fb")),
            ("/a%2fb", &["a.example:8080"], Some("a.example:8080"), Some("/a%2fb")),
            ("/", &["a.example", "b.example"], None, Some("/")),
            ("http://a.example/", &["b.example"], None, Some("/")),
            ("/", &[], None, Some("/")),
            ("http://user:secret@a.example/", &[], None, Some("/")),
            ("/", &["user:secret@a.example"], None, Some("/")),
            ("/a;t%6fken=secret/%2e", &["a.example"], Some("a.example"), Some("/a;[redacted]")),
            ("/a%3bt=secret%00", &["a.example"], Some("a.example"), Some("/a[redacted]")),
            ("/a%2f%3Ftoken=secret", &["a.example"], Some("a.example"), Some("/a%2f[redacted]")),
            ("/a%00%2525253Bt=secret", &["a.example"], Some("a.example"), Some("/a%00[redacted]")),
            ("/a%2f%23secret", &["a.example"], Some("a.example"), Some("/a%2f[redacted]")),
            ("/100%25/3b", &["a.example"], Some("a.example"), Some("/100%25/3b")),
            ("*", &["a.example"], Some("a.example"), None),
        ] {
            let mut head = http::Request::builder().method("GET").uri(target);
            for host in hosts {
                head = head.header("host", *host);
            }
            let head = head.body(()).expect("a head").into_parts().0;
            let unread = Unread::of_head(Failure::BadRequest("why"), &head, arrival());
            assert_eq!(unread.authority().map(Authority::as_str), authority, "{target} {hosts:?}");
            assert_eq!(unread.path(), path, "{target} {hosts:?}");
            assert_eq!((unread.decision_id().as_str(), unread.method()), ("5f0c1e2d3a4b5968", Some(&Method::GET)));
        }
    }
}
