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
    /// Numbers, found by the texts that they stand for.
    numbers: HashTable<u32>,
    state: RandomState,
}

impl Interned {
    /// The number of a text, which gets one if it is new.
    pub(super) fn number(&mut self, text: &str) -> u32 {
        let Self { bytes, ends, numbers, state } = self;
        let known = |number: &u32| &bytes.as_bytes()[range(ends, *number)];
        let same = |number: &u32| known(number) == text.as_bytes();
        match numbers.entry(hash(state, text.as_bytes()), same, |number| hash(state, known(number))) {
            Entry::Occupied(number) => *number.get(),
            Entry::Vacant(place) => {
                let number = u32::try_from(ends.len()).expect("a segment has fewer than 2^32 texts");
                place.insert(number);
                bytes.push_str(text);
                ends.push(bytes.len());
                number
            }
        }
    }

    /// The number of a text, if it has one.
    pub(super) fn find(&self, text: &str) -> Option<u32> {
        let same = |number: &u32| &self.bytes.as_bytes()[self.range(*number)] == text.as_bytes();
        self.numbers.find(hash(&self.state, text.as_bytes()), same).copied()
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

    /// How many texts there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// How many bytes they have together.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }
}

fn hash(state: &RandomState, text: &[u8]) -> u64 {
    state.hash_one(text)
}

fn range(ends: &[usize], number: u32) -> std::ops::Range<usize> {
    let number = number as usize;
    let start = if number == 0 { 0 } else { ends[number - 1] };
    start..ends[number]
}
