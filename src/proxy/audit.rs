//! What the calls of a sandbox came to, for who wants to know what the present policy would refuse (`--audit`).

use std::cell::RefCell;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::accesslog::Redact;
use crate::call::{Call, Failure, Outcome, Side, TunnelFault};
use crate::policy::refusal;
use crate::policy::verdict::Checked;

/// Most calls that are told apart; more are only counted.
const MOST: usize = 1000;

/// Most bytes that are kept of a path or a reason.
const LONGEST: usize = 512;

/// What became of a call, and would have become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It did not go, for it cannot be sent, or not safely.
    Deny,
    /// It went, and would be refused.
    WouldDeny,
    /// It went, and would go.
    Allow,
}

/// A call as it is told of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Audited {
    /// What became of it.
    pub verdict: Verdict,
    /// `host`, or `host:port` where that is not 80; of tunnels always with the port.
    pub destination: String,
    /// `http`, `tls`, `tcp` or `udp`.
    pub protocol: String,
    /// The method; empty where it is no request.
    pub method: String,
    /// The path without query; empty where it is no request.
    pub path: String,
    /// Why it did not go or would not have, or that a rule would say so that only reports; may be empty.
    pub reason: String,
    /// What would let it go; may be empty.
    pub remedy: String,
    /// What went wrong when it was made, so that it did not get its origin's answer; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub failure: String,
}

/// Calls that are alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// What they have in common.
    #[serde(flatten)]
    pub call: Audited,
    /// How many there were.
    pub calls: u64,
    /// The decision about the first of them.
    pub decision: String,
}

/// All that was called.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Those that did not go first, then those that would not have.
    pub calls: Vec<Counted>,
    /// How many more there were, which are not told apart.
    pub others: u64,
}

/// A summary that grows.
#[derive(Debug, Default)]
pub(super) struct Audit(RefCell<Growing>);

#[derive(Debug, Default)]
struct Growing {
    calls: HashMap<Audited, (u64, String)>,
    others: u64,
}

impl Audit {
    /// A call has ended; `over` is why it would have been refused, if it only went because of the audit. `checked` is as
    /// [`Checked::shown`] has it.
    pub(super) fn add(
        &self,
        (call, redact): (&Call, Redact),
        outcome: &Outcome,
        checked: &Checked,
        over: Option<Failure>,
    ) {
        let lifted = refusal::lifted(call, checked, over, redact);
        let went_wrong = outcome.failure.filter(|failure| over.is_some() || failure.side() == Side::Upstream);
        let failure = went_wrong.map_or_else(String::new, |failure| failure.reason().to_owned());
        let (verdict, reason, remedy) = match (over, outcome.failure, lifted) {
            (Some(_), _, Some((reason, remedy))) => (Verdict::WouldDeny, reason, remedy),
            (_, Some(_), _) if went_wrong.is_some() => (Verdict::Allow, String::new(), String::new()),
            (_, Some(failure), _) => {
                (Verdict::Deny, failure.reason().to_owned(), refusal::remedy(call, failure, redact))
            }
            (None, None, Some((reason, _))) => (Verdict::Allow, format!("only reported: {reason}"), String::new()),
            (_, None, _) => (Verdict::Allow, String::new(), String::new()),
        };
        let authority = call.authority();
        let (protocol, destination) = match call.tunnel() {
            None => ("http", authority.as_str().to_owned()),
            Some(tunnel) => {
                let protocol = match (outcome.failure, tunnel.server_name()) {
                    (Some(Failure::Tunnel(TunnelFault::Datagrams)), _) => "udp",
                    (_, Some(_)) => "tls",
                    (_, None) => "tcp",
                };
                (protocol, format!("{}:{}", authority.host(), authority.port()))
            }
        };
        let shown = redact.path(call.path());
        let (method, path) = match call.tunnel() {
            None => (call.method().to_string(), short(shown.as_deref().unwrap_or(call.path()))),
            Some(_) => Default::default(),
        };
        let (reason, remedy) = (short(&reason), short(&remedy));
        let protocol = protocol.to_owned();
        let audited = Audited { verdict, destination, protocol, method, path, reason, remedy, failure };
        self.count(audited, || call.decision_id());
    }

    fn count(&self, audited: Audited, decision: impl FnOnce() -> String) {
        let Growing { calls, others } = &mut *self.0.borrow_mut();
        if let Some((count, _)) = calls.get_mut(&audited) {
            *count += 1;
        } else if calls.len() < MOST {
            calls.insert(audited, (1, decision()));
        } else {
            *others += 1;
        }
    }

    /// All of it; nothing is left.
    pub(super) fn take(&self) -> Summary {
        let Growing { calls, others } = self.0.take();
        let counted = |(call, (calls, decision))| Counted { call, calls, decision };
        let mut calls: Vec<_> = calls.into_iter().map(counted).collect();
        calls.sort_by(|one, other| one.call.cmp(&other.call));
        Summary { calls, others }
    }
}

/// The beginning of a text.
fn short(text: &str) -> String {
    match text.len() {
        ..=LONGEST => text.to_owned(),
        _ => format!("{}…", &text[..text.floor_char_boundary(LONGEST)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audited(path: String) -> Audited {
        let empty = String::new;
        let (destination, protocol, method) = ("a.example".to_owned(), "http".to_owned(), "GET".to_owned());
        let (reason, remedy, failure) = (empty(), empty(), empty());
        Audited { verdict: Verdict::Allow, destination, protocol, method, path, reason, remedy, failure }
    }

    #[test]
    fn calls_that_are_alike_are_counted_and_too_many_that_are_not_are_not_told_apart() {
        let audit = Audit::default();
        for number in 0..MOST + 2 {
            audit.count(audited(format!("/{number}")), || format!("{number}"));
        }
        audit.count(audited("/0".to_owned()), || "another".to_owned());
        audit.count(Audited { verdict: Verdict::Deny, ..audited("/0".to_owned()) }, String::new);
        let Summary { calls, others } = audit.take();
        assert_eq!((calls.len(), others), (MOST, 3));
        assert_eq!((calls[0].calls, calls[0].decision.as_str()), (2, "0"));
        assert_eq!(audit.take(), Summary::default());
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(short("short"), "short");
        let cut = short(&"ä".repeat(LONGEST));
        assert!(cut.ends_with("ä…") && cut.len() < LONGEST + 4, "{cut}");
    }
}
