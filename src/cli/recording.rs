//! What a proxy records of calls, as flags say it.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::accesslog::{self, Redact, WhenFull};
use crate::decision::access::{self, Durability, Recorded};

/// What is recorded of calls besides the lines that rules ask for.
#[derive(Debug, Clone, Args)]
pub(crate) struct Recording {
    /// Of which calls a record is kept, whether a rule asks for a line or not (logs --all shows them)
    #[arg(long, value_name = "off|refused|all", default_value = "all", value_parser = calls())]
    access: Recorded,
    /// What is left out of these records: nothing, the query, or the path and headers too; credentials always are
    ///
    /// The same is left out of the lines of rules, unless the instance has an annotation egressctl.io/redact that says otherwise.
    #[arg(long, value_name = "none|query|all", default_value = "query", value_parser = redact())]
    redact: Redact,
    /// group: calls are recorded a moment after they end; strict: a call leaves only when its intent is on disk
    #[arg(long, value_name = "group|strict", default_value = "group", value_parser = durability())]
    durability: Durability,
    /// What becomes of calls while the log takes no entries (a full disk) and its queue is full: refused with 503, or served
    /// and counted, without a record
    #[arg(long, value_name = "refuse|serve", default_value = "refuse", value_parser = when_full())]
    log_full: WhenFull,
    /// How many calls may be under way or not yet in the log; half of them may be tunnels
    #[arg(long, value_name = "CALLS", default_value_t = accesslog::Config::default().capacity,
          value_parser = clap::value_parser!(u32).range(2..).map(|calls| calls as usize))]
    log_queue: usize,
}

impl Recording {
    /// How the log takes it.
    pub(crate) fn log(&self) -> accesslog::Config {
        accesslog::Config { capacity: self.log_queue, when_full: self.log_full, ..accesslog::Config::default() }
    }
}

fn when_full() -> impl TypedValueParser<Value = WhenFull> {
    PossibleValuesParser::new(["refuse", "serve"]).map(|name| match name.as_str() {
        "serve" => WhenFull::Serve,
        _ => WhenFull::Refuse,
    })
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

/// One of the names of what is left out.
pub(crate) fn redact() -> impl TypedValueParser<Value = Redact> {
    PossibleValuesParser::new(Redact::NAMES).map(|name| Redact::by_name(&name).unwrap_or_default())
}

impl From<Recording> for access::Recording {
    fn from(flags: Recording) -> Self {
        Self { calls: flags.access, redact: flags.redact, durability: flags.durability }
    }
}
