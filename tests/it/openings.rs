//! What is said to an upstream before a call: CONNECT to a proxy on the way, who calls, and in which version of HTTP.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};

use egressctl::cli::demo::origin::{Origin, Reply};

use crate::frames::{Wire, get};
use crate::proxied::{PATIENCE, Proxied};
use crate::raw::serving;
use crate::stage::{SCENARIO, Stage, service_entry};

fn stage(manifests: &str) -> Stage {
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    scene.ok_with(&["create", "-f", "-"], manifests);
    scene
}

fn rule(host: &str, policy: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: {}}}\nspec: {{host: {host}, \
         trafficPolicy: {{{policy}}}}}\n---\n",
        host.replace('.', "-")
    )
}

/// A ServiceEntry of a protocol.
fn entry_of(protocol: &str, host: &str, port: u16, origin: SocketAddr) -> String {
    service_entry(host, origin)
        .replace("protocol: HTTP,", &format!("protocol: {protocol},"))
        .replace("{number: 80,", &format!("{{number: {port},"))
}

/// Echoes what is sent.
fn echo() -> SocketAddr {
    serving(|mut stream| {
        let mut bytes = [0; 64];
        while let Ok(read @ 1..) = stream.read(&mut bytes) {
            if stream.write_all(&bytes[..read]).is_err() {
                return;
            }
        }
    })
}

#[test]
fn calls_go_through_a_proxy_by_connect() {
    let page = Origin::start(None, |_| Reply::page("200 OK", b"page")).expect("an origin");
    // The proxy on the way is another egressctl, which knows where the names lead.
    let beyond = stage(&format!(
        "{}---\n{}",
        entry_of("TCP", "db.example", 3306, echo()),
        entry_of("TCP", "site.example", 80, page.address)
    ));
    let corporate = Proxied::start(&beyond, &[]);
    let via = |name: &str, protocol: &str, port: u16| {
        format!("{}---\n", entry_of(protocol, &format!("{name}.corp.example"), port, corporate.address))
    };
    let routed = |name: &str, list: &str| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: {name}}}\nspec:\n  hosts: \
             [{name}.example]\n  {list}:\n  - route: [{{destination: {{host: {name}.corp.example}}}}]\n---\n"
        )
    };
    let known = |name: &str, protocol: &str, port: u16| {
        // Its own address is not there: it can only be reached by way of the proxy.
        let nowhere = "127.0.0.1:9".parse().expect("an address");
        format!("{}---\n", entry_of(protocol, &format!("{name}.example"), port, nowhere))
    };
    let through = |name: &str, target: &str, port: u16| {
        rule(&format!("{name}.corp.example"), &format!("tunnel: {{targetHost: {target}, targetPort: {port}}}"))
    };
    let manifests = [
        via("db", "TCP", 3306),
        known("db", "TCP", 3306),
        routed("db", "tcp"),
        through("db", "db.example", 3306),
        via("site", "HTTP", 80),
        known("site", "HTTP", 80),
        routed("site", "http"),
        through("site", "site.example", 80),
        via("lost", "HTTP", 80),
        known("lost", "HTTP", 80),
        routed("lost", "http"),
        through("lost", "unknown.example", 80),
    ];
    let scene = stage(manifests.concat().trim_end_matches("---\n"));
    let proxy = Proxied::start(&scene, &["--workers", "1"]);
    let mut tunnel = proxy.connect();
    tunnel.send(b"CONNECT db.example:3306 HTTP/1.1\r\nhost: db.example:3306\r\n\r\n");
    assert!(tunnel.read_head().starts_with("HTTP/1.1 200"));
    tunnel.send(b"hello");
    assert_eq!(tunnel.read_exactly(5), b"hello");
    for _ in 0..3 {
        assert_eq!(proxy.get("http://site.example/x").text(), "page");
    }
    assert_eq!((page.connections(), page.requests()), (1, 3), "the tunnel is kept for further calls");
    let refused = proxy.get("http://lost.example/");
    assert_eq!(refused.status, 503, "{}", refused.text());
    let entry = scene.wait_for_entry(refused.decision());
    assert!(entry.contains("does not open the tunnel") && entry.contains("UF"), "{entry}");
}

/// An origin that tells the first bytes of each connection, and closes it.
fn first_bytes() -> (SocketAddr, Receiver<Vec<u8>>) {
    let (sender, receiver) = channel();
    let sender = Mutex::new(sender);
    let address = serving(move |mut stream| {
        let mut bytes = vec![0; 256];
        if let Ok(read @ 1..) = stream.read(&mut bytes) {
            bytes.truncate(read);
            let _ = sender.lock().expect("no panic").send(bytes);
        }
    });
    (address, receiver)
}

#[test]
fn an_upstream_is_told_who_calls_by_the_proxy_protocol() {
    let (address, told) = first_bytes();
    for (version, begins) in [
        ("V1", format!("PROXY TCP4 127.0.0.1 127.0.0.1 0 {}\r\n", address.port()).into_bytes()),
        ("V2", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\0\0".to_vec()),
    ] {
        let policy = rule("t.example", &format!("proxyProtocol: {{version: {version}}}"));
        let scene = stage(&format!("{policy}{}", service_entry("t.example", address)));
        let proxy = Proxied::start(&scene, &[]);
        assert_eq!(proxy.get("http://t.example/").status, 503);
        let first = told.recv_timeout(PATIENCE).expect("it is called");
        assert!(first.starts_with(&begins), "{version}: {}", String::from_utf8_lossy(&first));
    }
}

#[test]
fn an_upstream_is_spoken_to_in_the_version_that_the_caller_speaks_where_its_rule_says_so() {
    let (address, told) = first_bytes();
    let policy = rule("a.example", "connectionPool: {http: {useClientProtocol: true}}");
    let scene = stage(&format!("{policy}{}", service_entry("a.example", address)));
    let proxy = Proxied::start(&scene, &[]);
    assert_eq!(proxy.get("http://a.example/").status, 503);
    assert!(told.recv_timeout(PATIENCE).expect("it is called").starts_with(b"GET / HTTP/1.1"));
    let mut wire = Wire::open(proxy.address);
    wire.send(&get(1, "/"));
    assert!(told.recv_timeout(PATIENCE).expect("it is called").starts_with(b"PRI * HTTP/2.0"));
}
