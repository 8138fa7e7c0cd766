//! AuthorizationPolicies at the gateway, as a caller and an operator see them.

use std::process::Command;

use serde_json::Value as Json;

use crate::proxied::{Answer, Site};
use crate::stage::{Stage, curl};

const POLITICS: &str = "http://edition.cnn.com/politics";
const SPORT: &str = "http://edition.cnn.com/sport";

fn policy(name: &str, annotations: &str, spec: &str) -> String {
    format!(
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: {name}, namespace: istio-system, \
         annotations: {annotations}}}\nspec:\n  {}\n",
        spec.replace('\n', "\n  ")
    )
}

const DENY_POLITICS: &str = "action: DENY\nrules: [{to: [{operation: {paths: [/politics], ports: ['443']}}]}]";

fn why(scene: &Stage, answer: &Answer) -> Json {
    let id = answer.decision();
    scene.wait_for_entry(id);
    serde_json::from_str(&scene.ok(&["why", id, "-o", "json"])).expect("JSON")
}

#[test]
fn a_denied_request_is_answered_as_istio_does_and_explained() {
    let site = Site::new(&[]);
    site.scene.ok_with(&["create", "-f", "-"], &policy("no-politics", "{}", DENY_POLITICS));
    let proxy = site.proxy(&[]);
    assert_eq!(proxy.get(SPORT).status, 200);
    let refused = proxy.get(POLITICS);
    assert_eq!((refused.status, refused.text().as_str()), (403, "RBAC: access denied"));
    let told = why(&site.scene, &refused);
    assert_eq!(told["reason"], "RBAC: access denied", "{told}");
    assert_eq!(
        told["details"], "rbac_access_denied_matched_policy[ns[istio-system]-policy[no-politics]-rule[0]]",
        "{told}"
    );
    assert_eq!(told["rule"], "no-politics.AuthorizationPolicy.istio-system", "{told}");
    assert_eq!(told["values"]["request.url_path"], "/politics", "{told}");
    assert_eq!((&told["flag"], &told["responseCode"]), (&Json::from("-"), &Json::from(403)), "{told}");
    let text = site.scene.ok(&["why", refused.decision()]);
    assert!(text.contains("Details:") && text.contains("policy[no-politics]"), "{text}");
}

#[test]
fn curl_reads_the_refusal_of_what_no_policy_allows_until_one_does() {
    let Some(curl) = curl() else { return };
    let site = Site::new(&["policy/authorization.yaml"]);
    let proxy = site.proxy(&[]);
    let fetched = |url: &str| {
        let proxy = format!("http://{}", proxy.address);
        let output = Command::new(curl)
            .args(["-s", "--noproxy", "", "-x", &proxy, "-w", " %{http_code}", url])
            .output()
            .expect("curl runs");
        String::from_utf8(output.stdout).expect("text")
    };
    assert_eq!(fetched(SPORT), "page 200");
    assert_eq!(fetched(POLITICS), "RBAC: access denied 403");
    let traced = site.scene.ok(&["trace", "--from", "sleep", POLITICS]);
    for part in [
        "AuthorizationPolicy health-and-sport.istio-system",
        "ALLOW: no rule matches",
        "rules[0]: to[0].operation.paths has \"/politics\", and asks for one of [\"/health\", \"/sport\"]",
        "deny: 403 RBAC: access denied",
    ] {
        assert!(traced.contains(part), "no {part} in {traced}");
    }
    site.scene.ok_with(&["create", "-f", "-"], &policy("all", "{}", "rules: [{}]"));
    site.scene.wait_for_status();
    let deadline = std::time::Instant::now() + crate::proxied::PATIENCE;
    while fetched(POLITICS) != "page 200" {
        assert!(std::time::Instant::now() < deadline, "the policy is never in force");
    }
}

#[test]
fn what_is_tried_or_audited_lets_go_and_is_recorded() {
    let site = Site::new(&[]);
    let tried = policy("tried", "{istio.io/dry-run: 'true'}", DENY_POLITICS);
    let audit = policy("seen", "{}", "action: AUDIT\nrules: [{to: [{operation: {paths: [/sport]}}]}]");
    site.scene.ok_with(&["create", "-f", "-"], &format!("{tried}---\n{audit}"));
    let proxy = site.proxy(&[]);
    assert_eq!((proxy.get(POLITICS).status, proxy.get(SPORT).status), (200, 200));
    let entry = site.scene.wait_for_entry("would deny");
    assert!(entry.contains("policy[tried]-rule[0]") && entry.contains("\"level\":\"warn\""), "{entry}");
    let entry = site.scene.wait_for_entry("audited");
    assert!(entry.contains("policy[seen]-rule[0]") && entry.contains("\"path\":\"/sport\""), "{entry}");
    let answer: Json =
        serde_json::from_str(&site.scene.ok(&["trace", "--from", "sleep", POLITICS, "-o", "json"])).expect("JSON");
    assert_eq!((&answer["allowed"], &answer["wouldDeny"]), (&Json::Bool(true), &Json::Bool(true)), "{answer}");
    assert_eq!(answer["authorization"][0]["matchedRule"], 0, "{answer}");
    assert_eq!(answer["authorization"][0]["dryRun"], true, "{answer}");
}

#[test]
fn a_proxy_that_only_reports_lets_go_what_policies_refuse() {
    let site = Site::new(&["policy/authorization.yaml"]);
    let proxy = site.proxy(&["--report-only"]);
    assert_eq!(proxy.get(POLITICS).status, 200);
    assert!(site.scene.wait_for_entry("would deny").contains("matched_policy[none]"));
}

#[test]
fn roles_of_the_first_authorization_are_enforced() {
    let site = Site::new(&[]);
    let rbac = "\
apiVersion: rbac.istio.io/v1alpha1
kind: ClusterRbacConfig
metadata: {name: default}
spec: {mode: 'ON'}
---
apiVersion: rbac.istio.io/v1alpha1
kind: ServiceRole
metadata: {name: sport, namespace: istio-system}
spec: {rules: [{services: [edition.cnn.com], paths: [/sport], methods: ['*']}]}
---
apiVersion: rbac.istio.io/v1alpha1
kind: ServiceRoleBinding
metadata: {name: sport, namespace: istio-system}
spec: {subjects: [{user: cluster.local/ns/default/sa/sleep}], roleRef: {kind: ServiceRole, name: sport}}
";
    site.scene.ok_with(&["create", "-f", "-"], rbac);
    let proxy = site.proxy(&[]);
    assert_eq!((proxy.get(SPORT).status, proxy.get(POLITICS).status), (200, 403));
    assert!(site.scene.wait_for_entry("RBAC: access denied").contains("matched_policy[none]"));
    let listed = site.scene.ok(&["get", "serviceroles,clusterrbacconfigs", "-n", "istio-system", "-o", "name"]);
    assert_eq!(listed, "servicerole.rbac.istio.io/sport\nclusterrbacconfig.rbac.istio.io/default\n");
}

#[test]
fn policies_are_shown_by_their_actions_and_warned_of_where_nobody_enforces_them() {
    let scene = Stage::new();
    let told = scene.told_with(
        &["create", "-f", "-"],
        &policy("elsewhere", "{}", DENY_POLITICS).replace("namespace: istio-system", "namespace: default"),
    );
    assert!(told.contains("this AuthorizationPolicy is for no workload at which it would be enforced"), "{told}");
    let listed = scene.ok(&["get", "ap", "--no-headers"]);
    assert_eq!(listed.split_whitespace().take(2).collect::<Vec<_>>(), ["elsewhere", "DENY"]);
    let refused = scene.told_with(&["create", "-f", "-"], &policy("x", "{}", "action: DENY"));
    assert!(refused.contains("spec.rules: DENY action without `rules` is meaningless"), "{refused}");
}
