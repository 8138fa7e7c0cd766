//! The attribute expression language of Mixer.

mod attribute;
pub mod duration;
mod json;
mod names;
mod timestamp;
mod value;

pub use attribute::{Bag, Slot, Vocabulary, slot};
pub use json::write_string as write_json_string;
pub use timestamp::Timestamp;
pub use value::{StringMap, ValueRef, ValueType};
