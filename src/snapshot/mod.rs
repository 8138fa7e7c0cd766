//! Everything that calls are judged by, compiled from what is declared.

pub mod admission;
mod compile;
mod effects;
mod enforcement;
mod published;
mod sources;

use std::sync::Arc;

use crate::call::Reporter;
use crate::identity::{Caller, Holders, SpiffeId};
use crate::policy::Policy;
use crate::policy::authorization::Authorization;
use crate::registry::Revision;
use crate::routing::RouteTable;

pub use compile::{Compiler, ListenerSpec};
pub use published::Published;

/// The configuration as of one revision of the registry; never changed, only replaced.
#[derive(Debug)]
pub struct Snapshot {
    /// The registry's revision that it was compiled from.
    pub revision: Revision,
    /// Where calls go.
    pub routes: Arc<RouteTable>,
    /// What is recorded of them.
    pub policy: Arc<Policy>,
    /// Which calls the gateway takes.
    pub authorization: Arc<Authorization>,
    /// What in the configuration has no effect as it stands, a sentence each.
    pub notes: Vec<String>,
    /// `NAME.NAMESPACE` of the workload that plays the egress gateway.
    pub gateway_name: String,
    /// Who that is; none where its service account has no name that can stand in one.
    pub gateway_identity: Option<SpiffeId>,
    /// The workloads that certificates can be of.
    holders: Arc<Holders>,
    sidecars: Vec<SidecarListener>,
    gateway: Reporter,
    /// The same, on ports whose servers ask for certificates.
    certified_gateway: Reporter,
}

/// Where a call is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hop {
    /// The sidecar of the workload behind this listener, numbered as in the snapshot.
    Sidecar(usize),
    /// The egress gateway's server on this port.
    Gateway(u16),
    /// The same, for calls that the sidecar of another process hands on.
    Mesh(u16),
}

/// What stands behind a sidecar listener.
#[derive(Debug)]
struct SidecarListener {
    caller: Option<Caller>,
    /// Which of the route table's scopes it sees.
    scope: usize,
    reporter: Reporter,
}

impl Snapshot {
    /// Who calls by the listeners, in their order.
    pub fn callers(&self) -> impl Iterator<Item = Option<&Caller>> {
        self.sidecars.iter().map(|listener| listener.caller.as_ref())
    }

    /// Who a certificate's holder is.
    pub fn holder(&self, identity: &SpiffeId) -> Caller {
        Caller::by_certificate(identity, self.holders.of(identity).cloned())
    }

    /// The scope of the route table that a listener sees.
    pub fn scope(&self, listener: usize) -> usize {
        self.sidecars.get(listener).map_or(0, |listener| listener.scope)
    }

    /// Who reports the calls of a hop.
    pub fn reporter(&self, hop: Hop) -> &Reporter {
        match hop {
            Hop::Sidecar(listener) => self.sidecars.get(listener).map_or(&self.gateway, |listener| &listener.reporter),
            Hop::Gateway(port) | Hop::Mesh(port) if self.routes.asks_certificates(port) => &self.certified_gateway,
            Hop::Gateway(_) | Hop::Mesh(_) => &self.gateway,
        }
    }
}
