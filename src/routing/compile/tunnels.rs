//! From resources to the routes of tunnels.

use std::collections::HashMap;
use std::sync::Arc;

use crate::resource::Labels;
use crate::resource::kinds::gateway::{Server as Spec, ServerTlsMode};
use crate::resource::kinds::virtual_service::{RouteDestination, VirtualService};

use super::super::destinations::Destinations;
use super::super::hosts::qualify;
use super::super::route::RouteName;
use super::super::scope::{Scope, Sight};
use super::super::services::{self, Bytes, Protocol, Service};
use super::super::subnet::{Subnet, subnets};
use super::super::tunnel::{Destination, Port, Route, Servers};
use super::super::virtual_services::Virtual;
use super::gateways::Server;
use super::{Networking, Place, names_place};

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

impl Networking {
    /// What sidecars do with tunnels to a port of a service; `None` where it carries nothing that we know.
    pub(super) fn sidecar_port(
        &self,
        sight: Sight<'_>,
        service: &Service,
        port: &services::Port,
        destinations: &mut Destinations<'_>,
    ) -> Option<Arc<Port>> {
        let bytes = match port.protocol {
            Protocol::Other => return None,
            Protocol::Http { .. } => return Some(Arc::new(Port::Http)),
            Protocol::Bytes(bytes) => bytes,
        };
        let mut bound = self.bound_tunnels(service, &destinations.scope.namespace);
        bound.retain(|one| sight.has_virtual_service(&one.spec().hosts, one.namespace(), port.number));
        let routes = sidecar_routes(&bound, service, port.number, bytes, destinations);
        let service = destinations.cluster(&service.host, Some(port.number), port.number, "");
        Some(Arc::new(Port::Bytes { tls: bytes == Bytes::Tls, routes: routes.into(), service }))
    }

    /// The VirtualServices with routes for bytes of which a host has calls in common with a service's, as sidecars of a
    /// namespace see them, the least public first. All of them count, unlike those with routes of HTTP (Istio's rule).
    fn bound_tunnels(&self, service: &Service, namespace: &str) -> Vec<&Virtual> {
        let wider = self.virtual_services.covering(&service.host).flatten();
        let narrower = service.host.starts_with('*').then(|| self.virtual_services.covered_by(&service.host));
        let found = wider.chain(narrower.into_iter().flatten()).map(|at| &*at.of);
        let found = found.filter(|one| one.is_of_bytes() && one.is_in_mesh());
        let mut found: Vec<_> = found.filter_map(|one| Some((one.publicity(namespace)?, one.age(), one))).collect();
        found.sort_by(|(publicity, age, _), other| (publicity, age).cmp(&(&other.0, &other.1)));
        found.dedup_by(|(.., one), (.., other)| std::ptr::eq(*one, *other));
        found.into_iter().map(|(.., one)| one).collect()
    }

    /// What the gateway's servers do with tunnels, by port.
    pub(super) fn gateway_tunnels(
        &self,
        servers: &HashMap<u16, Vec<Server>>,
        destinations: &mut Destinations<'_>,
    ) -> HashMap<u16, Servers> {
        let of_port = |(port, servers): (&u16, &Vec<Server>)| {
            let (mut tls, mut tcp, mut dialled, mut ended) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            for (server, inside) in servers.iter().filter_map(|server| Some((server, server.inside?))) {
                let bound = self.virtual_services.of_bytes().filter(|of| server.binds(of));
                let namespace = &destinations.scope.namespace;
                let mut bound: Vec<_> = bound.filter_map(|of| Some((of.publicity(namespace)?, of))).collect();
                bound.sort_by_key(|(publicity, _)| *publicity);
                for (_, of) in bound {
                    let bytes = if inside == Inside::Tls { Bytes::Tls } else { Bytes::Tcp };
                    let routes = gateway_routes(of, server, *port, bytes, destinations);
                    match inside {
                        Inside::Tls => tls.extend(routes),
                        Inside::EndedTls => ended.extend(routes),
                        Inside::Tcp => {
                            dialled.extend(routes.iter().cloned().map(|route| Route { name: None, ..route }));
                            tcp.extend(routes);
                        }
                    }
                }
            }
            most_specific_first(&mut tls);
            most_specific_first(&mut ended);
            (*port, Servers { tls: tls.into(), tcp: tcp.into(), dialled: dialled.into(), ended: ended.into() })
        };
        servers.iter().map(of_port).collect()
    }
}

/// What goes through a server unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inside {
    Tls,
    Tcp,
    /// TCP inside TLS that the server ends.
    EndedTls,
}

impl Inside {
    /// What goes through a server unread, if anything.
    pub(super) fn of(server: &Spec) -> Option<Self> {
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
    bound: &[&Virtual],
    service: &Service,
    port: u16,
    bytes: Bytes,
    destinations: &mut Destinations<'_>,
) -> Vec<Route> {
    let mut routes = Vec::new();
    for virtual_service in bound {
        for (entry, targets) in entries(virtual_service.spec(), bytes) {
            if !applies(&entry, virtual_service.namespace(), Place::Mesh, port, destinations.scope) {
                continue;
            }
            let targets = resolved(targets, virtual_service.namespace(), port, destinations);
            // Of plain TCP nothing tells the host but the service itself.
            let names = match bytes {
                Bytes::Tls => entry.names.iter().map(|name| Some(name.to_ascii_lowercase())).collect(),
                Bytes::Tcp => vec![None],
            };
            let holds = |subnets: &[Subnet]| {
                let inside = |address: &Subnet| subnets.iter().any(|subnet| subnet.covers(address));
                !service.addresses.is_empty() && service.addresses.iter().all(inside)
            };
            let of = virtual_service.route(bytes.list(), entry.index);
            routes.extend(names.into_iter().map(|name| route(&of, &entry, name, &targets, holds)));
        }
    }
    if bytes == Bytes::Tls {
        most_specific_first(&mut routes);
    }
    routes
}

fn gateway_routes(
    of: &Virtual,
    server: &Server,
    port: u16,
    bytes: Bytes,
    destinations: &mut Destinations<'_>,
) -> Vec<Route> {
    let mut routes = Vec::new();
    for (entry, targets) in entries(of.spec(), bytes) {
        if !applies(&entry, of.namespace(), server.place(), port, destinations.scope) {
            continue;
        }
        let targets = resolved(targets, of.namespace(), port, destinations);
        let named = of.route(bytes.list(), entry.index);
        let wanted = if bytes == Bytes::Tls { entry.names } else { &of.spec().hosts };
        for name in wanted.iter().map(|name| qualify(name, of.namespace())) {
            let served = server.serves(of, &name).into_iter();
            // What a caller dialled is not seen here: a condition on it holds for nobody who named a host.
            routes.extend(served.map(|name| route(&named, &entry, Some(name), &targets, |_| false)));
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
