//! One column of a segment: its dictionary, and the values of any rows without those around them.

use std::cell::{OnceCell, RefCell};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use parquet::basic::{Compression, Type as Physical};
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;

use super::damaged;
use super::decode::{Few, Room};
use super::dictionary::{Dictionary, Packed};
use super::frame::Same;
use super::page::{Decompressor, Kind, Location, locations, page};
use super::piece::Piece;
use super::texts::Texts;

/// Stands for a row that has no value.
pub(crate) const NONE: u32 = u32::MAX;

/// The values of some rows of a column; where one is missing, any.
#[derive(Debug, Default)]
pub(crate) struct Block {
    /// Numbers in the dictionary, or in `texts`; [`NONE`] where there is no value.
    pub(crate) numbers: Vec<u32>,
    /// Texts of a column that has no dictionary.
    pub(crate) texts: Texts,
    pub(crate) ints: Vec<i64>,
    pub(crate) doubles: Vec<f64>,
    /// Numbers of other rows, which are as good as any where few are wanted: so that these need not be written for nothing.
    spare: (Vec<u32>, Vec<i64>),
}

impl Block {
    fn clear(&mut self) {
        std::mem::swap(&mut self.numbers, &mut self.spare.0);
        std::mem::swap(&mut self.ints, &mut self.spare.1);
        self.numbers.clear();
        self.ints.clear();
        self.doubles.clear();
        self.texts.clear();
    }

    /// Adds so many numbers of values, which may be any.
    pub(super) fn reserve(&mut self, rows: usize) -> &mut [u32] {
        reserve(&mut self.numbers, &mut self.spare.0, rows)
    }

    /// Adds so many whole numbers, which may be any.
    pub(super) fn reserve_ints(&mut self, rows: usize) -> &mut [i64] {
        reserve(&mut self.ints, &mut self.spare.1, rows)
    }

    /// How many rows it has.
    pub(super) fn len(&self) -> usize {
        self.numbers.len().max(self.ints.len()).max(self.doubles.len())
    }

    /// Cuts what was read to some rows of it.
    pub(super) fn cut(&mut self, from: usize, rows: Range<usize>) {
        fn cut<T>(values: &mut Vec<T>, from: usize, rows: &Range<usize>) {
            if values.len() > from {
                values.truncate(from + rows.end);
                values.drain(from..from + rows.start);
            }
        }
        cut(&mut self.numbers, from, &rows);
        cut(&mut self.ints, from, &rows);
        cut(&mut self.doubles, from, &rows);
    }
}

/// Adds room for some rows to values, out of what there was of others if there are none yet.
fn reserve<'v, T: Clone + Default>(values: &'v mut Vec<T>, spare: &mut Vec<T>, rows: usize) -> &'v mut [T] {
    if values.is_empty() {
        std::mem::swap(values, spare);
        values.resize(rows, T::default());
        return values;
    }
    let before = values.len();
    values.resize(before + rows, T::default());
    &mut values[before..]
}

/// Reused from page to page.
#[derive(Default)]
pub(crate) struct Scratch {
    decompressor: Decompressor,
    values: Room,
}

/// A column, read as far as its dictionary.
#[derive(Debug)]
pub(crate) struct Column {
    pub(super) physical: Physical,
    compression: Compression,
    pub(super) optional: bool,
    pub(super) dictionary: Option<Packed>,
    rows: usize,
    /// Where its pages lie in the file.
    place: Range<u64>,
    /// Where the index of its pages does.
    index: Range<u64>,
    /// How many rows have no value, as its statistics say.
    nulls: Option<u64>,
    locations: OnceCell<Vec<Location>>,
    window: RefCell<Window>,
}

/// What was read last of a column.
#[derive(Debug, Default)]
struct Window {
    read: Piece,
    /// What was compressed of the page that begins at a place: mostly it is filtered first, and its values are wanted then.
    unpacked: Option<u64>,
    plain: Vec<u8>,
}

impl Column {
    pub(super) fn open(file: &File, metadata: &ColumnChunkMetaData, rows: usize) -> Result<Self, ParquetError> {
        let (start, length) = metadata.byte_range();
        let file_end = file.metadata()?.len();
        let end = start.checked_add(length).filter(|end| *end <= file_end);
        let end = end.ok_or_else(|| damaged("a column ends behind the file's end"))?;
        let first = u64::try_from(metadata.data_page_offset()).unwrap_or_default();
        let first = if metadata.dictionary_page_offset().is_some() { first } else { start };
        if !(start..=end).contains(&first) {
            return Err(damaged("a column begins outside of itself"));
        }
        let index = metadata.offset_index_offset().zip(metadata.offset_index_length());
        let index = index.and_then(|(start, length)| {
            let start = u64::try_from(start).ok()?;
            Some(start..start.checked_add(u64::try_from(length).ok()?).filter(|end| *end <= file_end)?)
        });
        let mut column = Self {
            physical: metadata.column_type(),
            compression: metadata.compression(),
            optional: metadata.column_descr().max_def_level() > 0,
            dictionary: None,
            rows,
            place: first..end,
            index: index.ok_or_else(|| damaged("a column has no index of its pages"))?,
            nulls: metadata.statistics().and_then(|statistics| statistics.null_count_opt()),
            locations: OnceCell::new(),
            window: RefCell::default(),
        };
        if first > start {
            column.dictionary = Some(column.open_dictionary(bytes(file, start..first)?)?);
        }
        Ok(column)
    }

    fn open_dictionary(&self, bytes: Vec<u8>) -> Result<Packed, ParquetError> {
        let page = page(&bytes)?;
        let has_it = page.kind == Kind::Dictionary && matches!(self.physical, Physical::BYTE_ARRAY | Physical::INT64);
        if !has_it {
            return Err(damaged("a column has no dictionary where it should have one"));
        }
        Ok(Packed::new(self.physical, self.compression, page, bytes))
    }

    /// Its different values, if it has a dictionary.
    pub(super) fn dictionary(&self, scratch: &mut Scratch) -> Result<Option<&Dictionary>, ParquetError> {
        self.dictionary.as_ref().map(|packed| packed.whole(&mut scratch.decompressor)).transpose()
    }

    /// How many different values it has, if it has a dictionary.
    pub(crate) fn values(&self) -> Option<usize> {
        self.dictionary.as_ref().map(Packed::len)
    }

    /// How many parts its dictionary has; none where it is not made of several.
    pub(super) fn parts(&self) -> usize {
        self.dictionary.as_ref().map_or(0, Packed::parts)
    }

    /// The values of a part of its dictionary.
    pub(super) fn part(&self, part: usize, scratch: &mut Scratch) -> Result<Option<&Dictionary>, ParquetError> {
        match &self.dictionary {
            Some(packed) if part < packed.parts() => packed.part(part, &mut scratch.decompressor),
            _ => Ok(None),
        }
    }

    /// Makes the values of rows that were read ready, if only `few` of them were, of these.
    pub(super) fn load_values(
        &self,
        few: Option<&[u32]>,
        block: &Block,
        scratch: &mut Scratch,
    ) -> Result<(), ParquetError> {
        let (Some(packed), decompressor) = (&self.dictionary, &mut scratch.decompressor) else { return Ok(()) };
        let number = |place: &u32| block.numbers.get(*place as usize).copied().filter(|number| *number != NONE);
        match few {
            Some(few) => packed.load(few.iter().filter_map(number), decompressor),
            None => packed.whole(decompressor).map(|_| ()),
        }
    }

    /// The text of a row of a block that was read, and whose values are ready.
    pub(super) fn text<'c>(&'c self, block: &'c Block, row: usize) -> Option<&'c str> {
        let number = block.numbers.get(row).copied().filter(|number| *number != NONE)?;
        match &self.dictionary {
            Some(packed) => packed.text(number),
            None => Some(block.texts.text(number)),
        }
    }

    /// The whole number of a row, likewise.
    pub(super) fn int(&self, block: &Block, row: usize) -> Option<i64> {
        match &self.dictionary {
            Some(packed) => packed.int(*block.numbers.get(row)?),
            None => block.ints.get(row).copied(),
        }
    }

    /// Where its pages are, in the order of rows; there is one at least.
    fn locations(&self, file: &File) -> Result<&[Location], ParquetError> {
        if let Some(locations) = self.locations.get() {
            return Ok(locations);
        }
        let is_inside = |one: &Location| {
            let end = one.start.checked_add(one.length as u64);
            one.start >= self.place.start && end.is_some_and(|end| end <= self.place.end)
        };
        let is_right = |all: &Vec<Location>| {
            all.first().is_some_and(|first| first.row == 0)
                && all.last().is_some_and(|last| last.row < self.rows)
                && all.windows(2).all(|two| two[0].row < two[1].row)
                && all.iter().all(is_inside)
        };
        let found = locations(&bytes(file, self.index.clone())?).filter(is_right);
        let found = found.ok_or_else(|| damaged("the index of a column's pages is wrong"))?;
        Ok(self.locations.get_or_init(|| found))
    }

    /// Whether each row has a value.
    pub(crate) fn is_whole(&self) -> bool {
        !self.optional || self.nulls == Some(0)
    }

    /// Whether no row has a value.
    pub(crate) fn is_empty(&self) -> bool {
        self.optional && self.nulls == Some(self.rows as u64)
    }

    /// The number that all rows have, where that is known without reading any.
    pub(super) fn same(&self) -> Option<u32> {
        match &self.dictionary {
            _ if self.is_empty() => Some(NONE),
            Some(dictionary) if dictionary.len() == 1 && self.is_whole() => Some(0),
            _ => None,
        }
    }

    /// The value that all rows have, if it is one, and known as [`load_values`](Self::load_values) has found it.
    pub(super) fn same_value(&self) -> Option<Same<'_>> {
        let (packed, number) = (self.dictionary.as_ref()?, self.same().filter(|number| *number != NONE)?);
        packed.text(number).map(Same::Text).or_else(|| packed.int(number).map(Same::Int))
    }

    /// How many rows its first page has: blocks of so many are read without reading a page twice.
    pub(super) fn rows_of_page(&self, file: &File) -> Result<usize, ParquetError> {
        Ok(self.locations(file)?.get(1).map_or(self.rows, |second| second.row))
    }

    /// Reads the values of some rows; if only `few` of them are wanted, by their places among the rows, ascending, then
    /// the others get any.
    pub(super) fn read(
        &self,
        file: &File,
        rows: Range<usize>,
        few: Option<&[u32]>,
        scratch: &mut Scratch,
        block: &mut Block,
    ) -> Result<(), ParquetError> {
        block.clear();
        if let Some(number) = self.same() {
            block.numbers.resize(rows.len(), number);
            return Ok(());
        }
        let locations = self.locations(file)?;
        let from = locations.partition_point(|location| location.row <= rows.start).saturating_sub(1);
        for (at, location) in locations.iter().enumerate().skip(from).take_while(|(_, one)| one.row < rows.end) {
            let end = locations.get(at + 1).map_or(self.rows, |next| next.row);
            let here = rows.start.max(location.row)..rows.end.min(end);
            let few = few.map(|few| {
                let upto = |row: usize| few.partition_point(|place| rows.start + (*place as usize) < row);
                &few[upto(here.start)..upto(here.end)]
            });
            if few.is_some_and(<[u32]>::is_empty) {
                self.pass(here.len(), block);
                continue;
            }
            // Places among the rows become places in the page.
            let few = few.map(|few| Few { places: few, shift: rows.start as isize - location.row as isize });
            let mut window = self.window.borrow_mut();
            let window = &mut *window;
            let bytes = self.page_bytes(file, location, &mut window.read)?;
            let page = page(bytes)?;
            let is_right =
                page.kind == Kind::Data && page.rows == end - location.row && (page.nulls == 0 || self.optional);
            if !is_right {
                return Err(damaged("its pages are not those that its index lists"));
            }
            let content = if window.unpacked == Some(location.start) {
                page.with_values(bytes, &window.plain)
            } else {
                window.unpacked = None;
                let content = scratch.decompressor.read(bytes, &page, self.compression, &mut window.plain)?;
                window.unpacked = (!page.is_plain(self.compression)?).then_some(location.start);
                content
            };
            let within = here.start - location.row..here.end - location.row;
            let decoded = self.decode(&page, content, (within, few), &mut scratch.values, block);
            decoded.ok_or_else(|| damaged("a page cannot be read"))?;
        }
        Ok(())
    }

    /// Leaves some rows out of a block.
    fn pass(&self, rows: usize, block: &mut Block) {
        let has_ints = self.physical == Physical::INT64 && self.dictionary.is_none();
        let has_doubles = self.physical == Physical::DOUBLE;
        if has_ints {
            block.ints.resize(block.ints.len() + rows, 0);
        }
        if has_doubles {
            block.doubles.resize(block.doubles.len() + rows, 0.0);
        }
        if self.optional || !has_ints && !has_doubles {
            block.numbers.resize(block.numbers.len() + rows, NONE);
        }
    }

    /// The bytes of a page, with its header.
    fn page_bytes<'w>(&self, file: &File, location: &Location, piece: &'w mut Piece) -> Result<&'w [u8], ParquetError> {
        Ok(piece.read(file, location.start..location.start + location.length as u64, self.place.end)?)
    }
}

/// Some bytes of a file, which are known to be in it.
fn bytes(file: &File, place: Range<u64>) -> Result<Vec<u8>, ParquetError> {
    let length = usize::try_from(place.end - place.start).map_err(|_| damaged("a column is too long"))?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, place.start)?;
    Ok(bytes)
}
