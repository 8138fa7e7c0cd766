//! `analyze`: findings, their three forms, and the exit status.

use serde_json::Value as Json;

use crate::harness::Scene;

const ROUTE: &str = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: x\nspec:\n  hosts: [a.com]\n  \
                     gateways:\n  - nope\n  http:\n  - directResponse: {status: 200}\n";
const LINE: &str = "Error [IST0101] (VirtualService default/x x.yaml:8) Referenced gateway not found: \"nope\"\n";
const FOUND: &str = "Error: Analyzers found issues when analyzing namespace: default.\nSee \
                     https://istio.io/latest/docs/reference/config/analysis for more information about causes and \
                     resolutions.\n";

fn fixture(name: &str) -> String {
    format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn files_alone_are_analyzed_and_the_exit_status_is_istioctl_s() {
    let scene = Scene::new();
    std::fs::remove_dir(scene.path().join("state")).expect("it is empty");
    scene.write("x.yaml", ROUTE);
    scene.run("analyze x.yaml").says(79, LINE, FOUND);
    scene.run("analyze --use-kube=false -f x.yaml").says(79, LINE, FOUND);
    assert!(!scene.path().join("state").exists(), "nothing is made where nothing was declared");
}

#[test]
fn what_is_declared_counts_with_files_on_top_of_it() {
    let scene = Scene::new();
    scene.write("x.yaml", ROUTE);
    let gateway = "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: nope}\nspec:\n  selector: {istio: \
                   egressgateway}\n  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [a.com]}]\n";
    scene.run("analyze").says(0, "", "\u{2714} No validation issues found when analyzing namespace: default.\n");
    scene.run("create -f x.yaml").output();
    scene.run("analyze").says(79, LINE.replace("x.yaml:8", "x.yaml:1").as_str(), FOUND);
    scene.write("g.yaml", gateway);
    scene.run("analyze g.yaml").says(0, "", "\u{2714} No validation issues found when analyzing g.yaml.\n");
    scene.run("analyze -n istio-system").says(
        0,
        "",
        "\u{2714} No validation issues found when analyzing namespace: istio-system.\n",
    );
    assert_eq!(scene.run("analyze -A").finish().code, Some(79));
}

#[test]
fn thresholds_decide_what_is_shown_and_what_fails() {
    let scene = Scene::new();
    let line = "analyze --use-kube=false -A";
    let scenario = fixture("scenario");
    let warned = scene.run(&format!("{line} {scenario}")).output();
    assert!(
        warned.starts_with("Warning [IST0129] (DestinationRule default/originate-tls-for-edition-cnn-com "),
        "{warned}"
    );
    assert!(warned.contains("01-egress-gateway.yaml:75) DestinationRule"), "{warned}");
    let failed = scene.run(&format!("{line} --failure-threshold warning {scenario}")).finish();
    assert_eq!((failed.code, failed.stdout.as_str()), (Some(79), warned.as_str()));
    let silent = scene.run(&format!("{line} --output-threshold Error {scenario}")).finish();
    assert_eq!((silent.code, silent.stdout.as_str()), (Some(0), ""));
    let unknown = scene.run("analyze --failure-threshold Bad").error();
    assert!(unknown.contains("must be one of Info, Warning, Error"), "{unknown}");
}

#[test]
fn scripts_get_objects_and_no_failure() {
    let scene = Scene::new();
    scene.write("x.yaml", ROUTE);
    let object: Json = serde_json::from_str(&scene.run("analyze x.yaml -o json").output()).expect("JSON");
    let expected = serde_json::json!([{
        "code": "IST0101",
        "documentationUrl": "https://istio.io/latest/docs/reference/config/analysis/ist0101/?ref=istioctl-analyze",
        "field": "spec.gateways[0]",
        "level": "Error",
        "message": "Referenced gateway not found: \"nope\"",
        "origin": "VirtualService default/x",
        "reference": "x.yaml:8",
    }]);
    assert_eq!(object, expected);
    let yaml = scene.run("analyze x.yaml -o yaml").output();
    assert!(yaml.starts_with("- code: IST0101\n  documentationUrl:"), "{yaml}");
    scene.write("empty.yaml", "");
    assert_eq!(scene.run("analyze empty.yaml -o json").output(), "[]\n");
}

#[test]
fn colours_and_codes_are_shown_on_request() {
    let scene = Scene::new();
    scene.write("x.yaml", ROUTE);
    let colored = scene.run("analyze --color always x.yaml").finish().stdout;
    assert!(colored.starts_with("\u{1b}[1m\u{1b}[91mError\u{1b}[0m [IST0101] ("), "{colored:?}");
    let codes = scene.run("analyze -L").output();
    assert!(codes.starts_with("CODE     LEVEL    MEANING\nIST0002  Warning  "), "{codes}");
    assert_eq!(scene.run("analyze --list-analyzers").output(), codes);
}

#[test]
fn what_is_no_manifest_is_told_and_the_rest_analyzed() {
    let scene = Scene::new();
    scene.write("x.yaml", "a: [\n");
    scene.write("y.yaml", "apiVersion: v1\nkind: Unheard\nmetadata: {name: u}\n");
    let done = scene.run("analyze x.yaml y.yaml").finish();
    assert_eq!(done.code, Some(65), "{done}");
    let end = "No validation issues found when analyzing namespace: default (but 2 files could not be parsed).\nError: Some \
               files couldn't be parsed.\n";
    assert!(done.stderr.ends_with(end), "{done}");
    let passed = scene.run("analyze --ignore-unknown y.yaml").finish();
    assert_eq!(passed.code, Some(0), "{passed}");
}

#[test]
fn describe_says_what_policies_see_and_create_warns_of_what_they_do_not() {
    let scene = Scene::new();
    scene
        .run(&format!("create -f {} -f {}", fixture("scenario/sleep.yaml"), fixture("scenario/01-egress-gateway.yaml")))
        .output();
    let described = scene.run("describe serviceentry cnn").output();
    let seen = "Visible to Policy:\n  edition.cnn.com:80:   HTTP to the sidecar, TLS originated at the gateway: path, method, \
                headers visible\n";
    assert!(described.contains(seen), "{described}");
    let monitoring = fixture("scenario/02-egress-monitoring.yaml");
    let silent = scene.run(&format!("create -f {monitoring}")).finish();
    assert_eq!((silent.code, silent.stderr.as_str()), (Some(0), ""), "{silent}");

    let scene = Scene::new();
    let passed = fixture("passthrough/egress-gateway.yaml");
    scene.run(&format!("create -f {} -f {passed}", fixture("scenario/sleep.yaml"))).output();
    let described = scene.run("describe serviceentry cnn").output();
    let seen = "  edition.cnn.com:443:  HTTPS passed through sidecar and gateway: only SNI, addresses, bytes\n";
    assert!(described.contains(seen), "{described}");
    let warned = scene.run(&format!("create -f {monitoring}")).finish();
    assert_eq!(warned.code, Some(0), "{warned}");
    let said = "rule report-politics reads request.path, but calls to edition.cnn.com:443 from sleep are passed through encrypted";
    assert!(warned.stderr.contains(said) && warned.stderr.contains("02-egress-monitoring.yaml:38:"), "{warned}");
}
