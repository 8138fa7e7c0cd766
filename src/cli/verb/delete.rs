//! `delete`: resources by name, label or manifest.

use clap::Args;

use crate::cli::change::{DryRun, Step, Writing};
use crate::cli::context::Context;
use crate::cli::declare::mentioned;
use crate::cli::failure::{Failure, Failures, Outcome};
use crate::cli::find::{Found, Selection};
use crate::cli::input::Files;
use crate::cli::target::Targets;
use crate::identity::Cluster;
use crate::registry::{self, Operation, View};
use crate::resource::{Key, Resource};

const EXAMPLES: &str = "Examples:
  # By name
  egressctl delete rule report-politics -n istio-system

  # Everything that a file declares
  egressctl delete -f access.yaml

  # All rules and handlers with a label
  egressctl delete rule,stdio -l team=news -n istio-system";

/// Delete resources by name, by labels, or those that files declare.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, override_usage = "egressctl delete (KIND NAME… | KIND/NAME… | -f FILE) [OPTIONS]")]
pub(crate) struct Arguments {
    /// Kind and names, or kind/name pairs
    #[arg(value_name = "KIND NAME… | KIND/NAME", hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    selection: Selection,
    /// Every resource of the kind in the namespace
    #[arg(long)]
    all: bool,
    /// A name that is not there is no error
    #[arg(long)]
    ignore_not_found: bool,
    /// Say that deletion was forced; deletion is always immediate here
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    writing: Writing,
    #[command(flatten)]
    moot: Moot,
}

/// Flags of kubectl that change nothing here: deletion is over when the command ends.
#[derive(Debug, Args)]
struct Moot {
    #[arg(long, hide = true)]
    wait: bool,
    #[arg(long, hide = true)]
    now: bool,
    #[arg(long, hide = true, value_name = "DURATION")]
    timeout: Option<String>,
    #[arg(long, hide = true, value_name = "SECONDS", allow_negative_numbers = true)]
    grace_period: Option<i64>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "background")]
    cascade: Option<String>,
}

impl Arguments {
    /// Deletes what is found, all at once; what is not found is told afterwards.
    pub(crate) fn run(self, context: &mut Context) -> Outcome {
        if !matches!(self.writing.output.as_deref(), None | Some("" | "name")) {
            let mode = self.writing.output.as_deref().unwrap_or_default();
            let text = format!("unexpected -o output mode: {mode}. We only support '-o name'");
            return Err(Failure::Client(text).into());
        }
        let registry = context.registry()?;
        let (found, failures) = self.find(&registry, context)?;
        if self.force && self.writing.dry_run == DryRun::None {
            context.say(
                "Warning: Immediate deletion does not wait for confirmation that the running resource has been \
                 terminated. The resource may continue to run on the cluster indefinitely.",
            )?;
        }
        let steps = found.into_iter().map(|resource| self.step(resource)).collect();
        self.writing.carry_out(steps, &registry, context)?;
        failures.into_outcome()
    }

    fn step(&self, resource: Resource) -> Step {
        let done = if self.force { "force deleted" } else { "deleted" };
        Step { operation: Some(Operation::Delete(resource.key())), resource, done, doing: "deleting", text: None }
    }

    fn find(&self, view: &dyn View, context: &mut Context) -> Result<(Vec<Resource>, Failures), Failures> {
        if !self.files.names.is_empty() {
            return self.find_mentioned(view, context);
        }
        if self.words.is_empty() {
            let text = "You must provide one or more resources by argument or filename.";
            return Err(Failure::client(text).into());
        }
        let targets = Targets::parse(&self.words)?;
        let many = self.all || self.selection.selector.is_some();
        if self.all && self.selection.selector.is_some() {
            return Err(Failure::client("setting 'all' parameter but found a non empty selector.").into());
        }
        if targets.are_named() && many {
            let text = "selectors and the all flag cannot be used when passing resource/name arguments";
            return Err(Failure::client(text).into());
        }
        if !targets.are_named() && !many {
            return Err(Failure::client("resource(s) were provided, but no name was specified").into());
        }
        self.selection.agree_with(&targets)?;
        let found = self.selection.scope(context)?.find(view, &targets).map_err(Failure::from)?;
        if many && found.resources.is_empty() {
            writeln!(context.out, "No resources found").map_err(Failure::from)?;
        }
        let failures = self.missing(&found, view)?;
        Ok((distinct(found), failures))
    }

    /// A failure for each resource that is not there; a Pod that its Deployment makes is there, but cannot be deleted.
    fn missing(&self, found: &Found, view: &dyn View) -> Result<Failures, Failure> {
        let mut failures = Failures::default();
        for key in &found.missing {
            failures.push(match Cluster::new(view).get(key)? {
                None if self.ignore_not_found => continue,
                None => Failure::from(registry::Error::NotFound(key.clone())),
                Some(_) => derived(key),
            });
        }
        Ok(failures)
    }

    fn find_mentioned(&self, view: &dyn View, context: &mut Context) -> Result<(Vec<Resource>, Failures), Failures> {
        if !self.words.is_empty() || self.all || self.selection.selector.is_some() {
            let text =
                "when paths, URLs, or stdin is provided as input, you may not specify resource arguments as well";
            return Err(Failure::client(text).into());
        }
        let (mut found, mut failures) = (Found::default(), Failures::default());
        for (key, file) in mentioned(&self.files, context)? {
            match view.get(&key).map_err(Failure::from)? {
                Some(resource) => found.resources.push(resource),
                None if self.ignore_not_found => {}
                None => failures.push(Failure::from(registry::Error::NotFound(key)).when("deleting", &file)),
            }
        }
        Ok((distinct(found), failures))
    }
}

/// Why a Pod cannot be deleted that is made from a Deployment, always with the same name.
fn derived(key: &Key) -> Failure {
    let (kind, name) = (key.kind.qualified_plural(), &key.name);
    let message = format!(
        "{kind} \"{name}\" is forbidden: its Deployment makes it and would make it again under the same name; delete the \
         Deployment, or declare fewer replicas"
    );
    Failure::Server { reason: "Forbidden", message }
}

/// The resources, each once: nothing can be deleted twice.
fn distinct(found: Found) -> Vec<Resource> {
    let mut distinct: Vec<Resource> = Vec::with_capacity(found.resources.len());
    let mut seen = std::collections::HashSet::new();
    for resource in found.resources {
        if seen.insert(resource.key().to_string() + resource.kind.group) {
            distinct.push(resource);
        }
    }
    distinct
}
