//! What quotas have counted, kept in a file so that a restart gives nobody a new window.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::policy::Live;
use crate::snapshot::Compiler;
use crate::state::StateDir;

use super::messages::Messages;

/// Time between writes while something is counted: what a killed process loses at most.
const PAUSE: Duration = Duration::from_secs(1);

/// The file of one node's counters.
pub(super) fn file(state: &StateDir, node: &str) -> PathBuf {
    state.run().join(format!("{node}.quota.json"))
}

/// State that goes on from the file. One that cannot be read is told of: then every window begins anew.
pub(super) fn restore(file: &Path, messages: &Messages) -> Live {
    let counted = match fs::read(file) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::from),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Live::default(),
        Err(error) => Err(error),
    };
    match counted {
        Ok(counted) => Live::restore(counted),
        Err(error) => {
            messages.say(&format!("{}: quotas begin anew: {error}", file.display()));
            Live::default()
        }
    }
}

/// Writes what has changed, again and again.
pub(super) async fn keep(file: PathBuf, compiler: Arc<Compiler>, messages: Messages) {
    let mut failing = false;
    loop {
        tokio::time::sleep(PAUSE).await;
        // All are asked: asking begins the next span.
        let changed = compiler.live.counters.all().iter().filter(|(_, counters)| counters.changed()).count();
        if changed == 0 {
            continue;
        }
        let (file, counting) = (file.clone(), Arc::clone(&compiler));
        let result = tokio::task::spawn_blocking(move || save(&file, &counting.live)).await.unwrap_or(Ok(()));
        if let Err(error) = &result
            && !failing
        {
            messages.say(&format!("what quotas have counted cannot be kept: {error}"));
        }
        failing = result.is_err();
    }
}

/// Writes everything that is counted. The file is whole at every moment: a new one takes its place.
pub(super) fn save(file: &Path, live: &Live) -> io::Result<()> {
    let counted = live.counted();
    if counted.is_empty() {
        return Ok(());
    }
    let new = file.with_extension("json.new");
    let mut options = fs::OpenOptions::new();
    let mut written = options.create(true).write(true).truncate(true).mode(0o600).open(&new)?;
    written.write_all(&serde_json::to_vec(&counted)?)?;
    written.sync_data()?;
    fs::rename(new, file)
}
