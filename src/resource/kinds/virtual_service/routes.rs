//! Routes, what they match, and where they lead.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::actions::{
    CorsPolicy, Delegate, Fault, Headers, HttpDirectResponse, HttpRedirect, HttpRetry, HttpRewrite, Mirror, Percent,
};
use crate::resource::{Duration, Labels};

/// A route of HTTP.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpRoute {
    /// Its name, for logs.
    pub name: String,
    /// Any of these; everything when empty.
    pub r#match: Vec<HttpMatch>,
    /// Where requests go.
    pub route: Vec<HttpRouteDestination>,
    /// Answer with a redirect.
    pub redirect: Option<HttpRedirect>,
    /// Answer with a fixed response.
    pub direct_response: Option<HttpDirectResponse>,
    /// Another VirtualService that has the routes.
    pub delegate: Option<Delegate>,
    /// Change the path or the authority.
    pub rewrite: Option<HttpRewrite>,
    /// Longest time until the response has come.
    pub timeout: Option<Duration>,
    /// Tries after the first.
    pub retries: Option<HttpRetry>,
    /// Delays and errors on purpose.
    pub fault: Option<Fault>,
    /// Where a copy goes.
    pub mirror: Option<Destination>,
    /// Where copies go.
    pub mirrors: Vec<Mirror>,
    /// Old form of `mirrorPercentage`.
    pub mirror_percent: Option<u32>,
    /// Share of requests that are copied; all when absent.
    pub mirror_percentage: Option<Percent>,
    /// Cross-origin requests.
    pub cors_policy: Option<CorsPolicy>,
    /// Changes of headers.
    pub headers: Option<Headers>,
}

/// Conditions on a request, all of which must hold.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpMatch {
    /// Its name, for logs.
    pub name: String,
    /// Path without query.
    pub uri: Option<StringMatch>,
    /// `http` or `https`.
    pub scheme: Option<StringMatch>,
    /// Method.
    pub method: Option<StringMatch>,
    /// Host as it was sent.
    pub authority: Option<StringMatch>,
    /// Headers; an empty match is "present".
    pub headers: BTreeMap<String, Option<StringMatch>>,
    /// Port that was dialled, or the gateway server's.
    pub port: u32,
    /// Labels of the caller.
    pub source_labels: Labels,
    /// Gateways at which it holds; those of the VirtualService when empty.
    pub gateways: Vec<String>,
    /// Query parameters; an empty match is "present".
    pub query_params: BTreeMap<String, Option<StringMatch>>,
    /// Whether letter case of exact and prefix `uri` does not matter.
    pub ignore_uri_case: bool,
    /// Headers that must not match; an empty match is "absent".
    pub without_headers: BTreeMap<String, Option<StringMatch>>,
    /// Namespace of the caller.
    pub source_namespace: String,
    /// Prefix of metrics.
    pub stat_prefix: String,
}

/// A condition on a text: one of the three, or none for "present".
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StringMatch {
    /// The whole text.
    pub exact: Option<String>,
    /// How it begins.
    pub prefix: Option<String>,
    /// RE2 expression over the whole text.
    pub regex: Option<String>,
}

/// A service, a part of it and a port.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Destination {
    /// Name of the service; a short one is completed with the resource's namespace.
    pub host: String,
    /// A subset that a DestinationRule names.
    pub subset: String,
    /// Port of the service.
    pub port: Option<PortSelector>,
}

/// A port by number.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PortSelector {
    /// 1 to 65535.
    pub number: u32,
}

/// A destination of HTTP and its share.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpRouteDestination {
    /// Where.
    pub destination: Option<Destination>,
    /// Share relative to the others'; a single destination takes all.
    pub weight: i32,
    /// Changes of headers for it alone.
    pub headers: Option<Headers>,
}

/// A destination of TLS or TCP and its share.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RouteDestination {
    /// Where.
    pub destination: Option<Destination>,
    /// Share relative to the others'.
    pub weight: i32,
}

/// A route of TLS.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TlsRoute {
    /// Any of these.
    pub r#match: Vec<TlsMatch>,
    /// Where connections go.
    pub route: Vec<RouteDestination>,
}

/// Conditions on a TLS connection, all of which must hold.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TlsMatch {
    /// Server names, exact or `*.DOMAIN`.
    pub sni_hosts: Vec<String>,
    /// Addresses or networks that were dialled.
    pub destination_subnets: Vec<String>,
    /// Port that was dialled.
    pub port: u32,
    /// Labels of the caller.
    pub source_labels: Labels,
    /// Gateways at which it holds.
    pub gateways: Vec<String>,
    /// Namespace of the caller.
    pub source_namespace: String,
}

/// A route of TCP.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TcpRoute {
    /// Any of these; everything when empty.
    pub r#match: Vec<L4Match>,
    /// Where connections go.
    pub route: Vec<RouteDestination>,
}

/// Conditions on a connection, all of which must hold.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct L4Match {
    /// Addresses or networks that were dialled.
    pub destination_subnets: Vec<String>,
    /// Port that was dialled.
    pub port: u32,
    /// Address or network of the caller.
    pub source_subnet: String,
    /// Labels of the caller.
    pub source_labels: Labels,
    /// Gateways at which it holds.
    pub gateways: Vec<String>,
    /// Namespace of the caller.
    pub source_namespace: String,
}
