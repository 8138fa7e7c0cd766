//! Mixer's model, compiled: which rules match a call, what they refuse and what they record.
//!
//! A rule's match is a program over attribute slots. Each of its actions hands an instance (values computed from the
//! call, see [`template`]) to a handler (see [`adapter`]). Before a call leaves, [`Policy::check`] asks those whose
//! template is a check; after the answer, [`Policy::report`] tells the others, which make entries and metrics.

pub mod adapter;
mod affixes;
pub mod authorization;
mod compile;
mod counters;
pub mod describe;
mod expression;
mod hints;
mod index;
pub mod feed;
pub mod instance;
pub mod list;
mod literals;
mod live;
mod quota;
mod reference;
pub mod refusal;
mod rule;
pub mod template;
pub mod verdict;
mod vocabulary;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::accesslog::Batch;
use crate::call::CallBag;
use crate::expr::{EvalError, Scratch, Vocabulary};

use index::Index;
use quota::Charges;
use verdict::{Checked, Verdict};

pub(crate) use affixes::{Affixes, Candidates};
pub use compile::{CONFIG_NAMESPACE, Parts, full_name, handler_name};
pub use counters::{Counters, Saved, Spend};
pub use expression::condition;
pub use live::Kept;
pub use quota::review_spec;
pub use reference::{Referred, resolve};
pub use rule::Rule;
pub use vocabulary::{clash, vocabulary};

/// State that outlives a configuration.
#[derive(Debug, Default)]
pub struct Live {
    /// Lists that providers keep.
    pub feeds: Kept<feed::Feed>,
    /// Metrics that prometheus handlers count, by definition.
    pub families: Kept<adapter::prometheus::Family>,
    /// What rules have done, by their full names.
    pub counts: Kept<rule::Counts>,
    /// The counters of quota handlers, by the handlers' names.
    pub counters: Kept<Counters>,
    /// What an earlier process had counted, until its handlers ask for it.
    restored: Mutex<HashMap<String, Vec<Saved>>>,
}

impl Live {
    /// Goes on from what another process has counted up to now, by the handlers' names.
    pub fn take_over(&self, mut counted: HashMap<String, Vec<Saved>>) {
        for (handler, counters) in self.counters.all() {
            counters.take_over(counted.remove(&handler).unwrap_or_default());
        }
        *self.restored.lock().unwrap_or_else(PoisonError::into_inner) = counted;
    }

    /// The rules whose match could not be decided, and how often, by name.
    pub fn undecided(&self) -> Vec<(String, u64)> {
        let all = self.counts.all().into_iter().map(|(rule, counts)| (rule, counts.undecided.total()));
        let mut found: Vec<_> = all.filter(|(_, count)| *count > 0).collect();
        found.sort();
        found
    }

    /// Everything that is counted, by the handlers' names; of a handler that is not there right now, what was counted for
    /// it before.
    pub fn counted(&self) -> HashMap<String, Vec<Saved>> {
        let mut counted = self.restored.lock().unwrap_or_else(PoisonError::into_inner).clone();
        counted.extend(self.counters.all().into_iter().map(|(handler, counters)| (handler, counters.all())));
        counted
    }

    /// What was counted for a handler before; handed out once.
    fn restored(&self, handler: &str) -> Vec<Saved> {
        let mut restored = self.restored.lock().unwrap_or_else(PoisonError::into_inner);
        restored.remove(handler).unwrap_or_default()
    }
}

/// How far refusals go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enforcement {
    /// Whether refusals are only recorded, and every call goes.
    pub report_only: bool,
    /// Whether a check that cannot be carried out refuses.
    pub refuses_faults: bool,
}

impl Default for Enforcement {
    /// Deny by default.
    fn default() -> Self {
        Self { report_only: false, refuses_faults: true }
    }
}

/// What a call is charged of a quota.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Charge<'c> {
    /// Short name of the quota, in lower case.
    pub(crate) quota: &'c str,
    /// How much.
    pub(crate) amount: i64,
    /// Whether it is taken.
    pub(crate) spend: Spend,
}

/// What is seen while a call is judged.
#[derive(Debug)]
pub enum Seen<'s> {
    /// A rule that has checks, and whether it matched.
    Rule {
        /// The rule.
        rule: &'s Rule,
        /// Whether it matched.
        matched: Result<bool, EvalError<'s>>,
    },
    /// A check of a rule that matched.
    Check {
        /// The rule.
        rule: &'s Rule,
        /// Name of the handler, as messages have it.
        handler: &'s str,
        /// Full name of the instance.
        instance: &'s str,
        /// What it said, or why it could say nothing.
        verdict: &'s Result<Verdict, String>,
    },
}

/// All rules of a configuration.
#[derive(Debug, Default)]
pub struct Policy {
    /// Rules of the configuration namespace: they see every call.
    mesh: Rules,
    /// Rules of other namespaces see the calls of their own workloads.
    namespaces: HashMap<String, Rules>,
    enforcement: Enforcement,
    /// Which quotas calls are charged.
    charges: Charges,
    /// What the expressions of the configuration may name.
    vocabulary: Vocabulary,
}

/// The rules of a namespace, in the order of their names.
#[derive(Debug, Default)]
struct Rules {
    all: Vec<Rule>,
    /// Those that have something to say before a call leaves.
    checking: Index,
    /// Those that have something to tell afterwards.
    reporting: Index,
    /// Those that give a quota, by its short name in lower case, with the places of their actions.
    quotas: HashMap<String, Vec<(usize, usize)>>,
}

impl Rules {
    fn push(&mut self, rule: Rule) {
        let number = u32::try_from(self.all.len()).expect("no registry holds four billion rules");
        if rule.checks() {
            self.checking.push(number, rule.condition.as_ref());
        }
        if rule.reports() {
            self.reporting.push(number, rule.condition.as_ref());
        }
        for (position, action) in rule.quotas.iter().enumerate() {
            let name = action.instance.split('.').next().unwrap_or_default().to_ascii_lowercase();
            self.quotas.entry(name).or_default().push((self.all.len(), position));
        }
        self.all.push(rule);
    }

    fn seal(&mut self) {
        self.all.shrink_to_fit();
        self.checking.seal();
        self.reporting.seal();
    }

    /// The rules that give a quota, with the places of their actions: those that only report, or the others.
    fn giving(&self, quota: &str, trials: bool) -> impl Iterator<Item = (&Rule, usize)> + use<'_> {
        let places = self.quotas.get(quota).into_iter().flatten();
        let given = places.map(|(rule, action)| (&self.all[*rule], *action));
        given.filter(move |(rule, _)| rule.report_only == trials)
    }

    /// The rules of an index that may match a call.
    fn candidates(&self, index: &Index, bag: &CallBag<'_>) -> impl Iterator<Item = &Rule> + use<'_> {
        // Of a tunnel less is known than of the requests that the index was made for.
        let found = if bag.call().tunnel().is_some() { index.all() } else { index.candidates(bag) };
        found.into_iter().map(|number| &self.all[number as usize])
    }
}

impl Policy {
    /// The rules that see the calls of a namespace: those of the configuration namespace first.
    fn scopes(&self, bag: &CallBag<'_>) -> impl Iterator<Item = &Rules> {
        let own = bag.source_namespace().and_then(|namespace| self.namespaces.get(namespace));
        std::iter::once(&self.mesh).chain(own)
    }

    /// All rules that see a call, whether they match it or not, in the order in which they are asked.
    pub fn rules(&self, bag: &CallBag<'_>) -> impl Iterator<Item = &Rule> {
        self.scopes(bag).flat_map(|rules| &rules.all)
    }

    /// Asks all checks that apply to a call; `see` is told of each rule and check.
    pub fn check(
        &self,
        bag: &CallBag<'_>,
        spend: Spend,
        scratch: &mut Scratch,
        checked: &mut Checked,
        see: &mut impl FnMut(Seen<'_>),
    ) {
        let enforcement = self.enforcement_for(bag);
        for rules in self.scopes(bag) {
            for rule in rules.candidates(&rules.checking, bag) {
                rule.check(bag, spend, scratch, &enforcement, checked, see);
            }
        }
    }

    /// Charges a call that its checks let go to a service. The first rule that gives a quota and matches decides about it; a quota that
    /// no rule gives is granted (Mixer's rule). Rules that only report are asked besides.
    pub fn quota(
        &self,
        bag: &CallBag<'_>,
        service: &str,
        spend: Spend,
        scratch: &mut Scratch,
        checked: &mut Checked,
        see: &mut impl FnMut(Seen<'_>),
    ) {
        scratch.reset();
        let enforcement = self.enforcement_for(bag);
        for (quota, amount) in self.charges.of(bag, service, scratch) {
            let given = |trials: bool| self.scopes(bag).flat_map(move |rules| rules.giving(quota, trials));
            let charge = Charge { quota, amount, spend };
            // A rule that does not match has no say.
            let decides = |(rule, action): &(&Rule, usize)| {
                rule.charge(*action, &charge, bag, scratch, &enforcement, checked, see)
            };
            let decided = given(false).find(decides);
            // One that is only tried decides nothing, and takes nothing from what another one counts.
            let taken_from = decided.map(|(rule, action)| &*rule.quotas[action].handler);
            for (rule, action) in given(true) {
                let shared = taken_from == Some(&*rule.quotas[action].handler);
                let charge = Charge { spend: if shared { Spend::Peek } else { spend }, ..charge };
                rule.charge(action, &charge, bag, scratch, &enforcement, checked, see);
            }
        }
    }

    /// Whether refusals of every call are only recorded.
    pub fn reports_everything(&self) -> bool {
        self.enforcement.report_only
    }

    /// Whether refusals of a call are only recorded: of every call, or of this caller's.
    pub fn only_reports(&self, bag: &CallBag<'_>) -> bool {
        self.enforcement_for(bag).report_only
    }

    fn enforcement_for(&self, bag: &CallBag<'_>) -> Enforcement {
        let caller_reports_only = bag.call().caller().is_some_and(|caller| caller.report_only);
        Enforcement { report_only: self.enforcement.report_only || caller_reports_only, ..self.enforcement }
    }

    /// Makes the reports that the rules ask for of a call; where nothing is to be changed, their lines only. Returns how many
    /// matches and instances could not be evaluated.
    pub fn report(&self, bag: &CallBag<'_>, spend: Spend, scratch: &mut Scratch, lines: &mut Batch) -> u64 {
        let mut errors = 0;
        for rules in self.scopes(bag) {
            for rule in rules.candidates(&rules.reporting, bag) {
                errors += rule.report(bag, spend, scratch, lines);
            }
        }
        errors
    }

    /// What the expressions of the configuration may name.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// How many rules refuse calls, and how many that could only report.
    pub fn enforced(&self) -> (usize, usize) {
        let rules = || std::iter::once(&self.mesh).chain(self.namespaces.values());
        let checking = || rules().flat_map(|rules| &rules.all).filter(|rule| rule.is_checked());
        let all = checking().count();
        let reporting = checking().filter(|rule| rule.report_only || self.enforcement.report_only).count();
        (all - reporting, reporting)
    }
}
