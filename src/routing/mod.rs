//! Istio's networking resources, compiled: which cluster a call goes to.
//!
//! A sidecar sees a *scope*: the services and VirtualServices visible from its namespace. The gateway has one table for
//! each server port. Both are looked up by host first ([`HostTable`]), then route by route.

mod act;
mod action;
mod balance;
mod cluster;
mod compile;
mod delegate;
pub mod describe;
mod destinations;
mod hosts;
mod matching;
mod outlier;
mod private;
mod route;
mod services;
mod subnet;
#[cfg(test)]
mod testing;
mod trouble;
mod tunnel;

use std::collections::HashMap;
use std::sync::Arc;

use crate::call::{Call, Failure};

use hosts::HostTable;
use route::Routes;
use tunnel::{Servers, Tunnels};

pub use act::{End, Found, Taken, impossible};
pub use action::{Answer, Retries, Tried};
pub use balance::{Balance, Busy, Live as Endpoints};
pub use cluster::{Cluster, Endpoint, Limits, Target, TlsSettings};
pub use compile::{GATEWAY_NAMESPACE, Networking};
pub use hosts::{covers, qualify};
pub use private::Private;
pub use route::{Considered, RouteName};
pub use subnet::Subnet;
pub use tunnel::{Carries, Original, Reached};

/// Where calls go, from every place that a snapshot serves.
#[derive(Debug, Default)]
pub struct RouteTable {
    /// One for each namespace that a sidecar listener stands in.
    sidecars: Vec<HostTable<Arc<SidecarHost>>>,
    /// By server port.
    gateways: HashMap<u16, HostTable<Routes>>,
    /// What is done with calls whose bytes are passed on unread, in the order of `sidecars`.
    sidecar_tunnels: Vec<Tunnels>,
    /// The same, by server port.
    gateway_tunnels: HashMap<u16, Servers>,
}

/// What a sidecar does with calls to one host, by port: most hosts have one or two.
#[derive(Debug, Default)]
struct SidecarHost(Vec<(u16, PortRoutes)>);

/// What is done with calls to one host and port.
#[derive(Debug)]
enum PortRoutes {
    /// The routes of its VirtualService.
    Routes(Routes),
    /// No route applies: straight to the service, if it can be reached as its DestinationRule says.
    Service(Result<Arc<Cluster>, Failure>),
}

impl RouteTable {
    /// What the sidecars of a scope do with a call; [`Failure::UnknownHost`] for what is not registered.
    pub fn sidecar(&self, scope: usize, call: &Call) -> Found<'_> {
        let authority = call.authority();
        let host = self.sidecars.get(scope).and_then(|hosts| hosts.find(authority.host()));
        let ports = host.map_or(&[][..], |host| host.0.as_slice());
        match ports.iter().find(|(port, _)| *port == authority.port()) {
            None => Found::nowhere(Failure::UnknownHost),
            Some((_, PortRoutes::Routes(routes))) => route::find(routes, call),
            Some((_, PortRoutes::Service(cluster))) => {
                Found { taken: None, end: cluster.as_ref().map(End::Cluster).map_err(|failure| *failure) }
            }
        }
    }

    /// What the gateway's server on a port does with a call; [`Failure::NoRoute`] for hosts without routes.
    pub fn gateway(&self, port: u16, call: &Call) -> Found<'_> {
        let Some(hosts) = self.gateways.get(&port) else { return Found::nowhere(Failure::NoCluster) };
        match hosts.find(call.authority().host()) {
            Some(routes) => route::find(routes, call),
            None => Found::nowhere(Failure::NoRoute),
        }
    }

    /// What sidecars of a scope can reach at the target of a tunnel.
    pub fn reached(&self, scope: usize, call: &Call) -> Option<Reached<'_>> {
        self.sidecar_tunnels.get(scope)?.reached(call)
    }

    /// Where the sidecars of a scope send a tunnel.
    ///
    /// # Errors
    /// As [`RouteTable::sidecar`], and what is wrong with its server name.
    pub fn tunnel_from_sidecar(&self, scope: usize, call: &Call) -> Result<&Arc<Cluster>, Failure> {
        self.sidecar_tunnels.get(scope).ok_or(Failure::UnknownHost)?.find(call)
    }

    /// Where the gateway's servers on a port send a tunnel.
    ///
    /// # Errors
    /// As [`RouteTable::gateway`].
    pub fn tunnel_through_gateway(&self, port: u16, call: &Call) -> Result<&Arc<Cluster>, Failure> {
        self.gateway_tunnels.get(&port).ok_or(Failure::NoCluster)?.find(call)
    }

    /// What sidecars of a scope do with calls, by host.
    fn sidecar_hosts(&self, scope: usize) -> Option<&HostTable<Arc<SidecarHost>>> {
        self.sidecars.get(scope)
    }

    /// And with tunnels.
    fn sidecar_tunnels(&self, scope: usize) -> Option<&Tunnels> {
        self.sidecar_tunnels.get(scope)
    }

    /// What the gateway does with calls to each port, by host.
    fn gateway_hosts(&self) -> impl Iterator<Item = (u16, &HostTable<Routes>)> {
        self.gateways.iter().map(|(port, hosts)| (*port, hosts))
    }

    /// The routes that a sidecar of a scope looks at, up to the one that it takes; none where the call goes straight to a
    /// service, or nowhere.
    pub fn considered_by_sidecar(&self, scope: usize, call: &Call) -> Vec<Considered> {
        let authority = call.authority();
        let host = self.sidecars.get(scope).and_then(|hosts| hosts.find(authority.host()));
        let ports = host.map_or(&[][..], |host| host.0.as_slice());
        match ports.iter().find(|(port, _)| *port == authority.port()) {
            Some((_, PortRoutes::Routes(routes))) => route::considered(routes, call),
            _ => Vec::new(),
        }
    }

    /// The routes that the gateway's server on a port looks at, up to the one that it takes.
    pub fn considered_by_gateway(&self, port: u16, call: &Call) -> Vec<Considered> {
        let hosts = self.gateways.get(&port).and_then(|hosts| hosts.find(call.authority().host()));
        hosts.map(|routes| route::considered(routes, call)).unwrap_or_default()
    }
}
