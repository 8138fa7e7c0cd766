//! The list of segments in the store.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, Row, params};

use crate::accesslog::chain::{Hash, hex};
use crate::accesslog::head::Head;

/// A segment as the store lists it. Times are in microseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Its place in the chain, from 1.
    pub(crate) id: i64,
    /// Its file below `segments/`.
    pub(crate) name: String,
    /// Numbers of its first and last entry when it was sealed.
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// Times of its earliest and latest entry.
    pub(crate) min_time: i64,
    pub(crate) max_time: i64,
    /// Entries by level.
    pub(crate) levels: [i64; 3],
    /// Bytes of its file.
    pub(crate) bytes: i64,
    /// The hash of its file.
    pub(crate) digest: Hash,
    /// When it was sealed.
    pub(crate) sealed: i64,
    /// The chain of entries before its first and after its last.
    pub(crate) before: Hash,
    pub(crate) link: Hash,
    /// The hash of the file that was sealed.
    pub(crate) sealed_digest: Hash,
    /// The chain of segments before and after it.
    pub(crate) previous: Hash,
    pub(crate) hash: Hash,
    /// The node's, over [`head`](Self::head).
    pub(crate) signature: Vec<u8>,
    /// Why its rows may not be what was recorded; empty if they are.
    pub(crate) doubt: String,
    /// What was left of it, if entries were pruned.
    pub(crate) left: Option<Left>,
}

/// What was left of a segment when entries were pruned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Left {
    /// When that was.
    pub(crate) time: i64,
    /// Whether all segments before it are gone, and not listed any more.
    pub(crate) prefix: bool,
    pub(crate) name: String,
    pub(crate) min_time: i64,
    pub(crate) max_time: i64,
    pub(crate) levels: [i64; 3],
    pub(crate) bytes: i64,
    pub(crate) digest: Hash,
    /// The node's, over [`text`](Self::text).
    pub(crate) signature: Vec<u8>,
}

/// What is now (a pruned segment's own figures, else the sealed one's), then what was sealed, then what was left.
const SELECT: &str = "SELECT s.id, ifnull(p.name, s.name), s.first, s.last, ifnull(p.min_time, s.min_time),
     ifnull(p.max_time, s.max_time), ifnull(p.info, s.info), ifnull(p.warning, s.warning), ifnull(p.error, s.error),
     ifnull(p.bytes, s.bytes), ifnull(p.digest, s.digest), s.sealed, s.before, s.link, s.digest, s.previous, s.hash,
     s.signature, s.doubt, p.time, p.prefix, p.signature FROM segment s LEFT JOIN pruned p ON p.id = s.id";

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

    /// What is left of it as it is now, to be lessened.
    pub(crate) fn left(&self, time: i64) -> Left {
        Left {
            time,
            prefix: false,
            name: self.name.clone(),
            min_time: self.min_time,
            max_time: self.max_time,
            levels: self.levels,
            bytes: self.bytes,
            digest: self.digest,
            signature: Vec::new(),
        }
    }

    /// A name for a smaller file in its place.
    pub(crate) fn next_name(&self) -> String {
        let stem = self.name.trim_end_matches(".parquet");
        let (day, file) = stem.split_once('/').unwrap_or(("", stem));
        let mut parts = file.splitn(3, '-');
        let (first, last) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let version = parts.next().and_then(|version| version.parse::<u32>().ok()).unwrap_or(1);
        format!("{day}/{first}-{last}-{}.parquet", version + 1)
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let mut segment = Self {
            id: row.get(0)?,
            name: row.get(1)?,
            first: row.get(2)?,
            last: row.get(3)?,
            min_time: row.get(4)?,
            max_time: row.get(5)?,
            levels: [row.get(6)?, row.get(7)?, row.get(8)?],
            bytes: row.get(9)?,
            digest: row.get(10)?,
            sealed: row.get(11)?,
            before: row.get(12)?,
            link: row.get(13)?,
            sealed_digest: row.get(14)?,
            previous: row.get(15)?,
            hash: row.get(16)?,
            signature: row.get(17)?,
            doubt: row.get(18)?,
            left: None,
        };
        if let Some(time) = row.get(19)? {
            segment.left = Some(Left { prefix: row.get(20)?, signature: row.get(21)?, ..segment.left(time) });
        }
        Ok(segment)
    }

    /// Lists it.
    pub(crate) fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        let [info, warning, error] = self.levels;
        let sql = "INSERT INTO segment (id, name, first, last, min_time, max_time, info, warning, error, bytes, sealed,
             before, link, digest, previous, hash, signature, doubt)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)";
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
            self.sealed_digest,
            self.previous,
            self.hash,
            self.signature,
            self.doubt
        ];
        connection.execute(sql, row).map(drop)
    }

    /// All segments, in the order of the chain.
    pub(crate) fn all(connection: &Connection) -> rusqlite::Result<Vec<Self>> {
        let mut statement = connection.prepare_cached(&format!("{SELECT} ORDER BY s.id"))?;
        statement.query_map([], Self::read)?.collect()
    }

    /// The first that holds entries from a number on.
    pub(crate) fn from(connection: &Connection, seq: i64) -> rusqlite::Result<Option<Self>> {
        one(connection, "WHERE s.last >= ?1 ORDER BY s.last LIMIT 1", seq)
    }

    /// The last that holds entries up to a number.
    pub(crate) fn upto(connection: &Connection, seq: i64) -> rusqlite::Result<Option<Self>> {
        one(connection, "WHERE s.first <= ?1 ORDER BY s.last DESC LIMIT 1", seq)
    }

    /// Those that hold entries of some numbers, both ends included, in the order of the chain.
    pub(crate) fn between(connection: &Connection, first: i64, last: i64) -> rusqlite::Result<Vec<Self>> {
        let sql = format!("{SELECT} WHERE s.last >= ?1 AND s.first <= ?2 ORDER BY s.last");
        let mut statement = connection.prepare_cached(&sql)?;
        statement.query_map([first, last], Self::read)?.collect()
    }

    /// The newest.
    pub(crate) fn newest(connection: &Connection) -> rusqlite::Result<Option<Self>> {
        Self::upto(connection, i64::MAX)
    }
}

fn one(connection: &Connection, clause: &str, seq: i64) -> rusqlite::Result<Option<Segment>> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} {clause}"))?;
    let mut rows = statement.query([seq])?;
    rows.next()?.map(Segment::read).transpose()
}

impl Left {
    /// How many entries are left.
    pub(crate) fn rows(&self) -> i64 {
        self.levels.iter().sum()
    }

    /// What is signed.
    pub(crate) fn text(&self, segment: &Segment) -> String {
        let Self { time, prefix, name, min_time, max_time, levels: [info, warning, error], bytes, digest, .. } = self;
        let (hash, digest) = (hex(&segment.hash), hex(digest));
        format!(
            "egressctl log pruned 1\nsegment {}\nhash {hash}\ntime {time}\nprefix {prefix}\nname {name}\n\
             times {min_time} {max_time}\nentries {info} {warning} {error}\nbytes {bytes}\ndigest {digest}\n",
            segment.id
        )
    }

    /// Lists it, in place of what was left before.
    pub(crate) fn insert(&self, connection: &Connection, segment: i64, signature: &[u8]) -> rusqlite::Result<()> {
        let Self { time, prefix, name, min_time, max_time, levels: [info, warning, error], bytes, digest, .. } = self;
        let sql =
            "INSERT OR REPLACE INTO pruned (id, time, prefix, name, min_time, max_time, info, warning, error, bytes,
             digest, signature) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
        let row =
            params![segment, time, prefix, name, min_time, max_time, info, warning, error, bytes, digest, signature];
        connection.execute(sql, row).map(drop)
    }
}
