//! The rules of a DestinationRule.

use super::{
    ClientTls, ClientTlsMode, ConnectionPool, ConsistentHash, DestinationRule, H2UpgradePolicy, HttpPool, LoadBalancer,
    OutlierDetection, PortTrafficPolicy, Subset, TcpPool, TrafficPolicy, Tunnel,
};
use crate::resource::host;
use crate::resource::kinds::check::{self, At};

/// Maglev tables must be smaller than this prime (Envoy's limit).
const MAGLEV_LIMIT: u64 = 5_000_011;

pub(super) fn destination_rule(at: &mut At<'_>, rule: &DestinationRule) {
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
            at.field("name").duplicate(format!("duplicate subset name: {}", subset.name));
        }
    }
    check::export_to(&mut at.field("exportTo"), &rule.export_to, false);
    at.part("workloadSelector", rule.workload_selector.as_ref(), |at, selector| {
        check::labels(&mut at.field("matchLabels"), &selector.match_labels);
    });
    if rule.workload_selector.is_some() && rule.export_to.iter().any(|scope| scope != ".") {
        at.field("exportTo").invalid("a rule with workloadSelector is for its own namespace only: write exportTo: [.]");
    }
}

fn subset(at: &mut At<'_>, subset: &Subset) {
    match subset.name.as_str() {
        "" => at.field("name").required(),
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
    at.part("loadBalancer", policy.load_balancer.as_ref(), load_balancer);
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
        None => at.field("port").missing("portLevelSettings must have a port"),
        Some(port) => check::port(&mut at.field("port").field("number"), port.number),
    }
    let settings = PortTrafficPolicy { port: None, ..policy.clone() };
    if settings == PortTrafficPolicy::default() {
        at.invalid("port traffic policy must have at least one field");
    }
    at.part("loadBalancer", policy.load_balancer.as_ref(), load_balancer);
    at.part("connectionPool", policy.connection_pool.as_ref(), connection_pool);
    at.part("outlierDetection", policy.outlier_detection.as_ref(), outlier_detection);
    at.part("tls", policy.tls.as_ref(), tls);
}

fn load_balancer(at: &mut At<'_>, settings: &LoadBalancer) {
    if settings.simple.is_some() && settings.consistent_hash.is_some() {
        at.invalid("load balancer cannot have both simple and consistentHash");
    }
    at.part("consistentHash", settings.consistent_hash.as_ref(), consistent_hash);
    at.part("warmupDurationSecs", settings.warmup_duration_secs.as_ref(), check::duration);
    at.part("warmup", settings.warmup.as_ref(), |at, warmup| match &warmup.duration {
        Some(duration) => check::duration(&mut at.field("duration"), duration),
        None => at.field("duration").required(),
    });
}

fn consistent_hash(at: &mut At<'_>, hash: &ConsistentHash) {
    let keys = usize::from(hash.http_header_name.is_some())
        + usize::from(hash.http_cookie.is_some())
        + usize::from(hash.use_source_ip.is_some())
        + usize::from(hash.http_query_parameter_name.is_some());
    if keys > 1 {
        at.invalid("consistentHash takes only one of httpHeaderName, httpCookie, useSourceIp, httpQueryParameterName");
    }
    if hash.ring_hash.is_some() && hash.maglev.is_some() {
        at.invalid("consistentHash cannot have both ringHash and maglev");
    }
    at.part("httpCookie", hash.http_cookie.as_ref(), |at, cookie| {
        if cookie.name.is_empty() {
            at.field("name").missing("name required for HttpCookie");
        }
        if cookie.ttl.is_some_and(|ttl| ttl.nanos < 0) {
            at.field("ttl").invalid("ttl cannot be negative");
        }
    });
    at.part("maglev", hash.maglev.as_ref(), |at, maglev| {
        let mut at = at.field("tableSize");
        if maglev.table_size >= MAGLEV_LIMIT {
            at.invalid(format!("tableSize must be less than {MAGLEV_LIMIT} for maglev"));
        } else if maglev.table_size != 0 && !is_prime(maglev.table_size) {
            at.invalid("tableSize must be a prime number for maglev");
        }
    });
    if hash.minimum_ring_size != 0 {
        at.field("minimumRingSize").deprecated("consistentHash.minimumRingSize is deprecated, use ringHash instead");
    }
}

/// Trial division; numbers stay below [`MAGLEV_LIMIT`].
fn is_prime(number: u64) -> bool {
    number > 1 && (2..).take_while(|divisor| divisor * divisor <= number).all(|divisor| !number.is_multiple_of(divisor))
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
    not_negative(at, &[("maxConnections", tcp.max_connections)]);
    at.part("connectTimeout", tcp.connect_timeout.as_ref(), check::duration);
    at.part("maxConnectionDuration", tcp.max_connection_duration.as_ref(), check::duration);
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
            ("http1MaxPendingRequests", http.http1_max_pending_requests),
            ("http2MaxRequests", http.http2_max_requests),
            ("maxRequestsPerConnection", http.max_requests_per_connection),
            ("maxRetries", http.max_retries),
            ("maxConcurrentStreams", http.max_concurrent_streams),
        ],
    );
    at.part("idleTimeout", http.idle_timeout.as_ref().filter(|timeout| timeout.nanos != 0), check::duration);
    if http.h2_upgrade_policy == H2UpgradePolicy::Upgrade && http.use_client_protocol {
        at.field("useClientProtocol").invalid("use client protocol must not be true when H2UpgradePolicy is UPGRADE");
    }
}

fn not_negative(at: &mut At<'_>, limits: &[(&str, i32)]) {
    for (field, _) in limits.iter().filter(|(_, limit)| *limit < 0) {
        at.field(field).invalid(format!("{field} must be non-negative"));
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
            .advise("consecutiveLocalOriginFailures has no effect alone", "set splitExternalLocalOriginErrors: true");
    }
    if outlier.consecutive_errors != 0 {
        at.field("consecutiveErrors").deprecated(
            "consecutiveErrors is deprecated, use consecutiveGatewayErrors or consecutive5xxErrors instead",
        );
    }
}

fn tls(at: &mut At<'_>, tls: &ClientTls) {
    let files = [
        ("clientCertificate", &tls.client_certificate),
        ("privateKey", &tls.private_key),
        ("caCertificates", &tls.ca_certificates),
    ];
    if !tls.credential_name.is_empty() {
        for (field, _) in files.iter().filter(|(_, value)| !value.is_empty()) {
            at.field(field).invalid(format!("{field} cannot be set together with credentialName"));
        }
    } else if tls.mode == ClientTlsMode::Mutual {
        for (field, _) in files[..2].iter().filter(|(_, value)| value.is_empty()) {
            at.field(field).missing(format!("{field} required for mutual tls"));
        }
    }
    if tls.insecure_skip_verify == Some(true) {
        if !tls.ca_certificates.is_empty() {
            at.field("caCertificates").invalid("cannot have both insecureSkipVerify and caCertificates");
        }
        if !tls.subject_alt_names.is_empty() {
            at.field("subjectAltNames").invalid("cannot have both insecureSkipVerify and subjectAltNames");
        }
        if tls.mode == ClientTlsMode::Simple && !tls.credential_name.is_empty() {
            at.field("credentialName").invalid("cannot have both insecureSkipVerify and credentialName");
        }
    }
}

fn tunnel(at: &mut At<'_>, tunnel: &Tunnel) {
    if !matches!(tunnel.protocol.as_str(), "" | "CONNECT" | "POST") {
        at.field("protocol").invalid("tunnel protocol must be CONNECT or POST");
    }
    if !check::is_ip(&tunnel.target_host) {
        at.field("targetHost").verdict(host::domain(&tunnel.target_host));
    }
    check::port(&mut at.field("targetPort"), tunnel.target_port);
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::check;
    use super::super::DESTINATION_RULE;

    fn policy(text: &str) -> Vec<String> {
        check(&DESTINATION_RULE, &format!("host: a.com\ntrafficPolicy: {text}"))
    }

    #[test]
    fn host_and_subset_names_are_required() {
        assert_eq!(
            check(&DESTINATION_RULE, "subsets:\n- labels: {}\n- name: a\n- name: a\n- name: a_b"),
            [
                "spec.host: Required value",
                "spec.subsets[0].name: Required value",
                "spec.subsets[2].name: duplicate subset name: a",
                "spec.subsets[3].name: subset name is invalid: a_b",
            ]
        );
    }

    #[test]
    fn an_empty_policy_is_refused() {
        assert_eq!(policy("{}"), ["spec.trafficPolicy: traffic policy must have at least one field"]);
        assert_eq!(
            policy("{portLevelSettings: [{port: {number: 443}}]}"),
            ["spec.trafficPolicy.portLevelSettings[0]: port traffic policy must have at least one field"]
        );
    }

    #[test]
    fn tls_settings_must_agree() {
        assert_eq!(
            policy("{tls: {mode: MUTUAL, clientCertificate: c}}"),
            ["spec.trafficPolicy.tls.privateKey: privateKey required for mutual tls"]
        );
        assert!(policy("{tls: {mode: SIMPLE, sni: a.com}}").is_empty());
        assert_eq!(policy("{tls: {insecureSkipVerify: true, caCertificates: f}}").len(), 1);
    }

    #[test]
    fn numbers_are_bounded() {
        assert_eq!(
            policy(
                "{connectionPool: {http: {maxRetries: -1}}, outlierDetection: {maxEjectionPercent: 101, interval: 0s}}"
            ),
            [
                "spec.trafficPolicy.connectionPool.http.maxRetries: maxRetries must be non-negative",
                "spec.trafficPolicy.outlierDetection.interval: duration must be greater than 1ms",
                "spec.trafficPolicy.outlierDetection.maxEjectionPercent: percentage 101 is not in range 0..100",
            ]
        );
        assert_eq!(policy("{loadBalancer: {consistentHash: {useSourceIp: true, maglev: {tableSize: 9}}}}").len(), 1);
        assert!(policy("{loadBalancer: {consistentHash: {useSourceIp: true, maglev: {tableSize: 13}}}}").is_empty());
        assert!(policy("{outlierDetection: {consecutive5xxErrors: 3}}").is_empty());
        assert!(policy("{outlierDetection: {consecutive_5xx_errors: 3}}").is_empty());
    }
}
