//! The scenario, end to end: the demo, and the transcript with real curl.

use std::collections::HashMap;
use std::process::Command;

use egressctl::cli::demo::origin::{Identity, Origin, Reply};

use crate::proxied::{Proxied, Site};
use crate::stage::{Stage, until};

#[test]
fn the_demo_ends_well_and_shows_the_four_entries() {
    let scene = Stage::new();
    let shown = scene.ok(&["demo"]);
    assert_eq!(shown.lines().filter(|line| line.contains("\"level\":\"info\"")).count(), 3, "{shown}");
    assert!(shown.ends_with("Every step gave what the scenario says.\n"), "{shown}");
}

/// A command of the transcript and what it prints.
struct Step {
    command: String,
    expected: Vec<String>,
}

fn transcript(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { command: command.to_owned(), expected: Vec::new() });
        } else if let (Some(more), Some(step)) = (line.strip_prefix('>'), steps.last_mut()) {
            step.command.push('\n');
            step.command.push_str(more.strip_prefix(' ').unwrap_or(more));
        } else if let (false, Some(step)) = (line.is_empty(), steps.last_mut()) {
            step.expected.push(line.to_owned());
        }
    }
    steps
}

/// Whether a line is the expected one, in which `[..]` stands for anything.
fn agrees(line: &str, expected: &str) -> bool {
    let mut parts = expected.split("[..]");
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
    let parts: Vec<_> = parts.collect();
    for (position, part) in parts.iter().enumerate() {
        if position + 1 == parts.len() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.is_empty()
}

#[test]
fn the_transcript_replays_with_curl_and_two_aliases() {
    replay(|scene, arguments| (Proxied::start(scene, arguments), None));
}

#[test]
fn the_transcript_replays_the_same_where_sidecar_and_gateway_are_two_processes() {
    replay(|scene, arguments| {
        let gateway = Proxied::gateway_alone(scene, arguments);
        (Proxied::start(scene, &["--role", "sidecar"]), Some(gateway))
    });
}

/// Replays the transcript with the proxies that are started so; the first is the sidecar.
fn replay(start: impl FnOnce(&Stage, &[&str]) -> (Proxied, Option<Proxied>)) {
    let (Some(_), true) = (crate::stage::curl(), crate::sandbox::possible()) else { return };
    let pages = HashMap::from([("/politics", 150_448), ("/sport", 358_651), ("/health", 332_218)]);
    let identity = Identity::new(&["edition.cnn.com"], 2020..2120).expect("a certificate");
    let origin = Origin::start(Some(&identity), move |received| match pages.get(received.path()) {
        Some(size) => Reply::page("200 OK", &vec![b'x'; *size]),
        None => Reply::page("404 Not Found", b""),
    })
    .expect("an origin");
    let scene = Stage::new();
    let ca = scene.write("ca.pem", &identity.ca_pem);
    let resolve = format!("edition.cnn.com:443:{}", origin.address);
    let (_proxy, _gateway) = start(&scene, &["--resolve", &resolve, "--ca-file", &ca]);
    let steps = transcript(&std::fs::read_to_string(scene.fixture("scenario/transcript.txt")).expect("it is there"));
    assert!(steps.len() > 20);
    // One shell for all, as a user has it; a line after each command says where its output ends.
    let script: String = steps.iter().map(|step| format!("{}\necho '=== end'\n", step.command)).collect();
    let aliases =
        ["kubectl", "istioctl", "egressctl"].map(|name| format!("{name}() {{ '{}' \"$@\"; }}\n", scene.exe()));
    let output = Command::new("bash")
        .args(["-c", &format!("{}{script}", aliases.concat())])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("EGRESSCTL_STATE_DIR", scene.state())
        .env_remove("no_proxy")
        .output()
        .expect("bash runs");
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let outputs: Vec<Vec<&str>> =
        said.split("=== end\n").map(|part| part.lines().filter(|line| !line.is_empty()).collect()).collect();
    for (step, lines) in steps.iter().zip(&outputs) {
        let same = lines.len() == step.expected.len()
            && lines.iter().zip(&step.expected).all(|(line, expected)| agrees(line, expected));
        assert!(
            same,
            "$ {}\nexpected:\n{}\ngot:\n{}\n{errors}",
            step.command,
            step.expected.join("\n"),
            lines.join("\n")
        );
    }
    assert_eq!(outputs.len(), steps.len() + 1, "{errors}");
}

#[test]
fn a_page_that_no_rule_forbids_is_logged_once_and_a_closed_pipe_is_no_error() {
    let Some(curl) = crate::stage::curl() else { return };
    let site = Site::new(&[]);
    let (scene, proxy) = (&site.scene, site.proxy(&[]));
    let got = Command::new(curl)
        .args(["-s", "-w", "%{http_code}", "http://edition.cnn.com/sport"])
        .env("http_proxy", format!("http://{}", proxy.address))
        .output()
        .expect("curl runs");
    assert_eq!(String::from_utf8_lossy(&got.stdout), "page200");
    let entry = scene.wait_for_entry("/sport");
    assert!(entry.contains("\"level\":\"info\"") && entry.contains("\"responseSize\":4"), "{entry}");
    let script = format!("set -o pipefail; '{}' logs | head -n 0", scene.exe());
    let piped = Command::new("bash").args(["-c", &script]).env("EGRESSCTL_STATE_DIR", scene.state()).output();
    let piped = piped.expect("bash runs");
    assert!(piped.status.success() && piped.stderr.is_empty(), "{piped:?}");
}

#[test]
fn no_spelling_of_the_forbidden_page_goes_without_its_error_entry() {
    let site = Site::new(&[]);
    let (scene, proxy) = (&site.scene, site.proxy(&[]));
    let spellings = [
        "http://edition.cnn.com:443/politics?a",
        "http://EDITION.cnn.com.:443/politics?b",
        "http://edition.cnn.com:80/x/..//politics?c",
        "http://edition.cnn.com./%70olitics?d",
    ];
    for (before, spelling) in spellings.iter().enumerate() {
        assert_eq!(proxy.get(spelling).status, 200, "{spelling}");
        let recorded = ["logs", "--level", "error", "-F", "--grep", "/politics?[redacted]\"", "--count"];
        until(spelling, || scene.ok(&recorded).trim() == (before + 1).to_string());
    }
}
