//! Everything that calls are judged by, compiled from what is declared.

pub mod admission;
mod compile;
mod effects;
pub mod enforcement;
mod grants;
mod headers;
mod published;
mod sidecars;
mod sources;

use std::sync::Arc;

use crate::call::{Call, PathNormalization, Reporter};
use crate::expr::Timestamp;
use crate::identity::{Caller, Claims, Holders, SpiffeId, Unproven};
use crate::policy::authorization::Authorization;
use crate::policy::{Policy, Spend};
use crate::registry::Revision;
use crate::routing::{Carries, RouteTable};

pub use compile::{Compiler, ListenerSpec, Listeners};
pub use grants::{Grant, GrantState, Grants};
pub use headers::ReadHeader;
pub use published::Published;
use sidecars::{Sidecar, Tokens, Users};

/// The configuration as of one revision of the registry; never changed, only replaced.
#[derive(Debug)]
pub struct Snapshot {
    /// The registry's revision that it was compiled from.
    pub revision: Revision,
    /// How paths are brought into the form in which they are judged.
    pub paths: PathNormalization,
    /// Where calls go.
    pub routes: Arc<RouteTable>,
    /// What is recorded of them.
    pub policy: Arc<Policy>,
    /// Which calls the gateway takes.
    pub authorization: Arc<Authorization>,
    /// Headers that decisions depend on.
    pub headers_read: Arc<[ReadHeader]>,
    /// What calls go by that would be refused.
    pub grants: Grants,
    /// What in the configuration has no effect as it stands, a sentence each.
    pub notes: Vec<String>,
    /// `NAME.NAMESPACE` of the workload that plays the egress gateway.
    pub gateway_name: String,
    /// How many of the sidecars stand behind listeners; they come first.
    pub listeners: usize,
    /// Who that is; none where its service account has no name that can stand in one.
    pub gateway_identity: Option<SpiffeId>,
    /// The workloads that certificates can be of.
    holders: Arc<Holders>,
    sidecars: Vec<Sidecar>,
    tokens: Tokens,
    users: Users,
    gateway: Reporter,
    /// The same, on ports whose servers ask for certificates.
    certified_gateway: Reporter,
}

/// Where a call is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hop {
    /// The sidecar at this place of the snapshot: behind the listener of this number, or further on that of a caller who is
    /// known otherwise.
    Sidecar(usize),
    /// The egress gateway's server on this port.
    Gateway(u16),
    /// The same, for calls that the sidecar of another process hands on.
    Mesh(u16),
}

impl Snapshot {
    /// Who calls by the sidecars: first those behind the listeners, in their order.
    pub fn callers(&self) -> impl Iterator<Item = Option<&Caller>> {
        self.sidecars.iter().map(|listener| listener.caller.as_ref())
    }

    /// The place of a workload's sidecar.
    pub fn sidecar_of(&self, name: &str, namespace: &str) -> Option<usize> {
        let is =
            |caller: Option<&Caller>| caller.is_some_and(|caller| caller.name == name && caller.namespace == namespace);
        self.callers().position(is)
    }

    /// How many rules and rules of policies refuse calls, and how many that could only report.
    pub fn enforced(&self) -> (usize, usize) {
        let ((rules, reporting), (policies, tried)) = (self.policy.enforced(), self.authorization.enforced());
        match self.policy.reports_everything() {
            true => (rules, reporting + policies + tried),
            false => (rules + policies, reporting + tried),
        }
    }

    /// Who a certificate's holder is.
    pub fn holder(&self, identity: &SpiffeId) -> Caller {
        Caller::by_certificate(identity, self.holders.of(identity).cloned())
    }

    /// Whether the callers of a hop are told apart by what they show.
    pub fn is_shared(&self, hop: Hop) -> bool {
        matches!(hop, Hop::Sidecar(place) if self.sidecars.get(place).is_some_and(|sidecar| sidecar.is_shared))
    }

    /// The sidecar where the calls of who shows a token are judged.
    ///
    /// # Errors
    /// The token is good no longer.
    pub fn bearer(&self, claims: &Claims, now: Timestamp) -> Result<Hop, Unproven> {
        self.tokens.bearer(claims, now)
    }

    /// The sidecar of the workload whose Pods run as a user of this machine, if it is the only one.
    pub fn user(&self, user: u32) -> Option<Hop> {
        self.users.workload(user)
    }

    /// What goes through a tunnel from a sidecar to where no route leads, if a grant is for it, or it is asked for in an
    /// audit.
    pub fn granted(&self, hop: Hop, call: &Call) -> Option<Carries> {
        let Hop::Sidecar(place) = hop else { return None };
        let in_audit = call.caller().is_some_and(|caller| caller.in_audit);
        let may = in_audit || self.grants.take(call, Spend::Peek).is_some();
        may.then(|| self.routes.carries_around(self.scope(place), call)).flatten()
    }

    /// Whether the sidecar at a place knows a host, on whatever port, for its caller's grants at a time too.
    pub fn knows(&self, place: usize, host: &str, now: Timestamp) -> bool {
        let caller = self.sidecars.get(place).and_then(|sidecar| sidecar.caller.as_ref());
        self.routes.knows(self.scope(place), host)
            || caller.is_some_and(|caller| self.grants.has_host(caller, host, now))
    }

    /// The scope of the route table that a sidecar sees.
    pub fn scope(&self, place: usize) -> usize {
        self.sidecars.get(place).map_or(0, |sidecar| sidecar.scope)
    }

    /// Who reports the calls of a hop.
    pub fn reporter(&self, hop: Hop) -> &Reporter {
        match hop {
            Hop::Sidecar(place) => self.sidecars.get(place).map_or(&self.gateway, |sidecar| &sidecar.reporter),
            Hop::Gateway(port) | Hop::Mesh(port) if self.routes.asks_certificates(port) => &self.certified_gateway,
            Hop::Gateway(_) | Hop::Mesh(_) => &self.gateway,
        }
    }
}
