//! What happened: entries, their store, and questions about them.
//!
//! A rule makes an [`Entry`], whose text [`line`](mod@line) builds. A call takes a [`Permit`] from the [`Recorder`] before it is
//! forwarded and leaves its [`Report`] there; one thread commits the reports of 50 ms at once to the [`LogStore`] and then
//! prints them to their [`Outlet`]s. A [`Sealer`] moves the oldest rows into Parquet files. A [`Query`] asks the store, sealed
//! or not, and following continues where the answer ended. A [`Verifier`] tells whether all of it is as it was recorded.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::state::StateDir;

mod batch;
mod chain;
mod error;
mod gap;
mod group;
mod head;
mod health;
mod hot;
mod import;
pub mod line;
mod logs;
mod outlet;
mod progress;
mod quarantine;
mod query;
mod recorder;
mod redact;
mod segment;
mod verify;
mod writer;

pub use batch::{Batch, Recorded, Report};
pub use error::Error;
pub use head::Exported;
pub use health::{Health, Notice};
pub use hot::LogStore;
#[cfg(feature = "fuzzing")]
pub use import::imported_line;
pub use import::{Imported, Importer, Input};
pub use logs::Logs;
pub use outlet::Outlets;
pub(crate) use outlet::standard_error;
pub use progress::Progress;
pub(crate) use query::is_called;
pub use query::{Answer, Cost, Field, Group, Grouping, LevelFilter, Measure, Pattern, Query, Row, Sink, Syntax, Test};
pub use recorder::{Config, Overload, Permit, Recorder, Unstored, WhenFull, Writer};
pub use redact::{REDACTED, Redact, is_credential, path_credentials};
pub use segment::export::Export;
pub use segment::prune::{Prune, Retention};
pub use segment::seal::{Limits, Sealed, Sealer};
pub use segment::thread::Sealing;
pub use verify::{Finding, Verified, Verifier};
pub use writer::Append;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// What a log is of. Each has a store, segments and a chain of its own, so that asking one never reads the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// The lines that rules ask for, and those of calls that were refused.
    Lines,
    /// One record of each call, whether a rule asks for a line or not.
    Accesses,
}

impl Stream {
    /// Both.
    pub const ALL: [Stream; 2] = [Stream::Lines, Stream::Accesses];

    /// The folder of the state directory where it is.
    pub fn folder(self) -> &'static str {
        match self {
            Stream::Lines => "log",
            Stream::Accesses => "access",
        }
    }

    /// What it has, of which there are so many.
    pub fn counted(self, count: i64) -> String {
        let (one, many) = match self {
            Stream::Lines => ("entry", "entries"),
            Stream::Accesses => ("access", "accesses"),
        };
        format!("{count} {}", if count == 1 { one } else { many })
    }

    /// Its hot store.
    pub fn hot_db(self, state: &StateDir) -> PathBuf {
        match self {
            Stream::Lines => state.hot_db(),
            Stream::Accesses => state.access_db(),
        }
    }

    fn segments(self, state: &StateDir) -> PathBuf {
        match self {
            Stream::Lines => state.segments(),
            Stream::Accesses => state.access_segments(),
        }
    }
}

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

impl Level {
    /// All of them, from harmless to bad.
    pub const ALL: [Level; 3] = [Level::Info, Level::Warning, Level::Error];

    /// As lines spell it: `info`, `warn`, `error`.
    pub fn name(self) -> &'static str {
        match self {
            Level::Info => "info",
            Level::Warning => "warn",
            Level::Error => "error",
        }
    }

    /// As the store writes it: the place in [`Level::ALL`].
    fn code(self) -> i64 {
        match self {
            Level::Info => 0,
            Level::Warning => 1,
            Level::Error => 2,
        }
    }

    /// The level of a stored code; what is above [`Level::Error`] is one.
    fn from_code(code: i64) -> Self {
        match code {
            ..=0 => Level::Info,
            1 => Level::Warning,
            2.. => Level::Error,
        }
    }
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
    File(PathBuf),
    /// A file that is appended to, and moved aside when it is full.
    RotatedFile(PathBuf, Rotation),
    /// A Fluentd, which gets records instead of lines.
    Fluentd(Fluentd),
}

/// How a file is rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rotation {
    /// Bytes at which the file is moved aside.
    pub max_bytes: u64,
    /// Age at which files that were moved aside are removed; without it never.
    pub max_age: Option<Duration>,
    /// Files that were moved aside and are kept; without it all.
    pub max_files: Option<usize>,
}

/// A Fluentd, and how entries get there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fluentd {
    /// `HOST:PORT`.
    pub address: String,
    /// Entries that wait to be batched; what comes when so many wait is not sent.
    pub buffer: usize,
    /// Bytes at which a batch is sent; a larger entry is not sent at all.
    pub max_batch: usize,
    /// Longest time that an entry waits for its batch to fill.
    pub push_interval: Duration,
    /// Longest time that connecting, and one write, may take.
    pub push_timeout: Duration,
}

impl std::fmt::Display for Outlet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Outlet::Stdout => f.write_str("standard output"),
            Outlet::Stderr => f.write_str("standard error"),
            Outlet::File(path) | Outlet::RotatedFile(path, _) => path.display().fmt(f),
            Outlet::Fluentd(fluentd) => write!(f, "fluentd at {}", fluentd.address),
        }
    }
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

/// A line that a rule asked for, or the record of a call.
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

#[cfg(test)]
mod testing;
