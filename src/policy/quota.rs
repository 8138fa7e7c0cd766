//! Which quotas a call is charged: QuotaSpecs, bound to services.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use smallvec::SmallVec;

use crate::call::{CallBag, known_only_afterwards};
use crate::diagnostic::{Code, FieldPath, Problem, Problems};
use crate::expr::{Program, Scratch, ValueRef, ValueType, Vocabulary, pattern};
use crate::registry::{LoadError, View, load};
use crate::resource::kinds::quota_spec::{QuotaSpec, TextMatch};
use crate::resource::kinds::quota_spec_binding::{QuotaSpecBinding, ServiceRef};
use crate::resource::kinds::{QUOTA_SPEC, QUOTA_SPEC_BINDING};

use super::expression::program;

/// Everything that calls are charged. Specs that are bound to a host cost the calls to others nothing.
#[derive(Debug, Default)]
pub(super) struct Charges {
    by_host: HashMap<String, Vec<Arc<Vec<Rule>>>>,
    /// Specs that are bound to every host that contains a text; to all by the empty one.
    by_part: Vec<(String, Arc<Vec<Rule>>)>,
}

/// The hosts that a binding names.
#[derive(Debug)]
enum Service {
    Host(String),
    Containing(String),
}

#[derive(Debug)]
struct Rule {
    /// Any of these, all of whose conditions hold; every call where there is none.
    matches: Vec<Vec<Condition>>,
    /// Short names in lower case, and amounts.
    quotas: Vec<(String, i64)>,
}

#[derive(Debug)]
struct Condition {
    attribute: Program,
    text: Text,
}

#[derive(Debug)]
enum Text {
    Exact(String),
    Prefix(String),
    Regex(regex::Regex),
}

impl Charges {
    /// Compiles all bindings; of a QuotaSpec that is not there a note says so.
    pub(super) fn compile(
        view: &dyn View,
        vocabulary: &Vocabulary,
        notes: &mut Vec<String>,
    ) -> Result<Self, LoadError> {
        let mut specs = BTreeMap::new();
        for (resource, spec) in load::<QuotaSpec>(view, &QUOTA_SPEC)? {
            let (rules, _) = rules(&spec, vocabulary).map_err(|problems| LoadError::broken(&resource, problems))?;
            specs.insert((resource.namespace().to_owned(), resource.meta.name), Arc::new(rules));
        }
        let mut charges = Charges::default();
        for (resource, binding) in load::<QuotaSpecBinding>(view, &QUOTA_SPEC_BINDING)? {
            let own = resource.namespace();
            for wanted in &binding.quota_specs {
                let namespace = if wanted.namespace.is_empty() { own } else { &wanted.namespace };
                let Some(rules) = specs.get(&(namespace.to_owned(), wanted.name.clone())) else {
                    notes.push(format!("{}: no QuotaSpec {} in namespace {namespace}", resource.key(), wanted.name));
                    continue;
                };
                binding.services.iter().for_each(|service| charges.bind(Service::of(service, own), rules));
            }
        }
        Ok(charges)
    }

    fn bind(&mut self, service: Service, rules: &Arc<Vec<Rule>>) {
        let rules = Arc::clone(rules);
        match service {
            Service::Host(host) => self.by_host.entry(host).or_default().push(rules),
            Service::Containing(part) => self.by_part.push((part, rules)),
        }
    }

    /// What a call is charged that goes to a service, each quota once with the sum of its amounts.
    pub(super) fn of<'c>(
        &'c self,
        bag: &CallBag<'_>,
        service: &str,
        scratch: &Scratch,
    ) -> SmallVec<[(&'c str, i64); 2]> {
        let mut charged: SmallVec<[(&str, i64); 2]> = SmallVec::new();
        let rules = self.bound(bag.call().authority().host(), service).into_iter().flat_map(|rules| rules.iter());
        for (quota, amount) in rules.filter(|rule| rule.holds(bag, scratch)).flat_map(|rule| &rule.quotas) {
            match charged.iter_mut().find(|(name, _)| name == quota) {
                Some((_, sum)) => *sum = sum.saturating_add(*amount),
                None => charged.push((quota, *amount)),
            }
        }
        charged
    }

    /// The specs that are bound to the host that was asked for or to the service that the call is routed to, each once: no
    /// other name for a service leads past its quota.
    fn bound(&self, asked: &str, service: &str) -> SmallVec<[&Arc<Vec<Rule>>; 4]> {
        let mut bound: SmallVec<[&Arc<Vec<Rule>>; 4]> = SmallVec::new();
        for host in [asked, service] {
            let by_part = self.by_part.iter().filter(|(part, _)| host.contains(part.as_str())).map(|(_, rules)| rules);
            for rules in self.by_host.get(host).into_iter().flatten().chain(by_part) {
                if !bound.iter().any(|known| Arc::ptr_eq(known, rules)) {
                    bound.push(rules);
                }
            }
        }
        bound
    }
}

impl Service {
    fn of(service: &ServiceRef, namespace: &str) -> Self {
        if service.name.is_empty() {
            return match service.service.strip_prefix('*') {
                Some(rest) => Service::Containing(rest.strip_suffix('*').unwrap_or(rest).to_ascii_lowercase()),
                None => Service::Host(service.service.trim_end_matches('.').to_ascii_lowercase()),
            };
        }
        let namespace = if service.namespace.is_empty() { namespace } else { &service.namespace };
        let domain = if service.domain.is_empty() { "cluster.local" } else { &service.domain };
        Service::Host(format!("{}.{namespace}.svc.{domain}", service.name))
    }
}

impl Rule {
    fn holds(&self, bag: &CallBag<'_>, scratch: &Scratch) -> bool {
        let all = |conditions: &Vec<Condition>| conditions.iter().all(|condition| condition.holds(bag, scratch));
        self.matches.is_empty() || self.matches.iter().any(all)
    }
}

impl Condition {
    /// An attribute that is absent, or no text, does not match (Mixer's client).
    fn holds(&self, bag: &CallBag<'_>, scratch: &Scratch) -> bool {
        match self.attribute.eval(bag, scratch) {
            Ok(ValueRef::String(value)) => match &self.text {
                Text::Exact(text) => value == text,
                Text::Prefix(text) => value.starts_with(text.as_str()),
                Text::Regex(regex) => regex.is_match(value),
            },
            _ => false,
        }
    }
}

/// Compiles the rules of a QuotaSpec.
///
/// # Errors
/// Every clause that is over no text attribute, or does not compile, at its place; beside the rules stand warnings.
fn rules(spec: &QuotaSpec, vocabulary: &Vocabulary) -> Result<(Vec<Rule>, Problems), Problems> {
    let mut problems = Problems::new();
    let mut rules = Vec::with_capacity(spec.rules.len());
    for (position, rule) in spec.rules.iter().enumerate() {
        let at = FieldPath::of("spec.rules").index(position);
        let mut matches = Vec::with_capacity(rule.r#match.len());
        for (position, one) in rule.r#match.iter().enumerate() {
            let at = at.field("match").index(position).field("clause");
            let compile = |(name, text): (&String, _)| condition(name, text, at.field(name), vocabulary, &mut problems);
            matches.push(one.clause.iter().filter_map(compile).collect());
        }
        let quotas = rule.quotas.iter().map(|charge| (charge.quota.to_ascii_lowercase(), charge.charge));
        rules.push(Rule { matches, quotas: quotas.collect() });
    }
    if problems.has_errors() { Err(problems) } else { Ok((rules, problems)) }
}

/// What is wrong with a QuotaSpec that is to be stored.
pub fn review_spec(spec: &QuotaSpec, vocabulary: &Vocabulary) -> Problems {
    rules(spec, vocabulary).map_or_else(|problems| problems, |(_, warnings)| warnings)
}

fn condition(
    name: &str,
    text: &TextMatch,
    at: FieldPath,
    vocabulary: &Vocabulary,
    problems: &mut Problems,
) -> Option<Condition> {
    let attribute = program(name, at.clone(), &[ValueType::String], vocabulary, problems)?;
    if known_only_afterwards(name) {
        let message = format!("{name} is known only afterwards: no call is ever charged by this clause");
        problems.push(Problem::warning(Code::NoEffect, at.clone(), message).on_key());
    }
    let text = match (&text.exact, &text.prefix, &text.regex) {
        (Some(text), ..) => Text::Exact(text.clone()),
        (_, Some(text), _) => Text::Prefix(text.clone()),
        (_, _, Some(regex)) => match pattern::compile_whole(regex) {
            Ok(regex) => Text::Regex(regex),
            Err(why) => {
                problems.error(Code::Invalid, at.field("regex"), why);
                return None;
            }
        },
        // Refused by the kind's own check.
        (None, None, None) => return None,
    };
    Some(Condition { attribute, text })
}
