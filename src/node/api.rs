//! What a running proxy says of itself: the types of its admin endpoint, shared with the client in `cli`.

use serde::{Deserialize, Serialize};

use crate::decision::{Asked, Told};

/// Path of [`Status`], read with GET.
pub const STATUS: &str = "/status";
/// Path that begins the drain, with POST.
pub const DRAIN: &str = "/drain";
/// Path of the counters in Prometheus' text form, read with GET.
pub const METRICS: &str = "/metrics";

/// Path that answers a [`Question`], sent with POST, with an [`Answer`].
pub const TRACE: &str = "/trace";

/// What a proxy would do with a call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Question {
    /// The call.
    pub asked: Asked,
    /// Whether the text is for a terminal with colours.
    pub color: bool,
}

/// What a proxy says to a question: nothing where it has no listener for the caller, or in words why the call is none.
pub type Answer = Option<Result<Told, String>>;

/// State of a running proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Name of the node.
    pub node: String,
    /// Process id.
    pub pid: u32,
    /// What it plays: `sidecar`, `gateway`.
    pub roles: Vec<String>,
    /// Its sidecar listeners.
    pub listeners: Vec<ListenerStatus>,
    /// Its listeners for the gateway's servers.
    #[serde(default)]
    pub gateway_listeners: Vec<GatewayListenerStatus>,
    /// Worker threads.
    pub workers: usize,
    /// `running` or `draining`.
    pub state: String,
    /// Registry revision of the configuration that calls are judged by.
    pub revision: u64,
    /// Why newer changes are not in force, if so.
    pub rejected: Option<String>,
    /// What in the configuration has no effect as it stands.
    pub notes: Vec<String>,
    /// Rules that can refuse calls.
    pub enforced_rules: usize,
    /// Rules whose refusals are only recorded.
    pub report_only_rules: usize,
    /// Seconds since it started.
    pub uptime_seconds: u64,
    /// Calls answered.
    pub requests: u64,
    /// Of them refused or failed by the proxy.
    pub refused: u64,
    /// Entries recorded in the access log.
    pub recorded: u64,
    /// Reports that wait to be recorded.
    pub queued: u64,
    /// Why the log cannot be written right now, if so.
    pub log_error: Option<String>,
    /// The lists that handlers fetch from providers.
    #[serde(default)]
    pub lists: Vec<FeedStatus>,
    /// Rules whose match could not be decided for some calls.
    pub undecided: Vec<Undecided>,
}

/// A rule whose match could not be decided for some calls: as a check it refused them, as a report it left them out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Undecided {
    /// Full name of the rule.
    pub rule: String,
    /// How often.
    pub times: u64,
}

/// A list that a handler fetches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeedStatus {
    /// Name of the handler, as messages have it.
    pub handler: String,
    /// Where the list is fetched from, without user, password and query.
    pub url: String,
    /// Its entries; none while there is no list.
    pub entries: Option<u64>,
    /// Seconds since it was last fetched.
    pub age_seconds: Option<u64>,
    /// Whether it is there and not older than its ttl: otherwise the handler's checks fail.
    pub serves: bool,
    /// Fetches that gave a new list.
    pub replaced: u64,
    /// Fetches that gave the list that was there.
    pub unchanged: u64,
    /// Fetches that gave none.
    pub failed: u64,
    /// Why the last fetch gave none, if so.
    pub last_error: Option<String>,
}

/// One listener for the gateway's servers on a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayListenerStatus {
    /// Address and port.
    pub address: String,
    /// The port that the servers declare.
    pub port: u16,
}

/// One sidecar listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerStatus {
    /// Address and port.
    pub address: String,
    /// `WORKLOAD.NAMESPACE`, if the listener stands for one.
    pub workload: Option<String>,
    /// Whether the registry has that workload.
    pub known: bool,
}
