//! `generate`: manifests out of what was recorded.

use std::io::Write as _;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use jiff::SignedDuration;

use crate::cli::context::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::generate::{Policy as Generated, Style};
use crate::cli::replay::{Judge, recorded};
use crate::cli::time;
use crate::routing::OutboundPolicy;

use super::replay::wanted;

const EXAMPLES: &str = "Examples:
  # The least policy that allows what the workload sleep called in the last week
  egressctl generate policy --from sleep --since 7d > seen.yaml

  # For all workloads, at the egress gateway
  egressctl generate policy --style authorization > seen.yaml

  # It refuses nothing of what was seen
  egressctl replay -f seen.yaml";

/// Write manifests out of recorded calls.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The least policy that allows the recorded calls that went, and nothing else
    Policy(Policy),
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
struct Policy {
    /// Only calls newer than this: 90s, 10m, 1h30m, 7d [default: all that were recorded]
    #[arg(long, value_name = "DURATION", value_parser = time::length)]
    since: Option<SignedDuration>,
    /// Only calls of this workload; those of others are not touched by the policy
    #[arg(long, value_name = "WORKLOAD[.NAMESPACE]")]
    from: Option<String>,
    /// listchecker: lists that every call is checked against; authorization: an AuthorizationPolicy at the egress gateway
    #[arg(long, value_name = "listchecker|authorization", default_value = "listchecker", value_parser = style())]
    style: Style,
}

fn style() -> impl TypedValueParser<Value = Style> {
    PossibleValuesParser::new(["listchecker", "authorization"]).map(|name| match name.as_str() {
        "authorization" => Style::Authorization,
        _ => Style::Listchecker,
    })
}

impl Arguments {
    /// Generates.
    pub(crate) fn run(self, context: &mut Context) -> Outcome {
        let What::Policy(Policy { since, from, style }) = self.what;
        let wanted = wanted(since, from.as_deref(), context);
        let calls = recorded(&wanted, context)?;
        let judge = Judge::new(&context.registry()?, &calls, OutboundPolicy::default(), context)?;
        let mut policy = Generated::of(&calls, &judge, wanted.from);
        policy.since = since;
        if policy.is_empty() {
            let within =
                if since.is_some() { " in that time\nhint: a longer --since, or none, takes older calls" } else { "" };
            let message = "no call that went is recorded".to_owned() + within;
            let hint = "\nhint: proxy start --access all records them; logs --all shows them";
            return Err(Failure::client(message + hint).into());
        }
        if policy.unknown > 0 {
            let told = format!("note: {} calls have no path in their records, and are not allowed", policy.unknown);
            context.say(&told).map_err(Failure::from)?;
        }
        let text = policy.yaml(style, context.namespace());
        Ok(context.out.write_all(text.as_bytes()).map_err(Failure::from)?)
    }
}
