//! What a connection at rest keeps in memory: bytes counted, not timed.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{env, thread};

use egressctl::diagnostic::Source;
use egressctl::manifest::parse;
use egressctl::node::{GatewayListenerConfig, ListenerConfig, NodeConfig, Role, Running, start};
use egressctl::policy::Enforcement;
use egressctl::proxy::Limits;
use egressctl::registry::{Operation, Registry, SqliteRegistry, Transaction};
use egressctl::routing::OutboundPolicy;
use egressctl::state::StateDir;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
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

/// A certificate of `origin.example` in `c.pem`, its key in `k.pem`.
fn certificate(directory: &Path) {
    let made = rcgen::generate_simple_self_signed(["origin.example".to_owned()]).expect("a certificate");
    std::fs::write(directory.join("c.pem"), made.cert.pem()).expect("it is written");
    std::fs::write(directory.join("k.pem"), made.signing_key.serialize_pem()).expect("it is written");
}

/// A proxy with one worker, in this process; its first address is a sidecar's, its second the gateway's with TLS.
fn proxy(origin: SocketAddr) -> (TempDir, tokio::runtime::Runtime, Running) {
    let directory = TempDir::new().expect("a directory");
    certificate(directory.path());
    let state = StateDir::open(directory.path().join("state")).expect("a state directory");
    let site = format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: origin, namespace: default}}\nspec:\n  \
         hosts: [origin.example]\n  resolution: STATIC\n  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: {}}}]\n  \
         endpoints: [{{address: {}}}]\n---\n\
         apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: gateway, namespace: default}}\nspec:\n  servers:\n  \
         - port: {{number: 443, name: https, protocol: HTTPS}}\n    hosts: [origin.example]\n    \
         tls: {{mode: SIMPLE, serverCertificate: {}/c.pem, privateKey: {}/k.pem}}\n---\n\
         apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: route, namespace: default}}\nspec:\n  \
         hosts: [origin.example]\n  gateways: [gateway]\n  http:\n  - route: [{{destination: {{host: origin.example}}}}]\n",
        origin.port(),
        origin.ip(),
        directory.path().display(),
        directory.path().display()
    );
    let operations = parse(&Source::new("site", site)).resources.into_iter().map(Operation::Create).collect();
    let registry = SqliteRegistry::open(&state).expect("a registry");
    registry.commit(Transaction { operations }).expect("a valid change");
    let config = NodeConfig {
        paths: None,
        recording: egressctl::decision::access::Recording::default(),
        log: egressctl::accesslog::Config::default(),
        sealing: egressctl::accesslog::Limits::default(),
        retention: egressctl::accesslog::Retention::default(),
        name: "memory".into(),
        replaces: false,
        memory: None,
        role: Role::All,
        mesh_listen: None,
        gateway: None,
        identity: None,
        trust_domain: None,
        certificate_ttl: Duration::from_secs(3600),
        listeners: vec![ListenerConfig { address: "127.0.0.1:0".parse().expect("an address"), workload: None }],
        gateway_listeners: vec![GatewayListenerConfig {
            address: "127.0.0.1:0".parse().expect("an address"),
            port: 443,
        }],
        metrics_listen: None,
        otlp_endpoint: None,
        profile: None,
        workers: 1,
        overrides: Vec::new(),
        name_servers: vec!["127.0.0.1:9".parse().expect("an address")],
        ca_file: None,
        outbound: OutboundPolicy::default(),
        enforcement: Enforcement::default(),
        proxy_protocol: false,
        require_identity: false,
        identify_users: false,
        drain_timeout: Duration::ZERO,
        limits: Limits { ready_time: Duration::from_millis(100), ..Limits::default() },
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let running = runtime.block_on(start(state, config)).expect("it starts");
    (directory, runtime, running)
}

/// Asks for a page, and keeps the connection.
fn ask(mut stream: impl Read + Write) {
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

/// The allocator counts for the process, so that one test at a time may look.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn a_connection_at_rest_takes_less_than_2_kib() {
    let _alone = alone();
    let _profiler = dhat::Profiler::builder().testing().build();
    let (_directory, _runtime, running) = proxy(origin());
    let open = || TcpStream::connect(running.addresses[0]).expect("it listens");
    let ask_twice = |stream: &TcpStream| {
        ask(stream);
        ask(stream);
    };
    // What the first calls make once, also upstream, is no connection's; nor is the room for what is recorded of many at once.
    let first: Vec<TcpStream> = (0..10).map(|_| open()).inspect(ask_twice).collect();
    (0..CONNECTIONS / 5).for_each(|_| first.iter().for_each(ask));
    let before = settle(live());
    let more: Vec<TcpStream> = (0..CONNECTIONS).map(|_| open()).inspect(ask_twice).collect();
    settle(before + CONNECTIONS * 2 * 1024);
    // And they can still be used.
    first.iter().chain(&more).for_each(ask);
}

#[test]
fn a_connection_of_tls_at_rest_takes_less_than_20_kib() {
    let _alone = alone();
    let _profiler = dhat::Profiler::builder().testing().build();
    let (directory, _runtime, running) = proxy(origin());
    let mut clients = Clients::of(running.gateway_addresses[0], &directory.path().join("c.pem"));
    clients.open(10);
    let before = settle(live());
    clients.open(CONNECTIONS);
    let kept = settle(before + CONNECTIONS * 20 * 1024) - before;
    assert!(kept > CONNECTIONS * 1024, "the clients' connections are there: {kept} bytes");
    clients.ask_again();
}

/// Clients of TLS in a process of their own, so that what they keep is not counted.
struct Clients(Child);

/// Where the process of clients finds the address, and the certificate to trust.
const ADDRESS: &str = "MEMORY_TEST_ADDRESS";
const TRUSTED: &str = "MEMORY_TEST_TRUSTED";

impl Clients {
    fn of(address: SocketAddr, trusted: &Path) -> Self {
        let mut command = Command::new(env::current_exe().expect("the test's own program"));
        command.args(["clients_of_tls", "--exact", "--ignored", "--nocapture"]);
        command.env(ADDRESS, address.to_string()).env(TRUSTED, trusted);
        Self(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts"))
    }

    fn open(&mut self, count: usize) {
        self.tell(&count.to_string());
    }

    fn ask_again(&mut self) {
        self.tell("ask");
    }

    /// Sends a line, and waits until it is carried out.
    fn tell(&mut self, line: &str) {
        writeln!(self.0.stdin.as_mut().expect("piped"), "{line}").expect("it reads");
        let output = self.0.stdout.as_mut().expect("piped");
        let mut said = Vec::new();
        while !said.ends_with(b"carried out\n") {
            let mut byte = [0];
            output.read_exact(&mut byte).expect("the clients go on");
            said.push(byte[0]);
        }
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().expect("it ends");
    }
}

#[test]
#[ignore = "the process of clients of the test above"]
fn clients_of_tls() {
    let (Ok(address), Ok(trusted)) = (env::var(ADDRESS), env::var(TRUSTED)) else { return };
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(trusted).expect("a certificate")).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
    let mut streams = Vec::new();
    for line in std::io::stdin().lines() {
        let count = line.expect("a line").parse().unwrap_or(0);
        if count == 0 {
            streams.iter_mut().for_each(ask);
        }
        for _ in 0..count {
            let name = ServerName::try_from("origin.example").expect("a name");
            let session = ClientConnection::new(Arc::clone(&config), name).expect("a session");
            let mut stream = StreamOwned::new(session, TcpStream::connect(&address).expect("it listens"));
            ask(&mut stream);
            ask(&mut stream);
            streams.push(stream);
        }
        println!("carried out");
    }
}
