//! Decoding a tree into a kind's struct: all problems in one pass, each with its path.
//!
//! A serde `Deserializer` over a JSON tree that does not stop at a mistake. An unknown key is noted and passed over; a
//! value of a wrong type is noted and the visitor is handed a harmless one (`""`, 0, false, an empty list) instead, so
//! that the rest is still looked at. Only what a type's own visitor refuses (a duration that does not parse) ends a
//! pass: the place is noted and the tree is decoded once more without it.

mod access;
mod mismatch;
mod node;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::diagnostic::{Code, FieldPath, Problem, Problems};

use node::{Node, Path};

pub(crate) use mismatch::unsupported;

/// Values that may be refused by their type's own visitor before decoding gives up; each costs one more pass.
const MAX_PASSES: usize = 32;

/// How the keys of structs may be spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// camelCase or snake_case, camelCase winning when both are given (protobuf's JSON mapping: Istio's kinds). Enum
    /// values may be numbers, and integers may be quoted.
    Protobuf,
    /// As the struct has them (Kubernetes' own kinds).
    Exact,
}

/// Decodes `tree`, which stands at `at` in its document, with [`Spelling::Protobuf`].
///
/// A tree that is null counts as an empty map, as does a field that is null.
///
/// # Errors
/// Every field that is unknown or of a wrong type.
pub fn decode<T: DeserializeOwned>(tree: &Json, at: &FieldPath) -> Result<T, Problems> {
    match decode_all(tree, at, Spelling::Protobuf) {
        (Some(value), problems) if problems.is_empty() => Ok(value),
        (_, problems) => Err(problems),
    }
}

/// Decodes as much as possible: the value with harmless substitutes where something is wrong, and what is wrong.
/// There is no value only when a type insists on something that is missing.
pub fn decode_all<T: DeserializeOwned>(tree: &Json, at: &FieldPath, spelling: Spelling) -> (Option<T>, Problems) {
    let mut refused = Problems::new();
    let mut skipped = BTreeSet::new();
    for _ in 0..MAX_PASSES {
        let pass = Pass { spelling, skipped, problems: RefCell::default(), failed: Cell::default() };
        let result = T::deserialize(Node { value: tree, path: Path::Root(at), pass: &pass });
        let Pass { problems, failed, skipped: already, .. } = pass;
        let mut found = problems.into_inner();
        match (result, failed.into_inner()) {
            (Ok(value), _) => {
                refused.extend(found);
                return (Some(value), refused);
            }
            (Err(stop), Some(place)) => {
                found.retain(|problem| problem.at == place);
                if found.is_empty() {
                    found.push(Problem::error(Code::Invalid, place.clone(), stop.0));
                }
                refused.extend(found);
                skipped = already;
                skipped.insert(place);
            }
            (Err(stop), None) => {
                refused.extend(found);
                refused.error(Code::Invalid, at.clone(), stop.0);
                return (None, refused);
            }
        }
    }
    (None, refused)
}

/// What one walk over the tree shares.
struct Pass {
    spelling: Spelling,
    /// Places that a visitor refused in an earlier pass; they count as absent.
    skipped: BTreeSet<FieldPath>,
    problems: RefCell<Vec<Problem>>,
    /// The innermost place whose visitor refused.
    failed: Cell<Option<FieldPath>>,
}

impl Pass {
    fn note(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    fn skips(&self, path: &Path<'_>) -> bool {
        !self.skipped.is_empty() && self.skipped.contains(&path.to_field_path())
    }

    /// Keeps the place of a refusal on its way out; the first caller is the innermost.
    fn refused_at(&self, path: &Path<'_>) {
        let innermost = self.failed.take().unwrap_or_else(|| path.to_field_path());
        self.failed.set(Some(innermost));
    }
}

/// The camelCase spelling of a key: `severity_levels` and `severityLevels` are `severityLevels`.
pub fn camel_case(key: &str) -> String {
    let mut camel = String::with_capacity(key.len());
    let mut raise = false;
    for c in key.chars() {
        match c {
            '_' => raise = !camel.is_empty(),
            c if raise => {
                camel.push(c.to_ascii_uppercase());
                raise = false;
            }
            c => camel.push(c),
        }
    }
    camel
}

#[cfg(test)]
mod tests;
