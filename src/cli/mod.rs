//! The command line: kubectl's verbs and texts, and a few of our own.
//!
//! What was typed is read by clap into the arguments of a [`verb`]; the verb turns them into a request to the floors
//! below and prints what comes of it. Nothing below this module knows a flag.

mod admin_client;
mod audit;
mod bar;
mod bounds;
mod change;
mod context;
mod declare;
pub mod demo;
mod eval;
mod failure;
mod find;
mod generate;
mod http;
mod input;
mod leftover;
mod offline;
mod output;
mod own_proxy;
mod recording;
mod replay;
mod retention;
mod sandboxed;
mod selector;
mod style;
mod target;
mod time;
mod usage;
mod verb;

use std::env;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use context::{Context, Global};
use failure::Outcome;
use verb::Verb;

/// Declare who may call what outside, forward, decide, record, ask: Istio's egress gateway in one binary.
///
/// Resources are those of Istio and Kubernetes, verbs and flags are kubectl's.
#[derive(Debug, Parser)]
#[command(name = "egressctl", version, styles = clap::builder::Styles::plain(), args_override_self = true, arg_required_else_help = true)]
#[command(infer_long_args = false)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

/// The command line's definition, from which help and completions are made.
pub fn command() -> clap::Command {
    Cli::command().mut_subcommands(verb::as_kubectl)
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    if let Some(ended) = crate::sandbox::as_init() {
        return ended;
    }
    let typed: Vec<OsString> = env::args_os().collect();
    let command = command();
    let words = usage::without_boolean_values(&command, &typed);
    let parsed =
        command.try_get_matches_from(words).and_then(|found| <Cli as clap::FromArgMatches>::from_arg_matches(&found));
    match parsed {
        Ok(Cli { global, verb }) => run(verb, &mut Context::new(global)),
        Err(error) => usage::report(&error, &typed),
    }
}

fn run(verb: Verb, context: &mut Context) -> ExitCode {
    let outcome = verb.run(context);
    // If nobody reads standard error, the exit code still tells.
    let _ = context.count_warnings();
    let flushed = context.out.flush();
    finish(outcome.and(flushed.map_err(Into::into)), context)
}

/// Tells of failures; that the reader of a pipe has left is none.
fn finish(outcome: Outcome, context: &mut Context) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failures) if failures.is_broken_pipe() => ExitCode::SUCCESS,
        Err(failures) => {
            // If nobody reads standard error, the exit code still tells.
            let _ = write!(context.err, "{}", failures.text(context.color_err));
            ExitCode::from(failures.status())
        }
    }
}
