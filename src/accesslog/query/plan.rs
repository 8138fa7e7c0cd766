//! From a query to what is read: ranges of sequence numbers, wanted shapes, matchers.

use std::collections::HashMap;

use rusqlite::Connection;

use super::condition::{Condition, Token, find};
use super::pattern::Matcher;
use super::sealed::of_levels;
use super::{Query, Row, passes};
use crate::accesslog::hot::pack::Stored;
use crate::accesslog::hot::shapes;
use crate::accesslog::segment::Names;
use crate::accesslog::{Format, line};
use crate::expr::Scratch;

/// How the entries with numbers in a certain span are read for a query.
#[derive(Debug)]
pub(super) struct Plan<'q> {
    pub(super) asked: &'q Asked<'q>,
    /// The span, both ends included.
    pub(super) first: i64,
    pub(super) last: i64,
    /// Numbers of rows that may be wanted: ascending, disjoint, both ends included.
    pub(super) ranges: Vec<(i64, i64)>,
    /// The names of all shapes that occur.
    pub(super) shapes: HashMap<i64, Names>,
    /// Those that are wanted, unless all are.
    wanted: Option<Vec<i64>>,
}

/// A query whose patterns and conditions are compiled.
#[derive(Debug)]
pub(super) struct Asked<'q> {
    pub(super) query: &'q Query,
    pub(super) matchers: Vec<Matcher>,
    pub(super) conditions: Vec<Condition<'q>>,
}

impl<'q> Plan<'q> {
    /// Plans to read the entries from `first` to `last`, both included.
    pub(super) fn new(
        connection: &Connection,
        asked: &'q Asked<'q>,
        (first, last): (i64, i64),
    ) -> rusqlite::Result<Self> {
        let shapes = shapes(connection)?;
        let ranges = ranges(connection, asked.query, first, last)?;
        let mut plan = Self { asked, first, last, ranges, shapes, wanted: None };
        plan.select_shapes(asked.query);
        Ok(plan)
    }

    fn select_shapes(&mut self, query: &Query) {
        let is_wanted = |names: &Names| query.instance.as_ref().is_none_or(|name| is_called(&names.instance, name));
        let ids: Vec<i64> = self.shapes.iter().filter(|(_, names)| is_wanted(names)).map(|(id, _)| *id).collect();
        if ids.is_empty() {
            self.ranges.clear();
        } else if ids.len() < self.shapes.len() {
            self.wanted = Some(ids);
        }
    }

    /// Whether lines must be read to tell what is wanted.
    pub(super) fn reads_lines(&self) -> bool {
        !self.asked.matchers.is_empty() || !self.asked.conditions.is_empty()
    }

    /// Whether an entry of the hot store is asked for.
    pub(super) fn accepts(&self, row: &Stored<'_>) -> bool {
        let query = self.asked.query;
        passes(query.level, row.level)
            && query.since.is_none_or(|since| row.time >= since)
            && query.until.is_none_or(|until| row.time < until)
            && self.wanted.as_ref().is_none_or(|ids| ids.contains(&row.shape))
            && self.matches(row)
            && self.asked.conditions.iter().all(|condition| self.holds(condition, row))
    }

    fn matches(&self, row: &Stored<'_>) -> bool {
        let matchers = &self.asked.matchers;
        if matchers.is_empty() {
            return true;
        }
        if self.shapes.get(&row.shape).is_some_and(|names| names.format == Format::Text) {
            let line = String::from_utf8_lossy(row.line);
            let printed = line::printed(&line, Format::Text);
            return matchers.iter().all(|matcher| matcher.accepts(printed.as_bytes()));
        }
        matchers.iter().all(|matcher| matcher.accepts(row.line))
    }

    fn holds(&self, condition: &Condition<'_>, row: &Stored<'_>) -> bool {
        let line = String::from_utf8_lossy(row.line);
        let wanted: Vec<&str> = condition.names().collect();
        let found: Vec<Option<Token<'_>>> = find(&line, &wanted);
        let (instance, handler, rule, format) = self.names(row.shape);
        let Stored { seq, time, level, .. } = *row;
        let row = Row { seq, time, level, instance, handler, rule, format, line: &line };
        let mut get = |name: &str| {
            let place = wanted.iter().position(|wanted| *wanted == name);
            row.value(name, place.and_then(|place| Some(found[place].as_ref()?.value())))
        };
        condition.holds(&mut get, &mut Scratch::new())
    }

    /// Instance, handler, rule and format of a shape. It is stored before its first entry, so one that is missing means
    /// damage; the line is shown all the same.
    pub(super) fn names(&self, shape: i64) -> (&str, &str, &str, Format) {
        match self.shapes.get(&shape) {
            Some(names) => (&names.instance, &names.handler, &names.rule, names.format),
            None => ("", "", "", Format::Json),
        }
    }

    /// At most `step` numbers of one range, from `next` on.
    pub(super) fn from(&self, next: i64, step: i64) -> Option<(i64, i64)> {
        let (first, last) = *self.ranges.iter().find(|(_, last)| *last >= next)?;
        let first = first.max(next);
        Some((first, last.min(self.last).min(first + step - 1)))
    }

    /// At most `step` numbers of one range, down from `upto`.
    pub(super) fn upto(&self, upto: i64, step: i64) -> Option<(i64, i64)> {
        let (first, last) = *self.ranges.iter().rev().find(|(first, _)| *first <= upto)?;
        let last = last.min(upto);
        Some((first.max(last - step + 1), last))
    }
}

/// Whether `name` is a full name, `NAME.KIND.NAMESPACE`, or its first one or two parts. NAME may contain dots.
pub(crate) fn is_called(full: &str, name: &str) -> bool {
    let without_last = |text: &'_ str| text.rfind('.').map(|at| text[..at].len());
    let Some(kind) = without_last(full) else { return full == name };
    let first = without_last(&full[..kind]).unwrap_or(kind);
    name == full || name == &full[..kind] || name == &full[..first]
}

/// The numbers from `first` to `last` whose packs reach into the query's window of time and have what level it wants.
fn ranges(connection: &Connection, query: &Query, first: i64, last: i64) -> rusqlite::Result<Vec<(i64, i64)>> {
    if (query.since, query.until, query.level) == (None, None, None) {
        // Numbers may have been given out to none, however many.
        let end: Option<i64> = connection.query_row("SELECT max(last) FROM pack", [], |row| row.get(0))?;
        return Ok(end.map(|end| (first, last.min(end))).filter(|(first, last)| first <= last).into_iter().collect());
    }
    let (since, until) = (query.since.unwrap_or(i64::MIN), query.until.unwrap_or(i64::MAX));
    let mut statement = connection.prepare_cached(
        "SELECT first, last, info, warning, error FROM pack INDEXED BY pack_summary
         WHERE max_time >= ?1 AND min_time <= ?2 ORDER BY first",
    )?;
    let mut ranges: Vec<(i64, i64)> = Vec::new();
    let mut rows = statement.query([since, until])?;
    while let Some(row) = rows.next()? {
        if of_levels(query.level, [row.get(2)?, row.get(3)?, row.get(4)?]) == 0 {
            continue;
        }
        let (from, to) = (first.max(row.get(0)?), last.min(row.get(1)?));
        match ranges.last_mut() {
            _ if from > to => {}
            Some(before) if before.1 + 1 == from => before.1 = to,
            _ => ranges.push((from, to)),
        }
    }
    Ok(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_called_by_its_full_name_or_the_first_parts_of_it() {
        let full = "egress-access.logentry.istio-system";
        for name in [full, "egress-access.logentry", "egress-access"] {
            assert!(is_called(full, name), "{name}");
        }
        for name in ["egress", "", "logentry", "egress-access.", "egress-access.logentry.default"] {
            assert!(!is_called(full, name), "{name}");
        }
    }

    #[test]
    fn dots_in_a_name_belong_to_the_name() {
        assert!(is_called("a.b.logentry.ns", "a.b"));
        assert!(!is_called("a.b.logentry.ns", "a"));
    }
}
