//! Entries before and after those that were found.

use super::print::Printed;
use crate::accesslog::{Answer, LogStore, Query, Row, Sink};
use crate::cli::failure::Failure;

/// Groups of entries that lie nearer to each other than this are read in one go.
const NEAR: i64 = 4096;

/// Prints the entries that a query asks for with those around them, and a line between groups that do not touch.
pub(super) fn print(
    store: &LogStore,
    query: &Query,
    (before, after): (u32, u32),
    printed: &mut Printed<'_>,
) -> Result<Answer, Failure> {
    let mut groups: Vec<(i64, i64)> = Vec::new();
    let answer = store.query(query, &mut |row: &Row<'_>| {
        let (first, last) = (row.seq - i64::from(before), row.seq + i64::from(after));
        match groups.last_mut() {
            Some(group) if group.1 + 1 >= first => group.1 = last,
            _ => groups.push((first, last)),
        }
        true
    })?;
    let (mut rest, mut is_first, mut stopped) = (groups.as_slice(), true, false);
    while let (Some(&(first, _)), false) = (rest.first(), stopped) {
        let far = rest.windows(2).position(|two| two[1].0 - two[0].1 > NEAR);
        let (near, later) = rest.split_at(far.map_or(rest.len(), |at| at + 1));
        let (mut at, mut begun) = (0, None);
        let last = near.last().map_or(first, |group| group.1).min(answer.upto);
        store.query_between(&Query::default(), (first, last), &mut |row: &Row<'_>| {
            while near.get(at).is_some_and(|group| group.1 < row.seq) {
                at += 1;
            }
            if near.get(at).is_none_or(|group| group.0 > row.seq) {
                return true;
            }
            if begun.replace(at) != Some(at) && !std::mem::replace(&mut is_first, false) {
                stopped |= !printed.part();
            }
            stopped |= !printed.entry(row);
            !stopped
        })?;
        rest = later;
    }
    Ok(Answer { stopped, ..answer })
}
