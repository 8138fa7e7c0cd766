//! Checks before a call leaves, with the real binary and real curl: lists, providers, Rego, refusals.

use std::process::Command;
use std::sync::{Arc, Mutex};

use egressctl::cli::demo::origin::{Origin, Reply};

use crate::proxied::Site;
use crate::stage::{Stage, curl, until};

const PAGES: [&str; 3] = ["/politics", "/sport", "/health"];

/// Status and body that real curl gets of a page of the site, through a listener.
fn curls(listener: &str, page: &str) -> (String, String) {
    let got = Command::new("curl")
        .args(["-s", "-w", "\n%{http_code}", &format!("http://edition.cnn.com{page}")])
        .env("http_proxy", format!("http://{listener}"))
        .env_remove("no_proxy")
        .output()
        .expect("curl runs");
    let text = String::from_utf8_lossy(&got.stdout).into_owned();
    let (body, status) = text.rsplit_once('\n').expect("a status");
    (status.to_owned(), body.to_owned())
}

fn statuses(listener: &str) -> [String; 3] {
    PAGES.map(|page| curls(listener, page).0)
}

#[test]
fn a_whitelist_of_paths_gives_403_200_200_and_the_entries_carry_it() {
    let Some(_) = curl() else { return };
    let site = Site::new(&["policy/whitelist.yaml"]);
    let proxy = site.proxy(&[]);
    let listener = proxy.address.to_string();
    assert_eq!(statuses(&listener), ["403", "200", "200"]);
    assert_eq!(
        curls(&listener, "/politics").1.lines().next(),
        Some("PERMISSION_DENIED:pathlist.listchecker.istio-system:/politics is not whitelisted")
    );
    assert_eq!(site.origin.requests(), 2, "what is refused never leaves");
    for (page, status) in PAGES.iter().zip([403, 200, 200]) {
        let entry = site.scene.wait_for_entry(&format!("\"path\":\"{page}\",\"responseCode\":{status}"));
        assert!(entry.contains("\"instance\":\"egress-access.logentry.istio-system\""), "{entry}");
    }
}

#[test]
fn calls_of_an_exempted_service_account_pass_unlogged() {
    let Some(_) = curl() else { return };
    let site = Site::new(&["policy/whitelist.yaml"]);
    site.scene.ok(&["apply", "-f", &site.scene.fixture("policy/exempt.yaml")]);
    let proxy = site.proxy(&["--listen", "127.0.0.1:0=politics"]);
    let status = site.scene.wait_for_status();
    let exempted = status["listeners"][1]["address"].as_str().expect("a second listener").to_owned();
    assert_eq!(statuses(&exempted), ["200", "200", "200"]);
    assert_eq!(statuses(&proxy.address.to_string()), ["403", "200", "200"]);
    // Entries are recorded in order: once the last call's is there, those before it would be.
    site.scene.wait_for_entry("/health");
    let log = site.scene.ok(&["logs"]);
    assert_eq!(log.matches("\"source\":\"sleep\"").count(), log.lines().count(), "{log}");
    assert!(log.contains("\"responseCode\":403"), "{log}");
}

/// A provider that answers what it is told to.
fn provider() -> (Origin, Arc<Mutex<Vec<u8>>>) {
    let answer = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&answer);
    let origin = Origin::start(None, move |received| {
        // user:secret in base64 (RFC 7617).
        assert!(
            received.head.to_ascii_lowercase().contains("authorization: basic dxnlcjpzzwnyzxq="),
            "{}",
            received.head
        );
        Reply::Last(told.lock().expect("no panic").clone())
    });
    (origin.expect("a provider"), answer)
}

fn say(answer: &Mutex<Vec<u8>>, status: &str, body: &[u8]) {
    let mut bytes =
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    *answer.lock().expect("no panic") = bytes;
}

fn create_with_provider(scene: &Stage, origin: &Origin) {
    let manifest = std::fs::read_to_string(scene.fixture("policy/provider.yaml")).expect("it is there");
    scene.ok_with(&["create", "-f", "-"], &manifest.replace("PROVIDER", &origin.address.to_string()));
}

#[test]
fn a_providers_list_is_followed_and_the_last_good_one_serves_while_it_fails() {
    let site = Site::new(&[]);
    let (origin, answer) = provider();
    say(&answer, "200 OK", b"/sport\r\n/health\n");
    create_with_provider(&site.scene, &origin);
    let mut proxy = site.proxy(&[]);
    let got = |page: &str| proxy.get(&format!("http://edition.cnn.com{page}")).status;
    assert_eq!(PAGES.map(got), [403, 200, 200], "the first call finds the list");
    let metrics = |sample: &str| site.scene.metrics().lines().any(|line| line.starts_with(sample));
    assert!(metrics("egressctl_list_entries{handler=\"pathlist.istio-system\"} 2"));
    say(&answer, "200 OK", b"/politics\n");
    until("the new list serves", || PAGES.map(got) == [200, 403, 403]);
    let told = |page: &str| site.scene.ok(&["trace", "--from", "sleep", &format!("http://edition.cnn.com{page}")]);
    assert!(told("/politics").contains("allow: "), "the proxy's own list counts");
    assert!(told("/sport").contains("deny: 403 PERMISSION_DENIED:pathlist.istio-system:/sport is not whitelisted"));
    for (status, body) in [("500 Internal Server Error", &b"/sport"[..]), ("200 OK", b"\xff\xfe")] {
        let seen = origin.requests();
        say(&answer, status, body);
        until("a whole fetch has failed", || origin.requests() > seen + 1);
        assert_eq!(PAGES.map(got), [200, 403, 403], "the last good list serves");
    }
    assert!(!metrics("egressctl_list_fetches_total{handler=\"pathlist.istio-system\",result=\"failed\"} 0"));
    let shown = site.scene.ok(&["proxy", "status"]);
    let line = shown.lines().find(|line| line.starts_with("Lists:")).expect("a line of the list");
    assert!(
        line.contains(&format!("pathlist.istio-system   1 entry from http://{}/paths, ", origin.address)),
        "{line}"
    );
    assert!(line.ends_with("; last fetch failed: it is not text in UTF-8"), "{line}");
    let described = site.scene.ok(&["describe", "handler", "pathlist", "-n", "istio-system"]);
    assert!(described.contains("Feed:") && described.contains("; last fetch failed: "), "{described}");
    let said = proxy.wait_for("cannot be fetched").to_owned();
    assert!(!said.contains("secret") && !shown.contains("hidden"), "{said}{shown}");
}

#[test]
fn without_any_good_list_calls_are_refused_until_there_is_one() {
    let site = Site::new(&[]);
    let proxy = site.proxy(&[]);
    let got = |page: &str| proxy.get(&format!("http://edition.cnn.com{page}"));
    assert_eq!(got("/sport").status, 200);
    let (origin, answer) = provider();
    say(&answer, "404 Not Found", b"");
    create_with_provider(&site.scene, &origin);
    until("the rule is in force", || got("/sport").status == 500);
    let told = got("/sport").text();
    let expected = format!("INTERNAL:pathlist.istio-system:no list from http://{}/paths serves", origin.address);
    assert!(told.starts_with(&expected), "{told}");
    say(&answer, "200 OK", b"/sport\n");
    until("the list is there", || got("/sport").status == 200);
    assert_eq!(got("/politics").status, 403);
}

#[test]
fn a_policy_in_rego_decides() {
    let site = Site::new(&["policy/opa.yaml"]);
    let proxy = site.proxy(&[]);
    let got = |page: &str| proxy.get(&format!("http://edition.cnn.com{page}"));
    assert_eq!(PAGES.map(|page| got(page).status), [403, 200, 403]);
    let told = got("/politics").text();
    assert!(told.starts_with("PERMISSION_DENIED:authz.opa.istio-system:opa: request was rejected"), "{told}");
}

#[test]
fn a_fault_in_rego_is_shown_where_it_stands() {
    let scene = Stage::new();
    let manifest = std::fs::read_to_string(scene.fixture("policy/opa.yaml")).expect("it is there");
    let file =
        scene.write("opa.yaml", &manifest.replace("startswith(input.action.path", "startswith(inptu.action.path"));
    let told = scene.fails(&["create", "-f", &file]);
    assert!(told.contains("opa.yaml:16:18") && told.contains("^"), "{told}");
}

#[test]
fn a_denier_refuses_with_its_code_and_a_noop_agrees() {
    let site = Site::new(&["policy/denier.yaml"]);
    let proxy = site.proxy(&[]);
    let got = |page: &str| proxy.get(&format!("http://edition.cnn.com{page}"));
    assert_eq!(PAGES.map(|page| got(page).status), [503, 503, 200]);
    let told = got("/sport").text();
    assert!(told.starts_with("UNAVAILABLE:blocker.denier.istio-system:closed for the night"), "{told}");
}
