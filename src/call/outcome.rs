//! What came of a call.

use std::borrow::Cow;

use crate::expr::Timestamp;

use super::{Call, Failure};

/// What a route did on the way to an outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marks {
    /// It held the call back (fault injection).
    pub delayed: bool,
    /// It tried again as often as it may.
    pub retries_used_up: bool,
}

/// Who ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closer {
    /// The caller.
    Client,
    /// The origin.
    Origin,
    /// This proxy: nothing was sent for too long, or it stops.
    Proxy,
}

impl Closer {
    /// Its name in entries.
    pub fn name(self) -> &'static str {
        match self {
            Closer::Client => "client",
            Closer::Origin => "origin",
            Closer::Proxy => "proxy",
        }
    }
}

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
    /// What its route did on the way.
    pub marks: Marks,
    /// Who was done first, of a connection whose bytes were passed on.
    pub closed_by: Option<Closer>,
}

impl Outcome {
    /// Envoy's response flags of a call, joined by `,`; `-` where there are none.
    pub fn flags(&self, call: &Call) -> Cow<'static, str> {
        let end = match self.failure {
            Some(failure) => call.flag(failure),
            None if self.abandoned => "DC",
            None => "-",
        };
        self.joined(end)
    }

    fn joined(&self, end: &'static str) -> Cow<'static, str> {
        let Marks { delayed, retries_used_up } = self.marks;
        if !delayed && !retries_used_up {
            return Cow::Borrowed(end);
        }
        let marks = [(delayed, "DI"), (retries_used_up, "URX"), (end != "-", end)];
        let flags = marks.iter().filter(|(given, _)| *given).map(|(_, flag)| *flag);
        Cow::Owned(flags.collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{Abort, Failure};

    #[test]
    fn flags_are_joined_in_envoys_order() {
        let outcome = |failure, delayed, retries_used_up| Outcome {
            status: 503,
            failure,
            abandoned: false,
            request_bytes: 0,
            response_bytes: 0,
            response_time: Timestamp::ZERO,
            duration: 0,
            marks: Marks { delayed, retries_used_up },
            closed_by: None,
        };
        for (failure, delayed, retried, flags) in [
            (None, false, false, "-"),
            (Some(Failure::Fault(Abort::Status(503))), true, false, "DI,FI"),
            (Some(Failure::ConnectFailed), false, true, "URX,UF"),
            (None, false, true, "URX"),
            (Some(Failure::NoRoute), false, false, "NR"),
        ] {
            let end = failure.map_or("-", Failure::flag);
            assert_eq!(outcome(failure, delayed, retried).joined(end), flags);
        }
    }
}
