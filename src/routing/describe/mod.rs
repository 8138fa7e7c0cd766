//! What a route table holds, as plain values: for people who ask a running proxy (`proxy-config`), never for a call.
//!
//! The nouns are Envoy's, and each piece names the resource that it came from.

mod clusters;
mod listeners;
mod matches;
mod routes;

use serde::{Deserialize, Serialize};

use crate::resource::Provenance;

use super::{PortRoutes, RouteTable, SidecarHost, hosts::HostTable, tunnel::Port};

/// The proxy whose part of a route table is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Sidecars of a scope.
    Sidecar(usize),
    /// The egress gateway.
    Gateway,
}

/// What calls to a port meet first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listener {
    /// The port: that which is called, of a sidecar, or the server's, of a gateway. None for all others.
    pub port: Option<u16>,
    /// `ALL`, `SNI: edition.cnn.com`, `Host: db.example`.
    #[serde(rename = "match")]
    pub matches: String,
    /// `Route: 80`, `Cluster: outbound|443||edition.cnn.com`, `Cluster: BlackHoleCluster`.
    pub destination: String,
}

/// One route of HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// Name of the table that it stands in: `80` of a sidecar, `http.443` of a gateway.
    pub name: String,
    /// `edition.cnn.com:80`.
    pub virtual_host: String,
    /// Names that calls may have in their Host.
    pub domains: Vec<String>,
    /// `/sport*`, `/health`, `regex .*`, and what else must hold.
    #[serde(rename = "match")]
    pub matches: String,
    /// Where it was declared; none for the way of a service without routes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_service: Option<Provenance>,
    /// Its place there: `http[0]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The route of another VirtualService that it delegates to: `default/sport http[1]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delegate: Option<String>,
    /// Where it sends calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub destinations: Vec<Destination>,
    /// How it answers calls itself: `redirect 301`, `direct response 503`, `404`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// Clusters that get copies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mirrors: Vec<String>,
}

/// Where a route sends its share of calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Destination {
    /// Name of the cluster, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Its weight among the others.
    pub weight: u64,
    /// Why calls that fall to it fail, if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// One destination with its settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cluster {
    /// Envoy's name: `outbound|443||edition.cnn.com`.
    pub name: String,
    /// The service's host.
    pub fqdn: String,
    /// The service's port; none of what is passed on to wherever it was going.
    pub port: Option<u16>,
    /// The subset; empty for none.
    pub subset: String,
    /// `outbound`, always.
    pub direction: String,
    /// `STATIC`, `STRICT_DNS`, `ORIGINAL_DST`, or `INTERNAL` for the gateway in this process.
    pub r#type: String,
    /// The ServiceEntry or Service that registers the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registered_by: Option<Provenance>,
    /// The DestinationRules that apply, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub destination_rules: Vec<Provenance>,
    /// How an endpoint is chosen, in DestinationRule's words.
    pub load_balancing: String,
    /// Whether endpoints that fail again and again are left out.
    pub outlier_detection: bool,
    /// How long a connection may take to be made, in milliseconds.
    pub connect_timeout_ms: u64,
    /// Calls that it takes at a time, if limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_calls: Option<u32>,
    /// Calls that may wait for their turn then, if limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_waiting: Option<u32>,
    /// Whether HTTP/2 is spoken to it.
    pub http2: bool,
    /// TLS that is originated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// Calls that it has failed since the proxy knows it.
    pub failures: u64,
    /// The last of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<LastFailure>,
}

/// TLS that is originated to a [`Cluster`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// `SIMPLE`, `MUTUAL` or `ISTIO_MUTUAL`.
    pub mode: String,
    /// The server name that is sent.
    pub sni: String,
    /// Whether nothing is verified.
    pub insecure: bool,
}

/// Why a call to a [`Cluster`] failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastFailure {
    /// When: RFC 3339.
    pub time: String,
    /// Envoy's response flag.
    pub flag: String,
    /// Why.
    pub reason: String,
    /// Whether it was the certificate or TLS.
    pub tls: bool,
    /// Whether no call has succeeded since.
    pub lasts: bool,
}

/// One address of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// `192.0.2.1:443`, `edition.cnn.com:443`, `unix:///run/x.sock`.
    pub endpoint: String,
    /// `HEALTHY`, or `UNHEALTHY` where calls do not go there now.
    pub status: String,
    /// `OK`, or `FAILED` where outlier detection leaves it out.
    pub outlier_check: String,
    /// Name of the cluster.
    pub cluster: String,
    /// Calls under way to it, where the cluster has others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<u32>,
    /// When it comes back, if it is left out: RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ejected_until: Option<String>,
    /// How often it has been left out.
    pub ejections: u32,
}
