//! From resources to what the sidecars of one scope do, name by name.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use smallvec::SmallVec;

use crate::resource::kinds::sidecar::OutboundMode;

use super::super::destinations::Destinations;
use super::super::hosts::qualify;
use super::super::outbound::{OutboundPolicy, Unregistered};
use super::super::scope::{Egress, Scope, SidecarRule, Sight};
use super::super::services::Service;
use super::super::subnet::Networks;
use super::super::touched::Affected;
use super::super::tunnel::Port;
use super::super::virtual_services::{At, Virtual};
use super::super::{PortRoutes, SidecarHost, SidecarTable};
use super::{Around, Made, Networking, Spot};

/// The port on which hosts that only a VirtualService knows are routed (Istio's rule).
const HTTP_PORT: u16 = 80;

/// What was made for the sidecars of one scope.
#[derive(Debug, Default)]
pub(super) struct SidecarMade {
    made: Made,
    /// By host; `None` for what the scope does not see.
    units: HashMap<Arc<str>, Option<Arc<Unit>>>,
    /// The ports of names at which tunnels are known.
    tunnelled: HashMap<String, SmallVec<[u16; 2]>>,
    table: SidecarTable,
}

/// What sidecars do with a registered host, under whatever name.
#[derive(Debug)]
struct Unit {
    service: Arc<Service>,
    /// At each listener of the Sidecar.
    at: Vec<AtListener>,
    tunnels: Box<[(u16, Arc<Port>)]>,
}

/// What sidecars do with a registered host at one listener.
#[derive(Debug)]
struct AtListener {
    /// Whether any of its ports is seen.
    known: bool,
    /// The VirtualService that it follows.
    routed: Option<Arc<Virtual>>,
    http: Box<[(u16, Arc<PortRoutes>)]>,
}

/// What is done with calls and with tunnels to a name, by port.
type OfName = (SidecarHost, Vec<(u16, Arc<Port>)>);

/// Makes what sidecars of one scope do.
struct Maker<'a> {
    networking: &'a Networking,
    sight: Sight<'a>,
    listeners: Vec<Option<&'a Egress>>,
    destinations: Destinations<'a>,
    units: &'a mut HashMap<Arc<str>, Option<Arc<Unit>>>,
    /// Which of the VirtualServices with one host is followed at a listener, by the place of these in memory.
    followed: HashMap<(usize, *const At), Option<Arc<Virtual>>>,
    /// Whether a listener sees a VirtualService, by the place of this in memory.
    sees: HashMap<(usize, *const Virtual), bool>,
    /// The ports at which a VirtualService is followed at a listener, by the place of this in memory.
    beside: HashMap<(usize, *const Virtual), BTreeSet<u16>>,
}

impl Networking {
    /// What sidecars of a scope do, gone on with from what they did before.
    pub(super) fn sidecar(
        &self,
        scope: &Scope,
        outbound: OutboundPolicy,
        around: Around<'_>,
        before: &mut Option<SidecarMade>,
        affected: &Affected,
    ) -> SidecarTable {
        let everything = before.is_none().then(|| self.everything());
        let affected = everything.as_ref().unwrap_or(affected);
        let known = before.get_or_insert_default();
        known.made.forget(affected);
        affected.services.iter().for_each(|host| drop(known.units.remove(host)));
        let rule = scope.sidecar.as_ref().map(|applying| &*applying.0);
        let sight = Sight::new(rule, &scope.namespace);
        let mut maker = Maker {
            networking: self,
            sight,
            listeners: sight.listeners().collect(),
            destinations: Destinations::new(self, scope, false, around, &mut known.made),
            units: &mut known.units,
            followed: HashMap::new(),
            sees: HashMap::new(),
            beside: HashMap::new(),
        };
        for name in affected.names(&self.services, &scope.namespace) {
            let (host, tunnels) = maker.of_name(&name);
            known.table.put(&name, host);
            put_tunnels(&mut known.tunnelled, &mut known.table, name, tunnels);
        }
        if affected.addresses {
            known.table.tunnels.addresses = Arc::new(maker.addresses());
        }
        known.table.unregistered = unregistered(rule, outbound, &mut maker.destinations);
        known.made.keep_used(affected.followed.iter());
        known.table.clone()
    }
}

/// Puts what is done with tunnels to a name in the place of what was.
fn put_tunnels(
    known: &mut HashMap<String, SmallVec<[u16; 2]>>,
    table: &mut SidecarTable,
    name: String,
    now: Vec<(u16, Arc<Port>)>,
) {
    for port in known.get(&name).into_iter().flatten() {
        if now.iter().all(|(other, _)| other != port) {
            table.tunnels.put(*port, &name, None);
        }
    }
    for (port, tunnels) in &now {
        table.tunnels.put(*port, &name, Some(tunnels));
    }
    match now.is_empty() {
        true => drop(known.remove(&name)),
        false => drop(known.insert(name, now.into_iter().map(|(port, _)| port).collect())),
    }
}

/// What becomes of calls to hosts that nobody registered: as the Sidecar says, else as the proxy does.
fn unregistered(
    sidecar: Option<&SidecarRule>,
    outbound: OutboundPolicy,
    destinations: &mut Destinations<'_>,
) -> Unregistered {
    let Some((sidecar, policy)) = sidecar.and_then(|sidecar| Some((sidecar, sidecar.unregistered.as_ref()?))) else {
        return Unregistered::new(outbound);
    };
    match (policy.mode, &policy.egress_proxy) {
        (OutboundMode::RegistryOnly, _) => Unregistered::new(OutboundPolicy::RegistryOnly),
        (OutboundMode::AllowAny, None) => Unregistered::new(OutboundPolicy::AllowAny),
        (OutboundMode::AllowAny, Some(to)) => {
            let port = to.port.as_ref().and_then(|selector| u16::try_from(selector.number).ok());
            let host = qualify(&to.host, &sidecar.namespace);
            Unregistered::Sent(destinations.cluster(&host, port, HTTP_PORT, &to.subset))
        }
    }
}

impl<'a> Maker<'a> {
    /// What is done with calls and tunnels to a name: to the services that have it, then, where a VirtualService knows a
    /// host that nobody registered, to that.
    fn of_name(&mut self, name: &str) -> OfName {
        let namespace = self.destinations.scope.namespace.as_str();
        let hosts = self.networking.services.named(name, namespace);
        let units: Vec<Arc<Unit>> = hosts.iter().filter_map(|host| self.unit(host)).collect();
        let named = |unit: &&Arc<Unit>| unit.service.host == name || unit.service.has_name(name, namespace);
        let units: Vec<&Arc<Unit>> = units.iter().filter(named).collect();
        let (mut http, mut only_routed) = (SmallVec::new(), Vec::new());
        for listener in 0..self.listeners.len() {
            http.extend(units.iter().flat_map(|unit| unit.at[listener].http.iter().cloned()));
            let only = self.only_routed(name, listener);
            only_routed.extend(only.iter().map(|(port, _)| *port));
            http.extend(only);
        }
        let mut tunnels: Vec<(u16, Arc<Port>)> = Vec::new();
        let of_services = units.iter().flat_map(|unit| unit.tunnels.iter().cloned());
        let others = only_routed.into_iter().map(|port| (port, Arc::new(Port::Http)));
        for (port, made) in of_services.chain(others) {
            if tunnels.iter().all(|(known, _)| *known != port) {
                tunnels.push((port, made));
            }
        }
        (SidecarHost(http), tunnels)
    }

    /// What sidecars do with a registered host, if they see it.
    fn unit(&mut self, host: &str) -> Option<Arc<Unit>> {
        if let Some(unit) = self.units.get(host) {
            return unit.clone();
        }
        let service = self.networking.services.seen(host, &self.destinations.scope.namespace);
        let unit = service.map(|service| Arc::new(self.make(service)));
        self.units.insert(host.into(), unit.clone());
        unit
    }

    fn make(&mut self, service: Arc<Service>) -> Unit {
        let at = (0..self.listeners.len()).map(|listener| self.at(&service, listener)).collect();
        let mut tunnels = Vec::new();
        for port in &service.ports {
            if self.sight.has_service(&service.host, service.namespace(), port.number) {
                let made = self.networking.sidecar_port(self.sight, &service, port, &mut self.destinations);
                tunnels.extend(made.map(|made| (port.number, made)));
            }
        }
        Unit { service, at, tunnels: tunnels.into() }
    }

    fn at(&mut self, service: &Service, listener: usize) -> AtListener {
        let egress = self.listeners[listener];
        let own = &self.destinations.scope.namespace;
        let visible = egress.is_none_or(|egress| egress.has_service(&service.host, service.namespace(), own));
        let seen = service.ports.iter().filter(|port| visible && self.sight.takes(egress, port.number));
        let seen: Vec<_> = seen.collect();
        let routed = self.routed(&service.host, listener);
        let spoken = seen.iter().filter(|port| port.is_http());
        let made = |number: u16| (number, Arc::new(self.port(service, number, routed.as_deref())));
        let http = spoken.map(|port| port.number).map(made).collect();
        AtListener { known: !seen.is_empty(), routed, http }
    }

    fn port(&mut self, service: &Service, port: u16, routed: Option<&Virtual>) -> PortRoutes {
        let spot = Spot::mesh(port, self.destinations.scope);
        let routes = routed.map(|routed| self.networking.routes(routed, spot, &mut self.destinations));
        match routes.filter(|routes| !routes.here.is_empty()) {
            Some(routes) => PortRoutes::Routes(routes),
            None => PortRoutes::Service(self.destinations.cluster(&service.host, Some(port), port, "")),
        }
    }

    /// The VirtualService that calls to a host follow at a listener: the one of the most specific host.
    fn routed(&mut self, host: &str, listener: usize) -> Option<Arc<Virtual>> {
        self.networking.virtual_services.covering(host).find_map(|with_host| self.followed(with_host, listener))
    }

    /// Which of the VirtualServices with one host is followed at a listener: the least public, and of equals the oldest.
    fn followed(&mut self, with_host: &'a [At], listener: usize) -> Option<Arc<Virtual>> {
        let key = (listener, with_host.as_ptr());
        if let Some(followed) = self.followed.get(&key) {
            return followed.clone();
        }
        let namespace = &self.destinations.scope.namespace;
        let mut best: Option<(u8, &Arc<Virtual>)> = None;
        for of in with_host.iter().map(|at| &at.of) {
            let Some(publicity) = of.publicity(namespace) else { continue };
            let better = best.is_none_or(|(known, _)| publicity < known);
            if better && of.is_in_mesh() && self.sees(of, listener) {
                best = Some((publicity, of));
            }
        }
        let followed = best.map(|(_, of)| Arc::clone(of));
        self.followed.insert(key, followed.clone());
        followed
    }

    fn sees(&mut self, of: &Arc<Virtual>, listener: usize) -> bool {
        let Some(egress) = self.listeners[listener] else { return true };
        let own = &self.destinations.scope.namespace;
        let sees = || egress.has_virtual_service(&of.spec().hosts, of.namespace(), own);
        *self.sees.entry((listener, Arc::as_ptr(of))).or_insert_with(sees)
    }

    /// The routes of a host that only a VirtualService knows, at a listener. A wildcard that covers registered hosts stands
    /// for exactly those.
    fn only_routed(&mut self, name: &str, listener: usize) -> Vec<(u16, Arc<PortRoutes>)> {
        let virtual_services = &self.networking.virtual_services;
        let Some(of) = self.followed(virtual_services.with_host(name), listener) else { return Vec::new() };
        let networking = self.networking;
        let stands = |maker: &mut Self, host: &str| maker.unit(host).is_some_and(|unit| unit.at[listener].known);
        if networking.services.covered_by(name).any(|host| stands(self, host)) {
            return Vec::new();
        }
        let mut found = Vec::new();
        for port in self.ports_beside(&of, listener) {
            if self.sight.takes(self.listeners[listener], port) {
                let spot = Spot::mesh(port, self.destinations.scope);
                let routes = networking.routes(&of, spot, &mut self.destinations);
                if !routes.here.is_empty() {
                    found.push((port, Arc::new(PortRoutes::Routes(routes))));
                }
            }
        }
        found
    }

    /// The ports of hosts that nobody registered: those of the registered hosts that follow the same VirtualService.
    fn ports_beside(&mut self, of: &Arc<Virtual>, listener: usize) -> BTreeSet<u16> {
        let key = (listener, Arc::as_ptr(of));
        if let Some(ports) = self.beside.get(&key) {
            return ports.clone();
        }
        let networking = self.networking;
        let mut ports = BTreeSet::new();
        for host in of.hosts.iter().flat_map(|pattern| networking.services.covered_by(pattern)) {
            if let Some(unit) = self.unit(host)
                && unit.at[listener].routed.as_ref().is_some_and(|routed| Arc::ptr_eq(routed, of))
            {
                ports.extend(unit.at[listener].http.iter().map(|(port, _)| *port));
            }
        }
        if ports.is_empty() {
            ports.insert(HTTP_PORT);
        }
        self.beside.insert(key, ports.clone());
        ports
    }

    /// The hosts of services by their networks, by port.
    fn addresses(&mut self) -> HashMap<u16, Networks> {
        let networking = self.networking;
        let mut addresses: HashMap<u16, Networks> = HashMap::new();
        for unit in networking.services.addressed().filter_map(|host| self.unit(host)) {
            for (port, _) in &unit.tunnels {
                let networks = addresses.entry(*port).or_default();
                unit.service.addresses.iter().for_each(|subnet| networks.add(*subnet, &unit.service.host));
            }
        }
        addresses
    }
}
