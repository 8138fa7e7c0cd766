//! The configuration in force, swapped whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

use super::Snapshot;

/// The snapshot that calls are judged by. A change that does not compile is never stored, so the last good one stays.
#[derive(Debug)]
pub struct Published {
    current: ArcSwap<Snapshot>,
    version: AtomicU64,
}

impl Published {
    /// Publishes the first snapshot.
    pub fn new(snapshot: Snapshot) -> Self {
        Self { current: ArcSwap::from_pointee(snapshot), version: AtomicU64::new(1) }
    }

    /// A number that changes with every [`Published::store`]: cheap to look at before each call.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The snapshot, with a version that is its own or an older one (which only leads to loading it once more).
    pub fn load(&self) -> (u64, Arc<Snapshot>) {
        let version = self.version();
        (version, self.current.load_full())
    }

    /// Puts a snapshot in force for every call that begins from now on.
    pub fn store(&self, snapshot: Snapshot) {
        self.current.store(Arc::new(snapshot));
        self.version.fetch_add(1, Ordering::Release);
    }
}
