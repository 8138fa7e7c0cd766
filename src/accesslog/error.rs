//! Why the log cannot be written or asked.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::diagnostic::Problem;
use crate::state;

/// Why the log cannot be written or asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store's file; the error names it.
    #[error(transparent)]
    Store(#[from] state::Error),
    /// A file beside the store: a segment, a folder of segments, the lock.
    #[error("cannot use {}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: std::io::Error,
    },
    /// A sealed segment is not what it was, or cannot be read.
    #[error("the segment {} cannot be read: {detail}", .path.display())]
    Segment {
        /// Its file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The file is no key that heads of the log could be signed with.
    #[error("{} holds no Ed25519 key", .0.display())]
    Key(PathBuf),
    /// A pattern of a query is no regular expression, or too large a one.
    #[error("invalid pattern \"{pattern}\": {source}")]
    Pattern {
        /// As it was given.
        pattern: String,
        /// What is wrong with it.
        source: Box<regex::Error>,
    },
    /// An expression of a query does not compile over the fields that entries have.
    #[error("invalid expression '{text}': {}", .problem.message)]
    Filter {
        /// As it was given.
        text: String,
        /// What is wrong with it, and where.
        problem: Box<Problem>,
    },
}

impl Error {
    /// What an SQLite error on a file means to the user.
    pub(super) fn sqlite(path: &Path, error: rusqlite::Error) -> Self {
        state::Error::sqlite(path, error).into()
    }

    pub(super) fn file(path: &Path, source: std::io::Error) -> Self {
        Error::File { path: path.to_owned(), source }
    }

    /// What the user can do about it, one sentence.
    pub fn hint(&self) -> Option<Cow<'static, str>> {
        match self {
            Error::Store(error) => error.hint(),
            Error::File { .. } => Some("is there room, and may this user write there?".into()),
            Error::Segment { .. } => {
                Some("the rest of the log was read; `egressctl logs verify` tells what happened to this part".into())
            }
            Error::Key(_) => Some("restore the file from a copy, or move it away to begin with a new key".into()),
            Error::Filter { problem, .. } => problem.help.clone().map(Cow::Owned),
            Error::Pattern { .. } => {
                Some("quote the characters that have a meaning in regular expressions, or search for fixed text".into())
            }
        }
    }
}
