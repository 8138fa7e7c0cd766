//! Routes of calls whose bytes are passed on unread: `tls` routes by server name, `tcp` routes by what was dialled.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::call::{Call, Failure, Tunnel, TunnelFault};

use super::cluster::{Cluster, Endpoint, TlsSettings};
use super::connections::Spoken;
use super::hosts::{HostTable, covers};
use super::listed::Listed;
use super::private::Private;
use super::route::{Considered, RouteName};
use super::subnet::{Networks, Subnet};

/// What is spoken at a port, as its ServiceEntry declares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Carries {
    /// HTTP, whose requests are judged one by one.
    Http,
    /// TLS, which is told apart by the server name in its ClientHello.
    Tls,
    /// Bytes that nobody looks at.
    Tcp,
}

/// A service that a tunnel can be opened to.
#[derive(Debug, Clone, Copy)]
pub struct Reached<'t> {
    /// What is spoken there.
    pub carries: Carries,
    /// The host that an address was declared for.
    pub host: Option<&'t str>,
}

/// What sidecars of one scope do with tunnels.
#[derive(Debug, Clone, Default)]
pub(super) struct Tunnels {
    /// By port, then by host.
    pub(super) ports: HashMap<u16, HostTable<Arc<Port>>>,
    /// By port: the hosts of services by their addresses.
    pub(super) addresses: Arc<HashMap<u16, Networks>>,
    /// How many hosts of a port carry what.
    carried: HashMap<(u16, Carries), usize>,
}

/// What a sidecar does with tunnels to one host and port.
#[derive(Debug)]
pub(super) enum Port {
    Http,
    /// With the cluster of the service, where no route applies.
    Bytes {
        tls: bool,
        routes: Listed,
        service: Result<Arc<Cluster>, Failure>,
    },
}

/// What the gateway's servers on one port do with tunnels.
#[derive(Debug, Default)]
pub(super) struct Servers {
    /// Routes of servers that pass TLS through.
    pub(super) tls: Listed,
    /// Routes of servers of TCP.
    pub(super) tcp: Listed,
    /// The same for connections from outside, of which no host is known.
    pub(super) dialled: Listed,
    /// Routes of servers of TCP over TLS that ends here, by the name that it asked for.
    pub(super) ended: Listed,
}

/// One weighted destination; a destination that is not registered fails the calls that fall to it.
#[derive(Debug)]
pub(super) struct Destination {
    pub(super) weight: u64,
    pub(super) cluster: Result<Arc<Cluster>, Failure>,
}

/// One entry of the `match` of a `tls` or `tcp` route, with where the route leads.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) of: RouteName,
    /// The server name, or for plain TCP the host.
    pub(super) name: Option<Box<str>>,
    /// Networks of which one must have the address that was dialled; all are meant where there are none.
    pub(super) subnets: Vec<Subnet>,
    /// Whether those hold every address of the service, so that who names it dials one of them.
    pub(super) holds_service: bool,
    pub(super) source_subnet: Option<Subnet>,
    pub(super) destinations: Arc<[Destination]>,
}

impl Tunnels {
    /// Puts what is done with a host of a port in the place of what was.
    pub(super) fn put(&mut self, number: u16, host: &str, port: Option<&Arc<Port>>) {
        let hosts = self.ports.entry(number).or_default();
        let before = hosts.pattern(host).map(|port| port.carries());
        match port {
            Some(port) => hosts.insert(host, Arc::clone(port)),
            None => drop(hosts.remove(host)),
        }
        if hosts.is_empty() {
            self.ports.remove(&number);
        }
        if let Some(carries) = port.map(|port| port.carries()) {
            *self.carried.entry((number, carries)).or_default() += 1;
        }
        if let Some(carries) = before
            && let Some(count) = self.carried.get_mut(&(number, carries))
        {
            *count -= 1;
            if *count == 0 {
                self.carried.remove(&(number, carries));
            }
        }
    }

    /// What can be reached at a tunnel's target.
    pub(super) fn reached(&self, call: &Call) -> Option<Reached<'_>> {
        let port = call.authority().port();
        let table = self.ports.get(&port)?;
        let Some(address) = call.tunnel().and_then(Tunnel::address) else {
            let carries = table.find(call.authority().host())?.carries();
            return Some(Reached { carries, host: None });
        };
        match self.declared_for(address, port) {
            Some(host) => match table.pattern(host)?.carries() {
                // Requests name a host, which an address is not.
                Carries::Http => None,
                carries => Some(Reached { carries, host: (!host.starts_with('*')).then_some(host) }),
            },
            // Which service is meant, the server name will tell.
            None => self.has(port, Carries::Tls).then_some(Reached { carries: Carries::Tls, host: None }),
        }
    }

    /// Whether there is a tunnel to a host, on whatever port.
    pub(super) fn knows(&self, host: &str) -> bool {
        self.ports.values().any(|hosts| hosts.find(host).is_some())
    }

    /// Whether anything on a port carries this.
    pub(super) fn has(&self, port: u16, carries: Carries) -> bool {
        self.carried.contains_key(&(port, carries))
    }

    /// The host of a port, where nothing else is there and it carries plain TCP.
    pub(super) fn only_tcp_host(&self, port: u16) -> Option<&str> {
        let hosts = self.ports.get(&port)?;
        let (_, only) = hosts.exact().next()?;
        // A service has several names, of which the full one is the longest, and addresses.
        let alone = hosts.exact().all(|(_, other)| Arc::ptr_eq(only, other)) && only.carries() == Carries::Tcp;
        let names = hosts.exact().map(|(host, _)| host).filter(|host| !is_address(host));
        if alone { names.max_by_key(|host| (host.len(), *host)) } else { None }
    }

    /// The host that an address stands for: the one that it is declared for. Where no host of a port declares any, the only
    /// one of plain TCP has the port whole (Istio's rule).
    pub(super) fn declared_for(&self, address: IpAddr, port: u16) -> Option<&str> {
        match self.addresses.get(&port) {
            Some(networks) => networks.find(address),
            None => self.only_tcp_host(port),
        }
    }

    fn port(&self, call: &Call) -> Result<&Port, Failure> {
        let port = call.authority().port();
        let table = self.ports.get(&port).ok_or(Failure::UnknownHost)?;
        let find = |host| table.find(host).map(Arc::as_ref).ok_or(Failure::UnknownHost);
        let Some(tunnel) = call.tunnel() else { return Err(Failure::UnknownHost) };
        let Some(address) = tunnel.address() else { return find(call.authority().host()) };
        match (self.declared_for(address, port), tunnel.server_name()) {
            (Some(host), None) => table.pattern(host).map(Arc::as_ref).ok_or(Failure::UnknownHost),
            (Some(host), Some(name)) if covers(host, name) => find(name),
            (Some(_), Some(_)) => Err(Failure::Tunnel(TunnelFault::OtherName)),
            (None, Some(name)) => find(name),
            (None, None) => Err(Failure::Tunnel(TunnelFault::NoName)),
        }
    }

    /// The routes that are looked at for a tunnel, up to the one that is taken.
    pub(super) fn considered(&self, call: &Call) -> Vec<Considered> {
        match self.port(call) {
            Ok(Port::Bytes { tls, routes, .. }) => routes.considered(name(call, *tls), call),
            _ => Vec::new(),
        }
    }

    /// Where a tunnel goes.
    pub(super) fn find(&self, call: &Call) -> Result<&Arc<Cluster>, Failure> {
        match self.port(call)? {
            Port::Http => Err(Failure::Tunnel(TunnelFault::TlsToHttp)),
            Port::Bytes { tls, routes, service } => match routes.find(name(call, *tls), call) {
                // One route of TLS claims its port's names for all of them. Plain TCP that no route is for goes to the
                // service (Istio's rule).
                Err(Failure::NoRoute) if *tls && !routes.is_empty() => Err(Failure::NoTunnelRoute),
                Err(Failure::NoRoute) => service.as_ref().map_err(|failure| *failure),
                found => found,
            },
        }
    }
}

impl Servers {
    /// Where a tunnel goes; `outside` where it came to the gateway from there, and not from a sidecar.
    pub(super) fn find(&self, call: &Call, outside: bool) -> Result<&Arc<Cluster>, Failure> {
        let (routes, name) = self.routes(call, outside);
        routes.find(name, call)
    }

    /// The routes that are looked at for a tunnel, up to the one that is taken.
    pub(super) fn considered(&self, call: &Call, outside: bool) -> Vec<Considered> {
        let (routes, name) = self.routes(call, outside);
        routes.considered(name, call)
    }

    /// The routes that a tunnel is for, and what they are told apart by.
    fn routes<'a, 'c>(&'a self, call: &'c Call, outside: bool) -> (&'a Listed, Option<&'c str>) {
        let name = call.requested_server_name();
        match (call.tls(), name) {
            (Some(_), _) if outside => (&self.ended, name),
            (_, Some(_)) => (&self.tls, name),
            (_, None) if outside => (&self.dialled, None),
            (_, None) => (&self.tcp, self::name(call, false)),
        }
    }
}

/// Whether a name stands for an address.
fn is_address(host: &str) -> bool {
    host.starts_with('[') || host.parse::<IpAddr>().is_ok()
}

/// What routes of TLS or TCP are told apart by.
fn name(call: &Call, tls: bool) -> Option<&str> {
    if tls { call.tunnel()?.server_name() } else { Some(call.authority().host()) }
}

impl Port {
    fn carries(&self) -> Carries {
        match self {
            Port::Http => Carries::Http,
            Port::Bytes { tls: true, .. } => Carries::Tls,
            Port::Bytes { tls: false, .. } => Carries::Tcp,
        }
    }
}

impl Route {
    /// Whether it is for a call, and the name that is asked for.
    pub(super) fn holds(&self, name: Option<&str>, call: &Call) -> bool {
        self.fits(name) && self.source_subnet.is_none_or(|subnet| subnet.has(call.peer())) && self.holds_address(call)
    }

    fn fits(&self, name: Option<&str>) -> bool {
        self.name.as_ref().is_none_or(|pattern| name.is_some_and(|name| covers(pattern, name)))
    }

    fn holds_address(&self, call: &Call) -> bool {
        match call.tunnel().and_then(Tunnel::address) {
            _ if self.subnets.is_empty() => true,
            Some(address) => self.subnets.iter().any(|subnet| subnet.has(address)),
            None => self.holds_service,
        }
    }

    /// The first condition that does not hold of a call, in words; `None` where all do.
    pub(super) fn why_not(&self, name: Option<&str>, call: &Call) -> Option<String> {
        if !self.fits(name) {
            let pattern = self.name.as_deref().unwrap_or_default();
            return Some(match name {
                Some(name) => format!("the name {name:?} does not fit {pattern:?}"),
                None => format!("no server name is asked for, and it is for {pattern:?}"),
            });
        }
        if self.source_subnet.is_some_and(|subnet| !subnet.has(call.peer())) {
            return Some(format!("the caller's address {} is not in its sourceSubnet", call.peer()));
        }
        (!self.holds_address(call)).then(|| match call.tunnel().and_then(Tunnel::address) {
            Some(address) => format!("the address {address} is in none of its destinationSubnets"),
            None => "it is for addresses, and a host was named".to_owned(),
        })
    }
}

/// How a cluster without endpoints of its own is reached: where the caller wanted to go (Istio's resolution NONE).
#[derive(Debug)]
pub struct Original {
    /// The port that is dialled; the caller's, if none is given.
    pub(super) port: Option<u16>,
    /// Addresses that the service is declared for; only to these a caller may be connected by address.
    pub(super) addresses: Vec<Subnet>,
    /// The private addresses that a name may lead to.
    pub(super) private: Private,
    /// TLS that is originated to it, which no tunnel can take: its bytes are the caller's.
    pub(super) tls: Option<Arc<TlsSettings>>,
    /// Whether the server name is that of the call, and not the DestinationRule's.
    pub(super) named_by_call: bool,
    /// How it is spoken to.
    pub(super) spoken: Spoken,
}

impl Cluster {
    /// Host and port of the service; of a wildcard the host that is called, and of what is passed through both.
    pub fn service<'c>(&'c self, call: &'c Call) -> (&'c str, u16) {
        let called = call.authority();
        match self.port {
            0 => (called.host(), called.port()),
            port if self.host.starts_with('*') && covers(&self.host, called.host()) => (called.host(), port),
            port => (&self.host, port),
        }
    }

    /// The endpoint of a call into a cluster that is reached where the caller wanted to go; `None` where the cluster has
    /// its own. An address that is not declared for the service is not dialled: its name is.
    pub fn original(&self, call: &Call) -> Option<Endpoint> {
        let original = self.original.as_ref().filter(|one| one.tls.is_none() || call.tunnel().is_none())?;
        let address = call.tunnel().and_then(Tunnel::address);
        let declared = address.filter(|address| original.addresses.iter().any(|subnet| subnet.has(*address)));
        let host = call.authority().host();
        let address = match declared {
            Some(address) => address.to_string(),
            None if self.host.starts_with('*') && covers(&self.host, host) => host.to_owned(),
            None => return None,
        };
        let named = |tls: &Arc<TlsSettings>| match original.named_by_call {
            true => Arc::new(TlsSettings { sni: host.to_owned(), ..TlsSettings::clone(tls) }),
            false => Arc::clone(tls),
        };
        let port = original.port.unwrap_or(call.authority().port());
        let endpoint = Endpoint::new(address, port, original.tls.as_ref().map(named), original.private.clone());
        Some(original.spoken.to(endpoint))
    }
}
