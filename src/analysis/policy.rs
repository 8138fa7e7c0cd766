//! Rules and their parts: what refers to nothing, what nobody uses, and what decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::FieldPath;
use crate::policy::template::{self, Variety};
use crate::policy::{adapter, full_name, resolve};
use crate::registry::ListQuery;
use crate::resource::kinds::handler::Handler;
use crate::resource::kinds::instance::Instance;
use crate::resource::kinds::listchecker::Listchecker;
use crate::resource::kinds::quota_spec::QuotaSpec;
use crate::resource::kinds::quota_spec_binding::QuotaSpecBinding;
use crate::resource::kinds::rule::Rule;
use crate::resource::kinds::{DEPLOYMENT, HANDLER, INSTANCE, POD, QUOTA_SPEC, QUOTA_SPEC_BINDING};
use crate::resource::{Resource, Role};

use super::code::{
    CHECKS_NOTHING, DECORATIVE_LIST, NEVER_CHARGED, NOT_FOUND, ONLY_REPORTS, QUOTA_SHADOWED, SAID_TWICE,
    UNUSED_HANDLER, UNUSED_INSTANCE,
};
use super::model::Item;
use super::{Findings, Model};

/// The annotation by which refusals are only reported.
const REPORT: &str = "annotation egressctl.io/mode: report";

/// One instance that a rule hands to a handler; parts that are not there are absent.
struct Use<'m> {
    rule: &'m Item<Rule>,
    at: FieldPath,
    instance: Option<&'m Resource>,
    handler: Option<&'m Resource>,
}

pub(super) fn analyze(model: &Model<'_>, found: &mut Findings) {
    let mut uses = Vec::new();
    for rule in &model.rules {
        uses.extend(references(model, rule, found));
    }
    unused(model, &uses, found);
    decides_nothing(model, &uses, found);
    twice(&uses, found);
    shadowed_quotas(&uses, found);
    never_charged(model, &uses, found);
}

/// Follows the references of a rule; says which lead nowhere.
fn references<'m>(model: &'m Model<'_>, rule: &'m Item<Rule>, found: &mut Findings) -> Vec<Use<'m>> {
    let part = |reference: &str, role: Role| {
        let wanted = resolve(reference, role, rule.namespace()).candidates;
        let is = |one: &Resource| {
            wanted.iter().any(|(name, kind, namespace)| {
                one.kind == *kind && one.meta.name == *name && one.namespace() == namespace
            })
        };
        model.parts.iter().find(|(one, of)| *of == role && is(one)).map(|(one, _)| one)
    };
    let mut uses = Vec::new();
    for (index, action) in rule.spec.actions.iter().enumerate() {
        let at = FieldPath::of("spec.actions").index(index);
        let handler = part(&action.handler, Role::Handler);
        if handler.is_none() && !action.handler.is_empty() {
            let message = format!("Referenced handler not found: {:?}", action.handler);
            found.add(&NOT_FOUND, &rule.resource, at.field("handler"), message);
        }
        for (index, reference) in action.instances.iter().enumerate() {
            let at = at.field("instances").index(index);
            let instance = part(reference, Role::Instance);
            if instance.is_none() {
                found.add(
                    &NOT_FOUND,
                    &rule.resource,
                    at.clone(),
                    format!("Referenced instance not found: {reference:?}"),
                );
            }
            uses.push(Use { rule, at, instance, handler });
        }
    }
    uses
}

/// The instances that a rule hands to handlers, where they are there.
pub(super) fn instances<'m>(model: &'m Model<'_>, rule: &'m Item<Rule>) -> Vec<&'m Resource> {
    references(model, rule, &mut Findings::default()).into_iter().filter_map(|one| one.instance).collect()
}

/// Parts that no rule names.
fn unused(model: &Model<'_>, uses: &[Use<'_>], found: &mut Findings) {
    let used: BTreeSet<String> =
        uses.iter().flat_map(|one| [one.instance, one.handler]).flatten().map(full_name).collect();
    for (part, role) in model.parts.iter().filter(|(part, _)| !used.contains(&full_name(part))) {
        let (code, what) = match role {
            Role::Handler => (&UNUSED_HANDLER, "handler"),
            Role::Instance => (&UNUSED_INSTANCE, "instance"),
        };
        let message = format!("No rule uses the {what} {}: it does nothing.", full_name(part));
        found.add(code, part, FieldPath::of("metadata.name"), message);
    }
}

/// When an instance is made.
fn variety(instance: &Resource) -> Option<Variety> {
    let name = match *instance.kind == INSTANCE {
        true => instance.typed::<Instance>().ok()?.compiled_template,
        false => instance.kind.name.to_owned(),
    };
    template::by_name(&name).map(|template| template.variety)
}

/// The adapter of a handler.
fn adapter_of(handler: &Resource) -> Option<&'static str> {
    let name = match *handler.kind == HANDLER {
        true => handler.typed::<Handler>().ok()?.compiled_adapter,
        false => handler.kind.name.to_owned(),
    };
    adapter::by_name(&name).map(|adapter| adapter.kind.name)
}

impl Use<'_> {
    /// Whether it is made before a call leaves, to refuse it if need be.
    fn can_refuse(&self) -> bool {
        self.instance.and_then(variety).is_some_and(|variety| variety != Variety::Report)
    }
}

/// Checks that refuse nothing.
fn decides_nothing(model: &Model<'_>, uses: &[Use<'_>], found: &mut Findings) {
    let checks: Vec<_> = uses.iter().filter(|one| one.can_refuse()).collect();
    for one in &checks {
        if one.handler.and_then(adapter_of) == Some("noop") {
            let message = format!(
                "The check of rule {} is handed to a noop, which agrees with everything: it refuses nothing.",
                one.rule.resource.meta.name
            );
            found.add(&CHECKS_NOTHING, &one.rule.resource, one.at.clone(), message);
        }
    }
    let reporting = |one: &&&Use<'_>| one.rule.resource.meta.only_reports();
    for one in checks.iter().filter(reporting) {
        let name = &one.rule.resource.meta.name;
        let message = format!("What rule {name} refuses is only reported ({REPORT}): the calls go.");
        found.add(&ONLY_REPORTS, &one.rule.resource, FieldPath::of("metadata.annotations"), message);
    }
    for kind in [&DEPLOYMENT, &POD] {
        let workloads = model.view.list(&ListQuery::all(kind)).unwrap_or_default();
        for workload in workloads.iter().filter(|one| one.meta.only_reports() && !checks.is_empty()) {
            let name = &workload.meta.name;
            let message = format!("What calls of {name} are refused for is only reported ({REPORT}): the calls go.");
            found.add(&ONLY_REPORTS, workload, FieldPath::of("metadata.annotations"), message);
        }
    }
    lists(model, &checks, found);
}

/// Lists of what is allowed, that all rules only look at.
fn lists(model: &Model<'_>, checks: &[&Use<'_>], found: &mut Findings) {
    let handlers = model.parts.iter().filter(|(_, role)| *role == Role::Handler).map(|(handler, _)| handler);
    for handler in handlers.filter(|handler| adapter_of(handler) == Some("listchecker")) {
        let own: Vec<_> =
            checks.iter().filter(|one| one.handler.is_some_and(|its| its.key() == handler.key())).collect();
        let decorative = !own.is_empty() && own.iter().all(|one| one.rule.resource.meta.only_reports());
        let params = match *handler.kind == HANDLER {
            true => handler.typed::<Handler>().map(|handler| handler.params).unwrap_or_default(),
            false => handler.spec().clone(),
        };
        let at = FieldPath::of("spec");
        let list = crate::resource::decode::decode::<Listchecker>(&params, &at).unwrap_or_default();
        if decorative && !list.blacklist {
            let message = format!(
                "The list {} says what is allowed, but refuses nothing: every rule that uses it only reports.",
                handler.meta.name
            );
            found.add(&DECORATIVE_LIST, handler, FieldPath::of("metadata.name"), message);
        }
    }
}

/// Rules of one namespace that hand the same instance to the same handler under the same condition.
fn twice(uses: &[Use<'_>], found: &mut Findings) {
    let mut seen: BTreeMap<(String, String, String, String), &Use<'_>> = BTreeMap::new();
    for one in uses {
        let (Some(instance), Some(handler)) = (one.instance, one.handler) else { continue };
        let condition = one.rule.spec.condition().split_whitespace().collect::<Vec<_>>().join(" ");
        let key = (one.rule.namespace().to_owned(), condition, full_name(instance), full_name(handler));
        match seen.get(&key) {
            Some(other) if other.rule.resource.key() != one.rule.resource.key() => {
                let message = format!(
                    "Rule {} does what rule {} does, for the same calls: instance {}, handler {}.",
                    one.rule.resource.meta.name, other.rule.resource.meta.name, key.2, key.3
                );
                found.add(&SAID_TWICE, &one.rule.resource, one.at.clone(), message);
            }
            Some(_) => {}
            None => drop(seen.insert(key, one)),
        }
    }
}

/// Quotas that a rule without condition gives: no rule behind it is asked for them. Rules are asked by name.
fn shadowed_quotas(uses: &[Use<'_>], found: &mut Findings) {
    let mut quotas: Vec<_> = uses
        .iter()
        .filter(|one| one.instance.and_then(variety) == Some(Variety::Quota) && !one.rule.resource.meta.only_reports())
        .collect();
    quotas.sort_by_key(|one| (one.rule.namespace().to_owned(), one.rule.resource.meta.name.clone()));
    for (position, one) in quotas.iter().enumerate() {
        let quota = |one: &Use<'_>| one.instance.map(|instance| instance.meta.name.to_ascii_lowercase());
        let shadows = |earlier: &&&Use<'_>| {
            earlier.rule.namespace() == one.rule.namespace()
                && earlier.rule.resource.key() != one.rule.resource.key()
                && quota(earlier) == quota(one)
                && earlier.rule.spec.condition().trim().is_empty()
        };
        if let Some(earlier) = quotas[..position].iter().find(shadows) {
            let message = format!(
                "Rule {} never gives the quota {}: rule {}, which is asked first, gives it to every call.",
                one.rule.resource.meta.name,
                quota(one).unwrap_or_default(),
                earlier.rule.resource.meta.name
            );
            found.add(&QUOTA_SHADOWED, &one.rule.resource, one.at.clone(), message);
        }
    }
}

/// Quotas that no bound QuotaSpec charges: their counters stay where they are.
fn never_charged(model: &Model<'_>, uses: &[Use<'_>], found: &mut Findings) {
    let list = |kind| model.view.list(&ListQuery::all(kind)).unwrap_or_default();
    let mut bound = BTreeSet::new();
    for binding in list(&QUOTA_SPEC_BINDING) {
        let Ok(spec) = binding.typed::<QuotaSpecBinding>() else { continue };
        for one in spec.quota_specs.into_iter().filter(|_| !spec.services.is_empty()) {
            let namespace = if one.namespace.is_empty() { binding.namespace().to_owned() } else { one.namespace };
            bound.insert((namespace, one.name));
        }
    }
    let mut charged = BTreeSet::new();
    for resource in list(&QUOTA_SPEC) {
        let Ok(spec) = resource.typed::<QuotaSpec>() else { continue };
        if bound.contains(&(resource.namespace().to_owned(), resource.meta.name.clone())) {
            charged.extend(
                spec.rules.into_iter().flat_map(|rule| rule.quotas).map(|charge| charge.quota.to_ascii_lowercase()),
            );
        }
    }
    for one in uses {
        let Some(quota) = one.instance.filter(|instance| variety(instance) == Some(Variety::Quota)) else { continue };
        if !charged.contains(&quota.meta.name.to_ascii_lowercase()) {
            let message = format!(
                "Rule {} gives the quota {}, but no QuotaSpec that a QuotaSpecBinding binds to a service charges it: no call is \
                 ever counted.",
                one.rule.resource.meta.name, quota.meta.name
            );
            found.add(&NEVER_CHARGED, &one.rule.resource, one.at.clone(), message);
        }
    }
}
