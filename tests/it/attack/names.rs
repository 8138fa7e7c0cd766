//! Names that lead where their callers may not go.

use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use egressctl::cli::demo::origin::{Origin, Reply};

use crate::proxied::Proxied;
use crate::stage::{SCENARIO, Stage};

/// A name server that answers every question for IPv4 or IPv6 with the addresses that it is told for that many questions of
/// that family, forever with the last.
fn name_server(answers: Vec<Vec<IpAddr>>) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("bound");
    let asked = [Arc::<AtomicUsize>::default(), Arc::default()];
    std::thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, client)) = socket.recv_from(&mut query) {
            let question = &query[12..length];
            let end = question.iter().position(|byte| *byte == 0).expect("a name") + 5;
            let wants_six = question[end - 3] == 28;
            let turn = asked[usize::from(wants_six)].fetch_add(1, Ordering::AcqRel);
            let all = &answers[turn.min(answers.len() - 1)];
            let found: Vec<_> = all.iter().filter(|address| address.is_ipv6() == wants_six).collect();
            let count = u8::try_from(found.len()).expect("few");
            let mut reply = vec![query[0], query[1], 0x81, 0x80, 0, 1, 0, count, 0, 0, 0, 0];
            reply.extend_from_slice(&question[..end]);
            for address in found {
                let bytes = match address {
                    IpAddr::V4(address) => address.octets().to_vec(),
                    IpAddr::V6(address) => address.octets().to_vec(),
                };
                // It is not to be kept: the next connection asks again.
                reply.extend([0xc0, 12, 0, if wants_six { 28 } else { 1 }, 0, 1, 0, 0, 0, 0, 0]);
                reply.extend([u8::try_from(bytes.len()).expect("short")]);
                reply.extend(bytes);
            }
            let _ = socket.send_to(&reply, client);
        }
    });
    address
}

fn stage(host: &str, port: u16, more: &str) -> Stage {
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    let entry = format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: site}}\nspec:\n  hosts: [{host}]\n  \
         resolution: DNS\n  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: {port}}}]\n{more}"
    );
    scene.ok_with(&["create", "-f", "-"], &entry);
    scene
}

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().expect("an address")).collect()
}

/// D1, D2: what is inside, and what stands for it.
const INSIDE: &[(&str, &str)] = &[
    ("D1", "127.0.0.1"),
    ("D1", "127.8.8.8"),
    ("D1", "0.0.0.0"),
    ("D1", "10.1.2.3"),
    ("D1", "172.31.0.1"),
    ("D1", "192.168.0.1"),
    ("D1", "100.64.0.1"),
    ("D1", "169.254.1.1"),
    ("D1", "224.0.0.1"),
    ("D1", "255.255.255.255"),
    ("D1", "::1"),
    ("D1", "::"),
    ("D1", "fc00::1"),
    ("D1", "fe80::1"),
    ("D1", "ff02::1"),
    ("D2", "::ffff:127.0.0.1"),
    ("D2", "::ffff:169.254.169.254"),
    ("D2", "::127.0.0.1"),
    ("D2", "64:ff9b::127.0.0.1"),
    ("D2", "64:ff9b::169.254.169.254"),
    ("D2", "64:ff9b:1::1"),
    ("D2", "2002:7f00:1::1"),
    ("D2", "2001::80ff:fffe"),
    ("D3", "169.254.169.254"),
    ("D3", "fd00:ec2::254"),
    ("D3", "fd20:ce::254"),
    ("D3", "168.63.129.16"),
    ("D3", "100.100.100.200"),
];

#[test]
fn a_name_that_leads_inside_is_refused() {
    let origin = Origin::start(None, |_| Reply::page("200 OK", b"inside")).expect("an origin");
    for host in ["edition.cnn.com", "a.example"] {
        let servers = INSIDE.iter().map(|(_, address)| vec![addresses(&[*address])]).map(name_server);
        for ((id, address), server) in INSIDE.iter().zip(servers).step_by(if host == "a.example" { 7 } else { 1 }) {
            let scene = stage(host, origin.address.port(), "");
            let proxy = Proxied::start(&scene, &["--workers", "1", "--dns-server", &server.to_string()]);
            let answer = proxy.get(&format!("http://{host}/"));
            assert_eq!(answer.status, 403, "{id} {address}: {}", answer.text());
            assert!(answer.text().contains("leads to a private address"), "{id} {address}: {}", answer.text());
        }
    }
    assert_eq!(origin.connections(), 0);
}

#[test]
fn a_name_inside_the_mesh_does_not_lead_to_the_machines_metadata() {
    for (id, address) in INSIDE.iter().filter(|(id, _)| *id == "D3") {
        let scene = stage("edition.cnn.com", 1, "  location: MESH_INTERNAL\n");
        let server = name_server(vec![addresses(&[*address])]);
        let proxy = Proxied::start(&scene, &["--workers", "1", "--dns-server", &server.to_string()]);
        assert_eq!(proxy.get("http://edition.cnn.com/").status, 403, "{id} {address}");
    }
}

/// D4: of several addresses only those are dialled that may be; the one of the machine is there too, and listens.
#[test]
fn of_several_addresses_only_those_outside_are_dialled() {
    let origin = Origin::start(None, |_| Reply::page("200 OK", b"inside")).expect("an origin");
    let scene = stage("edition.cnn.com", origin.address.port(), "");
    // TEST-NET-1 is nobody's (RFC 5737): nothing answers there, so that the call fails.
    let server = name_server(vec![addresses(&["127.0.0.1", "192.0.2.1", "::1"])]);
    let timeout = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: quick}\nspec:\n  host: \
                   edition.cnn.com\n  trafficPolicy: {connectionPool: {tcp: {connectTimeout: 200ms}}}\n";
    scene.ok_with(&["create", "-f", "-"], timeout);
    let proxy = Proxied::start(&scene, &["--workers", "1", "--dns-server", &server.to_string()]);
    assert_ne!(proxy.get("http://edition.cnn.com/").status, 200);
    assert_eq!(origin.connections(), 0);
}

/// D5: a name that leads outside when it is looked at and inside right afterwards (rebinding). The address that was looked at
/// is the one that is dialled: the listed one answers, and when the name has moved inside it is refused, not followed.
#[test]
fn a_name_cannot_move_between_the_look_and_the_call() {
    let listed = TcpListener::bind("127.0.0.2:0").expect("all of 127 is this machine's");
    let port = listed.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for stream in listed.incoming().flatten() {
            use std::io::{Read as _, Write as _};
            let (mut reader, mut writer) = (stream.try_clone().expect("a socket"), stream);
            let _ = reader.read(&mut [0; 1024]);
            let _ = writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nlisted");
        }
    });
    let inside = TcpListener::bind(("127.0.0.1", port)).expect("the same port at another address");
    let visited = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&visited);
    std::thread::spawn(move || {
        for _ in inside.incoming().flatten() {
            count.fetch_add(1, Ordering::AcqRel);
        }
    });
    let scene = stage("edition.cnn.com", port, "  addresses: [127.0.0.2]\n");
    let moving = vec![addresses(&["127.0.0.2"]), addresses(&["127.0.0.1"])];
    let server = name_server(moving);
    let proxy = Proxied::start(&scene, &["--workers", "1", "--dns-server", &server.to_string()]);
    assert_eq!(proxy.get("http://edition.cnn.com/").text(), "listed");
    let statuses: Vec<_> = (0..3).map(|_| proxy.get("http://edition.cnn.com/").status).collect();
    assert!(statuses.iter().all(|status| matches!(status, 200 | 403)), "{statuses:?}");
    assert_eq!(visited.load(Ordering::Acquire), 0, "nobody is led to the address that is not listed");
}

/// The ids of all cases.
pub(super) fn ids() -> impl Iterator<Item = &'static str> {
    INSIDE.iter().map(|(id, _)| *id).chain(["D4", "D5", "D6"])
}
