//! A column as Parquet's pages of numbers and a dictionary.
//!
//! The values are numbered already, so nothing is looked up again: that is what makes writing a segment cheap.

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, EncodingMask, PageType, ZstdLevel};
use parquet::column::page::{CompressedPage, Page, PageWriteSpec, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, PageEncodingStats};
use parquet::file::page_index::offset_index::{OffsetIndexMetaData, PageLocation};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;
use zstd::zstd_safe::{CParameter, ParamSwitch, Strategy};

use super::dictionary::PART;
use super::hybrid;
use super::interned::Interned;
use super::write::{PAGE, ZSTD_LEVEL};

/// Pages that would become smaller by less than one part of so many stay as they are, so that few rows of them are read without
/// the others. Most pages of numbers would hardly become smaller; all that stay so make files a twentieth larger.
const WORTH: usize = 4;

/// What few bytes would become smaller by is not worth it either: the codes are read anew for each page.
const LEAST_SAVED: usize = if cfg!(test) { 8 } else { 512 };

/// Rows of a page of narrow numbers, if all have one: for fewer, reading the codes takes longer than what they stand for.
const NARROW_PAGE: usize = 4 * PAGE;

/// After a page that is not worth compressing so many pages of its column are not tried: mostly they are alike.
const UNTRIED: usize = 7;

/// Of numbers of so many bits several lie in a byte, and some bytes are much more frequent than others.
const NARROW: u32 = 4;

/// A compressor that gives frequent bytes short codes and looks for nothing that was there before: of few values by chance that
/// takes a fifth fewer bytes than pointing back does, and unpacking it is less work.
fn coder() -> std::io::Result<zstd::bulk::Compressor<'static>> {
    let mut coder = zstd::bulk::Compressor::new(1)?;
    coder.set_parameter(CParameter::Strategy(Strategy::ZSTD_fast))?;
    // Steps between places that are looked at: longer than any page.
    coder.set_parameter(CParameter::TargetLength(1 << 17))?;
    coder.set_parameter(CParameter::LiteralCompressionMode(ParamSwitch::Enable))?;
    Ok(coder)
}

/// Longest text that is kept as the least or the greatest of a column.
const BOUND: usize = 64;

/// The different values of a column.
pub(super) struct Dictionary {
    /// As PLAIN has them.
    plain: Vec<u8>,
    /// Where in them each part ends.
    parts: Vec<usize>,
    len: usize,
    ends: Ends,
    /// Whether they are in order, and not in that in which they came.
    is_sorted: bool,
}

/// The least and the greatest.
enum Ends {
    Texts(Option<(ByteArray, ByteArray)>),
    Ints(Option<(i64, i64)>),
}

impl Dictionary {
    pub(super) fn of_texts<'t>(texts: impl Iterator<Item = &'t str> + Clone) -> Self {
        let (mut plain, mut parts, mut len) = (Vec::new(), Vec::new(), 0);
        for text in texts.clone() {
            if len > 0 && len % PART == 0 {
                parts.push(plain.len());
            }
            plain.extend_from_slice(&(text.len() as u32).to_le_bytes());
            plain.extend_from_slice(text.as_bytes());
            len += 1;
        }
        parts.push(plain.len());
        let bound =
            |text: Option<&str>| text.filter(|text| text.len() <= BOUND).map(|text| text.as_bytes().to_vec().into());
        let ends = Ends::Texts(bound(texts.clone().min()).zip(bound(texts.max())));
        Self { plain, parts, len, ends, is_sorted: false }
    }

    /// That of texts that are in order.
    pub(super) fn of_sorted<'t>(texts: impl Iterator<Item = &'t str> + Clone) -> Self {
        Self { is_sorted: true, ..Self::of_texts(texts) }
    }

    pub(super) fn of_interned(interned: &Interned) -> Self {
        Self::of_texts((0..interned.len() as u32).map(|number| interned.text(number)))
    }

    pub(super) fn of_ints(ints: &[i64], is_sorted: bool) -> Self {
        let plain: Vec<u8> = ints.iter().flat_map(|int| int.to_le_bytes()).collect();
        let parts =
            (PART..ints.len()).step_by(PART).map(|end| size_of_val(&ints[..end])).chain([plain.len()]).collect();
        let ends = ints.iter().min().copied().zip(ints.iter().max().copied());
        Self { plain, parts, len: ints.len(), ends: Ends::Ints(ends), is_sorted }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    fn statistics(&self, nulls: u64) -> Statistics {
        match &self.ends {
            Ends::Texts(ends) => {
                let (least, most) = ends.clone().unzip();
                Statistics::byte_array(least, most, Some(self.len as u64), Some(nulls), false)
            }
            Ends::Ints(ends) => {
                let (least, most) = ends.unzip();
                Statistics::int64(least, most, Some(self.len as u64), Some(nulls), false)
            }
        }
    }
}

/// Writes columns of one row group; its compressor is used again and again.
pub(super) struct Encoder {
    compressor: zstd::bulk::Compressor<'static>,
    /// For pages of narrow numbers.
    coder: zstd::bulk::Compressor<'static>,
    plain: Vec<u8>,
    packed: Vec<u8>,
    /// How many pages are not tried.
    untried: usize,
}

/// The pages of a column.
pub(super) struct Encoded {
    /// Their bytes.
    pub(super) chunk: Bytes,
    /// What the file says of them.
    pub(super) close: ColumnCloseResult,
}

impl Encoder {
    pub(super) fn new() -> Result<Self, ParquetError> {
        let compressor = zstd::bulk::Compressor::new(ZSTD_LEVEL)?;
        Ok(Self { compressor, coder: coder()?, plain: Vec::new(), packed: Vec::new(), untried: 0 })
    }

    /// Encodes a column by the numbers of its values; `present` says for each of the rows whether it has one of them.
    pub(super) fn column(
        &mut self,
        descriptor: &ColumnDescPtr,
        dictionary: &Dictionary,
        numbers: &[u32],
        (rows, present): (usize, Option<&[i16]>),
    ) -> Result<Encoded, ParquetError> {
        let mut sink = TrackedWrite::new(Vec::new());
        let mut pages = Pages { writer: SerializedPageWriter::new(&mut sink), sizes: (0, 0), locations: Vec::new() };
        pages.write(self.dictionary_page(dictionary)?, 0)?;
        self.untried = 0;
        let (width, mut numbers, mut row) = (hybrid::width(dictionary.len), numbers, 0);
        let most = if present.is_none() && (1..=NARROW).contains(&width) { NARROW_PAGE } else { PAGE };
        while row < rows {
            let here = most.min(rows - row);
            let levels = present.map(|present| &present[row..row + here]);
            let values = levels.map_or(here, |levels| levels.iter().filter(|level| **level > 0).count());
            let (of_page, rest) = numbers.split_at(values);
            pages.write(self.data_page(of_page, width, (here, levels))?, row)?;
            (numbers, row) = (rest, row + here);
        }
        let (plain, packed) = pages.sizes;
        let locations = pages.locations;
        let first = locations.first().map_or(0, |location| location.offset);
        let count = |page_type, encoding, count| PageEncodingStats { page_type, encoding, count };
        let data = count(PageType::DATA_PAGE_V2, Encoding::RLE_DICTIONARY, locations.len() as i32);
        let nulls = (rows - present.map_or(rows, |present| present.iter().filter(|level| **level > 0).count())) as u64;
        let metadata = ColumnChunkMetaData::builder(Arc::clone(descriptor))
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
            .set_encodings_mask(EncodingMask::new_from_encodings(
                [Encoding::PLAIN, Encoding::RLE, Encoding::RLE_DICTIONARY].iter(),
            ))
            .set_page_encoding_stats(vec![count(PageType::DICTIONARY_PAGE, Encoding::PLAIN, 1), data])
            .set_total_compressed_size(packed as i64)
            .set_total_uncompressed_size(plain as i64)
            .set_num_values(rows as i64)
            .set_dictionary_page_offset(Some(0))
            .set_data_page_offset(first)
            .set_statistics(dictionary.statistics(nulls))
            .build()?;
        let offset_index = OffsetIndexMetaData { page_locations: locations, unencoded_byte_array_data_bytes: None };
        let close = ColumnCloseResult {
            bytes_written: packed as u64,
            rows_written: rows as u64,
            metadata,
            bloom_filter: None,
            column_index: None,
            offset_index: Some(offset_index),
        };
        Ok(Encoded { chunk: sink.into_inner()?.into(), close })
    }

    fn dictionary_page(&mut self, dictionary: &Dictionary) -> Result<CompressedPage, ParquetError> {
        let (mut buf, mut start) = (Vec::new(), 0);
        for &end in &dictionary.parts {
            buf.extend_from_slice(&self.compressor.compress(&dictionary.plain[start..end])?);
            start = end;
        }
        let page = Page::DictionaryPage {
            buf: buf.into(),
            num_values: dictionary.len as u32,
            encoding: Encoding::PLAIN,
            is_sorted: dictionary.is_sorted,
        };
        Ok(CompressedPage::new(page, dictionary.plain.len()))
    }

    fn data_page(
        &mut self,
        numbers: &[u32],
        width: u32,
        (rows, levels): (usize, Option<&[i16]>),
    ) -> Result<CompressedPage, ParquetError> {
        let mut buf = Vec::new();
        if let Some(levels) = levels {
            let levels: Vec<u32> = levels.iter().map(|level| u32::from(*level > 0)).collect();
            hybrid::encode(&levels, 1, &mut buf);
        }
        let of_levels = buf.len();
        self.plain.clear();
        self.plain.push(width as u8);
        hybrid::encode(numbers, width, &mut self.plain);
        let is_compressed = self.compress(width)?;
        buf.extend_from_slice(if is_compressed { &self.packed } else { &self.plain });
        let page = Page::DataPageV2 {
            buf: buf.into(),
            num_values: rows as u32,
            encoding: Encoding::RLE_DICTIONARY,
            num_nulls: (rows - numbers.len()) as u32,
            num_rows: rows as u32,
            def_levels_byte_len: of_levels as u32,
            rep_levels_byte_len: 0,
            is_compressed,
            statistics: None,
        };
        Ok(CompressedPage::new(page, of_levels + self.plain.len()))
    }

    /// Compresses a page, if that is worth it.
    fn compress(&mut self, width: u32) -> Result<bool, ParquetError> {
        if self.untried > 0 {
            self.untried -= 1;
            return Ok(false);
        }
        self.packed.clear();
        self.packed.reserve(zstd::zstd_safe::compress_bound(self.plain.len()));
        let compressor = if width <= NARROW { &mut self.coder } else { &mut self.compressor };
        compressor.compress_to_buffer(&self.plain, &mut self.packed)?;
        let least_saved = self.plain.len().div_ceil(WORTH).max(LEAST_SAVED);
        let is_worth_it = self.packed.len() + least_saved <= self.plain.len();
        if !is_worth_it {
            self.untried = UNTRIED;
        }
        Ok(is_worth_it)
    }
}

/// Pages as they are written.
struct Pages<'s> {
    writer: SerializedPageWriter<'s, Vec<u8>>,
    /// Bytes of all, before and after compression.
    sizes: (usize, usize),
    /// Of those with data.
    locations: Vec<PageLocation>,
}

impl Pages<'_> {
    fn write(&mut self, page: CompressedPage, first_row: usize) -> Result<(), ParquetError> {
        let PageWriteSpec { page_type, uncompressed_size, compressed_size, offset, .. } =
            self.writer.write_page(page)?;
        self.sizes.0 += uncompressed_size;
        self.sizes.1 += compressed_size;
        if page_type == PageType::DATA_PAGE_V2 {
            let (offset, compressed_page_size) = (offset as i64, compressed_size as i32);
            self.locations.push(PageLocation { offset, compressed_page_size, first_row_index: first_row as i64 });
        }
        Ok(())
    }
}

/// Numbers values in the order in which they come.
pub(super) fn number<K: Copy + Eq + std::hash::Hash>(values: impl Iterator<Item = K>) -> (Vec<K>, Vec<u32>) {
    let mut known = std::collections::HashMap::<K, u32, foldhash::fast::RandomState>::default();
    let mut distinct = Vec::new();
    let numbers = values.map(|value| {
        *known.entry(value).or_insert_with(|| {
            distinct.push(value);
            distinct.len() as u32 - 1
        })
    });
    let numbers = numbers.collect();
    (distinct, numbers)
}
