//! ServiceEntry: a service outside, its hosts, ports and addresses.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::check::{self, At};
use super::workload_entry::WorkloadEntry;
use super::{cells, gateway};
use crate::resource::{Column, Kind, Labels, Typed, host};

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
    check: |resource, problems| check::spec::<ServiceEntry>(resource, problems, rules),
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

/// Most hosts, ports or addresses (the schema of Istio's CRD).
const MAX_ITEMS: usize = 256;

fn rules(at: &mut At<'_>, entry: &ServiceEntry) {
    if entry.hosts.is_empty() {
        at.field("hosts").missing("service entry must have at least one host");
    }
    let sizes = [("hosts", entry.hosts.len()), ("addresses", entry.addresses.len()), ("ports", entry.ports.len())];
    for (field, len) in sizes {
        if len > MAX_ITEMS {
            at.field(field).invalid(format!("Too many: {len}: must have at most {MAX_ITEMS} items"));
        }
    }
    at.each("hosts", &entry.hosts, |at, host| self::host(at, host));
    ports(at, entry);
    addresses(at, entry);
    if entry.workload_selector.is_some() && !entry.endpoints.is_empty() {
        at.field("endpoints").invalid("only one of WorkloadSelector or Endpoints is allowed in Service Entry");
    }
    resolution(at, entry);
    check::export_to(&mut at.field("exportTo"), &entry.export_to, true);
    at.part("workloadSelector", entry.workload_selector.as_ref(), |at, selector| {
        check::labels(&mut at.field("labels"), &selector.labels);
    });
}

fn host(at: &mut At<'_>, host: &str) {
    if host == "*" {
        at.invalid("invalid host *");
    } else if let Err(why) = host::wildcard_domain(host) {
        at.invalid(why);
    } else if host::is_partial_wildcard(host) {
        at.warn(format!("partial wildcard \"{host}\" may not work as intended: write *.DOMAIN"));
    }
}

fn ports(at: &mut At<'_>, entry: &ServiceEntry) {
    let (mut names, mut numbers) = (BTreeSet::new(), BTreeSet::new());
    at.each("ports", &entry.ports, |at, port| {
        check::port(&mut at.field("number"), port.number);
        if !numbers.insert(port.number) {
            at.field("number").duplicate(format!("service entry port {} already defined", port.number));
        }
        if port.target_port != 0 {
            check::port(&mut at.field("targetPort"), port.target_port);
        }
        gateway::optional_protocol(&mut at.field("protocol"), &port.protocol);
        let mut at = at.field("name");
        if port.name.is_empty() {
            at.required();
        } else if !check::is_label(&port.name) {
            at.invalid(format!("invalid port name: \"{}\"", port.name));
        } else if !names.insert(port.name.clone()) {
            at.duplicate(format!("service entry port name \"{}\" already defined", port.name));
        }
    });
}

/// Whether a port's traffic can be told apart by address only.
fn is_tcp(port: &ServicePort) -> bool {
    gateway::is_one_of(&port.protocol, &["TCP", "MONGO", "REDIS", "MYSQL", "UDP"])
}

fn addresses(at: &mut At<'_>, entry: &ServiceEntry) {
    let networks = matches!(entry.resolution, Resolution::None | Resolution::Static);
    at.each("addresses", &entry.addresses, |at, address| {
        if !check::is_ip_or_cidr(address) {
            at.invalid(format!("invalid address \"{address}\": write an IP address or a network such as 10.0.0.0/8"));
        } else if address.contains('/') && !networks {
            at.invalid("CIDR addresses are allowed only for NONE/STATIC resolution types");
        }
    });
    let tcp = entry.ports.iter().any(is_tcp);
    if tcp && entry.hosts.len() > 1 && entry.resolution != Resolution::None {
        at.field("hosts").invalid("multiple hosts provided with non-HTTP, non-TLS ports");
    } else if tcp && entry.addresses.is_empty() && entry.resolution != Resolution::DynamicDns {
        at.field("addresses").warn("addresses are required for TCP ports: without them the whole port is claimed");
    }
}

fn resolution(at: &mut At<'_>, entry: &ServiceEntry) {
    let wildcard = |host: &&String| host.starts_with('*');
    match entry.resolution {
        Resolution::None => {
            if !entry.endpoints.is_empty() {
                at.field("endpoints").advise(
                    "no endpoints should be provided for resolution type none",
                    "set resolution to STATIC for addresses, or to DNS for names",
                );
            }
        }
        Resolution::Static => {
            at.each("endpoints", &entry.endpoints, |at, endpoint| static_endpoint(at, endpoint, entry))
        }
        Resolution::Dns | Resolution::DnsRoundRobin => {
            if entry.endpoints.is_empty()
                && let Some(host) = entry.hosts.iter().find(wildcard)
            {
                at.field("hosts").advise(
                    format!("hosts must be FQDN if no endpoints are provided for resolution mode DNS: \"{host}\""),
                    "name the hosts one by one, or give endpoints",
                );
            }
            if entry.resolution == Resolution::DnsRoundRobin && entry.endpoints.len() > 1 {
                at.field("endpoints").invalid("there must only be 0 or 1 endpoint for resolution mode DNS_ROUND_ROBIN");
            }
            at.each("endpoints", &entry.endpoints, |at, endpoint| dns_endpoint(at, endpoint, entry));
        }
        Resolution::DynamicDns => dynamic_dns(at, entry),
    }
}

fn static_endpoint(at: &mut At<'_>, endpoint: &WorkloadEntry, entry: &ServiceEntry) {
    if let Some(path) = endpoint.address.strip_prefix("unix://") {
        unix_endpoint(at, path, endpoint, entry);
    } else if !check::is_ip(&endpoint.address) {
        let message = format!("endpoint address \"{}\" is not a valid IP address", endpoint.address);
        at.field("address").advise(message, "names need resolution: DNS");
    }
    endpoint_rules(at, endpoint, entry);
}

fn unix_endpoint(at: &mut At<'_>, path: &str, endpoint: &WorkloadEntry, entry: &ServiceEntry) {
    if !path.starts_with('/') && !path.starts_with('@') {
        at.field("address").invalid(format!("endpoint address \"{}\" must be an absolute path", endpoint.address));
    }
    if !endpoint.ports.is_empty() {
        at.field("ports").invalid("unix endpoint must not include ports");
    }
    if entry.ports.len() > 1 {
        at.field("address").invalid("unix domain socket endpoints require a single service port");
    }
}

fn dns_endpoint(at: &mut At<'_>, endpoint: &WorkloadEntry, entry: &ServiceEntry) {
    if !check::is_ip(&endpoint.address)
        && let Err(why) = host::domain(&endpoint.address)
    {
        at.field("address").invalid(format!("endpoint address is not a valid FQDN or an IP address: {why}"));
    }
    endpoint_rules(at, endpoint, entry);
}

fn endpoint_rules(at: &mut At<'_>, endpoint: &WorkloadEntry, entry: &ServiceEntry) {
    check::labels(&mut at.field("labels"), &endpoint.labels);
    for (name, number) in &endpoint.ports {
        let mut ports = at.field("ports");
        let mut at = ports.field(name);
        if !entry.ports.iter().any(|port| port.name == *name) {
            at.invalid(format!("endpoint port {name} is not defined by the service entry"));
        }
        check::port(&mut at, *number);
    }
}

fn dynamic_dns(at: &mut At<'_>, entry: &ServiceEntry) {
    at.each("hosts", &entry.hosts, |at, host| {
        if !host.starts_with("*.") {
            at.invalid(format!("DYNAMIC_DNS resolution needs wildcard hosts: \"{host}\""));
        }
    });
    if !entry.addresses.is_empty() {
        at.field("addresses").invalid("addresses cannot be set for DYNAMIC_DNS resolution");
    }
    if !entry.endpoints.is_empty() {
        at.field("endpoints").invalid("endpoints cannot be set for DYNAMIC_DNS resolution");
    }
    at.each("ports", &entry.ports, |at, port| {
        if !gateway::is_one_of(&port.protocol, &["HTTP", "HTTP2", "GRPC", "TLS"]) {
            at.field("protocol").invalid("DYNAMIC_DNS resolution takes HTTP, HTTP2, GRPC and TLS ports only");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn a_service_entry_has_hosts_and_good_ports() {
        assert_eq!(check(&SERVICE_ENTRY, "resolution: DNS"), ["spec.hosts: service entry must have at least one host"]);
        let spec = "hosts: [a.com]\nresolution: DNS\nports:\n- {number: 80, name: http, protocol: FOO}\n- {number: 80, name: http}";
        assert_eq!(
            check(&SERVICE_ENTRY, spec),
            [
                "spec.ports[0].protocol: unsupported protocol: FOO",
                "spec.ports[1].number: service entry port 80 already defined",
                "spec.ports[1].name: service entry port name \"http\" already defined",
            ]
        );
    }

    #[test]
    fn endpoints_fit_the_resolution() {
        for (spec, message) in [
            (
                "resolution: NONE\nendpoints: [{address: 1.2.3.4}]",
                "spec.endpoints: no endpoints should be provided for resolution type none",
            ),
            (
                "resolution: STATIC\nendpoints: [{address: b.com}]",
                "spec.endpoints[0].address: endpoint address \"b.com\" is not a valid IP address",
            ),
            (
                "resolution: STATIC\nendpoints: [{address: 1.2.3.4, ports: {x: 1}}]",
                "spec.endpoints[0].ports.x: endpoint port x is not defined by the service entry",
            ),
            (
                "resolution: DNS\naddresses: [10.0.0.0/8]",
                "spec.addresses[0]: CIDR addresses are allowed only for NONE/STATIC resolution types",
            ),
            ("resolution: DYNAMIC_DNS", "spec.hosts[0]: DYNAMIC_DNS resolution needs wildcard hosts: \"a.com\""),
        ] {
            assert_eq!(check(&SERVICE_ENTRY, &format!("hosts: [a.com]\n{spec}")), [message]);
        }
        assert_eq!(
            check(&SERVICE_ENTRY, "hosts: ['*.a.com']\nresolution: DNS"),
            ["spec.hosts: hosts must be FQDN if no endpoints are provided for resolution mode DNS: \"*.a.com\""]
        );
    }

    #[test]
    fn tcp_ports_want_addresses() {
        let spec = "hosts: [a.com]\nresolution: DNS\nports: [{number: 5432, name: db, protocol: TCP}]";
        assert_eq!(check(&SERVICE_ENTRY, spec).len(), 1);
        assert!(check(&SERVICE_ENTRY, &format!("{spec}\naddresses: [10.0.0.1]")).is_empty());
    }
}
