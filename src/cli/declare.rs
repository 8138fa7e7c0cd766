//! From files to resources: everything that is wrong with them is shown before anything is done.

mod refusal;

use std::sync::Arc;

use super::context::Context;
use super::failure::{Failure, Failures};
use super::input::Files;
use crate::diagnostic::{Code, Source};
use crate::manifest::{Finding, Locator, Parsed, parse};
use crate::resource::{Key, Resource};

/// The resources that files declare, each with its namespace. Warnings are shown on standard error.
///
/// # Errors
/// Every fault of every document, with a picture of its place.
pub(crate) fn declared(files: &Files, verb: &str, context: &mut Context) -> Result<Vec<Resource>, Failures> {
    if files.names.is_empty() {
        return Err(Failure::client("must specify one of -f and -k").into());
    }
    let mut failures = Failures::default();
    let mut resources = Vec::new();
    for source in files.read()? {
        let Parsed { resources: found, findings } = parse(&source);
        warn(&source, &findings, context)?;
        let errors: Vec<Finding> = findings.into_iter().filter(|finding| finding.problem.is_error()).collect();
        failures.extend(refusal::refusals(&source, &errors, verb, context.color_err));
        resources.extend(found);
    }
    for resource in &mut resources {
        if let Err(failure) = settle_namespace(resource, context) {
            failures.push(failure);
        }
    }
    failures.into_outcome()?;
    if resources.is_empty() {
        return Err(Failure::client(format!("no objects passed to {verb}")).into());
    }
    Ok(resources)
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
            Code::Required => finding.subject.as_ref().is_none_or(|subject| subject.kind.is_empty()),
            _ => false,
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

/// Shows what is accepted but may not be meant.
fn warn(source: &Source, findings: &[Finding], context: &mut Context) -> Result<(), Failure> {
    let mut locator = Locator::new(source);
    for finding in findings.iter().filter(|finding| !finding.problem.is_error()) {
        let picture = locator.render(finding, context.color_err);
        context.say(&picture)?;
    }
    Ok(())
}

/// Gives a resource the namespace of the command where it has none itself; two that differ are refused.
fn settle_namespace(resource: &mut Resource, context: &Context) -> Result<(), Failure> {
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
