//! From resources to what the gateway does with requests, host by host.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::registry::Declared;
use crate::resource::Labels;
use crate::resource::kinds::gateway::{Gateway, Server as Spec, ServerTlsMode};

use super::super::chain::Chains;
use super::super::destinations::Destinations;
use super::super::endings::Endings;
use super::super::hosts::HostTable;
use super::super::route::Routes;
use super::super::scope::Scope;
use super::super::touched::Affected;
use super::super::tunnel::Servers;
use super::super::virtual_services::{At, Virtual};
use super::tunnels::Inside;
use super::{Around, Made, Networking, Place, Spot, names_place};

/// What was made for the gateway.
#[derive(Debug, Default)]
pub(super) struct GatewayMade {
    made: Made,
    servers: HashMap<u16, Vec<Server>>,
    pub(super) hosts: HashMap<u16, HostTable<Arc<Routes>>>,
    pub(super) tunnels: Arc<HashMap<u16, Servers>>,
    pub(super) chains: Arc<HashMap<u16, Chains>>,
}

/// A server of a Gateway, its hosts in lower case.
#[derive(Debug)]
pub(super) struct Server {
    gateway: Arc<Declared<Gateway>>,
    /// As they are written.
    written: Vec<String>,
    /// The hosts, each with the namespaces whose VirtualServices it is for; all, if none is given.
    hosts: HostTable<Vec<Option<String>>>,
    endings: Endings,
    scheme: &'static str,
    /// Whether it sends all calls to https.
    redirects: bool,
    /// What goes through it unread.
    pub(super) inside: Option<Inside>,
}

impl PartialEq for Server {
    /// Whether the same hosts have the same routes at both.
    fn eq(&self, other: &Self) -> bool {
        let what = |server: &Self| (server.scheme, server.redirects, server.inside);
        self.place() == other.place() && what(self) == what(other) && self.written == other.written
    }
}

impl Server {
    pub(super) fn new(gateway: &Arc<Declared<Gateway>>, spec: &Spec) -> Self {
        let mut server = Self {
            gateway: Arc::clone(gateway),
            written: spec.hosts.clone(),
            hosts: HostTable::default(),
            endings: Endings::default(),
            scheme: if ends_tls(spec) { "https" } else { "http" },
            redirects: spec.tls.as_ref().is_some_and(|tls| tls.https_redirect),
            inside: Inside::of(spec),
        };
        for host in &spec.hosts {
            let (namespace, host) = host.split_once('/').unwrap_or(("*", host));
            let namespace = match namespace {
                "*" => None,
                "." => Some(gateway.namespace().to_owned()),
                namespace => Some(namespace.to_owned()),
            };
            let host = host.to_ascii_lowercase();
            server.hosts.get_or_default(&host).push(namespace);
            server.endings.insert(&host.into());
        }
        server
    }

    pub(super) fn place(&self) -> Place<'_> {
        Place::of(&self.gateway)
    }

    /// Whether a VirtualService is bound to it.
    pub(super) fn binds(&self, of: &Virtual) -> bool {
        names_place(&of.spec().gateways, of.namespace(), self.place())
    }

    /// The hosts that it has in common with a pattern of a VirtualService: of two the narrower.
    pub(super) fn serves(&self, of: &Virtual, pattern: &str) -> BTreeSet<String> {
        let narrower = self.endings.covered_by(pattern).filter(|host| self.has(host, pattern, of));
        let mut served: BTreeSet<String> = narrower.map(|host| host.to_string()).collect();
        if self.has(pattern, pattern, of) {
            served.insert(pattern.to_owned());
        }
        served
    }

    /// Whether a host is the narrower of one of its own and a pattern of a VirtualService that covers the host.
    fn has(&self, host: &str, pattern: &str, of: &Virtual) -> bool {
        let is_for = |namespaces: &Vec<Option<String>>| {
            namespaces.iter().any(|namespace| namespace.as_ref().is_none_or(|own| own == of.namespace()))
        };
        if host == pattern {
            self.hosts.all_covering(host).any(is_for)
        } else {
            self.hosts.pattern(host).is_some_and(is_for)
        }
    }
}

/// Whether calls come to a server over TLS that ends there.
fn ends_tls(server: &Spec) -> bool {
    server.tls.as_ref().is_some_and(|tls| {
        !tls.https_redirect && !matches!(tls.mode, ServerTlsMode::Passthrough | ServerTlsMode::AutoPassthrough)
    })
}

impl Networking {
    /// What the gateway does, gone on with from what it did before.
    pub(super) fn gateway(
        &self,
        scope: &Scope,
        around: Around<'_>,
        before: Option<GatewayMade>,
        affected: &Affected,
    ) -> GatewayMade {
        let is_new = before.is_none();
        let mut known = before.unwrap_or_default();
        known.made.forget(affected);
        if is_new || affected.gateways || affected.secrets {
            known.chains = Arc::new(self.gateway_chains(around.gateway_labels));
        }
        let anew = is_new || affected.gateways;
        if anew {
            let servers = self.servers(around.gateway_labels);
            // Of a port whose servers have the same hosts as before only what else has changed is made anew.
            known.hosts.retain(|port, _| servers.get(port).is_some_and(|now| known.servers.get(port) == Some(now)));
            known.servers = servers;
            if known.hosts.is_empty() {
                known.made.doubt_all();
            }
        }
        let mut destinations = Destinations::new(self, scope, true, around, &mut known.made);
        for (port, servers) in &known.servers {
            let is_known = known.hosts.contains_key(port);
            let names = if is_known { names(servers, affected) } else { self.all_names(servers) };
            let hosts = known.hosts.entry(*port).or_default();
            for name in names {
                match self.host(servers, *port, &name, &mut destinations) {
                    Some(routes) => hosts.insert(&name, routes),
                    None => drop(hosts.remove(&name)),
                }
            }
        }
        if anew || affected.bytes {
            known.tunnels = Arc::new(self.gateway_tunnels(&known.servers, &mut destinations));
        }
        known.made.keep_asked();
        known
    }

    /// The servers of each port, those of the oldest Gateway first.
    fn servers(&self, labels: &Labels) -> HashMap<u16, Vec<Server>> {
        let mut servers: HashMap<u16, Vec<Server>> = HashMap::new();
        for gateway in self.selected_gateways(labels) {
            for server in &gateway.spec.servers {
                if let Some(port) = server.port.as_ref().and_then(|port| u16::try_from(port.number).ok()) {
                    servers.entry(port).or_default().push(Server::new(gateway, server));
                }
            }
        }
        servers
    }

    /// The names that servers of one port may have routes for.
    fn all_names(&self, servers: &[Server]) -> HashSet<String> {
        let own = servers.iter().flat_map(|server| server.endings.all()).map(|host| host.to_string());
        let bound = |of: &&Arc<Virtual>| servers.iter().any(|server| server.binds(of));
        let of_bound = self.virtual_services.all().filter(bound).flat_map(|of| of.hosts.iter().cloned());
        own.chain(of_bound).collect()
    }

    /// The routes of a name at the servers of one port.
    fn host(
        &self,
        servers: &[Server],
        port: u16,
        name: &str,
        destinations: &mut Destinations<'_>,
    ) -> Option<Arc<Routes>> {
        let publicity = |at: &At| at.of.publicity(&destinations.scope.namespace);
        let covering = self.virtual_services.covering(name).flatten();
        let mut covering: Vec<_> = covering.filter_map(|at| Some((publicity(at)?, at))).collect();
        covering.sort_by(|(one, at), (other, other_at)| (one, at.order()).cmp(&(other, other_at.order())));
        let mut parts: Option<Parts> = None;
        for server in servers {
            let spot = Spot { place: server.place(), port, scheme: server.scheme, source: destinations.scope };
            for (_, at) in &covering {
                if server.binds(&at.of) && server.has(name, at.host(), &at.of) {
                    let routes = self.routes(&at.of, spot, destinations);
                    parts.get_or_insert_with(|| Parts::new(server.scheme)).of.push(routes);
                }
            }
            if server.redirects {
                if server.hosts.pattern(name).is_some() {
                    parts.get_or_insert_with(|| Parts::new(server.scheme));
                }
                // All calls to its hosts, whether they have routes or not; not those that come with a later server.
                let covered = server.hosts.covering(name).is_some();
                parts.iter_mut().for_each(|parts| parts.redirects |= covered);
            }
        }
        parts.map(|parts| parts.merged())
    }
}

/// The names that servers of one port may have other routes for.
fn names(servers: &[Server], affected: &Affected) -> HashSet<String> {
    let narrower = |host| servers.iter().flat_map(move |server| server.endings.covered_by(host));
    let own = affected.routed.iter().flat_map(|host| narrower(host.as_str())).map(|host| host.to_string());
    own.chain(affected.routed.iter().cloned()).collect()
}

/// What the routes of a host at the gateway are made of.
struct Parts {
    scheme: &'static str,
    redirects: bool,
    /// The routes of each VirtualService, those of the least public first.
    of: Vec<Arc<Routes>>,
}

impl Parts {
    fn new(scheme: &'static str) -> Self {
        Self { scheme, redirects: false, of: Vec::new() }
    }

    /// All together; what is one VirtualService's alone stays as it is.
    fn merged(&self) -> Arc<Routes> {
        if let ([only], false) = (&*self.of, self.redirects)
            && only.scheme == self.scheme
        {
            return Arc::clone(only);
        }
        let mut merged = Routes::new(self.scheme);
        merged.redirects = self.redirects;
        self.of.iter().for_each(|routes| merged.extend(routes));
        Arc::new(merged.in_gateway_order().sealed())
    }
}
