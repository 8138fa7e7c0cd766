//! What routes of VirtualServices do to calls and answers, through the real proxy and as `trace` tells it.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use egressctl::cli::demo::origin::{Origin, Received, Reply};
use serde_json::Value as Json;

use crate::proxied::{Answer, PATIENCE, Proxied};
use crate::stage::{SCENARIO, Stage, service_entry};

const PAGE: &[u8] = b"HTTP/1.1 200 OK\r\nx-origin: yes\r\ncontent-length: 4\r\n\r\npage";
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nbusy";

/// A running proxy in front of an origin for a.example, whose calls follow some routes.
struct Play {
    scene: Stage,
    origin: Origin,
    proxy: Proxied,
}

/// A VirtualService of a host for sidecars; `http` is a list as YAML has it, at no depth.
fn routes(host: &str, http: &str) -> String {
    let http = http.trim_matches('\n').replace('\n', "\n  ");
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: {}}}\nspec:\n  hosts: \
         [{host}]\n  http:\n  {http}\n",
        host.replace('.', "-")
    )
}

/// Answers with what was received.
fn echo(received: &Received) -> Reply {
    let body = format!("{}{}", received.head, String::from_utf8_lossy(&received.body));
    Reply::page("200 OK", body.as_bytes())
}

impl Play {
    /// With routes of a.example, and further manifests.
    fn new(http: &str, more: &str, answer: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let origin = Origin::start(None, answer).expect("an origin");
        let scene = Stage::new();
        scene.declare(&SCENARIO[..1]);
        let manifests = format!("{}{more}{}", service_entry("a.example", origin.address), routes("a.example", http));
        scene.ok_with(&["create", "-f", "-"], &manifests);
        let proxy = Proxied::start(&scene, &[]);
        Self { scene, origin, proxy }
    }

    fn get(&self, path: &str) -> Answer {
        self.proxy.get(&format!("http://a.example{path}"))
    }

    fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let mut client = self.proxy.connect();
        let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
        client.send(
            format!("{method} http://a.example{path} HTTP/1.1\r\nhost: a.example\r\n{headers}{length}\r\n{body}")
                .as_bytes(),
        );
        if method == "HEAD" { Answer { status: 0, head: client.read_head(), body: Vec::new() } } else { client.read() }
    }

    fn trace(&self, path: &str) -> Json {
        let url = format!("http://a.example{path}");
        serde_json::from_str(&self.scene.ok(&["trace", "--from", "sleep", "-o", "json", &url])).expect("JSON")
    }
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let line = |line: &'a str| line.split_once(": ").filter(|(key, _)| *key == name).map(|(_, value)| value);
    answer.head.lines().find_map(line)
}

const TO: &str = "route: [{destination: {host: a.example}}]";

/// A rule that records every call with its status and flags.
const RECORDED: &str = "---
apiVersion: config.istio.io/v1alpha2
kind: logentry
metadata: {name: calls, namespace: istio-system}
spec:
  severity: '\"info\"'
  timestamp: request.time
  variables: {code: response.code, path: request.path, flags: context.proxy_error_code | \"-\"}
---
apiVersion: config.istio.io/v1alpha2
kind: stdio
metadata: {name: out, namespace: istio-system}
spec: {outputAsJson: true}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: record, namespace: istio-system}
spec: {actions: [{handler: out.stdio, instances: [calls.logentry]}]}
";

#[test]
fn a_redirect_and_a_fixed_response_answer_without_an_origin_and_are_recorded() {
    let http = "
- match: [{uri: {prefix: /old}}]
  redirect: {scheme: https, prefixRewrite: /new, redirectCode: 308}
  headers: {response: {set: {x-moved: 'yes'}}}
- match: [{uri: {exact: /teapot}}]
  directResponse: {status: 418, body: {string: short and stout}}
- directResponse: {status: 204, body: {string: never sent}}
";
    let play = Play::new(http, RECORDED, echo);
    let moved = play.get("/old/x?q=1");
    assert_eq!((moved.status, header(&moved, "location")), (308, Some("https://a.example/new/x?q=1")));
    assert_eq!(header(&moved, "x-moved"), Some("yes"));
    assert!(moved.body.is_empty());
    let teapot = play.get("/teapot");
    assert_eq!((teapot.status, teapot.text().as_str()), (418, "short and stout"));
    assert_eq!(header(&teapot, "content-type"), Some("text/plain"));
    let empty = play.get("/");
    assert_eq!((empty.status, empty.body.len()), (204, 0));
    let head = play.send("HEAD", "/teapot", "", "");
    assert!(head.head.starts_with("HTTP/1.1 418"), "{}", head.head);
    assert_eq!(play.origin.requests(), 0);
    for part in [r#""code":308,"flags":"-","path":"/old/x?[redacted]""#, r#""code":418,"flags":"-","path":"/teapot""#] {
        play.scene.wait_for_entry(part);
    }
    let told = play.trace("/old/x?q=1");
    assert_eq!(told["verdict"], "allow");
    assert_eq!((&told["status"], &told["location"]), (&308.into(), &"https://a.example/new/x?q=1".into()));
    assert_eq!(told["responseHeaders"]["x-moved"], "yes");
    let told = play.trace("/teapot");
    assert_eq!((&told["status"], &told["body"], &told["flags"]), (&418.into(), &"short and stout".into(), &"-".into()));
    let tree = play.scene.ok(&["trace", "--from", "sleep", "http://a.example/old"]);
    assert!(tree.contains("answered: 308 to https://a.example/new"), "{tree}");
}

#[test]
fn path_authority_and_headers_are_changed_on_the_way_out_and_headers_on_the_way_back() {
    let http = format!(
        "
- match: [{{uri: {{prefix: /api}}}}]
  rewrite: {{uri: /v2, authority: B.example}}
  headers:
    request: {{set: {{x-set: route, x-from: '%REQ(:authority)%'}}, remove: [x-secret]}}
    response: {{add: {{x-seen: 'true'}}, remove: [x-origin]}}
  route:
  - destination: {{host: a.example}}
    headers: {{request: {{set: {{x-set: destination}}, add: {{x-add: '1'}}}}}}
- match: [{{uri: {{regex: '/users/[0-9]+'}}}}]
  rewrite: {{uriRegexRewrite: {{match: '/users/([0-9]+)', rewrite: '/u/\\1'}}}}
  {TO}
- match: [{{uri: {{prefix: /cut/}}}}]
  rewrite: {{uri: /}}
  {TO}
- match: [{{uri: {{prefix: /up}}}}]
  rewrite: {{uri: /x/..}}
  {TO}
"
    );
    let play = Play::new(&http, "", echo);
    let answer = play.send("GET", "/api/x?q=1", "x-secret: s\r\nx-set: caller\r\n", "");
    let sent = answer.text();
    assert!(sent.starts_with("GET /v2/x?q=1 HTTP/1.1\r\n"), "{sent}");
    for line in ["host: b.example", "x-set: destination", "x-from: a.example", "x-add: 1"] {
        assert!(sent.lines().any(|sent| sent == line), "{line} in {sent}");
    }
    assert!(sent.contains("x-envoy-original-path: /api/x?q=1") && !sent.contains("x-secret"), "{sent}");
    assert_eq!((header(&answer, "x-seen"), header(&answer, "x-origin")), (Some("true"), None));
    assert!(play.get("/users/17?a").text().starts_with("GET /u/17?a HTTP/1.1"));
    assert!(play.get("/cut/x").text().starts_with("GET /x HTTP/1.1"));
    let told = play.trace("/api/x?q=1");
    assert_eq!((&told["path"], &told["authority"]), (&"/v2/x?q=1".into(), &"b.example".into()));
    assert_eq!(
        (&told["headers"]["x-set"], &told["responseHeaders"]["x-seen"]),
        (&"destination".into(), &"true".into())
    );
    let refused = play.get("/up/admin");
    assert_eq!(refused.status, 500, "{}", refused.text());
    assert_eq!(play.trace("/up/admin")["status"], 500);
}

/// The scenario's gateway for a.example: the sidecar's route, the gateway's, and a list of paths that may pass.
fn through_the_gateway(sidecar: &str, gateway: &str) -> String {
    format!(
        "---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: out}}
spec:
  selector: {{istio: egressgateway}}
  servers: [{{port: {{number: 80, name: http, protocol: HTTP}}, hosts: ['*']}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: way}}
spec:
  hosts: [a.example, other.example]
  gateways: [mesh, out]
  http:
  - match: [{{gateways: [mesh]}}]
    route: [{{destination: {{host: istio-egressgateway.istio-system.svc.cluster.local, port: {{number: 80}}}}}}]
    {sidecar}
  - match: [{{gateways: [out]}}]
    route: [{{destination: {{host: a.example}}}}]
    {gateway}
"
    )
}

fn behind_the_gateway(manifests: &str, answer: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Play {
    let origin = Origin::start(None, answer).expect("an origin");
    let scene = Stage::new();
    scene.declare(&SCENARIO[..2]);
    scene.ok_with(&["create", "-f", "-"], &format!("{}{manifests}", service_entry("a.example", origin.address)));
    let proxy = Proxied::start(&scene, &[]);
    Play { scene, origin, proxy }
}

#[test]
fn the_gateway_judges_what_the_sidecars_route_made_of_a_call() {
    let policy = "---
apiVersion: config.istio.io/v1alpha2
kind: listchecker
metadata: {name: paths, namespace: istio-system}
spec: {overrides: [/made]}
---
apiVersion: config.istio.io/v1alpha2
kind: listentry
metadata: {name: path, namespace: istio-system}
spec: {value: request.path}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: check, namespace: istio-system}
spec:
  match: request.host == \"other.example\"
  actions: [{handler: paths.listchecker, instances: [path.listentry]}]
";
    let sidecar = "rewrite: {uri: /made, authority: other.example}\n    headers: {response: {set: {x-hop: sidecar}}}";
    let gateway = "rewrite: {uri: /sent}\n    headers: {response: {set: {x-hop: gateway, x-gateway: '1'}}}";
    let play = behind_the_gateway(&format!("{}{policy}", through_the_gateway(sidecar, gateway)), echo);
    // Without a condition on the path both rewrites replace the prefix `/`.
    let answer = play.get("/");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().starts_with("GET /sentmade HTTP/1.1\r\n"), "{}", answer.text());
    assert!(answer.text().contains("host: other.example\r\n"), "{}", answer.text());
    assert_eq!((header(&answer, "x-hop"), header(&answer, "x-gateway")), (Some("sidecar"), Some("1")));
    let refused = play.get("/x");
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("/madex is not whitelisted"), "{}", refused.text());
    assert_eq!(play.trace("/x")["status"], 403);
    assert_eq!(play.trace("/")["path"], "/sentmade");
}

#[test]
fn faults_abort_and_delay_the_share_that_is_declared() {
    let http = format!(
        "
- match: [{{uri: {{prefix: /abort}}}}]
  fault: {{abort: {{httpStatus: 555, percentage: {{value: 100}}}}, delay: {{fixedDelay: 5ms, percentage: {{value: 100}}}}}}
  {TO}
- match: [{{uri: {{prefix: /grpc}}}}]
  fault: {{abort: {{grpcStatus: UNAVAILABLE, percentage: {{value: 100}}}}}}
  {TO}
- match: [{{uri: {{prefix: /never}}}}]
  fault: {{abort: {{httpStatus: 555}}, delay: {{fixedDelay: 3600s}}}}
  {TO}
- match: [{{uri: {{prefix: /half}}}}]
  fault: {{abort: {{httpStatus: 555, percentage: {{value: 50}}}}}}
  {TO}
- match: [{{uri: {{prefix: /slow}}}}]
  fault: {{delay: {{fixedDelay: 30ms, percentage: {{value: 100}}}}}}
  {TO}
"
    );
    let play = Play::new(&http, RECORDED, echo);
    let aborted = play.get("/abort");
    assert_eq!((aborted.status, aborted.text().as_str()), (555, "fault filter abort"));
    assert_eq!(play.get("/grpc").status, 503);
    assert_eq!(play.get("/never").status, 200);
    let half = (0..60).map(|_| play.get("/half").status).filter(|status| *status == 555).count();
    assert!((5..55).contains(&half), "{half} of 60");
    assert_eq!(play.get("/slow").status, 200);
    play.scene.wait_for_entry(r#""code":555,"flags":"DI,FI","path":"/abort""#);
    play.scene.wait_for_entry(r#""code":200,"flags":"DI","path":"/slow""#);
    let told = play.trace("/abort");
    assert_eq!(
        (&told["status"], &told["flags"], &told["body"]),
        (&555.into(), &"DI,FI".into(), &"fault filter abort".into())
    );
}

#[test]
fn a_timeout_covers_the_body_too() {
    let http = format!("- {TO}\n  timeout: 200ms");
    let play =
        Play::new(&http, RECORDED, |_| Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_vec()));
    let mut client = play.proxy.connect();
    client.send(b"GET http://a.example/ HTTP/1.1\r\nhost: a.example\r\n\r\n");
    assert!(client.read_head().starts_with("HTTP/1.1 200"));
    assert_eq!(client.read_exactly(4), b"half");
    assert!(client.closed());
    play.scene.wait_for_entry(r#""code":200,"flags":"UT""#);
}

#[test]
fn a_try_that_failed_is_made_again_as_the_route_says() {
    let http = format!(
        "
- match: [{{uri: {{prefix: /off}}}}]
  retries: {{attempts: 0}}
  {TO}
- match: [{{uri: {{prefix: /twice}}}}]
  retries: {{attempts: 2, retryOn: '5xx', backoff: 1ms}}
  {TO}
- {TO}
"
    );
    let seen = std::sync::Arc::new(AtomicUsize::new(0));
    let count = std::sync::Arc::clone(&seen);
    let play = Play::new(&http, RECORDED, move |received| {
        let number = count.fetch_add(1, Ordering::AcqRel);
        let settled = received.path().ends_with("settles") && number % 3 == 2;
        Reply::Bytes(if settled { PAGE.to_vec() } else { BUSY.to_vec() })
    });
    let requests = |method: &str, path: &str, body: &str| {
        seen.store(0, Ordering::Release);
        let answer = play.send(method, path, "", body);
        (answer.status, answer.text(), seen.load(Ordering::Acquire))
    };
    assert_eq!(requests("GET", "/off", ""), (503, "busy".into(), 1));
    assert_eq!(requests("GET", "/", ""), (503, "busy".into(), 1));
    assert_eq!(requests("GET", "/twice/settles", ""), (200, "page".into(), 3));
    assert_eq!(requests("PUT", "/twice/settles", "kept and sent again"), (200, "page".into(), 3));
    assert_eq!(requests("GET", "/twice", ""), (503, "busy".into(), 3));
    assert_eq!(requests("POST", "/twice", "may have been acted on"), (503, "busy".into(), 1));
    let large = "x".repeat(100_000);
    assert_eq!(requests("PUT", "/twice", &large), (503, "busy".into(), 1));
    play.scene.wait_for_entry(r#""code":503,"flags":"URX","path":"/twice""#);
    assert!(play.scene.metrics().contains("egressctl_upstream_retries_total 6\n"), "{}", play.scene.metrics());
}

#[test]
fn connections_that_failed_are_tried_elsewhere_whatever_was_asked() {
    let origin = Origin::start(None, echo).expect("an origin");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    let entry = format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: a}}\nspec:\n  hosts: [a.example]\n  \
         resolution: STATIC\n  ports: [{{number: 80, name: http, protocol: HTTP}}]\n  endpoints:\n  - {{address: \
         127.0.0.1, ports: {{http: {}}}}}\n  - {{address: 127.0.0.1, ports: {{http: {}}}}}\n",
        closed.port(),
        origin.address.port()
    );
    scene.ok_with(&["create", "-f", "-"], &entry);
    let proxy = Proxied::start(&scene, &[]);
    for number in 0..10 {
        let mut client = proxy.connect();
        let body = format!("body {number}");
        client.send(
            format!(
                "POST http://a.example/ HTTP/1.1\r\nhost: a.example\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
            .as_bytes(),
        );
        let answer = client.read();
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.text().ends_with(&body), "{}", answer.text());
    }
}

#[test]
fn a_try_may_take_so_long_and_the_whole_so_long() {
    let http = format!("- {TO}\n  retries: {{attempts: 1, perTryTimeout: 50ms, retryOn: gateway-error, backoff: 1ms}}");
    let play = Play::new(&http, RECORDED, |_| Reply::Hang);
    assert_eq!(play.get("/").status, 504);
    assert_eq!(play.origin.requests(), 2);
    play.scene.wait_for_entry(r#""code":504,"flags":"URX,UT""#);
}

#[test]
fn the_sidecars_retries_are_around_the_gateways() {
    let sidecar = "retries: {attempts: 1, retryOn: 5xx, backoff: 1ms}";
    let gateway = "retries: {attempts: 2, retryOn: '503', backoff: 1ms}";
    let play = behind_the_gateway(&through_the_gateway(sidecar, gateway), |_| Reply::Bytes(BUSY.to_vec()));
    assert_eq!(play.get("/").status, 503);
    assert_eq!(play.origin.requests(), 6);
}

fn mirror_of(host: &str, answers: bool) -> (Origin, std::sync::mpsc::Receiver<String>) {
    let (sender, receiver) = std::sync::mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    let host = host.to_owned();
    let origin = Origin::start(None, move |received| {
        let text = format!("{host} {}{}", received.head, String::from_utf8_lossy(&received.body));
        let _ = sender.lock().expect("nobody panics").send(text);
        if answers { echo(received) } else { Reply::Hang }
    });
    (origin.expect("an origin"), receiver)
}

#[test]
fn mirrors_get_copies_and_never_hold_a_call_up() {
    let (silent, told) = mirror_of("m.example", false);
    let (other, told_other) = mirror_of("n.example", true);
    let more = format!(
        "---\n{}---\n{}",
        service_entry("m.example", silent.address),
        service_entry("n.example", other.address)
    );
    let http = format!(
        "
- {TO}
  mirrors:
  - {{destination: {{host: m.example}}}}
  - {{destination: {{host: n.example}}, percentage: {{value: 100}}}}
  - {{destination: {{host: n.example}}, percentage: {{value: 0}}}}
  - {{destination: {{host: unregistered.example}}}}
"
    );
    let play = Play::new(&http, &more, echo);
    let answer = play.send("POST", "/x?y=1", "", "copied");
    assert!(answer.text().ends_with("\r\n\r\ncopied"), "{}", answer.text());
    for told in [&told, &told_other] {
        let copy = told.recv_timeout(PATIENCE).expect("a copy");
        assert!(copy.contains("POST /x?y=1 HTTP/1.1") && copy.contains("host: a.example-shadow\r\n"), "{copy}");
        assert!(copy.ends_with("\r\n\r\ncopied"), "{copy}");
    }
    let large = "x".repeat(100_000);
    assert_eq!(play.send("POST", "/large", "", &large).status, 200);
    assert_eq!(play.get("/after").status, 200);
    assert!(told_other.recv_timeout(PATIENCE).expect("a copy").contains("GET /after"), "the large one is left out");
    let deadline = Instant::now() + PATIENCE;
    while !play.scene.metrics().contains("egressctl_not_mirrored_total 2\n") {
        assert!(Instant::now() < deadline, "{}", play.scene.metrics());
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn preflights_are_answered_and_origins_told_what_they_may_read() {
    let http = format!(
        "
- match: [{{uri: {{prefix: /strict}}}}]
  corsPolicy: {{allowOrigins: [{{exact: 'https://good.example'}}], unmatchedPreflights: IGNORE}}
  {TO}
- corsPolicy:
    allowOrigins: [{{exact: 'https://good.example'}}, {{regex: 'https://.*[.]ok[.]example'}}]
    allowMethods: [GET, PUT]
    allowHeaders: [x-a, x-b]
    exposeHeaders: [x-c]
    maxAge: 24h
    allowCredentials: true
  {TO}
"
    );
    let play = Play::new(&http, "", echo);
    let ask = |path: &str, origin: &str| {
        play.send("OPTIONS", path, &format!("origin: {origin}\r\naccess-control-request-method: PUT\r\n"), "")
    };
    let good = ask("/", "https://x.ok.example");
    assert_eq!((good.status, good.body.len(), play.origin.requests()), (200, 0, 0));
    for (name, value) in [
        ("access-control-allow-origin", "https://x.ok.example"),
        ("access-control-allow-methods", "GET,PUT"),
        ("access-control-allow-headers", "x-a,x-b"),
        ("access-control-max-age", "86400"),
        ("access-control-allow-credentials", "true"),
    ] {
        assert_eq!(header(&good, name), Some(value), "{name}");
    }
    let ignored = ask("/strict", "https://bad.example");
    assert_eq!((ignored.status, header(&ignored, "access-control-allow-origin")), (200, None));
    assert_eq!(play.origin.requests(), 0);
    let forwarded = ask("/", "https://bad.example");
    assert!(forwarded.text().starts_with("OPTIONS / HTTP/1.1"), "{}", forwarded.text());
    let read = play.send("GET", "/", "origin: https://good.example\r\n", "");
    assert_eq!(header(&read, "access-control-allow-origin"), Some("https://good.example"));
    assert_eq!(header(&read, "access-control-expose-headers"), Some("x-c"));
    assert_eq!(header(&play.get("/"), "access-control-allow-origin"), None);
}

#[test]
fn a_delegate_has_the_routes_of_its_root() {
    let delegate = "---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: leaf}
spec:
  http:
  - match: [{uri: {prefix: /api/v1}}]
    directResponse: {status: 201}
  - match: [{uri: {prefix: /elsewhere}}]
    directResponse: {status: 202}
  - directResponse: {status: 203}
";
    let http = format!(
        "
- match: [{{uri: {{prefix: /api}}}}]
  delegate: {{name: leaf}}
- match: [{{uri: {{prefix: /gone}}}}]
  delegate: {{name: nobody}}
- {TO}
"
    );
    let play = Play::new(&http, delegate, echo);
    for (path, status) in [("/api/v1/x", 201), ("/api/x", 203), ("/elsewhere", 200), ("/gone", 200)] {
        assert_eq!(play.get(path).status, status, "{path}");
        assert_eq!(play.trace(path)["status"], status, "{path}");
    }
    let tree = play.scene.ok(&["trace", "--from", "sleep", "http://a.example/api/v1"]);
    assert!(tree.contains("VirtualService default/a-example http[0], delegate default/leaf http[0]"), "{tree}");
    assert!(tree.contains("the VirtualService that it delegates to is not there"), "{tree}");
}

#[test]
fn what_trace_says_of_actions_is_what_the_proxy_does() {
    let mut http = String::new();
    for (path, action) in [
        ("/a", "redirect: {uri: /x, redirectCode: 302}"),
        ("/b", "directResponse: {status: 299}"),
        ("/c", &format!("{TO}\n  rewrite: {{uri: /}}")),
        ("/d", &format!("{TO}\n  rewrite: {{uri: /q/..}}")),
        ("/e", &format!("{TO}\n  fault: {{abort: {{httpStatus: 410, percentage: {{value: 100}}}}}}")),
        ("/f", "route: [{destination: {host: nowhere.example}}]"),
    ] {
        let _ = write!(http, "\n- match: [{{uri: {{prefix: {path}}}}}]\n  {action}");
    }
    let play = Play::new(&http, "", echo);
    for path in ["/a", "/ab?c", "/b", "/c", "/c/c", "/d", "/d/e", "/e", "/f", "/g", "/%61"] {
        let (answer, told) = (play.get(path), play.trace(path));
        assert_eq!(told["status"], answer.status, "{path}: {told}");
        assert_eq!(told["location"].as_str(), header(&answer, "location"), "{path}");
        if answer.status == 200 {
            let sent = answer.text();
            assert_eq!(told["path"].as_str(), sent.split(' ').nth(1), "{path}");
        }
    }
}

#[test]
fn what_cannot_be_carried_out_is_said_when_it_is_declared() {
    let scene = Stage::new();
    let problems = |http: &str| scene.told_with(&["create", "--dry-run=server", "-f", "-"], &routes("a.example", http));
    for (http, told) in [
        (
            format!("- {TO}\n  rewrite: {{uriRegexRewrite: {{match: '/(a)', rewrite: '/\\2'}}}}"),
            "rewrite.uriRegexRewrite: names a group that match does not have",
        ),
        (format!("- {TO}\n  rewrite: {{authority: 'a b'}}"), "rewrite.authority: sets a Host that is no name"),
        ("- directResponse: {status: 200, body: {bytes: '%'}}".to_owned(), "body.bytes: is no base64"),
        (format!("- {TO}\n  headers: {{request: {{set: {{x: '%NOPE%'}}}}}}"), "%NOPE% is empty here"),
        (format!("- {TO}\n  headers: {{response: {{remove: [Connection]}}}}"), "Connection frames the message"),
        ("- delegate: {name: leaf}".to_owned(), "no VirtualService leaf without hosts in namespace default"),
        (format!("- {TO}\n  mirror: {{host: m.example}}"), "no Service or ServiceEntry has the host m.example"),
    ] {
        let said = problems(&http);
        assert!(said.contains(told), "{told} in\n{said}");
    }
}
