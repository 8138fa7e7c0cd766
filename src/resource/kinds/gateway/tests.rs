use super::super::tests::{check, checked};
use super::*;

/// Rows of a server's fields but `hosts`, and the problems, relative to the server.
const SERVERS: &[(&str, &[&str])] = &[
    // Ports.
    ("{}", &["error .port: port is required"]),
    ("port: {number: 443, protocol: http2, name: x}", &[]),
    ("port: {number: '443', protocol: Grpc-Web, name: x}", &[]),
    ("port: {number: 80, protocol: HTTP}", &["error .port.name: port name must be set"]),
    ("port: {number: 80, name: x}", &["error .port.protocol: Required value"]),
    ("port: {protocol: TCP, name: x}", &["error .port.number: port number 0 must be in the range 1..65535"]),
    (
        "port: {number: 65536, protocol: TCP, name: x}",
        &["error .port.number: port number 65536 must be in the range 1..65535"],
    ),
    (
        "port: {number: 80, protocol: HTPT, name: x}",
        &[
            "error .port.protocol: invalid protocol \"HTPT\", supported protocols are HTTP, HTTP2, GRPC, GRPC-WEB, HTTPS, \
           TLS, TCP, MONGO, REDIS, MYSQL, HTTP_PROXY, UDP",
        ],
    ),
    (
        "port: {number: 80, protocol: TCP, name: x, targetPort: 5}",
        &["error .port.targetPort: targetPort has no impact on Gateways"],
    ),
    // Addresses.
    ("port: {number: 80, protocol: TCP, name: x}\nbind: 10.0.0.1", &[]),
    ("port: {number: 80, protocol: TCP, name: x}\nbind: '::1'", &[]),
    ("port: {number: 80, protocol: TCP, name: x}\nbind: a.com", &["error .bind: a.com is not a valid IP"]),
    ("port: {number: 0, protocol: TCP, name: x}\nbind: unix:///var/run/x", &[]),
    ("port: {protocol: TCP, name: x}\nbind: unix://@abstract", &[]),
    (
        "port: {number: 1, protocol: TCP, name: x}\nbind: unix:///x",
        &["error .port.number: port number must be 0 for unix domain socket"],
    ),
    ("port: {protocol: TCP, name: x}\nbind: unix://x", &["error .bind: x is not an absolute path to a file"]),
    // TLS belongs to HTTPS and TLS.
    (
        "port: {number: 443, protocol: HTTPS, name: x}",
        &["error : server must have TLS settings for HTTPS/TLS protocols"],
    ),
    ("port: {number: 443, protocol: tls, name: x}", &["error : server must have TLS settings for HTTPS/TLS protocols"]),
    ("port: {number: 443, protocol: TLS, name: x}\ntls: {}", &[]),
    ("port: {number: 443, protocol: HTTPS, name: x}\ntls: {mode: PASSTHROUGH}", &[]),
    ("port: {number: 443, protocol: HTTPS, name: x}\ntls: {mode: AUTO_PASSTHROUGH}", &[]),
    ("port: {number: 80, protocol: HTTP, name: x}\ntls: {httpsRedirect: true}", &[]),
    ("port: {number: 80, protocol: HTTP_PROXY, name: x}\ntls: {https_redirect: true}", &[]),
    ("port: {number: 80, protocol: HTTP, name: x}\ntls: {httpsRedirect: true, minProtocolVersion: TLSV1_3}", &[]),
    (
        "port: {number: 80, protocol: HTTP, name: x}\ntls: {mode: SIMPLE, credentialName: c}",
        &["error .tls: server cannot have TLS settings for plain text HTTP ports"],
    ),
    (
        "port: {number: 80, protocol: HTTP, name: x}\ntls: {httpsRedirect: true, caCertificates: f}",
        &["error .tls: server cannot have TLS settings for plain text HTTP ports"],
    ),
    (
        "port: {number: 80, protocol: MONGO, name: x}\ntls: {}",
        &["error .tls: server cannot have TLS settings for non HTTPS/TLS ports"],
    ),
    (
        "port: {number: 443, protocol: HTTPS, name: x}\ntls: {mode: SIMPLE, credentialName: c, httpsRedirect: true}",
        &["warning .tls.httpsRedirect: tls.httpsRedirect should only be used with http servers"],
    ),
    (
        "port: {number: 443, protocol: HTTPS, name: x}\ntls: {mode: SIMPEL}",
        &["error .tls.mode: unsupported value \"SIMPEL\""],
    ),
];

/// Rows of `tls` of an HTTPS server, and the problems, relative to it.
const TLS_ROWS: &[(&str, &[&str])] = &[
    ("mode: ISTIO_MUTUAL", &[]),
    (
        "mode: ISTIO_MUTUAL\nserverCertificate: a\nprivateKey: b\ncaCertificates: c",
        &[
            "error .serverCertificate: ISTIO_MUTUAL TLS cannot have associated server certificate",
            "error .privateKey: ISTIO_MUTUAL TLS cannot have associated private key",
            "error .caCertificates: ISTIO_MUTUAL TLS cannot have associated CA bundle",
        ],
    ),
    (
        "mode: ISTIO_MUTUAL\ncredentialName: c",
        &["error .credentialName: ISTIO_MUTUAL TLS cannot have associated credentialName"],
    ),
    ("mode: SIMPLE\ncredentialName: c", &[]),
    ("mode: SIMPLE\ncredentialNames: [c, d]", &[]),
    ("mode: SIMPLE\nserverCertificate: c\nprivateKey: k", &[]),
    ("mode: SIMPLE\ntlsCertificates: [{serverCertificate: c, privateKey: k}]", &[]),
    ("mode: MUTUAL\ncredentialName: c", &[]),
    ("mode: OPTIONAL_MUTUAL\nserverCertificate: c\nprivateKey: k\ncaCertificates: a", &[]),
    (
        "mode: SIMPLE",
        &[
            "error .serverCertificate: SIMPLE TLS requires a server certificate",
            "error .privateKey: SIMPLE TLS requires a private key",
        ],
    ),
    (
        "mode: MUTUAL\nprivateKey: k",
        &[
            "error .caCertificates: MUTUAL TLS requires a client CA bundle",
            "error .serverCertificate: MUTUAL TLS requires a server certificate",
        ],
    ),
    (
        "mode: OPTIONAL_MUTUAL\nserverCertificate: c\nprivateKey: k",
        &["error .caCertificates: MUTUAL TLS requires a client CA bundle"],
    ),
    (
        "mode: SIMPLE\ntlsCertificates: [{serverCertificate: c}]",
        &["error .tlsCertificates[0].privateKey: SIMPLE TLS requires a private key"],
    ),
    (
        "mode: SIMPLE\ncredentialName: c\nserverCertificate: c\nprivateKey: k",
        &[
            "error : only one of credential_name, credential_names, server_certificate/private_key, tls_certificates should \
           be specified",
        ],
    ),
    (
        "mode: SIMPLE\ncredentialName: c\ncredentialNames: [d]",
        &[
            "error : only one of credential_name, credential_names, server_certificate/private_key, tls_certificates should \
           be specified",
        ],
    ),
    (
        "mode: PASSTHROUGH\ncredentialName: c",
        &["warning .credentialName: PASSTHROUGH mode does not use certificates, they will be ignored"],
    ),
    (
        "mode: AUTO_PASSTHROUGH\nserverCertificate: c",
        &["warning .serverCertificate: AUTO_PASSTHROUGH mode does not use certificates, they will be ignored"],
    ),
    ("mode: MUTUAL\nserverCertificate: c\nprivateKey: k\ncaCertificates: a\ncaCrl: f", &[]),
    (
        "mode: MUTUAL\ncredentialName: c\ncaCrl: f",
        &["error .caCrl: CRL is not supported with credentialName. CRL has to be specified in the credential"],
    ),
    (
        "mode: SIMPLE\nserverCertificate: c\nprivateKey: k\ncaCrl: f",
        &["error .caCrl: CRL is not supported with SIMPLE TLS"],
    ),
    (
        "minProtocolVersion: TLSV1_1",
        &[
            "warning .minProtocolVersion: TLS version below TLSV1_2 require setting compatible ciphers as by default they no \
           longer include compatible ciphers.",
        ],
    ),
    ("minProtocolVersion: TLSV1_0\ncipherSuites: [AES128-SHA, ALL, '-ALL', '']", &[]),
    (
        "cipherSuites: [AES128-SHA, FOO, AES128-SHA]",
        &[
            "warning .cipherSuites[1]: ignoring invalid cipher suites: [FOO]",
            "warning .cipherSuites[2]: ignoring duplicate cipher suites: [AES128-SHA]",
        ],
    ),
    ("ecdhCurves: [X25519]\nmaxProtocolVersion: TLSV1_3\nsubjectAltNames: [a]\ninsecureSkipVerify: true", &[]),
    ("maxProtocolVersion: TLS1_3", &["error .maxProtocolVersion: unsupported value \"TLS1_3\""]),
];

/// Hosts of a server, and the problem.
const HOSTS: &[(&str, Option<&str>)] = &[
    ("a.com", None),
    ("'*'", None),
    ("'*.a.com'", None),
    ("./a.com", None),
    ("'*/a.com'", None),
    ("ns/*.b.com", None),
    ("./*", None),
    ("10.0.0.1", None),
    ("short", Some("short names (non FQDN) are not allowed")),
    ("ns/short", Some("short names (non FQDN) are not allowed")),
    ("'*foo.com'", Some("partial wildcard \"*foo.com\" not allowed")),
    ("/a.com", Some("config namespace and dnsName in host entry cannot be empty")),
    ("ns/", Some("config namespace and dnsName in host entry cannot be empty")),
    ("n_s/a.com", Some("invalid namespace value \"n_s\" in gateway")),
    ("a.com:80", Some("domain name \"a.com:80\" invalid (label \"com:80\" invalid)")),
    ("a_b.com", Some("domain name \"a_b.com\" invalid (label \"a_b\" invalid)")),
    ("''", Some("empty domain name not allowed")),
];

#[test]
fn servers_are_checked() {
    for (fields, problems) in SERVERS {
        let fields = if *fields == "{}" { String::new() } else { fields.replace('\n', "\n  ") };
        let found = checked(&GATEWAY, &format!("servers:\n- hosts: [a.com]\n  {fields}"));
        let found: Vec<_> = found.iter().map(|text| text.replace("spec.servers[0]", "")).collect();
        assert_eq!(found, *problems, "{fields}");
    }
}

#[test]
fn tls_of_servers_is_checked() {
    for (tls, problems) in TLS_ROWS {
        let tls = tls.replace('\n', "\n    ");
        let server = "servers:\n- hosts: [a.com]\n  port: {number: 443, protocol: HTTPS, name: x}\n  tls:\n    ";
        let found = checked(&GATEWAY, &format!("{server}{tls}"));
        let found: Vec<_> = found.iter().map(|text| text.replace("spec.servers[0].tls", "")).collect();
        assert_eq!(found, *problems, "{tls}");
    }
}

#[test]
fn hosts_of_servers_are_full_names() {
    for (host, problem) in HOSTS {
        let spec = format!("servers:\n- hosts: [{host}]\n  port: {{number: 1, protocol: TCP, name: x}}");
        let expected: Vec<_> = problem.iter().map(|text| format!("error spec.servers[0].hosts[0]: {text}")).collect();
        assert_eq!(checked(&GATEWAY, &spec), expected, "{host}");
    }
}

#[test]
fn a_gateway_has_servers_with_hosts_and_names_of_their_own() {
    for (spec, problems) in [
        ("selector: {}", &["error spec.servers: gateway must have at least one server"][..]),
        (
            "servers:\n- port: {number: 1, protocol: TCP, name: x}",
            &["error spec.servers[0].hosts: server config must contain at least one host"],
        ),
        (
            "servers:\n- {hosts: [a.com], port: {number: 1, protocol: TCP, name: x}}\n\
             - {hosts: [a.com], port: {number: 2, protocol: TCP, name: x}}",
            &["error spec.servers[1].port.name: port names in servers must be unique: duplicate name x"],
        ),
        (
            "selector: {app: 'a b'}\nservers: [{hosts: [a.com], port: {number: 1, protocol: TCP, name: x}}]",
            &["warning spec.selector.app: no workload can have the label \"app=a b\""],
        ),
        ("servers: [null]", &["error spec.servers[0]: wrong type: expected a map, found null"]),
    ] {
        assert_eq!(checked(&GATEWAY, spec), problems, "{spec}");
    }
    assert_eq!(check(&GATEWAY, "servers: []"), ["spec.servers: gateway must have at least one server"]);
}

#[test]
fn a_gateway_s_name_is_one_label() {
    let spec = "servers: [{hosts: [a.com], port: {number: 1, protocol: TCP, name: x}}]";
    let found = super::super::tests::checked_as(&GATEWAY, "a.b", "default", spec);
    assert_eq!(found, ["error metadata.name: invalid gateway name: \"a.b\""]);
}
