//! Would the registry with a change on top still do what the change says?
//!
//! A kind's own check has seen each resource alone; here its expressions are compiled, and its references looked up in
//! the registry with the change on top. What is missing is a warning: resources arrive and leave in any order.

use crate::diagnostic::{Code, FieldPath, Problem, Problems};
use crate::expr::Vocabulary;
use crate::policy::template::logentry::LogEntry;
use crate::policy::{clash, condition, full_name, resolve, vocabulary};
use crate::registry::{LoadError, Result, View};
use crate::resource::kinds::logentry::Logentry;
use crate::resource::kinds::rule::Rule as RuleSpec;
use crate::resource::kinds::virtual_service::VirtualService;
use crate::resource::kinds::{ATTRIBUTEMANIFEST, GATEWAY, LOGENTRY, RULE, STDIO, VIRTUAL_SERVICE};
use crate::resource::{Key, Kind, Resource};

use super::effects::without_effect;

/// What is to be said of a resource that is to be stored. `view` is the registry with the whole change on top.
///
/// # Errors
/// Only when the registry cannot be read.
pub fn review(view: &dyn View, resource: &Resource) -> Result<Problems> {
    let mut problems = Problems::new();
    if *resource.kind == RULE {
        rule(view, resource, &mut problems)?;
    } else if *resource.kind == LOGENTRY {
        logentry(view, resource, &mut problems)?;
    } else if *resource.kind == ATTRIBUTEMANIFEST {
        problems.extend(unless_broken(clash(view, resource))?.flatten());
    } else if *resource.kind == VIRTUAL_SERVICE {
        virtual_service(view, resource, &mut problems)?;
    }
    without_effect(resource, &mut problems);
    Ok(problems)
}

fn rule(view: &dyn View, resource: &Resource, problems: &mut Problems) -> Result<()> {
    // What does not decode has been refused already.
    let Ok(spec) = resource.typed::<RuleSpec>() else { return Ok(()) };
    if let Err(found) = condition(&spec, &known(view)?) {
        problems.extend(found);
    }
    for (position, action) in spec.actions.iter().enumerate() {
        let at = FieldPath::of("spec.actions").index(position);
        reference(view, resource, &action.handler, &STDIO, at.field("handler"), problems)?;
        for (position, instance) in action.instances.iter().enumerate() {
            let at = at.field("instances").index(position);
            reference(view, resource, instance, &LOGENTRY, at, problems)?;
        }
    }
    Ok(())
}

/// Warns where what a rule names is not there.
fn reference(
    view: &dyn View,
    rule: &Resource,
    written: &str,
    kind: &'static Kind,
    at: FieldPath,
    problems: &mut Problems,
) -> Result<()> {
    let full = resolve(written, kind, rule.namespace());
    let mut parts = full.splitn(3, '.');
    let (Some(name), Some(of), Some(namespace)) = (parts.next(), parts.next(), parts.next()) else { return Ok(()) };
    if of == kind.name && view.get(&Key::new(kind, namespace, name))?.is_some() {
        return Ok(());
    }
    let problem = Problem::warning(Code::NotFound, at, format!("no {full}"));
    let help = format!("until there is one, this part of {} does nothing", full_name(rule));
    problems.push(problem.help(if of == kind.name {
        help
    } else {
        format!("only {} can stand here; {help}", kind.name)
    }));
    Ok(())
}

fn logentry(view: &dyn View, resource: &Resource, problems: &mut Problems) -> Result<()> {
    if let Ok(spec) = resource.typed::<Logentry>()
        && let Err(found) = LogEntry::compile(&spec, &known(view)?)
    {
        problems.extend(found);
    }
    Ok(())
}

/// The attributes that expressions may name; Istio's own alone where a manifest is broken, which is told of itself.
fn known(view: &dyn View) -> Result<Vocabulary> {
    Ok(unless_broken(vocabulary(view))?.unwrap_or_else(|| Vocabulary::standard().clone()))
}

/// Nothing where another resource is at fault.
fn unless_broken<T>(loaded: std::result::Result<T, LoadError>) -> Result<Option<T>> {
    match loaded {
        Ok(value) => Ok(Some(value)),
        Err(LoadError::Registry(error)) => Err(error),
        Err(LoadError::Resource { .. }) => Ok(None),
    }
}

/// Warns where a VirtualService is bound to a Gateway that is not there.
fn virtual_service(view: &dyn View, resource: &Resource, problems: &mut Problems) -> Result<()> {
    let Ok(spec) = resource.typed::<VirtualService>() else { return Ok(()) };
    for (position, written) in spec.gateways.iter().enumerate().filter(|(_, written)| *written != "mesh") {
        let (namespace, name) = match written.split_once('/') {
            Some((".", name)) => (resource.namespace(), name),
            Some((namespace, name)) => (namespace, name),
            None => (resource.namespace(), written.as_str()),
        };
        if view.get(&Key::new(&GATEWAY, namespace, name))?.is_none() {
            let at = FieldPath::of("spec.gateways").index(position);
            problems.warning(Code::NotFound, at, format!("no Gateway {name} in namespace {namespace}"));
        }
    }
    Ok(())
}
