//! What a caller is answered, and which of Envoy's response flags is recorded, when a call does not get through.

use std::net::TcpListener;
use std::time::Duration;

use egressctl::cli::demo::origin::{Origin, Received, Reply};

use crate::proxied::Proxied;
use crate::stage::{SCENARIO, Stage, service_entry, until};

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
// | bodies | Envoy's sentence | ours: it names the decision, by which `why` finds the rest |

/// A row: what is asked of t.example, the status, and the flags.
type Row = (&'static str, u16, &'static str);

const ROWS: &[Row] = &[
    ("/none", 404, "NR"),
    ("/no-cluster", 503, "NC"),
    ("/no-subset", 503, "NC"),
    ("/no-endpoint", 503, "UH"),
    ("/refused", 503, "URX,UF"),
    ("/closes", 503, "UC"),
    ("/no-http", 502, "UPE"),
    ("/hangs", 504, "UT"),
    ("/hangs-each-time", 504, "URX,UT"),
    ("/fails-each-time", 503, "URX"),
    ("/aborted", 418, "FI"),
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
  match: request.url_path == \"/denied\"
  actions: [{handler: blocker.denier, instances: [any.checknothing]}]
---
apiVersion: config.istio.io/v1alpha2
kind: logentry
metadata: {name: flags, namespace: istio-system}
spec:
  variables: {path: request.url_path, code: response.code, flags: context.proxy_error_code | \"-\"}
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
        ("/closes", format!("{origin}, retries: {{attempts: 0}}")),
        ("/no-http", format!("{origin}, retries: {{attempts: 0}}")),
        ("/hangs", format!("{origin}, timeout: 300ms, retries: {{attempts: 0}}")),
        ("/hangs-each-time", retried("5xx")),
        ("/fails-each-time", retried("5xx")),
        ("/aborted", format!("{origin}, fault: {{abort: {{httpStatus: 418, percentage: {{value: 100}}}}}}")),
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
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    let entries = [("t.example", origin.address), ("origin.example", origin.address), ("closed.example", closed)];
    let entries: String = entries.map(|(host, address)| service_entry(host, address) + "---\n").concat();
    scene.ok_with(&["create", "-f", "-"], &format!("{POLICY}{entries}{}---\n{empty}", routes()));
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
    for (head, status) in [
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nhost: t.example\r\nhost: u.example\r\n\r\n".to_owned(), 400),
        ("GET /%00 HTTP/1.1\r\nhost: t.example\r\n\r\n".to_owned(), 400),
        ("no HTTP\r\n\r\n".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\nhost: t.example\r\nx: {}\r\n\r\n", "x".repeat(70_000)), 431),
    ] {
        let mut client = proxy.connect();
        client.send(head.as_bytes());
        assert_eq!(client.read().status, status, "{}", &head[..head.len().min(60)]);
    }
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
