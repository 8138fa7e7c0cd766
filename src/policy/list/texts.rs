//! A set of texts that lie one behind the other in one piece of memory.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use super::sought::fold;

/// A table of places in one text: eight bytes an entry, and no allocation for each. Its hashes have a random key, so that
/// nobody who writes a list can make its entries collide.
#[derive(Debug)]
pub(super) struct Texts {
    all: String,
    places: HashTable<Place>,
    hasher: RandomState,
}

/// Where an entry begins, and how many bytes it has.
#[derive(Debug, Clone, Copy)]
struct Place {
    start: u32,
    length: u32,
}

impl Place {
    fn of(self, all: &str) -> &[u8] {
        let start = self.start as usize;
        &all.as_bytes()[start..start + self.length as usize]
    }
}

impl Texts {
    /// The set of some texts.
    ///
    /// # Errors
    /// When they have more than 4 GiB.
    pub(super) fn of<'e>(entries: impl Iterator<Item = &'e str>) -> Result<Self, String> {
        Self::made_by(entries, |entry, all| all.push_str(entry))
    }

    /// The set of some texts in upper case.
    ///
    /// # Errors
    /// When they have more than 4 GiB.
    pub(super) fn folded<'e>(entries: impl Iterator<Item = &'e str>) -> Result<Self, String> {
        Self::made_by(entries, |entry, all| all.extend(entry.chars().map(fold)))
    }

    fn made_by<'e>(entries: impl Iterator<Item = &'e str>, append: impl Fn(&str, &mut String)) -> Result<Self, String> {
        let (mut all, mut places, hasher) = (String::new(), HashTable::new(), RandomState::new());
        for entry in entries {
            let start = all.len();
            append(entry, &mut all);
            let place = |start: usize| {
                Some(Place { start: u32::try_from(start).ok()?, length: u32::try_from(all.len() - start).ok()? })
            };
            let place = place(start).ok_or("the list has more than 4 GiB")?;
            let text = place.of(&all);
            let hash = |place: &Place| hasher.hash_one(place.of(&all));
            let known = places.find(hasher.hash_one(text), |other: &Place| other.of(&all) == text).is_some();
            if known {
                all.truncate(start);
            } else {
                places.insert_unique(hasher.hash_one(text), place, hash);
            }
        }
        all.shrink_to_fit();
        places.shrink_to_fit(|place| hasher.hash_one(place.of(&all)));
        Ok(Self { all, places, hasher })
    }

    pub(super) fn have(&self, text: &str) -> bool {
        let text = text.as_bytes();
        self.places.find(self.hasher.hash_one(text), |place| place.of(&self.all) == text).is_some()
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }
}
