//! Which rows of a block are wanted.

use std::ops::Range;

use crate::accesslog::segment::select;

/// Of so many rows one is wanted at most where rows are looked at one by one.
const FEW: usize = 8;

/// Rows that are looked at together where few are sought: as many as a word has bits.
const RUN: usize = u64::BITS as usize;

/// Some rows that follow each other, and which of them are wanted.
#[derive(Debug, Default)]
pub(super) struct Mask {
    rows: Range<usize>,
    wanted: Vec<bool>,
    /// Places of wanted rows, where few are.
    places: Vec<u32>,
    are_few: bool,
    /// All are wanted.
    is_whole: bool,
    /// Bits of rows, reused.
    words: Vec<u64>,
}

impl Mask {
    /// Begins with all of some rows.
    pub(super) fn begin(&mut self, rows: Range<usize>) {
        self.wanted.clear();
        self.wanted.resize(rows.len(), true);
        (self.are_few, self.is_whole) = (false, true);
        self.rows = rows;
    }

    /// Begins with those of some rows that stand at some places.
    pub(super) fn at(rows: Range<usize>, places: impl IntoIterator<Item = usize>) -> Self {
        let mut mask = Self { wanted: vec![false; rows.len()], rows, ..Self::default() };
        places.into_iter().for_each(|place| mask.wanted[place] = true);
        mask.settle();
        mask
    }

    /// The rows.
    pub(super) fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// The places of those that are wanted, where they are few.
    pub(super) fn few(&self) -> Option<&[u32]> {
        self.are_few.then_some(&self.places)
    }

    /// Whether none is wanted.
    pub(super) fn is_empty(&self) -> bool {
        match self.few() {
            Some(few) => few.is_empty(),
            None => !is_any(&self.wanted),
        }
    }

    /// How many are wanted.
    pub(super) fn count(&self) -> usize {
        match self.few() {
            Some(few) => few.len(),
            // Few enough for their count to fit in a byte, which processors add up many at a time.
            None => self
                .wanted
                .chunks(255)
                .map(|wanted| usize::from(wanted.iter().copied().map(u8::from).sum::<u8>()))
                .sum(),
        }
    }

    /// The places of wanted rows.
    pub(super) fn places(&self) -> impl DoubleEndedIterator<Item = usize> {
        let few = self.few();
        let all = if few.is_some() { &[] } else { self.wanted.as_slice() };
        let of_all = all.iter().enumerate().filter(|(_, wanted)| **wanted).map(|(place, _)| place);
        few.unwrap_or_default().iter().map(|place| *place as usize).chain(of_all)
    }

    /// The wanted rows.
    pub(super) fn wanted(&self) -> impl DoubleEndedIterator<Item = usize> {
        self.places().map(|place| self.rows.start + place)
    }

    /// Leaves those places whose values, by their numbers, have a bit set in `wanted`. Values from 32 on have none.
    pub(super) fn retain_values(&mut self, numbers: &[u32], wanted: u32) {
        if !self.is_whole {
            return self.retain(|place| wanted.checked_shr(numbers[place]).is_some_and(|bits| bits & 1 == 1));
        }
        self.is_whole = false;
        let mut words = std::mem::take(&mut self.words);
        select(numbers, wanted, &mut words);
        let count: u32 = words.iter().map(|word| word.count_ones()).sum();
        self.are_few = count as usize * FEW <= self.wanted.len();
        if self.are_few {
            self.places.clear();
            words.iter().zip((0..).step_by(RUN)).for_each(|(word, start)| push_places(*word, start, &mut self.places));
        } else {
            for (wanted, word) in self.wanted.chunks_mut(RUN).zip(&words) {
                wanted.iter_mut().enumerate().for_each(|(bit, wanted)| *wanted = word >> bit & 1 == 1);
            }
        }
        self.words = words;
    }

    /// Leaves those places of which something holds. Where many are wanted it is asked of all, so that many can be done at
    /// a time.
    pub(super) fn retain(&mut self, mut holds: impl FnMut(usize) -> bool) {
        self.is_whole = false;
        if self.are_few {
            self.places.retain(|place| holds(*place as usize));
            return;
        }
        self.wanted.iter_mut().enumerate().for_each(|(place, wanted)| *wanted &= holds(place));
        self.settle();
    }

    /// The same, asked of none but wanted places.
    pub(super) fn retain_each<E>(&mut self, mut holds: impl FnMut(usize) -> Result<bool, E>) -> Result<(), E> {
        self.is_whole = false;
        if self.are_few {
            let mut fault = None;
            self.places.retain(|place| {
                fault.is_some()
                    || holds(*place as usize).unwrap_or_else(|error| {
                        fault = Some(error);
                        true
                    })
            });
            return fault.map_or(Ok(()), Err);
        }
        for place in 0..self.wanted.len() {
            if self.wanted[place] {
                self.wanted[place] = holds(place)?;
            }
        }
        self.settle();
        Ok(())
    }

    /// Notes the places where they have become few.
    fn settle(&mut self) {
        let count = self.count();
        if count * FEW <= self.wanted.len() {
            self.places.clear();
            for (start, wanted) in (0..).step_by(RUN).zip(self.wanted.chunks(RUN)) {
                push_places(bits(wanted), start, &mut self.places);
            }
            self.are_few = true;
        }
    }
}

/// Adds the places of the bits that are set, the lowest one's the first.
fn push_places(mut bits: u64, start: u32, places: &mut Vec<u32>) {
    while bits != 0 {
        places.push(start + bits.trailing_zeros());
        bits &= bits - 1;
    }
}

/// A bit for each of at most so many rows, the first one's the lowest.
fn bits(wanted: &[bool]) -> u64 {
    let (eights, rest) = wanted.as_chunks::<8>();
    // The bytes' lowest bits, side by side in the highest byte: each is moved there by one of the factor's bits.
    let gather = |&[a, b, c, d, e, f, g, h]: &[bool; 8]| {
        let bytes = [a as u8, b as u8, c as u8, d as u8, e as u8, f as u8, g as u8, h as u8];
        u64::from_le_bytes(bytes).wrapping_mul(0x0102_0408_1020_4080) >> 56
    };
    let low = eights.iter().rev().fold(0, |bits, eight| bits << 8 | gather(eight));
    let rest = rest.iter().rev().fold(0, |bits, wanted| bits << 1 | u64::from(*wanted));
    if eights.len() < 8 { low | rest << (8 * eights.len()) } else { low }
}

/// Whether one is wanted at least: looks at all of them, many at a time.
fn is_any(wanted: &[bool]) -> bool {
    wanted.iter().fold(false, |any, wanted| any | wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_the_same_whether_many_are_wanted_or_few() {
        let mut mask = Mask::default();
        mask.begin(100..200);
        assert_eq!((mask.count(), mask.few(), mask.rows()), (100, None, 100..200));
        mask.retain(|place| place % 3 == 0);
        assert_eq!((mask.count(), mask.few()), (34, None));
        mask.retain_each(|place| Ok::<_, ()>(place % 10 == 0)).unwrap();
        assert_eq!(mask.few(), Some(&[0, 30, 60, 90][..]));
        mask.retain(|place| place > 0);
        mask.retain_each(|place| Ok::<_, ()>(place < 90)).unwrap();
        assert_eq!((mask.wanted().collect::<Vec<_>>(), mask.count()), (vec![130, 160], 2));
        assert_eq!(mask.retain_each(|_| Err("a fault")), Err("a fault"));
        mask.retain(|_| false);
        assert!(mask.is_empty() && mask.places().next().is_none());
    }
}
