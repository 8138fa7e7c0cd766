//! Decoding a tree into a kind's struct, with a path for every fault.

use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::diagnostic::{Code, FieldPath, Problem, Problems};

/// Decodes `tree`, which stands at `at` in its document.
///
/// # Errors
/// Every field that is unknown or of a wrong type.
pub fn decode<T: DeserializeOwned>(tree: &Json, at: &FieldPath) -> Result<T, Problems> {
    T::deserialize(tree).map_err(|error| Problem::error(Code::WrongType, at.clone(), error.to_string()).into())
}
