//! `proxy start`.

use crate::cli::admin_client;
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::identity::Workload;
use crate::node::{NodeConfig, Role, Running, StartError, start};
use crate::registry::View;
use crate::state::StateDir;

use super::flags::Start;
use super::status::rules_in_words;

/// Runs a proxy to its end.
pub(super) fn run(flags: Start, context: &mut Context) -> Outcome {
    let until_eof = flags.until_eof;
    let config = flags.config(context.namespace())?;
    let state = context.state_dir()?;
    let of_state = state.clone();
    let shown = state.path().display().to_string();
    if until_eof {
        stop_at_eof();
    }
    let registry = context.registry()?;
    for (name, namespace) in config.listeners.iter().filter_map(|listener| listener.workload.as_ref()) {
        not_mistyped(&registry, name, namespace)?;
    }
    let started = crate::cli::http::runtime()?.block_on(async {
        let running = match start(state, config.clone()).await {
            Ok(running) => running,
            Err(error) => return Err(error),
        };
        let announced = announce(&config, &running, &shown, context);
        if announced.is_ok() {
            running.serve().await;
        }
        Ok(announced)
    });
    match started {
        Ok(ended) => ended,
        Err(StartError::Running(node)) if is_ending(&node, &of_state) => Err(Failure::client(format!(
            "a proxy named {node:?} is still finishing its calls in this state directory\nhint: `egressctl proxy stop --node {node}` \
             waits until it has stopped"
        ))
        .into()),
        Err(error) => Err(worded(error).into()),
    }
}

/// Whether the proxy of this name that runs is about to end.
fn is_ending(node: &str, state: &StateDir) -> bool {
    let running = admin_client::all(state).unwrap_or_default();
    running.iter().any(|status| status.node == node && status.state == "draining")
}

/// Stops this process as SIGTERM does, when nobody holds the other end of its standard input any more.
fn stop_at_eof() {
    std::thread::spawn(|| {
        // However it ends, nobody is there any more.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM);
    });
}

/// Refuses a workload that is not declared where it looks like a slip for one that is: all its calls would be refused.
/// Any other may be declared later.
fn not_mistyped(view: &dyn View, name: &str, namespace: &str) -> Result<(), Failure> {
    if Workload::find(view, name, namespace)?.is_some() {
        return Ok(());
    }
    let Some((near, of)) = Workload::nearest(view, name, namespace)? else { return Ok(()) };
    let message = format!(
        "no workload \"{name}\" in namespace \"{namespace}\"\nhint: did you mean {near}.{of}? If not, declare {name} first"
    );
    Err(Failure::Server { reason: "NotFound", message })
}

/// Stores say what to do about a fault.
fn worded(error: StartError) -> Failure {
    match error {
        StartError::State(error) => error.into(),
        StartError::Registry(error) => error.into(),
        StartError::Log(error) => error.into(),
        StartError::Identity(error) => error.into(),
        other => Failure::client(other.to_string()),
    }
}

/// Says what is served; entries go to standard output, so this goes to standard error.
fn announce(config: &NodeConfig, running: &Running, state: &str, context: &mut Context) -> Outcome {
    let mut text = format!("egressctl: proxy {} on {state}, {} worker(s)\n", config.name, config.workers);
    for (address, listener) in running.addresses.iter().zip(&config.listeners) {
        match &listener.workload {
            Some((name, namespace)) => text.push_str(&format!("  sidecar of {name}.{namespace} on {address}\n")),
            None if config.require_identity => {
                text.push_str(&format!("  sidecar of callers who show a token on {address}\n"));
            }
            None => text.push_str(&format!("  sidecar of unknown callers on {address}\n")),
        }
    }
    text.push_str(&match (config.role, &config.gateway) {
        (Role::All, _) => "  egress gateway istio-egressgateway.istio-system in the same process\n".to_owned(),
        (Role::Gateway, _) => "  egress gateway istio-egressgateway.istio-system\n".to_owned(),
        (Role::Sidecar, Some((host, port))) => format!("  calls through the egress gateway go to {host}:{port}\n"),
        (Role::Sidecar, None) => {
            "  calls through the egress gateway go where it says in the state directory\n".to_owned()
        }
    });
    if let Some(address) = running.mesh_address {
        text.push_str(&format!("  sidecars of other processes on {address}\n"));
    }
    for (address, listener) in running.gateway_addresses.iter().zip(&config.gateway_listeners) {
        text.push_str(&format!("  its servers on port {} on {address}\n", listener.port));
        if !running.has_server(listener.port) {
            text.push_str(&format!(
                "  note: no Gateway has a server on port {} yet: calls there get 404\n",
                listener.port
            ));
        }
    }
    if let Some(address) = running.metrics_address {
        text.push_str(&format!("  metrics on http://{address}/metrics\n"));
    }
    text.push_str(&format!("  policy: {}\n", rules_in_words(running.enforced().0, &running.only_reporting())));
    for note in running.notes() {
        text.push_str(&format!("  note: {note}\n"));
    }
    text.push_str("ready");
    // Whoever started it may not listen any more; that is no reason not to serve.
    match context.say(&text) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        said => Ok(said?),
    }
}
