//! The hot store: the newest entries, in an SQLite file.

mod migrate;
pub(super) mod pack;
pub(super) mod packing;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::chain::{self, Hash};
use super::quarantine;
use super::segment::Names;
use super::{Batch, Cost, Entry, Error, Format, Progress, Shape};
use crate::state::{begin_immediate, open_store};
use packing::Packing;

/// The schema's history; the number of those that a file has seen is its `user_version`.
const MIGRATIONS: &[&str] = &[
    include_str!("../../state/log/0001_init.sql"),
    include_str!("../../state/log/0002_segments.sql"),
    include_str!("../../state/log/0003_pruned.sql"),
    include_str!("../../state/log/0004_quarantine.sql"),
    include_str!("../../state/log/0005_used.sql"),
    include_str!("../../state/log/0006_packs.sql"),
    include_str!("../../state/log/0007_frames.sql"),
    include_str!("../../state/log/0008_groups.sql"),
    include_str!("../../state/log/0009_columns.sql"),
];

/// How many shapes are remembered. Each change of the configuration makes new ones; a configuration has a few hundred.
const SHAPES: usize = 4096;

const INSERT_SHAPE: &str =
    "INSERT INTO shape (instance, handler, rule, format) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";

const FIND_SHAPE: &str = "SELECT id FROM shape WHERE instance = ?1 AND handler = ?2 AND rule = ?3 AND format = ?4";

/// A connection to the log's store. Several, also of other processes, may write and ask at the same time.
///
/// Each entry gets a sequence number. SQLite lets one writer at a time into the file, and a writer takes its numbers
/// after it was let in; so numbers grow in the order of commits, and who has seen all entries up to a number never
/// finds a new one below it. Reading in steps and following rest on this.
#[derive(Debug)]
pub struct LogStore {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    /// Ids and hashes of shapes by address; the shape is kept with them, so an address cannot come to mean another one.
    shapes: HashMap<usize, (Arc<Shape>, i64, Hash)>,
    packing: Packing,
    /// Where sealed segments are.
    pub(super) segments: PathBuf,
    /// Segments that could not be read.
    damage: RefCell<Vec<Error>>,
    pub(super) cost: Cell<Cost>,
    /// Segments that were asked, of how many.
    pub(super) progress: Arc<Progress>,
}

impl LogStore {
    /// Opens the store in a file, creating it (mode 0600) where it is missing. One that is damaged is put aside, and a new
    /// one begun that knows the segments; so is one that is missing where segments are. [`Verifier`](super::Verifier) tells.
    ///
    /// `synchronous=NORMAL`: a commit is in the operating system's hands when it returns, so killing the process loses
    /// nothing that was committed; only a crash of the machine can lose the commits since the last checkpoint.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        quarantine::open(path.into())
    }

    /// From now on what is committed is on the disk, so that not even a crash of the machine loses it.
    ///
    /// # Errors
    /// The store's variants of [`Error`].
    pub fn sync_each_commit(&self) -> Result<(), Error> {
        let full = self.connection.execute_batch("PRAGMA synchronous = FULL");
        full.map_err(|error| Error::sqlite(&self.path, error))
    }

    /// Opens the store as it is.
    pub(super) fn open_undamaged(path: PathBuf) -> Result<Self, Error> {
        let connection = open_store(&path, MIGRATIONS, "log")?;
        let normal = connection.execute_batch("PRAGMA synchronous = NORMAL");
        normal.map_err(|error| Error::sqlite(&path, error))?;
        pack_rows(&connection, &path)?;
        let segments = path.with_file_name("segments");
        Ok(Self {
            connection,
            path,
            shapes: HashMap::new(),
            packing: Packing::default(),
            segments,
            damage: RefCell::default(),
            cost: Cell::default(),
            progress: Arc::default(),
        })
    }

    /// The segments that could not be read since this was asked last. What can be read is handed out all the same.
    pub fn take_damage(&self) -> Vec<Error> {
        self.damage.take()
    }

    /// Remembers a segment that cannot be read.
    pub(super) fn note_damage(&self, segment: PathBuf, detail: String) {
        let mut known = self.damage.borrow_mut();
        if !known.iter().any(|error| matches!(error, Error::Segment { path, .. } if *path == segment)) {
            known.push(Error::Segment { path: segment, detail });
        }
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes entries in one transaction: afterwards all are stored, or, with an error, none is.
    ///
    /// # Errors
    /// The store's variants of [`Error`]; the same entries may be tried again.
    pub fn append(&mut self, entries: &[Entry]) -> Result<(), Error> {
        self.append_batch(&entries.iter().collect())
    }

    /// The same of a batch.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn append_batch(&mut self, batch: &Batch) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        self.commit(batch).map_err(|error| {
            // Ids that were given in the transaction went away with it.
            self.shapes.clear();
            self.packing = Packing::default();
            Error::sqlite(&self.path, error)
        })
    }

    /// Gives back what it keeps for the next batch.
    pub(super) fn release_memory(&mut self) {
        self.packing = Packing::default();
        // Only a hint: what is not given back is used again.
        let _ = self.connection.execute_batch("PRAGMA shrink_memory");
    }

    fn commit(&mut self, batch: &Batch) -> rusqlite::Result<()> {
        let transaction = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)?;
        let mut first = next(&transaction)?;
        let mut link = link(&transaction)?;
        let known = &mut self.shapes;
        let shapes = batch.shapes().iter().map(|shape| intern(&transaction, known, shape));
        let shapes: Vec<(i64, Hash)> = shapes.collect::<rusqlite::Result<_>>()?;
        // Their places in the group.
        let mut places = vec![None; shapes.len()];
        for entry in batch.iter() {
            let line = entry.line.as_bytes();
            if self.packing.is_full(line.len()) || self.packing.is_of_earlier_day(entry.time) {
                (first, link) = self.packing.insert_group(&transaction, first, &link)?;
                places.fill(None);
            }
            let place =
                *places[entry.number].get_or_insert_with(|| self.packing.place(entry.shape, shapes[entry.number]));
            self.packing.push(entry.time, entry.level, place, line);
        }
        let (next, _) = self.packing.insert_group(&transaction, first, &link)?;
        transaction.prepare_cached("UPDATE sequence SET next = ?1")?.execute([next])?;
        transaction.commit()
    }

    /// The sequence number of the newest entry that was ever stored, 0 before the first.
    ///
    /// # Errors
    /// The store's variants of [`Error`].
    pub fn newest(&self) -> Result<i64, Error> {
        let next = next(&self.connection).map_err(|error| Error::sqlite(&self.path, error))?;
        Ok(next - 1)
    }
}

fn next(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("SELECT next FROM sequence")?.query_row([], |row| row.get(0))
}

/// The value of the chain of entries at its end.
pub(super) fn link(connection: &Connection) -> rusqlite::Result<Hash> {
    let newest = "SELECT ifnull((SELECT hash FROM pack ORDER BY first DESC LIMIT 1), (SELECT hash FROM link))";
    connection.prepare_cached(newest)?.query_row([], |row| row.get(0))
}

/// The chain begins anew behind an entry, with the value there; packs before it are gone.
pub(super) fn set_start(connection: &Connection, seq: i64, hash: &Hash) -> rusqlite::Result<()> {
    connection.execute("UPDATE link SET seq = ?1, hash = ?2", params![seq, hash]).map(drop)
}

/// Puts what an earlier version stored as rows into packs.
fn pack_rows(connection: &Connection, path: &Path) -> Result<(), Error> {
    let sqlite = |error| Error::sqlite(path, error);
    if !migrate::has_rows(connection).map_err(sqlite)? {
        return Ok(());
    }
    let transaction = begin_immediate(connection, path)?;
    // Somebody else may have done it meanwhile.
    if migrate::has_rows(&transaction).map_err(sqlite)? {
        migrate::pack_rows(&transaction).map_err(sqlite)?;
    }
    transaction.commit().map_err(sqlite)
}

/// The id of a shape, which is given one where it has none, and its hash.
fn intern(
    connection: &Connection,
    known: &mut HashMap<usize, (Arc<Shape>, i64, Hash)>,
    shape: &Arc<Shape>,
) -> rusqlite::Result<(i64, Hash)> {
    let address = Arc::as_ptr(shape).addr();
    if let Some((_, id, hash)) = known.get(&address) {
        return Ok((*id, *hash));
    }
    let row = params![shape.instance, shape.handler, shape.rule, format_code(shape.format)];
    connection.prepare_cached(INSERT_SHAPE)?.execute(row)?;
    let id = connection.prepare_cached(FIND_SHAPE)?.query_row(row, |row| row.get(0))?;
    if known.len() >= SHAPES {
        known.clear();
    }
    let hash = chain::shape(&shape.instance, &shape.handler, &shape.rule, shape.format);
    known.insert(address, (Arc::clone(shape), id, hash));
    Ok((id, hash))
}

/// The names of all shapes, by id.
pub(super) fn shapes(connection: &Connection) -> rusqlite::Result<HashMap<i64, Names>> {
    let mut statement = connection.prepare_cached("SELECT id, instance, handler, rule, format FROM shape")?;
    let rows = statement.query_map([], |row| {
        let format = if row.get::<_, i64>(4)? == 0 { Format::Json } else { Format::Text };
        Ok((row.get(0)?, Names { instance: row.get(1)?, handler: row.get(2)?, rule: row.get(3)?, format }))
    })?;
    rows.collect()
}

fn format_code(format: Format) -> i64 {
    match format {
        Format::Json => 0,
        Format::Text => 1,
    }
}

#[cfg(test)]
mod tests;
