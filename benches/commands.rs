//! What commands and an idle proxy cost: CPU of the whole process, memory of a running one.
//!
//! `cargo bench --bench commands` prints each figure beside the same command on next to nothing, so that the ratio is of
//! one run. Linux only (reads /proc).

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

const RUNS: usize = 10;

fn main() {
    let directory = std::env::temp_dir().join(format!("egressctl-bench-{}", std::process::id()));
    println!("| command | CPU, ms | the same on little, ms | ratio |\n|---|---|---|---|");
    creating(&directory);
    getting(&directory);
    idle(&directory);
    std::fs::remove_dir_all(&directory).expect("the bench's own directory");
}

fn entries(range: std::ops::Range<usize>) -> String {
    let mut text = String::new();
    for number in range {
        let _ = write!(
            text,
            "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata:\n  name: site-{number}\nspec:\n  \
             hosts: [site-{number}.example]\n  resolution: DNS\n  ports: [{{number: 80, name: http, protocol: HTTP}}]\n"
        );
    }
    text
}

fn egressctl(state: &Path, arguments: &[&str], input: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_egressctl"));
    command.args(arguments).env("EGRESSCTL_STATE_DIR", state).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().expect("the binary was built");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads");
    assert!(child.wait().expect("a child").success(), "{arguments:?}");
}

/// User and system time of all children that have ended, in milliseconds; the kernel counts in ticks of 10 ms.
fn children_millis() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("a name").split_whitespace().collect();
    let ticks = |field: usize| fields[field].parse::<f64>().expect("ticks");
    (ticks(13) + ticks(14)) * 10.0
}

/// Mean CPU milliseconds of a command over some runs.
fn cost(mut run: impl FnMut(usize)) -> f64 {
    let before = children_millis();
    (0..RUNS).for_each(&mut run);
    (children_millis() - before) / RUNS as f64
}

fn print(name: &str, much: f64, little: f64) {
    println!("| {name} | {much:.1} | {little:.1} | {:.2} |", much / little);
}

fn creating(directory: &Path) {
    let (many, one) = (entries(0..1000), entries(0..1));
    let much = cost(|run| egressctl(&directory.join(format!("many-{run}")), &["create", "-f", "-"], &many));
    let little = cost(|run| egressctl(&directory.join(format!("one-{run}")), &["create", "-f", "-"], &one));
    print("create -f of 1,000 documents, new registry (beside: 1 document)", much, little);
}

fn getting(directory: &Path) {
    let (large, small) = (directory.join("large"), directory.join("small"));
    for start in (0..100_000).step_by(10_000) {
        egressctl(&large, &["create", "-f", "-"], &entries(start..start + 10_000));
    }
    egressctl(&small, &["create", "-f", "-"], &entries(0..10));
    let get = |state: &Path| cost(|_| egressctl(state, &["get", "serviceentry", "site-7", "-o", "yaml"], ""));
    print("get of one among 100,000 (beside: among 10)", get(&large), get(&small));
}

fn idle(directory: &Path) {
    let state = directory.join("idle");
    let mut command = Command::new(env!("CARGO_BIN_EXE_egressctl"));
    command.args(["proxy", "start", "--listen", "127.0.0.1:0"]).env("EGRESSCTL_STATE_DIR", &state);
    let mut proxy = command.stderr(Stdio::piped()).spawn().expect("the binary was built");
    let mut lines = BufReader::new(proxy.stderr.take().expect("piped")).lines();
    while lines.next().expect("it gets ready").expect("text") != "ready" {}
    let status = std::fs::read_to_string(format!("/proc/{}/status", proxy.id())).expect("it runs");
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size").trim().to_owned();
    println!("\nidle proxy, two workers: {resident} resident");
    proxy.kill().expect("it runs");
    proxy.wait().expect("a child");
}
