//! Which attributes there are, and where their values come from.

use super::{ValueRef, ValueType};

/// The number of an attribute: programs ask for values by slot, never by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u16);

/// The values of one occasion: a call in the proxy, flags in `eval`, a row of the log.
pub trait Bag {
    /// The value of an attribute; `None` where it has none, which is not the same as an empty value.
    fn get(&self, slot: Slot) -> Option<ValueRef<'_>>;
}

/// Placeholder until the standard table is in.
#[derive(Debug)]
pub struct Vocabulary;

impl Vocabulary {
    /// Slot and type of an attribute.
    pub fn get(&self, _name: &str) -> Option<(Slot, ValueType)> {
        None
    }
}
