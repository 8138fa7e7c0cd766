//! The state directory.

/// Why the state directory or a store in it cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub String);
