//! `describe`: resources in full.

mod pod;

use clap::Args;

use super::get::no_kind;
use super::proxy::in_force;
use crate::analysis::{Visible, visible};
use crate::cli::admin_client;
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::find::{Found, Scope, Selection};
use crate::cli::output::describe::describe;
use crate::cli::target::{Targets, Wanted};
use crate::identity::Cluster;
use crate::node::api::FeedStatus;
use crate::policy::{full_name, handler_name};
use crate::registry::{self, View};
use crate::resource::Resource;
use crate::resource::kinds::{HANDLER, LISTCHECKER, RULE, SERVICE_ENTRY};
use crate::snapshot::admission::Reviewer;

const EXAMPLES: &str = "Examples:
  # One rule
  egressctl describe rule report-politics -n istio-system

  # The resource whose name starts so
  egressctl describe stdio egress-err -n istio-system

  # All service entries with a label
  egressctl describe serviceentry -l team=news";

/// Show all fields of resources, by name, by the start of a name, or by labels.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, override_usage = "egressctl describe (KIND [NAME…] | KIND/NAME…) [OPTIONS]")]
pub(crate) struct Arguments {
    /// Kind and names, or kind/name pairs
    #[arg(value_name = "KIND [NAME…] | KIND/NAME", hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    selection: Selection,
}

impl Arguments {
    /// Finds and describes.
    pub(crate) fn run(self, context: &mut Context) -> Outcome {
        if self.words.is_empty() {
            return Err(no_kind("describe").into());
        }
        let targets = Targets::parse(&self.words)?;
        self.selection.agree_with(&targets)?;
        let scope = self.selection.scope(context)?;
        let registry = context.registry()?;
        let found = find(&scope, &Cluster::new(&registry), &targets).map_err(Failure::from)?;
        if found.resources.is_empty() && found.missing.is_empty() {
            context.say(&scope.nothing_found(&targets)).map_err(Failure::from)?;
        }
        let reviewer = Reviewer::new(&registry);
        for (position, resource) in found.resources.iter().enumerate() {
            if position > 0 {
                context.out.write_all(b"\n\n").map_err(Failure::from)?;
            }
            let mut description = describe(resource);
            description.visible(&seen(resource, &registry));
            pod::write(resource, &registry, context, &mut description)?;
            for (node, list) in lists_of(resource, context)? {
                description.pair(0, "Feed", &format!("{} (proxy {node})", in_force(&list)));
            }
            for (node, times) in undecided(resource, context)? {
                description.pair(
                    0,
                    "Undecided",
                    &format!("{times} times its match could not be decided (proxy {node})"),
                );
            }
            description.warnings(&reviewer.review(resource).map_err(Failure::from)?);
            description.write(&mut context.out).map_err(Failure::from)?;
        }
        found.failures().into_outcome()
    }
}

/// What policies see of the calls to a ServiceEntry's hosts; nothing where something does not compile, which is said of it.
fn seen(resource: &Resource, view: &dyn View) -> Vec<Visible> {
    if *resource.kind == SERVICE_ENTRY { visible(view, resource).unwrap_or_default() } else { Vec::new() }
}

/// The list that a handler fetches, as each proxy has it that runs on the state directory.
fn lists_of(resource: &Resource, context: &Context) -> Result<Vec<(String, FeedStatus)>, Failure> {
    if ![&LISTCHECKER, &HANDLER].contains(&resource.kind) {
        return Ok(Vec::new());
    }
    let name = handler_name(resource);
    let proxies = admin_client::all(&context.state_dir()?)?.into_iter();
    let named = proxies.flat_map(|proxy| proxy.lists.into_iter().map(move |list| (proxy.node.clone(), list)));
    Ok(named.filter(|(_, list)| list.handler == name).collect())
}

/// How often the match of a rule could not be decided, by each proxy that runs on the state directory.
fn undecided(resource: &Resource, context: &Context) -> Result<Vec<(String, u64)>, Failure> {
    if *resource.kind != RULE {
        return Ok(Vec::new());
    }
    let name = full_name(resource);
    let proxies = admin_client::all(&context.state_dir()?)?.into_iter();
    let of_rule = proxies.filter_map(|proxy| {
        let found = proxy.undecided.iter().find(|undecided| undecided.rule == name)?;
        Some((proxy.node.clone(), found.times))
    });
    Ok(of_rule.collect())
}

/// As for `get`, but a name that is not there is tried as the start of one.
fn find(scope: &Scope, view: &dyn View, targets: &Targets) -> registry::Result<Found> {
    let mut found = Found::default();
    for wanted in &targets.wanted {
        let one = Targets { wanted: vec![wanted.clone()], several_kinds: false };
        let mut result = scope.find(view, &one)?;
        if let (Wanted::Named(kind, name), false) = (wanted, result.missing.is_empty()) {
            result.resources = view.list(&scope.query(kind))?;
            result.resources.retain(|resource| resource.meta.name.starts_with(name.as_str()));
            if !result.resources.is_empty() {
                result.missing.clear();
            }
        }
        found.resources.append(&mut result.resources);
        found.missing.append(&mut result.missing);
    }
    Ok(found)
}
