//! How calls are spread over the endpoints of a destination, and what a destination takes.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use egressctl::cli::demo::origin::{Origin, Reply};

use crate::proxied::{Client, Proxied};
use crate::stage::{SCENARIO, Stage, until};

/// An origin that answers with its name and a status.
fn named(name: &'static str, status: &'static str) -> Origin {
    Origin::start(None, move |_| Reply::page(status, name.as_bytes())).expect("an origin")
}

/// A stage on which sleep may call pool.example, which is these origins, under a traffic policy.
fn stage(origins: &[&Origin], policy: &str) -> Stage {
    let endpoint = |origin: &&Origin| format!("{{address: 127.0.0.1, ports: {{http: {}}}}}", origin.address.port());
    let endpoints = origins.iter().map(endpoint).collect::<Vec<_>>().join(", ");
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    let manifests = format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: pool}}\nspec:\n  \
         hosts: [pool.example]\n  resolution: STATIC\n  ports: [{{number: 80, name: http, protocol: HTTP}}]\n  \
         endpoints: [{endpoints}]\n---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: \
         pool}}\nspec:\n  host: pool.example\n  trafficPolicy: {policy}\n"
    );
    scene.ok_with(&["create", "-f", "-"], &manifests);
    scene
}

fn answers(proxy: &Proxied, calls: usize) -> Vec<String> {
    (0..calls).map(|_| proxy.get("http://pool.example/").text()).collect()
}

#[test]
fn endpoints_take_turns() {
    let (a, b) = (named("a", "200 OK"), named("b", "200 OK"));
    let scene = stage(&[&a, &b], "{loadBalancer: {simple: ROUND_ROBIN}}");
    let proxy = Proxied::start(&scene, &["--workers", "1"]);
    let answers = answers(&proxy, 4);
    assert!(answers == ["a", "b", "a", "b"] || answers == ["b", "a", "b", "a"], "{answers:?}");
}

#[test]
fn an_endpoint_that_fails_again_and_again_is_left_out() {
    let (good, bad) = (named("good", "200 OK"), named("bad", "500 Internal Server Error"));
    let policy =
        "{loadBalancer: {simple: ROUND_ROBIN}, outlierDetection: {consecutive5xxErrors: 2, baseEjectionTime: 1h}}";
    let scene = stage(&[&good, &bad], policy);
    let proxy = Proxied::start(&scene, &["--workers", "1"]);
    let answers = answers(&proxy, 10);
    assert_eq!(answers.iter().filter(|answer| *answer == "bad").count(), 2, "{answers:?}");
    assert_eq!(bad.requests(), 2);
}

#[test]
fn without_any_endpoint_left_calls_are_refused() {
    let bad = named("bad", "503 Service Unavailable");
    let scene = stage(&[&bad], "{outlierDetection: {consecutiveGatewayErrors: 1, baseEjectionTime: 1h}}");
    let proxy = Proxied::start(&scene, &["--workers", "1"]);
    assert_eq!(answers(&proxy, 1), ["bad"]);
    let refused = proxy.get("http://pool.example/");
    assert_eq!(refused.status, 503);
    assert!(refused.text().contains("no healthy upstream"), "{}", refused.text());
    assert!(scene.wait_for_entry(refused.decision()).contains("\"flag\":\"UH\""));
}

#[test]
fn a_cookie_keeps_a_caller_at_its_endpoint() {
    let (a, b) = (named("a", "200 OK"), named("b", "200 OK"));
    let policy = "{loadBalancer: {consistentHash: {httpCookie: {name: stay, path: /, ttl: 60s}}}}";
    let scene = stage(&[&a, &b], policy);
    let proxy = Proxied::start(&scene, &[]);
    for _ in 0..4 {
        let first = proxy.get("http://pool.example/");
        let cookie = first.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie");
        let pair = cookie.split(';').next().expect("a pair").to_owned();
        for _ in 0..3 {
            let request = format!("GET http://pool.example/ HTTP/1.1\r\nhost: pool.example\r\ncookie: {pair}\r\n\r\n");
            let mut client = proxy.connect();
            client.send(request.as_bytes());
            let again = client.read();
            assert_eq!(again.text(), first.text());
            assert!(!again.head.contains("set-cookie"), "{}", again.head);
        }
    }
}

/// An origin that holds each answer back until it is told to give it, and tells of each request.
fn held_back() -> (Origin, Receiver<()>, Sender<()>) {
    let ((arrived, arrivals), (go, may_go)) = (channel(), channel::<()>());
    let (arrived, may_go) = (Mutex::new(arrived), Arc::new(Mutex::new(may_go)));
    let origin = Origin::start(None, move |_| {
        let _ = arrived.lock().expect("no panic").send(());
        let _ = may_go.lock().expect("no panic").recv();
        Reply::page("200 OK", b"late")
    });
    (origin.expect("an origin"), arrivals, go)
}

#[test]
fn a_full_connection_pool_refuses_what_may_not_wait() {
    let (origin, arrivals, go) = held_back();
    let policy = "{connectionPool: {tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 1}}}";
    let scene = stage(&[&origin], policy);
    let proxy = Proxied::start(&scene, &[]);
    let call = || {
        let address = proxy.address;
        std::thread::spawn(move || Client::to(address).get("http://pool.example/").status)
    };
    let first = call();
    arrivals.recv().expect("the first call is at the origin");
    // One of these waits, and the other finds the waiting place taken.
    let others = [call(), call(), call()];
    let mut statuses: Vec<u16> = Vec::new();
    until("all but one are refused", || scene.ok(&["logs", "--grep", "\"flag\":\"UO\"", "--count"]).trim() == "2");
    go.send(()).expect("it waits");
    go.send(()).expect("it waits");
    statuses.push(first.join().expect("no panic"));
    statuses.extend(others.into_iter().map(|call| call.join().expect("no panic")));
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 503, 503]);
    assert_eq!(origin.requests(), 2);
}

#[test]
fn a_connection_carries_no_more_calls_than_it_may() {
    let origin = named("a", "200 OK");
    let scene = stage(&[&origin], "{connectionPool: {http: {maxRequestsPerConnection: 2}}}");
    let proxy = Proxied::start(&scene, &["--workers", "1"]);
    assert_eq!(answers(&proxy, 4).len(), 4);
    assert_eq!(origin.connections(), 2);
}

#[test]
fn calls_go_to_the_nearest_endpoints_as_long_as_they_answer() {
    let (near, far) = (named("near", "200 OK"), named("far", "200 OK"));
    let scene = Stage::new();
    let endpoint = |origin: &Origin, locality: &str| {
        format!("{{address: 127.0.0.1, ports: {{http: {}}}, locality: {locality}}}", origin.address.port())
    };
    let manifests = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: sleep}}\nspec:\n  selector: {{matchLabels: {{app: sleep}}}}\n  template:\n    metadata: {{labels: {{app: \
         sleep, istio-locality: eu.one}}}}\n    spec: {{containers: [{{name: sleep, image: curl}}]}}\n---\n\
         apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: pool}}\nspec:\n  hosts: [pool.example]\n  \
         resolution: STATIC\n  ports: [{{number: 80, name: http, protocol: HTTP}}]\n  endpoints: [{}, {}]\n---\n\
         apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: pool}}\nspec:\n  host: pool.example\n  \
         trafficPolicy: {{outlierDetection: {{consecutive5xxErrors: 1}}}}\n",
        endpoint(&far, "us/one"),
        endpoint(&near, "eu/two"),
    );
    scene.ok_with(&["create", "-f", "-"], &manifests);
    let proxy = Proxied::start(&scene, &["--workers", "1"]);
    assert_eq!(answers(&proxy, 10), ["near"; 10]);
    let distribute = "{loadBalancer: {localityLbSetting: {distribute: [{from: eu/*, to: {us/*: 100}}]}}}";
    let rule = format!(
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: pool}}\nspec:\n  host: pool.example\n  \
         trafficPolicy: {distribute}\n"
    );
    scene.ok_with(&["replace", "-f", "-"], &rule);
    until("calls are distributed otherwise", || answers(&proxy, 4) == ["far"; 4]);
}
