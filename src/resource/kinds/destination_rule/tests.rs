use super::super::tests::{checked, checked_as};
use super::*;

/// Specs and their problems, without `spec.`.
const SPECS: &[(&str, &[&str])] = &[
    ("host: a.com", &[]),
    ("host: reviews", &[]),
    ("host: echo.prod", &[]),
    ("host: '*.a.com'", &[]),
    ("host: '*foo.com'", &[]),
    ("{}", &["error host: Required value"]),
    ("host: a_b", &["error host: domain name \"a_b\" invalid (label \"a_b\" invalid)"]),
    ("host: a.com:80", &["error host: domain name \"a.com:80\" invalid (label \"com:80\" invalid)"]),
    ("host: a.com\ntrafficPolicy: {}", &["error trafficPolicy: traffic policy must have at least one field"]),
    ("host: a\nsubsets: [{name: v1, labels: {version: v1}}]", &[]),
    ("host: a\nsubsets: [{labels: {}}]", &["error subsets[0].name: subset name cannot be empty"]),
    ("host: a\nsubsets: [{name: v1}, {name: v1}]", &["error subsets[1].name: duplicate subset names: v1"]),
    ("host: a\nsubsets: [{name: a_b}]", &["error subsets[0].name: subset name is invalid: a_b"]),
    (
        "host: a\nsubsets: [{name: v1, trafficPolicy: {}}]",
        &["error subsets[0].trafficPolicy: traffic policy must have at least one field"],
    ),
    (
        "host: a\nsubsets: [{name: v1, trafficPolicy: {outlierDetection: {consecutiveErrors: 3}}}]",
        &[
            "warning subsets[0].trafficPolicy.outlierDetection.consecutiveErrors: outlier detection consecutive errors is \
           deprecated, use consecutiveGatewayErrors or consecutive5xxErrors instead",
        ],
    ),
    (
        "host: a\nexportTo: ['~']",
        &["error exportTo[0]: exportTo ~ (none) is not allowed for Istio configuration objects"],
    ),
    ("host: a\nworkloadSelector: {matchLabels: {app: x}}", &[]),
    ("host: a\nworkloadSelector: {matchLabels: {app: x}}\nexportTo: [.]", &[]),
    ("host: a\nworkloadSelector: {}", &["warning workloadSelector: workload selector specified without labels"]),
    (
        "host: a\nworkloadSelector: {matchLabels: {app: 'x*'}}",
        &["error workloadSelector.matchLabels.app: wildcard is not supported in selector: \"app=x*\""],
    ),
    (
        "host: a\nworkloadSelector: {matchLabels: {app: x}}\nexportTo: ['*']",
        &["error exportTo: destination rule with workload selector cannot have exportTo beyond current namespace"],
    ),
    (
        "host: a\nworkloadSelector: {matchLabels: {app: x}}\nexportTo: [., other]",
        &["error exportTo: destination rule with workload selector cannot have multiple entries in exportTo"],
    ),
];

/// Traffic policies and their problems, relative to the policy.
const POLICIES: &[(&str, &[&str])] = &[
    // Ports.
    ("portLevelSettings: [{port: {number: 443}, tls: {mode: SIMPLE}}]", &[]),
    ("portLevelSettings: [{tls: {}}]", &["error .portLevelSettings[0].port: portTrafficPolicy must have valid port"]),
    (
        "portLevelSettings: [{port: {number: 443}}]",
        &["error .portLevelSettings[0]: port traffic policy must have at least one field"],
    ),
    // Tunnels.
    ("tunnel: {protocol: POST, targetHost: a.com, targetPort: 443}", &[]),
    ("tunnel: {targetHost: 10.0.0.1, targetPort: 443}\nretryBudget: {percent: 20, budgetInterval: 10s}", &[]),
    (
        "tunnel: {protocol: GET, targetHost: '*.a', targetPort: 0}",
        &[
            "error .tunnel.protocol: tunnel protocol must be \"CONNECT\" or \"POST\"",
            "error .tunnel.targetHost: tunnel target host must be valid FQDN or IP address: domain name \"*.a\" invalid \
             (label \"*\" invalid)",
            "error .tunnel.targetPort: tunnel target port is invalid: port number 0 must be in the range 1..65535",
        ],
    ),
    (
        "tunnel: {targetHost: a.com, targetPort: 443}\nproxyProtocol: {version: V2}",
        &["error .proxyProtocol: tunnel and proxyProtocol must not be set together"],
    ),
    ("proxyProtocol: {version: V3}", &["error .proxyProtocol.version: unsupported value \"V3\""]),
    ("retryBudget: {percent: 101}", &["error .retryBudget.percent: percent must be in the range 0..100"]),
    // Connection pools.
    ("connectionPool: {}", &["error .connectionPool: connection pool must have at least one field"]),
    (
        "connectionPool: {tcp: {maxConnections: 100, connectTimeout: 30ms, tcpKeepalive: {time: 7200s, interval: 75s}}}",
        &[],
    ),
    ("connectionPool: {tcp: {idleTimeout: 0s}}", &[]),
    (
        "connectionPool: {tcp: {maxConnections: -1, connectTimeout: 0s}}",
        &[
            "error .connectionPool.tcp.maxConnections: max connections must be non-negative",
            "error .connectionPool.tcp.connectTimeout: duration must be greater than 1ms",
        ],
    ),
    (
        "connectionPool: {tcp: {tcpKeepalive: {interval: 1us}, maxConnectionDuration: 1500us}}",
        &[
            "error .connectionPool.tcp.maxConnectionDuration: only durations to ms precision are supported",
            "error .connectionPool.tcp.tcpKeepalive.interval: duration must be greater than 1ms",
        ],
    ),
    (
        "connectionPool: {http: {http1MaxPendingRequests: -1, http2MaxRequests: -1, maxRequestsPerConnection: -1, \
         maxRetries: -1, maxConcurrentStreams: -1, idleTimeout: 0s}}",
        &[
            "error .connectionPool.http.http1MaxPendingRequests: http1 max pending requests must be non-negative",
            "error .connectionPool.http.http2MaxRequests: http2 max requests must be non-negative",
            "error .connectionPool.http.maxRequestsPerConnection: max requests per connection must be non-negative",
            "error .connectionPool.http.maxRetries: max retries must be non-negative",
            "error .connectionPool.http.maxConcurrentStreams: max concurrent streams must be non-negative",
            "error .connectionPool.http.idleTimeout: duration must be greater than 1ms",
        ],
    ),
    ("connectionPool: {http: {http2KeepAlive: {interval: 15s, timeout: 5s}}}", &[]),
    (
        "connectionPool: {http: {http2KeepAlive: {interval: 15s}}}",
        &["error .connectionPool.http.http2KeepAlive.timeout: http2 keepalive timeout is required"],
    ),
    ("connectionPool: {http: {h2UpgradePolicy: UPGRADE, maxRetries: 0}}", &[]),
    (
        "connectionPool: {http: {h2UpgradePolicy: UPGRADE, useClientProtocol: true}}",
        &[
            "error .connectionPool.http.useClientProtocol: use client protocol must not be true when H2UpgradePolicy is \
           UPGRADE",
        ],
    ),
    // Outliers.
    ("outlierDetection: {}", &[]),
    (
        "outlierDetection: {consecutive5xxErrors: 3, consecutiveGatewayErrors: '0', interval: 1s, maxEjectionPercent: 100}",
        &[],
    ),
    ("outlierDetection: {consecutive_5xx_errors: 3, outlierDetectionHttpErrorCodes: [429]}", &[]),
    ("outlierDetection: {splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 3}", &[]),
    (
        "outlierDetection: {consecutiveLocalOriginFailures: 3}",
        &[
            "error .outlierDetection.consecutiveLocalOriginFailures: outlier detection consecutive local origin failures is \
           specified, but split external local origin errors is set to false",
        ],
    ),
    (
        "outlierDetection: {interval: 0s, baseEjectionTime: 1us, maxEjectionPercent: 101, minHealthPercent: -1}",
        &[
            "error .outlierDetection.interval: duration must be greater than 1ms",
            "error .outlierDetection.baseEjectionTime: duration must be greater than 1ms",
            "error .outlierDetection.maxEjectionPercent: percentage 101 is not in range 0..100",
            "error .outlierDetection.minHealthPercent: percentage -1 is not in range 0..100",
        ],
    ),
    // TLS.
    ("tls: {}", &[]),
    ("tls: {mode: SIMPLE, sni: a.com}", &[]),
    ("tls: {mode: ISTIO_MUTUAL, sni: a.com, subjectAltNames: [a]}", &[]),
    ("tls: {mode: MUTUAL, clientCertificate: c, privateKey: k, caCertificates: a, caCrl: r}", &[]),
    ("tls: {mode: MUTUAL, credentialName: c, insecureSkipVerify: true}", &[]),
    (
        "tls: {mode: MUTUAL}",
        &[
            "error .tls.clientCertificate: client certificate required for mutual tls",
            "error .tls.privateKey: private key required for mutual tls",
        ],
    ),
    (
        "tls: {mode: SIMPLE, credentialName: c, caCertificates: a, caCrl: r}",
        &[
            "error .tls.caCertificates: cannot specify client certificates or CA certificate or CA CRL If credentialName is \
             set",
            "error .tls.caCrl: cannot specify client certificates or CA certificate or CA CRL If credentialName is set",
        ],
    ),
    (
        "tls: {mode: SIMPLE, insecureSkipVerify: true, caCertificates: a}",
        &["error .tls.caCertificates: cannot specify CaCertificates or CredentialName or SubjectAltNames when \
           InsecureSkipVerify is set true"],
    ),
    (
        "tls: {mode: SIMPLE, insecureSkipVerify: true, credentialName: a}",
        &["error .tls.credentialName: cannot specify CaCertificates or CredentialName or SubjectAltNames when \
           InsecureSkipVerify is set true"],
    ),
    (
        "tls: {mode: MUTUAL, clientCertificate: c, privateKey: k, insecureSkipVerify: true, subjectAltNames: [a]}",
        &[
            "error .tls.subjectAltNames: cannot specify CaCertificates or SubjectAltNames when InsecureSkipVerify is set true",
        ],
    ),
    ("tls: {mode: simple}", &["error .tls.mode: unsupported value \"simple\""]),
    // Load balancing.
    ("loadBalancer: {simple: LEAST_CONN}", &[]),
    ("loadBalancer: {simple: ROUND_ROBIN, warmup: {duration: 300s, minimumPercent: 5.0, aggression: 5.0}}", &[]),
    ("loadBalancer: {simple: FOO}", &["error .loadBalancer.simple: unsupported value \"FOO\""]),
    ("loadBalancer: {consistentHash: {useSourceIp: true, maglev: {tableSize: 13}}}", &[]),
    ("loadBalancer: {consistentHash: {httpHeaderName: x, ringHash: {minimumRingSize: 9}}}", &[]),
    ("loadBalancer: {consistentHash: {httpCookie: {name: user, ttl: 0s, path: /}}}", &[]),
    (
        "loadBalancer: {simple: RANDOM, consistentHash: {useSourceIp: true}}",
        &["error .loadBalancer: load balancer takes only one of simple, consistentHash, backendUtilization"],
    ),
    (
        "loadBalancer: {consistentHash: {useSourceIp: true, httpHeaderName: x}}",
        &[
            "error .loadBalancer.consistentHash: consistentHash takes only one of httpHeaderName, httpCookie, useSourceIp, \
           httpQueryParameterName",
        ],
    ),
    (
        "loadBalancer: {consistentHash: {httpCookie: {ttl: 1s}}}",
        &["error .loadBalancer.consistentHash.httpCookie.name: name required for HttpCookie"],
    ),
    (
        "loadBalancer: {consistentHash: {httpCookie: {name: a, attributes: [{name: x}, {name: x}, {}]}}}",
        &[
            "error .loadBalancer.consistentHash.httpCookie.attributes[1].name: duplicate cookie attribute name: x",
            "error .loadBalancer.consistentHash.httpCookie.attributes[2].name: cookie attribute name cannot be empty",
        ],
    ),
    (
        "loadBalancer: {consistentHash: {useSourceIp: true, maglev: {tableSize: 9}}}",
        &["error .loadBalancer.consistentHash.maglev.tableSize: tableSize must be a prime number for maglev"],
    ),
    (
        "loadBalancer: {consistentHash: {useSourceIp: true, maglev: {tableSize: 5000011}}}",
        &["error .loadBalancer.consistentHash.maglev.tableSize: tableSize must be less than 5000011 for maglev"],
    ),
    (
        "loadBalancer: {consistentHash: {useSourceIp: true, maglev: {}}}",
        &["error .loadBalancer.consistentHash.maglev.tableSize: tableSize must be set for maglev"],
    ),
    (
        "loadBalancer: {consistentHash: {useSourceIp: true, minimumRingSize: 5}}",
        &["warning .loadBalancer.consistentHash.minimumRingSize: consistent hash MinimumRingSize is deprecated, use \
           ConsistentHashLB's RingHash configuration instead"],
    ),
    (
        "loadBalancer: {consistentHash: {useSourceIp: true, minimumRingSize: 5, ringHash: {}}}",
        &[
            "warning .loadBalancer.consistentHash.minimumRingSize: consistent hash MinimumRingSize is deprecated, use \
             ConsistentHashLB's RingHash configuration instead",
            "error .loadBalancer.consistentHash.minimumRingSize: only one of MinimumRingSize or Maglev/Ringhash can be \
             specified",
        ],
    ),
    (
        "loadBalancer: {warmup: {minimumPercent: 150, aggression: 0}}",
        &[
            "error .loadBalancer.warmup.duration: duration is required",
            "error .loadBalancer.warmup.minimumPercent: minimumPercent value should be less than or equal to 100",
            "error .loadBalancer.warmup.aggression: aggression should be greater than 0",
        ],
    ),
    ("loadBalancer: {backendUtilization: {weightUpdatePeriod: 1s}, zoneAwareLbSetting: {minClusterSize: 6}}", &[]),
    // Places.
    ("loadBalancer: {localityLbSetting: {distribute: [{from: us/z1/*, to: {us/z1/*: 80, us/z2/*: 20}}]}}", &[]),
    ("loadBalancer: {localityLbSetting: {failover: [{from: us, to: eu}]}}\noutlierDetection: {}", &[]),
    (
        "loadBalancer: {localityLbSetting: {failover: [{from: us, to: eu}]}}",
        &["warning .loadBalancer.localityLbSetting: outlier detection policy must be provided for failover"],
    ),
    (
        "loadBalancer: {localityLbSetting: {failover: [{from: us/*, to: us/*}]}}\noutlierDetection: {}",
        &[
            "error .loadBalancer.localityLbSetting.failover[0]: locality lb failover settings must specify different regions",
            "error .loadBalancer.localityLbSetting.failover[0].from: locality lb failover only specify region",
            "error .loadBalancer.localityLbSetting.failover[0].from: locality lb failover region should not contain '*' \
             wildcard",
            "error .loadBalancer.localityLbSetting.failover[0].to: locality lb failover only specify region",
            "error .loadBalancer.localityLbSetting.failover[0].to: locality lb failover region should not contain '*' \
             wildcard",
        ],
    ),
    (
        "loadBalancer: {localityLbSetting: {distribute: [{from: a, to: {b: 100}}], failover: [{from: us, to: eu}]}}",
        &["error .loadBalancer.localityLbSetting: can not simultaneously specify 'distribute' and 'failover'"],
    ),
    (
        "loadBalancer: {localityLbSetting: {distribute: [{from: a/*, to: {b: 50, b/c: 0}}, {from: a/b, to: {'*/x': 100}}]}}",
        &[
            "error .loadBalancer.localityLbSetting.distribute[0].to[b/c]: locality weight must be in range [1, 100]",
            "error .loadBalancer.localityLbSetting.distribute[0].to: total locality weight 50 != 100",
            "error .loadBalancer.localityLbSetting.distribute[0].to[b/c]: locality b/c overlap with previous specified ones",
            "error .loadBalancer.localityLbSetting.distribute[1].to[*/x]: locality */x wildcard '*' number can not exceed 1 \
             and must be in the end",
            "error .loadBalancer.localityLbSetting.distribute[1].from: locality a/b overlap with previous specified ones",
        ],
    ),
];

#[test]
fn every_rule_of_the_whole_has_a_row() {
    for (spec, problems) in SPECS {
        let found: Vec<_> = checked(&DESTINATION_RULE, spec).iter().map(|text| text.replacen("spec.", "", 1)).collect();
        assert_eq!(found, *problems, "{spec}");
    }
}

#[test]
fn every_rule_of_a_policy_has_a_row() {
    for (policy, problems) in POLICIES {
        let found =
            checked(&DESTINATION_RULE, &format!("host: a.com\ntrafficPolicy:\n  {}", policy.replace('\n', "\n  ")));
        let found: Vec<_> = found.iter().map(|text| text.replacen("spec.trafficPolicy", "", 1)).collect();
        assert_eq!(found, *problems, "{policy}");
    }
}

#[test]
fn a_rule_for_some_workloads_may_name_its_own_namespace() {
    let spec = "host: a\nworkloadSelector: {matchLabels: {app: x}}\nexportTo: [prod]";
    assert!(checked_as(&DESTINATION_RULE, "x", "prod", spec).is_empty());
    assert_eq!(checked_as(&DESTINATION_RULE, "x", "test", spec).len(), 1);
}
