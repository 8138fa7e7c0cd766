//! Asks running proxies over their Unix sockets.

use std::path::Path;
use std::time::Duration;

use super::failure::Failure;
use super::http;
use crate::node::api::{self, Answer, Question, Status};
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
        if let Ok(body) = ask(socket, reqwest::Method::GET, api::STATUS, Vec::new()) {
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
    ask(&state.node_socket(node), reqwest::Method::POST, api::DRAIN, Vec::new()).map(drop).map_err(|_| nobody(node))
}

/// A proxy's counters in Prometheus' text form.
///
/// # Errors
/// When none of that name runs.
pub(crate) fn metrics(state: &StateDir, node: &str) -> Result<Vec<u8>, Failure> {
    ask(&state.node_socket(node), reqwest::Method::GET, api::METRICS, Vec::new()).map_err(|_| nobody(node))
}

/// What running proxies say of a call, each with its name: the one that is named, or all.
///
/// # Errors
/// When none of that name runs, or an answer cannot be read.
pub(crate) fn trace(
    state: &StateDir,
    node: Option<&str>,
    question: &Question,
) -> Result<Vec<(String, Answer)>, Failure> {
    let unreadable = |error: serde_json::Error| Failure::client(error.to_string());
    let question = serde_json::to_vec(question).map_err(unreadable)?;
    let mut sockets = node.map_or_else(|| state.node_sockets(), |node| vec![state.node_socket(node)]);
    sockets.sort();
    let mut answers = Vec::new();
    for socket in &sockets {
        let name = socket.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        match ask(socket, reqwest::Method::POST, api::TRACE, question.clone()) {
            Ok(body) => answers.push((name.to_owned(), serde_json::from_slice(&body).map_err(unreadable)?)),
            // Left by a proxy that was killed.
            Err(_) if node.is_none() => {}
            Err(_) => return Err(nobody(name)),
        }
    }
    Ok(answers)
}

fn nobody(node: &str) -> Failure {
    Failure::client(format!("no proxy named {node:?} runs on this state directory"))
}

fn ask(socket: &Path, method: reqwest::Method, path: &str, body: Vec<u8>) -> Result<Vec<u8>, Failure> {
    let failed = |error: reqwest::Error| Failure::client(error.to_string());
    http::runtime()?.block_on(async {
        let client = http::client().no_proxy().unix_socket(socket).timeout(TIMEOUT).build().map_err(failed)?;
        // The host says nothing: the socket decides who answers.
        let answer = client.request(method, format!("http://proxy{path}")).body(body).send().await.map_err(failed)?;
        Ok(answer.bytes().await.map_err(failed)?.to_vec())
    })
}
