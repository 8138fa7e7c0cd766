//! Texts that occur again and again, each kept once.

use std::collections::HashMap;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;

/// Texts with numbers, from 0 in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Interned {
    bytes: String,
    /// Where each text ends.
    ends: Vec<usize>,
    /// Numbers by the hash of the text; texts whose hashes are the same are found by looking on.
    numbers: HashMap<u64, u32, RandomState>,
    state: RandomState,
}

impl Interned {
    /// The number of a text, which gets one if it is new.
    pub(super) fn number(&mut self, text: &str) -> u32 {
        let hash = match self.look_up(text) {
            Ok(number) => return number,
            Err(free) => free,
        };
        let number = u32::try_from(self.ends.len()).expect("a segment has fewer than 2^32 texts");
        self.bytes.push_str(text);
        self.ends.push(self.bytes.len());
        self.numbers.insert(hash, number);
        number
    }

    /// The number of a text, if it has one.
    pub(super) fn find(&self, text: &str) -> Option<u32> {
        self.look_up(text).ok()
    }

    /// The number of a text, or where one would be kept.
    fn look_up(&self, text: &str) -> Result<u32, u64> {
        let mut hash = self.state.hash_one(text);
        loop {
            match self.numbers.get(&hash) {
                Some(number) if self.text(*number) == text => return Ok(*number),
                Some(_) => hash = hash.wrapping_add(1),
                None => return Err(hash),
            }
        }
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
        let number = number as usize;
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        start..self.ends[number]
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
