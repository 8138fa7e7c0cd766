//! The attribute expression language of Mixer.

mod attribute;
pub mod duration;
mod value;

pub use attribute::{Bag, Slot, Vocabulary};
pub use value::{StringMap, Timestamp, ValueRef, ValueType};
