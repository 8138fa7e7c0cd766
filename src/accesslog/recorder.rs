//! Taking the reports of calls without making a call wait for the disk.

use std::io;
use std::sync::mpsc as sync;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::sync::oneshot;
use tokio::sync::{Semaphore, TryAcquireError};

use super::writer::{Append, Message, WriterThread};
use super::{Entry, Health, Notice, Outlets, Report};

/// How much longer than its limit [`Writer::close`] waits for an attempt to store that is under way.
const CLOSE_GRACE: Duration = Duration::from_secs(1);

/// Bytes of lines that a permit has room for. A longer report takes more permits, so that few calls with huge headers
/// fill the room as many with small ones do.
const PERMIT_BYTES: usize = 4096;

/// How a [`Recorder`] works.
#[derive(Debug, Clone)]
pub struct Config {
    /// Calls under way and reports not yet stored, together.
    pub capacity: usize,
    /// The longest time from a report to its commit, while the store works.
    pub interval: Duration,
    /// How long a call waits for a permit.
    pub patience: Duration,
}

impl Default for Config {
    /// 16,384 calls, a third of a second of what two cores forward, 64 MiB of lines; 50 ms, below what people notice; 5 s, below the time-outs of most clients.
    fn default() -> Self {
        Self { capacity: 16_384, interval: Duration::from_millis(50), patience: Duration::from_secs(5) }
    }
}

/// Why a call gets no [`Permit`], and so must not be forwarded: it could not be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Overload {
    /// There was no room within [`Config::patience`]: too many calls are under way, or the store takes no entries.
    #[error("the access log has no room for another call")]
    Full,
    /// The recorder was closed.
    #[error("the access log is closed")]
    Closed,
}

/// Reports that were not stored in the time given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{waiting} calls are under way or not yet in the access log")]
pub struct Unstored {
    /// Calls still under way, and reports made but not stored.
    pub waiting: usize,
}

/// Takes the reports of calls. Cheap to clone; to be used from any thread and runtime.
#[derive(Debug, Clone)]
pub struct Recorder {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Unbounded by itself: a report is only sent with a permit, which bounds it.
    sender: UnboundedSender<Message>,
    state: Arc<State>,
    patience: Duration,
}

/// What callers and the writer thread both see. Does not hold the sender: when all recorders and permits are gone, the
/// channel ends, and with it the thread.
#[derive(Debug)]
pub(super) struct State {
    /// One permit for each call that may be under way. The writer gives them back when it has stored the reports, not
    /// when it has received them, so all memory is bounded by the capacity.
    pub(super) room: Semaphore,
    pub(super) capacity: usize,
    pub(super) health: Health,
    /// Set when the recorder is closed: when to give up.
    pub(super) closing: OnceLock<Instant>,
}

impl State {
    /// Calls under way, and reports not yet stored.
    pub(super) fn waiting(&self) -> usize {
        self.capacity.saturating_sub(self.room.available_permits())
    }
}

/// Room for the report of one call. Dropped without a report, it gives the room back.
#[derive(Debug)]
pub struct Permit {
    /// Nothing once the report was made.
    recorder: Option<Recorder>,
}

/// The writer thread, for whoever ends it. Dropping this does not: then the thread ends with the last recorder.
#[derive(Debug)]
pub struct Writer {
    recorder: Recorder,
    /// Hangs up when the thread ends.
    ended: sync::Receiver<()>,
}

/// Closes the recorder when the writer thread ends, in whatever way: a call that nobody would record is not made.
struct NoMoreRoom(Arc<State>);

impl Drop for NoMoreRoom {
    fn drop(&mut self) {
        self.0.room.close();
    }
}

impl Recorder {
    /// Starts the writer thread, which stores lines and accesses apart. `notice` is called in it, once for each change of state, and must not block.
    ///
    /// # Errors
    /// If the operating system gives no thread.
    pub fn start(
        lines: impl Append + 'static,
        accesses: impl Append + 'static,
        outlets: Outlets,
        config: Config,
        notice: impl FnMut(Notice<'_>) + Send + 'static,
    ) -> io::Result<(Recorder, Writer)> {
        let capacity = config.capacity.clamp(1, Semaphore::MAX_PERMITS);
        let (health, closing) = (Health::default(), OnceLock::new());
        let state = Arc::new(State { room: Semaphore::new(capacity), capacity, health, closing });
        let (sender, receiver) = mpsc::unbounded_channel();
        let (hang_up, ended) = sync::channel::<()>();
        let writer = WriterThread::new(
            [Box::new(lines), Box::new(accesses)],
            outlets,
            receiver,
            Arc::clone(&state),
            config.interval,
            Box::new(notice),
        );
        let ending = NoMoreRoom(Arc::clone(&state));
        thread::Builder::new().name("accesslog".to_owned()).spawn(move || {
            let _ending = ending;
            writer.run();
            drop(hang_up);
        })?;
        let recorder = Recorder { shared: Arc::new(Shared { sender, state, patience: config.patience }) };
        Ok((recorder.clone(), Writer { recorder, ended }))
    }

    /// Takes room for the report of one call, waiting for it at most [`Config::patience`]. Whoever waits longest comes
    /// first. Must be awaited in a tokio runtime with timers.
    ///
    /// # Errors
    /// [`Overload`]: the call must be refused.
    pub async fn permit(&self) -> Result<Permit, Overload> {
        let room = &self.shared.state.room;
        match room.try_acquire() {
            Ok(permit) => permit.forget(),
            Err(TryAcquireError::Closed) => return Err(Overload::Closed),
            Err(TryAcquireError::NoPermits) => {
                let acquired = tokio::time::timeout(self.shared.patience, room.acquire()).await;
                let acquired = acquired.map_err(|_| Overload::Full).inspect_err(|_| self.health().refuse());
                acquired?.map_err(|_| Overload::Closed)?.forget();
            }
        }
        Ok(Permit { recorder: Some(self.clone()) })
    }

    /// Waits until everything that was recorded before is stored and printed. Blocks the thread.
    ///
    /// # Errors
    /// [`Unstored`] if that takes longer than `limit`.
    pub fn flush(&self, limit: Duration) -> Result<(), Unstored> {
        let (done, wait) = sync::channel();
        let sent = self.shared.sender.send(Message::Flush(done));
        if sent.is_ok() && wait.recv_timeout(limit).is_ok() {
            return Ok(());
        }
        match self.waiting() {
            0 => Ok(()),
            waiting => Err(Unstored { waiting }),
        }
    }

    /// Calls under way, and reports not yet stored: how much of [`Config::capacity`] is in use.
    pub fn waiting(&self) -> usize {
        self.shared.state.waiting()
    }

    /// [`Config::capacity`].
    pub fn capacity(&self) -> usize {
        self.shared.state.capacity
    }

    /// How recording goes.
    pub fn health(&self) -> &Health {
        &self.shared.state.health
    }
}

impl Permit {
    /// Stores what the call is going to do, and waits until it is stored, at most [`Config::patience`].
    ///
    /// # Errors
    /// [`Overload`]: the call must not be made.
    pub async fn intend(&self, intent: Entry) -> Result<(), Overload> {
        let Some(Recorder { shared }) = &self.recorder else { return Err(Overload::Closed) };
        let (done, stored) = oneshot::channel();
        shared.sender.send(Message::Intent(intent, done)).map_err(|_| Overload::Closed)?;
        let stored = tokio::time::timeout(shared.patience, stored).await;
        stored.map_err(|_| Overload::Full)?.map_err(|_| Overload::Closed)
    }

    /// Leaves the report of the call, and its own record. Does not wait, neither for the disk nor for a lock.
    pub fn record(mut self, report: Report, access: Option<Entry>) {
        if report.is_empty() && access.is_none() {
            return;
        }
        if let Some(Recorder { shared }) = self.recorder.take() {
            let bytes: usize = report.iter().chain(&access).map(|entry| entry.line.len()).sum();
            // What calls under way hold cannot be taken: only calls that come later feel it.
            let permits = 1 + shared.state.room.forget_permits(bytes / PERMIT_BYTES);
            if shared.sender.send(Message::Report(report, access, permits)).is_err() {
                shared.state.health.lost(1);
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(recorder) = &self.recorder {
            recorder.shared.state.room.add_permits(1);
        }
    }
}

impl Writer {
    /// Gives no more permits, waits until the calls that have one have reported, stores and prints everything, and ends
    /// the thread. After `limit` the calls still under way are not waited for any longer, and a store that takes no
    /// entries is given up. Blocks the thread.
    ///
    /// # Errors
    /// [`Unstored`] if something was given up.
    pub fn close(self, limit: Duration) -> Result<(), Unstored> {
        let Shared { sender, state, .. } = &*self.recorder.shared;
        // The first to close says how long.
        let _ = state.closing.set(Instant::now() + limit);
        state.room.close();
        let (done, _) = sync::channel();
        // Only wakes the thread; fails if it has ended already.
        let _ = sender.send(Message::Flush(done));
        // Not joined: it may hang in a write to a terminal that was stopped, and the process must end all the same.
        let _ = self.ended.recv_timeout(limit + CLOSE_GRACE);
        match state.waiting() {
            0 => Ok(()),
            waiting => Err(Unstored { waiting }),
        }
    }
}

#[cfg(test)]
mod tests;
