//! A process that is killed while it commits leaves whole transactions only.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::*;

/// Names the state directory to the child; without it the child's test does nothing.
const DIRECTORY: &str = "EGRESSCTL_TEST_CRASH_DIRECTORY";
const SELF: &str = "registry::sqlite::tests::crash::a_process_that_commits_until_it_is_killed";

const KILLS: u64 = 20;
const BATCH: usize = 10;

fn open_path(path: &Path) -> SqliteRegistry {
    SqliteRegistry::open_with(&StateDir::open(path.join("state")).unwrap(), FEW_KINDS).unwrap()
}

/// The child's part: commits batches for ever and says so after each.
#[test]
fn a_process_that_commits_until_it_is_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let registry = open_path(Path::new(&directory));
    // Not captured by the test harness, unlike `print!`.
    let mut output = std::io::stdout();
    loop {
        let batch = registry.revision().unwrap().to_string();
        let rules = (0..BATCH).map(|n| labelled(rule(&format!("r-{batch}-{n}"), "true"), &[("batch", &batch)]));
        let committed = registry.commit(create(rules)).unwrap();
        writeln!(output, "\ncommitted {}", committed.revision).unwrap();
        output.flush().unwrap();
    }
}

/// Lets a child commit a few batches, kills it a little later, and returns the newest revision it told of.
fn run_and_kill(directory: &Path, batches: usize, later: Duration) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([SELF, "--exact", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(std::io::Result::ok);
    let mut told = lines.filter_map(|line| line.strip_prefix("committed ")?.parse().ok());
    let mut newest = told.nth(batches - 1).expect("the child commits until it is killed");
    // Not a wait for anything: it moves the kill to somewhere within the next commit.
    std::thread::sleep(later);
    child.kill().unwrap();
    child.wait().unwrap();
    newest = told.last().unwrap_or(newest);
    newest
}

fn assert_only_whole_batches(registry: &SqliteRegistry) {
    let mut batches: BTreeMap<String, usize> = BTreeMap::new();
    for rule in registry.list(&ListQuery::all(&RULE)).unwrap() {
        *batches.entry(rule.meta.labels["batch"].clone()).or_default() += 1;
    }
    assert!(batches.values().all(|&count| count == BATCH), "{batches:?}");
    assert_eq!(batches.len() as u64, registry.revision().unwrap().0 - 1, "each revision but the seed is a batch");
}

#[test]
fn a_killed_process_leaves_whole_transactions_and_all_that_it_told_of() {
    let directory = tempfile::tempdir().unwrap();
    let random = uuid::Uuid::new_v4().as_u128();
    for kill in 0..KILLS {
        let chance = (random >> (6 * kill)) as u64 & 63;
        let told = run_and_kill(directory.path(), 1 + (chance % 3) as usize, Duration::from_micros(chance * 100));
        let registry = open_path(directory.path());
        let found = registry.revision().unwrap().0;
        assert!(found >= told, "told of {told}, found {found}");
        assert!(found <= told + 1, "at most the commit that was under way is more: told of {told}, found {found}");
        assert_only_whole_batches(&registry);
    }
}
