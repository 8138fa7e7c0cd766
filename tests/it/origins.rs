//! Origins that break the rules, break off, or go away: what callers get, what is recorded, and what is tried again.

use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use egressctl::cli::demo::origin::{Identity, Origin, Reply};
use socket2::SockRef;

use crate::frames::{DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM, Wire, block, frame};
use crate::proxied::Proxied;
use crate::raw::{read_message, serving};
use crate::stage::{SCENARIO, Stage, service_entry};

/// How an origin ends a connection.
#[derive(Clone, Copy)]
enum End {
    /// In good order.
    Closed,
    /// With a reset.
    Reset,
}

/// An answer, how the connection ends behind it, the status and the flag that come of it.
type Broken = (&'static str, End, u16, &'static str);

const NO_ANSWER: &[Broken] = &[
    ("", End::Closed, 503, "UC"),
    ("", End::Reset, 503, "UC"),
    ("HTTP/1.1 20", End::Closed, 503, "UC"),
    ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n", End::Closed, 503, "UC"),
    ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n", End::Reset, 503, "UC"),
    ("HTTP/1.1 103 Early Hints\r\n\r\n", End::Closed, 503, "UC"),
    ("ICY 200 OK\r\n\r\n", End::Closed, 502, "UPE"),
    ("HTTP/1.1 20 OK\r\n\r\n", End::Closed, 502, "UPE"),
    ("HTTP/2.0 200 OK\r\n\r\n", End::Closed, 502, "UPE"),
    ("HTTP/1.1 200 OK\r\nx y: z\r\n\r\n", End::Closed, 502, "UPE"),
    ("HTTP/1.1 200 OK\r\nx : z\r\n\r\n", End::Closed, 502, "UPE"),
    ("HTTP/1.1 200 OK\r\nx: a\r\n folded\r\n\r\n", End::Closed, 502, "UPE"),
    ("HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n", End::Closed, 502, "UPE"),
    ("HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", End::Closed, 502, "UPE"),
    ("HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", End::Closed, 502, "UPE"),
    ("HTTP/1.1 200 OK\r\ncontent-length: 5, 6\r\n\r\nhello", End::Closed, 502, "UPE"),
    ("HTTP/1.1 200 OK\r\ncontent-length: 5, 5\r\n\r\nhello", End::Closed, 502, "UPE"),
    ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\nhello", End::Closed, 502, "UPE"),
    ("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nhello", End::Closed, 502, "UPE"),
    ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n", End::Closed, 502, "UPE"),
];

/// Answers that begin well; the caller sees that they do not end well.
const HALF_AN_ANSWER: &[Broken] = &[
    ("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello", End::Closed, 200, "UC"),
    ("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello", End::Reset, 200, "UC"),
    ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", End::Closed, 200, "UC"),
    ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nx\r\n", End::Closed, 200, "UPE"),
    ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello!\r\n", End::Closed, 200, "UPE"),
    ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n", End::Closed, 200, "UPE"),
];

/// An origin that gives the answer whose number is the path.
fn breaking(answers: &'static [Broken]) -> SocketAddr {
    serving(move |stream| {
        let mut reader = BufReader::new(stream);
        let Some(message) = read_message(&mut reader) else { return };
        let number: usize = message.head[5..].split(' ').next().and_then(|path| path.parse().ok()).expect("a number");
        let (answer, end, ..) = answers[number];
        let stream = reader.get_mut();
        let _ = stream.write_all(answer.as_bytes());
        if let End::Reset = end {
            let _ = SockRef::from(&*stream).set_linger(Some(Duration::ZERO));
        }
    })
}

fn stage(manifests: &str) -> Stage {
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    scene.ok_with(&["create", "-f", "-"], manifests);
    scene
}

/// A ServiceEntry for the one host b.example, that answers well.
fn neighbour() -> (Origin, String) {
    let origin = Origin::start(None, |_| Reply::page("200 OK", b"well")).expect("an origin");
    let entry = service_entry("b.example", origin.address);
    (origin, entry)
}

#[test]
fn answers_that_are_none_are_failures_with_a_reason_and_others_go_on() {
    let (_well, entry) = neighbour();
    let scene = stage(&format!("{entry}---\n{}", service_entry("a.example", breaking(NO_ANSWER))));
    let proxy = Proxied::start(&scene, &["--workers", "1"]);
    let mut wrong = Vec::new();
    for (number, (answer, _, status, flag)) in NO_ANSWER.iter().enumerate() {
        let got = proxy.get(&format!("http://a.example/{number}"));
        if got.status != *status {
            wrong.push((answer, got.head));
            continue;
        }
        let entry = scene.wait_for_entry(got.decision());
        if !entry.contains(&format!("\"flag\":\"{flag}\"")) {
            wrong.push((answer, entry));
        }
        assert_eq!(proxy.get("http://b.example/").text(), "well");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn answers_that_break_off_break_off_for_the_caller_too() {
    let (_well, entry) = neighbour();
    let scene = stage(&format!("{entry}---\n{}", service_entry("a.example", breaking(HALF_AN_ANSWER))));
    let proxy = Proxied::start(&scene, &["--workers", "1"]);
    let mut wrong = Vec::new();
    for (number, (answer, _, _, flag)) in HALF_AN_ANSWER.iter().enumerate() {
        let mut client = proxy.connect();
        client.send(format!("GET /{number} HTTP/1.1\r\nhost: a.example\r\n\r\n").as_bytes());
        let (rest, _) = client.rest();
        // Where it breaks off at once not even the head is sent.
        if !(rest.is_empty() || rest.starts_with("HTTP/1.1 200")) || rest.ends_with("0\r\n\r\n") {
            wrong.push((answer, rest));
            continue;
        }
        let entry = scene.wait_for_entry(&format!("\"path\":\"/{number}\""));
        if !entry.contains(&format!("\"flag\":\"{flag}\"")) {
            wrong.push((answer, entry));
        }
        assert_eq!(proxy.get("http://b.example/").text(), "well");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Answers of an origin that closes behind each, and what the caller gets: what is in it, and what is not.
type Passed = (&'static str, &'static [&'static str], &'static [&'static str]);

const PASSED: &[Passed] = &[
    // The end of the connection is the end of the body (RFC 9112 section 6.3).
    ("HTTP/1.1 200 OK\r\n\r\nhello", &["transfer-encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"], &[]),
    ("HTTP/1.0 200 OK\r\n\r\nhello", &["HTTP/1.1 200", "5\r\nhello\r\n0\r\n\r\n"], &[]),
    (
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello, and more",
        &["content-length: 5\r\n", "\r\n\r\nhello"],
        &["more"],
    ),
    ("HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n", &["HTTP/1.1 200"], &[]),
    ("HTTP/1.1 299 Whatever it is\r\ncontent-length: 0\r\n\r\n", &["HTTP/1.1 299"], &[]),
    // What comes before the answer is not passed on (RFC 9110 section 15.2 lets a proxy).
    (
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        &["HTTP/1.1 200", "ok"],
        &["link", "103", "100"],
    ),
    // Answers that have no body whatever they say (RFC 9110 section 6.4.1).
    ("HTTP/1.1 204 No Content\r\n\r\n", &["HTTP/1.1 204"], &["content-length", "transfer-encoding"]),
    (
        "HTTP/1.1 304 Not Modified\r\netag: \"x\"\r\ncontent-length: 5\r\n\r\n",
        &["HTTP/1.1 304", "etag: \"x\"\r\n"],
        &["transfer-encoding"],
    ),
    // What is for one connection (RFC 9110 section 7.6.1).
    (
        "HTTP/1.1 200 OK\r\nconnection: close, X-Hop\r\nx-hop: 1\r\nkeep-alive: timeout=5\r\nproxy-connection: x\r\nproxy-authenticate: \
         Basic\r\nupgrade: h2c\r\nx-end: 2\r\ncontent-length: 2\r\n\r\nok",
        &["x-end: 2\r\n", "ok"],
        &["x-hop", "keep-alive", "proxy-", "upgrade", "h2c"],
    ),
    // Trailers that were announced, to who takes them; those that come too late are dropped.
    (
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum, set-cookie\r\n\r\n5;x=y\r\nhello\r\n0\r\nx-sum: 1\r\nset-cookie: a=b\r\n\
         content-length: 7\r\nx-more: 2\r\n\r\n",
        &["5\r\nhello\r\n0\r\n", "x-sum: 1\r\n"],
        &["a=b", "content-length", "x=y", "x-more"],
    ),
];

#[test]
fn answers_that_keep_the_rules_are_passed_on_in_one_form() {
    let origin = serving(|stream| {
        let mut reader = BufReader::new(stream);
        let Some(message) = read_message(&mut reader) else { return };
        let number: usize = message.head[5..].split(' ').next().and_then(|path| path.parse().ok()).expect("a number");
        let _ = reader.get_mut().write_all(PASSED[number].0.as_bytes());
    });
    let scene = stage(&service_entry("a.example", origin));
    let proxy = Proxied::start(&scene, &[]);
    let mut wrong = Vec::new();
    for (number, (answer, present, absent)) in PASSED.iter().enumerate() {
        let mut client = proxy.connect();
        client.send(
            format!("GET /{number} HTTP/1.1\r\nhost: a.example\r\nte: trailers\r\nconnection: close, te\r\n\r\n")
                .as_bytes(),
        );
        let (rest, ended) = client.rest();
        let rest = rest.replacen("connection: close\r\n", "", 1);
        if !ended || present.iter().any(|part| !rest.contains(part)) || absent.iter().any(|part| rest.contains(part)) {
            wrong.push((answer, rest));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_head_of_an_answer_tells_of_a_body_that_does_not_come() {
    let origin = Origin::start(None, |received| match received.head.starts_with("HEAD ") {
        true => Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n".to_vec()),
        false => Reply::page("200 OK", b"hello"),
    });
    let origin = origin.expect("an origin");
    let scene = stage(&service_entry("a.example", origin.address));
    let proxy = Proxied::start(&scene, &["--workers", "1"]);
    let mut client = proxy.connect();
    for _ in 0..3 {
        client.send(b"HEAD / HTTP/1.1\r\nhost: a.example\r\n\r\n");
        assert!(client.read_head().contains("content-length: 5\r\n"));
        assert_eq!(client.get("http://a.example/").text(), "hello");
    }
    assert_eq!(origin.connections(), 1);
}

#[test]
fn an_answer_that_comes_before_the_request_has_ended_is_passed_on() {
    let origin = serving(|mut stream| {
        let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            if std::io::BufRead::read_line(&mut reader, &mut line).is_err() {
                return;
            }
        }
        let _ = stream.write_all(b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    });
    let scene = stage(&service_entry("a.example", origin));
    let proxy = Proxied::start(&scene, &[]);
    let mut client = proxy.connect();
    client.send(b"POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 10\r\n\r\nhello");
    assert_eq!(client.read().status, 413);
}

#[test]
fn a_head_without_end_costs_no_more_than_it_may() {
    let origin = serving(|mut stream| {
        let _ = std::io::Read::read(&mut stream, &mut [0; 1_024]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream.write_all(&[b"x: ".as_slice(), &[b'y'; 8_000], b"\r\n"].concat()).is_ok() {}
    });
    let hints = serving(|mut stream| {
        let _ = std::io::Read::read(&mut stream, &mut [0; 1_024]);
        for _ in 0..2_000 {
            let _ = stream.write_all(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n");
        }
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        let _ = std::io::Read::read(&mut stream, &mut [0; 1_024]);
    });
    let scene = stage(&format!("{}---\n{}", service_entry("a.example", origin), service_entry("b.example", hints)));
    let proxy = Proxied::start(&scene, &[]);
    assert_eq!(proxy.get("http://a.example/").status, 502);
    assert_eq!(proxy.get("http://b.example/").text(), "ok");
}

#[test]
fn an_end_of_tls_that_was_not_said_is_no_end_of_a_body() {
    let identity = Identity::new(&["a.example"], 2020..2120).expect("a certificate");
    // It closes the socket, and TLS not at all: anybody on the way could have cut it there.
    let origin = Origin::start(Some(&identity), |received| {
        Reply::Last(match received.path() {
            "/sized" => b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello".to_vec(),
            _ => b"HTTP/1.1 200 OK\r\n\r\nhello".to_vec(),
        })
    });
    let origin = origin.expect("an origin");
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    let ca = scene.write("ca.pem", &identity.ca_pem);
    let rule = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: a}\nspec: {host: a.example, \
                trafficPolicy: {tls: {mode: SIMPLE}}}\n---\n";
    scene.ok_with(&["create", "-f", "-"], &format!("{rule}{}", service_entry("a.example", origin.address)));
    let proxy = Proxied::start(&scene, &["--ca-file", &ca]);
    assert_eq!(proxy.get("http://a.example/sized").text(), "hello");
    let mut client = proxy.connect();
    client.send(b"GET /cut HTTP/1.1\r\nhost: a.example\r\n\r\n");
    let (rest, _) = client.rest();
    assert!(rest.contains("hello") && !rest.ends_with("0\r\n\r\n"), "{rest}");
    assert!(scene.wait_for_entry("\"path\":\"/cut\"").contains("\"flag\":\"UC\""));
}

/// An origin of HTTP/2 that does with the first call on its first connection as it is told, and answers all others with 200;
/// how many calls it has seen.
fn multiplexed(first: fn(&mut Wire, u32)) -> (SocketAddr, Arc<AtomicUsize>) {
    let seen = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&seen);
    let address = serving(move |stream: TcpStream| {
        let Some(mut wire) = Wire::accepted(stream) else { return };
        let mut call = 0;
        while let Some(read) = wire.read() {
            if read.kind == HEADERS {
                call = count.fetch_add(1, Ordering::AcqRel) + 1;
            }
            if read.flags & END_STREAM == 0 || !matches!(read.kind, HEADERS | DATA) {
                continue;
            }
            if call == 1 {
                first(&mut wire, read.stream);
            } else {
                wire.send(&frame(HEADERS, END_HEADERS | END_STREAM, read.stream, &block(&[(":status", "200")])));
            }
        }
    });
    (address, seen)
}

fn multiplexed_entry(origin: SocketAddr) -> String {
    service_entry("a.example", origin).replace("protocol: HTTP,", "protocol: HTTP2,")
}

const CODE_INTERNAL: [u8; 4] = [0, 0, 0, 2];
const CODE_REFUSED: [u8; 4] = [0, 0, 0, 7];

#[test]
fn what_an_origin_of_http_2_says_it_has_not_begun_with_is_tried_again() {
    for first in [
        |wire: &mut Wire, stream: u32| wire.send(&frame(RST_STREAM, 0, stream, &CODE_REFUSED)),
        // It goes away, and this call is behind the last that it will see to.
        |wire: &mut Wire, _| wire.send(&frame(GOAWAY, 0, 0, &[0; 8])),
    ] {
        let (origin, seen) = multiplexed(first);
        let scene = stage(&multiplexed_entry(origin));
        let proxy = Proxied::start(&scene, &["--workers", "1"]);
        let mut client = proxy.connect();
        // Though it may not be repeated otherwise, and has a body.
        client.send(b"POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 5\r\n\r\nhello");
        assert_eq!(client.read().status, 200);
        assert_eq!(seen.load(Ordering::Acquire), 2);
    }
}

#[test]
fn what_an_origin_of_http_2_may_have_acted_on_is_not_tried_again() {
    type Case = (fn(&mut Wire, u32), u16, &'static str);
    let cases: [Case; 4] = [
        (|wire, stream| wire.send(&frame(RST_STREAM, 0, stream, &CODE_INTERNAL)), 503, "UR"),
        // It goes away, and has seen to this call.
        (
            |wire, stream| {
                wire.send(&frame(GOAWAY, 0, 0, &[&stream.to_be_bytes()[..], &[0; 4]].concat()));
                wire.close();
            },
            503,
            "UC",
        ),
        (|wire, _| wire.close(), 503, "UC"),
        // Frames that nobody may send.
        (|wire, _| wire.send(&frame(DATA, 0, 0, b"x")), 502, "UPE"),
    ];
    for (first, status, flag) in cases {
        let (origin, seen) = multiplexed(first);
        let scene = stage(&multiplexed_entry(origin));
        let proxy = Proxied::start(&scene, &["--workers", "1"]);
        let mut client = proxy.connect();
        client.send(b"POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 5\r\n\r\nhello");
        let answer = client.read();
        assert_eq!(answer.status, status, "{flag}: {}", answer.text());
        let entry = scene.wait_for_entry(answer.decision());
        assert!(entry.contains(&format!("\"flag\":\"{flag}\"")), "{entry}");
        assert_eq!(seen.load(Ordering::Acquire), 1);
        // The next call finds its way.
        assert_eq!(client.get("http://a.example/").status, 200);
    }
}

#[test]
fn an_answer_of_http_2_that_is_reset_breaks_off() {
    let (origin, _) = multiplexed(|wire, stream| {
        wire.send(&frame(HEADERS, END_HEADERS, stream, &block(&[(":status", "200")])));
        wire.send(&frame(DATA, 0, stream, b"hello"));
        wire.send(&frame(RST_STREAM, 0, stream, &CODE_INTERNAL));
    });
    let scene = stage(&multiplexed_entry(origin));
    let proxy = Proxied::start(&scene, &["--workers", "1"]);
    let mut client = proxy.connect();
    client.send(b"GET /half HTTP/1.1\r\nhost: a.example\r\n\r\n");
    let (rest, _) = client.rest();
    assert!(!rest.ends_with("0\r\n\r\n"), "{rest}");
    assert!(scene.wait_for_entry("\"path\":\"/half\"").contains("\"flag\":\"UR\""));
}

#[test]
fn a_caller_may_send_all_of_a_request_before_it_reads_an_answer_that_came_early() {
    const LARGE: usize = 16 << 20;
    let origin = serving(|mut stream| {
        let mut begun = [0; 1_024];
        let first = std::io::Read::read(&mut stream, &mut begun).unwrap_or_default();
        let mut writer = stream.try_clone().expect("a socket");
        let answering = std::thread::spawn(move || {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {LARGE}\r\n\r\n");
            writer.write_all(head.as_bytes()).and_then(|()| writer.write_all(&vec![b'y'; LARGE])).is_ok()
        });
        let (mut read, mut buffer) = (first, vec![0; 1 << 16]);
        while read < LARGE {
            match std::io::Read::read(&mut stream, &mut buffer) {
                Ok(more @ 1..) => read += more,
                _ => break,
            }
        }
        let _ = answering.join();
    });
    let scene = stage(&service_entry("a.example", origin));
    let proxy = Proxied::start(&scene, &[]);
    let mut client = proxy.connect();
    client.send(format!("POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: {LARGE}\r\n\r\n").as_bytes());
    client.send(&vec![b'x'; LARGE]);
    let answer = client.read();
    assert_eq!((answer.status, answer.body.len()), (200, LARGE));
}

#[test]
fn a_connection_whose_answer_is_in_doubt_carries_no_other_call() {
    for head in [
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\ncontent-length: 42\r\n\r\n",
        "HTTP/1.1 204 No Content\r\ncontent-length: 42\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n",
    ] {
        let connections = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&connections);
        let origin = serving(move |mut stream| {
            count.fetch_add(1, Ordering::AcqRel);
            while std::io::Read::read(&mut stream, &mut [0; 1_024]).is_ok_and(|read| read > 0) {
                if stream.write_all(head.as_bytes()).is_err() {
                    return;
                }
            }
        });
        let scene = stage(&service_entry("a.example", origin));
        let proxy = Proxied::start(&scene, &[]);
        for _ in 0..3 {
            proxy.get("http://a.example/");
        }
        assert_eq!(connections.load(Ordering::Acquire), 3, "{head}");
    }
}
