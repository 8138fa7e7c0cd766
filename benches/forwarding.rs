//! What forwarding costs: two forms of a bare forwarder, and egressctl with policy and log on.
//!
//! The bare ones (hyper on both sides, no limits, no log) differ in their runtime: a thread per core without stealing, and
//! tokio's work-stealing pool. Each runs as a process of its own before the same origin, 1 KiB bodies, 64 kept connections;
//! printed are CPU microseconds per request of that process, in turns, with ratios of the medians:
//! `cargo bench --bench forwarding`. Linux only (reads /proc).

use std::cell::RefCell;
use std::convert::Infallible;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream as StdStream};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

const CONNECTIONS: usize = 64;
const REQUESTS: usize = 60_000;
const ROUNDS: usize = 7;

type Sender = SendRequest<Incoming>;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("serve-origin") => origin(),
        Some("serve-per-core") => per_core(workers(&arguments), address(&arguments)),
        Some("serve-stealing") => stealing(workers(&arguments), address(&arguments)),
        _ => measure(),
    }
}

fn workers(arguments: &[String]) -> usize {
    arguments[2].parse().expect("a number of workers")
}

fn address(arguments: &[String]) -> SocketAddr {
    arguments[3].parse().expect("the origin's address")
}

fn measure() {
    let origin = Served::start(&["serve-origin"]);
    println!("| workers | per core, µs/request | work-stealing | × per core | egressctl | × per core |");
    println!("|---|---|---|---|---|---|");
    for workers in [1, 2] {
        let mut results = [Vec::new(), Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            let arguments = [&workers.to_string(), &origin.address.to_string()];
            results[0].push(Served::start(&["serve-per-core", arguments[0], arguments[1]]).cost());
            results[1].push(Served::start(&["serve-stealing", arguments[0], arguments[1]]).cost());
            results[2].push(egressctl(workers, origin.address).cost());
        }
        let [a, b, c] = results.map(|mut figures| median(&mut figures));
        println!("| {workers} | {a:.1} | {b:.1} | {:.2} | {c:.1} | {:.2} |", b / a, c / a);
    }
    let _ = std::fs::remove_dir_all(state_directory());
}

fn state_directory() -> std::path::PathBuf {
    std::env::temp_dir().join(format!("egressctl-bench-{}", std::process::id()))
}

/// egressctl with one registered host, and a rule that logs every call.
fn egressctl(workers: usize, origin: SocketAddr) -> Served {
    let state = state_directory();
    let _ = std::fs::remove_dir_all(&state);
    let command = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_egressctl"));
        command.args(arguments).env("EGRESSCTL_STATE_DIR", &state);
        command
    };
    let site = format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: origin}}\nspec:\n  hosts: [origin]\n  \
         resolution: STATIC\n  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: {}}}]\n  \
         endpoints: [{{address: 127.0.0.1}}]\n",
        origin.port()
    );
    for (flag, text) in [("-", site.as_str()), ("-", include_str!("../fixtures/scenario/sleep.yaml")), ("-", RULES)] {
        let mut child =
            command(&["create", "-f", flag]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("built");
        child.stdin.take().expect("piped").write_all(text.as_bytes()).expect("it reads");
        assert!(child.wait().expect("a child").success());
    }
    let workers = workers.to_string();
    let mut proxy = command(&["proxy", "start", "--listen", "127.0.0.1:0=sleep", "--workers", &workers]);
    let mut child = proxy.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("built");
    let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let said: Vec<String> = lines.map(|line| line.expect("text")).take_while(|line| line != "ready").collect();
    let listens = said.iter().find(|line| line.contains("sidecar of")).expect("it names its listener");
    let address = listens.rsplit(' ').next().expect("an address").parse().expect("an address");
    Served { child, address }
}

const RULES: &str = r#"
apiVersion: config.istio.io/v1alpha2
kind: logentry
metadata: {name: egress-access, namespace: istio-system}
spec:
  severity: '"info"'
  timestamp: request.time
  variables:
    destination: request.host | "unknown"
    path: request.path | "unknown"
    source: source.labels["app"] | source.service | "unknown"
    responseCode: response.code | 0
    responseSize: response.size | 0
---
apiVersion: config.istio.io/v1alpha2
kind: stdio
metadata: {name: out, namespace: istio-system}
spec: {outputAsJson: true}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: report, namespace: istio-system}
spec:
  match: request.host.startsWith("origin") && request.path.startsWith("/")
  actions: [{handler: out.stdio, instances: [egress-access.logentry]}]
"#;

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A process that serves, and says where in its first line.
struct Served {
    child: Child,
    address: SocketAddr,
}

impl Served {
    fn start(arguments: &[&str]) -> Self {
        let exe = std::env::current_exe().expect("this program has a path");
        let mut child = Command::new(exe).args(arguments).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        Self { child, address: line.trim().parse().expect("an address") }
    }

    /// CPU microseconds a request, after a warm-up.
    fn cost(&self) -> f64 {
        load(self.address, REQUESTS / 10);
        let before = self.cpu_micros();
        load(self.address, REQUESTS);
        (self.cpu_micros() - before) / REQUESTS as f64
    }

    /// User and system time so far; the kernel counts in ticks of 10 ms.
    fn cpu_micros(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("it runs");
        let fields: Vec<&str> = stat.rsplit(')').next().expect("a name").split_whitespace().collect();
        let ticks = |field: usize| fields[field].parse::<f64>().expect("ticks");
        (ticks(11) + ticks(12)) * 10_000.0
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A closed loop: every connection asks again as soon as it is answered.
fn load(address: SocketAddr, requests: usize) {
    let threads: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            std::thread::spawn(move || {
                let mut stream = StdStream::connect(address).expect("it listens");
                stream.set_nodelay(true).expect("a socket");
                let mut answer = vec![0; 4096];
                for _ in 0..requests / CONNECTIONS {
                    stream.write_all(b"GET http://origin/page HTTP/1.1\r\nhost: origin\r\n\r\n").expect("it reads");
                    let mut read = 0;
                    while read < 1024 || !answer[..read].ends_with(b"y") {
                        read += stream.read(&mut answer[read..]).expect("it answers");
                    }
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("no request fails"));
}

fn origin() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("{}", listener.local_addr().expect("bound"));
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            let service = service_fn(|_| async {
                let mut page = vec![b'x'; 1024];
                page[1023] = b'y';
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(page))))
            });
            tokio::task::spawn_local(Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
}

async fn connect(origin: SocketAddr) -> TokioIo<TcpStream> {
    let stream = TcpStream::connect(origin).await.expect("the origin listens");
    stream.set_nodelay(true).expect("a socket");
    TokioIo::new(stream)
}

fn inward(mut request: Request<Incoming>) -> Request<Incoming> {
    *request.uri_mut() = Uri::from_static("/page");
    request
}

fn per_core(workers: usize, origin: SocketAddr) {
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let first = reuseport(address);
    let bound = first.local_addr().expect("bound");
    let mut sockets = vec![first];
    sockets.extend((1..workers).map(|_| reuseport(bound)));
    println!("{bound}");
    let threads: Vec<_> =
        sockets.into_iter().map(|socket| std::thread::spawn(move || worker(socket, origin))).collect();
    threads.into_iter().for_each(|thread| drop(thread.join()));
}

fn reuseport(address: SocketAddr) -> std::net::TcpListener {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.set_reuse_port(true).expect("reuse");
    socket.set_nonblocking(true).expect("non-blocking");
    socket.bind(&address.into()).expect("a port");
    socket.listen(1024).expect("listen");
    socket.into()
}

fn worker(socket: std::net::TcpListener, origin: SocketAddr) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::from_std(socket).expect("a listener");
        let pool: Rc<RefCell<Vec<Sender>>> = Rc::default();
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            stream.set_nodelay(true).expect("a socket");
            let pool = Rc::clone(&pool);
            let service = service_fn(move |request| {
                let pool = Rc::clone(&pool);
                async move {
                    let idle = take(&mut pool.borrow_mut());
                    let mut sender = match idle {
                        Some(sender) => sender,
                        None => {
                            let (sender, connection) = handshake(connect(origin).await).await.expect("HTTP");
                            tokio::task::spawn_local(connection);
                            sender
                        }
                    };
                    let answer = sender.send_request(inward(request)).await;
                    pool.borrow_mut().push(sender);
                    answer
                }
            });
            tokio::task::spawn_local(Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
}

fn stealing(workers: usize, origin: SocketAddr) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("{}", listener.local_addr().expect("bound"));
        let pool: Arc<Mutex<Vec<Sender>>> = Arc::default();
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            stream.set_nodelay(true).expect("a socket");
            let pool = Arc::clone(&pool);
            let service = service_fn(move |request| {
                let pool = Arc::clone(&pool);
                async move {
                    let idle = take(&mut pool.lock().expect("no panic"));
                    let mut sender = match idle {
                        Some(sender) => sender,
                        None => {
                            let (sender, connection) = handshake(connect(origin).await).await.expect("HTTP");
                            tokio::spawn(connection);
                            sender
                        }
                    };
                    let answer = sender.send_request(inward(request)).await;
                    pool.lock().expect("no panic").push(sender);
                    answer
                }
            });
            tokio::spawn(Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
}

fn take(pool: &mut Vec<Sender>) -> Option<Sender> {
    pool.retain(|sender| !sender.is_closed());
    let ready = pool.iter().rposition(SendRequest::is_ready)?;
    Some(pool.swap_remove(ready))
}
