//! TLS to origins by what Secrets hold.

use egressctl::cli::demo::origin::{Identity, Origin, Received, Reply};

use crate::proxied::Proxied;
use crate::stage::{SCENARIO, Stage, service_entry, until};

fn secret(authorities: &str) -> String {
    let indented = authorities.trim_end().replace('\n', "\n    ");
    format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: secure}}\nstringData:\n  ca.crt: |\n    {indented}\n")
}

#[test]
fn a_secret_is_used_as_it_is_now_and_where_it_is_missing_or_another_the_call_is_refused_and_no_other() {
    let identity = Identity::new(&["secure.test"], 2020..2120).expect("a certificate");
    let stranger = Identity::new(&["secure.test"], 2020..2120).expect("a certificate");
    let origin = Origin::start(Some(&identity), |_: &Received| Reply::page("200 OK", b"secure")).expect("an origin");
    let plain = Origin::start(None, |_: &Received| Reply::page("200 OK", b"plain")).expect("an origin");
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    scene.ok_with(&["create", "-f", "-"], &service_entry("secure.test", origin.address));
    scene.ok_with(&["create", "-f", "-"], &service_entry("plain.test", plain.address));
    let rule = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: secure}\nspec:\n  host: \
                secure.test\n  workloadSelector: {matchLabels: {app: sleep}}\n  trafficPolicy: {tls: {mode: SIMPLE, \
                credentialName: secure}}\n";
    scene.ok_with(&["create", "-f", "-"], rule);
    let proxy = Proxied::start(&scene, &[]);
    let refused = proxy.get("http://secure.test/");
    assert_eq!(refused.status, 503);
    let entry = scene.wait_for_entry(refused.decision());
    assert!(entry.contains("the Secret of its DestinationRule's credentialName is not there"), "{entry}");
    scene.ok_with(&["create", "-f", "-"], &secret(&identity.ca_pem));
    until("the Secret is used", || proxy.get("http://secure.test/").text() == "secure");
    scene.ok_with(&["replace", "-f", "-"], &secret(&stranger.ca_pem));
    until("another authority is asked", || proxy.get("http://secure.test/").text().contains("unknown issuer"));
    scene.ok_with(&["replace", "-f", "-"], &secret("-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----"));
    until("nothing can be read of it", || proxy.get("http://secure.test/").text().contains("cannot be used"));
    assert_eq!(proxy.get("http://plain.test/").text(), "plain", "other hosts keep working");
    let everything =
        scene.ok(&["logs"]) + &scene.ok(&["trace", "--from", "sleep", "http://secure.test/", "-o", "json"]);
    assert!(!everything.contains("bm9uZQ"), "a Secret is told");
}

#[test]
fn a_rule_without_selector_is_warned_of_at_a_sidecar() {
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    let rule = |more: &str| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: secure}}\nspec:\n  host: \
             secure.test\n  {more}trafficPolicy: {{tls: {{mode: SIMPLE, credentialName: secure}}}}\n"
        )
    };
    let told = scene.told_with(&["create", "-f", "-"], &rule(""));
    assert!(told.contains("at sidecars only in a rule with workloadSelector"), "{told}");
    let told = scene.told_with(&["replace", "-f", "-"], &rule("workloadSelector: {matchLabels: {app: sleep}}\n  "));
    assert!(!told.contains("workloadSelector"), "{told}");
}
