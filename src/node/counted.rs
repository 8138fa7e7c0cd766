//! What quotas have counted, kept in a file so that a restart gives nobody a new window. Each proxy counts on its own.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::messages::Messages;
use crate::policy::Live;
use crate::snapshot::Compiler;

/// Time between writes while something is counted: what a killed process loses at most.
const PAUSE: Duration = Duration::from_secs(1);

/// State that goes on from the file. One that cannot be read is told of: then every window begins anew.
pub(super) fn restore(file: &Path, messages: &Messages) -> Live {
    let live = Live::default();
    take_over(file, &live, messages);
    live
}

/// The same for state that is in use already, of what another process has written meanwhile.
pub(super) fn take_over(file: &Path, live: &Live, messages: &Messages) {
    let counted = match fs::read(file) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::from),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => Err(error),
    };
    match counted {
        Ok(counted) => live.take_over(counted),
        Err(error) => messages.say(&format!("{}: quotas begin anew: {error}", file.display())),
    }
}

/// Writes the counters of a proxy to its file.
#[derive(Debug)]
pub(super) struct Keeper {
    file: PathBuf,
    compiler: Arc<Compiler>,
    messages: Messages,
    /// Whether the last write failed; held while one is made, so that an older state never replaces a newer one.
    failing: Mutex<bool>,
}

impl Keeper {
    pub(super) fn new(file: PathBuf, compiler: Arc<Compiler>, messages: Messages) -> Arc<Self> {
        Arc::new(Self { file, compiler, messages, failing: Mutex::new(false) })
    }

    /// Writes what has changed, again and again.
    pub(super) async fn keep(self: Arc<Self>) {
        loop {
            tokio::time::sleep(PAUSE).await;
            let keeper = Arc::clone(&self);
            // A panic there is told by the runtime; the next round tries again.
            let _ = tokio::task::spawn_blocking(move || keeper.save()).await;
        }
    }

    /// Writes everything that is counted, if any of it has changed or could not be written the last time.
    pub(super) fn save(&self) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        // All are asked: asking begins the next span.
        let changed = self.compiler.live.counters.all().iter().filter(|(_, counters)| counters.changed()).count();
        if changed == 0 && !*failing {
            return;
        }
        let result = write(&self.file, &self.compiler.live);
        if let Err(error) = &result
            && !*failing
        {
            self.messages.say(&format!("what quotas have counted cannot be kept: {error}"));
        }
        *failing = result.is_err();
    }
}

/// The file is whole at every moment: a new one takes its place.
fn write(file: &Path, live: &Live) -> io::Result<()> {
    let counted = live.counted();
    let new = file.with_extension("json.new");
    let mut options = fs::OpenOptions::new();
    let mut written = options.create(true).write(true).truncate(true).mode(0o600).open(&new)?;
    written.write_all(&serde_json::to_vec(&counted)?)?;
    written.sync_data()?;
    fs::rename(new, file)
}
