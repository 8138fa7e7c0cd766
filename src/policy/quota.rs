//! Which quotas a call is charged: QuotaSpecs, bound to services.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use crate::call::CallBag;
use crate::diagnostic::Problems;
use crate::expr::{Program, Scratch, ValueRef, Vocabulary, pattern};
use crate::registry::{LoadError, View, load};
use crate::resource::kinds::quota_spec::{QuotaSpec, TextMatch};
use crate::resource::kinds::quota_spec_binding::{QuotaSpecBinding, ServiceRef};
use crate::resource::kinds::{QUOTA_SPEC, QUOTA_SPEC_BINDING};

/// Everything that calls are charged.
#[derive(Debug, Default)]
pub(super) struct Charges(Vec<Bound>);

/// The rules of a QuotaSpec and the services that it is bound to.
#[derive(Debug)]
struct Bound {
    service: Service,
    rules: std::sync::Arc<Vec<Rule>>,
}

#[derive(Debug)]
enum Service {
    All,
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
            let rules = rules(&spec, vocabulary).map_err(|problems| LoadError::broken(&resource, problems))?;
            specs.insert((resource.namespace().to_owned(), resource.meta.name), std::sync::Arc::new(rules));
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
                let bound = |service| Bound { service: Service::of(service, own), rules: std::sync::Arc::clone(rules) };
                charges.0.extend(binding.services.iter().map(bound));
            }
        }
        Ok(charges)
    }

    /// What a call is charged, each quota once with the sum of its amounts.
    pub(super) fn of<'c>(&'c self, bag: &CallBag<'_>, scratch: &Scratch) -> SmallVec<[(&'c str, i64); 2]> {
        let mut charged: SmallVec<[(&str, i64); 2]> = SmallVec::new();
        let host = bag.call().authority().host();
        for bound in self.0.iter().filter(|bound| bound.service.is(host)) {
            for (quota, amount) in
                bound.rules.iter().filter(|rule| rule.holds(bag, scratch)).flat_map(|rule| &rule.quotas)
            {
                match charged.iter_mut().find(|(name, _)| name == quota) {
                    Some((_, sum)) => *sum = sum.saturating_add(*amount),
                    None => charged.push((quota, *amount)),
                }
            }
        }
        charged
    }
}

impl Service {
    fn of(service: &ServiceRef, namespace: &str) -> Self {
        if service.name.is_empty() {
            return match service.service.strip_prefix('*').map(|rest| rest.strip_suffix('*').unwrap_or(rest)) {
                Some("") => Service::All,
                Some(part) => Service::Containing(part.to_ascii_lowercase()),
                None => Service::Host(service.service.to_ascii_lowercase()),
            };
        }
        let namespace = if service.namespace.is_empty() { namespace } else { &service.namespace };
        let domain = if service.domain.is_empty() { "cluster.local" } else { &service.domain };
        Service::Host(format!("{}.{namespace}.svc.{domain}", service.name))
    }

    fn is(&self, host: &str) -> bool {
        match self {
            Service::All => true,
            Service::Host(own) => own == host,
            Service::Containing(part) => host.contains(part.as_str()),
        }
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

fn rules(spec: &QuotaSpec, vocabulary: &Vocabulary) -> Result<Vec<Rule>, Problems> {
    let compiled = spec.rules.iter().map(|rule| {
        let matches = rule.r#match.iter().map(|one| {
            let conditions = one.clause.iter().map(|(name, text)| condition(name, text, vocabulary));
            conditions.collect::<Result<Vec<_>, _>>()
        });
        let quotas = rule.quotas.iter().map(|charge| (charge.quota.to_ascii_lowercase(), charge.charge));
        Ok(Rule { matches: matches.collect::<Result<_, Problems>>()?, quotas: quotas.collect() })
    });
    compiled.collect()
}

fn condition(name: &str, text: &TextMatch, vocabulary: &Vocabulary) -> Result<Condition, Problems> {
    let attribute = Program::compile(name, vocabulary)?;
    let text = match (&text.exact, &text.prefix, &text.regex) {
        (Some(text), ..) => Text::Exact(text.clone()),
        (_, Some(text), _) => Text::Prefix(text.clone()),
        (_, _, regex) => {
            // It must match as a whole; that it compiles was checked when it was declared.
            let whole = format!("^(?:{})$", regex.as_deref().unwrap_or_default());
            let compiled = pattern::compile(&whole).map_err(|error| {
                let mut problems = Problems::new();
                problems.error(crate::diagnostic::Code::Invalid, crate::diagnostic::FieldPath::of("spec.rules"), error);
                problems
            })?;
            Text::Regex(compiled)
        }
    };
    Ok(Condition { attribute, text })
}
