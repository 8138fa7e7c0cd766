//! HTTP routes of one host at one hop, first match wins.

use std::sync::Arc;
use std::time::Duration;

use crate::call::{Call, Failure};

use super::cluster::Cluster;
use super::matching::Match;

/// Where a route sends a call.
#[derive(Debug, Clone, Copy)]
pub struct Forwarding<'t> {
    /// The cluster.
    pub cluster: &'t Arc<Cluster>,
    /// How long the origin has for the head of its answer, if the route says.
    pub timeout: Option<Duration>,
}

/// One HTTP route.
#[derive(Debug)]
pub(super) struct Route {
    /// Any of these must hold; none given means every call.
    pub(super) matches: Vec<Match>,
    pub(super) destinations: Vec<Destination>,
    pub(super) timeout: Option<Duration>,
}

/// One weighted destination; a destination that is not registered fails the calls that fall to it.
#[derive(Debug)]
pub(super) struct Destination {
    pub(super) weight: u64,
    pub(super) cluster: Result<Arc<Cluster>, Failure>,
}

impl Route {
    fn holds(&self, call: &Call) -> bool {
        self.matches.is_empty() || self.matches.iter().any(|condition| condition.holds(call))
    }

    /// Whether no later route can be reached.
    pub(super) fn takes_all(&self) -> bool {
        self.matches.is_empty() || self.matches.iter().any(Match::takes_all)
    }

    /// The destination by weight; a single one takes all whatever its weight.
    fn destination(&self, chance: u64) -> Option<&Destination> {
        if let [only] = self.destinations.as_slice() {
            return Some(only);
        }
        let total: u64 = self.destinations.iter().map(|destination| destination.weight).sum();
        let mut left = chance.checked_rem(total)?;
        self.destinations.iter().find(|destination| match left.checked_sub(destination.weight) {
            Some(rest) => {
                left = rest;
                false
            }
            None => true,
        })
    }
}

/// The first route that holds, and its destination.
///
/// # Errors
/// [`Failure::NoRoute`] when none holds, [`Failure::NoCluster`] when the destination is not there.
pub(super) fn find<'t>(routes: &'t [Route], call: &Call) -> Result<Forwarding<'t>, Failure> {
    let route = routes.iter().find(|route| route.holds(call)).ok_or(Failure::NoRoute)?;
    let destination = route.destination(call.chance()).ok_or(Failure::NoCluster)?;
    let cluster = destination.cluster.as_ref().map_err(|failure| *failure)?;
    Ok(Forwarding { cluster, timeout: route.timeout })
}
