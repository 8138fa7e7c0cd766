//! Istio's networking resources, compiled: which cluster a call goes to.
//!
//! A sidecar sees a *scope*: the services and VirtualServices visible from its namespace. The gateway has one table for
//! each server port. Both are looked up by host first ([`HostTable`]), then route by route.

mod act;
mod action;
mod cluster;
mod compile;
mod delegate;
mod destinations;
mod hosts;
mod matching;
mod route;
mod services;
#[cfg(test)]
mod testing;

use std::collections::HashMap;
use std::sync::Arc;

use crate::call::{Call, Failure};

use hosts::HostTable;
use route::Routes;

pub use act::{End, Found, Taken, impossible};
pub use action::{Answer, Retries, Tried};
pub use cluster::{Cluster, Endpoint, Target, TlsSettings};
pub use compile::{GATEWAY_NAMESPACE, Networking};
pub use hosts::{covers, qualify};
pub use route::{Considered, RouteName};

/// Where calls go, from every place that a snapshot serves.
#[derive(Debug, Default)]
pub struct RouteTable {
    /// One for each namespace that a sidecar listener stands in.
    sidecars: Vec<HostTable<Arc<SidecarHost>>>,
    /// By server port.
    gateways: HashMap<u16, HostTable<Routes>>,
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
