//! A pack: entries that were committed together, as one row of the hot store.
//!
//! Its bytes are their columns ([`packed`](crate::accesslog::segment::packed)) behind a byte, [`COLUMNS`], and the hash of
//! their contents ([`Group::contents`], 32 bytes).
//!
//! Few entries are stored as lines instead: the lines of a [`Group`], one after the other, then the [`head`] of each entry,
//! then the ids of its shapes (4 bytes each) and how many there are (4). Numbers are little-endian. All of it is a zstd frame
//! where it is long, and before it stands a byte, [`GROUP`]. A pack of an earlier version has it not: each of its entries is a
//! step of the chain, its head has the id of the shape itself, and no ids follow. Part of the schema: never changes.
//!
//! [`head`]: crate::accesslog::group::head

use std::collections::HashMap;
use std::ops::{ControlFlow, Range};

use rusqlite::Connection;
use zstd::bulk::Decompressor;

use crate::accesslog::Level;
use crate::accesslog::chain::{Hash, Item, Walk};
use crate::accesslog::group::{Group, HEAD};
use crate::accesslog::segment::packed::Packed;

/// The first bytes of a zstd frame (RFC 8878, section 3.1.1). No line begins with them, as they are not UTF-8.
const FRAME: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();

/// What a pack of lines begins with whose entries are one step of the chain. Neither a line, which is UTF-8, nor a frame does.
pub(super) const GROUP: u8 = 0xff;

/// What a pack of columns begins with. Its entries are one step of the chain too.
pub(super) const COLUMNS: u8 = 0xfe;

/// Most bytes that a frame may claim to have, so that one that was tampered with does not fill the memory.
const MOST_UNPACKED: usize = 256 << 20;

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
pub(in crate::accesslog) struct Row<'r> {
    pub(in crate::accesslog) first: i64,
    /// How many entries it says to have.
    entries: usize,
    /// The chain after its last entry.
    hash: Hash,
    stored: &'r [u8],
}

/// What a row has of columns.
#[derive(Debug)]
pub(in crate::accesslog) struct OfColumns<'r> {
    /// [`Group::contents`], as was stored.
    pub(in crate::accesslog) contents: &'r Hash,
    pub(in crate::accesslog) columns: Packed<'r>,
    /// The hash of both.
    pub(in crate::accesslog) hash: Hash,
}

impl<'r> Row<'r> {
    fn of(row: &'r rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let (first, last): (i64, i64) = (row.get(0)?, row.get(1)?);
        let entries = usize::try_from(last.saturating_sub(first).saturating_add(1)).unwrap_or_default();
        let stored = row.get_ref(3)?.as_bytes().unwrap_or_default();
        Ok(Self { first, entries, hash: row.get(2)?, stored })
    }

    /// Its columns, if it has such.
    pub(in crate::accesslog) fn columns(&self) -> Option<OfColumns<'r>> {
        let bound = self.stored.strip_prefix(&[COLUMNS])?;
        let (contents, columns) = bound.split_first_chunk()?;
        let columns = Packed::read(columns, self.entries)?;
        Some(OfColumns { contents, columns, hash: blake3::hash(bound).into() })
    }

    /// Its entries, which are put where packs are unpacked. One that was cut has none; whoever checks the chain tells.
    pub(in crate::accesslog) fn unpack<'u>(&self, unpacking: &'u mut Unpacking) -> Pack<'u>
    where
        'r: 'u,
    {
        let Self { first, hash, .. } = *self;
        let none = Pack { first, hash, heads: &[], lines: &[], shapes: None, columns: None };
        if self.stored.starts_with(&[COLUMNS]) {
            let Some(OfColumns { columns, hash: of_columns, .. }) = self.columns() else { return none };
            let Some((lines, heads)) = unpacking.lines_of(&columns) else { return none };
            return Pack { heads, lines, shapes: Some(columns.shapes), columns: Some(of_columns), ..none };
        }
        let of_group = self.stored.strip_prefix(&[GROUP]);
        let bytes = unpacking.plain(of_group.unwrap_or(self.stored));
        let Some((lines, heads, shapes)) = parts(bytes, self.entries, of_group.is_some()) else { return none };
        Pack { heads, lines, shapes, ..none }
    }
}

/// What a row says of its entries beside them, by which questions pass over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::accesslog) struct Sum {
    /// The least and the greatest time.
    times: (i64, i64),
    /// Entries by level.
    pub(in crate::accesslog) levels: [i64; 3],
}

/// What all rows say so, by the numbers of their first entries.
pub(in crate::accesslog) fn sums(connection: &Connection) -> rusqlite::Result<HashMap<i64, Sum>> {
    let mut statement =
        connection.prepare_cached("SELECT first, min_time, max_time, info, warning, error FROM pack")?;
    let sum = |row: &rusqlite::Row<'_>| {
        let levels = [row.get(3)?, row.get(4)?, row.get(5)?];
        Ok((row.get(0)?, Sum { times: (row.get(1)?, row.get(2)?), levels }))
    };
    statement.query_map([], sum)?.collect()
}

/// The entries of a row.
#[derive(Debug)]
pub(in crate::accesslog) struct Pack<'u> {
    pub(in crate::accesslog) first: i64,
    /// The chain after its last entry.
    pub(super) hash: Hash,
    heads: &'u [u8],
    lines: &'u [u8],
    /// Ids of the shapes of its group; none where it is no group, and heads have the ids.
    shapes: Option<Vec<i64>>,
    /// [`OfColumns::hash`].
    columns: Option<Hash>,
}

impl<'u> Pack<'u> {
    /// How many entries it has.
    pub(in crate::accesslog) fn len(&self) -> usize {
        self.heads.len() / HEAD
    }

    /// What a row has to say of its entries; nothing if there are none.
    pub(in crate::accesslog) fn sum(&self) -> Option<Sum> {
        let (mut times, mut levels) = (None, [0; 3]);
        for Stored { time, level, .. } in self.entries() {
            let (least, most) = times.unwrap_or((time, time));
            times = Some((time.min(least), time.max(most)));
            levels[level as usize] += 1;
        }
        times.map(|times| Sum { times, levels })
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
        if let Some(shapes) = self.shapes.as_ref().filter(|_| !heads.is_empty()) {
            let shapes: Vec<Hash> = shapes.iter().map(|id| digest(*id)).collect();
            walk.pass_group(&Group { first, shapes: &shapes, heads, lines }, self.columns.as_ref());
            return see(walk.here());
        }
        for Stored { seq, time, level, shape, line } in self.entries() {
            walk.pass(&Item { seq, time, level: level.code(), shape: &digest(shape), line });
            see(walk.here());
        }
    }

    /// Its entries.
    pub(in crate::accesslog) fn entries(&self) -> impl DoubleEndedIterator<Item = Stored<'u>> {
        let Self { first, heads, lines, .. } = *self;
        (0..self.len()).map(move |place| {
            let Placed { time, level, shape, line } = placed(heads, place);
            let id = self.shapes.as_ref().map_or(i64::from(shape), |ids| ids.get(shape as usize).map_or(0, |id| *id));
            let line = lines.get(line).unwrap_or_default();
            Stored { seq: first + place as i64, time, level, shape: id, line }
        })
    }
}

/// What a head says.
pub(super) struct Placed {
    pub(super) time: i64,
    pub(super) level: Level,
    pub(super) shape: u32,
    /// Where its line is among those of the group.
    pub(super) line: Range<usize>,
}

/// What the head in some place says.
pub(super) fn placed(heads: &[u8], place: usize) -> Placed {
    let head = &heads[place * HEAD..][..HEAD];
    let start = place.checked_sub(1).map_or(0, |before| end(&heads[before * HEAD..]));
    Placed {
        time: i64::from_le_bytes(part(head)),
        level: Level::from_code(i64::from(head[16])),
        shape: u32::from_le_bytes(part(&head[12..])),
        line: start..end(head),
    }
}

/// Lines, heads, and ids of shapes.
type Parts<'r> = (&'r [u8], &'r [u8], Option<Vec<i64>>);

/// The parts of a pack of lines that has so many entries; nothing if it was cut.
fn parts(bytes: &[u8], entries: usize, is_group: bool) -> Option<Parts<'_>> {
    let (bytes, shapes) = if is_group {
        let (bytes, count) = bytes.split_last_chunk()?;
        let length = (u32::from_le_bytes(*count) as usize).checked_mul(4)?;
        let (bytes, shapes) = bytes.split_at(bytes.len().checked_sub(length)?);
        (bytes, Some(shapes.as_chunks().0.iter().map(|id| i64::from(u32::from_le_bytes(*id))).collect()))
    } else {
        (bytes, None)
    };
    let (lines, heads) = bytes.split_at(bytes.len().checked_sub(entries.checked_mul(HEAD)?)?);
    Some((lines, heads, shapes))
}

/// Where packs are put that do not lie in the store as they are asked for.
#[derive(Default)]
pub(in crate::accesslog) struct Unpacking {
    decompressor: Decompressor<'static>,
    bytes: Vec<u8>,
    lines: String,
    heads: Vec<u8>,
}

impl Unpacking {
    /// The bytes of a pack as they were; none if they cannot be had.
    fn plain<'u>(&'u mut self, stored: &'u [u8]) -> &'u [u8] {
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

    /// The lines that columns make, and their heads.
    fn lines_of(&mut self, columns: &Packed<'_>) -> Option<(&[u8], &[u8])> {
        self.lines.clear();
        self.heads.clear();
        columns.write_lines(&mut self.lines, &mut self.heads)?;
        Some((self.lines.as_bytes(), &self.heads))
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

/// Shows the rows that have entries with the numbers from `first` to `last`, in their order, and where to unpack them.
pub(in crate::accesslog) fn each_row(
    connection: &Connection,
    (first, last): (i64, i64),
    mut see: impl FnMut(&Row<'_>, &mut Unpacking) -> rusqlite::Result<ControlFlow<()>>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(FIND)?;
    let (mut rows, mut unpacking) = (statement.query([first, last])?, Unpacking::default());
    while let Some(row) = rows.next()? {
        if see(&Row::of(row)?, &mut unpacking)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// Shows the packs of these rows.
pub(in crate::accesslog) fn each_pack(
    connection: &Connection,
    range: (i64, i64),
    mut see: impl FnMut(&Pack<'_>) -> rusqlite::Result<ControlFlow<()>>,
) -> rusqlite::Result<()> {
    each_row(connection, range, |row, unpacking| see(&row.unpack(unpacking)))
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
        let row = Row::of(row)?;
        let pack = row.unpack(&mut unpacking);
        let entries = pack.entries().rev().skip_while(|entry| entry.seq > last);
        if entries.take_while(|entry| entry.seq >= first).try_for_each(|entry| see(&entry)).is_break() {
            break;
        }
    }
    Ok(())
}
