use super::super::tests::{checked, checked_as};
use super::*;

/// Specs and their problems, without `spec.`.
const ROWS: &[(&str, &[&str])] = &[
    // Hosts.
    ("resolution: DNS", &["error hosts: service entry must have at least one host"]),
    ("hosts: [a.com]", &[]),
    ("hosts: ['*.a.com']", &[]),
    ("hosts: [short]\nresolution: DNS", &[]),
    ("hosts: ['*']", &["error hosts[0]: invalid host *"]),
    ("hosts: ['*x']", &["warning hosts[0]: partial wildcard \"*x\" not allowed"]),
    ("hosts: [a_b.com]", &["error hosts[0]: domain name \"a_b.com\" invalid (label \"a_b\" invalid)"]),
    (
        "hosts: [1.2.3.4]",
        &["error hosts[0]: domain name \"1.2.3.4\" invalid (top level domain \"4\" cannot be all-numeric)"],
    ),
    ("hosts: ['http://a.com']", &["error hosts[0]: domain name \"http://a.com\" invalid (label \"http://a\" invalid)"]),
    // Addresses.
    ("hosts: [a.com]\naddresses: [1.2.3.4, 'fd00::1', 10.0.0.0/8, 1.1.1.1/32]", &[]),
    ("hosts: [a.com]\naddresses: [x]", &["error addresses[0]: x is not a valid IP"]),
    ("hosts: [a.com]\naddresses: [1.2.3.4/99]", &["error addresses[0]: 1.2.3.4/99 is not a valid CIDR block"]),
    (
        "hosts: [a.com]\nresolution: DNS\naddresses: [10.0.0.0/8]",
        &["error addresses[0]: CIDR addresses are allowed only for NONE/STATIC resolution types"],
    ),
    // Ports.
    ("hosts: [a.com]\nports: [{number: 80, name: http, protocol: HTTP, targetPort: 8080}]", &[]),
    ("hosts: [a.com]\nports: [{number: '80', name: HTTP-1, protocol: grpc-web}]", &[]),
    (
        "hosts: [a.com]\nports: [{number: 80, name: x, protocol: FOO}]",
        &["error ports[0].protocol: unsupported protocol: FOO"],
    ),
    ("hosts: [a.com]\nports: [{number: 80, protocol: HTTP}]", &["error ports[0].name: Required value"]),
    (
        "hosts: [a.com]\nports: [{number: 80, name: a_b, protocol: HTTP}]",
        &["error ports[0].name: invalid port name: a_b"],
    ),
    (
        "hosts: [a.com]\nports: [{name: x, protocol: HTTP, targetPort: 99999}]",
        &[
            "error ports[0].number: port number 0 must be in the range 1..65535",
            "error ports[0].targetPort: port number 99999 must be in the range 1..65535",
        ],
    ),
    (
        "hosts: [a.com]\nports: [{number: 80, name: a, protocol: HTTP}, {number: 80, name: a, protocol: HTTP}]",
        &[
            "error ports[1].number: service entry port 80 already defined",
            "error ports[1].name: service entry port name \"a\" already defined",
        ],
    ),
    (
        "hosts: [a.com]\nresolution: DNS\nports: [{number: 5432, name: db, protocol: TCP}]",
        &[
            "warning ports[0].protocol: addresses are required for ports serving TCP (or unset) protocol: without them the \
           whole port is claimed",
        ],
    ),
    ("hosts: [a.com]\nresolution: DNS\nports: [{number: 5432, name: db, protocol: TCP}]\naddresses: [10.0.0.1]", &[]),
    // Resolutions and endpoints.
    (
        "hosts: [a.com]\nendpoints: [{address: 1.2.3.4}]",
        &["error endpoints: no endpoints should be provided for resolution type none"],
    ),
    ("hosts: [a.com]\nresolution: STATIC", &[]),
    ("hosts: [a.com]\nresolution: STATIC\nendpoints: [{address: 1.2.3.4}, {address: 'fd00::1'}]", &[]),
    (
        "hosts: [a.com]\nresolution: STATIC\nendpoints: [{address: b.com}]",
        &["error endpoints[0].address: endpoint address \"b.com\" is not a valid IP address"],
    ),
    ("hosts: [a.com]\nresolution: STATIC\nendpoints: [{}]", &["error endpoints[0].address: address is required"]),
    (
        "hosts: [a.com]\nresolution: STATIC\nports: [{number: 80, name: http, protocol: HTTP}]\n\
         endpoints: [{address: 'unix:///var/run/x'}, {address: 'unix://@x'}]",
        &[],
    ),
    (
        "hosts: [a.com]\nresolution: STATIC\nports: [{number: 80, name: http, protocol: HTTP}]\n\
         endpoints: [{address: 'unix://x', ports: {http: 1}}]",
        &[
            "error endpoints[0].address: x is not an absolute path to a file",
            "error endpoints[0].ports: unix endpoint unix://x must not include ports",
        ],
    ),
    (
        "hosts: [a.com]\nresolution: STATIC\nports: [{number: 80, name: a, protocol: HTTP}, {number: 81, name: b, \
         protocol: HTTP}]\nendpoints: [{address: 'unix:///x'}]",
        &["error endpoints[0].address: exactly 1 service port required for unix endpoints"],
    ),
    (
        "hosts: [a.com]\nresolution: STATIC\nendpoints: [{address: 1.2.3.4, ports: {x: 8080}}]",
        &["error endpoints[0].ports.x: endpoint port 8080 is not defined by the service entry"],
    ),
    ("hosts: [a.com]\nresolution: DNS\nendpoints: [{address: b.com}, {address: 1.2.3.4}]", &[]),
    ("hosts: ['*.a.com']\nresolution: DNS\nendpoints: [{address: b.com}]", &[]),
    (
        "hosts: ['*.a.com']\nresolution: DNS",
        &[
            "error hosts[0]: hosts must be FQDN or contain only prefix wildcards if no endpoints are provided for resolution \
           mode DNS",
        ],
    ),
    (
        "hosts: [a.com]\nresolution: DNS\nendpoints: [{address: 'unix:///x'}]",
        &["error endpoints[0].address: endpoint address \"unix:///x\" is not a valid FQDN or an IP address"],
    ),
    (
        "hosts: [a.com]\nresolution: DNS_ROUND_ROBIN\nendpoints: [{address: b.com}, {address: c.com}]",
        &["error endpoints: there must only be 0 or 1 endpoint for resolution mode DNS_ROUND_ROBIN"],
    ),
    ("hosts: ['*.a.com', '*b.com']\nresolution: DYNAMIC_DNS\nports: [{number: 443, name: tls, protocol: TLS}]", &[]),
    (
        "hosts: [a.com]\nresolution: DYNAMIC_DNS\naddresses: [1.2.3.4]\nendpoints: [{address: b.com}]\n\
         ports: [{number: 443, name: x, protocol: HTTPS}]",
        &[
            "error hosts[0]: host must be wildcarded for resolution mode DYNAMIC_DNS",
            "error addresses: addresses cannot be set for resolution type DYNAMIC_DNS",
            "error endpoints: endpoints cannot be set for resolution type DYNAMIC_DNS",
            "error ports[0].protocol: only HTTP, TLS, GRPC, and HTTP2 protocols are supported for resolution type DYNAMIC_DNS",
        ],
    ),
    ("hosts: [a.com]\nresolution: dns", &["error resolution: unsupported value \"dns\""]),
    ("hosts: [a.com]\nlocation: MESH_INTERNAL\nsubjectAltNames: [a]\nresolution: DNS_ROUND_ROBIN", &[]),
    // Several hosts.
    ("hosts: [a.com, b.com]\nresolution: DNS\nports: [{number: 443, name: x, protocol: TLS}]", &[]),
    (
        "hosts: [a.com, b.com]\nresolution: DNS\naddresses: [10.0.0.1]\nports: [{number: 1, name: x, protocol: TCP}]",
        &["error hosts: multiple hosts provided with non-HTTP, non-TLS ports"],
    ),
    (
        "hosts: [a.com, b.com]\nresolution: DNS\naddresses: [10.0.0.1]\nports: [{number: 1, name: x, protocol: TLS}]",
        &[
            "warning hosts: service entry can not have more than one host specified simultaneously with address and tcp port",
        ],
    ),
    ("hosts: [a.com, b.com]\naddresses: [10.0.0.1]\nports: [{number: 1, name: x, protocol: TCP}]", &[]),
    // Selectors.
    ("hosts: [a.com]\nresolution: STATIC\nworkloadSelector: {labels: {a: b}}", &[]),
    (
        "hosts: [a.com]\nresolution: STATIC\nworkloadSelector: {}",
        &[
            "warning workloadSelector: service entry: workload selector specified without labels, will be applied to all \
           services in namespace",
        ],
    ),
    (
        "hosts: [a.com]\nresolution: STATIC\nworkloadSelector: {labels: {val: '*'}}",
        &["error workloadSelector.labels.val: wildcard is not supported in selector: \"val=*\""],
    ),
    (
        "hosts: [a.com]\nresolution: STATIC\nworkloadSelector: {labels: {a: b}}\nendpoints: [{address: 1.2.3.4}]",
        &["error endpoints: only one of WorkloadSelector or Endpoints is allowed in Service Entry"],
    ),
    (
        "hosts: [a.com]\nworkloadSelector: {labels: {a: b}}",
        &["warning workloadSelector: workloadSelector should not be set when resolution mode is NONE"],
    ),
    // Visibility.
    ("hosts: [a.com]\nexportTo: ['~']", &[]),
    ("hosts: [a.com]\nexportTo: [., other]", &[]),
    (
        "hosts: [a.com]\nexportTo: ['~', x]",
        &["error exportTo[0]: cannot export service entry to no one (~) and someone"],
    ),
    ("hosts: [a.com]\nexportTo: [x, x]", &["error exportTo[1]: duplicate entries in exportTo for entry x"]),
    (
        "hosts: [a.com]\nexportTo: ['*', x]",
        &["error exportTo[0]: cannot have both public (*) and non-public exportTo values for a resource"],
    ),
    (
        "hosts: [a.com]\nexportTo: [a.b]",
        &["error exportTo[0]: only .,*, or a valid DNS 1123 label is allowed as exportTo entry"],
    ),
    // Fields of nobody.
    ("hosts: [a.com]\ndiscovery: DNS", &["error discovery: unknown field \"discovery\""]),
];

#[test]
fn every_rule_has_a_row() {
    for (spec, problems) in ROWS {
        let found: Vec<_> = checked(&SERVICE_ENTRY, spec).iter().map(|text| text.replacen("spec.", "", 1)).collect();
        assert_eq!(found, *problems, "{spec}");
    }
}

#[test]
fn the_own_namespace_has_two_names() {
    assert_eq!(
        checked_as(&SERVICE_ENTRY, "x", "prod", "hosts: [a.com]\nexportTo: [., prod]"),
        ["error spec.exportTo[1]: duplicate entries in exportTo: . and current namespace prod"]
    );
}

#[test]
fn lists_are_bounded() {
    let hosts: Vec<String> = (0..257).map(|n| format!("h{n}.com")).collect();
    let found = checked(&SERVICE_ENTRY, &format!("hosts: [{}]", hosts.join(", ")));
    assert_eq!(found, ["error spec.hosts: Too many: 257: must have at most 256 items"]);
}
