//! DestinationRule: how a destination is called: TLS, load balancing, pools, outliers, subsets.

mod load_balancing;
mod rules;
mod traffic_policy;

use serde::Deserialize;

use super::{cells, check};
use crate::resource::{Column, Kind, Labels, Typed};

pub(super) use rules::connection_pool;
pub use traffic_policy::{
    BackendUtilization, ClientTls, ClientTlsMode, ConnectionPool, ConsistentHash, CookieAttribute, H2UpgradePolicy,
    HashCookie, Http2KeepAlive, HttpPool, LoadBalancer, LocalityDistribute, LocalityFailover, LocalityLb, Maglev,
    OutlierDetection, PortTrafficPolicy, ProxyProtocol, ProxyProtocolVersion, RetryBudget, RingHash, SimpleLb,
    TcpKeepalive, TcpPool, TrafficPolicy, Tunnel, Warmup, ZoneAwareLb,
};

/// The kind `DestinationRule` (networking.istio.io).
pub static DESTINATION_RULE: Kind = Kind {
    group: "networking.istio.io",
    versions: cells::NETWORKING_VERSIONS,
    short: &["dr"],
    categories: cells::NETWORKING,
    columns: &[Column { name: "HOST", wide: false, cell: |r| cells::custom(r, &["spec", "host"]) }],
    check: |resource, problems| {
        check::spec::<DestinationRule>(resource, problems, |at, rule| {
            rules::destination_rule(at, rule, resource.namespace());
        });
    },
    ..cells::kind("DestinationRule", "destinationrules", "destinationrule")
};

/// `spec` of a DestinationRule.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DestinationRule {
    /// The destination; may be short or begin with a wildcard.
    pub host: String,
    /// Policy for all ports and subsets.
    pub traffic_policy: Option<TrafficPolicy>,
    /// Named parts of the destination.
    pub subsets: Vec<Subset>,
    /// Namespaces that see it; all when empty.
    pub export_to: Vec<String>,
    /// Calling workloads that it is for.
    pub workload_selector: Option<MatchLabels>,
}

impl Typed for DestinationRule {
    const ROOT: Option<&'static str> = Some("spec");
}

/// A named part of a destination.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Subset {
    /// Its name.
    pub name: String,
    /// Labels of its endpoints.
    pub labels: Labels,
    /// What is different for it.
    pub traffic_policy: Option<TrafficPolicy>,
}

/// Labels of the workloads meant.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MatchLabels {
    /// Labels.
    pub match_labels: Labels,
}

#[cfg(test)]
mod tests;
