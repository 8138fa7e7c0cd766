//! Storing packs.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use rusqlite::{Connection, params};
use zstd::bulk::Compressor;

use super::pack::{COLUMNS, GROUP, Placed, each_pack, placed};
use crate::accesslog::chain::Hash;
use crate::accesslog::group::{Bound, Group, HEAD, head};
use crate::accesslog::segment::columns::{Columns, Source};
use crate::accesslog::segment::packed;
use crate::accesslog::{DAY, Level, Shape};

/// Most entries of a pack. Few enough that reading one does not read many that are not wanted, and many enough that what a
/// row costs is nothing beside them.
pub(super) const MOST: usize = 4096;

/// Most bytes of lines, unless one alone is longer.
pub(super) const MOST_BYTES: usize = 1 << 20;

/// Fewer entries are stored as lines: what columns need beside their values, here and in the segment, is much for few.
const FEWEST_OF_COLUMNS: usize = 64;

/// Packs of fewer bytes are stored as they are: they take a page or two in any case.
const FEWEST_BYTES: usize = 4096;

/// How hard zstd tries. At the lowest, lines become a tenth already; more costs more than it saves.
const ZSTD_LEVEL: i32 = 1;

const INSERT: &str = "INSERT INTO pack (first, last, min_time, max_time, info, warning, error, hash, entries)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

/// A pack in the making.
#[derive(Default)]
pub(in crate::accesslog) struct Packing {
    lines: Vec<u8>,
    heads: Vec<u8>,
    /// The group's shapes with their ids, and what the chain has for them.
    shapes: Vec<(i64, Arc<Shape>)>,
    digests: Vec<Hash>,
    columns: Columns,
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
    pub(super) fn place(&mut self, shape: &Arc<Shape>, (id, digest): (i64, Hash)) -> u32 {
        let known = self.shapes.iter().position(|(known, _)| *known == id);
        let place = known.unwrap_or_else(|| {
            self.shapes.push((id, Arc::clone(shape)));
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
        if self.len() >= FEWEST_OF_COLUMNS && self.take_apart().is_some() {
            let hash = self.pack_columns(first, previous);
            return Ok((self.store(connection, first, &hash, self.packed.len())?, hash));
        }
        let Self { heads, lines, shapes, digests, .. } = self;
        let hash = Group { first, shapes: digests, heads, lines }.after(previous);
        // Ids are numbered from 1, and few.
        let ids = shapes.iter().map(|(id, _)| *id as u32).chain([shapes.len() as u32]);
        heads.extend(ids.flat_map(u32::to_le_bytes));
        self.lines.append(&mut self.heads);
        let length = self.pack(&[GROUP]);
        Ok((self.store(connection, first, &hash, length)?, hash))
    }

    /// Takes the lines of a group apart; nothing if they are no texts.
    fn take_apart(&mut self) -> Option<()> {
        let lines = std::str::from_utf8(&self.lines).ok()?;
        self.columns.clear();
        for place in 0..self.heads.len() / HEAD {
            let Placed { time, level, shape, line } = placed(&self.heads, place);
            let (seq, instance) = (place as i64, self.shapes[shape as usize].1.instance.as_str());
            self.columns.add(&Source { seq, time, level, shape, instance, line: lines.get(line)? });
        }
        Some(())
    }

    /// Makes what is stored of a group that was taken apart; the value of the chain.
    fn pack_columns(&mut self, first: i64, previous: &Hash) -> Hash {
        let Self { heads, lines, shapes, digests, columns, packed, .. } = self;
        let contents = Group { first, shapes: digests, heads, lines }.contents();
        let shapes: Vec<(i64, &str)> = shapes.iter().map(|(id, shape)| (*id, shape.instance.as_str())).collect();
        packed.clear();
        packed.push(COLUMNS);
        packed.extend_from_slice(&contents);
        packed::write(columns, &shapes, packed);
        let hash = blake3::hash(&packed[1..]).into();
        Bound { first, entries: columns.rows(), shapes: digests, contents: &contents, columns: &hash }.after(previous)
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
        self.heads.clear();
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
