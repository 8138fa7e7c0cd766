//! Name servers that say nothing, too little, too much or in circles, and names that lead where they must not.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use egressctl::cli::demo::origin::{Origin, Reply};

use crate::proxied::Proxied;
use crate::stage::{SCENARIO, Stage};

/// What a name server says of a name.
#[derive(Clone, Copy)]
enum Says {
    /// Nothing at all.
    Silence,
    /// A code (RFC 1035 section 4.1.1), and no record.
    Code(u8),
    /// Records: an alias and its target, or an address.
    Records(&'static [(&'static str, &'static str)]),
    /// That there is more than fits, but over TCP the records.
    Truncated(&'static [(&'static str, &'static str)]),
}

/// Starts a name server for some names; what it does not know does not exist. Counts the questions.
fn name_server(names: &'static [(&'static str, Says)], life: u32) -> (SocketAddr, Arc<AtomicUsize>) {
    let (udp, tcp) = loop {
        let udp = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let address = udp.local_addr().expect("bound");
        if let Ok(tcp) = TcpListener::bind(address) {
            break (udp, tcp);
        }
    };
    let address = udp.local_addr().expect("bound");
    let asked = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, client)) = udp.recv_from(&mut query) {
            count.fetch_add(1, Ordering::AcqRel);
            if let Some(answer) = answer(&query[..length], names, life, false) {
                let _ = udp.send_to(&answer, client);
            }
        }
    });
    std::thread::spawn(move || {
        for mut stream in tcp.incoming().flatten() {
            std::thread::spawn(move || {
                let mut length = [0; 2];
                while stream.read_exact(&mut length).is_ok() {
                    let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
                    if stream.read_exact(&mut query).is_err() {
                        return;
                    }
                    let Some(answer) = answer(&query, names, life, true) else { return };
                    let length = u16::try_from(answer.len()).expect("short").to_be_bytes();
                    let _ = stream.write_all(&[&length[..], &answer].concat());
                }
            });
        }
    });
    (address, asked)
}

/// The answer to a query of one question (RFC 1035 section 4).
fn answer(query: &[u8], names: &[(&str, Says)], life: u32, whole: bool) -> Option<Vec<u8>> {
    let (mut labels, mut at) = (Vec::new(), 12);
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..end]).to_ascii_lowercase());
        at = end;
    }
    let question = &query[12..at + 5];
    let wants_six = question[question.len() - 3] == 28;
    let asked = labels.join(".");
    let says = names.iter().find(|(name, _)| *name == asked).map_or(Says::Code(3), |(_, says)| *says);
    let (code, truncated, records) = match says {
        Says::Silence => return None,
        Says::Code(code) => (code, false, &[][..]),
        Says::Records(records) => (0, false, records),
        Says::Truncated(_) if !whole => (0, true, &[][..]),
        Says::Truncated(records) => (0, false, records),
    };
    let records: Vec<_> = records.iter().filter_map(|(owner, value)| record(owner, value, wants_six, life)).collect();
    let flags = if truncated { 0x87 } else { 0x85 };
    let mut reply =
        vec![query[0], query[1], flags, 0x80 | code, 0, 1, 0, u8::try_from(records.len()).expect("few"), 0, 0, 0, 0];
    reply.extend_from_slice(question);
    reply.extend(records.concat());
    Some(reply)
}

/// An alias, or an address of the family that is asked for.
fn record(owner: &str, value: &str, wants_six: bool, life: u32) -> Option<Vec<u8>> {
    let (kind, data) = match value.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) if !wants_six => (1, address.octets().to_vec()),
        Ok(IpAddr::V6(address)) if wants_six => (28, address.octets().to_vec()),
        Ok(_) => return None,
        Err(_) => (5, name(value)),
    };
    let length = u16::try_from(data.len()).expect("short").to_be_bytes();
    Some([&name(owner)[..], &[0, kind, 0, 1], &life.to_be_bytes(), &length, &data].concat())
}

fn name(text: &str) -> Vec<u8> {
    let labels =
        text.split('.').flat_map(|label| [&[u8::try_from(label.len()).expect("short")], label.as_bytes()].concat());
    labels.chain([0]).collect()
}

/// A ServiceEntry for a host that is asked of name servers, and may lead to loopback.
fn entry(host: &str, port: u16) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {}}}\nspec:\n  hosts: [{host}]\n  \
         resolution: DNS\n  location: MESH_INTERNAL\n  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: {port}}}]\n---\n",
        host.replace('.', "-"),
    )
}

fn stage(manifests: &str) -> Stage {
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    scene.ok_with(&["create", "-f", "-"], manifests);
    scene
}

fn origin() -> Origin {
    let page = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\npage";
    Origin::start(None, |_| Reply::Last(page.to_vec())).expect("an origin")
}

const KNOWN: &[(&str, Says)] = &[
    ("silent.example", Says::Silence),
    ("empty.example", Says::Records(&[])),
    ("fails.example", Says::Code(2)),
    ("refuses.example", Says::Code(5)),
    ("loop.example", Says::Records(&[("loop.example", "pool.example")])),
    ("pool.example", Says::Records(&[("pool.example", "loop.example")])),
    ("self.example", Says::Records(&[("self.example", "self.example")])),
    ("nowhere.example", Says::Records(&[("nowhere.example", "gone.example")])),
    (
        "chain.example",
        Says::Records(&[("chain.example", "b.example"), ("b.example", "c.example"), ("c.example", "127.0.0.1")]),
    ),
    ("split.example", Says::Records(&[("split.example", "well.example")])),
    ("well.example", Says::Records(&[("well.example", "127.0.0.1"), ("well.example", "::1")])),
    ("large.example", Says::Truncated(&[("large.example", "127.0.0.1")])),
];

#[test]
fn names_that_lead_nowhere_fail_with_a_reason_and_others_are_found() {
    let origin = origin();
    let (server, asked) = name_server(KNOWN, 60);
    let hosts =
        ["silent", "empty", "fails", "refuses", "gone", "loop", "self", "nowhere", "chain", "split", "well", "large"];
    let manifests: String = hosts.iter().map(|host| entry(&format!("{host}.example"), origin.address.port())).collect();
    let scene = stage(&manifests);
    let proxy = Proxied::start(&scene, &["--dns-server", &server.to_string()]);
    // The one that is waited for does not hold up the others.
    let mut silent = proxy.connect();
    silent.send(b"GET http://silent.example/ HTTP/1.1\r\nhost: silent.example\r\n\r\n");
    let mut wrong = Vec::new();
    for host in &hosts[1..] {
        let answer = proxy.get(&format!("http://{host}.example/"));
        let expected = if hosts[8..].contains(host) { 200 } else { 503 };
        let told = expected == 200 || scene.wait_for_entry(answer.decision()).contains("\"flag\":\"DF\"");
        if answer.status != expected || !told {
            wrong.push((host, answer.head));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(silent.read().status, 503);
    // Answers are kept.
    let before = asked.load(Ordering::Acquire);
    assert_eq!(proxy.get("http://well.example/").status, 200);
    assert_eq!(asked.load(Ordering::Acquire), before);
}

#[test]
fn an_answer_that_lives_no_time_is_asked_for_again() {
    let origin = origin();
    let (server, asked) = name_server(KNOWN, 0);
    let scene = stage(&entry("well.example", origin.address.port()));
    let proxy = Proxied::start(&scene, &["--dns-server", &server.to_string()]);
    for calls in 1..=3 {
        assert_eq!(proxy.get("http://well.example/").status, 200);
        assert!(asked.load(Ordering::Acquire) > calls, "{calls}");
    }
}

/// Addresses that no public name may lead to.
const PRIVATE: &[(&str, Says)] = &[
    ("a.cnn.com", Says::Records(&[("a.cnn.com", "127.0.0.1")])),
    ("b.cnn.com", Says::Records(&[("b.cnn.com", "10.1.2.3")])),
    ("c.cnn.com", Says::Records(&[("c.cnn.com", "172.16.0.1")])),
    ("d.cnn.com", Says::Records(&[("d.cnn.com", "192.168.1.1")])),
    ("e.cnn.com", Says::Records(&[("e.cnn.com", "169.254.169.254")])),
    ("f.cnn.com", Says::Records(&[("f.cnn.com", "0.0.0.0")])),
    ("g.cnn.com", Says::Records(&[("g.cnn.com", "100.64.0.1")])),
    ("h.cnn.com", Says::Records(&[("h.cnn.com", "::1")])),
    ("i.cnn.com", Says::Records(&[("i.cnn.com", "::")])),
    ("j.cnn.com", Says::Records(&[("j.cnn.com", "fe80::1")])),
    ("k.cnn.com", Says::Records(&[("k.cnn.com", "fd00::1")])),
    ("l.cnn.com", Says::Records(&[("l.cnn.com", "::ffff:127.0.0.1")])),
    ("m.cnn.com", Says::Records(&[("m.cnn.com", "::ffff:169.254.169.254")])),
    ("n.cnn.com", Says::Records(&[("n.cnn.com", "64:ff9b::7f00:1")])),
    ("o.cnn.com", Says::Records(&[("o.cnn.com", "64:ff9b::a9fe:a9fe")])),
    ("p.cnn.com", Says::Records(&[("p.cnn.com", "b.cnn.com"), ("b.cnn.com", "10.1.2.3")])),
];

#[test]
fn a_public_name_leads_to_no_private_address_however_it_is_written() {
    let (server, _) = name_server(PRIVATE, 60);
    let manifests: String =
        PRIVATE.iter().map(|(host, _)| entry(host, 80).replace("MESH_INTERNAL", "MESH_EXTERNAL")).collect();
    let scene = stage(&manifests);
    let proxy = Proxied::start(&scene, &["--dns-server", &server.to_string()]);
    let mut wrong = Vec::new();
    for (host, _) in PRIVATE {
        let answer = proxy.get(&format!("http://{host}/"));
        if answer.status != 403 || !answer.text().contains("private address") {
            wrong.push((host, answer.status, answer.text()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
