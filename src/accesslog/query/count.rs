//! Counting entries, reading as little as possible.

use rusqlite::Connection;

use super::Query;
use super::plan::{Hot, Plan};
use super::sealed::{listed_count, of_levels};
use crate::accesslog::hot::covered;
use crate::accesslog::segment::Segment;
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
        let asked = self.asked(query)?;
        // One read transaction: segments, counts of blocks and rows must be of the same moment.
        let transaction = self.sql(|| self.connection.unchecked_transaction())?;
        let plan = self.sql(|| Plan::new(&transaction, &asked, (1, i64::MAX)))?;
        let segments = self.sql(|| Segment::all(&transaction))?;
        let mut count = self.sql(|| count_rows(&transaction, &plan))?;
        drop(transaction);
        let (listed, mut unlisted) = (segments.len(), Vec::new());
        for segment in segments {
            match listed_count(&segment, &plan) {
                Some(listed) => count += listed,
                None => unlisted.push(segment),
            }
        }
        self.note_cost(0, listed - unlisted.len());
        self.of_segments(&unlisted, &plan, &|selection| selection.count(), &mut |_, found| count += found as i64)?;
        let limit = query.tail.into_iter().chain(query.head).map(|limit| limit as u64).min().unwrap_or(u64::MAX);
        Ok(u64::try_from(count).unwrap_or_default().min(limit))
    }
}

/// How many rows of the hot store a plan wants.
fn count_rows(connection: &Connection, plan: &Plan<'_>) -> rusqlite::Result<i64> {
    let query = plan.asked.query;
    if plan.reads_lines() {
        count_matches(connection, plan)
    } else if query.instance.is_some() || query.handler.is_some() || query.rule.is_some() {
        count_ranges(connection, plan, plan.ranges.iter().copied())
    } else {
        count_blocks(connection, plan)
    }
}

fn count_matches(connection: &Connection, plan: &Plan<'_>) -> rusqlite::Result<i64> {
    let mut statement = connection.prepare_cached(&plan.sql("shape, line, time, level", ""))?;
    let mut count = 0;
    for (first, last) in &plan.ranges {
        let mut rows = statement.query([first, last])?;
        while let Some(row) = rows.next()? {
            let line = row.get_ref(1)?.as_bytes().unwrap_or_default();
            let (time, level) = (row.get(2)?, Level::from_code(row.get(3)?));
            count += i64::from(plan.accepts(&Hot { time, level, shape: row.get(0)?, line }));
        }
    }
    Ok(count)
}

fn count_ranges(
    connection: &Connection,
    plan: &Plan<'_>,
    ranges: impl Iterator<Item = (i64, i64)>,
) -> rusqlite::Result<i64> {
    let mut statement = connection.prepare_cached(&plan.sql("count(*)", ""))?;
    let mut count = 0;
    for (first, last) in ranges {
        count += statement.query_row([first, last], |row| row.get::<_, i64>(0))?;
    }
    Ok(count)
}

/// Adds up the blocks that the query takes whole and counts in those that it cuts.
fn count_blocks(connection: &Connection, plan: &Plan<'_>) -> rusqlite::Result<i64> {
    let query = plan.asked.query;
    let (mut count, mut cut) = (0, Vec::new());
    let mut statement = connection.prepare_cached(COUNTS)?;
    let mut rows = statement.query([query.since.unwrap_or(i64::MIN), query.until.unwrap_or(i64::MAX)])?;
    while let Some(row) = rows.next()? {
        if row.get(1)? {
            count += of_levels(query.level, [row.get(2)?, row.get(3)?, row.get(4)?]);
        } else {
            cut.push(covered(row.get(0)?));
        }
    }
    Ok(count + count_ranges(connection, plan, cut.into_iter())?)
}
