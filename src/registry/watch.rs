//! Waking when the registry of a state directory changes, whoever changed it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use rusqlite::Connection;

use crate::state::StateDir;

use super::sqlite::{open_database, revision};
use super::{Result, Revision};

/// How often to look although nothing was heard: a notification can get lost (network file systems, a full queue).
const SAFETY_POLL: Duration = Duration::from_secs(1);

/// How often to look when notifications cannot be had at all.
const BLIND_POLL: Duration = Duration::from_millis(50);

/// Tells when the registry of a state directory has a new revision, other processes' commits included: at once where the system
/// notifies of file changes, within [`BLIND_POLL`] where it does not, within [`SAFETY_POLL`] where notifications get lost or who
/// committed ended before it said so.
pub struct Wakeups {
    path: PathBuf,
    connection: Connection,
    seen: Revision,
    heard: Receiver<()>,
    waker: Waker,
    /// Kept because dropping it ends the notifications; `None` if they cannot be had.
    watcher: Option<RecommendedWatcher>,
}

/// Wakes who waits although the registry did not change.
#[derive(Debug, Clone)]
pub struct Waker {
    asked: Arc<AtomicBool>,
    tell: SyncSender<()>,
}

impl Waker {
    /// Lets the next, or the present, [`Wakeups::wait`] tell of news.
    pub fn wake(&self) {
        self.asked.store(true, Ordering::Release);
        // A full channel already holds the wake-up.
        let _ = self.tell.try_send(());
    }
}

impl Wakeups {
    /// Starts at the present revision.
    ///
    /// # Errors
    /// [`Error::Store`](super::Error::Store) if the registry's file cannot be opened.
    pub fn open(dir: &StateDir) -> Result<Self> {
        let path = dir.registry_db();
        let connection = open_database(&path)?;
        let (tell, heard) = sync_channel(1);
        let waker = Waker { asked: Arc::default(), tell: tell.clone() };
        let watcher = watch(&path, tell).ok();
        let seen = revision(&connection, &path)?;
        Ok(Self { path, connection, seen, heard, waker, watcher })
    }

    /// What wakes this from elsewhere.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Blocks until the registry has a revision that no earlier call has told of, but no longer than `timeout`; whether
    /// it has. If the registry cannot be read that counts as news too, for the caller's own reading to report.
    pub fn wait(&mut self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        loop {
            if self.waker.asked.swap(false, Ordering::Acquire) {
                return true;
            }
            match revision(&self.connection, &self.path) {
                Ok(revision) if revision != self.seen => {
                    self.seen = revision;
                    return true;
                }
                Ok(_) => {}
                Err(_) => {
                    self.listen(SAFETY_POLL.min(deadline.saturating_duration_since(Instant::now())));
                    return true;
                }
            }
            let now = Instant::now();
            if now >= deadline {
                return false;
            }
            self.listen(self.longest_pause().min(deadline - now));
        }
    }

    fn longest_pause(&self) -> Duration {
        if self.watcher.is_some() { SAFETY_POLL } else { BLIND_POLL }
    }

    /// Sleeps until a notification, which is swallowed, or for the whole time. What is then looked at is never older than what
    /// the notification was about, also where several were one.
    fn listen(&self, longest: Duration) {
        let _ = self.heard.recv_timeout(longest);
    }
}

/// Watches the directory rather than the files: the write-ahead log comes and goes.
fn watch(database: &Path, tell: SyncSender<()>) -> notify::Result<RecommendedWatcher> {
    let directory = database.parent().unwrap_or(Path::new(".")).to_owned();
    let database = database.to_owned();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| concerns(&event, &database)) {
            // A full channel already holds the wake-up.
            let _ = tell.try_send(());
        }
    })?;
    watcher.watch(&directory, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

/// Whether an event is a write to the database or its write-ahead log; reading also opens and closes the files.
fn concerns(event: &notify::Event, database: &Path) -> bool {
    let Some(name) = database.file_name().map(|name| name.as_encoded_bytes()) else { return true };
    let is_ours = |path: &PathBuf| {
        path.file_name().is_some_and(|file| {
            let rest = file.as_encoded_bytes().strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest == b"-wal")
        })
    };
    !matches!(event.kind, EventKind::Access(_)) && (event.need_rescan() || event.paths.iter().any(is_ours))
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::thread;

    use super::super::testing::*;
    use super::super::{Registry, SqliteRegistry, View};
    use super::*;

    /// Names the state directory to the child; without it the child's test does nothing.
    const DIRECTORY: &str = "EGRESSCTL_TEST_WATCH_DIRECTORY";
    const SELF: &str = "registry::watch::tests::a_process_that_commits_once";

    /// Far longer than a wake-up takes; a test that fails waits this long.
    const LONG: Duration = Duration::from_secs(30);

    fn open(path: &Path) -> SqliteRegistry {
        SqliteRegistry::open_with(&StateDir::open(path.join("state")).unwrap(), FEW_KINDS).unwrap()
    }

    #[test]
    fn a_commit_through_another_connection_wakes_once() {
        let directory = tempfile::tempdir().unwrap();
        let registry = open(directory.path());
        let mut wakeups = registry.wakeups().unwrap();
        assert!(wakeups.watcher.is_some(), "this system notifies of file changes");
        assert!(!wakeups.wait(Duration::ZERO), "nothing happened yet");
        thread::scope(|scope| {
            scope.spawn(|| registry.commit(create([rule("a", "1")])).unwrap());
            assert!(wakeups.wait(LONG));
        });
        assert!(!wakeups.wait(Duration::ZERO), "it was told of already");
        assert!(registry.get(&rule_key("a")).unwrap().is_some());
    }

    #[test]
    fn commits_before_the_wait_are_told_of_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let registry = open(directory.path());
        let mut wakeups = registry.wakeups().unwrap();
        registry.commit(create([rule("a", "1")])).unwrap();
        assert!(wakeups.wait(Duration::ZERO));
    }

    #[test]
    fn the_last_that_is_heard_of_a_commit_is_heard_when_it_counts() {
        let directory = tempfile::tempdir().unwrap();
        let registry = open(directory.path());
        let before = registry.revision().unwrap();
        let path = registry.wakeups().unwrap().path;
        let (seen, (tell, told)) = (open_database(&path).unwrap(), sync_channel(1000));
        let (database, watched) = (path.clone(), path.parent().unwrap());
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if concerns(event.as_ref().unwrap(), &database) {
                tell.send(revision(&seen, &database).unwrap()).unwrap();
            }
        })
        .unwrap();
        watcher.watch(watched, RecursiveMode::NonRecursive).unwrap();
        for number in 1..=20 {
            let committed = registry.commit(create([rule(&format!("r{number}"), "1")])).unwrap().revision;
            assert!(committed > before);
            // Whatever of its writes is heard, and however early: in the end there is one event behind which it is seen.
            while told.recv_timeout(LONG).expect("a commit is heard when it counts") != committed {}
        }
    }

    #[test]
    fn without_notifications_it_looks_by_itself() {
        let directory = tempfile::tempdir().unwrap();
        let registry = open(directory.path());
        let mut wakeups = registry.wakeups().unwrap();
        wakeups.watcher = None;
        thread::scope(|scope| {
            scope.spawn(|| registry.commit(create([rule("a", "1")])).unwrap());
            assert!(wakeups.wait(LONG));
        });
    }

    /// The child's part.
    #[test]
    fn a_process_that_commits_once() {
        let Some(directory) = std::env::var_os(DIRECTORY) else { return };
        open(Path::new(&directory)).commit(create([rule("from-another-process", "1")])).unwrap();
    }

    #[test]
    fn a_commit_of_another_process_wakes() {
        let directory = tempfile::tempdir().unwrap();
        let registry = open(directory.path());
        let mut wakeups = registry.wakeups().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([SELF, "--exact"])
            .env(DIRECTORY, directory.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        assert!(wakeups.wait(LONG));
        assert!(registry.get(&rule_key("from-another-process")).unwrap().is_some());
        assert!(child.wait().unwrap().success());
    }

    #[test]
    fn only_writes_to_the_registry_are_of_concern() {
        let database = Path::new("/state/registry.db");
        let event = |kind: EventKind, file: &str| notify::Event::new(kind).add_path(PathBuf::from(file));
        let modified = EventKind::Modify(notify::event::ModifyKind::Any);
        assert!(concerns(&event(modified, "/state/registry.db-wal"), database));
        assert!(concerns(&event(modified, "/state/registry.db"), database));
        assert!(!concerns(&event(modified, "/state/registry.db-shm"), database));
        assert!(!concerns(&event(modified, "/state/other"), database));
        let opened = EventKind::Access(notify::event::AccessKind::Any);
        assert!(!concerns(&event(opened, "/state/registry.db"), database));
    }
}
