//! The list of segments in the store.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, Row, params};

use crate::accesslog::chain::Hash;
use crate::accesslog::head::Head;

/// A segment as the store lists it. Times are in microseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Its place in the chain, from 1.
    pub(crate) id: i64,
    /// Its file below `segments/`.
    pub(crate) name: String,
    /// Numbers of its first and last entry.
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// Times of its earliest and latest entry.
    pub(crate) min_time: i64,
    pub(crate) max_time: i64,
    /// Entries by level.
    pub(crate) levels: [i64; 3],
    /// Bytes of its file.
    pub(crate) bytes: i64,
    /// When it was sealed.
    pub(crate) sealed: i64,
    /// The chain of entries before its first and after its last.
    pub(crate) before: Hash,
    pub(crate) link: Hash,
    /// The hash of its file.
    pub(crate) digest: Hash,
    /// The chain of segments before and after it.
    pub(crate) previous: Hash,
    pub(crate) hash: Hash,
    /// The node's, over [`head`](Self::head).
    pub(crate) signature: Vec<u8>,
    /// Why its rows may not be what was recorded; empty if they are.
    pub(crate) doubt: String,
}

const COLUMNS: &str = "id, name, first, last, min_time, max_time, info, warning, error, bytes, sealed, before, link,
     digest, previous, hash, signature, doubt";

impl Segment {
    /// How many entries it has.
    pub(crate) fn rows(&self) -> i64 {
        self.levels.iter().sum()
    }

    /// Its file.
    pub(crate) fn path(&self, segments: &Path) -> PathBuf {
        segments.join(&self.name)
    }

    /// The head of the log as if it ended here.
    pub(crate) fn head(&self) -> Head {
        Head { segments: self.id, hash: self.hash, sequence: self.last, link: self.link, time: self.sealed }
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            name: row.get(1)?,
            first: row.get(2)?,
            last: row.get(3)?,
            min_time: row.get(4)?,
            max_time: row.get(5)?,
            levels: [row.get(6)?, row.get(7)?, row.get(8)?],
            bytes: row.get(9)?,
            sealed: row.get(10)?,
            before: row.get(11)?,
            link: row.get(12)?,
            digest: row.get(13)?,
            previous: row.get(14)?,
            hash: row.get(15)?,
            signature: row.get(16)?,
            doubt: row.get(17)?,
        })
    }

    /// Lists it.
    pub(crate) fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        let [info, warning, error] = self.levels;
        let sql = format!(
            "INSERT INTO segment ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)"
        );
        let row = params![
            self.id,
            self.name,
            self.first,
            self.last,
            self.min_time,
            self.max_time,
            info,
            warning,
            error,
            self.bytes,
            self.sealed,
            self.before,
            self.link,
            self.digest,
            self.previous,
            self.hash,
            self.signature,
            self.doubt
        ];
        connection.execute(&sql, row).map(drop)
    }

    /// All segments, in the order of the chain.
    pub(crate) fn all(connection: &Connection) -> rusqlite::Result<Vec<Self>> {
        let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM segment ORDER BY id"))?;
        statement.query_map([], Self::read)?.collect()
    }

    /// The first that holds entries from a number on.
    pub(crate) fn from(connection: &Connection, seq: i64) -> rusqlite::Result<Option<Self>> {
        one(connection, "WHERE last >= ?1 ORDER BY last LIMIT 1", seq)
    }

    /// The last that holds entries up to a number.
    pub(crate) fn upto(connection: &Connection, seq: i64) -> rusqlite::Result<Option<Self>> {
        one(connection, "WHERE first <= ?1 ORDER BY last DESC LIMIT 1", seq)
    }

    /// The newest.
    pub(crate) fn newest(connection: &Connection) -> rusqlite::Result<Option<Self>> {
        Self::upto(connection, i64::MAX)
    }
}

fn one(connection: &Connection, clause: &str, seq: i64) -> rusqlite::Result<Option<Segment>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM segment {clause}"))?;
    let mut rows = statement.query([seq])?;
    rows.next()?.map(Segment::read).transpose()
}
