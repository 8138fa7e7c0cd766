//! Waking when the registry of a state directory changes, whoever changed it.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
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

/// How long to look closely after something was heard. The write-ahead log is written, and heard, before the commit
/// counts: between the two lies the time that the disk needs to make it durable.
const ATTENTION: Duration = Duration::from_secs(2);

/// The first pause of looking closely; it doubles up to [`BLIND_POLL`].
const FIRST_PAUSE: Duration = Duration::from_millis(2);

/// Tells when the registry of a state directory has a new revision, other processes' commits included: within 100 ms
/// where the system notifies of file changes or where it does not, within a second where notifications get lost.
pub struct Wakeups {
    path: PathBuf,
    connection: Connection,
    seen: Revision,
    heard: Receiver<()>,
    /// Kept because dropping it ends the notifications; `None` if they cannot be had.
    watcher: Option<RecommendedWatcher>,
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
        let watcher = watch(&path, tell).ok();
        let seen = revision(&connection, &path)?;
        Ok(Self { path, connection, seen, heard, watcher })
    }

    /// Blocks until the registry has a revision that no earlier call has told of, but no longer than `timeout`; whether
    /// it has. If the registry cannot be read that counts as news too, for the caller's own reading to report.
    pub fn wait(&mut self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let (mut alert, mut pause) = (Instant::now(), BLIND_POLL);
        loop {
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
            let longest = if now < alert { pause } else { self.idle_poll() };
            pause = (pause * 2).min(BLIND_POLL);
            if self.listen(longest.min(deadline - now)) {
                (alert, pause) = (Instant::now() + ATTENTION, FIRST_PAUSE);
            }
        }
    }

    fn idle_poll(&self) -> Duration {
        if self.watcher.is_some() { SAFETY_POLL } else { BLIND_POLL }
    }

    /// Sleeps until a notification, which is swallowed, or for the whole time; whether there was one.
    fn listen(&self, longest: Duration) -> bool {
        match self.heard.recv_timeout(longest) {
            Ok(()) => true,
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::sleep(longest.min(BLIND_POLL));
                false
            }
        }
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
