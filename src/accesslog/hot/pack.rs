//! A pack: entries that were committed together, as one row of the hot store.
//!
//! Its bytes are the lines, one after the other, and then, for each entry, the time (8 bytes), the end of its line (4), the
//! shape (4) and the level (1). Numbers are little-endian. All of it is a zstd frame where it is long: every byte is written
//! twice, into the log of the database and from there into its file, which costs more than to write an eighth of them. Part
//! of the schema: never changes.

use std::io;
use std::ops::ControlFlow;

use rusqlite::{Connection, Row, params};
use zstd::bulk::{Compressor, Decompressor};

use crate::accesslog::Level;
use crate::accesslog::chain::Hash;

/// Bytes of what follows the lines, for each entry.
const HEAD: usize = 17;

/// Most entries of a pack. Few enough that reading one does not read many that are not wanted, and many enough that what a
/// row costs is nothing beside them.
pub(super) const MOST: usize = 4096;

/// Most bytes of lines, unless one alone is longer.
pub(super) const MOST_BYTES: usize = 1 << 20;

/// The first bytes of a zstd frame (RFC 8878, section 3.1.1). No line begins with them, as they are not UTF-8.
const FRAME: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();

/// Packs of fewer bytes are stored as they are: they take a page or two in any case.
const FEWEST_BYTES: usize = 4096;

/// How hard zstd tries. At the lowest, lines become a tenth already; more costs more than it saves.
const ZSTD_LEVEL: i32 = 1;

/// Most bytes that a frame may claim to have, so that one that was tampered with does not fill the memory.
const MOST_UNPACKED: usize = 256 << 20;

const INSERT: &str = "INSERT INTO pack (first, last, min_time, max_time, info, warning, error, hash, entries)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

/// The packs that have entries with the numbers ?1 to ?2; the first of them may begin before.
const FIND: &str = "SELECT first, last, hash, entries FROM pack
     WHERE first >= ifnull((SELECT max(first) FROM pack WHERE first <= ?1), 0) AND first <= ?2 AND last >= ?1 ORDER BY first";

/// An entry as it is stored.
#[derive(Debug, Clone, Copy)]
pub(in crate::accesslog) struct Stored<'p> {
    pub(in crate::accesslog) seq: i64,
    pub(in crate::accesslog) time: i64,
    pub(in crate::accesslog) level: Level,
    /// The id of its shape.
    pub(in crate::accesslog) shape: i64,
    pub(in crate::accesslog) line: &'p [u8],
}

/// A row of the table `pack`.
#[derive(Debug, Clone, Copy)]
struct Pack<'r> {
    first: i64,
    /// The chain after its last entry.
    hash: Hash,
    heads: &'r [u8],
    lines: &'r [u8],
}

impl<'r> Pack<'r> {
    fn of(row: &'r Row<'_>, unpacking: &'r mut Unpacking) -> rusqlite::Result<Self> {
        let (first, last): (i64, i64) = (row.get(0)?, row.get(1)?);
        let bytes = unpacking.plain(row.get_ref(3)?.as_bytes().unwrap_or_default());
        // One that was cut has no entries; whoever checks the chain tells.
        let heads = usize::try_from(last - first + 1).unwrap_or_default().saturating_mul(HEAD);
        let lines = bytes.len().checked_sub(heads);
        let (lines, heads) = lines.map(|lines| bytes.split_at(lines)).unwrap_or_default();
        Ok(Self { first, hash: row.get(2)?, heads, lines })
    }

    /// Its entries.
    fn entries(self) -> impl DoubleEndedIterator<Item = Stored<'r>> {
        let Self { first, heads, lines, .. } = self;
        (0..heads.len() / HEAD).map(move |place| {
            let head = &heads[place * HEAD..][..HEAD];
            let start = place.checked_sub(1).map_or(0, |before| end(&heads[before * HEAD..]));
            Stored {
                seq: first + place as i64,
                time: i64::from_le_bytes(part(head)),
                level: Level::from_code(i64::from(head[16])),
                shape: i64::from(u32::from_le_bytes(part(&head[12..]))),
                line: lines.get(start..end(head)).unwrap_or_default(),
            }
        })
    }
}

/// Where packs that were compressed are put.
#[derive(Default)]
struct Unpacking {
    decompressor: Decompressor<'static>,
    bytes: Vec<u8>,
}

impl Unpacking {
    /// The bytes of a pack as they were; none if they cannot be had.
    fn plain<'r>(&'r mut self, stored: &'r [u8]) -> &'r [u8] {
        if !stored.starts_with(&FRAME) {
            return stored;
        }
        let length = Decompressor::upper_bound(stored).filter(|length| *length <= MOST_UNPACKED).unwrap_or_default();
        self.bytes.clear();
        self.bytes.reserve(length);
        match self.decompressor.decompress_to_buffer(stored, &mut self.bytes) {
            Ok(_) => &self.bytes,
            Err(_) => &[],
        }
    }
}

/// Where the line of a head ends.
fn end(head: &[u8]) -> usize {
    u32::from_le_bytes(part(&head[8..])) as usize
}

/// The first bytes of a head's part.
fn part<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.first_chunk().copied().unwrap_or([0; N])
}

/// A pack in the making.
#[derive(Default)]
pub(in crate::accesslog) struct Packing {
    lines: Vec<u8>,
    heads: Vec<u8>,
    /// Made when the first pack is long enough.
    compressor: Option<Compressor<'static>>,
    frame: Vec<u8>,
    times: Option<(i64, i64)>,
    levels: [i64; 3],
}

impl std::fmt::Debug for Packing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packing").field("entries", &self.len()).finish_non_exhaustive()
    }
}

impl Packing {
    /// How many entries it has.
    pub(super) fn len(&self) -> usize {
        self.heads.len() / HEAD
    }

    /// Whether it has none.
    pub(super) fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// Whether a line of so many bytes belongs into the next one.
    pub(super) fn is_full(&self, line: usize) -> bool {
        self.len() >= MOST || (!self.is_empty() && self.lines.len() + line > MOST_BYTES)
    }

    /// Adds an entry, whose number follows from its place.
    pub(super) fn push(&mut self, time: i64, level: Level, shape: i64, line: &[u8]) {
        self.lines.extend_from_slice(line);
        let shape = u32::try_from(shape).expect("shapes are numbered from 1, and few");
        let end = u32::try_from(self.lines.len()).expect("a line is shorter than four gigabytes");
        let mut head = [0; HEAD];
        head[..8].copy_from_slice(&time.to_le_bytes());
        head[8..12].copy_from_slice(&end.to_le_bytes());
        head[12..16].copy_from_slice(&shape.to_le_bytes());
        head[16] = level as u8;
        self.heads.extend_from_slice(&head);
        let (least, most) = self.times.unwrap_or((time, time));
        self.times = Some((least.min(time), most.max(time)));
        self.levels[level as usize] += 1;
    }

    /// Stores it, the first entry having a certain number, and begins another one; the number behind it. `hash` is the chain
    /// after its last entry.
    pub(super) fn insert(&mut self, connection: &Connection, first: i64, hash: &Hash) -> rusqlite::Result<i64> {
        let Some((least, most)) = self.times.take() else { return Ok(first) };
        let next = first + self.len() as i64;
        let [info, warning, error] = std::mem::take(&mut self.levels);
        self.lines.append(&mut self.heads);
        let is_frame = self.lines.len() >= FEWEST_BYTES && self.compress().is_ok();
        let entries = if is_frame { &self.frame } else { &self.lines };
        let row = params![first, next - 1, least, most, info, warning, error, hash, entries];
        let done = connection.prepare_cached(INSERT)?.execute(row);
        self.lines.clear();
        done.map(|_| next)
    }

    fn compress(&mut self) -> io::Result<()> {
        let compressor = match &mut self.compressor {
            Some(compressor) => compressor,
            none => none.insert(Compressor::new(ZSTD_LEVEL)?),
        };
        self.frame.clear();
        self.frame.reserve(zstd::zstd_safe::compress_bound(self.lines.len()));
        compressor.compress_to_buffer(&self.lines, &mut self.frame).map(drop)
    }
}

/// Shows the packs that have entries with the numbers from `first` to `last`, in their order.
fn each_pack(
    connection: &Connection,
    (first, last): (i64, i64),
    mut see: impl FnMut(&Pack<'_>) -> rusqlite::Result<ControlFlow<()>>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(FIND)?;
    let (mut rows, mut unpacking) = (statement.query([first, last])?, Unpacking::default());
    while let Some(row) = rows.next()? {
        if see(&Pack::of(row, &mut unpacking)?)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// Shows the entries with the numbers from `first` to `last`, in their order.
pub(in crate::accesslog) fn each(
    connection: &Connection,
    (first, last): (i64, i64),
    mut see: impl FnMut(&Stored<'_>) -> ControlFlow<()>,
) -> rusqlite::Result<()> {
    each_pack(connection, (first, last), |pack| {
        let mut entries = pack.entries().skip_while(|entry| entry.seq < first).take_while(|entry| entry.seq <= last);
        Ok(entries.try_for_each(|entry| see(&entry)))
    })
}

/// Shows the same in the opposite order.
pub(in crate::accesslog) fn each_back(
    connection: &Connection,
    (first, last): (i64, i64),
    mut see: impl FnMut(&Stored<'_>) -> ControlFlow<()>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(&format!("{FIND} DESC"))?;
    let (mut rows, mut unpacking) = (statement.query([first, last])?, Unpacking::default());
    while let Some(row) = rows.next()? {
        let pack = Pack::of(row, &mut unpacking)?;
        let entries = pack.entries().rev().skip_while(|entry| entry.seq > last);
        if entries.take_while(|entry| entry.seq >= first).try_for_each(|entry| see(&entry)).is_break() {
            break;
        }
    }
    Ok(())
}

/// Takes the entries up to a number away.
pub(in crate::accesslog) fn remove_upto(connection: &Connection, last: i64) -> rusqlite::Result<()> {
    let mut rest = Packing::default();
    let mut hash = None;
    each_pack(connection, (last, last), |pack| {
        for entry in pack.entries().filter(|entry| entry.seq > last) {
            rest.push(entry.time, entry.level, entry.shape, entry.line);
        }
        hash = Some(pack.hash);
        Ok(ControlFlow::Break(()))
    })?;
    connection.execute("DELETE FROM pack WHERE first <= ?1", [last])?;
    // The chain after its last entry is what it was.
    hash.map_or(Ok(()), |hash| rest.insert(connection, last + 1, &hash).map(drop))
}
