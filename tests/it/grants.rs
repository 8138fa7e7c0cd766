//! Grants: what they let go, what they never do, and that they end.

use std::io::Read as _;

use egressctl::cli::demo::origin::{Origin, Received, Reply};

use crate::proxied::{Client, Proxied, with_origin};
use crate::stage::{SCENARIO, Stage, service_entry, until};

/// Refuses all calls to paths below /secret.
const DENY: &str = "\
apiVersion: config.istio.io/v1alpha2
kind: denier
metadata: {name: deny, namespace: istio-system}
spec: {status: {code: 7, message: secret}}
---
apiVersion: config.istio.io/v1alpha2
kind: checknothing
metadata: {name: deny, namespace: istio-system}
spec: {}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: deny, namespace: istio-system}
spec:
  match: request.path.startsWith(\"/secret\")
  actions: [{handler: deny.denier, instances: [deny.checknothing]}]
";

/// A line for each call that has the grant's name.
const GRANTED: &str = "\
apiVersion: config.istio.io/v1alpha2
kind: logentry
metadata: {name: granted, namespace: istio-system}
spec:
  severity: '\"info\"'
  variables: {grant: 'grant.name | \"none\"', path: request.path, reason: 'grant.reason | \"none\"'}
---
apiVersion: config.istio.io/v1alpha2
kind: stdio
metadata: {name: granted, namespace: istio-system}
spec: {outputAsJson: true}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: granted, namespace: istio-system}
spec:
  actions: [{handler: granted.stdio, instances: [granted.logentry]}]
";

/// Grants to sleep; the name of the grant.
fn allow(scene: &Stage, target: &str, more: &[&str]) -> String {
    let fixed = ["allow", target, "--from", "sleep", "--reason", "incident 4711"];
    let told = scene.ok(&[&fixed[..], more].concat());
    let name = told.strip_prefix("grant.egressctl.io/").and_then(|rest| rest.strip_suffix(" created\n"));
    name.expect("kubectl's line").to_owned()
}

fn status(proxy: &Proxied, url: &str) -> u16 {
    proxy.get(url).status
}

#[test]
fn what_a_check_refuses_goes_by_a_grant_for_that_path_alone() {
    let (scene, _origin) = with_origin(&format!("{DENY}---\n{GRANTED}"));
    let proxy = Proxied::start(&scene, &[]);
    assert_eq!(status(&proxy, "http://a.example/secret/a"), 403);
    let name = allow(&scene, "a.example:80/secret/a", &["--for", "10m"]);
    until("the grant is in force", || status(&proxy, "http://a.example/secret/a") == 200);
    for (path, expected) in [("/secret/a/b", 200), ("/secret/ab", 403), ("/secret/a/../b", 403), ("/secret", 403)] {
        assert_eq!(status(&proxy, &format!("http://a.example{path}")), expected, "{path}");
    }
    let entry = scene.wait_for_entry("allowed by grant");
    for part in [
        format!("\"grant\":\"{name}.default\""),
        "\"grantReason\":\"incident 4711\"".into(),
        format!("\"reason\":\"allowed by grant {name}.default: PERMISSION_DENIED:deny.denier.istio-system:secret\""),
        "\"level\":\"warn\"".into(),
        "\"responseCode\":200".into(),
    ] {
        assert!(entry.contains(&part), "{part} in {entry}");
    }
    let line = scene.wait_for_entry(&format!("granted.logentry.istio-system\",\"grant\":\"{name}.default\""));
    assert!(line.contains("\"reason\":\"incident 4711\""), "{line}");
    let id = entry.split("\"decision\":\"").nth(1).and_then(|rest| rest.get(..16)).expect("an id");
    let why = scene.ok(&["why", id]);
    assert!(why.contains("incident 4711") && why.contains(&name), "{why}");
    let traced = scene.ok(&["trace", "--from", "sleep", "http://a.example/secret/a"]);
    assert!(traced.contains(&format!("allowed by grant {name}.default until ")), "{traced}");
    let listed = scene.ok(&["get", "grants"]);
    let cells: Vec<&str> = listed.lines().nth(1).expect("a row").split_whitespace().collect();
    assert_eq!(cells[..4], [&name, "sleep", "a.example:80/secret/a", "any"], "{listed}");
    scene.ok(&["delete", "grant", &name]);
    until("it is taken back", || status(&proxy, "http://a.example/secret/a") == 403);
    // A call that needs no grant is no grant's.
    assert_eq!(status(&proxy, "http://a.example/open"), 200);
    let line = scene.wait_for_entry("\"path\":\"/open\"");
    assert!(line.contains("\"grant\":\"none\""), "{line}");
}

#[test]
fn a_host_that_nobody_registered_can_be_called_by_a_grant_and_private_addresses_never() {
    let origin = Origin::start(None, |_: &Received| Reply::page("200 OK", b"page")).expect("an origin");
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    let resolve = format!("new.example.com:80:{}", origin.address);
    let proxy = Proxied::start(&scene, &["--resolve", &resolve]);
    assert_eq!(status(&proxy, "http://new.example.com/"), 502);
    allow(&scene, "new.example.com", &["--for", "10m"]);
    until("the grant is in force", || status(&proxy, "http://new.example.com/x") == 200);
    assert_eq!(status(&proxy, "http://other.example.com/"), 502);
    // A tunnel, with what is spoken on that port.
    let mut client = proxy.connect();
    client.send(b"CONNECT new.example.com:80 HTTP/1.1\r\nhost: new.example.com:80\r\n\r\n");
    assert!(client.read_head().starts_with("HTTP/1.1 200"));
    client.send(b"GET /inside HTTP/1.1\r\nhost: new.example.com\r\n\r\n");
    assert_eq!(client.read().status, 200);
    let entry = scene.wait_for_entry("allowed by grant");
    assert!(entry.contains("no ServiceEntry or VirtualService knows this host and port"), "{entry}");
    let refused = scene.fails(&["allow", "10.0.0.7", "--from", "sleep", "--for", "1m", "--reason", "r"]);
    assert!(refused.contains("private address, which no grant overrides"), "{refused}");
    scene.fails(&["allow", "a.example", "--from", "nobody", "--for", "1m", "--reason", "r"]);
    scene.ok_with(
        &["create", "-f", "-"],
        "apiVersion: egressctl.io/v1alpha1\nkind: Grant\nmetadata: {name: metadata}\nspec: {workload: sleep, host: \
         169.254.169.254, expirationTimestamp: '2100-01-01T00:00:00Z', reason: r}\n",
    );
    until("private addresses stay refused", || status(&proxy, "http://169.254.169.254/latest") == 403);
}

#[test]
fn a_route_that_is_not_there_is_gone_around_straight_to_the_service() {
    let origin = Origin::start(None, |_: &Received| Reply::page("200 OK", b"page")).expect("an origin");
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    let routes = "\
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a}
spec:
  hosts: [a.example]
  http:
  - match: [{uri: {prefix: /open}}]
    route: [{destination: {host: a.example}}]
";
    scene.ok_with(&["create", "-f", "-"], &format!("{}{routes}", service_entry("a.example", origin.address)));
    let proxy = Proxied::start(&scene, &[]);
    assert_eq!((status(&proxy, "http://a.example/open"), status(&proxy, "http://a.example/closed")), (200, 404));
    allow(&scene, "a.example/closed", &["--for", "10m"]);
    until("the grant is in force", || status(&proxy, "http://a.example/closed") == 200);
    assert_eq!(status(&proxy, "http://a.example/other"), 404);
}

#[test]
fn uses_are_counted_and_a_restart_gives_no_more_of_them() {
    let (scene, _origin) = with_origin(DENY);
    allow(&scene, "a.example", &["--for", "10m", "--uses", "3"]);
    let proxy = Proxied::start(&scene, &[]);
    let used = |expected: &str| {
        until("what was used is written down", || {
            scene.ok(&["get", "grants", "-o", "jsonpath={.items[0].status.used}"]) == expected
        });
    };
    assert_eq!(status(&proxy, "http://a.example/open"), 200, "which takes no use");
    assert_eq!([1, 2].map(|_| status(&proxy, "http://a.example/secret")), [200, 200]);
    used("2");
    // Killed.
    drop(proxy);
    let proxy = Proxied::start(&scene, &[]);
    assert_eq!([1, 2].map(|_| status(&proxy, "http://a.example/secret")), [200, 403]);
    used("3");
    let listed = scene.ok(&["get", "grants"]);
    assert_eq!(listed.lines().nth(1).and_then(|row| row.split_whitespace().nth(3)), Some("0"), "{listed}");
}

#[test]
fn at_its_end_new_calls_are_refused_and_tunnels_closed() {
    let (scene, _origin) = with_origin("");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let resolve = format!("db.example.com:7000:{}", listener.local_addr().expect("bound"));
    let proxy = Proxied::start(&scene, &["--resolve", &resolve]);
    let open = || {
        let mut client = proxy.connect();
        client.send(b"CONNECT db.example.com:7000 HTTP/1.1\r\nhost: db.example.com:7000\r\n\r\n");
        let opened = client.read_head().starts_with("HTTP/1.1 200");
        opened.then_some(client)
    };
    // Both its ends, when something has gone through.
    let used = |mut client: Client| {
        let (mut origin, _) = listener.accept().expect("the proxy has connected");
        client.send(b"ping");
        origin.read_exact(&mut [0; 4]).expect("what was sent");
        (client, origin)
    };
    let ends = |(mut client, mut origin): (Client, std::net::TcpStream)| {
        assert!(client.closed(), "the tunnel is closed");
        assert_eq!(origin.read(&mut [0; 4]).expect("closed in order"), 0);
    };
    assert!(open().is_none());
    let opened = || {
        let found = std::cell::Cell::new(None);
        until("the grant is in force", || {
            found.set(open());
            let client = found.take();
            let there = client.is_some();
            found.set(client);
            there
        });
        found.take().expect("a tunnel")
    };
    // By its time.
    allow(&scene, "db.example.com:7000", &["--for", "15s"]);
    ends(used(opened()));
    assert!(open().is_none());
    until("its end is written down", || scene.ok(&["get", "grants"]).contains("Expired"));
    let entry = scene.wait_for_entry("allowed by grant");
    assert!(entry.contains("db.example.com:7000"), "{entry}");
    // By being deleted.
    let name = allow(&scene, "db.example.com:7000", &["--for", "10m"]);
    let tunnel = used(opened());
    scene.ok(&["delete", "grant", &name]);
    ends(tunnel);
    assert!(open().is_none());
}

#[test]
fn at_the_end_of_a_grant_a_websocket_is_closed() {
    let (scene, _origin) = with_origin(DENY);
    let echo = crate::upgrades::echo();
    let manifest = service_entry("ws.example", echo);
    scene.ok_with(&["create", "-f", "-"], &manifest);
    let proxy = Proxied::start(&scene, &[]);
    let open = || {
        let stream = std::net::TcpStream::connect(proxy.address).expect("it listens");
        stream.set_read_timeout(Some(crate::proxied::PATIENCE)).expect("a socket");
        tungstenite::client("ws://ws.example/secret/chat", stream).ok().map(|(socket, _)| socket)
    };
    assert!(open().is_none());
    let name = allow(&scene, "ws.example", &["--for", "10m"]);
    until("the grant is in force", || open().is_some());
    let mut socket = open().expect("it is in force");
    socket.send(tungstenite::Message::text("still")).expect("open");
    assert_eq!(socket.read().expect("an echo").to_text().expect("text"), "still");
    scene.ok(&["delete", "grant", &name]);
    assert!(socket.read().is_err(), "it is closed");
    assert!(open().is_none());
}

#[test]
fn a_grant_is_for_one_host_and_has_a_reason() {
    let scene = Stage::new();
    for (target, reason) in [("*", "x"), ("*.a.example", "x"), ("a.example", "")] {
        let told = scene.fails(&["allow", target, "--from", "sleep", "--for", "5m", "--reason", reason]);
        assert!(told.contains("one host") || told.contains("--reason"), "{told}");
    }
}
