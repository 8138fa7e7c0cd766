//! From files to resources: everything that is wrong with them is shown before anything is done.

mod expressions;
mod refusal;

use std::sync::Arc;

use super::context::Context;
use super::failure::{Failure, Failures};
use super::input::Files;
use crate::diagnostic::{Code, FieldPath, Problems, Source};
use crate::manifest::{Finding, Locator, Parsed, Place, Subject, parse};
use crate::resource::{Key, Resource};

/// A resource with the text that declares it.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    /// The resource, with its namespace.
    pub(crate) resource: Resource,
    /// Where it is declared.
    pub(crate) text: Text,
}

/// A place in a text, at which problems of a resource are shown.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    source: Source,
    place: Place,
}

impl Text {
    /// The file, URL or `STDIN`.
    pub(crate) fn file(&self) -> &str {
        &self.source.name
    }
}

/// The resources that files declare, each with its namespace. Warnings are shown on standard error.
///
/// # Errors
/// Every fault of every document, with a picture of its place.
pub(crate) fn declared(files: &Files, verb: &str, context: &mut Context) -> Result<Vec<Declared>, Failures> {
    if files.names.is_empty() {
        return Err(Failure::client("must specify -f").into());
    }
    let mut failures = Failures::default();
    let mut declared = Vec::new();
    for source in files.read()? {
        let Parsed { resources, places, findings } = read(&source);
        failures.extend(told(&source, findings, verb, context)?);
        for (mut resource, place) in resources.into_iter().zip(places) {
            if let Err(failure) = settle_namespace(&mut resource, context) {
                failures.push(failure);
            }
            declared.push(Declared { resource, text: Text { source: source.clone(), place } });
        }
    }
    failures.into_outcome()?;
    if declared.is_empty() {
        return Err(Failure::client(format!("no objects passed to {verb}")).into());
    }
    Ok(declared)
}

/// A text with all that is wrong with it, its expressions included.
pub(crate) fn read(source: &Source) -> Parsed {
    let mut parsed = parse(source);
    expressions::add_faults(&mut parsed);
    parsed
}

/// Shows what is to be warned of in a resource, and gives back what refuses it; `text` is where it is declared.
///
/// # Errors
/// Those of standard error.
pub(crate) fn judged(
    problems: Problems,
    resource: &Resource,
    text: Option<&Text>,
    verb: &str,
    context: &mut Context,
) -> Result<Vec<Failure>, Failure> {
    let subject = Subject::from(resource);
    let nowhere = Text { source: Source::new("", ""), place: Place { document: 0..0, at: FieldPath::root() } };
    let Text { source, place } = text.unwrap_or(&nowhere);
    let finding = |problem| Finding { subject: Some(subject.clone()), ..place.finding(problem) };
    told(source, problems.into_iter().map(finding).collect(), verb, context)
}

/// Shows warnings; gives back refusals.
fn told(source: &Source, findings: Vec<Finding>, verb: &str, context: &mut Context) -> Result<Vec<Failure>, Failure> {
    let (errors, warnings): (Vec<_>, Vec<_>) = findings.into_iter().partition(|finding| finding.problem.is_error());
    let mut locator = Locator::new(source);
    for finding in &warnings {
        context.warn(|color| locator.render(finding, color))?;
    }
    Ok(refusal::refusals(source, &errors, verb, context.color_err))
}

/// The keys of what files mention, and the file of each. Faults inside the resources do not matter here.
///
/// # Errors
/// Documents that do not tell what they are.
pub(crate) fn mentioned(files: &Files, context: &mut Context) -> Result<Vec<(Key, Arc<str>)>, Failures> {
    let mut failures = Failures::default();
    let mut keys = Vec::new();
    for source in files.read()? {
        let parsed = parse(&source);
        let untold = |finding: &Finding| match finding.problem.code {
            Code::Syntax | Code::UnknownKind => true,
            _ => finding.subject.as_ref().is_none_or(|subject| subject.kind.is_empty()),
        };
        let errors: Vec<Finding> = parsed.findings.into_iter().filter(untold).collect();
        failures.extend(refusal::refusals(&source, &errors, "delete", context.color_err));
        for mut resource in parsed.resources {
            match settle_namespace(&mut resource, context) {
                Ok(()) if resource.meta.name.is_empty() => {
                    failures.push(Failure::client("resource name may not be empty"))
                }
                Ok(()) => keys.push((resource.key(), source.name.clone())),
                Err(failure) => failures.push(failure),
            }
        }
    }
    failures.into_outcome().map(|()| keys)
}

/// Gives a resource the namespace of the command where it has none itself; two that differ are refused.
///
/// # Errors
/// What kubectl says of two that differ.
pub(crate) fn settle_namespace(resource: &mut Resource, context: &Context) -> Result<(), Failure> {
    if !resource.kind.namespaced {
        resource.meta.namespace = None;
        return Ok(());
    }
    match (&resource.meta.namespace, context.typed_namespace()) {
        (None, _) => resource.meta.namespace = Some(context.namespace().to_owned()),
        (Some(own), Some(typed)) if own != typed => {
            return Err(Failure::Client(format!(
                "the namespace from the provided object \"{own}\" does not match the namespace \"{typed}\". You must \
                 pass '--namespace={own}' to perform this operation."
            )));
        }
        (Some(_), _) => {}
    }
    Ok(())
}
