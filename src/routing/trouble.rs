//! What was the matter last with a destination: for whoever looks after the proxy.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::call::Failure;

/// The failures of one destination. Calls that succeed only look at it, as long as none has failed.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    now: AtomicBool,
    failures: AtomicU64,
    last: Mutex<Option<(i64, Failure)>>,
}

/// What is told of a destination that has failed calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    /// How many calls it has failed.
    pub(super) failures: u64,
    /// When it failed the last time, in microseconds since 1970.
    pub(super) last_at: i64,
    /// Why.
    pub(super) last: Failure,
    /// Whether no call has succeeded since.
    pub(super) lasts: bool,
}

impl Trouble {
    /// A call failed.
    pub(super) fn begins(&self, failure: Failure, now: i64) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        self.now.store(true, Ordering::Relaxed);
        // Of two that fail at one moment either is the last; no call waits to be it.
        if let Ok(mut last) = self.last.try_lock() {
            *last = Some((now, failure));
        }
    }

    /// A call succeeded.
    pub(super) fn is_over(&self) {
        if self.now.load(Ordering::Relaxed) {
            self.now.store(false, Ordering::Relaxed);
        }
    }

    /// What there is to tell, if a call has ever failed.
    pub(super) fn told(&self) -> Option<Told> {
        let (last_at, last) = (*self.last.lock().ok()?)?;
        let failures = self.failures.load(Ordering::Relaxed);
        Some(Told { failures, last_at, last, lasts: self.now.load(Ordering::Relaxed) })
    }
}
