//! Texts that occur again and again, each kept once.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// Texts with numbers, from 0 in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Interned {
    bytes: String,
    /// Where each text ends.
    ends: Vec<usize>,
    /// Numbers, found by the texts that they stand for, and half of these texts' hashes: where that differs a text need not be
    /// looked at.
    numbers: HashTable<(u32, u32)>,
    state: RandomState,
}

impl Interned {
    /// The number of a text, which gets one if it is new.
    pub(super) fn number(&mut self, text: &str) -> u32 {
        let Self { bytes, ends, numbers, state } = self;
        let hash = hash(state, text.as_bytes());
        let same =
            |(of, number): &(u32, u32)| *of == hash && bytes.as_bytes()[range(ends, *number)] == *text.as_bytes();
        match numbers.entry(spread(hash), same, |(hash, _)| spread(*hash)) {
            Entry::Occupied(known) => known.get().1,
            Entry::Vacant(place) => {
                let number = u32::try_from(ends.len()).expect("a segment has fewer than 2^32 texts");
                place.insert((hash, number));
                bytes.push_str(text);
                ends.push(bytes.len());
                number
            }
        }
    }

    /// The number of a text, if it has one.
    pub(super) fn find(&self, text: &str) -> Option<u32> {
        let hash = hash(&self.state, text.as_bytes());
        let same =
            |(of, number): &(u32, u32)| *of == hash && self.bytes.as_bytes()[self.range(*number)] == *text.as_bytes();
        self.numbers.find(spread(hash), same).map(|(_, number)| *number)
    }

    /// The text that has a number.
    pub(super) fn text(&self, number: u32) -> &str {
        &self.bytes[self.range(number)]
    }

    /// All texts, one after the other.
    pub(super) fn all(&self) -> &str {
        &self.bytes
    }

    /// Where among all texts that with a certain number stands.
    pub(super) fn range(&self, number: u32) -> std::ops::Range<usize> {
        range(&self.ends, number)
    }

    /// How long each text is.
    pub(super) fn lengths(&self) -> impl Iterator<Item = usize> + Clone {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        self.ends.iter().zip(starts).map(|(end, start)| end - start)
    }

    /// Forgets all texts, and keeps what is allocated.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.numbers.clear();
    }

    /// How many texts there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// How many bytes they have together.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }
}

fn hash(state: &RandomState, text: &[u8]) -> u32 {
    state.hash_one(text) as u32
}

/// A hash as tables want it, which look at its highest bits too.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

fn range(ends: &[usize], number: u32) -> std::ops::Range<usize> {
    let number = number as usize;
    let start = if number == 0 { 0 } else { ends[number - 1] };
    start..ends[number]
}
