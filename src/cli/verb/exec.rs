//! `exec`: a command of this machine, run as a workload.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::Value as Json;

use crate::cli::audit;
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::sandboxed::{self, Wanted};
use crate::sandbox::Tenant;

const EXAMPLES: &str = "Examples:
  # Run curl of this machine as the workload that the pod belongs to; its calls go through its sidecar, and nowhere else
  egressctl exec $SOURCE_POD -c sleep -- curl -s http://edition.cnn.com/politics

  # A shell with a terminal
  egressctl exec -it $SOURCE_POD -- bash

  # The first pod of a deployment, with something on standard input
  egressctl exec -i deployment/sleep -- wc -c < README.md";

/// Run a command of this machine as a workload, in a sandbox that only its sidecar leads out of.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, override_usage = "egressctl exec (POD | TYPE/NAME) [-c CONTAINER] [OPTIONS] -- COMMAND [ARGS…]")]
pub(crate) struct Arguments {
    /// Pod, or deployment/NAME, whose first pod it is
    #[arg(value_name = "POD")]
    pod: String,
    /// The command and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
    /// Container of the pod
    #[arg(short, long, value_name = "NAME")]
    container: Option<String>,
    /// Pass standard input on
    #[arg(short = 'i', long)]
    stdin: bool,
    /// Give it a terminal, if there is one
    #[arg(short, long)]
    tty: bool,
    /// The proxy that takes its calls [default: the first that runs on this state directory]
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// Give it an empty /tmp and /var/tmp of its own, in which no socket of others can appear
    #[arg(long)]
    private_tmp: bool,
    #[command(flatten)]
    audit: audit::Flag,
}

impl Arguments {
    /// Finds pod and proxy, and runs the command.
    pub(crate) fn run(self, context: &mut Context) -> Outcome {
        if self.command.is_empty() {
            return Err(Failure::client("you must specify at least one command for the container").into());
        }
        let state = context.state_dir()?;
        let (tenant, directory) = {
            let registry = context.registry()?;
            let pod = sandboxed::pod(&self.pod, &registry, context.namespace())?;
            let container = sandboxed::container(&pod, self.container.as_deref(), context)?;
            let directory = container.and_then(|container| container.get("workingDir")).and_then(Json::as_str);
            (sandboxed::tenant(&registry, &pod)?, directory.map(PathBuf::from))
        };
        if self.tty && !std::io::stdin().is_terminal() {
            context.say("Unable to use a TTY - input is not a terminal or the right kind of file")?;
        }
        let asked = self.audit.asked(&tenant);
        let lease = sandboxed::lease(&state, self.node.as_deref(), &asked).ok_or_else(|| nobody(&tenant))?;
        let audit = self.audit.open(&tenant)?;
        let (input, terminal, private_tmp) = (self.stdin, self.stdin && self.tty, self.private_tmp);
        let wanted = Wanted { command: self.command, directory, private_tmp, input, terminal, audit };
        sandboxed::run(wanted, &state, &lease, |status| format!("command terminated with exit code {status}"))
    }
}

fn nobody(tenant: &Tenant) -> Failure {
    let Tenant { workload, namespace } = tenant;
    Failure::client(format!(
        "no proxy runs on this state directory that could take the calls of {workload}.{namespace}\nhint: start one with \
         `egressctl proxy start`, or use `egressctl run`, which brings its own"
    ))
}
