//! Taking the reports of calls without making a call wait for the disk.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc as sync;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::sync::{Semaphore, TryAcquireError};

use super::writer::{Append, WriterThread};
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
    /// What becomes of a call for which there is no room.
    pub when_full: WhenFull,
}

/// What becomes of calls for which there is no room, mostly because the disk is full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// They are refused: nothing leaves that is not recorded.
    #[default]
    Refuse,
    /// They are served and counted; the log tells of the gap when it takes entries again.
    Serve,
}

impl Default for Config {
    /// 16,384 calls, a third of a second of what two cores forward, 64 MiB of lines; 50 ms, below what people notice; 5 s, below the time-outs of most clients.
    fn default() -> Self {
        let (interval, patience) = (Duration::from_millis(50), Duration::from_secs(5));
        Self { capacity: 16_384, interval, patience, when_full: WhenFull::Refuse }
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
    desk: Arc<Desk>,
}

/// Where some of the callers leave their reports.
#[derive(Debug)]
struct Desk {
    shared: Arc<Shared>,
    tray: Arc<Tray>,
}

#[derive(Debug)]
struct Shared {
    state: Arc<State>,
    patience: Duration,
    when_full: WhenFull,
}

impl Drop for Shared {
    /// When all recorders and permits are gone nothing more can come.
    fn drop(&mut self) {
        self.state.orphaned.store(true, Ordering::Release);
        self.state.wake();
    }
}

/// What lies ready for the writer thread.
#[derive(Debug, Default)]
pub(super) struct Tray(Mutex<Waiting>);

impl Tray {
    pub(super) fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Whoever panicked left whole entries.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reports that are not stored yet.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) report: Report,
    /// The room that they take.
    pub(super) permits: usize,
    /// Who waits until the intents among them are stored.
    pub(super) intents: Vec<oneshot::Sender<()>>,
}

/// What callers and the writer thread both see.
#[derive(Debug)]
pub(super) struct State {
    /// One permit for each call that may be under way. The writer gives them back when it has stored the reports, not
    /// when it has received them, so all memory is bounded by the capacity.
    pub(super) room: Semaphore,
    pub(super) capacity: usize,
    pub(super) health: Health,
    /// Set when the recorder is closed: when to give up.
    pub(super) closing: OnceLock<Instant>,
    /// One for each thread that has a desk of its own.
    pub(super) trays: Mutex<Vec<Arc<Tray>>>,
    /// Who waits until everything is stored and printed that was left in a tray before; nothing once the thread has ended.
    pub(super) flushes: Mutex<Option<Vec<sync::Sender<()>>>>,
    /// Whether something was left since the thread last looked.
    pub(super) bell: AtomicBool,
    /// Whether nobody can leave anything any more.
    pub(super) orphaned: AtomicBool,
    thread: OnceLock<Thread>,
}

impl State {
    fn new(capacity: usize) -> Self {
        Self {
            room: Semaphore::new(capacity),
            capacity,
            health: Health::default(),
            closing: OnceLock::new(),
            trays: Mutex::default(),
            flushes: Mutex::new(Some(Vec::new())),
            bell: AtomicBool::new(false),
            orphaned: AtomicBool::new(false),
            thread: OnceLock::new(),
        }
    }

    /// Calls under way, and reports not yet stored.
    pub(super) fn waiting(&self) -> usize {
        self.capacity.saturating_sub(self.room.available_permits())
    }

    /// Tells the thread that there is something. While it knows, that costs no system call.
    fn ring(&self) {
        if !self.bell.load(Ordering::Acquire) && !self.bell.swap(true, Ordering::AcqRel) {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// Whether the thread is there still.
    fn is_served(&self) -> bool {
        self.flushes().is_some()
    }

    pub(super) fn flushes(&self) -> MutexGuard<'_, Option<Vec<sync::Sender<()>>>> {
        self.flushes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tray(&self) -> Arc<Tray> {
        let tray = Arc::<Tray>::default();
        self.trays.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&tray));
        tray
    }
}

/// Room for the report of one call. Dropped without a report, it gives the room back.
#[derive(Debug)]
pub struct Permit {
    /// Nothing once the report was made.
    recorder: Option<Recorder>,
    has_room: bool,
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
        // Whoever waits for a flush is hung up on.
        self.0.flushes().take();
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
        let state = Arc::new(State::new(config.capacity.clamp(1, Semaphore::MAX_PERMITS)));
        let (hang_up, ended) = sync::channel::<()>();
        let writer = WriterThread::new(
            [Box::new(lines), Box::new(accesses)],
            outlets,
            Arc::clone(&state),
            config.interval,
            Box::new(notice),
        );
        let ending = NoMoreRoom(Arc::clone(&state));
        let thread = thread::Builder::new().name("accesslog".to_owned()).spawn(move || {
            let ending = ending;
            writer.run();
            // Whoever hears of the end finds no room any more.
            drop(ending);
            drop(hang_up);
        })?;
        // The first to set it; nobody has rung before.
        let _ = state.thread.set(thread.thread().clone());
        let tray = state.tray();
        let shared = Arc::new(Shared { state, patience: config.patience, when_full: config.when_full });
        let recorder = Recorder { desk: Arc::new(Desk { shared, tray }) };
        Ok((recorder.clone(), Writer { recorder, ended }))
    }

    /// Another one for a thread that records much: what is left there nobody else touches but the writer, so that threads
    /// do not wait for each other. Those of one interval are stored in the order in which the calls were made.
    #[must_use]
    pub fn with_own_desk(&self) -> Self {
        let shared = Arc::clone(&self.desk.shared);
        let tray = shared.state.tray();
        Self { desk: Arc::new(Desk { shared, tray }) }
    }

    fn state(&self) -> &State {
        &self.desk.shared.state
    }

    /// Takes room for the report of one call, waiting for it at most [`Config::patience`]. Whoever waits longest comes
    /// first. Where calls are to be served all the same, those for which there is none are only counted. Must be awaited in a tokio runtime with timers.
    ///
    /// # Errors
    /// [`Overload`]: the call must be refused.
    pub async fn permit(&self) -> Result<Permit, Overload> {
        let (room, serves) = (&self.state().room, self.desk.shared.when_full == WhenFull::Serve);
        let permit = |has_room| Ok(Permit { recorder: Some(self.clone()), has_room });
        match room.try_acquire() {
            Ok(taken) => taken.forget(),
            Err(TryAcquireError::Closed) => return Err(Overload::Closed),
            Err(TryAcquireError::NoPermits) if serves && self.health().is_failing() => return permit(false),
            Err(TryAcquireError::NoPermits) => {
                match tokio::time::timeout(self.desk.shared.patience, room.acquire()).await {
                    Ok(taken) => taken.map_err(|_| Overload::Closed)?.forget(),
                    Err(_) if serves => return permit(false),
                    Err(_) => {
                        self.health().refuse();
                        return Err(Overload::Full);
                    }
                }
            }
        }
        permit(true)
    }

    /// Waits until everything that was recorded before is stored and printed. Blocks the thread.
    ///
    /// # Errors
    /// [`Unstored`] if that takes longer than `limit`.
    pub fn flush(&self, limit: Duration) -> Result<(), Unstored> {
        let (done, wait) = sync::channel();
        if let Some(flushes) = self.state().flushes().as_mut() {
            flushes.push(done);
        }
        self.state().ring();
        if wait.recv_timeout(limit).is_ok() {
            return Ok(());
        }
        match self.waiting() {
            0 => Ok(()),
            waiting => Err(Unstored { waiting }),
        }
    }

    /// Calls under way, and reports not yet stored: how much of [`Config::capacity`] is in use.
    pub fn waiting(&self) -> usize {
        self.state().waiting()
    }

    /// [`Config::capacity`].
    pub fn capacity(&self) -> usize {
        self.state().capacity
    }

    /// How recording goes.
    pub fn health(&self) -> &Health {
        &self.state().health
    }
}

impl Permit {
    /// Stores what the call is going to do, and waits until it is stored, at most [`Config::patience`].
    ///
    /// # Errors
    /// [`Overload`]: the call must not be made.
    pub async fn intend(&self, intent: Entry) -> Result<(), Overload> {
        let Some(Recorder { desk }) = &self.recorder else { return Err(Overload::Closed) };
        let Shared { state, patience, when_full } = &*desk.shared;
        if !self.has_room {
            return Ok(());
        }
        if !state.is_served() {
            return Err(Overload::Closed);
        }
        let (done, stored) = oneshot::channel();
        {
            let mut waiting = desk.tray.waiting();
            waiting.report.accesses.push(&intent);
            waiting.intents.push(done);
        }
        state.ring();
        let stored = tokio::time::timeout(*patience, stored).await;
        match (stored, when_full) {
            (Ok(stored), _) => stored.map_err(|_| Overload::Closed),
            (Err(_), WhenFull::Serve) => Ok(()),
            (Err(_), WhenFull::Refuse) => Err(Overload::Full),
        }
    }

    /// Whether the call can be recorded; if not its report is counted, and lost.
    pub fn has_room(&self) -> bool {
        self.has_room
    }

    /// Leaves the report of the call, and empties it. Does not wait for the disk.
    pub fn record(mut self, report: &mut Report) {
        if report.is_empty() {
            return;
        }
        if let Some(Recorder { desk }) = self.recorder.take() {
            let state = &desk.shared.state;
            if !self.has_room {
                report.clear();
                return state.health.unrecorded(1);
            }
            // What calls under way hold cannot be taken: only calls that come later feel it.
            let permits = 1 + state.room.forget_permits(report.bytes() / PERMIT_BYTES);
            {
                let mut waiting = desk.tray.waiting();
                waiting.report.append(report);
                waiting.permits += permits;
            }
            state.ring();
            if state.room.is_closed() && !state.is_served() {
                state.health.lost(1);
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(recorder) = self.recorder.as_ref().filter(|_| self.has_room) {
            recorder.state().room.add_permits(1);
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
        let state = self.recorder.state();
        // The first to close says how long.
        let _ = state.closing.set(Instant::now() + limit);
        state.room.close();
        state.ring();
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
