//! What an earlier compiling has made for the proxies of one scope, as far as no change affects it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};

use super::super::cluster::{Cluster, Target};
use super::super::matching::Expressions;
use super::super::route::Routes;
use super::super::touched::Affected;
use super::super::virtual_services::Virtual;
use super::{Place, Spot};

/// Clusters and routes, which many hosts share.
#[derive(Debug, Default)]
pub(in super::super) struct Made {
    /// By host; as long as something leads there.
    clusters: HashMap<String, Vec<Known>>,
    /// By the name of their VirtualService.
    routes: HashMap<Arc<str>, Vec<(Applied, Arc<Routes>)>>,
    /// Those of which it is not known yet whether they are still asked for.
    earlier: HashMap<Arc<str>, Vec<(Applied, Arc<Routes>)>>,
    pub(super) expressions: Expressions,
    pools: Pools,
}

/// Names of pools, each once: endpoints of different hosts that share connections share this too, so that it is in the cache for
/// all of them.
#[derive(Debug, Default)]
struct Pools {
    known: HashSet<Arc<str>>,
    /// So many at which those that nobody uses are looked for: twice those that were used the last time.
    full: usize,
}

impl Pools {
    fn one(&mut self, name: &Arc<str>) -> Arc<str> {
        if let Some(known) = self.known.get(name) {
            return Arc::clone(known);
        }
        if self.known.len() >= self.full {
            self.known.retain(|known| Arc::strong_count(known) > 1);
            self.full = (2 * self.known.len()).max(1);
        }
        self.known.insert(Arc::clone(name));
        Arc::clone(name)
    }
}

/// A cluster by port and subset.
#[derive(Debug)]
struct Known {
    port: u16,
    subset: String,
    cluster: Weak<Cluster>,
}

/// Where routes apply.
#[derive(Debug)]
struct Applied {
    gateway: Option<(String, String)>,
    port: u16,
    scheme: &'static str,
}

impl Applied {
    fn new(spot: &Spot<'_>) -> Self {
        let gateway = match spot.place {
            Place::Mesh => None,
            Place::Gateway(namespace, name) => Some((namespace.to_owned(), name.to_owned())),
        };
        Self { gateway, port: spot.port, scheme: spot.scheme }
    }

    fn is(&self, spot: &Spot<'_>) -> bool {
        let gateway = self.gateway.as_ref().map(|(namespace, name)| (namespace.as_str(), name.as_str()));
        let place = match spot.place {
            Place::Mesh => None,
            Place::Gateway(namespace, name) => Some((namespace, name)),
        };
        gateway == place && self.port == spot.port && self.scheme == spot.scheme
    }
}

impl Made {
    /// Forgets what is to be made anew.
    pub(super) fn forget(&mut self, affected: &Affected) {
        for host in &affected.clusters {
            self.clusters.remove(&**host);
        }
        for name in &affected.routes {
            self.routes.remove(name);
        }
    }

    /// Begins to keep only routes that are asked for, until [`Made::keep_asked`].
    pub(super) fn doubt_all(&mut self) {
        self.earlier = std::mem::take(&mut self.routes);
    }

    /// Forgets the routes that were not asked for.
    pub(super) fn keep_asked(&mut self) {
        self.earlier.clear();
    }

    /// Forgets routes of VirtualServices that no table has.
    pub(super) fn keep_used<'n>(&mut self, names: impl Iterator<Item = &'n Arc<str>>) {
        for name in names {
            if let Some(known) = self.routes.get_mut(name) {
                known.retain(|(_, routes)| Arc::strong_count(routes) > 1);
            }
        }
    }

    /// A cluster, if it is there.
    pub(in super::super) fn cluster(&self, host: &str, port: u16, subset: &str) -> Option<Arc<Cluster>> {
        let known = self.clusters.get(host)?.iter().find(|known| known.port == port && known.subset == subset)?;
        known.cluster.upgrade()
    }

    /// Lets the endpoints of a cluster share the names of their pools with others.
    pub(in super::super) fn share_pools(&mut self, cluster: &mut Cluster) {
        if let Target::Endpoints(endpoints) = &mut cluster.target {
            endpoints.iter_mut().for_each(|endpoint| endpoint.pool_key = self.pools.one(&endpoint.pool_key));
        }
    }

    /// Keeps a cluster.
    pub(in super::super) fn keep_cluster(&mut self, host: &str, port: u16, subset: &str, cluster: &Arc<Cluster>) {
        let one = Known { port, subset: subset.to_owned(), cluster: Arc::downgrade(cluster) };
        match self.clusters.get_mut(host) {
            Some(known) => {
                known.retain(|known| known.cluster.strong_count() > 0);
                known.push(one);
            }
            // Most hosts have one, and there may be many hosts.
            None => drop(self.clusters.insert(host.to_owned(), vec![one])),
        }
    }

    /// The routes of a VirtualService at a place, if they are there.
    pub(super) fn routes(&mut self, of: &Virtual, spot: &Spot<'_>) -> Option<Arc<Routes>> {
        let find = |known: &Vec<(Applied, Arc<Routes>)>| known.iter().position(|(applied, _)| applied.is(spot));
        if let Some(known) = self.routes.get(&of.name)
            && let Some(place) = find(known)
        {
            return Some(Arc::clone(&known[place].1));
        }
        let earlier = self.earlier.get_mut(&of.name)?;
        let (applied, routes) = earlier.swap_remove(find(earlier)?);
        self.routes.entry(Arc::clone(&of.name)).or_default().push((applied, Arc::clone(&routes)));
        Some(routes)
    }

    /// Keeps routes.
    pub(super) fn keep_routes(&mut self, of: &Virtual, spot: &Spot<'_>, routes: &Arc<Routes>) {
        self.routes.entry(Arc::clone(&of.name)).or_default().push((Applied::new(spot), Arc::clone(routes)));
    }
}
