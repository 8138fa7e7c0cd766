//! The fields of a traffic policy.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::resource::Duration;
use crate::resource::kinds::virtual_service::PortSelector;

/// How a destination is called.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TrafficPolicy {
    /// Which endpoint is chosen.
    pub load_balancer: Option<LoadBalancer>,
    /// Limits of connections and requests.
    pub connection_pool: Option<ConnectionPool>,
    /// When an endpoint is left out.
    pub outlier_detection: Option<OutlierDetection>,
    /// TLS towards the destination.
    pub tls: Option<ClientTls>,
    /// Policies of single ports; each replaces the one above it whole.
    pub port_level_settings: Vec<PortTrafficPolicy>,
    /// Tunnel through which TCP is sent.
    pub tunnel: Option<Tunnel>,
    /// PROXY protocol header that is sent first.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// Limit of retries as a share of requests.
    pub retry_budget: Option<RetryBudget>,
}

/// Policy of one port.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PortTrafficPolicy {
    /// The port of the destination.
    pub port: Option<PortSelector>,
    /// Which endpoint is chosen.
    pub load_balancer: Option<LoadBalancer>,
    /// Limits of connections and requests.
    pub connection_pool: Option<ConnectionPool>,
    /// When an endpoint is left out.
    pub outlier_detection: Option<OutlierDetection>,
    /// TLS towards the destination.
    pub tls: Option<ClientTls>,
}

/// A simple way of choosing an endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SimpleLb {
    /// The default, LEAST_REQUEST.
    #[default]
    Unspecified,
    /// Old name of LEAST_REQUEST.
    LeastConn,
    /// Any.
    Random,
    /// The address that the client dialled.
    Passthrough,
    /// In turn.
    RoundRobin,
    /// The less busy of two.
    LeastRequest,
}

/// Which endpoint is chosen.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LoadBalancer {
    /// A simple way.
    pub simple: Option<SimpleLb>,
    /// The same for the same caller.
    pub consistent_hash: Option<ConsistentHash>,
    /// Preference for near endpoints.
    pub locality_lb_setting: Option<LocalityLb>,
    /// Old form of `warmup.duration`.
    pub warmup_duration_secs: Option<Duration>,
    /// Less load for new endpoints.
    pub warmup: Option<Warmup>,
    /// Weights by what endpoints report of their load.
    pub backend_utilization: Option<BackendUtilization>,
    /// Preference for endpoints of the same zone.
    pub zone_aware_lb_setting: Option<ZoneAwareLb>,
}

/// Weights by what endpoints report of their load.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackendUtilization {
    /// What errors count in per cent.
    pub error_utilization_penalty_percent: u32,
    /// Metrics that say how busy an endpoint is.
    pub metric_names_for_computing_utilization: Vec<String>,
    /// Silence after which a weight is forgotten.
    pub weight_expiration_period: Option<Duration>,
    /// Time until a new endpoint's weight counts.
    pub weight_stabilization_period: Option<Duration>,
    /// Time between two changes.
    pub weight_update_period: Option<Duration>,
}

/// Preference for endpoints of the same zone.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ZoneAwareLb {
    /// Whether it is on.
    pub enabled: Option<bool>,
    /// Where to go when a region fails.
    pub failover: Vec<LocalityFailover>,
    /// Labels by which endpoints are preferred.
    pub failover_priority: Vec<String>,
    /// Fewer endpoints than this are taken as one zone.
    pub min_cluster_size: Option<u64>,
}

/// What stays on one endpoint; exactly one of the first four.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsistentHash {
    /// A request header.
    pub http_header_name: Option<String>,
    /// A cookie.
    pub http_cookie: Option<HashCookie>,
    /// The caller's address.
    pub use_source_ip: Option<bool>,
    /// A query parameter.
    pub http_query_parameter_name: Option<String>,
    /// Ring hash, the default.
    pub ring_hash: Option<RingHash>,
    /// Maglev.
    pub maglev: Option<Maglev>,
    /// Old form of `ringHash.minimumRingSize`.
    pub minimum_ring_size: u64,
}

/// A cookie to stay by.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HashCookie {
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Its life; made for callers without one when given.
    pub ttl: Option<Duration>,
    /// Further attributes.
    pub attributes: Vec<CookieAttribute>,
}

/// An attribute of a cookie.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CookieAttribute {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Ring hash.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RingHash {
    /// 1024 when 0.
    pub minimum_ring_size: u64,
}

/// Maglev.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Maglev {
    /// A prime below 5,000,011; 65,537 when 0.
    pub table_size: u64,
}

/// Preference for near endpoints.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LocalityLb {
    /// Shares by place.
    pub distribute: Vec<LocalityDistribute>,
    /// Where to go when a region fails.
    pub failover: Vec<LocalityFailover>,
    /// Labels by which endpoints are preferred.
    pub failover_priority: Vec<String>,
    /// Whether it is on.
    pub enabled: Option<bool>,
}

/// Shares of the load of one place.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LocalityDistribute {
    /// Place of the caller.
    pub from: String,
    /// Per cent by place.
    pub to: BTreeMap<String, u32>,
}

/// Where to go when a region fails.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LocalityFailover {
    /// The region.
    pub from: String,
    /// The other one.
    pub to: String,
}

/// Less load for new endpoints.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Warmup {
    /// How long.
    pub duration: Option<Duration>,
    /// Least share in per cent.
    pub minimum_percent: Option<f64>,
    /// Shape of the growth.
    pub aggression: Option<f64>,
}

/// Limits of connections and requests.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConnectionPool {
    /// Of connections.
    pub tcp: Option<TcpPool>,
    /// Of requests.
    pub http: Option<HttpPool>,
}

/// Limits of connections.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TcpPool {
    /// Most connections; no limit when 0.
    pub max_connections: i32,
    /// Time to connect; 10s when absent.
    pub connect_timeout: Option<Duration>,
    /// Keep-alive probes.
    pub tcp_keepalive: Option<TcpKeepalive>,
    /// Longest life of a connection.
    pub max_connection_duration: Option<Duration>,
    /// Longest silence; 1h when absent, none when 0s.
    pub idle_timeout: Option<Duration>,
}

/// Keep-alive probes.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TcpKeepalive {
    /// How many may go unanswered.
    pub probes: u32,
    /// Silence before the first.
    pub time: Option<Duration>,
    /// Time between two.
    pub interval: Option<Duration>,
}

/// Whether HTTP/1.1 is sent as HTTP/2.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum H2UpgradePolicy {
    /// As the mesh has it: no.
    #[default]
    Default,
    /// No.
    DoNotUpgrade,
    /// Yes.
    Upgrade,
}

/// Limits of requests; 0 is no limit.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpPool {
    /// Most requests waiting for a connection.
    pub http1_max_pending_requests: i32,
    /// Most requests at a time.
    pub http2_max_requests: i32,
    /// Requests after which a connection is closed.
    pub max_requests_per_connection: i32,
    /// Most retries at a time.
    pub max_retries: i32,
    /// Longest time without a request; 1h when absent.
    pub idle_timeout: Option<Duration>,
    /// Whether HTTP/1.1 is sent as HTTP/2.
    pub h2_upgrade_policy: H2UpgradePolicy,
    /// Speak the client's protocol.
    pub use_client_protocol: bool,
    /// Most requests at a time on one HTTP/2 connection.
    pub max_concurrent_streams: i32,
    /// Pings of HTTP/2 connections.
    pub http2_keep_alive: Option<Http2KeepAlive>,
}

/// Pings of HTTP/2 connections.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Http2KeepAlive {
    /// Time between two.
    pub interval: Option<Duration>,
    /// Time for an answer.
    pub timeout: Option<Duration>,
}

/// When an endpoint is left out.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OutlierDetection {
    /// Old form of `consecutive5xxErrors`.
    pub consecutive_errors: i32,
    /// Count failures to connect apart.
    pub split_external_local_origin_errors: bool,
    /// Failures to connect in a row; 5 when absent.
    pub consecutive_local_origin_failures: Option<u32>,
    /// 502, 503, 504 in a row; off when absent or 0.
    pub consecutive_gateway_errors: Option<u32>,
    /// 5xx in a row; 5 when absent, off when 0.
    #[serde(rename = "consecutive5xxErrors")]
    pub consecutive_5xx_errors: Option<u32>,
    /// Time between two looks; 10s when absent.
    pub interval: Option<Duration>,
    /// Time out, times the number of ejections; 30s when absent.
    pub base_ejection_time: Option<Duration>,
    /// Most endpoints out, in per cent; 10 when 0.
    pub max_ejection_percent: i32,
    /// Off while fewer endpoints than this are healthy, in per cent.
    pub min_health_percent: i32,
    /// Statuses that count as errors besides 5xx.
    pub outlier_detection_http_error_codes: Vec<u32>,
}

/// TLS towards a destination.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ClientTlsMode {
    /// None.
    #[default]
    Disable,
    /// Without a certificate of ours.
    Simple,
    /// With one.
    Mutual,
    /// With the mesh's.
    IstioMutual,
}

/// TLS towards a destination.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClientTls {
    /// Mode.
    pub mode: ClientTlsMode,
    /// File of our certificate.
    pub client_certificate: String,
    /// File of our key.
    pub private_key: String,
    /// File of the authorities; the system's when empty.
    pub ca_certificates: String,
    /// Secret with all three.
    pub credential_name: String,
    /// Names that the certificate may carry.
    pub subject_alt_names: Vec<String>,
    /// Server name; the Host when empty.
    pub sni: String,
    /// Verify nothing.
    pub insecure_skip_verify: Option<bool>,
    /// File of revoked certificates.
    pub ca_crl: String,
}

/// Tunnel through which TCP is sent.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Tunnel {
    /// CONNECT (default) or POST.
    pub protocol: String,
    /// Where the tunnel leads.
    pub target_host: String,
    /// Its port.
    pub target_port: u32,
}

/// PROXY protocol.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProxyProtocol {
    /// Version.
    pub version: ProxyProtocolVersion,
}

/// Version of the PROXY protocol.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum ProxyProtocolVersion {
    /// Text.
    #[default]
    V1,
    /// Binary.
    V2,
}

/// Limit of retries as a share of requests.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RetryBudget {
    /// Per cent; 20 when absent.
    pub percent: Option<f64>,
    /// Retries that are always allowed; 3 when 0.
    pub min_retry_concurrency: u32,
    /// Time over which requests are counted.
    pub budget_interval: Option<Duration>,
}
