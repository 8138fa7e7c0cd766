//! Tunnels, as real clients use them: CONNECT, TLS passed through by its server name, plain TCP, SOCKS 5.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::Arc;

use egressctl::cli::demo::origin::{Identity, Origin, Received, Reply};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::proxied::{PATIENCE, Proxied};
use crate::stage::{SCENARIO, Stage, curl};

const PASSTHROUGH: [&str; 2] = ["passthrough/egress-gateway.yaml", "passthrough/monitoring.yaml"];

/// A TLS origin for names of cnn.com, and a proxy that passes TLS through to it.
struct Passed {
    scene: Stage,
    origin: Origin,
    ca_pem: String,
    ca: String,
}

impl Passed {
    fn new(more: &str) -> Self {
        let identity = Identity::new(&["*.cnn.com"], 2020..2120).expect("a certificate");
        let page = |received: &Received| Reply::page("200 OK", format!("page {}", received.path()).as_bytes());
        let origin = Origin::start(Some(&identity), page).expect("an origin");
        let scene = Stage::new();
        let ca = scene.write("ca.pem", &identity.ca_pem);
        scene.declare(&SCENARIO[..1]);
        scene.declare(&PASSTHROUGH);
        if !more.is_empty() {
            scene.ok_with(&["create", "-f", "-"], more);
        }
        Self { scene, origin, ca_pem: identity.ca_pem, ca }
    }

    fn proxy(&self, arguments: &[&str]) -> Proxied {
        let resolve = ["edition", "money", "sport"].map(|name| format!("{name}.cnn.com:443:{}", self.origin.address));
        let mut all: Vec<&str> = resolve.iter().flat_map(|resolve| ["--resolve", resolve]).collect();
        all.extend(arguments);
        Proxied::start(&self.scene, &all)
    }

    /// Real curl through a proxy URL.
    fn curl(&self, proxy: &str, url: &str) -> Output {
        let mut command = Command::new(curl().expect("looked for before"));
        command.args(["-sS", "--max-time", "30", "--proxy", proxy, "--cacert", &self.ca, url]);
        command.env_remove("no_proxy").env_remove("NO_PROXY").output().expect("curl runs")
    }

    /// TLS over an open stream, asking for a name.
    fn tls(&self, stream: TcpStream, name: &str) -> StreamOwned<ClientConnection, TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.ca_pem.as_bytes()).expect("PEM")).expect("an authority");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        StreamOwned::new(ClientConnection::new(Arc::new(config), name).expect("a client"), stream)
    }

    /// What a GET over TLS gets, or nothing where the connection is closed.
    fn get(&self, stream: TcpStream, name: &str) -> Option<String> {
        let mut tls = self.tls(stream, name);
        tls.write_all(format!("GET /x HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n\r\n").as_bytes()).ok()?;
        let mut page = [0; 12];
        tls.read_exact(&mut page).ok()?;
        String::from_utf8(page.to_vec()).ok()
    }
}

fn dial(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream
}

/// Reads to the end of a head, and not a byte further.
fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a head");
        head.extend(byte);
    }
    String::from_utf8(head).expect("text")
}

/// The stream behind an answered CONNECT, and the answer's status line.
fn connect(proxy: SocketAddr, target: &str) -> (TcpStream, String) {
    let mut stream = dial(proxy);
    stream.write_all(format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n").as_bytes()).expect("it reads");
    let head = read_head(&mut stream);
    (stream, head)
}

fn opened(proxy: SocketAddr, target: &str) -> TcpStream {
    let (stream, head) = connect(proxy, target);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    stream
}

fn closed(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => rest.is_empty(),
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

fn entry_of(host: &str, port: u16, protocol: &str, origin: SocketAddr, more: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {}-{port}}}\nspec:\n  hosts: \
         [{host}]\n  resolution: STATIC\n  {more}ports: [{{number: {port}, name: p, protocol: {protocol}, targetPort: \
         {}}}]\n  endpoints: [{{address: {}}}]\n",
        host.replace('.', "-"),
        origin.port(),
        origin.ip(),
    )
}

#[test]
fn curl_speaks_https_through_sidecar_and_gateway_and_the_entry_has_name_and_bytes() {
    let Some(_) = curl() else { return };
    let passed = Passed::new("");
    let proxy = passed.proxy(&[]);
    let url = format!("http://{}", proxy.address);
    let output = passed.curl(&url, "https://edition.cnn.com/politics");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "page /politics", "{output:?}");
    let entry = passed.scene.wait_for_entry("edition.cnn.com");
    for part in [
        "\"level\":\"info\"",
        "\"instance\":\"egress-tls.logentry.istio-system\"",
        "\"destination\":\"edition.cnn.com\"",
        "\"destinationPort\":443",
        "\"source\":\"sleep\"",
        "\"event\":\"close\"",
        "\"flag\":\"-\"",
    ] {
        assert!(entry.contains(part), "{part} in {entry}");
    }
    let bytes = |name: &str| -> u64 {
        let at = entry.find(name).expect("a field") + name.len();
        entry[at..].split([',', '}']).next().and_then(|number| number.parse().ok()).expect("a number")
    };
    assert!(bytes("\"receivedBytes\":") > 300 && bytes("\"sentBytes\":") > 500, "{entry}");
    let output = passed.curl(&url, "https://money.cnn.com/x");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "page /x", "by the wildcard: {output:?}");
}

#[test]
fn what_is_not_routed_or_not_known_is_refused_before_the_tunnel_opens() {
    let passed = Passed::new("");
    let proxy = passed.proxy(&[]);
    for (target, status, reason) in [
        ("edition.bbc.com:443", "502", "knows this host and port"),
        ("edition.cnn.com:8443", "502", "knows this host and port"),
        ("sport.cnn.com:443", "404", "no route of the host matches"),
        ("192.0.2.1:22", "502", "knows this host and port"),
        ("edition.cnn.com", "400", "host and a port"),
    ] {
        let mut client = proxy.connect();
        client.send(format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n").as_bytes());
        let answer = client.read();
        assert_eq!(answer.status.to_string(), status, "{target}: {}", answer.text());
        assert!(answer.text().contains(reason), "{target}: {}", answer.text());
        if status != "400" {
            let id = answer.head.lines().find_map(|line| line.strip_prefix("x-egress-decision-id: ")).expect("an id");
            let entry = passed.scene.wait_for_entry(id);
            assert!(entry.contains("refused.egressctl.istio-system"), "{entry}");
        }
    }
    assert_eq!(passed.origin.connections(), 0);
    let entry = passed.scene.wait_for_entry("sport.cnn.com");
    assert!(entry.contains("\"flag\":\"UH\"") && !entry.contains("\"path\""), "{entry}");
}

#[test]
fn tls_must_ask_for_the_name_that_the_tunnel_was_opened_for() {
    let passed = Passed::new("");
    let proxy = passed.proxy(&[]);
    let page = passed.get(opened(proxy.address, "edition.cnn.com:443"), "edition.cnn.com");
    assert!(page.is_some_and(|page| page.starts_with("HTTP/1.1 200")));
    assert_eq!(passed.get(opened(proxy.address, "edition.cnn.com:443"), "money.cnn.com"), None);
    let entry = passed.scene.wait_for_entry("asks for another server name");
    let id = entry.split("\"decision\":\"").nth(1).and_then(|rest| rest.get(..16)).expect("an id");
    let told = passed.scene.ok(&["why", id]);
    assert!(told.contains("SNI:        money.cnn.com\n"), "{told}");
    assert!(entry.contains("\"flag\":\"NR\"") && entry.contains("\"serverName\":\"money.cnn.com\""), "{entry}");
    // An address as name is none at all.
    assert_eq!(passed.get(opened(proxy.address, "edition.cnn.com:443"), "192.0.2.1"), None);
    passed.scene.wait_for_entry("asks for no server name");
    let mut plain = opened(proxy.address, "edition.cnn.com:443");
    plain.write_all(b"GET / HTTP/1.1\r\nhost: edition.cnn.com\r\n\r\n").expect("it reads");
    assert!(closed(&mut plain));
    passed.scene.wait_for_entry("declared to carry TLS");
    assert_eq!(passed.origin.requests(), 1);
}

#[test]
fn a_hello_in_many_pieces_is_one() {
    let passed = Passed::new("");
    let proxy = passed.proxy(&[]);
    let mut stream = opened(proxy.address, "edition.cnn.com:443");
    stream.set_nodelay(true).expect("a socket");
    let mut hello = Vec::new();
    let mut tls = passed.tls(stream.try_clone().expect("a socket"), "edition.cnn.com");
    tls.conn.write_tls(&mut hello).expect("memory takes it");
    // Several records, each in two segments.
    for part in hello[5..].chunks(100) {
        let length = u16::try_from(part.len()).expect("short").to_be_bytes();
        stream.write_all(&[22, 3, 1, length[0], length[1]]).expect("it reads");
        stream.write_all(part).expect("it reads");
    }
    tls.write_all(b"GET /x HTTP/1.1\r\nhost: edition.cnn.com\r\n\r\n").expect("it reads");
    let mut start = [0; 12];
    tls.read_exact(&mut start).expect("an answer");
    assert_eq!(&start, b"HTTP/1.1 200");
}

#[test]
fn a_tunnel_to_an_address_is_judged_by_the_name_that_its_tls_asks_for() {
    let passed = Passed::new("");
    let proxy = passed.proxy(&[]);
    let page = passed.get(opened(proxy.address, "192.0.2.1:443"), "edition.cnn.com");
    assert!(page.is_some_and(|page| page.starts_with("HTTP/1.1 200")), "the name is resolved, not the address dialled");
    assert_eq!(passed.get(opened(proxy.address, "192.0.2.1:443"), "edition.bbc.com"), None);
    assert!(passed.scene.wait_for_entry("edition.bbc.com").contains("\"flag\":\"UH\""));
    assert_eq!(passed.get(opened(proxy.address, "192.0.2.1:443"), "192.0.2.1"), None);
    passed.scene.wait_for_entry("asks for no server name");
}

#[test]
fn tls_without_a_proxys_request_goes_to_the_name_that_it_asks_for() {
    let passed = Passed::new("");
    let proxy = passed.proxy(&[]);
    let page = passed.get(dial(proxy.address), "edition.cnn.com");
    assert!(page.is_some_and(|page| page.starts_with("HTTP/1.1 200")));
    assert_eq!(passed.get(dial(proxy.address), "edition.bbc.com"), None);
    passed.scene.wait_for_entry("edition.bbc.com");
    assert!(passed.scene.wait_for_entry("\"destination\":\"edition.cnn.com\"").contains("egress-tls"));
}

#[test]
fn curl_speaks_https_through_socks() {
    let Some(_) = curl() else { return };
    let passed = Passed::new("");
    let proxy = passed.proxy(&[]);
    let output = passed.curl(&format!("socks5h://{}", proxy.address), "https://edition.cnn.com/x");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "page /x", "{output:?}");
    let refused = passed.curl(&format!("socks5h://{}", proxy.address), "https://edition.bbc.com/x");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("(2)"), "{refused:?}");
    passed.scene.wait_for_entry("edition.bbc.com");
}

#[test]
fn checks_refuse_a_tunnel_before_it_opens_and_one_of_requests_cannot_be_carried_out() {
    let rule = |condition: &str| {
        format!(
            "apiVersion: config.istio.io/v1alpha2\nkind: denier\nmetadata: {{name: blocker, namespace: istio-system}}\n\
             spec: {{status: {{code: 7, message: not from here}}}}\n---\napiVersion: config.istio.io/v1alpha2\nkind: \
             checknothing\nmetadata: {{name: any, namespace: istio-system}}\nspec: {{}}\n---\napiVersion: \
             config.istio.io/v1alpha2\nkind: rule\nmetadata: {{name: deny, namespace: istio-system}}\nspec:\n  match: \
             {condition}\n  actions: [{{handler: blocker.denier, instances: [any.checknothing]}}]\n"
        )
    };
    let passed = Passed::new(&rule("connection.requested_server_name == \"money.cnn.com\""));
    let proxy = passed.proxy(&[]);
    let (_, head) = connect(proxy.address, "money.cnn.com:443");
    assert!(head.starts_with("HTTP/1.1 403") && head.contains("x-egress-decision-id: "), "{head}");
    opened(proxy.address, "edition.cnn.com:443");
    // By address the name is known only when the tunnel is open.
    assert_eq!(passed.get(opened(proxy.address, "192.0.2.1:443"), "money.cnn.com"), None);
    assert!(passed.scene.wait_for_entry("not from here").contains("\"serverName\":\"money.cnn.com\""));
    drop(proxy);
    let passed = Passed::new(&rule("request.path.startsWith(\"/no\") && destination.service.host == \"a.example\""));
    let proxy = passed.proxy(&[]);
    let (_, head) = connect(proxy.address, "edition.cnn.com:443");
    assert!(head.starts_with("HTTP/1.1 500"), "{head}");
}

/// An origin that greets first, as databases do, and then echoes.
fn greeter() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                stream.write_all(b"hello\n")?;
                let mut said = Vec::new();
                stream.read_to_end(&mut said)?;
                stream.write_all(&said)
            });
        }
    });
    address
}

#[test]
fn plain_tcp_passes_both_ways_and_each_end_may_be_done_first() {
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    scene.declare(&["passthrough/monitoring.yaml"]);
    let vip = entry_of("db.example", 3306, "MYSQL", greeter(), "addresses: [198.51.100.7]\n  ");
    scene.ok_with(&["create", "-f", "-"], &vip);
    let proxy = Proxied::start(&scene, &[]);
    for target in ["db.example:3306", "198.51.100.7:3306"] {
        let mut stream = opened(proxy.address, target);
        let mut greeting = [0; 6];
        stream.read_exact(&mut greeting).expect("it greets");
        let sent = vec![b'x'; 3_000_000];
        stream.write_all(&sent).expect("it reads");
        stream.shutdown(std::net::Shutdown::Write).expect("open");
        let mut back = Vec::new();
        stream.read_to_end(&mut back).expect("an echo");
        assert!(back == sent);
        scene.wait_for_entry("\"receivedBytes\":3000000");
        let entry = scene.wait_for_entry("\"sentBytes\":3000006");
        assert!(entry.contains("\"destination\":\"db.example\""), "{target}: {entry}");
    }
}

#[test]
fn tcp_routes_lead_through_the_gateway() {
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    let routes = "---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: tcp}\nspec:\n  selector: {istio: \
                  egressgateway}\n  servers: [{port: {number: 443, name: tcp, protocol: TCP}, hosts: [db.example]}]\n---\n\
                  apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: db}\nspec:\n  hosts: \
                  [db.example]\n  gateways: [mesh, tcp]\n  tcp:\n  - match: [{gateways: [mesh], port: 27017, \
                  destinationSubnets: [198.51.100.0/24], sourceLabels: {app: sleep}}]\n    route: [{destination: {host: \
                  istio-egressgateway.istio-system.svc.cluster.local, port: {number: 443}}}]\n  - match: [{gateways: \
                  [tcp], port: 443}]\n    route: [{destination: {host: db.example, port: {number: 27017}}}]\n";
    let vip = entry_of("db.example", 27017, "MONGO", greeter(), "addresses: [198.51.100.7]\n  ");
    scene.ok_with(&["create", "-f", "-"], &format!("{vip}{routes}"));
    let proxy = Proxied::start(&scene, &[]);
    for target in ["db.example:27017", "198.51.100.7:27017"] {
        let mut greeting = [0; 6];
        opened(proxy.address, target).read_exact(&mut greeting).expect("it greets");
    }
}

#[test]
fn a_port_of_http_is_served_request_by_request_inside_a_tunnel() {
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    let origin = Origin::start(None, |received| Reply::page("200 OK", received.path().as_bytes())).expect("an origin");
    scene.ok_with(&["create", "-f", "-"], &entry_of("a.example", 80, "HTTP", origin.address, ""));
    let proxy = Proxied::start(&scene, &[]);
    let mut stream = opened(proxy.address, "a.example:80");
    let ask = |stream: &mut TcpStream, host: &str, target: &str| {
        stream.write_all(format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes()).expect("it reads");
        read_head(stream)
    };
    let answer = ask(&mut stream, "a.example", "/x");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("content-length: 2"), "{answer}");
    stream.read_exact(&mut [0; 2]).expect("a page");
    assert!(ask(&mut stream, "b.example", "/x").starts_with("HTTP/1.1 400"));
    scene.wait_for_entry("another host or port than the tunnel");
    let mut stream = opened(proxy.address, "a.example:80");
    stream.write_all(b"CONNECT a.example:80 HTTP/1.1\r\nhost: a.example\r\n\r\n").expect("it reads");
    assert!(read_head(&mut stream).starts_with("HTTP/1.1 405"));
    let mut tls = opened(proxy.address, "a.example:80");
    tls.write_all(&[22, 3, 1, 2, 0]).expect("it reads");
    let mut told = Vec::new();
    tls.read_to_end(&mut told).expect("it ends, and does not break off");
    assert_eq!(told, [21, 3, 1, 0, 2, 2, 49], "a fatal alert, access_denied");
    scene.wait_for_entry("declared to carry HTTP");
    assert_eq!(origin.requests(), 1);
}

#[test]
fn an_origin_that_cannot_be_reached_is_told_before_the_tunnel_opens() {
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
    scene.ok_with(&["create", "-f", "-"], &entry_of("a.example", 443, "HTTPS", nobody, ""));
    let proxy = Proxied::start(&scene, &[]);
    let (_, head) = connect(proxy.address, "a.example:443");
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    assert!(scene.wait_for_entry("a.example").contains("\"flag\":\"UF,URX\""));
}

#[test]
fn openssl_is_refused_another_name() {
    if Command::new("openssl").arg("version").output().is_err() {
        return;
    }
    let passed = Passed::new("");
    let proxy = passed.proxy(&[]);
    let ask = |name: &str| {
        let address = proxy.address.to_string();
        let arguments = ["s_client", "-proxy", &address, "-connect", "edition.cnn.com:443", "-CAfile", &passed.ca];
        let output = Command::new("openssl").args(arguments).args(["-servername", name]).output().expect("it runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(ask("edition.cnn.com").contains("Verify return code: 0 (ok)"));
    assert!(!ask("money.cnn.com").contains("BEGIN CERTIFICATE"));
}

#[test]
fn a_balancer_tells_whose_connection_it_is_and_must() {
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    let monitoring = std::fs::read_to_string(scene.fixture("passthrough/monitoring.yaml")).expect("a fixture");
    let monitoring = monitoring.replace("event: connection.event | \"unknown\"", "event: 'source.ip'");
    let db = entry_of("db.example", 3306, "TCP", greeter(), "");
    scene.ok_with(&["create", "-f", "-"], &format!("{monitoring}---\n{db}"));
    let proxy = Proxied::start(&scene, &["--proxy-protocol"]);
    let mut stream = dial(proxy.address);
    stream
        .write_all(
            b"PROXY TCP4 192.0.2.77 198.51.100.1 1 2\r\nCONNECT db.example:3306 HTTP/1.1\r\nhost: db.example\r\n\r\n",
        )
        .expect("it reads");
    // A CONNECT without Host: the target says it all.
    assert!(read_head(&mut stream).starts_with("HTTP/1.1 200"));
    drop(stream);
    scene.wait_for_entry("192.0.2.77");
    let mut stream = dial(proxy.address);
    stream.write_all(b"CONNECT db.example:3306 HTTP/1.1\r\nhost: db.example:3306\r\n\r\n").expect("it reads");
    assert!(closed(&mut stream));
    scene.wait_for_entry("does not begin with a PROXY header");
}

#[test]
fn a_tunnel_that_lies_idle_is_closed_and_one_that_is_open_is_cut_off_when_the_drain_ends() {
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    scene.declare(&["passthrough/monitoring.yaml"]);
    scene.ok_with(&["create", "-f", "-"], &entry_of("db.example", 3306, "TCP", greeter(), ""));
    let mut greeting = [0; 6];
    {
        let proxy = Proxied::start(&scene, &["--tunnel-idle-timeout", "100ms"]);
        let mut stream = opened(proxy.address, "db.example:3306");
        stream.read_exact(&mut greeting).expect("it greets");
        assert!(closed(&mut stream));
        assert!(scene.wait_for_entry("db.example").contains("\"flag\":\"-\""));
    }
    let mut proxy = Proxied::start(&scene, &["--drain-timeout", "100ms"]);
    let mut stream = opened(proxy.address, "db.example:3306");
    stream.read_exact(&mut greeting).expect("it greets");
    scene.ok(&["proxy", "stop"]);
    assert!(closed(&mut stream));
    assert!(proxy.wait().success());
    assert!(scene.wait_for_entry("\"flag\":\"DC\"").contains("\"sentBytes\":6"));
}

#[test]
fn who_says_nothing_does_not_hold_up_the_end() {
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    let origin = Origin::start(None, |_| Reply::page("200 OK", b"page")).expect("an origin");
    scene.ok_with(&["create", "-f", "-"], &entry_of("a.example", 80, "HTTP", origin.address, ""));
    let mut proxy = Proxied::start(&scene, &["--drain-timeout", "1h"]);
    let mut silent = dial(proxy.address);
    let mut inside = opened(proxy.address, "a.example:80");
    scene.ok(&["proxy", "stop"]);
    assert!(closed(&mut silent) && closed(&mut inside));
    assert!(proxy.wait().success());
}

#[test]
fn a_configuration_that_comes_while_a_tunnel_is_open_makes_its_report() {
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    scene.ok_with(&["create", "-f", "-"], &entry_of("db.example", 3306, "TCP", greeter(), ""));
    let proxy = Proxied::start(&scene, &[]);
    let mut stream = opened(proxy.address, "db.example:3306");
    stream.read_exact(&mut [0; 6]).expect("it greets");
    let before = scene.wait_for_status()["revision"].clone();
    scene.declare(&["passthrough/monitoring.yaml"]);
    while scene.wait_for_status()["revision"] == before {
        std::thread::yield_now();
    }
    drop(stream);
    scene.wait_for_entry("db.example");
}

#[test]
fn a_tunnel_that_was_open_when_a_strict_proxy_was_killed_is_known_without_outcome() {
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    scene.ok_with(&["create", "-f", "-"], &entry_of("db.example", 3306, "TCP", greeter(), ""));
    let mut proxy = Proxied::start(&scene, &["--durability", "strict"]);
    let mut stream = opened(proxy.address, "db.example:3306");
    let mut greeting = [0; 6];
    stream.read_exact(&mut greeting).expect("it was let through");
    let all = |instance: &str| scene.ok(&["logs", "--all", "--instance", instance]);
    assert_eq!(all("intent").lines().count(), 1, "it was stored before a byte left");
    proxy.signal("-KILL");
    proxy.wait();
    let _proxy = Proxied::start(&scene, &["--durability", "strict"]);
    let found = all("access");
    assert!(found.lines().count() == 1 && found.contains("the proxy ended before the call did"), "{found}");
    assert!(found.contains(r#""destination":"db.example:3306""#), "{found}");
}
