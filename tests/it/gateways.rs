//! The egress gateway reached from outside: its servers' protocols, TLS that ends there, who may come.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Output};
use std::sync::Arc;

use egressctl::cli::demo::origin::{Identity, Origin, Reply};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::frames::{END_HEADERS, END_STREAM, GOAWAY, HEADERS, Outcome, Wire, block, frame};
use crate::proxied::{Client, PATIENCE, Proxied, with_origin};
use crate::raw;
use crate::stage::{Stage, curl, until};

/// An authority, which issues certificates into files.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).expect("no names");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let name = format!("authority {}", uuid::Uuid::new_v4());
        parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(parameters, KeyPair::generate().expect("a key")).expect("a certificate"))
    }

    /// Certificate and key in PEM, valid in these years.
    fn issue(&self, name: &str, years: std::ops::Range<i32>) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let mut leaf = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        leaf.not_before = rcgen::date_time_ymd(years.start, 1, 1);
        leaf.not_after = rcgen::date_time_ymd(years.end, 1, 1);
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        (leaf.signed_by(&key, &self.0).expect("a certificate").pem(), key.serialize_pem())
    }

    /// The paths of certificate and key.
    pub(crate) fn files(&self, scene: &Stage, name: &str, years: std::ops::Range<i32>) -> (String, String) {
        let (certificate, key) = self.issue(name, years);
        (scene.write(&format!("{name}.crt"), &certificate), scene.write(&format!("{name}.key"), &key))
    }

    /// What trusts it, and offers to speak HTTP/2.
    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        let certificate = CertificateDer::from_pem_slice(self.0.pem().as_bytes()).expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(certificate).expect("an authority");
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().expect("versions");
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Arc::new(config)
    }

    fn file(&self, scene: &Stage) -> String {
        scene.write("authority.crt", &self.0.pem())
    }
}

/// A server of HTTPS on port 443 for a host; `tls` in flow style.
pub(crate) fn server(host: &str, tls: &str) -> String {
    format!("  - port: {{number: 443, name: https-{host}, protocol: HTTPS}}\n    hosts: [{host}]\n    tls: {tls}\n")
}

/// A Gateway with these servers, and the route of some hosts to the origin of a.example.
pub(crate) fn gateway(servers: &str, hosts: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: gw}}\nspec:\n  servers:\n{servers}---\n\
         apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: vs}}\nspec:\n  hosts: [{hosts}]\n  \
         gateways: [gw]\n  http:\n  - route: [{{destination: {{host: a.example, port: {{number: 80}}}}}}]\n"
    )
}

/// What curl is told by a server on a port: the version of HTTP and the status.
fn told(proxy: &Proxied, host: &str, more: &[&str]) -> Result<String, String> {
    let port = proxy.gateway(443);
    let mut command = Command::new("curl");
    command.args(["-s", "-S", "-o", "/dev/null", "-w", "%{http_version} %{http_code}", "--max-time", "20"]);
    command.args(["--noproxy", "*", "--resolve", &format!("{host}:{}:127.0.0.1", port.port())]).args(more);
    let Output { status, stdout, stderr } =
        command.arg(format!("https://{host}:{}/x", port.port())).output().expect("curl runs");
    match status.success() {
        true => Ok(String::from_utf8_lossy(&stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&stderr).into_owned()),
    }
}

#[test]
fn plain_text_is_served_for_the_hosts_of_the_ports_servers_and_httpsredirect_sends_all_to_https() {
    let servers = "  - {port: {number: 80, name: r, protocol: HTTP}, hosts: ['*.example'], tls: {httpsRedirect: true}}\n  \
                   - {port: {number: 8080, name: http, protocol: HTTP}, hosts: [b.example]}\n";
    let (scene, origin) = with_origin(&gateway(servers, "b.example, c.example"));
    let listen = ["--gateway-listen", "127.0.0.1:0=80", "--gateway-listen", "127.0.0.1:0=8080"];
    let proxy = Proxied::start(&scene, &listen);
    let get = |port, url: &str| Client::to(proxy.gateway(port)).get(url);
    let served = get(8080, "http://b.example/x");
    assert_eq!((served.status, served.text().as_str()), (200, "page"));
    assert_eq!(get(8080, "http://c.example/x").status, 404, "no server of the port is for it");
    assert_eq!(origin.requests(), 1);
    for host in ["b.example", "no-route.example"] {
        let moved = get(80, &format!("http://{host}/x?q=1"));
        assert_eq!(moved.status, 301, "{host}");
        assert!(moved.head.contains(&format!("location: https://{host}/x?q=1\r\n")), "{}", moved.head);
    }
    assert_eq!(get(80, "http://other.org/").status, 404);
    let mut tunnel = Client::to(proxy.gateway(8080));
    tunnel.send(b"CONNECT a.example:80 HTTP/1.1\r\nhost: a.example:80\r\n\r\n");
    assert_eq!(tunnel.read().status, 404, "no route of a gateway matches CONNECT");
    let mut tls = Client::to(proxy.gateway(8080));
    tls.send(&[22, 3, 1, 0, 5, 1, 0, 0, 1, 0]);
    assert!(tls.closed());
    scene.wait_for_entry("declared to carry HTTP, and TLS was sent");
}

#[test]
fn tls_ends_at_the_server_that_its_name_asks_for_and_http_2_is_agreed_on() {
    if curl().is_none() {
        return;
    }
    let (scene, origin) = with_origin("");
    let authority = Authority::new();
    let ca = authority.file(&scene);
    let (certificate, key) = authority.files(&scene, "b.example", 2020..2120);
    let (old, old_key) = authority.files(&scene, "old.example", 2020..2021);
    let own = format!("{{mode: SIMPLE, serverCertificate: {certificate}, privateKey: {key}}}");
    let expired = format!("{{mode: SIMPLE, serverCertificate: {old}, privateKey: {old_key}}}");
    let other_key = format!("{{mode: SIMPLE, serverCertificate: {certificate}, privateKey: {old_key}}}");
    let servers = [
        server("b.example", &own),
        server("old.example", &expired),
        server("key.example", &other_key),
        server("gone.example", "{mode: SIMPLE, credentialName: nowhere}"),
        server("mesh.example", "{mode: ISTIO_MUTUAL}"),
    ];
    let hosts = "b.example, old.example, key.example, gone.example, mesh.example, c.example";
    scene.ok_with(&["create", "-f", "-"], &gateway(&servers.concat(), hosts));
    let proxy = Proxied::start(&scene, &["--gateway-listen", "127.0.0.1:0=443"]);
    let trusted = ["--cacert", &ca];
    assert_eq!(told(&proxy, "b.example", &[&trusted[..], &["--http2"]].concat()).as_deref(), Ok("2 200"));
    assert_eq!(told(&proxy, "b.example", &[&trusted[..], &["--http1.1"]].concat()).as_deref(), Ok("1.1 200"));
    assert_eq!(told(&proxy, "b.example", &[&trusted[..], &["--tls-max", "1.2"]].concat()).as_deref(), Ok("2 200"));
    assert_eq!(origin.requests(), 3);
    // The connection is b.example's, and so are its requests.
    let fronted = [&trusted[..], &["-H", "host: old.example"]].concat();
    assert_eq!(told(&proxy, "b.example", &fronted).as_deref(), Ok("2 404"));
    for (host, why) in [
        ("old.example", "the server's certificate has expired"),
        ("key.example", "certificate and key do not belong together"),
        ("gone.example", "certificate, key or authorities are not there"),
        ("mesh.example", "the caller showed no certificate"),
        ("c.example", "no server of the Gateway's port is for this"),
    ] {
        told(&proxy, host, &["-k"]).expect_err("no server takes it");
        let has_entry = || scene.ok(&["logs", "-F", "--grep", why]).lines().any(|entry| entry.contains(host));
        until(&format!("{host}: {why}"), has_entry);
    }
    assert_eq!(told(&proxy, "b.example", &trusted).as_deref(), Ok("2 200"), "others go on");
}

#[test]
fn mutual_tls_takes_whom_the_servers_authorities_know() {
    if curl().is_none() {
        return;
    }
    let (scene, origin) = with_origin("");
    let authority = Authority::new();
    let ca = authority.file(&scene);
    let (certificate, key) = authority.files(&scene, "b.example", 2020..2120);
    let (caller, caller_key) = authority.files(&scene, "caller.example", 2020..2120);
    let (late, late_key) = authority.files(&scene, "late.example", 2020..2021);
    let (stranger, stranger_key) = Authority::new().files(&scene, "stranger.example", 2020..2120);
    let tls = |mode: &str, more: &str| {
        format!("{{mode: {mode}, serverCertificate: {certificate}, privateKey: {key}, caCertificates: {ca}{more}}}")
    };
    let servers = [
        server("b.example", &tls("MUTUAL", "")),
        server("optional.example", &tls("OPTIONAL_MUTUAL", "")),
        server("named.example", &tls("MUTUAL", ", subjectAltNames: [other.example]")),
    ];
    scene.ok_with(&["create", "-f", "-"], &gateway(&servers.concat(), "b.example, optional.example, named.example"));
    let proxy = Proxied::start(&scene, &["--gateway-listen", "127.0.0.1:0=443"]);
    let known = ["-k", "--cert", &caller, "--key", &caller_key];
    assert_eq!(told(&proxy, "b.example", &known).as_deref(), Ok("2 200"));
    assert_eq!(told(&proxy, "optional.example", &known).as_deref(), Ok("2 200"));
    assert_eq!(told(&proxy, "optional.example", &["-k"]).as_deref(), Ok("2 200"));
    assert_eq!(origin.requests(), 3);
    for (host, shown, why) in [
        ("b.example", &["-k"][..], "the caller showed no certificate"),
        ("b.example", &["-k", "--cert", &late, "--key", &late_key], "the caller's certificate has expired"),
        (
            "b.example",
            &["-k", "--cert", &stranger, "--key", &stranger_key],
            "not issued by an authority that the server",
        ),
        ("named.example", &known, "none of those that the server wants"),
    ] {
        told(&proxy, host, shown).expect_err("it is not taken");
        scene.wait_for_entry(why);
    }
    assert_eq!(origin.requests(), 3);
}

#[test]
fn a_rotated_secret_is_shown_to_new_connections() {
    if curl().is_none() {
        return;
    }
    let (scene, _origin) =
        with_origin(&gateway(&server("b.example", "{mode: SIMPLE, credentialName: own}"), "b.example"));
    let secret = |authority: &Authority| {
        let (certificate, key) = authority.issue("b.example", 2020..2120);
        let indented = |pem: &str| pem.lines().map(|line| format!("    {line}\n")).collect::<String>();
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: own, namespace: istio-system}}\ntype: kubernetes.io/tls\n\
             stringData:\n  tls.crt: |\n{}  tls.key: |\n{}",
            indented(&certificate),
            indented(&key)
        )
    };
    let (first, second) = (Authority::new(), Authority::new());
    scene.ok_with(&["apply", "-f", "-"], &secret(&first));
    let proxy = Proxied::start(&scene, &["--gateway-listen", "127.0.0.1:0=443"]);
    let (first_ca, second_ca) = (scene.write("first.crt", &first.0.pem()), scene.write("second.crt", &second.0.pem()));
    assert_eq!(told(&proxy, "b.example", &["--cacert", &first_ca]).as_deref(), Ok("2 200"));
    scene.ok_with(&["apply", "-f", "-"], &secret(&second));
    crate::stage::until("the new certificate is shown", || {
        told(&proxy, "b.example", &["--cacert", &second_ca]).as_deref() == Ok("2 200")
    });
    told(&proxy, "b.example", &["--cacert", &first_ca]).expect_err("the old one is not shown any more");
}

#[test]
fn tls_that_is_passed_through_ends_at_its_origin() {
    if curl().is_none() {
        return;
    }
    let identity = Identity::new(&["b.example"], 2020..2120).expect("a certificate");
    let origin = Origin::start(Some(&identity), |_| Reply::page("200 OK", b"page")).expect("an origin");
    let (scene, _) = with_origin(&format!(
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: gw}}\nspec:\n  servers:\n  \
         - {{port: {{number: 443, name: tls, protocol: TLS}}, hosts: ['*.example'], tls: {{mode: PASSTHROUGH}}}}\n---\n\
         apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: vs}}\nspec:\n  hosts: [b.example]\n  \
         gateways: [gw]\n  tls:\n  - match: [{{sniHosts: [b.example]}}]\n    \
         route: [{{destination: {{host: b.example, port: {{number: 443}}}}}}]\n---\n\
         apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: b}}\nspec:\n  hosts: [b.example]\n  \
         resolution: STATIC\n  ports: [{{number: 443, name: tls, protocol: TLS, targetPort: {}}}]\n  \
         endpoints: [{{address: 127.0.0.1}}]\n",
        origin.address.port()
    ));
    let ca = scene.write("ca.pem", &identity.ca_pem);
    let proxy = Proxied::start(&scene, &["--gateway-listen", "127.0.0.1:0=443"]);
    assert_eq!(told(&proxy, "b.example", &["--cacert", &ca]).as_deref(), Ok("1.1 200"));
    assert_eq!(origin.requests(), 1);
    told(&proxy, "c.example", &["--cacert", &ca]).expect_err("no route leads to it");
    assert!(scene.wait_for_entry("c.example").contains("NR"));
}

/// A Gateway and a VirtualService whose `tcp` routes lead to t.example, which is the origin's plain port.
fn tcp(server: &str, origin: SocketAddr, hosts: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: gw}}\nspec:\n  servers:\n{server}---\n\
         apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: vs}}\nspec:\n  hosts: [{hosts}]\n  \
         gateways: [gw]\n  tcp:\n  - route: [{{destination: {{host: t.example, port: {{number: 9000}}}}}}]\n---\n\
         apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: t}}\nspec:\n  hosts: [t.example]\n  \
         resolution: STATIC\n  ports: [{{number: 9000, name: tcp, protocol: TCP, targetPort: {}}}]\n  \
         endpoints: [{{address: 127.0.0.1}}]\n",
        origin.port()
    )
}

#[test]
fn tcp_is_carried_by_tcp_routes_in_plain_text_and_out_of_tls_that_ends_here() {
    if curl().is_none() {
        return;
    }
    let (scene, origin) = with_origin("");
    let authority = Authority::new();
    let ca = authority.file(&scene);
    let (certificate, key) = authority.files(&scene, "b.example", 2020..2120);
    let servers = format!(
        "  - {{port: {{number: 9000, name: tcp, protocol: TCP}}, hosts: ['*']}}\n  \
         - {{port: {{number: 443, name: tls, protocol: TLS}}, hosts: [b.example], tls: {{mode: SIMPLE, \
         serverCertificate: {certificate}, privateKey: {key}}}}}\n"
    );
    scene.ok_with(&["create", "-f", "-"], &tcp(&servers, origin.address, "b.example"));
    let listen = ["--gateway-listen", "127.0.0.1:0=443", "--gateway-listen", "127.0.0.1:0=9000"];
    let proxy = Proxied::start(&scene, &listen);
    assert_eq!(Client::to(proxy.gateway(9000)).get("http://whatever.example/x").text(), "page");
    assert_eq!(told(&proxy, "b.example", &["--cacert", &ca]).as_deref(), Ok("1.1 200"), "no version is agreed on");
    assert_eq!(origin.requests(), 2);
    told(&proxy, "c.example", &["-k"]).expect_err("no server is for it");
}

#[test]
fn a_certificate_that_is_written_anew_is_shown_and_half_of_one_is_not() {
    if curl().is_none() {
        return;
    }
    let (scene, _origin) = with_origin("");
    let (first, second) = (Authority::new(), Authority::new());
    let (certificate, key) = first.files(&scene, "b.example", 2020..2120);
    let tls = format!("{{mode: SIMPLE, serverCertificate: {certificate}, privateKey: {key}}}");
    scene.ok_with(&["create", "-f", "-"], &gateway(&server("b.example", &tls), "b.example"));
    let proxy = Proxied::start(&scene, &["--gateway-listen", "127.0.0.1:0=443"]);
    let (first_ca, second_ca) = (scene.write("first.crt", &first.0.pem()), scene.write("second.crt", &second.0.pem()));
    let shows = |ca: &str| told(&proxy, "b.example", &["--cacert", ca]).as_deref() == Ok("2 200");
    assert!(shows(&first_ca));
    let (new_certificate, new_key) = second.issue("b.example", 2020..2120);
    // A change of anything has files read again; now the key is another's.
    scene.write("b.example.crt", &new_certificate);
    scene.ok_with(&["create", "-f", "-"], "apiVersion: v1\nkind: Namespace\nmetadata: {name: other}\n");
    assert!(shows(&first_ca), "certificate and key that belong together are shown on");
    scene.write("b.example.key", &new_key);
    crate::stage::until("the new certificate is shown", || shows(&second_ca));
}

/// A connection of HTTP/1.1 over TLS on which one call was answered.
fn called_over_tls(address: SocketAddr, config: &ClientConfig) -> StreamOwned<ClientConnection, TcpStream> {
    let mut config = config.clone();
    config.alpn_protocols.clear();
    let session = ClientConnection::new(Arc::new(config), "b.example".try_into().expect("a name"));
    let socket = TcpStream::connect(address).expect("it listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let mut stream = StreamOwned::new(session.expect("a configuration"), socket);
    stream.write_all(b"GET /x HTTP/1.1\r\nhost: b.example\r\n\r\n").expect("it reads");
    let (mut answer, mut byte) = (Vec::new(), [0]);
    while !answer.ends_with(b"\r\n\r\npage") {
        stream.read_exact(&mut byte).expect("an answer");
        answer.push(byte[0]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    stream
}

#[test]
fn a_connection_is_over_when_its_server_begins_to_ask_for_certificates() {
    let (scene, origin) = with_origin("");
    let authority = Authority::new();
    let ca = authority.file(&scene);
    let (certificate, key) = authority.files(&scene, "b.example", 2020..2120);
    let of_mode = |mode: &str| {
        let tls =
            format!("{{mode: {mode}, serverCertificate: {certificate}, privateKey: {key}, caCertificates: {ca}}}");
        gateway(&server("b.example", &tls), "b.example")
    };
    scene.ok_with(&["create", "-f", "-"], &of_mode("SIMPLE"));
    let proxy = Proxied::start(&scene, &["--gateway-listen", "127.0.0.1:0=443"]);
    let (address, config) = (proxy.gateway(443), authority.client());
    let mut one_by_one = called_over_tls(address, &config);
    let mut side_by_side = Wire::over_tls(address, "b.example", config).opened();
    let get = |stream| {
        let fields = [(":method", "GET"), (":scheme", "https"), (":authority", "b.example"), (":path", "/x")];
        frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(&fields))
    };
    side_by_side.send(&get(1));
    assert_eq!(side_by_side.outcome(1), Outcome::Status(200));
    assert_eq!(origin.requests(), 2);
    // A change that does not concern it.
    scene.ok_with(&["create", "-f", "-"], "apiVersion: v1\nkind: Namespace\nmetadata: {name: other}\n");
    scene.ok_with(&["replace", "-f", "-"], &of_mode("MUTUAL"));
    assert!(side_by_side.read_kind(GOAWAY).is_some(), "it is told to go");
    // What comes all the same is not forwarded.
    side_by_side.send(&get(3));
    assert_eq!(side_by_side.outcome(3), Outcome::Status(421));
    scene.wait_for_entry("not the one any more that took the connection");
    let mut rest = Vec::new();
    let _ = one_by_one.read_to_end(&mut rest);
    assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
    assert_eq!(origin.requests(), 2);
}

#[test]
fn connections_are_over_with_their_server() {
    let (scene, origin) = with_origin("");
    let silent = raw::serving(|mut stream| while stream.read(&mut [0; 64]).is_ok_and(|read| read > 0) {});
    let http = "  - {port: {number: 80, name: http, protocol: HTTP}, hosts: [b.example]}\n";
    let bytes = "  - {port: {number: 9000, name: tcp, protocol: TCP}, hosts: ['*']}\n";
    scene.ok_with(&["create", "-f", "-"], &gateway(http, "b.example"));
    let other = tcp(bytes, silent, "b.example").replace("name: gw}", "name: bytes}").replace("[gw]", "[bytes]");
    scene.ok_with(&["create", "-f", "-"], &other.replace("{name: vs}", "{name: bytes}"));
    let listen = ["--gateway-listen", "127.0.0.1:0=80", "--gateway-listen", "127.0.0.1:0=9000"];
    let proxy = Proxied::start(&scene, &listen);
    let mut kept = Client::to(proxy.gateway(80));
    assert_eq!(kept.get("http://b.example/x").text(), "page");
    let mut carried = Client::to(proxy.gateway(9000));
    carried.send(b"hello");
    until("it is carried", || scene.metrics().contains("upstream_connections_total 2"));
    scene.ok(&["delete", "gateway", "gw"]);
    assert!(kept.closed());
    scene.ok(&["delete", "gateway", "bytes"]);
    assert!(carried.closed());
    assert_eq!(origin.requests(), 1);
}
