//! Tunnels to other hosts than those that were asked for.

use std::io::{Read as _, Write as _};

use super::{BeDenied, BeRefused, Must, Site, denying};
use crate::proxied::{Client, Proxied, with_origin};

/// Id, a request, and what must come of it. Port 80 of a.example is one of HTTP.
type Case = (&'static str, &'static [u8], Must);

const REQUESTS: &[Case] = &[
    ("T1", b"CONNECT unknown.example:80 HTTP/1.1\r\nhost: unknown.example:80\r\n\r\n", BeDenied(502)),
    ("T1", b"CONNECT a.example:22 HTTP/1.1\r\nhost: a.example:22\r\n\r\n", BeDenied(502)),
    ("T1", b"CONNECT a.example:443 HTTP/1.1\r\nhost: a.example:443\r\n\r\n", BeDenied(502)),
    ("T1", b"CONNECT 127.0.0.1:80 HTTP/1.1\r\nhost: 127.0.0.1:80\r\n\r\n", BeDenied(502)),
    ("T1", b"CONNECT 169.254.169.254:80 HTTP/1.1\r\nhost: 169.254.169.254:80\r\n\r\n", BeDenied(502)),
    ("T1", b"CONNECT [::1]:80 HTTP/1.1\r\nhost: [::1]:80\r\n\r\n", BeDenied(502)),
    ("T1", b"CONNECT [::ffff:127.0.0.1]:80 HTTP/1.1\r\nhost: [::ffff:127.0.0.1]:80\r\n\r\n", BeDenied(502)),
    ("T2", b"CONNECT 127.1:80 HTTP/1.1\r\nhost: 127.1:80\r\n\r\n", BeRefused),
    ("T2", b"CONNECT 0x7f000001:80 HTTP/1.1\r\nhost: 0x7f000001:80\r\n\r\n", BeRefused),
    ("T2", b"CONNECT 2130706433:80 HTTP/1.1\r\nhost: 2130706433:80\r\n\r\n", BeRefused),
    ("T2", b"CONNECT user@a.example:80 HTTP/1.1\r\nhost: a.example:80\r\n\r\n", BeRefused),
    ("T2", b"CONNECT a.example HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("T2", b"CONNECT a.example: HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("T2", b"CONNECT a.example:0 HTTP/1.1\r\nhost: a.example:0\r\n\r\n", BeRefused),
    ("T2", b"CONNECT a.example:65616 HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("T2", b"CONNECT a.example:80/ HTTP/1.1\r\nhost: a.example:80\r\n\r\n", BeRefused),
    ("T2", b"CONNECT http://a.example:80/ HTTP/1.1\r\nhost: a.example:80\r\n\r\n", BeRefused),
    ("T2", b"CONNECT /admin HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("T2", b"CONNECT * HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("T2", b"CONNECT a.example:80#x HTTP/1.1\r\nhost: a.example:80\r\n\r\n", BeRefused),
    ("T2", b"CONNECT a.example:80?x HTTP/1.1\r\nhost: a.example:80\r\n\r\n", BeRefused),
    ("T2", b"connect a.example:80 HTTP/1.1\r\nhost: a.example:80\r\n\r\n", BeRefused),
    ("T3", b"CONNECT a.example:80 HTTP/1.1\r\nhost: forbidden.example:80\r\n\r\n", BeRefused),
    ("T3", b"CONNECT forbidden.example:80 HTTP/1.1\r\nhost: a.example:80\r\n\r\n", BeRefused),
    ("T3", b"CONNECT a.example:80 HTTP/1.1\r\nhost: a.example:443\r\n\r\n", BeRefused),
    ("T3", b"CONNECT a.example:80 HTTP/1.1\r\nhost: a.example:80\r\nhost: a.example:80\r\n\r\n", BeRefused),
    ("T3", b"CONNECT a.example:80 HTTP/1.1\r\n\r\n", BeRefused),
    ("T4", b"CONNECT a.example:80 HTTP/1.1\r\nhost: a.example:80\r\ncontent-length: 0\r\n\r\n", BeRefused),
    (
        "T4",
        b"CONNECT a.example:80 HTTP/1.1\r\nhost: a.example:80\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        BeRefused,
    ),
];

#[test]
fn a_tunnel_is_opened_to_what_may_be_called_and_in_one_spelling() {
    let site = Site::new(&[]);
    site.all(REQUESTS.iter().map(|(_, request, must)| (request.to_vec(), *must)));
    site.has_refusals(REQUESTS.len());
}

fn opened(proxy: &Proxied) -> Client {
    let mut client = proxy.connect();
    client.send(b"CONNECT a.example:80 HTTP/1.1\r\nhost: a.example:80\r\n\r\n");
    assert!(client.read_head().starts_with("HTTP/1.1 200"));
    client
}

/// Id, what is sent inside a tunnel to a port of HTTP, and the status of the answer; 0 where there is none.
const INSIDE: &[(&str, &[u8], u16)] = &[
    ("T5", b"GET /public HTTP/1.1\r\nhost: forbidden.example\r\n\r\n", 400),
    ("T5", b"GET /public HTTP/1.1\r\nhost: a.example:8080\r\n\r\n", 400),
    ("T5", b"GET http://forbidden.example/ HTTP/1.1\r\nhost: forbidden.example\r\n\r\n", 400),
    ("T5", b"GET http://a.example/ HTTP/1.1\r\nhost: forbidden.example\r\n\r\n", 400),
    ("T5", b"GET /public HTTP/1.1\r\nhost: A.example.:80\r\n\r\n", 200),
    ("T6", b"CONNECT forbidden.example:80 HTTP/1.1\r\nhost: forbidden.example:80\r\n\r\n", 405),
    ("T6", b"CONNECT a.example:80 HTTP/1.1\r\nhost: a.example:80\r\n\r\n", 405),
    ("T7", b"\x16\x03\x01\x00\x05hello", 0),
    ("T8", b"SSH-2.0-OpenSSH_9.9\r\n\r\n", 400),
    ("T8", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    ("T8", b"\x05\x01\x00\r\n\r\n", 400),
    ("T9", b"GET /x/%2e%2e/admin HTTP/1.1\r\nhost: a.example\r\n\r\n", 403),
    ("T9", b"GET /admin HTTP/1.1\r\nhost: a.example\r\n\r\n", 403),
    ("T9", b"GET /public HTTP/1.1\r\nhost: a.example\r\nx-role: admin\r\n\r\n", 403),
    (
        "T9",
        b"POST /x HTTP/1.1\r\nhost: a.example\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
];

#[test]
fn inside_a_tunnel_to_a_port_of_http_everything_holds_that_holds_outside() {
    let site = Site::new(&[]);
    for (id, sent, expected) in INSIDE {
        let before = site.received();
        let mut client = opened(&site.proxy);
        client.send(sent);
        let shown = sent.escape_ascii();
        match expected {
            0 => assert!(!client.rest().0.contains("HTTP"), "{id} {shown}"),
            status => assert_eq!(client.read().status, *status, "{id} {shown}"),
        }
        assert_eq!(site.received() - before, usize::from(*expected == 200), "{id} {shown}");
    }
}

/// What SOCKS can ask for, and what the policy says of the requests inside.
#[test]
fn socks_is_no_way_around() {
    let (scene, origin) = with_origin(&denying("request.path == \"/admin\""));
    let proxy = Proxied::start(&scene, &[]);
    let asks = |host: &str, port: u16| {
        let mut stream = std::net::TcpStream::connect(proxy.address).expect("it listens");
        stream.set_read_timeout(Some(crate::proxied::PATIENCE)).expect("a socket");
        stream.write_all(&[5, 1, 0]).expect("it reads");
        stream.read_exact(&mut [0; 2]).expect("a method");
        let length = u8::try_from(host.len()).expect("short");
        stream.write_all(&[&[5, 1, 0, 3, length], host.as_bytes(), &port.to_be_bytes()].concat()).expect("it reads");
        let mut reply = [0; 10];
        stream.read_exact(&mut reply).expect("a reply");
        (reply[1], stream)
    };
    // T10: other hosts, other ports, addresses in any spelling.
    for (host, port) in [
        ("unknown.example", 80),
        ("a.example", 22),
        ("127.0.0.1", 80),
        ("127.1", 80),
        ("0x7f.1", 80),
        ("::1", 80),
        ("a.example\0.x", 80),
        ("u@a.example", 80),
    ] {
        assert_ne!(asks(host, port).0, 0, "{host}:{port}");
    }
    let (reply, mut stream) = asks("A.example.", 80);
    assert_eq!(reply, 0);
    stream.write_all(b"GET /%61dmin HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert_eq!(origin.requests(), 0);
}

/// The ids of all cases.
pub(super) fn ids() -> impl Iterator<Item = &'static str> {
    let tables = REQUESTS.iter().map(|(id, ..)| *id).chain(INSIDE.iter().map(|(id, ..)| *id));
    tables.chain(["T10", "T11", "T12", "T13"])
}
