//! A set of texts that lie one behind the other in one piece of memory.

use std::hash::{BuildHasher, RandomState};

use super::sought::fold;

/// Ends an entry; no text in UTF-8 has this byte.
const END: u8 = 0xff;

/// A hash table made for the memory that it does not touch: what is not in a set of a million costs one cache miss, what
/// is in it two. The hashes have a random key, so that nobody who writes a list can make its entries collide.
#[derive(Debug)]
pub(super) struct Texts {
    /// Every entry, with [`END`] after it.
    all: Vec<u8>,
    /// A power of two of slots, at most half of them taken; who finds a slot taken tries the next.
    slots: Vec<Slot>,
    entries: usize,
    hasher: RandomState,
}

/// Where an entry begins, and the upper half of its hash. The hash is looked at first, and is hardly ever right where the
/// entry is not.
#[derive(Debug, Clone, Copy)]
struct Slot {
    mark: u32,
    start: u32,
}

const FREE: Slot = Slot { mark: 0, start: u32::MAX };

impl Texts {
    /// The set of some texts.
    ///
    /// # Errors
    /// When they have 4 GiB or more.
    pub(super) fn of<'e>(entries: impl Iterator<Item = &'e str>) -> Result<Self, String> {
        Self::made_by(entries, |entry, all| all.extend_from_slice(entry.as_bytes()))
    }

    /// The set of some texts in upper case.
    ///
    /// # Errors
    /// When they have 4 GiB or more.
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
        }
        if u32::try_from(all.len()).is_err() {
            return Err("the list has 4 GiB or more".into());
        }
        all.shrink_to_fit();
        let slots = vec![FREE; (starts.len() * 2).next_power_of_two()];
        let mut texts = Self { all, slots, entries: 0, hasher: RandomState::new() };
        starts.into_iter().for_each(|start| texts.insert(start));
        Ok(texts)
    }

    fn insert(&mut self, start: usize) {
        let length = self.all[start..].iter().position(|byte| *byte == END).unwrap_or_default();
        let text = &self.all[start..start + length];
        let hash = self.hasher.hash_one(text);
        if let Err(free) = self.find(text, hash) {
            let start = u32::try_from(start).expect("all entries together are shorter");
            self.slots[free] = Slot { mark: mark(hash), start };
            self.entries += 1;
        }
    }

    /// The slot of a text, or the free one where it would be.
    fn find(&self, text: &[u8], hash: u64) -> Result<usize, usize> {
        let last = self.slots.len() - 1;
        // Only the lower half, of which the table is never larger than all values.
        let mut at = hash as usize & last;
        loop {
            let slot = self.slots[at];
            if slot.start == FREE.start {
                return Err(at);
            }
            if slot.mark == mark(hash) && self.is_at(text, slot.start as usize) {
                return Ok(at);
            }
            at = (at + 1) & last;
        }
    }

    fn is_at(&self, text: &[u8], start: usize) -> bool {
        let end = start + text.len();
        self.all.get(end) == Some(&END) && &self.all[start..end] == text
    }

    pub(super) fn have(&self, text: &str) -> bool {
        let text = text.as_bytes();
        self.find(text, self.hasher.hash_one(text)).is_ok()
    }

    pub(super) fn len(&self) -> usize {
        self.entries
    }
}

fn mark(hash: u64) -> u32 {
    (hash >> 32) as u32
}
