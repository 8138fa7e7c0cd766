//! Entries before and after those that were found.

use super::print::Printed;
use crate::accesslog::{Answer, Error, LogStore, Query, Row, Sink};
use crate::cli::failure::Failure;

/// Groups of entries that lie nearer to each other than this are read in one go.
const NEAR: i64 = 4096;

/// Groups that wait to be printed, so that they take little memory however many there are.
const WAITING: usize = 4096;

/// Prints the entries that a query asks for with those around them, and a line between groups that do not touch.
pub(super) fn print(
    store: &LogStore,
    query: &Query,
    (before, after): (u32, u32),
    printed: &mut Printed<'_>,
) -> Result<Answer, Failure> {
    let mut groups = Groups { store, printed, waiting: Vec::new(), is_first: true, stopped: false };
    let mut fault = None;
    let answer = store.query(query, &mut |row: &Row<'_>| {
        let (first, last) = (row.seq - i64::from(before), row.seq + i64::from(after));
        match groups.waiting.last_mut() {
            Some(group) if group.1 + 1 >= first => group.1 = last,
            _ => {
                if groups.waiting.len() == WAITING {
                    fault = groups.print(i64::MAX).err();
                }
                groups.waiting.push((first, last));
            }
        }
        fault.is_none() && !groups.stopped
    })?;
    match fault {
        Some(fault) => return Err(fault.into()),
        None => groups.print(answer.upto)?,
    }
    Ok(Answer { stopped: groups.stopped, ..answer })
}

/// Groups of entries by the numbers of their first and last, which do not touch.
struct Groups<'g, 'c> {
    store: &'g LogStore,
    printed: &'g mut Printed<'c>,
    waiting: Vec<(i64, i64)>,
    /// Nothing was printed yet.
    is_first: bool,
    stopped: bool,
}

impl Groups<'_, '_> {
    /// Prints those that wait, without entries behind a number.
    fn print(&mut self, upto: i64) -> Result<(), Error> {
        let waiting = std::mem::take(&mut self.waiting);
        let mut rest = waiting.as_slice();
        while let (Some(&(first, _)), false) = (rest.first(), self.stopped) {
            let far = rest.windows(2).position(|two| two[1].0 - two[0].1 > NEAR);
            let (near, later) = rest.split_at(far.map_or(rest.len(), |at| at + 1));
            let (mut at, mut begun) = (0, None);
            let last = near.last().map_or(first, |group| group.1).min(upto);
            self.store.query_between(&Query::default(), (first, last), &mut |row: &Row<'_>| {
                while near.get(at).is_some_and(|group| group.1 < row.seq) {
                    at += 1;
                }
                if near.get(at).is_none_or(|group| group.0 > row.seq) {
                    return true;
                }
                if begun.replace(at) != Some(at) && !std::mem::replace(&mut self.is_first, false) {
                    self.stopped |= !self.printed.part();
                }
                self.stopped |= !self.printed.entry(row);
                !self.stopped
            })?;
            rest = later;
        }
        Ok(())
    }
}
