//! Going on in another protocol.

use std::io::{BufReader, Write as _};
use std::sync::{Arc, Mutex};

use super::{Site, denying};
use crate::proxied::Proxied;
use crate::raw::{read_message, serving};
use crate::stage::{Stage, service_entry};

/// Id, and the lines of a GET for `/public` that asks for something else than HTTP/1.1.
const ASKED: &[(&str, &str)] = &[
    ("U1", "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAARAAAAAAAIAAAAA"),
    ("U1", "connection: upgrade\r\nupgrade: H2C"),
    ("U1", "connection: upgrade\r\nupgrade: h2"),
    ("U1", "connection: upgrade\r\nupgrade: HTTP/2.0"),
    ("U1", "connection: upgrade\r\nupgrade: websocket, h2c"),
    ("U1", "connection: upgrade\r\nupgrade: h2c\r\nupgrade: websocket"),
    ("U1", "upgrade: h2c\r\nhttp2-settings: AAMAAABk"),
    ("U2", "connection: upgrade\r\nupgrade: TLS/1.2"),
    ("U2", "connection: upgrade\r\nupgrade: tls"),
    ("U3", "upgrade: websocket"),
    ("U3", "connection: keep-alive\r\nupgrade: websocket"),
    ("U3", "connection: upgrade\r\nupgrade: web socket"),
    ("U3", "connection: upgrade\r\nupgrade:"),
    ("U3", "connection: upgrade\r\nupgrade: websocket;x"),
    ("U3", "connection: upgrade"),
];

#[test]
fn what_nobody_would_judge_further_is_never_asked_for() {
    let site = Site::new(&[]);
    for (id, lines) in ASKED {
        let mut client = site.proxy.connect();
        client.send(format!("GET /public HTTP/1.1\r\nhost: a.example\r\n{lines}\r\n\r\n").as_bytes());
        let answer = client.read();
        assert_eq!(answer.status, 200, "{id} {lines}");
        let text = answer.text().to_ascii_lowercase();
        assert!(!text.contains("upgrade") && !text.contains("http2-settings"), "{id} {lines}: {text}");
        // What stands behind is a request like all others.
        client.send(b"GET /admin HTTP/1.1\r\nhost: a.example\r\n\r\n");
        assert_eq!(client.read().status, 403, "{id} {lines}");
    }
}

/// An origin that answers every request in one way, and what it has received.
fn answering(answer: &'static str) -> (Stage, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::<Mutex<Vec<String>>>::default();
    let keep = Arc::clone(&seen);
    let address = serving(move |stream| {
        let mut reader = BufReader::new(stream);
        while let Some(message) = read_message(&mut reader) {
            keep.lock().expect("no panic").push(message.head);
            if reader.get_mut().write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    });
    let scene = Stage::new();
    scene.ok_with(&["create", "-f", "-"], &service_entry("a.example", address));
    scene.ok_with(&["create", "-f", "-"], &denying("request.path == \"/admin\""));
    (scene, seen)
}

/// A client makes believe that a WebSocket opens which the origin declines: what it sends next is judged all the same.
#[test]
fn a_declined_upgrade_is_no_tunnel() {
    for answer in [
        "HTTP/1.1 426 Upgrade Required\r\nupgrade: websocket\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nconnection: upgrade\r\nupgrade: websocket\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
    ] {
        let (scene, seen) = answering(answer);
        let proxy = Proxied::start(&scene, &[]);
        for version in ["777", "0", "", "13"] {
            let mut client = proxy.connect();
            let upgrade = format!(
                "GET /public HTTP/1.1\r\nhost: a.example\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: \
                 {version}\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            );
            client.send(upgrade.as_bytes());
            client.send(b"GET /admin HTTP/1.1\r\nhost: a.example\r\n\r\n");
            assert_ne!(client.read().status, 101, "U4 {answer:?} {version}");
            assert_eq!(client.read().status, 403, "U4 {answer:?} {version}");
        }
        assert!(seen.lock().expect("no panic").iter().all(|head| head.starts_with("GET /public ")));
    }
}

/// An origin cannot make a tunnel of a request that did not ask for one, or for another.
#[test]
fn an_origin_switches_only_to_what_was_asked_for() {
    for answer in [
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nupgrade: h2c\r\n\r\n",
    ] {
        let (scene, _) = answering(answer);
        let proxy = Proxied::start(&scene, &[]);
        for lines in ["", "connection: upgrade\r\nupgrade: websocket\r\n"] {
            let mut client = proxy.connect();
            client.send(format!("GET /public HTTP/1.1\r\nhost: a.example\r\n{lines}\r\n").as_bytes());
            assert_eq!(client.read().status, 502, "U5 {answer:?} {lines:?}");
        }
    }
}

/// What is not HTTP/1.1 at the beginning of a connection, and what comes of it; 0 where it is closed without an answer.
const BEGINNINGS: &[(&str, &[u8], u16)] = &[
    // Whose connection it is says a balancer only where one is expected.
    ("U6", b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\nGET /public HTTP/1.1\r\nhost: a.example\r\n\r\n", 400),
    ("U6", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\0\x01\0\x02GET /public HTTP/1.1\r\nhost: a.example\r\n\r\n", 400),
    ("U7", b"PRI * HTTP/2.0\r\nhost: a.example\r\n\r\n", 0),
    ("U7", b"PRI * HTTP/1.1\r\nhost: a.example\r\n\r\n", 0),
    ("U7", b"EHLO a.example\r\n\r\n", 400),
    ("U7", b"{\"jsonrpc\":\"2.0\"}\r\n\r\n", 400),
];

#[test]
fn a_connection_that_begins_otherwise_reaches_nobody() {
    let site = Site::new(&[]);
    for (id, bytes, expected) in BEGINNINGS {
        let mut client = site.proxy.connect();
        client.send(bytes);
        match expected {
            0 => assert!(!client.rest().0.contains("200"), "{id} {}", bytes.escape_ascii()),
            status => assert_eq!(client.read().status, *status, "{id} {}", bytes.escape_ascii()),
        }
    }
    assert_eq!(site.received(), 0);
}

/// The ids of all cases.
pub(super) fn ids() -> impl Iterator<Item = &'static str> {
    let tables = ASKED.iter().map(|(id, _)| *id).chain(BEGINNINGS.iter().map(|(id, ..)| *id));
    tables.chain(["U4", "U5"])
}
