//! Counting entries, reading as little as possible.

use std::ops::ControlFlow;

use rusqlite::Connection;

use super::Query;
use super::plan::Plan;
use super::sealed::{length, listed_count, of_levels};
use crate::accesslog::hot::pack::each;
use crate::accesslog::segment::Segment;
use crate::accesslog::{Error, LogStore};

/// The counts of the packs that lie in the window of time as a whole, and the numbers of those that reach out of it.
const COUNTS: &str = "SELECT first, last, min_time >= ?1 AND max_time < ?2, info, warning, error FROM pack
     WHERE max_time >= ?1 AND min_time < ?2";

impl LogStore {
    /// How many entries a query asks for. Without patterns no line is read, and without names few entries are.
    ///
    /// # Errors
    /// Every variant of [`Error`].
    pub fn count(&self, query: &Query) -> Result<u64, Error> {
        let asked = self.asked(query)?;
        // One read transaction: segments, counts of packs and their entries must be of the same moment.
        let transaction = self.sql(|| self.connection.unchecked_transaction())?;
        let plan = self.sql(|| Plan::new(&transaction, &asked, (1, i64::MAX)))?;
        let segments = self.sql(|| Segment::all(&transaction))?;
        let mut count = self.sql(|| count_rows(&transaction, &plan))?;
        drop(transaction);
        let (listed, mut unlisted) = (segments.len(), Vec::new());
        for segment in segments {
            // Of one that is not as it was sealed nothing can be shown: opening it tells.
            match listed_count(&segment, &plan)
                .filter(|listed| *listed == 0 || length(&self.segments, &segment).is_ok())
            {
                Some(listed) => count += listed,
                None => unlisted.push(segment),
            }
        }
        self.note_cost(0, listed - unlisted.len());
        self.of_segments(&unlisted, (&plan, 0), &|selection| selection.count(), &mut |_, found| count += found as i64)?;
        let limit = query.tail.into_iter().chain(query.head).map(|limit| limit as u64).min().unwrap_or(u64::MAX);
        Ok(u64::try_from(count).unwrap_or_default().min(limit))
    }
}

/// How many entries of the hot store a plan wants.
fn count_rows(connection: &Connection, plan: &Plan<'_>) -> rusqlite::Result<i64> {
    let query = plan.asked.query;
    let is_told_by_packs = !plan.reads_lines() && query.instance.is_none();
    if is_told_by_packs { count_packs(connection, plan) } else { count_entries(connection, plan, &plan.ranges) }
}

fn count_entries(connection: &Connection, plan: &Plan<'_>, ranges: &[(i64, i64)]) -> rusqlite::Result<i64> {
    let mut count = 0;
    for range in ranges {
        each(connection, *range, |stored| {
            count += i64::from(plan.accepts(stored));
            ControlFlow::Continue(())
        })?;
    }
    Ok(count)
}

/// Adds up the packs that the query takes whole and counts in those that it cuts.
fn count_packs(connection: &Connection, plan: &Plan<'_>) -> rusqlite::Result<i64> {
    let query = plan.asked.query;
    let (mut count, mut cut) = (0, Vec::new());
    let mut statement = connection.prepare_cached(COUNTS)?;
    let mut rows = statement.query([query.since.unwrap_or(i64::MIN), query.until.unwrap_or(i64::MAX)])?;
    while let Some(row) = rows.next()? {
        if row.get(2)? {
            count += of_levels(query.level, [row.get(3)?, row.get(4)?, row.get(5)?]);
        } else {
            cut.push((row.get(0)?, row.get(1)?));
        }
    }
    Ok(count + count_entries(connection, plan, &cut)?)
}
