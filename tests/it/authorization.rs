//! AuthorizationPolicies at the gateway, as a caller and an operator see them.

use std::process::Command;

use egressctl::cli::demo::origin::{Origin, Received, Reply};
use serde_json::Value as Json;

use crate::proxied::{Answer, Client, Site};
use crate::stage::{Stage, curl, service_entry};

const POLITICS: &str = "http://edition.cnn.com/politics";
const SPORT: &str = "http://edition.cnn.com/sport";

pub(crate) fn policy(name: &str, annotations: &str, spec: &str) -> String {
    format!(
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: {name}, namespace: istio-system, \
         annotations: {annotations}}}\nspec:\n  {}\n",
        spec.replace('\n', "\n  ")
    )
}

const DENY_POLITICS: &str = "action: DENY\nrules: [{to: [{operation: {paths: [/politics], ports: ['443']}}]}]";

pub(crate) fn why(scene: &Stage, answer: &Answer) -> Json {
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
    assert!(scene.ok(&["describe", "ap", "elsewhere"]).contains("Enforced At:  nowhere"));
    scene.ok_with(&["create", "-f", "-"], &policy("here", "{}", DENY_POLITICS));
    let described = scene.ok(&["describe", "ap", "here", "-n", "istio-system"]);
    assert!(described.contains("Enforced At:  egress gateway istio-egressgateway.istio-system"), "{described}");
    let pod = scene.ok(&["describe", "pod", "istio-egressgateway", "-n", "istio-system"]);
    assert!(pod.contains("here.istio-system:  DENY, 1 rule"), "{pod}");
    let refused = scene.told_with(&["create", "-f", "-"], &policy("x", "{}", "action: DENY"));
    assert!(refused.contains("spec.rules: DENY action without `rules` is meaningless"), "{refused}");
}

/// An authorizer that lets `/sport` go, and what declares it as the provider of a CUSTOM policy for the whole gateway.
pub(crate) fn authorizer(fields: &str) -> (Origin, String) {
    let origin = Origin::start(None, |request: &Received| match request.path() {
        "/check/sport" => {
            let seen = if request.head.contains("x-team: web") { "web" } else { "nobody" };
            // On a kept connection it would answer when it listens no more.
            let head = format!("HTTP/1.1 200 OK\r\nx-user: {seen}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            Reply::Last(head.into_bytes())
        }
        "/check/slow" => Reply::Hang,
        _ => Reply::Bytes(
            b"HTTP/1.1 401 Unauthorized\r\nx-why: no\r\nx-hidden: h\r\ncontent-length: 6\r\n\r\nlog in".to_vec(),
        ),
    })
    .expect("an authorizer");
    let manifest = format!(
        "{}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: istio, namespace: istio-system}}\ndata:\n  mesh: |\n    \
         extensionProviders:\n    - name: sample\n      envoyExtAuthzHttp: {{service: authz.example, port: 80, pathPrefix: \
         /check, includeRequestHeadersInCheck: [x-team], headersToUpstreamOnAllow: [x-user], headersToDownstreamOnDeny: \
         [x-why]{fields}}}\n---\n{}",
        service_entry("authz.example", origin.address),
        policy("ask", "{}", "action: CUSTOM\nprovider: {name: sample}\nrules: [{}]")
    );
    (origin, manifest)
}

#[test]
fn an_authorizer_is_asked_and_its_answer_holds() {
    let site = Site::with(&[], |request| Reply::page("200 OK", request.head.to_ascii_lowercase().as_bytes()));
    let (_authorizer, manifest) = authorizer("");
    site.scene.ok_with(&["create", "-f", "-"], &manifest);
    let proxy = site.proxy(&[]);
    let mut client = proxy.connect();
    client.send(
        b"GET http://edition.cnn.com/sport HTTP/1.1\r\nhost: edition.cnn.com\r\nx-team: web\r\nx-user: forged\r\n\r\n",
    );
    let answer = client.read();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains("x-user: web") && !answer.text().contains("forged"), "{}", answer.text());
    let refused = client.get(POLITICS);
    assert_eq!((refused.status, refused.text().as_str()), (401, "log in"), "{}", refused.head);
    assert!(refused.head.contains("x-why: no") && !refused.head.contains("x-hidden"), "{}", refused.head);
    let told = why(&site.scene, &refused);
    assert_eq!(told["reason"], "the authorizer sample does not let it go", "{told}");
    assert_eq!((&told["flag"], &told["responseCode"]), (&Json::from("UAEX"), &Json::from(401)), "{told}");
    let traced = site.scene.ok(&["trace", "--from", "sleep", POLITICS]);
    assert!(traced.contains("asks sample at authz.example:80, who is taken to let it go"), "{traced}");
}

#[test]
fn an_authorizer_that_does_not_answer_in_time_refuses_unless_it_fails_open() {
    for (fields, statuses) in [
        (", timeout: 0.05s", [403, 200]),
        (", timeout: 0.05s, failOpen: true", [200, 200]),
        (", timeout: 0.05s, statusOnError: '503'", [503, 200]),
    ] {
        let site = Site::new(&[]);
        let (authorizer, manifest) = authorizer(fields);
        site.scene.ok_with(&["create", "-f", "-"], &manifest);
        let proxy = site.proxy(&[]);
        let found = ["slow", "sport"].map(|path| proxy.get(&format!("http://edition.cnn.com/{path}")).status);
        assert_eq!(found, statuses, "{fields}");
        drop(authorizer);
        let gone = proxy.get(SPORT).status;
        assert_eq!(gone, statuses[0], "{fields}: nobody listens any more");
    }
}

#[test]
fn an_authorizer_that_is_not_declared_lets_nothing_go() {
    let site = Site::new(&[]);
    let ask = policy(
        "ask",
        "{}",
        "action: CUSTOM\nprovider: {name: nobody}\nrules: [{to: [{operation: {paths: [/sport]}}]}]",
    );
    site.scene.ok_with(&["create", "-f", "-"], &ask);
    let proxy = site.proxy(&[]);
    assert_eq!((proxy.get(SPORT).status, proxy.get(POLITICS).status), (403, 200));
}

#[test]
fn a_gateway_that_takes_mutual_tls_alone_refuses_plain_text_from_outside_and_no_sidecar() {
    let site = Site::new(&[]);
    let strict = "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: default, namespace: \
                  istio-system}\nspec: {mtls: {mode: STRICT}}\n";
    site.scene.ok_with(&["create", "-f", "-"], strict);
    assert_eq!(
        site.scene.ok(&["get", "pa", "-n", "istio-system", "--no-headers"]).split_whitespace().nth(1),
        Some("STRICT")
    );
    let proxy = site.proxy(&["--gateway-listen", "127.0.0.1:0=443"]);
    assert_eq!(proxy.get(SPORT).status, 200);
    let refused = Client::to(proxy.gateway(443)).get(SPORT);
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert!(refused.text().contains("did not come over mutual TLS"), "{}", refused.text());
    let told = site.scene.told_with(&["create", "-f", "-"], &strict.replace("istio-system", "default"));
    assert!(told.contains("this PeerAuthentication is for no workload at which it would be enforced"), "{told}");
}
