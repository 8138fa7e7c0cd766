//! Sealed segments: entries that are rows no more, in Parquet files that other tools open as they are.
//!
//! A file has one row group with the columns `seq`, `time`, `level`, `instance`, `handler`, `rule`, three whose names
//! begin with an underscore and that only serve to print a line as it was, and one for each variable of the lines. Behind
//! the columns lie [`counts`] of their values, filters of what texts have ([`grams`]), what lies between which texts ([`fences`]), and
//! [`groups`] of the chain.

mod beside;
mod column;
pub(super) mod columns;
mod counts;
mod decode;
mod delta;
mod dictionary;
mod direct;
mod encode;
pub(super) mod export;
mod fences;
mod frame;
pub(super) mod gather;
mod grams;
mod groups;
mod hybrid;
mod interned;
mod lanes;
mod list;
mod order;
pub(super) mod packed;
mod page;
mod piece;
mod place;
mod presence;
pub(super) mod prune;
mod read;
pub(super) mod seal;
mod spelled;
mod texts;
pub(super) mod thread;
mod usual;
mod variable;
mod write;

pub(crate) use column::{Block, NONE};
pub(crate) use dictionary::Dictionary;
pub(super) use direct::Direct;
pub(crate) use fences::{Between, Fences};
pub(crate) use lanes::select;
pub(super) use list::Segment;
pub(super) use place::Place;
pub(crate) use read::{Lines, OWN_COLUMNS, Own, Reader, Variable, format_of};
pub(crate) use spelled::split_field;
pub(crate) use texts::Texts;
pub(crate) use variable::{Type, push_int};
pub(crate) use write::level_of;

use parquet::errors::ParquetError;

use super::chain::{self, Hash};
use super::{Format, Limits};

/// Columns that every segment has, before those that make lines and the variables.
const OWN: [&str; 6] = ["seq", "time", "level", "instance", "handler", "rule"];
/// The form in which the line is printed.
const FORMAT: &str = "_format";
/// The variables of the line, in its order, by their numbers.
const FIELDS: &str = "_fields";
/// The line, where the other columns do not give it.
const LINE: &str = "_line";

/// The key of the file's metadata that tells of the variables.
const VARIABLES: &str = "egressctl.variables";

fn damaged(what: &str) -> ParquetError {
    ParquetError::General(what.to_owned())
}

/// What entries of one shape have in common, as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) instance: String,
    pub(super) handler: String,
    pub(super) rule: String,
    pub(super) format: Format,
}

impl Names {
    /// Those of a shape that is not listed. It is stored before its first entry, so this means damage; the line is shown all
    /// the same.
    pub(super) fn missing() -> Self {
        Self { instance: String::new(), handler: String::new(), rule: String::new(), format: Format::Json }
    }

    /// What the chain has for them.
    pub(super) fn digest(&self) -> Hash {
        chain::shape(&self.instance, &self.handler, &self.rule, self.format)
    }
}

#[cfg(test)]
mod tests;
