//! HTTP/2 from clients, case by case (RFC 9113, RFC 7541), in plain text and over TLS: frames that are sent, and what comes of
//! them.

use std::sync::Arc;

use egressctl::cli::demo::origin::{Origin, Received, Reply};
use rustls::ClientConfig;

use crate::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, Outcome, PADDED, PING, PREFACE,
    PRIORITIZED, PRIORITY, PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE, Wire, block, frame,
};
use crate::gateways::{Authority, gateway, server};
use crate::proxied::Proxied;
use crate::stage::{Stage, service_entry};

const PROTOCOL: u32 = 1;
const FLOW_CONTROL: u32 = 3;
const STREAM_CLOSED: u32 = 5;
const FRAME_SIZE: u32 = 6;
const REFUSED: u32 = 7;
const COMPRESSION: u32 = 9;
const CALM: u32 = 11;

fn answer(received: &Received) -> Reply {
    match received.path() {
        "/hang" => Reply::Hang,
        "/large" => Reply::page("200 OK", &[b'x'; 100_000]),
        _ => Reply::page("200 OK", received.head.as_bytes()),
    }
}

fn code(goaway: &Frame) -> u32 {
    u32::from_be_bytes(goaway.payload[4..8].try_into().expect("four bytes"))
}

/// A proxy in front of an origin for a.example, reached in plain text by prior knowledge or over TLS by ALPN.
struct Site {
    proxy: Proxied,
    origin: Origin,
    /// What TLS is begun with, to the gateway's server.
    tls: Option<Arc<ClientConfig>>,
    _scene: Stage,
}

impl Site {
    /// A sidecar, in plain text.
    fn plain() -> Self {
        let origin = Origin::start(None, answer).expect("an origin");
        let scene = Stage::new();
        scene.ok_with(&["create", "-f", "-"], &service_entry("a.example", origin.address));
        Self { proxy: Proxied::start(&scene, &["--workers", "1"]), origin, tls: None, _scene: scene }
    }

    /// A server of the gateway's that ends TLS.
    fn over_tls() -> Self {
        let origin = Origin::start(None, answer).expect("an origin");
        let (scene, authority) = (Stage::new(), Authority::new());
        let (certificate, key) = authority.files(&scene, "a.example", 2020..2120);
        let tls = format!("{{mode: SIMPLE, serverCertificate: {certificate}, privateKey: {key}}}");
        let entry = service_entry("a.example", origin.address);
        let gateway = gateway(&server("a.example", &tls), "a.example");
        scene.ok_with(&["create", "-f", "-"], &format!("{entry}---\n{gateway}"));
        let proxy = Proxied::start(&scene, &["--workers", "1", "--gateway-listen", "127.0.0.1:0=443"]);
        Self { proxy, origin, tls: Some(authority.client()), _scene: scene }
    }

    /// A connection on which nothing of HTTP/2 was sent.
    fn raw(&self) -> Wire {
        match &self.tls {
            None => Wire::raw(self.proxy.address),
            Some(config) => Wire::over_tls(self.proxy.gateway(443), "a.example", Arc::clone(config)),
        }
    }

    /// A connection with the preface and empty settings.
    fn open(&self) -> Wire {
        self.raw().opened()
    }

    fn port(&self) -> u16 {
        if self.tls.is_some() { 443 } else { 80 }
    }

    /// A list of header fields, with the scheme of the connection.
    fn block(&self, fields: &[(&str, &str)]) -> Vec<u8> {
        let of_tls = |field| if field == HTTP { (":scheme", "https") } else { field };
        let fields: Vec<_> =
            fields.iter().map(|field| if self.tls.is_some() { of_tls(*field) } else { *field }).collect();
        block(&fields)
    }

    /// A request without body.
    fn get(&self, stream: u32, path: &str) -> Vec<u8> {
        frame(HEADERS, END_HEADERS | END_STREAM, stream, &self.block(&[GET, HTTP, HOST, (":path", path)]))
    }

    /// The frames of a request without END_STREAM.
    fn post(&self, stream: u32, more: &[(&str, &str)]) -> Vec<u8> {
        let fields = [(":method", "POST"), HTTP, HOST, ROOT];
        frame(HEADERS, END_HEADERS, stream, &self.block(&[&fields, more].concat()))
    }
}

/// The same cases in plain text and over TLS.
macro_rules! both_ways {
    ($($case:ident),+ $(,)?) => {
        mod in_plain_text {
            $(#[test]
            fn $case() {
                super::$case(&super::Site::plain());
            })+
        }
        mod over_tls {
            $(#[test]
            fn $case() {
                super::$case(&super::Site::over_tls());
            })+
        }
    };
}

both_ways! {
    what_breaks_the_connections_rules_ends_it_with_the_right_code,
    a_connection_that_begins_otherwise_is_closed,
    what_need_not_be_understood_is_ignored,
    malformed_requests_are_refused_and_never_forwarded,
    requests_that_keep_the_rules_are_forwarded,
    bodies_have_the_length_that_was_said_and_trailers_are_no_second_head,
    faults_of_one_stream_are_its_own,
    no_more_is_sent_than_the_client_has_room_for,
    a_connection_carries_only_so_many_calls_at_a_time,
    a_client_that_only_makes_work_is_sent_away,
    a_head_that_is_too_large_is_refused_however_small_it_is_sent,
}

/// A setting.
fn setting(name: u16, value: u32) -> Vec<u8> {
    [&name.to_be_bytes()[..], &value.to_be_bytes()].concat()
}

/// What breaks the rules of the connection, and how it ends.
fn faults(site: &Site) -> Vec<(&'static str, Vec<u8>, &'static [u32])> {
    let plain = site.block(&[GET, HTTP, HOST, ROOT]);
    let whole = END_HEADERS | END_STREAM;
    vec![
        // Section 4.2.
        ("a frame that is too large", frame(DATA, 0, 1, &[0; 16_385]), &[FRAME_SIZE]),
        // Section 6.5.
        ("settings of a stream", frame(SETTINGS, 0, 1, &[]), &[PROTOCOL]),
        ("settings that end amid one", frame(SETTINGS, 0, 0, &[0; 5]), &[FRAME_SIZE]),
        ("an acknowledgement with settings", frame(SETTINGS, ACK, 0, &setting(3, 1)), &[FRAME_SIZE]),
        ("push neither on nor off", frame(SETTINGS, 0, 0, &setting(2, 2)), &[PROTOCOL]),
        ("a window that is too large", frame(SETTINGS, 0, 0, &setting(4, 1 << 31)), &[FLOW_CONTROL]),
        ("frames that are too small", frame(SETTINGS, 0, 0, &setting(5, 16_383)), &[PROTOCOL]),
        ("frames that are too large", frame(SETTINGS, 0, 0, &setting(5, 1 << 24)), &[PROTOCOL]),
        // Section 6.1.
        ("data of no stream", frame(DATA, 0, 0, b"x"), &[PROTOCOL]),
        ("data of an idle stream", frame(DATA, 0, 1, b"x"), &[PROTOCOL]),
        (
            "data with more padding than there is",
            [site.post(1, &[]), frame(DATA, PADDED, 1, &[9, 0])].concat(),
            &[PROTOCOL],
        ),
        // Section 6.2 and 5.1.1.
        ("headers of no stream", frame(HEADERS, whole, 0, &plain), &[PROTOCOL]),
        ("a stream of the server's", frame(HEADERS, whole, 2, &plain), &[PROTOCOL]),
        ("a stream that was passed over", [site.get(5, "/"), site.get(3, "/")].concat(), &[PROTOCOL, STREAM_CLOSED]),
        ("headers with more padding than there is", frame(HEADERS, whole | PADDED, 1, &[255, 0]), &[PROTOCOL]),
        (
            "headers too short for their priority",
            frame(HEADERS, whole | PRIORITIZED, 1, &[0; 4]),
            &[PROTOCOL, FRAME_SIZE],
        ),
        // Section 6.3.
        ("a priority of no stream", frame(PRIORITY, 0, 0, &[0; 5]), &[PROTOCOL]),
        // Section 6.4.
        ("a reset of no stream", frame(RST_STREAM, 0, 0, &[0; 4]), &[PROTOCOL]),
        ("a reset of an idle stream", frame(RST_STREAM, 0, 1, &[0; 4]), &[PROTOCOL]),
        ("a reset without its code", [site.get(1, "/hang"), frame(RST_STREAM, 0, 1, &[0; 3])].concat(), &[FRAME_SIZE]),
        // Section 6.6.
        ("a promise of a client", frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2]), &[PROTOCOL]),
        // Section 6.7.
        ("a ping of a stream", frame(PING, 0, 1, &[0; 8]), &[PROTOCOL]),
        ("a ping that is too short", frame(PING, 0, 0, &[0; 7]), &[FRAME_SIZE]),
        // Section 6.8.
        ("a goaway of a stream", frame(GOAWAY, 0, 1, &[0; 8]), &[PROTOCOL]),
        // Section 6.9.
        ("a window opened by nothing", frame(WINDOW_UPDATE, 0, 0, &[0; 4]), &[PROTOCOL]),
        ("a window opened too far", frame(WINDOW_UPDATE, 0, 0, &0x7fff_ffff_u32.to_be_bytes()), &[FLOW_CONTROL]),
        ("a window update that is too short", frame(WINDOW_UPDATE, 0, 0, &[0; 3]), &[FRAME_SIZE]),
        ("a window of an idle stream", frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]), &[PROTOCOL]),
        // Section 6.10.
        ("a continuation of nothing", frame(CONTINUATION, END_HEADERS, 1, &plain), &[PROTOCOL]),
        ("a continuation of no stream", frame(CONTINUATION, END_HEADERS, 0, &plain), &[PROTOCOL]),
        (
            "a continuation of another stream",
            [frame(HEADERS, END_STREAM, 1, &plain), frame(CONTINUATION, END_HEADERS, 3, &[])].concat(),
            &[PROTOCOL],
        ),
        (
            "a ping amid headers",
            [frame(HEADERS, END_STREAM, 1, &plain), frame(PING, 0, 0, &[0; 8])].concat(),
            &[PROTOCOL],
        ),
        (
            "an unknown frame amid headers",
            [frame(HEADERS, END_STREAM, 1, &plain), frame(0x16, 0, 1, &[0; 8])].concat(),
            &[PROTOCOL],
        ),
        // RFC 7541.
        ("a field of no table", frame(HEADERS, whole, 1, &[0x80]), &[COMPRESSION]),
        ("a field beyond the table", frame(HEADERS, whole, 1, &[0xff, 0x80, 0x01]), &[COMPRESSION]),
        ("a field that breaks off", frame(HEADERS, whole, 1, &[0, 5, b'x']), &[COMPRESSION]),
        ("a table beyond the limit", frame(HEADERS, whole, 1, &[0x3f, 0xe2, 0x1f]), &[COMPRESSION]),
        ("a number without end", frame(HEADERS, whole, 1, &[0x7f, 255, 255, 255, 255, 255, 255]), &[COMPRESSION]),
    ]
}

fn what_breaks_the_connections_rules_ends_it_with_the_right_code(site: &Site) {
    let mut neighbour = site.open();
    let mut wrong = Vec::new();
    for (what, bytes, codes) in faults(site) {
        let mut wire = site.open();
        wire.send(&bytes);
        let ended = wire.read_kind(GOAWAY).map(|frame| code(&frame));
        // The general code is said in the place of some others.
        if !ended.is_some_and(|code| code == PROTOCOL || codes.contains(&code)) {
            wrong.push((what, ended));
        }
        assert!(neighbour.lives(), "{what}");
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

fn a_connection_that_begins_otherwise_is_closed(site: &Site) {
    let mut wire = site.raw();
    wire.send(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n");
    assert!(matches!(wire.outcome(1), Outcome::Goaway(PROTOCOL) | Outcome::Closed));
}

fn what_need_not_be_understood_is_ignored(site: &Site) {
    let mut wire = site.open();
    for bytes in [
        frame(SETTINGS, 0, 0, &setting(0x4242, 1)),
        frame(0x16, 0xff, 0, b"unknown"),
        frame(PING, ACK, 0, &[7; 8]),
        frame(PRIORITY, 0, 9, &[0, 0, 0, 0, 1]),
        frame(GOAWAY, 0, 0, &[0; 8]),
    ] {
        wire.send(&bytes);
    }
    assert!(wire.lives());
    let mut wire = site.open();
    let plain = site.block(&[GET, HTTP, HOST, ROOT]);
    // Padding, a priority, and a block in pieces change nothing.
    wire.send(&frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 1, &[&[2], &plain[..], &[0, 0]].concat()));
    assert_eq!(wire.outcome(1), Outcome::Status(200));
    wire.send(&frame(HEADERS, END_HEADERS | END_STREAM | PRIORITIZED, 3, &[&[0, 0, 0, 0, 7], &plain[..]].concat()));
    assert_eq!(wire.outcome(3), Outcome::Status(200));
    wire.send(&frame(HEADERS, END_STREAM, 5, &plain[..10]));
    wire.send(&frame(CONTINUATION, 0, 5, &plain[10..20]));
    wire.send(&frame(CONTINUATION, END_HEADERS, 5, &plain[20..]));
    assert_eq!(wire.outcome(5), Outcome::Status(200));
}

type Fields = &'static [(&'static str, &'static str)];

const GET: (&str, &str) = (":method", "GET");
const HTTP: (&str, &str) = (":scheme", "http");
const HOST: (&str, &str) = (":authority", "a.example");
const ROOT: (&str, &str) = (":path", "/");

/// Requests that are malformed (section 8.1.1): each is refused, and no other.
const MALFORMED: &[Fields] = &[
    &[HTTP, HOST, ROOT],
    &[GET, HTTP, HOST],
    &[GET, HTTP, HOST, (":path", "")],
    &[GET, HTTP, HOST, (":path", "x")],
    &[GET, HTTP, HOST, (":path", "*")],
    &[GET, HTTP, HOST, (":path", "http://a.example/")],
    &[GET, HTTP, HOST, (":path", "/a b")],
    &[GET, HTTP, HOST, (":path", "/a%00")],
    &[GET, GET, HTTP, HOST, ROOT],
    &[GET, HTTP, HOST, ROOT, (":path", "/b")],
    &[GET, HTTP, HOST, HOST, ROOT],
    &[GET, HTTP, HOST, ("x", "y"), ROOT],
    &[GET, HTTP, HOST, ROOT, (":unknown", "x")],
    &[GET, HTTP, HOST, ROOT, (":status", "200")],
    &[GET, HTTP, HOST, ROOT, ("X-Upper", "y")],
    &[GET, HTTP, HOST, ROOT, ("", "y")],
    &[GET, HTTP, HOST, ROOT, ("x y", "z")],
    &[GET, HTTP, HOST, ROOT, ("x:y", "z")],
    &[GET, HTTP, HOST, ROOT, ("x", "y\0z")],
    &[GET, HTTP, HOST, ROOT, ("x", "y\r\nz: 1")],
    &[GET, HTTP, HOST, ROOT, ("connection", "close")],
    &[GET, HTTP, HOST, ROOT, ("keep-alive", "timeout=5")],
    &[GET, HTTP, HOST, ROOT, ("proxy-connection", "keep-alive")],
    &[GET, HTTP, HOST, ROOT, ("transfer-encoding", "chunked")],
    &[GET, HTTP, HOST, ROOT, ("upgrade", "websocket")],
    &[GET, HTTP, HOST, ROOT, ("te", "gzip")],
    &[GET, HTTP, HOST, ROOT, ("content-length", "1")],
    &[GET, HTTP, HOST, ROOT, ("content-length", "x")],
    &[GET, HTTP, HOST, ROOT, ("content-length", "0"), ("content-length", "1")],
    &[("", ""), GET, HTTP, HOST, ROOT],
    // Whom it is for (section 8.3.1).
    &[GET, HTTP, ROOT],
    &[GET, HTTP, (":authority", ""), ROOT],
    &[GET, HTTP, HOST, ROOT, ("host", "b.example")],
    &[GET, HTTP, ROOT, ("host", "a.example"), ("host", "a.example")],
    &[GET, HTTP, (":authority", "user@a.example"), ROOT],
    &[GET, HTTP, (":authority", "a.example:x"), ROOT],
    &[GET, HTTP, (":authority", "a.example/x"), ROOT],
    &[(":method", "G T"), HTTP, HOST, ROOT],
    &[(":method", ""), HTTP, HOST, ROOT],
    // Section 8.5: CONNECT has neither scheme nor path, and names whom it is for.
    &[(":method", "CONNECT"), HTTP, (":authority", "a.example:80"), ROOT],
    &[(":method", "CONNECT")],
];

fn malformed_requests_are_refused_and_never_forwarded(site: &Site) {
    let mut neighbour = site.open();
    let mut wrong = Vec::new();
    for fields in MALFORMED {
        let mut wire = site.open();
        wire.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &site.block(fields)));
        let outcome = wire.outcome(1);
        // Some take the whole connection with them, as section 5.4.1 allows.
        if !matches!(outcome, Outcome::Reset(PROTOCOL) | Outcome::Status(400 | 405) | Outcome::Goaway(PROTOCOL)) {
            wrong.push((fields, outcome));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(site.origin.requests(), 0);
    neighbour.send(&site.get(1, "/"));
    assert_eq!(neighbour.outcome(1), Outcome::Status(200));
}

fn requests_that_keep_the_rules_are_forwarded(site: &Site) {
    let mut wire = site.open();
    let mut stream = 1;
    let with_port = format!("A.example:{}", site.port());
    let requests: [&[(&str, &str)]; 7] = [
        &[GET, HTTP, HOST, ROOT, ("te", "trailers")],
        &[GET, HTTP, HOST, ROOT, ("host", &with_port)],
        &[GET, HTTP, ROOT, ("host", "a.example")],
        &[GET, HTTP, HOST, ROOT, ("content-length", "0")],
        &[GET, HTTP, HOST, ROOT, ("cookie", "a=1"), ("cookie", "b=2"), ("x", "")],
        &[(":method", "OPTIONS"), HTTP, HOST, (":path", "*")],
        // A fragment is dropped before anybody judges the path.
        &[GET, HTTP, HOST, (":path", "/a#b")],
    ];
    for fields in requests {
        wire.send(&frame(HEADERS, END_HEADERS | END_STREAM, stream, &site.block(fields)));
        assert_eq!(wire.outcome(stream), Outcome::Status(200), "{fields:?}");
        stream += 2;
    }
}

fn bodies_have_the_length_that_was_said_and_trailers_are_no_second_head(site: &Site) {
    let mut wire = site.open();
    let mut stream = 1;
    let trailers =
        |fields: &[(&str, &str)], flags, stream| frame(HEADERS, END_HEADERS | flags, stream, &site.block(fields));
    let mut wrong = Vec::new();
    for (what, length, frames) in [
        ("too short", "5", vec![frame(DATA, END_STREAM, 0, b"abc")]),
        ("too long", "2", vec![frame(DATA, END_STREAM, 0, b"abc")]),
        ("too short before trailers", "5", vec![frame(DATA, 0, 0, b"abc"), trailers(&[("x", "y")], END_STREAM, 0)]),
        ("trailers that do not end it", "3", vec![frame(DATA, 0, 0, b"abc"), trailers(&[("x", "y")], 0, 0)]),
    ] {
        wire.send(&site.post(stream, &[("content-length", length)]));
        for mut frame in frames {
            frame[5..9].copy_from_slice(&u32::to_be_bytes(stream));
            wire.send(&frame);
        }
        let outcome = wire.outcome(stream);
        if !matches!(outcome, Outcome::Reset(PROTOCOL) | Outcome::Status(400)) {
            wrong.push((what, outcome));
        }
        stream += 2;
    }
    assert!(wrong.is_empty(), "{wrong:?}");
    wire.send(&site.post(stream, &[("content-length", "3")]));
    wire.send(&frame(DATA, PADDED, stream, b"\x02abc\0\0"));
    wire.send(&trailers(&[("x", "y")], END_STREAM, stream));
    assert_eq!(wire.outcome(stream), Outcome::Status(200));
}

fn faults_of_one_stream_are_its_own(site: &Site) {
    let mut wire = site.open();
    wire.send(&site.get(1, "/hang"));
    wire.send(&frame(WINDOW_UPDATE, 0, 1, &0x7fff_ffff_u32.to_be_bytes()));
    assert_eq!(wire.outcome(1), Outcome::Reset(FLOW_CONTROL), "its window is opened too far");
    wire.send(&site.get(5, "/"));
    assert_eq!(wire.outcome(5), Outcome::Status(200));
    // What comes for a stream after its end (section 5.1).
    wire.send(&[site.get(7, "/"), frame(DATA, 0, 7, b"x")].concat());
    let outcome = wire.outcome(7);
    assert!(
        matches!(outcome, Outcome::Reset(STREAM_CLOSED) | Outcome::Goaway(STREAM_CLOSED | PROTOCOL)),
        "{outcome:?}"
    );
}

fn no_more_is_sent_than_the_client_has_room_for(site: &Site) {
    let mut wire = site.raw();
    wire.send(&[PREFACE, &frame(SETTINGS, 0, 0, &setting(4, 10)), &site.get(1, "/large")].concat());
    let mut received = 0;
    while received < 10 {
        received += wire.read_kind(DATA).expect("it goes on").payload.len();
    }
    assert_eq!(received, 10);
    assert!(wire.lives(), "nothing else comes before the PING is back");
    wire.send(&frame(WINDOW_UPDATE, 0, 1, &20_u32.to_be_bytes()));
    while received < 30 {
        received += wire.read_kind(DATA).expect("it goes on").payload.len();
    }
    assert_eq!(received, 30);
    // A smaller window from the start counts for streams that are open (section 6.9.2); a larger one lets them go on.
    wire.send(&frame(SETTINGS, 0, 0, &setting(4, 60_000)));
    while received < 60_020 {
        received += wire.read_kind(DATA).expect("it goes on").payload.len();
    }
    assert_eq!(received, 60_020);
    wire.send(&site.get(3, "/"));
    assert_eq!(wire.outcome(3), Outcome::Status(200));
}

fn a_connection_carries_only_so_many_calls_at_a_time(site: &Site) {
    let mut wire = site.open();
    let streams: Vec<u32> = (0..200).map(|number| 2 * number + 1).collect();
    for stream in &streams {
        wire.send(&site.get(*stream, "/hang"));
    }
    assert_eq!(wire.outcome(streams[199]), Outcome::Reset(REFUSED));
    assert!(wire.lives());
}

fn a_client_that_only_makes_work_is_sent_away(site: &Site) {
    let mut neighbour = site.open();
    // Opened and reset, over and over (CVE-2023-44487).
    let mut wire = site.open();
    for number in 0..2_000_u32 {
        let stream = 2 * number + 1;
        wire.send(&[site.get(stream, "/hang"), frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat());
    }
    assert!(matches!(wire.outcome(0), Outcome::Goaway(CALM) | Outcome::Closed));
    // Headers without end.
    let mut wire = site.open();
    wire.send(&frame(HEADERS, END_STREAM, 1, &block(&[("x", "y")])));
    for _ in 0..1_000 {
        wire.send(&frame(CONTINUATION, 0, 1, &block(&[("x", &"y".repeat(16_000))])));
    }
    assert!(matches!(wire.outcome(0), Outcome::Goaway(CALM | PROTOCOL) | Outcome::Closed));
    // Empty pieces of headers.
    let mut wire = site.open();
    wire.send(&frame(HEADERS, END_STREAM, 1, &block(&[("x", "y")])));
    for _ in 0..100_000 {
        wire.send(&frame(CONTINUATION, 0, 1, &[]));
    }
    assert!(matches!(wire.outcome(0), Outcome::Goaway(CALM | PROTOCOL) | Outcome::Closed));
    assert!(neighbour.lives());
}

fn a_head_that_is_too_large_is_refused_however_small_it_is_sent(site: &Site) {
    let plain = [GET, HTTP, HOST, ROOT];
    let mut wire = site.open();
    let filler = "y".repeat(15_000);
    let large = site.block(&[&plain[..], &[("x", filler.as_str()); 5]].concat());
    let (first, rest) = large.split_at(16_000);
    wire.send(&frame(HEADERS, END_STREAM, 1, first));
    let pieces: Vec<_> = rest.chunks(16_000).collect();
    for (number, piece) in pieces.iter().enumerate() {
        let flags = if number + 1 == pieces.len() { END_HEADERS } else { 0 };
        wire.send(&frame(CONTINUATION, flags, 1, piece));
    }
    assert_eq!(wire.outcome(1), Outcome::Status(431));
    // One field of the table, named a thousand times.
    let mut kept = site.block(&plain);
    kept.extend([0x40, 1, b'x', 127, 0xc9, 0x1e]);
    kept.extend([b'y'; 4_000]);
    kept.extend([0xbe; 1_000]);
    wire.send(&frame(HEADERS, END_HEADERS | END_STREAM, 3, &kept));
    assert!(matches!(wire.outcome(3), Outcome::Status(431) | Outcome::Goaway(CALM)));
    assert_eq!(site.origin.requests(), 0);
}
