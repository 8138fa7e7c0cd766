use super::super::tests::check;
use super::*;

/// The problems of a VirtualService with one HTTP route, relative to it.
fn route(text: &str) -> Vec<String> {
    let body = text.replace('\n', "\n  ");
    let found = check(&VIRTUAL_SERVICE, &format!("hosts: [a.com]\nhttp:\n- {body}"));
    found.into_iter().map(|problem| problem.replace("spec.http[0]", "")).collect()
}

const TO: &str = "route: [{destination: {host: b.com}}]";

#[test]
fn the_whole_resource_is_checked() {
    for (spec, problem) in [
        ("hosts: [a.com]", "spec: http, tcp or tls must be provided in virtual service"),
        (
            "hosts: ['*']\nhttp: [{route: [{destination: {host: b}}]}]",
            "spec.hosts[0]: wildcard host * is not allowed for virtual services bound to the mesh gateway",
        ),
        (
            "hosts: ['*.a.com', x.a.com]\nhttp: [{route: [{destination: {host: b}}]}]",
            "spec.hosts[1]: duplicate hosts in virtual service: x.a.com & *.a.com",
        ),
        (
            "hosts: [a.com, a.com]\nhttp: [{route: [{destination: {host: b}}]}]",
            "spec.hosts[1]: duplicate hosts in virtual service: a.com & a.com",
        ),
        (
            "hosts: [a.com]\ngateways: [a_b]\nhttp: [{route: [{destination: {host: b}}]}]",
            "spec.gateways[0]: invalid value for gateway name: \"a_b\"",
        ),
        (
            "gateways: [x]\nhttp: [{route: [{destination: {host: b}}]}]",
            "spec.gateways: delegate virtual service must have no gateways specified",
        ),
    ] {
        assert_eq!(check(&VIRTUAL_SERVICE, spec), [problem]);
    }
    let good = "hosts: ['*']\ngateways: [ns/gw, ./gw]\nhttp: [{route: [{destination: {host: b}}]}]";
    assert!(check(&VIRTUAL_SERVICE, good).is_empty());
}

#[test]
fn a_route_has_one_purpose() {
    assert_eq!(route("name: x"), [": HTTP route, redirect or direct_response is required"]);
    assert_eq!(route(&format!("{TO}\nredirect: {{uri: /x}}")), [": HTTP route cannot contain both redirect and route"]);
    assert_eq!(route(&format!("name: n\n{TO}\ndelegate: {{name: d}}")), [": root HTTP route n must not specify route"]);
}

#[test]
fn destinations_and_weights_are_checked() {
    assert_eq!(route("route: [{weight: 1}]"), [".route[0].destination: destination is required"]);
    assert_eq!(
        route("route: [{destination: {host: '*', subset: a_b, port: {number: 0}}, weight: -1}]"),
        [
            ".route[0].destination.host: invalid destination host *",
            ".route[0].destination.subset: subset name is invalid: a_b",
            ".route[0].destination.port.number: port number 0 must be in the range 1..65535",
            ".route[0].weight: weight -1 < 0",
        ]
    );
    assert_eq!(
        route("route: [{destination: {host: b}}, {destination: {host: c}}]"),
        [".route: total destination weight = 0"]
    );
}

#[test]
fn times_and_retries_are_checked() {
    assert_eq!(route(&format!("{TO}\ntimeout: 0s")), [".timeout: duration must be greater than 1ms"]);
    assert_eq!(route(&format!("{TO}\ntimeout: 1500us")), [".timeout: only durations to ms precision are supported"]);
    assert_eq!(
        route(&format!("{TO}\nretries: {{perTryTimeout: 1s}}")),
        [".retries: http retry policy configured when attempts are set to 0 (disabled)"]
    );
    assert_eq!(
        route(&format!("{TO}\nretries: {{attempts: 2, retryOn: '5xx, 503'}}")),
        [".retries.retryOn: \" 503\" is not a valid retryOn policy"]
    );
    assert!(route(&format!("{TO}\nretries: {{attempts: 2, retryOn: '5xx,503'}}")).is_empty());
}

#[test]
fn matches_are_checked() {
    let problems = route(&format!(
        "{TO}\nmatch:\n- uri: {{prefix: ''}}\n  method: {{prefix: ''}}\n  scheme: {{exact: a, prefix: b}}\n  headers: \
         {{x: null, 'a b': {{}}, y: {{regex: '('}}}}\n  withoutHeaders: {{z: {{regex: '*'}}}}\n  port: 70000"
    ));
    assert_eq!(
        problems,
        [
            ".match[0].scheme: only one of exact, prefix and regex may be given",
            ".match[0].method.prefix: \"method\": prefix string match should not be empty",
            ".match[0].headers.a b: header name \"a b\" is not a valid header name",
            ".match[0].headers.x: match x cannot be null",
            ".match[0].headers.y.regex: \"header\": unclosed group; Istio uses RE2 style regex-based match",
            ".match[0].port: port number 70000 must be in the range 1..65535",
        ]
    );
}

#[test]
fn headers_that_make_the_request_are_protected() {
    assert_eq!(
        route(&format!(
            "{TO}\nrewrite: {{authority: x}}\nheaders:\n  request: {{set: {{Host: y, a: '5%'}}, remove: [':path']}}\n  \
             response: {{add: {{host: z}}}}"
        )),
        [
            ".headers.request.set.a: header value for \"a\" has a single %",
            ".headers.request.remove[0]: invalid header \":path\": header cannot be set, added or removed here",
            ".headers.response.add.host: invalid header \"host\": header cannot be set, added or removed here",
            ": authority header cannot be set multiple times",
        ]
    );
}

#[test]
fn faults_mirrors_and_cors_are_checked() {
    assert_eq!(
        route(&format!(
            "{TO}\nfault: {{}}\nmirrorPercentage: {{value: 101}}\ncorsPolicy: {{allowMethods: [FOO], maxAge: 1ms}}"
        )),
        [
            ".fault: HTTP fault injection must have an abort and/or a delay",
            ".mirrorPercentage.value: mirror percentage must be in range 0..100, got 101",
            ".corsPolicy.allowMethods[0]: \"FOO\" is not a supported HTTP method",
            ".corsPolicy.maxAge: max_age duration is accurate only to seconds precision",
        ]
    );
    assert_eq!(
        route(&format!("{TO}\nfault: {{abort: {{httpStatus: 100, percentage: {{value: 0.00001}}}}}}")),
        [
            ".fault.abort.percentage.value: percentage 0.00001 is neither 0.0, nor in range [0.0001, 100.0]",
            ".fault.abort.httpStatus: HTTP status must be in range 200..599",
        ]
    );
}

#[test]
fn tls_routes_need_server_names_of_their_hosts() {
    assert_eq!(
        check(
            &VIRTUAL_SERVICE,
            "hosts: [a.com]\ntls:\n- match: [{sniHosts: [b.com]}]\n- route: [{destination: {host: a}}]"
        ),
        [
            "spec.tls[0].match[0].sniHosts[0]: SNI host \"b.com\" is not a compatible subset of any of the virtual \
             service hosts: [a.com]",
            "spec.tls[0].route: TLS route is required",
            "spec.tls[1].match: TLS route must have at least one match condition",
        ]
    );
}
