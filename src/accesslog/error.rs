//! Why the log cannot be written or asked.

use std::borrow::Cow;
use std::path::Path;

use crate::state;

/// Why the log cannot be written or asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store's file; the error names it.
    #[error(transparent)]
    Store(#[from] state::Error),
    /// A pattern of a query is no regular expression, or too large a one.
    #[error("invalid pattern \"{pattern}\": {source}")]
    Pattern {
        /// As it was given.
        pattern: String,
        /// What is wrong with it.
        source: Box<regex::Error>,
    },
}

impl Error {
    /// What an SQLite error on a file means to the user.
    pub(super) fn sqlite(path: &Path, error: rusqlite::Error) -> Self {
        state::Error::sqlite(path, error).into()
    }

    /// What the user can do about it, one sentence.
    pub fn hint(&self) -> Option<Cow<'static, str>> {
        match self {
            Error::Store(error) => error.hint(),
            Error::Pattern { .. } => {
                Some("quote the characters that have a meaning in regular expressions, or search for fixed text".into())
            }
        }
    }
}
