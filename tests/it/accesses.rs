//! The record that is kept of every call, whether a rule asks for a line or not.

use serde_json::Value as Json;

use egressctl::cli::demo::origin::{Origin, Received, Reply};

use crate::proxied::{Client, Proxied, with_origin};
use crate::stage::{SCENARIO, Stage, service_entry, until};

/// A check that reads a header, and one that only reports.
const POLICY: &str = "\
apiVersion: config.istio.io/v1alpha2
kind: denier
metadata: {name: deny, namespace: istio-system}
spec: {status: {code: 7, message: not for you}}
---
apiVersion: config.istio.io/v1alpha2
kind: checknothing
metadata: {name: deny, namespace: istio-system}
spec: {}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: teams, namespace: istio-system}
spec:
  match: request.headers[\"x-team\"] == \"red\"
  actions: [{handler: deny.denier, instances: [deny.checknothing]}]
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: trial, namespace: istio-system, annotations: {egressctl.io/mode: report}}
spec:
  match: request.path.startsWith(\"/trial\")
  actions: [{handler: deny.denier, instances: [deny.checknothing]}]
";

/// The records of calls, as soon as there are so many.
#[track_caller]
fn accesses(scene: &Stage, count: usize) -> Vec<Json> {
    let found = || scene.ok(&["logs", "--all", "--instance", "access"]);
    until("the records of all calls", || found().lines().count() >= count);
    found().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn field<'j>(access: &'j Json, name: &str) -> &'j str {
    access[name].as_str().unwrap_or_default()
}

#[test]
fn every_call_leaves_a_record_of_who_asked_what_and_how_it_was_judged() {
    let (scene, _origin) = with_origin(POLICY);
    let proxy = Proxied::start(&scene, &[]);
    assert_eq!(proxy.get("http://a.example/x?token=1").status, 200);
    assert_eq!(proxy.get("http://nobody.example/").status, 502);
    assert_eq!(proxy.get("http://a.example/trial").status, 200);
    let mut client = proxy.connect();
    client.send(b"GET http://a.example/y HTTP/1.1\r\nHost: a.example\r\nX-Team: red\r\nAccept: */*\r\n\r\n");
    assert_eq!(client.read().status, 403);
    Client::to(proxy.address).send(b"GET / HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n");
    let accesses = accesses(&scene, 5);
    let told: Vec<_> = ["destination", "path", "verdict", "rule"]
        .iter()
        .map(|name| accesses.iter().map(|access| field(access, name)).collect::<Vec<_>>())
        .collect();
    assert_eq!(told[0], ["a.example", "nobody.example", "a.example", "a.example", ""]);
    assert_eq!(told[1], ["/x?[redacted]", "/", "/trial", "/y", "/"]);
    assert_eq!(told[2], ["allow", "deny", "would-deny", "deny", "deny"]);
    assert_eq!(told[3], ["", "", "trial.rule.istio-system", "teams.rule.istio-system", ""]);
    assert_eq!(accesses[3]["headers"], serde_json::json!({"x-team": "red"}));
    let first = &accesses[0];
    assert_eq!((field(first, "source"), field(first, "sourceProof")), ("sleep", "listener"));
    assert_eq!((first["responseCode"].as_i64(), first["responseSize"].as_i64()), (Some(200), Some(4)));
    // Without --all nothing of it is seen.
    assert_eq!(scene.ok(&["logs", "--instance", "access"]), "");
    // They are asked, counted and written like lines.
    for (verdict, count) in [("allow", "1\n"), ("deny", "3\n"), ("would-deny", "1\n")] {
        assert_eq!(scene.ok(&["logs", "--all", "--verdict", verdict, "--count"]), count, "{verdict}");
        // Here no rule asks for lines, so that those that there are tell of refusals alone.
        let of_lines = if verdict == "allow" { "0\n" } else { count };
        until("the lines as well", || scene.ok(&["logs", "--verdict", verdict, "--count"]) == of_lines);
    }
    // The rule is the one that refused, however it is asked for.
    let rule = "teams.rule.istio-system";
    let by_name = ["--rule", "teams"];
    for asked in [["--where", &format!("rule == \"{rule}\"")], ["--field", &format!("rule={rule}")], by_name] {
        assert_eq!(scene.ok(&[&["logs", "--all", "--instance", "access", "--count"][..], &asked].concat()), "1\n");
    }
    for asked in [&["stats", "--by", "rule"][..], &["facets"]] {
        let told = scene.ok(&[&["logs"][..], asked, &["--all", "--instance", "access", "--verdict", "deny"]].concat());
        assert!(told.contains(rule), "{asked:?}: {told}");
    }
    let wide = scene.ok(&["logs", "--all", "--instance", "access", "--rule", "teams", "-o", "wide"]);
    assert_eq!((wide.matches("RULE").count(), wide.matches(rule).count()), (1, 1), "{wide}");
    let denied = ["logs", "--all", "--instance", "access", "--where", "verdict == \"deny\"", "--count"];
    assert_eq!(scene.ok(&denied), "3\n");
    let csv = scene.ok(&["logs", "--all", "--instance", "access", "-o", "csv"]);
    assert!(csv.lines().next().is_some_and(|head| head.contains("verdict")) && csv.lines().count() == 6, "{csv}");
    assert_eq!(scene.ok(&["logs", "export", "--instance", "access", "--to", "-"]).lines().count(), 5);
    let by_verdict = scene.ok(&["logs", "stats", "--instance", "access", "--by", "verdict", "-o", "json"]);
    assert!(by_verdict.contains("would-deny"), "{by_verdict}");
}

#[test]
fn records_are_sealed_and_verified_like_lines() {
    let (scene, _origin) = with_origin("");
    let proxy = Proxied::start(&scene, &[]);
    assert_eq!(proxy.get("http://a.example/x").status, 200);
    let before = accesses(&scene, 1);
    assert!(scene.ok(&["logs", "seal"]).contains("sealed 1 access in 1 segment"));
    assert_eq!(accesses(&scene, 1), before);
    assert!(scene.ok(&["logs", "verify"]).contains("the log is whole: 1 access in 1 segment, 0 not sealed yet"));
    let head = scene.ok(&["logs", "verify", "--export-head", "-"]);
    let head = scene.write("head.json", &head);
    for file in std::fs::read_dir(scene.state().join("access/segments")).expect("segments").flatten() {
        if file.path().is_dir() {
            std::fs::remove_dir_all(file.path()).expect("files of this test");
        }
    }
    let output = scene.command(&["logs", "verify", "--head", &head]).output().expect("built");
    let told = String::from_utf8(output.stdout).expect("text");
    assert!(!output.status.success() && told.contains("access/segments/") && told.contains("it is missing"), "{told}");
}

#[test]
fn a_proxy_keeps_records_of_refused_calls_alone_or_of_none() {
    for (mode, paths) in [("refused", &["nobody.example"][..]), ("off", &[])] {
        let (scene, _origin) = with_origin("");
        let mut proxy = Proxied::start(&scene, &["--access", mode]);
        assert_eq!(proxy.get("http://a.example/x").status, 200);
        assert_eq!(proxy.get("http://nobody.example/").status, 502);
        proxy.signal("-TERM");
        assert!(proxy.wait().success());
        let found = accesses(&scene, paths.len());
        assert_eq!(found.iter().map(|access| field(access, "destination")).collect::<Vec<_>>(), paths, "{mode}");
    }
}

#[test]
fn a_killed_proxy_shows_the_calls_without_outcome_as_such() {
    let (asked, told) = std::sync::mpsc::channel();
    let asked = std::sync::Mutex::new(asked);
    let origin = Origin::start(None, move |received: &Received| {
        if received.head.starts_with("GET /slow ") {
            let _ = asked.lock().expect("not poisoned").send(());
            std::thread::park();
        }
        Reply::page("200 OK", b"page")
    });
    let origin = origin.expect("an origin");
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    scene.ok_with(&["create", "-f", "-"], &service_entry("a.example", origin.address));
    let mut proxy = Proxied::start(&scene, &["--durability", "strict"]);
    assert_eq!(proxy.get("http://a.example/x").status, 200);
    let mut client = proxy.connect();
    client.send(b"GET http://a.example/slow HTTP/1.1\r\nHost: a.example\r\n\r\n");
    // The origin has been asked, so the intent is stored.
    told.recv_timeout(crate::proxied::PATIENCE).expect("the origin is asked");
    let intents = scene.ok(&["logs", "--all", "--instance", "intent", "-F", "--grep", "/slow"]);
    assert_eq!(intents.lines().count(), 1, "{intents}");
    proxy.signal("-KILL");
    proxy.wait();
    let _proxy = Proxied::start(&scene, &["--durability", "strict"]);
    let found = accesses(&scene, 2);
    let slow: Vec<&Json> = found.iter().filter(|access| field(access, "path") == "/slow").collect();
    assert_eq!(slow.len(), 1);
    assert!(field(slow[0], "reason").contains("the proxy ended before the call did"), "{}", slow[0]);
    assert_eq!(found.iter().filter(|access| field(access, "path") == "/x").count(), 1);
}

/// Rules that record every call's path and one header, the second as its annotation says.
const LINES: &str = "\
apiVersion: config.istio.io/v1alpha2
kind: logentry
metadata: {name: seen, namespace: istio-system}
spec:
  severity: '\"info\"'
  timestamp: request.time
  variables: {path: request.path, asked: 'request.query_params[\"q\"] | \"\"', key: 'request.headers[\"x-api-key\"] | \"\"'}
---
apiVersion: config.istio.io/v1alpha2
kind: logentry
metadata: {name: whole, namespace: istio-system, annotations: {egressctl.io/redact: none}}
spec:
  severity: '\"info\"'
  timestamp: request.time
  variables: {path: request.path, asked: 'request.query_params[\"q\"] | \"\"', key: 'request.headers[\"x-api-key\"] | \"\"'}
---
apiVersion: config.istio.io/v1alpha2
kind: stdio
metadata: {name: lines, namespace: istio-system}
spec: {outputAsJson: true}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: seen, namespace: istio-system}
spec:
  match: request.path == \"/x?q=1\"
  actions: [{handler: lines.stdio, instances: [seen.logentry, whole.logentry]}]
";

#[test]
fn lines_of_rules_leave_out_queries_and_credentials_unless_their_logentry_says_otherwise() {
    let (scene, _origin) = with_origin(LINES);
    let proxy = Proxied::start(&scene, &[]);
    let mut client = proxy.connect();
    client.send(b"GET http://a.example/x?q=1 HTTP/1.1\r\nHost: a.example\r\nX-Api-Key: k\r\n\r\n");
    assert_eq!(client.read().status, 200);
    let line = |instance: &str| scene.wait_for_entry(&format!("\"instance\":\"{instance}.logentry.istio-system\""));
    assert!(
        line("seen").ends_with(r#""asked":"[redacted]","key":"[redacted]","path":"/x?[redacted]"}"#),
        "{}",
        line("seen")
    );
    assert!(line("whole").ends_with(r#""asked":"1","key":"[redacted]","path":"/x?q=1"}"#), "{}", line("whole"));
    let refused =
        scene.fails(&["create", "-f", &scene.write("bad.yaml", &LINES.replace("redact: none", "redact: most"))]);
    assert!(refused.contains("Unsupported value: \"most\""), "{refused}");
}

/// Everything that is recorded so far, as soon as there are so many records of calls.
fn all_of(scene: &Stage, calls: usize) -> String {
    accesses(scene, calls);
    scene.ok(&["logs", "--all"])
}

#[test]
fn where_all_of_a_request_is_left_out_refusals_do_not_tell_it_either() {
    let (scene, _origin) = with_origin(POLICY);
    let proxy = Proxied::start(&scene, &["--redact", "all"]);
    assert_eq!(proxy.get("http://nobody.example/secret-path").status, 502);
    let mut client = proxy.connect();
    client.send(b"GET http://a.example/secret-path HTTP/1.1\r\nHost: a.example\r\nX-Team: red\r\n\r\n");
    assert_eq!(client.read().status, 403);
    let recorded = all_of(&scene, 2);
    assert!(recorded.contains("nobody.example") && recorded.contains("[redacted]"), "{recorded}");
    assert!(!recorded.contains("secret-path") && !recorded.contains("\"red\""), "{recorded}");
}

/// Codes that are refused.
const CODES: &str = "\
apiVersion: config.istio.io/v1alpha2
kind: listchecker
metadata: {name: codes, namespace: istio-system}
spec: {overrides: [SECRET-CODE], blacklist: true, entryType: STRINGS}
---
apiVersion: config.istio.io/v1alpha2
kind: listentry
metadata: {name: code, namespace: istio-system}
spec: {value: 'request.query_params[\"code\"] | \"\"'}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: codes, namespace: istio-system}
spec: {actions: [{handler: codes.listchecker, instances: [code.listentry]}]}
";

#[test]
fn a_querys_parameters_are_left_out_of_what_is_told_of_a_refusal_as_well() {
    let (scene, _origin) = with_origin(CODES);
    let proxy = Proxied::start(&scene, &[]);
    assert_eq!(proxy.get("http://a.example/cd;jsessionid=SESSION?code=SECRET-CODE&state=x").status, 403);
    let recorded = all_of(&scene, 1);
    assert!(recorded.contains("/cd;jsessionid=[redacted]?[redacted]"), "{recorded}");
    assert!(!recorded.contains("SECRET-CODE") && !recorded.contains("SESSION"), "{recorded}");
}

#[test]
fn imports_leave_credentials_out_however_deep_they_stand_and_however_they_are_written() {
    let scene = Stage::new();
    let line = r#"{"level":"info","time":"2018-06-18T13:22:58Z","instance":"a.logentry.b","headers":{"\u0061uthorization":"SECRET-ONE"},"request_path":"/x\u003fcode=SECRET-TWO","rest":[{"session_id":"SECRET-THREE"}]}"#;
    scene.ok_with(&["logs", "import", "-"], line);
    let recorded = scene.ok(&["logs"]);
    assert!(recorded.contains("/x?[redacted]") && !recorded.contains("SECRET-"), "{recorded}");
}
