//! What can be seen of a proxy from outside: Istio's standard metrics, bounds and their use, health.

use crate::proxied::{Client, Proxied, with_origin};
use crate::stage::{Stage, service_entry, until};

/// A proxy with a port for metrics, and a client of that.
fn watched(scene: &Stage, arguments: &[&str]) -> (Proxied, impl Fn(&str) -> (u16, String) + use<>) {
    let mut proxy = Proxied::start(scene, &[&["--metrics-listen", "127.0.0.1:0"], arguments].concat());
    let told = proxy.wait_for("ready").lines().find_map(|line| line.trim().strip_prefix("metrics on http://"));
    let address = told.and_then(|told| told.strip_suffix("/metrics")?.parse().ok()).expect("it says where");
    let ask = move |path: &str| {
        let mut client = Client::to(address);
        client.send(format!("GET {path} HTTP/1.1\r\nhost: metrics\r\n\r\n").as_bytes());
        let answer = client.read();
        (answer.status, answer.text())
    };
    (proxy, ask)
}

/// The value of the one line that has all of these.
fn value(metrics: &str, parts: &[&str]) -> Option<f64> {
    let mut found =
        metrics.lines().filter(|line| !line.starts_with('#') && parts.iter().all(|part| line.contains(part)));
    let line = found.next()?;
    assert_eq!(found.next(), None, "{parts:?} are of one line");
    line.rsplit(' ').next()?.parse().ok()
}

#[test]
fn calls_are_counted_in_istios_standard_metrics() {
    let (scene, _origin) = with_origin("");
    let (proxy, ask) = watched(&scene, &[]);
    let mut client = proxy.connect();
    for _ in 0..3 {
        assert_eq!(client.get("http://a.example/").status, 200);
    }
    assert_eq!(client.get("http://nobody.example/").status, 502);
    let metrics = ask("/metrics").1;
    let sleep = [
        "reporter=\"source\"",
        "source_workload=\"sleep\"",
        "source_workload_namespace=\"default\"",
        "source_principal=\"spiffe://cluster.local/ns/default/sa/sleep\"",
        "request_protocol=\"http\"",
    ];
    let of = |parts: &[&str]| value(&metrics, &[&sleep[..], parts].concat());
    let answered = ["destination_service=\"a.example\"", "response_code=\"200\"", "response_flags=\"-\""];
    assert_eq!(of(&[&["istio_requests_total{"], &answered[..]].concat()), Some(3.0), "{metrics}");
    assert_eq!(of(&[&["istio_response_bytes_sum{"], &answered[..]].concat()), Some(12.0));
    assert_eq!(of(&[&["istio_request_duration_milliseconds_count{"], &answered[..]].concat()), Some(3.0));
    let made_up = ["istio_requests_total{", "destination_service=\"unknown\"", "response_code=\"502\""];
    assert_eq!(of(&made_up), Some(1.0), "callers make names up: {metrics}");
}

#[test]
fn tunnels_are_counted_as_connections() {
    let (scene, origin) = with_origin("");
    let database = service_entry("db.example", origin.address)
        .replace("80, name: http, protocol: HTTP", "5432, name: tcp, protocol: TCP");
    scene.ok_with(&["create", "-f", "-"], &database);
    let (proxy, ask) = watched(&scene, &[]);
    let mut client = proxy.connect();
    client.send(b"CONNECT db.example:5432 HTTP/1.1\r\nhost: db.example:5432\r\n\r\n");
    assert!(client.read_head().starts_with("HTTP/1.1 200"));
    let tunnel = |name: &str| value(&ask("/metrics").1, &[name, "db.example", "tcp"]).unwrap_or_default();
    until("the tunnel is counted as opened", || tunnel("istio_tcp_connections_opened_total{") == 1.0);
    assert_eq!(tunnel("istio_tcp_connections_closed_total{"), 0.0);
    assert_eq!(value(&ask("/metrics").1, &["egressctl_limit_used{limit=\"tunnels\"}"]), Some(1.0));
    drop(client);
    until("the tunnel is counted as closed", || {
        value(&ask("/metrics").1, &["egressctl_limit_used{limit=\"tunnels\"}"]) == Some(0.0)
    });
}

#[test]
fn what_a_prometheus_handler_declares_is_shown_in_place_of_a_standard_metric() {
    let handler = "\
apiVersion: config.istio.io/v1alpha2
kind: metric
metadata: {name: requestcount, namespace: istio-system}
spec: {value: '1', dimensions: {mine: '\"yes\"'}}
---
apiVersion: config.istio.io/v1alpha2
kind: prometheus
metadata: {name: handler, namespace: istio-system}
spec:
  metrics:
  - {name: requests_total, instance_name: requestcount.metric.istio-system, kind: COUNTER, label_names: [mine]}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: prom, namespace: istio-system}
spec: {actions: [{handler: handler.prometheus, instances: [requestcount.metric]}]}
";
    let (scene, _origin) = with_origin(handler);
    let (proxy, ask) = watched(&scene, &[]);
    assert_eq!(proxy.get("http://a.example/").status, 200);
    let metrics = ask("/metrics").1;
    assert_eq!(value(&metrics, &["istio_requests_total{"]), Some(1.0), "{metrics}");
    assert_eq!(value(&metrics, &["istio_requests_total{mine=\"yes\"}"]), Some(1.0));
    assert!(value(&metrics, &["istio_response_bytes_count{"]).is_some());
}

#[test]
fn a_proxy_that_drains_is_alive_and_not_ready() {
    let (scene, _origin) = with_origin("");
    let (mut proxy, ask) = watched(&scene, &[]);
    assert_eq!((ask("/healthz").0, ask("/readyz").0), (200, 200));
    let mut slow = proxy.connect();
    slow.send(b"POST http://a.example/ HTTP/1.1\r\nhost: a.example\r\ncontent-length: 2\r\n\r\n1");
    until("the call runs", || scene.wait_for_status()["queued"] == 1);
    let status = scene.ok(&["proxy", "status"]);
    assert!(status.contains("1 of ") && status.contains(" connections"), "{status}");
    scene.ok(&["proxy", "stop", "--no-wait"]);
    until("it drains", || ask("/readyz") == (503, "draining\n".to_owned()));
    assert_eq!(ask("/healthz").0, 200);
    slow.send(b"2");
    assert_eq!(slow.read().status, 200);
    assert!(proxy.wait().success());
}

#[test]
fn one_caller_does_not_take_the_connections_of_all() {
    let (scene, _origin) = with_origin("");
    let arguments = ["--workers", "1", "--max-connections-per-caller", "2", "--listen", "127.0.0.1:0=sleep"];
    let (mut proxy, ask) = watched(&scene, &arguments);
    let second =
        proxy.wait_for("ready").lines().filter_map(|line| line.split("sidecar of sleep.default on ").nth(1)).nth(1);
    let second = second.expect("two listeners").parse().expect("an address");
    let mut kept = [proxy.connect(), proxy.connect()];
    for client in &mut kept {
        assert_eq!(client.get("http://a.example/").status, 200);
    }
    let mut third = proxy.connect();
    let refused = third.read();
    assert_eq!((refused.status, refused.text().as_str()), (429, "egressctl: too many connections of this caller"));
    assert_eq!(Client::to(second).get("http://a.example/").status, 200, "another listener is another caller");
    let reached = ["egressctl_limit_reached_total{limit=\"connections_of_caller\"}"];
    assert_eq!(value(&ask("/metrics").1, &reached), Some(1.0));
    drop(kept);
    until("there is room again", || {
        let mut client = proxy.connect();
        client.send(b"GET http://a.example/ HTTP/1.1\r\nhost: a.example\r\n\r\n");
        client.read().status == 200
    });
}

#[test]
fn one_caller_has_so_many_requests_under_way_and_no_more() {
    let (scene, _origin) = with_origin("");
    let (proxy, ask) = watched(&scene, &["--workers", "1", "--max-requests-per-caller", "1"]);
    let mut slow = proxy.connect();
    slow.send(b"POST http://a.example/ HTTP/1.1\r\nhost: a.example\r\ncontent-length: 2\r\n\r\n1");
    until("the call runs", || scene.wait_for_status()["queued"] == 1);
    let mut other = proxy.connect();
    let refused = other.get("http://a.example/");
    assert_eq!(refused.status, 429);
    assert!(refused.text().contains("as many calls under way as one may have"), "{}", refused.text());
    slow.send(b"2");
    assert_eq!(slow.read().status, 200);
    assert_eq!(other.get("http://a.example/").status, 200);
    let reached = ["egressctl_limit_reached_total{limit=\"requests_of_caller\"}"];
    assert_eq!(value(&ask("/metrics").1, &reached), Some(1.0));
    assert!(scene.wait_for_entry("\"responseCode\":429").contains("under way"));
}

#[test]
fn heads_past_their_bounds_get_431_and_are_counted() {
    let (scene, _origin) = with_origin("");
    let (proxy, ask) = watched(&scene, &["--max-header-bytes", "8192", "--max-header-fields", "10"]);
    let reached = || value(&ask("/metrics").1, &["egressctl_limit_reached_total{limit=\"head\"}"]);
    let fields: String = (0..20).map(|field| format!("x-{field}: 1\r\n")).collect();
    let long = format!("x: {}\r\n", "1".repeat(9_000));
    for (number, headers) in [(1.0, fields), (2.0, long)] {
        let mut client = proxy.connect();
        client.send(format!("GET http://a.example/ HTTP/1.1\r\nhost: a.example\r\n{headers}\r\n").as_bytes());
        assert_eq!(client.read().status, 431);
        until("it is counted", || reached() == Some(number));
    }
}

#[test]
fn near_the_end_of_memory_calls_are_refused_at_once_and_the_proxy_is_alive() {
    let (scene, _origin) = with_origin("");
    let (proxy, ask) = watched(&scene, &["--max-memory", "1MiB"]);
    let refused = proxy.connect().read();
    assert_eq!((refused.status, refused.text().as_str()), (503, "egressctl: out of memory"));
    assert_eq!(ask("/healthz").0, 200);
    assert_eq!(ask("/readyz").0, 503);
    assert_eq!(value(&ask("/metrics").1, &["egressctl_limit_reached_total{limit=\"memory\"}"]), Some(1.0));
}
