//! `get`: resources as tables or documents.

use clap::Args;

use crate::cli::context::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::find::{Found, Scope, Selection};
use crate::cli::output::listing::{self, Look};
use crate::cli::output::{self, FormatParser, Objects, Output, sort_by};
use crate::cli::target::Targets;
use crate::identity::Cluster;

const EXAMPLES: &str = "Examples:
  # All rules and stdio handlers of a namespace
  egressctl get rule,stdio -n istio-system

  # Every Istio resource of every namespace
  egressctl get istio-io -A

  # One resource as it is stored
  egressctl get rule report-politics -n istio-system -o yaml

  # The name of the first telemetry pod
  egressctl -n istio-system get pods -l istio-mixer-type=telemetry -o jsonpath='{.items[0].metadata.name}'

  # Columns of your own
  egressctl get serviceentry -o custom-columns=NAME:.metadata.name,HOSTS:.spec.hosts";

/// Show resources as a table, or as YAML, JSON or what a template finds in them.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, override_usage = "egressctl get (KIND [NAME…] | KIND/NAME…) [OPTIONS]")]
pub(crate) struct Arguments {
    /// Kind and names, or kind/name pairs
    #[arg(value_name = "KIND [NAME…] | KIND/NAME", hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    selection: Selection,
    #[arg(short, long, value_name = "FORMAT", help = output::help(), value_parser = FormatParser, hide_possible_values = true)]
    output: Option<String>,
    /// A column for each of these labels
    #[arg(short = 'L', long, value_name = "KEY", value_delimiter = ',')]
    label_columns: Vec<String>,
    /// A column with all labels
    #[arg(long)]
    show_labels: bool,
    /// No headings
    #[arg(long)]
    no_headers: bool,
    /// Say nothing of names that are not there
    #[arg(long)]
    ignore_not_found: bool,
    /// Sort by the value at this path, for example .metadata.creationTimestamp
    #[arg(long, value_name = "PATH")]
    sort_by: Option<String>,
}

impl Arguments {
    /// Gets and prints.
    pub(crate) fn run(self, context: &mut Context) -> Outcome {
        if self.words.is_empty() {
            return Err(no_kind("get").into());
        }
        let output = Output::parse(self.output.as_deref())?;
        let targets = Targets::parse(&self.words)?;
        self.selection.agree_with(&targets)?;
        let scope = self.selection.scope(context)?;
        let registry = context.registry()?;
        let mut found = scope.find(&Cluster::new(&registry), &targets).map_err(Failure::from)?;
        if let Some(path) = &self.sort_by {
            found.resources = sort_by(path, std::mem::take(&mut found.resources))?;
        }
        match output {
            Output::Table { wide } => self.table(wide, &found, &targets, &scope, context)?,
            Output::Documents(printer) => {
                if let Some(objects) = objects(&found, &targets) {
                    printer.print(Objects { headings: !self.no_headers, ..objects }, &mut context.out)?;
                }
            }
        }
        if self.ignore_not_found { Ok(()) } else { found.failures().into_outcome() }
    }

    fn table(
        &self,
        wide: bool,
        found: &Found,
        targets: &Targets,
        scope: &Scope,
        context: &mut Context,
    ) -> Result<(), Failure> {
        if found.resources.is_empty() && found.missing.is_empty() && !self.ignore_not_found {
            return Ok(context.say(&scope.nothing_found(targets))?);
        }
        let look = Look {
            wide,
            namespaces: self.selection.all_namespaces,
            kinds: targets.several_kinds,
            label_columns: &self.label_columns,
            labels: self.show_labels,
            headings: !self.no_headers,
            color: context.color,
            now: context.now,
        };
        listing::write(&found.resources, &look, &mut context.out)
    }
}

/// A single resource that was named by itself, or a list; nothing if that single one is missing.
fn objects<'a>(found: &'a Found, targets: &Targets) -> Option<Objects<'a>> {
    if targets.are_named() && targets.wanted.len() == 1 {
        return found.resources.first().map(Objects::one);
    }
    Some(Objects::list(&found.resources))
}

/// The failure of a verb that was given no kind.
pub(super) fn no_kind(verb: &str) -> Failure {
    Failure::Text(format!(
        "You must specify the type of resource to {verb}. Use \"egressctl api-resources\" for a complete list of \
         supported resources.\n\nerror: Required resource not specified.\nSee 'egressctl {verb} -h' for help and examples"
    ))
}
