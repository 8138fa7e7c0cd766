//! What a caller is answered, and which of Envoy's response flags is recorded, when a call does not get through.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use egressctl::cli::demo::origin::{Origin, Received, Reply};
use socket2::SockRef;

use crate::frames::{HEADERS, RST_STREAM, Wire, frame};
use crate::proxied::{Client, Proxied};
use crate::raw::serving;
use crate::stage::{SCENARIO, Stage, service_entry, until};

/// Every way in which Envoy says that a call fails, what it answers and records, and the test that shows what comes of it here.
#[rustfmt::skip]
const TABLE: &[(&str, &str, &str)] = &[
    ("no route of a known host matches", "404 NR", "failures::every_failure_has_its_status_and_flag"),
    ("a gateway has no route for the host, or does not know it", "404 NR", "failures::what_comes_to_a_gateways_port_and_leads_nowhere_fails_there"),
    ("an unknown host, where only registered ones may be called", "502 -", "failures::every_failure_has_its_status_and_flag"),
    ("an unknown host, where any may be called", "the origin's", "outbound::unknown_hosts_are_passed_through_and_recorded_but_never_to_private_addresses"),
    ("the destination or its subset is not declared", "503 NC", "failures::every_failure_has_its_status_and_flag"),
    ("the destination has no endpoint", "503 UH", "failures::every_failure_has_its_status_and_flag"),
    ("all endpoints are left out", "503 UH", "balance::without_any_endpoint_left_calls_are_refused"),
    ("the name has no address", "503 UH", "name_servers::names_that_lead_nowhere_fail_with_a_reason_and_others_are_found"),
    ("the connection is refused", "503 UF, URX", "failures::every_failure_has_its_status_and_flag"),
    ("the connection does not come about in time", "503 UF", "failures::a_connection_or_handshake_that_does_not_come_about_in_time_is_given_up"),
    ("TLS fails", "503 UF", "failures::every_failure_has_its_status_and_flag"),
    ("the origin closes or resets before its head", "503 UC", "failures::every_failure_has_its_status_and_flag"),
    ("the origin resets the stream of HTTP/2", "503 UR", "failures::every_failure_has_its_status_and_flag"),
    ("the origin speaks no HTTP", "502 UPE", "failures::every_failure_has_its_status_and_flag"),
    ("the route's time is over", "504 UT", "failures::every_failure_has_its_status_and_flag"),
    ("the time of each try is over, and there are no more", "504 URX, UT", "failures::every_failure_has_its_status_and_flag"),
    ("all tries get a status that is tried again", "that URX", "failures::every_failure_has_its_status_and_flag"),
    ("a circuit breaker is open", "503 UO", "failures::a_full_pool_says_so_in_a_header_and_a_used_up_quota_with_429"),
    ("a fault is injected", "as set FI, DI", "failures::every_failure_has_its_status_and_flag"),
    ("a limit of calls in a time is reached", "429 RL", "failures::a_full_pool_says_so_in_a_header_and_a_used_up_quota_with_429"),
    ("an AuthorizationPolicy denies", "403 -", "authorization::a_denied_request_is_answered_as_istio_does_and_explained"),
    ("an external authorizer refuses", "its UAEX", "authorization::an_authorizer_is_asked_and_its_answer_holds"),
    ("a route answers or redirects", "as set -", "failures::every_failure_has_its_status_and_flag"),
    ("the caller leaves before the answer", "0 DC", "failures::a_caller_who_leaves_is_recorded_as_that"),
    ("the request is malformed, or has two lengths", "400 DPE", "failures::what_is_no_request_is_answered_and_recorded"),
    ("no Host, or a fragment or NUL in the target", "400 -", "failures::what_is_no_request_is_answered_and_recorded"),
    ("HTTP/1.0", "426 DPE", "rfc9112::what_keeps_the_rules_is_forwarded_in_one_form"),
    ("two Hosts", "404 NR", "failures::what_is_no_request_is_answered_and_recorded"),
    ("an upgrade other than WebSocket", "403 -", "upgrades::bytes_behind_an_upgrade_are_no_requests_and_each_side_may_be_done_first"),
    ("nothing comes on the stream for too long", "504, 408 SI", "failures::a_stream_on_which_nothing_comes_is_given_up_and_whose_turn_it_was_is_told"),
    ("the call lasts longer than any may", "504 -", "failures::a_call_that_lasts_longer_than_any_may_is_ended"),
    ("the call is reset here", "503 LR", "failures::what_is_under_way_when_the_proxy_has_to_stop_is_recorded_as_reset_here"),
    ("the head is too large", "431 DPE", "failures::what_is_no_request_is_answered_and_recorded"),
    ("bytes: no server, no endpoint, or a connection that is refused", "closed NR, UH, UF,URX", "failures::what_comes_to_a_gateways_port_and_leads_nowhere_fails_there"),
    ("a name cannot be resolved", "503 DF", "names::a_name_that_does_not_exist_is_a_failure_with_a_reason"),
];

// Where Envoy answers otherwise, and why we do not:
//
// | what | Envoy | here |
// | --- | --- | --- |
// | HTTP/1.0 | 426 | served: old tools speak it, and nothing about it is unclear |
// | two Hosts | 404, joined | 400 DPE: whom it is for cannot be told |
// | no Host, `#` or `%00` in the target | 400, no flag | 400 DPE: it is the caller's fault as others are |
// | an empty answer of a name server | 503 UH | 503 DF: the name is at fault, not a health check |
// | upgrades other than WebSocket | 403 | asked of the origin, but for HTTP/2 and TLS, which are left out |
// | denied by a check | - | 403 UAEX: Mixer stands where Envoy asks an authorizer |
// | reset here | 503 LR | LR, and the connection is closed: only a proxy that has to stop resets calls |
// | bodies | Envoy's sentence | ours: it names the decision, by which `why` finds the rest |

#[test]
fn every_way_to_fail_has_a_test() {
    let files = [
        ("authorization", include_str!("authorization.rs")),
        ("balance", include_str!("balance.rs")),
        ("failures", include_str!("failures.rs")),
        ("name_servers", include_str!("name_servers.rs")),
        ("names", include_str!("names.rs")),
        ("outbound", include_str!("outbound.rs")),
        ("rfc9112", include_str!("rfc9112.rs")),
        ("upgrades", include_str!("upgrades.rs")),
    ];
    for (what, _, test) in TABLE {
        let (module, name) = test.split_once("::").expect("a module and a test");
        let shown = |(file, text): &(&str, &str)| *file == module && text.contains(&format!("#[test]\nfn {name}()"));
        assert!(files.iter().any(shown), "{what}: there is no test {test}");
    }
}

/// A row: what is asked of t.example, the status, and the flags.
type Row = (&'static str, u16, &'static str);

const ROWS: &[Row] = &[
    ("/none", 404, "NR"),
    ("/no-cluster", 503, "NC"),
    ("/no-subset", 503, "NC"),
    ("/no-endpoint", 503, "UH"),
    ("/refused", 503, "URX,UF"),
    ("/no-tls", 503, "UF"),
    ("/closes", 503, "UC"),
    ("/resets", 503, "UC"),
    ("/resets-stream", 503, "UR"),
    ("/no-http", 502, "UPE"),
    ("/hangs", 504, "UT"),
    ("/hangs-each-time", 504, "URX,UT"),
    ("/fails-each-time", 503, "URX"),
    ("/aborted", 418, "FI"),
    ("/held-back", 200, "DI"),
    ("/delayed", 418, "DI,FI"),
    ("/answered", 222, "-"),
    ("/moved", 301, "-"),
    ("/denied", 403, "UAEX"),
];

const POLICY: &str = "\
apiVersion: config.istio.io/v1alpha2
kind: denier
metadata: {name: blocker, namespace: istio-system}
spec: {status: {code: 7}}
---
apiVersion: config.istio.io/v1alpha2
kind: checknothing
metadata: {name: any, namespace: istio-system}
spec: {}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: deny, namespace: istio-system}
spec:
  match: (request.url_path | \"\") == \"/denied\"
  actions: [{handler: blocker.denier, instances: [any.checknothing]}]
---
apiVersion: config.istio.io/v1alpha2
kind: logentry
metadata: {name: flags, namespace: istio-system}
spec:
  variables: {path: request.url_path | \"\", code: response.code, flags: context.proxy_error_code | \"-\"}
---
apiVersion: config.istio.io/v1alpha2
kind: stdio
metadata: {name: log, namespace: istio-system}
spec: {outputAsJson: true}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: log, namespace: istio-system}
spec: {actions: [{handler: log.stdio, instances: [flags.logentry]}]}
---
";

/// The routes of t.example; the origin behaves as the path says.
fn routes() -> String {
    let route = |path: &str, what: &str| format!("  - {{match: [{{uri: {{exact: {path}}}}}], {what}}}\n");
    let to = |host: &str, more: &str| format!("route: [{{destination: {{host: {host}, port: {{number: 80}}{more}}}}}]");
    let origin = to("origin.example", "");
    let retried = |on: &str| format!("{origin}, retries: {{attempts: 1, perTryTimeout: 300ms, retryOn: {on}}}");
    let mut text = String::from(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: t}\nspec:\n  hosts: [t.example]\n  http:\n",
    );
    for (path, what) in [
        ("/no-cluster", to("nowhere.example", "")),
        ("/no-subset", to("origin.example", ", subset: v9")),
        ("/no-endpoint", to("empty.example", "")),
        ("/refused", to("closed.example", "")),
        ("/no-tls", format!("{}, retries: {{attempts: 0}}", to("tls.example", ""))),
        ("/closes", format!("{origin}, retries: {{attempts: 0}}")),
        ("/resets", format!("{}, retries: {{attempts: 0}}", to("resets.example", ""))),
        ("/resets-stream", format!("{}, retries: {{attempts: 0}}", to("streams.example", ""))),
        ("/no-http", format!("{origin}, retries: {{attempts: 0}}")),
        ("/hangs", format!("{origin}, timeout: 300ms, retries: {{attempts: 0}}")),
        ("/hangs-each-time", retried("5xx")),
        ("/fails-each-time", retried("5xx")),
        ("/aborted", format!("{origin}, fault: {{abort: {{httpStatus: 418, percentage: {{value: 100}}}}}}")),
        ("/held-back", format!("{origin}, fault: {{delay: {{fixedDelay: 5ms, percentage: {{value: 100}}}}}}")),
        (
            "/delayed",
            format!(
                "{origin}, fault: {{delay: {{fixedDelay: 5ms, percentage: {{value: 100}}}}, abort: {{httpStatus: 418, \
                 percentage: {{value: 100}}}}}}"
            ),
        ),
        ("/answered", "directResponse: {status: 222}".to_owned()),
        ("/moved", "redirect: {uri: /elsewhere}".to_owned()),
        ("/denied", origin.clone()),
    ] {
        text.push_str(&route(path, &what));
    }
    text
}

fn behaves(received: &Received) -> Reply {
    match received.path() {
        "/closes" => Reply::Last(Vec::new()),
        "/no-http" => Reply::Last(b"no HTTP at all\r\n\r\n".to_vec()),
        "/hangs" | "/hangs-each-time" => Reply::Hang,
        "/fails-each-time" => Reply::page("503 Service Unavailable", b"busy"),
        _ => Reply::page("200 OK", b"page"),
    }
}

#[test]
fn every_failure_has_its_status_and_flag() {
    let origin = Origin::start(None, behaves).expect("an origin");
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
    let empty = "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: empty}\nspec: {hosts: \
                 [empty.example], resolution: STATIC, ports: [{number: 80, name: http, protocol: HTTP}]}\n";
    let tls = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: tls}\nspec: {host: tls.example, \
               trafficPolicy: {tls: {mode: SIMPLE}}}\n";
    let resets = serving(|mut stream| {
        let _ = stream.read(&mut [0; 1_024]);
        let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    });
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    let entries = [
        ("t.example", origin.address),
        ("origin.example", origin.address),
        ("closed.example", closed),
        // It closes as soon as something comes that is no TLS of its own.
        ("tls.example", serving(|mut stream| drop(stream.read(&mut [0; 1_024])))),
        ("resets.example", resets),
    ];
    let entries: String = entries.map(|(host, address)| service_entry(host, address) + "---\n").concat();
    let streams = service_entry("streams.example", resetting_streams()).replace("protocol: HTTP,", "protocol: HTTP2,");
    let more = [routes().as_str(), empty, tls, &streams].join("---\n");
    scene.ok_with(&["create", "-f", "-"], &format!("{POLICY}{entries}{more}"));
    let proxy = Proxied::start(&scene, &[]);
    for (path, status, flags) in ROWS {
        let answer = proxy.get(&format!("http://t.example{path}"));
        assert_eq!(answer.status, *status, "{path}: {}", answer.text());
        let entry = scene.wait_for_entry(&format!("\"flags\":\"{flags}\",\"path\":\"{path}\""));
        assert!(entry.contains(&format!("\"code\":{status}")), "{path}: {entry}");
    }
    // What is no call of a known host has no rule's entry, but one of its own.
    let unknown = proxy.get("http://unknown.example/");
    assert_eq!(unknown.status, 502);
    assert!(scene.wait_for_entry(unknown.decision()).contains("\"flag\":\"-\""));
    // Who asks what was denied gets no calls that failed, of lines as little as of records.
    let denied = |asked: &[&str]| scene.ok(&[&["logs", "--verdict", "deny", "-o", "json"][..], asked].concat());
    crate::stage::until("both logs have it", || {
        [&[][..], &["--all"]].map(denied).iter().all(|one| one.contains("unknown.example"))
    });
    assert_eq!(denied(&[]).lines().count(), denied(&["--all"]).lines().count());
    assert!(!denied(&[]).contains("\"path\":\"/refused\""), "{}", denied(&[]));
}

/// An origin of HTTP/2 that resets every call.
fn resetting_streams() -> SocketAddr {
    const INTERNAL_ERROR: [u8; 4] = [0, 0, 0, 2];
    serving(|stream| {
        let Some(mut wire) = Wire::accepted(stream) else { return };
        while let Some(read) = wire.read() {
            if read.kind == HEADERS {
                wire.send(&frame(RST_STREAM, 0, read.stream, &INTERNAL_ERROR));
            }
        }
    })
}

#[test]
fn what_is_no_request_is_answered_and_recorded() {
    let origin = Origin::start(None, behaves).expect("an origin");
    let scene = stage_with(&service_entry("t.example", origin.address));
    let proxy = Proxied::start(&scene, &[]);
    let heads = [
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nhost: t.example\r\nhost: u.example\r\n\r\n".to_owned(), 400),
        ("GET /%00 HTTP/1.1\r\nhost: t.example\r\n\r\n".to_owned(), 400),
        ("GET /a#b HTTP/1.1\r\nhost: t.example\r\n\r\n".to_owned(), 400),
        (
            "POST / HTTP/1.1\r\nhost: t.example\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(),
            400,
        ),
        ("no HTTP\r\n\r\n".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\nhost: t.example\r\nx: {}\r\n\r\n", "x".repeat(70_000)), 431),
    ];
    for (number, (head, status)) in heads.iter().enumerate() {
        let mut client = proxy.connect();
        client.send(head.as_bytes());
        let answer = client.read();
        assert_eq!(answer.status, *status, "{}", &head[..head.len().min(60)]);
        until("it is recorded", || {
            let lines = scene.ok(&["logs", "-F", "--grep", "\"flag\":\"DPE\""]);
            lines.lines().count() == number + 1
        });
        // Whose it was is known, and what was asked as far as it could be read.
        let id = answer.decision();
        assert!(answer.text().ends_with(&format!("\negressctl why {id}\n")), "{}", answer.text());
        let why = scene.ok(&["why", id]);
        assert!(why.contains("\nCaller:     sleep\n"), "{why}");
        assert_eq!(why.contains("\nHost:       t.example\nPath:       /%00\n"), head.starts_with("GET /%00"), "{why}");
        let of = format!("decision={id}");
        let record = || scene.ok(&["logs", "--all", "--instance", "access", "--field", &of]);
        until("the call has its record", || record().contains("\"sourceIp\":\"127.0.0.1\",\"source"));
    }
    assert_eq!(origin.requests(), 0);
}

/// Declares what t.example leads to, and a log of the flags.
fn stage_with(manifests: &str) -> Stage {
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    scene.ok_with(&["create", "-f", "-"], &format!("{POLICY}{manifests}"));
    scene
}

const NEVER: &str = "apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: t}
spec:
  hosts: [t.example]
  http: [{route: [{destination: {host: t.example}}], retries: {attempts: 0}}]
---
";

#[test]
fn a_connection_or_handshake_that_does_not_come_about_in_time_is_given_up() {
    // Accepts connections, as the kernel does for it, and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let rule = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: t}\nspec: {host: t.example, \
                trafficPolicy: {tls: {mode: SIMPLE}, connectionPool: {tcp: {connectTimeout: 200ms}}}}\n---\n";
    let entry = service_entry("t.example", silent.local_addr().expect("bound"));
    let scene = stage_with(&format!("{rule}{NEVER}{entry}"));
    let proxy = Proxied::start(&scene, &[]);
    let answer = proxy.get("http://t.example/stalled");
    assert_eq!(answer.status, 503);
    assert!(answer.text().contains("did not accept the connection in time"), "{}", answer.text());
    scene.wait_for_entry("\"flags\":\"UF\",\"path\":\"/stalled\"");
}

#[test]
fn a_stream_on_which_nothing_comes_is_given_up_and_whose_turn_it_was_is_told() {
    let origin = Origin::start(None, behaves).expect("an origin");
    let scene = stage_with(&format!("{NEVER}{}", service_entry("t.example", origin.address)));
    let proxy = Proxied::start(&scene, &["--response-timeout", "300ms"]);
    assert_eq!(proxy.get("http://t.example/hangs").status, 504);
    let entry = scene.wait_for_entry("\"flags\":\"SI\",\"path\":\"/hangs\"");
    assert!(entry.contains("\"code\":504"), "{entry}");
    let mut client = proxy.connect();
    client.send(b"POST /upload HTTP/1.1\r\nhost: t.example\r\ncontent-length: 10\r\n\r\nhello");
    assert_eq!(client.read().status, 408);
    let entry = scene.wait_for_entry("\"flags\":\"SI\",\"path\":\"/upload\"");
    assert!(entry.contains("\"code\":408"), "{entry}");
}

#[test]
fn a_caller_who_leaves_is_recorded_as_that() {
    let origin = Origin::start(None, behaves).expect("an origin");
    let scene = stage_with(&format!("{NEVER}{}", service_entry("t.example", origin.address)));
    let proxy = Proxied::start(&scene, &[]);
    let mut client = proxy.connect();
    client.send(b"GET /hangs HTTP/1.1\r\nhost: t.example\r\n\r\n");
    until("the call is at the origin", || origin.requests() == 1);
    drop(client);
    let entry = scene.wait_for_entry("\"flags\":\"DC\",\"path\":\"/hangs\"");
    assert!(entry.contains("\"code\":0"), "{entry}");
}

#[test]
fn a_full_pool_says_so_in_a_header_and_a_used_up_quota_with_429() {
    let origin = Origin::start(None, behaves).expect("an origin");
    let rule = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: t}\nspec: {host: t.example, \
                trafficPolicy: {connectionPool: {http: {http2MaxRequests: 1, http1MaxPendingRequests: 1}}}}\n---\n";
    let quota = "apiVersion: config.istio.io/v1alpha2\nkind: quota\nmetadata: {name: calls, namespace: istio-system}\n\
                 spec: {dimensions: {path: request.url_path}}\n---\n\
                 apiVersion: config.istio.io/v1alpha2\nkind: memquota\nmetadata: {name: counter, namespace: istio-system}\n\
                 spec: {quotas: [{name: calls.quota.istio-system, maxAmount: 1, validDuration: 3600s}]}\n---\n\
                 apiVersion: config.istio.io/v1alpha2\nkind: rule\nmetadata: {name: limit, namespace: istio-system}\n\
                 spec: {match: request.url_path == \"/limited\", actions: [{handler: counter.memquota, instances: \
                 [calls.quota]}]}\n---\n\
                 apiVersion: config.istio.io/v1alpha2\nkind: QuotaSpec\nmetadata: {name: calls, namespace: istio-system}\n\
                 spec: {rules: [{quotas: [{charge: 1, quota: calls}]}]}\n---\n\
                 apiVersion: config.istio.io/v1alpha2\nkind: QuotaSpecBinding\nmetadata: {name: calls, namespace: istio-system}\n\
                 spec: {quotaSpecs: [{name: calls, namespace: istio-system}], services: [{service: '*'}]}\n---\n";
    let scene = stage_with(&format!("{quota}{rule}{NEVER}{}", service_entry("t.example", origin.address)));
    let proxy = Proxied::start(&scene, &[]);
    assert_eq!(proxy.get("http://t.example/limited").status, 200);
    assert_eq!(proxy.get("http://t.example/limited").status, 429);
    let entry = scene.wait_for_entry("\"flags\":\"RL\",\"path\":\"/limited\"");
    assert!(entry.contains("\"code\":429"), "{entry}");
    let mut first = proxy.connect();
    first.send(b"GET /hangs HTTP/1.1\r\nhost: t.example\r\n\r\n");
    until("the call is at the origin", || origin.requests() == 2);
    // One may wait; of two more, one finds no place.
    let (mut second, mut third) = (proxy.connect(), proxy.connect());
    second.send(b"GET /full HTTP/1.1\r\nhost: t.example\r\n\r\n");
    third.send(b"GET /full HTTP/1.1\r\nhost: t.example\r\n\r\n");
    scene.wait_for_entry("\"flags\":\"UO\",\"path\":\"/full\"");
    let refused = [&mut second, &mut third].into_iter().find_map(|client| client.arrived(Duration::from_millis(500)));
    let refused = refused.expect("one of them is answered");
    assert_eq!(refused.status, 503);
    assert!(refused.head.contains("x-envoy-overloaded: true\r\n"), "{}", refused.head);
}

/// A server of the Gateway's that takes plain bytes on a port.
fn plain(port: u16) -> String {
    format!("  - {{port: {{number: {port}, name: tcp-{port}, protocol: TCP}}, hosts: ['*']}}\n")
}

#[test]
fn what_comes_to_a_gateways_port_and_leads_nowhere_fails_there() {
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
    let service = |name: &str, endpoints: &str| {
        format!(
            "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}}}\nspec: {{hosts: \
             [{name}.example], resolution: STATIC, ports: [{{number: 9000, name: tcp, protocol: TCP, targetPort: {}}}]\
             {endpoints}}}\n",
            nobody.port()
        )
    };
    let to = |port: u16, name: &str| {
        format!(
            "  - match: [{{port: {port}}}]\n    route: [{{destination: {{host: {name}.example, port: {{number: 9000}}}}}}]\n"
        )
    };
    let manifests = format!(
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: gw}}\nspec:\n  servers:\n  \
         - {{port: {{number: 80, name: http, protocol: HTTP}}, hosts: ['*.example']}}\n{}{}{}---\n\
         apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: pages}}\nspec:\n  hosts: [b.example]\n  \
         gateways: [gw]\n  http: [{{match: [{{uri: {{exact: /only}}}}], directResponse: {{status: 200}}}}]\n---\n\
         apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: bytes}}\nspec:\n  hosts: ['*']\n  \
         gateways: [gw]\n  tcp:\n{}{}{}{}",
        plain(9000),
        plain(9001),
        plain(9002),
        to(9001, "empty"),
        to(9002, "refusing"),
        service("empty", ""),
        service("refusing", ", endpoints: [{address: 127.0.0.1}]"),
    );
    let scene = stage_with(&manifests);
    let ports = ["127.0.0.1:0=80", "127.0.0.1:0=9000", "127.0.0.1:0=9001", "127.0.0.1:0=9002"];
    let listen: Vec<&str> = ports.iter().flat_map(|port| ["--gateway-listen", port]).collect();
    let proxy = Proxied::start(&scene, &listen);
    for url in ["http://b.example/other", "http://no-route.example/", "http://other.org/"] {
        let answer = Client::to(proxy.gateway(80)).get(url);
        assert_eq!(answer.status, 404, "{url}");
        assert!(scene.wait_for_entry(answer.decision()).contains("\"flag\":\"NR\""), "{url}");
    }
    for (port, flag) in [(9000, "NR"), (9001, "UH"), (9002, "UF,URX")] {
        let mut client = Client::to(proxy.gateway(port));
        client.send(b"bytes");
        assert!(client.closed(), "{port}");
        let entry = scene.wait_for_entry(&format!("127.0.0.1:{port}"));
        assert!(entry.contains(&format!("\"flag\":\"{flag}\"")), "{port}: {entry}");
    }
}

#[test]
fn a_call_that_lasts_longer_than_any_may_is_ended() {
    let pages = serving(|mut stream| {
        let mut head = [0; 1_024];
        let read = stream.read(&mut head).unwrap_or(0);
        if head[..read].starts_with(b"GET /half ") {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello");
        }
        while stream.read(&mut head).is_ok_and(|read| read > 0) {}
    });
    let bytes = service_entry("bytes.example", pages).replace("protocol: HTTP,", "protocol: TCP,");
    let scene = stage_with(&format!("{NEVER}{}---\n{bytes}", service_entry("t.example", pages)));
    let proxy = Proxied::start(&scene, &["--max-stream-duration", "300ms"]);
    let answer = proxy.get("http://t.example/hangs");
    assert_eq!(answer.status, 504);
    assert!(answer.text().contains("downstream duration timeout"), "{}", answer.text());
    scene.wait_for_entry("\"flags\":\"-\",\"path\":\"/hangs\"");
    let mut client = proxy.connect();
    client.send(b"GET /half HTTP/1.1\r\nhost: t.example\r\n\r\n");
    assert!(client.rest().0.ends_with("\r\n\r\nhello"));
    assert!(scene.wait_for_entry("\"flags\":\"-\",\"path\":\"/half\"").contains("\"code\":200"));
    let mut tunnel = proxy.connect();
    tunnel.send(b"CONNECT bytes.example:80 HTTP/1.1\r\nhost: bytes.example:80\r\n\r\n");
    assert!(tunnel.read_head().starts_with("HTTP/1.1 200"));
    assert!(tunnel.closed());
}

#[test]
fn what_is_under_way_when_the_proxy_has_to_stop_is_recorded_as_reset_here() {
    let origin = Origin::start(None, behaves).expect("an origin");
    let scene = stage_with(&format!("{NEVER}{}", service_entry("t.example", origin.address)));
    let mut proxy = Proxied::start(&scene, &["--drain-timeout", "100ms"]);
    let mut client = proxy.connect();
    client.send(b"GET /hangs HTTP/1.1\r\nhost: t.example\r\n\r\n");
    until("the call is at the origin", || origin.requests() == 1);
    scene.ok(&["proxy", "stop"]);
    assert!(client.closed());
    assert!(proxy.wait().success());
    scene.wait_for_entry("\"flags\":\"LR\",\"path\":\"/hangs\"");
}
