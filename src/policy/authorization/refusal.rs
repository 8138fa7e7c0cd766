//! What is recorded of a call that policies refuse.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::call::Code;
use crate::expr::ValueRef;

use super::super::hints::object;
use super::super::verdict::{Refusal, Refuser};
use super::ACCESS_DENIED;
use super::index::Rules;
use super::rule::{Mismatch, Rule};
use super::test::Arrived;

/// Rules that are looked at for the one that almost matches: refusing must not cost much more than allowing.
const LOOKED_AT: usize = 64;

impl Rule {
    /// The rule as Envoy's response details name it: `ns[NAMESPACE]-policy[NAME]-rule[INDEX]`.
    pub fn id(&self) -> String {
        let from = &self.policy.from;
        format!("ns[{}]-policy[{}]-rule[{}]", from.namespace, from.name, self.index)
    }
}

/// A refusal by a rule that matches.
pub(super) fn by_rule(rule: &Rule, arrived: Arrived<'_>, enforced: bool) -> Refusal {
    let remedy = format!("rules[{}] of {} so that it does not match", rule.index, rule.policy.name);
    let details = format!("rbac_access_denied_matched_policy[{}]", rule.id());
    refusal(Arc::clone(&rule.policy.name), details, values(Some(rule), arrived), remedy, enforced)
}

/// A refusal because none of the rules matches.
pub(super) fn by_none(rules: &Rules, arrived: Arrived<'_>, enforced: bool) -> Refusal {
    let details = "rbac_access_denied_matched_policy[none]".to_owned();
    let nearest = rules
        .iter()
        .take(LOOKED_AT)
        .map(|rule| (rule, rule.mismatches(arrived)))
        .min_by_key(|(_, places)| places.len());
    let (name, remedy) = match &nearest {
        None => ("".into(), "a rule that matches it in an ALLOW policy".to_owned()),
        Some((rule, places)) => {
            let places: Vec<_> = places.iter().map(Mismatch::to_string).collect();
            let policy = &rule.policy.name;
            let remedy =
                format!("a rule that matches it, as rules[{}] of {policy} but for {}", rule.index, places.join("; "));
            (Arc::clone(policy), remedy)
        }
    };
    refusal(name, details, values(nearest.map(|(rule, _)| rule), arrived), remedy, enforced)
}

/// A refusal by the authorizer that a rule hands a call to.
pub(super) fn by_authorizer(rule: &Rule, arrived: Arrived<'_>) -> Refusal {
    let message = format!("the authorizer {} does not let it go", authorizer(rule));
    Refusal { message, ..asked(rule, arrived, format!("an authorizer {} that lets it go", authorizer(rule))) }
}

/// A refusal because nobody has answered whom a rule asks.
pub(super) fn unasked(rule: &Rule, arrived: Arrived<'_>) -> Refusal {
    let message = match (&rule.policy.authorizer, arrived.bag.call().tunnel()) {
        (None, _) => "no authorizer of the name in provider.name is declared in the mesh's configuration".to_owned(),
        (Some(one), Some(_)) => format!("the authorizer {} cannot be asked about a connection of TCP", one.name),
        (Some(one), None) => format!("the authorizer {} could not be asked, or not in time", one.name),
    };
    Refusal { message, ..asked(rule, arrived, format!("an authorizer {} that answers", authorizer(rule))) }
}

fn asked(rule: &Rule, arrived: Arrived<'_>, remedy: String) -> Refusal {
    let details = format!("ext_authz_denied[{}]", rule.id());
    refusal(Arc::clone(&rule.policy.name), details, values(Some(rule), arrived), remedy, true)
}

fn authorizer(rule: &Rule) -> &str {
    rule.policy.authorizer.as_ref().map(|one| &*one.name).unwrap_or_default()
}

fn refusal(rule: Arc<str>, details: String, values: String, remedy: String, enforced: bool) -> Refusal {
    Refusal {
        rule,
        handler: "".into(),
        instance: "".into(),
        by: Refuser::Authorization,
        code: Code::PERMISSION_DENIED,
        message: ACCESS_DENIED.to_owned(),
        details,
        values,
        remedy,
        enforced,
    }
}

/// What a call has of what a rule looks at, as JSON.
fn values(rule: Option<&Rule>, arrived: Arrived<'_>) -> String {
    let json = |found: Option<String>| {
        let mut json = String::new();
        match found {
            Some(text) => ValueRef::String(&text).write_json(&mut json),
            None => json.push_str("null"),
        }
        json
    };
    let found = rule.map(|rule| rule.values(arrived)).unwrap_or_default();
    let found: BTreeMap<_, _> = found.into_iter().map(|(name, found)| (name, json(found))).collect();
    object(&found)
}
