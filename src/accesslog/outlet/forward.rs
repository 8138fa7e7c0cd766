//! Entries on their way to a Fluentd: a thread that batches and sends them, and a queue in front of it.
//!
//! Spoken is the Forward protocol, version 1, in its Message mode: one `[tag, time, record]` after another. No answer is
//! asked for; a batch whose connection breaks is sent again as a whole.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, channel, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::message::encode;
use super::{Entry, Failure};
use crate::accesslog::Fluentd;

/// Pauses between attempts to send: the first, doubled up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(10);

/// How long the last batch may take when the proxy ends.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(2);

/// Hands entries to a thread of its own; never blocks whoever has them.
pub(super) struct Forwarder {
    /// Taken when it ends.
    sender: Option<SyncSender<Entry>>,
    shared: Arc<Shared>,
    /// Entries that found no room since [`Forwarder::outcome`] was last asked.
    refused: u64,
    /// Hangs up when the thread has ended.
    ended: Receiver<()>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Told when the forwarder ends.
    closing: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Entries that the thread could not send at all, until somebody is told.
    dropped: u64,
    /// Why, until somebody is told.
    complaint: Option<String>,
    /// Why the newest attempt to send failed; nothing if it went well.
    failing: Option<String>,
    /// When everything must be over, once that is known.
    deadline: Option<Instant>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Forwarder {
    /// A thread that sends to a Fluentd; without one, if the system gives none, every entry is refused.
    pub(super) fn new(fluentd: &Fluentd) -> Self {
        let (sender, receiver) = sync_channel(fluentd.buffer);
        let (hang_up, ended) = channel();
        let shared = Arc::<Shared>::default();
        let mut sending = Sending::new(fluentd.clone(), Arc::clone(&shared));
        let spawned = thread::Builder::new().name("fluentd".into()).spawn(move || {
            sending.run(&receiver);
            drop(hang_up);
        });
        Self { sender: spawned.is_ok().then_some(sender), shared, refused: 0, ended }
    }

    /// Takes an entry if there is room.
    pub(super) fn offer(&mut self, entry: &Entry) {
        let sent = self.sender.as_ref().map(|sender| sender.try_send(entry.clone()));
        if !matches!(sent, Some(Ok(()))) {
            self.refused += 1;
        }
    }

    /// How it went since this was last asked.
    pub(super) fn outcome(&mut self) -> Result<(), Failure> {
        let refused = std::mem::take(&mut self.refused);
        let mut state = self.shared.state();
        let lost = refused + std::mem::take(&mut state.dropped);
        let complaint = state.complaint.take();
        let full = || format!("{refused} entries found its queue full");
        let why = state.failing.clone().or(complaint).or_else(|| (refused > 0).then(full));
        match why {
            None => Ok(()),
            Some(why) => Err(Failure { lost: Some(lost), error: io::Error::other(why) }),
        }
    }

    /// Ends the thread, which tries to send what it has, once.
    pub(super) fn close(&mut self) {
        self.sender.take();
        self.shared.state().deadline = Some(Instant::now() + LAST_WORDS);
        self.shared.closing.notify_all();
    }

    /// Waits for the thread to end after [`Forwarder::close`].
    pub(super) fn wait(&self, until: Instant) {
        // Only waited for; a Fluentd that does not read must not keep the process.
        let _ = self.ended.recv_timeout(until.saturating_duration_since(Instant::now()));
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.close();
    }
}

/// The thread's side.
struct Sending {
    fluentd: Fluentd,
    shared: Arc<Shared>,
    connection: Option<TcpStream>,
    /// Encoded entries.
    batch: Vec<u8>,
    entries: u64,
    /// When the batch is sent even if it is not full.
    due: Option<Instant>,
}

impl Sending {
    fn new(fluentd: Fluentd, shared: Arc<Shared>) -> Self {
        Self { fluentd, shared, connection: None, batch: Vec::new(), entries: 0, due: None }
    }

    fn run(&mut self, receiver: &Receiver<Entry>) {
        let mut encoded = Vec::new();
        loop {
            let received = match self.due {
                None => receiver.recv().map_err(RecvTimeoutError::from),
                Some(due) => receiver.recv_timeout(due.saturating_duration_since(Instant::now())),
            };
            match received {
                Ok(entry) => {
                    encoded.clear();
                    encode(&entry, &mut encoded);
                    self.add(&encoded);
                }
                Err(RecvTimeoutError::Timeout) => self.push(),
                Err(RecvTimeoutError::Disconnected) => return self.push(),
            }
        }
    }

    fn add(&mut self, encoded: &[u8]) {
        if encoded.len() > self.fluentd.max_batch {
            let mut state = self.shared.state();
            state.dropped += 1;
            state.complaint = Some(format!("an entry of {} bytes is larger than a batch may be", encoded.len()));
            return;
        }
        if self.batch.len() + encoded.len() > self.fluentd.max_batch {
            self.push();
        }
        self.batch.extend_from_slice(encoded);
        self.entries += 1;
        self.due.get_or_insert_with(|| Instant::now() + self.fluentd.push_interval);
    }

    /// Sends the batch, again and again until it is sent; when the forwarder ends, once more.
    fn push(&mut self) {
        self.due = None;
        let mut pause = FIRST_PAUSE;
        while !self.batch.is_empty() {
            let deadline = self.shared.state().deadline;
            let result = self.send(deadline);
            let mut state = self.shared.state();
            state.failing = result.as_ref().err().map(ToString::to_string);
            if result.is_ok() || deadline.is_some() {
                state.dropped += if result.is_ok() { 0 } else { self.entries };
                break;
            }
            // Woken early only to end.
            let running = |state: &mut State| state.deadline.is_none();
            drop(self.shared.closing.wait_timeout_while(state, pause, running));
            pause = (pause * 2).min(LAST_PAUSE);
        }
        self.batch.clear();
        self.entries = 0;
    }

    fn send(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        // A time-out of zero means none at all.
        let timeout =
            left.unwrap_or(self.fluentd.push_timeout).clamp(Duration::from_millis(1), self.fluentd.push_timeout);
        // Taken out: after an error the connection is made anew.
        let mut connection = match self.connection.take() {
            Some(connection) if is_alive(&connection) => connection,
            _ => connect(&self.fluentd.address, timeout)?,
        };
        connection.set_write_timeout(Some(timeout))?;
        connection.write_all(&self.batch)?;
        self.connection = Some(connection);
        Ok(())
    }
}

fn connect(address: &str, timeout: Duration) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(ErrorKind::NotFound, "its name has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(connection) => return Ok(connection),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Whether the other side has not closed a connection: what is written to one that it has closed is lost without a word.
fn is_alive(mut connection: &TcpStream) -> bool {
    let mut byte = [0];
    if connection.set_nonblocking(true).is_err() {
        return false;
    }
    // It says nothing without being asked; should it do so nevertheless, it lives.
    let read = connection.read(&mut byte);
    let open = match read {
        Ok(read) => read > 0,
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    };
    open && connection.set_nonblocking(false).is_ok()
}

#[cfg(test)]
mod tests;
