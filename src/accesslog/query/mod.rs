//! Questions about the log: a [`Query`] says which entries, a [`Sink`] takes them.

mod automaton;
mod chunk;
mod condition;
mod count;
mod follow;
mod group;
mod leads;
mod mask;
mod named;
mod pattern;
mod plan;
mod program;
mod scan;
mod sealed;
mod select;
mod tally;
mod vocabulary;

use std::borrow::Cow;

pub use condition::{Field, Test};
pub use group::{Group, Measure};
pub use pattern::{Pattern, Syntax};
pub(crate) use plan::is_called;
pub use sealed::Cost;
pub use tally::Grouping;

use super::{Format, Level, line};
use crate::expr::ValueType;

/// Which entries are asked for: those that meet every condition that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Their level.
    pub level: Option<LevelFilter>,
    /// Calls made at this time or later, in microseconds since 1970.
    pub since: Option<i64>,
    /// Calls made before this time, in microseconds since 1970.
    pub until: Option<i64>,
    /// Only the last so many of those that meet the other conditions.
    pub tail: Option<usize>,
    /// Only the first so many of them.
    pub head: Option<usize>,
    /// Their instance: `NAME.KIND.NAMESPACE`, `NAME.KIND` or `NAME`.
    pub instance: Option<String>,
    /// Their handler, in the same forms.
    pub handler: Option<String>,
    /// Their rule, in the same forms.
    pub rule: Option<String>,
    /// What the printed line contains, or, inverted, does not.
    pub patterns: Vec<Pattern>,
    /// What their fields are.
    pub fields: Vec<Field>,
    /// An expression over their fields, in the language of rules.
    pub filter: Option<String>,
    /// Fields, with the types of their values, of entries of other logs that are asked the same: the expression may name them.
    pub beside: Vec<(String, ValueType)>,
}

/// A condition on the level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LevelFilter {
    /// This level.
    Exactly(Level),
    /// This level or a worse one.
    AtLeast(Level),
}

fn passes(filter: Option<LevelFilter>, level: Level) -> bool {
    match filter {
        None => true,
        Some(LevelFilter::Exactly(wanted)) => level == wanted,
        Some(LevelFilter::AtLeast(least)) => level >= least,
    }
}

/// An entry as the store hands it out.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// Its sequence number: grows in the order in which entries were stored.
    pub seq: i64,
    /// Microseconds since 1970: when the call was made.
    pub time: i64,
    /// Its level.
    pub level: Level,
    /// Full name of the instance.
    pub instance: &'a str,
    /// Full name of the handler.
    pub handler: &'a str,
    /// Full name of the rule.
    pub rule: &'a str,
    /// Form of the printed line.
    pub format: Format,
    /// The JSON object, whatever the format.
    pub line: &'a str,
}

impl<'a> Row<'a> {
    /// The line as its handler prints it, without newline.
    pub fn printed(&self) -> Cow<'a, str> {
        line::printed(self.line, self.format)
    }
}

/// Takes entries, in the order in which they were stored. Closures are sinks.
pub trait Sink {
    /// Takes one. `false` ends the query.
    fn entry(&mut self, row: &Row<'_>) -> bool;

    /// Takes several at once, of which it gets nothing but the lines, each with a newline behind it: they are printed as they are
    /// stored. `Some(false)` ends the query; nothing if it wants them one by one.
    fn lines(&mut self, _lines: &str, _count: usize) -> Option<bool> {
        None
    }

    /// Called while following, some fifty times a second, when all that is stored was handed over: the moment to flush
    /// what was printed, and to look whether anybody still reads. `false` ends following.
    fn idle(&mut self) -> bool {
        true
    }
}

impl<F: FnMut(&Row<'_>) -> bool> Sink for F {
    fn entry(&mut self, row: &Row<'_>) -> bool {
        self(row)
    }
}

/// How a query ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// All entries up to this sequence number were considered: from where to follow.
    pub upto: i64,
    /// The sink wanted no more.
    pub stopped: bool,
}

#[cfg(test)]
mod tests;
