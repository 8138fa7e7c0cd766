//! Reading the entries of a plan, forwards and from the end.

use rusqlite::{Statement, types::ValueRef};

use super::plan::{self, Plan};
use super::{Answer, Query, Row, Sink};
use crate::accesslog::segment::Segment;
use crate::accesslog::{Error, Level, LogStore};

/// How many sequence numbers are looked at in one go. Every go is a read transaction of its own, which ends before the
/// sink gets the rows: a slow reader (`logs | less`) would otherwise keep SQLite from ever emptying its write-ahead log.
const STEP: i64 = 65_536;

/// A go ends early when it has found this many bytes of lines.
const CHUNK_BYTES: usize = 1 << 20;

const COLUMNS: &str = "seq, time, level, shape, line";

/// What lies at a place of the log: each step looks in one read transaction, so that it finds an entry either in a segment
/// or among the rows, whatever is sealed between two steps.
enum Step {
    Segment(Box<Segment>),
    /// Rows, which are read already; the place behind them.
    Rows(i64),
}

impl LogStore {
    /// Hands the entries that a query asks for to a sink, in the order in which they were stored, until all that were
    /// stored when the question was put are through, or the sink wants no more.
    ///
    /// # Errors
    /// Every variant of [`Error`].
    pub fn query(&self, query: &Query, sink: &mut dyn Sink) -> Result<Answer, Error> {
        let matchers = plan::matchers(query)?;
        let upto = self.newest()?;
        let mut plan = self.sql(|| Plan::new(&self.connection, query, &matchers, (1, upto)))?;
        if let Some(tail) = query.tail {
            plan.first = self.start_of_tail(&plan, tail)?.unwrap_or(upto + 1);
        }
        let stopped = self.forwards(&plan, sink)?;
        Ok(Answer { upto, stopped })
    }

    /// Runs SQL, naming the file in its errors.
    pub(in crate::accesslog) fn sql<T>(&self, run: impl FnOnce() -> rusqlite::Result<T>) -> Result<T, Error> {
        run().map_err(|error| Error::sqlite(&self.path, error))
    }

    /// Hands all entries of a plan to a sink; whether the sink wanted no more.
    pub(super) fn forwards(&self, plan: &Plan<'_>, sink: &mut dyn Sink) -> Result<bool, Error> {
        let (mut chunk, mut next) = (Chunk::default(), plan.first);
        while next <= plan.last {
            let stopped = match self.sql(|| self.step(plan, next, &mut chunk))? {
                Step::Segment(segment) => {
                    next = segment.last + 1;
                    self.send_segment(&segment, plan, sink)?
                }
                Step::Rows(behind) => {
                    next = behind;
                    !chunk.send(plan, sink)
                }
            };
            if stopped {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn step(&self, plan: &Plan<'_>, next: i64, chunk: &mut Chunk) -> rusqlite::Result<Step> {
        let transaction = self.connection.unchecked_transaction()?;
        if let Some(segment) = Segment::from(&transaction, next)? {
            return Ok(Step::Segment(Box::new(segment)));
        }
        let mut statement = transaction.prepare_cached(&plan.sql(COLUMNS, "ORDER BY seq"))?;
        match plan.from(next, STEP) {
            Some((first, last)) => chunk.fill(&mut statement, plan, first, last).map(Step::Rows),
            None => {
                chunk.clear();
                Ok(Step::Rows(plan.last + 1))
            }
        }
    }

    /// The number of the first of the last `tail` entries of a plan; nothing if there is none. Finding it first and then
    /// reading forwards takes no memory, however long the tail.
    fn start_of_tail(&self, plan: &Plan<'_>, tail: usize) -> Result<Option<i64>, Error> {
        let mut found = Found { start: None, count: 0, wanted: tail };
        let mut upto = plan.last;
        while upto >= plan.first && found.count < tail {
            match self.sql(|| self.step_back(plan, upto, &mut found))? {
                Step::Segment(segment) => {
                    upto = segment.first - 1;
                    if let Some((reader, rows)) = self.selected(&segment, plan)? {
                        let seq = self.reading(&segment, reader.seq()).unwrap_or_default();
                        rows.iter().rev().filter_map(|row| seq.get(*row as usize)).for_each(|seq| found.add(*seq));
                    }
                }
                Step::Rows(before) => upto = before,
            }
        }
        Ok(found.start)
    }

    fn step_back(&self, plan: &Plan<'_>, upto: i64, found: &mut Found) -> rusqlite::Result<Step> {
        let transaction = self.connection.unchecked_transaction()?;
        let mut floor = 0;
        if let Some(segment) = Segment::upto(&transaction, upto)? {
            if segment.last >= upto {
                return Ok(Step::Segment(Box::new(segment)));
            }
            floor = segment.last;
        }
        let Some((first, last)) = plan.upto(upto, STEP) else { return Ok(Step::Rows(floor)) };
        if last <= floor {
            return Ok(Step::Rows(floor));
        }
        let columns = if plan.matchers.is_empty() { "seq, shape, ''" } else { "seq, shape, line" };
        let mut statement = transaction.prepare_cached(&plan.sql(columns, "ORDER BY seq DESC"))?;
        let mut rows = statement.query([first, last])?;
        while found.count < found.wanted {
            let Some(row) = rows.next()? else { break };
            if plan.accepts(row.get(1)?, text(row.get_ref(2)?)) {
                found.add(row.get(0)?);
            }
        }
        Ok(Step::Rows(floor.max(first - 1)))
    }
}

/// What was found from the end.
struct Found {
    start: Option<i64>,
    count: usize,
    wanted: usize,
}

impl Found {
    fn add(&mut self, seq: i64) {
        if self.count < self.wanted {
            self.start = Some(seq);
            self.count += 1;
        }
    }
}

/// Rows that were found and not yet handed over.
#[derive(Default)]
struct Chunk {
    /// Their lines, one after the other.
    text: String,
    rows: Vec<ReadRow>,
}

struct ReadRow {
    seq: i64,
    time: i64,
    level: Level,
    shape: i64,
    /// Where its line ends in the text.
    end: usize,
}

impl Chunk {
    fn clear(&mut self) {
        self.text.clear();
        self.rows.clear();
    }

    /// Reads from `first` to `last` until there is enough; the number to go on with.
    fn fill(&mut self, statement: &mut Statement<'_>, plan: &Plan<'_>, first: i64, last: i64) -> rusqlite::Result<i64> {
        self.clear();
        let mut rows = statement.query([first, last])?;
        while let Some(row) = rows.next()? {
            let (shape, line) = (row.get(3)?, text(row.get_ref(4)?));
            if !plan.accepts(shape, line) {
                continue;
            }
            self.text.push_str(&String::from_utf8_lossy(line));
            let (seq, level) = (row.get(0)?, Level::from_code(row.get(2)?));
            self.rows.push(ReadRow { seq, time: row.get(1)?, level, shape, end: self.text.len() });
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
