//! What checks say of a call, together.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;

use crate::accesslog::{REDACTED, Redact, line};
use crate::call::Code;
use crate::resource::kinds::rule::Operation;

use super::hints::object;

/// What one check says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The call may go.
    Ok,
    /// It may not.
    Refused {
        /// Why, for programs.
        code: Code,
        /// Why, for people; may hold text of the caller.
        message: String,
    },
}

/// How the message of a quota that is used up begins; the names of several are told together.
pub(super) const EXHAUSTED: &str = "Quota is exhausted for: ";

/// What does not let a call go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refuser {
    /// A check of a rule.
    Check,
    /// A quota of a rule.
    Quota,
    /// An AuthorizationPolicy, or that none allows the call.
    Authorization,
}

/// A check, a quota or a policy that did not let a call go.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// Full name of the rule, or of the AuthorizationPolicy.
    pub rule: Arc<str>,
    /// Name of the handler, as messages have it; a policy has none.
    pub handler: Arc<str>,
    /// Full name of the instance; empty where the match itself could not be decided.
    pub instance: Arc<str>,
    /// What refused.
    pub by: Refuser,
    /// Why, for programs.
    pub code: Code,
    /// Why, for people.
    pub message: String,
    /// Envoy's response code details, of a policy's refusal.
    pub details: String,
    /// The values that the rule's match read, as a JSON object.
    pub values: String,
    /// The smallest change that would have let the call go.
    pub remedy: String,
    /// Whether it counts; a rule, a caller or a proxy that only reports lets the call go.
    pub enforced: bool,
}

impl Refusal {
    /// Whether a quota is used up.
    pub fn is_exhausted(&self) -> bool {
        self.by == Refuser::Quota && self.code == Code::RESOURCE_EXHAUSTED
    }

    /// What is told of it where nothing of what the caller sent may be: names that the configuration gives, and what is
    /// known of the two ends.
    fn without_request(&self) -> Self {
        let hidden = |text: &str| if text.is_empty() { String::new() } else { REDACTED.to_owned() };
        let message = match self.by {
            Refuser::Authorization => self.message.clone(),
            _ if self.is_exhausted() => self.message.clone(),
            Refuser::Check | Refuser::Quota => hidden(&self.message),
        };
        let values = line::fields(&self.values).unwrap_or_default().into_iter();
        let values = values.map(|(name, value)| {
            let is_kept = ["source.", "destination."].iter().any(|end| name.starts_with(end)) || value.is_null();
            (name, if is_kept { value.to_string() } else { format!("\"{REDACTED}\"") })
        });
        Self { message, values: object(&values.collect()), remedy: hidden(&self.remedy), ..self.clone() }
    }

    /// What is told of it alone: `PERMISSION_DENIED:HANDLER:MESSAGE`, or what a policy says.
    pub fn told(&self) -> String {
        match self.by {
            Refuser::Authorization => format!("{}: {}", self.message, self.details),
            Refuser::Check | Refuser::Quota => format!("{}:{}:{}", self.code, self.handler, self.message),
        }
    }
}

/// A change of a header that a rule asks for.
#[derive(Debug, Clone)]
pub struct HeaderEdit {
    /// The header.
    pub name: HeaderName,
    /// What is done with it.
    pub operation: Operation,
    /// The values; none for a removal.
    pub values: SmallVec<[HeaderValue; 1]>,
}

impl HeaderEdit {
    /// Makes changes, in their order.
    pub fn apply(edits: &[Self], headers: &mut HeaderMap) {
        for HeaderEdit { name, operation, values } in edits {
            if *operation != Operation::Append {
                headers.remove(name);
            }
            for value in values {
                headers.append(name, value.clone());
            }
        }
    }
}

/// What all checks of a call said. Empty for most calls, and then without any memory of its own.
#[derive(Debug, Default, Clone)]
pub struct Checked {
    /// What did not let it go, in the order of rules and their actions.
    pub refusals: Vec<Refusal>,
    /// Checks that could not be carried out.
    pub faults: u64,
    /// Changes of the request, for a call that goes.
    pub request_edits: Vec<HeaderEdit>,
    /// Changes of the answer.
    pub response_edits: Vec<HeaderEdit>,
    /// The rule of an AuthorizationPolicy that marks it, if one does.
    pub audited: Option<String>,
}

impl Checked {
    /// What is recorded of it.
    pub fn shown(&self, redact: Redact) -> Cow<'_, Self> {
        if redact != Redact::All || self.refusals.is_empty() {
            return Cow::Borrowed(self);
        }
        let refusals = self.refusals.iter().map(Refusal::without_request).collect();
        Cow::Owned(Checked { refusals, audited: self.audited.clone(), faults: self.faults, ..Checked::default() })
    }

    /// The code of the first refusal that counts; none where the call may go.
    pub fn refused(&self) -> Option<Code> {
        self.refusals.iter().find(|refusal| refusal.enforced).map(|refusal| refusal.code)
    }

    /// Envoy's response code details of the refusal that counts; empty where there are none.
    pub fn details(&self) -> &str {
        self.refusals
            .iter()
            .find(|refusal| refusal.enforced)
            .map(|refusal| refusal.details.as_str())
            .unwrap_or_default()
    }

    /// `PERMISSION_DENIED:HANDLER:MESSAGE`, the messages of all refusals that count joined by `, `, or what a policy says:
    /// what Istio's proxy tells the caller. Empty where the call may go.
    pub fn message(&self) -> String {
        let mut text = String::new();
        let mut exhausted = false;
        for refusal in self.refusals.iter().filter(|refusal| refusal.enforced) {
            if let (true, Some(quota)) = (exhausted, refusal.message.strip_prefix(EXHAUSTED)) {
                let _ = write!(text, ",{quota}");
                continue;
            }
            exhausted = refusal.is_exhausted();
            if refusal.by == Refuser::Authorization {
                // Nothing else has been asked then.
                return refusal.message.clone();
            }
            if text.is_empty() {
                text.push_str(refusal.code.name());
                text.push(':');
            } else {
                text.push_str(", ");
            }
            // Istio's messages name the handlers of checks, not those of quotas.
            if refusal.by == Refuser::Check {
                let _ = write!(text, "{}:", refusal.handler);
            }
            text.push_str(&refusal.message);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(handler: &str, code: Code, message: &str, enforced: bool) -> Refusal {
        let (rule, instance) = ("r.rule.ns".into(), "i.listentry.ns".into());
        Refusal {
            rule,
            handler: handler.into(),
            instance,
            by: Refuser::Check,
            code,
            message: message.into(),
            details: String::new(),
            values: String::new(),
            remedy: String::new(),
            enforced,
        }
    }

    #[test]
    fn the_first_code_counts_and_all_messages_are_told() {
        let refusals = vec![
            refusal("shadow.denier.ns", Code(9), "not told", false),
            refusal("pathlist.listchecker.ns", Code::PERMISSION_DENIED, "/x is not whitelisted", true),
            refusal("blocker.denier.ns", Code(9), "", true),
        ];
        let checked = Checked { refusals, ..Checked::default() };
        assert_eq!(checked.refused(), Some(Code::PERMISSION_DENIED));
        assert_eq!(
            checked.message(),
            "PERMISSION_DENIED:pathlist.listchecker.ns:/x is not whitelisted, blocker.denier.ns:"
        );
    }

    #[test]
    fn quotas_that_are_used_up_are_told_together() {
        let used_up = |name: &str, enforced| Refusal {
            by: Refuser::Quota,
            ..refusal("limits.memquota.ns", Code::RESOURCE_EXHAUSTED, &format!("{EXHAUSTED}{name}"), enforced)
        };
        let refusals = vec![used_up("a", true), used_up("shadow", false), used_up("b", true)];
        let checked = Checked { refusals, ..Checked::default() };
        assert_eq!(checked.message(), "RESOURCE_EXHAUSTED:Quota is exhausted for: a,b");
    }
}
