//! What a change of resources can make otherwise, so that nothing else is made anew.

use std::collections::HashSet;
use std::sync::Arc;

use super::services::Services;
use super::virtual_services::{Virtual, VirtualServices};

/// What is declared otherwise than when the latest table was made.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// Hosts that are, or were, registered.
    pub(super) services: HashSet<Arc<str>>,
    /// Addresses that they are, or were, known by, as they stand in the place of a host.
    pub(super) names: HashSet<String>,
    /// Whether any of them has, or had, networks of its own.
    pub(super) addresses: bool,
    /// Hosts that DestinationRules are, or were, for.
    pub(super) ruled: HashSet<String>,
    /// VirtualServices, as they were and as they are.
    pub(super) virtual_services: Vec<Arc<Virtual>>,
    /// Whether Gateways are others.
    pub(super) gateways: bool,
    /// Whether Secrets are others.
    pub(super) secrets: bool,
}

/// What is to be made anew for that reason: never less than what could be otherwise.
#[derive(Debug)]
pub(super) struct Affected {
    /// Hosts whose clusters are to be made anew.
    pub(super) clusters: HashSet<Arc<str>>,
    /// Names of VirtualServices whose routes are to be made anew.
    pub(super) routes: HashSet<Arc<str>>,
    /// The hosts of these.
    pub(super) routed: HashSet<String>,
    /// Whether any of these has routes for bytes.
    pub(super) bytes: bool,
    /// Registered hosts that sidecars may do something else with.
    pub(super) services: HashSet<Arc<str>>,
    /// VirtualServices that these may follow.
    pub(super) followed: HashSet<Arc<str>>,
    /// Names of hosts of sidecars, besides those of the services.
    pub(super) names: HashSet<String>,
    /// Whether networks may be others.
    pub(super) addresses: bool,
    /// Whether Gateways are others.
    pub(super) gateways: bool,
    /// Whether Secrets are others.
    pub(super) secrets: bool,
}

impl Touched {
    /// What follows from it.
    pub(super) fn affects(self, services: &Services, virtual_services: &VirtualServices) -> Affected {
        let Touched { services: registered, names, addresses, ruled, virtual_services: changed, gateways, secrets } =
            self;
        let mut affected = Affected {
            clusters: registered,
            routes: HashSet::new(),
            routed: HashSet::new(),
            bytes: false,
            services: HashSet::new(),
            followed: HashSet::new(),
            names,
            addresses,
            gateways,
            secrets,
        };
        affected.clusters.extend(ruled.iter().flat_map(|host| services.covered_by(host)).cloned());
        // What changed itself comes first, as it was and as it is; then what leads to clusters, then what delegates to any.
        changed.iter().for_each(|one| affected.route(one));
        let leading: Vec<_> = affected.clusters.iter().flat_map(|host| virtual_services.leading_to(host)).collect();
        affected.routes.extend(leading.into_iter().cloned());
        let roots: Vec<_> = affected.routes.iter().flat_map(|name| virtual_services.delegating_to(name)).collect();
        affected.routes.extend(roots.into_iter().cloned());
        let routes: Vec<_> = affected.routes.iter().filter_map(|name| virtual_services.get(name)).collect();
        routes.into_iter().for_each(|one| affected.route(one));
        affected.follow(services, virtual_services);
        affected
    }
}

impl Affected {
    /// Everything that there is.
    pub(super) fn everything(services: &Services, virtual_services: &VirtualServices) -> Self {
        let all: HashSet<Arc<str>> = services.hosts().cloned().collect();
        let names = virtual_services.all().flat_map(|one| one.hosts.iter().cloned());
        Self {
            clusters: all.clone(),
            routes: HashSet::new(),
            routed: HashSet::new(),
            bytes: true,
            services: all,
            followed: HashSet::new(),
            names: names.chain(services.addresses().cloned()).collect(),
            addresses: true,
            gateways: true,
            secrets: true,
        }
    }

    /// Adds the routes of a VirtualService.
    fn route(&mut self, of: &Arc<Virtual>) {
        self.routes.insert(Arc::clone(&of.name));
        self.routed.extend(of.hosts.iter().cloned());
        self.bytes |= of.is_of_bytes();
    }

    /// Adds what sidecars do with services that follow the routes, and with hosts of VirtualServices that depend on these:
    /// what a VirtualService does with a host that nobody registered depends on its other hosts.
    fn follow(&mut self, services: &Services, virtual_services: &VirtualServices) {
        self.services.extend(self.clusters.iter().cloned());
        for host in &self.routed {
            self.services.extend(services.covered_by(host).cloned());
            // A VirtualService with routes for bytes counts for services that are wider than its hosts, too.
            self.services.extend(services.covering(host).map(Arc::from));
        }
        let following = self.services.iter().flat_map(|host| virtual_services.covering(host)).flatten();
        for at in following {
            if self.followed.insert(Arc::clone(&at.of.name)) {
                self.names.extend(at.of.hosts.iter().cloned());
            }
        }
        self.names.extend(self.routed.iter().cloned());
    }

    /// The names of hosts whose entries for sidecars of a namespace are to be made anew.
    pub(super) fn names(&self, services: &Services, namespace: &str) -> HashSet<String> {
        let of_services = self.services.iter().flat_map(|host| services.names_of(host, namespace));
        of_services.chain(self.names.iter().cloned()).collect()
    }
}
