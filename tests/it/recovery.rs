//! Nothing is lost: entries and registry after a proxy was killed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use egressctl::cli::demo::origin::{Origin, Reply};

use crate::proxied::{Client, PATIENCE, Proxied, Site};
use crate::stage::{SCENARIO, Stage};

/// Longest time between two commits of the log, and as much again for the commit itself on a busy machine.
const COMMIT_INTERVAL: Duration = Duration::from_millis(50);

#[test]
fn a_killed_proxy_has_recorded_every_call_older_than_the_commit_interval() {
    let site = Site::new(&[]);
    let (scene, proxy) = (&site.scene, site.proxy(&[]));
    let killed = Arc::new(AtomicBool::new(false));
    let answered_in_all = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..4)
        .map(|client| {
            let (connection, killed, count) = (proxy.connect(), Arc::clone(&killed), Arc::clone(&answered_in_all));
            std::thread::spawn(move || call_until_killed(client, connection, &killed, &count))
        })
        .collect();
    let deadline = Instant::now() + PATIENCE;
    let began = Instant::now();
    // Long enough that many calls are old, and that the kill falls between two of many commits.
    while answered_in_all.load(Ordering::Relaxed) < 400 || began.elapsed() < 20 * COMMIT_INTERVAL {
        assert!(Instant::now() < deadline, "no load");
        std::thread::yield_now();
    }
    let kill = Instant::now();
    killed.store(true, Ordering::Relaxed);
    proxy.signal("-KILL");
    let answered: Vec<_> = clients.into_iter().flat_map(|client| client.join().expect("no panic")).collect();
    drop(proxy);

    let lines = scene.ok(&["logs"]);
    let old: Vec<_> = answered.iter().filter(|(_, at)| *at + 2 * COMMIT_INTERVAL < kill).collect();
    assert!(old.len() > 100, "{} of {} calls are old enough to prove anything", old.len(), answered.len());
    let recorded = paths(&lines);
    for (path, _) in &old {
        assert_eq!(recorded.get(path.as_str()), Some(&1), "times that {path} is in the log");
    }
    assert_eq!(scene.ok(&["get", "rules", "-A", "-o", "name"]).lines().count(), 2);
    let registry = rusqlite::Connection::open(scene.state().join("registry.db")).expect("the registry");
    let intact: String = registry.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("an answer");
    assert_eq!(intact, "ok");

    // The next proxy takes over where the killed one left its socket.
    let proxy = site.proxy(&[]);
    assert_eq!(proxy.get("http://edition.cnn.com/after").status, 200);
    scene.wait_for_entry("/after");
}

/// How often each path stands in the log.
fn paths(lines: &str) -> HashMap<&str, usize> {
    let mut found = HashMap::new();
    for path in lines.lines().filter_map(|line| line.split("\"path\":\"").nth(1)?.split('"').next()) {
        *found.entry(path).or_default() += 1;
    }
    found
}

/// The paths that were answered, with the moment each answer was there.
fn call_until_killed(
    client: usize,
    mut connection: Client,
    killed: &AtomicBool,
    count: &AtomicUsize,
) -> Vec<(String, Instant)> {
    let mut answered = Vec::new();
    while !killed.load(Ordering::Relaxed) {
        let path = format!("/sport/{client}-{}", answered.len());
        let request = format!("GET http://edition.cnn.com{path} HTTP/1.1\r\nhost: edition.cnn.com\r\n\r\n");
        match connection.try_exchange(request.as_bytes()) {
            Some(200) => answered.push((path, Instant::now())),
            _ => break,
        }
        count.fetch_add(1, Ordering::Relaxed);
    }
    answered
}

#[test]
fn a_stopped_proxy_has_recorded_everything() {
    let origin = Origin::start(None, |_| Reply::page("200 OK", b"page")).expect("an origin");
    let scene = Stage::new();
    let mut proxy = Proxied::start(&scene, &[]);
    for call in 0..20 {
        assert_eq!(proxy.get(&format!("http://unknown-{call}.example/")).status, 502);
    }
    scene.ok(&["proxy", "stop"]);
    assert!(proxy.wait().success());
    assert_eq!(scene.ok(&["logs", "--level", "error", "--count"]).trim(), "20");
    drop(origin);
}

#[test]
fn a_proxy_whose_output_nobody_reads_goes_on_recording() {
    let origin = Origin::start(None, |_| Reply::page("200 OK", b"page")).expect("an origin");
    let scene = monitored();
    let (mut proxy, unread) = Proxied::unread(&scene);
    let mut client = proxy.connect();
    // Each call makes two lines by rule and one that says why it failed, of some 250 bytes, so the pipe of 64 KiB is full long before the last.
    for _ in 0..500 {
        assert_eq!(client.get("http://edition.cnn.com/politics").status, 502);
    }
    proxy.signal("-TERM");
    assert!(proxy.wait().success());
    assert_eq!(scene.ok(&["logs", "--count"]).trim(), "1500");
    drop((unread, origin));
}

/// A scene whose rules log every call to cnn.com, which nothing answers.
fn monitored() -> Stage {
    let scene = Stage::new();
    scene.declare(&[SCENARIO[0], SCENARIO[2]]);
    scene
}

#[test]
fn a_proxy_whose_messages_nobody_can_read_goes_on_recording() {
    let scene = monitored();
    // Standard output goes where standard error goes: nowhere, once `head` has read what it wants.
    let script = format!(
        "'{}' proxy start --listen 127.0.0.1:0=sleep 2>&1 | head -n 4 > '{}'; wait",
        scene.exe(),
        scene.write("said", "")
    );
    let mut shell = std::process::Command::new("bash")
        .args(["-c", &script])
        .env("EGRESSCTL_STATE_DIR", scene.state())
        .spawn()
        .expect("bash runs");
    let status = scene.wait_for_status();
    let address = status["listeners"][0]["address"].as_str().expect("an address").parse().expect("an address");
    let mut client = Client::to(address);
    for call in 0..20 {
        assert_eq!(client.get(&format!("http://edition.cnn.com/politics/{call}")).status, 502);
        scene.wait_for_entry(&format!("/politics/{call}\""));
    }
    scene.ok(&["proxy", "stop"]);
    shell.wait().expect("bash ends with the proxy");
    assert_eq!(scene.ok(&["logs", "--count"]).trim(), "60");
}

#[test]
fn one_pipe_for_everything_that_nobody_reads_holds_up_nothing() {
    let scene = monitored();
    let (unread, writer) = std::io::pipe().expect("a pipe");
    let mut command = scene.command(&["proxy", "start", "--listen", "127.0.0.1:0=sleep"]);
    let both = writer.try_clone().expect("a descriptor");
    let mut child = command.stdin(std::process::Stdio::null()).stdout(writer).stderr(both).spawn().expect("it starts");
    let status = scene.wait_for_status();
    let address = status["listeners"][0]["address"].as_str().expect("an address").parse().expect("an address");
    let mut client = Client::to(address);
    let long = "x".repeat(30_000);
    for _ in 0..400 {
        assert_eq!(client.get(&format!("http://edition.cnn.com/politics/{long}")).status, 502);
    }
    scene.ok(&["proxy", "stop"]);
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().expect("a child").is_none() {
        assert!(Instant::now() < deadline, "the proxy does not end");
        std::thread::yield_now();
    }
    assert_eq!(scene.ok(&["logs", "--count"]).trim(), "1200");
    drop(unread);
}

#[test]
fn a_named_pipe_as_output_file_holds_up_nothing() {
    let scene = monitored();
    let pipe = scene.write("pipe", "");
    std::fs::remove_file(&pipe).expect("a file");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let handler = format!(
        "apiVersion: config.istio.io/v1alpha2\nkind: stdio\nmetadata: {{name: egress-access-handler, namespace: \
         istio-system}}\nspec: {{logStream: FILE, outputPath: {pipe}}}\n"
    );
    scene.ok_with(&["replace", "-f", "-"], &handler);
    let mut proxy = Proxied::start(&scene, &[]);
    let mut client = proxy.connect();
    for _ in 0..3 {
        assert_eq!(client.get("http://edition.cnn.com/sport").status, 502);
        scene.wait_for_entry("/sport");
    }
    assert!(proxy.wait_for("named pipe").contains("cannot be written"));
    scene.ok(&["proxy", "stop"]);
    assert!(proxy.wait().success());
    assert_eq!(scene.ok(&["logs", "--count"]).trim(), "6");
}
