//! `api-resources`: the kinds that can be declared.

use clap::{ArgAction, Args};

use crate::cli::context::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::output::table::{Headings, Table};
use crate::resource::{KINDS, Kind};

const EXAMPLES: &str = "Examples:
  # All kinds
  egressctl api-resources

  # Those of a group, with their categories
  egressctl api-resources --api-group=config.istio.io -o wide

  # The full names of the kinds that live in namespaces
  egressctl api-resources --namespaced=true -o name";

/// What every kind can be asked for.
const VERBS: &[&str] = &["create", "delete", "get", "list", "update"];

/// List the kinds of resources that can be declared.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Only kinds of this group; the core group has the empty name
    #[arg(long, value_name = "GROUP")]
    api_group: Option<String>,
    /// Only kinds that live in namespaces, or only those that do not
    #[arg(long, value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    namespaced: Option<bool>,
    /// Only kinds of all these categories
    #[arg(long, value_name = "CATEGORY", value_delimiter = ',')]
    categories: Vec<String>,
    /// Only kinds that know all these verbs
    #[arg(long, value_name = "VERB", value_delimiter = ',')]
    verbs: Vec<String>,
    /// wide or name
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<String>,
    /// No headings
    #[arg(long)]
    no_headers: bool,
}

impl Arguments {
    /// Prints them.
    pub(crate) fn run(self, context: &mut Context) -> Outcome {
        let mut kinds: Vec<&Kind> = KINDS.iter().copied().filter(|kind| self.asks_for(kind)).collect();
        kinds.sort_by_key(|kind| (kind.group, kind.plural));
        let wide = match self.output.as_deref() {
            None | Some("") => false,
            Some("wide") => true,
            Some("name") => {
                for kind in kinds {
                    writeln!(context.out, "{}", kind.qualified_plural())?;
                }
                return Ok(());
            }
            Some(other) => return Err(Failure::client(format!("--output {other} is not available")).into()),
        };
        let mut table = Table::new(&HEADINGS[..if wide { HEADINGS.len() } else { HEADINGS.len() - 2 }]);
        kinds.iter().for_each(|kind| table.push(row(kind, wide)));
        Ok(table.write(&mut context.out, Headings::new(!self.no_headers, context.color))?)
    }

    fn asks_for(&self, kind: &Kind) -> bool {
        self.api_group.as_deref().is_none_or(|group| group == kind.group)
            && self.namespaced.is_none_or(|namespaced| namespaced == kind.namespaced)
            && self.categories.iter().all(|category| kind.categories.contains(&category.as_str()))
            && self.verbs.iter().all(|verb| VERBS.contains(&verb.as_str()))
    }
}

const HEADINGS: [&str; 7] = ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND", "VERBS", "CATEGORIES"];

fn row(kind: &Kind, wide: bool) -> Vec<String> {
    let version = kind.versions.first().map(|version| kind.api_version(version)).unwrap_or_default();
    let mut row =
        vec![kind.plural.into(), kind.short.join(","), version, kind.namespaced.to_string(), kind.name.to_owned()];
    if wide {
        row.extend([VERBS.join(","), kind.categories.join(",")]);
    }
    row
}
