//! The thread that stores and prints.

use std::sync::atomic::Ordering;
use std::sync::mpsc as sync;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::outlet::{Event, Outlets};
use super::recorder::{State, Waiting};
use super::{Batch, Error, LogStore, Notice, gap};

/// Pauses between attempts to store: the first, doubled up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// How long nothing comes before memory is given back.
const REST_AFTER: Duration = Duration::from_secs(1);

/// Bytes of lines for which a tray, and the group, keeps room while something comes: more than a recorder has room for by
/// default, of lines as they mostly are. What is given back is taken from the system again page by page.
const KEPT_BYTES: usize = 16 << 20;

/// What the writer thread stores entries in.
pub trait Append: Send {
    /// Stores all entries, or, with an error, none; then the same batch is tried again.
    ///
    /// # Errors
    /// Whatever the store reports.
    fn append(&mut self, batch: &Batch) -> Result<(), Error>;

    /// Gives memory back: nothing is coming.
    fn rest(&mut self) {}
}

impl Append for LogStore {
    fn append(&mut self, batch: &Batch) -> Result<(), Error> {
        self.append_batch(batch)
    }

    fn rest(&mut self) {
        self.release_memory();
    }
}

type OnNotice = Box<dyn FnMut(Notice<'_>) + Send>;

pub(super) struct WriterThread {
    /// Of lines, and of accesses.
    stores: [Box<dyn Append>; 2],
    outlets: Outlets,
    state: Arc<State>,
    interval: Duration,
    notice: OnNotice,
    /// The group that is gathered.
    group: Waiting,
    flushes: Vec<sync::Sender<()>>,
    /// Takes a tray's place while it is emptied.
    spare: Waiting,
    /// Calls of which the log says that it does not have them.
    missing: u64,
}

impl WriterThread {
    pub(super) fn new(
        stores: [Box<dyn Append>; 2],
        outlets: Outlets,
        state: Arc<State>,
        interval: Duration,
        notice: OnNotice,
    ) -> Self {
        let (group, flushes, spare) = Default::default();
        Self { stores, outlets, state, interval, notice, group, flushes, spare, missing: 0 }
    }

    /// Stores groups until nothing can come any more or the recorder is closed.
    ///
    /// After idling, the first report wakes the thread; those that follow within the interval find it asleep and cost
    /// their callers no system call. Nothing is older than an interval when its commit begins: a report that came
    /// while the group before was stored counts from when that group was gathered.
    pub(super) fn run(mut self) {
        let mut since = Instant::now();
        loop {
            if !self.state.bell.load(Ordering::Acquire) {
                if !self.wait_for_more() {
                    return;
                }
                since = Instant::now();
            }
            thread::sleep((since + self.interval).saturating_duration_since(Instant::now()));
            since = Instant::now();
            self.write_group();
            if let Some(deadline) = self.state.closing.get().copied() {
                return self.end(deadline);
            }
        }
    }

    /// Waits until something lies ready; `false` if nothing can come any more. What it kept for the next group it gives back
    /// when that does not come.
    fn wait_for_more(&mut self) -> bool {
        let (began, mut rests) = (Instant::now(), false);
        while !self.state.bell.load(Ordering::Acquire) {
            if self.state.orphaned.load(Ordering::Acquire) {
                return false;
            }
            if rests {
                thread::park();
            } else {
                thread::park_timeout(REST_AFTER);
                rests = began.elapsed() >= REST_AFTER && !self.state.bell.load(Ordering::Acquire);
                if rests {
                    self.rest();
                }
            }
        }
        true
    }

    fn rest(&mut self) {
        self.group.report.shrink_to(0);
        self.spare.report.shrink_to(0);
        let trays = self.state.trays.lock().unwrap_or_else(PoisonError::into_inner);
        trays.iter().for_each(|tray| tray.waiting().report.shrink_to(0));
        self.stores.iter_mut().for_each(|store| store.rest());
        self.outlets.rest();
    }

    /// Waits for the last reports. Looks again and again, as permits that are dropped unused send nothing.
    fn end(mut self, deadline: Instant) {
        while self.state.waiting() > 0 && Instant::now() < deadline {
            thread::sleep(self.interval.min(deadline.saturating_duration_since(Instant::now())));
            self.write_group();
        }
    }

    /// Takes what was left until now. Whoever leaves something later rings again.
    fn gather(&mut self) {
        self.state.bell.store(false, Ordering::Release);
        // Before the trays: what was left before somebody asked for a flush is gathered with it.
        self.flushes.extend(self.state.flushes().iter_mut().flat_map(|flushes| flushes.drain(..)));
        let trays = self.state.trays.lock().unwrap_or_else(PoisonError::into_inner);
        let mut used = 0;
        for tray in trays.iter() {
            std::mem::swap(&mut *tray.waiting(), &mut self.spare);
            used += usize::from(!self.spare.report.is_empty());
            if self.group.report.is_empty() {
                std::mem::swap(&mut self.group.report, &mut self.spare.report);
            } else {
                self.group.report.append(&mut self.spare.report);
            }
            self.group.permits += std::mem::take(&mut self.spare.permits);
            self.group.intents.append(&mut self.spare.intents);
            self.spare.report.shrink_to(KEPT_BYTES);
        }
        if used > 1 {
            self.group.report.sort();
        }
    }

    /// Stores and prints what was left until now. Bounded, as room is given back only afterwards.
    fn write_group(&mut self) {
        self.gather();
        self.tell_gap();
        if !self.group.report.is_empty() {
            if !self.store() {
                return;
            }
            self.print();
        }
        self.group.report.clear();
        self.group.report.shrink_to(KEPT_BYTES);
        self.state.room.add_permits(std::mem::take(&mut self.group.permits));
        for stored in self.group.intents.drain(..) {
            // Its caller may have left.
            let _ = stored.send(());
        }
        for flush in self.flushes.drain(..) {
            // Whoever asked may have stopped waiting.
            let _ = flush.send(());
        }
    }

    /// Adds to the group what it has to say of calls that could not be recorded. While the store takes nothing it is not known
    /// how many there will be.
    fn tell_gap(&mut self) {
        let health = &self.state.health;
        let missing = health.unrecorded_calls();
        if missing > self.missing && !health.is_failing() {
            self.group.report.lines.push(&gap::entry(missing - self.missing));
            (self.notice)(Notice::Unrecorded(missing - self.missing));
            self.missing = missing;
        }
    }

    /// Tries until the group is stored. `false` if the recorder was closed and its time is over.
    fn store(&mut self) -> bool {
        let mut pause = FIRST_PAUSE;
        loop {
            let result = self.append();
            let health = &self.state.health;
            let news = health.set_failing(result.as_ref().err());
            match result {
                Ok(()) => {
                    health.stored(self.group.report.lines.len() as u64);
                    if news {
                        (self.notice)(Notice::StoreRecovered);
                    }
                    return true;
                }
                Err(error) if news => (self.notice)(Notice::StoreFails(&error)),
                Err(_) => {}
            }
            if !self.wait(pause) {
                return false;
            }
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    /// One attempt. Each log takes its part or nothing of it; what the first has taken is not handed to it again.
    fn append(&mut self) -> Result<(), Error> {
        let ([lines, accesses], report) = (&mut self.stores, &mut self.group.report);
        if !report.accesses.is_empty() {
            accesses.append(&report.accesses)?;
            self.state.health.stored_accesses(report.accesses.len() as u64);
            report.accesses.clear();
        }
        if report.lines.is_empty() { Ok(()) } else { lines.append(&report.lines) }
    }

    /// Waits before another attempt. `false` if there is no time for one.
    fn wait(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        while Instant::now() < until {
            if self.state.closing.get().is_some_and(|deadline| *deadline <= Instant::now()) {
                return false;
            }
            thread::sleep(FIRST_PAUSE.min(until.saturating_duration_since(Instant::now())));
        }
        true
    }

    fn print(&mut self) {
        let (notice, health) = (&mut self.notice, &self.state.health);
        self.outlets.print(&self.group.report.lines, &mut |event| match event {
            Event::Failed { outlet, lines, error, news } => {
                health.not_printed(lines, format!("{outlet}: {error}"));
                if news {
                    notice(Notice::OutletFails(outlet, &error));
                }
            }
            Event::Recovered(outlet) => notice(Notice::OutletRecovered(outlet)),
        });
    }
}
