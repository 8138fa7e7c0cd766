//! Asks running proxies over their Unix sockets.

use std::path::Path;
use std::time::Duration;

use crate::cli::failure::Failure;
use crate::node::api::{self, Status};
use crate::state::StateDir;

/// How long a proxy may take to answer; its control loop never has work that takes longer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The status of every proxy that runs on a state directory, by name. Sockets that nobody answers on are left by
/// proxies that were killed.
pub fn all(state: &StateDir) -> Result<Vec<Status>, Failure> {
    let mut sockets: Vec<_> = state.node_sockets();
    sockets.sort();
    run(async {
        let mut found = Vec::new();
        for socket in &sockets {
            if let Ok(response) = client(socket)?.get(url(api::STATUS)).send().await {
                let body = response.bytes().await.map_err(|error| Failure::client(error.to_string()))?;
                found.push(serde_json::from_slice(&body).map_err(|error| Failure::client(error.to_string()))?);
            }
        }
        Ok(found)
    })
}

/// Tells a proxy to drain.
///
/// # Errors
/// When none of that name runs.
pub fn drain(state: &StateDir, node: &str) -> Result<(), Failure> {
    let socket = state.node_socket(node);
    run(async {
        let sent = client(&socket)?.post(url(api::DRAIN)).send().await;
        sent.map(drop).map_err(|_| Failure::client(format!("no proxy named {node:?} runs on this state directory")))
    })
}

fn run<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::system)?;
    runtime.block_on(work)
}

fn client(socket: &Path) -> Result<reqwest::Client, Failure> {
    let builder = super::http_client().map_err(Failure::system)?.unix_socket(socket).timeout(TIMEOUT);
    builder.build().map_err(|error| Failure::client(error.to_string()))
}

/// The host says nothing: the socket decides who answers.
fn url(path: &str) -> String {
    format!("http://proxy{path}")
}
