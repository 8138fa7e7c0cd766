//! Which hosts are registered: ServiceEntries and Services, and where each can be reached.

use std::collections::HashMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Service as CoreService, ServicePort as CorePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::resource::kinds::service_entry::{Location, Resolution, ServiceEntry, ServicePort};
use crate::resource::kinds::workload_entry::WorkloadEntry;
use crate::resource::{Labels, Provenance, Resource};

use super::hosts::{HostTable, qualify};
use super::private::Private;
use super::subnet::{Subnet, subnets};

/// A registered host.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) host: String,
    pub(super) namespace: String,
    pub(super) provenance: Arc<Provenance>,
    pub(super) ports: Vec<Port>,
    /// Networks that clients dial for it.
    pub(super) addresses: Vec<Subnet>,
    export_to: Vec<String>,
}

/// One port of a [`Service`].
#[derive(Debug, Clone)]
pub(super) struct Port {
    pub(super) number: u16,
    pub(super) name: String,
    /// Port that is dialled, where it is another.
    pub(super) target: u16,
    /// What is spoken there.
    pub(super) protocol: Protocol,
    /// Who answers there.
    pub(super) reach: Arc<Reach>,
}

/// What is spoken at a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// HTTP, so that routes and policies apply; with HTTP/2 alone or not.
    Http { multiplexed: bool },
    /// What is passed on unread.
    Bytes(Bytes),
    /// What cannot be carried.
    Other,
}

/// Protocols whose bytes are passed on unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bytes {
    /// Told apart by server name.
    Tls,
    /// Told apart by nothing.
    Tcp,
}

impl Bytes {
    /// The list of a VirtualService that has their routes.
    pub(super) fn list(self) -> &'static str {
        match self {
            Bytes::Tls => "tls",
            Bytes::Tcp => "tcp",
        }
    }
}

/// How the ports that one resource declares are reached.
#[derive(Debug)]
pub(super) struct Reach {
    pub(super) how: How,
    /// The private addresses that its names may lead to.
    pub(super) private: Private,
    /// Names that certificates of its endpoints carry, if not its host.
    pub(super) subject_alt_names: Vec<String>,
}

/// Who answers.
#[derive(Debug)]
pub(super) enum How {
    /// These endpoints.
    Endpoints(Vec<Address>),
    /// Who has the host's name.
    Host,
    /// Who has the address that the caller dialled, which a gateway does not know.
    Original,
    /// Who has the name in the request.
    Dynamic,
    /// Workloads with these labels: the egress gateway, or those of WorkloadEntries.
    Selected(Labels, Vec<Address>),
}

/// An address at which a service answers.
#[derive(Debug, Clone)]
pub(super) struct Address {
    pub(super) address: String,
    pub(super) ports: HashMap<String, u16>,
    pub(super) labels: Labels,
    pub(super) weight: u32,
}

impl Service {
    /// Whether resources and calls of a namespace see it (`exportTo`; all do by default).
    pub(super) fn visible_from(&self, namespace: &str) -> bool {
        exported(&self.export_to, &self.namespace, namespace)
    }

    pub(super) fn port(&self, number: u16) -> Option<&Port> {
        self.ports.iter().find(|port| port.number == number)
    }

    /// Adds the ports of a later entry for the same host, if that is of the same namespace and resolved in the same way.
    fn extend(&mut self, other: &Service) {
        let same_kind = match (self.ports.first(), other.ports.first()) {
            (Some(own), Some(other)) => own.reach.how.is_like(&other.reach.how),
            _ => true,
        };
        if self.namespace == other.namespace && same_kind {
            let more = other.ports.iter().filter(|port| self.port(port.number).is_none()).cloned();
            let more: Vec<_> = more.collect();
            self.ports.extend(more);
            let addresses: Vec<_> =
                other.addresses.iter().filter(|one| !self.addresses.contains(one)).copied().collect();
            self.addresses.extend(addresses);
        }
    }
}

impl Port {
    /// Whether HTTP is spoken there.
    pub(super) fn is_http(&self) -> bool {
        matches!(self.protocol, Protocol::Http { .. })
    }
}

impl How {
    fn is_like(&self, other: &How) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// Whether `exportTo` of a resource of `own` lets `namespace` see it.
pub fn exported(export_to: &[String], own: &str, namespace: &str) -> bool {
    export_to.is_empty()
        || export_to.iter().any(|to| match to.as_str() {
            "*" => true,
            "." => own == namespace,
            name => name == namespace,
        })
}

/// Whether labels have all that are wanted.
pub(super) fn has_labels(labels: &Labels, wanted: &Labels) -> bool {
    wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// All registered hosts; of two with one name the Service wins, then the older ServiceEntry.
#[derive(Debug, Default)]
pub(super) struct Services {
    all: Vec<Service>,
    /// Of WorkloadEntries, with their namespaces.
    workloads: Vec<(String, Address)>,
}

impl Services {
    /// Adds a workload that Services and ServiceEntries of its namespace, added later, may select.
    pub(super) fn add_workload(&mut self, resource: &Resource, spec: &WorkloadEntry) {
        // One without an address is in another network, which cannot be reached.
        if !spec.address.is_empty() {
            let labels = spec.labels.iter().chain(&resource.meta.labels);
            let labels = labels.map(|(key, value)| (key.clone(), value.clone())).collect();
            self.workloads.push((resource.namespace().to_owned(), Address { labels, ..address(spec) }));
        }
    }

    fn selected(&self, namespace: &str, selector: &Labels) -> Vec<Address> {
        let of_namespace = self.workloads.iter().filter(|(own, _)| own == namespace).map(|(_, address)| address);
        of_namespace.filter(|address| has_labels(&address.labels, selector)).cloned().collect()
    }

    /// Adds the hosts of a ServiceEntry.
    pub(super) fn add_entry(&mut self, resource: &Resource, spec: &ServiceEntry) {
        let how = match (spec.resolution, &spec.workload_selector) {
            _ if !spec.endpoints.is_empty() => How::Endpoints(spec.endpoints.iter().map(address).collect()),
            (_, Some(selector)) => How::Endpoints(self.selected(resource.namespace(), &selector.labels)),
            (Resolution::Static, None) => How::Endpoints(Vec::new()),
            (Resolution::None, None) => How::Original,
            (Resolution::DynamicDns, None) => How::Dynamic,
            (Resolution::Dns | Resolution::DnsRoundRobin, None) => How::Host,
        };
        let private = match spec.location {
            Location::MeshInternal => Private::Mesh(subnets(&spec.addresses)),
            Location::MeshExternal => Private::Only(subnets(&spec.addresses)),
        };
        let provenance = Arc::new(Provenance::of(resource));
        let reach = Arc::new(Reach { how, private, subject_alt_names: spec.subject_alt_names.clone() });
        let ports: Vec<_> = spec.ports.iter().filter_map(|port| entry_port(port, &reach)).collect();
        self.all.extend(spec.hosts.iter().map(|host| Service {
            host: qualify(host, resource.namespace()),
            namespace: resource.namespace().to_owned(),
            provenance: Arc::clone(&provenance),
            ports: ports.clone(),
            addresses: subnets(&spec.addresses),
            export_to: spec.export_to.clone(),
        }));
    }

    /// Adds a Service of the mesh under its full name.
    pub(super) fn add_core(&mut self, resource: &Resource, service: &CoreService) {
        let ServiceSpec { ports, selector, .. } = service.spec.clone().unwrap_or_default();
        let selector: Labels = selector.unwrap_or_default().into_iter().collect();
        // One without selector has its endpoints from elsewhere.
        let selected = if selector.is_empty() { Vec::new() } else { self.selected(resource.namespace(), &selector) };
        let how = How::Selected(selector, selected);
        let reach = Arc::new(Reach { how, private: Private::Any, subject_alt_names: Vec::new() });
        self.all.push(Service {
            host: qualify(&resource.meta.name, resource.namespace()),
            namespace: resource.namespace().to_owned(),
            provenance: Arc::new(Provenance::of(resource)),
            ports: ports.unwrap_or_default().iter().filter_map(|port| core_port(port, &reach)).collect(),
            addresses: Vec::new(),
            export_to: Vec::new(),
        });
    }

    /// The hosts that a namespace sees.
    pub(super) fn seen_from(&self, namespace: &str) -> HostTable<Service> {
        let mut table: HostTable<Service> = HostTable::default();
        for service in self.all.iter().filter(|service| service.visible_from(namespace)) {
            let mut first = false;
            let known = table.get_or_insert_with(&service.host, || {
                first = true;
                service.clone()
            });
            if !first {
                known.extend(service);
            }
        }
        table
    }
}

fn entry_port(port: &ServicePort, reach: &Arc<Reach>) -> Option<Port> {
    let number = u16::try_from(port.number).ok()?;
    let target = u16::try_from(port.target_port).ok().filter(|target| *target > 0).unwrap_or(number);
    let (name, protocol) = (port.name.clone(), protocol(&port.protocol).unwrap_or(SNIFFED));
    Some(Port { number, name, target, protocol, reach: Arc::clone(reach) })
}

fn core_port(port: &CorePort, reach: &Arc<Reach>) -> Option<Port> {
    let number = u16::try_from(port.port).ok()?;
    let target = match &port.target_port {
        Some(IntOrString::Int(target)) => u16::try_from(*target).ok().filter(|target| *target > 0),
        _ => None,
    };
    let name = port.name.clone().unwrap_or_default();
    let protocol = match port.protocol.as_deref() {
        None | Some("TCP") => core_protocol(port.app_protocol.as_deref(), &name, number),
        Some(_) => Protocol::Other,
    };
    Some(Port { number, target: target.unwrap_or(number), name, protocol, reach: Arc::clone(reach) })
}

/// What is spoken at a Service's port: as `appProtocol` says, else the part of its name before `-`, else as is usual for its
/// number.
fn core_protocol(app_protocol: Option<&str>, name: &str, number: u16) -> Protocol {
    let by_app = app_protocol.and_then(|written| match written {
        "kubernetes.io/h2c" => protocol("HTTP2"),
        "kubernetes.io/ws" => protocol("HTTP"),
        "kubernetes.io/wss" => protocol("HTTPS"),
        other => named_protocol(other),
    });
    let server_first = [25, 53, 3306, 27017].contains(&number).then_some(Protocol::Bytes(Bytes::Tcp));
    by_app.or_else(|| named_protocol(name)).or(server_first).unwrap_or(SNIFFED)
}

fn named_protocol(name: &str) -> Option<Protocol> {
    let is_grpc_web = name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("grpc-web"));
    let known = if is_grpc_web { "GRPC-WEB" } else { name.split('-').next().unwrap_or_default() };
    if known.is_empty() { None } else { protocol(known) }
}

pub(super) fn address(entry: &WorkloadEntry) -> Address {
    let ports = entry.ports.iter().filter_map(|(name, port)| Some((name.clone(), u16::try_from(*port).ok()?)));
    Address {
        address: entry.address.clone(),
        ports: ports.collect(),
        labels: entry.labels.clone(),
        weight: entry.weight.max(1),
    }
}

/// What nobody has declared is told from what is sent, which is HTTP here.
const SNIFFED: Protocol = Protocol::Http { multiplexed: false };

/// The protocol of a name, in any letter case; `None` for none that is known.
pub(super) fn protocol(name: &str) -> Option<Protocol> {
    Some(match name.to_ascii_uppercase().as_str() {
        "HTTP" | "GRPC-WEB" | "HTTP_PROXY" => Protocol::Http { multiplexed: false },
        "HTTP2" | "GRPC" => Protocol::Http { multiplexed: true },
        "TLS" | "HTTPS" => Protocol::Bytes(Bytes::Tls),
        "TCP" | "MONGO" | "REDIS" | "MYSQL" => Protocol::Bytes(Bytes::Tcp),
        "UDP" => Protocol::Other,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_services_port_is_told_by_app_protocol_then_name_then_number() {
        let (http, http2) = (SNIFFED, Protocol::Http { multiplexed: true });
        let (tls, tcp) = (Protocol::Bytes(Bytes::Tls), Protocol::Bytes(Bytes::Tcp));
        for (app_protocol, name, number, expected) in [
            (None, "http", 80, http),
            (None, "http-api", 80, http),
            (None, "HTTP2-x", 80, http2),
            (None, "grpc", 80, http2),
            (None, "grpc-web", 80, http),
            (None, "grpc-web-x", 80, http),
            (None, "https", 443, tls),
            (None, "tls-x", 443, tls),
            (None, "mongo-x", 80, tcp),
            (None, "web", 80, http),
            (None, "", 443, http),
            (None, "", 3306, tcp),
            (None, "http", 25, http),
            (Some("tcp"), "http", 80, tcp),
            (Some("kubernetes.io/h2c"), "tcp", 80, http2),
            (Some("example.com/mine"), "tcp", 80, tcp),
        ] {
            assert_eq!(core_protocol(app_protocol, name, number), expected, "{app_protocol:?} {name} {number}");
        }
    }
}
