//! `apply`: resources as manifests have them, new or changed.

use clap::Args;

use crate::cli::change::{Step, Writing};
use crate::cli::context::Context;
use crate::cli::declare::{Declared, Text, declared};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::input::Files;
use crate::registry::merge::{self, ApplyPlan};
use crate::registry::{self, Operation, View};
use crate::resource::Resource;

const EXAMPLES: &str = "Examples:
  # What a file declares
  egressctl apply -f access.yaml

  # All manifests of a directory and those below it
  egressctl apply -R -f policies/

  # What would change
  egressctl apply -f access.yaml --dry-run=server";

/// Create the resources that files declare, or change them to what is declared there.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    writing: Writing,
}

impl Arguments {
    /// Applies.
    pub(crate) fn run(self, context: &mut Context) -> Outcome {
        let declared = declared(&self.files, "apply", context)?;
        let registry = context.registry()?;
        let mut steps: Vec<Step> = Vec::with_capacity(declared.len());
        for Declared { resource, text } in declared {
            let (step, warning) = plan(&resource, text, &registry, &steps).map_err(Failure::from)?;
            if let Some(warning) = warning {
                context.say(&warning).map_err(Failure::from)?;
            }
            steps.push(step);
        }
        self.writing.carry_out(steps, &registry, context)
    }
}

/// What to do for a resource, on top of the registry and the steps before.
fn plan(wanted: &Resource, text: Text, view: &dyn View, before: &[Step]) -> registry::Result<(Step, Option<String>)> {
    let key = wanted.key();
    let earlier = before.iter().rev().find(|step| step.resource.key() == key);
    let live = match earlier {
        Some(step) => Some(step.resource.clone()),
        None => view.get(&key)?,
    };
    let ApplyPlan { operation, warning } = merge::apply(live.as_ref(), wanted);
    let (resource, done, doing) = match &operation {
        Some(Operation::Create(resource)) => (resource.clone(), "created", "creating"),
        Some(Operation::Replace(resource)) => (resource.clone(), "configured", "patching"),
        Some(Operation::Delete(_)) | None => (live.unwrap_or_else(|| wanted.clone()), "unchanged", "patching"),
    };
    let mut step = Step { operation, resource, done, doing, text: Some(text) };
    if let (Some(_), Some(Operation::Replace(resource))) = (earlier, &mut step.operation) {
        // The step before makes a revision that is not known yet.
        resource.meta.resource_version = None;
    }
    Ok((step, warning))
}
