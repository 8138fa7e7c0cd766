//! Lists of texts, address ranges or patterns that values are looked up in, made for a million entries.
//!
//! A list is built once and then only read. What is looked up is first brought into the form of the list's entries
//! ([`Sought`]), which asks the allocator for nothing but for texts of unusual length.

mod provided;
mod ranges;
mod sought;
mod texts;

use regex::RegexSet;

use crate::expr::pattern;
use crate::resource::kinds::listchecker::{EntryType, parse_range};

pub(super) use ranges::Ranges;
use texts::Texts;

pub use provided::read;
pub(super) use sought::Made;
pub use sought::Sought;

/// A list.
#[derive(Debug)]
pub struct List(Entries);

#[derive(Debug)]
enum Entries {
    Texts(Texts),
    Ranges(Ranges),
    Patterns(RegexSet),
}

impl List {
    /// A list of some entries; empty ones are left out, so that the empty text is on no list of texts.
    ///
    /// # Errors
    /// What is wrong with the first entry that is no entry of the type.
    pub fn of<'e>(entry_type: EntryType, entries: impl Iterator<Item = &'e str>) -> Result<Self, String> {
        let mut entries = entries.filter(|entry| !entry.is_empty());
        Ok(Self(match entry_type {
            EntryType::Strings => Entries::Texts(Texts::of(entries)?),
            EntryType::CaseInsensitiveStrings => Entries::Texts(Texts::folded(entries)?),
            EntryType::IpAddresses => {
                let ranges = entries.try_fold(Vec::new(), |mut ranges, entry| {
                    ranges.push(parse_range(entry)?);
                    Ok::<_, String>(ranges)
                });
                Entries::Ranges(Ranges::of(&ranges?))
            }
            EntryType::Regex => Entries::Patterns(pattern::compile_set(entries)?),
        }))
    }

    /// Whether a value is on the list; its form must be that of the list's type.
    #[inline]
    pub fn has(&self, sought: &Sought<'_>) -> bool {
        match (&self.0, sought) {
            (Entries::Ranges(ranges), Sought::Address(address)) => ranges.have(*address),
            (Entries::Texts(texts), sought) => sought.text().is_some_and(|text| texts.have(text)),
            (Entries::Patterns(patterns), sought) => sought.text().is_some_and(|text| patterns.is_match(text)),
            (Entries::Ranges(_), _) => false,
        }
    }

    /// How many entries it has, each counted once; of address ranges, how many are left when those that overlap or
    /// touch are joined.
    pub fn len(&self) -> usize {
        match &self.0 {
            Entries::Texts(texts) => texts.len(),
            Entries::Ranges(ranges) => ranges.len(),
            Entries::Patterns(patterns) => patterns.len(),
        }
    }

    /// Whether nothing is on it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests;
