//! One column of a segment: its dictionary, and the values of any rows without those around them.

use std::cell::OnceCell;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use parquet::basic::{Compression, Type as Physical};
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;

use super::page::{Content, Decompressor, Kind, Page, pages};
use super::{damaged, delta, hybrid};
use crate::expr::may_need_escape;

/// Stands for a row that has no value.
pub(crate) const NONE: u32 = u32::MAX;

/// Numbers of parquet.thrift's `Encoding`.
const PLAIN: i64 = 0;
const PLAIN_DICTIONARY: i64 = 2;
const RLE: i64 = 3;
const DELTA_BINARY_PACKED: i64 = 5;
const RLE_DICTIONARY: i64 = 8;

/// Texts, by numbers. They lie one after the other, each behind its length in four bytes.
#[derive(Debug, Default, Clone)]
pub(crate) struct Texts {
    all: Vec<u8>,
    starts: Vec<u32>,
}

impl Texts {
    fn read(all: Vec<u8>) -> Option<Self> {
        let mut texts = Self { all, starts: Vec::new() };
        texts.index(0, texts.all.is_ascii())?;
        Some(texts)
    }

    /// Notes where texts begin, from a byte on.
    fn index(&mut self, from: usize, is_ascii: bool) -> Option<()> {
        let mut at = from;
        while at < self.all.len() {
            let length = u32::from_le_bytes(self.all.get(at..at + 4)?.try_into().ok()?) as usize;
            let text = self.all.get(at + 4..(at + 4).checked_add(length)?)?;
            if !is_ascii {
                std::str::from_utf8(text).ok()?;
            }
            self.starts.push(u32::try_from(at + 4).ok()?);
            at += 4 + length;
        }
        Some(())
    }

    /// How many texts there are.
    pub(crate) fn len(&self) -> usize {
        self.starts.len()
    }

    /// All bytes, with those of lengths between the texts.
    pub(crate) fn all(&self) -> &[u8] {
        &self.all
    }

    /// The number of the text that has a byte, and where it ends.
    pub(crate) fn at(&self, byte: usize) -> Option<(usize, usize)> {
        let number = self.starts.partition_point(|start| *start as usize <= byte).checked_sub(1)?;
        Some((number, self.range(number).end))
    }

    fn range(&self, number: usize) -> Range<usize> {
        let end = self.starts.get(number + 1).map_or(self.all.len(), |next| *next as usize - 4);
        self.starts[number] as usize..end
    }

    /// The numbers of the texts that a line has with escapes.
    pub(crate) fn escaped(&self) -> Vec<u32> {
        let lengths = |start: &u32| escapes(&self.all[*start as usize - 4..*start as usize]);
        if escapes(&self.all) == self.starts.iter().map(lengths).sum::<usize>() {
            return Vec::new();
        }
        (0..self.len() as u32).filter(|number| escapes(self.text(*number).as_bytes()) > 0).collect()
    }

    /// A text by its number.
    pub(crate) fn text(&self, number: u32) -> &str {
        // They were checked when they were read.
        std::str::from_utf8(&self.all[self.range(number as usize)]).unwrap_or_default()
    }
}

/// How many bytes may begin what is escaped in a line.
fn escapes(bytes: &[u8]) -> usize {
    // Few enough for their count to fit in a byte, which processors add up many at a time.
    let count = |bytes: &[u8]| bytes.iter().map(|byte| u8::from(may_need_escape(*byte))).sum::<u8>();
    bytes.chunks(255).map(|bytes| usize::from(count(bytes))).sum()
}

/// The different values of a column.
#[derive(Debug)]
pub(crate) enum Dictionary {
    Texts(Texts),
    Ints(Vec<i64>),
}

impl Dictionary {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.len(),
            Self::Ints(ints) => ints.len(),
        }
    }
}

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
        self.texts.all.clear();
        self.texts.starts.clear();
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

/// A column, read as far as its dictionary.
#[derive(Debug)]
pub(crate) struct Column {
    physical: Physical,
    compression: Compression,
    optional: bool,
    pub(crate) dictionary: Option<Dictionary>,
    rows: usize,
    /// Where its pages lie in the file.
    place: Range<u64>,
    /// How many rows have no value, as its statistics say.
    nulls: Option<u64>,
    data: OnceCell<Data>,
}

/// What is behind the dictionary.
#[derive(Debug)]
struct Data {
    bytes: Vec<u8>,
    /// Pages of values, with the row that each begins with.
    pages: Vec<(usize, Page)>,
}

impl Column {
    pub(super) fn open(
        file: &File,
        metadata: &ColumnChunkMetaData,
        rows: usize,
        scratch: &mut Scratch,
    ) -> Result<Self, ParquetError> {
        let (start, length) = metadata.byte_range();
        let end = start.checked_add(length).filter(|end| file.metadata().is_ok_and(|file| *end <= file.len()));
        let end = end.ok_or_else(|| damaged("a column ends behind the file's end"))?;
        let first = u64::try_from(metadata.data_page_offset()).unwrap_or_default();
        let first = if metadata.dictionary_page_offset().is_some() { first } else { start };
        if !(start..=end).contains(&first) {
            return Err(damaged("a column begins outside of itself"));
        }
        let mut column = Self {
            physical: metadata.column_type(),
            compression: metadata.compression(),
            optional: metadata.column_descr().max_def_level() > 0,
            dictionary: None,
            rows,
            place: first..end,
            nulls: metadata.statistics().and_then(|statistics| statistics.null_count_opt()),
            data: OnceCell::new(),
        };
        if first > start {
            let bytes = bytes(file, start..first)?;
            let [page] = &pages(&bytes)?[..] else { return Err(damaged("a column has several dictionaries")) };
            column.dictionary = Some(column.read_dictionary(&bytes, page, scratch)?);
        }
        Ok(column)
    }

    fn read_dictionary(&self, bytes: &[u8], page: &Page, scratch: &mut Scratch) -> Result<Dictionary, ParquetError> {
        if page.kind != Kind::Dictionary {
            return Err(damaged("a column has no dictionary where it should have one"));
        }
        let mut content = Content::default();
        scratch.decompressor.read(bytes, page, self.compression, &mut content)?;
        let dictionary = match self.physical {
            Physical::BYTE_ARRAY => Texts::read(content.into_values()).map(Dictionary::Texts),
            Physical::INT64 => plain(content.values(), page.rows, i64::from_le_bytes).map(Dictionary::Ints),
            _ => None,
        };
        dictionary.filter(|found| found.len() == page.rows).ok_or_else(|| damaged("a dictionary cannot be read"))
    }

    fn data(&self, file: &File) -> Result<&Data, ParquetError> {
        if let Some(data) = self.data.get() {
            return Ok(data);
        }
        let bytes = bytes(file, self.place.clone())?;
        let (mut all, mut first) = (Vec::new(), 0);
        for page in pages(&bytes)? {
            if page.kind != Kind::Data || page.nulls > 0 && !self.optional {
                return Err(damaged("its pages are in another order than they should be"));
            }
            let behind = first + page.rows;
            all.push((first, page));
            first = behind;
        }
        if first != self.rows {
            return Err(damaged("a column has another length than it should have"));
        }
        Ok(self.data.get_or_init(|| Data { bytes, pages: all }))
    }

    /// Whether each row has a value.
    pub(crate) fn is_whole(&self) -> bool {
        !self.optional || self.nulls == Some(0)
    }

    /// Whether no row has a value.
    pub(crate) fn is_empty(&self) -> bool {
        self.optional && self.nulls == Some(self.rows as u64)
    }

    /// How many rows its first page has: blocks of so many are read without reading a page twice.
    pub(super) fn rows_of_page(&self, file: &File) -> Result<usize, ParquetError> {
        Ok(self.data(file)?.pages.first().map_or(self.rows, |(_, page)| page.rows).max(1))
    }

    /// Reads the values of some rows.
    pub(super) fn read(
        &self,
        file: &File,
        rows: Range<usize>,
        scratch: &mut Scratch,
        block: &mut Block,
    ) -> Result<(), ParquetError> {
        block.clear();
        let Data { bytes, pages } = self.data(file)?;
        let from = pages.partition_point(|(first, page)| first + page.rows <= rows.start);
        for (first, page) in pages[from..].iter().take_while(|(first, _)| *first < rows.end) {
            let before = block.numbers.len().max(block.ints.len()).max(block.doubles.len());
            let mut content = std::mem::take(&mut scratch.content);
            let read = scratch.decompressor.read(bytes, page, self.compression, &mut content);
            let read = read.and_then(|()| {
                self.decode(page, &content, scratch, block).ok_or_else(|| damaged("a page cannot be read"))
            });
            scratch.content = content;
            read?;
            block.cut(before, rows.start.max(*first) - first..rows.end.min(first + page.rows) - first);
        }
        Ok(())
    }

    fn decode(&self, page: &Page, content: &Content, scratch: &mut Scratch, block: &mut Block) -> Option<()> {
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
                if page.nulls == 0 {
                    indices(values, count, &mut block.numbers)?;
                } else {
                    numbers.clear();
                    indices(values, count, numbers)?;
                    spread(numbers, levels, NONE, &mut block.numbers);
                }
                let most = block.numbers[start..].iter().map(|number| number.wrapping_add(1)).max().unwrap_or_default();
                (most <= known).then_some(())
            }
            (Physical::BYTE_ARRAY, PLAIN) if self.dictionary.is_none() => {
                let (from, first) = (block.texts.all.len(), block.texts.len());
                block.texts.all.extend_from_slice(values);
                block.texts.index(from, values.is_ascii())?;
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
