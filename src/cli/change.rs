//! Making a change: all of it or nothing, a line for each resource.

use std::io::Write;

use clap::{Args, ValueEnum};

use super::context::Context;
use super::declare::{Text, judged};
use super::failure::{Failure, Failures, Outcome};
use super::output::{FormatParser, Objects, Output};
use crate::analysis::{Finding, hidden_rules};
use crate::diagnostic::{Code, Problem, Problems};
use crate::registry::{self, Applied, Operation, Overlay, Registry, Transaction, View};
use crate::resource::kinds::{ATTRIBUTEMANIFEST, HANDLER, INSTANCE, RULE};
use crate::resource::{Key, Kind, Meta, Resource};
use crate::snapshot::Compiler;
use crate::snapshot::admission::Reviewer;

/// Refusals that are told at most: more than a screen of them helps nobody.
const MAX_REFUSALS: usize = 50;

/// `--dry-run` and `-o`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Writing {
    /// Check everything, but change nothing: none, client or server
    #[arg(long, value_name = "MODE", num_args = 0..=1, require_equals = true, default_value = "none", default_missing_value = "client", hide_possible_values = true, hide_default_value = true)]
    pub(crate) dry_run: DryRun,
    /// Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE
    #[arg(short, long, value_name = "FORMAT", value_parser = FormatParser, hide_possible_values = true)]
    pub(crate) output: Option<String>,
}

/// Whether a change is really made. Both dry runs check all that the registry would; they differ in what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DryRun {
    /// It is made.
    None,
    /// Not made.
    Client,
    /// Not made.
    Server,
}

/// One line of what a command does.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// The change; nothing where all is as wanted already.
    pub(crate) operation: Option<Operation>,
    /// The resource as it is wanted.
    pub(crate) resource: Resource,
    /// What is said when it is done: `created`.
    pub(crate) done: &'static str,
    /// What is said when it cannot be done: `creating`.
    pub(crate) doing: &'static str,
    /// Where it is declared; errors then name the file.
    pub(crate) text: Option<Text>,
}

impl DryRun {
    /// What is added to the line of a change that was not made.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Client => " (dry run)",
            Self::Server => " (server dry run)",
        }
    }
}

impl Writing {
    /// Makes the change, or only checks it, and says what was done.
    ///
    /// # Errors
    /// Everything that forbids the change, which is then not made at all.
    pub(crate) fn carry_out(&self, steps: Vec<Step>, registry: &dyn Registry, context: &mut Context) -> Outcome {
        let output = Output::parse(self.output.as_deref())?;
        let refusals = refusals(registry, &steps).map_err(Failure::from)?;
        refusals.into_outcome()?;
        review(&steps, registry, context)?;
        let written = self.write(&steps, registry)?;
        for (step, resource) in steps.iter().zip(&written) {
            self.show(step, resource, &output, context)?;
        }
        Ok(())
    }

    /// What is stored afterwards, or would be, for each step.
    fn write(&self, steps: &[Step], registry: &dyn Registry) -> Result<Vec<Resource>, Failures> {
        let transaction = transaction(steps.iter());
        if self.dry_run != DryRun::None {
            let overlay = Overlay::new(&registry, &transaction).map_err(Failure::from)?;
            let stored = |step: &Step| {
                let stored = overlay.get(&step.resource.key())?.unwrap_or_else(|| step.resource.clone());
                let is_new = matches!(step.operation, Some(Operation::Create(_)));
                Ok(if is_new && self.dry_run == DryRun::Client { without_server_fields(stored) } else { stored })
            };
            return Ok(steps.iter().map(stored).collect::<registry::Result<_>>().map_err(Failure::from)?);
        }
        let committed = if transaction.operations.is_empty() {
            Vec::new()
        } else {
            // Somebody else may have been faster since the check.
            registry.commit(transaction).map_err(|error| blamed(error, steps))?.applied
        };
        let mut applied = committed.iter().map(Applied::resource);
        let stored =
            |step: &Step| step.operation.as_ref().and_then(|_| applied.next()).unwrap_or(&step.resource).clone();
        Ok(steps.iter().map(stored).collect())
    }

    fn show(&self, step: &Step, resource: &Resource, output: &Output, context: &mut Context) -> Result<(), Failure> {
        let (kind, name) = (resource.kind.qualified_singular(), &resource.meta.name);
        let suffix = self.dry_run.suffix();
        match (output, &step.operation) {
            (Output::Documents(printer), _) => printer.print(Objects::one(resource), &mut context.out),
            (_, Some(Operation::Delete(_))) => Ok(writeln!(context.out, "{kind} \"{name}\" {}{suffix}", step.done)?),
            _ => Ok(writeln!(context.out, "{kind}/{name} {}{suffix}", step.done)?),
        }
    }
}

/// A resource as it would be sent: without what only a server gives it.
fn without_server_fields(mut resource: Resource) -> Resource {
    let Meta { uid, resource_version, creation_timestamp, generation, .. } = &mut resource.meta;
    (*uid, *resource_version, *creation_timestamp, *generation) = (None, None, None, None);
    resource
}

/// What is declared, with a change on top.
///
/// # Errors
/// Why the change cannot be made.
pub(crate) fn overlaid<'v>(steps: &[Step], view: &'v dyn View) -> Result<Overlay<'v>, Failure> {
    Ok(Overlay::new(view, &transaction(steps.iter()))?)
}

fn transaction<'a>(steps: impl Iterator<Item = &'a Step>) -> Transaction {
    Transaction { operations: steps.filter_map(|step| step.operation.clone()).collect() }
}

/// Looks at each resource as it would stand in the registry: shows warnings, and refuses what cannot work.
pub(crate) fn review(steps: &[Step], registry: &dyn Registry, context: &mut Context) -> Outcome {
    let overlay = Overlay::new(&registry, &transaction(steps.iter())).map_err(Failure::from)?;
    let reviewer = Reviewer::new(&overlay);
    let mut failures = Failures::default();
    for step in steps {
        if let Some(Operation::Create(resource) | Operation::Replace(resource)) = &step.operation {
            let problems = reviewer.review(resource).map_err(Failure::from)?;
            failures.extend(judged(problems, resource, step.text.as_ref(), step.doing, context)?);
        }
    }
    failures.extend(hidden(steps, &overlay, context)?);
    failures.extend(in_use(steps, registry, &overlay));
    failures.into_outcome()
}

/// Warns of rules that ask for what encryption hides.
fn hidden(steps: &[Step], view: &dyn View, context: &mut Context) -> Result<Vec<Failure>, Failure> {
    let rules = |step: &&Step| {
        matches!(step.operation, Some(Operation::Create(_) | Operation::Replace(_))) && *step.resource.kind == RULE
    };
    let rules: Vec<_> = steps.iter().filter(rules).collect();
    let found = if rules.is_empty() { Vec::new() } else { hidden_rules(view)? };
    let mut failures = Vec::new();
    for step in rules {
        let own = found.iter().filter(|finding| finding.key == step.resource.key());
        let problem = |one: &Finding| Problem::warning(Code::NoEffect, one.at.clone(), one.message.clone());
        let mut problems = Problems::new();
        problems.extend(own.map(problem));
        failures.extend(judged(problems, &step.resource, step.text.as_ref(), step.doing, context)?);
    }
    Ok(failures)
}

/// Refuses a change by which something else would no longer compile, and with it the whole configuration: one of what rules
/// are put together of, or of the attributes that expressions name.
fn in_use(steps: &[Step], before: &dyn View, after: &dyn View) -> Option<Failure> {
    let others_need = |kind: &Kind| kind.part.is_some() || [&HANDLER, &INSTANCE, &ATTRIBUTEMANIFEST].contains(&kind);
    let changed = steps.iter().find(|step| step.operation.is_some() && others_need(step.resource.kind))?;
    let why = Compiler::default().compile(after).err().filter(|_| Compiler::default().compile(before).is_ok())?;
    let (kind, name) = (changed.resource.kind.qualified_plural(), &changed.resource.meta.name);
    let message =
        format!("{kind} \"{name}\" is forbidden: it is in use, and then there would be a fault elsewhere: {why}");
    Some(Failure::Server { reason: "Forbidden", message })
}

/// Everything in the registry that forbids one of the steps: the first refusal is taken out and the rest tried again.
fn refusals(registry: &dyn Registry, steps: &[Step]) -> registry::Result<Failures> {
    let mut refusals = Failures::default();
    let mut rest: Vec<&Step> = steps.iter().collect();
    for _ in 0..MAX_REFUSALS {
        let error = match Overlay::new(&registry, &transaction(rest.iter().copied())) {
            Ok(_) => break,
            Err(error @ registry::Error::Store(_)) => return Err(error),
            Err(error) => error,
        };
        let Some(at) = culprit(&error, &rest, registry)? else { return Err(error) };
        refusals.push(worded(error, rest.remove(at)));
    }
    Ok(refusals)
}

/// The step that an error speaks of. A name that is new but taken was taken by an earlier step, so the later one is it.
fn culprit(error: &registry::Error, steps: &[&Step], view: &dyn View) -> registry::Result<Option<usize>> {
    use registry::Error;
    let by_key = |key: &Key| steps.iter().position(|step| step.resource.key() == *key);
    Ok(match error {
        Error::AlreadyExists(key) if view.get(key)?.is_none() => {
            steps.iter().rposition(|step| step.resource.key() == *key)
        }
        Error::NotFound(key) | Error::AlreadyExists(key) | Error::Conflict(key) => by_key(key),
        Error::Forbidden { key, .. } | Error::TooDeep { key, .. } => by_key(key),
        Error::NoNamespace(name) => steps.iter().position(|step| step.resource.namespace() == name),
        Error::NoName => steps.iter().position(|step| step.resource.meta.name.is_empty()),
        Error::Store(_) => None,
    })
}

/// A refusal with the file of the resource that it is about.
fn worded(error: registry::Error, step: &Step) -> Failure {
    let failure = Failure::from(error);
    match &step.text {
        Some(text) => failure.when(step.doing, text.file()),
        None => failure,
    }
}

fn blamed(error: registry::Error, steps: &[Step]) -> Failure {
    let key = match &error {
        registry::Error::NotFound(key) | registry::Error::AlreadyExists(key) | registry::Error::Conflict(key) => key,
        _ => return error.into(),
    };
    match steps.iter().find(|step| step.resource.key() == *key) {
        Some(step) => worded(error, step),
        None => error.into(),
    }
}
