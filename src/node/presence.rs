//! Which processes of a node run: each holds a lock on a file of its own as long as it lives, however it ends.

use std::collections::HashSet;
use std::fs::{File, TryLockError};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::state::StateDir;

/// The lock of this process; its file goes with it.
#[derive(Debug)]
pub(super) struct Presence {
    /// A name that no other process ever has; ids of processes come again.
    pub(super) process: Arc<str>,
    path: PathBuf,
    _locked: File,
}

impl Presence {
    /// Begins to be there.
    pub(super) fn begin(state: &StateDir, node: &str) -> io::Result<Self> {
        let process = uuid::Uuid::new_v4().to_string();
        let path = state.node_process(node, &process);
        // Under its name only when it is locked: one that is not is left by a process that was killed.
        let beside = path.with_extension("new");
        let file = File::create_new(&beside)?;
        file.lock()?;
        std::fs::rename(beside, &path)?;
        Ok(Self { process: process.into(), path, _locked: file })
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        // Whoever looks next removes it otherwise.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The processes of a node that run, this one included. Files of others are removed.
pub(super) fn running(state: &StateDir, node: &str) -> io::Result<HashSet<String>> {
    let mut running = HashSet::new();
    for (process, path) in state.node_processes(node)? {
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            opened => opened?,
        };
        // Shared, so that two who look do not take each other for its owner.
        match file.try_lock_shared() {
            Ok(()) => {
                let _ = std::fs::remove_file(path);
            }
            Err(TryLockError::WouldBlock) => {
                running.insert(process);
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(running)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_there_until_its_lock_ends() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(directory.path()).unwrap();
        let here = |node: &str| running(&state, node).unwrap();
        let [one, two] = ["a", "a.b"].map(|node| Presence::begin(&state, node).unwrap());
        assert_eq!(here("a"), HashSet::from([one.process.to_string()]));
        assert_eq!(here("a.b"), HashSet::from([two.process.to_string()]));
        drop(one);
        let left = state.node_process("a", "killed");
        File::create(&left).unwrap();
        assert!(here("a").is_empty() && !left.exists());
    }
}
