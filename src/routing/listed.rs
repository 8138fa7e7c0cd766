//! Routes of TLS and TCP in their order, found by the name that they are for.

use std::ops::Deref;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::call::{Call, Failure};

use super::cluster::Cluster;
use super::hosts::HostTable;
use super::route::{Considered, by_weight};
use super::tunnel::Route;

/// Most routes that are as quickly looked at one after the other.
const FEW: usize = 8;

/// Routes in the order in which they are looked at.
#[derive(Debug, Default)]
pub(super) struct Listed {
    routes: Vec<Route>,
    index: Option<Box<Index>>,
}

/// The places of routes, in their order.
#[derive(Debug)]
struct Index {
    by_name: HostTable<Vec<u32>>,
    /// Of routes for any name, or none.
    unnamed: Vec<u32>,
}

impl From<Vec<Route>> for Listed {
    fn from(routes: Vec<Route>) -> Self {
        let index = (routes.len() > FEW).then(|| Box::new(Index::of(&routes)));
        Self { routes, index }
    }
}

impl Deref for Listed {
    type Target = [Route];

    fn deref(&self) -> &[Route] {
        &self.routes
    }
}

impl Index {
    fn of(routes: &[Route]) -> Self {
        let mut index = Self { by_name: HostTable::default(), unnamed: Vec::new() };
        for (route, place) in routes.iter().zip(0..) {
            match &route.name {
                Some(name) => index.by_name.get_or_default(name).push(place),
                None => index.unnamed.push(place),
            }
        }
        index
    }

    /// The places of the routes that may be for a name, in order.
    fn places(&self, name: Option<&str>) -> SmallVec<[u32; 16]> {
        let named = name.into_iter().flat_map(|name| self.by_name.all_covering(name)).flatten();
        let mut places: SmallVec<_> = named.chain(&self.unnamed).copied().collect();
        places.sort_unstable();
        places
    }
}

impl Listed {
    fn first(&self, name: Option<&str>, call: &Call) -> Option<&Route> {
        match &self.index {
            None => self.routes.iter().find(|route| route.holds(name, call)),
            Some(index) => {
                let mut routes = index.places(name).into_iter().filter_map(|place| self.routes.get(place as usize));
                routes.find(|route| route.holds(name, call))
            }
        }
    }

    /// Where a call for a name goes.
    ///
    /// # Errors
    /// [`Failure::NoRoute`], or why it cannot go there.
    pub(super) fn find(&self, name: Option<&str>, call: &Call) -> Result<&Arc<Cluster>, Failure> {
        let route = self.first(name, call).ok_or(Failure::NoRoute)?;
        let destination = by_weight(&route.destinations, |destination| destination.weight, call.chance());
        destination.ok_or(Failure::NoCluster)?.cluster.as_ref().map_err(|failure| *failure)
    }

    /// The routes that are looked at for a call, up to the one that is taken.
    pub(super) fn considered(&self, name: Option<&str>, call: &Call) -> Vec<Considered> {
        let mut considered = Vec::new();
        for route in &self.routes {
            let passed_over = route.why_not(name, call);
            let taken = passed_over.is_none();
            considered.push(Considered { route: route.of.clone(), passed_over });
            if taken {
                break;
            }
        }
        considered
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::route::RouteName;
    use super::super::testing::tunnel_to;
    use super::*;

    fn named(name: Option<&str>) -> Route {
        let of = RouteName { virtual_service: "a/b".into(), list: "tls", index: 0, delegate: None, origin: None };
        let name = name.map(Into::into);
        Route { of, name, subnets: Vec::new(), holds_service: false, source_subnet: None, destinations: Arc::new([]) }
    }

    proptest! {
        #[test]
        fn the_route_that_is_found_by_its_name_is_the_first_that_holds(
            names in prop::collection::vec(prop::option::of("\\*?(\\.?[ab]{1,2}){0,2}"), 0..40),
            asked in prop::option::of("[ab]{1,2}(\\.[ab]{1,2}){0,2}"),
        ) {
            let names = names.into_iter().map(|name| name.filter(|name| !name.is_empty()));
            let listed = Listed::from(names.map(|name| named(name.as_deref())).collect::<Vec<_>>());
            let call = tunnel_to("a.example:443");
            let found = listed.first(asked.as_deref(), &call);
            let expected = listed.routes.iter().find(|route| route.holds(asked.as_deref(), &call));
            prop_assert_eq!(found.map(std::ptr::from_ref), expected.map(std::ptr::from_ref));
        }
    }
}
