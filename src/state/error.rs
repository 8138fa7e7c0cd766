//! Why the state directory or a store in it cannot be used.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why the state directory or a store in it cannot be used. Every variant names the file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be created, read or written.
    #[error("cannot use {}: {source}", .path.display())]
    Unwritable {
        /// The directory or file.
        path: PathBuf,
        /// What the operating system, or SQLite for it, said.
        source: io::Error,
    },
    /// Others than the owner may write the directory, or enter one that holds sockets, keys or the log.
    #[error("{} is open to others than its owner (its mode is {mode:04o})", .path.display())]
    Open {
        /// The directory.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file is no database, or is damaged.
    #[error("{} is damaged: {detail}", .path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// The file is a database, but another program's or another store's.
    #[error("{} is an SQLite database, but not egressctl's {store}", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The store that was expected in it.
        store: String,
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
    /// Other processes held the lock for too long.
    #[error("{} is locked by another process", .path.display())]
    Busy {
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
}

impl Error {
    /// An operating system error on a path.
    pub fn unwritable(path: &Path, source: io::Error) -> Self {
        Error::Unwritable { path: path.to_owned(), source }
    }

    /// What an SQLite error on a file means to the user.
    pub fn sqlite(path: &Path, error: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Error::Corrupt { path, detail: error.to_string() }
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Busy { path },
            Some(ErrorCode::DiskFull) => Error::Full { path },
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Error::Unwritable { path, source: io::Error::other(error) }
            }
            // Our statements find what our schema promises, so a row that is not there, or not what it should be, is gone.
            None if is_unexpected(&error) => {
                Error::Corrupt { path, detail: format!("its content is not what egressctl wrote ({error})") }
            }
            _ => Error::Sql { path, source: error },
        }
    }

    /// What the user can do about it, one sentence.
    pub fn hint(&self) -> Option<Cow<'static, str>> {
        if let Error::Open { path, .. } = self {
            return Some(format!("make it private: chmod 700 '{}'", path.display()).into());
        }
        self.advice().map(Cow::Borrowed)
    }

    fn advice(&self) -> Option<&'static str> {
        match self {
            Error::Unwritable { .. } => {
                Some("choose a state directory that this user can create and write, or make this one writable")
            }
            Error::Corrupt { .. } => Some(
                "restore the file from a copy, or move it away together with its -wal and -shm files to start anew",
            ),
            Error::Foreign { .. } => Some("choose another state directory, or move the file away"),
            Error::Newer { .. } => Some("use the newer egressctl, or another state directory"),
            Error::Busy { .. } => Some("try again; if it stays locked, look for a process that keeps the file open"),
            Error::Full { .. } => Some("free space on the disk that holds the state directory and try again"),
            Error::Sql { .. } | Error::Open { .. } => None,
        }
    }
}

/// Whether a statement ran, but found other rows or values than there can be.
fn is_unexpected(error: &rusqlite::Error) -> bool {
    use rusqlite::Error;
    matches!(
        error,
        Error::QueryReturnedNoRows
            | Error::InvalidColumnType(..)
            | Error::FromSqlConversionFailure(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::Utf8Error(..)
    )
}
