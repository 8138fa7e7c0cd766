//! How much memory the process has. Before the kernel ends it for want of more, calls are refused.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::messages::Messages;
use crate::metrics::Use;

/// How often is looked.
const PAUSE: Duration = Duration::from_secs(1);

/// A version of control groups.
#[derive(Debug)]
struct Version {
    /// Where its groups are.
    root: &'static str,
    /// How /proc/self/cgroup calls what bounds memory.
    controller: &'static str,
    max: &'static str,
    current: &'static str,
    /// What its statistics call pages of files.
    files: [&'static str; 2],
}

/// The second, and the first, which older systems have.
const VERSIONS: [Version; 2] = [
    Version {
        root: "/sys/fs/cgroup",
        controller: "",
        max: "memory.max",
        current: "memory.current",
        files: ["inactive_file ", "active_file "],
    },
    Version {
        root: "/sys/fs/cgroup/memory",
        controller: "memory",
        max: "memory.limit_in_bytes",
        current: "memory.usage_in_bytes",
        files: ["total_inactive_file ", "total_active_file "],
    },
];

/// Limits from here on are none: the first version has no word for that.
const NO_LIMIT: u64 = 1 << 60;

/// Shares of the limit, in per cent, at which calls begin to be refused, and at which they are taken again.
const FULL: u64 = 92;
const ROOM: u64 = 85;

/// What is looked at.
#[derive(Debug)]
enum Limit {
    /// What this process has, against a number of bytes.
    Own(u64),
    /// What all processes of a control group have, against the group's limit.
    Group(&'static Version, PathBuf),
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
        let limit = own.map(Limit::Own).or_else(|| VERSIONS.iter().find_map(Version::group));
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
            Limit::Group(version, group) => Some((version.used(group)?, version.limit(group)?)),
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

impl Version {
    /// The nearest group with a limit of the process, from its own upwards.
    fn group(&'static self) -> Option<Limit> {
        let own = std::fs::read_to_string("/proc/self/cgroup").ok()?;
        let own = own.lines().find_map(|line| self.path(line))?;
        let root = Path::new(self.root);
        self.limited(root, &root.join(own)).map(|group| Limit::Group(self, group))
    }

    /// The group that a line of /proc/self/cgroup names, `ID:CONTROLLERS:/PATH`, if it is of this version and bounds memory.
    fn path<'l>(&self, line: &'l str) -> Option<&'l str> {
        let mut parts = line.splitn(3, ':').skip(1);
        let controls = parts.next()?.split(',').any(|controller| controller == self.controller);
        parts.next().filter(|_| controls)?.strip_prefix('/')
    }

    fn limited(&self, root: &Path, own: &Path) -> Option<PathBuf> {
        let all = own.ancestors().take_while(|group| group.starts_with(root));
        all.filter(|group| self.limit(group).is_some()).map(Path::to_owned).next()
    }

    fn limit(&self, group: &Path) -> Option<u64> {
        number(&group.join(self.max)).filter(|limit| *limit < NO_LIMIT)
    }

    /// What a group has, without what the kernel takes back when it must: pages of files.
    fn used(&self, group: &Path) -> Option<u64> {
        let stat = std::fs::read_to_string(group.join("memory.stat")).ok()?;
        let of =
            |name: &str| stat.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok()).unwrap_or(0);
        let files = self.files.iter().fold(0_u64, |sum, name| sum.saturating_add(of(name)));
        Some(number(&group.join(self.current))?.saturating_sub(files))
    }
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
        let [version, _] = &VERSIONS;
        let groups = tempfile::tempdir().unwrap();
        let own = groups.path().join("a/b");
        std::fs::create_dir_all(&own).unwrap();
        let write = |file: &str, text: &str| std::fs::write(groups.path().join("a").join(file), text).unwrap();
        std::fs::write(own.join("memory.max"), "max\n").unwrap();
        write("memory.max", "1000\n");
        write("memory.stat", "anon 1\ninactive_file 300\nactive_file 100\n");
        let group = version.limited(groups.path(), &own).unwrap();
        assert_eq!(group, groups.path().join("a"), "the nearest that has a limit");
        let memory = Memory {
            limit: Some(Limit::Group(version, group)),
            is_full: Arc::default(),
            reached: AtomicU64::default(),
        };
        for (current, full) in [(1000, false), (1320, true), (1260, true), (1240, false), (1300, false)] {
            write("memory.current", &format!("{current}\n"));
            assert_eq!(memory.look(), full, "{current}");
        }
        assert_eq!(memory.usage(), Some(Use { name: "memory", limit: Some(1000), used: Some(900), reached: 1 }));
    }

    #[test]
    fn the_groups_of_both_versions_are_found() {
        let [second, first] = &VERSIONS;
        assert_eq!(second.path("0::/system.slice/a:b"), Some("system.slice/a:b"));
        assert_eq!(first.path("4:memory:/a/b"), Some("a/b"));
        assert_eq!(first.path("4:cpu,memory:/"), Some(""));
        assert_eq!((second.path("4:memory:/a"), first.path("0::/a"), first.path("")), (None, None, None));
        let groups = tempfile::tempdir().unwrap();
        let own = groups.path().join("a");
        std::fs::create_dir(&own).unwrap();
        std::fs::write(own.join(first.max), "9223372036854771712\n").unwrap();
        assert_eq!(first.limited(groups.path(), &own), None);
        std::fs::write(own.join(first.max), "1000\n").unwrap();
        assert_eq!(first.limited(groups.path(), &own).as_ref(), Some(&own));
        std::fs::write(own.join(first.current), "900\n").unwrap();
        std::fs::write(own.join("memory.stat"), "inactive_file 1\ntotal_inactive_file 100\n").unwrap();
        assert_eq!(first.used(&own), Some(800));
    }

    #[test]
    fn without_a_limit_nothing_is_refused() {
        let memory = Memory { limit: None, is_full: Arc::default(), reached: AtomicU64::default() };
        assert!(!memory.look() && memory.usage().is_none());
        assert!(resident().is_some_and(|bytes| bytes > 1 << 20));
    }
}
