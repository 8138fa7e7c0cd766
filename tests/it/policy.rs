//! Rules that refuse, as a caller and an operator see them.

use egressctl::cli::demo::origin::{Origin, Received, Reply};

use crate::proxied::{Proxied, with_origin};
use crate::stage::{Stage, service_entry};

const DENIER: &str = "\
apiVersion: config.istio.io/v1alpha2
kind: denier
metadata: {name: blocker, namespace: istio-system}
spec: {status: {code: 7, message: not from here}}
---
apiVersion: config.istio.io/v1alpha2
kind: checknothing
metadata: {name: any, namespace: istio-system}
spec: {}
---
";

fn rule(condition: &str, annotations: &str) -> String {
    format!(
        "{DENIER}apiVersion: config.istio.io/v1alpha2\nkind: rule\nmetadata: {{name: deny, namespace: istio-system, \
         annotations: {annotations}}}\nspec:\n  match: {condition}\n  actions: [{{handler: blocker.denier, instances: \
         [any.checknothing]}}]\n"
    )
}

#[test]
fn a_refusal_has_the_codes_status_names_the_handler_and_its_decision() {
    let (scene, _origin) = with_origin(&rule("request.path.startsWith(\"/no\")", "{}"));
    let proxy = Proxied::start(&scene, &[]);
    assert_eq!(proxy.get("http://a.example/yes").status, 200);
    let refused = proxy.get("http://a.example/no");
    assert_eq!(refused.status, 403);
    assert!(
        refused.text().starts_with("PERMISSION_DENIED:blocker.denier.istio-system:not from here\n"),
        "{}",
        refused.text()
    );
    let id = refused.decision();
    let entry = scene.wait_for_entry(id);
    assert!(entry.contains("\"rule\":\"deny.rule.istio-system\"") && entry.contains("\"responseCode\":403"), "{entry}");
    let again = proxy.get("http://a.example/%6eo");
    assert_eq!(again.status, 403, "another spelling is the same path");
}

#[test]
fn a_check_that_cannot_be_carried_out_refuses_unless_told_otherwise() {
    let condition = "source.labels[\"app\"] == \"sleep\" && request.auth.principal == \"x\"";
    let (scene, _origin) = with_origin(&rule(condition, "{}"));
    {
        let proxy = Proxied::start(&scene, &[]);
        let refused = proxy.get("http://a.example/");
        assert_eq!(refused.status, 500);
        let described = scene.ok(&["describe", "rule", "deny", "-n", "istio-system"]);
        assert!(described.contains("1 times its match could not be decided (proxy egressgateway)"), "{described}");
        let metrics = scene.metrics();
        assert!(metrics.contains("egressctl_rule_undecided_total{rule=\"deny.rule.istio-system\"} 1\n"), "{metrics}");
        assert!(
            refused.text().contains("cannot be decided: lookup failed: 'request.auth.principal'"),
            "{}",
            refused.text()
        );
    }
    let proxy = Proxied::start(&scene, &["--on-check-failure", "allow", "--node", "lenient"]);
    assert_eq!(proxy.get("http://a.example/").status, 200);
    assert!(scene.wait_for_entry("would deny").contains("\"level\":\"warn\""));
}

#[test]
fn a_check_whose_handler_has_gone_refuses() {
    let (scene, _origin) = with_origin(&rule("request.path.startsWith(\"/no\")", "{}"));
    scene.ok(&["delete", "denier", "blocker", "-n", "istio-system"]);
    let proxy = Proxied::start(&scene, &[]);
    let refused = proxy.get("http://a.example/no");
    assert_eq!(refused.status, 500);
    assert!(refused.text().contains("no handler blocker.denier.istio-system"), "{}", refused.text());
    assert_eq!(proxy.get("http://a.example/yes").status, 200);
}

#[test]
fn a_rule_that_only_reports_lets_go_and_says_so() {
    let (scene, _origin) = with_origin(&rule("request.path.startsWith(\"/no\")", "{egressctl.io/mode: report}"));
    let mut proxy = Proxied::start(&scene, &[]);
    assert!(proxy.wait_for("policy:").contains("enforcing 0 of 1 rule; "));
    assert_eq!(proxy.get("http://a.example/no").status, 200);
    let entry = scene.wait_for_entry("would deny");
    assert!(entry.contains("would deny: PERMISSION_DENIED:blocker.denier.istio-system:not from here"), "{entry}");
    assert!(scene.metrics().contains("egressctl_would_deny_total 1\n"));
}

#[test]
fn a_proxy_or_a_workload_that_only_reports_refuses_nobody() {
    let (scene, _origin) = with_origin(&rule("request.host == \"a.example\"", "{}"));
    {
        let proxy = Proxied::start(&scene, &["--report-only"]);
        assert_eq!(proxy.get("http://a.example/").status, 200);
    }
    let sleep = std::fs::read_to_string(scene.fixture("scenario/sleep.yaml")).expect("a fixture");
    let marked = sleep.replacen(
        "kind: Deployment\nmetadata:\n",
        "kind: Deployment\nmetadata:\n  annotations: {egressctl.io/mode: report}\n",
        1,
    );
    assert_ne!(marked, sleep);
    scene.ok_with(&["apply", "-f", "-"], &marked);
    let proxy = Proxied::start(&scene, &["--node", "second"]);
    assert_eq!(proxy.get("http://a.example/").status, 200);
}

#[test]
fn rules_change_headers_of_calls_that_go() {
    let rule = "apiVersion: config.istio.io/v1alpha2\nkind: rule\nmetadata: {name: mark, namespace: istio-system}\nspec:\n  \
                requestHeaderOperations: [{name: x-from, values: [source.workload.name]}, {name: x-secret, operation: \
                REMOVE}]\n  responseHeaderOperations: [{name: x-seen, values: ['\"yes\"']}]\n";
    let (scene, origin) = with_origin(rule);
    drop(origin);
    let echo = |received: &Received| Reply::page("200 OK", received.head.as_bytes());
    let origin = Origin::start(None, echo).expect("an origin");
    scene.ok_with(&["create", "-f", "-"], &service_entry("b.example", origin.address));
    let proxy = Proxied::start(&scene, &[]);
    let mut client = proxy.connect();
    client.send(b"GET http://b.example/ HTTP/1.1\r\nhost: b.example\r\nx-secret: 1\r\n\r\n");
    let answer = client.read();
    assert!(answer.head.contains("x-seen: yes"), "{}", answer.head);
    assert!(answer.text().contains("x-from: sleep") && !answer.text().contains("x-secret"), "{}", answer.text());
}

#[test]
fn what_a_rule_names_wrongly_is_told_with_what_was_meant() {
    let scene = Stage::new();
    let manifest =
        rule("request.path.startsWith(\"/no\")", "{}").replace("handler: blocker.denier", "handler: bloker.denier");
    let told = scene.told_with(&["create", "-f", "-"], &manifest);
    assert!(told.contains("did you mean `blocker.denier.istio-system`?"), "{told}");
    let wrong =
        rule("request.path.startsWith(\"/no\")", "{}").replace("any.checknothing", "any.checknothing, log.logentry");
    let logentry = "---\napiVersion: config.istio.io/v1alpha2\nkind: logentry\nmetadata: {name: log, namespace: \
                    istio-system}\nspec: {severity: '\"info\"'}\n";
    let scene = Stage::new();
    let told = scene.told_with(&["create", "-f", "-"], &format!("{wrong}{logentry}"));
    assert!(told.contains("the adapter denier takes no logentry"), "{told}");
}

#[test]
fn a_quota_gives_so_much_by_its_dimensions_and_a_restart_gives_nothing_back() {
    let fixture = Stage::new().fixture("policy/quota.yaml");
    let (scene, _origin) = with_origin(&std::fs::read_to_string(fixture).expect("a fixture"));
    let statuses = |proxy: &Proxied, path: &str, calls: usize| -> Vec<u16> {
        (0..calls).map(|_| proxy.get(&format!("http://a.example{path}")).status).collect()
    };
    {
        let mut proxy = Proxied::start(&scene, &[]);
        assert_eq!(statuses(&proxy, "/", 4), [200, 200, 200, 429]);
        assert_eq!(statuses(&proxy, "/health", 6), [200, 200, 200, 200, 200, 429]);
        assert_eq!(statuses(&proxy, "/other", 1), [200]);
        let refused = proxy.get("http://a.example/");
        assert!(refused.text().starts_with("RESOURCE_EXHAUSTED:Quota is exhausted for: requestcount\n"));
        assert!(scene.wait_for_entry("Quota is exhausted").contains("\"flag\":\"RL\""));
        scene.ok(&["proxy", "stop"]);
        assert!(proxy.wait().success());
    }
    let proxy = Proxied::start(&scene, &[]);
    assert_eq!(statuses(&proxy, "/other", 3), [200, 200, 429]);
    assert_eq!(statuses(&proxy, "/", 1), [429]);
    let told = scene.ok(&["trace", "--from", "sleep", "http://a.example/"]);
    assert!(told.contains("deny: 429 RESOURCE_EXHAUSTED:Quota is exhausted for: requestcount"), "{told}");
    let refused = proxy.get("http://a.example/");
    scene.wait_for_entry(refused.decision());
    let why = scene.ok(&["why", refused.decision()]);
    let remedy = "a maxAmount of requestcount.quota.istio-system in limits.memquota.istio-system that is greater than 3 \
                  (in 1h0m0s), or later";
    assert!(why.contains(remedy), "{why}");
}

#[test]
fn no_other_name_for_a_service_leads_past_its_quota() {
    let quota = std::fs::read_to_string(Stage::new().fixture("policy/quota.yaml")).expect("a fixture");
    let alias = "\n---\napiVersion: networking.istio.io/v1alpha3\nkind: VirtualService\nmetadata: {name: alias}\nspec:\n  \
                 hosts: [alias.example]\n  http: [{route: [{destination: {host: a.example, port: {number: 80}}}]}]\n";
    let (scene, _origin) = with_origin(&(quota + alias));
    let proxy = Proxied::start(&scene, &[]);
    let statuses: Vec<u16> =
        ["alias", "a", "alias", "a", "alias"].map(|name| proxy.get(&format!("http://{name}.example/")).status).to_vec();
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
}

#[test]
fn quotas_in_fixed_windows_with_conditions_are_told_together_when_they_are_used_up() {
    let fixture = Stage::new().fixture("policy/quota_fixed.yaml");
    let (scene, _origin) = with_origin(&std::fs::read_to_string(fixture).expect("a fixture"));
    let proxy = Proxied::start(&scene, &[]);
    let told = |path: &str| proxy.get(&format!("http://a.example{path}")).text().lines().next().map(str::to_owned);
    assert_eq!(proxy.get("http://a.example/free").status, 200, "no clause names it");
    assert_eq!(proxy.get("http://a.example/download/1").status, 200);
    assert_eq!(proxy.get("http://a.example/free").status, 200);
    assert_eq!(told("/download/2").as_deref(), Some("RESOURCE_EXHAUSTED:Quota is exhausted for: hourly,daily"));
    let metrics = scene.ok(&["proxy", "metrics"]);
    assert!(metrics.contains("egressctl_quota_exhausted_total 2\n"), "{metrics}");
}

#[test]
fn a_limit_that_an_instance_lacks_is_told_when_the_rule_is_declared() {
    let fixture = Stage::new().fixture("policy/quota.yaml");
    let wrong =
        std::fs::read_to_string(fixture).expect("a fixture").replace("name: requestcount.quota", "name: other.quota");
    let told = Stage::new().told_with(&["create", "-f", "-"], &wrong);
    assert!(told.contains("the handler has no limit for requestcount.quota.istio-system"), "{told}");
}

#[test]
fn a_clause_that_cannot_be_compiled_is_refused_before_it_could_hold_up_later_changes() {
    let spec = |clause: &str| {
        format!(
            "apiVersion: config.istio.io/v1alpha2\nkind: QuotaSpec\nmetadata: {{name: s}}\nspec:\n  rules:\n  - match: \
             [{{clause: {{{clause}}}}}]\n    quotas: [{{quota: q, charge: 1}}]\n"
        )
    };
    for (clause, told) in [
        ("request.hots: {exact: a}", "did you mean `request.host`?"),
        ("request.size: {exact: a}", "evaluated to type INT64, expected type STRING"),
        ("request.path: {regex: '(?x)a#c'}", "unclosed group"),
    ] {
        let scene = Stage::new();
        let said = scene.told_with(&["create", "-f", "-"], &spec(clause));
        assert!(said.contains(told), "{clause}: {said}");
        assert!(!scene.ok(&["get", "quotaspecs", "-o", "name"]).contains("quotaspec"), "{clause} is not stored");
    }
    Stage::new().ok_with(&["create", "-f", "-"], &spec("request.path: {prefix: /a}, request.host: {regex: 'a.*'}"));
}

#[test]
fn a_mode_that_is_misspelled_is_refused_on_rules_and_workloads() {
    let sleep = std::fs::read_to_string(Stage::new().fixture("scenario/sleep.yaml")).expect("a fixture");
    let workload = sleep.replacen(
        "kind: Deployment\nmetadata:\n",
        "kind: Deployment\nmetadata:\n  annotations: {egressctl.io/mode: reprot}\n",
        1,
    );
    for manifest in [workload, rule("request.path == \"/no\"", "{egressctl.io/mode: reprot}")] {
        let said = Stage::new().told_with(&["create", "-f", "-"], &manifest);
        assert!(said.contains("Unsupported value: \"reprot\"") && said.contains("report"), "{said}");
    }
}

#[test]
fn what_was_counted_for_a_handler_outlasts_a_run_without_it() {
    let fixture = Stage::new().fixture("policy/quota.yaml");
    let manifest = std::fs::read_to_string(fixture).expect("a fixture");
    let (scene, _origin) = with_origin(&manifest);
    let other = manifest
        .split("---\n")
        .find(|document| document.contains("kind: memquota"))
        .expect("a handler")
        .replace("name: limits", "name: other");
    let run = |calls: usize| -> Vec<u16> {
        let mut proxy = Proxied::start(&scene, &[]);
        let statuses = (0..calls).map(|_| proxy.get("http://a.example/").status).collect();
        scene.ok(&["proxy", "stop"]);
        assert!(proxy.wait().success());
        statuses
    };
    assert_eq!(run(4), [200, 200, 200, 429]);
    scene.ok_with(&["create", "-f", "-"], &other);
    scene.ok(&["delete", "memquota", "limits", "-n", "istio-system"]);
    run(0);
    scene.ok_with(&["apply", "-f", "-"], &manifest);
    assert_eq!(run(1), [429]);
}

#[test]
fn a_change_that_would_break_another_resource_is_refused() {
    let (scene, _origin) =
        with_origin(&std::fs::read_to_string(Stage::new().fixture("policy/quota.yaml")).expect("a fixture"));
    let other = "apiVersion: config.istio.io/v1alpha2\nkind: memquota\nmetadata: {name: limits, namespace: istio-system}\n\
                 spec: {quotas: [{name: other.quota.istio-system, maxAmount: 5, validDuration: 1h}]}\n";
    let told = scene.told_with(&["apply", "-f", "-"], other);
    let why = "fault elsewhere: rule/count-calls.istio-system: ";
    assert!(told.contains(why) && told.contains("no limit for requestcount.quota.istio-system"), "{told}");
    assert!(scene.ok(&["get", "memquota", "limits", "-n", "istio-system", "-o", "yaml"]).contains("requestcount"));
}

#[test]
fn a_quota_rule_that_only_reports_switches_no_other_one_off() {
    let trial = "\n---\napiVersion: config.istio.io/v1alpha2\nkind: memquota\nmetadata: {name: strict, namespace: \
                 istio-system}\nspec: {quotas: [{name: requestcount.quota.istio-system, maxAmount: 1, validDuration: 1h}]}\n\
                 ---\napiVersion: config.istio.io/v1alpha2\nkind: rule\nmetadata: {name: a-trial, namespace: istio-system, \
                 annotations: {egressctl.io/mode: report}}\nspec: {actions: [{handler: strict.memquota, instances: \
                 [requestcount.quota]}]}\n";
    let quota = std::fs::read_to_string(Stage::new().fixture("policy/quota.yaml")).expect("a fixture");
    let (scene, _origin) = with_origin(&(quota + trial));
    let proxy = Proxied::start(&scene, &[]);
    let statuses: Vec<u16> = (0..4).map(|_| proxy.get("http://a.example/").status).collect();
    assert_eq!(statuses, [200, 200, 200, 429]);
    scene.wait_for_entry("would deny: RESOURCE_EXHAUSTED:strict.memquota.istio-system");
    // Asking about another time changes nothing.
    scene.ok(&["trace", "--from", "sleep", "--at", "2100-01-01T00:00:00Z", "http://a.example/"]);
    assert_eq!(proxy.get("http://a.example/").status, 429);
}
