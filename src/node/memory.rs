//! How much memory the process has. Before the kernel ends it for want of more, calls are refused.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::messages::Messages;
use crate::metrics::Use;

/// How often is looked.
const PAUSE: Duration = Duration::from_secs(1);

/// Where control groups (version 2) are.
const GROUPS: &str = "/sys/fs/cgroup";

/// Shares of the limit, in per cent, at which calls begin to be refused, and at which they are taken again.
const FULL: u64 = 92;
const ROOM: u64 = 85;

/// What is looked at.
#[derive(Debug)]
enum Limit {
    /// What this process has, against a number of bytes.
    Own(u64),
    /// What all processes of a control group have, against the group's limit.
    Group(PathBuf),
}

/// Memory and its limit, if it has one.
#[derive(Debug)]
pub(super) struct Memory {
    limit: Option<Limit>,
    /// Whether calls are refused for it.
    pub(super) is_full: Arc<AtomicBool>,
    reached: AtomicU64,
}

impl Memory {
    /// With a limit of its own, or that of the control group that the process is in.
    pub(super) fn new(own: Option<u64>) -> Self {
        let limit = own.map(Limit::Own).or_else(|| group(Path::new(GROUPS)).map(Limit::Group));
        let memory = Self { limit, is_full: Arc::default(), reached: AtomicU64::default() };
        memory.look();
        memory
    }

    /// Looks again and again, until dropped.
    pub(super) async fn watch(&self, messages: Messages) {
        let mut was_full = false;
        while self.limit.is_some() {
            let full = self.look();
            if full != was_full {
                messages.say(if full {
                    "memory is nearly used up: calls are refused"
                } else {
                    "there is memory again: calls are taken"
                });
            }
            was_full = full;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Whether there is too little left.
    fn look(&self) -> bool {
        let was_full = self.is_full.load(Ordering::Relaxed);
        let Some((used, most)) = self.read() else { return was_full };
        let share = if was_full { ROOM } else { FULL };
        let full = used >= most / 100 * share;
        if full && !was_full {
            self.reached.fetch_add(1, Ordering::Relaxed);
        }
        self.is_full.store(full, Ordering::Relaxed);
        full
    }

    /// Bytes that are used, and most of them.
    fn read(&self) -> Option<(u64, u64)> {
        match self.limit.as_ref()? {
            Limit::Own(most) => Some((resident()?, *most)),
            Limit::Group(group) => Some((used(group)?, number(&group.join("memory.max"))?)),
        }
    }

    /// For metrics and people, if there is a limit.
    pub(super) fn usage(&self) -> Option<Use> {
        let (used, most) = self.read()?;
        let reached = self.reached.load(Ordering::Relaxed);
        Some(Use { name: "memory", limit: Some(most), used: Some(used), reached })
    }
}

/// Bytes of this process that are in memory.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

/// The nearest group with a limit of the process, from its own upwards.
fn group(groups: &Path) -> Option<PathBuf> {
    let own = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    limited(groups, &groups.join(own))
}

fn limited(groups: &Path, own: &Path) -> Option<PathBuf> {
    let all = own.ancestors().take_while(|group| group.starts_with(groups));
    all.filter(|group| number(&group.join("memory.max")).is_some()).map(Path::to_owned).next()
}

/// What a group has, without what the kernel takes back when it must: pages of files.
fn used(group: &Path) -> Option<u64> {
    let stat = std::fs::read_to_string(group.join("memory.stat")).ok()?;
    let of =
        |name: &str| stat.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok()).unwrap_or(0);
    let files = of("inactive_file ").saturating_add(of("active_file "));
    Some(number(&group.join("memory.current"))?.saturating_sub(files))
}

/// `max` is none.
fn number(file: &Path) -> Option<u64> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_refused_near_the_limit_of_the_group_and_taken_again_when_there_is_room() {
        let groups = tempfile::tempdir().unwrap();
        let own = groups.path().join("a/b");
        std::fs::create_dir_all(&own).unwrap();
        let write = |file: &str, text: &str| std::fs::write(groups.path().join("a").join(file), text).unwrap();
        std::fs::write(own.join("memory.max"), "max\n").unwrap();
        write("memory.max", "1000\n");
        write("memory.stat", "anon 1\ninactive_file 300\nactive_file 100\n");
        let group = limited(groups.path(), &own).unwrap();
        assert_eq!(group, groups.path().join("a"), "the nearest that has a limit");
        let memory =
            Memory { limit: Some(Limit::Group(group)), is_full: Arc::default(), reached: AtomicU64::default() };
        for (current, full) in [(1000, false), (1320, true), (1260, true), (1240, false), (1300, false)] {
            write("memory.current", &format!("{current}\n"));
            assert_eq!(memory.look(), full, "{current}");
        }
        assert_eq!(memory.usage(), Some(Use { name: "memory", limit: Some(1000), used: Some(900), reached: 1 }));
    }

    #[test]
    fn without_a_limit_nothing_is_refused() {
        let memory = Memory { limit: None, is_full: Arc::default(), reached: AtomicU64::default() };
        assert!(!memory.look() && memory.usage().is_none());
        assert!(resident().is_some_and(|bytes| bytes > 1 << 20));
    }
}
