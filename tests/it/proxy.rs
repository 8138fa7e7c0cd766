//! What callers get from a proxy, from good origins and from bad ones.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use egressctl::cli::demo::origin::{Identity, Origin, Received, Reply};

use crate::proxied::{PATIENCE, Proxied};
use crate::stage::{SCENARIO, Stage, service_entry as entry};

fn tls_rule(host: &str) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata:\n  name: {}\nspec:\n  host: {host}\n  \
         trafficPolicy: {{tls: {{mode: SIMPLE}}}}\n",
        host.replace('.', "-"),
    )
}

fn timeout_rule(host: &str) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: {}\nspec:\n  hosts: [{host}]\n  \
         http: [{{timeout: 200ms, route: [{{destination: {{host: {host}}}}}]}}]\n",
        host.replace('.', "-"),
    )
}

fn page(_: &Received) -> Reply {
    Reply::page("200 OK", b"hello")
}

fn scene_with(manifests: &str) -> Stage {
    let scene = Stage::new();
    scene.ok_with(&["create", "-f", "-"], manifests);
    scene
}

/// Reads a request without body; an answer before that would be to nothing that was asked.
fn read_request(stream: &mut TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        std::io::Read::read_exact(stream, &mut byte).expect("a request");
        head.extend(byte);
    }
}

/// An origin that speaks before it has read anything, as one without TLS does to a handshake.
fn answers_at_once(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(answer);
        }
    });
    address
}

/// A port on which nobody listens.
fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

#[test]
fn absolute_and_origin_form_requests_are_forwarded_on_kept_connections() {
    let origin = Origin::start(None, |received| Reply::page("200 OK", received.head.as_bytes())).expect("an origin");
    let scene = scene_with(&entry("a.example", origin.address));
    let proxy = Proxied::start(&scene, &["--workers", "1"]);
    let mut client = proxy.connect();
    for _ in 0..5 {
        let answer = client.get("http://a.example/x?y=1");
        assert_eq!(answer.status, 200);
        assert!(answer.text().starts_with("GET /x?y=1 HTTP/1.1\r\n"), "{}", answer.text());
        assert!(answer.text().contains("host: a.example\r\n"), "{}", answer.text());
    }
    client.send(b"GET /x HTTP/1.1\r\nHost: A.example:80\r\n\r\n");
    assert!(client.read().text().contains("host: a.example\r\n"));
    assert_eq!(origin.connections(), 1, "six calls share one upstream connection");
}

#[test]
fn what_is_forwarded_is_what_was_judged() {
    let origin = Origin::start(None, |received| Reply::page("200 OK", received.head.as_bytes())).expect("an origin");
    let scene = scene_with(&entry("a.example", origin.address));
    let proxy = Proxied::start(&scene, &[]);
    let mut client = proxy.connect();
    client.send(
        b"GET http://a.example/sport/../%70olitics HTTP/1.1\r\nHost: A.example\r\nConnection: x-secret\r\n\
          X-Secret: 1\r\nProxy-Authorization: Basic eDp5\r\nX-Envoy-Original-Path: /sport\r\n\r\n",
    );
    let seen = client.read().text();
    assert!(seen.starts_with("GET /politics HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains("host: a.example\r\n"), "{seen}");
    for absent in ["secret", "authorization", "envoy", "A.example"] {
        assert!(!seen.contains(absent), "{absent} in {seen}");
    }
}

#[test]
fn bodies_stream_both_ways() {
    let echo = |received: &Received| Reply::page("200 OK", &received.body);
    let origin = Origin::start(None, echo).expect("an origin");
    let scene = scene_with(&entry("a.example", origin.address));
    let proxy = Proxied::start(&scene, &[]);
    let body = vec![b'b'; 8 * 1024 * 1024];
    let mut client = proxy.connect();
    client.send(
        format!("POST http://a.example/ HTTP/1.1\r\nhost: a.example\r\ncontent-length: {}\r\n\r\n", body.len())
            .as_bytes(),
    );
    client.send(&body);
    assert!(client.read().body == body);
}

#[test]
fn the_first_bytes_of_an_answer_arrive_before_its_last_are_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let scene = scene_with(&entry("a.example", listener.local_addr().expect("bound")));
    let proxy = Proxied::start(&scene, &[]);
    let mut client = proxy.connect();
    client.send(b"GET http://a.example/ HTTP/1.1\r\nhost: a.example\r\n\r\n");
    let (mut upstream, _) = listener.accept().expect("the proxy connects");
    read_request(&mut upstream);
    upstream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nfirst").expect("it reads");
    client.read_head();
    assert_eq!(client.read_exactly(5), b"first");
    upstream.write_all(b"-last").expect("it reads");
    assert_eq!(client.read_exactly(5), b"-last");
}

#[test]
fn an_origin_that_stops_in_its_body_is_not_waited_for_for_ever() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let scene = scene_with(&entry("a.example", listener.local_addr().expect("bound")));
    let proxy = Proxied::start(&scene, &["--response-timeout", "200ms"]);
    let mut client = proxy.connect();
    client.send(b"GET http://a.example/ HTTP/1.1\r\nhost: a.example\r\n\r\n");
    let (mut upstream, _) = listener.accept().expect("the proxy connects");
    read_request(&mut upstream);
    upstream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nfirst").expect("it reads");
    client.read_head();
    assert_eq!(client.read_exactly(5), b"first");
    assert!(client.closed());
    assert!(scene.wait_for_entry("a.example").contains("\"flag\":\"SI\""));
}

#[test]
fn a_client_that_does_not_read_its_answer_is_not_waited_for_for_ever() {
    let endless = |_: &Received| Reply::page("200 OK", &vec![b'x'; 64 * 1024 * 1024]);
    let origin = Origin::start(None, endless).expect("an origin");
    let scene = scene_with(&entry("a.example", origin.address));
    let proxy = Proxied::start(&scene, &["--response-timeout", "2s"]);
    let mut client = proxy.connect();
    client.send(b"GET http://a.example/ HTTP/1.1\r\nhost: a.example\r\n\r\n");
    client.read_head();
    // On a machine that is busy enough the origin may be the one that pauses for too long.
    let ended = |name| metric(&scene.metrics(), name) == 1;
    wait_until(|| ended("egressctl_abandoned_total") || ended("egressctl_refused_total"));
}

#[test]
fn a_body_in_chunks_reaches_the_origin_whatever_the_method() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let scene = scene_with(&entry("a.example", listener.local_addr().expect("bound")));
    let proxy = Proxied::start(&scene, &[]);
    let mut client = proxy.connect();
    client.send(b"GET http://a.example/ HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n");
    client.send(b"5\r\nabcde\r\n0\r\n\r\n");
    let (mut upstream, _) = listener.accept().expect("the proxy connects");
    read_request(&mut upstream);
    let mut body = [0; 15];
    std::io::Read::read_exact(&mut upstream, &mut body).expect("the body");
    assert_eq!(&body, b"5\r\nabcde\r\n0\r\n\r\n");
}

#[test]
fn a_body_that_breaks_off_is_the_callers_fault() {
    let origin = Origin::start(None, page).expect("an origin");
    let scene = scene_with(&entry("a.example", origin.address));
    let proxy = Proxied::start(&scene, &[]);
    let mut client = proxy.connect();
    client.send(b"POST http://a.example/ HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n");
    let entry = scene.wait_for_entry("a.example");
    assert!(entry.contains("\"flag\":\"DPE\""), "{entry}");
}

#[test]
fn the_version_of_an_answer_is_that_of_the_connection() {
    let old = |_: &Received| Reply::Last(b"HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\nold".to_vec());
    let origin = Origin::start(None, old).expect("an origin");
    let scene = scene_with(&entry("a.example", origin.address));
    let proxy = Proxied::start(&scene, &[]);
    let mut client = proxy.connect();
    for _ in 0..2 {
        let answer = client.get("http://a.example/");
        assert!(answer.head.starts_with("HTTP/1.1 200"), "{}", answer.head);
    }
}

#[test]
fn a_client_that_leaves_cancels_its_call() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let scene = scene_with(&entry("a.example", listener.local_addr().expect("bound")));
    let proxy = Proxied::start(&scene, &[]);
    let request = b"GET http://a.example/ HTTP/1.1\r\nhost: a.example\r\n\r\n";
    // Whether or not it has sent more than that, and more than is read ahead.
    for ahead in [0, 1, 60_000, 100_000] {
        let mut client = proxy.connect();
        client.send(&[request.as_slice(), &b"G".repeat(ahead)].concat());
        let (mut upstream, _) = listener.accept().expect("the proxy connects");
        read_request(&mut upstream);
        drop(client);
        upstream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let read = std::io::Read::read(&mut upstream, &mut [0; 1]);
        assert!(matches!(read, Ok(0)), "the upstream connection is closed, not {read:?}, with {ahead} bytes ahead");
    }
}

#[test]
fn every_way_an_origin_can_fail_has_its_status_and_its_entry() {
    let refused = closed_port();
    let hangs = Origin::start(None, |_| Reply::Hang).expect("an origin");
    let closes = Origin::start(None, |_| Reply::Last(Vec::new())).expect("an origin");
    let garbage = Origin::start(None, |_| Reply::Last(b"\x00\x01 no HTTP at all\r\n\r\n".to_vec())).expect("an origin");
    let plain = answers_at_once(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
    let expired = Identity::new(&["expired.example"], 2001..2002).expect("a certificate");
    let foreign = Identity::new(&["foreign.example"], 2020..2120).expect("a certificate");
    let other_name = Identity::new(&["another.example"], 2020..2120).expect("a certificate");
    let scene = Stage::new();
    let ca = scene.write("ca.pem", &format!("{}{}", expired.ca_pem, other_name.ca_pem));
    let serve = |identity: &Identity| Origin::start(Some(identity), page).expect("an origin");
    let (expired, foreign, other_name) = (serve(&expired), serve(&foreign), serve(&other_name));
    let cases = [
        ("refused.example", refused, false, 503, "URX,UF", "could not be reached"),
        ("hangs.example", hangs.address, false, 504, "UT", "timeout"),
        ("closes.example", closes.address, false, 503, "UC", "closed the connection"),
        ("garbage.example", garbage.address, false, 502, "UPE", "no HTTP"),
        ("plain.example", plain, true, 503, "URX,UF", "no TLS"),
        ("expired.example", expired.address, true, 503, "URX,UF", "expired"),
        ("foreign.example", foreign.address, true, 503, "URX,UF", "unknown issuer"),
        ("wrong-name.example", other_name.address, true, 503, "URX,UF", "another name"),
    ];
    let manifests: Vec<String> = cases
        .iter()
        .map(|(host, address, tls, ..)| {
            let tls = if *tls { tls_rule(host) } else { String::new() };
            format!("{}{}{tls}", entry(host, *address), timeout_rule(host))
        })
        .collect();
    scene.ok_with(&["create", "-f", "-"], &manifests.join("---\n"));
    let proxy = Proxied::start(&scene, &["--ca-file", &ca]);
    let mut neighbour = proxy.connect();
    for (host, _, _, status, flag, reason) in cases {
        let answer = proxy.get(&format!("http://{host}/"));
        assert_eq!(answer.status, status, "{host}: {}", answer.text());
        assert!(answer.text().contains(reason), "{host}: {}", answer.text());
        let entry = scene.wait_for_entry(host);
        assert!(entry.contains(&format!("\"flag\":\"{flag}\"")), "{entry}");
        // A neighbour's kept connection is not touched by any of it.
        assert_eq!(neighbour.get("http://unknown.example/").status, 502);
    }
}

#[test]
fn answers_that_can_be_read_in_two_ways_are_not_passed_on() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"[..],
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 5\r\n\r\nabcde",
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
    ] {
        let origin = Origin::start(None, move |_| Reply::Last(answer.to_vec())).expect("an origin");
        let scene = scene_with(&entry("a.example", origin.address));
        let proxy = Proxied::start(&scene, &[]);
        assert_eq!(proxy.get("http://a.example/").status, 502, "{}", String::from_utf8_lossy(answer));
    }
}

#[test]
fn what_an_origin_sends_beyond_its_answer_reaches_nobody() {
    let twice = |_: &Received| {
        Reply::Bytes(
            b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\noneHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison"
                .to_vec(),
        )
    };
    let origin = Origin::start(None, twice).expect("an origin");
    let scene = scene_with(&entry("a.example", origin.address));
    let proxy = Proxied::start(&scene, &["--workers", "1"]);
    for _ in 0..3 {
        assert_eq!(proxy.get("http://a.example/").text(), "one");
    }
}

#[test]
fn a_rule_may_name_the_authority_the_names_and_nothing_at_all() {
    let identity = Identity::new(&["cdn.example"], 2020..2120).expect("a certificate");
    let origin = Origin::start(Some(&identity), page).expect("an origin");
    let scene = Stage::new();
    let ca = scene.write("ca.pem", &identity.ca_pem);
    let cases = [
        ("own-ca.example", format!("{{mode: SIMPLE, sni: cdn.example, caCertificates: {ca}}}"), 200),
        (
            "san.example",
            format!("{{mode: SIMPLE, caCertificates: {ca}, subjectAltNames: [other.example, cdn.example]}}"),
            200,
        ),
        ("other-san.example", format!("{{mode: SIMPLE, caCertificates: {ca}, subjectAltNames: [other.example]}}"), 503),
        ("no-ca.example", "{mode: SIMPLE, sni: cdn.example}".into(), 503),
        ("missing-ca.example", "{mode: SIMPLE, sni: cdn.example, caCertificates: /nowhere/ca.pem}".into(), 503),
        ("insecure.example", "{mode: SIMPLE, insecureSkipVerify: true}".into(), 200),
        // The handshake alert that answers plain text is no HTTP.
        ("plain.example", "{mode: DISABLE}".into(), 502),
    ];
    let manifests: Vec<String> = cases
        .iter()
        .map(|(host, tls, _)| {
            let rule = tls_rule(host).replace("{mode: SIMPLE}", tls);
            format!("{}{}{rule}", entry(host, origin.address), timeout_rule(host))
        })
        .collect();
    scene.ok_with(&["create", "-f", "-"], &manifests.join("---\n"));
    let proxy = Proxied::start(&scene, &[]);
    for (host, tls, status) in cases {
        let answer = proxy.get(&format!("http://{host}/"));
        assert_eq!(answer.status, status, "{host} {tls}: {}", answer.text());
    }
}

#[test]
fn requests_that_are_no_proper_http_are_refused() {
    let origin = Origin::start(None, page).expect("an origin");
    let scene = scene_with(&entry("a.example", origin.address));
    let proxy = Proxied::start(&scene, &[]);
    let huge = format!("GET http://a.example/ HTTP/1.1\r\nhost: a.example\r\nx: {}\r\n\r\n", "x".repeat(65 * 1024));
    let cases: [(&[u8], u16); 7] = [
        (b"this is no request line\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a.example\r\nhost: b.example\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", 400),
        (b"GET http://a.example/%00 HTTP/1.1\r\nhost: a.example\r\n\r\n", 400),
        (b"CONNECT a.example:443 HTTP/1.1\r\nhost: a.example:443\r\n\r\n", 502),
        (huge.as_bytes(), 431),
    ];
    let mut neighbour = proxy.connect();
    for (request, status) in cases {
        let mut client = proxy.connect();
        client.send(request);
        assert_eq!(client.read().status, status, "{}", String::from_utf8_lossy(&request[..request.len().min(80)]));
        assert_eq!(neighbour.get("http://a.example/").status, 200);
    }
    assert!(scene.wait_for_entry("no HTTP/1.1 request").contains("\"responseCode\":400"));
    let metrics = scene.metrics();
    let refused: u64 =
        metric(&metrics, "egressctl_bad_connections_total") + metric(&metrics, "egressctl_refused_total");
    assert!(refused >= 7, "{metrics}");
}

fn metric(text: &str, name: &str) -> u64 {
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()).unwrap_or_default()
}

#[test]
fn an_unknown_host_is_refused_and_logged_with_the_reason() {
    let scene = Stage::new();
    let proxy = Proxied::start(&scene, &[]);
    let answer = proxy.get("http://unknown.example/secret?token=1");
    assert_eq!(answer.status, 502);
    assert!(answer.text().contains("no ServiceEntry"), "{}", answer.text());
    let entry = scene.wait_for_entry("unknown.example");
    assert!(entry.contains("\"level\":\"error\"") && entry.contains("no ServiceEntry"), "{entry}");
    assert!(!entry.contains("token"), "{entry}");
}

#[test]
fn a_change_is_in_force_on_kept_connections_and_a_broken_one_leaves_the_last_good() {
    let origin = Origin::start(None, page).expect("an origin");
    let scene = Stage::new();
    let mut proxy = Proxied::start(&scene, &[]);
    let mut client = proxy.connect();
    assert_eq!(client.get("http://a.example/").status, 502);
    scene.ok_with(&["create", "-f", "-"], &entry("a.example", origin.address));
    wait_until(|| client.get("http://a.example/").status == 200);
    // What an older or newer program might have stored, and this one does not understand.
    let registry = rusqlite::Connection::open(scene.state().join("registry.db")).expect("the registry");
    registry
        .execute_batch(
            "BEGIN; UPDATE counter SET value = value + 1 WHERE name = 'revision';
             UPDATE resource SET body = replace(body, 'hosts', 'hostz'), revision = (SELECT value FROM counter)
             WHERE name = 'a-example';
             INSERT INTO change SELECT revision, api_group, kind, namespace, name FROM resource WHERE name = 'a-example';
             COMMIT;",
        )
        .expect("a change");
    drop(registry);
    proxy.wait_for("the last good one stays");
    assert_eq!(client.get("http://a.example/").status, 200);
    assert!(scene.ok(&["proxy", "status"]).contains("Rejected:"));
}

fn wait_until(mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "it never came true");
    }
}

#[test]
fn sigterm_lets_running_calls_end_and_a_second_one_does_not() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let scene = scene_with(&entry("a.example", listener.local_addr().expect("bound")));
    let mut proxy = Proxied::start(&scene, &[]);
    let ask = |proxy: &Proxied| {
        let mut client = proxy.connect();
        client.send(b"GET http://a.example/ HTTP/1.1\r\nhost: a.example\r\n\r\n");
        let (mut upstream, _) = listener.accept().expect("the proxy connects");
        read_request(&mut upstream);
        (client, upstream)
    };
    let (mut client, mut upstream) = ask(&proxy);
    proxy.signal("-TERM");
    proxy.wait_for("draining");
    upstream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").expect("it reads");
    assert_eq!(client.read().text(), "ok");
    assert!(proxy.wait().success());

    let mut proxy = Proxied::start(&scene, &[]);
    let (mut client, _upstream) = ask(&proxy);
    proxy.signal("-TERM");
    proxy.wait_for("draining");
    proxy.signal("-TERM");
    assert!(proxy.wait().success());
    assert!(client.closed());
}

#[test]
fn a_port_in_use_a_second_proxy_and_a_bad_state_directory_are_told_plainly() {
    let scene = Stage::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound").to_string();
    let told = scene.fails(&["proxy", "start", "--listen", &address]);
    assert!(told.contains(&address) && told.contains("in use"), "{told}");
    let _running = Proxied::start(&scene, &[]);
    let told = scene.fails(&["proxy", "start", "--listen", "127.0.0.1:0"]);
    assert!(told.contains("runs already"), "{told}");
    let file = scene.write("a-file", "");
    let told = scene.fails(&["--state-dir", &format!("{file}/state"), "proxy", "start"]);
    assert!(told.contains("a-file/state"), "{told}");
}

#[test]
fn a_proxy_that_still_finishes_its_calls_is_waited_for_by_stopping_it_once_more() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let scene = scene_with(&entry("a.example", listener.local_addr().expect("bound")));
    let mut proxy = Proxied::start(&scene, &[]);
    let mut client = proxy.connect();
    client.send(b"GET http://a.example/ HTTP/1.1\r\nhost: a.example\r\n\r\n");
    let (mut upstream, _) = listener.accept().expect("the proxy connects");
    read_request(&mut upstream);
    scene.ok(&["proxy", "stop", "--no-wait"]);
    proxy.wait_for("draining");
    let told = scene.fails(&["proxy", "start", "--listen", "127.0.0.1:0"]);
    assert!(told.contains("is still finishing its calls"), "{told}");
    assert!(told.contains("`egressctl proxy stop --node egressgateway` waits until it has stopped"), "{told}");
    upstream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").expect("it reads");
    assert_eq!(client.read().status, 200);
    assert!(proxy.wait().success());
}

#[test]
fn a_state_directory_that_is_named_and_not_there_is_made_by_those_alone_that_put_something_into_it() {
    let scene = Stage::new();
    let missing = scene.state().with_file_name("mistyped");
    let named = missing.to_str().expect("a plain name");
    for verb in
        [&["logs", "--count"][..], &["get", "rules"], &["why", "5f0c1e2d3a4b5968"], &["proxy", "status"], &["replay"]]
    {
        let told = scene.fails(&[&["--state-dir", named], verb].concat());
        assert!(told.starts_with(&format!("error: there is no state directory {named}\nhint: ")), "{told}");
        assert!(!missing.exists(), "{verb:?}");
    }
    scene.ok(&["--state-dir", named, "create", "namespace", "made"]);
    assert!(scene.ok(&["--state-dir", named, "get", "namespaces"]).contains("made"));
}

#[test]
fn a_corrupt_registry_is_named_and_nothing_panics() {
    let scene = Stage::new();
    scene.ok(&["get", "namespaces"]);
    std::fs::write(scene.state().join("registry.db"), vec![0x5a; 64 * 1024]).expect("written");
    for arguments in [&["get", "namespaces"][..], &["proxy", "start", "--listen", "127.0.0.1:0"]] {
        let told = scene.fails(arguments);
        assert!(told.contains("registry.db") && !told.contains("panicked"), "{told}");
    }
}

#[test]
fn two_workloads_are_told_apart_by_their_listeners() {
    let origin = Origin::start(None, page).expect("an origin");
    let scene = Stage::new();
    scene.ok(&["create", "-f", &scene.fixture("scenario/sleep.yaml")]);
    let rules = "apiVersion: config.istio.io/v1alpha2\nkind: logentry\nmetadata: {name: calls, namespace: istio-system}\n\
                 spec:\n  severity: '\"info\"'\n  variables: {source: 'source.labels[\"app\"] | \"unknown\"', \
                 reporter: 'context.reporter.uid | \"none\"'}\n---\n\
                 apiVersion: config.istio.io/v1alpha2\nkind: stdio\nmetadata: {name: out, namespace: istio-system}\nspec: {}\n---\n\
                 apiVersion: config.istio.io/v1alpha2\nkind: rule\nmetadata: {name: all, namespace: istio-system}\n\
                 spec: {actions: [{handler: out.stdio, instances: [calls.logentry]}]}\n---\n";
    scene.ok_with(&["create", "-f", "-"], &format!("{rules}{}", entry("a.example", origin.address)));
    let proxy = Proxied::start(&scene, &["--listen", "127.0.0.1:0"]);
    assert_eq!(proxy.get("http://a.example/").status, 200);
    let line = proxy.next_line();
    assert!(line.contains("\"source\":\"sleep\"") && line.contains("\"reporter\":\"kubernetes://sleep-"), "{line}");
    assert!(line.starts_with("{\"level\":\"info\",\"time\":\"0001-01-01T00:00:00.000000Z\","), "{line}");
}

#[test]
fn a_load_of_parallel_clients_loses_and_mixes_up_nothing() {
    let origin = Origin::start(None, |received| Reply::page("200 OK", received.path().as_bytes())).expect("an origin");
    let scene = scene_with(&entry("a.example", origin.address));
    let proxy = Proxied::start(&scene, &["--workers", "2"]);
    let failed = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..16)
        .map(|client| {
            let (mut connection, failed) = (proxy.connect(), Arc::clone(&failed));
            std::thread::spawn(move || {
                for call in 0..50 {
                    let path = format!("/{client}/{call}");
                    let answer = connection.get(&format!("http://a.example{path}"));
                    if answer.text() != path {
                        failed.store(true, Ordering::Relaxed);
                    }
                }
            })
        })
        .collect();
    clients.into_iter().for_each(|client| client.join().expect("no panic"));
    assert!(!failed.load(Ordering::Relaxed));
}

#[test]
fn describe_pod_tells_who_its_calls_come_from_and_where_they_go() {
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    let described = || scene.ok(&["describe", "pod", "sleep"]);
    let line = |label: &str| {
        let described = described();
        let line = described.lines().find(|line| line.starts_with(label)).map(str::to_owned);
        line.unwrap_or_else(|| panic!("no {label} in {described}"))
    };
    assert!(line("Identity:").ends_with(" spiffe://cluster.local/ns/default/sa/sleep"));
    assert!(line("Sidecar:").contains("none runs; start one: egressctl proxy start --listen"));
    let proxy = Proxied::start(&scene, &[]);
    assert!(line("Sidecar:").contains(&format!("{} (proxy ", proxy.address)));
}
