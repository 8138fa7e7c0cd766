//! How recording goes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::{Error, Outlet};

/// Figures of a [`Recorder`](super::Recorder), kept by its writer thread and readable at any time.
#[derive(Debug, Default)]
pub struct Health {
    entries: AtomicU64,
    accesses: AtomicU64,
    groups: AtomicU64,
    failures: AtomicU64,
    failing: AtomicBool,
    unstored: AtomicU64,
    unprinted: AtomicU64,
    refused: AtomicU64,
    unrecorded: AtomicU64,
    last_error: Mutex<Option<String>>,
}

/// Something that people should be told, once for each change of state.
#[derive(Debug)]
pub enum Notice<'a> {
    /// The store stopped taking entries. They are kept and tried again; calls wait, then are refused.
    StoreFails(&'a Error),
    /// The store takes entries again; nothing was lost of what there was room for.
    StoreRecovered,
    /// So many calls were served, as they were to be, and could not be recorded; the log says so.
    Unrecorded(u64),
    /// An outlet stopped taking lines. They are in the log all the same.
    OutletFails(&'a Outlet, &'a std::io::Error),
    /// An outlet takes lines again.
    OutletRecovered(&'a Outlet),
}

impl Health {
    /// Entries stored.
    pub fn entries(&self) -> u64 {
        self.entries.load(Ordering::Relaxed)
    }

    /// Records of calls stored.
    pub fn accesses(&self) -> u64 {
        self.accesses.load(Ordering::Relaxed)
    }

    /// Transactions that stored them.
    pub fn groups(&self) -> u64 {
        self.groups.load(Ordering::Relaxed)
    }

    /// Attempts to store that failed.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Whether the newest attempt failed.
    pub fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Reports that were made after the writer had ended, and are lost. Anything but 0 means that the recorder was
    /// closed while calls were under way.
    pub fn unstored(&self) -> u64 {
        self.unstored.load(Ordering::Relaxed)
    }

    /// Lines that an outlet did not take. They are stored.
    pub fn unprinted(&self) -> u64 {
        self.unprinted.load(Ordering::Relaxed)
    }

    /// Calls for which there was no room.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    pub(super) fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Calls that were served and could not be recorded.
    pub fn unrecorded_calls(&self) -> u64 {
        self.unrecorded.load(Ordering::Relaxed)
    }

    /// What the newest failure of the store or an outlet said.
    pub fn last_error(&self) -> Option<String> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn stored(&self, entries: u64) {
        self.entries.fetch_add(entries, Ordering::Relaxed);
        self.groups.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn stored_accesses(&self, accesses: u64) {
        self.accesses.fetch_add(accesses, Ordering::Relaxed);
    }

    /// Notes whether the store works; whether that is news.
    pub(super) fn set_failing(&self, error: Option<&Error>) -> bool {
        if let Some(error) = error {
            self.failures.fetch_add(1, Ordering::Relaxed);
            self.set_last_error(error.to_string());
        }
        self.failing.swap(error.is_some(), Ordering::Relaxed) != error.is_some()
    }

    pub(super) fn lost(&self, reports: u64) {
        self.unstored.fetch_add(reports, Ordering::Relaxed);
    }

    pub(super) fn unrecorded(&self, calls: u64) {
        self.unrecorded.fetch_add(calls, Ordering::Relaxed);
    }

    pub(super) fn not_printed(&self, lines: u64, error: String) {
        self.unprinted.fetch_add(lines, Ordering::Relaxed);
        self.set_last_error(error);
    }

    fn set_last_error(&self, error: String) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}
