//! What can be seen of a proxy from outside: Istio's standard metrics, bounds and their use, health.

use crate::proxied::{Client, Proxied, Site, with_origin};
use crate::stage::{Stage, until};

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
    let site = Site::new(&[]);
    let (proxy, ask) = watched(&site.scene, &["--resolve", &format!("edition.cnn.com:443:{}", site.origin.address)]);
    let mut client = proxy.connect();
    client.send(b"CONNECT edition.cnn.com:443 HTTP/1.1\r\nhost: edition.cnn.com:443\r\n\r\n");
    assert!(client.read_head().starts_with("HTTP/1.1 200"));
    let tunnel = |name: &str| value(&ask("/metrics").1, &[name, "edition.cnn.com", "tcp"]).unwrap_or_default();
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
