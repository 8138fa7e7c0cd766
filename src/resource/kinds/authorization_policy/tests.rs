use super::super::tests::{check, checked};
use super::*;
use crate::diagnostic::Problems;
use crate::resource::Resource;

#[track_caller]
fn errors(rows: &[(&str, &[&str])]) {
    for (spec, problems) in rows {
        let found = check(&AUTHORIZATION_POLICY, spec);
        assert_eq!(found, *problems, "{spec}");
    }
}

#[test]
fn a_policy_with_every_field_is_valid() {
    let spec = "
selector: {matchLabels: {istio: egressgateway}}
action: DENY
rules:
- from:
  - source:
      principals: ['cluster.local/ns/default/sa/sleep', '*']
      notPrincipals: ['*/sa/x']
      requestPrincipals: ['iss/sub']
      namespaces: [default]
      ipBlocks: [10.0.0.0/8, '::1']
      remoteIpBlocks: [1.2.3.4]
      trustDomains: [cluster.local]
  - source: {serviceAccounts: [sleep, default/sleep]}
  to:
  - operation:
      hosts: ['*.cnn.com', 'edition.cnn.com:*']
      ports: ['443']
      methods: [GET]
      paths: ['/a', '/b*', '*/c', '/a/{*}/{**}', '/{**}/c']
  when:
  - {key: 'request.headers[x-team]', values: [a], notValues: [b]}
  - {key: source.ip, values: [10.1.0.0/16]}
  - {key: destination.port, notValues: ['80']}
  - {key: connection.sni, values: ['*.cnn.com']}
  - {key: 'request.auth.claims[a][b]', values: [c]}
  - {key: 'experimental.envoy.filters.network.mysql_proxy[db.table]', values: ['[update]']}
";
    errors(&[(spec, &[]), ("{}", &[]), ("rules: [{}]", &[]), ("action: DENY\nrules: [{}]", &[])]);
}

#[test]
fn actions_have_what_they_need_and_nothing_else() {
    errors(&[
        (
            "action: DENY",
            &[
                "spec.rules: DENY action without `rules` is meaningless as it will never be triggered, add an empty rule \
               `{}` if you want it be triggered for every request",
            ],
        ),
        (
            "action: CUSTOM\nprovider: {name: p}",
            &[
                "spec.rules: CUSTOM action without `rules` is meaningless as it will never be triggered, add an empty rule \
               `{}` if you want it be triggered for every request",
            ],
        ),
        ("action: CUSTOM\nrules: [{}]", &["spec.provider: `provider.name` must not be empty"]),
        ("action: CUSTOM\nrules: [{}]\nprovider: {}", &["spec.provider.name: `provider.name` must not be empty"]),
        ("provider: {name: p}", &["spec.provider: `provider` must not be with non CUSTOM action, found ALLOW"]),
        (
            "action: CUSTOM\nprovider: {name: p}\nrules: [{from: [{source: {namespaces: [a], ipBlocks: [1.1.1.1]}}], when: \
             [{key: source.principal, values: [a]}]}]",
            &[
                "spec.rules[0].from[0].source.namespaces: From.Namespaces is currently not supported with CUSTOM action",
                "spec.rules[0].when[0].key: source.principal is currently not supported with CUSTOM action",
            ],
        ),
    ]);
}

#[test]
fn nothing_is_empty_and_every_value_means_something() {
    errors(&[
        ("rules: [{from: []}]", &["spec.rules[0].from: `from` must not be empty, found at rule 0"]),
        ("rules: [{to: []}]", &["spec.rules[0].to: `to` must not be empty, found at rule 0"]),
        ("rules: [{from: [{}]}]", &["spec.rules[0].from[0]: `from.source` must not be nil, found at rule 0"]),
        ("rules: [{to: [{}]}]", &["spec.rules[0].to[0]: `to.operation` must not be nil, found at rule 0"]),
        (
            "rules: [{from: [{source: {}}], to: [{operation: {}}]}]",
            &[
                "spec.rules[0].from[0].source: `from.source` must not be empty, found at rule 0",
                "spec.rules[0].to[0].operation: `to.operation` must not be empty, found at rule 0",
            ],
        ),
        (
            "rules: [{to: [{operation: {paths: ['']}}]}]",
            &["spec.rules[0].to[0].operation.paths[0]: empty value not allowed, found in Paths"],
        ),
        (
            "rules: [{from: [{source: {ipBlocks: [x, 10.0.0.0/33]}}]}]",
            &[
                "spec.rules[0].from[0].source.ipBlocks[0]: bad IP address (x)",
                "spec.rules[0].from[0].source.ipBlocks[1]: bad CIDR range (10.0.0.0/33)",
            ],
        ),
        (
            "rules: [{to: [{operation: {ports: ['+1', '65536']}}]}]",
            &[
                "spec.rules[0].to[0].operation.ports[0]: bad port (+1)",
                "spec.rules[0].to[0].operation.ports[1]: bad port (65536)",
            ],
        ),
        (
            "rules: [{from: [{source: {serviceAccounts: ['a*'], namespaces: [b]}}]}]",
            &[
                "spec.rules[0].from[0].source: cannot set serviceAccounts with namespaces or principals, found at rule 0",
                "spec.rules[0].from[0].source.serviceAccounts[0]: wildcard not allowed in service account a*",
            ],
        ),
    ]);
}

#[test]
fn path_templates_have_whole_segments_and_one_tail() {
    let of = |path: &str, why: &str| {
        format!("spec.rules[0].to[0].operation.paths[0]: invalid or unsupported path {path}, found in Paths. {why}")
    };
    let beyond = "Contains '{' or '}' beyond a supported path template";
    for (path, why) in [
        ("/{**}/{*}", "{**} is not the last operator"),
        ("/{**}/{**}", "{**} is not the last operator"),
        ("/a/{b}", beyond),
        ("/a{*}", beyond),
        ("/{*}/b{", beyond),
        ("/*/{*}", "Contains segment * with invalid string literal"),
        ("/a//{*}", "Contains segment  with invalid string literal"),
    ] {
        let spec = format!("rules: [{{to: [{{operation: {{paths: ['{path}']}}}}]}}]");
        assert_eq!(check(&AUTHORIZATION_POLICY, &spec), [of(path, why)]);
    }
}

#[test]
fn conditions_are_about_known_attributes() {
    let at = "spec.rules[0].when[0]";
    for (condition, problem) in [
        ("values: [a]", format!("{at}.key: `key` must not be empty")),
        ("key: source.ip", format!("{at}: at least one of `values` or `notValues` must be set for key source.ip")),
        ("key: a.b, values: [a]", format!("{at}.key: invalid `value` for `key` a.b: unknown attribute: a.b")),
        (
            "key: 'destination.labels[a]', values: [a]",
            format!(
                "{at}.key: invalid `value` for `key` destination.labels[a]: attribute destination.labels[a] is replaced by \
                 the workload selector"
            ),
        ),
        (
            "key: request.headers, values: [a]",
            format!(
                "{at}.key: invalid `value` for `key` request.headers: bad key (request.headers): should have format a[b]"
            ),
        ),
        ("key: source.ip, notValues: [a]", format!("{at}.notValues[0]: bad IP address (a)")),
    ] {
        assert_eq!(check(&AUTHORIZATION_POLICY, &format!("rules: [{{when: [{{{condition}}}]}}]")), [problem]);
    }
}

#[test]
fn what_is_hardly_meant_is_warned_of() {
    let denies_tcp = "warning spec.rules[0]: configured AuthorizationPolicy will deny all traffic to TCP ports under its \
                      scope due to the use of only HTTP attributes in a DENY rule; it is recommended to explicitly specify \
                      the port";
    for (spec, warnings) in [
        ("selector: {}", &["warning spec.selector: workload selector specified without labels"][..]),
        ("action: DENY\nrules: [{to: [{operation: {paths: [/a]}}]}]", &[denies_tcp]),
        ("action: DENY\nrules: [{to: [{operation: {paths: [/a], ports: ['80']}}]}]", &[]),
        ("rules: [{to: [{operation: {paths: [/a]}}]}]", &[]),
        (
            "rules: [{from: [{source: {principals: ['spiffe://a/ns/b/sa/c']}}]}]",
            &["warning spec.rules[0].from[0].source.principals[0]: no peer is called spiffe://a/ns/b/sa/c here"],
        ),
    ] {
        assert_eq!(checked(&AUTHORIZATION_POLICY, spec), warnings, "{spec}");
    }
}

#[test]
fn a_policy_has_one_way_to_its_workloads() {
    errors(&[
        (
            "selector: {matchLabels: {a: b}}\ntargetRefs: [{kind: Service, name: x}]",
            &["spec: only one of targetRefs or workloadSelector can be set"],
        ),
        (
            "targetRefs: [{kind: Pod, namespace: y}]",
            &[
                "spec.targetRefs[0].name: targetRef name must be set",
                "spec.targetRefs[0].namespace: targetRef namespace must not be set; cross namespace referencing is not \
                 supported",
                "spec.targetRefs[0]: targetRef must be to one of [Service networking.istio.io/ServiceEntry \
                 gateway.networking.k8s.io/Gateway gateway.networking.k8s.io/GatewayClass] but was /Pod",
            ],
        ),
        (
            "selector: {matchLabels: {'a*': b}}",
            &["spec.selector.matchLabels.a*: wildcard is not supported in selector: \"a*=b\""],
        ),
    ]);
}

#[test]
fn only_allow_and_deny_are_tried_and_by_a_truth_value() {
    let found = |value: &str, action: &str| {
        let annotations = [(DRY_RUN.to_owned(), value.to_owned())].into();
        let meta = Meta { name: "x".into(), annotations, ..Meta::default() };
        let body = serde_json::json!({"spec": {"action": action, "rules": [{}]}});
        let body = body.as_object().expect("a map").clone();
        let resource = Resource { kind: &AUTHORIZATION_POLICY, version: "v1".into(), meta, body, origin: None };
        let mut problems = Problems::new();
        rules::dry_run(&resource, &mut problems);
        (is_dry_run(&resource.meta), problems.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>())
    };
    assert_eq!(found("true", "DENY"), (true, vec![]));
    assert_eq!(found("0", "ALLOW"), (false, vec![]));
    assert_eq!(
        found("yes", "ALLOW").1,
        [
            "default/x has annotation istio.io/dry-run with invalid value (yes): strconv.ParseBool: parsing \"yes\": invalid \
          syntax"
        ]
    );
    assert_eq!(
        found("true", "AUDIT").1,
        ["the annotation istio.io/dry-run currently only supports action ALLOW/DENY, found action AUDIT in default/x"]
    );
}
