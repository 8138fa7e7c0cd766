//! Opening an SQLite store: private files, write-ahead log, schema brought up to date.

use std::fs::{OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};
use rustix::fs::Access;

use super::Error;

/// Stores are read and written by their owner alone.
const FILE_MODE: u32 = 0o600;

/// How long to wait for another process's lock: its longest write is a large `create`, well below a second.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// Pause before asking again where SQLite reports a lock without waiting by itself.
const RETRY_PAUSE: Duration = Duration::from_millis(5);

/// Opens the store in a file, creating it with mode 0600 if it is missing, and runs those `migrations` that it has not
/// seen yet; migration *n* leads to schema *n* (from 1), which `user_version` records. `store` is the store's name
/// (`registry`); a file that carries another one is refused.
///
/// The connection is in WAL mode with `synchronous=FULL`, foreign keys enforced, and waits up to five seconds for locks.
/// Several processes may open, and migrate, at the same time.
///
/// # Errors
/// Every variant of [`Error`].
pub fn open_store(path: &Path, migrations: &[&str], store: &str) -> Result<Connection, Error> {
    create_private(path).map_err(|error| Error::unwritable(path, error))?;
    let opened = Opening { path, migrations, store };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = opened.sql(Connection::open_with_flags(path, flags))?;
    opened.sql(connection.busy_timeout(LOCK_WAIT))?;
    opened.check_version(&connection)?;
    opened.sql(configure(&connection))?;
    opened.migrate(&connection)?;
    Ok(connection)
}

/// Begins a transaction that may write, waiting for the lock.
///
/// # Errors
/// [`Error::Busy`] if others hold the lock for too long.
pub fn begin_immediate<'c>(connection: &'c Connection, path: &Path) -> Result<Transaction<'c>, Error> {
    patiently(|| Transaction::new_unchecked(connection, TransactionBehavior::Immediate))
        .map_err(|error| Error::sqlite(path, error))
}

/// Creates the file before SQLite does, which would use the umask; the -wal and -shm files take over its mode.
fn create_private(path: &Path) -> std::io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path) {
        Ok(file) => file.set_permissions(Permissions::from_mode(FILE_MODE)),
        // Not by opening it: to close any descriptor of the file gives up the locks that SQLite has on it in this process.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Ok(rustix::fs::access(path, Access::READ_OK | Access::WRITE_OK)?)
        }
        Err(error) => Err(error),
    }
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    // Two connections that switch a new file to WAL at once can meet SQLITE_BUSY without SQLite having waited.
    patiently(|| connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())))?;
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")
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

/// What [`open_store`] was asked for.
struct Opening<'a> {
    path: &'a Path,
    migrations: &'a [&'a str],
    store: &'a str,
}

impl Opening<'_> {
    fn sql<T>(&self, result: rusqlite::Result<T>) -> Result<T, Error> {
        result.map_err(|error| Error::sqlite(self.path, error))
    }

    /// The file's schema version, after making sure that the file is ours and not newer than we are.
    fn check_version(&self, connection: &Connection) -> Result<usize, Error> {
        let pragma = |name: &str| self.sql(connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)));
        let count = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        // Counted first: if another process migrates meanwhile, what is read after the count is already its work.
        let objects = self.sql(connection.query_row("SELECT count(*) FROM sqlite_schema", [], count))?;
        let (found, owner) = (pragma("user_version")?, pragma("application_id")?);
        let is_new = found == 0 && objects == 0;
        if !is_new && owner != application_id(self.store) {
            return Err(Error::Foreign { path: self.path.to_owned(), store: self.store.to_owned() });
        }
        let (found, known) = (usize::try_from(found).unwrap_or_default(), self.migrations.len());
        if found > known {
            return Err(Error::Newer { path: self.path.to_owned(), found, known });
        }
        Ok(found)
    }

    fn migrate(&self, connection: &Connection) -> Result<(), Error> {
        if self.check_version(connection)? == self.migrations.len() {
            return Ok(());
        }
        let transaction = begin_immediate(connection, self.path)?;
        // Asked again under the lock: another process may have migrated in between.
        let found = self.check_version(&transaction)?;
        for migration in &self.migrations[found..] {
            self.sql(transaction.execute_batch(migration))?;
        }
        let known = i64::try_from(self.migrations.len()).expect("a handful of migrations");
        self.sql(transaction.pragma_update(None, "user_version", known))?;
        self.sql(transaction.pragma_update(None, "application_id", application_id(self.store)))?;
        self.sql(transaction.commit())
    }
}

/// SQLite's 31 bits for telling whose database a file is: `eg`, then a hash of the store's name.
fn application_id(store: &str) -> i64 {
    let hash = store.bytes().fold(0_u16, |hash, byte| hash.wrapping_mul(31).wrapping_add(u16::from(byte)));
    (i64::from(b'e') << 24) | (i64::from(b'g') << 16) | i64::from(hash)
}

#[cfg(test)]
mod tests;
