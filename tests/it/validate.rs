//! `validate`: files alone.

use std::io::Write as _;

use serde_json::Value as Json;

use crate::harness::Scene;
use crate::stage::Stage;

const RULE: &str = "apiVersion: config.istio.io/v1alpha2\nkind: rule\nmetadata: {name: r}\nspec:\n  match: request.hots == \
                    \"x\"\n  actions: [{handler: h.stdio, instances: [l.logentry]}]\n";

const DENIER: &str =
    "apiVersion: config.istio.io/v1alpha2\nkind: denier\nmetadata: {name: d}\nspec: {status: {code: 7}}\n";

#[test]
fn files_that_are_valid_may_have_warnings() {
    let fixture = |name: &str| Stage::new().fixture(name);
    let scene = Scene::new();
    let (sleep, quota) = (fixture("scenario/sleep.yaml"), fixture("policy/quota.yaml"));
    scene
        .run(&format!("validate -f {sleep} -f {quota}"))
        .succeeds(&format!("\"{sleep}\" is valid\n\"{quota}\" is valid\n"));
    let stored = std::fs::read_dir(scene.path().join("state")).map_or(0, Iterator::count);
    assert_eq!(stored, 0, "no registry is needed, and none is made");
}

#[test]
fn mistakes_of_all_files_are_shown_and_the_exit_status_tells() {
    let stage = Stage::new();
    let (one, two) = (stage.write("one.yaml", &format!("{RULE}---\n{DENIER}")), stage.write("two.yaml", DENIER));
    let output = stage.command(&["validate", "-f", &one, "-f", &two]).output().expect("the binary was built");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        format!("\"{one}\" is invalid: 1 error\n\"{two}\" is invalid: 1 error\n")
    );
    let told = String::from_utf8_lossy(&output.stderr);
    for part in [
        "one.yaml:5:10",
        "did you mean `request.host`?",
        "two.yaml:3:",
        "\" is declared twice",
        "the first declaration is at",
        "one.yaml:10:",
        "2 of 2 files are invalid",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let nothing = Scene::new().run("validate").error();
    assert!(nothing.contains("must specify -f"), "{nothing}");
}

#[test]
fn scripts_get_places_and_codes() {
    let stage = Stage::new();
    let file = stage.write("one.yaml", RULE);
    let output = stage.command(&["validate", "-f", &file, "-o", "json"]).output().expect("the binary was built");
    assert_eq!(output.status.code(), Some(1));
    let answer: Json = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answer["valid"], false);
    let problem = &answer["problems"][0];
    assert_eq!((problem["severity"].as_str(), problem["code"].as_str()), (Some("error"), Some("Expression")));
    assert_eq!((problem["line"].as_u64(), problem["column"].as_u64()), (Some(5), Some(10)));
    assert_eq!((problem["field"].as_str(), problem["file"].as_str()), (Some("spec.match"), Some(file.as_str())));
}

/// What `validate -f - -o json` says of a text, and its exit status.
fn of(text: &str) -> (Json, Option<i32>) {
    let output = piped(&["-o", "json"], text);
    (serde_json::from_slice(&output.stdout).expect("JSON"), output.status.code())
}

fn piped(arguments: &[&str], text: &str) -> std::process::Output {
    let mut command = Stage::new().command(&[&["validate", "-f", "-"], arguments].concat());
    let mut child = command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the binary was built");
    child.stdin.take().expect("it is piped").write_all(text.as_bytes()).expect("it is read");
    child.wait_with_output().expect("it ends")
}

#[test]
fn texts_without_resources_lists_and_json_are_valid() {
    let list = r#"{"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "networking.istio.io/v1", "kind": "WorkloadEntry", "metadata": {"name": "a"}, "spec": {"address": "::1"}}]}"#;
    for text in ["", "# nothing\n", "---\n---\n", list] {
        assert_eq!(of(text), (serde_json::json!({"valid": true, "problems": []}), Some(0)), "{text}");
        assert_eq!(String::from_utf8_lossy(&piped(&[], text).stdout), "validation succeed\n");
    }
}

#[test]
fn problems_have_exactly_these_fields_and_stand_at_the_scalar() {
    let text = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: v}\nspec:\n  hosts: [a.com]\n  \
                http:\n  - timeout: 0s\n    route: [{destination: {host: b.com}}]\n  - route: [{destination: {host: b.com}}]\n";
    let problem = |severity: &str, code: &str, line: u64, column: u64, field: &str, message: &str| {
        serde_json::json!({
            "severity": severity, "code": code, "file": "STDIN", "line": line, "column": column, "field": field,
            "message": message,
        })
    };
    let expected = [
        problem("error", "Invalid", 7, 14, "spec.http[0].timeout", "duration must be greater than 1ms"),
        problem(
            "warning",
            "UnreachableRule",
            9,
            5,
            "spec.http[1]",
            "VirtualService rule #1 not used (only the last rule can have no matches)",
        ),
    ];
    assert_eq!(of(text), (serde_json::json!({"valid": false, "problems": expected}), Some(1)));
    let warned = text.replace("0s", "1s");
    assert_eq!(of(&warned), (serde_json::json!({"valid": true, "problems": [expected[1]]}), Some(0)));
    assert_eq!(String::from_utf8_lossy(&piped(&[], &warned).stdout), "\"STDIN\" is valid, with 1 warning\n");
}

#[test]
fn kinds_versions_and_fields_that_nobody_knows_are_errors() {
    for (text, code, field) in [
        ("apiVersion: networking.istio.io/v2\nkind: Gateway\nmetadata: {name: x}", "UnknownKind", "apiVersion"),
        ("apiVersion: networking.istio.io/v1\nkind: Gatewya\nmetadata: {name: x}", "UnknownKind", "kind"),
        (
            "kind: WorkloadEntry\napiVersion: networking.istio.io/v1\nmetadata: {name: x}\nspce: {}",
            "UnknownField",
            "spce",
        ),
        ("- a", "Invalid", ""),
        ("a: [", "Syntax", ""),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: '!'}", "Invalid", "data.a"),
    ] {
        let (answer, status) = of(text);
        assert_eq!((&answer["valid"], status), (&Json::Bool(false), Some(1)), "{text}: {answer}");
        let first = &answer["problems"][0];
        assert_eq!((first["code"].as_str(), first["field"].as_str()), (Some(code), Some(field)), "{answer}");
    }
}

#[test]
fn what_another_file_may_have_is_not_missed() {
    let text = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: v}\nspec:\n  hosts: [reviews]\n  \
                gateways: [gw]\n  http: [{route: [{destination: {host: reviews}}]}]\n";
    assert_eq!(of(text).0["problems"], serde_json::json!([]));
}

#[test]
fn what_stands_for_istios_installation_may_be_declared_like_anything_else() {
    let text = "apiVersion: v1\nkind: Service\nmetadata: {name: istio-egressgateway, namespace: istio-system, \
                resourceVersion: '7'}\nspec: {ports: [{name: http2, port: 80}]}\n---\napiVersion: v1\nkind: Namespace\n\
                metadata: {name: istio-system}\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a, namespace: \
                new}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: new}\n";
    assert_eq!(of(text), (serde_json::json!({"valid": true, "problems": []}), Some(0)));
    let question =
        serde_json::json!({"manifest": text, "request": {"url": "http://istio-egressgateway.istio-system:443/"}});
    let answer = Stage::new().ok_with(&["trace", "--batch"], &format!("{question}\n"));
    let answer: Json = serde_json::from_str(&answer).expect("JSON");
    assert_eq!(answer["status"], 502, "the port is not among those that are declared: {answer}");
    let twice = format!("{text}---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: new}}\n");
    assert_eq!(of(&twice).0["valid"], false);
}

#[test]
fn a_screen_of_warnings_is_shown_and_the_others_are_counted() {
    let service = |number: u32| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: s{number}}}\nspec: {{hosts: \
             [s{number}.example], ports: [{{number: 3306, name: tcp, protocol: TCP}}], resolution: DNS}}\n---\n"
        )
    };
    let text: String = (0..60).map(service).collect();
    let output = piped(&[], &text);
    assert_eq!(output.status.code(), Some(0));
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        told.matches("\n --> ").count() + told.matches("\n  --> ").count() + told.matches("\n   --> ").count(),
        50
    );
    assert!(told.ends_with("warning: and 10 more warnings, which are not shown\n"), "{told}");
    assert_eq!(of(&text).0["problems"].as_array().map(Vec::len), Some(60), "scripts get all");
}

#[test]
fn a_folder_without_files_is_not_taken_for_a_valid_one() {
    let stage = Stage::new();
    let empty = stage.state().join("empty");
    std::fs::create_dir_all(&empty).expect("a folder");
    let told = stage.fails(&["validate", "-f", empty.to_str().expect("text")]);
    assert!(told.contains("no objects passed to validate"), "{told}");
}
