//! What a caller is answered, and which of Envoy's response flags is recorded, when a call does not get through.

use std::net::TcpListener;

use egressctl::cli::demo::origin::{Origin, Received, Reply};

use crate::proxied::Proxied;
use crate::stage::{SCENARIO, Stage, service_entry};

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
