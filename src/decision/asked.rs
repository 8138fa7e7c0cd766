//! A call that somebody asks about, and the answer in both its forms.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use http::header::HOST;
use http::uri::Scheme;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::call::{Arrival, Call, Failure, normalize};
use crate::expr::Timestamp;
use crate::snapshot::{Hop, Snapshot};

use super::{answer, explain, tree};

/// A call as it is asked about.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Asked {
    /// Name and namespace of the workload that calls; without it the caller is unknown.
    pub from: Option<(String, String)>,
    /// The method.
    pub method: String,
    /// The URL, as a client of the proxy has it.
    pub url: String,
    /// Headers, in their order.
    pub headers: Vec<(String, String)>,
    /// When it is made, in microseconds since 1970.
    pub at: i64,
}

/// What is said of a call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Told {
    /// For people.
    pub text: String,
    /// For scripts.
    pub answer: Json,
}

/// Explains what the sidecar of a listener, and what is behind it, would do with a call.
///
/// # Errors
/// What is no request at all, in words.
pub fn tell(snapshot: &Snapshot, listener: usize, asked: &Asked, color: bool) -> Result<Told, String> {
    Ok(match call(snapshot, listener, asked)? {
        Ok(call) => {
            let explained = explain(snapshot, Hop::Sidecar(listener), &call);
            let caller = asked.from.as_ref().map(|(name, namespace)| (name.as_str(), namespace.as_str()));
            Told { text: tree::text(&call, caller, &explained, color), answer: answer::json(&call, &explained) }
        }
        Err(failure) => {
            Told { text: tree::refused_head(failure, color), answer: answer::refused_head(&asked.url, failure) }
        }
    })
}

/// The call in its canonical form, or why the proxy would refuse its head.
fn call(snapshot: &Snapshot, listener: usize, asked: &Asked) -> Result<Result<Call, Failure>, String> {
    let mut head = http::Request::builder().method(asked.method.as_str()).uri(&asked.url);
    let mut has_host = false;
    for (name, value) in &asked.headers {
        has_host |= name.eq_ignore_ascii_case("host");
        head = head.header(name, value);
    }
    let hint = if asked.url.contains("://") { "" } else { "; write the URL with http:// in front" };
    let mut head = head.body(()).map_err(|error| format!("not a request: {error}{hint}"))?.into_parts().0;
    if !has_host && let Some(authority) = head.uri.authority() {
        let value = authority.as_str().parse().map_err(|_| "the URL's host is no header value".to_owned())?;
        head.headers.insert(HOST, value);
    }
    let caller = snapshot.callers().nth(listener).flatten().cloned().map(Arc::new);
    let time = Timestamp::from_micros(asked.at);
    let arrival = Arrival { time, chance: 0, caller, peer: IpAddr::V4(Ipv4Addr::LOCALHOST), tls: None };
    // A client of the proxy would ask for a tunnel instead.
    let absolute_elsewhere = head.uri.scheme().is_some_and(|scheme| *scheme != Scheme::HTTP);
    match normalize(head, arrival) {
        Err(failure) if absolute_elsewhere => Err(failure.reason().to_owned()),
        judged => Ok(judged),
    }
}
