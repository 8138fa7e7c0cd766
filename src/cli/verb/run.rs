//! `run`: a command of this machine as a workload, with a proxy of its own where none runs.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use clap::Args;

use crate::cli::admin_client;
use crate::cli::audit;
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::own_proxy::OwnProxy;
use crate::cli::sandboxed::{self, Wanted};
use crate::identity::Workload;
use crate::registry::{ListQuery, View};
use crate::resource::kinds::{DEPLOYMENT, POD};
use crate::sandbox::{Lease, Tenant, with_proxy_variables};
use crate::state::StateDir;

const EXAMPLES: &str = "Examples:
  # Run a program as the workload sleep: it can call what sleep may call, and each call is recorded
  egressctl run --from sleep -- curl -s http://edition.cnn.com/politics

  # Where one workload is declared it need not be named
  egressctl run -- npm test

  # What would a command need? Everything goes, and at the end it is told what the present policy would refuse
  egressctl run --audit --from sleep -- npm install

  # Where the kernel makes no namespaces: tell the program of the proxy, and isolate nothing
  egressctl run --best-effort --from sleep -- curl -s http://edition.cnn.com/politics";

/// Run a command of this machine as a workload, in a sandbox that only its sidecar leads out of.
///
/// Where no proxy runs on the state directory, one runs for as long as the command.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, override_usage = "egressctl run [--from WORKLOAD] [OPTIONS] -- COMMAND [ARGS…]")]
pub(crate) struct Arguments {
    /// The command and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
    /// Workload (Deployment or Pod) that it runs as [default: the only one of the namespace]
    #[arg(long, value_name = "WORKLOAD[.NAMESPACE]")]
    from: Option<String>,
    /// The proxy that takes its calls [default: the first that runs on this state directory]
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// Isolate nothing: only tell the command by variables to call through the proxy; this is recorded
    #[arg(long, conflicts_with_all = ["audit", "private_tmp"])]
    best_effort: bool,
    /// Give it an empty /tmp and /var/tmp of its own, in which no socket of others can appear
    #[arg(long)]
    private_tmp: bool,
    #[command(flatten)]
    audit: audit::Flag,
}

impl Arguments {
    /// Finds workload and proxy, and runs the command.
    pub(crate) fn run(self, context: &mut Context) -> Outcome {
        if self.command.is_empty() {
            return Err(Failure::client("what shall run? Give a command behind --").into());
        }
        let state = context.state_dir()?;
        let tenant = {
            let registry = context.registry()?;
            match &self.from {
                Some(from) => named(&registry, from, context.namespace())?,
                None => only(&registry, context.namespace())?,
            }
        };
        if self.best_effort {
            return Err(self.unconfined(&state, &tenant, context)?.into());
        }
        let asked = self.audit.asked(&tenant);
        let (lease, own) = match sandboxed::lease(&state, self.node.as_deref(), &asked) {
            Some(lease) => (lease, None),
            None => {
                let own = OwnProxy::start(&state, &tenant)?;
                (own.lease(&state, &asked)?, Some(own))
            }
        };
        let audit = self.audit.open(&tenant)?;
        let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let (command, private_tmp) = (self.command, self.private_tmp);
        let wanted = Wanted { command, directory: None, private_tmp, input: true, terminal, audit };
        let outcome = sandboxed::run(wanted, &state, &lease, |_| String::new());
        drop(lease);
        // What it has recorded is in the log when it has ended.
        if let Some(own) = own {
            own.finish();
        }
        outcome
    }

    /// Becomes the command, with variables that tell it of the proxy; what is given back is why not.
    fn unconfined(&self, state: &StateDir, tenant: &Tenant, context: &mut Context) -> Result<Failure, Failure> {
        let Tenant { workload, namespace } = tenant;
        let name = format!("{workload}.{namespace}");
        let proxies = admin_client::all(state)?;
        let chosen = proxies.iter().filter(|proxy| self.node.as_ref().is_none_or(|node| *node == proxy.node));
        let listener = |proxy: &'_ crate::node::api::Status| {
            let found = proxy.listeners.iter().find(|listener| listener.workload.as_ref() == Some(&name))?;
            Some((proxy.node.clone(), found.address.clone()))
        };
        let Some((node, address)) = chosen.filter_map(listener).next() else {
            return Ok(Failure::client(format!(
                "no proxy that runs on this state directory has a listener for {name}\nhint: start one with `egressctl proxy \
                 start --listen 127.0.0.1:15001={name}`"
            )));
        };
        Lease::unconfined(&state.node_door(&node), tenant)
            .map_err(|error| Failure::client(format!("the proxy does not record it: {error}")))?;
        context.say("warning: nothing is isolated; calls that do not heed the proxy variables go anywhere, and are not recorded")?;
        let Some((program, arguments)) = self.command.split_first() else { return Ok(Failure::client("no command")) };
        let mut command = Command::new(program);
        with_proxy_variables(command.args(arguments), &format!("http://{address}"));
        let error = command.exec();
        let status = if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 };
        Ok(Failure::Status(status, format!("error: cannot run {}: {error}", program.display())))
    }
}

/// The workload that a word names.
fn named(view: &dyn View, from: &str, namespace: &str) -> Result<Tenant, Failure> {
    let (name, namespace) = from.split_once('.').unwrap_or((from, namespace));
    if Workload::find(view, name, namespace)?.is_some() {
        return Ok(Tenant { workload: name.to_owned(), namespace: namespace.to_owned() });
    }
    let near = Workload::nearest(view, name, namespace)?;
    let hint = near.map(|(near, of)| format!("\nhint: did you mean {near}.{of}?")).unwrap_or_default();
    Err(Failure::Server {
        reason: "NotFound",
        message: format!("no workload \"{name}\" in namespace \"{namespace}\"{hint}"),
    })
}

/// The only workload of a namespace.
fn only(view: &dyn View, namespace: &str) -> Result<Tenant, Failure> {
    let mut found = Vec::new();
    for kind in [&DEPLOYMENT, &POD] {
        found.extend(view.list(&ListQuery::within(kind, namespace))?.into_iter().map(|one| one.meta.name));
    }
    match found.as_slice() {
        [one] => Ok(Tenant { workload: one.clone(), namespace: namespace.to_owned() }),
        [] => Err(Failure::client(format!(
            "no workload is declared in namespace {namespace}, so nothing says what the command may call\nhint: declare a \
             Deployment, as fixtures/scenario/sleep.yaml does"
        ))),
        several => Err(Failure::client(format!("as which workload? Name one with --from: {}", several.join(", ")))),
    }
}
