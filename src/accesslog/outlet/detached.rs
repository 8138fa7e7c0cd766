//! A writer that never blocks whoever writes to it.

use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Bytes that may wait for a reader that does not keep up: some seconds of a busy proxy's lines.
const MAX_WAITING: usize = 8 << 20;

/// How long the last bytes may take when the writer is dropped; whoever reads has seen that nothing more comes by then,
/// or does not read at all.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Hands what is written to a thread of its own, so that a reader that sleeps (a stopped terminal, a pager) holds up
/// nothing but itself. What does not fit in the queue is refused with [`io::ErrorKind::WouldBlock`].
pub(super) struct Detached {
    /// Taken when it is dropped.
    sender: Option<Sender<Vec<u8>>>,
    shared: Arc<Shared>,
    /// Hangs up when everything has been written.
    ended: Receiver<()>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: AtomicUsize,
    /// What the last write of the thread came to, until somebody is told.
    failed: Mutex<Option<io::Error>>,
}

impl Detached {
    /// A thread that writes to `out`; without one, if the system gives none, every write is refused.
    pub(super) fn new(out: impl Write + Send + 'static) -> Self {
        let (sender, receiver) = channel::<Vec<u8>>();
        let (hang_up, ended) = channel();
        let shared = Arc::<Shared>::default();
        let writing = Arc::clone(&shared);
        let spawned = thread::Builder::new().name("outlet".into()).spawn(move || {
            pass_on(out, &receiver, &writing);
            drop(hang_up);
        });
        Self { sender: spawned.is_ok().then_some(sender), shared, ended }
    }
}

fn pass_on(mut out: impl Write, receiver: &Receiver<Vec<u8>>, shared: &Shared) {
    for bytes in receiver {
        let result = out.write_all(&bytes).and_then(|()| out.flush());
        shared.waiting.fetch_sub(bytes.len(), Ordering::AcqRel);
        if let Err(error) = result {
            shared.failed.lock().unwrap_or_else(PoisonError::into_inner).replace(error);
        }
    }
}

impl Write for Detached {
    /// Takes all of `bytes`, or nothing.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(error) = self.shared.failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(error);
        }
        let waiting = self.shared.waiting.load(Ordering::Acquire);
        // Something larger than the whole queue passes when nothing else waits.
        if waiting > 0 && waiting + bytes.len() > MAX_WAITING {
            return Err(io::Error::new(io::ErrorKind::WouldBlock, "whoever reads it does not keep up"));
        }
        self.shared.waiting.fetch_add(bytes.len(), Ordering::AcqRel);
        let sent = self.sender.as_ref().map(|sender| sender.send(bytes.to_vec()));
        if matches!(sent, Some(Ok(()))) { Ok(bytes.len()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }

    /// The thread flushes after each write.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Detached {
    fn drop(&mut self) {
        self.sender.take();
        // Only waited for; a reader that never reads must not keep the process.
        let _ = self.ended.recv_timeout(LAST_WORDS);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_reader_that_sleeps_blocks_nobody_and_gets_the_rest_later() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut detached = Detached::new(writer);
        let chunk = vec![b'x'; 1 << 20];
        let mut taken = 0;
        while let Ok(length) = detached.write(&chunk) {
            taken += length;
        }
        assert!(taken >= MAX_WAITING - chunk.len(), "{taken}");
        assert_eq!(detached.write(&chunk).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let mut read = vec![0; taken];
        reader.read_exact(&mut read).unwrap();
        detached.write_all(b"after").unwrap();
        drop(detached);
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"after");
    }

    #[test]
    fn a_reader_that_left_is_told_at_the_next_write() {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut detached = Detached::new(writer);
        let error = loop {
            if let Err(error) = detached.write(b"line\n") {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
