//! Sidecar and egress gateway in processes of their own: mutual TLS between them, and who is not believed.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use egressctl::cli::demo::origin::Reply;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::Value as Json;

use crate::proxied::{PATIENCE, Proxied, Site};
use crate::stage::{SCENARIO, Stage, until};

/// The name by which sidecars ask for the gateway's port 443.
pub(crate) const NAME: &str = "outbound_.443_._.istio-egressgateway.istio-system.svc.cluster.local";

/// A line for every call, with all that is known of who makes it.
const WHO: &str = r#"
apiVersion: config.istio.io/v1alpha2
kind: logentry
metadata: {name: who, namespace: istio-system}
spec:
  severity: '"info"'
  variables:
    principal: source.principal | "-"
    user: source.user | "-"
    mtls: connection.mtls | false
    name: source.workload.name | "-"
    uid: source.uid | "-"
    ip: source.ip | ip("0.0.0.0")
    label: source.labels["app"] | "-"
    service: source.service | "-"
    port: destination.port | 0
    reporter: context.reporter.uid | "-"
    scheme: request.scheme | "-"
    host: request.host | "-"
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: who, namespace: istio-system}
spec: {actions: [{handler: egress-access-handler.stdio, instances: [who.logentry]}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-secrets, namespace: istio-system}
spec: {action: DENY, rules: [{to: [{operation: {paths: [/secret]}}], from: [{source: {principals: ["*/sa/sleep"]}}]}]}
"#;

/// A gateway, and a sidecar of sleep that finds it in the state directory.
pub(crate) fn apart(site: &Site, arguments: &[&str]) -> (Proxied, Proxied) {
    let gateway = site.gateway_alone(arguments);
    let mut of_sidecar = vec!["--role", "sidecar"];
    of_sidecar.extend(arguments);
    (site.proxy(&of_sidecar), gateway)
}

/// Entries without what differs from run to run.
fn entries(scene: &Stage) -> Vec<Json> {
    let all = scene.ok(&["logs"]);
    let timeless = |line: &str| {
        let mut entry: Json = serde_json::from_str(line).expect("JSON");
        for field in ["time", "decision", "latency"] {
            entry.as_object_mut().expect("an object").remove(field);
        }
        entry
    };
    all.lines().map(timeless).collect()
}

#[test]
fn two_processes_record_what_one_does() {
    let urls = [
        "http://edition.cnn.com/politics",
        "http://edition.cnn.com/secret",
        "http://edition.cnn.com/sport",
        "http://edition.cnn.com:443/health",
        "http://unknown.example/",
        "http://edition.cnn.com/x/../politics/a%62",
    ];
    let recorded = |together: bool| {
        let site = Site::new(&["policy/whitelist.yaml"]);
        site.scene.ok_with(&["create", "-f", "-"], WHO);
        let (proxy, _gateway) = match together {
            true => (site.proxy(&[]), None),
            false => {
                let (sidecar, gateway) = apart(&site, &[]);
                (sidecar, Some(gateway))
            }
        };
        let mut client = proxy.connect();
        let statuses: Vec<u16> = urls.iter().map(|url| client.get(url).status).collect();
        // Each writer has written all when it has written its last call.
        site.scene.wait_for_entry("unknown.example");
        site.scene.wait_for_entry("politics/ab");
        let mut entries = entries(&site.scene);
        // Two writers do not wait for each other.
        entries.sort_by_key(Json::to_string);
        // The Pods' names are made of uids, which another registry has others of.
        for entry in &mut entries {
            for field in ["uid", "reporter"] {
                if let Some(text) = entry[field].as_str().filter(|text| text.contains("kubernetes://")) {
                    entry[field] = text.split('-').next().into();
                }
            }
        }
        (statuses, entries)
    };
    let (one, two) = (recorded(true), recorded(false));
    assert_eq!(one.0, [403, 403, 200, 200, 502, 403]);
    assert!(one.1.iter().any(|entry| entry["reason"] == "RBAC: access denied"), "{:?}", one.1);
    let known = one.1.iter().find(|entry| entry["reporter"] == "kubernetes://istio").expect("a line");
    assert_eq!((&known["mtls"], &known["user"]), (&true.into(), &"-".into()));
    assert_eq!(known["principal"], "cluster.local/ns/default/sa/sleep");
    assert_eq!(two.0, one.0);
    for (of_two, of_one) in two.1.iter().zip(&one.1) {
        assert_eq!(of_two, of_one);
    }
    assert_eq!(two.1.len(), one.1.len());
}

#[test]
fn the_gateway_reports_and_the_sidecar_only_what_did_not_get_there() {
    let site = Site::new(&[]);
    let (sidecar, mut gateway) = apart(&site, &[]);
    assert_eq!(sidecar.get("http://edition.cnn.com/sport").status, 200);
    site.scene.wait_for_entry("/sport");
    gateway.signal("-TERM");
    gateway.wait();
    let answer = sidecar.get("http://edition.cnn.com/health");
    assert_eq!(answer.status, 503);
    assert!(answer.text().contains("the egress gateway is not there or could not be reached"), "{}", answer.text());
    let entry = site.scene.wait_for_entry("the egress gateway is not there");
    assert!(entry.contains("\"sleep\"") && entry.contains("/health"), "{entry}");
    let count = site.scene.ok(&["logs", "--count", "--grep", "/sport"]);
    assert_eq!(count.trim(), "1", "one call, one line");
    // Another takes its place, elsewhere.
    let _gateway = site.gateway_alone(&[]);
    assert_eq!(sidecar.get("http://edition.cnn.com/health").status, 200);
}

#[test]
fn what_is_passed_through_unread_goes_by_the_gateway_too() {
    let Some(curl) = crate::stage::curl() else { return };
    let site = Site::new(&[]);
    site.scene.ok(&["delete", "-f", &site.scene.fixture("scenario/01-egress-gateway.yaml")]);
    site.scene.declare(&["passthrough/egress-gateway.yaml", "passthrough/monitoring.yaml"]);
    let (sidecar, _gateway) = apart(&site, &[]);
    let page = |host: &str, arguments: &[&str]| {
        let mut command = Command::new(curl);
        command.args(["-s", "--cacert", &site.ca, "-w", "%{http_code}"]).args(arguments);
        let output = command.arg(format!("https://{host}/sport")).output().expect("curl runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let proxy = format!("http://{}", sidecar.address);
    let socks = format!("socks5h://{}", sidecar.address);
    assert_eq!(page("edition.cnn.com", &["--proxy", &proxy]), "page200");
    assert_eq!(page("edition.cnn.com", &["--proxy", &socks]), "page200");
    let direct = format!("edition.cnn.com:443:{}", sidecar.address);
    assert_eq!(page("edition.cnn.com", &["--connect-to", &direct]), "page200");
    until("each has its line", || site.scene.ok(&["logs", "--count", "--instance", "egress-tls"]).trim() == "3");
    // What its TLS asks for the gateway sees, and refuses where it is another host.
    let fronted = ["--proxy", &proxy, "--connect-to", "money.cnn.com:443:edition.cnn.com:443"];
    assert_eq!(page("money.cnn.com", &fronted), "000");
    site.scene.wait_for_entry("another server name");
}

#[test]
fn http_2_and_websockets_go_by_the_gateway_too() {
    let Some(curl) = crate::stage::curl() else { return };
    let site = Site::new(&[]);
    let (sidecar, _gateway) = apart(&site, &[]);
    let output = Command::new(curl)
        .args(["-s", "--http2-prior-knowledge", "-H", "host: edition.cnn.com", "-w", "%{http_version} %{http_code}"])
        .arg(format!("http://{}/sport", sidecar.address))
        .output()
        .expect("curl runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "page2 200");
    site.scene.wait_for_entry("/sport");
}

/// A caller with a certificate, who stands where a sidecar would.
pub(crate) struct Stranger {
    config: Arc<ClientConfig>,
}

/// The chain and the key in a directory that `identity issue` has written.
pub(crate) fn credentials(directory: &Path) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let read = |name: &str| std::fs::read(directory.join(name)).expect("written");
    let chain = CertificateDer::pem_slice_iter(&read("cert-chain.pem")).map(|one| one.expect("PEM")).collect();
    (chain, PrivateKeyDer::from_pem_slice(&read("key.pem")).expect("a key"))
}

impl Stranger {
    pub(crate) fn new(own: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>) -> Self {
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions");
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody));
        let config = match own {
            Some((chain, key)) => builder.with_client_auth_cert(chain, key).expect("a pair"),
            None => builder.with_no_client_auth(),
        };
        Self { config: Arc::new(config) }
    }

    /// Sends a request, and gives what is answered; none where the connection is refused.
    pub(crate) fn ask(&self, address: SocketAddr, name: &str, request: &str) -> Option<String> {
        let socket = TcpStream::connect(address).expect("it listens");
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let session = ClientConnection::new(Arc::clone(&self.config), name).expect("a session");
        let mut stream = StreamOwned::new(session, socket);
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        (read.is_ok() || !answer.is_empty()).then(|| String::from_utf8_lossy(&answer).into_owned())
    }
}

/// Believes whoever answers: it is not the gateway that is in doubt here.
#[derive(Debug)]
pub(crate) struct Anybody;

impl rustls::client::danger::ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// A certificate for a name that signs itself, or that an authority in PEM signs, with its key.
fn made(
    change: impl FnOnce(&mut rcgen::CertificateParams),
    by: Option<&rcgen::Issuer<'_, rcgen::KeyPair>>,
) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut parameters = rcgen::CertificateParams::default();
    let uri = "spiffe://cluster.local/ns/default/sa/sleep";
    parameters.subject_alt_names = vec![rcgen::SanType::URI(uri.try_into().expect("ASCII"))];
    change(&mut parameters);
    let certificate = match by {
        None => parameters.self_signed(&key),
        Some(by) => parameters.signed_by(&key, by),
    };
    (vec![certificate.expect("signed").der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
}

#[test]
fn who_is_not_believed_is_refused_and_recorded() {
    let site = Site::new(&[]);
    let scene = &site.scene;
    // An authority of ours, so that wrong certificates of it can be made.
    let mut root = rcgen::CertificateParams::default();
    root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().expect("a key");
    let pem = root.self_signed(&key).expect("signed").pem();
    let (cert, key_file) = (scene.write("root.pem", &pem), scene.write("root.key", &key.serialize_pem()));
    scene.ok(&["identity", "rotate", "--cert", &cert, "--key", &key_file]);
    let issuer = rcgen::Issuer::new(root, key);
    let gateway = site.gateway_alone(&[]);
    let client_auth = rcgen::ExtendedKeyUsagePurpose::ClientAuth;
    let server_auth = rcgen::ExtendedKeyUsagePurpose::ServerAuth;
    let request = "GET /health HTTP/1.1\r\nhost: edition.cnn.com\r\nconnection: close\r\n\r\n";
    let other_domain = "spiffe://other.example/ns/default/sa/sleep";
    let cases = [
        (None, "the caller showed no certificate"),
        (Some(made(|_| {}, None)), "not issued by an authority that the server trusts"),
        (
            Some(made(|made| made.not_after = rcgen::date_time_ymd(2020, 1, 1), Some(&issuer))),
            "the caller's certificate has expired",
        ),
        (
            Some(made(|made| made.extended_key_usages = vec![server_auth], Some(&issuer))),
            "the caller's certificate is none of those that the server wants",
        ),
        (
            Some(made(
                |made| {
                    made.subject_alt_names = vec![rcgen::SanType::URI(other_domain.try_into().expect("ASCII"))];
                    made.extended_key_usages = vec![client_auth.clone()];
                },
                Some(&issuer),
            )),
            "the caller's certificate is none of those that the server wants",
        ),
        (
            Some(made(
                |made| {
                    made.subject_alt_names = vec![rcgen::SanType::DnsName("sleep.example".try_into().expect("ASCII"))]
                },
                Some(&issuer),
            )),
            "the caller's certificate is none of those that the server wants",
        ),
    ];
    for (number, (own, why)) in cases.into_iter().enumerate() {
        let answer = Stranger::new(own).ask(gateway.address, NAME, request);
        assert_eq!(answer, None, "case {number}: {why}");
        let counted = || scene.ok(&["logs", "--count", "--instance", "refused"]);
        until(why, || counted().trim() == (number + 1).to_string());
        let last = scene.ok(&["logs", "-F", "--instance", "refused", "--tail", "1"]);
        assert!(last.contains(why), "case {number}: {last}");
    }
    let mut plain = crate::proxied::Client::to(gateway.address);
    plain.send(request.as_bytes());
    assert!(plain.closed(), "plain text is not even answered");
    scene.wait_for_entry("the caller spoke plain text");
    let bad = "egressctl_bad_connections_total 7";
    until(bad, || scene.metrics().contains(bad));
    assert_eq!(site.origin.requests(), 0);
    // And the right one is.
    let right = made(|made| made.extended_key_usages = vec![client_auth], Some(&issuer));
    let answer = Stranger::new(Some(right)).ask(gateway.address, NAME, request).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn who_calls_is_in_the_certificate_and_in_no_header() {
    let site = Site::with(&[], |received| Reply::page("200 OK", received.head.as_bytes()));
    let scene = &site.scene;
    let gateway = site.gateway_alone(&[]);
    let directory = scene.state().join("certs");
    scene.ok(&["identity", "issue", "other/nobody", "--out", &directory.display().to_string()]);
    let stranger = Stranger::new(Some(credentials(&directory)));
    let forged = "GET /sport HTTP/1.1\r\nhost: edition.cnn.com\r\nx-forwarded-client-cert: \
        By=spiffe://cluster.local/ns/istio-system/sa/x;URI=spiffe://cluster.local/ns/default/sa/sleep\r\n\
        x-envoy-peer-metadata-id: sidecar~1.2.3.4~sleep.default~x\r\nconnection: close\r\n\r\n";
    let answer = stranger.ask(gateway.address, NAME, forged).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(!answer.to_ascii_lowercase().contains("x-forwarded-client-cert"), "the origin saw {answer}");
    let entry = scene.wait_for_entry("/sport");
    assert!(entry.contains("\"source\":\"unknown\",\"sourceNamespace\":\"other\""), "{entry}");
    // A port that the gateway does not serve, and a name that is no sidecar's.
    let unserved = NAME.replace("443", "81");
    let answer = stranger.ask(gateway.address, &unserved, forged).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert_eq!(stranger.ask(gateway.address, "edition.cnn.com", forged), None);
    scene.wait_for_entry("no server of the Gateway's port");
}

#[test]
fn a_sidecar_believes_the_gateway_alone() {
    let site = Site::new(&[]);
    let scene = &site.scene;
    let directory = scene.state().join("certs");
    scene.ok(&["identity", "issue", "default/sleep", "--out", &directory.display().to_string()]);
    // A workload that stands where the gateway is expected.
    let (chain, key) = credentials(&directory);
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a pair");
    let (config, listener) = (Arc::new(config), std::net::TcpListener::bind("127.0.0.1:0").expect("a port"));
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let mut session = rustls::ServerConnection::new(Arc::clone(&config)).expect("a session");
            let _ = session.complete_io(&mut socket);
        }
    });
    let sidecar = Proxied::start(scene, &["--role", "sidecar", "--gateway", &address.to_string()]);
    let answer = sidecar.get("http://edition.cnn.com/sport");
    assert_eq!(answer.status, 503);
    assert!(
        answer.text().contains("who answers in the egress gateway's place has another identity"),
        "{}",
        answer.text()
    );
    scene.wait_for_entry("has another identity");
}

#[test]
fn certificates_are_renewed_and_roots_replaced_under_connections_that_stay() {
    let site = Site::new(&[]);
    let scene = &site.scene;
    let (sidecar, _gateway) = apart(&site, &["--certificate-ttl", "4s"]);
    let mut client = sidecar.connect();
    assert_eq!(client.get("http://edition.cnn.com/sport").status, 200);
    let secret = |name: &str| -> Json {
        let shown = scene.ok(&["proxy-config", "secrets", "sleep", "--node", "sidecar", "-o", "json"]);
        let all: Vec<Json> = serde_json::from_str(&shown).expect("JSON");
        all.into_iter().find(|secret| secret["name"] == name).unwrap_or_default()
    };
    let made = || {
        let metrics = scene.ok(&["proxy", "metrics", "--node", "sidecar"]);
        let line =
            metrics.lines().find(|line| line.starts_with("egressctl_upstream_connections_total")).expect("a line");
        line.rsplit(' ').next().expect("a number").to_owned()
    };
    let first = secret("default");
    assert_eq!(
        (&first["subject"], &first["status"]),
        (&"spiffe://cluster.local/ns/default/sa/sleep".into(), &"ACTIVE".into())
    );
    until("it is renewed", || secret("default")["serialNumber"] != first["serialNumber"]);
    assert_eq!(
        (client.get("http://edition.cnn.com/sport").status, made().as_str()),
        (200, "1"),
        "the connection stays"
    );
    let old_root = secret("ROOTCA");
    scene.ok(&["identity", "rotate", "--after", "1s", "--overlap", "1s"]);
    until("both roots are trusted", || secret("ROOTCA")["certificates"] == 2);
    until("the new one alone is", || {
        let root = secret("ROOTCA");
        root["certificates"] == 1 && root["serialNumber"] != old_root["serialNumber"]
    });
    assert_eq!(
        (client.get("http://edition.cnn.com/sport").status, made().as_str()),
        (200, "1"),
        "the connection stays"
    );
    // And a new one is made by new certificates.
    let second = Proxied::start(scene, &["--role", "sidecar", "--node", "second"]);
    until("a new connection is believed", || second.get("http://edition.cnn.com/sport").status == 200);
}

/// An origin for which its caller's certificate is required, which it answers with.
fn origin_of_the_mesh(scene: &Stage) -> SocketAddr {
    let directory = scene.state().join("origin");
    scene.ok(&["identity", "issue", "default/httpbin", "--out", &directory.display().to_string()]);
    let mut roots = rustls::RootCertStore::empty();
    let exported = scene.ok(&["identity", "export"]);
    for root in CertificateDer::pem_slice_iter(exported.as_bytes()) {
        roots.add(root.expect("PEM")).expect("a root");
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let callers = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let (chain, key) = credentials(&directory);
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(callers.build().expect("a verifier"))
        .with_single_cert(chain, key)
        .expect("a pair");
    let (config, listener) = (Arc::new(config), std::net::TcpListener::bind("127.0.0.1:0").expect("a port"));
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).expect("a session");
            let mut stream = StreamOwned::new(session, socket);
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read_exact(&mut byte).is_err() {
                    break;
                }
                head.extend(byte);
            }
            let Some(shown) = stream.conn.peer_certificates().and_then(<[_]>::first) else { continue };
            let caller = egressctl::identity::x509::identity(shown).expect("an identity").to_string();
            let answer =
                format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{caller}", caller.len());
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

#[test]
fn other_members_of_the_mesh_are_called_with_the_callers_own_certificate() {
    let scene = Stage::new();
    scene.declare(&["scenario/sleep.yaml"]);
    let origin = origin_of_the_mesh(&scene);
    let rule = |name: &str, account: &str| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}}}\nspec:\n  hosts: \
             [{name}.example]\n  resolution: STATIC\n  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: \
             {}}}]\n  endpoints: [{{address: 127.0.0.1}}]\n---\napiVersion: networking.istio.io/v1\nkind: \
             DestinationRule\nmetadata: {{name: {name}}}\nspec: {{host: {name}.example, trafficPolicy: {{tls: {{mode: \
             ISTIO_MUTUAL, subjectAltNames: [\"spiffe://cluster.local/ns/default/sa/{account}\"]}}}}}}\n---\n",
            origin.port()
        )
    };
    let told = scene.told_with(&["create", "-f", "-"], &(rule("right", "httpbin") + &rule("wrong", "other")));
    assert_eq!(told, "", "nothing of it is without effect");
    let proxy = Proxied::start(&scene, &[]);
    let answer = proxy.get("http://right.example/");
    assert_eq!((answer.status, answer.text()), (200, "spiffe://cluster.local/ns/default/sa/sleep".to_owned()));
    let answer = proxy.get("http://wrong.example/");
    assert_eq!(answer.status, 503);
    assert!(answer.text().contains("its certificate is for another name"), "{}", answer.text());
    let shown = scene.ok(&["proxy-config", "secrets", "sleep"]);
    assert!(shown.contains("default") && shown.contains("ROOTCA"), "{shown}");
}

#[test]
fn a_server_of_the_mesh_takes_those_whom_our_root_knows_and_tells_who_they_are() {
    let Some(curl) = crate::stage::curl() else { return };
    let site = Site::new(&[]);
    let scene = &site.scene;
    let server = std::fs::read_to_string(scene.fixture("scenario/01-egress-gateway.yaml")).expect("it is there");
    let server = server.split("---").next().expect("a Gateway");
    let mutual = server
        .replace("protocol: HTTP", "protocol: HTTPS")
        .replace("    hosts:", "    tls: {mode: ISTIO_MUTUAL}\n    hosts:");
    assert!(mutual.contains("ISTIO_MUTUAL"));
    scene.ok_with(&["replace", "-f", "-"], &format!("apiVersion: networking.istio.io/v1alpha3\n{mutual}"));
    let proxy = site.proxy(&["--gateway-listen", "127.0.0.1:0=443"]);
    // Of sidecars it knows the callers by name now.
    assert_eq!(proxy.get("http://edition.cnn.com/sport").status, 200);
    let entry = scene.wait_for_entry("/sport");
    assert!(entry.contains("\"user\":\"cluster.local/ns/default/sa/sleep\""), "{entry}");
    // And of others who come with a certificate.
    let directory = scene.state().join("certs");
    let place = directory.display().to_string();
    scene.ok(&["identity", "issue", "default/sleep", "--out", &place]);
    let port = proxy.gateway(443);
    let (chain, key) = (format!("{place}/cert-chain.pem"), format!("{place}/key.pem"));
    let connect = format!("edition.cnn.com:443:{port}");
    let output = Command::new(curl)
        .args(["-sk", "--cert", &chain, "--key", &key, "--connect-to", &connect, "-w", "%{http_code}"])
        .arg("https://edition.cnn.com/health")
        .output()
        .expect("curl runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "page200");
    let entry = scene.wait_for_entry("/health");
    let known = "\"source\":\"sleep\",\"sourceNamespace\":\"default\",\"user\":\"cluster.local/ns/default/sa/sleep\"";
    assert!(entry.contains(known), "{entry}");
}

#[test]
fn flags_of_another_role_are_refused() {
    let scene = Stage::new();
    for (arguments, told) in [
        (
            &["--role", "sidecar", "--mesh-listen", "127.0.0.1:0"][..],
            "--mesh-listen is not for a proxy of role sidecar",
        ),
        (&["--role", "gateway", "--listen", "127.0.0.1:0"][..], "--listen is not for a proxy of role gateway"),
        (&["--gateway", "127.0.0.1:1"][..], "--gateway is for a proxy of role sidecar"),
    ] {
        let mut all = vec!["proxy", "start"];
        all.extend(arguments);
        assert!(scene.fails(&all).contains(told), "{arguments:?}");
    }
}

#[test]
fn a_gateway_on_another_machine_needs_one_certificate_and_no_authority() {
    let site = Site::new(&[]);
    let certificates = site.scene.state().with_file_name("certs");
    let out = certificates.to_str().expect("plain");
    site.scene.ok(&["identity", "issue", "istio-system/istio-egressgateway-service-account", "--out", out]);
    // Its registry has the same, and its state directory no authority.
    let there = Stage::new();
    there.declare(&SCENARIO);
    let resolve = format!("edition.cnn.com:443:{}", site.origin.address);
    let arguments = ["--resolve", &resolve, "--ca-file", &site.ca, "--identity", out];
    let gateway = Proxied::gateway_alone(&there, &arguments);
    let address = gateway.address.to_string();
    let sidecar = site.proxy(&["--role", "sidecar", "--gateway", &address]);
    assert_eq!(sidecar.get("http://edition.cnn.com/politics").status, 200);
    let entry = there.wait_for_entry("/politics");
    assert!(entry.contains("\"source\":\"sleep\"") || entry.contains("sleep"), "{entry}");
    assert!(!there.state().join("identity/authority.json").exists());
    // One for somebody else would be believed by no sidecar.
    site.scene.ok(&["identity", "issue", "default/sleep", "--out", out]);
    let other = Stage::new();
    other.declare(&SCENARIO);
    let told = other.fails(&["proxy", "start", "--role", "gateway", "--mesh-listen", "127.0.0.1:0", "--identity", out]);
    assert!(told.contains("there is no certificate for spiffe://cluster.local/ns/istio-system/sa/"), "{told}");
}
