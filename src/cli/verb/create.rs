//! `create`: new resources from manifests, or a namespace or service account by name.

use clap::{Args, Subcommand};

use crate::cli::change::{Step, Writing};
use crate::cli::context::Context;
use crate::cli::declare::{Declared, Text, declared};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::input::Files;
use crate::registry::{Operation, merge};
use crate::resource::kinds::{NAMESPACE, SERVICE_ACCOUNT};
use crate::resource::{Kind, Meta, Resource};

const EXAMPLES: &str = "Examples:
  # What a file declares, all of it or nothing
  egressctl create -f access.yaml

  # What is typed or piped
  cat access.yaml | egressctl create -f -

  # Only check, and show what would be stored
  egressctl create -f access.yaml --dry-run=server -o yaml

  # A namespace
  egressctl create namespace politics

  # A token by which a program proves that it is the service account's
  egressctl create token sleep --duration 10m";

/// Create resources from files, directories, URLs or standard input.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
#[command(help_template = super::HELP_WITH_SUBCOMMANDS)]
pub(crate) struct Arguments {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    writing: Writing,
    /// Keep what was declared in an annotation, so that apply can be used later
    #[arg(long)]
    save_config: bool,
    #[command(subcommand)]
    by_name: Option<ByName>,
}

/// What can be created by its name alone.
#[derive(Debug, Subcommand)]
enum ByName {
    /// Create a namespace
    #[command(visible_alias = "ns")]
    Namespace(Named),
    /// Create a service account
    #[command(visible_alias = "sa")]
    Serviceaccount(Named),
    /// Print a token for a service account
    Token(super::create_token::Arguments),
}

/// A name.
#[derive(Debug, Args)]
struct Named {
    /// Its name
    name: String,
    #[command(flatten)]
    writing: Writing,
}

impl Arguments {
    /// Creates.
    pub(crate) fn run(self, context: &mut Context) -> Outcome {
        let (named, kind) = match self.by_name {
            None => {
                let declared = declared(&self.files, "create", context)?;
                let step = |Declared { resource, text }| step(resource, Some(text), self.save_config);
                let steps = declared.into_iter().map(step).collect();
                return self.writing.carry_out(steps, &context.registry()?, context);
            }
            Some(ByName::Namespace(named)) => (named, &NAMESPACE),
            Some(ByName::Serviceaccount(named)) => (named, &SERVICE_ACCOUNT),
            Some(ByName::Token(token)) => return token.run(context),
        };
        let resource = bare(kind, &named.name, context.namespace())?;
        named.writing.carry_out(vec![step(resource, None, false)], &context.registry()?, context)
    }
}

fn step(resource: Resource, text: Option<Text>, save_config: bool) -> Step {
    let resource = if save_config { merge::with_last_applied(&resource) } else { resource };
    Step { operation: Some(Operation::Create(resource.clone())), resource, done: "created", doing: "creating", text }
}

/// A resource with nothing but a name.
fn bare(kind: &'static Kind, name: &str, namespace: &str) -> Result<Resource, Failure> {
    crate::resource::name::dns_label(name).map_err(|why| {
        let cause = format!("metadata.name: Invalid value: \"{name}\": {why}");
        Failure::invalid(kind.name, &kind.qualified_singular(), name, &[cause], None)
    })?;
    let namespace = kind.namespaced.then(|| namespace.to_owned());
    let meta = Meta { name: name.to_owned(), namespace, ..Meta::default() };
    let version = kind.versions.first().copied().unwrap_or_default().to_owned();
    Ok(Resource { kind, version, meta, body: serde_json::Map::new(), origin: None })
}
