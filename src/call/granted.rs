//! What is told of the grant by which a call goes that would have been refused.

use crate::expr::Timestamp;

/// A grant, as it is told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// `NAME.NAMESPACE`.
    pub name: String,
    /// Why it was given.
    pub reason: String,
    /// When it ends.
    pub expires: Timestamp,
}
