//! How much later a command starts in a sandbox than by itself.
//!
//! `cargo bench --bench sandbox` prints the medians of `/bin/true` by itself, as `egressctl exec`, and of `egressctl version`,
//! which is what starting this binary costs. All are taken by turns in one run; the goal is 30 ms more than the bare one.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const RUNS: usize = 200;

/// Milliseconds that a sandboxed command may start later.
const GOAL: f64 = 30.0;

const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/scenario/sleep.yaml");

fn main() {
    let directory = std::env::temp_dir().join(format!("egressctl-bench-{}", std::process::id()));
    let created = egressctl(&directory, &["create", "-f", MANIFEST]).status().expect("the binary was built");
    assert!(created.success());
    let mut proxy = proxy(&directory);
    let exec = ["exec", "deployment/sleep", "--", "/bin/true"];
    let mut took = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..RUNS {
        took[0].push(time(&mut Command::new("/bin/true")));
        took[1].push(time(&mut egressctl(&directory, &["version"])));
        took[2].push(time(&mut egressctl(&directory, &exec)));
    }
    let _ = proxy.kill();
    let _ = proxy.wait();
    std::fs::remove_dir_all(&directory).expect("the bench's own directory");
    let [bare, version, sandboxed] = took.map(median);
    println!("| command | median, ms | beside the bare one |\n|---|---|---|");
    for (name, millis) in
        [("/bin/true", bare), ("egressctl version", version), ("egressctl exec … /bin/true", sandboxed)]
    {
        println!("| {name} | {millis:.2} | {:.1} times, {:+.2} ms |", millis / bare, millis - bare);
    }
    println!("goal: {GOAL:+.0} ms; of that the sandbox takes {:.0} %", (sandboxed - bare) / GOAL * 100.0);
}

fn egressctl(state: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_egressctl"));
    command.args(arguments).env("EGRESSCTL_STATE_DIR", state).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn proxy(state: &Path) -> Child {
    let mut command = egressctl(state, &["proxy", "start", "--listen", "127.0.0.1:0=sleep"]);
    let mut child = command.stderr(Stdio::piped()).spawn().expect("the binary was built");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    assert!(lines.by_ref().map_while(Result::ok).any(|line| line == "ready"), "the proxy does not start");
    // Whatever else it says is of no interest, but has to be read.
    std::thread::spawn(move || lines.count());
    child
}

fn time(command: &mut Command) -> Duration {
    let begun = Instant::now();
    assert!(command.status().expect("it can be started").success());
    begun.elapsed()
}

fn median(mut took: Vec<Duration>) -> f64 {
    took.sort_unstable();
    took[took.len() / 2].as_secs_f64() * 1000.0
}
