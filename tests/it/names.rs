//! Where names lead: name servers, both address families, private addresses, Unix sockets.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use egressctl::cli::demo::origin::{Origin, Reply};

use crate::proxied::Proxied;
use crate::stage::{SCENARIO, Stage};

/// A name server on loopback that knows some names; all others do not exist.
pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    asked: Arc<AtomicUsize>,
    known: Known,
}

/// Names and their addresses.
type Known = Arc<Mutex<HashMap<String, Vec<IpAddr>>>>;

impl NameServer {
    /// Whose answers live a minute.
    fn knowing(names: &[(&str, &[&str])]) -> Self {
        Self::for_a_while(names, 60)
    }

    /// Whose answers live so many seconds.
    pub(crate) fn for_a_while(names: &[(&str, &[&str])], life: u8) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let address = socket.local_addr().expect("bound");
        let known = Known::default();
        let answering = Arc::clone(&known);
        let asked = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((length, client)) = socket.recv_from(&mut query) {
                count.fetch_add(1, Ordering::AcqRel);
                let known = answering.lock().expect("no panic").clone();
                let _ = socket.send_to(&answer(&query[..length], &known, life), client);
            }
        });
        let server = Self { address, asked, known };
        names.iter().for_each(|(name, addresses)| server.lead(name, addresses));
        server
    }

    /// From now on the name leads there.
    pub(crate) fn lead(&self, name: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|text| text.parse().expect("an address")).collect();
        self.known.lock().expect("no panic").insert(name.to_owned(), addresses);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Acquire)
    }
}

/// The answer to a query of one question (RFC 1035 §4).
fn answer(query: &[u8], known: &HashMap<String, Vec<IpAddr>>, life: u8) -> Vec<u8> {
    let (mut labels, mut at) = (Vec::new(), 12);
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..end]).to_ascii_lowercase());
        at = end;
    }
    let question = &query[12..at + 5];
    let addresses = known.get(&labels.join("."));
    let wants_six = question[question.len() - 3] == 28;
    let found: Vec<_> =
        addresses.into_iter().flatten().filter(|address| address.is_ipv6() == wants_six).copied().collect();
    let status = if addresses.is_some() { 0x80 } else { 0x83 };
    let mut reply =
        vec![query[0], query[1], 0x81, status, 0, 1, 0, u8::try_from(found.len()).expect("few"), 0, 0, 0, 0];
    reply.extend_from_slice(question);
    for address in found {
        let bytes = match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        let kind = if wants_six { 28 } else { 1 };
        reply.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, life, 0, u8::try_from(bytes.len()).expect("short")]);
        reply.extend(bytes);
    }
    reply
}

fn origin() -> Origin {
    Origin::start(None, |_| {
        Reply::Last(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\npage".to_vec())
    })
    .expect("an origin")
}

/// A ServiceEntry for a host that is asked of name servers.
pub(crate) fn entry(host: &str, port: u16, more: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {}}}\nspec:\n  hosts: [{host}]\n  \
         resolution: DNS\n  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: {port}}}]\n{more}---\n",
        host.replace('.', "-"),
    )
}

fn stage(manifests: &str) -> Stage {
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    scene.ok_with(&["create", "-f", "-"], manifests);
    scene
}

fn proxy(scene: &Stage, server: &NameServer) -> Proxied {
    Proxied::start(scene, &["--dns-server", &server.address.to_string()])
}

#[test]
fn answers_of_name_servers_are_kept_and_both_families_tried() {
    let origin = origin();
    let server = NameServer::knowing(&[("shop.example", &["127.0.0.1", "::1"])]);
    let listed = "  addresses: [127.0.0.1, '::1']\n";
    let scene = stage(&entry("shop.example", origin.address.port(), listed));
    let proxy = proxy(&scene, &server);
    // The origin listens on IPv4 alone, and closes each connection, so that the name is needed again.
    for _ in 0..3 {
        assert_eq!(proxy.get("http://shop.example/").status, 200);
    }
    assert_eq!(origin.connections(), 3);
    assert_eq!(server.asked(), 2, "once for each family");
}

#[test]
fn connections_are_spread_over_all_addresses_of_a_name() {
    let answered = |from: &'static str| {
        move |listener: TcpListener| {
            for mut stream in listener.incoming().flatten() {
                let _ = stream.read(&mut [0; 4096]);
                let head =
                    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{from}", from.len());
                let _ = stream.write_all(head.as_bytes());
            }
        }
    };
    let first = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = first.local_addr().expect("bound").port();
    let second = TcpListener::bind(("127.0.0.2", port)).expect("the port of another address");
    std::thread::spawn(move || answered("first")(first));
    std::thread::spawn(move || answered("second")(second));
    let server = NameServer::knowing(&[("two.example", &["127.0.0.1", "127.0.0.2"])]);
    let scene = stage(&entry("two.example", port, "  addresses: [127.0.0.1, 127.0.0.2]\n"));
    let proxy = proxy(&scene, &server);
    let mut seen: Vec<_> = (0..4).map(|_| proxy.get("http://two.example/").text()).collect();
    seen.sort();
    assert_eq!(seen, ["first", "first", "second", "second"]);
}

#[test]
fn an_address_that_fails_is_left_out_and_the_others_of_its_name_are_not() {
    let answered = |listener: TcpListener, answer: &'static [u8]| {
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    while stream.read(&mut [0; 1_024]).is_ok_and(|read| read > 0) {
                        if stream.write_all(answer).is_err() {
                            return;
                        }
                    }
                });
            }
        });
    };
    let first = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = first.local_addr().expect("bound").port();
    let Ok(second) = TcpListener::bind(("127.0.0.2", port)) else { return };
    answered(first, b"HTTP/1.1 503 Busy\r\ncontent-length: 3\r\n\r\nbad");
    answered(second, b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood");
    let server = NameServer::knowing(&[("shop.example", &["127.0.0.1", "127.0.0.2"])]);
    let rule = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: shop}\nspec: {host: shop.example, \
                trafficPolicy: {outlierDetection: {consecutiveGatewayErrors: 1, baseEjectionTime: 1h}}}\n";
    let listed = "  addresses: [127.0.0.1, 127.0.0.2]\n";
    let scene = stage(&format!("{}{rule}", entry("shop.example", port, listed)));
    let proxy = proxy(&scene, &server);
    let answers: Vec<_> = (0..20).map(|_| proxy.get("http://shop.example/").text()).collect();
    let failed = answers.iter().filter(|answer| *answer == "bad").count();
    assert!(failed <= 1 && answers[2..].iter().all(|answer| answer == "good"), "{answers:?}");
}

#[test]
fn a_name_that_does_not_exist_is_a_failure_with_a_reason() {
    let server = NameServer::knowing(&[]);
    let scene = stage(&entry("gone.example", 80, ""));
    let proxy = proxy(&scene, &server);
    let failed = proxy.get("http://gone.example/");
    assert_eq!(failed.status, 503);
    assert!(failed.text().contains("the origin's name could not be resolved"), "{}", failed.text());
    assert!(scene.wait_for_entry(failed.decision()).contains("\"flag\":\"DF\""));
    let asked = server.asked();
    assert_eq!(proxy.get("http://gone.example/").status, 503);
    assert_eq!(server.asked(), asked, "the failure is remembered for a moment");
}

#[test]
fn a_public_name_leads_to_a_private_address_only_where_that_is_registered() {
    let origin = origin();
    let port = origin.address.port();
    let names = ["open.cnn.com", "listed.cnn.com", "internal.cnn.com"];
    let server = NameServer::knowing(&names.map(|name| (name, &["127.0.0.1"][..])));
    let scene = stage(
        &(entry(names[0], port, "")
            + &entry(names[1], port, "  addresses: [127.0.0.1]\n")
            + &entry(names[2], port, "  location: MESH_INTERNAL\n")),
    );
    let proxy = proxy(&scene, &server);
    let refused = proxy.get("http://open.cnn.com/");
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("leads to a private address that is not registered"), "{}", refused.text());
    let why = {
        scene.wait_for_entry(refused.decision());
        scene.ok(&["why", refused.decision()])
    };
    assert!(why.contains("Would go:   with the address among the addresses of the ServiceEntry"), "{why}");
    assert_eq!(origin.connections(), 0);
    assert_eq!(proxy.get("http://listed.cnn.com/").status, 200);
    assert_eq!(proxy.get("http://internal.cnn.com/").status, 200);
}

#[test]
fn an_endpoint_can_be_a_unix_socket() {
    let scene = Stage::new();
    let path = scene.state().with_file_name("origin.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut head = [0; 1024];
        let read = stream.read(&mut head).expect("a request");
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nlocal").expect("open");
        String::from_utf8_lossy(&head[..read]).into_owned()
    });
    scene.declare(&SCENARIO[..1]);
    let entry = format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: db}}\nspec:\n  hosts: [db.example]\n  \
         resolution: STATIC\n  ports: [{{number: 80, name: http, protocol: HTTP}}]\n  \
         endpoints: [{{address: 'unix://{}'}}]\n",
        path.display()
    );
    scene.ok_with(&["create", "-f", "-"], &entry);
    let proxy = Proxied::start(&scene, &[]);
    let answer = proxy.get("http://db.example/x");
    assert_eq!((answer.status, answer.text().as_str()), (200, "local"));
    assert!(served.join().expect("no panic").starts_with("GET /x HTTP/1.1\r\nhost: db.example\r\n"));
}
