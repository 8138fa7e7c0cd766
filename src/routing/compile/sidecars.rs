//! From resources to what the sidecars of one scope do.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::policy::Kept;
use crate::resource::Labels;
use crate::resource::kinds::sidecar::OutboundMode;
use crate::resource::kinds::virtual_service::VirtualService;

use super::super::balance::Live;
use super::super::destinations::Destinations;
use super::super::hosts::{HostTable, qualify};
use super::super::outbound::{OutboundPolicy, Unregistered};
use super::super::scope::{Egress, Scope, Sight};
use super::super::services::{Service, exported};
use super::super::subnet::Subnet;
use super::super::{PortRoutes, SidecarHost, SidecarTable};
use super::{Declared, Made, Networking, Spot};

/// The port on which hosts that only a VirtualService knows are routed (Istio's rule).
const HTTP_PORT: u16 = 80;

impl Networking {
    pub(super) fn sidecar(
        &self,
        scope: &Scope,
        outbound: OutboundPolicy,
        gateway_labels: &Labels,
        live: &Kept<Live>,
        made: &mut Made,
    ) -> SidecarTable {
        let services = self.seen_from(scope, made);
        let sidecar = scope.sidecar.map(|place| &self.sidecars[place]);
        let sight = Sight::new(sidecar);
        let mut destinations = Destinations::new(self, scope, false, &services, (gateway_labels, live), made);
        let in_order = in_order(&services);
        let (mut hosts, mut only_routed) = (HostTable::<SidecarHost>::default(), Vec::new());
        for listener in sight.listeners() {
            let routing = self.mesh_virtual_services(&scope.namespace, listener);
            let seen = |service: &Service, port: u16| {
                sight.takes(listener, port)
                    && listener.is_none_or(|listener| listener.has_service(&service.host, &service.namespace))
            };
            let mut beside: HashMap<*const VirtualService, BTreeSet<u16>> = HashMap::new();
            for service in &in_order {
                let routed = routing.covering(&service.host).copied();
                for port in service.ports.iter().filter(|port| port.is_http() && seen(service, port.number)) {
                    let routes = Arc::new(self.port(service, port.number, routed, &mut destinations));
                    for name in names(service, &scope.namespace) {
                        hosts.get_or_default(&name).0.push((port.number, Arc::clone(&routes)));
                    }
                    if let Some(declared) = routed {
                        beside.entry(Arc::as_ptr(&declared.spec)).or_default().insert(port.number);
                    }
                }
            }
            let known = |service: &Service| service.ports.iter().any(|port| seen(service, port.number));
            for (host, declared) in unregistered(&routing, &services, known) {
                let ports = beside.get(&(Arc::as_ptr(&declared.spec))).cloned();
                let ports = ports.unwrap_or_else(|| [HTTP_PORT].into()).into_iter();
                for port in ports.filter(|port| sight.takes(listener, *port)) {
                    let routes = self.routes(declared, Spot::mesh(port, scope), &mut destinations);
                    if !routes.here.is_empty() {
                        let routes = Arc::new(PortRoutes::Routes(routes));
                        hosts.get_or_default(&host).0.push((port, routes));
                        only_routed.push((host.clone(), port));
                    }
                }
            }
        }
        let tunnels = self.sidecar_tunnels(sight, &services, only_routed.into_iter(), &mut destinations);
        let unregistered = self.unregistered(scope, outbound, &mut destinations);
        SidecarTable { hosts, tunnels, unregistered }
    }

    /// What becomes of calls to hosts that nobody registered: as the Sidecar says, else as the proxy does.
    fn unregistered(
        &self,
        scope: &Scope,
        outbound: OutboundPolicy,
        destinations: &mut Destinations<'_>,
    ) -> Unregistered {
        let sidecar = scope.sidecar.map(|place| &self.sidecars[place]);
        let Some((sidecar, policy)) = sidecar.and_then(|sidecar| Some((sidecar, sidecar.unregistered.as_ref()?)))
        else {
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

    /// The VirtualServices that sidecars of a namespace follow at a listener, one for each host: those that only the
    /// namespace itself sees first, then those that are exported to it by name, then the public ones, and of equals the
    /// oldest.
    fn mesh_virtual_services(
        &self,
        namespace: &str,
        listener: Option<&Egress>,
    ) -> HostTable<&Declared<VirtualService>> {
        let publicity = |declared: &Declared<VirtualService>| {
            let to = &declared.spec.export_to;
            match to.is_empty() || to.iter().any(|name| name == "*") {
                true => 2,
                false => u8::from(declared.namespace != namespace),
            }
        };
        let followed = self.virtual_services.iter().filter(|declared| {
            let spec = &declared.spec;
            let bound = spec.gateways.is_empty() || spec.gateways.iter().any(|gateway| gateway == "mesh");
            bound
                && exported(&spec.export_to, &declared.namespace, namespace)
                && listener.is_none_or(|listener| listener.has_virtual_service(&spec.hosts, &declared.namespace))
        });
        let mut followed: Vec<_> = followed.collect();
        followed.sort_by_key(|declared| publicity(declared));
        let mut table = HostTable::default();
        for declared in followed {
            for host in &declared.spec.hosts {
                table.get_or_insert_with(&qualify(host, &declared.namespace), || declared);
            }
        }
        table
    }

    fn port(
        &self,
        service: &Service,
        port: u16,
        routed: Option<&Declared<VirtualService>>,
        destinations: &mut Destinations<'_>,
    ) -> PortRoutes {
        let source = destinations.scope;
        let routes = routed.map(|declared| self.routes(declared, Spot::mesh(port, source), destinations));
        match routes.filter(|routes| !routes.here.is_empty()) {
            Some(routes) => PortRoutes::Routes(routes),
            None => PortRoutes::Service(destinations.cluster(&service.host, Some(port), port, "")),
        }
    }
}

/// Services in the order in which they take names: hosts that are declared as they are before the short names of Services,
/// and always the same.
pub(super) fn in_order(services: &HostTable<Service>) -> Vec<&Service> {
    let mut services: Vec<_> = services.values().collect();
    services.sort_unstable_by_key(|service| (service.host.ends_with(".svc.cluster.local"), &service.host));
    services
}

/// The names by which sidecars of a namespace know a service: also its addresses, and of a Service of the mesh the short
/// ones.
pub(super) fn names(service: &Service, namespace: &str) -> Vec<String> {
    let mut names = vec![service.host.clone()];
    names.extend(service.addresses.iter().filter_map(Subnet::as_host));
    if let Some(short) = service.host.strip_suffix(".svc.cluster.local") {
        names.push(format!("{short}.svc"));
        names.push(short.to_owned());
        names.extend(short.strip_suffix(&format!(".{namespace}")).map(str::to_owned));
    }
    names
}

/// Hosts that only a VirtualService knows. A wildcard that covers registered hosts stands for exactly those.
fn unregistered<'v>(
    routing: &HostTable<&'v Declared<VirtualService>>,
    services: &HostTable<Service>,
    known: impl Fn(&Service) -> bool,
) -> Vec<(String, &'v Declared<VirtualService>)> {
    // From the services to what covers them, which is little of each: the other way round takes all pairs.
    let registered = services.values().filter(|service| known(service));
    let covering = registered.flat_map(|service| routing.all_covering(&service.host));
    let stands: HashSet<*const &Declared<VirtualService>> = covering.map(std::ptr::from_ref).collect();
    let patterns = routing.iter().filter(|(_, declared)| !stands.contains(&std::ptr::from_ref(*declared)));
    patterns.map(|(pattern, declared)| (pattern, *declared)).collect()
}
