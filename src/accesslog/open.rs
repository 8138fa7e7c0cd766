//! Opening the hot store: private files, write-ahead log, schema.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use super::Error;

/// The schema's history; the number of those that a file has seen is its `user_version`.
const MIGRATIONS: &[&str] = &[include_str!("../../state/log/0001_init.sql")];

/// Records of who called what are their owner's alone.
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// How long to wait for another process's lock; a group commit or a checkpoint takes milliseconds.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// Pause before asking again where SQLite reports a lock without waiting by itself.
const RETRY_PAUSE: Duration = Duration::from_millis(5);

/// Opens the hot store in a file, creating it (0600) and its directory (0700) where they are missing.
///
/// `synchronous=NORMAL`: a commit is in the operating system's hands when it returns, so killing the process loses
/// nothing that was committed; only a crash of the machine can lose the commits since the last checkpoint.
pub(super) fn open(path: &Path) -> Result<Connection, Error> {
    create_private(path).map_err(|source| Error::Unwritable { path: path.to_owned(), source })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let sql = |error| Error::sqlite(path, error);
    let connection = Connection::open_with_flags(path, flags).map_err(sql)?;
    connection.busy_timeout(LOCK_WAIT).map_err(sql)?;
    // Two connections that switch a new file to WAL at once can meet SQLITE_BUSY without SQLite having waited.
    patiently(|| connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))).map_err(sql)?;
    connection.execute_batch("PRAGMA synchronous = NORMAL").map_err(sql)?;
    let found = migrate(&connection).map_err(sql)?;
    if found > MIGRATIONS.len() {
        return Err(Error::Newer { path: path.to_owned(), found, known: MIGRATIONS.len() });
    }
    Ok(connection)
}

/// Creates the file before SQLite does, which would use the umask; the -wal and -shm files take over its mode.
fn create_private(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(parent)?;
    }
    OpenOptions::new().write(true).create(true).truncate(false).mode(FILE_MODE).open(path).map(drop)
}

/// Runs what the file has not seen; the schema version it has afterwards.
fn migrate(connection: &Connection) -> rusqlite::Result<usize> {
    if version(connection)? >= MIGRATIONS.len() {
        return version(connection);
    }
    let transaction = patiently(|| Transaction::new_unchecked(connection, TransactionBehavior::Immediate))?;
    // Asked again under the lock: another process may have migrated in between.
    for migration in MIGRATIONS.get(version(&transaction)?..).unwrap_or_default() {
        transaction.execute_batch(migration)?;
    }
    let known = i64::try_from(MIGRATIONS.len()).expect("a handful of migrations");
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    version(connection)
}

fn version(connection: &Connection) -> rusqlite::Result<usize> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or_default())
}

/// Repeats an attempt while the database is locked, for at most [`LOCK_WAIT`].
fn patiently<T>(mut attempt: impl FnMut() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    let deadline = Instant::now() + LOCK_WAIT;
    loop {
        match attempt() {
            Err(error) if is_busy(&error) && Instant::now() < deadline => thread::sleep(RETRY_PAUSE),
            result => return result,
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}
