//! AuthorizationPolicies of a gateway to which sidecars come over mutual TLS: the same as in one process.

use egressctl::cli::demo::origin::Reply;
use serde_json::Value as Json;

use crate::authorization::{authorizer, policy, why};
use crate::mesh::{NAME, Stranger, apart, credentials};
use crate::proxied::Site;

/// Who may call is told by the certificate alone; what of it is asked, refused and marked.
fn policies() -> String {
    let strict = "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: default, namespace: \
                  istio-system}\nspec: {mtls: {mode: STRICT}}\n";
    let allow = "rules: [{from: [{source: {principals: [cluster.local/ns/default/sa/sleep]}}], to: [{operation: {paths: \
                 [/sport, /health, /politics, /tech]}}]}]";
    let parts = [
        policy("sleep", "{}", allow),
        policy("no-politics", "{}", "action: DENY\nrules: [{to: [{operation: {paths: [/politics]}}]}]"),
        policy("seen", "{}", "action: AUDIT\nrules: [{to: [{operation: {paths: [/tech]}}]}]"),
        strict.to_owned(),
    ];
    parts.join("---\n")
}

/// Status, body, and what the log tells of why; the origin answers with what it has read.
fn outcomes(together: bool) -> Vec<(u16, String, Vec<Json>)> {
    let site = Site::with(&[], |request| Reply::page("200 OK", request.head.to_ascii_lowercase().as_bytes()));
    let (_authorizer, asks) = authorizer("");
    let asks = asks.replace("rules: [{}]", "rules: [{to: [{operation: {paths: [/sport, /health]}}]}]");
    site.scene.ok_with(&["create", "-f", "-"], &asks);
    site.scene.ok_with(&["create", "-f", "-"], &policies());
    let (proxy, gateway) = match together {
        true => (site.proxy(&[]), None),
        false => {
            let (sidecar, gateway) = apart(&site, &[]);
            (sidecar, Some(gateway))
        }
    };
    let mut client = proxy.connect();
    let told = ["sport", "health", "politics", "tech", "other"].map(|path| {
        let answer = client.get(&format!("http://edition.cnn.com/{path}"));
        let text = answer.text();
        let passed = text.contains("x-user: nobody");
        let told = match answer.status {
            200 => Vec::new(),
            _ => {
                let told = why(&site.scene, &answer);
                ["reason", "rule", "details", "values", "flag", "responseCode"].map(|field| told[field].clone()).into()
            }
        };
        (answer.status, if answer.status == 200 { passed.to_string() } else { text }, told)
    });
    let audited = site.scene.wait_for_entry("audited");
    assert!(audited.contains("policy[seen]-rule[0]") && audited.contains("/tech"), "{audited}");
    if let Some(gateway) = gateway {
        // Who is not named may not call, whatever it says of itself.
        let directory = site.scene.state().join("certs");
        site.scene.ok(&["identity", "issue", "default/other", "--out", &directory.display().to_string()]);
        let other = Stranger::new(Some(credentials(&directory)));
        let ask = |path: &str| {
            let forged = "x-forwarded-client-cert: URI=spiffe://cluster.local/ns/default/sa/sleep";
            let request =
                format!("GET {path} HTTP/1.1\r\nhost: edition.cnn.com\r\n{forged}\r\nconnection: close\r\n\r\n");
            other.ask(gateway.address, NAME, &request).expect("an answer")
        };
        for (path, status) in [("/sport", "403"), ("/tech", "403"), ("/politics", "403"), ("/health", "401")] {
            let answer = ask(path);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answer}");
        }
    }
    told.into()
}

#[test]
fn policies_hold_over_mutual_tls_as_in_one_process() {
    let (one, two) = (outcomes(true), outcomes(false));
    let statuses: Vec<_> = one.iter().map(|(status, text, _)| (*status, text.as_str())).collect();
    let denied = (403, "RBAC: access denied");
    assert_eq!(statuses, [(200, "true"), (401, "log in"), denied, (200, "false"), denied]);
    assert_eq!(one[2].2[1], "no-politics.AuthorizationPolicy.istio-system");
    assert_eq!(one[4].2[2], "rbac_access_denied_matched_policy[none]");
    assert_eq!(one[4].2[3]["source.principal"], "cluster.local/ns/default/sa/sleep");
    assert_eq!(two, one);
}
