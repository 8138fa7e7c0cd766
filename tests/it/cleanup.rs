//! Nothing is left of sandboxes, however they end.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::sandbox::{Inside, possible};
use crate::stage::until;

/// How many sandboxes there are, and how many at a time.
const RUNS: usize = 200;
const AT_A_TIME: usize = 10;

/// What of sandboxes can be counted from outside.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    /// Processes that know the state directory by their environment, by name.
    processes: BTreeMap<u32, String>,
    /// Network namespaces of those.
    namespaces: usize,
    /// Descriptors of the proxy: a socket keeps its network namespace.
    descriptors: usize,
    mounts: usize,
    sockets_in_state: usize,
}

fn left(inside: &Inside) -> Left {
    let state = inside.scene.state();
    let knows = |process: &u32| {
        let environment = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
        let mark = state.as_os_str().as_bytes();
        environment.windows(mark.len()).any(|part| part == mark)
    };
    let all = fs::read_dir("/proc").expect("Linux").flatten();
    let numbers = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let name =
        |process: &u32| fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default().replace('\0', " ");
    let processes: BTreeMap<u32, String> =
        numbers.filter(knows).map(|process| (process, name(&process))).filter(|(_, name)| !name.is_empty()).collect();
    let mut namespaces: Vec<_> =
        processes.keys().filter_map(|process| fs::read_link(format!("/proc/{process}/ns/net")).ok()).collect();
    namespaces.sort();
    namespaces.dedup();
    let count = |path: String| fs::read_dir(path).expect("it is there").count();
    Left {
        namespaces: namespaces.len(),
        processes,
        descriptors: count(format!("/proc/{}/fd", inside.proxy.pid())),
        mounts: fs::read_to_string("/proc/self/mountinfo").expect("Linux").lines().count(),
        sockets_in_state: count(state.join("run").display().to_string()),
    }
}

/// How a run ends.
#[derive(Debug, Clone, Copy)]
enum End {
    /// By itself.
    Itself,
    /// The supervisor is killed at once, wherever it is by then.
    AtOnce,
    /// A process is sent a signal when the command runs: the supervisor, or the first process inside.
    Running(Signal, bool),
}

/// Numbers that look like chance and are the same in each run (Knuth's MMIX).
fn ends() -> impl Iterator<Item = End> {
    let mut state = 7u64;
    std::iter::from_fn(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Some(match (state >> 33) % 5 {
            0 => End::Itself,
            1 => End::AtOnce,
            2 => End::Running(Signal::KILL, false),
            3 => End::Running(Signal::TERM, false),
            _ => End::Running(Signal::KILL, true),
        })
    })
}

fn start(inside: &Inside, end: End) -> Child {
    // It leaves a process of its own behind, which calls and is not waited for.
    let line = match end {
        End::Itself => "sleep 1000 & (exec 3<>/dev/tcp/192.0.2.1/80) 2>/dev/null; true",
        _ => "sleep 1000 & (exec 3<>/dev/tcp/192.0.2.1/80; sleep 1000) 2>/dev/null & echo running; wait",
    };
    let mut command = inside.exec(&["bash", "-c", line]);
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it was built")
}

fn finish(mut child: Child, end: End) {
    let pid = Pid::from_raw(child.id().cast_signed()).expect("a process");
    match end {
        End::Itself => {}
        End::AtOnce => kill_process(pid, Signal::KILL).expect("it is not waited for yet"),
        End::Running(signal, first) => {
            let mut said = String::new();
            BufReader::new(child.stdout.take().expect("piped")).read_line(&mut said).expect("it prints");
            assert_eq!(said, "running\n");
            let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).expect("it runs");
            let inside =
                children.split_whitespace().next().and_then(|number| number.parse().ok()).and_then(Pid::from_raw);
            kill_process(if first { inside.expect("a child") } else { pid }, signal).expect("it runs");
        }
    }
    child.wait().expect("a child");
}

#[test]
fn nothing_is_left_of_two_hundred_sandboxes_that_are_killed_at_random() {
    if !possible() {
        return;
    }
    let inside = Inside::new("");
    // The workload's listener and the proxy's own descriptors are there from now on.
    assert_eq!(inside.bash("true").1, Some(0));
    let before = left(&inside);
    assert_eq!((before.processes.len(), before.namespaces), (1, 1), "{before:?}");
    let mut ends = ends();
    for _ in 0..RUNS / AT_A_TIME {
        let some: Vec<End> = ends.by_ref().take(AT_A_TIME).collect();
        let running: Vec<(Child, End)> = some.iter().map(|end| (start(&inside, *end), *end)).collect();
        running.into_iter().for_each(|(child, end)| finish(child, end));
    }
    until("nothing is left", || {
        let now = left(&inside);
        // The proxy may have fewer connections to its log than before.
        now.processes == before.processes
            && now.namespaces == before.namespaces
            && now.descriptors <= before.descriptors
            && now.mounts == before.mounts
            && now.sockets_in_state == before.sockets_in_state
    });
    assert_eq!(inside.bash("true").1, Some(0), "and another one runs");
}
