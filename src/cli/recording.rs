//! What a proxy records of calls, as flags say it.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::decision::access::{self, Durability, Recorded, Redact};

/// What is recorded of calls besides the lines that rules ask for.
#[derive(Debug, Clone, Args)]
pub(crate) struct Recording {
    /// Of which calls a record is kept, whether a rule asks for a line or not (logs --all shows them)
    #[arg(long, value_name = "off|refused|all", default_value = "all", value_parser = calls())]
    access: Recorded,
    /// What is left out of these records: nothing, the query, or the path and headers too; credentials always are
    #[arg(long, value_name = "none|query|all", default_value = "query", value_parser = redact())]
    redact: Redact,
    /// group: calls are recorded a moment after they end; strict: a call leaves only when its intent is on disk
    #[arg(long, value_name = "group|strict", default_value = "group", value_parser = durability())]
    durability: Durability,
}

fn durability() -> impl TypedValueParser<Value = Durability> {
    PossibleValuesParser::new(["group", "strict"]).map(|name| match name.as_str() {
        "strict" => Durability::Strict,
        _ => Durability::Group,
    })
}

fn calls() -> impl TypedValueParser<Value = Recorded> {
    PossibleValuesParser::new(["off", "refused", "all"]).map(|name| match name.as_str() {
        "off" => Recorded::Off,
        "refused" => Recorded::Refused,
        _ => Recorded::All,
    })
}

fn redact() -> impl TypedValueParser<Value = Redact> {
    PossibleValuesParser::new(["none", "query", "all"]).map(|name| match name.as_str() {
        "none" => Redact::None,
        "query" => Redact::Query,
        _ => Redact::All,
    })
}

impl From<Recording> for access::Recording {
    fn from(flags: Recording) -> Self {
        Self { calls: flags.access, redact: flags.redact, durability: flags.durability }
    }
}
