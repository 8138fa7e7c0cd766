//! Asking sealed segments, several at a time, with answers in the order of the log.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::chunk::Chunk;
use super::plan::Plan;
use super::select::Selection;
use super::{LevelFilter, Query, Sink, passes};
use crate::accesslog::segment::{Reader, Segment};
use crate::accesslog::{Error, Level, LogStore};

/// Most segments that are read at the same time: each takes some tens of megabytes.
const MOST_THREADS: usize = 8;

/// Chunks of a segment that wait until those of the segments before are through.
const CHUNKS: usize = 4;

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

/// What came of asking one; nothing where it has no wanted rows.
type Asked<T> = Result<Option<T>, Fault>;

/// Where the entries of one go.
type Sender = SyncSender<Result<Chunk, Fault>>;

/// What is asked of the wanted rows of a segment.
pub(super) type Question<'q, T> = &'q (dyn Fn(&mut Selection<'_>) -> Result<T, parquet::errors::ParquetError> + Sync);

impl LogStore {
    /// What the queries of this connection took.
    pub fn cost(&self) -> Cost {
        self.cost.get()
    }

    /// Notes how many segments are opened, of how many that are listed.
    pub(super) fn note_cost(&self, read: usize, listed: usize) {
        let Cost { read: before, passed } = self.cost.get();
        let passed = passed + (listed - read) as u64;
        self.cost.set(Cost { read: before + read as u64, passed });
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

    /// Asks segments, on all cores; the answers in their order, nothing for what has no wanted rows or cannot be read.
    pub(super) fn of_segments<T: Send>(
        &self,
        segments: &[Segment],
        plan: &Plan<'_>,
        question: Question<'_, T>,
    ) -> Result<Vec<Option<T>>, Error> {
        self.note_cost(segments.iter().filter(|one| may_hold(one, plan.asked.query)).count(), segments.len());
        let folder = self.segments.as_path();
        let next = AtomicUsize::new(0);
        let answers: Vec<Mutex<Option<Asked<T>>>> = segments.iter().map(|_| Mutex::default()).collect();
        let work = || {
            while let Some((segment, answer)) = take(&next, segments).map(|at| (&segments[at], &answers[at])) {
                let found = ask(folder, segment, plan, question);
                *answer.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(found);
            }
        };
        thread::scope(|scope| {
            for _ in 1..threads(segments.len()) {
                scope.spawn(work);
            }
            work();
        });
        let mut all = Vec::with_capacity(segments.len());
        for (segment, answer) in segments.iter().zip(answers) {
            let answer = answer.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
            let mut answer = answer.unwrap_or(Ok(None));
            while let Err(fault) = answer {
                answer = match self.instead(segment, fault)? {
                    Some(listed) => ask(folder, &listed, plan, question),
                    None => Ok(None),
                };
            }
            all.extend(answer);
        }
        Ok(all)
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
        let (folder, next, stop) = (self.segments.as_path(), AtomicUsize::new(0), AtomicBool::new(false));
        let (senders, receivers): (Vec<_>, Vec<Receiver<_>>) = segments.iter().map(|_| sync_channel(CHUNKS)).unzip();
        let senders: Vec<Mutex<Option<Sender>>> = senders.into_iter().map(|sender| Mutex::new(Some(sender))).collect();
        let work = || {
            while let Some(at) = take(&next, &segments).filter(|_| !stop.load(Ordering::Relaxed)) {
                let sender = senders[at].lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
                let Some(sender) = sender else { continue };
                if let Err(fault) = read(folder, segments[at], plan, |chunk| sender.send(Ok(chunk)).is_ok()) {
                    // Who does not listen any more wants no faults either.
                    let _ = sender.send(Err(fault));
                }
            }
        };
        thread::scope(|scope| {
            for _ in 0..threads(segments.len()) {
                scope.spawn(work);
            }
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
                        stop.store(true, Ordering::Relaxed);
                        return Ok(true);
                    }
                }
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
        if let Err(fault) = read(&self.segments, segment, plan, &mut take)
            && let Some(listed) = self.instead(segment, fault)?
        {
            return self.send_segment(&listed, plan, sink);
        }
        Ok(stopped)
    }
}

/// The next one to be done.
fn take<T>(next: &AtomicUsize, all: &[T]) -> Option<usize> {
    Some(next.fetch_add(1, Ordering::Relaxed)).filter(|at| *at < all.len())
}

/// How many threads read so many segments.
pub(super) fn threads(segments: usize) -> usize {
    thread::available_parallelism().map_or(1, std::num::NonZero::get).min(MOST_THREADS).min(segments)
}

/// Opens a segment that was listed.
fn open(folder: &Path, segment: &Segment) -> Result<Reader, Fault> {
    let path = segment.path(folder);
    let length = std::fs::metadata(&path).map_err(|error| error.to_string())?.len();
    if i64::try_from(length) != Ok(segment.bytes) {
        return Err(format!("it has {length} bytes instead of {}", segment.bytes));
    }
    let reader = Reader::open(&path).map_err(|error| error.to_string())?;
    if reader.rows() as i64 != segment.rows() {
        return Err("it has not as many entries as it had when it was sealed".to_owned());
    }
    Ok(reader)
}

fn ask<T>(folder: &Path, segment: &Segment, plan: &Plan<'_>, question: Question<'_, T>) -> Result<Option<T>, Fault> {
    if !may_hold(segment, plan.asked.query) {
        return Ok(None);
    }
    let reader = open(folder, segment)?;
    let answer = Selection::new(&reader, segment, plan).and_then(|mut selection| question(&mut selection));
    answer.map(Some).map_err(|error| error.to_string())
}

/// Hands the wanted entries of a segment over in chunks, until one is not taken.
fn read(folder: &Path, segment: &Segment, plan: &Plan<'_>, mut take: impl FnMut(Chunk) -> bool) -> Result<(), Fault> {
    let reader = open(folder, segment)?;
    let mut send = || {
        let mut selection = Selection::new(&reader, segment, plan)?;
        let (mut chunk, mut mask) = (Chunk::default(), Vec::new());
        for rows in selection.blocks() {
            selection.mask(rows.clone(), &mut mask)?;
            for (row, _) in rows.zip(&mask).filter(|(_, wanted)| **wanted) {
                chunk.add(&mut selection.lines, row)?;
            }
            if chunk.is_full() && !take(std::mem::take(&mut chunk)) {
                return Ok(());
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
        && query.instance.is_none()
        && query.handler.is_none()
        && query.rule.is_none();
    whole.then(|| of_levels(query.level, segment.levels))
}

/// The sum of those levels' counts that a filter lets through.
pub(super) fn of_levels(filter: Option<LevelFilter>, counts: [i64; 3]) -> i64 {
    Level::ALL.into_iter().zip(counts).filter(|(level, _)| passes(filter, *level)).map(|(_, count)| count).sum()
}
