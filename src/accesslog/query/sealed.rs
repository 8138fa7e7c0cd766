//! Asking sealed segments, several at a time, with answers in the order of the log.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::chunk::Chunk;
use super::mask::Mask;
use super::plan::Plan;
use super::select::Selection;
use super::{LevelFilter, Query, Sink, passes};
use crate::accesslog::segment::{Reader, Segment};
use crate::accesslog::{Error, Level, LogStore, Progress};

/// Most segments that are read at the same time.
const MOST_THREADS: usize = 8;

/// What the columns of segments that are read at the same time may take; a larger segment is read alone.
const MOST_BYTES: usize = 128 << 20;

/// Segments from that on whose entries are handed over of which some are read already.
const AHEAD: usize = 2 * MOST_THREADS;

/// Chunks of a segment that wait until those of the segments before are through: with the one that is being made and those
/// that wait, 48 MiB.
const CHUNKS: usize = 2;

/// What queries took so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Segments that were opened.
    pub read: u64,
    /// Segments of which the list tells enough.
    pub passed: u64,
}

/// Why a segment cannot be read.
type Fault = String;

/// Where the entries of one go.
type Sender = SyncSender<Result<Chunk, Fault>>;

/// What is asked of the wanted rows of a segment.
pub(super) type Question<'q, T> = &'q (dyn Fn(&mut Selection<'_>) -> Result<T, parquet::errors::ParquetError> + Sync);

impl LogStore {
    /// What the queries of this connection took.
    pub fn cost(&self) -> Cost {
        self.cost.get()
    }

    /// How far the queries of this connection have come, in segments.
    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Notes how many segments are opened, of how many that are listed.
    pub(super) fn note_cost(&self, read: usize, listed: usize) {
        let Cost { read: before, passed } = self.cost.get();
        let passed = passed + (listed - read) as u64;
        self.cost.set(Cost { read: before + read as u64, passed });
        self.progress.expect(read as u64);
    }

    /// What to do about a segment that could not be read: it may have been pruned since, and then another file has what is
    /// left of it. Else the fault is noted.
    fn instead(&self, segment: &Segment, fault: Fault) -> Result<Option<Segment>, Error> {
        match self.sql(|| Segment::from(&self.connection, segment.last))? {
            Some(listed) if listed == *segment => self.note_damage(segment.path(&self.segments), fault),
            Some(listed) if listed.id == segment.id && listed.rows() > 0 => return Ok(Some(listed)),
            _ => {}
        }
        Ok(None)
    }

    /// Asks segments, on all cores, and hands over each answer with the number of its segment as it comes; nothing of what
    /// has no wanted rows or cannot be read. `room` bytes are what an answer may take.
    pub(super) fn of_segments<T: Send>(
        &self,
        segments: &[Segment],
        (plan, room): (&Plan<'_>, usize),
        question: Question<'_, T>,
        take_answer: &mut dyn FnMut(usize, T),
    ) -> Result<(), Error> {
        let wanted: Vec<usize> = (0..segments.len()).filter(|at| may_hold(&segments[*at], plan.asked.query)).collect();
        self.note_cost(wanted.len(), segments.len());
        let (folder, next, budget) = (self.segments.as_path(), AtomicUsize::new(0), Budget::default());
        let mut settle = |at: usize, mut answer: Result<T, Fault>| {
            self.progress.advance(1);
            loop {
                match answer {
                    Ok(answer) => {
                        take_answer(at, answer);
                        return Ok(());
                    }
                    Err(fault) => match self.instead(&segments[at], fault)? {
                        Some(listed) => answer = ask(folder, &listed, (plan, room), question, &budget),
                        None => return Ok(()),
                    },
                }
            }
        };
        keep_memory();
        let threads = threads(wanted.len());
        if threads < 2 {
            return wanted
                .into_iter()
                .try_for_each(|at| settle(at, ask(folder, &segments[at], (plan, room), question, &budget)));
        }
        // Answers do not wait, so that there are never many.
        let (sender, answers) = sync_channel(0);
        thread::scope(|scope| {
            for _ in 0..threads {
                let sender = sender.clone();
                let (next, wanted, budget) = (&next, &wanted, &budget);
                scope.spawn(move || {
                    while let Some(at) = take(next, wanted).map(|at| wanted[at]) {
                        let answer = ask(folder, &segments[at], (plan, room), question, budget);
                        if sender.send((at, answer)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            let mut answers = answers.into_iter();
            answers.try_for_each(|(at, answer)| settle(at, answer))
        })
    }

    /// Hands the entries of segments that a plan wants to a sink; whether the sink wanted no more.
    pub(super) fn send_segments(
        &self,
        segments: &[Segment],
        plan: &Plan<'_>,
        sink: &mut dyn Sink,
    ) -> Result<bool, Error> {
        let listed = segments.len();
        let segments: Vec<&Segment> = segments.iter().filter(|one| may_hold(one, plan.asked.query)).collect();
        self.note_cost(segments.len(), listed);
        if let [segment] = segments[..] {
            return self.send_segment(segment, plan, sink);
        }
        keep_memory();
        let (folder, next, budget) = (self.segments.as_path(), AtomicUsize::new(0), Budget::default());
        let (senders, receivers): (Vec<_>, Vec<Receiver<_>>) = segments.iter().map(|_| sync_channel(CHUNKS)).unzip();
        let senders: Vec<Mutex<Option<Sender>>> = senders.into_iter().map(|sender| Mutex::new(Some(sender))).collect();
        // Whoever begins with a segment takes a token, and gets none when nobody listens any more. Segments are begun with in
        // their order: one that waits for memory waits for those before it, never for one that waits for it.
        let (tokens, token) = sync_channel(AHEAD);
        for _ in 0..AHEAD {
            let _ = tokens.try_send(());
        }
        let token = Mutex::new(token);
        let begin = || {
            let token = lock(&token);
            token.recv().ok()?;
            let at = take(&next, &segments)?;
            let reader = open(folder, segments[at]);
            Some((at, reader.map(|reader| (budget.take(reader.bytes()), reader))))
        };
        let work = || {
            while let Some((at, opened)) = begin() {
                let Some(sender) = lock(&senders[at]).take() else { continue };
                let chunks = |chunk| sender.send(Ok(chunk)).is_ok();
                let sent = opened.and_then(|(_share, reader)| read(&reader, segments[at], plan, chunks));
                if let Err(fault) = sent {
                    // Who does not listen any more wants no faults either.
                    let _ = sender.send(Err(fault));
                }
            }
        };
        thread::scope(|scope| {
            for _ in 0..threads(segments.len()) {
                scope.spawn(work);
            }
            // Moved in here: it has to be gone before the threads are waited for.
            let tokens = tokens;
            for (segment, receiver) in segments.iter().zip(receivers) {
                for found in receiver {
                    let stopped = match found {
                        Ok(chunk) => !chunk.send(plan, sink),
                        Err(fault) => match self.instead(segment, fault)? {
                            Some(listed) => self.send_segment(&listed, plan, sink)?,
                            None => false,
                        },
                    };
                    if stopped {
                        return Ok(true);
                    }
                }
                let _ = tokens.try_send(());
                self.progress.advance(1);
            }
            Ok(false)
        })
    }

    fn send_segment(&self, segment: &Segment, plan: &Plan<'_>, sink: &mut dyn Sink) -> Result<bool, Error> {
        let mut stopped = false;
        let mut take = |chunk: Chunk| {
            stopped = !chunk.send(plan, sink);
            !stopped
        };
        let sent = open(&self.segments, segment).and_then(|reader| read(&reader, segment, plan, &mut take));
        if let Err(fault) = sent
            && let Some(listed) = self.instead(segment, fault)?
        {
            return self.send_segment(&listed, plan, sink);
        }
        Ok(stopped)
    }
}

/// Memory that those who read segments share.
#[derive(Default)]
struct Budget {
    taken: Mutex<usize>,
    freed: Condvar,
}

/// A part of it.
struct Share<'b>(&'b Budget, usize);

impl Budget {
    /// Takes so many bytes when there are so many left, or nobody has any.
    fn take(&self, bytes: usize) -> Share<'_> {
        let is_full = |taken: &mut usize| *taken > 0 && taken.saturating_add(bytes) > MOST_BYTES;
        let taken = self.freed.wait_while(lock(&self.taken), is_full);
        *taken.unwrap_or_else(PoisonError::into_inner) += bytes;
        Share(self, bytes)
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        *lock(&self.0.taken) -= self.1;
        self.0.freed.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The next one to be done.
fn take<T>(next: &AtomicUsize, all: &[T]) -> Option<usize> {
    Some(next.fetch_add(1, Ordering::Relaxed)).filter(|at| *at < all.len())
}

/// Has the system's allocator keep what dictionaries took, for those of the next segments: it gives blocks back at once that
/// are larger than any that was given back before, and whoever gets them anew pays for each page. Nothing is written to this
/// one, so it takes no memory.
fn keep_memory() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(KEPT)));
}

/// Bytes of that block: just below the most that glibc takes as a measure (mallopt(3), `M_MMAP_THRESHOLD`).
const KEPT: usize = 30 << 20;

/// How many threads read so many segments.
pub(super) fn threads(segments: usize) -> usize {
    thread::available_parallelism().map_or(1, std::num::NonZero::get).min(MOST_THREADS).min(segments)
}

/// Whether the file of a segment is there, and as long as it was when it was sealed.
pub(super) fn length(folder: &Path, segment: &Segment) -> Result<(), Fault> {
    let length = std::fs::metadata(segment.path(folder)).map_err(|error| error.to_string())?.len();
    if i64::try_from(length) != Ok(segment.bytes) {
        return Err(format!("it has {length} bytes instead of {}", segment.bytes));
    }
    Ok(())
}

/// Opens a segment that was listed.
fn open(folder: &Path, segment: &Segment) -> Result<Reader, Fault> {
    length(folder, segment)?;
    let reader = Reader::open(&segment.path(folder)).map_err(|error| error.to_string())?;
    if reader.rows() as i64 != segment.rows() {
        return Err("it has not as many entries as it had when it was sealed".to_owned());
    }
    Ok(reader)
}

fn ask<T>(
    folder: &Path,
    segment: &Segment,
    (plan, room): (&Plan<'_>, usize),
    question: Question<'_, T>,
    budget: &Budget,
) -> Result<T, Fault> {
    let reader = open(folder, segment)?;
    let _share = budget.take(reader.bytes().saturating_add(room));
    let answer = Selection::new(&reader, segment, plan).and_then(|mut selection| question(&mut selection));
    answer.map_err(|error| error.to_string())
}

/// Hands the wanted entries of a segment over in chunks, until one is not taken.
fn read(reader: &Reader, segment: &Segment, plan: &Plan<'_>, mut take: impl FnMut(Chunk) -> bool) -> Result<(), Fault> {
    let mut send = || {
        let mut selection = Selection::new(reader, segment, plan)?;
        let (mut chunk, mut mask) = (Chunk::default(), Mask::default());
        for rows in selection.blocks() {
            selection.mask(rows, &mut mask)?;
            for row in mask.wanted() {
                chunk.add(&mut selection.lines, row)?;
                if chunk.is_full() && !take(std::mem::take(&mut chunk)) {
                    return Ok(());
                }
            }
        }
        if !chunk.is_empty() {
            take(chunk);
        }
        Ok(())
    };
    send().map_err(|error: parquet::errors::ParquetError| error.to_string())
}

/// Whether what is listed of a segment leaves room for wanted entries.
pub(super) fn may_hold(segment: &Segment, query: &Query) -> bool {
    query.since.is_none_or(|since| segment.max_time >= since)
        && query.until.is_none_or(|until| segment.min_time < until)
        && of_levels(query.level, segment.levels) > 0
}

/// How many entries of a segment a plan wants, where its list tells so.
pub(super) fn listed_count(segment: &Segment, plan: &Plan<'_>) -> Option<i64> {
    let query = plan.asked.query;
    if !may_hold(segment, query) {
        return Some(0);
    }
    let whole = query.since.is_none_or(|since| segment.min_time >= since)
        && query.until.is_none_or(|until| segment.max_time < until)
        && !plan.reads_lines()
        && query.instance.is_none();
    whole.then(|| of_levels(query.level, segment.levels))
}

/// The sum of those levels' counts that a filter lets through.
pub(super) fn of_levels(filter: Option<LevelFilter>, counts: [i64; 3]) -> i64 {
    Level::ALL.into_iter().zip(counts).filter(|(level, _)| passes(filter, *level)).map(|(_, count)| count).sum()
}
