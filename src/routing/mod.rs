//! Istio's networking resources, compiled: which cluster a call goes to.
//!
//! A sidecar sees a *scope*: the services and VirtualServices that its namespace and its Sidecar resource show it. The gateway has one table for
//! each server port. Both are looked up by host first ([`HostTable`]), then route by route.

mod act;
mod action;
mod addresses;
mod balance;
mod chain;
mod cluster;
mod compile;
mod connections;
mod credential;
mod delegate;
pub mod describe;
mod destinations;
mod endings;
mod hosts;
mod index;
mod listed;
mod locality;
mod matching;
mod named;
mod outbound;
mod outlier;
mod private;
mod route;
mod rules;
mod scope;
mod services;
mod subnet;
#[cfg(test)]
mod testing;
mod touched;
mod trouble;
mod tunnel;
mod virtual_services;

use std::collections::HashMap;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::call::{Call, Failure, ServerFault, TunnelFault};

use hosts::HostTable;
use outbound::Unregistered;
use route::Routes;
use tunnel::{Servers, Tunnels};

pub use act::{End, Found, Taken, impossible};
pub use action::{Answer, Retries, Tried};
pub use addresses::Addresses;
pub use balance::{Balance, Busy, Called, Live as Endpoints, Retrying};
pub use chain::{Callers, Certificates, Chain, Chains, KeyPair, ServerTls};
pub use cluster::{Cluster, Endpoint, Limits, Opening, Own, Target, TlsSettings, mesh_server_name, port_of_mesh};
pub use compile::{GATEWAY_NAMESPACE, Networking};
pub use connections::{Keepalive, Lasting, RetryLimits};
pub use credential::Pem;
pub use hosts::{covers, qualify};
pub use outbound::OutboundPolicy;
pub use private::{Private, is_private};
pub use route::{Considered, RouteName};
pub use scope::Scope;
pub use services::{exported, exports};
pub use subnet::Subnet;
pub use tunnel::{Carries, Original, Reached};

/// Where calls go, from every place that a snapshot serves.
#[derive(Debug, Default)]
pub struct RouteTable {
    /// One for each scope that a sidecar listener sees.
    sidecars: Vec<SidecarTable>,
    /// By server port.
    gateways: HashMap<u16, HostTable<Arc<Routes>>>,
    /// What is done with calls whose bytes are passed on unread, by server port.
    gateway_tunnels: Arc<HashMap<u16, Servers>>,
    /// The same, of connections from outside.
    chains: Arc<HashMap<u16, Chains>>,
    /// Where the gateway finds those whom its policies ask, by host and port.
    authorizers: HashMap<(String, u16), Result<Arc<Cluster>, Failure>>,
    /// Where calls go that no route leads anywhere, and that go all the same.
    around: Unregistered,
}

/// What sidecars that see the same do with calls.
#[derive(Debug, Clone, Default)]
struct SidecarTable {
    hosts: HostTable<SidecarHost>,
    /// The same for calls whose bytes are passed on unread.
    tunnels: Tunnels,
    /// And for calls to hosts that nobody registered.
    unregistered: Unregistered,
}

impl SidecarTable {
    /// Puts what is done with calls to a host in the place of what was.
    fn put(&mut self, host: &str, ports: SidecarHost) {
        if ports.0.is_empty() {
            self.hosts.remove(host);
        } else {
            self.hosts.insert(host, ports);
        }
    }

    /// The most specific host that has the port: each port has its own hosts (Istio's listeners).
    fn find(&self, call: &Call) -> Option<&PortRoutes> {
        let authority = call.authority();
        let (host, port) = (authority.host(), authority.port());
        self.hosts.find(host)?.at(port).or_else(|| self.hosts.all_covering(host).find_map(|ports| ports.at(port)))
    }
}

/// What a sidecar does with calls to one host, by port. Most hosts have one, which then stands in the table itself: of many
/// hosts each place in memory that a call has to look at costs time.
#[derive(Debug, Default, Clone)]
struct SidecarHost(SmallVec<[(u16, Arc<PortRoutes>); 1]>);

impl SidecarHost {
    fn at(&self, number: u16) -> Option<&PortRoutes> {
        self.0.iter().find(|(port, _)| *port == number).map(|(_, routes)| &**routes)
    }
}

/// What is done with calls to one host and port.
#[derive(Debug)]
enum PortRoutes {
    /// The routes of its VirtualService.
    Routes(Arc<Routes>),
    /// No route applies: straight to the service, if it can be reached as its DestinationRule says.
    Service(Result<Arc<Cluster>, Failure>),
}

impl RouteTable {
    /// What the sidecars of a scope do with a call; [`Failure::UnknownHost`] for what is not registered, where that has to
    /// be.
    pub fn sidecar(&self, scope: usize, call: &Call) -> Found<'_> {
        let Some(scope) = self.sidecars.get(scope) else { return Found::nowhere(Failure::UnknownHost) };
        let cluster = match scope.find(call) {
            Some(PortRoutes::Routes(routes)) => return route::find(routes, call),
            Some(PortRoutes::Service(cluster)) => cluster.as_ref().map_err(|failure| *failure),
            None => scope.unregistered.find(call, &scope.tunnels),
        };
        Found { taken: None, end: cluster.map(End::Cluster) }
    }

    /// The hosts that sidecars of a scope know by their whole names, in no order.
    pub fn hosts(&self, scope: usize) -> impl Iterator<Item = &str> {
        let scope = self.sidecars.get(scope);
        let requests = scope.into_iter().flat_map(|scope| scope.hosts.exact().map(|(host, _)| host));
        let tunnels = scope.into_iter().flat_map(|scope| scope.tunnels.ports.values());
        requests.chain(tunnels.flat_map(|hosts| hosts.exact().map(|(host, _)| host)))
    }

    /// Whether a Gateway has a server on a port.
    pub fn has_server(&self, port: u16) -> bool {
        self.gateways.contains_key(&port)
    }

    /// What the gateway's server on a port does with a call; [`Failure::NoRoute`] for hosts without routes,
    /// [`Failure::NoGatewayServer`] where no Gateway has the port.
    pub fn gateway(&self, port: u16, call: &Call) -> Found<'_> {
        let Some(hosts) = self.gateways.get(&port) else { return Found::nowhere(Failure::NoGatewayServer) };
        match hosts.find(call.authority().host()) {
            Some(routes) => route::find(routes, call),
            None => Found::nowhere(Failure::NoRoute),
        }
    }

    /// [`RouteTable::gateway`] for a call that came there from outside, which must be for a host of the server that took it;
    /// [`ServerFault::NoServer`] where it is not, or where no Gateway has the port.
    pub fn gateway_from_outside(&self, port: u16, call: &Call) -> Found<'_> {
        if self.serves(port, call) {
            self.gateway(port, call)
        } else {
            Found::nowhere(Failure::Server(ServerFault::NoServer))
        }
    }

    /// Where the gateway finds somebody whom its policies ask.
    ///
    /// # Errors
    /// [`Failure::NoCluster`] where that is not registered.
    pub fn authorizer(&self, host: &str, port: u16) -> Result<&Arc<Cluster>, Failure> {
        match self.authorizers.get(&(host.to_owned(), port)) {
            Some(found) => found.as_ref().map_err(|failure| *failure),
            None => Err(Failure::NoCluster),
        }
    }

    /// Whether a call that came to a port of the gateway from outside, in plain text or over TLS, is for a host of the
    /// server that took it.
    pub fn serves(&self, port: u16, call: &Call) -> bool {
        self.chains(port).is_some_and(|chains| chains.serves(call))
    }

    /// What connections from outside meet at the gateway's servers on a port.
    pub fn chains(&self, port: u16) -> Option<&Chains> {
        self.chains.get(&port)
    }

    /// Whether all servers of the gateway on a port ask callers for certificates.
    pub fn asks_certificates(&self, port: u16) -> bool {
        self.chains(port).is_some_and(|chains| chains.asks_certificates())
    }

    /// Everything that the gateway's servers need to end TLS.
    pub fn server_tls(&self) -> impl Iterator<Item = &Arc<ServerTls>> {
        self.chains.values().flat_map(|chains| &chains.servers).filter_map(|chain| chain.tls.as_ref())
    }

    /// Whether sidecars of a scope would take a call to a host, on whatever port.
    pub fn knows(&self, scope: usize, host: &str) -> bool {
        let Some(SidecarTable { hosts, tunnels, unregistered }) = self.sidecars.get(scope) else { return false };
        hosts.find(host).is_some() || tunnels.knows(host) || unregistered.cluster().is_some()
    }

    /// What sidecars of a scope can reach at the target of a tunnel.
    pub fn reached(&self, scope: usize, call: &Call) -> Option<Reached<'_>> {
        let SidecarTable { tunnels, unregistered, .. } = self.sidecars.get(scope)?;
        tunnels.reached(call).or_else(|| {
            let carries = unregistered.carries(call, tunnels)?;
            Some(Reached { carries, host: None })
        })
    }

    /// The host of a port, as sidecars of a scope see it, where nothing else is there and it carries plain TCP.
    pub fn only_tcp_host(&self, scope: usize, port: u16) -> Option<&str> {
        self.sidecars.get(scope)?.tunnels.only_tcp_host(port)
    }

    /// Where the sidecars of a scope send a tunnel.
    ///
    /// # Errors
    /// As [`RouteTable::sidecar`], and what is wrong with its server name.
    pub fn tunnel_from_sidecar(&self, scope: usize, call: &Call) -> Result<&Arc<Cluster>, Failure> {
        let SidecarTable { tunnels, unregistered, .. } = self.sidecars.get(scope).ok_or(Failure::UnknownHost)?;
        tunnels.find(call).or_else(|failure| match failure {
            // Whatever no route of TLS or TCP takes is as if nobody had registered it (Istio's rule).
            Failure::UnknownHost | Failure::NoTunnelRoute | Failure::Tunnel(TunnelFault::NoName) => {
                unregistered.find(call, tunnels).map_err(|why| match why {
                    Failure::UnknownHost => failure,
                    why => why,
                })
            }
            _ => Err(failure),
        })
    }

    /// Where a call of a sidecar's workload goes that has no route, and goes all the same: to where its caller wants to go.
    ///
    /// # Errors
    /// [`Failure::PrivateAddress`], or [`Failure::UnknownHost`] for an address that a service has.
    pub fn around(&self, scope: usize, call: &Call) -> Result<&Arc<Cluster>, Failure> {
        self.around.find(call, &self.sidecars.get(scope).ok_or(Failure::UnknownHost)?.tunnels)
    }

    /// What such a tunnel carries.
    pub fn carries_around(&self, scope: usize, call: &Call) -> Option<Carries> {
        self.around.carries(call, &self.sidecars.get(scope)?.tunnels)
    }

    /// Where the gateway's servers on a port send a tunnel.
    ///
    /// # Errors
    /// As [`RouteTable::gateway`].
    pub fn tunnel_through_gateway(&self, port: u16, call: &Call) -> Result<&Arc<Cluster>, Failure> {
        self.gateway_tunnels.get(&port).ok_or(Failure::NoGatewayServer)?.find(call, false)
    }

    /// [`RouteTable::tunnel_through_gateway`] for a connection that came there from outside.
    ///
    /// # Errors
    /// As [`RouteTable::gateway`].
    pub fn tunnel_into_gateway(&self, port: u16, call: &Call) -> Result<&Arc<Cluster>, Failure> {
        self.gateway_tunnels.get(&port).ok_or(Failure::NoRoute)?.find(call, true)
    }

    /// The routes that a sidecar of a scope looks at, up to the one that it takes; none where the call goes straight to a
    /// service, or nowhere.
    pub fn considered_by_sidecar(&self, scope: usize, call: &Call) -> Vec<Considered> {
        let Some(scope) = self.sidecars.get(scope) else { return Vec::new() };
        if call.tunnel().is_some() {
            return scope.tunnels.considered(call);
        }
        match scope.find(call) {
            Some(PortRoutes::Routes(routes)) => route::considered(routes, call),
            _ => Vec::new(),
        }
    }

    /// The routes that the gateway's server on a port looks at, up to the one that it takes; `outside` where the call came
    /// from there, and not from a sidecar.
    pub fn considered_by_gateway(&self, port: u16, call: &Call, outside: bool) -> Vec<Considered> {
        if call.tunnel().is_some() {
            return self
                .gateway_tunnels
                .get(&port)
                .map(|servers| servers.considered(call, outside))
                .unwrap_or_default();
        }
        if outside && !self.serves(port, call) {
            return Vec::new();
        }
        let hosts = self.gateways.get(&port).and_then(|hosts| hosts.find(call.authority().host()));
        hosts.map(|routes| route::considered(routes, call)).unwrap_or_default()
    }
}
