//! OpenTelemetry: what a collector is told of calls, and how calls are tied into the traces of their callers.
//!
//! A worker leaves the record of a call in a [`queue`] without waiting; who posts takes [batches](Queue::batch) out of it
//! and makes [`bodies`] of them. What finds no room is counted and forgotten: calls never wait for a collector.

mod context;
mod encode;

use std::hash::RandomState;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use crate::accesslog::Level;
use crate::call::Call;

pub use context::Context;
pub use encode::{Bodies, bodies};

/// Calls that wait to be posted.
const CAPACITY: usize = 8192;

/// Bytes of their records.
const CAPACITY_BYTES: usize = 16 << 20;

/// Calls that are posted at once.
const BATCH: usize = 512;

/// How long a call waits for others to be posted with.
const INTERVAL: Duration = Duration::from_secs(1);

/// The record of a call, for a collector.
#[derive(Debug)]
pub struct Told {
    /// When the call began: microseconds since 1970.
    pub time: i64,
    /// As its record says.
    pub level: Level,
    /// The record.
    pub line: String,
    /// Its place in a trace; a request that never became a call has none.
    pub context: Option<Context>,
}

/// Where workers leave records. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Exporter {
    sender: SyncSender<Told>,
    count: Arc<Count>,
    /// Trace ids are made with it.
    secret: RandomState,
}

/// What is known of a queue from outside.
#[derive(Debug, Default)]
pub struct Count {
    bytes: AtomicUsize,
    dropped: AtomicU64,
}

/// The other end of an [`Exporter`].
#[derive(Debug)]
pub struct Queue {
    receiver: Receiver<Told>,
    count: Arc<Count>,
}

/// A queue and its two ends. It ends when all exporters are gone.
pub fn queue() -> (Exporter, Queue) {
    let (sender, receiver) = sync_channel(CAPACITY);
    let count = Arc::<Count>::default();
    (Exporter { sender, count: Arc::clone(&count), secret: RandomState::new() }, Queue { receiver, count })
}

impl Exporter {
    /// The place of a call in a trace: the same whenever it is asked for.
    pub fn context(&self, call: &Call) -> Context {
        Context::of(call.header("traceparent").iter(), call.chance(), &self.secret)
    }

    /// Leaves a record, if there is room.
    pub fn tell(&self, (time, level, line): (i64, Level, &str), context: Option<Context>) {
        let bytes = line.len();
        if self.count.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= CAPACITY_BYTES {
            let told = Told { time, level, line: line.to_owned(), context };
            if self.sender.try_send(told).is_ok() {
                return;
            }
        }
        self.count.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.count.lose(1);
    }
}

impl Count {
    /// Calls that the collector was not told of, or only half.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// So many more.
    pub fn lose(&self, calls: usize) {
        self.dropped.fetch_add(calls as u64, Ordering::Relaxed);
    }
}

impl Queue {
    /// For whoever shows it.
    pub fn count(&self) -> Arc<Count> {
        Arc::clone(&self.count)
    }

    /// Waits for the next batch: what comes within a second, or as much as is posted at once. Nothing when the queue has
    /// ended.
    pub fn batch(&self) -> Option<Vec<Told>> {
        let mut batch = vec![self.receiver.recv().ok()?];
        let end = Instant::now() + INTERVAL;
        while batch.len() < BATCH {
            match self.receiver.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(told) => batch.push(told),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        let bytes = batch.iter().map(|told| told.line.len()).sum();
        self.count.bytes.fetch_sub(bytes, Ordering::Relaxed);
        Some(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_is_counted_and_the_rest_comes_out_in_batches() {
        let (exporter, queue) = queue();
        let count = queue.count();
        for _ in 0..CAPACITY + 3 {
            exporter.tell((0, Level::Info, "{}"), None);
        }
        assert_eq!(count.dropped(), 3);
        drop(exporter);
        let sizes: Vec<_> = std::iter::from_fn(|| queue.batch()).map(|batch| batch.len()).collect();
        assert_eq!(sizes, [BATCH; CAPACITY / BATCH]);
        assert_eq!(count.bytes.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn large_records_take_the_room_of_many() {
        let (exporter, queue) = queue();
        let line = "x".repeat(CAPACITY_BYTES / 2);
        for _ in 0..3 {
            exporter.tell((0, Level::Info, &line), None);
        }
        assert_eq!(queue.count().dropped(), 1);
    }
}
