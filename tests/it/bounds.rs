//! What destinations and connections may take, and what becomes of more.

use std::net::SocketAddr;

use egressctl::cli::demo::origin::{Origin, Reply};
use socket2::{Domain, Socket, Type};

use crate::frames::{Outcome, RST_STREAM, Wire, frame, get};
use crate::proxied::{Proxied, with_origin};
use crate::stage::{SCENARIO, Stage, service_entry, until};

/// An origin that answers nothing that is asked of /held.
fn stage() -> (Stage, Origin) {
    let origin = Origin::start(None, |received| match received.path() {
        "/held" => Reply::Hang,
        _ => Reply::page("200 OK", b"page"),
    });
    let (scene, origin) = (Stage::new(), origin.expect("an origin"));
    scene.declare(&SCENARIO[..1]);
    scene.ok_with(&["create", "-f", "-"], &service_entry("a.example", origin.address));
    (scene, origin)
}

/// Whether a limit has been reached so often.
fn reached(scene: &Stage, limit: &str, times: u64) -> bool {
    scene.metrics().contains(&format!("egressctl_limit_reached_total{{limit=\"{limit}\"}} {times}\n"))
}

#[test]
fn a_destination_that_is_slow_leaves_connections_to_others() {
    let (scene, origin) = stage();
    let well = with_origin("").1;
    scene.ok_with(&["create", "-f", "-"], &service_entry("b.example", well.address));
    let proxy = Proxied::start(&scene, &["--workers", "1", "--max-connections-per-destination", "2"]);
    let mut held = [proxy.connect(), proxy.connect()];
    held.iter_mut().for_each(|client| client.send(b"GET /held HTTP/1.1\r\nhost: a.example\r\n\r\n"));
    until("both are with the origin", || origin.requests() == 2);
    let refused = proxy.get("http://a.example/third");
    assert_eq!(refused.status, 503);
    assert!(refused.text().contains("takes no more calls at a time"), "{}", refused.text());
    assert!(scene.wait_for_entry("/third").contains("\"flag\":\"UO\""));
    assert_eq!(proxy.get("http://b.example/").status, 200);
    assert!(reached(&scene, "connections_of_destination", 1));
    let status = scene.ok(&["proxy", "status"]);
    assert!(status.contains("at most 2 connections_of_destination; 1 time there was no more"), "{status}");
    drop(held);
    until("there is room again", || proxy.get("http://a.example/").status == 200);
}

#[test]
fn connections_that_are_being_made_are_bounded() {
    // A full backlog: connections to it are neither accepted nor refused.
    let silent = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    silent.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
    silent.listen(0).expect("bound");
    let address = silent.local_addr().expect("bound");
    let _fill: Vec<_> = (0..4)
        .map(|_| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
            socket.set_nonblocking(true).expect("a socket");
            let _ = socket.connect(&address);
            socket
        })
        .collect();
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    let origin = address.as_socket().expect("an address");
    scene.ok_with(&["create", "-f", "-"], &service_entry("a.example", origin));
    let proxy = Proxied::start(&scene, &["--workers", "1", "--max-pending-per-destination", "1"]);
    let mut first = proxy.connect();
    first.send(b"GET / HTTP/1.1\r\nhost: a.example\r\n\r\n");
    until("a connection is being made", || scene.wait_for_status()["queued"] == 1);
    assert_eq!(proxy.get("http://a.example/").status, 503);
    assert!(reached(&scene, "pending_of_destination", 1));
    drop(first);
    until("its caller has given up", || scene.wait_for_status()["queued"] == 0);
}

#[test]
fn a_client_of_http_2_that_breaks_most_of_its_calls_off_is_turned_away() {
    let (scene, _origin) = stage();
    let proxy = Proxied::start(&scene, &["--workers", "1", "--max-resets-per-connection", "10"]);
    // How many calls it could break off, the first of them on this stream.
    let break_off = |wire: &mut Wire, first: u32, most: u32| {
        (0..most)
            .map_while(|call| {
                let stream = first + 2 * call;
                wire.send(&get(stream, "/held"));
                let lives = wire.lives();
                wire.send(&frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
                lives.then_some(())
            })
            .count()
    };
    let mut well = Wire::open(proxy.address);
    for call in 0..30 {
        well.send(&get(1 + 2 * call, "/"));
        assert_eq!(well.outcome(1 + 2 * call), Outcome::Status(200));
    }
    assert_eq!(break_off(&mut well, 61, 12), 12);
    assert!(well.lives(), "most of its calls were answered");
    assert!(reached(&scene, "resets", 0));
    // What is on its way when that is seen may still be answered.
    let broken_off = break_off(&mut Wire::open(proxy.address), 1, 100);
    assert!((11..=13).contains(&broken_off), "{broken_off}");
    until("that is counted", || reached(&scene, "resets", 1));
    assert!(well.lives());
}
