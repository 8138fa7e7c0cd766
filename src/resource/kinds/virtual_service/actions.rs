//! What a route of HTTP does besides forwarding.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::routes::{Destination, StringMatch};
use crate::resource::Duration;

/// A redirect.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpRedirect {
    /// New path.
    pub uri: String,
    /// What takes the place of the matched prefix.
    pub prefix_rewrite: String,
    /// New authority.
    pub authority: String,
    /// New port.
    pub port: Option<u32>,
    /// Where the port comes from.
    pub derive_port: Option<DerivePort>,
    /// New scheme.
    pub scheme: String,
    /// 301 when 0.
    pub redirect_code: u32,
}

/// Where the port of a redirect comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DerivePort {
    /// The scheme.
    #[default]
    FromProtocolDefault,
    /// The request.
    FromRequestPort,
}

/// A fixed response.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpDirectResponse {
    /// Its status.
    pub status: u32,
    /// Its body.
    pub body: Option<ResponseBody>,
}

/// The body of a fixed response; one of the two.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResponseBody {
    /// Text.
    pub string: Option<String>,
    /// Base64.
    pub bytes: Option<String>,
}

/// A VirtualService without hosts.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Delegate {
    /// Its name.
    pub name: String,
    /// Its namespace; ours when empty.
    pub namespace: String,
}

/// Changes of path and authority.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpRewrite {
    /// What takes the place of the matched path or prefix.
    pub uri: String,
    /// New authority.
    pub authority: String,
    /// Replacement by a regular expression.
    pub uri_regex_rewrite: Option<RegexRewrite>,
}

/// Replacement in the path.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RegexRewrite {
    /// RE2 expression.
    pub r#match: String,
    /// What takes its place; `\1` is the first group.
    pub rewrite: String,
}

/// Tries after the first.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpRetry {
    /// How many; 0 switches them off.
    pub attempts: i32,
    /// Longest time for one.
    pub per_try_timeout: Option<Duration>,
    /// On what, separated by commas.
    pub retry_on: String,
    /// Whether endpoints in other places may be tried.
    pub retry_remote_localities: Option<bool>,
    /// Whether endpoints that failed may be tried again.
    pub retry_ignore_previous_hosts: Option<bool>,
    /// Time before the next try.
    pub backoff: Option<Duration>,
}

/// Delays and errors on purpose.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Fault {
    /// Wait before forwarding.
    pub delay: Option<FaultDelay>,
    /// Answer with an error.
    pub abort: Option<FaultAbort>,
}

/// A delay on purpose.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FaultDelay {
    /// Old form of `percentage`.
    pub percent: i32,
    /// How long.
    pub fixed_delay: Option<Duration>,
    /// Not supported by Istio.
    pub exponential_delay: Option<Duration>,
    /// Share of requests; none when absent.
    pub percentage: Option<Percent>,
}

/// An error on purpose.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FaultAbort {
    /// HTTP status.
    pub http_status: Option<i32>,
    /// gRPC status by name.
    pub grpc_status: Option<String>,
    /// Not supported by Istio.
    pub http2_error: Option<String>,
    /// Share of requests; none when absent.
    pub percentage: Option<Percent>,
}

/// A share in per cent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Percent {
    /// 0 to 100.
    pub value: f64,
}

/// Where a copy goes.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Mirror {
    /// Where.
    pub destination: Option<Destination>,
    /// Share of requests; all when absent.
    pub percentage: Option<Percent>,
}

/// Cross-origin requests.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CorsPolicy {
    /// Old form of `allowOrigins`.
    pub allow_origin: Vec<String>,
    /// Origins that may call.
    pub allow_origins: Vec<StringMatch>,
    /// Methods that they may use.
    pub allow_methods: Vec<String>,
    /// Headers that they may send.
    pub allow_headers: Vec<String>,
    /// Headers that they may read.
    pub expose_headers: Vec<String>,
    /// How long a preflight's answer holds.
    pub max_age: Option<Duration>,
    /// Whether credentials may be sent.
    pub allow_credentials: Option<bool>,
    /// What becomes of preflights of other origins.
    pub unmatched_preflights: UnmatchedPreflights,
}

/// What becomes of preflights of origins that may not call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UnmatchedPreflights {
    /// FORWARD.
    #[default]
    Unspecified,
    /// They are forwarded.
    Forward,
    /// They are answered without headers.
    Ignore,
}

/// Changes of headers.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Headers {
    /// Of requests.
    pub request: Option<HeaderOperations>,
    /// Of responses.
    pub response: Option<HeaderOperations>,
}

/// Changes of headers; done in the order remove, set, add.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HeaderOperations {
    /// Replace.
    pub set: BTreeMap<String, String>,
    /// Append as another header.
    pub add: BTreeMap<String, String>,
    /// Remove.
    pub remove: Vec<String>,
}
