//! Reading entries in the order of the log, and finding where its tail begins.

use std::ops::ControlFlow;

use super::chunk::Chunk;
use super::mask::Mask;
use super::plan::Plan;
use super::sealed::{may_hold, threads};
use super::select::Selection;
use super::{Answer, Query, Row, Sink};
use crate::accesslog::hot::pack::each_back;
use crate::accesslog::segment::{Own, Segment};
use crate::accesslog::{Error, LogStore};

/// How many sequence numbers are looked at in one go. Every go is a read transaction of its own, which ends before the
/// sink gets the rows: a slow reader (`logs | less`) would otherwise keep SQLite from ever emptying its write-ahead log.
const STEP: i64 = 65_536;

/// What lies at a place of the log: each step looks in one read transaction, so that it finds an entry either in a segment
/// or among the rows, whatever is sealed between two steps.
enum Step {
    Segments(Vec<Segment>),
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
        let asked = self.asked(query)?;
        let upto = self.newest()?;
        let mut plan = self.sql(|| Plan::new(&self.connection, &asked, (1, upto)))?;
        if let Some(tail) = query.tail {
            plan.first = self.find_tail(&plan, tail)?.start.unwrap_or(upto + 1);
        }
        let Some(mut left) = query.head else {
            let stopped = self.forwards(&plan, sink)?;
            return Ok(Answer { upto, stopped });
        };
        let mut stopped = false;
        let mut first = |row: &Row<'_>| {
            left -= 1;
            stopped = !sink.entry(row);
            !stopped && left > 0
        };
        if query.head != Some(0) {
            self.forwards(&plan, &mut first)?;
        }
        Ok(Answer { upto, stopped })
    }

    /// The same of the entries with certain sequence numbers, both ends included, without regard to limits.
    ///
    /// # Errors
    /// Every variant of [`Error`].
    pub fn query_between(&self, query: &Query, span: (i64, i64), sink: &mut dyn Sink) -> Result<bool, Error> {
        let asked = self.asked(query)?;
        let plan = self.sql(|| Plan::new(&self.connection, &asked, span))?;
        self.forwards(&plan, sink)
    }

    /// The span of sequence numbers, both ends included, in which the last `tail` entries that a query asks for lie, and how
    /// many these are.
    ///
    /// # Errors
    /// Every variant of [`Error`].
    pub(in crate::accesslog) fn span_of_tail(&self, query: &Query, tail: usize) -> Result<((i64, i64), usize), Error> {
        let asked = self.asked(query)?;
        let upto = self.newest()?;
        let plan = self.sql(|| Plan::new(&self.connection, &asked, (1, upto)))?;
        let found = self.find_tail(&plan, tail)?;
        Ok(((found.start.unwrap_or(upto + 1), upto), found.count))
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
                Step::Segments(segments) => {
                    next = segments.last().map_or(next, |segment| segment.last) + 1;
                    self.send_segments(&segments, plan, sink)?
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
        let segments = Segment::between(&transaction, next, plan.last)?;
        if !segments.is_empty() {
            return Ok(Step::Segments(segments));
        }
        match plan.from(next, STEP) {
            Some(range) => chunk.fill(&transaction, plan, range).map(Step::Rows),
            None => {
                chunk.clear();
                Ok(Step::Rows(plan.last + 1))
            }
        }
    }

    /// Finds where the last `tail` entries of a plan begin. Finding it first and then reading forwards takes no memory, however
    /// long the tail.
    fn find_tail(&self, plan: &Plan<'_>, tail: usize) -> Result<Found, Error> {
        let mut found = Found { start: None, count: 0, wanted: tail };
        let mut upto = plan.last;
        while upto >= plan.first && found.count < tail {
            match self.sql(|| self.step_back(plan, upto, &mut found))? {
                Step::Segments(segments) => {
                    upto = segments.first().map_or(0, |segment| segment.first - 1);
                    let segments: Vec<_> =
                        segments.into_iter().filter(|segment| may_hold(segment, plan.asked.query)).collect();
                    for some in segments.rchunks(threads(segments.len()).max(1)) {
                        self.add_last(some, plan, &mut found)?;
                    }
                }
                Step::Rows(before) => upto = before,
            }
        }
        Ok(found)
    }

    /// Adds the last wanted entries of some segments, unless there are enough.
    fn add_last(&self, segments: &[Segment], plan: &Plan<'_>, found: &mut Found) -> Result<(), Error> {
        let wanted = found.wanted - found.count;
        if wanted == 0 {
            return Ok(());
        }
        let question = |selection: &mut Selection<'_>| {
            let (mut last, mut mask) = (Vec::new(), Mask::default());
            for rows in selection.blocks().rev() {
                selection.mask(rows, &mut mask)?;
                for row in mask.wanted().rev() {
                    if last.len() == wanted {
                        return Ok(last);
                    }
                    selection.lines.go_to(row);
                    selection.lines.load_column(Own::Seq as usize)?;
                    last.push(selection.lines.seq(row));
                }
            }
            Ok(last)
        };
        let mut last: Vec<Vec<i64>> = vec![Vec::new(); segments.len()];
        self.of_segments(segments, (plan, 0), &question, &mut |at, seqs| last[at] = seqs)?;
        last.into_iter().rev().flatten().for_each(|seq| found.add(seq));
        Ok(())
    }

    fn step_back(&self, plan: &Plan<'_>, upto: i64, found: &mut Found) -> rusqlite::Result<Step> {
        let transaction = self.connection.unchecked_transaction()?;
        let mut floor = 0;
        if let Some(segment) = Segment::upto(&transaction, upto)? {
            if segment.last >= upto {
                return Ok(Step::Segments(Segment::between(&transaction, plan.first, upto)?));
            }
            floor = segment.last;
        }
        let Some((first, last)) = plan.upto(upto, STEP) else { return Ok(Step::Rows(floor)) };
        if last <= floor {
            return Ok(Step::Rows(floor));
        }
        each_back(&transaction, (first, last), |stored| {
            if plan.accepts(stored) {
                found.add(stored.seq);
            }
            if found.count < found.wanted { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
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
