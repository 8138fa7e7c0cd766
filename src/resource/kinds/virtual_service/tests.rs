use super::super::tests::{checked, checked_as};
use super::*;

const TO: &str = "route: [{destination: {host: b.com}}]";

/// Specs and their problems, without `spec.`; `TO` stands for a route to somewhere.
const SPECS: &[(&str, &[&str])] = &[
    // Hosts.
    ("hosts: [a.com, reviews, echo.prod, '*.b.com', '*c.com', 10.0.0.1, 'fd00::1', d.com.]\nhttp: [{TO}]", &[]),
    ("hosts: ['*']\ngateways: [ns/gw, ./gw, gw]\nhttp: [{TO}]", &[]),
    (
        "hosts: ['*']\nhttp: [{TO}]",
        &["error hosts[0]: wildcard host * is not allowed for virtual services bound to the mesh gateway"],
    ),
    (
        "hosts: ['*']\ngateways: [gw, mesh]\nhttp: [{TO}]",
        &["error hosts[0]: wildcard host * is not allowed for virtual services bound to the mesh gateway"],
    ),
    (
        "hosts: ['*.a.com', x.a.com]\nhttp: [{TO}]",
        &["error hosts[1]: duplicate hosts in virtual service: *.a.com & x.a.com"],
    ),
    (
        "hosts: [x.a.com, b.com, '*.a.com']\nhttp: [{TO}]",
        &["error hosts[2]: duplicate hosts in virtual service: x.a.com & *.a.com"],
    ),
    ("hosts: [a.com, a.com]\nhttp: [{TO}]", &["error hosts[1]: duplicate hosts in virtual service: a.com & a.com"]),
    ("hosts: ['*.a.com', a.com]\nhttp: [{TO}]", &[]),
    ("hosts: [a_b.com]\nhttp: [{TO}]", &["error hosts[0]: domain name \"a_b.com\" invalid (label \"a_b\" invalid)"]),
    ("hosts: [a.*.com]\nhttp: [{TO}]", &["error hosts[0]: domain name \"a.*.com\" invalid (label \"*\" invalid)"]),
    (
        "hosts: [a.com:80]\nhttp: [{TO}]",
        &["error hosts[0]: domain name \"a.com:80\" invalid (label \"com:80\" invalid)"],
    ),
    ("hosts: [a.com]", &["error spec: http, tcp or tls must be provided in virtual service"]),
    // Gateways.
    ("hosts: [a.com]\ngateways: [a_b]\nhttp: [{TO}]", &["error gateways[0]: invalid value for gateway name: \"a_b\""]),
    (
        "hosts: [a.com]\ngateways: [x/a.b]\nhttp: [{TO}]",
        &["error gateways[0]: invalid value for gateway name: \"a.b\""],
    ),
    ("hosts: [a.com]\ngateways: [a.b/x]\nhttp: [{TO}]", &["error gateways[0]: invalid value for namespace: \"a.b\""]),
    (
        "hosts: [a.com]\ngateways: [/x]\nhttp: [{TO}]",
        &["error gateways[0]: config namespace and gateway name cannot be empty"],
    ),
    (
        "hosts: [a.com]\ngateways: [gw.ns.svc.cluster.local]\nhttp: [{TO}]",
        &[
            "warning gateways[0]: using legacy gatewayName format \"gw.ns.svc.cluster.local\"; prefer the <namespace>/<name> \
           format: \"ns/gw\"",
        ],
    ),
    // Delegates.
    ("http: [{TO}]", &[]),
    (
        "gateways: [x]\ntls: []\ntcp: [{TO}]",
        &[
            "error gateways: delegate virtual service must have no gateways specified",
            "error tcp: delegate virtual service must have no tcp route specified",
        ],
    ),
    ("http: [{TO, delegate: {name: d}}]", &["error http[0].delegate: delegate HTTP route cannot contain delegate"]),
    (
        "hosts: [a.com]\nhttp: [{delegate: {name: d, namespace: n}, timeout: 1s, fault: {abort: {httpStatus: 500}}}]",
        &[],
    ),
    (
        "hosts: [a.com]\nhttp: [{name: n, TO, delegate: {name: d}, redirect: {uri: /}}]",
        &[
            "error http[0].redirect: root HTTP route n must not specify redirect",
            "error http[0].route: root HTTP route n must not specify route",
        ],
    ),
    // TLS and TCP.
    ("hosts: ['*.a.com']\ntls: [{match: [{sniHosts: [x.a.com, '*.b.a.com'], port: 443}], TO}]", &[]),
    (
        "hosts: [a.com, c.com]\ntls: [{match: [{sniHosts: [b.com]}]}, {TO}]",
        &[
            "error tls[0].match[0].sniHosts[0]: SNI host \"b.com\" is not a compatible subset of any of the virtual service \
             hosts: [a.com, c.com]",
            "error tls[0].route: TLS route is required",
            "error tls[1].match: TLS route must have at least one match condition",
        ],
    ),
    (
        "hosts: [a.com]\ntls: [{match: [{}], TO}]",
        &["error tls[0].match[0].sniHosts: TLS match must have at least one SNI host"],
    ),
    (
        "hosts: [10.0.0.1]\ntls: [{match: [{sniHosts: [10.0.0.1]}], TO}]",
        &[
            "warning tls[0].match[0].sniHosts[0]: using an IP address (\"10.0.0.1\") goes against SNI spec and most clients do \
           not support this",
        ],
    ),
    (
        "hosts: [outbound_.80_._.e2e.foobar.mesh]\ngateways: [gw]\n\
         tls: [{match: [{sniHosts: [outbound_.80_._.e2e.foobar.mesh]}], TO}]",
        &[],
    ),
    ("hosts: [a.com]\ntcp: [{match: [{port: 27017, destinationSubnets: [10.0.0.0/8, 1.2.3.4]}], TO}]", &[]),
    ("hosts: [a.com]\ntcp: [{}]", &["error tcp[0].route: TCP route is required"]),
    (
        "hosts: [a.com]\ntcp: [{match: [{destinationSubnets: [10.0.0.0/33, x]}], TO}]",
        &[
            "error tcp[0].match[0].destinationSubnets[0]: 10.0.0.0/33 is not a valid CIDR block",
            "error tcp[0].match[0].destinationSubnets[1]: x is not a valid IP",
        ],
    ),
    (
        "hosts: [a.com]\ntcp: [{route: [{destination: {host: a}}, {destination: {host: b}}]}]",
        &["error tcp[0].route: total destination weight = 0"],
    ),
    // Visibility.
    ("hosts: [a.com]\nexportTo: [., other]\nhttp: [{TO}]", &[]),
    (
        "hosts: [a.com]\nexportTo: ['~']\nhttp: [{TO}]",
        &["error exportTo[0]: exportTo ~ (none) is not allowed for Istio configuration objects"],
    ),
    // What was there in 2018.
    (
        "hosts: [a.com]\nhttp: [{TO, websocketUpgrade: true, appendHeaders: {a: b}}]",
        &[
            "error http[0].appendHeaders: unknown field \"appendHeaders\"",
            "error http[0].websocketUpgrade: unknown field \"websocketUpgrade\"",
        ],
    ),
];

/// Routes, `TO` as above, and their problems, relative to the route.
const ROUTES: &[(&str, &[&str])] = &[
    // Purpose.
    ("TO", &[]),
    ("name: x", &["error : HTTP route, redirect or direct_response is required"]),
    (
        "TO\nredirect: {uri: /x}\nfault: {abort: {httpStatus: 500}}\nrewrite: {uri: /}\ndirectResponse: {status: 200}",
        &[
            "error : HTTP route cannot contain both route and redirect",
            "error : HTTP route cannot contain both fault and redirect",
            "error : HTTP route cannot contain both rewrite and redirect",
            "error : HTTP route cannot contain both direct_response and redirect",
        ],
    ),
    (
        "TO\ndirectResponse: {status: 200}\nfault: {abort: {httpStatus: 500}}\nrewrite: {uri: /}",
        &[
            "error : HTTP route cannot contain both route and direct_response",
            "error : HTTP route cannot contain both fault and direct_response",
            "error : HTTP route cannot contain both rewrite and direct_response",
        ],
    ),
    // Destinations and weights.
    ("route: [{weight: 1}]", &["error .route[0].destination: destination is required"]),
    ("route: [{destination: {host: b, subset: v1, port: {number: '443'}}, weight: 0}]", &[]),
    (
        "route: [{destination: {host: '*', subset: a_b, port: {number: 0}}, weight: -1}]",
        &[
            "error .route[0].destination.host: invalid destination host *",
            "error .route[0].destination.subset: subset name is invalid: a_b",
            "error .route[0].destination.port.number: port number 0 must be in the range 1..65535",
            "error .route[0].weight: weight -1 < 0",
        ],
    ),
    (
        "route: [{destination: {host: 1.2.3.4}}]",
        &[
            "error .route[0].destination.host: domain name \"1.2.3.4\" invalid (top level domain \"4\" cannot be all-numeric)",
        ],
    ),
    ("route: [{destination: {host: b}}, {destination: {host: c}}]", &["error .route: total destination weight = 0"]),
    ("route: [{destination: {host: b}, weight: 30}, {destination: {host: c}, weight: 10}]", &[]),
    ("route: [{destination: {host: b}, weight: 100}, {destination: {host: c}, weight: 0}]", &[]),
    // Times and retries.
    ("TO\ntimeout: 1ms", &[]),
    ("TO\ntimeout: 24h", &[]),
    ("TO\ntimeout: 1.5s", &[]),
    ("TO\ntimeout: 0s", &["error .timeout: duration must be greater than 1ms"]),
    ("TO\ntimeout: -1s", &["error .timeout: duration must be greater than 1ms"]),
    ("TO\ntimeout: 1500us", &["error .timeout: only durations to ms precision are supported"]),
    (
        "TO\ntimeout: soon",
        &["error .timeout: invalid duration \"soon\": write a number and a unit, such as 30ms, 1.5s or 2h"],
    ),
    ("TO\nretries: {attempts: 0}", &[]),
    ("TO\nretries: {attempts: 0, backoff: 1s, retryIgnorePreviousHosts: true}", &[]),
    (
        "TO\nretries: {attempts: 3, perTryTimeout: 2s, retryOn: '5xx,gateway-error,503,retriable-4xx', backoff: 25ms}",
        &[],
    ),
    ("TO\nretries: {attempts: -1}", &["error .retries.attempts: attempts cannot be negative"]),
    (
        "TO\nretries: {perTryTimeout: 1s}",
        &["error .retries: http retry policy configured when attempts are set to 0 (disabled)"],
    ),
    (
        "TO\nretries: {attempts: 0, retryOn: 5xx}",
        &["error .retries: http retry policy configured when attempts are set to 0 (disabled)"],
    ),
    (
        "TO\nretries: {attempts: 2, retryOn: '5xx, 503'}",
        &["error .retries.retryOn: \" 503\" is not a valid retryOn policy"],
    ),
    ("TO\nretries: {attempts: 2, retryOn: '5xx,'}", &["error .retries.retryOn: \"\" is not a valid retryOn policy"]),
    ("TO\nretries: {attempts: 2, retryOn: '299'}", &["error .retries.retryOn: \"299\" is not a valid retryOn policy"]),
    (
        "TO\nretries: {attempts: 2, perTryTimeout: 0s}",
        &["error .retries.perTryTimeout: duration must be greater than 1ms"],
    ),
    // Redirects.
    ("redirect: {uri: /x, redirectCode: 308, derivePort: FROM_REQUEST_PORT, scheme: https, authority: b.com}", &[]),
    ("redirect: {port: 8443}", &[]),
    ("match: [{uri: {prefix: /a}}]\nredirect: {prefixRewrite: /b}", &[]),
    ("redirect: {}", &["error .redirect: redirect must specify URI, authority, scheme, or port"]),
    ("redirect: {redirectCode: 302}", &["error .redirect: redirect must specify URI, authority, scheme, or port"]),
    (
        "redirect: {uri: /x, prefixRewrite: /y}",
        &["error .redirect: redirect may only specify one of uri or prefix_rewrite"],
    ),
    (
        "redirect: {uri: /x, redirectCode: 299}",
        &["error .redirect.redirectCode: 299 is not a valid redirect code, must be 3xx"],
    ),
    ("redirect: {scheme: ftp}", &["error .redirect.scheme: invalid redirect scheme, must be \"http\" or \"https\""]),
    (
        "match: [{uri: {exact: /a}}]\nredirect: {prefixRewrite: /b}",
        &["error .redirect.prefixRewrite: redirect prefix_rewrite requires all URI matches to use prefix match type"],
    ),
    // Direct responses.
    ("directResponse: {status: 503, body: {string: 'no %'}}", &[]),
    ("directResponse: {status: 600, body: {bytes: aGk=}}", &[]),
    ("directResponse: {}", &["error .directResponse.status: HTTP status 0 is not in range 200-599"]),
    ("directResponse: {status: 601}", &["error .directResponse.status: HTTP status 601 is not in range 200-599"]),
    // Rewrites.
    ("TO\nrewrite: {uri: /, authority: b.com}", &[]),
    ("TO\nrewrite: {uriRegexRewrite: {match: '^/a/(.*)$', rewrite: '/\\1'}}", &[]),
    (
        "TO\nrewrite: {}",
        &[
            "error .rewrite: rewrite must specify at least one of URI, UriRegexRewrite, or authority. Only one of URI or \
           UriRegexRewrite may be specified",
        ],
    ),
    (
        "TO\nrewrite: {uri: /, uriRegexRewrite: {match: a, rewrite: b}}",
        &["error .rewrite: rewrite may only contain one of URI or UriRegexRewrite"],
    ),
    (
        "TO\nrewrite: {uriRegexRewrite: {match: a}}",
        &["error .rewrite.uriRegexRewrite: UriRegexRewrite requires both Rewrite and Match fields to be specified"],
    ),
    (
        "TO\nrewrite: {uriRegexRewrite: {match: '(', rewrite: b}}",
        &[
            "error .rewrite.uriRegexRewrite.match: \"HTTPRewrite.UriRegexRewrite.Match\": unclosed group; Istio uses RE2 style \
           regex-based match",
        ],
    ),
    // Faults.
    (
        "TO\nfault: {abort: {httpStatus: 600, percentage: {value: 0.0001}}, delay: {fixedDelay: 5s, percentage: {value: 100}}}",
        &[],
    ),
    ("TO\nfault: {abort: {grpcStatus: UNAVAILABLE, percentage: {value: 0}}}", &[]),
    ("TO\nfault: {}", &["error .fault: HTTP fault injection must have an abort and/or a delay"]),
    ("TO\nfault: {abort: {}}", &["warning .fault.abort: abort configured, but error type not set"]),
    ("TO\nfault: {delay: {}}", &["warning .fault.delay: delay configured, but fixedDelay not set"]),
    (
        "TO\nfault: {abort: {httpStatus: 100, percentage: {value: 0.00001}}}",
        &[
            "error .fault.abort.percentage.value: percentage 0.00001 is neither 0.0, nor in range [0.0001, 100.0]",
            "error .fault.abort.httpStatus: HTTP status 100 is not in range 200-599",
        ],
    ),
    (
        "TO\nfault: {abort: {http2Error: x}}",
        &["error .fault.abort.http2Error: HTTP/2 abort fault injection not supported yet"],
    ),
    (
        "TO\nfault: {abort: {grpcStatus: OOPS}}",
        &["error .fault.abort.grpcStatus: gRPC status \"OOPS\" is not supported"],
    ),
    (
        "TO\nfault: {delay: {exponentialDelay: 1s}}",
        &["error .fault.delay.exponentialDelay: exponentialDelay not supported yet"],
    ),
    (
        "TO\nfault: {delay: {fixedDelay: 0s, percentage: {value: 101}}}",
        &[
            "error .fault.delay.percentage.value: percentage 101 is neither 0.0, nor in range [0.0001, 100.0]",
            "error .fault.delay.fixedDelay: duration must be greater than 1ms",
        ],
    ),
    (
        "TO\nfault: {delay: {fixedDelay: 1s, percent: 50}}",
        &["warning .fault.delay.percent: delay.percent is deprecated, use delay.percentage"],
    ),
    // Mirrors.
    ("TO\nmirror: {host: m}\nmirrorPercentage: {value: 0.5}", &[]),
    ("TO\nmirrors: [{destination: {host: m}, percentage: {value: 100}}, {destination: {host: n}}]", &[]),
    (
        "TO\nmirror: {host: m}\nmirrors: [{percentage: {value: -1}}]\nmirrorPercentage: {value: 101}",
        &[
            "error : HTTP route cannot contain both mirror and mirrors",
            "error .mirrors[0].destination: destination is required for mirrors",
            "error .mirrors[0].percentage.value: mirror percentage must have a min value of 0 (it has -1.000000)",
            "error .mirrorPercentage.value: mirror_percentage must have a max value of 100 (it has 101.000000)",
        ],
    ),
    (
        "TO\nmirror: {host: m}\nmirror_percent: 5",
        &["warning .mirrorPercent: using deprecated setting \"mirrorPercent\", use \"mirrorPercentage\" instead"],
    ),
    // CORS.
    (
        "TO\ncorsPolicy: {allowOrigins: [{exact: a}, {prefix: b}, {regex: c.*}], allowMethods: [GET, '*'], allowHeaders: ['*', \
         X-A], maxAge: 24h, allowCredentials: true, unmatchedPreflights: IGNORE}",
        &[],
    ),
    (
        "TO\ncorsPolicy: {allowOrigins: [{}, {exact: ''}], allowMethods: [FOO, get], allowHeaders: ['a b'], maxAge: 1500ms}",
        &[
            "error .corsPolicy.allowOrigins[0]: '' is not a valid match type for CORS allow origins",
            "error .corsPolicy.allowOrigins[1]: '' is not a valid match type for CORS allow origins",
            "error .corsPolicy.allowMethods[0]: \"FOO\" is not a supported HTTP method",
            "error .corsPolicy.allowMethods[1]: \"get\" is not a supported HTTP method",
            "error .corsPolicy.allowHeaders[0]: header name a b is not a valid header name",
            "error .corsPolicy.maxAge: max_age duration is accurate only to seconds precision",
        ],
    ),
    ("TO\ncorsPolicy: {maxAge: 0s}", &["error .corsPolicy.maxAge: duration must be greater than 1ms"]),
    (
        "TO\ncorsPolicy: {allowOrigin: ['*']}",
        &["warning .corsPolicy.allowOrigin: allowOrigin is deprecated, use allowOrigins"],
    ),
    // Headers.
    (
        "TO\nheaders: {request: {set: {Host: b.com, a: '100%%', b: 'x %START_TIME% y'}, add: {c: d}, remove: [x-a]}}",
        &[],
    ),
    ("TO\nheaders: {request: {add: {':authority': b.com}}, response: {set: {server: x}}}", &[]),
    (
        "TO\nheaders: {request: {set: {':path': x, a: '5%'}, remove: [':path', host, '']}, response: {add: {host: z, \
         ':status': '1'}, remove: [Host]}}",
        &[
            "error .headers.request.set.:path: invalid header \":path\": header cannot have \":\" prefix",
            "error .headers.request.set.a: header value configuration: invalid header configuration. Un-escaped %",
            "error .headers.request.remove[0]: invalid header \":path\": header cannot have \":\" prefix",
            "error .headers.request.remove[1]: invalid header \"host\": cannot set Host header",
            "error .headers.request.remove[2]: header name cannot be empty",
            "error .headers.response.add.:status: invalid header \":status\": header cannot have \":\" prefix",
            "error .headers.response.add.host: invalid header \"host\": cannot set Host header",
            "error .headers.response.remove[0]: invalid header \"Host\": cannot set Host header",
        ],
    ),
    (
        "route: [{destination: {host: b}, headers: {response: {set: {a: \"x\\ny\", b: '%A%%'}}}}]",
        &[
            "error .route[0].headers.response.set.a: header value configuration is invalid: it has control characters",
            "error .route[0].headers.response.set.b: header value configuration: invalid header configuration. Un-escaped %",
        ],
    ),
    (
        "TO\nrewrite: {authority: x}\nheaders: {request: {set: {Host: y}}}",
        &[
            "error .headers.request.set.Host: authority header cannot be set multiple times: have \"x\", attempting to set \"y\"",
        ],
    ),
    (
        "TO\nheaders: {request: {set: {host: y}, add: {':authority': z}}}",
        &[
            "error .headers.request.add.:authority: authority header cannot be set multiple times: have \"y\", attempting to \
           set \"z\"",
        ],
    ),
];

/// Entries of `match`, and their problems, relative to the entry.
const MATCHES: &[(&str, &[&str])] = &[
    ("uri: {prefix: ''}", &[]),
    ("uri: {exact: ''}\nignoreUriCase: true", &[]),
    (
        "uri: {regex: '^/(health|sport).*'}\nscheme: {exact: http}\nmethod: {regex: GET|HEAD}\nauthority: {prefix: a}",
        &[],
    ),
    (
        "headers: {x-a: {}, ':method': {exact: GET}, b: {regex: '.*'}}\nqueryParams: {q: {}, r: null}\nname: n\nstatPrefix: s",
        &[],
    ),
    (
        "withoutHeaders: {x: {regex: '*'}, y: {}, z: null}\nport: '80'\nsourceLabels: {app: sleep}\nsourceNamespace: ns",
        &[],
    ),
    ("gateways: [mesh, ns/gw, ./gw]", &[]),
    ("uri: {regex: ''}", &["error .uri.regex: \"uri\": regex string match should not be empty"]),
    (
        "uri: {regex: '*'}",
        &["error .uri.regex: \"uri\": repetition operator missing expression; Istio uses RE2 style regex-based match"],
    ),
    (
        "uri: {regex: '(?=x)'}",
        &[
            "error .uri.regex: \"uri\": look-around, including look-ahead and look-behind, is not supported; Istio uses RE2 \
           style regex-based match",
        ],
    ),
    (
        "uri: {regex: '/api/**'}",
        &["error .uri.regex: \"uri\": invalid nested repetition operator; Istio uses RE2 style regex-based match"],
    ),
    ("uri: {exact: a, prefix: b}", &["error .uri: only one of exact, prefix and regex may be given"]),
    ("method: {prefix: ''}", &["error .method.prefix: \"method\": prefix string match should not be empty"]),
    ("scheme: {prefix: ''}", &["error .scheme.prefix: \"scheme\": prefix string match should not be empty"]),
    ("authority: {prefix: ''}", &["error .authority.prefix: \"authority\": prefix string match should not be empty"]),
    ("headers: {a: {prefix: ''}}", &["error .headers.a.prefix: \"headers\": prefix string match should not be empty"]),
    (
        "queryParams: {a: {prefix: ''}}",
        &["error .queryParams.a.prefix: \"queryParams\": prefix string match should not be empty"],
    ),
    ("headers: {x: null}", &["error .headers.x: header match x cannot be null"]),
    (
        "headers: {x: {regex: '*'}}",
        &[
            "error .headers.x.regex: \"headers\": repetition operator missing expression; Istio uses RE2 style regex-based match",
        ],
    ),
    (
        "withoutHeaders: {x: {regex: '('}}",
        &["error .withoutHeaders.x.regex: \"withoutHeaders\": unclosed group; Istio uses RE2 style regex-based match"],
    ),
    ("headers: {'a b': {}}", &["error .headers.a b: header name a b is not a valid header name"]),
    ("headers: {':foo': {}}", &["error .headers.:foo: header name :foo is not a valid header name"]),
    (
        "headers: {'@request.auth.claims.sub': {exact: x}}",
        &["error .headers[@request.auth.claims.sub]: JWT claim based routing (key: @request.auth.claims.sub) is only \
           supported for gateway, found no gateways: []"],
    ),
    ("sourceNamespace: a.b", &["error .sourceNamespace: sourceNamespace match a.b is invalid"]),
    ("port: 70000", &["error .port: port number 70000 must be in the range 1..65535"]),
    ("gateways: [a_b]", &["error .gateways[0]: invalid value for gateway name: \"a_b\""]),
    ("usi: {exact: /}", &["error .usi: unknown field \"usi\""]),
];

/// `http`, one route a line, and the problems of their order, relative to `http`.
const ORDERS: &[(&str, &[&str])] = &[
    ("{match: [{uri: {prefix: /a}}], TO}\n{TO}", &[]),
    ("{TO}\n{TO}", &["warning [1]: VirtualService rule #1 not used (only the last rule can have no matches)"]),
    (
        "{TO}\n{name: n, match: [{uri: {prefix: /a}}], TO}",
        &["warning [1]: VirtualService rule \"n\" not used (route without matches defined before)"],
    ),
    (
        "{match: [{uri: {exact: /a}}], TO}\n{match: [{name: m, uri: {exact: /a}}], TO}",
        &[
            "warning [1].match[0]: VirtualService rule #1 match \"m\" is not used (duplicate/overlapping match in rule #0)",
            "warning [1]: VirtualService rule #1 not used (all matches used by prior rules)",
        ],
    ),
    (
        "{match: [{uri: {exact: /a}}], TO}\n{match: [{uri: {exact: /b}}, {uri: {exact: /a}}], TO}",
        &["warning [1].match[1]: VirtualService rule #1 match #1 is not used (duplicate/overlapping match in rule #0)"],
    ),
    (
        "{match: [{uri: {prefix: /a}}], TO}\n{match: [{uri: {prefix: /ab}}], TO}",
        &[
            "warning [1].match[0]: VirtualService rule #1 match #0 of prefix /ab is not used (duplicate/overlapping match in \
           rule #0 of prefix /a on #0)",
        ],
    ),
    ("{match: [{uri: {prefix: /ab}}], TO}\n{match: [{uri: {prefix: /a}}], TO}", &[]),
    (
        "{match: [{uri: {prefix: /a}, headers: {x: {}}}], TO}\n\
         {match: [{uri: {prefix: /ab}, headers: {x: {}}, port: 80, method: {exact: GET}}], TO}",
        &[
            "warning [1].match[0]: VirtualService rule #1 match #0 of prefix /ab is not used (duplicate/overlapping match in \
           rule #0 of prefix /a on #0)",
        ],
    ),
    ("{match: [{uri: {prefix: /a}, port: 80}], TO}\n{match: [{uri: {prefix: /ab}}], TO}", &[]),
    ("{match: [{uri: {prefix: /a}, method: {exact: GET}}], TO}\n{match: [{uri: {prefix: /ab}}], TO}", &[]),
];

fn with_route(text: &str) -> String {
    text.replace("TO", TO)
}

/// The problems without the path at which all of them stand.
fn relative(found: Vec<String>, root: &str) -> Vec<String> {
    found.into_iter().map(|text| text.replacen(root, "", 1)).collect()
}

#[test]
fn every_rule_of_the_whole_has_a_row() {
    for (spec, problems) in SPECS {
        assert_eq!(relative(checked(&VIRTUAL_SERVICE, &with_route(spec)), "spec."), *problems, "{spec}");
    }
}

#[test]
fn every_rule_of_a_route_has_a_row() {
    for (route, problems) in ROUTES {
        let spec = format!("hosts: [a.com]\nhttp:\n- {}", with_route(route).replace('\n', "\n  "));
        assert_eq!(relative(checked(&VIRTUAL_SERVICE, &spec), "spec.http[0]"), *problems, "{route}");
    }
}

#[test]
fn every_rule_of_a_match_has_a_row() {
    for (entry, problems) in MATCHES {
        let entry = entry.replace('\n', "\n    ");
        let spec = format!("hosts: [a.com]\nhttp:\n- {TO}\n  match:\n  - {entry}");
        assert_eq!(relative(checked(&VIRTUAL_SERVICE, &spec), "spec.http[0].match[0]"), *problems, "{entry}");
    }
}

#[test]
fn routes_that_are_never_used_are_warned_of() {
    for (routes, problems) in ORDERS {
        let routes: String = routes.lines().map(|route| format!("- {}\n", with_route(route))).collect();
        let found = checked(&VIRTUAL_SERVICE, &format!("hosts: [a.com]\nhttp:\n{routes}"));
        assert_eq!(relative(found, "spec.http"), *problems, "{routes}");
    }
    let tcp = format!("hosts: [a.com]\ntcp:\n- {TO}\n- {TO}");
    assert_eq!(
        checked(&VIRTUAL_SERVICE, &tcp),
        ["warning spec.tcp[1]: VirtualService rule #1 not used (only the last rule can have no matches)"]
    );
}

#[test]
fn bodies_and_expressions_are_bounded() {
    let route =
        |text: String| relative(checked(&VIRTUAL_SERVICE, &format!("hosts: [a.com]\nhttp:\n- {text}")), "spec.http[0]");
    let body =
        |length: usize| route(format!("directResponse: {{status: 200, body: {{string: {}}}}}", "x".repeat(length)));
    assert!(body(100 * 1024).is_empty());
    assert_eq!(
        body(100 * 1024 + 1),
        ["warning .directResponse.body: large direct_responses may impact control plane performance"]
    );
    assert_eq!(
        body(1024 * 1024 + 1),
        [
            "error .directResponse.body: large direct_responses may impact control plane performance, must be less than 1MB"
        ]
    );
    let regex = |length: usize| route(format!("{TO}\n  match: [{{uri: {{regex: {}}}}}]", "x".repeat(length)));
    assert!(regex(1024).is_empty());
    assert_eq!(regex(1025), ["error .match[0].uri.regex: \"uri\": regex is too large, max length allowed is 1024"]);
    let program = |regex: &str| route(format!("{TO}\n  match: [{{uri: {{regex: '{regex}'}}}}]"));
    assert!(program("(/[a-z]{1,100}){1,100}").is_empty());
    assert_eq!(
        program("(/[a-z]{1,1000}){1,100}"),
        [
            "error .match[0].uri.regex: \"uri\": the program of the regex has some 200400 instructions, more than the 32768 that \
          Envoy takes"
        ]
    );
    // Each may be so large, but not all of them together; the same one again costs nothing.
    let several = |regex: fn(usize) -> String| {
        let routes: String =
            (0..400).map(|n| format!("- {TO}\n  match: [{{uri: {{regex: '{}'}}}}]\n", regex(n))).collect();
        checked(&VIRTUAL_SERVICE, &format!("hosts: [a.com]\nhttp:\n{routes}"))
    };
    let refused = several(|n| format!("/{n}/([a-z]{{1,100}}/){{1,100}}"));
    assert_eq!(refused.iter().filter(|problem| problem.starts_with("error")).count(), 375, "{:?}", refused.first());
    assert!(
        refused[0].starts_with("error spec.http[25].match[0].uri.regex: \"uri\": with this one the regexes"),
        "{}",
        refused[0]
    );
    assert!(!several(|_| "/([a-z]{1,100}/){1,100}".to_owned()).iter().any(|problem| problem.starts_with("error")));
}

#[test]
fn claims_are_for_gateways() {
    let spec = format!(
        "hosts: [a.com]\ngateways: [gw]\nhttp: [{{match: [{{headers: {{'@request.auth.claims[sub]': {{exact: \
                        x}}}}}}], {TO}}}]"
    );
    assert!(checked(&VIRTUAL_SERVICE, &spec).is_empty());
}

#[test]
fn the_own_namespace_has_two_names() {
    let spec = format!("hosts: [a.com]\nexportTo: [prod, .]\nhttp: [{{{TO}}}]");
    assert_eq!(
        checked_as(&VIRTUAL_SERVICE, "x", "prod", &spec),
        ["error spec.exportTo[1]: duplicate entries in exportTo: . and current namespace prod"]
    );
}
