//! A call that somebody asks about, and the answer in both its forms.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::call::Failure;
use crate::diagnostic::nearest;
use crate::snapshot::{Hop, Snapshot};

use super::explain::explain_broken;
use super::request::{Arriving, arriving};
use super::{answer, tree};

/// A call as it is asked about. What is not given follows from the rest as it would for a client.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// Name and namespace of the workload that calls; without it the caller is unknown.
    pub from: Option<(String, String)>,
    /// Where it comes to.
    pub hop: Place,
    /// What is spoken.
    pub protocol: Option<Protocol>,
    /// The method.
    pub method: String,
    /// The URL, as a client of the proxy has it.
    pub url: Option<String>,
    /// How a request comes to the hop, if not as the hop has it.
    pub scheme: Option<Scheme>,
    /// The Host, or for bytes the host or address and port, instead of the URL's.
    pub authority: Option<String>,
    /// The port that is dialled at a sidecar, or the server's at the gateway.
    pub port: Option<u16>,
    /// Path with query, instead of the URL's.
    pub path: Option<String>,
    /// Headers, in their order.
    pub headers: Vec<(String, String)>,
    /// The server name that TLS asks for; empty where it asks for none.
    pub sni: Option<String>,
    /// What proves who calls.
    pub source: Source,
    /// When it is made, in microseconds since 1970.
    pub at: i64,
}

/// How a request comes to a hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// In plain text.
    #[serde(alias = "HTTP")]
    Http,
    /// Over TLS that ends there.
    #[serde(alias = "HTTPS")]
    Https,
}

/// Where a call comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// The caller's sidecar.
    #[default]
    Sidecar,
    /// A server of the egress gateway.
    Gateway,
}

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Requests.
    #[serde(alias = "HTTP")]
    Http,
    /// TLS that nobody but the origin ends.
    #[serde(alias = "TLS")]
    Tls,
    /// Any bytes.
    #[serde(alias = "TCP")]
    Tcp,
}

/// What proves who calls.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "an object with principal and ip")]
pub struct Source {
    /// The identity in its certificate.
    pub principal: Option<String>,
    /// Its address.
    pub ip: Option<IpAddr>,
}

/// What is said of a call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Told {
    /// For people.
    pub text: String,
    /// For scripts.
    pub answer: Json,
}

/// Explains what a hop, and what is behind it, would do with a call. A caller of the gateway may come by no listener.
///
/// # Errors
/// What is no call at all, in words.
pub fn tell(snapshot: &Snapshot, listener: Option<usize>, asked: &Asked, color: bool) -> Result<Told, String> {
    Ok(match arriving(snapshot, listener, asked)? {
        Arriving::Call { hop, protocol, call, broken } => {
            let explained = explain_broken(snapshot, hop, &call, broken.as_ref());
            let from = asked.from.as_ref().map(|(name, namespace)| (name.as_str(), namespace.as_str()));
            let mut text = tree::text(&call, protocol, from, &explained, color);
            if let (Some(Failure::UnknownHost), Hop::Sidecar(listener)) = (explained.failure, hop) {
                let hosts = snapshot.routes.hosts(snapshot.scope(listener));
                let near = nearest(call.authority().host(), hosts);
                text.extend(near.map(|near| format!("  did you mean {near}?\n")));
            }
            Told { text, answer: answer::json(&call, &explained) }
        }
        Arriving::Refused { protocol, failure } => Told {
            text: tree::refused_head(protocol, failure, color),
            answer: answer::refused_head(protocol, asked.path.as_deref().or(asked.url.as_deref()), failure),
        },
    })
}
