//! Why the log cannot be written or asked.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why the log cannot be written or asked. Every variant of the store names the file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file or its directory cannot be created, read or written.
    #[error("cannot use {}: {source}", .path.display())]
    Unwritable {
        /// The directory or file.
        path: PathBuf,
        /// What the operating system, or SQLite for it, said.
        source: io::Error,
    },
    /// The file is no database, or is damaged.
    #[error("{} is damaged: {detail}", .path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// The schema is one that this binary does not know.
    #[error("{} was written by a newer egressctl (schema {found}, this one knows {known})", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The schema version in the file.
        found: usize,
        /// The newest schema version that this binary knows.
        known: usize,
    },
    /// Another process held the lock for too long.
    #[error("{} is locked by another process", .path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// No space is left for a write, which was not made.
    #[error("{} cannot grow: no space left on the disk", .path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// Anything else that SQLite reports.
    #[error("{}: {source}", .path.display())]
    Sql {
        /// The file.
        path: PathBuf,
        /// SQLite's error.
        source: rusqlite::Error,
    },
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
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Error::Corrupt { path, detail: error.to_string() }
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Locked { path },
            Some(ErrorCode::DiskFull) => Error::Full { path },
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Error::Unwritable { path, source: io::Error::other(error) }
            }
            _ => Error::Sql { path, source: error },
        }
    }

    /// What the user can do about it, one sentence.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Error::Unwritable { .. } => {
                Some("make the file and its directory writable for this user, or choose another state directory")
            }
            Error::Corrupt { .. } => Some(
                "stop the proxy and move the file away together with its -wal and -shm files; a new log is then begun",
            ),
            Error::Newer { .. } => Some("use the newer egressctl, or another state directory"),
            Error::Locked { .. } => {
                Some("look for a process that keeps the file locked, such as a backup or an SQLite shell")
            }
            Error::Full { .. } => Some("free space on the disk that holds the state directory"),
            Error::Sql { .. } => None,
            Error::Pattern { .. } => {
                Some("quote the characters that have a meaning in regular expressions, or search for fixed text")
            }
        }
    }
}
