//! What happened: entries, their store, and questions about them.

use std::sync::Arc;

use smallvec::SmallVec;

/// How bad an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// `info`
    Info,
    /// `warn`
    Warning,
    /// `error`
    Error,
}

/// How a handler wants its lines to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// `TIME<tab>LEVEL<tab>INSTANCE<tab>{"a": 1, "b": "x"}`.
    Text,
}

/// Where a handler's lines go besides the log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outlet {
    /// The proxy's standard output.
    Stdout,
    /// The proxy's standard error.
    Stderr,
    /// A file that is appended to.
    File(std::path::PathBuf),
}

/// What all entries of one rule, instance and handler have in common; made when the configuration is compiled.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Full name of the instance: `egress-access.logentry.istio-system`.
    pub instance: String,
    /// Full name of the handler: `egress-access-handler.stdio.istio-system`.
    pub handler: String,
    /// Full name of the rule: `report-politics.rule.istio-system`.
    pub rule: String,
    /// Form of the printed line.
    pub format: Format,
    /// Where it is printed.
    pub outlet: Outlet,
}

/// A line that a rule asked for.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Microseconds since 1970: when the call was made.
    pub time: i64,
    /// Its level.
    pub level: Level,
    /// What it shares with others.
    pub shape: Arc<Shape>,
    /// The JSON object in the scenario's key order, without newline, whatever the handler's [`Format`].
    pub line: String,
}

/// The entries of one call; most calls make one or two.
pub type Report = SmallVec<[Entry; 2]>;
