//! A set of texts that lie one behind the other in one piece of memory.

use std::hash::BuildHasher;

use foldhash::quality::RandomState;

use super::sought::fold;

/// Ends an entry; no text in UTF-8 has this byte.
const END: u8 = 0xff;

/// Entries begin at multiples of so many bytes.
const ALIGNED: usize = 4;

/// Most bytes that all entries may take: as many beginnings as a slot can tell apart.
const MOST: usize = ALIGNED << 24;

/// A hash table that touches as little memory as it can, for with a million entries nothing else costs: a slot has four
/// bytes, and what is not in the set is seldom compared with an entry. The hashes have a random key, so that nobody who
/// writes a list can make its entries collide.
#[derive(Debug)]
pub(super) struct Texts {
    /// Every entry, with [`END`] after it.
    all: Vec<u8>,
    /// A power of two of slots, at most half of them taken; who finds a slot taken by another entry tries the next.
    slots: Vec<Slot>,
    entries: usize,
    hasher: RandomState,
}

/// Where an entry begins, in units of [`ALIGNED`] and counted from one, and eight bits of its hash; zero where there is
/// none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot(u32);

impl Slot {
    const FREE: Slot = Slot(0);

    fn new(start: usize, hash: u64) -> Self {
        let place = u32::try_from(start / ALIGNED + 1).expect("no entry begins past the most bytes");
        Self(place << 8 | mark(hash))
    }

    /// Where the entry begins, if its hash may be this one.
    fn start(self, hash: u64) -> Option<usize> {
        (self.0 & 0xff == mark(hash)).then(|| ((self.0 >> 8) as usize - 1) * ALIGNED)
    }
}

/// The bits of a hash that are kept in a slot; the slot's own place is told by other ones.
fn mark(hash: u64) -> u32 {
    (hash >> 56) as u32
}

impl Texts {
    /// The set of some texts.
    ///
    /// # Errors
    /// When they take more memory than a list may.
    pub(super) fn of<'e>(entries: impl Iterator<Item = &'e str>) -> Result<Self, String> {
        Self::made_by(entries, |entry, all| all.extend_from_slice(entry.as_bytes()))
    }

    /// The set of some texts in upper case.
    ///
    /// # Errors
    /// When they take more memory than a list may.
    pub(super) fn folded<'e>(entries: impl Iterator<Item = &'e str>) -> Result<Self, String> {
        Self::made_by(entries, |entry, all| {
            let folded: String = entry.chars().map(fold).collect();
            all.extend_from_slice(folded.as_bytes());
        })
    }

    fn made_by<'e>(
        entries: impl Iterator<Item = &'e str>,
        append: impl Fn(&str, &mut Vec<u8>),
    ) -> Result<Self, String> {
        let (mut all, mut starts) = (Vec::new(), Vec::new());
        for entry in entries {
            starts.push(all.len());
            append(entry, &mut all);
            all.push(END);
            all.resize(all.len().next_multiple_of(ALIGNED), END);
            if all.len() >= MOST {
                return Err(format!("the list has more than {} MiB", MOST >> 20));
            }
        }
        all.shrink_to_fit();
        let slots = vec![Slot::FREE; (starts.len() * 2).next_power_of_two()];
        let mut texts = Self { all, slots, entries: 0, hasher: RandomState::default() };
        starts.into_iter().for_each(|start| texts.insert(start));
        Ok(texts)
    }

    fn insert(&mut self, start: usize) {
        let length = self.all[start..].iter().position(|byte| *byte == END).unwrap_or_default();
        let text = &self.all[start..start + length];
        let hash = self.hasher.hash_one(text);
        if let Err(free) = self.find(text, hash) {
            self.slots[free] = Slot::new(start, hash);
            self.entries += 1;
        }
    }

    /// The slot of a text, or the free one where it would be.
    #[inline]
    fn find(&self, text: &[u8], hash: u64) -> Result<usize, usize> {
        let last = self.slots.len() - 1;
        let mut at = hash as usize & last;
        loop {
            let slot = self.slots[at];
            if slot == Slot::FREE {
                return Err(at);
            }
            if slot.start(hash).is_some_and(|start| self.is_at(text, start)) {
                return Ok(at);
            }
            at = (at + 1) & last;
        }
    }

    #[inline]
    fn is_at(&self, text: &[u8], start: usize) -> bool {
        let end = start + text.len();
        self.all.get(end) == Some(&END) && &self.all[start..end] == text
    }

    #[inline]
    pub(super) fn have(&self, text: &str) -> bool {
        let text = text.as_bytes();
        self.find(text, self.hasher.hash_one(text)).is_ok()
    }

    pub(super) fn len(&self) -> usize {
        self.entries
    }
}
