//! AuthorizationPolicies, compiled for the workload at which they are enforced: the egress gateway.
//!
//! What rules hand to an authorizer is asked first, then come rules that refuse, then each [`Allowance`] (that of the
//! policies, and that of ServiceRoles) must have a rule that matches, if there is anything in it. What is only tried is
//! computed and decides nothing.

mod authorizer;
mod compile;
mod explain;
mod index;
mod pattern;
mod peer;
mod rbac;
mod refusal;
mod rule;
mod test;

use std::sync::Arc;

use smallvec::SmallVec;

use crate::call::Failure;

use super::verdict::{Checked, Refusal};

use authorizer::FORBIDDEN;
pub use authorizer::{Answered, Answers, Authorizer, Said};
pub use compile::{Enforcer, ROOT_NAMESPACE};
pub use explain::{PolicyStep, Standing};
pub use rule::{Mismatch, Policy, Rule};
pub use test::Arrived;

use index::Rules;
use peer::Peers;
use test::Test;

/// What Istio's proxy tells the caller of a call that policies refuse.
pub const ACCESS_DENIED: &str = "RBAC: access denied";

/// The policies of one workload.
#[derive(Debug, Default)]
pub struct Authorization {
    /// All of them, in the order of namespaces and names.
    policies: Vec<Arc<Policy>>,
    custom: Rules,
    deny: Rules,
    audit: Rules,
    /// Each must allow a call.
    allowances: Vec<Allowance>,
    /// Whom CUSTOM rules ask.
    authorizers: Vec<Arc<Authorizer>>,
    peers: Peers,
}

/// Rules of which one must match.
#[derive(Debug, Default)]
struct Allowance {
    /// For which calls, if not for all.
    when: Vec<Test>,
    rules: Rules,
    /// Whether there is any policy that counts, so that what no rule allows is refused.
    enforced: bool,
    /// Whether there is any that is only tried.
    tried: bool,
}

/// What an [`Allowance`] says of a call.
enum Standpoint {
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

    fn say(&self, arrived: Arrived<'_>) -> Standpoint {
        if !self.concerns(arrived) {
            return Standpoint::Allowed;
        }
        let mut tried = false;
        for rule in self.rules.matching(arrived).filter_map(|number| self.rules.get(number)) {
            if !rule.policy.dry_run {
                return Standpoint::Allowed;
            }
            tried = true;
        }
        match (self.enforced, tried) {
            (true, _) => Standpoint::Refused,
            (false, true) => Standpoint::Allowed,
            (false, false) => Standpoint::WouldBeRefused,
        }
    }
}

impl Authorization {
    /// How many rules refuse calls or let them go, and how many of others are only tried.
    pub fn enforced(&self) -> (usize, usize) {
        let allowing = self.allowances.iter().flat_map(|allowance| allowance.rules.iter());
        let rules = || self.custom.iter().chain(self.deny.iter()).chain(allowing.clone());
        let tried = rules().filter(|rule| rule.policy.dry_run).count();
        (rules().count() - tried, tried)
    }

    /// Whether nothing is declared.
    pub fn is_empty(&self) -> bool {
        self.policies.is_empty() && self.allowances.iter().all(|one| !one.enforced && !one.tried)
    }

    /// Whether a port takes mutual TLS alone, as a PeerAuthentication says.
    pub fn is_strict(&self, port: u16) -> bool {
        self.peers.are_strict(port)
    }

    /// Everybody whom policies ask.
    pub fn authorizers(&self) -> &[Arc<Authorizer>] {
        &self.authorizers
    }

    /// Who must be asked about a call before it can be judged, and has not answered yet. Of connections of TCP nobody can be
    /// asked by HTTP.
    pub fn asks(&self, arrived: Arrived<'_>, answers: &mut Answers) -> Option<&Arc<Authorizer>> {
        if self.custom.is_empty() || arrived.bag.call().tunnel().is_some() {
            return None;
        }
        let handing = self.handing(arrived, answers);
        let mut named = handing.into_iter().filter_map(|rule| rule.policy.authorizer.as_ref());
        named.find(|one| answers.of(&one.name).is_none())
    }

    /// The rules that hand a call to authorizers.
    fn handing(&self, arrived: Arrived<'_>, answers: &mut Answers) -> SmallVec<[&Rule; 4]> {
        let handed = answers.handed.get_or_insert_with(|| self.custom.matching(arrived).collect());
        handed.iter().filter_map(|number| self.custom.get(*number)).collect()
    }

    /// Judges a call about which everybody has answered; `report_only` where what is refused is only recorded. Gives the
    /// failure of one that is refused.
    pub fn check(
        &self,
        arrived: Arrived<'_>,
        answers: &mut Answers,
        report_only: bool,
        checked: &mut Checked,
    ) -> Option<Failure> {
        if self.is_empty() {
            return None;
        }
        if let Some(rule) = self.audit.matching(arrived).next().and_then(|number| self.audit.get(number)) {
            checked.audited = Some(rule.id());
        }
        let asked = if self.custom.is_empty() { None } else { self.custom(arrived, answers, checked) };
        if let Some((failure, refusal)) = asked {
            checked.refusals.push(Refusal { enforced: !report_only, ..refusal });
            if !report_only {
                return Some(failure);
            }
        }
        self.declared(arrived, report_only, checked).then_some(Failure::AccessDenied)
    }

    /// Takes up what authorizers have said: changes of the call, or the failure and refusal of one that does not go.
    fn custom(&self, arrived: Arrived<'_>, answers: &mut Answers, checked: &mut Checked) -> Option<(Failure, Refusal)> {
        let mut heard: SmallVec<[&str; 2]> = SmallVec::new();
        for rule in self.handing(arrived, answers) {
            let named = rule.policy.authorizer.as_ref();
            let answer = named.and_then(|named| Some((named, answers.of(&named.name)?)));
            let Some((named, answer)) = answer else {
                return Some((Failure::Unauthorized(FORBIDDEN), refusal::unasked(rule, arrived)));
            };
            if heard.contains(&&*named.name) {
                continue;
            }
            heard.push(&named.name);
            match &answer.said {
                Said::Allowed { request, response } => {
                    checked.request_edits.extend(request.iter().cloned());
                    checked.response_edits.extend(response.iter().cloned());
                }
                Said::Denied(status) => {
                    return Some((Failure::Unauthorized(*status), refusal::by_authorizer(rule, arrived)));
                }
                Said::Nothing => {
                    checked.faults += 1;
                    if !named.fail_open {
                        return Some((Failure::Unauthorized(named.status_on_error), refusal::unasked(rule, arrived)));
                    }
                }
            }
        }
        None
    }

    /// Whether what is declared refuses a call.
    fn declared(&self, arrived: Arrived<'_>, report_only: bool, checked: &mut Checked) -> bool {
        for rule in self.deny.matching(arrived).filter_map(|number| self.deny.get(number)) {
            let enforced = !(rule.policy.dry_run || report_only);
            checked.refusals.push(refusal::by_rule(rule, arrived, enforced));
            if !rule.policy.dry_run {
                return enforced;
            }
        }
        for allowance in &self.allowances {
            let enforced = match allowance.say(arrived) {
                Standpoint::Allowed => continue,
                Standpoint::Refused => !report_only,
                Standpoint::WouldBeRefused => false,
            };
            checked.refusals.push(refusal::by_none(&allowance.rules, arrived, enforced));
            if enforced {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests;
