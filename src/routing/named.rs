//! Values by name, in pieces that the versions of a table share.

use std::hash::BuildHasher as _;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// Names that a piece has at most, on average.
const PIECE: usize = 64;

/// A map by name. A copy shares all pieces with its original; changing a name copies the piece that has it, if that is
/// shared, and nothing else: another version of a large table costs what is other in it.
#[derive(Debug, Clone)]
pub(super) struct Named<T> {
    /// A power of two of them, of which the hash of a name tells which one has it.
    pieces: Arc<[Arc<Piece<T>>]>,
    length: usize,
    hasher: RandomState,
}

type Piece<T> = HashTable<(Arc<str>, T)>;

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self { pieces: Arc::new([Arc::default()]), length: 0, hasher: RandomState::default() }
    }
}

impl<T> Named<T> {
    /// The value of a name.
    pub(super) fn get(&self, name: &str) -> Option<&T> {
        let hash = self.hasher.hash_one(name);
        self.pieces[self.place(hash)].find(hash, |(known, _)| **known == *name).map(|(_, value)| value)
    }

    /// All names with their values, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &T)> {
        self.pieces.iter().flat_map(|piece| piece.iter()).map(|(name, value)| (name, value))
    }

    /// Whether it has no name.
    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Which piece has the names of a hash.
    fn place(&self, hash: u64) -> usize {
        place(hash, self.pieces.len())
    }
}

impl<T: Clone> Named<T> {
    /// The value of a name, made if it is not there.
    pub(super) fn get_or_insert_with(&mut self, name: &str, make: impl FnOnce() -> T) -> &mut T {
        if self.length >= self.pieces.len() * PIECE {
            self.double();
        }
        let hash = self.hasher.hash_one(name);
        let place = self.place(hash);
        let (hasher, length) = (&self.hasher, &mut self.length);
        let piece = Arc::make_mut(&mut Arc::make_mut(&mut self.pieces)[place]);
        match piece.entry(hash, |(known, _)| **known == *name, |(known, _)| hasher.hash_one(&**known)) {
            Entry::Occupied(entry) => &mut entry.into_mut().1,
            Entry::Vacant(entry) => {
                *length += 1;
                &mut entry.insert((name.into(), make())).into_mut().1
            }
        }
    }

    /// Takes a name out.
    pub(super) fn remove(&mut self, name: &str) -> Option<T> {
        // So that nothing is copied for a name that is not there.
        self.get(name)?;
        let hash = self.hasher.hash_one(name);
        let place = self.place(hash);
        let piece = Arc::make_mut(&mut Arc::make_mut(&mut self.pieces)[place]);
        let entry = piece.find_entry(hash, |(known, _)| **known == *name).ok()?;
        self.length -= 1;
        Some(entry.remove().0.1)
    }

    fn double(&mut self) {
        let hasher = &self.hasher;
        let count = self.pieces.len() * 2;
        let mut pieces: Vec<Piece<T>> = (0..count).map(|_| Piece::default()).collect();
        for (name, value) in self.iter() {
            let hash = hasher.hash_one(&**name);
            let piece = &mut pieces[place(hash, count)];
            piece.insert_unique(hash, (Arc::clone(name), value.clone()), |(known, _)| hasher.hash_one(&**known));
        }
        self.pieces = pieces.into_iter().map(Arc::new).collect();
    }
}

/// Which of so many pieces has the names of a hash; pieces themselves look at its two ends.
fn place(hash: u64, pieces: usize) -> usize {
    usize::try_from(hash >> 24 & 0xffff_ffff).unwrap_or(0) & (pieces - 1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Pieces of one version that another has too.
    fn shared<T>(one: &Named<T>, other: &Named<T>) -> usize {
        one.pieces.iter().filter(|piece| other.pieces.iter().any(|other| Arc::ptr_eq(piece, other))).count()
    }

    proptest! {
        #[test]
        fn versions_hold_what_was_put_into_each(changes in prop::collection::vec((0..400_u32, any::<bool>()), 0..900)) {
            let (mut named, mut expected) = (Named::default(), BTreeMap::new());
            let mut earlier = Vec::new();
            for (number, (key, there)) in changes.into_iter().enumerate() {
                let name = format!("n{key}");
                if there {
                    *named.get_or_insert_with(&name, || number) = number;
                    expected.insert(name, number);
                } else {
                    prop_assert_eq!(named.remove(&name), expected.remove(&name));
                }
                if number % 100 == 0 {
                    earlier.push((named.clone(), expected.clone()));
                }
            }
            earlier.push((named, expected));
            for (named, expected) in earlier {
                let all: BTreeMap<_, _> = named.iter().map(|(name, value)| (name.to_string(), *value)).collect();
                prop_assert_eq!(&all, &expected);
                prop_assert_eq!(named.length, expected.len());
                prop_assert!(expected.iter().all(|(name, value)| named.get(name) == Some(value)));
                prop_assert_eq!(named.get("other"), None);
            }
        }
    }

    #[test]
    fn a_change_copies_one_piece() {
        let mut first = Named::default();
        for number in 0..10_000 {
            first.get_or_insert_with(&number.to_string(), || number);
        }
        let mut second = first.clone();
        *second.get_or_insert_with("17", || 0) = 18;
        assert_eq!(shared(&first, &second), first.pieces.len() - 1);
        assert_eq!((first.get("17"), second.get("17")), (Some(&17), Some(&18)));
        assert_eq!(second.remove("nobody"), None);
        assert_eq!(shared(&first, &second), first.pieces.len() - 1);
    }
}
