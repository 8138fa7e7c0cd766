//! The rules of a Sidecar.

use std::collections::{BTreeMap, BTreeSet};

use super::{CaptureMode, EgressListener, IngressListener, OutboundMode, OutboundTrafficPolicy, Sidecar, SidecarPort};
use crate::resource::host;
use crate::resource::kinds::check::{self, At};
use crate::resource::kinds::destination_rule::connection_pool;
use crate::resource::kinds::gateway::{self, ServerTls, ServerTlsMode};
use crate::resource::kinds::virtual_service::destination_fields;
use crate::resource::kinds::workload_entry::unix_path;

pub(super) fn sidecar(at: &mut At<'_>, sidecar: &Sidecar, namespace: &str) {
    at.part("workloadSelector", sidecar.workload_selector.as_ref(), |at, selector| {
        if selector.labels.is_empty() {
            at.warn(
                "sidecar: workload selector specified without labels, will be applied to all services in namespace",
            );
        }
        check::selector(&mut at.field("labels"), &selector.labels);
    });
    if sidecar.egress.is_empty()
        && sidecar.ingress.is_empty()
        && sidecar.outbound_traffic_policy.is_none()
        && sidecar.inbound_connection_pool.is_none()
    {
        at.missing("sidecar: empty configuration provided");
    }
    let mut numbers = BTreeSet::new();
    at.each("ingress", &sidecar.ingress, |at, listener| ingress(at, listener, &mut numbers));
    at.part("inboundConnectionPool", sidecar.inbound_connection_pool.as_ref(), connection_pool);
    egress(at, sidecar, namespace);
    at.part("outboundTrafficPolicy", sidecar.outbound_traffic_policy.as_ref(), outbound);
}

fn ingress(at: &mut At<'_>, listener: &IngressListener, numbers: &mut BTreeSet<u32>) {
    let Some(port) = &listener.port else {
        return at.field("port").missing("sidecar: port is required for ingress listeners");
    };
    self::port(&mut at.field("port"), port);
    check::port(&mut at.field("port").field("number"), port.number);
    unique_number(&mut at.field("port").field("number"), port.number, numbers);
    bind_address(&mut at.field("bind"), &listener.bind);
    if !listener.default_endpoint.is_empty() {
        default_endpoint(&mut at.field("defaultEndpoint"), &listener.default_endpoint);
    }
    at.part("tls", listener.tls.as_ref(), |at, tls| ingress_tls(at, tls, port));
    at.part("connectionPool", listener.connection_pool.as_ref(), |at, pool| {
        connection_pool(at, pool);
        if pool.http.is_some() && !gateway::is_one_of(&port.protocol, gateway::HTTP) {
            let SidecarPort { number, name, protocol, .. } = port;
            at.field("http").ignored(format!(
                "sidecar: HTTP connection pool settings are configured for port {number} (\"{name}\") but its protocol is \
                 not HTTP ({protocol}); only TCP settings will apply"
            ));
        }
    });
}

fn ingress_tls(at: &mut At<'_>, tls: &ServerTls, port: &SidecarPort) {
    let unsupported = [
        ("subjectAltNames", !tls.subject_alt_names.is_empty(), "subjectAltNames is not supported in ingress tls"),
        ("httpsRedirect", tls.https_redirect, "httpsRedirect is not supported"),
        ("credentialName", !tls.credential_name.is_empty(), "credentialName is not currently supported"),
        ("credentialNames", !tls.credential_names.is_empty(), "credentialNames is not currently supported"),
        ("tlsCertificates", !tls.tls_certificates.is_empty(), "tls_certificates is not currently supported"),
    ];
    for (field, _, message) in unsupported.into_iter().filter(|(_, given, _)| *given) {
        at.field(field).invalid(format!("sidecar: {message}"));
    }
    let mode = match tls.mode {
        ServerTlsMode::IstioMutual => Some("ISTIO_MUTUAL"),
        ServerTlsMode::AutoPassthrough => Some("AUTO_PASSTHROUGH"),
        _ => None,
    };
    if let Some(mode) = mode {
        at.field("mode").invalid(format!("configuration is invalid: cannot set mode to {mode} in sidecar ingress tls"));
    }
    if !gateway::is_one_of(&port.protocol, gateway::TLS) {
        at.invalid("server cannot have TLS settings for non HTTPS/TLS ports");
    }
    gateway::tls_rules(at, tls);
}

/// `127.0.0.1:PORT` and the like, or a Unix socket: where the workload listens in its own network namespace.
fn default_endpoint(at: &mut At<'_>, endpoint: &str) {
    if let Some(path) = endpoint.strip_prefix("unix://") {
        return at.verdict(unix_path(path));
    }
    let Some((host, port)) = endpoint.rsplit_once(':') else {
        return at.invalid(format!("address {endpoint}: missing port in address"));
    };
    if !matches!(host, "" | "127.0.0.1" | "0.0.0.0" | "[::1]" | "[::]") {
        at.invalid(
            "sidecar: defaultEndpoint must be of form 127.0.0.1:<port>,0.0.0.0:<port>,[::1]:port,[::]:port,unix://filepath \
             or unset",
        );
    }
    match port.parse() {
        Ok(number) => check::port(at, number),
        Err(_) => at.invalid(format!("sidecar: defaultEndpoint port ({port}) is not a number")),
    }
}

fn egress(at: &mut At<'_>, sidecar: &Sidecar, namespace: &str) {
    let (mut numbers, mut sockets) = (BTreeSet::new(), BTreeSet::new());
    for (position, listener) in sidecar.egress.iter().enumerate() {
        let mut listeners = at.field("egress");
        let mut at = listeners.index(position);
        match &listener.port {
            Some(port) => egress_port(&mut at, listener, port, &mut numbers, &mut sockets),
            None if position + 1 < sidecar.egress.len() => {
                at.invalid("sidecar: the egress listener with empty port should be the last listener in the list");
            }
            None => {}
        }
        if listener.hosts.is_empty() {
            at.field("hosts").missing("sidecar: egress listener must contain at least one host");
        }
        at.each("hosts", &listener.hosts, |at, host| self::host(at, host));
        repeated_hosts(&mut at.field("hosts"), &listener.hosts, namespace);
    }
}

fn egress_port<'l>(
    at: &mut At<'_>,
    listener: &'l EgressListener,
    port: &SidecarPort,
    numbers: &mut BTreeSet<u32>,
    sockets: &mut BTreeSet<&'l str>,
) {
    self::port(&mut at.field("port"), port);
    if port.number != 0 {
        check::port(&mut at.field("port").field("number"), port.number);
        bind_address(&mut at.field("bind"), &listener.bind);
        return unique_number(&mut at.field("port").field("number"), port.number, numbers);
    }
    match listener.bind.strip_prefix("unix://") {
        None => at
            .field("port")
            .field("number")
            .invalid("sidecar: ports with 0 value must have a unix domain socket bind address"),
        Some(path) => at.field("bind").verdict(unix_path(path)),
    }
    if listener.capture_mode == CaptureMode::Iptables {
        at.field("captureMode").invalid("sidecar: captureMode must be DEFAULT/NONE for unix domain socket listeners");
    }
    if !sockets.insert(&listener.bind) {
        at.field("bind").duplicate("sidecar: unix domain socket values for listeners must be unique");
    }
}

/// Checks what ports of both directions have in common.
fn port(at: &mut At<'_>, port: &SidecarPort) {
    if !port.name.is_empty() && !check::is_label(&port.name) {
        at.field("name").invalid(format!("invalid port name: {}", port.name));
    }
    gateway::optional_protocol(&mut at.field("protocol"), &port.protocol);
    if port.target_port != 0 {
        at.field("targetPort").invalid("targetPort has no impact on Sidecars");
    }
}

fn unique_number(at: &mut At<'_>, number: u32, numbers: &mut BTreeSet<u32>) {
    if !numbers.insert(number) {
        at.duplicate("sidecar: ports on IP bound listeners must be unique");
    }
}

fn bind_address(at: &mut At<'_>, bind: &str) {
    if !bind.is_empty() && !check::is_ip(bind) {
        at.invalid(format!("{bind} is not a valid IP"));
    }
}

/// Checks `namespace/host`; `~` before the namespace takes the host away again.
fn host(at: &mut At<'_>, written: &str) {
    let Some((namespace, host)) = written.split_once('/') else {
        return at.advise("host must be of form namespace/dnsName", format!("write ./{written} or */{written}"));
    };
    if namespace.is_empty() || host.is_empty() {
        return at.invalid("config namespace and dnsName in host entry cannot be empty");
    }
    let own = namespace.strip_prefix('~').unwrap_or(namespace);
    if !matches!(own, "" | "*" | ".") && !check::is_label(own) {
        at.invalid(format!("invalid namespace value \"{namespace}\" in sidecar"));
    }
    if host == "*" {
        return;
    }
    if host::is_partial_wildcard(host) {
        at.advise(format!("partial wildcard \"{host}\" not allowed"), "write *.DOMAIN or *");
    } else if let Err(why) = host::wildcard_domain(host) {
        at.invalid(why);
    } else if !host.contains('.') {
        at.invalid("short names (non FQDN) are not allowed");
    }
}

/// Warns of hosts that add nothing to those before them.
fn repeated_hosts(at: &mut At<'_>, hosts: &[String], namespace: &str) {
    let mut seen: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let written = hosts.iter().enumerate().filter_map(|(position, host)| Some((position, host.split_once('/')?)));
    for (position, (own, host)) in written.filter(|(_, (own, _))| !own.starts_with('~')) {
        let known = seen.entry(if own == "." { namespace } else { own }).or_default();
        let repeats = if host == "*" { !known.is_empty() } else { known.contains(host) || known.contains("*") };
        if repeats {
            at.index(position).ignored(format!("duplicated egress host: {own}/{host}"));
        }
        known.insert(host);
    }
    if seen.len() > 1 && seen.get("*").is_some_and(|hosts| hosts.contains("*")) {
        at.warn("`*/*` host select all resources, no other hosts can be added");
    }
}

fn outbound(at: &mut At<'_>, policy: &OutboundTrafficPolicy) {
    let Some(proxy) = &policy.egress_proxy else { return };
    let mut at = at.field("egressProxy");
    if policy.mode != OutboundMode::AllowAny {
        return at.invalid("sidecar: egress_proxy must be set only with ALLOW_ANY outbound_traffic_policy mode");
    }
    if host::is_wildcard(&proxy.host) {
        at.field("host").verdict(host::domain(&proxy.host));
    } else {
        destination_fields(&mut at, proxy);
    }
    if proxy.port.is_none() {
        at.field("port").missing("sidecar: egress_proxy port must be non-nil");
    }
}

#[cfg(test)]
mod tests {
    use super::super::SIDECAR;
    use crate::resource::kinds::tests::check;

    #[test]
    fn a_sidecar_says_something() {
        assert_eq!(check(&SIDECAR, "{}"), ["spec: sidecar: empty configuration provided"]);
        for good in [
            "outboundTrafficPolicy: {}",
            "outboundTrafficPolicy: {mode: ALLOW_ANY}",
            "inboundConnectionPool: {http: {http1MaxPendingRequests: 5}}",
            "egress: [{hosts: ['./*', 'istio-system/*', '*/a.com', '~/*', '~ns/b.com', 'ns/*.c.com']}]",
            "egress:\n- {port: {number: 80, protocol: HTTP, name: x}, bind: 127.0.0.1, hosts: ['*/*']}\n- {hosts: [./*]}",
            "egress: [{port: {protocol: TCP}, bind: unix:///a, captureMode: NONE, hosts: ['*/*']}]",
            "ingress: [{port: {number: 9080, protocol: HTTP, name: x}, defaultEndpoint: '127.0.0.1:8080'}]",
            "ingress: [{port: {number: 9080}, defaultEndpoint: ':8080'}]",
            "ingress: [{port: {number: 9080}, defaultEndpoint: '[::1]:8080'}]",
        ] {
            assert!(check(&SIDECAR, good).is_empty(), "{good}: {:?}", check(&SIDECAR, good));
        }
    }

    #[test]
    fn egress_listeners_name_namespaces_and_hosts() {
        for (hosts, problems) in [
            ("[a.com]", &["[0]: host must be of form namespace/dnsName"][..]),
            ("[/a.com]", &["[0]: config namespace and dnsName in host entry cannot be empty"]),
            ("[a_b/a.com]", &["[0]: invalid namespace value \"a_b\" in sidecar"]),
            ("[./short]", &["[0]: short names (non FQDN) are not allowed"]),
            ("[./*a.com]", &["[0]: partial wildcard \"*a.com\" not allowed"]),
            ("[./1.2.3.4]", &["[0]: domain name \"1.2.3.4\" invalid (top level domain \"4\" cannot be all-numeric)"]),
            ("[ns/a.com, ns/a.com]", &["[1]: duplicated egress host: ns/a.com"]),
            ("[./a.com, ./*]", &["[1]: duplicated egress host: ./*"]),
            ("['*/*', ns/a.com]", &[": `*/*` host select all resources, no other hosts can be added"]),
            ("[]", &[": sidecar: egress listener must contain at least one host"]),
        ] {
            let spec = format!("egress: [{{hosts: {hosts}}}]");
            let found: Vec<_> =
                check(&SIDECAR, &spec).into_iter().map(|text| text.replace("spec.egress[0].hosts", "")).collect();
            assert_eq!(found, problems, "{hosts}");
        }
    }

    #[test]
    fn listeners_do_not_exclude_each_other() {
        for (spec, problems) in [
            (
                "egress: [{hosts: [./*]}, {hosts: [./*]}]",
                &[
                    "spec.egress[0]: sidecar: the egress listener with empty port should be the last listener in the list",
                ][..],
            ),
            (
                "egress: [{port: {number: 80}, hosts: [./*]}, {port: {number: 80}, hosts: [./*]}]",
                &["spec.egress[1].port.number: sidecar: ports on IP bound listeners must be unique"],
            ),
            (
                "egress: [{port: {number: 0, targetPort: 1}, hosts: [./*]}]",
                &[
                    "spec.egress[0].port.targetPort: targetPort has no impact on Sidecars",
                    "spec.egress[0].port.number: sidecar: ports with 0 value must have a unix domain socket bind address",
                ],
            ),
            (
                "egress: [{port: {number: 80, protocol: FOO, name: a_b}, bind: x, hosts: [./*]}]",
                &[
                    "spec.egress[0].port.name: invalid port name: a_b",
                    "spec.egress[0].port.protocol: unsupported protocol: FOO",
                    "spec.egress[0].bind: x is not a valid IP",
                ],
            ),
            ("ingress: [{}]", &["spec.ingress[0].port: sidecar: port is required for ingress listeners"]),
            (
                "ingress: [{port: {number: 80}, defaultEndpoint: '10.0.0.1:x'}]",
                &[
                    "spec.ingress[0].defaultEndpoint: sidecar: defaultEndpoint must be of form \
                     127.0.0.1:<port>,0.0.0.0:<port>,[::1]:port,[::]:port,unix://filepath or unset",
                    "spec.ingress[0].defaultEndpoint: sidecar: defaultEndpoint port (x) is not a number",
                ],
            ),
            (
                "ingress: [{port: {number: 443, protocol: HTTPS}, tls: {mode: ISTIO_MUTUAL, httpsRedirect: true}}]",
                &[
                    "spec.ingress[0].tls.httpsRedirect: sidecar: httpsRedirect is not supported",
                    "spec.ingress[0].tls.mode: configuration is invalid: cannot set mode to ISTIO_MUTUAL in sidecar ingress \
                     tls",
                ],
            ),
        ] {
            assert_eq!(check(&SIDECAR, spec), problems, "{spec}");
        }
    }

    #[test]
    fn calls_to_unknown_hosts_go_to_a_proxy_only_where_they_are_allowed() {
        for (policy, problems) in [
            (
                "{mode: ALLOW_ANY, egressProxy: {host: egress.istio-system.svc.cluster.local, port: {number: 80}}}",
                &[][..],
            ),
            (
                "{egressProxy: {host: a.com, port: {number: 80}}}",
                &["egressProxy: sidecar: egress_proxy must be set only with ALLOW_ANY outbound_traffic_policy mode"],
            ),
            (
                "{mode: ALLOW_ANY, egressProxy: {host: a.com}}",
                &["egressProxy.port: sidecar: egress_proxy port must be non-nil"],
            ),
            (
                "{mode: ALLOW_ANY, egressProxy: {host: '*.a.com', port: {number: 80}}}",
                &["egressProxy.host: domain name \"*.a.com\" invalid (label \"*\" invalid)"],
            ),
            ("{mode: REGISTRY}", &["mode: unsupported value \"REGISTRY\""]),
        ] {
            let found = check(&SIDECAR, &format!("outboundTrafficPolicy: {policy}"));
            let found: Vec<_> = found.iter().map(|text| text.replace("spec.outboundTrafficPolicy.", "")).collect();
            assert_eq!(found, problems, "{policy}");
        }
    }
}
