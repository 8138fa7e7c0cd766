//! What becomes of calls while the log takes no entries.
//!
//! The file system stands in for a full disk by a bound on the length of files, which a test can set and lift again while
//! the proxy runs.

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::proxied::{Proxied, with_origin};
use crate::stage::{Stage, until};

/// Bounds the length of all files of a process, or lifts the bound.
fn bound(proxy: &Proxied, bytes: Option<u64>) {
    let pid = i32::try_from(proxy.pid()).ok().and_then(Pid::from_raw).expect("a process");
    prlimit(Some(pid), Resource::Fsize, Rlimit { current: bytes, maximum: None }).expect("its own user may");
}

/// Calls that the queue has room for.
const QUEUE: usize = 4;

/// A proxy for which files can be full: whoever writes past the bound gets an error, and not a signal.
fn proxy(scene: &Stage, full: &str) -> Proxied {
    Proxied::by(scene, &["--log-full", full, "--log-queue", &QUEUE.to_string()], |command| {
        let mut shell = std::process::Command::new("bash");
        shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            shell.env(name, value.unwrap_or_default());
        }
        shell
    })
}

fn sizes(scene: &Stage) -> u64 {
    let wal =
        |folder: &str| std::fs::metadata(scene.state().join(folder).join("hot.db-wal")).map_or(0, |file| file.len());
    wal("log").min(wal("access"))
}

fn counts(scene: &Stage) -> (usize, usize) {
    let lines = |arguments: &[&str]| scene.ok(arguments).lines().count();
    (lines(&["logs", "--all", "--instance", "access"]), lines(&["logs", "--instance", "gap"]))
}

#[test]
fn calls_are_refused_while_the_disk_is_full_and_nothing_is_lost() {
    let (scene, _origin) = with_origin("");
    let mut proxy = proxy(&scene, "refuse");
    assert_eq!(proxy.get("http://a.example/before").status, 200);
    until("the first record", || counts(&scene).0 == 1);
    bound(&proxy, Some(sizes(&scene)));
    let mut answers = Vec::new();
    while answers.last() != Some(&503) {
        answers.push(proxy.get("http://a.example/full").status);
        assert!(answers.len() < 50, "{answers:?}");
    }
    proxy.wait_for("takes no entries, calls will be refused");
    assert!(scene.wait_for_status()["logError"].is_string());
    bound(&proxy, None);
    proxy.wait_for("takes entries again");
    assert_eq!(proxy.get("http://a.example/after").status, 200);
    let served = 1 + answers.iter().filter(|status| **status == 200).count() + 1;
    until("a record of each call that was made", || counts(&scene).0 == served);
    scene.ok(&["logs", "verify"]);
}

#[test]
fn calls_are_served_and_counted_while_the_disk_is_full_where_that_is_wanted() {
    let (scene, _origin) = with_origin("");
    let mut proxy = proxy(&scene, "serve");
    assert_eq!(proxy.get("http://a.example/before").status, 200);
    until("the first record", || counts(&scene).0 == 1);
    bound(&proxy, Some(sizes(&scene)));
    let unrecorded = || scene.wait_for_status()["unrecorded"].as_u64().expect("a number") as usize;
    let mut served = 0;
    while unrecorded() < 3 {
        assert_eq!(proxy.get("http://a.example/full").status, 200);
        served += 1;
    }
    proxy.wait_for("WITHOUT A RECORD");
    until("a report of each call", || unrecorded() + QUEUE == served);
    let unrecorded = unrecorded();
    assert!(scene.metrics().contains(&format!("egressctl_unrecorded_total {unrecorded}\n")), "{}", scene.metrics());
    bound(&proxy, None);
    proxy.wait_for("takes entries again");
    assert_eq!(proxy.get("http://a.example/after").status, 200);
    until("a record of each other call, and of the gap", || counts(&scene) == (1 + QUEUE + 1, 1));
    let gap = scene.ok(&["logs", "--instance", "gap"]);
    assert!(gap.contains(&format!("\"calls\":{unrecorded},")), "{gap}");
}
