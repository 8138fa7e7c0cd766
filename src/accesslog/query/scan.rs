//! Reading the entries of a plan, forwards and from the end.

use rusqlite::{Statement, types::ValueRef};

use super::plan::{self, Plan};
use super::{Answer, Query, Row, Sink};
use crate::accesslog::{Error, Level, LogStore};

/// How many sequence numbers are looked at in one go. Every go is a read transaction of its own, which ends before the
/// sink gets the rows: a slow reader (`logs | less`) would otherwise keep SQLite from ever emptying its write-ahead log.
const STEP: i64 = 65_536;

/// A go ends early when it has found this many bytes of lines.
const CHUNK_BYTES: usize = 1 << 20;

const COLUMNS: &str = "seq, time, level, shape, line";

impl LogStore {
    /// Hands the entries that a query asks for to a sink, in the order in which they were stored, until all that were
    /// stored when the question was put are through, or the sink wants no more.
    ///
    /// # Errors
    /// Every variant of [`Error`].
    pub fn query(&self, query: &Query, sink: &mut dyn Sink) -> Result<Answer, Error> {
        let matchers = plan::matchers(query)?;
        let upto = self.newest()?;
        let stopped = self.sql(|| {
            let mut plan = Plan::new(&self.connection, query, &matchers, (1, upto))?;
            if let Some(tail) = query.tail {
                plan.start_at(self.start_of_tail(&plan, tail)?.unwrap_or(upto + 1));
            }
            self.forwards(&plan, sink)
        })?;
        Ok(Answer { upto, stopped })
    }

    /// Runs SQL, naming the file in its errors.
    pub(super) fn sql<T>(&self, run: impl FnOnce() -> rusqlite::Result<T>) -> Result<T, Error> {
        run().map_err(|error| Error::sqlite(&self.path, error))
    }

    /// Hands all entries of a plan to a sink; whether the sink wanted no more.
    pub(super) fn forwards(&self, plan: &Plan<'_>, sink: &mut dyn Sink) -> rusqlite::Result<bool> {
        let mut statement = self.connection.prepare_cached(&plan.sql(COLUMNS, "ORDER BY seq"))?;
        let mut chunk = Chunk::default();
        for (mut first, last) in plan.steps(STEP) {
            while first <= last {
                first = chunk.fill(&mut statement, plan, first, last)?;
                if !chunk.send(plan, sink) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// The number of the first of the last `tail` entries of a plan; nothing if there is none. Finding it first and then
    /// reading forwards takes no memory, however long the tail.
    fn start_of_tail(&self, plan: &Plan<'_>, tail: usize) -> rusqlite::Result<Option<i64>> {
        let columns = if plan.matchers.is_empty() { "seq, shape, ''" } else { "seq, shape, line" };
        let mut statement = self.connection.prepare_cached(&plan.sql(columns, "ORDER BY seq DESC"))?;
        let (mut start, mut found) = (None, 0);
        for (first, last) in plan.steps(STEP).rev() {
            let mut rows = statement.query([first, last])?;
            while found < tail {
                let Some(row) = rows.next()? else { break };
                if plan.accepts(row.get(1)?, text(row.get_ref(2)?)) {
                    start = Some(row.get(0)?);
                    found += 1;
                }
            }
            if found >= tail {
                break;
            }
        }
        Ok(start)
    }
}

impl Plan<'_> {
    /// Leaves out what has a number below `start`.
    fn start_at(&mut self, start: i64) {
        self.ranges.retain_mut(|range| {
            range.0 = range.0.max(start);
            range.0 <= range.1
        });
    }
}

/// Rows that were found and not yet handed over.
#[derive(Default)]
struct Chunk {
    /// Their lines, one after the other.
    text: String,
    rows: Vec<Found>,
}

struct Found {
    seq: i64,
    time: i64,
    level: Level,
    shape: i64,
    /// Where its line ends in the text.
    end: usize,
}

impl Chunk {
    /// Reads from `first` to `last` until there is enough; the number to go on with.
    fn fill(&mut self, statement: &mut Statement<'_>, plan: &Plan<'_>, first: i64, last: i64) -> rusqlite::Result<i64> {
        self.text.clear();
        self.rows.clear();
        let mut rows = statement.query([first, last])?;
        while let Some(row) = rows.next()? {
            let (shape, line) = (row.get(3)?, text(row.get_ref(4)?));
            if !plan.accepts(shape, line) {
                continue;
            }
            self.text.push_str(&String::from_utf8_lossy(line));
            let (seq, level) = (row.get(0)?, Level::from_code(row.get(2)?));
            self.rows.push(Found { seq, time: row.get(1)?, level, shape, end: self.text.len() });
            if self.text.len() >= CHUNK_BYTES {
                return Ok(seq + 1);
            }
        }
        Ok(last + 1)
    }

    /// Hands the rows over; whether the sink wants more.
    fn send(&self, plan: &Plan<'_>, sink: &mut dyn Sink) -> bool {
        let mut start = 0;
        for found in &self.rows {
            let line = &self.text[start..found.end];
            start = found.end;
            let (instance, handler, rule, format) = plan.names(found.shape);
            let row =
                Row { seq: found.seq, time: found.time, level: found.level, instance, handler, rule, format, line };
            if !sink.entry(&row) {
                return false;
            }
        }
        true
    }
}

/// The bytes of a text column; the schema allows nothing else there.
fn text(value: ValueRef<'_>) -> &[u8] {
    value.as_bytes().unwrap_or_default()
}
