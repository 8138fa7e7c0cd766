//! From resources to the routes of tunnels.

use std::collections::HashMap;
use std::sync::Arc;

use crate::resource::Labels;
use crate::resource::kinds::gateway::{Server, ServerTlsMode};
use crate::resource::kinds::virtual_service::{RouteDestination, VirtualService};

use super::super::destinations::Destinations;
use super::super::hosts::{HostTable, covers, qualify};
use super::super::route::RouteName;
use super::super::scope::{Scope, Sight};
use super::super::services::{self, Bytes, Protocol, Service};
use super::super::subnet::{Subnet, subnets};
use super::super::tunnel::{Destination, Port, Route, Servers, Tunnels};
use super::sidecars::{in_order, names};
use super::{Declared, Gateway, Networking, Place, exported, is_bound, names_place, serve};

/// What `tls` and `tcp` matches have in common.
struct Entry<'a> {
    /// The place of its route among those of its list.
    index: usize,
    names: &'a [String],
    subnets: &'a [String],
    port: u32,
    source_subnet: &'a str,
    source_labels: &'a Labels,
    source_namespace: &'a str,
    gateways: &'a [String],
}

/// The VirtualServices with routes for bytes that sidecars of a namespace see, by host.
struct Bound<'a> {
    all: Vec<&'a Declared<VirtualService>>,
    by_host: HostTable<Vec<usize>>,
    /// Their hosts read backwards, in order: those that a wildcard covers are beside each other.
    by_end: Vec<(Vec<u8>, Ending)>,
}

/// A host of one of them.
struct Ending {
    pattern: String,
    place: usize,
}

impl<'a> Bound<'a> {
    /// The VirtualServices of which a host has calls in common with a service's, the oldest first. All of them count,
    /// unlike those with routes of HTTP (Istio's rule).
    fn of(&self, host: &str) -> Vec<&'a Declared<VirtualService>> {
        let mut found: Vec<usize> = self.by_host.all_covering(host).flatten().copied().collect();
        if let Some(suffix) = host.strip_prefix('*') {
            let suffix = backwards(suffix);
            let first = self.by_end.partition_point(|(end, _)| *end < suffix);
            let ending = self.by_end[first..].iter().take_while(|(end, _)| end.starts_with(&suffix));
            found.extend(ending.filter(|(_, one)| covers(host, &one.pattern)).map(|(_, one)| one.place));
        }
        found.sort_unstable();
        found.dedup();
        found.into_iter().map(|place| self.all[place]).collect()
    }
}

impl Networking {
    /// What sidecars of a scope do with tunnels; `http` are hosts and ports that only a VirtualService knows.
    pub(super) fn sidecar_tunnels(
        &self,
        sight: Sight<'_>,
        services: &HostTable<Service>,
        http: impl Iterator<Item = (String, u16)>,
        destinations: &mut Destinations<'_>,
    ) -> Tunnels {
        let namespace = &destinations.scope.namespace;
        let bound = self.bound_tunnels(namespace);
        let mut tunnels = Tunnels::default();
        for service in in_order(services) {
            let seen = |port: u16| sight.has_service(&service.host, &service.namespace, port);
            for port in service.ports.iter().filter(|port| seen(port.number)) {
                let compiled = match port.protocol {
                    Protocol::Other => continue,
                    Protocol::Http { .. } => Port::Http,
                    Protocol::Bytes(bytes) => {
                        let mut bound = bound.of(&service.host);
                        bound.retain(|one| sight.has_virtual_service(&one.spec.hosts, &one.namespace, port.number));
                        let routes = sidecar_routes(&bound, service, port.number, bytes, destinations);
                        let service = destinations.cluster(&service.host, Some(port.number), port.number, "");
                        Port::Bytes { tls: bytes == Bytes::Tls, routes, service }
                    }
                };
                let compiled = Arc::new(compiled);
                for name in names(service, namespace) {
                    tunnels.add(port.number, &name, &compiled);
                }
                let networks = tunnels.addresses.entry(port.number).or_default();
                service.addresses.iter().for_each(|subnet| networks.add(*subnet, &service.host));
            }
        }
        for (host, port) in http {
            tunnels.add(port, &host, &Arc::new(Port::Http));
        }
        tunnels
    }

    fn bound_tunnels(&self, namespace: &str) -> Bound<'_> {
        let mut bound = Bound { all: Vec::new(), by_host: HostTable::default(), by_end: Vec::new() };
        for declared in &self.virtual_services {
            let spec = &declared.spec;
            let in_mesh = spec.gateways.is_empty() || spec.gateways.iter().any(|gateway| gateway == "mesh");
            let of_bytes = !spec.tls.is_empty() || !spec.tcp.is_empty();
            if in_mesh && of_bytes && exported(&spec.export_to, &declared.namespace, namespace) {
                for host in &spec.hosts {
                    let (pattern, place) = (qualify(host, &declared.namespace), bound.all.len());
                    bound.by_host.get_or_default(&pattern).push(place);
                    let end = backwards(pattern.strip_prefix('*').unwrap_or(&pattern));
                    bound.by_end.push((end, Ending { pattern, place }));
                }
                bound.all.push(declared);
            }
        }
        bound.by_end.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        bound
    }

    /// What the gateway's servers do with tunnels, by port.
    pub(super) fn gateway_tunnels(
        &self,
        labels: &Labels,
        destinations: &mut Destinations<'_>,
    ) -> HashMap<u16, Servers> {
        let mut table: HashMap<u16, Servers> = HashMap::new();
        for gateway in self.selected_gateways(labels) {
            for server in &gateway.spec.servers {
                let Some(port) = server.port.as_ref().and_then(|port| u16::try_from(port.number).ok()) else {
                    continue;
                };
                let servers = table.entry(port).or_default();
                let Some(inside) = inside(server) else { continue };
                let place = Place::Gateway(&gateway.namespace, &gateway.name);
                for declared in self.virtual_services.iter().filter(|declared| is_bound(declared, place)) {
                    let bytes = if inside == Inside::Tls { Bytes::Tls } else { Bytes::Tcp };
                    let routes = gateway_routes(declared, gateway, server, port, bytes, destinations);
                    match inside {
                        Inside::Tls => servers.tls.extend(routes),
                        Inside::EndedTls => servers.ended.extend(routes),
                        Inside::Tcp => {
                            servers.dialled.extend(routes.iter().cloned().map(|route| Route { name: None, ..route }));
                            servers.tcp.extend(routes);
                        }
                    }
                }
            }
        }
        for servers in table.values_mut() {
            most_specific_first(&mut servers.tls);
            most_specific_first(&mut servers.ended);
        }
        table
    }
}

/// A host by its end.
fn backwards(host: &str) -> Vec<u8> {
    host.bytes().rev().collect()
}

/// What goes through a server unread.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Tls,
    Tcp,
    /// TCP inside TLS that the server ends.
    EndedTls,
}

/// What goes through a server unread, if anything.
fn inside(server: &Server) -> Option<Inside> {
    let protocol = server.port.as_ref().map(|port| port.protocol.as_str()).unwrap_or_default();
    let Some(Protocol::Bytes(bytes)) = services::protocol(protocol) else { return None };
    let mode = server.tls.as_ref().map(|tls| tls.mode).unwrap_or_default();
    match (bytes, mode) {
        (Bytes::Tcp, _) => Some(Inside::Tcp),
        (Bytes::Tls, ServerTlsMode::Passthrough) => Some(Inside::Tls),
        (Bytes::Tls, ServerTlsMode::AutoPassthrough) => None,
        // Inside HTTPS there is HTTP.
        (Bytes::Tls, _) => protocol.eq_ignore_ascii_case("TLS").then_some(Inside::EndedTls),
    }
}

/// The most specific name is chosen, whatever the order (Istio's rule); of equals the first.
fn most_specific_first(routes: &mut [Route]) {
    let specificity = |route: &Route| {
        let name = route.name.as_deref().unwrap_or_default();
        (!name.starts_with('*'), name.len())
    };
    routes.sort_by_key(|route| std::cmp::Reverse(specificity(route)));
}

fn sidecar_routes(
    bound: &[&Declared<VirtualService>],
    service: &Service,
    port: u16,
    bytes: Bytes,
    destinations: &mut Destinations<'_>,
) -> Vec<Route> {
    let mut routes = Vec::new();
    for declared in bound {
        for (entry, targets) in entries(&declared.spec, bytes) {
            if !applies(&entry, &declared.namespace, Place::Mesh, port, destinations.scope) {
                continue;
            }
            let targets = resolved(targets, &declared.namespace, port, destinations);
            // Of plain TCP nothing tells the host but the service itself.
            let names = match bytes {
                Bytes::Tls => entry.names.iter().map(|name| Some(name.to_ascii_lowercase())).collect(),
                Bytes::Tcp => vec![None],
            };
            let holds = |subnets: &[Subnet]| {
                let inside = |address: &Subnet| subnets.iter().any(|subnet| subnet.covers(address));
                !service.addresses.is_empty() && service.addresses.iter().all(inside)
            };
            let of = declared.route(bytes.list(), entry.index);
            routes.extend(names.into_iter().map(|name| route(&of, &entry, name, &targets, holds)));
        }
    }
    if bytes == Bytes::Tls {
        most_specific_first(&mut routes);
    }
    routes
}

fn gateway_routes(
    declared: &Declared<VirtualService>,
    gateway: &Declared<Gateway>,
    server: &Server,
    port: u16,
    bytes: Bytes,
    destinations: &mut Destinations<'_>,
) -> Vec<Route> {
    let place = Place::Gateway(&gateway.namespace, &gateway.name);
    let mut routes = Vec::new();
    for (entry, targets) in entries(&declared.spec, bytes) {
        if !applies(&entry, &declared.namespace, place, port, destinations.scope) {
            continue;
        }
        let targets = resolved(targets, &declared.namespace, port, destinations);
        let of = declared.route(bytes.list(), entry.index);
        let wanted = if bytes == Bytes::Tls { entry.names } else { &declared.spec.hosts };
        for name in wanted.iter().map(|name| qualify(name, &declared.namespace)) {
            let served = server.hosts.iter().filter_map(|host| serve(host, &name, declared, gateway));
            // What a caller dialled is not seen here: a condition on it holds for nobody who named a host.
            routes.extend(served.map(|name| route(&of, &entry, Some(name), &targets, |_| false)));
        }
    }
    routes
}

fn route(
    of: &RouteName,
    entry: &Entry<'_>,
    name: Option<String>,
    targets: &Arc<[Destination]>,
    holds_service: impl Fn(&[Subnet]) -> bool,
) -> Route {
    let subnets = subnets(entry.subnets);
    Route {
        of: of.clone(),
        name: name.map(String::into_boxed_str),
        holds_service: holds_service(&subnets),
        subnets,
        source_subnet: entry.source_subnet.parse().ok(),
        destinations: Arc::clone(targets),
    }
}

/// Whether an entry can hold at a place and port.
fn applies(entry: &Entry<'_>, namespace: &str, place: Place<'_>, port: u16, source: &Scope) -> bool {
    (entry.gateways.is_empty() || names_place(entry.gateways, namespace, place))
        && (entry.port == 0 || entry.port == u32::from(port))
        && source.is_source(entry.source_labels, entry.source_namespace)
}

/// The entries of the routes for TLS or TCP, each with where its route leads.
fn entries(spec: &VirtualService, bytes: Bytes) -> Vec<(Entry<'_>, &[RouteDestination])> {
    static EVERYTHING: Labels = Labels::new();
    match bytes {
        Bytes::Tls => spec
            .tls
            .iter()
            .enumerate()
            .flat_map(|(index, route)| route.r#match.iter().map(move |entry| (index, entry, route.route.as_slice())))
            .map(|(index, entry, targets)| {
                let entry = Entry {
                    index,
                    names: &entry.sni_hosts,
                    subnets: &entry.destination_subnets,
                    port: entry.port,
                    source_subnet: "",
                    source_labels: &entry.source_labels,
                    source_namespace: &entry.source_namespace,
                    gateways: &entry.gateways,
                };
                (entry, targets)
            })
            .collect(),
        Bytes::Tcp => {
            let mut found = Vec::new();
            for (index, route) in spec.tcp.iter().enumerate() {
                found.extend(route.r#match.iter().map(|entry| {
                    let entry = Entry {
                        index,
                        names: &[],
                        subnets: &entry.destination_subnets,
                        port: entry.port,
                        source_subnet: &entry.source_subnet,
                        source_labels: &entry.source_labels,
                        source_namespace: &entry.source_namespace,
                        gateways: &entry.gateways,
                    };
                    (entry, route.route.as_slice())
                }));
                if route.r#match.is_empty() {
                    let everything = Entry {
                        index,
                        names: &[],
                        subnets: &[],
                        port: 0,
                        source_subnet: "",
                        source_labels: &EVERYTHING,
                        source_namespace: "",
                        gateways: &[],
                    };
                    found.push((everything, route.route.as_slice()));
                    break;
                }
            }
            found
        }
    }
}

fn resolved(
    targets: &[RouteDestination],
    namespace: &str,
    port: u16,
    destinations: &mut Destinations<'_>,
) -> Arc<[Destination]> {
    let resolved = targets.iter().filter_map(|target| {
        let to = target.destination.as_ref()?;
        let number = to.port.as_ref().and_then(|selector| u16::try_from(selector.number).ok());
        let cluster = destinations.cluster(&qualify(&to.host, namespace), number, port, &to.subset);
        Some(Destination { weight: u64::try_from(target.weight).unwrap_or(0), cluster })
    });
    resolved.collect()
}
