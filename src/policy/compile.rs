//! From rule, logentry and stdio resources to the policy.

use std::collections::HashMap;
use std::sync::Arc;

use crate::accesslog::Shape;
use crate::diagnostic::{FieldPath, Problems};
use crate::expr::{Program, ValueType, Vocabulary};
use crate::registry::{LoadError, View, load};
use crate::resource::kinds::logentry::Logentry;
use crate::resource::kinds::rule::Rule as RuleSpec;
use crate::resource::kinds::stdio::Stdio as StdioSpec;
use crate::resource::kinds::{LOGENTRY, RULE, STDIO};
use crate::resource::{Kind, Resource};

use super::adapter::stdio::Stdio;
use super::template::logentry::LogEntry;
use super::{Action, Policy, Rule};

/// The namespace whose rules see every call.
pub const CONFIG_NAMESPACE: &str = "istio-system";

/// The parts that rules put together, by full name.
struct Parts {
    instances: HashMap<String, Arc<LogEntry>>,
    handlers: HashMap<String, Arc<Stdio>>,
}

impl Policy {
    /// Compiles all rules; of parts that are not there, a note says so, and the action does nothing.
    ///
    /// # Errors
    /// A stored resource that does not compile.
    pub fn compile(view: &dyn View, notes: &mut Vec<String>) -> Result<Self, LoadError> {
        let vocabulary = &super::vocabulary(view)?;
        let mut parts = Parts { instances: HashMap::new(), handlers: HashMap::new() };
        for (resource, spec) in load::<Logentry>(view, &LOGENTRY)? {
            let compiled =
                LogEntry::compile(&spec, vocabulary).map_err(|problems| LoadError::broken(&resource, problems))?;
            parts.instances.insert(full_name(&resource), Arc::new(compiled));
        }
        for (resource, spec) in load::<StdioSpec>(view, &STDIO)? {
            parts.handlers.insert(full_name(&resource), Arc::new(Stdio::compile(&spec)));
        }
        let mut rules = load::<RuleSpec>(view, &RULE)?;
        // Entries of one call come in a fixed order: by namespace and name of their rules.
        rules.sort_by(|(a, _), (b, _)| (a.namespace(), &a.meta.name).cmp(&(b.namespace(), &b.meta.name)));
        let mut policy = Policy::default();
        for (resource, spec) in rules {
            let rule = rule(&resource, &spec, &parts, vocabulary, notes)?;
            match resource.namespace() {
                _ if rule.actions.is_empty() => {}
                CONFIG_NAMESPACE => policy.mesh.push(rule),
                namespace => policy.namespaces.entry(namespace.to_owned()).or_default().push(rule),
            }
        }
        Ok(policy)
    }
}

fn rule(
    resource: &Resource,
    spec: &RuleSpec,
    parts: &Parts,
    vocabulary: &Vocabulary,
    notes: &mut Vec<String>,
) -> Result<Rule, LoadError> {
    let condition = condition(spec, vocabulary).map_err(|problems| LoadError::broken(resource, problems))?;
    let namespace = resource.namespace();
    let mut actions = Vec::new();
    for action in &spec.actions {
        let handler_name = resolve(&action.handler, &STDIO, namespace);
        let Some(handler) = parts.handlers.get(&handler_name) else {
            notes.push(format!("rule {}: no handler {handler_name}; its action does nothing", full_name(resource)));
            continue;
        };
        for instance in &action.instances {
            let instance_name = resolve(instance, &LOGENTRY, namespace);
            let Some(instance) = parts.instances.get(&instance_name) else {
                notes.push(format!("rule {}: no instance {instance_name}; it is left out", full_name(resource)));
                continue;
            };
            let shape = Shape {
                instance: instance_name,
                handler: handler_name.clone(),
                rule: full_name(resource),
                format: handler.format,
                outlet: handler.outlet.clone(),
            };
            let (instance, handler) = (Arc::clone(instance), Arc::clone(handler));
            actions.push(Action { instance, handler, shape: Arc::new(shape) });
        }
    }
    Ok(Rule { condition, actions })
}

/// The compiled match of a rule; none for an empty one, which matches every call.
///
/// # Errors
/// What does not parse or type-check, or is no truth value.
pub fn condition(spec: &RuleSpec, vocabulary: &Vocabulary) -> Result<Option<Program>, Problems> {
    let (text, field) = match spec.r#match.is_empty() {
        false => (&spec.r#match, "spec.match"),
        // The field's name in the oldest releases.
        true => (&spec.selector, "spec.selector"),
    };
    if text.trim().is_empty() {
        return Ok(None);
    }
    let mut problems = Problems::new();
    let compiled = program(text, FieldPath::of(field), Some(ValueType::Bool), vocabulary, &mut problems);
    if problems.has_errors() { Err(problems) } else { Ok(compiled) }
}

/// Compiles the expression in a field; what is wrong with it goes to `problems`.
pub(super) fn program(
    text: &str,
    at: FieldPath,
    expected: Option<ValueType>,
    vocabulary: &Vocabulary,
    problems: &mut Problems,
) -> Option<Program> {
    let compiled = match expected {
        Some(expected) => Program::compile_as(text, vocabulary, expected),
        None => Program::compile_with_warnings(text, vocabulary),
    };
    match compiled {
        Ok(compiled) => {
            problems.extend(compiled.warnings.into_iter().map(|mut problem| {
                problem.at = at.clone();
                problem
            }));
            Some(compiled.program)
        }
        Err(mut problem) => {
            problem.at = at;
            problems.push(problem);
            None
        }
    }
}

/// `egress-access.logentry.istio-system`.
pub fn full_name(resource: &Resource) -> String {
    format!("{}.{}.{}", resource.meta.name, resource.kind.name, resource.namespace())
}

/// The full name that a reference of one, two or three parts stands for in a namespace: `name`, `name.kind` or
/// `name.kind.namespace`. A name alone takes the kind that is meant.
pub fn resolve(reference: &str, kind: &Kind, namespace: &str) -> String {
    match reference.split('.').count() {
        1 => format!("{reference}.{}.{namespace}", kind.name),
        2 => format!("{reference}.{namespace}"),
        _ => reference.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_completed_in_the_rules_namespace() {
        for (reference, full) in [
            ("egress-access.logentry", "egress-access.logentry.default"),
            ("egress-access.logentry.istio-system", "egress-access.logentry.istio-system"),
            ("egress-access", "egress-access.logentry.default"),
        ] {
            assert_eq!(resolve(reference, &LOGENTRY, "default"), full);
        }
    }
}
