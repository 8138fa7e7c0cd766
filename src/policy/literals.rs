//! Numbers found by a text: what it must equal, begin with or end with.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use smallvec::SmallVec;

use crate::expr::Test;

use super::affixes::{Affixes, Candidates};

/// Texts that others must equal, begin with or end with, each with the numbers of those who ask for it.
#[derive(Debug)]
pub(super) struct Literals {
    exact: HashMap<Box<str>, SmallVec<[u32; 4]>, RandomState>,
    prefixes: Affixes,
    suffixes: Affixes,
}

impl Default for Literals {
    fn default() -> Self {
        Self { exact: HashMap::default(), prefixes: Affixes::default(), suffixes: Affixes::backwards() }
    }
}

impl Literals {
    /// Takes in what a number asks for, which must not be less than any before.
    pub(super) fn push(&mut self, test: Test, number: u32) {
        match test {
            Test::Equals(text) => self.exact.entry(text).or_default().push(number),
            Test::Prefix(text) => self.prefixes.push(text, number),
            Test::Suffix(text) => self.suffixes.push(text, number),
        }
    }

    /// Makes it ready to be asked, after the last.
    pub(super) fn seal(&mut self) {
        self.exact.shrink_to_fit();
        self.prefixes.seal();
        self.suffixes.seal();
    }

    /// The numbers of all that a text has what they ask for; one may come more than once.
    pub(super) fn find(&self, text: &str, found: &mut Candidates) {
        if let Some(numbers) = self.exact.get(text) {
            found.extend_from_slice(numbers);
        }
        self.prefixes.find(text, found);
        self.suffixes.find(text, found);
    }
}
