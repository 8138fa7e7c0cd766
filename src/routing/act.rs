//! What a route does, compiled once and shared by all hosts that it serves.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

use crate::call::{Authority, Call, Failure};
use crate::resource::kinds::virtual_service::{
    HeaderOperations, Headers, HttpRoute, HttpRouteDestination, Mirror as MirrorSpec,
};

use super::action::{Answer, Cors, Faults, HeaderEdits, Mirror, PathRewrite, Reply, Retries, authority, seed};
use super::cluster::Cluster;
use super::matching::Match;
use super::route::by_weight;

/// Where the path that the caller asked for goes with a rewritten one (Envoy's header).
const ORIGINAL_PATH: HeaderName = HeaderName::from_static("x-envoy-original-path");

/// What a route does with the calls that it takes.
#[derive(Debug)]
pub(super) struct Act {
    pub(super) purpose: Purpose,
    /// `http` or `https`, as the call came to the listener or server.
    scheme: &'static str,
    timeout: Option<Duration>,
    retries: Retries,
    /// What most routes do not have.
    more: Option<Box<More>>,
}

/// A route sends calls on, or answers them.
#[derive(Debug)]
pub(super) enum Purpose {
    Forward(Vec<Destination>),
    Answer(Reply),
    /// What is declared cannot be carried out; to do without it would be something else than was declared.
    Impossible,
}

/// One weighted destination; a destination that is not registered fails the calls that fall to it.
#[derive(Debug)]
pub(super) struct Destination {
    pub(super) weight: u64,
    pub(super) cluster: Result<Arc<Cluster>, Failure>,
    /// Route's and destination's together, as the two below.
    authority: Option<Authority>,
    request: HeaderEdits,
    response: HeaderEdits,
}

/// What only some routes do.
#[derive(Debug)]
struct More {
    seed: u64,
    path: Option<PathRewrite>,
    /// Of an answer of the route's own.
    response: HeaderEdits,
    faults: Option<Faults>,
    cors: Option<Cors>,
    mirrors: Vec<Mirror>,
}

/// How an [`Act`] finds the clusters of destinations: by host, port and subset.
pub(super) type Clusters<'f> =
    dyn FnMut(&crate::resource::kinds::virtual_service::Destination) -> Result<Arc<Cluster>, Failure> + 'f;

impl Act {
    /// Compiles a route for one place and port; `name` tells routes apart.
    pub(super) fn compile(
        route: &HttpRoute,
        name: &str,
        (scheme, port): (&'static str, u16),
        clusters: &mut Clusters<'_>,
    ) -> Self {
        let more = More::compile(route, seed(name), clusters);
        let purpose = match &more {
            Ok(_) => Purpose::compile(route, port, clusters).unwrap_or(Purpose::Impossible),
            Err(()) => Purpose::Impossible,
        };
        let timeout = route.timeout.map(crate::resource::Duration::to_std).filter(|timeout| !timeout.is_zero());
        let retries = Retries::compile(route.retries.as_ref());
        Self { purpose, scheme, timeout, retries, more: more.ok().flatten() }
    }

    /// Where copies of calls go.
    pub(super) fn mirrors(&self) -> impl Iterator<Item = &Arc<Cluster>> {
        self.more.iter().flat_map(|more| &more.mirrors).map(|mirror| &mirror.cluster)
    }

    /// Forwards to nowhere.
    #[cfg(test)]
    pub(super) fn nothing() -> Self {
        let retries = Retries::compile(None);
        Self { purpose: Purpose::Forward(Vec::new()), scheme: "http", timeout: None, retries, more: None }
    }

    /// What is done with a call that met one of the route's conditions.
    pub(super) fn on<'t>(&'t self, call: &Call, condition: Option<&'t Match>) -> Found<'t> {
        let destination = match &self.purpose {
            Purpose::Forward(destinations) => by_weight(destinations, |destination| destination.weight, call.chance()),
            Purpose::Answer(_) | Purpose::Impossible => None,
        };
        let taken = Taken { act: self, condition, destination };
        Found { taken: Some(taken), end: self.end(call, &taken) }
    }

    /// Faults come first, then preflights, then what the route is for: the order of Envoy's filters.
    fn end<'t>(&'t self, call: &Call, taken: &Taken<'t>) -> Result<End<'t>, Failure> {
        if let Some(more) = &self.more {
            if let Some(answer) = more.faults.as_ref().and_then(|faults| faults.abort(call, more.seed)) {
                return Err(Failure::Fault(answer));
            }
            if let Some(answer) = more.cors.as_ref().and_then(|cors| cors.preflight(call)) {
                return Ok(End::Answer(Box::new(answer)));
            }
        }
        match &self.purpose {
            Purpose::Answer(reply) => {
                let mut answer = reply.answer(call, self.scheme, taken.condition)?;
                taken.edit_response(call, &mut answer.headers);
                Ok(End::Answer(Box::new(answer)))
            }
            Purpose::Impossible => Err(Failure::Rewrite),
            Purpose::Forward(_) => {
                let destination = taken.destination.ok_or(Failure::NoCluster)?;
                destination.cluster.as_ref().map(End::Cluster).map_err(|failure| *failure)
            }
        }
    }
}

/// What of a route cannot be carried out: the field below the route, and why. Its calls are answered 500.
pub fn impossible(route: &HttpRoute) -> Vec<(&'static str, &'static str)> {
    let mut found = Vec::new();
    if route.rewrite.as_ref().is_some_and(|rewrite| PathRewrite::compile(rewrite).is_err()) {
        found.push((
            "rewrite.uriRegexRewrite",
            "names a group that match does not have, or has an escape but \\0 to \\9",
        ));
    }
    let host = route.rewrite.as_ref().map_or("", |rewrite| rewrite.authority.as_str());
    if !host.is_empty() && Authority::parse(host).is_none() {
        found.push(("rewrite.authority", NO_HOST));
    }
    if authority(route.headers.as_ref()).is_err() {
        found.push(("headers.request", NO_HOST));
    }
    if route.route.iter().any(|weighted| authority(weighted.headers.as_ref()).is_err()) {
        found.push(("route", NO_HOST));
    }
    if route.cors_policy.as_ref().is_some_and(|cors| Cors::compile(cors).is_none()) {
        found.push(("corsPolicy", "has an origin that says more or less than one thing"));
    }
    if route.direct_response.as_ref().is_some_and(|response| Reply::fixed(response).is_none()) {
        found.push(("directResponse.body.bytes", "is no base64"));
    }
    found
}

/// What is wrong with an authority.
const NO_HOST: &str = "sets a Host that is no name or address with an optional port";

impl Purpose {
    /// `None` for what cannot be carried out.
    fn compile(route: &HttpRoute, port: u16, clusters: &mut Clusters<'_>) -> Option<Self> {
        if let Some(redirect) = &route.redirect {
            return Some(Purpose::Answer(Reply::redirect(redirect, port)));
        }
        if let Some(response) = &route.direct_response {
            return Reply::fixed(response).map(Purpose::Answer);
        }
        let alone = route.route.len() == 1;
        let destinations = route.route.iter().map(|weighted| Destination::compile(route, weighted, alone, clusters));
        destinations.filter_map(Result::transpose).collect::<Result<_, ()>>().ok().map(Purpose::Forward)
    }
}

impl Destination {
    fn compile(
        route: &HttpRoute,
        weighted: &HttpRouteDestination,
        alone: bool,
        clusters: &mut Clusters<'_>,
    ) -> Result<Option<Self>, ()> {
        let Some(to) = &weighted.destination else { return Ok(None) };
        let (own, routes) = (weighted.headers.as_ref(), route.headers.as_ref());
        let rewritten =
            route.rewrite.as_ref().map(|rewrite| rewrite.authority.as_str()).filter(|host| !host.is_empty());
        let rewritten = rewritten.map(|host| Authority::parse(host).ok_or(())).transpose()?;
        let (of_route, of_destination) = (authority(routes)?, authority(own)?);
        let by_headers = if alone { of_destination.or(of_route) } else { of_route.or(of_destination) };
        let cluster = clusters(to);
        let name = cluster.as_ref().map(|cluster| cluster.name.as_str()).unwrap_or_default();
        Ok(Some(Self {
            weight: u64::try_from(weighted.weight).unwrap_or(0),
            authority: rewritten.or(by_headers),
            request: edits(routes, own, alone, |headers| headers.request.as_ref()).for_cluster(name),
            response: edits(routes, own, alone, |headers| headers.response.as_ref()).for_cluster(name),
            cluster,
        }))
    }
}

/// The only destination's operations come after the route's and win; of several each comes before (Envoy's weighted
/// clusters), so that the route's win.
fn edits(
    route: Option<&Headers>,
    destination: Option<&Headers>,
    alone: bool,
    part: fn(&Headers) -> Option<&HeaderOperations>,
) -> HeaderEdits {
    let (route, destination) = (route.and_then(part), destination.and_then(part));
    if alone {
        return HeaderEdits::compile([route, destination].into_iter().flatten());
    }
    HeaderEdits::compile(destination).then(HeaderEdits::compile(route))
}

impl More {
    fn compile(route: &HttpRoute, seed_of_route: u64, clusters: &mut Clusters<'_>) -> Result<Option<Box<Self>>, ()> {
        let path = route.rewrite.as_ref().map(PathRewrite::compile).transpose()?.flatten();
        let cors = route.cors_policy.as_ref().map(|cors| Cors::compile(cors).ok_or(())).transpose()?;
        let response = route.headers.as_ref().and_then(|headers| headers.response.as_ref());
        let more = Self {
            seed: seed_of_route,
            path,
            response: HeaderEdits::compile(response),
            faults: route.fault.as_ref().map(Faults::compile),
            cors,
            mirrors: mirrors(route, seed_of_route, clusters),
        };
        let nothing = more.path.is_none()
            && more.response.is_empty()
            && more.faults.is_none()
            && more.cors.is_none()
            && more.mirrors.is_empty();
        Ok((!nothing).then(|| Box::new(more)))
    }
}

/// A mirror that is not registered gets nothing, and fails nothing.
fn mirrors(route: &HttpRoute, seed_of_route: u64, clusters: &mut Clusters<'_>) -> Vec<Mirror> {
    let old = route
        .mirror_percent
        .map(|percent| crate::resource::kinds::virtual_service::Percent { value: f64::from(percent) });
    let one = route.mirror.as_ref().map(|destination| MirrorSpec {
        destination: Some(destination.clone()),
        percentage: route.mirror_percentage.or(old),
    });
    let all = one.iter().chain(&route.mirrors).enumerate();
    let mirror = |(number, mirror): (usize, &MirrorSpec)| {
        let cluster = clusters(mirror.destination.as_ref()?).ok()?;
        Some(Mirror::new(cluster, mirror.percentage, seed_of_route ^ seed(&format!("mirror {number}"))))
    };
    all.filter_map(mirror).collect()
}

/// What one hop does with a call.
#[derive(Debug)]
pub struct Found<'t> {
    /// The route that it took; none where it goes straight to a service, or nowhere.
    pub taken: Option<Taken<'t>>,
    /// Where that leads.
    pub end: Result<End<'t>, Failure>,
}

/// Where a hop's way leads.
#[derive(Debug)]
pub enum End<'t> {
    /// On to a cluster.
    Cluster(&'t Arc<Cluster>),
    /// To an answer of our own; boxed, because most calls have none, and what every call hands around stays small.
    Answer(Box<Answer>),
}

impl Found<'_> {
    /// Nowhere, without a route.
    pub(super) fn nowhere(failure: Failure) -> Self {
        Self { taken: None, end: Err(failure) }
    }
}

/// A route that a call took, with what of it concerns this call.
#[derive(Debug, Clone, Copy)]
pub struct Taken<'t> {
    act: &'t Act,
    /// The entry of `match` that held.
    condition: Option<&'t Match>,
    destination: Option<&'t Destination>,
}

impl<'t> Taken<'t> {
    /// How long the whole answer may take from the end of the request, if the route says.
    pub fn timeout(&self) -> Option<Duration> {
        self.act.timeout
    }

    /// When the call is tried again.
    pub fn retries(&self) -> &'t Retries {
        &self.act.retries
    }

    /// How long the call is held back on purpose.
    pub fn delay(&self, call: &Call) -> Option<Duration> {
        let more = self.act.more.as_ref()?;
        more.faults.as_ref()?.delay(call, more.seed)
    }

    /// Where copies of the call go.
    pub fn mirrors(self, call: &Call) -> impl Iterator<Item = &'t Arc<Cluster>> {
        let mirrors = self.act.more.as_ref().map_or(&[][..], |more| more.mirrors.as_slice());
        mirrors.iter().filter(|mirror| mirror.takes(call)).map(|mirror| &mirror.cluster)
    }

    /// Whether what is sent on differs from the call.
    pub fn edits_request(&self) -> bool {
        self.rewrite().is_some() || self.destination.is_some_and(|to| to.authority.is_some() || !to.request.is_empty())
    }

    fn rewrite(&self) -> Option<&'t PathRewrite> {
        self.act.more.as_ref().and_then(|more| more.path.as_ref())
    }

    /// The path, without query, that takes the call's place.
    pub fn path(&self, call: &Call) -> Option<String> {
        self.rewrite().map(|rewrite| rewrite.apply(call.path(), self.condition))
    }

    /// The authority that takes the call's place.
    pub fn authority(&self) -> Option<&'t Authority> {
        self.destination.and_then(|to| to.authority.as_ref())
    }

    /// Changes the headers of the call as it is sent on.
    pub fn edit_request(&self, call: &Call, headers: &mut HeaderMap) {
        if let Some(destination) = self.destination {
            destination.request.apply(call, headers);
        }
        if self.rewrite().is_some()
            && let Ok(path) = HeaderValue::from_str(call.path_and_query().as_str())
        {
            headers.insert(ORIGINAL_PATH, path);
        }
    }

    /// Changes the headers of the answer.
    pub fn edit_response(&self, call: &Call, headers: &mut HeaderMap) {
        let more = self.act.more.as_ref();
        match self.destination {
            Some(destination) => destination.response.apply(call, headers),
            None => more.into_iter().for_each(|more| more.response.apply(call, headers)),
        }
        if let Some(cors) = more.and_then(|more| more.cors.as_ref()) {
            cors.expose(call, headers);
        }
    }
}
