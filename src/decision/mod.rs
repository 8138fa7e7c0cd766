//! The one judge: what shall be done with a call.
//!
//! A pure function of a [`Snapshot`], a place and a [`Call`]; the proxy, `trace` and `replay` all ask it.

mod answer;
mod asked;
mod explain;
mod tree;
mod tunnel;

use std::sync::Arc;
use std::time::Duration;

use crate::call::{Call, CallBag, Failure};
use crate::expr::Scratch;
use crate::policy::verdict::Checked;
use crate::policy::{Seen, Spend};
use crate::routing::{Cluster, Target};
use crate::snapshot::{Hop, Snapshot};

pub use asked::{Asked, Told, tell};
pub use explain::{CheckStep, Explained, HopStep, RuleStep, explain};

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
    /// What the policy said, of a call that has a way.
    pub checked: Checked,
}

/// Follows a call from a sidecar listener through the gateway, if its route leads there, to the last decision. Where that
/// is to forward it, the policy is asked: checks, then quotas, which are taken or only looked at. `see` is told of what it
/// looks at.
pub fn judge<'s>(
    snapshot: &'s Snapshot,
    listener: usize,
    call: &Call,
    spend: Spend,
    scratch: &mut Scratch,
    see: &mut impl FnMut(Seen<'_>),
) -> Judgement<'s> {
    let (hop, decision) = follow(snapshot, listener, call, &mut |_, _| {});
    let Decision::Forward(way) = decision else { return Judgement { hop, decision, checked: Checked::default() } };
    let bag = CallBag::new(call, None, snapshot.reporter(hop));
    let mut checked = snapshot.policy.check(&bag, spend, scratch, see);
    if checked.refused().is_none() {
        snapshot.policy.quota(&bag, &way.cluster.host, spend, scratch, &mut checked, see);
    }
    let decision = match checked.refused() {
        Some(code) => Decision::Refuse(Failure::Denied(code)),
        None => decision,
    };
    Judgement { hop, decision, checked }
}

/// The way of a call through our hops; `see` is told of each and of what it decides.
fn follow<'s>(
    snapshot: &'s Snapshot,
    listener: usize,
    call: &Call,
    see: &mut impl FnMut(Hop, &Decision<'s>),
) -> (Hop, Decision<'s>) {
    let mut hop = Hop::Sidecar(listener);
    for _ in 0..MAX_HOPS {
        let decision = decide(snapshot, hop, call);
        see(hop, &decision);
        match decision {
            Decision::Forward(Forward { cluster, .. }) if matches!(cluster.target, Target::Gateway(_)) => {
                let Target::Gateway(port) = cluster.target else { continue };
                hop = Hop::Gateway(port);
            }
            decision => return (hop, decision),
        }
    }
    (hop, Decision::Refuse(Failure::NoCluster))
}

/// What one hop does with a call.
pub fn decide<'s>(snapshot: &'s Snapshot, hop: Hop, call: &Call) -> Decision<'s> {
    if call.tunnel().is_some() {
        return match tunnel::decide(snapshot, hop, call) {
            Ok(cluster) => Decision::Forward(Forward { cluster, timeout: None }),
            Err(failure) => Decision::Refuse(failure),
        };
    }
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
