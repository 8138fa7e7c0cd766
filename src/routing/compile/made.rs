//! What an earlier compiling has made, where nothing that it was made of has changed.

use std::collections::HashMap;
use std::sync::Arc;

use crate::call::Failure;
use crate::resource::kinds::virtual_service::VirtualService;

use super::super::cluster::Cluster;
use super::super::hosts::HostTable;
use super::super::route::Routes;
use super::super::services::Service;
use super::{Declared, Place, Spot};

/// What was made for the proxies of one scope from all services, DestinationRules and Secrets: of no use when one of these
/// changes. VirtualServices may change, for what was made of one is found by the very piece that it was made of.
#[derive(Debug, Default)]
pub(in super::super) struct Made {
    /// The services that are seen.
    pub(super) services: Option<Arc<HostTable<Service>>>,
    /// By host, port and subset.
    pub(in super::super) clusters: HashMap<(String, u16, String), Result<Arc<Cluster>, Failure>>,
    pub(super) routes: HashMap<Key, Kept>,
}

/// Routes with the VirtualService that they were made of, which keeps its place in memory as long as they are known by it.
type Kept = (Arc<VirtualService>, Arc<Routes>);

/// Which VirtualService, by its place in memory, and where its routes apply.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    spec: usize,
    gateway: Option<(String, String)>,
    port: u16,
    scheme: &'static str,
}

impl Key {
    /// `None` for a VirtualService that delegates: what it leads to may change without it.
    pub(super) fn of(declared: &Declared<VirtualService>, spot: &Spot<'_>) -> Option<Self> {
        if declared.spec.http.iter().any(|route| route.delegate.is_some()) {
            return None;
        }
        let gateway = match spot.place {
            Place::Mesh => None,
            Place::Gateway(namespace, name) => Some((namespace.to_owned(), name.to_owned())),
        };
        Some(Self { spec: Arc::as_ptr(&declared.spec).addr(), gateway, port: spot.port, scheme: spot.scheme })
    }
}

impl Made {
    /// Begins to make anew: what was made of VirtualServices before, of which only what is asked for is to stay.
    pub(in super::super) fn begin(&mut self) -> Earlier {
        Earlier(std::mem::take(&mut self.routes))
    }

    /// The routes under a key: made already, or earlier, or now.
    pub(super) fn routes(
        &mut self,
        key: Key,
        earlier: &mut Earlier,
        spec: &Arc<VirtualService>,
    ) -> Result<Arc<Routes>, Key> {
        if let Some((_, routes)) = self.routes.get(&key) {
            return Ok(Arc::clone(routes));
        }
        let Some((_, routes)) = earlier.0.remove(&key) else { return Err(key) };
        self.keep(key, spec, &routes);
        Ok(routes)
    }

    /// Keeps what was made.
    pub(super) fn keep(&mut self, key: Key, spec: &Arc<VirtualService>, routes: &Arc<Routes>) {
        self.routes.insert(key, (Arc::clone(spec), Arc::clone(routes)));
    }
}

/// Routes of the compiling before.
#[derive(Debug, Default)]
pub(in super::super) struct Earlier(HashMap<Key, Kept>);
