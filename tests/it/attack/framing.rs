//! Requests inside requests. What must never be forwarded stands behind each: a request for a path that nobody asks for
//! otherwise.

use super::{ArriveAs, BeDenied, BeRefused, Must, Site};

/// Id, a request but for its end, and what must come of it.
type Case = (&'static str, &'static [u8], Must);

/// What is smuggled.
const SECOND: &[u8] = b"GET /smuggled HTTP/1.1\r\nhost: a.example\r\n\r\n";

const HEAD: &[u8] = b"POST /first HTTP/1.1\r\nhost: a.example\r\n";

/// What stands between HEAD and SECOND.
const BODIES: &[Case] = &[
    ("S1", b"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", BeRefused),
    ("S1", b"transfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n0\r\n\r\n", BeRefused),
    ("S1", b"content-length: 0\r\ntransfer-encoding: identity\r\n\r\n", BeRefused),
    ("S1", b"transfer-encoding: chunked\r\ncontent-length: x\r\n\r\n0\r\n\r\n", BeRefused),
    ("S2", b"content-length: 0\r\ncontent-length: 44\r\n\r\n", BeRefused),
    ("S2", b"content-length: 44\r\ncontent-length: 0\r\n\r\n", BeRefused),
    ("S2", b"content-length: 0, 44\r\n\r\n", BeRefused),
    ("S2", b"content-length: 0,0\r\n\r\n", BeRefused),
    ("S2", b"content-length: 0\r\nContent-Length : 44\r\n\r\n", BeRefused),
    ("S3", b"content-length: +0\r\n\r\n", BeRefused),
    ("S3", b"content-length: -0\r\n\r\n", BeRefused),
    ("S3", b"content-length: 0x0\r\n\r\n", BeRefused),
    ("S3", b"content-length: 0.0\r\n\r\n", BeRefused),
    ("S3", b"content-length: 0e0\r\n\r\n", BeRefused),
    ("S3", b"content-length: 1_0\r\n\r\n", BeRefused),
    ("S3", b"content-length: 0;\r\n\r\n", BeRefused),
    ("S3", b"content-length: \"0\"\r\n\r\n", BeRefused),
    ("S3", b"content-length: \x0b0\r\n\r\n", BeRefused),
    ("S3", b"content-length: 0\x0c\r\n\r\n", BeRefused),
    ("S3", b"content-length: 0 44\r\n\r\n", BeRefused),
    ("S3", b"content-length: \xef\xbc\x90\r\n\r\n", BeRefused),
    ("S3", b"content-length: \xd9\xa0\r\n\r\n", BeRefused),
    ("S3", b"content-length: 18446744073709551616\r\n\r\n", BeRefused),
    ("S3", b"content-length: 99999999999999999999999999\r\n\r\n", BeRefused),
    ("S3", b"content-length:\r\n 0\r\n\r\n", BeRefused),
    ("S3", b"content-length: 0\r\n 44\r\n\r\n", BeRefused),
    ("S13", b"content-length:\r\n\r\n", BeRefused),
    ("S13", b"content-length: \t \r\n\r\n", BeRefused),
    ("S4", b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n", BeRefused),
    ("S4", b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n", BeRefused),
    ("S4", b"transfer-encoding: identity, chunked\r\n\r\n0\r\n\r\n", BeRefused),
    ("S4", b"transfer-encoding: gzip\r\n\r\n0\r\n\r\n", BeRefused),
    ("S4", b"transfer-encoding: chunked,\r\n\r\n0\r\n\r\n", BeRefused),
    ("S4", b"transfer-encoding: ,chunked\r\n\r\n0\r\n\r\n", BeRefused),
    ("S4", b"transfer-encoding: chunked;x=y\r\n\r\n0\r\n\r\n", BeRefused),
    ("S4", b"transfer-encoding: 'chunked'\r\n\r\n0\r\n\r\n", BeRefused),
    ("S4", b"transfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n", BeRefused),
    ("S4", b"transfer-encoding: chunked\x0c\r\n\r\n0\r\n\r\n", BeRefused),
    ("S4", b"transfer-encoding: \xa0chunked\r\n\r\n0\r\n\r\n", BeRefused),
    ("S4", b"transfer-encoding: chun\0ked\r\n\r\n0\r\n\r\n", BeRefused),
    ("S4", b"transfer-encoding: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", BeRefused),
    ("S4", b"transfer-encoding: chunked\r\ntransfer-encoding: x\r\n\r\n0\r\n\r\n", BeRefused),
    ("S4", b"transfer-encoding : chunked\r\n\r\n0\r\n\r\n", BeRefused),
    ("S4", b"transfer-encoding\x0b: chunked\r\n\r\n0\r\n\r\n", BeRefused),
    ("S4", b"transfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n", BeRefused),
    ("S4", b" transfer-encoding: chunked\r\n\r\n0\r\n\r\n", BeRefused),
    ("S4", b"x: y\r\n\ttransfer-encoding: chunked\r\n\r\n0\r\n\r\n", BeRefused),
    ("S4", b"x: y\rtransfer-encoding: chunked\r\n\r\n0\r\n\r\n", BeRefused),
    ("S4", b"transfer\xe2\x80\x91encoding: chunked\r\n\r\n0\r\n\r\n", BeRefused),
    ("S4", b"transfer-encoding: \"chunked\"\r\n\r\n0\r\n\r\n", BeRefused),
    ("S4", b"transfer-encoding:\r\n\r\n", BeRefused),
    ("S5", b"content-length: 0\n\r\n", BeRefused),
    ("S5", b"content-length: 0\r\n\n", BeRefused),
    ("S5", b"content-length: 0\n\n", BeRefused),
    ("S5", b"content-length: 0\r\r\n\r\n", BeRefused),
    ("S5", b"content-length: 44\r\rx: y\r\n\r\n", BeRefused),
    ("S5", b"x: y\n\ncontent-length: 44\r\n\r\n", BeRefused),
    ("S5", b"x: y\r\n\rcontent-length: 44\r\n\r\n", BeRefused),
    ("S6", b"transfer-encoding: chunked\r\n\r\n+0\r\n\r\n", BeRefused),
    ("S6", b"transfer-encoding: chunked\r\n\r\n-0\r\n\r\n", BeRefused),
    ("S6", b"transfer-encoding: chunked\r\n\r\n0x0\r\n\r\n", BeRefused),
    ("S6", b"transfer-encoding: chunked\r\n\r\n 0\r\n\r\n", BeRefused),
    ("S6", b"transfer-encoding: chunked\r\n\r\n\r\n0\r\n\r\n", BeRefused),
    ("S6", b"transfer-encoding: chunked\r\n\r\n0_0\r\n\r\n", BeRefused),
    ("S6", b"transfer-encoding: chunked\r\n\r\n0h\r\n\r\n", BeRefused),
    ("S6", b"transfer-encoding: chunked\r\n\r\n0 0\r\n\r\n", BeRefused),
    ("S6", b"transfer-encoding: chunked\r\n\r\n10000000000000000\r\n\r\n", BeRefused),
    ("S6", b"transfer-encoding: chunked\r\n\r\n1\r\nxx\r\n0\r\n\r\n", BeRefused),
    ("S6", b"transfer-encoding: chunked\r\n\r\n1\r\nx0\r\n\r\n", BeRefused),
    ("S6", b"transfer-encoding: chunked\r\n\r\n1\r\nx\n0\r\n\r\n", BeRefused),
    ("S6", b"transfer-encoding: chunked\r\n\r\n2\r\nx\r\n0\r\n\r\n", BeRefused),
    ("S7", b"transfer-encoding: chunked\r\n\r\n0;a\n\r\n\r\n", BeRefused),
    ("S7", b"transfer-encoding: chunked\r\n\r\n0;\n\r\n", BeRefused),
    ("S7", b"transfer-encoding: chunked\r\n\r\n0\n\r\n", BeRefused),
    ("S7", b"transfer-encoding: chunked\r\n\r\n0\r\r\n\r\n", BeRefused),
    ("S7", b"transfer-encoding: chunked\r\n\r\n2;\rxx\r\n0\r\n\r\n", BeRefused),
    ("S7", b"transfer-encoding: chunked\r\n\r\n0;a\0b\r\n\r\n", BeRefused),
    ("S8", b"transfer-encoding: chunked\r\n\r\n0\r\n\n", BeRefused),
    ("S8", b"transfer-encoding: chunked\r\n\r\n0\r\nx: y\n\r\n", BeRefused),
    ("S8", b"transfer-encoding: chunked\r\n\r\n0\r\nx: y\r\n z\r\n\r\n", BeRefused),
    ("S8", b"transfer-encoding: chunked\r\n\r\n0\r\nx : y\r\n\r\n", BeRefused),
    ("S8", b"transfer-encoding: chunked\r\n\r\n0\r\nno colon\r\n\r\n", BeRefused),
    ("S8", b"transfer-encoding: chunked\r\n\r\n0\r\n", BeRefused),
    ("S8", b"transfer-encoding: chunked\r\n\r\n0\r\n\rX", BeRefused),
    ("S14", b": x\r\ncontent-length: 0\r\n\r\n", BeRefused),
    ("S14", b"\r: x\r\ncontent-length: 44\r\n\r\n", BeRefused),
];

#[test]
fn a_body_that_two_read_in_two_ways_is_refused_with_all_behind_it() {
    let site = Site::new(&[]);
    site.all(BODIES.iter().map(|(_, body, must)| ([HEAD, body, SECOND].concat(), *must)));
    assert_eq!(site.received(), 0);
    site.has_refusals(BODIES.len());
}

/// Whole first requests; SECOND stands behind those that are refused.
const HEADS: &[Case] = &[
    ("S9", b"GET /first\r\n\r\n", BeRefused),
    ("S9", b"GET /first\r\nhost: a.example\r\n\r\n", BeRefused),
    ("S9", b"GET /first HTTP/0.9\r\nhost: a.example\r\n\r\n", BeRefused),
    ("S9", b"GET /first HTTP/1.2\r\nhost: a.example\r\n\r\n", BeRefused),
    ("S9", b"GET /first HTTP/1.\r\nhost: a.example\r\n\r\n", BeRefused),
    ("S9", b"GET /first HTTP/1.10\r\nhost: a.example\r\n\r\n", BeRefused),
    ("S9", b"GET /first HTTP/2\r\nhost: a.example\r\n\r\n", BeRefused),
    ("S9", b"GET /first HTTP/2.0\r\nhost: a.example\r\n\r\n", BeRefused),
    ("S9", b"GET /first HTTP/3.0\r\nhost: a.example\r\n\r\n", BeRefused),
    ("S9", b"GET /first HTTPS/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("S9", b"GET /first http/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("S9", b"GET /first ICAP/1.0\r\nhost: a.example\r\n\r\n", BeRefused),
    ("S9", b"GET /first HTTP/1.1 HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("S9", b"GET /first HTTP/1.1\0\r\nhost: a.example\r\n\r\n", BeRefused),
    ("S9", b"POST /first HTTP/1.0\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", BeRefused),
    ("S9", b"/first HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("S9", b"GET/first HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("S17", b"get /first HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("S17", b"Delete /first HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("S17", b"pOST /first HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("S9", b"\0GET /first HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("S9", b"\xef\xbb\xbfGET /first HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("S9", b"GE\tT /first HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("S9", b"GET\x0b/first HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("S9", b"\"GET\" /first HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("S9", b"\r\r\nGET /first HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("S9", b"\nGET /first HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("S9", b"HTTP/1.1 200 OK\r\nhost: a.example\r\n\r\n", BeRefused),
];

#[test]
fn what_is_no_request_of_http_1_is_refused_with_all_behind_it() {
    let site = Site::new(&[]);
    site.all(HEADS.iter().map(|(_, head, must)| ([head, SECOND].concat(), *must)));
    assert_eq!(site.received(), 0);
}

/// What looks like a second request and is a body.
const INSIDE: &[Case] = &[
    (
        "S12",
        b"GET /first HTTP/1.1\r\nhost: a.example\r\ncontent-length: 43\r\n\r\n",
        ArriveAs("GET /first HTTP/1.1\r\n"),
    ),
    ("S12", b"HEAD /first HTTP/1.1\r\nhost: a.example\r\ncontent-length: 43\r\n\r\n", ArriveAs("")),
    (
        "S12",
        b"OPTIONS /first HTTP/1.1\r\nhost: a.example\r\ncontent-length: 43\r\n\r\n",
        ArriveAs("OPTIONS /first HTTP/1.1\r\n"),
    ),
    ("S12", b"DELETE /first HTTP/1.1\r\nhost: a.example\r\ncontent-length: 43\r\n\r\n", BeDenied(403)),
    (
        "S12",
        b"GET /first HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n2b\r\n",
        ArriveAs("GET /first HTTP/1.1\r\n"),
    ),
    (
        "S11",
        b"POST /first HTTP/1.1\r\nhost: a.example\r\nexpect: 100-continue\r\ncontent-length: 43\r\n\r\n",
        ArriveAs(""),
    ),
    (
        "S15",
        b"POST /first HTTP/1.1\r\nhost: a.example\r\ncontent-length: 043\r\n\r\n",
        ArriveAs("POST /first HTTP/1.1\r\n"),
    ),
];

#[test]
fn a_body_is_a_body_whatever_it_looks_like() {
    let site = Site::new(&[]);
    assert_eq!(SECOND.len(), 43, "as the cases say");
    for (id, head, _) in INSIDE {
        let chunked = head.ends_with(b"2b\r\n");
        let end: &[u8] = if chunked { b"\r\n0\r\n\r\n" } else { b"" };
        let mut client = site.proxy.connect();
        let rest = super::told(
            &mut client,
            &[head, SECOND, end, b"GET /last HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n"].concat(),
        );
        assert!(rest.contains("GET /last HTTP/1.1"), "{id} {}: {rest}", head.escape_ascii());
    }
    let heads = site.heads();
    assert!(heads.iter().all(|head| !head.contains("/smuggled")), "{heads:?}");
    assert_eq!(heads.iter().filter(|head| head.contains("/last")).count(), INSIDE.len());
}

#[test]
fn nothing_behind_a_refused_request_is_answered_and_all_before_it_is() {
    let site = Site::new(&[]);
    let mut client = site.proxy.connect();
    let bad = b"POST /bad HTTP/1.1\r\nhost: a.example\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n";
    let before = b"GET /before HTTP/1.1\r\nhost: a.example\r\n\r\n";
    let rest = super::told(&mut client, &[before, &bad[..], SECOND, SECOND].concat());
    assert_eq!(rest.matches("HTTP/1.1 200").count(), 1, "{rest}");
    assert_eq!(rest.matches("HTTP/1.1 400").count(), 1, "{rest}");
    assert!(site.heads().iter().all(|head| head.starts_with("GET /before ")));
    // A request that the policy refuses is over where its body ends.
    let mut client = site.proxy.connect();
    client.send(b"POST /admin HTTP/1.1\r\nhost: a.example\r\ncontent-length: 43\r\n\r\n");
    client.send(SECOND);
    assert_eq!(client.read().status, 403);
    assert!(site.heads().iter().all(|head| !head.contains("/smuggled")));
}

/// A trailer is no head: nothing in it counts for the policy or comes to the origin.
#[test]
fn trailers_say_nothing() {
    let site = Site::new(&[]);
    let mut client = site.proxy.connect();
    client.send(
        b"POST /first HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\ntrailer: host\r\n\r\n1\r\nx\r\n0\r\nhost: \
          forbidden.example\r\nx-forwarded-client-cert: x\r\nx-envoy-internal: true\r\ncontent-length: 7\r\n\r\n",
    );
    assert_eq!(client.read().status, 200);
    let seen = site.seen.lock().expect("no panic");
    assert!(seen[0].trailers.is_empty(), "{}", seen[0].trailers);
    assert_eq!(seen[0].body, b"x");
}

/// The ids of all cases.
pub(super) fn ids() -> impl Iterator<Item = &'static str> {
    let tables = BODIES.iter().chain(HEADS).chain(INSIDE).map(|(id, ..)| *id);
    tables.chain(["S10", "S16"])
}
