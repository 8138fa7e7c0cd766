//! A pack: entries that were committed together, as one row of the hot store.
//!
//! Its bytes are the lines of a [`Group`], one after the other, then the [`head`] of each entry, then the ids of its shapes (4
//! bytes each) and how many there are (4). Numbers are little-endian. All of it is a zstd frame where it is long: every byte is
//! written twice, into the log of the database and from there into its file, which costs more than to write an eighth of them.
//! Before it stands a byte, [`GROUP`]. A pack of an earlier version has it not: each of its entries is a step of the chain, its
//! head has the id of the shape itself, and no ids follow. Part of the schema: never changes.

use std::io;
use std::ops::ControlFlow;

use rusqlite::{Connection, Row, params};
use zstd::bulk::{Compressor, Decompressor};

use crate::accesslog::chain::{Hash, Item, Walk};
use crate::accesslog::group::{Group, HEAD, head};
use crate::accesslog::{DAY, Level};

/// Most entries of a pack. Few enough that reading one does not read many that are not wanted, and many enough that what a
/// row costs is nothing beside them.
pub(super) const MOST: usize = 4096;

/// Most bytes of lines, unless one alone is longer.
pub(super) const MOST_BYTES: usize = 1 << 20;

/// The first bytes of a zstd frame (RFC 8878, section 3.1.1). No line begins with them, as they are not UTF-8.
const FRAME: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();

/// What a pack begins with whose entries are one step of the chain. Neither a line, which is UTF-8, nor a frame does.
const GROUP: u8 = 0xff;

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
pub(in crate::accesslog) struct Pack<'r> {
    first: i64,
    /// The chain after its last entry.
    hash: Hash,
    heads: &'r [u8],
    lines: &'r [u8],
    /// Ids of the shapes of its group; none where it is no group, and heads have the ids.
    shapes: Option<&'r [[u8; 4]]>,
}

impl<'r> Pack<'r> {
    fn of(row: &'r Row<'_>, unpacking: &'r mut Unpacking) -> rusqlite::Result<Self> {
        let (first, last): (i64, i64) = (row.get(0)?, row.get(1)?);
        let stored = row.get_ref(3)?.as_bytes().unwrap_or_default();
        let of_group = stored.strip_prefix(&[GROUP]);
        let bytes = unpacking.plain(of_group.unwrap_or(stored));
        let entries = usize::try_from(last - first + 1).unwrap_or_default();
        // One that was cut has no entries; whoever checks the chain tells.
        let (lines, heads, shapes) = parts(bytes, entries, of_group.is_some()).unwrap_or_default();
        Ok(Self { first, hash: row.get(2)?, heads, lines, shapes })
    }

    /// How many entries it has.
    pub(in crate::accesslog) fn len(&self) -> usize {
        self.heads.len() / HEAD
    }

    /// Whether its entries are one step of the chain, and so stay together.
    pub(in crate::accesslog) fn is_group(&self) -> bool {
        self.shapes.is_some()
    }

    /// Goes along the chain over its entries; `digest` says what the chain has for the shape with an id. Shows the number of
    /// the last entry of each step, and the value there.
    pub(in crate::accesslog) fn pass(
        &self,
        walk: &mut Walk,
        mut digest: impl FnMut(i64) -> Hash,
        mut see: impl FnMut((i64, Hash)),
    ) {
        let Self { first, heads, lines, .. } = *self;
        if let Some(shapes) = self.shapes.filter(|_| !heads.is_empty()) {
            let shapes: Vec<Hash> = shapes.iter().map(|id| digest(i64::from(u32::from_le_bytes(*id)))).collect();
            walk.pass_group(&Group { first, shapes: &shapes, heads, lines });
            return see(walk.here());
        }
        for Stored { seq, time, level, shape, line } in self.entries() {
            walk.pass(&Item { seq, time, level: level.code(), shape: &digest(shape), line });
            see(walk.here());
        }
    }

    /// Its entries.
    pub(in crate::accesslog) fn entries(self) -> impl DoubleEndedIterator<Item = Stored<'r>> {
        let Self { first, heads, lines, shapes, .. } = self;
        (0..heads.len() / HEAD).map(move |place| {
            let head = &heads[place * HEAD..][..HEAD];
            let start = place.checked_sub(1).map_or(0, |before| end(&heads[before * HEAD..]));
            let shape = u32::from_le_bytes(part(&head[12..]));
            let id = shapes.map_or(shape, |ids| ids.get(shape as usize).map_or(0, |id| u32::from_le_bytes(*id)));
            Stored {
                seq: first + place as i64,
                time: i64::from_le_bytes(part(head)),
                level: Level::from_code(i64::from(head[16])),
                shape: i64::from(id),
                line: lines.get(start..end(head)).unwrap_or_default(),
            }
        })
    }
}

/// Lines, heads, and ids of shapes.
type Parts<'r> = (&'r [u8], &'r [u8], Option<&'r [[u8; 4]]>);

/// The parts of a pack that has so many entries; nothing if it was cut.
fn parts(bytes: &[u8], entries: usize, is_group: bool) -> Option<Parts<'_>> {
    let (bytes, shapes) = if is_group {
        let (bytes, count) = bytes.split_last_chunk()?;
        let length = (u32::from_le_bytes(*count) as usize).checked_mul(4)?;
        let (bytes, shapes) = bytes.split_at(bytes.len().checked_sub(length)?);
        (bytes, Some(shapes.as_chunks().0))
    } else {
        (bytes, None)
    };
    let (lines, heads) = bytes.split_at(bytes.len().checked_sub(entries.checked_mul(HEAD)?)?);
    Some((lines, heads, shapes))
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
    /// Ids of the group's shapes, and what the chain has for them.
    shapes: Vec<i64>,
    digests: Vec<Hash>,
    /// Made when the first pack is long enough.
    compressor: Option<Compressor<'static>>,
    /// What is stored.
    packed: Vec<u8>,
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

    /// Whether it begins on an earlier day than that of a time. Segments have one day, and take whole groups.
    pub(super) fn is_of_earlier_day(&self, time: i64) -> bool {
        let first = self.heads.first_chunk().map(|first| i64::from_le_bytes(*first));
        first.is_some_and(|first| first.div_euclid(DAY) < time.div_euclid(DAY))
    }

    /// The place of a shape among those of the group.
    pub(super) fn place(&mut self, (id, digest): (i64, Hash)) -> u32 {
        let known = self.shapes.iter().position(|known| *known == id);
        let place = known.unwrap_or_else(|| {
            self.shapes.push(id);
            self.digests.push(digest);
            self.shapes.len() - 1
        });
        u32::try_from(place).expect("there are no more shapes than entries")
    }

    /// Adds an entry, whose number follows from its place. `shape` is the [`place`](Self::place) of its shape, or, where it is no
    /// group, the id.
    pub(super) fn push(&mut self, time: i64, level: Level, shape: u32, line: &[u8]) {
        self.lines.extend_from_slice(line);
        self.heads.extend_from_slice(&head(time, self.lines.len(), shape, level as u8));
        let (least, most) = self.times.unwrap_or((time, time));
        self.times = Some((least.min(time), most.max(time)));
        self.levels[level as usize] += 1;
    }

    /// Stores it as a group, the first entry having a certain number, and begins another one; the number behind it, and the
    /// value of the chain.
    pub(super) fn insert_group(
        &mut self,
        connection: &Connection,
        first: i64,
        previous: &Hash,
    ) -> rusqlite::Result<(i64, Hash)> {
        if self.is_empty() {
            return Ok((first, *previous));
        }
        let Self { heads, lines, shapes, digests, .. } = self;
        let hash = Group { first, shapes: digests, heads, lines }.after(previous);
        // Ids are numbered from 1, and few.
        let ids = shapes.iter().map(|id| *id as u32).chain([shapes.len() as u32]);
        heads.extend(ids.flat_map(u32::to_le_bytes));
        self.lines.append(&mut self.heads);
        let length = self.pack(&[GROUP]);
        Ok((self.store(connection, first, &hash, length)?, hash))
    }

    /// Stores it as entries that are each a step of the chain, whose value after the last one is `hash`, as earlier versions did;
    /// the number behind it.
    pub(super) fn insert(&mut self, connection: &Connection, first: i64, hash: &Hash) -> rusqlite::Result<i64> {
        if self.is_empty() {
            return Ok(first);
        }
        self.lines.append(&mut self.heads);
        let length = self.pack(&[]);
        self.store(connection, first, hash, length)
    }

    /// Stores what so many bytes of `packed` are.
    fn store(&mut self, connection: &Connection, first: i64, hash: &Hash, length: usize) -> rusqlite::Result<i64> {
        let (least, most) = self.times.take().unwrap_or_default();
        let [info, warning, error] = std::mem::take(&mut self.levels);
        let next = first + info + warning + error;
        let row = params![first, next - 1, least, most, info, warning, error, hash, &self.packed[..length]];
        let done = connection.prepare_cached(INSERT)?.execute(row);
        self.lines.clear();
        self.shapes.clear();
        self.digests.clear();
        done.map(|_| next)
    }

    /// Makes what is stored, behind what it begins with; its length.
    fn pack(&mut self, before: &[u8]) -> usize {
        if self.lines.len() >= FEWEST_BYTES
            && let Ok(length) = self.compress(before)
        {
            return length;
        }
        self.packed.clear();
        self.packed.extend_from_slice(before);
        self.packed.extend_from_slice(&self.lines);
        self.packed.len()
    }

    fn compress(&mut self, before: &[u8]) -> io::Result<usize> {
        let compressor = match &mut self.compressor {
            Some(compressor) => compressor,
            none => none.insert(Compressor::new(ZSTD_LEVEL)?),
        };
        let most = before.len() + zstd::zstd_safe::compress_bound(self.lines.len());
        // It stays as long as it was at most, so that zeros are written once.
        self.packed.resize(self.packed.len().max(most), 0);
        self.packed[..before.len()].copy_from_slice(before);
        let frame = compressor.compress_to_buffer(&self.lines, &mut self.packed[before.len()..])?;
        Ok(before.len() + frame)
    }
}

/// Shows the packs that have entries with the numbers from `first` to `last`, in their order.
pub(in crate::accesslog) fn each_pack(
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

/// Takes the entries up to a number away, which is in no group but the last of its.
pub(in crate::accesslog) fn remove_upto(connection: &Connection, last: i64) -> rusqlite::Result<()> {
    let mut rest = Packing::default();
    let mut hash = None;
    each_pack(connection, (last, last), |pack| {
        for entry in pack.entries().filter(|entry| entry.seq > last) {
            let shape = u32::try_from(entry.shape).unwrap_or_default();
            rest.push(entry.time, entry.level, shape, entry.line);
        }
        hash = Some(pack.hash);
        Ok(ControlFlow::Break(()))
    })?;
    connection.execute("DELETE FROM pack WHERE first <= ?1", [last])?;
    // The chain after its last entry is what it was.
    hash.map_or(Ok(()), |hash| rest.insert(connection, last + 1, &hash).map(drop))
}
