//! The thread that stores and prints.

use std::sync::Arc;
use std::sync::mpsc as sync;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;

use super::outlet::{Event, Outlets};
use super::recorder::State;
use super::{Entry, Error, LogStore, Notice, Report};

/// Pauses between attempts to store: the first, doubled up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// What the writer thread stores entries in.
pub trait Append: Send {
    /// Stores all entries, or, with an error, none; then the same batch is tried again.
    ///
    /// # Errors
    /// Whatever the store reports.
    fn append(&mut self, batch: &[Entry]) -> Result<(), Error>;
}

impl Append for LogStore {
    fn append(&mut self, batch: &[Entry]) -> Result<(), Error> {
        LogStore::append(self, batch)
    }
}

/// What callers send to the thread.
#[derive(Debug)]
pub(super) enum Message {
    /// Store this. Comes with so many permits.
    Report(Report, Option<Entry>, usize),
    /// Store this, and answer then. Its call has a permit.
    Intent(Entry, oneshot::Sender<()>),
    /// Answer when everything sent before is stored and printed.
    Flush(sync::Sender<()>),
}

type OnNotice = Box<dyn FnMut(Notice<'_>) + Send>;

pub(super) struct WriterThread {
    /// Of lines, and of accesses.
    stores: [Box<dyn Append>; 2],
    outlets: Outlets,
    receiver: UnboundedReceiver<Message>,
    state: Arc<State>,
    interval: Duration,
    notice: OnNotice,
    /// The group that is gathered.
    entries: Vec<Entry>,
    accesses: Vec<Entry>,
    permits: usize,
    flushes: Vec<sync::Sender<()>>,
    intents: Vec<oneshot::Sender<()>>,
}

impl WriterThread {
    pub(super) fn new(
        stores: [Box<dyn Append>; 2],
        outlets: Outlets,
        receiver: UnboundedReceiver<Message>,
        state: Arc<State>,
        interval: Duration,
        notice: OnNotice,
    ) -> Self {
        let (entries, accesses, flushes) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            stores,
            outlets,
            receiver,
            state,
            interval,
            notice,
            entries,
            accesses,
            permits: 0,
            flushes,
            intents: Vec::new(),
        }
    }

    /// Stores groups until the channel ends or the recorder is closed.
    ///
    /// After idling, the first report wakes the thread; those that follow within the interval find it asleep and cost
    /// their callers no system call. Nothing is older than an interval when its commit begins: a report that came
    /// while the group before was stored counts from when that group was gathered.
    pub(super) fn run(mut self) {
        let mut gathered = Instant::now();
        loop {
            let (message, since) = match self.receiver.try_recv() {
                Ok(message) => (message, gathered),
                Err(_) => match self.receiver.blocking_recv() {
                    Some(message) => (message, Instant::now()),
                    None => return,
                },
            };
            self.take(message);
            thread::sleep((since + self.interval).saturating_duration_since(Instant::now()));
            gathered = Instant::now();
            self.write_group();
            if let Some(deadline) = self.state.closing.get().copied() {
                return self.end(deadline);
            }
        }
    }

    /// Waits for the last reports. Looks again and again, as permits that are dropped unused send nothing.
    fn end(mut self, deadline: Instant) {
        while self.state.waiting() > 0 && Instant::now() < deadline {
            thread::sleep(self.interval.min(deadline.saturating_duration_since(Instant::now())));
            self.write_group();
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Report(report, access, permits) => {
                self.entries.extend(report);
                self.accesses.extend(access);
                self.permits += permits;
            }
            Message::Intent(intent, stored) => {
                self.accesses.push(intent);
                self.intents.push(stored);
            }
            Message::Flush(done) => self.flushes.push(done),
        }
    }

    /// Stores and prints what was sent until now. Bounded, as room is given back only afterwards.
    fn write_group(&mut self) {
        while let Ok(message) = self.receiver.try_recv() {
            self.take(message);
        }
        if !self.entries.is_empty() || !self.accesses.is_empty() {
            if !self.store() {
                return;
            }
            self.print();
        }
        self.entries.clear();
        self.state.room.add_permits(std::mem::take(&mut self.permits));
        for stored in self.intents.drain(..) {
            // Its caller may have left.
            let _ = stored.send(());
        }
        for flush in self.flushes.drain(..) {
            // Whoever asked may have stopped waiting.
            let _ = flush.send(());
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
                    health.stored(self.entries.len() as u64);
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
        let [lines, accesses] = &mut self.stores;
        if !self.accesses.is_empty() {
            accesses.append(&self.accesses)?;
            self.state.health.stored_accesses(self.accesses.len() as u64);
            self.accesses.clear();
        }
        if self.entries.is_empty() { Ok(()) } else { lines.append(&self.entries) }
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
        self.outlets.print(&self.entries, &mut |event| match event {
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
