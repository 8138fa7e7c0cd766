//! `validate`: files alone.

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
    scene.run(&format!("validate -f {sleep} -f {quota}")).succeeds(&format!("{sleep}: valid\n{quota}: valid\n"));
    let stored = std::fs::read_dir(scene.path().join("state")).map_or(0, Iterator::count);
    assert_eq!(stored, 0, "no registry is needed, and none is made");
}

#[test]
fn mistakes_of_all_files_are_shown_and_the_exit_status_tells() {
    let stage = Stage::new();
    let (one, two) = (stage.write("one.yaml", &format!("{RULE}---\n{DENIER}")), stage.write("two.yaml", DENIER));
    let output = stage.command(&["validate", "-f", &one, "-f", &two]).output().expect("the binary was built");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{one}: invalid, 1 error\n{two}: invalid, 1 error\n"));
    let told = String::from_utf8_lossy(&output.stderr);
    for part in
        ["one.yaml:5:10", "did you mean `request.host`?", "two.yaml:3:", "already exists", "2 of 2 files are invalid"]
    {
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
