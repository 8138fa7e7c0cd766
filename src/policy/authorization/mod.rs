//! AuthorizationPolicies, compiled for the workload at which they are enforced: the egress gateway.
//!
//! Rules that refuse come first, then each [`Allowance`] (that of the policies, and that of ServiceRoles) must have a rule
//! that matches, if there is anything in it. What is only tried is computed and decides nothing.

mod compile;
mod explain;
mod pattern;
mod rbac;
mod refusal;
mod rule;
mod test;

use std::sync::Arc;

use super::verdict::Checked;

pub use compile::{Enforcer, ROOT_NAMESPACE};
pub use explain::{PolicyStep, Standing};
pub use rule::{Mismatch, Policy, Rule};
pub use test::Arrived;

use test::Test;

/// What Istio's proxy tells the caller of a call that policies refuse.
pub const ACCESS_DENIED: &str = "RBAC: access denied";

/// The policies of one workload.
#[derive(Debug, Default)]
pub struct Authorization {
    /// All of them, in the order of namespaces and names.
    policies: Vec<Arc<Policy>>,
    custom: Vec<Rule>,
    deny: Vec<Rule>,
    audit: Vec<Rule>,
    /// Each must allow a call.
    allowances: Vec<Allowance>,
}

/// Rules of which one must match.
#[derive(Debug, Default)]
struct Allowance {
    /// For which calls, if not for all.
    when: Vec<Test>,
    rules: Vec<Rule>,
    /// Whether there is any policy that counts, so that what no rule allows is refused.
    enforced: bool,
    /// Whether there is any that is only tried.
    tried: bool,
}

/// What an [`Allowance`] says of a call.
enum Said {
    Allowed,
    /// No rule matches.
    Refused,
    /// No rule matches, if what is tried counted.
    WouldBeRefused,
}

impl Allowance {
    fn concerns(&self, arrived: Arrived<'_>) -> bool {
        (self.enforced || self.tried) && self.when.iter().all(|test| test.holds(arrived))
    }

    fn say(&self, arrived: Arrived<'_>) -> Said {
        if !self.concerns(arrived) {
            return Said::Allowed;
        }
        let mut tried = false;
        for rule in self.rules.iter().filter(|rule| rule.matches(arrived)) {
            if !rule.policy.dry_run {
                return Said::Allowed;
            }
            tried = true;
        }
        match (self.enforced, tried) {
            (true, _) => Said::Refused,
            (false, true) => Said::Allowed,
            (false, false) => Said::WouldBeRefused,
        }
    }
}

impl Authorization {
    /// Whether nothing is declared.
    pub fn is_empty(&self) -> bool {
        self.policies.is_empty() && self.allowances.iter().all(|one| !one.enforced && !one.tried)
    }

    /// Judges a call; `report_only` where what is refused is only recorded.
    pub fn check(&self, arrived: Arrived<'_>, report_only: bool, checked: &mut Checked) {
        if self.is_empty() {
            return;
        }
        if let Some(rule) = self.audit.iter().find(|rule| rule.matches(arrived)) {
            checked.audited = Some(rule.id());
        }
        // Nobody can be asked yet: what was to be asked about is refused.
        for rule in self.custom.iter().chain(&self.deny).filter(|rule| rule.matches(arrived)) {
            let enforced = !(rule.policy.dry_run || report_only);
            checked.refusals.push(refusal::by_rule(rule, arrived, enforced));
            if !rule.policy.dry_run {
                return;
            }
        }
        for allowance in &self.allowances {
            let enforced = match allowance.say(arrived) {
                Said::Allowed => continue,
                Said::Refused => !report_only,
                Said::WouldBeRefused => false,
            };
            checked.refusals.push(refusal::by_none(&allowance.rules, arrived, enforced));
            if enforced {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
