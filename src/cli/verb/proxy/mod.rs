//! `proxy`: start, ask and stop a proxy.

mod flags;
mod start;
mod status;

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::cli::admin_client;
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Outcome};

pub(crate) use flags::outbound_policy;
pub(crate) use status::{in_force, rules_in_words};

use flags::Start;
use status::StatusArgs;

/// Pause between two looks whether a proxy has stopped.
const STOP_PAUSE: Duration = Duration::from_millis(10);

/// Name of a node that is given none, and plays the gateway.
const DEFAULT_NODE: &str = "egressgateway";

/// Start, ask and stop the forward proxy.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

impl Arguments {
    /// Starts, asks or stops.
    pub(crate) fn run(self, context: &mut Context) -> Outcome {
        match self.action {
            Action::Start(flags) => {
                context.make_state();
                start::run(flags, context)
            }
            Action::Status(arguments) => status::show(&arguments, context),
            Action::Metrics(arguments) => metrics(&arguments, context),
            Action::Stop(arguments) => stop(&arguments, context),
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  # Take the calls of the workload sleep in namespace default, and play the egress gateway
  egressctl proxy start --listen 127.0.0.1:15001=sleep

  # One listener for all who show a token of their service account
  egressctl proxy start --listen 127.0.0.1:15001 --require-identity

  # One listener for each of two workloads
  egressctl proxy start --listen 127.0.0.1:15001=sleep --listen 127.0.0.1:15002=billing.finance

  # The gateway and a sidecar in processes of their own, which speak mutual TLS
  egressctl proxy start --role gateway --mesh-listen 127.0.0.1:15443
  egressctl proxy start --role sidecar --listen 127.0.0.1:15001=sleep --gateway 127.0.0.1:15443

  # Call through it
  http_proxy=http://127.0.0.1:15001 curl http://edition.cnn.com/sport

  # The same with HTTPS, which is passed through by its server name, and through SOCKS 5
  https_proxy=http://127.0.0.1:15001 curl https://edition.cnn.com/sport
  curl --proxy socks5h://127.0.0.1:15001 https://edition.cnn.com/sport

  # Upgrade: the new program goes on where the running one was, and no call is lost
  egressctl proxy start --listen 127.0.0.1:15001=sleep --replace

  # See how it does, and stop it when its calls are done
  egressctl proxy status
  egressctl proxy metrics
  egressctl proxy stop";

#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "made once, and clap takes no boxed one")]
enum Action {
    /// Run a proxy in the foreground: a sidecar for each --listen, and the egress gateway, in one process or two
    Start(Start),
    /// Show the proxies that run on this state directory
    Status(StatusArgs),
    /// Print a proxy's counters, and the metrics of its prometheus handlers, in Prometheus' text form
    Metrics(Node),
    /// Let a proxy finish its calls and end
    Stop(StopArgs),
}

#[derive(Debug, Args)]
struct Node {
    /// Name of the proxy
    #[arg(long, value_name = "NAME", default_value = DEFAULT_NODE, value_parser = node_name)]
    node: String,
}

#[derive(Debug, Args)]
struct StopArgs {
    #[command(flatten)]
    node: Node,
    /// Return at once, while running calls are finished
    #[arg(long)]
    no_wait: bool,
}

/// A node's name is part of a file's.
fn node_name(text: &str) -> Result<String, String> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if plain { Ok(text.to_owned()) } else { Err("a node's name is made of letters, digits, - and _".into()) }
}

fn metrics(arguments: &Node, context: &mut Context) -> Outcome {
    let metrics = admin_client::metrics(&context.state_dir()?, &arguments.node)?;
    Ok(context.out.write_all(&metrics)?)
}

fn stop(arguments: &StopArgs, context: &mut Context) -> Outcome {
    let (state, node) = (context.state_dir()?, &arguments.node.node);
    admin_client::drain(&state, node)?;
    writeln!(context.out, "proxy {node} draining").map_err(Failure::from)?;
    if arguments.no_wait {
        return Ok(());
    }
    context.out.flush().map_err(Failure::from)?;
    // Its socket goes with it. How long that takes is for its own drain timeout to say.
    while UnixStream::connect(state.node_socket(node)).is_ok() {
        std::thread::sleep(STOP_PAUSE);
    }
    writeln!(context.out, "proxy {node} stopped").map_err(Failure::from)?;
    for other in admin_client::running(&state) {
        context.say(&format!("Proxy {other} still runs: egressctl proxy stop --node {other}"))?;
    }
    Ok(())
}
