//! Asks running proxies over their Unix sockets.

use std::path::Path;
use std::time::Duration;

use super::failure::Failure;
use super::http;
use crate::node::api::{self, Status};
use crate::state::StateDir;

/// How long a proxy may take to answer; its control loop never has work that takes longer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The status of every proxy that runs on a state directory, by name. Sockets that nobody answers on are left by
/// proxies that were killed.
///
/// # Errors
/// An answer that cannot be read.
pub(crate) fn all(state: &StateDir) -> Result<Vec<Status>, Failure> {
    let mut sockets = state.node_sockets();
    sockets.sort();
    let mut found = Vec::new();
    for socket in &sockets {
        if let Ok(body) = ask(socket, reqwest::Method::GET, api::STATUS) {
            found.push(serde_json::from_slice(&body).map_err(|error| Failure::client(error.to_string()))?);
        }
    }
    Ok(found)
}

/// Tells a proxy to drain.
///
/// # Errors
/// When none of that name runs.
pub(crate) fn drain(state: &StateDir, node: &str) -> Result<(), Failure> {
    ask(&state.node_socket(node), reqwest::Method::POST, api::DRAIN).map(drop).map_err(|_| nobody(node))
}

/// A proxy's counters in Prometheus' text form.
///
/// # Errors
/// When none of that name runs.
pub(crate) fn metrics(state: &StateDir, node: &str) -> Result<Vec<u8>, Failure> {
    ask(&state.node_socket(node), reqwest::Method::GET, api::METRICS).map_err(|_| nobody(node))
}

fn nobody(node: &str) -> Failure {
    Failure::client(format!("no proxy named {node:?} runs on this state directory"))
}

fn ask(socket: &Path, method: reqwest::Method, path: &str) -> Result<Vec<u8>, Failure> {
    let failed = |error: reqwest::Error| Failure::client(error.to_string());
    http::runtime()?.block_on(async {
        let client = http::client().no_proxy().unix_socket(socket).timeout(TIMEOUT).build().map_err(failed)?;
        // The host says nothing: the socket decides who answers.
        let answer = client.request(method, format!("http://proxy{path}")).send().await.map_err(failed)?;
        Ok(answer.bytes().await.map_err(failed)?.to_vec())
    })
}
