//! Gateway: which ports a gateway opens, for which hosts, and with which TLS.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::cells;
use super::check::{self, At};
use crate::diagnostic::{Code, FieldPath, Problem, Problems, suggest};
use crate::resource::Resource;
use crate::resource::{Kind, Labels, Typed, host, name};

/// The kind `Gateway` (networking.istio.io).
pub static GATEWAY: Kind = Kind {
    group: "networking.istio.io",
    versions: cells::NETWORKING_VERSIONS,
    short: &["gw"],
    categories: cells::NETWORKING,
    check: rules,
    ..cells::kind("Gateway", "gateways", "gateway")
};

/// `spec` of a Gateway.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Gateway {
    /// What is listened for.
    pub servers: Vec<Server>,
    /// Labels of the gateway's workloads, in any namespace.
    pub selector: Labels,
}

impl Typed for Gateway {
    const ROOT: Option<&'static str> = Some("spec");
}

/// One port of a gateway.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Server {
    /// The port.
    pub port: Option<Port>,
    /// Address to listen on; all when empty.
    pub bind: String,
    /// Names that are served: `host`, `namespace/host`, `./host`, `*/host`.
    pub hosts: Vec<String>,
    /// TLS towards the client.
    pub tls: Option<ServerTls>,
    /// Kept by Istio without effect.
    pub default_endpoint: String,
    /// Name of the server.
    pub name: String,
}

/// A listening port.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Port {
    /// 1 to 65535.
    pub number: u32,
    /// One of [`PROTOCOLS`], in any letter case.
    pub protocol: String,
    /// Unique in the Gateway.
    pub name: String,
    /// Has no meaning at a gateway.
    pub target_port: u32,
}

/// How a server speaks TLS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ServerTlsMode {
    /// Not ended here; routed by SNI.
    #[default]
    Passthrough,
    /// With our certificate.
    Simple,
    /// With certificates of both.
    Mutual,
    /// Passed on by SNI without routes.
    AutoPassthrough,
    /// With the mesh's certificates of both.
    IstioMutual,
    /// As mutual, but a client may come without certificate.
    OptionalMutual,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum TlsVersion {
    /// The default.
    #[default]
    #[serde(rename = "TLS_AUTO")]
    Auto,
    /// TLS 1.0.
    #[serde(rename = "TLSV1_0")]
    V1_0,
    /// TLS 1.1.
    #[serde(rename = "TLSV1_1")]
    V1_1,
    /// TLS 1.2.
    #[serde(rename = "TLSV1_2")]
    V1_2,
    /// TLS 1.3.
    #[serde(rename = "TLSV1_3")]
    V1_3,
}

/// TLS of a server.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServerTls {
    /// Answer plain HTTP with a 301 to https.
    pub https_redirect: bool,
    /// Mode; absent is PASSTHROUGH.
    pub mode: ServerTlsMode,
    /// File of our certificate.
    pub server_certificate: String,
    /// File of our key.
    pub private_key: String,
    /// File of the authorities that clients' certificates must come from.
    pub ca_certificates: String,
    /// File of revoked certificates.
    pub ca_crl: String,
    /// Secret with certificate and key.
    pub credential_name: String,
    /// Several Secrets.
    pub credential_names: Vec<String>,
    /// Several certificates by file.
    pub tls_certificates: Vec<TlsCertificate>,
    /// Secret with the authorities.
    pub ca_cert_credential_name: String,
    /// Names that a client's certificate may carry.
    pub subject_alt_names: Vec<String>,
    /// Base64 SHA-256 of clients' public keys.
    pub verify_certificate_spki: Vec<String>,
    /// Hex SHA-256 of clients' certificates.
    pub verify_certificate_hash: Vec<String>,
    /// Least version; TLS 1.2 when absent.
    pub min_protocol_version: TlsVersion,
    /// Greatest version.
    pub max_protocol_version: TlsVersion,
    /// Cipher suites by BoringSSL's names.
    pub cipher_suites: Vec<String>,
}

/// A certificate by file.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TlsCertificate {
    /// File of the certificate.
    pub server_certificate: String,
    /// File of its key.
    pub private_key: String,
    /// File of authorities.
    pub ca_certificates: String,
}

/// Protocols of a port, in the letter case of the documentation.
pub const PROTOCOLS: &[&str] =
    &["HTTP", "HTTP2", "GRPC", "GRPC-WEB", "HTTPS", "TLS", "TCP", "MONGO", "REDIS", "MYSQL", "HTTP_PROXY", "UDP"];

/// Protocols that are HTTP in plain text.
pub(super) const HTTP: &[&str] = &["HTTP", "HTTP2", "GRPC", "GRPC-WEB"];
/// Protocols that begin with TLS.
pub(super) const TLS: &[&str] = &["HTTPS", "TLS"];

/// Whether a protocol is one of those, in any letter case.
pub(super) fn is_one_of(protocol: &str, protocols: &[&str]) -> bool {
    protocols.iter().any(|known| known.eq_ignore_ascii_case(protocol))
}

/// Checks a protocol that is sniffed where it is not given.
pub(super) fn optional_protocol(at: &mut At<'_>, protocol: &str) {
    if !protocol.is_empty() && !is_one_of(protocol, PROTOCOLS) {
        at.invalid(format!("unsupported protocol: {protocol}"));
    }
}

/// Cipher suites that may be named (BoringSSL's for TLS 1.2).
const CIPHERS: &[&str] = &[
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES256-SHA",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-SHA",
    "AES256-SHA",
    "DES-CBC3-SHA",
];

fn rules(resource: &Resource, problems: &mut Problems) {
    check::spec::<Gateway>(resource, problems, gateway);
    let own = &resource.meta.name;
    if name::dns_subdomain(own).is_ok() && name::dns_label(own).is_err() {
        let message = format!("invalid gateway name: \"{own}\"");
        problems.push(
            Problem::error(Code::Invalid, FieldPath::of("metadata.name"), message)
                .help("a Gateway's name may have no dots: they would separate it from a namespace"),
        );
    }
}

fn gateway(at: &mut At<'_>, gateway: &Gateway) {
    if gateway.servers.is_empty() {
        at.field("servers").missing("gateway must have at least one server");
    }
    check::labels(&mut at.field("selector"), &gateway.selector);
    let mut names = BTreeSet::new();
    at.each("servers", &gateway.servers, |at, server| self::server(at, server, &mut names));
}

fn server(at: &mut At<'_>, server: &Server, names: &mut BTreeSet<String>) {
    if server.hosts.is_empty() {
        at.field("hosts").missing("server config must contain at least one host");
    }
    at.each("hosts", &server.hosts, |at, host| self::host(at, host));
    let unix = server.bind.starts_with("unix://");
    if !unix && !server.bind.is_empty() && !check::is_ip(&server.bind) {
        at.field("bind").invalid(format!("invalid bind \"{}\": write an IP address or unix://PATH", server.bind));
    }
    let Some(port) = &server.port else {
        at.field("port").required();
        return;
    };
    self::port(&mut at.field("port"), port, unix, names);
    if !PROTOCOLS.iter().any(|known| known.eq_ignore_ascii_case(&port.protocol)) {
        return;
    }
    let protocol = port.protocol.to_ascii_uppercase();
    let wants_tls = matches!(protocol.as_str(), "HTTPS" | "TLS");
    match &server.tls {
        None if wants_tls => at.missing("server must have TLS settings for HTTPS/TLS protocols"),
        None => {}
        Some(tls) => tls_on_protocol(&mut at.field("tls"), tls, &protocol),
    }
}

/// Checks a host of a server; `namespace/` may stand before it.
fn host(at: &mut At<'_>, written: &str) {
    let (namespace, host) = match written.split_once('/') {
        Some((namespace, host)) => (Some(namespace), host),
        None => (None, written),
    };
    if let Some(namespace) = namespace.filter(|ns| !matches!(*ns, "." | "*") && !check::is_label(ns)) {
        at.invalid(format!("invalid namespace \"{namespace}\" in host \"{written}\": write ., * or a namespace"));
    }
    if host == "*" || check::is_ip(host) {
        return;
    }
    if host::is_partial_wildcard(host) {
        at.advise(format!("partial wildcard \"{host}\" not allowed"), "write *.DOMAIN or *");
    } else if let Err(why) = host::wildcard_domain(host) {
        at.invalid(why);
    } else if !host.contains('.') {
        at.invalid(format!("short names (non FQDN) are not allowed: \"{host}\""));
    }
}

fn port(at: &mut At<'_>, port: &Port, unix: bool, names: &mut BTreeSet<String>) {
    let mut number = at.field("number");
    match (unix, port.number) {
        (true, 0) => {}
        (true, _) => number.invalid("port number must be 0 for a Unix domain socket"),
        (false, _) => check::port(&mut number, port.number),
    }
    protocol(&mut at.field("protocol"), &port.protocol);
    let mut name = at.field("name");
    if port.name.is_empty() {
        name.missing("port name must be set");
    } else if !names.insert(port.name.clone()) {
        name.duplicate(format!("port names in servers must be unique: duplicate name {}", port.name));
    }
    if port.target_port != 0 {
        at.field("targetPort").invalid("targetPort has no impact on Gateways");
    }
}

/// Checks a protocol that must be given.
fn protocol(at: &mut At<'_>, protocol: &str) {
    if protocol.is_empty() {
        at.required();
    } else if !PROTOCOLS.iter().any(|known| known.eq_ignore_ascii_case(protocol)) {
        let message = format!("invalid protocol \"{protocol}\", supported protocols are {}", PROTOCOLS.join(", "));
        let problem = Problem::error(Code::NotSupported, at.path.clone(), message);
        let near = suggest::nearest(protocol, PROTOCOLS.iter().copied());
        at.problems.push(match near {
            Some(near) => problem.help(format!("did you mean \"{near}\"?")),
            None => problem,
        });
    }
}

fn tls_on_protocol(at: &mut At<'_>, tls: &ServerTls, protocol: &str) {
    match protocol {
        "HTTPS" | "TLS" => {
            if tls.https_redirect {
                at.field("httpsRedirect").ignored("httpsRedirect has no effect on ports that are not HTTP");
            }
            tls_rules(at, tls);
        }
        "HTTP" | "HTTP2" | "GRPC" | "GRPC-WEB" => {
            let plain = ServerTls { https_redirect: tls.https_redirect, ..ServerTls::default() };
            if *tls != plain {
                at.advise(
                    "server cannot have TLS settings for plain text HTTP ports",
                    "set the port's protocol to HTTPS, or keep nothing but httpsRedirect",
                );
            }
        }
        _ => at.invalid("server cannot have TLS settings for non HTTPS/TLS ports"),
    }
}

/// Checks TLS of a server by itself.
pub(super) fn tls_rules(at: &mut At<'_>, tls: &ServerTls) {
    use ServerTlsMode as Mode;
    let sources = [!tls.credential_name.is_empty(), !tls.credential_names.is_empty(), !tls.tls_certificates.is_empty()];
    let named = sources[0] || sources[1];
    let files = !tls.server_certificate.is_empty() || !tls.private_key.is_empty();
    match tls.mode {
        Mode::Passthrough | Mode::AutoPassthrough => {
            if named || sources[2] || files || !tls.ca_certificates.is_empty() {
                at.ignored("certificates are ignored in mode PASSTHROUGH");
            }
        }
        Mode::IstioMutual => istio_mutual(at, tls),
        Mode::Simple | Mode::Mutual | Mode::OptionalMutual => {
            if sources.iter().filter(|given| **given).count() + usize::from(files) > 1 {
                at.invalid(
                    "only one of credential_name, credential_names, tls_certificates or server_certificate/private_key \
                     should be specified",
                );
            }
            if !named && !sources[2] {
                files_given(at, tls);
            }
            if tls.mode != Mode::Simple
                && !named
                && tls.ca_certificates.is_empty()
                && tls.ca_cert_credential_name.is_empty()
            {
                at.field("caCertificates").missing("MUTUAL TLS requires a client CA bundle");
            }
        }
    }
    if !tls.ca_crl.is_empty() && (named || tls.mode == Mode::Simple) {
        at.field("caCrl").invalid("CRL is not supported with credentialName or in mode SIMPLE");
    }
    versions_and_ciphers(at, tls);
}

fn files_given(at: &mut At<'_>, tls: &ServerTls) {
    for (field, value) in [("serverCertificate", &tls.server_certificate), ("privateKey", &tls.private_key)] {
        if value.is_empty() {
            at.field(field).missing(format!("this TLS mode requires {field}, or credentialName"));
        }
    }
}

fn istio_mutual(at: &mut At<'_>, tls: &ServerTls) {
    let fields = [
        ("serverCertificate", tls.server_certificate.is_empty()),
        ("privateKey", tls.private_key.is_empty()),
        ("caCertificates", tls.ca_certificates.is_empty()),
        ("credentialName", tls.credential_name.is_empty()),
        ("credentialNames", tls.credential_names.is_empty()),
        ("tlsCertificates", tls.tls_certificates.is_empty()),
        ("caCertCredentialName", tls.ca_cert_credential_name.is_empty()),
    ];
    for (field, empty) in fields {
        if !empty {
            at.field(field).invalid(format!("ISTIO_MUTUAL TLS cannot have associated {field}"));
        }
    }
}

fn versions_and_ciphers(at: &mut At<'_>, tls: &ServerTls) {
    let old = |version| matches!(version, TlsVersion::V1_0 | TlsVersion::V1_1);
    if old(tls.min_protocol_version) && tls.cipher_suites.is_empty() {
        at.field("minProtocolVersion").warn("TLS below 1.2 has no effect without cipherSuites");
    }
    for (index, cipher) in tls.cipher_suites.iter().enumerate() {
        let mut at = at.field("cipherSuites");
        if !CIPHERS.contains(&cipher.as_str()) {
            at.index(index).ignored(format!("ignoring invalid cipher suite: {cipher}"));
        } else if tls.cipher_suites[..index].contains(cipher) {
            at.index(index).ignored(format!("ignoring duplicate cipher suite: {cipher}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    fn server(text: &str) -> Vec<String> {
        check(&GATEWAY, &format!("servers:\n- hosts: [a.com]\n  {}", text.replace('\n', "\n  ")))
    }

    #[test]
    fn a_gateway_has_servers_and_they_have_hosts_and_ports() {
        assert_eq!(check(&GATEWAY, "selector: {}"), ["spec.servers: gateway must have at least one server"]);
        assert_eq!(
            check(&GATEWAY, "servers:\n- hosts: []"),
            [
                "spec.servers[0].hosts: server config must contain at least one host",
                "spec.servers[0].port: Required value",
            ]
        );
    }

    #[test]
    fn ports_are_checked() {
        let port = "spec.servers[0].port";
        assert_eq!(
            server("port: {number: 0, protocol: HTPT, targetPort: 5}"),
            [
                format!("{port}.number: port number 0 must be in the range 1..65535"),
                format!(
                    "{port}.protocol: invalid protocol \"HTPT\", supported protocols are HTTP, HTTP2, GRPC, GRPC-WEB, \
                     HTTPS, TLS, TCP, MONGO, REDIS, MYSQL, HTTP_PROXY, UDP"
                ),
                format!("{port}.name: port name must be set"),
                format!("{port}.targetPort: targetPort has no impact on Gateways"),
            ]
        );
        assert!(server("port: {number: 443, protocol: http2, name: x}").is_empty());
    }

    #[test]
    fn tls_belongs_to_https_and_tls_ports() {
        assert_eq!(
            server("port: {number: 443, protocol: HTTPS, name: x}"),
            ["spec.servers[0]: server must have TLS settings for HTTPS/TLS protocols"]
        );
        assert_eq!(
            server("port: {number: 80, protocol: HTTP, name: x}\ntls: {mode: SIMPLE}"),
            ["spec.servers[0].tls: server cannot have TLS settings for plain text HTTP ports"]
        );
        assert!(server("port: {number: 80, protocol: HTTP, name: x}\ntls: {httpsRedirect: true}").is_empty());
        assert!(server("port: {number: 443, protocol: HTTPS, name: x}\ntls: {mode: ISTIO_MUTUAL}").is_empty());
        assert_eq!(
            server("port: {number: 443, protocol: HTTPS, name: x}\ntls: {mode: MUTUAL, privateKey: k}"),
            [
                "spec.servers[0].tls.serverCertificate: this TLS mode requires serverCertificate, or credentialName",
                "spec.servers[0].tls.caCertificates: MUTUAL TLS requires a client CA bundle",
            ]
        );
    }

    #[test]
    fn hosts_of_servers_are_full_names() {
        for (host, message) in [
            ("short", "short names (non FQDN) are not allowed: \"short\""),
            ("\"*foo.com\"", "partial wildcard \"*foo.com\" not allowed"),
            ("http://a.com", "invalid namespace \"http:\" in host \"http://a.com\": write ., * or a namespace"),
        ] {
            let spec = format!("servers:\n- hosts: [{host}]\n  port: {{number: 1, protocol: TCP, name: x}}");
            assert_eq!(check(&GATEWAY, &spec)[0], format!("spec.servers[0].hosts[0]: {message}"));
        }
        let spec =
            "servers:\n- hosts: ['*', ./a.com, ns/*.b.com, 10.0.0.1]\n  port: {number: 1, protocol: TCP, name: x}";
        assert!(check(&GATEWAY, spec).is_empty());
    }
}
