//! Asks running proxies over their Unix sockets.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::failure::Failure;
use super::http;
use crate::node::api::{self, Answer, Question, Rows, Section, Status};
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

/// Every proxy that has a socket, by name; without status those that left theirs when they were killed.
///
/// # Errors
/// An answer that cannot be read.
pub(crate) fn known(state: &StateDir) -> Result<Vec<(String, Option<Status>)>, Failure> {
    let running = all(state)?;
    let status = |name: &str| running.iter().find(|status| status.node == name).cloned();
    Ok(names(state).into_iter().map(|name| (name.clone(), status(&name))).collect())
}

/// Tells a proxy to drain.
///
/// # Errors
/// When none of that name runs.
pub(crate) fn drain(state: &StateDir, node: &str) -> Result<(), Failure> {
    ask(&state.node_socket(node), reqwest::Method::POST, api::DRAIN, Vec::new())
        .map(drop)
        .map_err(|_| nobody(state, node))
}

/// A proxy's counters in Prometheus' text form.
///
/// # Errors
/// When none of that name runs.
pub(crate) fn metrics(state: &StateDir, node: &str) -> Result<Vec<u8>, Failure> {
    ask(&state.node_socket(node), reqwest::Method::GET, api::METRICS, Vec::new()).map_err(|_| nobody(state, node))
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
            Err(_) => return Err(nobody(state, name)),
        }
    }
    Ok(answers)
}

/// What proxies have compiled of a section: the one that is named, or all that run.
///
/// # Errors
/// When none of that name runs, or none at all; an answer that cannot be read.
pub(crate) fn rows<T: DeserializeOwned>(
    state: &StateDir,
    node: Option<&str>,
    section: Section,
) -> Result<Vec<Rows<T>>, Failure> {
    let mut sockets = node.map_or_else(|| state.node_sockets(), |node| vec![state.node_socket(node)]);
    sockets.sort();
    let mut found = Vec::new();
    for socket in sockets.iter().filter(|socket| is_answered(socket)) {
        let body = ask(socket, reqwest::Method::GET, &format!("{}{}", api::CONFIG_DUMP, section.name()), Vec::new())?;
        found.push(serde_json::from_slice(&body).map_err(|error| Failure::client(error.to_string()))?);
    }
    match (found.is_empty(), node) {
        (false, _) => Ok(found),
        (true, Some(node)) => Err(nobody(state, node)),
        (true, None) => {
            Err(Failure::client("no proxy runs on this state directory; start one with `egressctl proxy start`"))
        }
    }
}

/// Names of the proxies that have a socket, also of those that were killed and left theirs.
pub(crate) fn names(state: &StateDir) -> Vec<String> {
    let sockets = state.node_sockets();
    let mut names: Vec<_> =
        sockets.iter().filter_map(|socket| Some(socket.file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    names
}

/// Whether somebody listens.
fn is_answered(socket: &Path) -> bool {
    UnixStream::connect(socket).is_ok()
}

/// Names of the proxies that run.
pub(crate) fn running(state: &StateDir) -> Vec<String> {
    names(state).into_iter().filter(|name| is_answered(&state.node_socket(name))).collect()
}

fn nobody(state: &StateDir, node: &str) -> Failure {
    let others = match running(state).as_slice() {
        [] => String::new(),
        others => format!("; there is {}", others.join(", ")),
    };
    Failure::client(format!("no proxy named {node:?} runs on this state directory{others}"))
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
