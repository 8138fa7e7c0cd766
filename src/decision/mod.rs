//! The one judge: what shall be done with a call.
//!
//! A pure function of a [`Snapshot`], a place and a [`Call`]; the proxy, `trace` and `replay` all ask it.

use std::sync::Arc;
use std::time::Duration;

use crate::call::{Call, Failure};
use crate::routing::{Cluster, Target};
use crate::snapshot::{Hop, Snapshot};

/// Most hops of ours that one call may take: sidecar, gateway. A gateway route that leads to a gateway again is a loop.
const MAX_HOPS: usize = 2;

/// What shall be done with a call.
#[derive(Debug)]
pub enum Decision<'s> {
    /// Send it to a cluster.
    Forward(Forward<'s>),
    /// Answer it ourselves.
    Refuse(Failure),
}

/// Where a call goes.
#[derive(Debug, Clone, Copy)]
pub struct Forward<'s> {
    /// The cluster.
    pub cluster: &'s Arc<Cluster>,
    /// How long the origin has for the head of its answer, if the route says.
    pub timeout: Option<Duration>,
}

/// The end of a call's way through our own hops.
#[derive(Debug)]
pub struct Judgement<'s> {
    /// The last hop that is ours: the one that reports.
    pub hop: Hop,
    /// What it decided.
    pub decision: Decision<'s>,
}

/// Follows a call from a sidecar listener through the gateway, if its route leads there, to the last decision.
pub fn judge<'s>(snapshot: &'s Snapshot, listener: usize, call: &Call) -> Judgement<'s> {
    let mut hop = Hop::Sidecar(listener);
    for _ in 0..MAX_HOPS {
        match decide(snapshot, hop, call) {
            Decision::Forward(Forward { cluster, .. }) if matches!(cluster.target, Target::Gateway(_)) => {
                let Target::Gateway(port) = cluster.target else { continue };
                hop = Hop::Gateway(port);
            }
            decision => return Judgement { hop, decision },
        }
    }
    Judgement { hop, decision: Decision::Refuse(Failure::NoCluster) }
}

/// What one hop does with a call.
pub fn decide<'s>(snapshot: &'s Snapshot, hop: Hop, call: &Call) -> Decision<'s> {
    let found = match hop {
        Hop::Sidecar(listener) => snapshot.routes.sidecar(snapshot.scope(listener), call),
        Hop::Gateway(port) => snapshot.routes.gateway(port, call),
    };
    match found {
        Ok(forward) => Decision::Forward(Forward { cluster: forward.cluster, timeout: forward.timeout }),
        Err(failure) => Decision::Refuse(failure),
    }
}

#[cfg(test)]
mod tests;
