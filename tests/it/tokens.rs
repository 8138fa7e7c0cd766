//! Bearer tokens: issued, shown as proxy credentials in every way that clients have, expired and revoked.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use egressctl::cli::demo::origin::{Origin, Received, Reply};

use crate::harness::Scene;
use crate::proxied::{Answer, Client, Proxied, with_origin};
use crate::stage::{SCENARIO, Stage, curl, service_entry, until};

/// A line for each call, with who makes it.
pub(crate) const WHO: &str = "\
apiVersion: config.istio.io/v1alpha2
kind: logentry
metadata: {name: who, namespace: istio-system}
spec:
  severity: '\"info\"'
  variables:
    account: source.serviceAccount | \"-\"
    app: source.labels[\"app\"] | \"-\"
    path: request.path | \"-\"
    principal: source.principal | \"-\"
    workload: source.workload.name | \"-\"
---
apiVersion: config.istio.io/v1alpha2
kind: stdio
metadata: {name: who, namespace: istio-system}
spec: {outputAsJson: true}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: who, namespace: istio-system}
spec:
  actions: [{handler: who.stdio, instances: [who.logentry]}]
";

fn token(scene: &Stage, more: &[&str]) -> String {
    let printed = scene.ok(&[&["create", "token", "sleep"], more].concat());
    let token = printed.strip_suffix('\n').expect("a line").to_owned();
    assert_eq!(token.split('.').count(), 3, "{token}");
    token
}

/// The name of the only Token.
fn name(scene: &Stage) -> String {
    scene.ok(&["get", "tokens", "-o", "jsonpath={.items[0].metadata.name}"])
}

/// The answer to a GET with a proxy credential.
fn get(client: &mut Client, credential: &str) -> Answer {
    let head =
        format!("GET http://a.example/x HTTP/1.1\r\nhost: a.example\r\nproxy-authorization: {credential}\r\n\r\n");
    client.send(head.as_bytes());
    client.read()
}

#[test]
fn a_token_is_printed_alone_and_its_account_must_be_there() {
    let scene = Scene::new();
    let missing = "error: failed to create token: serviceaccounts \"sleep\" not found\n";
    scene.run("create token sleep").fails(missing);
    scene.run("create serviceaccount sleep").succeeds("serviceaccount/sleep created\n");
    let token = scene.run("create token sleep").output();
    assert_eq!((token.lines().count(), token.split('.').count()), (1, 3), "{token}");
    let listed = scene.run("get tokens").output();
    let cells: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(cells[0], ["NAME", "SERVICEACCOUNT", "EXPIRES", "AGE"]);
    assert!(cells[1][0].starts_with("sleep-") && ["59m", "60m"].contains(&cells[1][2]), "{listed}");
    let stored = scene.run("get tokens -o yaml").output();
    assert!(!stored.contains(token.trim().rsplit('.').next().expect("a part")), "the token itself is nowhere");
    let deleted = scene.run(&format!("delete token {}", cells[1][0])).output();
    assert_eq!(deleted, format!("token.egressctl.io \"{}\" deleted\n", cells[1][0]));
    scene
        .run("create token sleep --duration 0.5s")
        .fails("error: invalid argument \"0.5s\" for \"--duration\" flag: must be 1s or more\n");
    scene.run("-n nowhere create token sleep").fails(missing);
}

#[test]
fn curl_calls_with_a_token_and_the_call_is_its_workloads() {
    let Some(curl) = curl() else { return };
    let seen = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let noted = std::sync::Arc::clone(&seen);
    let origin = Origin::start(None, move |received: &Received| {
        noted.lock().expect("no panic").push_str(&received.head);
        Reply::page("200 OK", b"page")
    });
    let origin = origin.expect("an origin");
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    scene.ok_with(&["create", "-f", "-"], &service_entry("a.example", origin.address));
    scene.ok_with(&["create", "-f", "-"], WHO);
    let token = token(&scene, &[]);
    let mut proxy = Proxied::shared(&scene, &["--require-identity"]);
    proxy.wait_for("sidecar of callers who show a token on");
    let through = |credentials: &str| {
        let mut command = Command::new(curl);
        command.args(["-sS", "--max-time", "30", "-w", "%{http_code}", "http://a.example/x"]);
        command.env("http_proxy", format!("http://{credentials}{}", proxy.address)).env_remove("no_proxy");
        String::from_utf8(command.output().expect("curl runs").stdout).expect("text")
    };
    assert_eq!(through(&format!("x:{token}@")), "page200");
    let entry = scene.wait_for_entry("who.logentry");
    for part in [
        "\"account\":\"sleep\"",
        "\"app\":\"sleep\"",
        "\"principal\":\"cluster.local/ns/default/sa/sleep\"",
        "\"workload\":\"sleep\"",
    ] {
        assert!(entry.contains(part), "{part} in {entry}");
    }
    let refused = through("");
    assert!(refused.contains("no token was shown") && refused.ends_with("407"), "{refused}");
    let entry = scene.wait_for_entry("no token was shown");
    assert!(entry.contains("\"source\":\"unknown\"") && entry.contains("\"path\":\"/x\""), "{entry}");
    let seen = seen.lock().expect("no panic").to_ascii_lowercase();
    assert!(seen.contains("host: a.example") && !seen.contains("proxy-authorization"), "{seen}");
    let log = scene.ok(&["logs"]) + proxy.wait_for("ready");
    assert!(!log.contains(&token) && !log.contains(token.rsplit('.').next().expect("a part")), "{log}");
}

#[test]
fn a_credential_that_is_not_good_is_refused_and_never_another_caller() {
    let (scene, origin) = with_origin("");
    let other = token(&scene, &["--audience", "other"]);
    let good = token(&scene, &[]);
    let (_elsewhere, theirs) = {
        let elsewhere = Stage::new();
        elsewhere.ok(&["create", "serviceaccount", "sleep"]);
        let theirs = token(&elsewhere, &[]);
        (elsewhere, theirs)
    };
    let proxy = Proxied::shared(&scene, &[]);
    let mut client = proxy.connect();
    for (credential, reason) in [
        (format!("Basic {}", STANDARD.encode("user:secret")), "hold no token that can be read"),
        ("Negotiate abc".to_owned(), "hold no token that can be read"),
        (format!("Bearer {theirs}"), "was not signed by this proxy's authority"),
        (format!("Bearer {good}x"), "was not signed by this proxy's authority"),
        (format!("Bearer {other}"), "for another audience"),
    ] {
        let answer = get(&mut client, &credential);
        assert_eq!(answer.status, 407, "{credential}: {}", answer.text());
        assert!(answer.text().contains(reason), "{credential}: {}", answer.text());
        assert!(answer.head.contains("proxy-authenticate: Bearer realm=\"egressctl\", error=\"invalid_token\""));
        assert!(answer.head.contains("proxy-authenticate: Basic realm=\"egressctl\""), "{}", answer.head);
        let entry = scene.wait_for_entry(answer.decision());
        assert!(entry.contains("\"source\":\"unknown\"") && entry.contains("\"responseCode\":407"), "{entry}");
    }
    assert_eq!(origin.connections(), 0);
    assert_eq!(get(&mut client, &format!("Bearer {good}")).status, 200, "the same connection goes on");
    assert_eq!(client.get("http://a.example/x").status, 200, "without a token the caller is unknown");
}

#[test]
fn a_token_ends_with_its_time_its_token_resource_and_its_account() {
    let (scene, _origin) = with_origin("");
    let proxy = Proxied::shared(&scene, &["--require-identity"]);
    let told = |token: &str| {
        let answer = get(&mut proxy.connect(), &format!("Bearer {token}"));
        (answer.status, answer.text())
    };
    let ends = |token: &str, why: &str| {
        until(why, || {
            let (status, text) = told(token);
            status == 407 && text.contains(why)
        });
    };
    let works = |token: &str| until("the token is known", || told(token).0 == 200);
    let first = token(&scene, &[]);
    works(&first);
    scene.ok(&["delete", "token", &name(&scene)]);
    ends(&first, "was revoked");
    let second = token(&scene, &[]);
    works(&second);
    scene.ok(&["delete", "serviceaccount", "sleep"]);
    ends(&second, "its service account was deleted");
    scene.ok(&["create", "serviceaccount", "sleep"]);
    let third = token(&scene, &[]);
    works(&third);
    assert_eq!(told(&second).0, 407, "an account that is created anew is another");
    let short = token(&scene, &["--duration", "1s"]);
    ends(&short, "has expired");
    token(&scene, &[]);
    let listed = scene.ok(&["get", "tokens"]);
    assert!(!listed.contains("Expired"), "the next one clears it away: {listed}");
}

#[test]
fn tunnels_are_opened_with_a_token_and_what_goes_through_them_is_its_workloads() {
    let (scene, origin) = with_origin(WHO);
    let token = token(&scene, &[]);
    let proxy = Proxied::shared(&scene, &["--require-identity"]);
    let asked = "CONNECT a.example:80 HTTP/1.1\r\nhost: a.example:80\r\n";
    let mut client = proxy.connect();
    client.send(format!("{asked}\r\n").as_bytes());
    assert_eq!(client.read().status, 407);
    let mut client = proxy.connect();
    client.send(format!("{asked}proxy-authorization: Bearer {token}\r\n\r\n").as_bytes());
    assert!(client.read_head().starts_with("HTTP/1.1 200"));
    client.send(b"GET /inside HTTP/1.1\r\nhost: a.example\r\n\r\n");
    assert_eq!(client.read().status, 200);
    scene.wait_for_entry("\"workload\":\"sleep\"");
    // SOCKS 5, with the token in two pieces.
    let (user, password) = token.split_at(200);
    let field = |text: &str| [&[u8::try_from(text.len()).expect("it fits")], text.as_bytes()].concat();
    let target = [&[5, 1, 0, 3][..], &field("a.example"), &[0, 80]].concat();
    let mut client = proxy.connect();
    client.send(&[&[5, 1, 2, 1][..], &field(user), &field(password), &target].concat());
    assert_eq!(client.read_exactly(14)[..6], [5, 2, 1, 0, 5, 0]);
    client.send(b"GET /inside HTTP/1.1\r\nhost: a.example\r\n\r\n");
    assert_eq!(client.read().status, 200);
    let mut client = proxy.connect();
    client.send(&[&[5, 1, 2, 1][..], &field(user), &field("other"), &target].concat());
    assert_eq!(client.read_exactly(6)[4..], [5, 2], "not allowed");
    let mut client = proxy.connect();
    client.send(&[&[5, 1, 0][..], &target].concat());
    assert_eq!(client.read_exactly(4)[2..], [5, 2], "not allowed");
    assert_eq!(origin.requests(), 2);
}
