//! `trace` and `why`: what they say is what the proxy does.

use std::fmt::Write as _;

use egressctl::cli::demo::origin::{Origin, Received, Reply};
use serde_json::{Value as Json, json};

use crate::proxied::Proxied;
use crate::stage::{SCENARIO, Stage, service_entry};

fn scenario(scene: &Stage) -> Vec<String> {
    SCENARIO.iter().chain(&["policy/whitelist.yaml"]).map(|name| scene.fixture(name)).collect()
}

#[test]
fn files_alone_are_enough_to_see_the_path_of_a_decision() {
    let scene = Stage::new();
    std::fs::remove_dir(scene.state()).expect("it is empty");
    let files = scenario(&scene);
    let mut arguments = vec!["trace", "--from", "sleep", "--at", "2018-06-18T13:22:58.317448Z"];
    files.iter().for_each(|file| arguments.extend(["-f", file]));
    arguments.push("http://edition.cnn.com/%70olitics");
    let told = scene.ok(&arguments).replace(env!("CARGO_MANIFEST_DIR"), "");
    insta::assert_snapshot!(told);
    assert!(!scene.state().exists(), "no state directory is made");
}

#[test]
fn the_answer_for_scripts_has_verdict_route_checks_and_lines() {
    let scene = Stage::new();
    let files = scenario(&scene);
    let mut arguments = vec!["trace", "--from", "sleep", "-o", "json"];
    files.iter().for_each(|file| arguments.extend(["-f", file]));
    arguments.push("http://edition.cnn.com/politics");
    let answer: Json = serde_json::from_str(&scene.ok(&arguments)).expect("JSON");
    assert_eq!(answer["verdict"], "deny");
    assert_eq!(answer["status"], 403);
    assert_eq!(answer["destination"], "edition.cnn.com:443");
    assert_eq!(answer["route"], json!({"virtualService": "default/direct-through-egress-gateway", "index": 1}));
    let check = json!({
        "rule": "check-paths.rule.istio-system",
        "handler": "pathlist.listchecker.istio-system",
        "instance": "path.listentry.istio-system",
        "code": "PERMISSION_DENIED",
        "message": "/politics is not whitelisted",
    });
    assert_eq!(answer["checks"], json!([check]));
    assert_eq!(answer["logEntries"].as_array().map(Vec::len), Some(2));
    assert_eq!(answer["logEntries"][0]["responseCode"], 403);
}

#[test]
fn wrong_questions_are_told_plainly() {
    let scene = Stage::new();
    scene.declare(&["scenario/sleep.yaml"]);
    let file = scene.fixture("policy/whitelist.yaml");
    for (arguments, expected) in [
        (vec!["trace", "--from", "slep", "http://a.example/"], "; did you mean sleep.default?"),
        (vec!["trace", "--from", "nobody", "http://a.example/"], "no Deployment or Pod nobody in namespace default"),
        (vec!["trace", "-f", &file, "ftp://a.example/"], "ftp://"),
        (vec!["trace", "-f", &file, "tcp://a.example"], "needs a port"),
        (vec!["trace", "-f", &file, "-H", "bad", "http://a.example/"], "NAME: VALUE"),
        (vec!["why", "0123456789abcdef"], "no decision 0123456789abcdef in the log"),
        (vec!["why", "x"], "16 hexadecimal digits"),
    ] {
        let told = scene.fails(&arguments);
        assert!(told.contains(expected) && !told.contains("panicked"), "{arguments:?}: {told}");
    }
}

#[test]
fn why_tells_the_recorded_decision_of_that_very_request() {
    let scene = Stage::new();
    scene.declare(&SCENARIO);
    scene.declare(&["policy/whitelist.yaml"]);
    let proxy = Proxied::start(&scene, &[]);
    let refused = proxy.get("http://edition.cnn.com/politics");
    assert_eq!(refused.status, 403);
    let id = refused.decision();
    assert!(refused.text().contains(&format!("egressctl why {id}")), "{}", refused.text());
    scene.wait_for_entry(id);
    let told = scene.ok(&["why", id]);
    for part in [
        "Caller:     sleep",
        "Status:     403",
        "/politics is not whitelisted",
        "Rule:       check-paths.rule.istio-system",
        "Compared:   request.host = \"edition.cnn.com\"",
        "Would go:   with \"/politics\" on the list of pathlist.listchecker.istio-system",
    ] {
        assert!(told.contains(part), "{part} in\n{told}");
    }
}

/// A generator whose choices depend on nothing but its seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % sides
    }

    pub(crate) fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len())]
    }

    fn condition(&mut self, depth: usize) -> String {
        if depth > 0 && self.roll(2) == 0 {
            let joint = self.one(&["&&", "||"]);
            return format!("({} {joint} {})", self.condition(depth - 1), self.condition(depth - 1));
        }
        let attribute = self.one(&[
            "request.host",
            "request.path",
            "request.headers[\"x-team\"]",
            "request.method",
            "source.labels[\"app\"]",
            "(request.auth.principal | \"nobody\")",
            "request.auth.principal",
        ]);
        let text = self.one(&["a.example", "/", "/pol", "/sport", "red", "GET", "sleep", "nobody", ".example"]);
        match self.roll(4) {
            0 => format!("{attribute} == \"{text}\""),
            1 => format!("{attribute} != \"{text}\""),
            2 => format!("match({attribute}, \"{text}*\")"),
            _ => format!("match({attribute}, \"*{text}\")"),
        }
    }
}

fn rules(dice: &mut Dice, count: usize) -> String {
    let mut text = String::from(
        "apiVersion: config.istio.io/v1alpha2\nkind: listchecker\nmetadata: {name: list, namespace: istio-system}\nspec: \
         {overrides: [/sport, /health]}\n---\napiVersion: config.istio.io/v1alpha2\nkind: denier\nmetadata: {name: stop, \
         namespace: istio-system}\nspec: {status: {code: 16}}\n---\napiVersion: config.istio.io/v1alpha2\nkind: \
         checknothing\nmetadata: {name: any, namespace: istio-system}\nspec: {}\n---\napiVersion: \
         config.istio.io/v1alpha2\nkind: listentry\nmetadata: {name: path, namespace: istio-system}\nspec: {value: \
         request.path}\n",
    );
    for number in 0..count {
        let (handler, instance) = if dice.roll(2) == 0 {
            ("list.listchecker", "path.listentry")
        } else {
            ("stop.denier", "any.checknothing")
        };
        let condition = dice.condition(2);
        let _ = write!(
            text,
            "---\napiVersion: config.istio.io/v1alpha2\nkind: rule\nmetadata: {{name: r{number}, namespace: \
             istio-system}}\nspec:\n  match: '{condition}'\n  actions: [{{handler: {handler}, instances: [{instance}]}}]\n"
        );
    }
    text
}

#[test]
fn what_trace_says_of_random_rules_is_what_the_proxy_does() {
    let mut dice = Dice(20_181_123);
    let origin = Origin::start(None, |_: &Received| Reply::page("200 OK", b"page")).expect("an origin");
    let entry = |host: &str| format!("---\n{}", service_entry(host, origin.address));
    let mut verdicts = [0; 2];
    for _ in 0..6 {
        let scene = Stage::new();
        let sleep = std::fs::read_to_string(scene.fixture("scenario/sleep.yaml")).expect("a fixture");
        let manifest = format!("{sleep}{}{}---\n{}", entry("a.example"), entry("b.example"), rules(&mut dice, 4));
        scene.ok_with(&["create", "-f", "-"], &manifest);
        let proxy = Proxied::start(&scene, &[]);
        let mut client = proxy.connect();
        let (mut questions, mut statuses) = (String::new(), Vec::new());
        for id in 0..20 {
            let host = dice.one(&["a.example", "b.example", "A.example", "c.example"]);
            let path = dice.one(&["/", "/politics", "/%70olitics", "/sport", "/a/../sport", "/health"]);
            let (method, team) = (dice.one(&["GET", "POST"]), dice.one(&["red", "blue"]));
            let length = if method == "POST" { "content-length: 0\r\n" } else { "" };
            client.send(
                format!("{method} http://{host}{path} HTTP/1.1\r\nhost: {host}\r\nx-team: {team}\r\n{length}\r\n")
                    .as_bytes(),
            );
            statuses.push(client.read().status);
            let request = json!({"method": method, "url": format!("http://{host}{path}"), "headers": {"x-team": team}});
            let _ =
                writeln!(questions, "{}", json!({"id": id, "manifest": manifest, "from": "sleep", "request": request}));
        }
        let answers = scene.ok_with(&["trace", "--batch"], &questions);
        assert_eq!(answers.lines().count(), statuses.len());
        for (id, (answer, status)) in answers.lines().zip(statuses).enumerate() {
            let answer: Json = serde_json::from_str(answer).expect("JSON");
            assert_eq!(answer["id"], id);
            assert_eq!(answer["status"], status, "{answer} for {}", questions.lines().nth(id).expect("asked"));
            verdicts[usize::from(answer["verdict"] == "allow")] += 1;
        }
    }
    assert!(verdicts.iter().all(|count| *count > 5), "both happen: {verdicts:?}");
}

#[test]
fn a_line_that_is_no_question_stops_nothing() {
    let scene = Stage::new();
    let good = json!({"id": "x", "manifest": "", "request": {"url": "http://a.example/"}});
    let wrong = json!({"id": 7, "manifest": "kind: [", "request": {"url": "http://a.example/"}});
    let answers = scene.ok_with(&["trace", "--batch"], &format!("no JSON\n{wrong}\n\n{good}\n"));
    let answers: Vec<Json> = answers.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(answers[0]["error"].as_str().is_some_and(|error| error.contains("not a question")), "{answers:?}");
    assert!(answers[1]["id"] == 7 && answers[1]["error"].is_string(), "{answers:?}");
    assert!(answers[2]["id"] == "x" && answers[2]["status"] == 502 && answers[2]["verdict"] == "deny", "{answers:?}");
}
