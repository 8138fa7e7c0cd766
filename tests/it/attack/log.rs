//! Forged entries: what a caller writes into its request stays inside one value of one line.

use crate::proxied::{Proxied, with_origin};
use crate::stage::until;

const LOGGED: &str = "\
apiVersion: config.istio.io/v1alpha2
kind: logentry
metadata: {name: calls, namespace: istio-system}
spec:
  variables:
    path: request.path
    url: request.url_path | request.path
    agent: request.useragent | \"\"
    forged: request.headers[\"x-forged\"] | \"\"
---
apiVersion: config.istio.io/v1alpha2
kind: stdio
metadata: {name: out, namespace: istio-system}
spec: {outputAsJson: true}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: log, namespace: istio-system}
spec: {actions: [{handler: out.stdio, instances: [calls.logentry]}]}
";

/// Id, a path, and a header's value; the origin gets both.
const CASES: &[(&str, &str, &str)] = &[
    ("L1", "/a%22,%22level%22:%22none", "\",\"instance\":\"forged\",\"x\":\""),
    ("L1", "/a\"}", "\"}{\"level\":\"info\"}"),
    ("L2", "/b\\\"", "\\\",\"instance\":\"forged"),
    ("L2", "/%5c", "\\u0022,\\u000a"),
    ("L3", "/c", "\u{85}{\"instance\":\"forged\"}\u{2028}{\"instance\":\"forged\"}\u{2029}"),
    ("L3", "/d", "\u{202e}degrof\u{200b}\u{feff}"),
    ("L3", "/e", "a\tb"),
    ("L4", "/f", "${jndi:ldap://forbidden.example/}"),
    ("L4", "/g", "%s%n%x{{.}}$(id)`id`"),
];

#[test]
fn each_call_is_one_line_of_json_whatever_it_says() {
    let (scene, origin) = with_origin(LOGGED);
    let proxy = Proxied::start(&scene, &[]);
    let mut sent = 0;
    for (id, path, value) in CASES {
        let mut client = proxy.connect();
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: a.example\r\nuser-agent: {value}\r\nx-forged: {value}\r\n\r\n");
        client.send(request.as_bytes());
        let status = client.read().status;
        assert!(matches!(status, 200 | 400), "{id} {path}: {status}");
        sent += usize::from(status == 200);
    }
    assert!(sent >= CASES.len() - 2 && origin.requests() == sent);
    let lines = || -> Vec<String> { scene.ok(&["logs", "--instance", "calls"]).lines().map(str::to_owned).collect() };
    until("an entry for each call", || lines().len() >= sent);
    let values: Vec<_> = CASES.iter().map(|(_, _, value)| value.trim_matches([' ', '\t'])).collect();
    assert_eq!(lines().len(), sent, "one line each");
    for line in lines() {
        let entry: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|why| panic!("{line}: {why}"));
        assert_eq!(entry["instance"], "calls.logentry.istio-system", "{line}");
        let forged = entry["forged"].as_str().expect("a text");
        assert!(values.contains(&forged), "{line}");
        assert_eq!(entry["agent"], entry["forged"], "{line}");
        assert!(
            !line.chars().any(|letter| letter.is_control() || ('\u{2028}'..='\u{202e}').contains(&letter)),
            "{line}"
        );
    }
}

/// L5: what cannot be understood is told as such, and nothing of it stands in the log but a path, as one.
#[test]
fn of_a_request_that_is_refused_unread_nothing_is_written_but_its_path() {
    let (scene, _origin) = with_origin(LOGGED);
    let proxy = Proxied::start(&scene, &[]);
    for request in [
        "GET /a%0a{\"instance\":\"forged\"} HTTP/1.1\r\nhost: a.example\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: forged\"instance\r\n\r\n",
        "forged\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a.example\r\nx: \x1b[2Jforged\r\n\r\n",
    ] {
        let mut client = proxy.connect();
        client.send(request.as_bytes());
        assert_eq!(client.read().status, 400, "{request:?}");
    }
    until("an entry for each", || scene.ok(&["logs", "--count"]).trim() == "4");
    for line in scene.ok(&["logs"]).lines() {
        let mut entry: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|why| panic!("{line}: {why}"));
        assert_eq!(entry["instance"], "refused.egressctl.istio-system", "{line}");
        // A path can be told, as it can only be read in one way.
        let path = entry["path"].take();
        assert!(path.is_null() || path == "/" || path == "/a%0a{%22instance%22:%22forged%22}", "{line}");
        assert!(!entry.to_string().contains("forged"), "{line}");
    }
}

/// The ids of all cases.
pub(super) fn ids() -> impl Iterator<Item = &'static str> {
    CASES.iter().map(|(id, ..)| *id).chain(["L5"])
}
