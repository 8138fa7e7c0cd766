//! Every policy that a call meets, and why each of its rules matches or not: what `trace` shows.

use std::fmt;
use std::sync::Arc;

use super::Authorization;
use super::rule::{Mismatch, Policy, Rule};
use super::test::Arrived;

/// A policy and a call.
#[derive(Debug)]
pub struct PolicyStep {
    /// The policy.
    pub policy: Arc<Policy>,
    /// Its rules up to the first that matches, each with the places where the call fails it; the last has none where one
    /// matches.
    pub rules: Vec<(usize, Vec<Mismatch>)>,
}

/// What is to be said of a policy's rules.
#[derive(Debug, PartialEq, Eq)]
pub enum Standing {
    /// This one matches.
    Matches(usize),
    /// None does.
    NoneMatches,
    /// There is none, so that it matches no call.
    WithoutRules,
}

impl PolicyStep {
    /// What became of it.
    pub fn standing(&self) -> Standing {
        match self.rules.last() {
            None => Standing::WithoutRules,
            Some((index, places)) if places.is_empty() => Standing::Matches(*index),
            Some(_) => Standing::NoneMatches,
        }
    }
}

impl Authorization {
    /// Every policy in the order in which they are asked: CUSTOM, DENY, ALLOW, then those that only mark.
    pub fn explain(&self, arrived: Arrived<'_>) -> Vec<PolicyStep> {
        let allowing = self.allowances.iter().filter(|one| one.concerns(arrived)).flat_map(|one| one.rules.iter());
        let rules: Vec<&Rule> =
            self.custom.iter().chain(self.deny.iter()).chain(allowing).chain(self.audit.iter()).collect();
        let mut steps: Vec<PolicyStep> = Vec::new();
        for rule in rules {
            let step = match steps.iter_mut().find(|step| Arc::ptr_eq(&step.policy, &rule.policy)) {
                Some(step) => step,
                None => {
                    steps.push(PolicyStep { policy: Arc::clone(&rule.policy), rules: Vec::new() });
                    let Some(step) = steps.last_mut() else { continue };
                    step
                }
            };
            if !matches!(step.standing(), Standing::Matches(_)) {
                let places = if rule.matches(arrived) { Vec::new() } else { rule.mismatches(arrived) };
                step.rules.push((rule.index, places));
            }
        }
        let unruled = self.policies.iter().filter(|policy| !steps.iter().any(|step| Arc::ptr_eq(&step.policy, policy)));
        let unruled: Vec<_> =
            unruled.map(|policy| PolicyStep { policy: Arc::clone(policy), rules: Vec::new() }).collect();
        steps.extend(unruled);
        steps
    }
}

impl fmt::Display for Mismatch {
    /// `to[0].operation.paths has "/sport", and asks for one of ["/politics"]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.found {
            Some(found) => write!(f, "{} has {found:?}, and asks for {}", self.field, self.asks),
            None => write!(f, "{} has nothing, and asks for {}", self.field, self.asks),
        }
    }
}
