//! The values of a column's page, in the encodings that segments have.

use std::ops::Range;

use parquet::basic::Type as Physical;

use super::column::{Block, Column, NONE};
use super::page::{Content, Page};
use super::{delta, hybrid};

/// Numbers of parquet.thrift's `Encoding`.
const PLAIN: i64 = 0;
const PLAIN_DICTIONARY: i64 = 2;
const RLE: i64 = 3;
const DELTA_BINARY_PACKED: i64 = 5;
const RLE_DICTIONARY: i64 = 8;

/// Reused from page to page.
#[derive(Default)]
pub(super) struct Room {
    numbers: Vec<u32>,
    levels: Vec<u32>,
}

/// Rows of a page that are wanted.
#[derive(Clone, Copy)]
pub(super) struct Few<'f> {
    pub(super) places: &'f [u32],
    /// What makes them places in the page.
    pub(super) shift: isize,
}

impl Few<'_> {
    fn places(&self) -> impl Iterator<Item = usize> + '_ {
        self.places.iter().map(|place| (*place as usize).wrapping_add_signed(self.shift))
    }
}

impl Column {
    /// Adds the values of some rows of a page to a block; nothing if they say nonsense.
    pub(super) fn decode(
        &self,
        page: &Page,
        content: Content<'_>,
        (rows, few): (Range<usize>, Option<Few<'_>>),
        room: &mut Room,
        block: &mut Block,
    ) -> Option<()> {
        if page.nulls == 0 && matches!(page.encoding, PLAIN_DICTIONARY | RLE_DICTIONARY) {
            return self.decode_numbers(page, content.values, (rows, few), block);
        }
        let before = block.len();
        self.decode_all(page, content, few, room, block)?;
        block.cut(before, rows);
        Some(())
    }

    /// The same of a page of numbers in the dictionary.
    fn decode_numbers(
        &self,
        page: &Page,
        values: &[u8],
        (rows, few): (Range<usize>, Option<Few<'_>>),
        block: &mut Block,
    ) -> Option<()> {
        let known = u32::try_from(self.dictionary.as_ref()?.len()).ok()?;
        let (width, packed) = values.split_first()?;
        if let Some(few) = few {
            let (first, numbers) = (rows.start, block.reserve(rows.len()));
            hybrid::pick(packed, u32::from(*width), page.rows, (first, few.places()), numbers)?;
            return few.places().all(|place| numbers[place - first] < known).then_some(());
        }
        let start = block.numbers.len();
        hybrid::decode(packed, u32::from(*width), rows, &mut block.numbers)?;
        // Without a branch, for many at a time.
        let beyond = |any: bool, number: &u32| any | (*number >= known);
        (!block.numbers[start..].iter().fold(false, beyond)).then_some(())
    }

    /// Adds the values of all rows of a page to a block, where few are wanted perhaps only of these.
    fn decode_all(
        &self,
        page: &Page,
        content: Content<'_>,
        few: Option<Few<'_>>,
        room: &mut Room,
        block: &mut Block,
    ) -> Option<()> {
        let (values, count) = (content.values, page.rows - page.nulls);
        let Room { numbers, levels } = room;
        if page.nulls > 0 {
            levels.clear();
            hybrid::decode(content.levels, 1, 0..page.rows, levels)?;
            if levels.iter().filter(|level| **level > 0).count() != count {
                return None;
            }
        }
        match (self.physical, page.encoding) {
            (Physical::BYTE_ARRAY | Physical::INT64, PLAIN_DICTIONARY | RLE_DICTIONARY) => {
                let known = u32::try_from(self.dictionary.as_ref()?.len()).ok()?;
                numbers.clear();
                if count > 0 {
                    let (width, packed) = values.split_first()?;
                    hybrid::decode(packed, u32::from(*width), 0..count, numbers)?;
                }
                spread(numbers, levels, NONE, &mut block.numbers);
                numbers.iter().all(|number| *number < known).then_some(())
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
                    let Some(few) = few else { return delta::decode(values, count, &mut block.ints) };
                    return delta::pick(values, count, few.places(), block.reserve_ints(count));
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
                    hybrid::decode(values.get(4..)?, 1, 0..count, numbers)?;
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
