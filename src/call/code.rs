//! Codes of refusals, and the statuses that callers see.

use std::fmt;

/// A code of `google.rpc.Code`, by which Mixer's handlers say why they refuse. Any number is one; names and statuses are
/// those of the table that Istio's proxy uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code(pub u8);

impl Code {
    /// An argument that cannot be right.
    pub const INVALID_ARGUMENT: Code = Code(3);
    /// Not allowed.
    pub const PERMISSION_DENIED: Code = Code(7);
    /// No quota left.
    pub const RESOURCE_EXHAUSTED: Code = Code(8);
    /// A check that could not be carried out.
    pub const INTERNAL: Code = Code(13);

    const TABLE: [(&str, u16); 17] = [
        ("OK", 200),
        ("CANCELLED", 499),
        ("UNKNOWN", 500),
        ("INVALID_ARGUMENT", 400),
        ("DEADLINE_EXCEEDED", 504),
        ("NOT_FOUND", 404),
        ("ALREADY_EXISTS", 409),
        ("PERMISSION_DENIED", 403),
        ("RESOURCE_EXHAUSTED", 429),
        ("FAILED_PRECONDITION", 400),
        ("ABORTED", 409),
        ("OUT_OF_RANGE", 400),
        ("UNIMPLEMENTED", 501),
        ("INTERNAL", 500),
        ("UNAVAILABLE", 503),
        ("DATA_LOSS", 500),
        ("UNAUTHENTICATED", 401),
    ];

    /// `PERMISSION_DENIED`.
    pub fn name(self) -> &'static str {
        Self::TABLE.get(usize::from(self.0)).map_or("UNKNOWN", |(name, _)| name)
    }

    /// The HTTP status of a refusal with this code.
    pub fn status(self) -> u16 {
        Self::TABLE.get(usize::from(self.0)).map_or(500, |(_, status)| *status)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
