//! From a VirtualService to its routes of HTTP at a place.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use http::HeaderName;

use crate::resource::kinds::virtual_service::{self, HttpMatch, HttpRoute, StringMatch};

use super::super::act::Act;
use super::super::delegate;
use super::super::destinations::Destinations;
use super::super::hosts::qualify;
use super::super::matching::{Expressions, Match, Part, PseudoHeader, Text};
use super::super::route::{Route, RouteName, Routes};
use super::super::services::exported;
use super::super::virtual_services::Virtual;
use super::{Networking, Place, Spot, names_place};

impl Networking {
    /// The HTTP routes of a VirtualService that apply at a place and port, up to the first that takes every call.
    pub(super) fn routes(&self, of: &Virtual, spot: Spot<'_>, destinations: &mut Destinations<'_>) -> Arc<Routes> {
        if let Some(routes) = destinations.made.routes(of, &spot) {
            return routes;
        }
        let routes = self.make_routes(of, spot, destinations);
        let routes = if matches!(spot.place, Place::Mesh) { routes } else { routes.in_gateway_order() };
        let routes = Arc::new(routes.sealed());
        destinations.made.keep_routes(of, &spot, &routes);
        routes
    }

    fn make_routes(&self, of: &Virtual, spot: Spot<'_>, destinations: &mut Destinations<'_>) -> Routes {
        let named = of.route("http", 0);
        let (mut routes, mut room) = (Routes::new(spot.scheme), delegate::MAX_PAIRS);
        for (index, route) in of.spec().http.iter().enumerate() {
            let name = RouteName { index, ..named.clone() };
            let leaves = match &route.delegate {
                None => vec![Leaf { name, namespace: of.namespace(), route: Cow::Borrowed(route) }],
                Some(_) => self.leaves(of, route, name, &mut room).unwrap_or_else(|lost| {
                    routes.elsewhere.push(lost);
                    Vec::new()
                }),
            };
            for leaf in leaves {
                add_leaf(leaf, of.namespace(), spot, destinations, &mut routes);
                if routes.here.last().is_some_and(Route::takes_all) {
                    return routes;
                }
            }
        }
        routes
    }

    /// The routes of the VirtualService that a route delegates to. Where it is not there or not to be seen, or there is no
    /// room for the pairs of their entries, only this route is lost.
    fn leaves<'n>(
        &'n self,
        root: &Virtual,
        route: &HttpRoute,
        name: RouteName,
        room: &mut usize,
    ) -> Result<Vec<Leaf<'n>>, (RouteName, &'static str)> {
        let wanted = route.delegate.clone().unwrap_or_default();
        let namespace = if wanted.namespace.is_empty() { root.namespace() } else { &wanted.namespace };
        let found = self.virtual_services.get(&format!("{namespace}/{}", wanted.name));
        let seen = |other: &&Arc<Virtual>| {
            other.hosts.is_empty() && exported(&other.spec().export_to, namespace, root.namespace())
        };
        let Some(found) = found.filter(seen) else {
            return Err((name, "the VirtualService that it delegates to is not there"));
        };
        let Some(merged) = delegate::merged(route, &found.spec().http, root.namespace(), room) else {
            return Err((name, "with the VirtualService that it delegates to it makes too many pairs of entries"));
        };
        let leaf = |(index, route)| Leaf {
            name: RouteName { delegate: Some((Arc::clone(&found.name), index)), ..name.clone() },
            namespace: found.namespace(),
            route: Cow::Owned(route),
        };
        Ok(merged.into_iter().map(leaf).collect())
    }
}

/// A route as it is compiled: of the VirtualService itself, or of one that it delegates to.
struct Leaf<'r> {
    name: RouteName,
    /// In which its destinations are written.
    namespace: &'r str,
    route: Cow<'r, HttpRoute>,
}

/// Adds a route to those of a place, or says why it cannot apply there; `root` is the namespace in which its VirtualService
/// names gateways.
fn add_leaf(leaf: Leaf<'_>, root: &str, spot: Spot<'_>, destinations: &mut Destinations<'_>, routes: &mut Routes) {
    let Leaf { name, namespace, route } = leaf;
    let matches = match matches(&route, root, spot, &mut destinations.made.expressions) {
        Ok(matches) => matches,
        Err(why) => return routes.elsewhere.push((name, why)),
    };
    let known_as = format!("{} {} {:?} {}", name.virtual_service, name.index, name.delegate, spot.port);
    let mut clusters = |to: &virtual_service::Destination| {
        let number = to.port.as_ref().and_then(|selector| u16::try_from(selector.number).ok());
        destinations.cluster(&qualify(&to.host, namespace), number, spot.port, &to.subset)
    };
    let act = Act::compile(&route, &known_as, (spot.scheme, spot.port), &mut clusters);
    routes.here.push(Route { name, matches, act: Arc::new(act) });
}

/// The entries of a route's `match` that can hold at a place and port.
///
/// # Errors
/// Why not, if it has entries, but none of them can.
fn matches(
    route: &HttpRoute,
    namespace: &str,
    spot: Spot<'_>,
    expressions: &mut Expressions,
) -> Result<Vec<Match>, &'static str> {
    if route.r#match.is_empty() {
        return Ok(Vec::new());
    }
    let Spot { place, port, .. } = spot;
    let at_place = |entry: &&HttpMatch| entry.gateways.is_empty() || names_place(&entry.gateways, namespace, place);
    let mut at_place = route.r#match.iter().filter(at_place).peekable();
    if at_place.peek().is_none() {
        return Err(match place {
            Place::Mesh => "its match names gateways, not the sidecars (mesh)",
            Place::Gateway(..) => "its match names other gateways",
        });
    }
    let mut at_port = at_place.filter(|entry| entry.port == 0 || entry.port == u32::from(port)).peekable();
    if at_port.peek().is_none() {
        return Err("its match names another port");
    }
    // With gateways named, Istio looks at the source no more.
    let of_source = |entry: &&HttpMatch| {
        !entry.gateways.is_empty() || spot.source.is_source(&entry.source_labels, &entry.source_namespace)
    };
    let mut here = at_port.filter(of_source).peekable();
    if here.peek().is_none() {
        return Err("its match names other labels or another namespace than the proxy's workload has");
    }
    // A condition that cannot be compiled was refused when it was created; should one come up all the same, its entry
    // must not match more than was written, so it matches nothing.
    let compiled: Vec<_> = here.filter_map(|entry| condition(entry, expressions)).collect();
    if compiled.is_empty() { Err("its match cannot be compiled") } else { Ok(compiled) }
}

fn condition(entry: &HttpMatch, known: &mut Expressions) -> Option<Match> {
    let ignore_case = entry.ignore_uri_case;
    let mut pseudo_headers = pseudo_headers(&entry.headers, true, known)?;
    pseudo_headers.extend(self::pseudo_headers(&entry.without_headers, false, known)?);
    Some(Match {
        uri: text(entry.uri.as_ref(), |uri| Text::of_path(uri, ignore_case, known))?,
        scheme: text(entry.scheme.as_ref(), |text| Text::compile(text, known))?,
        method: text(entry.method.as_ref(), |text| Text::compile(text, known))?,
        authority: text(entry.authority.as_ref(), |text| Text::compile(text, known))?,
        headers: headers(&entry.headers, known)?,
        without_headers: headers(&entry.without_headers, known)?,
        query: entry
            .query_params
            .iter()
            .map(|(name, condition)| Some((name.clone(), present_or(condition.as_ref(), known)?)))
            .collect::<Option<_>>()?,
        pseudo_headers,
    })
}

type HeaderConditions = BTreeMap<String, Option<StringMatch>>;

fn headers(conditions: &HeaderConditions, known: &mut Expressions) -> Option<Vec<(HeaderName, Text)>> {
    let plain = conditions.iter().filter(|(name, _)| Part::of(name).is_none());
    plain.map(|(name, condition)| Some((name.parse().ok()?, present_or(condition.as_ref(), known)?))).collect()
}

fn pseudo_headers(conditions: &HeaderConditions, wanted: bool, known: &mut Expressions) -> Option<Vec<PseudoHeader>> {
    let parts = conditions.iter().filter_map(|(name, condition)| Some((Part::of(name)?, condition)));
    parts.map(|(part, text)| Some(PseudoHeader { part, text: present_or(text.as_ref(), known)?, wanted })).collect()
}

/// `None` if it cannot be compiled, `Some(None)` if there is no condition.
#[expect(clippy::option_option, reason = "absent and impossible are different answers")]
fn text(condition: Option<&StringMatch>, compile: impl FnOnce(&StringMatch) -> Option<Text>) -> Option<Option<Text>> {
    match condition {
        None => Some(None),
        Some(condition) => compile(condition).map(Some),
    }
}

/// A condition of headers and parameters, where `{}` and the regex `*` ask for presence only.
fn present_or(condition: Option<&StringMatch>, known: &mut Expressions) -> Option<Text> {
    let Some(condition) = condition else { return Some(Text::Present) };
    let empty = condition.exact.is_none() && condition.prefix.is_none() && condition.regex.is_none();
    if empty || condition.regex.as_deref() == Some("*") { Some(Text::Present) } else { Text::compile(condition, known) }
}
