//! Which hosts are registered: ServiceEntries and Services, and where each can be reached.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Service as CoreService, ServicePort as CorePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::registry::{Declared, Renewed};
use crate::resource::kinds::service_entry::{Location, Resolution, ServiceEntry, ServicePort};
use crate::resource::kinds::workload_entry::WorkloadEntry;
use crate::resource::{Labels, Meta, Provenance};

use super::endings::Endings;
use super::hosts::{HostTable, qualify};
use super::private::Private;
use super::subnet::{Subnet, subnets};
use super::touched::Touched;

/// A registered host.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) host: String,
    /// What it is made of, in whose namespace it is.
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
    /// Where it is, as in `us-west/zone1/a`.
    pub(super) locality: String,
}

impl Service {
    /// Its namespace.
    pub(super) fn namespace(&self) -> &str {
        &self.provenance.namespace
    }

    /// Whether resources and calls of a namespace see it (`exportTo`; all do by default).
    pub(super) fn visible_from(&self, namespace: &str) -> bool {
        exported(&self.export_to, self.namespace(), namespace)
    }

    /// Whether sidecars of a namespace know it by a name.
    pub(super) fn has_name(&self, name: &str, namespace: &str) -> bool {
        names(&self.host, self.addresses.iter(), namespace).iter().any(|own| own == name)
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
        if self.namespace() == other.namespace() && same_kind {
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

/// To whom a Service is exported: by its annotation, what `exportTo` is for resources of Istio's.
pub fn exports(meta: &Meta) -> Vec<String> {
    let written = meta.annotations.get("networking.istio.io/exportTo").map(String::as_str).unwrap_or_default();
    written.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
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
    /// In the order in which they win.
    by_host: HostTable<Vec<Registered>>,
    endings: Endings,
    /// Hosts that networks are declared for, and by each of these that is a single address, as it stands in the place of
    /// a host.
    addressed: BTreeSet<Arc<str>>,
    by_address: HashMap<String, BTreeSet<Arc<str>>>,
    /// WorkloadEntries by namespace, the oldest first.
    workloads: HashMap<String, Vec<Arc<Declared<WorkloadEntry>>>>,
    /// By namespace: those of which the endpoints are WorkloadEntries.
    selecting: HashMap<String, Vec<Registrar>>,
}

/// A host with what registers it.
#[derive(Debug, Clone)]
struct Registered {
    by: Registrar,
    service: Arc<Service>,
}

/// What registers hosts.
#[derive(Debug, Clone)]
pub(super) enum Registrar {
    /// A Service of the mesh, under its full name.
    Service(Arc<Declared<CoreService>>),
    /// A ServiceEntry.
    Entry(Arc<Declared<ServiceEntry>>),
}

impl Registrar {
    /// What comes first wins.
    fn order(&self) -> (bool, (Option<&str>, &str, &str)) {
        match self {
            Registrar::Service(declared) => (false, declared.age()),
            Registrar::Entry(declared) => (true, declared.age()),
        }
    }

    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Registrar::Service(own), Registrar::Service(other)) => Arc::ptr_eq(own, other),
            (Registrar::Entry(own), Registrar::Entry(other)) => Arc::ptr_eq(own, other),
            _ => false,
        }
    }

    fn namespace(&self) -> &str {
        match self {
            Registrar::Service(declared) => declared.namespace(),
            Registrar::Entry(declared) => declared.namespace(),
        }
    }

    /// Whether its endpoints are WorkloadEntries.
    fn selects(&self) -> bool {
        match self {
            Registrar::Service(declared) => {
                let spec = declared.spec.spec.as_ref();
                spec.and_then(|spec| spec.selector.as_ref()).is_some_and(|selector| !selector.is_empty())
            }
            Registrar::Entry(declared) => {
                declared.spec.endpoints.is_empty() && declared.spec.workload_selector.is_some()
            }
        }
    }

    fn hosts(&self) -> Vec<String> {
        match self {
            Registrar::Service(declared) => vec![qualify(&declared.resource.meta.name, declared.namespace())],
            Registrar::Entry(declared) => {
                declared.spec.hosts.iter().map(|host| qualify(host, declared.namespace())).collect()
            }
        }
    }
}

impl Services {
    /// Adds what registers hosts, and notes these.
    pub(super) fn add(&mut self, by: Registrar, touched: &mut Touched) {
        if by.selects() {
            self.selecting.entry(by.namespace().to_owned()).or_default().push(by.clone());
        }
        let services = match &by {
            Registrar::Service(declared) => vec![self.of_service(declared)],
            Registrar::Entry(declared) => self.of_entry(declared),
        };
        for service in services {
            let host: Arc<str> = service.host.as_str().into();
            let at = self.by_host.get_or_default(&host);
            let place = at.partition_point(|other| other.by.order() <= by.order());
            if at.is_empty() {
                // Most hosts are registered once.
                at.reserve_exact(1);
            }
            at.insert(place, Registered { by: by.clone(), service: Arc::new(service) });
            let service = &at[place].service;
            self.endings.insert(&host);
            if !service.addresses.is_empty() {
                self.addressed.insert(Arc::clone(&host));
                touched.addresses = true;
            }
            for address in service.addresses.iter().filter_map(Subnet::as_host) {
                touched.names.insert(address.clone());
                self.by_address.entry(address).or_default().insert(Arc::clone(&host));
            }
            touched.services.insert(host);
        }
    }

    /// Takes out what registers hosts, and notes these.
    pub(super) fn remove(&mut self, by: &Registrar, touched: &mut Touched) {
        if let Some(selecting) = self.selecting.get_mut(by.namespace()) {
            selecting.retain(|other| !other.is(by));
        }
        for host in by.hosts() {
            let at = self.by_host.get_or_default(&host);
            let (removed, left): (Vec<_>, Vec<_>) = std::mem::take(at).into_iter().partition(|other| other.by.is(by));
            let still: HashSet<Subnet> = left.iter().flat_map(|one| &one.service.addresses).copied().collect();
            if left.is_empty() {
                self.by_host.remove(&host);
                self.endings.remove(&host);
            } else {
                *at = left;
            }
            let gone: Vec<Subnet> = removed.iter().flat_map(|one| &one.service.addresses).copied().collect();
            touched.addresses |= !gone.is_empty();
            if still.is_empty() {
                self.addressed.remove(host.as_str());
            }
            for address in gone.iter().filter(|subnet| !still.contains(subnet)).filter_map(Subnet::as_host) {
                if let Some(hosts) = self.by_address.get_mut(&address) {
                    hosts.remove(host.as_str());
                    if hosts.is_empty() {
                        self.by_address.remove(&address);
                    }
                }
                touched.names.insert(address);
            }
            touched.services.insert(host.into());
        }
    }

    /// Takes up a WorkloadEntry as it is instead of as it was, with all that may select it.
    pub(super) fn renew_workload(&mut self, renewed: Renewed<WorkloadEntry>, touched: &mut Touched) {
        let Some(namespace) = renewed.before.as_ref().or(renewed.now.as_ref()).map(|one| one.namespace().to_owned())
        else {
            return;
        };
        let selecting = self.selecting.get(&namespace).cloned().unwrap_or_default();
        selecting.iter().for_each(|by| self.remove(by, touched));
        let workloads = self.workloads.entry(namespace).or_default();
        if let Some(before) = &renewed.before {
            workloads.retain(|other| !Arc::ptr_eq(other, before));
        }
        // One without an address is in another network, which cannot be reached.
        if let Some(now) = renewed.now.filter(|now| !now.spec.address.is_empty()) {
            let place = workloads.partition_point(|other| other.age() <= now.age());
            workloads.insert(place, now);
        }
        selecting.into_iter().for_each(|by| self.add(by, touched));
    }

    fn selected(&self, namespace: &str, selector: &Labels) -> Vec<Address> {
        let of_namespace = self.workloads.get(namespace).into_iter().flatten().map(|declared| {
            let labels = declared.spec.labels.iter().chain(&declared.resource.meta.labels);
            let labels = labels.map(|(key, value)| (key.clone(), value.clone())).collect();
            Address { labels, ..address(&declared.spec) }
        });
        of_namespace.filter(|address| has_labels(&address.labels, selector)).collect()
    }

    /// The hosts of a ServiceEntry.
    fn of_entry(&self, declared: &Declared<ServiceEntry>) -> Vec<Service> {
        let (resource, spec) = (&declared.resource, &declared.spec);
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
        let service = |host: &String| Service {
            host: qualify(host, resource.namespace()),
            provenance: Arc::clone(&provenance),
            ports: ports.clone(),
            addresses: subnets(&spec.addresses),
            export_to: spec.export_to.clone(),
        };
        spec.hosts.iter().map(service).collect()
    }

    /// A Service of the mesh under its full name.
    fn of_service(&self, declared: &Declared<CoreService>) -> Service {
        let resource = &declared.resource;
        let ServiceSpec { ports, selector, .. } = declared.spec.spec.clone().unwrap_or_default();
        let selector: Labels = selector.unwrap_or_default().into_iter().collect();
        // One without selector has its endpoints from elsewhere.
        let selected = if selector.is_empty() { Vec::new() } else { self.selected(resource.namespace(), &selector) };
        let how = How::Selected(selector, selected);
        let reach = Arc::new(Reach { how, private: Private::Any, subject_alt_names: Vec::new() });
        Service {
            host: qualify(&resource.meta.name, resource.namespace()),
            provenance: Arc::new(Provenance::of(resource)),
            ports: ports.unwrap_or_default().iter().filter_map(|port| core_port(port, &reach)).collect(),
            addresses: Vec::new(),
            export_to: exports(&resource.meta),
        }
    }

    /// The service of exactly this host that a namespace sees.
    pub(super) fn seen(&self, host: &str, namespace: &str) -> Option<Arc<Service>> {
        let all = self.by_host.pattern(host)?.iter().map(|one| &one.service);
        let mut visible = all.filter(|service| service.visible_from(namespace));
        let mut seen = Arc::clone(visible.next()?);
        visible.for_each(|other| Arc::make_mut(&mut seen).extend(other));
        Some(seen)
    }

    /// All hosts, whoever sees them.
    pub(super) fn hosts(&self) -> impl Iterator<Item = &Arc<str>> {
        self.endings.all()
    }

    /// The hosts that a pattern covers.
    pub(super) fn covered_by(&self, pattern: &str) -> impl Iterator<Item = &Arc<str>> {
        self.endings.covered_by(pattern)
    }

    /// The wildcards among the hosts that cover a pattern.
    pub(super) fn covering(&self, pattern: &str) -> impl Iterator<Item = &str> {
        let covering = self.by_host.all_covering(pattern).filter_map(|all| all.first());
        covering.map(|one| one.service.host.as_str()).filter(|host| host.starts_with('*'))
    }

    /// The hosts that networks are declared for.
    pub(super) fn addressed(&self) -> impl Iterator<Item = &Arc<str>> {
        self.addressed.iter()
    }

    /// The addresses that are declared for hosts, as they stand in the place of a host.
    pub(super) fn addresses(&self) -> impl Iterator<Item = &String> {
        self.by_address.keys()
    }

    /// The hosts that may be known by a name in a namespace, in the order in which they take it: hosts that are declared
    /// as they are come before the short names of Services.
    pub(super) fn named(&self, name: &str, namespace: &str) -> Vec<String> {
        let of_mesh = [
            name.ends_with(".svc").then(|| format!("{name}.cluster.local")),
            Some(format!("{name}{OF_MESH}")),
            Some(format!("{name}.{namespace}{OF_MESH}")),
        ];
        let mut hosts = vec![name.to_owned()];
        hosts.extend(of_mesh.into_iter().flatten());
        hosts.extend(self.by_address.get(name).into_iter().flatten().map(|host| host.to_string()));
        hosts.retain(|host| self.by_host.pattern(host).is_some());
        hosts.sort_unstable_by(|one, other| (one.ends_with(OF_MESH), one).cmp(&(other.ends_with(OF_MESH), other)));
        hosts.dedup();
        hosts
    }

    /// The names by which sidecars of a namespace may know a host: the host itself, its addresses, and of a Service of
    /// the mesh the short ones.
    pub(super) fn names_of(&self, host: &str, namespace: &str) -> Vec<String> {
        let addresses = self.by_host.pattern(host).into_iter().flatten().flat_map(|one| &one.service.addresses);
        names(host, addresses, namespace)
    }
}

/// How the full names of Services of the mesh end.
const OF_MESH: &str = ".svc.cluster.local";

fn names<'s>(host: &str, addresses: impl Iterator<Item = &'s Subnet>, namespace: &str) -> Vec<String> {
    let mut names = vec![host.to_owned()];
    names.extend(addresses.filter_map(Subnet::as_host));
    if let Some(short) = host.strip_suffix(OF_MESH) {
        names.push(format!("{short}.svc"));
        names.push(short.to_owned());
        names.extend(short.strip_suffix(&format!(".{namespace}")).map(str::to_owned));
    }
    names
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
        locality: entry.locality.clone(),
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
