//! What a connection at rest keeps in memory: bytes counted, not timed.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use egressctl::call::PathNormalization;
use egressctl::diagnostic::Source;
use egressctl::manifest::parse;
use egressctl::node::{ListenerConfig, NodeConfig, Running, start};
use egressctl::policy::Enforcement;
use egressctl::proxy::Limits;
use egressctl::registry::{Operation, Registry, SqliteRegistry, Transaction};
use egressctl::routing::OutboundPolicy;
use egressctl::state::StateDir;
use tempfile::TempDir;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const CONNECTIONS: usize = 200;

/// How long a condition may take to come true; nothing here depends on how long it takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Answers every request of every connection with `ok`.
fn origin() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.expect("a connection");
            thread::spawn(move || while exchange_as_origin(&stream).is_some() {});
        }
    });
    address
}

fn exchange_as_origin(mut stream: &TcpStream) -> Option<()> {
    let mut lines = BufReader::new(stream).lines();
    while !lines.next()?.ok()?.is_empty() {}
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").ok()
}

/// A proxy with one worker, in this process.
fn proxy(origin: SocketAddr) -> (TempDir, tokio::runtime::Runtime, Running) {
    let directory = TempDir::new().expect("a directory");
    let state = StateDir::open(directory.path().join("state")).expect("a state directory");
    let site = format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: origin, namespace: default}}\nspec:\n  \
         hosts: [origin.example]\n  resolution: STATIC\n  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: {}}}]\n  \
         endpoints: [{{address: {}}}]\n",
        origin.port(),
        origin.ip()
    );
    let operations = parse(&Source::new("site", site)).resources.into_iter().map(Operation::Create).collect();
    let registry = SqliteRegistry::open(&state).expect("a registry");
    registry.commit(Transaction { operations }).expect("a valid change");
    let config = NodeConfig {
        paths: PathNormalization::default(),
        name: "memory".into(),
        listeners: vec![ListenerConfig { address: "127.0.0.1:0".parse().expect("an address"), workload: None }],
        gateway_listeners: Vec::new(),
        metrics_listen: None,
        workers: 1,
        overrides: Vec::new(),
        name_servers: vec!["127.0.0.1:9".parse().expect("an address")],
        ca_file: None,
        outbound: OutboundPolicy::default(),
        enforcement: Enforcement::default(),
        proxy_protocol: false,
        drain_timeout: Duration::ZERO,
        limits: Limits { ready_time: Duration::from_millis(100), ..Limits::default() },
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let running = runtime.block_on(start(state, config)).expect("it starts");
    (directory, runtime, running)
}

/// Asks for a page, and keeps the connection.
fn ask(mut stream: &TcpStream) {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: origin.example\r\n\r\n").expect("it is read");
    let mut reader = BufReader::new(stream);
    let (mut line, mut head) = (String::new(), String::new());
    while line != "\r\n" {
        line.clear();
        reader.read_line(&mut line).expect("an answer");
        head.push_str(&line);
    }
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let mut body = [0; 2];
    reader.read_exact(&mut body).expect("a body");
}

fn live() -> usize {
    dhat::HeapStats::get().curr_bytes
}

/// Waits until so many bytes or fewer are live, and tells how many it came to.
#[track_caller]
fn settle(limit: usize) -> usize {
    let begun = Instant::now();
    let mut least = live();
    while least > limit {
        assert!(begun.elapsed() < PATIENCE, "{least} bytes are live, not {limit}");
        thread::sleep(Duration::from_millis(10));
        least = least.min(live());
    }
    least
}

#[test]
fn a_connection_at_rest_takes_less_than_4_kib() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let (_directory, _runtime, running) = proxy(origin());
    let open = || TcpStream::connect(running.addresses[0]).expect("it listens");
    let ask_twice = |stream: &TcpStream| {
        ask(stream);
        ask(stream);
    };
    // What the first calls make once, also upstream, is no connection's.
    let first: Vec<TcpStream> = (0..10).map(|_| open()).inspect(ask_twice).collect();
    let before = settle(live());
    let more: Vec<TcpStream> = (0..CONNECTIONS).map(|_| open()).inspect(ask_twice).collect();
    settle(before + CONNECTIONS * 4 * 1024);
    // And they can still be used.
    first.iter().chain(&more).for_each(ask);
}
