//! What an OpenTelemetry collector is told of calls.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use egressctl::cli::demo::origin::{Identity, Origin, Received, Reply};
use serde_json::Value;

use crate::proxied::{Proxied, with_origin};
use crate::stage::{SCENARIO, Stage, service_entry, until};

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A collector that answers all that is posted; what was posted comes out here, as path and body.
fn collector() -> (String, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (sender, posted) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let sender = sender.clone();
            std::thread::spawn(move || take(&stream, &sender));
        }
    });
    (url, posted)
}

fn take(mut stream: &TcpStream, posted: &Sender<(String, Value)>) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
        let path = line.strip_prefix("POST ").and_then(|rest| rest.split(' ').next()).expect("a POST").to_owned();
        let (mut length, mut is_json) = (0, false);
        loop {
            line.clear();
            reader.read_line(&mut line).expect("a field");
            let field = line.trim_end().to_ascii_lowercase();
            match field.split_once(": ") {
                Some(("content-length", value)) => length = value.parse().expect("a length"),
                Some(("content-type", value)) => is_json = value == "application/json",
                Some(_) => {}
                None => break,
            }
        }
        assert!(is_json, "{path}");
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("a body");
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")
            .expect("sent");
        posted.send((path, serde_json::from_slice(&body).expect("JSON"))).expect("the test runs");
        line.clear();
    }
}

/// What all that was posted to a path holds of calls.
fn all(posted: &[(String, Value)], path: &str, [outer, middle, inner]: [&str; 3]) -> Vec<Value> {
    let of_path = posted.iter().filter(|(of, _)| of == path);
    of_path.flat_map(|(_, body)| body[outer][0][middle][0][inner].as_array().expect("a list").clone()).collect()
}

/// An attribute of a span.
fn attribute<'v>(span: &'v Value, name: &str) -> &'v Value {
    let found = span["attributes"].as_array().expect("a list").iter().find(|one| one["key"] == name);
    found.and_then(|one| one["value"].as_object()?.values().next()).unwrap_or(&Value::Null)
}

#[test]
fn a_collector_is_told_a_span_and_a_log_record_of_each_call_and_the_origin_the_span() {
    let origin = Origin::start(None, |received: &Received| Reply::page("200 OK", received.head.as_bytes()));
    let origin = origin.expect("an origin");
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    scene.ok_with(&["create", "-f", "-"], &service_entry("a.example", origin.address));
    let (url, posted) = collector();
    let mut proxy = Proxied::start(&scene, &["--otlp-endpoint", &url]);
    let mut client = proxy.connect();
    client.send(
        format!("GET http://a.example/x?y=z HTTP/1.1\r\nhost: a.example\r\ntraceparent: {TRACEPARENT}\r\n\r\n")
            .as_bytes(),
    );
    let answer = client.read();
    assert_eq!(answer.status, 200);
    let head = answer.text();
    assert_eq!(client.get("http://nobody.example/").status, 502);
    let metrics = scene.ok(&["proxy", "metrics"]);
    assert!(metrics.contains("\negressctl_otlp_dropped_total 0\n"), "{metrics}");
    // What is left is posted before the proxy ends, so none has to be waited for.
    drop(client);
    scene.ok(&["proxy", "stop"]);
    assert!(proxy.wait().success());
    let posted: Vec<_> = posted.try_iter().collect();

    let spans = all(&posted, "/v1/traces", ["resourceSpans", "scopeSpans", "spans"]);
    let logs = all(&posted, "/v1/logs", ["resourceLogs", "scopeLogs", "logRecords"]);
    assert_eq!((spans.len(), logs.len()), (2, 2), "{posted:?}");
    let (answered, refused) = (&spans[0], &spans[1]);
    assert_eq!(answered["traceId"], "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(answered["parentSpanId"], "b7ad6b7169203331");
    assert_eq!((&answered["name"], &answered["status"]), (&"egress a.example".into(), &serde_json::json!({})));
    assert_eq!(attribute(answered, "http.response.status_code"), "200");
    assert!(attribute(answered, "url.full").as_str().is_some_and(|url| url.ends_with("/x")), "{answered}");
    assert_eq!(attribute(answered, "source.workload"), "sleep");
    assert_eq!(attribute(answered, "egressctl.decision"), &answered["spanId"]);
    assert_eq!((&refused["status"]["code"], refused.get("parentSpanId")), (&2.into(), None));
    assert_eq!(attribute(refused, "egressctl.verdict"), "deny");
    for (span, log) in spans.iter().zip(&logs) {
        assert_eq!((&log["traceId"], &log["spanId"]), (&span["traceId"], &span["spanId"]));
        let record: Value = serde_json::from_str(log["body"]["stringValue"].as_str().expect("a text")).expect("JSON");
        assert_eq!(record["decision"], span["spanId"]);
    }

    let told = format!("00-0af7651916cd43dd8448eb211c80319c-{}-01", answered["spanId"].as_str().expect("a text"));
    let given: Vec<_> = head.lines().filter_map(|line| line.strip_prefix("traceparent: ")).collect();
    assert_eq!(given, [told]);
}

#[test]
fn a_collector_that_is_not_there_hurts_no_call_and_is_told_of_once() {
    let (scene, _origin) = with_origin("");
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let mut proxy = Proxied::start(&scene, &["--otlp-endpoint", &format!("http://{nobody}")]);
    let dropped =
        |calls: u64| scene.ok(&["proxy", "metrics"]).contains(&format!("egressctl_otlp_dropped_total {calls}\n"));
    for calls in 1..3 {
        assert_eq!(proxy.get("http://a.example/").status, 200);
        until("the call is counted as not exported", || dropped(calls));
    }
    scene.ok(&["proxy", "stop"]);
    let said = proxy.wait_for("stopped").to_owned();
    assert_eq!(said.matches("the OpenTelemetry collector is not told of calls").count(), 1, "{said}");
    assert!(proxy.wait().success());
}

/// A collector that is busy at first: what it took comes out here.
fn busy(identity: Option<&Identity>, refusals: usize) -> (Origin, Receiver<String>) {
    let ((sender, taken), asked) = (channel(), AtomicUsize::new(0));
    let sender = Mutex::new(sender);
    let collector = Origin::start(identity, move |received| {
        if asked.fetch_add(1, Ordering::Relaxed) < refusals {
            return Reply::Bytes(b"HTTP/1.1 503 Busy\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n".to_vec());
        }
        let text = String::from_utf8_lossy(&received.body).into_owned();
        sender.lock().expect("no panic").send(format!("{} {text}", received.path())).expect("the test runs");
        Reply::page("200 OK", b"{}")
    });
    (collector.expect("a collector"), taken)
}

/// Whether a path was told of once by either signal.
fn told_once(taken: &[String], path: &str) -> bool {
    let of = |signal: &str| taken.iter().filter(|one| one.starts_with(signal) && one.contains(path)).count();
    (of("/v1/traces "), of("/v1/logs ")) == (1, 1)
}

#[test]
fn a_collector_of_https_that_is_busy_is_asked_once_more() {
    let identity = Identity::new(&["127.0.0.1"], 2020..2120).expect("a certificate");
    let (collector, taken) = busy(Some(&identity), 1);
    let (scene, _origin) = with_origin("");
    let ca = scene.write("ca.pem", &identity.ca_pem);
    let url = format!("https://{}", collector.address);
    let mut proxy = Proxied::start(&scene, &["--ca-file", &ca, "--otlp-endpoint", &url]);
    assert_eq!(proxy.get("http://a.example/told").status, 200);
    scene.ok(&["proxy", "stop"]);
    assert!(proxy.wait().success());
    let taken: Vec<_> = taken.try_iter().collect();
    assert!(told_once(&taken, "/told"), "{taken:?}");
    let said = proxy.wait_for("stopped");
    assert!(!said.contains("is not told of calls"), "{said}");
}

#[test]
fn what_a_process_has_not_told_yet_it_tells_when_another_one_has_replaced_it() {
    let (collector, taken) = busy(None, 0);
    let (scene, _origin) = with_origin("");
    let url = format!("http://{}", collector.address);
    let mut old = Proxied::start(&scene, &["--otlp-endpoint", &url]);
    assert_eq!(old.get("http://a.example/old").status, 200);
    let mut new = Proxied::start(&scene, &["--otlp-endpoint", &url, "--replace"]);
    assert!(old.wait().success());
    assert_eq!(new.get("http://a.example/new").status, 200);
    scene.ok(&["proxy", "stop"]);
    assert!(new.wait().success());
    let taken: Vec<_> = taken.try_iter().collect();
    assert!(told_once(&taken, "/old") && told_once(&taken, "/new"), "{taken:?}");
}

#[test]
fn a_collectors_url_is_one_of_http_without_credentials() {
    let (scene, _origin) = with_origin("");
    for url in ["127.0.0.1:4318", "grpc://a.example", "http://user:word@a.example", "http://a.example/?x"] {
        let arguments = ["proxy", "start", "--listen", "127.0.0.1:0", "--otlp-endpoint", url];
        let output = scene.command(&arguments).output().expect("it runs");
        assert!(!output.status.success());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("expected a URL without credentials"), "{url}: {said}");
    }
}
