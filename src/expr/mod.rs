//! The attribute expression language of Mixer: what a rule's `match` and an instance's fields are written in.
//!
//! Text becomes an [`Ast`], is checked against a [`Vocabulary`] and ends as a [`Program`], which is evaluated over the
//! [`Bag`] of one call. All mistakes that can be found without a call are found by [`Program::compile`].
//!
//! ```
//! use egressctl::expr::{Bag, Program, Scratch, Slot, ValueRef, Vocabulary, slot};
//!
//! struct Call;
//!
//! impl Bag for Call {
//!     fn get(&self, slot: Slot) -> Option<ValueRef<'_>> {
//!         match slot {
//!             slot::REQUEST_PATH => Some(ValueRef::String("/politics")),
//!             _ => None,
//!         }
//!     }
//! }
//!
//! let program = Program::compile(r#"request.path.startsWith("/pol")"#, Vocabulary::standard()).unwrap();
//! assert_eq!(program.holds(&Call, &Scratch::new()), Ok(true));
//! ```

mod ast;
mod attribute;
mod check;
pub mod duration;
mod eval;
mod explain;
mod function;
mod json;
mod lexer;
mod literal;
mod names;
mod owned;
mod parser;
pub mod pattern;
mod place;
mod program;
mod requirement;
mod scratch;
mod timestamp;
mod typed;
mod value;

#[cfg(test)]
mod tests;

pub use ast::Ast;
pub use attribute::{Bag, Slot, Vocabulary, VocabularyError, is_attribute_name, slot};
pub use eval::{EvalError, MAX_TEXT};
pub use explain::{Explanation, Reads, conjuncts, explain, reads};
pub use json::write_string as write_json_string;
pub(crate) use json::write_text as write_json_text;
pub(crate) use json::{is_plain, may_need_escape, plain_length};
pub use owned::OwnedValue;
pub use parser::{MAX_DEPTH, MAX_LENGTH};
pub use place::place_of;
pub use program::{Compiled, Program};
pub use requirement::{Requirement, Test};
pub use scratch::Scratch;
pub use timestamp::Timestamp;
pub use value::{StringMap, ValueRef, ValueType};
