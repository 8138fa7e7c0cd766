//! `apply`: resources as manifests have them, new or changed.

use std::collections::HashMap;

use clap::Args;
use jiff::SignedDuration;

use crate::cli::change::{Step, Writing};
use crate::cli::context::Context;
use crate::cli::declare::{Declared, Text, declared};
use crate::cli::failure::{Failure, Failures, Outcome};
use crate::cli::input::Files;
use crate::cli::replay::{Replayed, recorded};
use crate::cli::time;
use crate::registry::merge::{self, ApplyPlan};
use crate::registry::{self, Operation, View};
use crate::resource::{Key, Resource};
use crate::routing::OutboundPolicy;

use super::replay::wanted;

const EXAMPLES: &str = "Examples:
  # What a file declares
  egressctl apply -f access.yaml

  # All manifests of a directory and those below it
  egressctl apply -R -f policies/

  # Only if no call that went until now would be refused then
  egressctl apply -f access.yaml --replay-check --since 7d

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
    /// Apply nothing if a recorded call that went would be refused then (see replay)
    #[arg(long)]
    replay_check: bool,
    /// How far back the recorded calls go that --replay-check looks at [default: all]
    #[arg(long, value_name = "DURATION", requires = "replay_check", value_parser = time::length)]
    since: Option<SignedDuration>,
}

impl Arguments {
    /// Applies.
    pub(crate) fn run(self, context: &mut Context) -> Outcome {
        let registry = context.registry()?;
        let steps = steps(&self.files, "apply", &registry, context)?;
        if self.replay_check {
            let calls = recorded(&wanted(self.since, None, context), context)?;
            let replayed = Replayed::of(&calls, (&steps, &registry), OutboundPolicy::default(), context)?;
            if replayed.would_refuse() > 0 {
                let text = replayed.text();
                return Err(Failure::Status(1, format!("error: nothing was applied\n{}", text.trim_end())).into());
            }
        }
        self.writing.carry_out(steps, &registry, context)
    }
}

/// What to do for each resource that files declare.
pub(super) fn steps(
    files: &Files,
    doing: &'static str,
    view: &dyn View,
    context: &mut Context,
) -> Result<Vec<Step>, Failures> {
    let declared = declared(files, doing, context)?;
    let mut steps: Vec<Step> = Vec::with_capacity(declared.len());
    // The last step for each resource: files may declare one twice, and have many.
    let mut last = HashMap::<Key, usize>::with_capacity(declared.len());
    for Declared { resource, text } in declared {
        let earlier = last.insert(resource.key(), steps.len()).map(|place| &steps[place]);
        let (step, warning) = plan(&resource, text, view, earlier).map_err(Failure::from)?;
        if let Some(warning) = warning {
            context.say(&warning).map_err(Failure::from)?;
        }
        steps.push(step);
    }
    Ok(steps)
}

/// What to do for a resource, on top of the registry and an earlier step for it.
fn plan(
    wanted: &Resource,
    text: Text,
    view: &dyn View,
    earlier: Option<&Step>,
) -> registry::Result<(Step, Option<String>)> {
    let live = match earlier {
        Some(step) => Some(step.resource.clone()),
        None => view.get(&wanted.key())?,
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
