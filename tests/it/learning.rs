//! What is learned from recorded calls: replaying them by another policy, and a policy made of them.

use serde_json::Value as Json;

use crate::proxied::{Proxied, Site, with_origin};
use crate::stage::{Stage, until};

/// Refuses what is below a path.
const DENY_Y: &str = "\
apiVersion: config.istio.io/v1alpha2
kind: denier
metadata: {name: deny, namespace: istio-system}
spec: {status: {code: 7, message: not there}}
---
apiVersion: config.istio.io/v1alpha2
kind: checknothing
metadata: {name: deny, namespace: istio-system}
spec: {}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: deny-y, namespace: istio-system}
spec:
  match: request.path.startsWith(\"/y\")
  actions: [{handler: deny.denier, instances: [deny.checknothing]}]
";

#[track_caller]
fn wait_for(scene: &Stage, calls: usize) {
    let found = || scene.ok(&["logs", "--all", "--instance", "access"]).lines().count();
    until("the records of all calls", || found() >= calls);
}

fn replayed(scene: &Stage, arguments: &[&str]) -> Json {
    let text = scene.ok(&[&["replay", "-o", "json"], arguments].concat());
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn a_changed_policy_tells_which_recorded_calls_it_would_refuse_and_let_through() {
    let (scene, _origin) = with_origin("");
    let proxy = Proxied::start(&scene, &[]);
    for path in ["x", "y/1", "y/1", "y/2"] {
        assert_eq!(proxy.get(&format!("http://a.example/{path}")).status, 200);
    }
    assert_eq!(proxy.get("http://b.example/").status, 502);
    wait_for(&scene, 5);
    let new = scene.write(
        "new.yaml",
        &format!(
            "{DENY_Y}---\n{}",
            crate::stage::service_entry("b.example", "127.0.0.1:9".parse().expect("an address"))
        ),
    );
    let text = scene.ok(&["replay", "-f", &new]);
    assert!(
        text.starts_with("would refuse 3 of 4 calls that went\n       3  sleep.default  deny-y.rule.istio-system\n"),
        "{text}"
    );
    assert!(text.contains("would let through 1 of 1 refused call\n"), "{text}");
    let json = replayed(&scene, &["-f", &new, "--from", "sleep"]);
    assert_eq!((&json["calls"], &json["wouldRefuse"]["count"]), (&Json::from(5), &Json::from(3)));
    for question in [&["replay", "--from", "other"][..], &["generate", "policy", "--from", "other"]] {
        let told = scene.fails(question);
        assert!(told.contains("no call of the workload other.default is recorded\n"), "{told}");
        assert!(told.contains("hint: there are calls of sleep.default\n"), "{told}");
    }
    // Nothing was changed by that, and nothing is if it is asked for.
    let told = scene.fails(&["apply", "-f", &new, "--replay-check"]);
    assert!(told.contains("nothing was applied") && told.contains("would refuse 3 of 4 calls"), "{told}");
    assert_eq!(proxy.get("http://a.example/y/1").status, 200);
    let harmless = scene.write("harmless.yaml", &DENY_Y.replace("\"/y\"", "\"/z\""));
    scene.ok(&["apply", "-f", &harmless, "--replay-check"]);
}

#[test]
fn what_would_be_let_through_is_shown_by_calls_that_were_refused() {
    let (scene, _origin) = with_origin(DENY_Y);
    let proxy = Proxied::start(&scene, &[]);
    let get = || proxy.get("http://a.example/y").status;
    assert_eq!(get(), 403);
    // The same call goes later: it is no example of one that was refused.
    scene.ok(&["allow", "a.example/y", "--from", "sleep", "--for", "1h", "--reason", "a test"]);
    until("the grant is in force", || get() == 200);
    until("its record", || !scene.ok(&["logs", "--all", "--verdict", "would-deny"]).is_empty());
    let new = scene.write("new.yaml", &DENY_Y.replace("\"/y\"", "\"/z\""));
    let json = replayed(&scene, &["-f", &new]);
    assert_eq!(json["wouldRefuse"]["count"], 0, "{json}");
    let [group] = &json["wouldLetThrough"]["groups"].as_array().expect("groups")[..] else { panic!("{json}") };
    assert_eq!(group["by"], "deny-y.rule.istio-system", "{json}");
    for example in group["examples"].as_array().expect("examples") {
        let of = format!("decision={}", example["decision"].as_str().expect("an id"));
        assert_eq!(scene.ok(&["logs", "--all", "--verdict", "deny", "--field", &of, "--count"]), "1\n", "{json}");
    }
}

#[test]
fn a_generated_policy_allows_what_was_seen_and_nothing_else() {
    let (scene, _origin) = with_origin("");
    let proxy = Proxied::start(&scene, &[]);
    let seen = ["x", "orders/1", "orders/22", "x?q=1"];
    for path in seen {
        assert_eq!(proxy.get(&format!("http://a.example/{path}")).status, 200);
    }
    wait_for(&scene, seen.len());
    let yaml = scene.ok(&["generate", "policy", "--since", "1d"]);
    assert!(yaml.contains("`egressctl generate policy --since 24h`"), "{yaml}");
    assert!(yaml.contains("`egressctl replay -f FILE --since 24h`"), "{yaml}");
    assert!(yaml.contains("  - '^default/sleep GET a\\.example /orders/[0-9]+$'\n"), "{yaml}");
    assert!(yaml.contains("# 2 calls to 2 paths, as /orders/1 /orders/22\n"), "{yaml}");
    let file = scene.write("seen.yaml", &yaml);
    let json = replayed(&scene, &["-f", &file]);
    assert_eq!((&json["wouldRefuse"]["count"], &json["unjudged"]), (&Json::from(0), &serde_json::json!({})), "{yaml}");
    scene.ok(&["apply", "-f", &file, "--replay-check"]);
    until("the policy is in force", || proxy.get("http://a.example/other").status == 403);
    for path in seen.iter().chain(&["orders/333"]) {
        assert_eq!(proxy.get(&format!("http://a.example/{path}")).status, 200, "{path}");
    }
    for path in ["orders/a", "orders/1/2", "y"] {
        assert_eq!(proxy.get(&format!("http://a.example/{path}")).status, 403, "{path}");
    }
}

#[test]
fn the_scenarios_session_is_allowed_by_the_policies_that_are_made_of_it() {
    let site = Site::new(&[]);
    let proxy = site.proxy(&[]);
    for path in ["politics", "sport", "health"] {
        assert_eq!(proxy.get(&format!("http://edition.cnn.com/{path}")).status, 200);
    }
    wait_for(&site.scene, 3);
    let files = ["listchecker", "authorization"].map(|style| {
        let yaml = site.scene.ok(&["generate", "policy", "--style", style]);
        let file = site.scene.write(&format!("{style}.yaml"), &yaml);
        let json = replayed(&site.scene, &["-f", &file]);
        assert_eq!((&json["calls"], &json["wouldRefuse"]["count"]), (&Json::from(3), &Json::from(0)), "{yaml}");
        file
    });
    for file in files {
        site.scene.ok(&["apply", "-f", &file]);
        until("the policy is in force", || proxy.get("http://edition.cnn.com/other").status == 403);
        assert_eq!(proxy.get("http://edition.cnn.com/sport").status, 200, "{file}");
        site.scene.ok(&["delete", "-f", &file]);
        until("the policy is gone", || proxy.get("http://edition.cnn.com/other").status == 200);
    }
}

#[test]
fn why_tells_of_calls_that_went_too() {
    let (scene, _origin) = with_origin("");
    let proxy = Proxied::start(&scene, &[]);
    assert_eq!(proxy.get("http://a.example/x").status, 200);
    wait_for(&scene, 1);
    let access: Json = serde_json::from_str(&scene.ok(&["logs", "--all", "--instance", "access"])).expect("JSON");
    let decision = access["decision"].as_str().expect("an id");
    let (first, all) = (access["firstByteMicros"].as_i64(), access["durationMicros"].as_i64());
    assert!(first.is_some() && first <= all, "{access}");
    let traced = scene.ok(&["trace", "--decision", decision]);
    assert!(traced.contains("a.example") && traced.contains("/x"), "{traced}");
    let told = scene.fails(&["trace", "--decision", "0123456789abcdef"]);
    assert!(told.contains("no decision 0123456789abcdef in the log"), "{told}");
    let told = scene.ok(&["why", decision]);
    assert!(told.contains("Verdict:    allow\n") && told.contains("Path:       /x\n"), "{told}");
}

#[test]
fn what_a_record_says_is_never_more_than_a_value_in_a_policy() {
    let (scene, _origin) = with_origin("");
    let proxy = Proxied::start(&scene, &[]);
    assert_eq!(proxy.get("http://a.example/x").status, 200);
    assert_eq!(proxy.get("http://a.example/*").status, 200);
    wait_for(&scene, 2);
    // Somebody else's record, whose caller's name goes on with lines of its own.
    let records = scene.ok(&["logs", "--all", "--instance", "access"]);
    let hostile = records.replace("\"source\":\"sleep\"", "\"source\":\"sleep\\n---\\nkind: Evil\"");
    assert!(hostile.contains("Evil"), "{records}");
    scene.ok_with(&["logs", "import", "-"], &hostile);
    for style in ["authorization", "listchecker"] {
        let policy = scene.ok(&["generate", "policy", "--style", style]);
        assert!(policy.contains("/x") && !policy.contains("Evil"), "{policy}");
    }
    let policy = scene.ok(&["generate", "policy", "--style", "authorization"]);
    assert!(policy.contains("# Left out: calls whose method") && !policy.contains("'/*'"), "{policy}");
}

#[test]
fn a_replay_tells_what_a_change_does_and_not_what_is_refused_without_it_or_whatever_is_declared() {
    let (scene, origin) = with_origin("");
    let proxy = Proxied::start(&scene, &["--resolve", &format!("b.example:80:{}", origin.address)]);
    for path in ["x", "z/1", "z/2", "z/3", "z/4"] {
        assert_eq!(proxy.get(&format!("http://a.example/{path}")).status, 200);
    }
    // It goes although no policy lets it, as in an audit: here by a grant, which is gone afterwards.
    scene.ok(&["allow", "b.example:80", "--from", "sleep", "--for", "1h", "--reason", "a test"]);
    until("the grant is in force", || proxy.get("http://b.example/").status == 200);
    until("its record", || !scene.ok(&["logs", "--all", "--verdict", "would-deny"]).is_empty());
    let name = scene.ok(&["get", "grants", "-o", "jsonpath={.items[0].metadata.name}"]);
    scene.ok(&["delete", "grant", &name]);
    assert_eq!(proxy.get("http://a.example/a%2fb").status, 400);
    until("that has its record", || !scene.ok(&["logs", "--all", "--field", "path=/a%2fb"]).is_empty());
    let harmless = scene.write("harmless.yaml", &DENY_Y.replace("\"/y\"", "\"/none\""));
    let json = replayed(&scene, &["-f", &harmless]);
    assert_eq!((&json["wouldRefuse"]["count"], &json["wouldLetThrough"]["count"]), (&Json::from(0), &Json::from(0)));
    assert_eq!(json["refusedAnyway"], 1, "{json}");
    let undecided = json["undecided"].as_object().expect("reasons");
    assert!(undecided.len() == 1 && undecided.keys().all(|why| why.contains("escaped slash")), "{json}");
    scene.ok(&["apply", "-f", &harmless, "--replay-check"]);
    let other = scene.write("other.yaml", &DENY_Y.replace("\"/y\"", "\"/z\"").replace("deny-y", "deny-z"));
    let text = scene.ok(&["replay", "-f", &other]);
    assert!(text.contains("       4  sleep.default  deny-z.rule.istio-system\n"), "{text}");
    assert!(text.contains("          and 1 more\n"), "{text}");
    assert!(text.contains("left out 1 refused call, whatever is declared: the path has an escaped slash"), "{text}");
    // To declare the host is what would let it go.
    let declared = crate::stage::service_entry("b.example", origin.address);
    let json = replayed(&scene, &["-f", &scene.write("declared.yaml", &declared)]);
    let all = scene.ok(&["logs", "--all", "--instance", "access", "--host", "b.example", "--count"]);
    assert_eq!(format!("{}\n", json["wouldLetThrough"]["count"]), all, "{json}");
}
