//! The certificate authority, by the command line.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value as Json;

use crate::stage::Stage;

fn shown(scene: &Stage) -> Json {
    serde_json::from_str(&scene.ok(&["identity", "show", "-o", "json"])).expect("JSON")
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[test]
fn the_authority_is_made_once_and_its_key_is_the_owners_alone() {
    let scene = Stage::new();
    let first = shown(&scene);
    assert_eq!(first["trustDomain"], "cluster.local");
    assert_eq!(first["authorities"][0]["state"], "Signing");
    assert_eq!(shown(&scene), first);
    let yaml: Json = serde_yaml::from_str(&scene.ok(&["identity", "show", "-o", "yaml"])).expect("YAML");
    assert_eq!(yaml, first);
    let table = scene.ok(&["identity", "show"]);
    assert!(table.starts_with("TRUST DOMAIN    SUBJECT"), "{table}");
    let directory = scene.state().join("identity");
    assert_eq!((mode(&directory), mode(&directory.join("authority.json"))), (0o700, 0o600));
    let told = scene.fails(&["identity", "show", "--trust-domain", "other.example"]);
    assert_eq!(told, "error: the authority vouches for the trust domain cluster.local, not for other.example\n");
    let roots = scene.ok(&["identity", "export"]);
    assert!(roots.starts_with("-----BEGIN CERTIFICATE-----\n") && !roots.contains("PRIVATE"), "{roots}");
}

#[test]
fn a_certificate_is_issued_into_files_of_which_the_key_is_the_owners_alone() {
    let scene = Stage::new();
    let out = scene.state().join("certs");
    let place = out.display().to_string();
    for account in ["default/sleep", "sleep"] {
        let told =
            scene.ok(&["identity", "issue", account, "--out", &place, "--ttl", "1h", "--trust-domain", "a.example"]);
        let begins =
            format!("certificate for spiffe://a.example/ns/default/sa/sleep written to {place}, valid until 20");
        assert!(told.starts_with(&begins), "{told}");
    }
    for (name, permissions, holds) in [
        ("key.pem", 0o600, "PRIVATE KEY"),
        ("cert-chain.pem", 0o644, "BEGIN CERTIFICATE"),
        ("root-cert.pem", 0o644, "BEGIN CERTIFICATE"),
    ] {
        let text = std::fs::read_to_string(out.join(name)).expect("written");
        assert_eq!(mode(&out.join(name)), permissions, "{name}");
        assert!(text.contains(holds), "{name}: {text}");
    }
    for (ttl, why) in [("0s", "a second at least"), ("99999h", "90 days (2160h) at most")] {
        let told = scene.fails(&["identity", "issue", "sleep", "--out", &place, "--ttl", ttl]);
        assert!(told.contains(&format!("a certificate is valid for {why}")), "{told}");
    }
    let told = scene.told_with(&["identity", "issue", "sleep", "--out", &place], "");
    assert_eq!(told, "warning: no service account default/sleep is declared, and no workload runs as it\n");
    scene.ok(&["create", "-f", &scene.fixture("scenario/sleep.yaml")]);
    assert_eq!(scene.told_with(&["identity", "issue", "sleep", "--out", &place], ""), "");
    let told = scene.told_with(&["identity", "rotate", "--overlap", "1h"], "");
    assert!(told.contains("has issued certificates that may be valid until"), "{told}");
    let told = scene.fails(&["identity", "issue", "de/fau/lt", "--out", &place]);
    assert!(told.contains("is no SPIFFE identity: expected spiffe://TRUSTDOMAIN/ns/NAMESPACE/sa/ACCOUNT"), "{told}");
}

#[test]
fn roots_overlap_when_one_takes_over_and_others_can_be_brought() {
    let scene = Stage::new();
    scene.ok(&["identity", "show"]);
    let told = scene.ok(&["identity", "rotate", "--after", "1h"]);
    assert!(told.contains("is trusted, and signs from") && told.contains("stays trusted until"), "{told}");
    let states: Vec<_> =
        shown(&scene)["authorities"].as_array().expect("a list").iter().map(|one| one["state"].clone()).collect();
    assert_eq!(states, ["Next", "Signing"]);
    assert_eq!(scene.ok(&["identity", "export"]).matches("BEGIN CERTIFICATE").count(), 2);
    // A certificate of a workload is no authority.
    let place = scene.state().join("certs").display().to_string();
    scene.ok(&["identity", "issue", "default/sleep", "--out", &place]);
    let (chain, key) = (format!("{place}/cert-chain.pem"), format!("{place}/key.pem"));
    let told = scene.fails(&["identity", "rotate", "--cert", &chain, "--key", &key]);
    let reason = "it is no authority's certificate: its basic constraints do not say CA, or its key may not sign";
    assert_eq!(told, format!("error: {chain}: {reason}\n"));
}
