//! From a query to what is read: SQL conditions, ranges of sequence numbers, matchers.

use std::collections::HashMap;
use std::fmt::Write;

use rusqlite::Connection;

use super::pattern::Matcher;
use super::{LevelFilter, Query};
use crate::accesslog::hot::{covered, shapes};
use crate::accesslog::segment::Names;
use crate::accesslog::{Error, Format, Level};

/// How the entries with numbers in a certain span are read for a query.
#[derive(Debug)]
pub(super) struct Plan<'q> {
    pub(super) query: &'q Query,
    /// The span, both ends included.
    pub(super) first: i64,
    pub(super) last: i64,
    /// Numbers of rows that may be wanted: ascending, disjoint, both ends included.
    pub(super) ranges: Vec<(i64, i64)>,
    /// The names of all shapes that occur.
    pub(super) shapes: HashMap<i64, Names>,
    pub(super) matchers: &'q [Matcher],
    /// What SQLite checks, as ` AND …`. Contains nothing but numbers, so there is nothing to escape.
    conditions: String,
    /// Whether the index of warnings and errors has all that is wanted.
    severe: bool,
}

/// Compiles the patterns of a query.
pub(super) fn matchers(query: &Query) -> Result<Vec<Matcher>, Error> {
    query.patterns.iter().map(|pattern| pattern.compile()).collect()
}

impl<'q> Plan<'q> {
    /// Plans to read the entries from `first` to `last`, both included.
    pub(super) fn new(
        connection: &Connection,
        query: &'q Query,
        matchers: &'q [Matcher],
        (first, last): (i64, i64),
    ) -> rusqlite::Result<Self> {
        let shapes = shapes(connection)?;
        let (conditions, severe) = level_condition(query.level);
        let mut plan = Self { query, first, last, ranges: Vec::new(), shapes, matchers, conditions, severe };
        plan.ranges = ranges(connection, query, first, last)?;
        plan.add_time(query);
        plan.add_shapes(query);
        Ok(plan)
    }

    fn add_time(&mut self, query: &Query) {
        if let Some(since) = query.since {
            self.add(format_args!("time >= {since}"));
        }
        if let Some(until) = query.until {
            self.add(format_args!("time < {until}"));
        }
    }

    fn add_shapes(&mut self, query: &Query) {
        let wanted = |name: &Option<String>, full: &str| name.as_ref().is_none_or(|name| is_called(full, name));
        let is_wanted = |names: &Names| {
            wanted(&query.instance, &names.instance)
                && wanted(&query.handler, &names.handler)
                && wanted(&query.rule, &names.rule)
        };
        let ids: Vec<String> =
            self.shapes.iter().filter(|(_, names)| is_wanted(names)).map(|(id, _)| id.to_string()).collect();
        if ids.is_empty() {
            self.ranges.clear();
        } else if ids.len() < self.shapes.len() {
            self.add(format_args!("shape IN ({})", ids.join(",")));
        }
    }

    fn add(&mut self, condition: std::fmt::Arguments<'_>) {
        write!(self.conditions, " AND {condition}").expect("writing to a String does not fail");
    }

    /// A statement that reads `columns` of the entries numbered ?1 to ?2.
    pub(super) fn sql(&self, columns: &str, order: &str) -> String {
        let index = if self.severe { "INDEXED BY entry_severe" } else { "NOT INDEXED" };
        format!("SELECT {columns} FROM entry {index} WHERE seq BETWEEN ?1 AND ?2{} {order}", self.conditions)
    }

    /// Whether the conditions that SQLite does not check hold for a row.
    pub(super) fn accepts(&self, shape: i64, line: &[u8]) -> bool {
        if self.matchers.is_empty() {
            return true;
        }
        if self.shapes.get(&shape).is_some_and(|names| names.format == Format::Text) {
            let line = String::from_utf8_lossy(line);
            let printed = crate::accesslog::line::printed(&line, Format::Text);
            return self.matchers.iter().all(|matcher| matcher.accepts(printed.as_bytes()));
        }
        self.matchers.iter().all(|matcher| matcher.accepts(line))
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
pub(super) fn is_called(full: &str, name: &str) -> bool {
    let without_last = |text: &'_ str| text.rfind('.').map(|at| text[..at].len());
    let Some(kind) = without_last(full) else { return full == name };
    let first = without_last(&full[..kind]).unwrap_or(kind);
    name == full || name == &full[..kind] || name == &full[..first]
}

fn level_condition(filter: Option<LevelFilter>) -> (String, bool) {
    let (level, operator) = match filter {
        None | Some(LevelFilter::AtLeast(Level::Info)) => return (String::new(), false),
        Some(LevelFilter::Exactly(level)) => (level, "="),
        Some(LevelFilter::AtLeast(level)) => (level, ">="),
    };
    let severe = level > Level::Info;
    // SQLite takes the partial index only where it sees the index's own condition.
    let own = if severe { " AND level > 0" } else { "" };
    (format!("{own} AND level {operator} {}", level.code()), severe)
}

/// The numbers from `first` to `last` whose blocks reach into the query's window of time.
fn ranges(connection: &Connection, query: &Query, first: i64, last: i64) -> rusqlite::Result<Vec<(i64, i64)>> {
    let (since, until) = (query.since.unwrap_or(i64::MIN), query.until.unwrap_or(i64::MAX));
    let mut statement =
        connection.prepare_cached("SELECT id FROM block WHERE max_time >= ?1 AND min_time <= ?2 ORDER BY id")?;
    let mut ranges: Vec<(i64, i64)> = Vec::new();
    let mut rows = statement.query([since, until])?;
    while let Some(row) = rows.next()? {
        let (start, end) = covered(row.get(0)?);
        let (from, to) = (first.max(start), last.min(end));
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
