//! What a running proxy says of itself: the types of its admin endpoint, shared with the client in `cli`.

use serde::{Deserialize, Serialize};

use crate::decision::{Asked, Told};
#[cfg_attr(not(doc), expect(unused_imports, reason = "named in documentation"))]
use crate::routing::describe;

/// Path of [`Status`], read with GET.
pub const STATUS: &str = "/status";
/// Path that begins the drain, with POST.
pub const DRAIN: &str = "/drain";
/// Path by which, with POST, the connection becomes one on which a proxy hands its sockets over.
pub const HANDOVER: &str = "/handover";
/// Path that says whether the process answers, with GET.
pub const HEALTHZ: &str = "/healthz";
/// Path that says whether calls should be sent here, with GET: 200, or 503 and why not.
pub const READYZ: &str = "/readyz";
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
    /// Where its gateway takes the calls of sidecars of other processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mesh_listener: Option<String>,
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
    /// Their names.
    #[serde(default)]
    pub only_reporting: Vec<String>,
    /// How paths are normalized: `STRICT`, or a mode of Istio's.
    #[serde(default)]
    pub path_normalization: String,
    /// Version of the program.
    #[serde(default)]
    pub version: String,
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
    /// What is bounded, and how much of it is in use.
    #[serde(default)]
    pub limits: Vec<LimitStatus>,
    /// Calls that were served although they could not be recorded.
    #[serde(default)]
    pub unrecorded: u64,
    /// Why the log cannot be written right now, if so.
    pub log_error: Option<String>,
    /// The lists that handlers fetch from providers.
    #[serde(default)]
    pub lists: Vec<FeedStatus>,
    /// Rules whose match could not be decided for some calls.
    pub undecided: Vec<Undecided>,
}

/// Something that is bounded, of all workers together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LimitStatus {
    /// What it is: `connections`.
    pub name: String,
    /// How much there may be, if that is one number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// How much there is, if that is one number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<u64>,
    /// How often there was no more.
    pub reached: u64,
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

/// Path below which a [`Section`] of what is compiled is read with GET, as [`Rows`].
pub const CONFIG_DUMP: &str = "/config_dump/";

/// The gateway's name among the proxies that a node plays.
pub const GATEWAY: &str = "istio-egressgateway.istio-system";

/// Most [`Rows`] of one answer.
pub const MAX_ROWS: usize = 100_000;

/// A part of what a proxy has compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// [`Listener`]s.
    Listeners,
    /// [`Route`](describe::Route)s.
    Routes,
    /// [`Cluster`](describe::Cluster)s.
    Clusters,
    /// [`Endpoint`](describe::Endpoint)s.
    Endpoints,
    /// [`Secret`](crate::upstream::secrets::Secret)s.
    Secrets,
    /// [`Rule`](crate::policy::describe::Rule)s.
    Rules,
}

impl Section {
    /// All of them, in the order in which a call meets them.
    pub const ALL: [Section; 6] =
        [Section::Listeners, Section::Routes, Section::Clusters, Section::Endpoints, Section::Secrets, Section::Rules];

    /// Its name in paths and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Section::Listeners => "listeners",
            Section::Routes => "routes",
            Section::Clusters => "clusters",
            Section::Endpoints => "endpoints",
            Section::Secrets => "secrets",
            Section::Rules => "rules",
        }
    }

    /// The section of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|section| section.name() == name)
    }
}

/// What a proxy has compiled of one section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rows<T> {
    /// Name of the node.
    pub node: String,
    /// The sidecars and the gateway that it plays: `sleep.default`.
    pub proxies: Vec<String>,
    /// The rows, at most [`MAX_ROWS`].
    pub rows: Vec<Row<T>>,
    /// How many more there are.
    pub left_out: usize,
}

/// A row, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row<T> {
    /// The sidecar or the gateway; of rules `*` for all, and `*.NAMESPACE` for those whose callers are of a namespace.
    pub proxy: String,
    /// The row.
    #[serde(flatten)]
    pub row: T,
}

/// What calls to a listener meet first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listener {
    /// The address; `internal` for the gateway's servers, to which sidecars of the same process hand their calls.
    pub address: String,
    /// Its port.
    pub port: u16,
    /// The port that calls name, of a sidecar, or the server's, of a gateway's listener; none for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub called_port: Option<u16>,
    /// `Port: 80`, `Port: 443; SNI: edition.cnn.com`, `ALL`.
    #[serde(rename = "match")]
    pub matches: String,
    /// `Route: 80`, `Cluster: outbound|443||edition.cnn.com`.
    pub destination: String,
}
