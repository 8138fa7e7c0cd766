//! The rules of a DestinationRule.

use super::load_balancing::load_balancer;
use super::{
    ClientTls, ClientTlsMode, ConnectionPool, DestinationRule, H2UpgradePolicy, HttpPool, OutlierDetection,
    PortTrafficPolicy, Subset, TcpPool, TrafficPolicy, Tunnel,
};
use crate::resource::host;
use crate::resource::kinds::check::{self, At};

pub(super) fn destination_rule(at: &mut At<'_>, rule: &DestinationRule, namespace: &str) {
    match rule.host.as_str() {
        "" => at.field("host").required(),
        host => at.field("host").verdict(host::wildcard_domain(host)),
    }
    at.part("trafficPolicy", rule.traffic_policy.as_ref(), traffic_policy);
    for (index, subset) in rule.subsets.iter().enumerate() {
        let mut subsets = at.field("subsets");
        let mut at = subsets.index(index);
        self::subset(&mut at, subset);
        if !subset.name.is_empty() && rule.subsets[..index].iter().any(|earlier| earlier.name == subset.name) {
            at.field("name").duplicate(format!("duplicate subset names: {}", subset.name));
        }
    }
    check::export_to(&mut at.field("exportTo"), &rule.export_to, namespace, false);
    at.part("workloadSelector", rule.workload_selector.as_ref(), |at, selector| {
        if selector.match_labels.is_empty() {
            at.warn("workload selector specified without labels");
        }
        check::selector(&mut at.field("matchLabels"), &selector.match_labels);
    });
    if rule.workload_selector.is_some() {
        own_namespace_only(&mut at.field("exportTo"), &rule.export_to, namespace);
    }
}

fn own_namespace_only(at: &mut At<'_>, scopes: &[String], namespace: &str) {
    let help = "its workloads are in its own namespace: write exportTo: [.]";
    let own = |scope: &String| scope == "." || scope == namespace;
    if !scopes.is_empty() && !scopes.iter().any(own) {
        at.advise("destination rule with workload selector cannot have exportTo beyond current namespace", help);
    } else if !scopes.iter().all(own) {
        at.advise("destination rule with workload selector cannot have multiple entries in exportTo", help);
    }
}

fn subset(at: &mut At<'_>, subset: &Subset) {
    match subset.name.as_str() {
        "" => at.field("name").missing("subset name cannot be empty"),
        name if !check::is_label(name) => at.field("name").invalid(format!("subset name is invalid: {name}")),
        _ => {}
    }
    check::labels(&mut at.field("labels"), &subset.labels);
    at.part("trafficPolicy", subset.traffic_policy.as_ref(), traffic_policy);
}

fn traffic_policy(at: &mut At<'_>, policy: &TrafficPolicy) {
    if *policy == TrafficPolicy::default() {
        at.invalid("traffic policy must have at least one field");
    }
    let outliers = policy.outlier_detection.is_some();
    at.part("loadBalancer", policy.load_balancer.as_ref(), |at, settings| load_balancer(at, settings, outliers));
    at.part("connectionPool", policy.connection_pool.as_ref(), connection_pool);
    at.part("outlierDetection", policy.outlier_detection.as_ref(), outlier_detection);
    at.part("tls", policy.tls.as_ref(), tls);
    at.each("portLevelSettings", &policy.port_level_settings, port_policy);
    at.part("tunnel", policy.tunnel.as_ref(), tunnel);
    if policy.tunnel.is_some() && policy.proxy_protocol.is_some() {
        at.field("proxyProtocol").invalid("tunnel and proxyProtocol must not be set together");
    }
    at.part("retryBudget", policy.retry_budget.as_ref(), |at, budget| {
        if budget.percent.is_some_and(|percent| !(0.0..=100.0).contains(&percent)) {
            at.field("percent").invalid("percent must be in the range 0..100");
        }
    });
}

fn port_policy(at: &mut At<'_>, policy: &PortTrafficPolicy) {
    match &policy.port {
        None => at.field("port").missing("portTrafficPolicy must have valid port"),
        Some(port) => check::port(&mut at.field("port").field("number"), port.number),
    }
    let settings = PortTrafficPolicy { port: None, ..policy.clone() };
    if settings == PortTrafficPolicy::default() {
        at.invalid("port traffic policy must have at least one field");
    }
    let outliers = policy.outlier_detection.is_some();
    at.part("loadBalancer", policy.load_balancer.as_ref(), |at, settings| load_balancer(at, settings, outliers));
    at.part("connectionPool", policy.connection_pool.as_ref(), connection_pool);
    at.part("outlierDetection", policy.outlier_detection.as_ref(), outlier_detection);
    at.part("tls", policy.tls.as_ref(), tls);
}

/// Checks limits of connections and requests.
pub(in crate::resource::kinds) fn connection_pool(at: &mut At<'_>, pool: &ConnectionPool) {
    if pool.tcp.is_none() && pool.http.is_none() {
        at.invalid("connection pool must have at least one field");
    }
    at.part("tcp", pool.tcp.as_ref(), tcp_pool);
    at.part("http", pool.http.as_ref(), http_pool);
}

fn tcp_pool(at: &mut At<'_>, tcp: &TcpPool) {
    not_negative(at, &[("maxConnections", "max connections", tcp.max_connections)]);
    at.part("connectTimeout", tcp.connect_timeout.as_ref(), check::duration);
    at.part("maxConnectionDuration", tcp.max_connection_duration.as_ref(), check::duration);
    // 0s switches it off.
    at.part("idleTimeout", tcp.idle_timeout.as_ref().filter(|timeout| timeout.nanos != 0), check::duration);
    at.part("tcpKeepalive", tcp.tcp_keepalive.as_ref(), |at, keepalive| {
        at.part("time", keepalive.time.as_ref(), check::duration);
        at.part("interval", keepalive.interval.as_ref(), check::duration);
    });
}

fn http_pool(at: &mut At<'_>, http: &HttpPool) {
    not_negative(
        at,
        &[
            ("http1MaxPendingRequests", "http1 max pending requests", http.http1_max_pending_requests),
            ("http2MaxRequests", "http2 max requests", http.http2_max_requests),
            ("maxRequestsPerConnection", "max requests per connection", http.max_requests_per_connection),
            ("maxRetries", "max retries", http.max_retries),
            ("maxConcurrentStreams", "max concurrent streams", http.max_concurrent_streams),
        ],
    );
    at.part("idleTimeout", http.idle_timeout.as_ref(), check::duration);
    at.part("http2KeepAlive", http.http2_keep_alive.as_ref(), |at, pings| {
        for (field, time) in [("interval", &pings.interval), ("timeout", &pings.timeout)] {
            match time {
                Some(time) => check::duration(&mut at.field(field), time),
                None => at.field(field).missing(format!("http2 keepalive {field} is required")),
            }
        }
    });
    if http.h2_upgrade_policy == H2UpgradePolicy::Upgrade && http.use_client_protocol {
        at.field("useClientProtocol").invalid("use client protocol must not be true when H2UpgradePolicy is UPGRADE");
    }
}

fn not_negative(at: &mut At<'_>, limits: &[(&str, &str, i32)]) {
    for (field, what, _) in limits.iter().filter(|(.., limit)| *limit < 0) {
        at.field(field).invalid(format!("{what} must be non-negative"));
    }
}

fn outlier_detection(at: &mut At<'_>, outlier: &OutlierDetection) {
    at.part("interval", outlier.interval.as_ref(), check::duration);
    at.part("baseEjectionTime", outlier.base_ejection_time.as_ref(), check::duration);
    let shares =
        [("maxEjectionPercent", outlier.max_ejection_percent), ("minHealthPercent", outlier.min_health_percent)];
    for (field, share) in shares {
        if !(0..=100).contains(&share) {
            at.field(field).invalid(format!("percentage {share} is not in range 0..100"));
        }
    }
    if outlier.consecutive_local_origin_failures.unwrap_or(0) > 0 && !outlier.split_external_local_origin_errors {
        at.field("consecutiveLocalOriginFailures")
            .advise(
                "outlier detection consecutive local origin failures is specified, but split external local origin errors is \
                 set to false",
                "set splitExternalLocalOriginErrors: true",
            );
    }
    if outlier.consecutive_errors != 0 {
        at.field("consecutiveErrors").deprecated(
            "outlier detection consecutive errors is deprecated, use consecutiveGatewayErrors or consecutive5xxErrors instead",
        );
    }
}

fn tls(at: &mut At<'_>, tls: &ClientTls) {
    if !matches!(tls.mode, ClientTlsMode::Simple | ClientTlsMode::Mutual) {
        return;
    }
    if tls.insecure_skip_verify == Some(true) {
        unverified(at, tls);
    }
    let files = [
        ("clientCertificate", &tls.client_certificate),
        ("privateKey", &tls.private_key),
        ("caCertificates", &tls.ca_certificates),
        ("caCrl", &tls.ca_crl),
    ];
    if !tls.credential_name.is_empty() {
        for (field, _) in files.iter().filter(|(_, value)| !value.is_empty()) {
            at.field(field)
                .invalid("cannot specify client certificates or CA certificate or CA CRL If credentialName is set");
        }
    } else if tls.mode == ClientTlsMode::Mutual {
        if tls.client_certificate.is_empty() {
            at.field("clientCertificate").missing("client certificate required for mutual tls");
        }
        if tls.private_key.is_empty() {
            at.field("privateKey").missing("private key required for mutual tls");
        }
    }
}

/// What is said about whom to believe has no place where nobody is verified.
fn unverified(at: &mut At<'_>, tls: &ClientTls) {
    let simple = tls.mode == ClientTlsMode::Simple;
    let fields = match simple {
        true => "CaCertificates or CredentialName or SubjectAltNames",
        false => "CaCertificates or SubjectAltNames",
    };
    let given = [
        ("caCertificates", !tls.ca_certificates.is_empty()),
        // In mode MUTUAL the Secret may have nothing but the client's certificate.
        ("credentialName", simple && !tls.credential_name.is_empty()),
        ("subjectAltNames", !tls.subject_alt_names.is_empty()),
    ];
    for (field, _) in given.into_iter().filter(|(_, given)| *given) {
        at.field(field).invalid(format!("cannot specify {fields} when InsecureSkipVerify is set true"));
    }
}

fn tunnel(at: &mut At<'_>, tunnel: &Tunnel) {
    if !matches!(tunnel.protocol.as_str(), "" | "CONNECT" | "POST") {
        at.field("protocol").invalid("tunnel protocol must be \"CONNECT\" or \"POST\"");
    }
    if !check::is_ip(&tunnel.target_host)
        && let Err(why) = host::domain(&tunnel.target_host)
    {
        at.field("targetHost").invalid(format!("tunnel target host must be valid FQDN or IP address: {why}"));
    }
    if !(1..=65535).contains(&tunnel.target_port) {
        at.field("targetPort").invalid(format!(
            "tunnel target port is invalid: port number {} must be in the range 1..65535",
            tunnel.target_port
        ));
    }
}
