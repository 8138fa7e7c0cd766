//! What `trace` and `why` must not leave out, and what must never be recorded.

use egressctl::cli::demo::origin::{Origin, Received, Reply};
use serde_json::{Value as Json, json};

use crate::proxied::{Answer, Proxied};
use crate::stage::{Stage, service_entry};

/// An origin for a.example, and the manifest that declares it with more.
fn declared(scene: &Stage, more: &str) -> (Origin, String) {
    let origin = Origin::start(None, |_: &Received| Reply::page("200 OK", b"page")).expect("an origin");
    let sleep = std::fs::read_to_string(scene.fixture("scenario/sleep.yaml")).expect("a fixture");
    let manifest = format!("{sleep}---\n{}---\n{more}", service_entry("a.example", origin.address));
    scene.ok_with(&["create", "-f", "-"], &manifest);
    (origin, manifest)
}

/// A whitelist of one rule.
fn whitelist(value: &str, condition: &str) -> String {
    format!(
        "apiVersion: config.istio.io/v1alpha2\nkind: listchecker\nmetadata: {{name: list, namespace: istio-system}}\n\
         spec: {{overrides: [/health]}}\n---\napiVersion: config.istio.io/v1alpha2\nkind: listentry\nmetadata: {{name: \
         value, namespace: istio-system}}\nspec: {{value: '{value}'}}\n---\napiVersion: config.istio.io/v1alpha2\nkind: \
         rule\nmetadata: {{name: listed, namespace: istio-system}}\nspec:\n  match: '{condition}'\n  actions: [{{handler: \
         list.listchecker, instances: [value.listentry]}}]\n"
    )
}

fn why(scene: &Stage, answer: &Answer) -> Json {
    let id = answer.decision();
    scene.wait_for_entry(id);
    serde_json::from_str(&scene.ok(&["why", id, "-o", "json"])).expect("JSON")
}

/// What `trace --batch` says of a request.
fn traced(scene: &Stage, manifest: &str, url: &str) -> Json {
    let question = json!({"id": 1, "manifest": manifest, "from": "sleep", "request": {"url": url}});
    serde_json::from_str(&scene.ok_with(&["trace", "--batch"], &format!("{question}\n"))).expect("JSON")
}

#[test]
fn credentials_that_were_compared_are_told_to_nobody() {
    let scene = Stage::new();
    let condition = "request.headers[\"x-session-id\"] != \"\" && request.host == \"a.example\"";
    let _origin = declared(&scene, &whitelist("request.headers[\"authorization\"]", condition));
    let proxy = Proxied::start(&scene, &[]);
    let mut client = proxy.connect();
    client.send(
        b"GET http://a.example/ HTTP/1.1\r\nhost: a.example\r\nauthorization: Bearer hunter2\r\nx-session-id: \
          s3ssion\r\n\r\n",
    );
    let refused = client.read();
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("the message is masked"), "{}", refused.text());
    let told = why(&scene, &refused);
    assert_eq!(told["values"]["request.headers[\"authorization\"]"], "(masked)", "{told}");
    assert_eq!(told["values"]["request.headers[\"x-session-id\"]"], "(masked)", "{told}");
    assert_eq!(told["values"]["request.host"], "a.example", "{told}");
    let log = scene.ok(&["logs"]);
    assert!(!log.contains("hunter2") && !log.contains("s3ssion"), "{log}");
}

#[test]
fn credentials_are_told_to_nobody_however_they_are_spelled_or_computed() {
    for (value, condition) in [
        ("toLower(request.headers[\"authorization\"])", "true"),
        ("request.headers[\"x-\" + \"api-key\"] | \"\"", "true"),
        ("request.path", "ip(request.headers[\"x-auth\"]) == ip(\"10.0.0.1\")"),
        ("request.referer", "true"),
        ("request.path", "request.method == \"GET\""),
    ] {
        let scene = Stage::new();
        let _origin = declared(&scene, &whitelist(value, condition));
        let proxy = Proxied::start(&scene, &[]);
        let mut client = proxy.connect();
        client.send(
            b"GET http://a.example/x?token=hunter2 HTTP/1.1\r\nhost: a.example\r\nauthorization: HUNTER2\r\n\
              x-api-key: hunter2\r\nx-auth: hunter2\r\nreferer: http://u:hunter2@b.example/\r\n\r\n",
        );
        let refused = client.read();
        assert!(refused.status >= 400, "{value}: {}", refused.status);
        let told = why(&scene, &refused).to_string() + &refused.text() + &scene.ok(&["logs"]);
        assert!(!told.to_lowercase().contains("hunter2"), "{value} {condition}: {told}");
    }
}

#[test]
fn a_header_that_is_no_utf_8_is_read_as_latin_1_and_hides_no_other() {
    let scene = Stage::new();
    let seen = "request.headers[\"x-team\"] == \"bad,\u{ff}\" && request.host == \"a.example\"";
    let _origin = declared(&scene, &whitelist("request.path", seen));
    let proxy = Proxied::start(&scene, &[]);
    let mut client = proxy.connect();
    client.send(b"GET http://a.example/ HTTP/1.1\r\nhost: a.example\r\nx-team: bad\r\nx-team: \xff\r\n\r\n");
    assert_eq!(client.read().status, 403);
}

#[test]
fn the_values_of_the_instance_are_told_beside_those_of_the_match() {
    let scene = Stage::new();
    let _origin = declared(&scene, &whitelist("request.path", "request.host == \"a.example\""));
    let proxy = Proxied::start(&scene, &[]);
    let told = why(&scene, &proxy.get("http://a.example/%70olitics"));
    assert_eq!(told["values"], json!({"request.host": "a.example", "request.path": "/politics"}));
    assert!(told["remedy"].as_str().is_some_and(|remedy| remedy.contains("\"/politics\"")), "{told}");
}

#[test]
fn a_match_that_cannot_be_decided_is_traced_as_the_refusal_that_it_is() {
    let scene = Stage::new();
    let condition = "request.auth.principal == \"x\" && request.host == \"a.example\"";
    let (_origin, manifest) = declared(&scene, &whitelist("request.path", condition));
    let proxy = Proxied::start(&scene, &[]);
    let refused = proxy.get("http://a.example/health");
    let answer = traced(&scene, &manifest, "http://a.example/health");
    assert_eq!(answer["status"], refused.status, "{answer}");
    assert_eq!(answer["checks"][0]["rule"], "listed.rule.istio-system", "{answer}");
    assert_eq!(answer["checks"][0]["code"], "INTERNAL", "{answer}");
    let told = why(&scene, &refused);
    let remedy = told["remedy"].as_str().unwrap_or_default();
    assert!(remedy.contains("a default for request.auth.principal"), "{told}");
}

#[test]
fn a_head_that_the_proxy_refuses_is_denied_with_its_status() {
    let scene = Stage::new();
    let (_origin, manifest) = declared(&scene, &whitelist("request.path", "request.host == \"a.example\""));
    let proxy = Proxied::start(&scene, &[]);
    for url in ["http://a.example/%00", "http://a..example/", "http://u@a.example/"] {
        let answer = traced(&scene, &manifest, url);
        assert_eq!(answer["verdict"], "deny", "{url}: {answer}");
        assert_eq!(answer["status"], proxy.get(url).status, "{url}: {answer}");
    }
}

#[test]
fn routes_for_other_hops_are_passed_over_with_the_reason() {
    let scene = Stage::new();
    let files = ["sleep", "01-egress-gateway"].map(|name| scene.fixture(&format!("scenario/{name}.yaml")));
    let told = scene.ok(&["trace", "-f", &files[0], "-f", &files[1], "--from", "sleep", "http://edition.cnn.com/"]);
    let passed: Vec<_> = told.lines().filter(|line| line.contains("passed over")).collect();
    // At the sidecar the first route takes every call, so no other is looked at.
    let [gateway] = passed[..] else { panic!("{told}") };
    assert!(gateway.contains("http[0]") && gateway.ends_with("its match names other gateways"), "{told}");
    let answer = scene.ok(&[
        "trace",
        "-f",
        &files[0],
        "-f",
        &files[1],
        "--from",
        "sleep",
        "-o",
        "json",
        "http://edition.cnn.com/",
    ]);
    let answer: Json = serde_json::from_str(&answer).expect("JSON");
    assert_eq!(answer["route"], json!({"virtualService": "default/direct-through-egress-gateway", "index": 1}));
}
