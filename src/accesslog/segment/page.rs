//! The pages of a column chunk: their headers (Thrift's compact protocol, the structures of parquet.thrift) and bytes.

use std::cell::Cell;

use parquet::basic::Compression;
use parquet::errors::ParquetError;

use super::damaged;

/// The most that a page may take when it is decompressed: more than the largest that is written.
const MOST_BYTES: usize = 1 << 29;

/// The most values that one may have, likewise.
const MOST_VALUES: usize = 1 << 29;

/// A page of a column chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) kind: Kind,
    /// Its number in parquet.thrift's `Encoding`.
    pub(super) encoding: i64,
    /// Rows, or, in a dictionary, values.
    pub(super) rows: usize,
    pub(super) nulls: usize,
    /// Bytes of the definition levels before its values; they are never compressed.
    levels: usize,
    is_compressed: bool,
    /// Where its bytes lie in the chunk.
    start: usize,
    end: usize,
    /// How many there are when they are decompressed.
    pub(super) whole: usize,
}

impl Page {
    /// Its bytes in the chunk, without its header.
    pub(super) fn content<'c>(&self, chunk: &'c [u8]) -> &'c [u8] {
        &chunk[self.start..self.end]
    }

    /// The same, given what was compressed of them.
    pub(super) fn with_values<'c>(&self, chunk: &'c [u8], values: &'c [u8]) -> Content<'c> {
        Content { levels: &self.content(chunk)[..self.levels], values }
    }

    /// Whether its bytes are as they are, in a chunk that is compressed in some way.
    pub(super) fn is_plain(&self, compression: Compression) -> Result<bool, ParquetError> {
        match compression {
            Compression::UNCOMPRESSED => Ok(true),
            Compression::ZSTD(_) => Ok(!self.is_compressed),
            _ => Err(damaged("it is compressed in a way that it should not be")),
        }
    }
}

/// What a page has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Dictionary,
    Data,
}

/// A page's bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Content<'c> {
    /// Definition levels.
    pub(super) levels: &'c [u8],
    pub(super) values: &'c [u8],
}

/// Decompresses pages; to be used for many.
#[derive(Default)]
pub(super) struct Decompressor(Option<zstd::bulk::Decompressor<'static>>);

thread_local! {
    /// One that was used, for the next segment: making one takes as long as reading several pages.
    static IDLE: Cell<Option<zstd::bulk::Decompressor<'static>>> = const { Cell::new(None) };
}

impl Drop for Decompressor {
    fn drop(&mut self) {
        if let Some(used) = self.0.take() {
            IDLE.set(Some(used));
        }
    }
}

impl Decompressor {
    fn get(&mut self) -> &mut zstd::bulk::Decompressor<'static> {
        self.0.get_or_insert_with(|| IDLE.take().unwrap_or_default())
    }

    /// The bytes of a page of a chunk. Those that were compressed are put into `room`.
    pub(super) fn read<'c>(
        &mut self,
        chunk: &'c [u8],
        page: &Page,
        compression: Compression,
        room: &'c mut Vec<u8>,
    ) -> Result<Content<'c>, ParquetError> {
        let (levels, values) = page.content(chunk).split_at(page.levels);
        if page.is_plain(compression)? {
            return Ok(Content { levels, values });
        }
        room.clear();
        room.reserve(page.whole - levels.len());
        let read = self.get().decompress_to_buffer(values, room)?;
        if levels.len() + read != page.whole {
            return Err(damaged("a page has another length than it says"));
        }
        Ok(Content { levels, values: room })
    }

    /// The bytes of a frame, which has so many.
    pub(super) fn frame(&mut self, frame: &[u8], size: usize) -> Result<Vec<u8>, ParquetError> {
        let bytes = self.get().decompress(frame, size)?;
        if bytes.len() == size { Ok(bytes) } else { Err(damaged("a frame has another length than it says")) }
    }
}

/// The page that some bytes are, with its header.
pub(super) fn page(bytes: &[u8]) -> Result<Page, ParquetError> {
    let page = header(bytes).ok_or_else(|| damaged("the header of a page cannot be read"))?;
    if page.end == bytes.len() { Ok(page) } else { Err(damaged("a page has another length than it should have")) }
}

/// Where a page of values lies in the file, with its header: parquet.thrift's `PageLocation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) start: u64,
    pub(super) length: usize,
    /// The first of its rows.
    pub(super) row: usize,
}

/// The pages that an index lists: parquet.thrift's `OffsetIndex`.
pub(super) fn locations(index: &[u8]) -> Option<Vec<Location>> {
    let mut thrift = Thrift { bytes: index, at: 0 };
    let mut last = 0;
    loop {
        let (id, of) = thrift.field(&mut last)??;
        if id == 1 && of == LIST {
            break;
        }
        thrift.skip(of, 0)?;
    }
    let mut locations = Vec::new();
    for _ in 0..thrift.length()? {
        let (mut last, mut start, mut length, mut row) = (0, -1, -1, -1);
        while let Some((id, of)) = thrift.field(&mut last)? {
            match id {
                1 => start = thrift.int()?,
                2 => length = thrift.int()?,
                3 => row = thrift.int()?,
                _ => thrift.skip(of, 0)?,
            }
        }
        locations.push(Location {
            start: u64::try_from(start).ok()?,
            length: usize::try_from(length).ok()?,
            row: usize::try_from(row).ok()?,
        });
    }
    Some(locations)
}

/// The page whose header some bytes begin with.
fn header(chunk: &[u8]) -> Option<Page> {
    let mut thrift = Thrift { bytes: chunk, at: 0 };
    let (mut kind, mut whole, mut packed) = (None, None, None);
    let (mut values, mut nulls, mut encoding, mut levels, mut is_compressed) = (0, 0, -1, 0, true);
    let mut last = 0;
    while let Some((id, of)) = thrift.field(&mut last)? {
        match id {
            1 => kind = Some(thrift.int()?),
            2 => whole = Some(usize::try_from(thrift.int()?).ok()?),
            3 => packed = Some(usize::try_from(thrift.int()?).ok()?),
            7 | 8 if of == STRUCT => {
                let mut last = 0;
                while let Some((inner, of)) = thrift.field(&mut last)? {
                    match (id, inner) {
                        (_, 1) => values = usize::try_from(thrift.int()?).ok()?,
                        (8, 2) => nulls = usize::try_from(thrift.int()?).ok()?,
                        (7, 2) | (8, 4) => encoding = thrift.int()?,
                        (8, 5) => levels = usize::try_from(thrift.int()?).ok()?,
                        // The levels of repeated values, of which we have none.
                        (8, 6) if thrift.int()? == 0 => {}
                        (8, 6) => return None,
                        (8, 7) => is_compressed = of == TRUE,
                        _ => thrift.skip(of, 0)?,
                    }
                }
            }
            _ => thrift.skip(of, 0)?,
        }
    }
    let kind = match kind? {
        2 => Kind::Dictionary,
        3 => Kind::Data,
        _ => return None,
    };
    let (start, whole) = (thrift.at, whole.filter(|whole| *whole <= MOST_BYTES)?);
    let end = start.checked_add(packed?)?;
    let fits =
        end <= chunk.len() && levels <= end - start && levels <= whole && nulls <= values && values <= MOST_VALUES;
    fits.then_some(Page { kind, encoding, rows: values, nulls, levels, is_compressed, start, end, whole })
}

const TRUE: u8 = 1;
const FALSE: u8 = 2;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// Structures within structures that are skipped; deeper ones are nonsense.
const DEPTH: usize = 8;

/// Reads Thrift's compact protocol.
struct Thrift<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Thrift<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn unsigned(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn int(&mut self) -> Option<i64> {
        let value = self.unsigned()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// Number and type of the next field; `Some(None)` at the structure's end.
    fn field(&mut self, last: &mut i64) -> Option<Option<(i64, u8)>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Some(None);
        }
        *last = match byte >> 4 {
            0 => self.int()?,
            step => *last + i64::from(step),
        };
        Some(Some((*last, byte & 0x0f)))
    }

    /// How many structures a list has.
    fn length(&mut self) -> Option<u64> {
        let byte = self.byte()?;
        let length = if byte >> 4 == 15 { self.unsigned()? } else { u64::from(byte >> 4) };
        // Each takes a byte at least.
        (byte & 0x0f == STRUCT && length <= self.bytes.len() as u64).then_some(length)
    }

    fn skip(&mut self, of: u8, depth: usize) -> Option<()> {
        match of {
            TRUE | FALSE => {}
            3 => drop(self.byte()?),
            4..=6 => drop(self.unsigned()?),
            7 => self.at = self.at.checked_add(8)?,
            8 => {
                let length = usize::try_from(self.unsigned()?).ok()?;
                self.at = self.at.checked_add(length)?;
            }
            STRUCT if depth < DEPTH => {
                let mut last = 0;
                while let Some((_, of)) = self.field(&mut last)? {
                    self.skip(of, depth + 1)?;
                }
            }
            // Page headers have no lists, sets or maps, and of an index only the first field is read.
            _ => return None,
        }
        Some(())
    }
}
