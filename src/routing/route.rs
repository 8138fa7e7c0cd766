//! HTTP routes of one host at one hop, first match wins.

use std::sync::Arc;
use std::time::Duration;

use crate::call::{Call, Failure};
use crate::resource::Origin;

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

/// Which route of which VirtualService.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteName {
    /// `NAMESPACE/NAME`.
    pub virtual_service: Arc<str>,
    /// Its place among the `http` routes.
    pub index: usize,
    /// Where the VirtualService was declared, if known.
    pub origin: Option<Origin>,
}

/// A route that was looked at.
#[derive(Debug, Clone)]
pub struct Considered {
    /// The route.
    pub route: RouteName,
    /// Why it was passed over; `None` for the one that was taken.
    pub passed_over: Option<String>,
}

/// The routes of a host at one hop.
#[derive(Debug, Default)]
pub(super) struct Routes {
    pub(super) here: Vec<Route>,
    /// Those of the same VirtualServices that can apply at other hops only, and why: for who asks.
    pub(super) elsewhere: Vec<(RouteName, &'static str)>,
}

/// One HTTP route.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) name: RouteName,
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
}

/// The destination by weight; a single one takes all whatever its weight.
pub(super) fn weighted(destinations: &[Destination], chance: u64) -> Option<&Destination> {
    if let [only] = destinations {
        return Some(only);
    }
    let total: u64 = destinations.iter().map(|destination| destination.weight).sum();
    let mut left = chance.checked_rem(total)?;
    destinations.iter().find(|destination| match left.checked_sub(destination.weight) {
        Some(rest) => {
            left = rest;
            false
        }
        None => true,
    })
}

/// The routes that apply at other hops, then the others in the order in which [`find`] looks at them, up to the one that it
/// takes.
pub(super) fn considered(routes: &Routes, call: &Call) -> Vec<Considered> {
    let elsewhere = |(route, why): &(RouteName, &'static str)| Considered {
        route: route.clone(),
        passed_over: Some((*why).to_owned()),
    };
    let mut considered: Vec<_> = routes.elsewhere.iter().map(elsewhere).collect();
    for route in &routes.here {
        let holds = route.holds(call);
        let reasons = || route.matches.iter().filter_map(|condition| condition.why_not(call)).collect::<Vec<_>>();
        let passed_over = (!holds).then(|| reasons().join("; "));
        considered.push(Considered { route: route.name.clone(), passed_over });
        if holds {
            break;
        }
    }
    considered
}

/// The first route that holds, and its destination.
///
/// # Errors
/// [`Failure::NoRoute`] when none holds, [`Failure::NoCluster`] when the destination is not there.
pub(super) fn find<'t>(routes: &'t [Route], call: &Call) -> Result<Forwarding<'t>, Failure> {
    let route = routes.iter().find(|route| route.holds(call)).ok_or(Failure::NoRoute)?;
    let destination = weighted(&route.destinations, call.chance()).ok_or(Failure::NoCluster)?;
    let cluster = destination.cluster.as_ref().map_err(|failure| *failure)?;
    Ok(Forwarding { cluster, timeout: route.timeout })
}
