//! Faults around a proxy, one after the other: what callers get, what the log says, and that it recovers by itself.
//! `cargo test --test it -- faults::` runs them all.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use rusqlite::TransactionBehavior;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use socket2::SockRef;

use crate::clock::Clock;
use crate::groups::Group;
use crate::names::{NameServer, entry};
use crate::proxied::{Client, Proxied};
use crate::raw::read_message;
use crate::stage::{Stage, service_entry, until};

/// An origin that can be killed, frozen and started again where it was.
struct Fragile {
    address: SocketAddr,
    listener: TcpListener,
    connections: Arc<Mutex<Vec<TcpStream>>>,
    mood: Arc<AtomicU8>,
}

const ANSWERS: u8 = 0;
const FROZEN: u8 = 1;
/// It has read a request and does not answer yet.
const HOLDS: u8 = 2;

impl Fragile {
    fn start(address: &str, page: &'static str) -> Self {
        let listener = TcpListener::bind(address).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (connections, mood) = (Arc::<Mutex<Vec<TcpStream>>>::default(), Arc::new(AtomicU8::new(ANSWERS)));
        let (accepting, keep, feels) =
            (listener.try_clone().expect("a descriptor"), Arc::clone(&connections), Arc::clone(&mood));
        std::thread::spawn(move || {
            for stream in accepting.incoming() {
                // Shut down: the origin is dead.
                let Ok(stream) = stream else { return };
                keep.lock().expect("no panic").push(stream.try_clone().expect("a descriptor"));
                let feels = Arc::clone(&feels);
                std::thread::spawn(move || answer(stream, page, &feels));
            }
        });
        Self { address, listener, connections, mood }
    }

    fn feel(&self, mood: u8) {
        self.mood.store(mood, Ordering::Release);
    }

    /// All its connections end, and nobody listens any more.
    fn kill(self) -> SocketAddr {
        SockRef::from(&self.listener).shutdown(std::net::Shutdown::Both).expect("it listens");
        for stream in self.connections.lock().expect("no panic").drain(..) {
            // The proxy may have closed it.
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
        self.address
    }
}

fn answer(stream: TcpStream, page: &str, mood: &AtomicU8) {
    let mut reader = std::io::BufReader::new(stream);
    while read_message(&mut reader).is_some() {
        if mood.load(Ordering::Acquire) == HOLDS {
            mood.store(FROZEN, Ordering::Release);
        }
        while mood.load(Ordering::Acquire) == FROZEN {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let reply = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{page}", page.len());
        if std::io::Write::write_all(reader.get_mut(), reply.as_bytes()).is_err() {
            return;
        }
    }
}

fn stage(origin: SocketAddr) -> Stage {
    let scene = Stage::new();
    scene.declare(&["scenario/sleep.yaml"]);
    scene.ok_with(&["create", "-f", "-"], &service_entry("a.example", origin));
    scene
}

fn request(path: &str) -> Vec<u8> {
    // It is not sent again by itself, as a GET would be.
    format!("POST {path} HTTP/1.1\r\nhost: a.example\r\ncontent-length: 0\r\n\r\n").into_bytes()
}

/// Until a call with this path is recorded, whether a rule asked for it or not.
fn record(scene: &Stage, path: &str) -> String {
    let mut found = String::new();
    until(&format!("{path} is recorded"), || {
        found = scene.ok(&["logs", "--all", "-F", "--grep", &format!("\"path\":\"{path}\"")]);
        !found.is_empty()
    });
    found
}

#[track_caller]
fn recorded(scene: &Stage, path: &str, flag: &str) {
    let entry = record(scene, path);
    assert!(entry.contains(&format!("\"flag\":\"{flag}\"")), "{entry}");
}

#[test]
fn an_origin_that_is_killed_fails_its_calls_and_works_again_when_it_is_back() {
    let origin = Fragile::start("127.0.0.1:0", "first");
    let scene = stage(origin.address);
    let proxy = Proxied::start(&scene, &[]);
    let mut client = proxy.connect();
    assert_eq!(client.get("http://a.example/before").text(), "first");
    origin.feel(HOLDS);
    client.send(&request("/held"));
    until("the origin has the call", || origin.mood.load(Ordering::Acquire) == FROZEN);
    let address = origin.kill();
    assert_eq!(client.read().status, 503);
    recorded(&scene, "/held", "UC");
    assert_eq!(client.get("http://a.example/refused").status, 503);
    recorded(&scene, "/refused", "URX,UF");
    let _again = Fragile::start(&address.to_string(), "second");
    assert_eq!(client.get("http://a.example/after").text(), "second");
}

#[test]
fn an_origin_that_freezes_costs_its_callers_their_time_and_nobody_else() {
    let (frozen, well) = (Fragile::start("127.0.0.1:0", "thawed"), Fragile::start("127.0.0.1:0", "well"));
    let scene = stage(frozen.address);
    scene.ok_with(&["create", "-f", "-"], &service_entry("b.example", well.address));
    let proxy = Proxied::start(&scene, &["--workers", "1", "--response-timeout", "1s"]);
    frozen.feel(FROZEN);
    let mut waiting: Vec<Client> = (0..20).map(|_| proxy.connect()).collect();
    for (call, client) in waiting.iter_mut().enumerate() {
        client.send(&request(&format!("/frozen/{call}")));
    }
    for _ in 0..20 {
        assert_eq!(proxy.get("http://b.example/").text(), "well");
    }
    for client in &mut waiting {
        assert_eq!(client.read().status, 504);
    }
    recorded(&scene, "/frozen/7", "SI");
    frozen.feel(ANSWERS);
    assert_eq!(waiting[0].get("http://a.example/after").text(), "thawed");
}

#[test]
fn a_name_that_moves_is_followed_when_its_answer_is_old() {
    let first = Fragile::start("127.0.0.1:0", "first");
    let _second = Fragile::start(&format!("127.0.0.2:{}", first.address.port()), "second");
    let server = NameServer::for_a_while(&[("moves.example", &["127.0.0.1"])], 1);
    let scene = Stage::new();
    scene.declare(&["scenario/sleep.yaml"]);
    let listed = "  addresses: [127.0.0.1, 127.0.0.2]\n";
    scene.ok_with(&["create", "-f", "-"], &entry("moves.example", first.address.port(), listed));
    let proxy = Proxied::start(&scene, &["--dns-server", &server.address.to_string()]);
    let mut client = proxy.connect();
    assert_eq!(client.get("http://moves.example/").text(), "first");
    server.lead("moves.example", &["127.0.0.2"]);
    first.kill();
    let mut answers = Vec::new();
    until("calls reach the new address", || {
        let answer = proxy.get("http://moves.example/");
        let arrived = answer.status == 200;
        answers.push(answer.status);
        arrived
    });
    assert!(answers.iter().all(|status| [200, 503].contains(status)), "{answers:?}");
    assert_eq!(client.get("http://moves.example/after").text(), "second");
}

#[test]
fn without_descriptors_calls_go_on_and_new_connections_wait_until_there_are_some() {
    let origin = Fragile::start("127.0.0.1:0", "page");
    let scene = stage(origin.address);
    let proxy = Proxied::start(&scene, &["--workers", "1"]);
    let mut client = proxy.connect();
    assert_eq!(client.get("http://a.example/").status, 200);
    let pid = Pid::from_raw(i32::try_from(proxy.pid()).expect("a process")).expect("a process");
    let open = || std::fs::read_dir(format!("/proc/{}/fd", proxy.pid())).expect("it runs").count() as u64;
    let before = prlimit(
        Some(pid),
        Resource::Nofile,
        Rlimit { current: Some(open() + 2), maximum: getrlimit(Resource::Nofile).maximum },
    );
    let before = before.expect("its limit may be lowered");
    // Two get a descriptor for themselves, and none for the origin; the others wait to be accepted.
    let mut starved: Vec<Client> = (0..6).map(|_| proxy.connect()).collect();
    for (call, waiting) in starved.iter_mut().enumerate() {
        waiting.send(&request(&format!("/starved/{call}")));
    }
    // Who is connected is answered: from the origin, unless another has its connection just then.
    let answers: Vec<u16> = (0..20).map(|_| client.get("http://a.example/").status).collect();
    assert!(answers.iter().all(|status| [200, 503].contains(status)) && answers.contains(&200), "{answers:?}");
    prlimit(Some(pid), Resource::Nofile, before).expect("its limit may be raised again");
    for waiting in &mut starved {
        let status = waiting.read().status;
        assert!([200, 503].contains(&status), "{status}");
    }
    assert_eq!(starved[5].get("http://a.example/after").status, 200);
    record(&scene, "/after");
}

#[test]
fn a_clock_that_is_stepped_stops_no_call_and_loses_no_record() {
    let origin = Fragile::start("127.0.0.1:0", "page");
    let scene = stage(origin.address);
    let Some(clock) = Clock::new(&scene) else { return };
    let mut proxy = Proxied::by(&scene, &["--workers", "1"], |command| clock.of(command));
    let mut client = proxy.connect();
    let mut seconds = Vec::new();
    for (call, shift) in [0, -3600, 86_400, -60, 0].into_iter().enumerate() {
        clock.shift(shift);
        assert_eq!(client.get(&format!("http://a.example/step/{call}")).status, 200);
        let entry: serde_json::Value = serde_json::from_str(&record(&scene, &format!("/step/{call}"))).expect("one");
        let time: jiff::Timestamp = entry["time"].as_str().expect("a time").parse().expect("a time");
        seconds.push(time.as_second());
    }
    let since = |call: usize| seconds[call] - seconds[0];
    assert!((-3600..-3500).contains(&since(1)) && (86_400..86_500).contains(&since(2)), "{seconds:?}");
    scene.ok(&["proxy", "stop"]);
    assert!(proxy.wait().success());
    assert_eq!(scene.ok(&["logs", "--all", "-F", "--grep", "/step/", "--count"]).trim(), "5");
    scene.ok(&["logs", "verify"]);
}

#[test]
fn near_the_limit_of_its_control_group_a_proxy_refuses_calls_until_there_is_room() {
    const PLENTY: u64 = 1 << 30;
    let Some(group) = Group::new(PLENTY) else { return };
    let origin = Fragile::start("127.0.0.1:0", "page");
    let scene = stage(origin.address);
    let mut proxy = Proxied::by(&scene, &["--workers", "1"], |command| group.of(&command));
    let mut client = proxy.connect();
    assert_eq!(client.get("http://a.example/before").status, 200);
    let metrics = scene.metrics();
    let used = metrics.lines().find_map(|line| line.strip_prefix("egressctl_limit_used{limit=\"memory\"} "));
    let used: u64 = used.expect("it is bounded").parse().expect("a number");
    group.bound(used * 100 / 94);
    proxy.wait_for("memory is nearly used up: calls are refused");
    assert_eq!(client.get("http://a.example/refused").status, 503);
    group.bound(PLENTY);
    proxy.wait_for("there is memory again: calls are taken");
    assert_eq!(proxy.get("http://a.example/after").status, 200);
    record(&scene, "/after");
}

#[test]
fn a_registry_that_somebody_has_locked_holds_up_no_call_and_the_change_comes_through_afterwards() {
    let origin = Fragile::start("127.0.0.1:0", "page");
    let scene = stage(origin.address);
    let proxy = Proxied::start(&scene, &[]);
    let mut registry = rusqlite::Connection::open(scene.state().join("registry.db")).expect("the registry");
    let lock = registry.transaction_with_behavior(TransactionBehavior::Exclusive).expect("a lock");
    for _ in 0..20 {
        assert_eq!(proxy.get("http://a.example/locked").status, 200);
    }
    record(&scene, "/locked");
    assert_eq!(proxy.get("http://c.example/").status, 502);
    let manifest = scene.write("c.yaml", &service_entry("c.example", origin.address));
    let mut change = scene.command(&["create", "-f", &manifest]);
    let change = change.stdout(std::process::Stdio::piped()).spawn().expect("it starts");
    lock.rollback().expect("it was held");
    assert!(change.wait_with_output().expect("a child").status.success());
    until("the change is in force", || proxy.get("http://c.example/").status == 200);
}
