//! What came of a call.

use crate::expr::Timestamp;

use super::Failure;

/// What came of a call, known at its end.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// Status that the caller got; 0 if it left before there was one.
    pub status: u16,
    /// Why the answer is ours and not the origin's.
    pub failure: Option<Failure>,
    /// Whether the caller left before the end of the answer.
    pub abandoned: bool,
    /// Body bytes received from the caller.
    pub request_bytes: u64,
    /// Body bytes handed to the caller.
    pub response_bytes: u64,
    /// When the answer's head was there.
    pub response_time: Timestamp,
    /// Nanoseconds from the head of the request to the end of the answer.
    pub duration: i64,
}
