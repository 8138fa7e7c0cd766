//! ServiceEntry: a service outside, its hosts, ports and addresses.

mod rules;

use serde::Deserialize;

use super::workload_entry::WorkloadEntry;
use super::{cells, check};
use crate::resource::{Column, Kind, Labels, Typed};

/// The kind `ServiceEntry` (networking.istio.io).
pub static SERVICE_ENTRY: Kind = Kind {
    group: "networking.istio.io",
    versions: cells::NETWORKING_VERSIONS,
    short: &["se"],
    categories: cells::NETWORKING,
    columns: &[
        Column { name: "HOSTS", wide: false, cell: |r| cells::custom(r, &["spec", "hosts"]) },
        Column { name: "LOCATION", wide: false, cell: |r| cells::custom(r, &["spec", "location"]) },
        Column { name: "RESOLUTION", wide: false, cell: |r| cells::custom(r, &["spec", "resolution"]) },
    ],
    check: |resource, problems| {
        check::spec::<ServiceEntry>(resource, problems, |at, entry| {
            rules::service_entry(at, entry, resource.namespace())
        });
    },
    ..cells::kind("ServiceEntry", "serviceentries", "serviceentry")
};

/// `spec` of a ServiceEntry.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceEntry {
    /// Names of the service.
    pub hosts: Vec<String>,
    /// Addresses or networks that clients dial.
    pub addresses: Vec<String>,
    /// Ports.
    pub ports: Vec<ServicePort>,
    /// Inside or outside the mesh; changes no routing.
    pub location: Location,
    /// How addresses are found.
    pub resolution: Resolution,
    /// Where it runs, if not under its host names.
    pub endpoints: Vec<WorkloadEntry>,
    /// Workloads that serve it.
    pub workload_selector: Option<WorkloadSelector>,
    /// Namespaces that see it; all when empty.
    pub export_to: Vec<String>,
    /// Names that its certificate may carry.
    pub subject_alt_names: Vec<String>,
}

impl Typed for ServiceEntry {
    const ROOT: Option<&'static str> = Some("spec");
}

/// A port of a service.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServicePort {
    /// The port that clients dial, 1 to 65535.
    pub number: u32,
    /// One of [`gateway::PROTOCOLS`], in any letter case; sniffed when empty.
    pub protocol: String,
    /// Unique in the ServiceEntry.
    pub name: String,
    /// The port that is connected to; `number` when 0.
    pub target_port: u32,
}

/// Whether a service is part of the mesh.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Location {
    /// Outside.
    #[default]
    MeshExternal,
    /// Inside.
    MeshInternal,
}

/// How the addresses of a service are found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Resolution {
    /// The address that the client dialled.
    #[default]
    None,
    /// The endpoints' addresses.
    Static,
    /// All addresses of the names.
    Dns,
    /// The first address of the name.
    DnsRoundRobin,
    /// The name in the request.
    DynamicDns,
}

/// Labels of the workloads meant.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadSelector {
    /// Labels.
    pub labels: Labels,
}

#[cfg(test)]
mod tests;
