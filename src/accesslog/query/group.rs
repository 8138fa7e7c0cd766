//! Groups of entries, and what they take of memory.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// The entries with the same values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// When its interval begins.
    pub start: Option<i64>,
    /// Values of the fields, nothing where an entry has none.
    pub key: Vec<Option<String>>,
    /// How many entries there are.
    pub count: u64,
    /// What their numbers come to.
    pub measures: Vec<Measure>,
}

impl Group {
    /// The groups of two counts as one's.
    pub(in crate::accesslog) fn merged(one: Vec<Self>, other: Vec<Self>) -> Vec<Self> {
        let mut groups = Groups::default();
        for group in one.into_iter().chain(other) {
            groups.add((group.start, group.key), Tally { count: group.count, measures: group.measures });
        }
        groups.all()
    }
}

/// More groups than this are not counted: they would take more memory than an answer should.
const MOST_GROUPS: usize = 1 << 18;

/// Nor are those that take more than this, in bytes.
const MOST_BYTES: usize = 64 << 20;

/// What part of both the groups of a segment may have, of which several are counted at the same time.
pub(super) const OF_SEGMENT: usize = 2;

/// What those may take, in bytes.
pub(super) const ROOM: usize = MOST_BYTES / OF_SEGMENT;

/// Bytes that a group takes besides its texts, that a text takes besides its own, and that a number of a measure takes.
pub(super) const GROUP_BYTES: usize = 144;
const TEXT_BYTES: usize = 48;
const NUMBER_BYTES: usize = 32;

/// How many different numbers are kept as they are; of more, the first three digits.
const EXACT: usize = 1 << 14;

/// Numbers of a field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Measure {
    /// How many there are.
    pub count: u64,
    /// What they come to.
    pub sum: i128,
    /// How often each occurs.
    values: HashMap<i64, u64, foldhash::fast::FixedState>,
    rounded: bool,
}

impl Measure {
    /// Adds a number that occurs so many times.
    pub(super) fn add(&mut self, number: i64, times: u64) {
        self.count += times;
        self.sum += i128::from(number) * i128::from(times);
        let number = if self.rounded { rounded(number) } else { number };
        *self.values.entry(number).or_default() += times;
        if self.values.len() > EXACT && !self.rounded {
            self.rounded = true;
            for (number, times) in std::mem::take(&mut self.values) {
                *self.values.entry(rounded(number)).or_default() += times;
            }
        }
    }

    fn merge(&mut self, other: Self) {
        let sum = self.sum + other.sum;
        other.values.into_iter().for_each(|(number, times)| self.add(number, times));
        self.sum = sum;
    }

    /// What its numbers take, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.values.len() * NUMBER_BYTES
    }

    /// The number below which so many of a hundred lie; exact below 16,384 different numbers, then to three digits.
    pub fn percentile(&self, percent: f64) -> Option<i64> {
        let mut values: Vec<(i64, u64)> = self.values.iter().map(|(number, times)| (*number, *times)).collect();
        values.sort_unstable();
        let rank = (self.count as f64 * percent / 100.0).ceil().max(1.0) as u64;
        let mut seen = 0;
        values.into_iter().find_map(|(number, times)| {
            seen += times;
            (seen >= rank).then_some(number)
        })
    }

    /// The least and the greatest number.
    pub fn ends(&self) -> Option<(i64, i64)> {
        self.values.keys().min().copied().zip(self.values.keys().max().copied())
    }
}

/// The first three digits of a number.
fn rounded(number: i64) -> i64 {
    let digits = number.unsigned_abs().checked_ilog10().unwrap_or_default();
    let unit = 10_i64.pow(digits.saturating_sub(2));
    number / unit * unit
}

/// What is known of the entries of a group.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) count: u64,
    pub(super) measures: Vec<Measure>,
}

impl Tally {
    pub(super) fn bytes(&self) -> usize {
        self.measures.iter().map(Measure::bytes).sum()
    }
}

/// The beginning of an interval, and values.
pub(super) type Key = (Option<i64>, Vec<Option<String>>);

/// What the texts of a key take, and what holds them.
fn key_bytes(key: &Key) -> usize {
    GROUP_BYTES + key.1.iter().map(|text| TEXT_BYTES + text.as_ref().map_or(0, String::len)).sum::<usize>()
}

/// Groups that are being counted.
#[derive(Default)]
pub(super) struct Groups {
    pub(super) of: HashMap<Key, Tally, foldhash::fast::RandomState>,
    /// What they take.
    bytes: usize,
}

impl Groups {
    pub(super) fn add(&mut self, key: Key, tally: Tally) {
        let of_key = key_bytes(&key);
        let into = match self.of.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                self.bytes += of_key;
                entry.insert(Tally::default())
            }
        };
        let before = into.bytes();
        into.count += tally.count;
        into.measures.resize_with(tally.measures.len().max(into.measures.len()), Measure::default);
        into.measures.iter_mut().zip(tally.measures).for_each(|(into, measure)| into.merge(measure));
        self.bytes = self.bytes + into.bytes() - before;
    }

    /// Whether there are too many for a part of what may be.
    pub(super) fn are_many(&self, part: usize) -> bool {
        are_many(self.of.len(), self.bytes, part)
    }

    pub(super) fn all(self) -> Vec<Group> {
        let group =
            |((start, key), tally): (Key, Tally)| Group { start, key, count: tally.count, measures: tally.measures };
        self.of.into_iter().map(group).collect()
    }

    /// Groups of a segment, one after the other, until there are too many.
    pub(super) fn of_segment(found: impl Iterator<Item = (Key, Tally)>) -> Option<Self> {
        let mut groups = Self::default();
        for (key, tally) in found {
            groups.add(key, tally);
            if groups.are_many(OF_SEGMENT) {
                return None;
            }
        }
        Some(groups)
    }
}

pub(super) fn are_many(groups: usize, bytes: usize, part: usize) -> bool {
    groups > MOST_GROUPS / part || bytes > MOST_BYTES / part
}
