//! Gateway: which ports a gateway opens, for which hosts, and with which TLS.

mod rules;

use serde::Deserialize;

use super::cells;
use super::check::At;
use crate::resource::{Kind, Labels, Typed};

pub(super) use rules::tls_rules;

/// The kind `Gateway` (networking.istio.io).
pub static GATEWAY: Kind = Kind {
    group: "networking.istio.io",
    versions: cells::NETWORKING_VERSIONS,
    short: &["gw"],
    categories: cells::NETWORKING,
    check: rules::rules,
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
    /// Curves by BoringSSL's names.
    pub ecdh_curves: Vec<String>,
    /// Take any certificate of a client.
    pub insecure_skip_verify: Option<bool>,
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
pub(super) const HTTP: &[&str] = &["HTTP", "HTTP2", "HTTP_PROXY", "GRPC", "GRPC-WEB"];
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

#[cfg(test)]
mod tests;
