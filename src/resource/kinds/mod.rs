//! The kinds, one file each.

use super::Kind;

/// Every kind.
pub static KINDS: &[&Kind] = &[];
