//! `replay`: recorded calls, judged by a configuration that is not in force yet.

use std::io::Write as _;

use clap::Args;
use jiff::SignedDuration;

use crate::cli::context::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::input::Files;
use crate::cli::replay::{Replayed, Wanted, recorded};
use crate::cli::time;
use crate::cli::verb::apply::steps;
use crate::cli::verb::proxy::outbound_policy;
use crate::routing::OutboundPolicy;

const EXAMPLES: &str = "Examples:
  # Which calls of the last seven days would a new policy refuse, and which let through?
  egressctl replay -f new-policy.yaml --since 7d

  # Only those of one workload, for a script
  egressctl replay -f new-policy.yaml --from sleep -o json

  # Has the policy that is in force changed what was decided?
  egressctl replay --since 1h

  # Apply a change only if it refuses nothing that went
  egressctl apply -f new-policy.yaml --replay-check";

/// Show which recorded calls a changed configuration would refuse, and which let through.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    files: Files,
    /// Only calls newer than this: 90s, 10m, 1h30m, 7d [default: all that were recorded]
    #[arg(long, value_name = "DURATION", value_parser = time::length)]
    since: Option<SignedDuration>,
    /// Only calls of this workload
    #[arg(long, value_name = "WORKLOAD[.NAMESPACE]")]
    from: Option<String>,
    /// Which hosts workloads may call where no Sidecar says so
    #[arg(long, value_name = "REGISTRY_ONLY|ALLOW_ANY", default_value = "REGISTRY_ONLY", value_parser = outbound_policy())]
    outbound_traffic_policy: OutboundPolicy,
    /// json for scripts
    #[arg(short, long, value_name = "FORMAT", value_parser = ["json"])]
    output: Option<String>,
}

impl Arguments {
    /// Judges and tells.
    pub(crate) fn run(self, context: &mut Context) -> Outcome {
        let wanted = wanted(self.since, self.from.as_deref(), context);
        let registry = context.registry()?;
        let steps = match self.files.names.is_empty() {
            true => Vec::new(),
            false => steps(&self.files, "replay", &registry, context)?,
        };
        let calls = recorded(&wanted, context)?;
        let replayed = Replayed::of(&calls, (&steps, &registry), self.outbound_traffic_policy, context)?;
        let text = match self.output {
            Some(_) => format!("{:#}\n", replayed.json()),
            None => replayed.text(),
        };
        Ok(context.out.write_all(text.as_bytes()).map_err(Failure::from)?)
    }
}

/// The calls that flags ask for.
pub(super) fn wanted(since: Option<SignedDuration>, from: Option<&str>, context: &Context) -> Wanted {
    let named = |from: &str| {
        let (name, namespace) = from.split_once('.').unwrap_or((from, context.namespace()));
        (name.to_owned(), namespace.to_owned())
    };
    Wanted { since: since.map(|length| time::ago(context.now, length).as_microsecond()), from: from.map(named) }
}
