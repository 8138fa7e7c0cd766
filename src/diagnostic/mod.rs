//! What is wrong with what a user wrote.
//!
//! A check makes a [`Problem`] that names a [`FieldPath`]; drawing finds the place in the [`Source`] and shows it with
//! a caret, as rustc does. All problems of a text are collected before any is shown.

mod path;
mod problem;
mod render;
mod source;
pub mod style;
pub mod suggest;
mod visible;

pub use path::{FieldPath, Step};
pub use problem::{Code, Problem, Problems, Severity};
pub use render::render;
pub use source::{STDIN, Source, Span};
pub use suggest::nearest;
pub use visible::{is_unsafe, visible, visible_lines};
