//! HTTP/1.1 from clients, case by case (RFC 9112, and what RFC 9110 asks of intermediaries): what is sent byte by byte,
//! what is answered, and what an origin gets to see.

use crate::proxied::{Client, Proxied};
use crate::raw::echoing;
use crate::stage::{Stage, service_entry};

/// A second request, which stands behind each case: where the first is refused, nobody may take this for one.
const SECOND: &str = "GET /second HTTP/1.1\r\nhost: a.example\r\n\r\n";

struct Site {
    scene: Stage,
    proxy: Proxied,
    seen: std::sync::Arc<std::sync::Mutex<Vec<crate::raw::Message>>>,
}

impl Site {
    fn new(arguments: &[&str]) -> Self {
        let (address, seen) = echoing();
        let scene = Stage::new();
        scene.ok_with(&["create", "-f", "-"], &service_entry("a.example", address));
        let proxy = Proxied::start(&scene, arguments);
        Self { scene, proxy, seen }
    }

    fn connect(&self) -> Client {
        self.proxy.connect()
    }

    /// Whether an origin has ever seen this in a request.
    fn saw(&self, text: &str) -> bool {
        self.seen.lock().expect("no panic").iter().any(|message| message.head.contains(text))
    }
}

/// What stands between `POST / HTTP/1.1`, a Host, and the end of the head; and the body.
const FRAMINGS: &[(&str, &str)] = &[
    ("content-length: 5\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n"),
    ("transfer-encoding: chunked\r\ncontent-length: 5\r\n", "0\r\n\r\n"),
    ("content-length: 5\r\ntransfer-encoding: identity\r\n", "hello"),
    ("content-length: 5\r\ncontent-length: 6\r\n", "hello"),
    ("content-length: 5\r\ncontent-length: 5\r\n", "hello"),
    ("content-length: 5, 5\r\n", "hello"),
    ("content-length: +5\r\n", "hello"),
    ("content-length: -5\r\n", "hello"),
    ("content-length: 0x5\r\n", "hello"),
    ("content-length: 5 5\r\n", "hello"),
    ("content-length:\r\n", ""),
    ("content-length: 18446744073709551616\r\n", ""),
    ("content-length: 18446744073709551621\r\n", "hello"),
    ("content-length : 5\r\n", "hello"),
    ("content-length: 5\n", "hello"),
    ("x: y\n\ncontent-length: 5\r\n", "hello"),
    ("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n"),
    ("transfer-encoding: chunked, chunked\r\n", "0\r\n\r\n"),
    ("transfer-encoding: gzip, chunked\r\n", "0\r\n\r\n"),
    ("transfer-encoding: chunked, gzip\r\n", "0\r\n\r\n"),
    ("transfer-encoding: gzip\r\n", "0\r\n\r\n"),
    ("transfer-encoding: xchunked\r\n", "0\r\n\r\n"),
    ("transfer-encoding: \"chunked\"\r\n", "0\r\n\r\n"),
    ("transfer-encoding: chunked;a=b\r\n", "0\r\n\r\n"),
    ("transfer-encoding:\u{b}chunked\r\n", "0\r\n\r\n"),
    ("transfer-encoding\u{b}: chunked\r\n", "0\r\n\r\n"),
    ("transfer-encoding : chunked\r\n", "0\r\n\r\n"),
    ("transfer-encoding:\r\n chunked\r\n", "0\r\n\r\n"),
    ("x: y\r\n\ttransfer-encoding: chunked\r\n", "0\r\n\r\n"),
    ("x: y\rtransfer-encoding: chunked\r\n", "0\r\n\r\n"),
    ("transfer-encoding: chunked\r\n", "\r\n0\r\n\r\n"),
    ("transfer-encoding: chunked\r\n", "x\r\n"),
    ("transfer-encoding: chunked\r\n", "-1\r\n\r\n"),
    ("transfer-encoding: chunked\r\n", "0x5\r\nhello\r\n0\r\n\r\n"),
    ("transfer-encoding: chunked\r\n", "5 5\r\nhello\r\n0\r\n\r\n"),
    ("transfer-encoding: chunked\r\n", "5\nhello\r\n0\r\n\r\n"),
    ("transfer-encoding: chunked\r\n", "5\rhello\r\n0\r\n\r\n"),
    ("transfer-encoding: chunked\r\n", "5\r\nhello!\r\n0\r\n\r\n"),
    ("transfer-encoding: chunked\r\n", "5\r\nhello\n0\r\n\r\n"),
    ("transfer-encoding: chunked\r\n", "5;a\nb\r\nhello\r\n0\r\n\r\n"),
    ("transfer-encoding: chunked\r\n", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
    ("transfer-encoding: chunked\r\n", "0\r\na: b\n\r\n"),
    ("transfer-encoding: chunked\r\n", "0\r\n\n"),
];

#[test]
fn what_ends_in_two_places_is_refused_and_nothing_behind_it_is_a_request() {
    let site = Site::new(&[]);
    for (fields, body) in FRAMINGS {
        let mut client = site.connect();
        client.send(format!("POST /first HTTP/1.1\r\nhost: a.example\r\n{fields}\r\n{body}{SECOND}").as_bytes());
        let answer = client.read();
        assert_eq!(answer.status, 400, "{fields:?} {body:?}: {}", answer.head);
        assert!(client.closed(), "{fields:?} {body:?}");
    }
    assert!(!site.saw("/second"));
    let entry = site.scene.wait_for_entry("both Transfer-Encoding and Content-Length");
    assert!(entry.contains("\"flag\":\"DPE\""), "{entry}");
}

/// Heads that are refused for other reasons.
const HEADS: &[&str] = &[
    // Request lines.
    "GET  / HTTP/1.1\r\nhost: a.example\r\n\r\n",
    "GET\t/ HTTP/1.1\r\nhost: a.example\r\n\r\n",
    "GET /  HTTP/1.1\r\nhost: a.example\r\n\r\n",
    "GET / HTTP/1.1 \r\nhost: a.example\r\n\r\n",
    " GET / HTTP/1.1\r\nhost: a.example\r\n\r\n",
    "GET / HTTP/1.1\nhost: a.example\r\n\r\n",
    "GET /\r\nhost: a.example\r\n\r\n",
    "GET / HTTP/1.2\r\nhost: a.example\r\n\r\n",
    "GET / HTTP/2.0\r\nhost: a.example\r\n\r\n",
    "GET / HTTP/0.9\r\nhost: a.example\r\n\r\n",
    "GET / http/1.1\r\nhost: a.example\r\n\r\n",
    "GET / HTTP/11\r\nhost: a.example\r\n\r\n",
    "get / HTTP/1.1\r\nhost: a.example\r\n\r\n",
    "Delete / HTTP/1.1\r\nhost: a.example\r\n\r\n",
    "G(T / HTTP/1.1\r\nhost: a.example\r\n\r\n",
    "/ HTTP/1.1\r\nhost: a.example\r\n\r\n",
    // Targets.
    "GET /a b HTTP/1.1\r\nhost: a.example\r\n\r\n",
    "GET a.example HTTP/1.1\r\nhost: a.example\r\n\r\n",
    "GET * HTTP/1.1\r\nhost: a.example\r\n\r\n",
    "GET /a#b HTTP/1.1\r\nhost: a.example\r\n\r\n",
    "GET /a%00b HTTP/1.1\r\nhost: a.example\r\n\r\n",
    "GET https://a.example/ HTTP/1.1\r\nhost: a.example\r\n\r\n",
    "GET ftp://a.example/ HTTP/1.1\r\nhost: a.example\r\n\r\n",
    "GET http:///a HTTP/1.1\r\nhost: a.example\r\n\r\n",
    "GET http://user@a.example/ HTTP/1.1\r\nhost: a.example\r\n\r\n",
    "GET http://b.example:80@a.example/ HTTP/1.1\r\nhost: a.example\r\n\r\n",
    "GET http://a.example:99999/ HTTP/1.1\r\nhost: a.example\r\n\r\n",
    "GET http://a.ex%61mple/ HTTP/1.1\r\nhost: a.example\r\n\r\n",
    // Hosts.
    "GET http://a.example/ HTTP/1.1\r\nhost: b.example\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nhost:\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: a.example\r\nhost: a.example\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: a.example\r\nHost: b.example\r\n\r\n",
    "GET http://a.example/ HTTP/1.1\r\nhost: a.example\r\nhost: b.example\r\n\r\n",
    "GET http://a.example/ HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: a.example, b.example\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: user@a.example\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: a.example:http\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: a.example:0\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: a.example/x\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: a..example\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: [::1\r\n\r\n",
    // Fields.
    "GET / HTTP/1.1\r\nhost : a.example\r\n\r\n",
    "GET / HTTP/1.1\r\n host: a.example\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: a.example\r\n: b\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: a.example\r\nno colon\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: a.example\r\nx y: z\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: a.example\r\nx(y): z\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: a.example\r\nx: a\0b\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: a.example\r\nx: a\rb\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: a.example\r\nx: a\u{7f}b\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: a.example\r\nx: a\r\n folded\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: a.example\n\r\n",
    "GET / HTTP/1.1\r\nhost: a.example\r\n\n",
    // A transfer coding that its version does not have.
    "POST / HTTP/1.0\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    // CONNECT has no body, and no path.
    "CONNECT a.example:80 HTTP/1.1\r\nhost: a.example:80\r\ncontent-length: 1\r\n\r\n.",
    "CONNECT /a HTTP/1.1\r\nhost: a.example\r\n\r\n",
    "CONNECT a.example HTTP/1.1\r\nhost: a.example\r\n\r\n",
];

#[test]
fn heads_that_break_the_rules_are_refused_and_the_connection_is_over() {
    let site = Site::new(&[]);
    for head in HEADS {
        let mut client = site.connect();
        client.send(format!("{head}{SECOND}").as_bytes());
        let answer = client.read();
        assert_eq!(answer.status, 400, "{head:?}: {}", answer.head);
        assert!(answer.head.to_ascii_lowercase().contains("connection: close"), "{head:?}: {}", answer.head);
        assert!(client.closed(), "{head:?}");
    }
    assert!(!site.saw("HTTP"), "none of it is forwarded");
}

#[test]
fn heads_have_a_most_of_fields_and_of_bytes() {
    let site = Site::new(&[]);
    let fields = |count: usize| (0..count).map(|number| format!("x-{number}: y\r\n")).collect::<String>();
    for (head, statuses) in [
        (format!("GET / HTTP/1.1\r\nhost: a.example\r\n{}\r\n", fields(99)), &[200][..]),
        (format!("GET / HTTP/1.1\r\nhost: a.example\r\n{}\r\n", fields(100)), &[431]),
        (format!("GET / HTTP/1.1\r\nhost: a.example\r\nx: {}\r\n\r\n", "y".repeat(60_000)), &[200]),
        (format!("GET / HTTP/1.1\r\nhost: a.example\r\nx: {}\r\n\r\n", "y".repeat(66_000)), &[431]),
        // Which of them depends on whether its end has been seen.
        (format!("GET /{} HTTP/1.1\r\nhost: a.example\r\n\r\n", "y".repeat(66_000)), &[414, 431]),
    ] {
        let mut client = site.connect();
        client.send(head.as_bytes());
        let status = client.read().status;
        assert!(statuses.contains(&status), "{} bytes: {status}", head.len());
    }
}

/// What is sent, what an origin must see of it, and what it must not.
type Forwarded = (&'static str, &'static [&'static str], &'static [&'static str]);

const FORWARDED: &[Forwarded] = &[
    // Empty lines before a request (RFC 9112 section 2.2).
    ("\r\n\r\nGET /x HTTP/1.1\r\nhost: a.example\r\n\r\n", &["GET /x HTTP/1.1\r\n"], &[]),
    // Methods are words like others.
    ("M-SEARCH /x HTTP/1.1\r\nhost: a.example\r\n\r\n", &["M-SEARCH /x HTTP/1.1\r\n"], &[]),
    ("OPTIONS * HTTP/1.1\r\nhost: a.example\r\n\r\n", &["OPTIONS * HTTP/1.1\r\n", "host: a.example\r\n"], &[]),
    // Absolute form (RFC 9112 section 3.2.2), whose host the header must say too.
    (
        "GET http://A.example HTTP/1.1\r\nhost: a.EXAMPLE:80\r\n\r\n",
        &["GET / HTTP/1.1\r\n", "host: a.example\r\n"],
        &[],
    ),
    ("GET HTTP://a.example/x HTTP/1.1\r\nhost: a.example\r\n\r\n", &["GET /x HTTP/1.1\r\n"], &[]),
    ("GET http://a.example?x HTTP/1.1\r\nhost: a.example\r\n\r\n", &["GET /?x HTTP/1.1\r\n"], &[]),
    ("GET http://a.example/ HTTP/1.0\r\n\r\n", &["GET / HTTP/1.1\r\n", "host: a.example\r\n"], &[]),
    ("GET / HTTP/1.0\r\nhost: a.example\r\n\r\n", &["GET / HTTP/1.1\r\n"], &[]),
    // White space around values, letters beyond ASCII, values of nothing.
    (
        "GET / HTTP/1.1\r\nhost:a.example\t \r\nx:\r\ny: \u{e4}\r\n\r\n",
        &["host: a.example\r\n", "x: \r\n", "y: \u{e4}\r\n"],
        &[],
    ),
    // Bodies.
    (
        "POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 005\r\n\r\nhello",
        &["content-length: 5\r\n", "hello"],
        &[],
    ),
    ("GET / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 5\r\n\r\nhello", &["content-length: 5\r\n", "hello"], &[]),
    ("POST / HTTP/1.0\r\nhost: a.example\r\ncontent-length: 5\r\n\r\nhello", &["hello"], &[]),
    (
        "POST / HTTP/1.1\r\nhost: a.example\r\nTransfer-Encoding: Chunked\r\n\r\n2;x=y;\"z\"\r\nhe\r\n03 \r\nllo\r\n00\r\n\r\n",
        &["transfer-encoding: chunked\r\n", "hello"],
        &["z", "content-length"],
    ),
    // Trailers may be dropped (RFC 9110 section 6.5.1), and those that would frame or route must be.
    (
        "POST / HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n0\r\nx-sum: 1\r\nhost: b.example\r\n\
         content-length: 7\r\n\r\n",
        &["transfer-encoding: chunked\r\n"],
        &["x-sum", "b.example", "content-length"],
    ),
    // What is for one connection stays on it (RFC 9110 section 7.6.1).
    (
        "GET / HTTP/1.1\r\nhost: a.example\r\nconnection: x-one, keep-alive\r\nconnection: X-Two,, te\r\nx-one: 1\r\nx-two: 2\r\n\
         keep-alive: timeout=5\r\nproxy-connection: keep-alive\r\nte: trailers, deflate\r\nproxy-authorization: Basic eDp5\r\n\
         proxy-authenticate: x\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\ntrailer: x-sum\r\nx-three: 3\r\n\r\n",
        &["x-three: 3\r\n"],
        &["x-one", "x-two", "keep-alive", "te:", "proxy", "upgrade", "trailer", "connection"],
    ),
    // What frames and routes cannot be declared to be for one connection.
    (
        "POST / HTTP/1.1\r\nhost: a.example\r\nconnection: host, content-length\r\ncontent-length: 5\r\n\r\nhello",
        &["host: a.example\r\n", "content-length: 5\r\n", "hello"],
        &["connection"],
    ),
    (
        "POST / HTTP/1.1\r\nhost: a.example\r\nconnection: transfer-encoding\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        &["transfer-encoding: chunked\r\n", "hello"],
        &["connection"],
    ),
    // Expectations are met here, and not asked for twice.
    ("GET / HTTP/1.1\r\nhost: a.example\r\nexpect: 100-continue\r\n\r\n", &["GET / HTTP/1.1\r\n"], &[]),
];

#[test]
fn what_keeps_the_rules_is_forwarded_in_one_form() {
    let site = Site::new(&[]);
    for (request, present, absent) in FORWARDED {
        let mut client = site.connect();
        client.send(request.as_bytes());
        let answer = client.read();
        assert_eq!(answer.status, 200, "{request:?}: {}", answer.head);
        let seen = answer.text();
        for present in *present {
            assert!(seen.contains(present), "{request:?}: {present:?} is missing in {seen:?}");
        }
        for absent in *absent {
            assert!(!seen.contains(absent), "{request:?}: {absent:?} is in {seen:?}");
        }
    }
}

#[test]
fn requests_that_are_sent_ahead_are_answered_in_their_order() {
    let site = Site::new(&[]);
    let mut client = site.connect();
    let body = "POST /2 HTTP/1.1\r\nhost: a.example\r\ncontent-length: 4\r\n\r\nGET \r\n";
    let chunks = "POST /3 HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n3\r\n0\r\n\r\n0\r\n\r\n";
    client.send(format!("GET /1 HTTP/1.1\r\nhost: a.example\r\n\r\n{body}{chunks}{SECOND}").as_bytes());
    for line in ["GET /1 ", "POST /2 ", "POST /3 ", "GET /second "] {
        assert!(client.read().text().starts_with(line), "{line}");
    }
    // What is sent ahead of a request that is refused is answered.
    client.send(b"GET /5 HTTP/1.1\r\nhost: a.example\r\n\r\nGET /6#x HTTP/1.1\r\nhost: a.example\r\n\r\n");
    assert_eq!([client.read().status, client.read().status], [200, 400]);
    assert!(client.closed());
}

#[test]
fn more_may_be_sent_ahead_than_is_read_ahead() {
    let site = Site::new(&[]);
    let mut client = site.connect();
    let padding = "y".repeat(1_000);
    let asked: String =
        (0..200).map(|n| format!("GET /{n} HTTP/1.1\r\nhost: a.example\r\nx: {padding}\r\n\r\n")).collect();
    client.send(asked.as_bytes());
    for n in 0..200 {
        assert!(client.read().text().starts_with(&format!("GET /{n} ")), "{n}");
    }
}

#[test]
fn empty_lines_before_a_request_are_few_and_take_no_longer_than_a_head() {
    let site = Site::new(&["--header-timeout", "1s"]);
    let mut client = site.connect();
    client.send(b"\r\n\r\n\r\n\r\n\r\n");
    assert_eq!(client.read().status, 400);
    assert!(client.closed());
    // Nothing was asked, so nothing is answered.
    let mut client = site.connect();
    client.send(format!("{SECOND}\r\n").as_bytes());
    assert_eq!(client.read().status, 200);
    assert!(client.closed());
}

#[test]
fn heads_and_bodies_may_come_byte_by_byte() {
    let site = Site::new(&[]);
    let mut client = site.connect();
    let request = "POST /x HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\n\r\n";
    for byte in format!("{request}{SECOND}").as_bytes() {
        client.send(&[*byte]);
    }
    assert!(client.read().text().ends_with("hello"));
    assert!(client.read().text().starts_with("GET /second "));
    let refused = "POST /x HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n";
    for byte in refused.as_bytes() {
        client.send(&[*byte]);
    }
    assert_eq!(client.read().status, 400);
}

#[test]
fn connections_are_kept_and_closed_as_their_version_and_both_sides_say() {
    let site = Site::new(&[]);
    for (head, kept) in [
        ("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nhost: a.example\r\nconnection: keep-alive, CLOSE\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\nconnection: keep-alive\r\n\r\n", false),
        ("GET / HTTP/1.0\r\nhost: a.example\r\n\r\n", false),
        ("GET / HTTP/1.0\r\nhost: a.example\r\nconnection: keep-alive\r\n\r\n", true),
    ] {
        let mut client = site.connect();
        client.send(head.as_bytes());
        let answer = client.read();
        assert_eq!(answer.status, 200, "{head:?}");
        if kept {
            assert!(client.get("http://a.example/again").text().starts_with("GET /again "), "{head:?}");
        } else {
            assert!(client.closed(), "{head:?}");
        }
    }
}

#[test]
fn a_client_that_waits_for_100_is_told_to_go_on_before_its_body_is_read() {
    let site = Site::new(&[]);
    let mut client = site.connect();
    client.send(b"POST / HTTP/1.1\r\nhost: a.example\r\nexpect: 100-Continue\r\ncontent-length: 5\r\n\r\n");
    assert!(client.read_head().starts_with("HTTP/1.1 100 "));
    client.send(b"hello");
    let seen = client.read().text();
    assert!(seen.ends_with("hello"), "{seen}");
    // Where the answer does not depend on the body nobody has to send it.
    let mut client = site.connect();
    client.send(b"POST / HTTP/1.1\r\nhost: unknown.example\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n");
    assert_eq!(client.read().status, 502);
}
