//! What routing costs: finding a host among many and a route among many, compiling many VirtualServices and one of them
//! again, and a connection at rest.
//!
//! `cargo bench --bench routing` prints times of one run beside something to compare with; the name of a part after `--`
//! (hosts, routes, names, compiling, connections) runs that part alone. Linux only (reads /proc).

use std::collections::HashMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use egressctl::call::{Arrival, Call, normalize};
use egressctl::diagnostic::Source;
use egressctl::expr::Timestamp;
use egressctl::identity::Caller;
use egressctl::manifest::parse;
use egressctl::registry::{MemoryRegistry, Operation, Registry, SqliteRegistry, Transaction};
use egressctl::routing::covers;
use egressctl::snapshot::{Compiler, ListenerSpec, Snapshot};
use egressctl::state::StateDir;
use regex::Regex;

/// Hosts of which one is found; every tenth is a wildcard.
const HOSTS: usize = 100_000;
/// Routes of one VirtualService.
const ROUTES: usize = 1_000;
/// VirtualServices that are compiled.
const MANY: usize = 10_000;
/// Connections that are left open.
const CONNECTIONS: usize = 2_000;
const ROUNDS: usize = 9;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let parts: [(&str, fn()); 5] = [
        ("hosts", hosts),
        ("routes", routes),
        ("names", names),
        ("compiling", compiling),
        ("connections", connections),
    ];
    for (_, part) in parts.iter().filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name)) {
        part();
    }
}

// Hosts

fn hosts() {
    let names: Vec<String> = (0..HOSTS).map(host).collect();
    // A ServiceEntry has at most 256 hosts.
    let entries = names.chunks(250).enumerate().map(|(number, hosts)| service_entry(&format!("e-{number}"), hosts));
    let snapshot = compiled(&entries.collect::<String>());
    let calls: Vec<Call> = (0..1024).map(|n| call(&snapshot, &called(n * 97 % HOSTS), "/", &[])).collect();
    let found = calls.iter().filter(|call| snapshot.routes.sidecar(0, call).end.is_ok()).count();
    assert_eq!(found, calls.len(), "all of them are registered");
    let ours = nanos(&calls, |call| snapshot.routes.sidecar(0, call).end.is_ok());
    let map: HashMap<String, usize> = (0..HOSTS).map(|n| (called(n), n)).collect();
    let exact = nanos(&calls, |call| map.contains_key(call.authority().host()));
    let few = &names[..ROUTES];
    let linear = nanos(&calls, |call| few.iter().any(|pattern| covers(pattern, call.authority().host())));
    let labels = "a.".repeat(120);
    let long = [call(&snapshot, &format!("{labels}nowhere.example"), "/", &[])];
    let hostile = nanos(&long, |call| snapshot.routes.sidecar(0, call).end.is_ok());
    println!("| finding a host among {HOSTS}, ns | std's HashMap, exact only | one after the other among {ROUTES} |");
    println!("|---|---|---|\n| {ours:.0} | {exact:.0} | {linear:.0} |\n");
    println!("A name of 122 labels that nobody knows: {hostile:.0} ns\n");
}

/// A host, or a wildcard.
fn host(number: usize) -> String {
    match number % 10 {
        0 => format!("*.wild-{number}.example"),
        _ => format!("site-{number}.team-{}.example", number % 100),
    }
}

/// A name that is covered by it.
fn called(number: usize) -> String {
    host(number).replace('*', "www")
}

fn service_entry(name: &str, hosts: &[String]) -> String {
    let hosts: Vec<String> = hosts.iter().map(|host| format!("'{host}'")).collect();
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}}}\nspec:\n  hosts: [{}]\n  \
         resolution: NONE\n  ports: [{{number: 80, name: http, protocol: HTTP}}]\n",
        hosts.join(", ")
    )
}

// Routes

/// What a list of routes is called, the match of its nth route, and the path and headers of a call that takes that.
type Form = (&'static str, fn(usize) -> String, fn(usize) -> (String, Vec<(&'static str, String)>));

/// What a change is called, and the manifest of the nth one.
type Change = (&'static str, fn(usize) -> String);

fn routes() {
    println!("| finding a route among {ROUTES}, ns | the first | in the middle | none | asking one after the other |");
    println!("|---|---|---|---|---|");
    let forms: [Form; 4] = [
        ("exact paths", |n| format!("{{uri: {{exact: /page/{n}}}}}"), |n| (format!("/page/{n}"), vec![])),
        ("prefixes", |n| format!("{{uri: {{prefix: /page/{n}/}}}}"), |n| (format!("/page/{n}/x"), vec![])),
        ("regexes", |n| format!("{{uri: {{regex: '/page/{n}/[a-z]+'}}}}"), |n| (format!("/page/{n}/x"), vec![])),
        (
            "one regex, with headers",
            |n| format!("{{uri: {{regex: '/p.*/[a-z]+'}}, headers: {{x-tenant: {{exact: t{n}}}}}}}"),
            |n| ("/page/x".to_owned(), vec![("x-tenant", format!("t{n}"))]),
        ),
    ];
    for (name, condition, request) in forms {
        let mut text = service_entry("site", &["site.example".to_owned()]);
        text.push_str("---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: site}\nspec:\n  hosts: [site.example]\n  http:\n");
        for number in 0..ROUTES {
            let _ = writeln!(text, "  - match: [{}]\n    directResponse: {{status: 200}}", condition(number));
        }
        let snapshot = compiled(&text);
        let call_of = |number: usize| {
            let (path, headers) = request(number);
            call(&snapshot, "site.example", &path, &headers)
        };
        let cost = |number: usize| {
            let call = call_of(number);
            assert_eq!(snapshot.routes.sidecar(0, &call).taken.is_some(), number < ROUTES);
            nanos(&[call], |call| snapshot.routes.sidecar(0, call).taken.is_some())
        };
        // Asking by expressions alone: what a list of routes would cost a call that none of them takes.
        let regexes: Vec<Regex> =
            (0..ROUTES).map(|n| Regex::new(&format!("^(?:/page/{n}/[a-z]+)$")).expect("valid")).collect();
        let none = call_of(ROUTES);
        let naive = nanos(&[none], |call| regexes.iter().any(|regex| regex.is_match(call.path())));
        println!("| {name} | {:.0} | {:.0} | {:.0} | {naive:.0} |", cost(0), cost(ROUTES / 2), cost(ROUTES));
    }
    println!();
}

// Names that TLS asks for

fn names() {
    let mut text = GATEWAY.replace("protocol: HTTP}", "protocol: TLS}").replace("number: 80", "number: 443");
    text = text.replace("hosts: ['*']}", "hosts: ['*'], tls: {mode: PASSTHROUGH}}");
    text.push_str(&service_entry("site", &["site.example".to_owned()]).replace("protocol: HTTP", "protocol: TCP"));
    let hosts: Vec<String> =
        (0..ROUTES).map(|n| if n % 10 == 0 { format!("*.w{n}.example") } else { format!("n{n}.example") }).collect();
    text.push_str(
        "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: names}\nspec:\n  hosts: ['*.example']\n  \
         gateways: [istio-system/istio-egressgateway]\n  tls:\n",
    );
    for host in &hosts {
        let _ = writeln!(
            text,
            "  - match: [{{sniHosts: ['{host}']}}]\n    route: [{{destination: {{host: site.example, port: {{number: 80}}}}}}]"
        );
    }
    let snapshot = compiled(&text);
    let calls: Vec<Call> = hosts.iter().step_by(7).map(|host| tunnel(&host.replace('*', "www"))).collect();
    assert!(
        calls.iter().all(|call| snapshot.routes.tunnel_into_gateway(443, call).is_ok()),
        "all of them have a route"
    );
    let ours = nanos(&calls, |call| snapshot.routes.tunnel_into_gateway(443, call).is_ok());
    let none = nanos(&[tunnel("nowhere.org")], |call| snapshot.routes.tunnel_into_gateway(443, call).is_ok());
    let linear = nanos(&calls, |call| hosts.iter().any(|pattern| covers(pattern, call.authority().host())));
    println!("| finding the tls route of a name among {ROUTES}, ns | none has it | one after the other |");
    println!("|---|---|---|\n| {ours:.0} | {none:.0} | {linear:.0} |\n");
}

/// A tunnel to a host whose TLS asks for it.
fn tunnel(host: &str) -> Call {
    let mut call = Call::tunnel_to(&format!("{host}:443"), arrival(None)).expect("a target");
    call.confirm(Some(host.into())).expect("it asks for what it was opened for");
    call
}

// Compiling

fn virtual_service(number: usize, status: u16) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: vs-{number}}}\nspec:\n  hosts: \
         [site-{number}.example]\n  gateways: [mesh, istio-system/istio-egressgateway]\n  http:\n  - match: [{{gateways: [mesh], uri: \
         {{regex: '/v[0-9]+/site-{number}/.*'}}}}]\n    route: [{{destination: {{host: \
         istio-egressgateway.istio-system.svc.cluster.local, port: {{number: 80}}}}}}]\n  - match: [{{gateways: \
         [istio-system/istio-egressgateway], uri: {{prefix: /}}}}]\n    route: [{{destination: {{host: site-{number}.example}}}}]\n  - \
         directResponse: {{status: {status}}}\n"
    )
}

fn destination_rule(number: usize) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: dr-{number}}}\nspec:\n  host: \
         site-{number}.example\n  trafficPolicy: {{tls: {{mode: SIMPLE}}}}\n"
    )
}

const GATEWAY: &str = "---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: istio-egressgateway, namespace: istio-system}
spec:
  selector: {istio: egressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]
";

fn secret(round: usize) -> String {
    format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: own, namespace: istio-system}}\nstringData: {{tls.crt: '{round}', tls.key: k}}\n"
    )
}

fn compiling() {
    let directory = tempfile::TempDir::new().expect("a directory");
    let state = StateDir::open(directory.path().join("state")).expect("a state directory");
    let registry = SqliteRegistry::open(&state).expect("a registry");
    let mut text = GATEWAY.to_owned() + &secret(0);
    for number in 0..MANY {
        text.push_str(&service_entry(&format!("se-{number}"), &[format!("site-{number}.example")]));
        text.push_str(&virtual_service(number, 404));
        text.push_str(&destination_rule(number));
    }
    registry.commit(Transaction { operations: operations(&text, Operation::Create) }).expect("a valid change");
    println!(
        "| compiling {MANY} VirtualServices, ServiceEntries and DestinationRules, ms | median | worst |\n|---|---|---|"
    );
    let from_scratch = |compiler: &Compiler| {
        let view = registry.frozen().expect("it can be read");
        let started = Instant::now();
        black_box(compiler.compile(&*view).expect("it compiles"));
        started.elapsed()
    };
    row("all", (0..5).map(|_| from_scratch(&compiler())));
    let compiler = compiler();
    let mut current = compiler.compile(&*registry.frozen().expect("it can be read")).expect("it compiles");
    let forms: [Change; 5] = [
        ("one VirtualService again", |round| virtual_service(round * 7, 410)),
        ("one ServiceEntry again", |round| {
            service_entry(&format!("se-{}", round * 7), &[format!("site-{}.example", round * 7)]).replace("NONE", "DNS")
        }),
        ("one DestinationRule again", |round| destination_rule(round * 7).replace("SIMPLE", "DISABLE")),
        ("another name of a Gateway's port", |round| GATEWAY.replace("name: http", &format!("name: http-{round}"))),
        ("a Secret again", secret),
    ];
    for (name, text) in forms {
        let times = (1..=ROUNDS).map(|round| {
            let operations = operations(&text(round), Operation::Replace);
            registry.commit(Transaction { operations }).expect("a valid change");
            let view = registry.frozen().expect("it can be read");
            let started = Instant::now();
            let next = compiler.compile(&*view).expect("it compiles");
            let elapsed = started.elapsed();
            current = next;
            elapsed
        });
        row(name, times.collect::<Vec<_>>().into_iter());
    }
    black_box(current);
    println!();
}

fn row(name: &str, times: impl Iterator<Item = Duration>) {
    let mut times: Vec<f64> = times.map(|time| time.as_secs_f64() * 1_000.0).collect();
    let median = median(&mut times);
    println!("| {name} | {median:.1} | {:.1} |", times.last().copied().unwrap_or_default());
}

// Connections

fn connections() {
    let origin = origin();
    let directory = tempfile::TempDir::new().expect("a directory");
    let state = directory.path().join("state");
    let command = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_egressctl"));
        command.args(arguments).env("EGRESSCTL_STATE_DIR", &state);
        command
    };
    let site = format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: origin}}\nspec:\n  hosts: [origin.example]\n  \
         resolution: STATIC\n  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: {}}}]\n  \
         endpoints: [{{address: 127.0.0.1}}]\n",
        origin.port()
    );
    let mut create =
        command(&["create", "-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("built");
    create.stdin.take().expect("piped").write_all(site.as_bytes()).expect("it reads");
    assert!(create.wait().expect("a child").success());
    let mut proxy = command(&["proxy", "start", "--listen", "127.0.0.1:0", "--workers", "1"]);
    let proxy = Proxy::of(proxy.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("built"));
    let warm: Vec<TcpStream> = (0..CONNECTIONS / 10).map(|_| proxy.called()).collect();
    let before = proxy.resident();
    let open: Vec<TcpStream> = (0..CONNECTIONS).map(|_| proxy.called()).collect();
    let used = proxy.resident();
    // Long enough for all of them to have come to rest.
    std::thread::sleep(Duration::from_secs(4));
    let rest = proxy.resident();
    let each = |bytes: u64| bytes.saturating_sub(before) as f64 / open.len() as f64 / 1024.0;
    println!("| resident for each of {CONNECTIONS} connections, KiB | right after a call | at rest |\n|---|---|---|");
    println!("| HTTP/1.1 | {:.1} | {:.1} |", each(used), each(rest));
    drop((warm, open));
}

/// Answers every request with `ok`.
fn origin() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.expect("a connection");
            std::thread::spawn(move || while answer(&stream).is_some() {});
        }
    });
    address
}

fn answer(mut stream: &TcpStream) -> Option<()> {
    let mut lines = BufReader::new(stream).lines();
    while !lines.next()?.ok()?.is_empty() {}
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").ok()
}

/// A running egressctl.
struct Proxy {
    child: Child,
    address: SocketAddr,
}

impl Proxy {
    fn of(mut child: Child) -> Self {
        let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let said: Vec<String> = lines.map(|line| line.expect("text")).take_while(|line| line != "ready").collect();
        let listens = said.iter().find(|line| line.contains("127.0.0.1:")).expect("it names its listener");
        let address = listens.rsplit(' ').next().expect("an address").parse().expect("an address");
        Self { child, address }
    }

    /// A connection with one call done.
    fn called(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        stream.write_all(b"GET / HTTP/1.1\r\nhost: origin.example\r\n\r\n").expect("it reads");
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\nok") {
            let mut some = [0; 1024];
            let read = stream.read(&mut some).expect("an answer");
            assert!(read > 0, "{}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&some[..read]);
        }
        stream
    }

    fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux says");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// Common

fn operations(text: &str, operation: fn(egressctl::resource::Resource) -> Operation) -> Vec<Operation> {
    let resources = parse(&Source::new("bench", text.to_owned())).resources.into_iter();
    let placed = resources.map(|mut resource| {
        resource.meta.namespace.get_or_insert_with(|| "default".into());
        operation(resource)
    });
    placed.collect()
}

fn compiler() -> Compiler {
    Compiler { listeners: [ListenerSpec { workload: None }].into_iter().collect(), ..Compiler::default() }
}

fn compiled(text: &str) -> Snapshot {
    let registry = MemoryRegistry::new();
    registry.commit(Transaction { operations: operations(text, Operation::Create) }).expect("a valid change");
    compiler().compile(&registry).expect("it compiles")
}

fn call(snapshot: &Snapshot, host: &str, path: &str, headers: &[(&'static str, String)]) -> Call {
    let mut head = http::Request::builder().uri(format!("http://{host}{path}")).header("host", host);
    for (name, value) in headers {
        head = head.header(*name, value);
    }
    let caller = snapshot.callers().next().flatten().cloned();
    normalize(head.body(()).expect("a head").into_parts().0, arrival(caller)).expect("a call")
}

fn arrival(caller: Option<Caller>) -> Arrival {
    Arrival { time: Timestamp::ZERO, chance: 0, caller, peer: IpAddr::V4(Ipv4Addr::LOCALHOST), tls: None }
}

/// Median nanoseconds of asking about each of some calls.
fn nanos(calls: &[Call], ask: impl Fn(&Call) -> bool) -> f64 {
    let times = (0..ROUNDS).map(|_| {
        let (mut asked, started) = (0_u32, Instant::now());
        while started.elapsed() < Duration::from_millis(20) {
            for call in calls.iter().cycle().take(calls.len().max(256)) {
                black_box(ask(black_box(call)));
                asked += 1;
            }
        }
        started.elapsed().as_nanos() as f64 / f64::from(asked)
    });
    median(&mut times.collect::<Vec<_>>())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
