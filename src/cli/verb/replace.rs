//! `replace`: resources that are there, by what manifests have.

use clap::Args;

use crate::cli::change::{Step, Writing};
use crate::cli::context::Context;
use crate::cli::declare::{Declared, declared};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::input::Files;
use crate::registry::{self, Operation, View};

const EXAMPLES: &str = "Examples:
  # Resources that are there already
  egressctl replace -f access.yaml

  # What was got, changed and piped back
  egressctl get rule report-politics -n istio-system -o yaml | sed 's|/politics|/sport|' | egressctl replace -f -

  # Delete and create anew
  egressctl replace --force -f access.yaml";

/// Replace resources that are there by what files declare.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    writing: Writing,
    /// Delete and create anew, whether it is there or not
    #[arg(long)]
    force: bool,
}

impl Arguments {
    /// Replaces.
    pub(crate) fn run(self, context: &mut Context) -> Outcome {
        let declared = declared(&self.files, "replace", context)?;
        let registry = context.registry()?;
        let steps = declared.into_iter().map(|declared| self.steps(declared, &registry));
        let steps = steps.collect::<registry::Result<Vec<_>>>().map_err(Failure::from)?;
        self.writing.carry_out(steps.concat(), &registry, context)
    }

    fn steps(&self, Declared { resource, text }: Declared, view: &dyn View) -> registry::Result<Vec<Step>> {
        let step = |operation, done| Step {
            operation: Some(operation),
            resource: resource.clone(),
            done,
            doing: "replacing",
            text: Some(text.clone()),
        };
        if !self.force {
            return Ok(vec![step(Operation::Replace(resource.clone()), "replaced")]);
        }
        let mut steps = Vec::new();
        if view.get(&resource.key())?.is_some() {
            steps.push(step(Operation::Delete(resource.key()), "deleted"));
        }
        let mut anew = resource.clone();
        anew.meta.resource_version = None;
        steps.push(step(Operation::Create(anew), "replaced"));
        Ok(steps)
    }
}
