//! A rule of authorization and a call: does it match, and if not, where it fails.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::accesslog::{Redact, is_credential};
use crate::resource::Provenance;
use crate::resource::kinds::authorization_policy::{Action, Attribute};

use super::super::hints::{MASKED, shortened};
use super::Authorizer;
use super::test::{Arrived, Test};

/// What a rule was declared in.
#[derive(Debug)]
pub struct Policy {
    /// Full name: `deny-politics.AuthorizationPolicy.istio-system`.
    pub name: Arc<str>,
    /// Where it came from.
    pub from: Provenance,
    /// What becomes of calls that match.
    pub action: Action,
    /// Whether it decides nothing, and is only computed.
    pub dry_run: bool,
    /// Whom CUSTOM asks, if anybody of the name is declared.
    pub authorizer: Option<Arc<Authorizer>>,
}

/// A compiled rule: from any of its sources, to any of its operations, when all conditions hold.
#[derive(Debug)]
pub struct Rule {
    /// What it was declared in.
    pub policy: Arc<Policy>,
    /// Its place in that policy.
    pub index: usize,
    /// Any when empty.
    sources: Vec<Vec<Test>>,
    /// Any when empty.
    operations: Vec<Vec<Test>>,
    conditions: Vec<Test>,
    /// Whether it asks for what only requests of HTTP have.
    of_http: bool,
}

/// Where a call fails a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The field: `to[0].operation.paths`.
    pub field: String,
    /// What it asks for: `one of ["/a"]`.
    pub asks: String,
    /// What the call has there; none where it has nothing.
    pub found: Option<String>,
}

impl Rule {
    pub(super) fn new(
        policy: Arc<Policy>,
        index: usize,
        sources: Vec<Vec<Test>>,
        operations: Vec<Vec<Test>>,
        conditions: Vec<Test>,
    ) -> Self {
        let rule = Self { policy, index, sources, operations, conditions, of_http: false };
        let of_http = rule.all().any(|test| test.attribute.is_of_http());
        Self { of_http, ..rule }
    }

    /// Its parts, all of which must hold; of each part one of the clauses, if it has any, and all tests of a clause.
    pub(super) fn parts(&self) -> [&[Vec<Test>]; 3] {
        [&self.operations, &self.sources, std::slice::from_ref(&self.conditions)]
    }

    /// Whether what a rule asks of HTTP is passed over for connections of TCP: what refuses is wider there rather than
    /// narrower, and what allows never matches (Istio's rule).
    fn passes_over(&self, test: &Test, arrived: Arrived<'_>) -> bool {
        self.policy.action != Action::Allow && test.attribute.is_of_http() && arrived.bag.call().tunnel().is_some()
    }

    fn holds(&self, tests: &[Test], arrived: Arrived<'_>) -> bool {
        tests.iter().all(|test| self.passes_over(test, arrived) || test.holds(arrived))
    }

    fn any(&self, clauses: &[Vec<Test>], arrived: Arrived<'_>) -> bool {
        clauses.is_empty() || clauses.iter().any(|tests| self.holds(tests, arrived))
    }

    /// Whether the rule matches a call.
    pub fn matches(&self, arrived: Arrived<'_>) -> bool {
        if self.never_matches(arrived) {
            return false;
        }
        self.any(&self.sources, arrived) && self.any(&self.operations, arrived) && self.holds(&self.conditions, arrived)
    }

    /// Whether it allows, asks for something of HTTP, and the call is a connection of TCP.
    fn never_matches(&self, arrived: Arrived<'_>) -> bool {
        self.of_http && self.policy.action == Action::Allow && arrived.bag.call().tunnel().is_some()
    }

    /// Where a call fails, one place for each of sources and operations of which none fits, and each condition; empty where
    /// the rule matches.
    pub fn mismatches(&self, arrived: Arrived<'_>) -> Vec<Mismatch> {
        if self.never_matches(arrived) {
            let fields = self.all().filter(|test| test.attribute.is_of_http());
            return fields
                .take(1)
                .map(|test| Mismatch { field: test.field.to_string(), asks: test.asks(), found: None })
                .collect();
        }
        let failing = |tests: &[Test]| -> Vec<Mismatch> {
            let failed = tests.iter().filter(|test| !self.passes_over(test, arrived) && !test.holds(arrived));
            failed.map(|test| mismatch(test, arrived)).collect()
        };
        let none_of = |clauses: &[Vec<Test>]| match self.any(clauses, arrived) {
            true => Vec::new(),
            // The one that fails in the fewest places.
            false => clauses.iter().map(|tests| failing(tests)).min_by_key(Vec::len).unwrap_or_default(),
        };
        let mut found = none_of(&self.sources);
        found.extend(none_of(&self.operations));
        found.extend(failing(&self.conditions));
        found
    }

    /// What a call has of what the rule looks at, by attribute.
    pub fn values(&self, arrived: Arrived<'_>) -> BTreeMap<String, Option<String>> {
        self.all().map(|test| (test.attribute.to_string(), shown(test, arrived))).collect()
    }

    fn all(&self) -> impl Iterator<Item = &Test> {
        self.sources.iter().chain(&self.operations).flatten().chain(&self.conditions)
    }
}

fn mismatch(test: &Test, arrived: Arrived<'_>) -> Mismatch {
    Mismatch { field: test.field.to_string(), asks: test.asks(), found: shown(test, arrived) }
}

/// What a call has where a test looks, as it may be recorded and shown.
fn shown(test: &Test, arrived: Arrived<'_>) -> Option<String> {
    let found = test.found(arrived)?;
    if test.attribute == Attribute::Path {
        let path = Redact::Query.path(&found);
        return Some(shortened(path.as_deref().unwrap_or(&found)).into_owned());
    }
    let secret = match &test.attribute {
        // The query, in which credentials are often sent, is part of it.
        Attribute::Header(name) => name == ":path" || is_credential(name),
        _ => false,
    };
    Some(if secret { MASKED.to_owned() } else { shortened(&found).into_owned() })
}
