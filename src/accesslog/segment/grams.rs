//! Which runs of four bytes occur in the texts of a column, so that a text that is sought and is in none of them is not sought
//! in a large dictionary.
//!
//! For each column there is a filter of one bit for each hash of a run, and a tenth to four tenths of the bits are set. The
//! filters lie between the columns and the footer of the file like the [`counts`](super::counts), and the file's metadata say
//! where: `COLUMN:OFFSET:LENGTH`, parted by blanks.

use super::interned::Interned;
use crate::expr::{may_need_escape, write_json_string};

/// The key of the file's metadata that says where filters lie.
pub(super) const KEY: &str = "egressctl.grams";

/// Texts of fewer bytes are sought sooner than a filter is read.
const FEWEST_BYTES: usize = 1 << 16;

/// Bits of the largest filter, as a power of two. Of more runs it would say nothing.
const LARGEST: u32 = 21;

/// Bits of the smallest one: a word's.
const SMALLEST: u32 = 6;

/// How long a run is.
const RUN: usize = 4;

/// A filter, as it is in the file.
#[derive(Debug)]
pub(super) struct Grams(Vec<u64>);

impl Grams {
    /// The filter of a column's texts; nothing where it does not pay.
    pub(super) fn of(texts: &Interned) -> Option<Self> {
        if texts.bytes() < FEWEST_BYTES {
            return None;
        }
        let mut grams = Self(vec![0; 1 << (LARGEST - SMALLEST)]);
        let mut spelled = String::new();
        for text in (0..texts.len() as u32).map(|number| &texts.all()[texts.range(number)]) {
            grams.add(text.as_bytes());
            // Lines have it otherwise, and are searched as they are.
            if text.bytes().any(may_need_escape) {
                spelled.clear();
                write_json_string(text, &mut spelled);
                grams.add(spelled.as_bytes());
            }
        }
        let set: usize = grams.0.iter().map(|word| word.count_ones() as usize).sum();
        while grams.0.len() * 64 > set * 4 && grams.0.len() > 1 {
            grams.halve();
        }
        (set * 2 <= grams.0.len() * 64).then_some(grams)
    }

    fn add(&mut self, text: &[u8]) {
        for run in text.windows(RUN) {
            let bit = self.bit(run);
            self.0[bit / 64] |= 1 << (bit % 64);
        }
    }

    /// The bit of a run: as many bits of its hash, from the highest on, as there are bits of places.
    fn bit(&self, run: &[u8]) -> usize {
        let number = run.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
        let bits = self.0.len().ilog2() + SMALLEST;
        (number.wrapping_mul(0x9e37_79b1) >> (u32::BITS - bits)) as usize
    }

    /// Makes one bit of two that lie beside each other.
    fn halve(&mut self) {
        let bits = self.0.len() * 32;
        let mut half = vec![0; self.0.len() / 2];
        for bit in 0..bits {
            if self.0[bit / 32] >> (bit % 32 * 2) & 0b11 != 0 {
                half[bit / 64] |= 1 << (bit % 64);
            }
        }
        self.0 = half;
    }

    /// As it is written.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// As it was written; nothing if it is none.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (words, rest) = bytes.as_chunks::<8>();
        let is_right = rest.is_empty() && words.len().is_power_of_two() && words.len() <= 1 << (LARGEST - SMALLEST);
        is_right.then(|| Self(words.iter().map(|word| u64::from_le_bytes(*word)).collect()))
    }

    /// Whether a text may be part of one of the column's texts as lines spell them.
    pub(super) fn may_have(&self, text: &[u8]) -> bool {
        text.windows(RUN).map(|run| self.bit(run)).all(|bit| self.0[bit / 64] >> (bit % 64) & 1 == 1)
    }
}

/// The most bytes that a filter may take in the file.
pub(super) const MOST_BYTES: usize = 1 << (LARGEST - 3);

#[cfg(test)]
mod tests {
    use super::*;

    fn interned(texts: impl Iterator<Item = String>) -> Interned {
        let mut interned = Interned::default();
        for text in texts {
            interned.number(&text);
        }
        interned
    }

    #[test]
    fn what_is_in_a_text_is_never_denied_and_other_texts_mostly_are() {
        let texts: Vec<String> =
            (0..20_000_u64).map(|n| format!("/politics/{:x}\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44)).collect();
        let grams = Grams::of(&interned(texts.iter().cloned())).unwrap();
        let grams = Grams::from_bytes(&grams.to_bytes()).unwrap();
        for text in &texts {
            assert!((0..text.len()).all(|start| grams.may_have(&text.as_bytes()[start..])), "{text}");
        }
        assert!(grams.may_have(b"\\n") && grams.may_have(b"abc"), "short texts may be anywhere");
        let denied = (1000..2000).filter(|n| !grams.may_have(format!("site{n}.example").as_bytes())).count();
        assert_eq!(denied, 1000);
        assert!(grams.to_bytes().len() <= 1 << 16, "{}", grams.to_bytes().len());
    }

    #[test]
    fn few_texts_and_too_many_runs_have_no_filter() {
        assert!(Grams::of(&interned(["a".to_owned()].into_iter())).is_none());
        let mut chance = 1_u64;
        let mut random = || {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            format!("{:020}{:x}", chance, chance.rotate_left(32))
        };
        let texts: Vec<String> = (0..200_000).map(|_| random() + &random()).collect();
        let large = Grams::of(&interned(texts.into_iter()));
        assert!(large.is_none_or(|grams| grams.to_bytes().len() <= MOST_BYTES));
        assert!(Grams::from_bytes(&[0; 24]).is_none() && Grams::from_bytes(&[0; 7]).is_none());
    }
}
