//! The registry of a state directory, in SQLite.

mod rows;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, TransactionBehavior};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, utimensat};

use crate::resource::{KINDS, Key, Kind, Resource};
use crate::state::{self, StateDir, begin_immediate, open_store};

use super::server_fields::Stamp;
use super::transaction::{has_changes, perform};
use super::{Changes, Committed, ListQuery, Registry, Result, Revision, Transaction, View, Wakeups, seed};

use rows::{Table, Writer};

/// The schema's history; one file a version.
const MIGRATIONS: &[&str] = &[include_str!("../../state/registry/0001_init.sql")];

/// Prepared statements that a connection keeps: a few more than there are different ones.
const STATEMENTS: usize = 32;

/// Opens the database file of a registry.
pub(super) fn open_database(path: &Path) -> Result<Connection> {
    Ok(open_store(path, MIGRATIONS, "registry")?)
}

/// The revision that a connection sees now.
pub(super) fn revision(connection: &Connection, path: &Path) -> Result<Revision> {
    Table { connection, path }.revision()
}

/// The resources of a state directory. Threads and processes may share it: a commit is one SQLite transaction.
#[derive(Debug)]
pub struct SqliteRegistry {
    dir: StateDir,
    store: Store,
}

impl SqliteRegistry {
    /// Opens the registry of a state directory. A new one is given the namespaces `default` and `istio-system`, and in
    /// the latter what stands for Istio's own installation.
    ///
    /// # Errors
    /// [`Error::Store`](super::Error::Store) if the file cannot be used.
    pub fn open(dir: &StateDir) -> Result<Self> {
        Self::open_with(dir, KINDS)
    }

    /// As [`SqliteRegistry::open`], with another table of kinds.
    ///
    /// # Errors
    /// As [`SqliteRegistry::open`].
    pub fn open_with(dir: &StateDir, kinds: &'static [&'static Kind]) -> Result<Self> {
        let registry = Self { dir: dir.clone(), store: Store::open(dir.registry_db(), kinds)? };
        if registry.revision()? == Revision(0) {
            registry.seed()?;
        }
        Ok(registry)
    }

    /// What tells of commits, also those of other processes, from now on.
    ///
    /// # Errors
    /// [`Error::Store`](super::Error::Store) if the file cannot be opened a second time.
    pub fn wakeups(&self) -> Result<Wakeups> {
        Wakeups::open(&self.dir)
    }

    /// Fills a new registry. Asks again under the lock whether it is new: what a user has deleted must stay deleted.
    fn seed(&self) -> Result<()> {
        let connection = self.store.lock();
        let transaction = begin_immediate(&connection, &self.store.path)?;
        if self.store.table(&transaction).revision()? == Revision(0) {
            let operations = seed::operations(self.store.kinds);
            self.store.write(transaction, Transaction { operations })?;
        }
        Ok(())
    }
}

impl View for SqliteRegistry {
    fn get(&self, key: &Key) -> Result<Option<Resource>> {
        self.store.get(key)
    }

    fn list(&self, query: &ListQuery) -> Result<Vec<Resource>> {
        self.store.list(query)
    }

    fn visit(&self, query: &ListQuery, visit: &mut dyn FnMut(Resource)) -> Result<()> {
        self.store.visit(query, visit)
    }

    fn revision(&self) -> Result<Revision> {
        self.store.revision()
    }

    fn changes(&self, since: Revision) -> Result<Changes> {
        let connection = self.store.lock();
        let begun = self.store.begin_read(&connection)?;
        self.store.table(&begun).changes(since, self.store.kinds)
    }

    fn kinds(&self) -> &'static [&'static Kind] {
        self.store.kinds
    }
}

impl Registry for SqliteRegistry {
    fn commit(&self, transaction: Transaction) -> Result<Committed> {
        let connection = self.store.lock();
        let begun = begin_immediate(&connection, &self.store.path)?;
        self.store.write(begun, transaction)
    }

    fn frozen(&self) -> Result<Box<dyn View + Send>> {
        let store = Store::open(self.store.path.clone(), self.store.kinds)?;
        // Never ended: the transaction goes with the connection. Its first read is what picks the moment.
        let begun = store.lock().execute_batch("BEGIN DEFERRED");
        begun.map_err(|error| state::Error::sqlite(&store.path, error))?;
        store.revision()?;
        Ok(Box::new(store))
    }
}

/// A connection with what is needed to read through it.
#[derive(Debug)]
struct Store {
    path: PathBuf,
    kinds: &'static [&'static Kind],
    connection: Mutex<Connection>,
}

impl Store {
    fn open(path: PathBuf, kinds: &'static [&'static Kind]) -> Result<Self> {
        let connection = open_database(&path)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(Self { path, kinds, connection: Mutex::new(connection) })
    }

    /// A thread that panicked has rolled back its transaction, so the connection is good for others.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn table<'c>(&'c self, connection: &'c Connection) -> Table<'c> {
        Table { connection, path: &self.path }
    }

    fn begin_read<'c>(&self, connection: &'c Connection) -> Result<rusqlite::Transaction<'c>> {
        let begun = rusqlite::Transaction::new_unchecked(connection, TransactionBehavior::Deferred);
        Ok(begun.map_err(|error| state::Error::sqlite(&self.path, error))?)
    }

    /// Makes the changes and commits, or drops `begun`, which rolls back.
    fn write(&self, begun: rusqlite::Transaction<'_>, transaction: Transaction) -> Result<Committed> {
        let before = self.table(&begun).revision()?;
        let next = Revision(before.0 + 1);
        let mut writer = Writer { table: self.table(&begun), revision: next };
        let applied = perform(&mut writer, self.kinds, transaction.operations, &Stamp::now(next))?;
        if !has_changes(&applied) {
            return Ok(Committed { revision: before, applied });
        }
        writer.finish()?;
        begun.commit().map_err(|error| state::Error::sqlite(&self.path, error))?;
        announce(&self.path);
        Ok(Committed { revision: next, applied })
    }
}

/// Lets those who watch the file hear of a commit when it counts. Its writes to the write-ahead log are heard before that, as long
/// before as the disk takes to make them durable. By the path: to close a descriptor of the file would give up SQLite's locks on it.
fn announce(path: &Path) {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    // Where it cannot be done the commit is found by those who look now and then.
    let _ = utimensat(CWD, path, &Timestamps { last_access: now, last_modification: now }, AtFlags::empty());
}

impl View for Store {
    fn get(&self, key: &Key) -> Result<Option<Resource>> {
        self.table(&self.lock()).get(key)
    }

    fn list(&self, query: &ListQuery) -> Result<Vec<Resource>> {
        let mut found = Vec::new();
        self.visit(query, &mut |resource| found.push(resource))?;
        Ok(found)
    }

    fn visit(&self, query: &ListQuery, visit: &mut dyn FnMut(Resource)) -> Result<()> {
        self.table(&self.lock()).visit(query, visit)
    }

    fn revision(&self) -> Result<Revision> {
        self.table(&self.lock()).revision()
    }

    fn changes(&self, since: Revision) -> Result<Changes> {
        self.table(&self.lock()).changes(since, self.kinds)
    }

    fn kinds(&self) -> &'static [&'static Kind] {
        self.kinds
    }
}

#[cfg(test)]
mod tests;
