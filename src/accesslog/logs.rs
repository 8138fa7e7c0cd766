//! Logs asked as one: lines, accesses, or both in the order of time.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use super::{Cost, Error, Format, Group, Grouping, Level, LogStore, Progress, Query, Row, Sink, Stream};
use crate::expr::ValueType;
use crate::state::StateDir;

/// Rows that are handed from one thread to the other at a time.
const BATCH: usize = 256;

/// Batches that wait for who is slower.
const WAITING: usize = 16;

/// Pause between two looks whether anybody still reads.
const PAUSE: Duration = Duration::from_millis(20);

/// Some logs of a state directory.
#[derive(Debug)]
pub struct Logs {
    stores: Vec<LogStore>,
}

/// A row that outlives its segment.
struct Owned {
    seq: i64,
    time: i64,
    level: Level,
    names: [String; 3],
    format: Format,
    line: String,
}

impl Logs {
    /// Opens them.
    ///
    /// # Errors
    /// Those of opening a store.
    pub fn open(state: &StateDir, streams: &[Stream]) -> Result<Self, Error> {
        let stores = streams.iter().map(|stream| LogStore::open(stream.hot_db(state)));
        Ok(Self { stores: stores.collect::<Result<_, _>>()? })
    }

    /// The log, where it is only one.
    pub fn single(&self) -> Option<&LogStore> {
        match &self.stores[..] {
            [store] => Some(store),
            _ => None,
        }
    }

    /// How many entries a query asks for.
    ///
    /// # Errors
    /// As [`LogStore::count`].
    pub fn count(&self, query: &Query) -> Result<u64, Error> {
        let query = &*self.together(query)?;
        let counts = self.stores.iter().map(|store| store.count(query));
        let most = query.tail.or(query.head).map_or(u64::MAX, |most| most as u64);
        Ok(most.min(counts.sum::<Result<u64, _>>()?))
    }

    /// Hands the entries to a sink, merged by time; with `follow` also those that are stored from then on, as they come,
    /// until the sink wants no more. Of several logs each is read by a thread of its own.
    ///
    /// # Errors
    /// As [`LogStore::query`] and [`LogStore::follow`].
    pub fn query(&mut self, query: &Query, follow: bool, sink: &mut dyn Sink) -> Result<(), Error> {
        let query = &*self.together(query)?;
        if let [store] = &self.stores[..] {
            let answer = store.query(query, sink)?;
            return if follow && !answer.stopped { store.follow(query, answer.upto, sink) } else { Ok(()) };
        }
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let (coming, new) = sync_channel(WAITING);
            let (counted, counts) = sync_channel(self.stores.len());
            let mut readers = Vec::new();
            let mut merged = Merged::default();
            for store in &mut self.stores {
                let (sender, receiver) = sync_channel(WAITING);
                let (counted, coming, stop) = (counted.clone(), follow.then(|| coming.clone()), &stop);
                readers.push(scope.spawn(move || read(store, query, counted, (sender, coming), stop)));
                merged.sources.push((receiver, VecDeque::new()));
            }
            drop((coming, counted));
            let wanted = merged.send(query, &counts, sink);
            // Whoever still sends finds nobody.
            drop(merged);
            if wanted && follow {
                forward(&new, sink);
            }
            drop(new);
            stop.store(true, Ordering::Relaxed);
            readers.into_iter().try_for_each(|reader| reader.join().unwrap_or(Ok(())))
        })
    }

    /// Counts the entries that a query asks for, as [`LogStore::tally`] does.
    ///
    /// # Errors
    /// As [`LogStore::tally`].
    pub fn tally(&self, query: &Query, grouping: &Grouping) -> Result<Option<Vec<Group>>, Error> {
        let query = &*self.together(query)?;
        let mut all = Some(Vec::new());
        for counted in self.stores.iter().map(|store| store.tally(query, grouping)) {
            all = all.zip(counted?).map(|(one, other)| Group::merged(one, other));
        }
        Ok(all)
    }

    /// The query as each log is asked it: its expression may name what entries of any of them have.
    fn together<'q>(&self, query: &'q Query) -> Result<Cow<'q, Query>, Error> {
        if query.filter.is_none() || self.stores.len() < 2 {
            return Ok(Cow::Borrowed(query));
        }
        let with = |all: bool| -> Result<Query, Error> {
            let names = self.stores.iter().map(|store| store.names_and_types(all));
            let beside = names.collect::<Result<Vec<_>, _>>()?.concat();
            Ok(Query { beside, ..query.clone() })
        };
        let newest = with(false)?;
        let is_understood = self.stores.iter().all(|store| store.understands(&newest));
        // If not, older entries may have the names, or values of other types.
        Ok(Cow::Owned(if is_understood { newest } else { with(true)? }))
    }

    /// The fields that entries have, as far as the newest tell, with their types.
    ///
    /// # Errors
    /// As [`LogStore::names`].
    pub fn names(&self) -> Result<Vec<(String, ValueType)>, Error> {
        let mut names: Vec<(String, ValueType)> = Vec::new();
        for found in self.stores.iter().map(LogStore::names) {
            for (name, of) in found? {
                if !names.iter().any(|(known, _)| *known == name) {
                    names.push((name, of));
                }
            }
        }
        Ok(names)
    }

    /// The first of some names that no entry has a field of; where there are no entries, none is missed.
    ///
    /// # Errors
    /// As [`LogStore::names`].
    pub fn unknown<'n>(&self, names: &'n [String]) -> Result<Option<&'n str>, Error> {
        let mut missed: Vec<&str> = names.iter().map(String::as_str).collect();
        for store in &self.stores {
            store.find_names(&mut missed)?;
        }
        Ok(missed.into_iter().next())
    }

    /// The times of the earliest and the latest entry in a query's window, or of what lies beside them.
    ///
    /// # Errors
    /// As [`LogStore::ends`].
    pub fn ends(&self, query: &Query) -> Result<Option<(i64, i64)>, Error> {
        let ends = self.stores.iter().map(|store| store.ends(query)).collect::<Result<Vec<_>, _>>()?;
        let both = |(first, last): (i64, i64), (other, later): (i64, i64)| (first.min(other), last.max(later));
        Ok(ends.into_iter().flatten().reduce(both))
    }

    /// How far the queries have come, in segments.
    pub fn progress(&self) -> Vec<Arc<Progress>> {
        self.stores.iter().map(|store| Arc::clone(store.progress())).collect()
    }

    /// What the queries took.
    pub fn cost(&self) -> Cost {
        let costs = self.stores.iter().map(LogStore::cost);
        costs.fold(Cost::default(), |all, one| Cost { read: all.read + one.read, passed: all.passed + one.passed })
    }

    /// The segments that could not be read since this was asked last.
    pub fn take_damage(&self) -> Vec<Error> {
        self.stores.iter().flat_map(LogStore::take_damage).collect()
    }
}

/// Reads one log: what there is for the first, and then for the second what comes. Where a tail is asked for, how long this
/// one's is, is told before.
fn read(
    store: &LogStore,
    query: &Query,
    counted: SyncSender<usize>,
    (stored, coming): (SyncSender<Vec<Owned>>, Option<SyncSender<Vec<Owned>>>),
    stop: &AtomicBool,
) -> Result<(), Error> {
    let mut sending = Sending { sender: stored, batch: Vec::new(), whole: BATCH, stop };
    let upto = match query.tail {
        None => {
            drop(counted);
            store.query(query, &mut sending)?.upto
        }
        Some(tail) => {
            let (span, count) = store.span_of_tail(query, tail)?;
            let _ = counted.send(count);
            // Who adds them up waits until nobody can tell any more.
            drop(counted);
            store.query_between(query, span, &mut sending)?;
            span.1
        }
    };
    sending.flush();
    drop(sending);
    match coming {
        Some(sender) => store.follow(query, upto, &mut Sending { sender, batch: Vec::new(), whole: 1, stop }),
        None => Ok(()),
    }
}

/// Hands rows on to another thread.
struct Sending<'s> {
    sender: SyncSender<Vec<Owned>>,
    batch: Vec<Owned>,
    /// Rows at which a batch goes.
    whole: usize,
    stop: &'s AtomicBool,
}

impl Sending<'_> {
    /// Whether anybody takes it.
    fn flush(&mut self) -> bool {
        self.batch.is_empty() || self.sender.send(std::mem::take(&mut self.batch)).is_ok()
    }
}

impl Sink for Sending<'_> {
    fn entry(&mut self, row: &Row<'_>) -> bool {
        self.batch.push(Owned {
            seq: row.seq,
            time: row.time,
            level: row.level,
            names: [row.instance, row.handler, row.rule].map(str::to_owned),
            format: row.format,
            line: row.line.to_owned(),
        });
        self.batch.len() < self.whole || self.flush()
    }

    fn idle(&mut self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }
}

/// What both logs have, the earliest first.
#[derive(Default)]
struct Merged {
    sources: Vec<(Receiver<Vec<Owned>>, VecDeque<Owned>)>,
}

impl Merged {
    /// The earliest row that was not handed out yet. Within a log the order is that of storing.
    fn next(&mut self) -> Option<Owned> {
        for (receiver, rows) in &mut self.sources {
            if rows.is_empty() {
                rows.extend(receiver.recv().into_iter().flatten());
            }
        }
        let heads = self.sources.iter_mut().filter(|(_, rows)| !rows.is_empty());
        heads.min_by_key(|(_, rows)| rows.front().map(|row| row.time))?.1.pop_front()
    }

    /// Hands all to a sink, or the first or last so many; whether it wants more. For the last, `counts` tells how many rows come
    /// of each log.
    fn send(&mut self, query: &Query, counts: &Receiver<usize>, sink: &mut dyn Sink) -> bool {
        let before = query.tail.map_or(0, |tail| counts.iter().sum::<usize>().saturating_sub(tail));
        let head = query.head.filter(|_| query.tail.is_none()).unwrap_or(usize::MAX);
        let mut rows = std::iter::from_fn(|| self.next()).skip(before).take(head);
        rows.all(|row| row.send(sink))
    }
}

/// Hands what comes to a sink until it wants no more.
fn forward(coming: &Receiver<Vec<Owned>>, sink: &mut dyn Sink) {
    loop {
        match coming.recv_timeout(PAUSE) {
            Ok(rows) if !rows.iter().all(|row| row.send(sink)) => return,
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) if sink.idle() => {}
            Err(_) => return,
        }
    }
}

impl Owned {
    fn send(&self, sink: &mut dyn Sink) -> bool {
        let [instance, handler, rule] = self.names.each_ref().map(String::as_str);
        let Self { seq, time, level, format, .. } = *self;
        sink.entry(&Row { seq, time, level, instance, handler, rule, format, line: &self.line })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accesslog::testing::{entry, shape};
    use crate::accesslog::{Entry, Outlet};

    fn store(state: &StateDir, stream: Stream, times: &[i64]) {
        let shape = shape(stream.folder(), Format::Json, Outlet::Stdout);
        let entries: Vec<Entry> = times.iter().map(|time| entry(&shape, *time, Level::Info, "/")).collect();
        LogStore::open(stream.hot_db(state)).unwrap().append(&entries).unwrap();
    }

    fn times(both: &mut Logs, query: &Query, most: usize) -> Vec<i64> {
        let mut found = Vec::new();
        let sink = &mut |row: &Row<'_>| {
            found.push(row.time);
            found.len() < most
        };
        both.query(query, false, sink).unwrap();
        found
    }

    #[test]
    fn lines_and_accesses_come_in_the_order_of_time() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(directory.path().join("state")).unwrap();
        let (lines, accesses): (Vec<i64>, Vec<i64>) =
            ((0..2000).map(|n| n * 3).collect(), (0..3000).map(|n| n * 2 + 1).collect());
        store(&state, Stream::Lines, &lines);
        store(&state, Stream::Accesses, &accesses);
        let mut all = [lines, accesses].concat();
        all.sort_unstable();
        let mut both = Logs::open(&state, &Stream::ALL).unwrap();
        assert_eq!(times(&mut both, &Query::default(), usize::MAX), all);
        let last = Query { tail: Some(7), ..Query::default() };
        assert_eq!(times(&mut both, &last, usize::MAX), all[4993..]);
        assert_eq!(both.count(&Query::default()).unwrap(), 5000);
        // Whoever wants no more is not waited for.
        assert_eq!(times(&mut both, &Query::default(), 3), all[..3]);
    }

    #[test]
    fn what_comes_to_either_log_is_followed() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(directory.path().join("state")).unwrap();
        store(&state, Stream::Lines, &[1]);
        let mut both = Logs::open(&state, &Stream::ALL).unwrap();
        let mut found = Vec::new();
        let sink = &mut |row: &Row<'_>| {
            found.push(row.time);
            match found.len() {
                1 => store(&state, Stream::Accesses, &[2]),
                2 => store(&state, Stream::Lines, &[3]),
                _ => return false,
            }
            true
        };
        both.query(&Query::default(), true, sink).unwrap();
        assert_eq!(found, [1, 2, 3]);
    }
}
