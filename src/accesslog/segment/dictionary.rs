//! The different values of a column, read as a whole, or, where few are wanted, in parts.
//!
//! The page of a dictionary consists of zstd frames of [`PART`] values each. To readers of Parquet they are one text (RFC 8878,
//! section 3: frames are independent, and decompressed one after the other).

use std::cell::OnceCell;
use std::ops::Range;

use parquet::basic::{Compression, Type as Physical};
use parquet::errors::ParquetError;
use zstd::zstd_safe::{find_frame_compressed_size, get_frame_content_size};

use super::damaged;
use super::page::{Decompressor, Page};
use super::texts::Texts;

/// Values that are compressed together. Fewer make files larger; in tests all questions shall meet several.
pub(super) const PART: usize = if cfg!(test) { 16 } else { 1024 };

/// The different values of a column, or of a part of them.
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

    /// Reads so many values as PLAIN has them.
    fn read(physical: Physical, plain: Vec<u8>, len: usize) -> Result<Self, ParquetError> {
        let found = match physical {
            Physical::BYTE_ARRAY => Texts::read(plain).map(Self::Texts),
            Physical::INT64 => {
                let (ints, rest) = plain.as_chunks();
                let read = || Self::Ints(ints.iter().map(|int| i64::from_le_bytes(*int)).collect());
                rest.is_empty().then(read)
            }
            _ => None,
        };
        found.filter(|found| found.len() == len).ok_or_else(|| damaged("a dictionary cannot be read"))
    }
}

/// The page of a dictionary, of which values are read when they are wanted.
#[derive(Debug)]
pub(super) struct Packed {
    physical: Physical,
    compression: Compression,
    page: Page,
    bytes: Vec<u8>,
    whole: OnceCell<Dictionary>,
    /// None where the page is not made of parts.
    parts: OnceCell<Vec<Part>>,
}

#[derive(Debug)]
struct Part {
    /// Where its frame is in the page.
    place: Range<usize>,
    /// Bytes of its values.
    size: usize,
    values: OnceCell<Dictionary>,
}

impl Packed {
    pub(super) fn new(physical: Physical, compression: Compression, page: Page, bytes: Vec<u8>) -> Self {
        Self { physical, compression, page, bytes, whole: OnceCell::new(), parts: OnceCell::new() }
    }

    /// How many values it has.
    pub(super) fn len(&self) -> usize {
        self.page.rows
    }

    /// All values.
    pub(super) fn whole(&self, decompressor: &mut Decompressor) -> Result<&Dictionary, ParquetError> {
        if let Some(whole) = self.whole.get() {
            return Ok(whole);
        }
        let mut plain = Vec::new();
        if self.page.is_plain(self.compression)? {
            plain.extend_from_slice(self.page.content(&self.bytes));
        } else {
            decompressor.read(&self.bytes, &self.page, self.compression, &mut plain)?;
        }
        let whole = Dictionary::read(self.physical, plain, self.len())?;
        Ok(self.whole.get_or_init(|| whole))
    }

    /// Makes the values with some numbers ready for [`value`](Self::value).
    pub(super) fn load(
        &self,
        numbers: impl Iterator<Item = u32>,
        decompressor: &mut Decompressor,
    ) -> Result<(), ParquetError> {
        if self.whole.get().is_some() || self.parts() == 0 {
            return self.whole(decompressor).map(|_| ());
        }
        for number in numbers {
            self.part(number as usize / PART, decompressor)?;
        }
        Ok(())
    }

    /// How many parts it has; none where its page is not made of several.
    pub(super) fn parts(&self) -> usize {
        self.parts.get_or_init(|| self.find_parts().unwrap_or_default()).len()
    }

    /// The values of a part; nothing where there is none.
    pub(super) fn part(
        &self,
        number: usize,
        decompressor: &mut Decompressor,
    ) -> Result<Option<&Dictionary>, ParquetError> {
        let Some(part) = self.parts.get().and_then(|parts| parts.get(number)) else { return Ok(None) };
        if part.values.get().is_none() {
            let plain = decompressor.frame(&self.page.content(&self.bytes)[part.place.clone()], part.size)?;
            let values = Dictionary::read(self.physical, plain, PART.min(self.len() - number * PART))?;
            let _ = part.values.set(values);
        }
        Ok(part.values.get())
    }

    /// The frames of the page, if each has the values of a part.
    fn find_parts(&self) -> Option<Vec<Part>> {
        let count = self.len().div_ceil(PART);
        if count < 2 || !matches!(self.compression, Compression::ZSTD(_)) {
            return None;
        }
        let bytes = self.page.content(&self.bytes);
        let (mut parts, mut start, mut left) = (Vec::with_capacity(count.min(bytes.len())), 0, self.page.whole);
        while start < bytes.len() {
            let end = start + find_frame_compressed_size(&bytes[start..]).ok()?;
            let size = usize::try_from(get_frame_content_size(bytes.get(start..end)?).ok()??).ok()?;
            left = left.checked_sub(size)?;
            parts.push(Part { place: start..end, size, values: OnceCell::new() });
            start = end;
        }
        (left == 0 && parts.len() == count).then_some(parts)
    }

    /// Where the value with a number is, if it was [loaded](Self::load), and its number there.
    fn value(&self, number: u32) -> Option<(&Dictionary, u32)> {
        if let Some(whole) = self.whole.get() {
            return Some((whole, number));
        }
        let (part, number) = (number as usize / PART, number % PART as u32);
        Some((self.parts.get()?.get(part)?.values.get()?, number))
    }

    /// The text with a number that was loaded.
    pub(super) fn text(&self, number: u32) -> Option<&str> {
        match self.value(number)? {
            (Dictionary::Texts(texts), number) => Some(texts.text(number)),
            (Dictionary::Ints(_), _) => None,
        }
    }

    /// The whole number with a number that was loaded.
    pub(super) fn int(&self, number: u32) -> Option<i64> {
        match self.value(number)? {
            (Dictionary::Ints(ints), number) => ints.get(number as usize).copied(),
            (Dictionary::Texts(_), _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::page::page;
    use super::*;

    /// A dictionary's page with its header, of some frames.
    fn packed(frames: &[&[u8]], rows: usize, physical: Physical) -> Packed {
        let content: Vec<u8> = frames.iter().flat_map(|plain| zstd::bulk::compress(plain, 3).unwrap()).collect();
        let whole: usize = frames.iter().map(|plain| plain.len()).sum();
        let mut bytes = Vec::new();
        let number = |number: usize, bytes: &mut Vec<u8>| {
            let mut left = number << 1;
            while left >= 0x80 {
                bytes.push(left as u8 | 0x80);
                left >>= 7;
            }
            bytes.push(left as u8);
        };
        // Thrift: of a dictionary's page, its sizes, and how many values it has.
        bytes.push(0x15);
        number(2, &mut bytes);
        bytes.push(0x15);
        number(whole, &mut bytes);
        bytes.push(0x15);
        number(content.len(), &mut bytes);
        bytes.push(0x4c);
        bytes.push(0x15);
        number(rows, &mut bytes);
        bytes.extend([0, 0]);
        bytes.extend(content);
        let header = page(&bytes).unwrap();
        Packed::new(physical, Compression::ZSTD(Default::default()), header, bytes)
    }

    fn ints(numbers: Range<i64>) -> Vec<u8> {
        numbers.flat_map(|number| (number * 7).to_le_bytes()).collect()
    }

    #[test]
    fn only_parts_with_wanted_values_are_read() {
        let (part, all) = (PART as i64, 3 * PART as i64 - 5);
        let frames = [ints(0..part), ints(part..2 * part), ints(2 * part..all)];
        let packed = packed(&frames.each_ref().map(Vec::as_slice), all as usize, Physical::INT64);
        let mut decompressor = Decompressor::default();
        packed.load([0, all as u32 - 1, u32::MAX].into_iter(), &mut decompressor).unwrap();
        assert_eq!(
            [0, part - 1, part, all - 1, all].map(|number| packed.int(number as u32)),
            [Some(0), Some((part - 1) * 7), None, Some((all - 1) * 7), None]
        );
        assert_eq!(packed.whole(&mut decompressor).unwrap().len(), all as usize);
        assert_eq!(packed.int(part as u32), Some(part * 7));
    }

    #[test]
    fn other_frames_are_read_as_a_whole_and_wrong_ones_are_damage() {
        let mut decompressor = Decompressor::default();
        let all = PART as i64 + 3;
        let one = packed(&[&ints(0..all)], all as usize, Physical::INT64);
        one.load([1].into_iter(), &mut decompressor).unwrap();
        assert_eq!(one.int(all as u32 - 1), Some((all - 1) * 7));
        let shifted = packed(&[&ints(0..7), &ints(7..all)], all as usize, Physical::INT64);
        assert!(shifted.load([1].into_iter(), &mut decompressor).is_err());
        let short = packed(&[&ints(0..3)], 4, Physical::INT64);
        assert!(short.load([1].into_iter(), &mut decompressor).is_err());
        assert!(short.whole(&mut decompressor).is_err());
    }
}
