//! `logs` over a log that has entries.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;

use egressctl::accesslog::{Entry, Format, Level, LogStore, Outlet, Shape, line};
use egressctl::state::StateDir;

use crate::harness::Scene;

/// 2018-06-18T13:22:58.317448Z, the time of the scenario's first call.
const TIME: i64 = 1_529_328_178_317_448;

fn entry(level: Level, seconds: i64, path: &str) -> Entry {
    let shape = Arc::new(Shape {
        instance: "egress-access.logentry.istio-system".into(),
        handler: "egress-access-handler.stdio.istio-system".into(),
        rule: "report-cnn-access.rule.istio-system".into(),
        format: Format::Json,
        outlet: Outlet::Stdout,
    });
    let time = TIME + seconds * 1_000_000;
    let mut text = String::new();
    line::begin(&mut text, level, time, &shape.instance);
    line::name(&mut text, "path");
    line::string(&mut text, path);
    line::end(&mut text);
    Entry { time, level, shape, line: text }
}

fn store(scene: &Scene) -> LogStore {
    let state = StateDir::open(scene.path().join("state")).expect("the state directory can be made");
    LogStore::open(state.hot_db()).expect("the log can be made")
}

/// A scene with the calls of the scenario.
fn scene() -> Scene {
    let scene = Scene::new();
    let entries = [
        entry(Level::Info, 0, "/politics"),
        entry(Level::Error, 0, "/politics"),
        entry(Level::Info, 1, "/sport"),
        entry(Level::Info, 2, "/health"),
    ];
    store(&scene).append(&entries).expect("the log takes entries");
    scene
}

const ERROR: &str = "{\"level\":\"error\",\"time\":\"2018-06-18T13:22:58.317448Z\",\
                     \"instance\":\"egress-access.logentry.istio-system\",\"path\":\"/politics\"}\n";

#[test]
fn filters_are_combined() {
    let scene = scene();
    assert_eq!(scene.run("logs").output().lines().count(), 4);
    scene.run("logs --level error").succeeds(ERROR);
    scene.run("logs --level warn+ -g politics -g egress-access").succeeds(ERROR);
    scene.run("logs -F -i -v -g POLITICS --count").succeeds("2\n");
    scene.run("logs -c --until 2018-06-18T13:22:59Z").succeeds("2\n");
    scene.run("logs -c --since-time 2018-06-18T13:22:59Z").succeeds("2\n");
    scene.run("logs -c --since 1h").succeeds("0\n");
    assert!(scene.run("logs --tail 1").output().contains("/health"));
    assert_eq!(scene.run("logs --tail -1").output().lines().count(), 4);
    scene.run("logs -c --instance egress-access").succeeds("4\n");
    scene.run("logs -c --instance other").succeeds("0\n");
}

#[test]
fn the_telemetry_pods_log_is_the_access_log_and_others_are_empty() {
    let scene = scene();
    let pod = scene.run("-n istio-system get pods -l istio-mixer-type=telemetry -o jsonpath={.items[0].metadata.name}");
    let pod = pod.output();
    assert_eq!(scene.run(&format!("-n istio-system logs {pod} mixer")).output().lines().count(), 4);
    scene.run(&format!("-n istio-system logs {pod} istio-proxy")).succeeds("");
    assert_eq!(scene.run("-n istio-system logs deployment/istio-telemetry mixer").output().lines().count(), 4);
    assert_eq!(scene.run("-n istio-system logs mixer -l istio-mixer-type=telemetry").output().lines().count(), 4);
    let prefixed = scene.run("logs --level error --prefix --timestamps").output();
    assert_eq!(prefixed, format!("[pod/{pod}/mixer] 2018-06-18T13:22:58.317448000Z {ERROR}"));
}

#[test]
fn entries_are_shown_in_other_forms() {
    let scene = scene();
    scene.run("logs -o json --level error").succeeds(ERROR);
    scene.run("logs -o name --level error").succeeds("egress-access.logentry.istio-system\n");
    scene.run("logs -o table --tail 2").succeeds(
        "\
TIME                          LEVEL   PATH
2018-06-18T13:22:59.317448Z   info    /sport
2018-06-18T13:23:00.317448Z   info    /health
",
    );
    let wide = scene.run("logs -o wide --level error").output();
    assert!(wide.lines().next().is_some_and(|line| line.ends_with("RULE")), "{wide}");
    let table = scene.run("logs --color always -o table --level error").output();
    assert!(table.starts_with("\u{1b}[1mTIME "), "{table}");
    assert!(table.lines().skip(1).all(|line| line.contains("   \u{1b}[1m\u{1b}[91merror\u{1b}[0m   ")), "{table}");
    let coloured = scene.run("logs --color always --level error").output();
    assert_eq!(coloured, ERROR.replacen("error", "\u{1b}[1m\u{1b}[91merror\u{1b}[0m", 1));
}

#[test]
fn following_shows_what_is_stored_later() {
    let scene = scene();
    let mut command = Command::new(env!("CARGO_BIN_EXE_egressctl"));
    command.args(["logs", "-f", "--tail", "1"]).env("EGRESSCTL_STATE_DIR", scene.path().join("state"));
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary was built");
    let mut lines = BufReader::new(child.stdout.take().expect("standard output is a pipe")).lines();
    let mut next = || lines.next().expect("following does not end").expect("lines are text");
    assert!(next().contains("/health"));
    store(&scene).append(&[entry(Level::Info, 3, "/later")]).expect("the log takes entries");
    assert!(next().contains("/later"));
    child.kill().expect("it still runs");
    child.wait().expect("it can be waited for");
}

#[test]
fn a_reader_that_leaves_ends_the_query() {
    let scene = Scene::new();
    let entries: Vec<Entry> = (0..5000).map(|second| entry(Level::Info, second, "/sport")).collect();
    store(&scene).append(&entries).expect("the log takes entries");
    scene.run("logs").without_reader();
    scene.run("logs -o table").without_reader();
}
