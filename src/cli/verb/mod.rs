//! The verbs, one file each: arguments as clap reads them, what they mean, and the run.

mod table;

mod allow;
mod analyze;
mod api_resources;
mod apply;
mod completion;
mod create;
mod create_token;
mod delete;
mod demo;
mod describe;
mod eval;
mod exec;
mod generate;
mod get;
mod identity;
mod listen;
mod logs;
mod proxy;
mod proxy_config;
mod proxy_status;
mod replace;
mod replay;
mod run;
mod trace;
mod validate;
mod version;
mod why;

pub(crate) use table::Verb;

/// kubectl's order of help: what it does, examples, options, usage.
const HELP: &str = "{about}{after-help}\n\n{all-args}\n\nUsage:\n  {usage}\n";

/// The same with the words that may follow.
const HELP_WITH_SUBCOMMANDS: &str =
    "{about}{after-help}\n\nCommands:\n{subcommands}\n\nOptions:\n{options}\n\nUsage:\n  {usage}\n";

/// Width of help in columns, whatever the terminal's: an example that is broken into lines cannot be copied.
const HELP_WIDTH: usize = 120;

/// A verb's definition with kubectl's look and habits.
pub(super) fn as_kubectl(command: clap::Command) -> clap::Command {
    let help = if command.has_subcommands() { command } else { command.help_template(HELP) };
    help.term_width(HELP_WIDTH).args_override_self(true).mut_subcommands(as_kubectl)
}
