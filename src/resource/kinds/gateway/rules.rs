//! The rules of a Gateway.

use std::collections::BTreeSet;

use super::{
    Gateway, HTTP, PROTOCOLS, Port, Server, ServerTls, ServerTlsMode, TLS, TlsCertificate, TlsVersion, is_one_of,
};
use crate::diagnostic::{Code, FieldPath, Problem, Problems, suggest};
use crate::resource::kinds::check::{self, At};
use crate::resource::kinds::workload_entry::unix_path;
use crate::resource::{Resource, host, name};

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
    "ALL",
];

pub(super) fn rules(resource: &Resource, problems: &mut Problems) {
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
    check::selector(&mut at.field("selector"), &gateway.selector);
    let mut names = BTreeSet::new();
    at.each("servers", &gateway.servers, |at, server| self::server(at, server, &mut names));
}

fn server(at: &mut At<'_>, server: &Server, names: &mut BTreeSet<String>) {
    if server.hosts.is_empty() {
        at.field("hosts").missing("server config must contain at least one host");
    }
    at.each("hosts", &server.hosts, |at, host| self::host(at, host));
    let unix = server.bind.strip_prefix("unix://");
    match unix {
        Some(path) => at.field("bind").verdict(unix_path(path)),
        None if server.bind.is_empty() => {}
        None => check::ip(&mut at.field("bind"), &server.bind),
    }
    let Some(port) = &server.port else {
        return at.field("port").missing("port is required");
    };
    self::port(&mut at.field("port"), port, unix.is_some(), names);
    if !is_one_of(&port.protocol, PROTOCOLS) {
        return;
    }
    match &server.tls {
        None if is_one_of(&port.protocol, TLS) => {
            at.missing("server must have TLS settings for HTTPS/TLS protocols");
        }
        None => {}
        Some(tls) => tls_on_protocol(&mut at.field("tls"), tls, &port.protocol),
    }
}

/// Checks a host of a server; `namespace/` may stand before it.
fn host(at: &mut At<'_>, written: &str) {
    let (namespace, host) = match written.split_once('/') {
        Some((namespace, host)) => (Some(namespace), host),
        None => (None, written),
    };
    if namespace == Some("") || (namespace.is_some() && host.is_empty()) {
        return at.invalid("config namespace and dnsName in host entry cannot be empty");
    }
    if let Some(namespace) = namespace.filter(|ns| !matches!(*ns, "." | "*") && !check::is_label(ns)) {
        at.advise(format!("invalid namespace value \"{namespace}\" in gateway"), "write ., * or a namespace");
    }
    if host == "*" || check::is_ip(host) {
        return;
    }
    if host::is_partial_wildcard(host) {
        at.advise(format!("partial wildcard \"{host}\" not allowed"), "write *.DOMAIN or *");
    } else if let Err(why) = host::wildcard_domain(host) {
        at.invalid(why);
    } else if !host.contains('.') {
        at.advise("short names (non FQDN) are not allowed", "write the whole name, or * for all");
    }
}

fn port(at: &mut At<'_>, port: &Port, unix: bool, names: &mut BTreeSet<String>) {
    let mut number = at.field("number");
    match (unix, port.number) {
        (true, 0) => {}
        (true, _) => number.invalid("port number must be 0 for unix domain socket"),
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
    } else if !is_one_of(protocol, PROTOCOLS) {
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
    if tls.https_redirect && !is_one_of(protocol, HTTP) {
        at.field("httpsRedirect").ignored("tls.httpsRedirect should only be used with http servers");
    }
    if is_one_of(protocol, TLS) {
        return tls_rules(at, tls);
    }
    if !is_one_of(protocol, HTTP) {
        return at.invalid("server cannot have TLS settings for non HTTPS/TLS ports");
    }
    let passes = matches!(tls.mode, ServerTlsMode::Passthrough | ServerTlsMode::AutoPassthrough);
    let files = [&tls.ca_certificates, &tls.private_key, &tls.server_certificate];
    if !passes || files.iter().any(|file| !file.is_empty()) {
        return at.advise(
            "server cannot have TLS settings for plain text HTTP ports",
            "set the port's protocol to HTTPS, or keep nothing but httpsRedirect",
        );
    }
    tls_rules(at, tls);
}

/// Checks TLS of a server by itself.
pub(in crate::resource::kinds) fn tls_rules(at: &mut At<'_>, tls: &ServerTls) {
    use ServerTlsMode as Mode;
    versions_and_ciphers(at, tls);
    match tls.mode {
        Mode::IstioMutual => return istio_mutual(at, tls),
        Mode::Passthrough => unused_certificates(at, tls, "PASSTHROUGH"),
        Mode::AutoPassthrough => unused_certificates(at, tls, "AUTO_PASSTHROUGH"),
        Mode::Simple => certificates(at, tls, "SIMPLE TLS"),
        Mode::Mutual | Mode::OptionalMutual => certificates(at, tls, "MUTUAL TLS"),
    }
    let sources = [
        !tls.credential_name.is_empty(),
        !tls.credential_names.is_empty(),
        !tls.server_certificate.is_empty() && !tls.private_key.is_empty(),
        !tls.tls_certificates.is_empty(),
    ];
    if sources.iter().filter(|given| **given).count() > 1 {
        at.invalid(
            "only one of credential_name, credential_names, server_certificate/private_key, tls_certificates should be \
             specified",
        );
    }
    if tls.ca_crl.is_empty() {
        return;
    }
    if sources[0] || sources[1] {
        at.field("caCrl")
            .invalid("CRL is not supported with credentialName. CRL has to be specified in the credential");
    } else if tls.mode == Mode::Simple {
        at.field("caCrl").invalid("CRL is not supported with SIMPLE TLS");
    }
}

/// Fields that give certificates, and whether they do.
fn certificate_fields(tls: &ServerTls) -> [(&'static str, &'static str, bool); 6] {
    [
        ("serverCertificate", "server certificate", !tls.server_certificate.is_empty()),
        ("privateKey", "private key", !tls.private_key.is_empty()),
        ("caCertificates", "CA bundle", !tls.ca_certificates.is_empty()),
        ("tlsCertificates", "tlsCertificates", !tls.tls_certificates.is_empty()),
        ("credentialName", "credentialName", !tls.credential_name.is_empty()),
        ("credentialNames", "credentialNames", !tls.credential_names.is_empty()),
    ]
}

fn istio_mutual(at: &mut At<'_>, tls: &ServerTls) {
    for (field, what, _) in certificate_fields(tls).into_iter().filter(|(.., given)| *given) {
        at.field(field).invalid(format!("ISTIO_MUTUAL TLS cannot have associated {what}"));
    }
}

fn unused_certificates(at: &mut At<'_>, tls: &ServerTls, mode: &str) {
    let fields = certificate_fields(tls).into_iter().map(|(field, _, given)| (field, given));
    for (field, _) in fields.chain([("caCrl", !tls.ca_crl.is_empty())]).filter(|(_, given)| *given) {
        at.field(field).ignored(format!("{mode} mode does not use certificates, they will be ignored"));
    }
}

/// Checks that certificates are named for a mode that ends TLS.
fn certificates(at: &mut At<'_>, tls: &ServerTls, mode: &str) {
    if !tls.credential_name.is_empty() || !tls.credential_names.is_empty() {
        return;
    }
    if tls.mode != ServerTlsMode::Simple && tls.ca_certificates.is_empty() {
        at.field("caCertificates").missing(format!("{mode} requires a client CA bundle"));
    }
    if tls.tls_certificates.len() > 2 {
        at.field("tlsCertificates").warn(format!("{mode} can support up to 2 server certificates"));
    }
    at.each("tlsCertificates", &tls.tls_certificates, |at, TlsCertificate { server_certificate, private_key, .. }| {
        certificate(at, server_certificate, private_key, mode);
    });
    if tls.tls_certificates.is_empty() {
        certificate(at, &tls.server_certificate, &tls.private_key, mode);
    }
}

fn certificate(at: &mut At<'_>, certificate: &str, key: &str, mode: &str) {
    if certificate.is_empty() {
        at.field("serverCertificate").missing(format!("{mode} requires a server certificate"));
    }
    if key.is_empty() {
        at.field("privateKey").missing(format!("{mode} requires a private key"));
    }
}

fn versions_and_ciphers(at: &mut At<'_>, tls: &ServerTls) {
    let old = |version| matches!(version, TlsVersion::V1_0 | TlsVersion::V1_1);
    if old(tls.min_protocol_version) && tls.cipher_suites.is_empty() {
        at.field("minProtocolVersion").warn(
            "TLS version below TLSV1_2 require setting compatible ciphers as by default they no longer include compatible \
             ciphers.",
        );
    }
    for (index, cipher) in tls.cipher_suites.iter().enumerate() {
        let mut at = at.field("cipherSuites");
        if !is_cipher(cipher) {
            at.index(index).ignored(format!("ignoring invalid cipher suites: [{cipher}]"));
        } else if tls.cipher_suites[..index].contains(cipher) {
            at.index(index).ignored(format!("ignoring duplicate cipher suites: [{cipher}]"));
        }
    }
}

/// Whether a text is a cipher suite, or one of the operators of BoringSSL's language for lists of them.
fn is_cipher(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_alphanumeric()) || CIPHERS.contains(&text)
}
