//! What a certificate costs, and the hop between sidecar and gateway in two processes beside the same hop in one.
//!
//! `cargo bench --bench identity`. The origin, the proxies and the client are on one machine: read the ratio.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use egressctl::identity::SpiffeId;
use egressctl::identity::authority::{DEFAULT_TTL, Store};
use egressctl::state::StateDir;

const CERTIFICATES: usize = 2_000;
const CALLS: usize = 5_000;

/// Milliseconds that a certificate may take.
const GOAL: f64 = 2.0;

fn main() {
    let directory = std::env::temp_dir().join(format!("egressctl-bench-{}", std::process::id()));
    issuing(&directory);
    hop(&directory);
    std::fs::remove_dir_all(&directory).expect("the bench's own directory");
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Key and certificate, as for a workload.
fn issuing(directory: &Path) {
    let state = StateDir::open(directory.join("issuing")).expect("a directory");
    let now = 1_800_000_000;
    let authority = Store::of(&state).open(None, now).expect("an authority");
    let identity: SpiffeId = "spiffe://cluster.local/ns/default/sa/sleep".parse().expect("an identity");
    let timed = |_| {
        let begun = Instant::now();
        authority.issue(&identity, DEFAULT_TTL, now).expect("a certificate");
        begun.elapsed()
    };
    let once = median((0..CERTIFICATES).map(timed).collect());
    let part = millis(once) / GOAL * 100.0;
    println!(
        "issue a certificate with a new key: {:.3} ms (median of {CERTIFICATES}; goal {GOAL} ms, of which it takes {part:.0} %)",
        millis(once)
    );
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// A proxy, and where it listens.
struct Proxy(Child, SocketAddr);

impl Proxy {
    fn start(state: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_egressctl"));
        command.args(["proxy", "start"]).args(arguments).env("EGRESSCTL_STATE_DIR", state);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary was built");
        let mut address = None;
        for line in BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok) {
            if line.contains("sidecar of") || line.contains("sidecars of") {
                address = line.rsplit(' ').next().and_then(|text| text.parse().ok());
            }
            if line.starts_with("ready") {
                break;
            }
        }
        Self(child, address.expect("it names its listener"))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn hop(directory: &Path) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let origin = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    let state = directory.join("hop");
    let manifest = directory.join("site.yaml");
    std::fs::write(&manifest, site(origin)).expect("writable");
    for file in ["fixtures/scenario/sleep.yaml", manifest.to_str().expect("plain")] {
        let created = Command::new(env!("CARGO_BIN_EXE_egressctl"))
            .args(["create", "-f", file])
            .env("EGRESSCTL_STATE_DIR", &state)
            .stdout(Stdio::null())
            .status();
        assert!(created.expect("the binary was built").success());
    }
    let listen = ["--listen", "127.0.0.1:0=sleep", "--workers", "1"];
    let one = {
        let proxy = Proxy::start(&state, &listen);
        calls(proxy.1)
    };
    let _gateway = Proxy::start(&state, &["--role", "gateway", "--mesh-listen", "127.0.0.1:0", "--workers", "1"]);
    let sidecar = Proxy::start(&state, &[&listen[..], &["--role", "sidecar"]].concat());
    let two = calls(sidecar.1);
    println!(
        "a call by sidecar and gateway: {:.3} ms in one process, {:.3} ms in two over mutual TLS, ratio {:.2} (median of \
         {CALLS}, one after the other)",
        millis(one),
        millis(two),
        two.as_secs_f64() / one.as_secs_f64()
    );
}

fn answer(stream: TcpStream) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
        if line == "\r\n" {
            let page = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\npage";
            if reader.get_mut().write_all(page).is_err() {
                return;
            }
        }
        line.clear();
    }
}

/// Median time of a call on one connection.
fn calls(address: SocketAddr) -> Duration {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_nodelay(true).expect("a socket");
    let mut once = || {
        let begun = Instant::now();
        stream.write_all(b"GET http://site.example/ HTTP/1.1\r\nhost: site.example\r\n\r\n").expect("it reads");
        let mut answer = Vec::new();
        while !answer.ends_with(b"page") {
            let mut bytes = [0; 1024];
            let read = stream.read(&mut bytes).expect("an answer");
            assert!(read > 0, "{}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&bytes[..read]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200"));
        begun.elapsed()
    };
    for _ in 0..CALLS / 10 {
        once();
    }
    median((0..CALLS).map(|_| once()).collect())
}

/// A host that sidecars reach by the gateway.
fn site(origin: SocketAddr) -> String {
    format!(
        "apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: out}}
spec:
  selector: {{istio: egressgateway}}
  servers: [{{port: {{number: 80, name: http, protocol: HTTP}}, hosts: [site.example]}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: site}}
spec:
  hosts: [site.example]
  resolution: STATIC
  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: {}}}]
  endpoints: [{{address: {}}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: site}}
spec:
  hosts: [site.example]
  gateways: [mesh, out]
  http:
  - match: [{{gateways: [mesh], port: 80}}]
    route: [{{destination: {{host: istio-egressgateway.istio-system.svc.cluster.local, port: {{number: 80}}}}}}]
  - match: [{{gateways: [out], port: 80}}]
    route: [{{destination: {{host: site.example, port: {{number: 80}}}}}}]
",
        origin.port(),
        origin.ip()
    )
}
