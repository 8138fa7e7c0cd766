//! HTTP routes of one host at one hop, first match wins.

use std::sync::Arc;

use crate::call::{Call, Failure};
use crate::resource::Origin;

use super::act::{Act, End, Found};
use super::action::Reply;
use super::index::Index;
use super::matching::Match;

/// Which route of which VirtualService.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteName {
    /// `NAMESPACE/NAME`.
    pub virtual_service: Arc<str>,
    /// Which of its lists of routes: `http`, `tls` or `tcp`.
    pub list: &'static str,
    /// Its place there.
    pub index: usize,
    /// The VirtualService that it delegates to, as `NAMESPACE/NAME`, and the place among the routes of that.
    pub delegate: Option<(Arc<str>, usize)>,
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
#[derive(Debug)]
pub(super) struct Routes {
    /// `http` or `https`, as calls come to the place.
    pub(super) scheme: &'static str,
    /// Whether every call is sent to https (`httpsRedirect`).
    pub(super) redirects: bool,
    pub(super) here: Vec<Route>,
    /// Those of the same VirtualServices that can apply at other hops only, and why: for who asks.
    pub(super) elsewhere: Vec<(RouteName, &'static str)>,
    /// Over `here`, where that is many.
    index: Option<Box<Index>>,
}

/// One HTTP route.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) name: RouteName,
    /// Any of these must hold; none given means every call.
    pub(super) matches: Vec<Match>,
    pub(super) act: Arc<Act>,
}

impl Route {
    /// The entry of its `match` that holds; `Some(None)` where it has no entries.
    #[expect(clippy::option_option, reason = "not taken, and taken without a condition, are different answers")]
    fn holds(&self, call: &Call, scheme: &str) -> Option<Option<&Match>> {
        if self.matches.is_empty() {
            return Some(None);
        }
        self.matches.iter().find(|condition| condition.holds(call, scheme)).map(Some)
    }

    /// Whether no later route can be reached.
    pub(super) fn takes_all(&self) -> bool {
        self.matches.is_empty() || self.matches.iter().any(Match::takes_all)
    }

    /// The route by what some calls meet only, and by what every call meets: Istio makes a route of each entry.
    fn split(mut self) -> impl Iterator<Item = Self> {
        let all = self.matches.iter().position(Match::takes_all).filter(|position| *position > 0);
        let rest = all.map(|position| Self { matches: self.matches.split_off(position), ..self.clone() });
        [Some(self), rest].into_iter().flatten()
    }
}

impl Routes {
    /// None yet, at a place where calls come by `http` or `https`.
    pub(super) fn new(scheme: &'static str) -> Self {
        Self { scheme, redirects: false, here: Vec::new(), elsewhere: Vec::new(), index: None }
    }

    /// How a call comes here: as to the place, or by the TLS that it is said to have come by.
    fn scheme_of(&self, call: &Call) -> &'static str {
        if call.tls().is_some() { call.scheme() } else { self.scheme }
    }

    /// In the order in which the gateway asks them: VirtualServices of one host are merged, and then what takes everything
    /// must come last (Istio's rule).
    #[must_use]
    pub(super) fn in_gateway_order(mut self) -> Self {
        self.here = self.here.into_iter().flat_map(Route::split).collect();
        self.here.sort_by_key(Route::takes_all);
        self
    }

    /// Adds routes that were made of another VirtualService.
    pub(super) fn extend(&mut self, other: &Self) {
        self.here.extend(other.here.iter().cloned());
        self.elsewhere.extend(other.elsewhere.iter().cloned());
    }

    /// Makes many routes quick to search, when all are there.
    pub(super) fn sealed(mut self) -> Self {
        self.index = Index::of(&self.here).map(Box::new);
        self
    }

    /// The first route that holds, with the entry of its `match` that does.
    fn first(&self, call: &Call) -> Option<(&Route, Option<&Match>)> {
        let scheme = self.scheme_of(call);
        match &self.index {
            Some(index) => index.first(&self.here, call, scheme),
            None => first(&self.here, call, scheme),
        }
    }
}

/// The first route that holds, found by asking one after the other.
pub(super) fn first<'r>(routes: &'r [Route], call: &Call, scheme: &str) -> Option<(&'r Route, Option<&'r Match>)> {
    routes.iter().find_map(|route| route.holds(call, scheme).map(|condition| (route, condition)))
}

/// One of several by weight; a single one takes all whatever its weight.
pub(super) fn by_weight<T>(several: &[T], weight: impl Fn(&T) -> u64, chance: u64) -> Option<&T> {
    if let [only] = several {
        return Some(only);
    }
    let total: u64 = several.iter().map(&weight).sum();
    let mut left = chance.checked_rem(total)?;
    several.iter().find(|one| match left.checked_sub(weight(one)) {
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
    if routes.redirects {
        return Vec::new();
    }
    let elsewhere = |(route, why): &(RouteName, &'static str)| Considered {
        route: route.clone(),
        passed_over: Some((*why).to_owned()),
    };
    let mut considered: Vec<_> = routes.elsewhere.iter().map(elsewhere).collect();
    for route in &routes.here {
        let scheme = routes.scheme_of(call);
        let holds = route.holds(call, scheme).is_some();
        let why_not = |condition: &Match| condition.why_not(call, scheme);
        let reasons = || route.matches.iter().filter_map(why_not).collect::<Vec<_>>();
        let passed_over = (!holds).then(|| reasons().join("; "));
        considered.push(Considered { route: route.name.clone(), passed_over });
        if holds {
            break;
        }
    }
    considered
}

/// What the first route that holds does; [`Failure::NoRoute`] when none holds.
pub(super) fn find<'t>(routes: &'t Routes, call: &Call) -> Found<'t> {
    if routes.redirects {
        return Found { taken: None, end: Reply::to_https(call).map(|answer| End::Answer(Box::new(answer))) };
    }
    match routes.first(call) {
        Some((route, condition)) => route.act.on(call, condition),
        None => Found::nowhere(Failure::NoRoute),
    }
}
