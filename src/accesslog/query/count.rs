//! Counting entries, reading as little as possible.

use super::plan::Plan;
use super::{LevelFilter, Query, Row};
use crate::accesslog::hot::covered;
use crate::accesslog::{Error, Level, LogStore};

/// The counts of the blocks that lie in the window of time as a whole, and the ids of those that reach out of it.
const COUNTS: &str = "SELECT id, min_time >= ?1 AND max_time < ?2, info, warning, error FROM block
     WHERE max_time >= ?1 AND min_time < ?2";

impl LogStore {
    /// How many entries a query asks for. Without patterns no line is read, and without names few entries are.
    ///
    /// # Errors
    /// Every variant of [`Error`].
    pub fn count(&self, query: &Query) -> Result<u64, Error> {
        let all = Query { tail: None, ..query.clone() };
        let count = if !query.patterns.is_empty() {
            self.count_matches(&all)?
        } else if query.instance.is_some() || query.handler.is_some() || query.rule.is_some() {
            self.sql(|| self.count_rows(&all))?
        } else {
            self.sql(|| self.count_blocks(&all))?
        };
        let limit = query.tail.map_or(u64::MAX, |tail| tail as u64);
        Ok(u64::try_from(count).unwrap_or_default().min(limit))
    }

    fn count_matches(&self, query: &Query) -> Result<i64, Error> {
        let mut count = 0;
        self.query(query, &mut |_: &Row<'_>| {
            count += 1;
            true
        })?;
        Ok(count)
    }

    fn count_rows(&self, query: &Query) -> rusqlite::Result<i64> {
        let plan = Plan::new(&self.connection, query, &[], (1, i64::MAX))?;
        let ranges = plan.ranges.iter().copied();
        self.count_ranges(&plan, ranges)
    }

    fn count_ranges(&self, plan: &Plan<'_>, ranges: impl Iterator<Item = (i64, i64)>) -> rusqlite::Result<i64> {
        let mut statement = self.connection.prepare_cached(&plan.sql("count(*)", ""))?;
        let mut count = 0;
        for (first, last) in ranges {
            count += statement.query_row([first, last], |row| row.get::<_, i64>(0))?;
        }
        Ok(count)
    }

    /// Adds up the blocks that the query takes whole and counts in those that it cuts.
    fn count_blocks(&self, query: &Query) -> rusqlite::Result<i64> {
        // One read transaction: counts of blocks and entries must be of the same moment.
        let transaction = self.connection.unchecked_transaction()?;
        let (mut count, mut cut) = (0, Vec::new());
        {
            let mut statement = transaction.prepare_cached(COUNTS)?;
            let window = [query.since.unwrap_or(i64::MIN), query.until.unwrap_or(i64::MAX)];
            let mut rows = statement.query(window)?;
            while let Some(row) = rows.next()? {
                if row.get(1)? {
                    count += in_levels(query.level, [row.get(2)?, row.get(3)?, row.get(4)?]);
                } else {
                    cut.push(covered(row.get(0)?));
                }
            }
        }
        let plan = Plan::new(&transaction, query, &[], (1, i64::MAX))?;
        Ok(count + self.count_ranges(&plan, cut.into_iter())?)
    }
}

/// The sum of those levels' counts that a filter lets through.
fn in_levels(filter: Option<LevelFilter>, counts: [i64; 3]) -> i64 {
    let passes = |level: Level| match filter {
        None => true,
        Some(LevelFilter::Exactly(wanted)) => level == wanted,
        Some(LevelFilter::AtLeast(least)) => level >= least,
    };
    Level::ALL.into_iter().zip(counts).filter(|(level, _)| passes(*level)).map(|(_, count)| count).sum()
}
