//! One column of a segment: its dictionary, and the values of any rows without those around them.

use std::cell::{OnceCell, RefCell};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use parquet::basic::{Compression, Type as Physical};
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;

use super::dictionary::{Dictionary, Packed};
use super::page::{Content, Decompressor, Kind, Location, Page, locations, page};
use super::texts::Texts;
use super::{damaged, delta, hybrid};

/// Stands for a row that has no value.
pub(crate) const NONE: u32 = u32::MAX;

/// Numbers of parquet.thrift's `Encoding`.
const PLAIN: i64 = 0;
const PLAIN_DICTIONARY: i64 = 2;
const RLE: i64 = 3;
const DELTA_BINARY_PACKED: i64 = 5;
const RLE_DICTIONARY: i64 = 8;

/// The values of some rows of a column; where one is missing, any.
#[derive(Debug, Default)]
pub(crate) struct Block {
    /// Numbers in the dictionary, or in `texts`; [`NONE`] where there is no value.
    pub(crate) numbers: Vec<u32>,
    /// Texts of a column that has no dictionary.
    pub(crate) texts: Texts,
    pub(crate) ints: Vec<i64>,
    pub(crate) doubles: Vec<f64>,
}

impl Block {
    fn clear(&mut self) {
        self.numbers.clear();
        self.ints.clear();
        self.doubles.clear();
        self.texts.clear();
    }

    /// How many rows it has.
    fn len(&self) -> usize {
        self.numbers.len().max(self.ints.len()).max(self.doubles.len())
    }

    /// Cuts what was read to some rows of it.
    fn cut(&mut self, from: usize, rows: Range<usize>) {
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

/// Reused from page to page.
pub(crate) struct Scratch {
    decompressor: Decompressor,
    content: Content,
    numbers: Vec<u32>,
    levels: Vec<u32>,
}

impl Scratch {
    pub(crate) fn new() -> Result<Self, ParquetError> {
        Ok(Self {
            decompressor: Decompressor::new()?,
            content: Content::default(),
            numbers: Vec::new(),
            levels: Vec::new(),
        })
    }
}

/// What is read of a column at a time, if one page is not more: small pages come several at once.
const WINDOW: usize = 1 << 15;

/// A column, read as far as its dictionary.
#[derive(Debug)]
pub(crate) struct Column {
    physical: Physical,
    compression: Compression,
    optional: bool,
    dictionary: Option<Packed>,
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

/// What was read last of a file, and where it begins there.
#[derive(Debug, Default)]
struct Window {
    start: u64,
    bytes: Vec<u8>,
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
            let before = block.len();
            // Places among the rows become places in the page.
            let few = few.map(|few| Few { places: few, shift: rows.start as isize - location.row as isize });
            let mut content = std::mem::take(&mut scratch.content);
            let read = self.read_page(file, location, end, &mut scratch.decompressor, &mut content).and_then(|page| {
                let decoded = self.decode(&page, &content, few, scratch, block);
                decoded.ok_or_else(|| damaged("a page cannot be read"))
            });
            scratch.content = content;
            read?;
            block.cut(before, here.start - location.row..here.end - location.row);
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

    /// Reads and decompresses the page whose rows end before `end`.
    fn read_page(
        &self,
        file: &File,
        location: &Location,
        end: usize,
        decompressor: &mut Decompressor,
        content: &mut Content,
    ) -> Result<Page, ParquetError> {
        let mut window = self.window.borrow_mut();
        let is_there = location.start >= window.start
            && location.start + location.length as u64 <= window.start + window.bytes.len() as u64;
        if !is_there {
            let left = usize::try_from(self.place.end - location.start).unwrap_or(usize::MAX);
            window.start = location.start;
            window.bytes.resize(location.length.max(WINDOW).min(left), 0);
            if let Err(error) = file.read_exact_at(&mut window.bytes, location.start) {
                window.bytes.clear();
                return Err(error.into());
            }
        }
        let start = (location.start - window.start) as usize;
        let bytes = &window.bytes[start..start + location.length];
        let page = page(bytes)?;
        let is_right = page.kind == Kind::Data && page.rows == end - location.row && (page.nulls == 0 || self.optional);
        if !is_right {
            return Err(damaged("its pages are not those that its index lists"));
        }
        decompressor.read(bytes, &page, self.compression, content)?;
        Ok(page)
    }

    fn decode(
        &self,
        page: &Page,
        content: &Content,
        few: Option<Few<'_>>,
        scratch: &mut Scratch,
        block: &mut Block,
    ) -> Option<()> {
        let (values, count) = (content.values(), page.rows - page.nulls);
        let Scratch { numbers, levels, .. } = scratch;
        if page.nulls > 0 {
            levels.clear();
            hybrid::decode(content.levels(), 1, page.rows, levels)?;
            if levels.iter().filter(|level| **level > 0).count() != count {
                return None;
            }
        }
        match (self.physical, page.encoding) {
            (Physical::BYTE_ARRAY | Physical::INT64, PLAIN_DICTIONARY | RLE_DICTIONARY) => {
                let start = block.numbers.len();
                let known = u32::try_from(self.dictionary.as_ref()?.len()).ok()?;
                if let (Some(few), 0) = (&few, page.nulls) {
                    block.numbers.resize(start + page.rows, 0);
                    let (width, packed) = values.split_first()?;
                    let numbers = &mut block.numbers[start..];
                    hybrid::pick(packed, u32::from(*width), count, few.places(), numbers)?;
                    return few.places().all(|place| numbers[place] < known).then_some(());
                }
                if page.nulls == 0 {
                    indices(values, count, &mut block.numbers)?;
                } else {
                    numbers.clear();
                    indices(values, count, numbers)?;
                    spread(numbers, levels, NONE, &mut block.numbers);
                }
                // A missing one is one less than nothing. Without a branch, for many at a time.
                let beyond = |any: bool, number: &u32| any | (number.wrapping_add(1) > known);
                (!block.numbers[start..].iter().fold(false, beyond)).then_some(())
            }
            (Physical::BYTE_ARRAY, PLAIN) if self.dictionary.is_none() => {
                let first = block.texts.len();
                block.texts.extend(values)?;
                if block.texts.len() - first != count {
                    return None;
                }
                numbers.clear();
                numbers.extend(u32::try_from(first).ok()?..u32::try_from(block.texts.len()).ok()?);
                spread_or_all(numbers, levels, page, NONE, &mut block.numbers);
                Some(())
            }
            (Physical::INT64, PLAIN | DELTA_BINARY_PACKED) if self.dictionary.is_none() => {
                if page.encoding == DELTA_BINARY_PACKED && page.nulls == 0 {
                    return delta::decode(values, count, &mut block.ints);
                }
                let mut ints = Vec::new();
                if page.encoding == PLAIN {
                    ints = plain(values, count, i64::from_le_bytes)?;
                } else {
                    delta::decode(values, count, &mut ints)?;
                }
                self.note_missing(levels, page, block);
                spread_or_all(&ints, levels, page, 0, &mut block.ints);
                Some(())
            }
            (Physical::DOUBLE, PLAIN) => {
                self.note_missing(levels, page, block);
                let doubles = plain(values, count, f64::from_le_bytes)?;
                spread_or_all(&doubles, levels, page, 0.0, &mut block.doubles);
                Some(())
            }
            (Physical::BOOLEAN, PLAIN | RLE) => {
                numbers.clear();
                if page.encoding == RLE {
                    // Behind their length in bytes.
                    hybrid::decode(values.get(4..)?, 1, count, numbers)?;
                } else {
                    numbers.extend(
                        (0..count).map_while(|bit| values.get(bit / 8).map(|byte| u32::from(byte >> (bit % 8) & 1))),
                    );
                }
                if numbers.len() != count {
                    return None;
                }
                spread_or_all(numbers, levels, page, NONE, &mut block.numbers);
                Some(())
            }
            _ => None,
        }
    }

    /// Notes which rows have no number, where numbers do not say so themselves.
    fn note_missing(&self, levels: &[u32], page: &Page, block: &mut Block) {
        if self.optional {
            let zeros = vec![0; page.rows - page.nulls];
            spread_or_all(&zeros, levels, page, NONE, &mut block.numbers);
        }
    }
}

/// Rows of a page that are wanted.
#[derive(Clone, Copy)]
struct Few<'f> {
    places: &'f [u32],
    /// What makes them places in the page.
    shift: isize,
}

impl Few<'_> {
    fn places(&self) -> impl Iterator<Item = usize> + '_ {
        self.places.iter().map(|place| (*place as usize).wrapping_add_signed(self.shift))
    }
}

/// Some bytes of a file, which are known to be in it.
fn bytes(file: &File, place: Range<u64>) -> Result<Vec<u8>, ParquetError> {
    let length = usize::try_from(place.end - place.start).map_err(|_| damaged("a column is too long"))?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, place.start)?;
    Ok(bytes)
}

/// The numbers of a page in the dictionary's order.
fn indices(values: &[u8], count: usize, out: &mut Vec<u32>) -> Option<()> {
    if count == 0 {
        return Some(());
    }
    let (width, packed) = values.split_first()?;
    hybrid::decode(packed, u32::from(*width), count, out)
}

fn plain<T, const BYTES: usize>(values: &[u8], count: usize, read: impl Fn([u8; BYTES]) -> T) -> Option<Vec<T>> {
    let (chunks, rest) = values.as_chunks::<BYTES>();
    (rest.is_empty() && chunks.len() == count).then(|| chunks.iter().map(|bytes| read(*bytes)).collect())
}

fn spread_or_all<T: Copy>(values: &[T], levels: &[u32], page: &Page, missing: T, out: &mut Vec<T>) {
    if page.nulls == 0 {
        out.extend_from_slice(values);
    } else {
        spread(values, levels, missing, out);
    }
}

/// Puts values where the levels say that there are some.
fn spread<T: Copy>(values: &[T], levels: &[u32], missing: T, out: &mut Vec<T>) {
    let mut values = values.iter().copied();
    out.extend(levels.iter().map(|level| if *level > 0 { values.next().unwrap_or(missing) } else { missing }));
}
