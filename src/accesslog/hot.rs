//! The hot store: the newest entries, in an SQLite file.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::chain::{self, Hash, Item};
use super::quarantine;
use super::segment::Names;
use super::{Cost, Entry, Error, Format, Progress, Shape};
use crate::state::open_store;

/// The schema's history; the number of those that a file has seen is its `user_version`.
const MIGRATIONS: &[&str] = &[
    include_str!("../../state/log/0001_init.sql"),
    include_str!("../../state/log/0002_segments.sql"),
    include_str!("../../state/log/0003_pruned.sql"),
    include_str!("../../state/log/0004_quarantine.sql"),
    include_str!("../../state/log/0005_used.sql"),
];

/// How many consecutive entries one row of the table `block` summarises. Small enough that a window of time reads few
/// entries outside it, large enough that ten million entries have 2,442 rows. Part of the schema: never changes.
const BLOCK: i64 = 4096;

/// How many shapes are remembered. Each change of the configuration makes new ones; a configuration has a few hundred.
const SHAPES: usize = 4096;

const INSERT_ENTRY: &str = "INSERT INTO entry (seq, time, level, shape, line) VALUES (?1, ?2, ?3, ?4, ?5)";

const ADD_TO_BLOCK: &str = "INSERT INTO block (id, min_time, max_time, info, warning, error) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
     ON CONFLICT (id) DO UPDATE SET min_time = min(min_time, excluded.min_time), max_time = max(max_time, excluded.max_time),
         info = info + excluded.info, warning = warning + excluded.warning, error = error + excluded.error";

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
        let segments = path.with_file_name("segments");
        Ok(Self {
            connection,
            path,
            shapes: HashMap::new(),
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
    /// The store's variants of [`Error`]; the same batch may be tried again.
    pub fn append(&mut self, batch: &[Entry]) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        self.commit(batch).map_err(|error| {
            // Ids that were given in the transaction went away with it.
            self.shapes.clear();
            Error::sqlite(&self.path, error)
        })
    }

    fn commit(&mut self, batch: &[Entry]) -> rusqlite::Result<()> {
        let transaction = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)?;
        let first = next(&transaction)?;
        let mut link = link(&transaction)?;
        let mut seq = first;
        {
            let mut insert = transaction.prepare_cached(INSERT_ENTRY)?;
            for entry in batch {
                let (shape, digest) = intern(&transaction, &mut self.shapes, &entry.shape)?;
                let (time, level) = (entry.time, entry.level.code());
                insert.execute(params![seq, time, level, shape, entry.line])?;
                link = chain::entry(&link, &Item { seq, time, level, shape: digest, line: entry.line.as_bytes() });
                seq += 1;
            }
        }
        add_to_blocks(&transaction, first, batch)?;
        transaction.prepare_cached("INSERT INTO link (seq, hash) VALUES (?1, ?2)")?.execute(params![seq - 1, link])?;
        transaction.prepare_cached("UPDATE sequence SET next = ?1")?.execute([seq])?;
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
    let newest = "SELECT hash FROM link ORDER BY seq DESC LIMIT 1";
    connection.prepare_cached(newest)?.query_row([], |row| row.get(0))
}

/// The id of a shape, which is given one where it has none, and its hash.
fn intern<'k>(
    connection: &Connection,
    known: &'k mut HashMap<usize, (Arc<Shape>, i64, Hash)>,
    shape: &Arc<Shape>,
) -> rusqlite::Result<(i64, &'k Hash)> {
    let address = Arc::as_ptr(shape).addr();
    if known.contains_key(&address) {
        let (_, id, hash) = &known[&address];
        return Ok((*id, hash));
    }
    let row = params![shape.instance, shape.handler, shape.rule, format_code(shape.format)];
    connection.prepare_cached(INSERT_SHAPE)?.execute(row)?;
    let id = connection.prepare_cached(FIND_SHAPE)?.query_row(row, |row| row.get(0))?;
    if known.len() >= SHAPES {
        known.clear();
    }
    let hash = chain::shape(&shape.instance, &shape.handler, &shape.rule, shape.format);
    let (_, id, hash) = known.entry(address).insert_entry((Arc::clone(shape), id, hash)).into_mut();
    Ok((*id, hash))
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

fn add_to_blocks(connection: &Connection, first: i64, batch: &[Entry]) -> rusqlite::Result<()> {
    let mut add = connection.prepare_cached(ADD_TO_BLOCK)?;
    let (mut rest, mut seq) = (batch, first);
    while !rest.is_empty() {
        let room = usize::try_from(BLOCK - seq % BLOCK).unwrap_or(1);
        let (here, later) = rest.split_at(room.min(rest.len()));
        let times = || here.iter().map(|entry| entry.time);
        let mut levels = [0_i64; 3];
        for entry in here {
            levels[entry.level as usize] += 1;
        }
        add.execute(params![seq / BLOCK, times().min(), times().max(), levels[0], levels[1], levels[2]])?;
        seq = (seq / BLOCK + 1) * BLOCK;
        rest = later;
    }
    Ok(())
}

/// The block that a sequence number belongs to.
pub(super) fn block_of(seq: i64) -> i64 {
    seq / BLOCK
}

/// The first and the last sequence number that a block covers.
pub(super) fn covered(block: i64) -> (i64, i64) {
    (block * BLOCK, block * BLOCK + (BLOCK - 1))
}

fn format_code(format: Format) -> i64 {
    match format {
        Format::Json => 0,
        Format::Text => 1,
    }
}

#[cfg(test)]
mod tests;
