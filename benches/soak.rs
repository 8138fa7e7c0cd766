//! Everything at once for some minutes: calls of all kinds, of HTTP/1.1 and HTTP/2 and out of sandboxes, floods, a change of the
//! configuration every second, questions to the log, and in the middle another process that goes on instead; and at the end
//! nothing has leaked, and every answer is in the log once.
//!
//! `MINUTES=10 cargo bench --bench soak` (2 if nothing is said). It ends with 1 and says why if it finds something.

#[allow(dead_code, reason = "shared with the tests, which use more of it")]
#[path = "../tests/it/harness.rs"]
mod harness;
#[allow(dead_code, reason = "shared with the tests, which use more of it")]
#[path = "../tests/it/proxied.rs"]
mod proxied;
#[allow(dead_code, reason = "shared with the tests, which use more of it")]
#[path = "../tests/it/stage.rs"]
mod stage;
#[path = "soak/multiplexed.rs"]
mod multiplexed;

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::linux::fs::MetadataExt as _;
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use egressctl::cli::demo::origin::{Origin, Reply};

use proxied::{Client, Proxied};
use stage::{Stage, service_entry, until};

const CALLERS: usize = 8;

/// Between two calls of a caller.
const PAUSE: Duration = Duration::from_millis(5);

/// What memory may grow by between the end of the first quarter and the end, in KiB: caches fill, and the allocator keeps some.
const GROWTH: u64 = 12 * 1024;

/// Descriptors that a proxy at rest may have: its own, and kept connections to origins.
const MOST_DESCRIPTORS: usize = 128;

/// What a caller did.
#[derive(Debug, Default)]
struct Did {
    /// Paths of calls with a whole answer, by status.
    answered: Vec<String>,
    statuses: HashMap<u16, u64>,
    /// Calls that it broke off.
    broken_off: u64,
    /// Calls that failed, though nobody broke anything.
    failed: Vec<String>,
}

/// What a thread does with a proxy at an address until it is told to stop.
type Calling = Box<dyn FnOnce(SocketAddr, &AtomicBool) -> Did + Send>;

fn main() -> ExitCode {
    let minutes: f64 = std::env::var("MINUTES").ok().and_then(|text| text.parse().ok()).unwrap_or(2.0);
    let time = Duration::from_secs_f64(minutes * 60.0);
    let namespaces = namespaces();
    let large = vec![b'x'; 1 << 20];
    let origin = Origin::start(None, move |received| match received.path().rsplit('/').next() {
        Some("large") => Reply::page("200 OK", &large),
        _ => Reply::page("200 OK", &[&received.body[..], &[b'x'; 1024]].concat()),
    });
    let origin = origin.expect("an origin");
    let scene = Stage::new();
    scene.declare(&["scenario/sleep.yaml", "scenario/02-egress-monitoring.yaml"]);
    let entries = [service_entry("a.example", origin.address), tcp_entry("echo.example", echo())].join("---\n");
    scene.ok_with(&["create", "-f", "-"], &entries);
    let arguments = ["--seal-rows", "20000", "--drain-timeout", "10s"];
    let mut first = Proxied::start(&scene, &arguments);
    assert_eq!(first.get("http://a.example/").status, 200);
    let has_sandboxes = from_sandbox(&scene, "/sandboxes").is_some();
    if !has_sandboxes {
        println!("There are no sandboxes on this machine: none is tried.");
    }

    let (stop, scene) = (Arc::<AtomicBool>::default(), Arc::new(scene));
    let start = |run: Calling| {
        let (address, stop) = (first.address, Arc::clone(&stop));
        std::thread::spawn(move || run(address, &stop))
    };
    let mut callers: Vec<_> =
        (0..CALLERS).map(|caller| start(Box::new(move |proxy, stop| call(proxy, caller, stop)))).collect();
    callers.extend((0..2).map(|caller| start(Box::new(move |proxy, stop| multiplexed::call(proxy, caller, stop)))));
    if has_sandboxes {
        let scene = Arc::clone(&scene);
        callers.push(start(Box::new(move |_, stop| call_from_sandboxes(&scene, stop))));
    }
    let pestering = {
        let (address, stop) = (first.address, Arc::clone(&stop));
        std::thread::spawn(move || pester(address, &stop))
    };
    let (before, _) = change(&scene, &Process(first.pid()), origin.address, time / 2);
    let mut proxy = Proxied::start(&scene, &[&arguments[..], &["--replace"]].concat());
    let process = Process(proxy.pid());
    let (after, early) = change(&scene, &process, origin.address, time / 2);
    let changes = before + after;
    stop.store(true, Ordering::Relaxed);
    let did: Vec<Did> = callers.into_iter().map(|caller| caller.join().expect("no panic")).collect();
    pestering.join().expect("no panic");

    let mut findings: Vec<String> = did.iter().flat_map(|did| did.failed.clone()).take(10).collect();
    if !first.wait().success() {
        findings.push("the process that was replaced ended badly".into());
    }
    until("all connections have ended", || process.descriptors() <= MOST_DESCRIPTORS);
    let late = process.resident();
    if late > early + GROWTH {
        findings.push(format!("resident memory grew from {early} to {late} KiB"));
    }
    scene.ok(&["proxy", "stop"]);
    if !proxy.wait().success() {
        findings.push("the proxy ended badly".into());
    }
    findings.extend(compare(&scene, &did));
    // Others may make some meanwhile.
    let end = Instant::now() + proxied::PATIENCE;
    while self::namespaces() > namespaces && Instant::now() < end {
        std::thread::sleep(PAUSE);
    }
    if self::namespaces() > namespaces {
        findings.push(format!("{namespaces} network namespaces became {}", self::namespaces()));
    }
    let verified = scene.command(&["logs", "verify"]).output().expect("it runs");
    if !verified.status.success() {
        findings.push(String::from_utf8_lossy(&verified.stderr).into_owned());
    }
    let mut statuses = HashMap::<u16, u64>::new();
    did.iter().flat_map(|did| &did.statuses).for_each(|(status, count)| *statuses.entry(*status).or_default() += count);
    let broken_off: u64 = did.iter().map(|did| did.broken_off).sum();
    println!(
        "{minutes} minutes: answers by status {statuses:?}, {broken_off} calls broken off, {changes} changes; resident \
         {early} KiB after a quarter of the time, {late} KiB at rest at the end",
    );
    findings.iter().for_each(|finding| println!("FOUND: {finding}"));
    if findings.is_empty() {
        println!("Nothing leaked, and every answer is in the log once.");
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What the kernel tells of the proxy.
struct Process(u32);

impl Process {
    fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.0)).expect("it runs").count()
    }

    /// KiB.
    fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0)).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it is told");
        line.split_whitespace().next().and_then(|text| text.parse().ok()).expect("a number")
    }
}

/// How many network namespaces there are that processes live in.
fn namespaces() -> usize {
    let processes = std::fs::read_dir("/proc").expect("Linux");
    let found = processes.flatten().filter_map(|process| {
        std::fs::metadata(process.path().join("ns/net")).ok().map(|namespace| namespace.st_ino())
    });
    found.collect::<std::collections::HashSet<_>>().len()
}

/// A server that sends back what it gets.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut back = stream.try_clone().expect("a descriptor");
                let _ = std::io::copy(&mut &stream, &mut back);
                let _ = stream.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    address
}

fn tcp_entry(host: &str, origin: SocketAddr) -> String {
    let entry = service_entry(host, origin);
    entry.replace("number: 80, name: http, protocol: HTTP", "number: 7000, name: tcp, protocol: TCP")
}

/// Changes the configuration every second, and asks the log now and then; how many changes there were, and the resident memory
/// after a quarter of the time.
fn change(scene: &Stage, process: &Process, origin: SocketAddr, time: Duration) -> (u64, u64) {
    let (start, mut changes, mut early) = (Instant::now(), 0, None);
    while start.elapsed() < time {
        let entry = service_entry(&format!("h{}.example", changes % 7), origin);
        if changes % 14 < 7 {
            scene.ok_with(&["apply", "-f", "-"], &entry);
        } else {
            scene.ok_with(&["delete", "-f", "-"], &entry);
        }
        if changes % 10 == 9 {
            scene.ok(&["logs", "--level", "error", "--count"]);
            scene.ok(&["logs", "--all", "--tail", "5"]);
        }
        changes += 1;
        if early.is_none() && start.elapsed() > time / 4 {
            early = Some(process.resident());
        }
        let next = start + Duration::from_secs(changes);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    (changes, early.unwrap_or_else(|| process.resident()))
}

/// Calls of all kinds, one after the other, until it is told to stop.
fn call(proxy: SocketAddr, caller: usize, stop: &AtomicBool) -> Did {
    let (mut did, mut client, mut turn) = (Did::default(), Client::to(proxy), 0_u64);
    while !stop.load(Ordering::Relaxed) {
        let path = format!("/{caller}/{turn}");
        let kind = (turn + caller as u64) % 16;
        let head = |method: &str, host: &str, more: &str| {
            format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n{more}\r\n").into_bytes()
        };
        let body = vec![b'b'; 10_000];
        match kind {
            0 => {
                // A connection of its own.
                let answer = Client::to(proxy).try_exchange(&head("GET", "a.example", "connection: close\r\n"));
                did.note(answer, 200, path);
            }
            1 => did.note(client.try_exchange(&head("GET", "unknown.example", "")), 502, path),
            2 => {
                let request = [head("POST", "a.example", "content-length: 10000\r\n"), body].concat();
                did.note(client.try_exchange(&request), 200, path);
            }
            3 => {
                let request = [head("PUT", "a.example", "content-length: 10000\r\n"), body[..500].to_vec()].concat();
                // Gone in the middle of its body.
                let _ = TcpStream::connect(proxy).and_then(|mut stream| stream.write_all(&request));
                did.broken_off += 1;
            }
            4 if turn.is_multiple_of(64) => {
                let large = format!("{path}/large");
                let request = format!("GET {large} HTTP/1.1\r\nhost: a.example\r\n\r\n").into_bytes();
                did.note(client.try_exchange(&request), 200, large);
            }
            5 => tunnel(proxy, &mut did),
            _ => did.note(client.try_exchange(&head("GET", "a.example", "")), 200, path),
        }
        turn += 1;
        std::thread::sleep(PAUSE);
    }
    did
}

impl Did {
    fn note(&mut self, status: Option<u16>, expected: u16, path: String) {
        if let Some(status) = status {
            *self.statuses.entry(status).or_default() += 1;
        }
        match status {
            Some(status) if status == expected => self.answered.push(path),
            other => self.failed.push(format!("{path} got {other:?} and not {expected}")),
        }
    }
}

/// Through a tunnel and back.
fn tunnel(proxy: SocketAddr, did: &mut Did) {
    let through = || {
        let mut stream = TcpStream::connect(proxy).ok()?;
        stream.set_read_timeout(Some(proxied::PATIENCE)).ok()?;
        stream.write_all(b"CONNECT echo.example:7000 HTTP/1.1\r\nhost: echo.example:7000\r\n\r\n").ok()?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).ok()?;
            head.extend(byte);
        }
        stream.write_all(b"there and back").ok()?;
        let mut back = [0; 14];
        stream.read_exact(&mut back).ok()?;
        (&back == b"there and back").then_some(())
    };
    if through().is_none() {
        did.failed.push("a tunnel broke".into());
    }
}

/// Calls out of sandboxes, each in one of its own, until it is told to stop.
fn call_from_sandboxes(scene: &Stage, stop: &AtomicBool) -> Did {
    let (mut did, mut turn) = (Did::default(), 0);
    while !stop.load(Ordering::Relaxed) {
        let path = format!("/sandbox/{turn}");
        did.note(from_sandbox(scene, &path), 200, path);
        turn += 1;
        std::thread::sleep(100 * PAUSE);
    }
    did
}

/// The status that curl gets in a sandbox; `None` where there is none, or no sandbox.
fn from_sandbox(scene: &Stage, path: &str) -> Option<u16> {
    let url = format!("http://a.example{path}");
    let command = ["exec", "deployment/sleep", "--", "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", &url];
    let output = scene.command(&command).stdin(Stdio::null()).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok().filter(|_| output.status.success())
}

/// Slow heads, connections that say nothing, and such that are dropped at once.
fn pester(proxy: SocketAddr, stop: &AtomicBool) {
    let mut kept = std::collections::VecDeque::new();
    while !stop.load(Ordering::Relaxed) {
        if let Ok(mut stream) = TcpStream::connect(proxy) {
            let begin: &[u8] = match kept.len() % 3 {
                0 => b"GET / HTT",
                1 => b"\x16\x03\x01\x02\x00\x01",
                _ => b"",
            };
            // It may have been turned away.
            let _ = stream.write_all(begin);
            kept.push_back(stream);
        }
        if kept.len() > 300 {
            kept.drain(..150);
        }
        std::thread::sleep(2 * PAUSE);
    }
}

/// What is wrong between answers and records of calls.
fn compare(scene: &Stage, did: &[Did]) -> Vec<String> {
    let mut command = scene.command(&["logs", "--all"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut recorded = HashMap::<String, u64>::new();
    for line in BufReader::new(child.stdout.take().expect("piped")).lines() {
        let line = line.expect("text");
        let path = line.split("\"path\":\"").nth(1).and_then(|rest| rest.split('"').next());
        if let Some(path) = path.filter(|_| line.contains("\"instance\":\"access.")) {
            *recorded.entry(path.to_owned()).or_default() += 1;
        }
    }
    assert!(child.wait().expect("a child").success());
    let answered = did.iter().flat_map(|did| &did.answered);
    let wrong = answered.filter(|path| recorded.get(*path) != Some(&1));
    let wrong = wrong.map(|path| format!("{path} is {:?} times in the log", recorded.get(path).unwrap_or(&0)));
    wrong.take(10).collect()
}
