//! Delegates: a route of one VirtualService that has its routes in another.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::resource::kinds::virtual_service::{Destination, HttpMatch, HttpRoute, StringMatch};

use super::hosts::qualify;

/// Most pairs of entries that are put together for one VirtualService: a few hundred lines in each of two make millions,
/// which would leave no memory for anybody.
pub(super) const MAX_PAIRS: usize = 1 << 16;

/// The routes that stand in for a root's route, each with its place in the delegate. A route one of whose entries fits no
/// entry of the root's is left out (Istio's rule). `None` where there is no room for so many pairs.
pub(super) fn merged(
    root: &HttpRoute,
    delegate: &[HttpRoute],
    root_namespace: &str,
    room: &mut usize,
) -> Option<Vec<(usize, HttpRoute)>> {
    let pairs = |leaf: &HttpRoute| root.r#match.len().max(1).saturating_mul(leaf.r#match.len().max(1));
    *room = room.checked_sub(delegate.iter().map(pairs).fold(0, usize::saturating_add))?;
    let routes = delegate.iter().enumerate();
    let merged = routes.filter_map(|(index, leaf)| {
        let r#match = matches(&root.r#match, &leaf.r#match)?;
        Some((index, HttpRoute { r#match, ..inherited(root, leaf, root_namespace) }))
    });
    Some(merged.collect())
}

/// A delegate's route, with what only the root says: parts are taken whole, never put together.
fn inherited(root: &HttpRoute, leaf: &HttpRoute, root_namespace: &str) -> HttpRoute {
    // A short name means a service of the namespace in which it was written.
    let from_root = |destination: &Destination| Destination {
        host: qualify(&destination.host, root_namespace),
        ..destination.clone()
    };
    let mut route = leaf.clone();
    route.name = joined(&root.name, &leaf.name);
    route.rewrite = route.rewrite.or_else(|| root.rewrite.clone());
    route.direct_response = route.direct_response.or_else(|| root.direct_response.clone());
    route.timeout = route.timeout.or(root.timeout);
    route.retries = route.retries.or_else(|| root.retries.clone());
    route.fault = route.fault.or_else(|| root.fault.clone());
    route.mirror = route.mirror.or_else(|| root.mirror.as_ref().map(from_root));
    route.mirror_percent = route.mirror_percent.or(root.mirror_percent);
    route.mirror_percentage = route.mirror_percentage.or(root.mirror_percentage);
    route.cors_policy = route.cors_policy.or_else(|| root.cors_policy.clone());
    route.headers = route.headers.or_else(|| root.headers.clone());
    if route.mirrors.is_empty() {
        route.mirrors = root.mirrors.clone();
        for mirror in &mut route.mirrors {
            mirror.destination = mirror.destination.as_ref().map(from_root);
        }
    }
    route
}

fn joined(root: &str, leaf: &str) -> String {
    match (root, leaf) {
        ("", name) | (name, "") => name.to_owned(),
        (root, leaf) => format!("{root}-{leaf}"),
    }
}

/// Every entry of the delegate's with every entry of the root's that it fits; `None` if one fits none.
fn matches(root: &[HttpMatch], leaf: &[HttpMatch]) -> Option<Vec<HttpMatch>> {
    if root.is_empty() || leaf.is_empty() {
        return Some([root, leaf].concat());
    }
    let mut merged = Vec::new();
    for entry in leaf {
        let before = merged.len();
        merged.extend(root.iter().filter(|of| !conflict(of, entry)).map(|of| both(of, entry)));
        if merged.len() == before {
            return None;
        }
    }
    Some(merged)
}

/// The delegate's entry, with what only the root's says.
fn both(root: &HttpMatch, leaf: &HttpMatch) -> HttpMatch {
    let text = |leaf: &Option<StringMatch>, root: &Option<StringMatch>| leaf.clone().or_else(|| root.clone());
    let one = |leaf: &String, root: &String| if leaf.is_empty() { root.clone() } else { leaf.clone() };
    HttpMatch {
        name: joined(&root.name, &leaf.name),
        uri: text(&leaf.uri, &root.uri),
        scheme: text(&leaf.scheme, &root.scheme),
        method: text(&leaf.method, &root.method),
        authority: text(&leaf.authority, &root.authority),
        headers: united(&root.headers, &leaf.headers),
        without_headers: united(&root.without_headers, &leaf.without_headers),
        query_params: united(&root.query_params, &leaf.query_params),
        source_labels: united(&root.source_labels, &leaf.source_labels),
        port: if leaf.port == 0 { root.port } else { leaf.port },
        gateways: if leaf.gateways.is_empty() { root.gateways.clone() } else { leaf.gateways.clone() },
        ignore_uri_case: leaf.ignore_uri_case,
        source_namespace: one(&leaf.source_namespace, &root.source_namespace),
        stat_prefix: one(&leaf.stat_prefix, &root.stat_prefix),
    }
}

fn united<T: Clone>(root: &BTreeMap<String, T>, leaf: &BTreeMap<String, T>) -> BTreeMap<String, T> {
    root.iter().chain(leaf).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Whether two entries have no calls in common, as far as Istio looks.
fn conflict(root: &HttpMatch, leaf: &HttpMatch) -> bool {
    let texts = [
        (&root.uri, &leaf.uri),
        (&root.scheme, &leaf.scheme),
        (&root.method, &leaf.method),
        (&root.authority, &leaf.authority),
    ];
    let maps = [
        (&root.headers, &leaf.headers),
        (&root.without_headers, &leaf.without_headers),
        (&root.query_params, &leaf.query_params),
    ];
    texts.into_iter().any(|(root, leaf)| texts_conflict(root.as_ref(), leaf.as_ref()))
        || maps.into_iter().any(|(root, leaf)| named_texts_conflict(root, leaf))
        || root.ignore_uri_case != leaf.ignore_uri_case
        || (root.port != 0 && leaf.port != 0 && root.port != leaf.port)
        || (!root.source_namespace.is_empty() && root.source_namespace != leaf.source_namespace)
        || leaf.source_labels.iter().any(|(name, value)| root.source_labels.get(name).is_some_and(|own| own != value))
        || (!root.gateways.is_empty() && leaf.gateways.iter().any(|gateway| !root.gateways.contains(gateway)))
}

type Named = BTreeMap<String, Option<StringMatch>>;

fn named_texts_conflict(root: &Named, leaf: &Named) -> bool {
    leaf.iter().any(|(name, text)| root.get(name).is_some_and(|own| texts_conflict(own.as_ref(), text.as_ref())))
}

fn texts_conflict(root: Option<&StringMatch>, leaf: Option<&StringMatch>) -> bool {
    let (Some(root), Some(leaf)) = (root, leaf) else { return false };
    let given = |text: &StringMatch| text.exact.is_some() || text.prefix.is_some() || text.regex.is_some();
    if root.regex.is_some() || leaf.regex.is_some() {
        return given(root) && given(leaf);
    }
    match (&root.exact, &root.prefix) {
        (Some(exact), _) => leaf.exact.as_ref() != Some(exact),
        (None, Some(prefix)) => {
            let narrower: Option<Cow<'_, str>> = leaf.exact.as_deref().or(leaf.prefix.as_deref()).map(Cow::from);
            narrower.is_some_and(|text| !text.starts_with(prefix.as_str()))
        }
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Duration;

    fn uri(kind: &str, text: &str) -> HttpMatch {
        let text = Some(text.to_owned());
        let uri = match kind {
            "exact" => StringMatch { exact: text, ..StringMatch::default() },
            "prefix" => StringMatch { prefix: text, ..StringMatch::default() },
            _ => StringMatch { regex: text, ..StringMatch::default() },
        };
        HttpMatch { uri: Some(uri), ..HttpMatch::default() }
    }

    fn route(matches: &[HttpMatch]) -> HttpRoute {
        HttpRoute { r#match: matches.to_vec(), ..HttpRoute::default() }
    }

    #[test]
    fn paths_of_a_delegate_have_to_lie_within_the_roots() {
        for (root, leaf, fits) in [
            (uri("prefix", "/a"), uri("prefix", "/a/b"), true),
            (uri("prefix", "/a"), uri("exact", "/ab"), true),
            (uri("prefix", "/a/b"), uri("prefix", "/a"), false),
            (uri("exact", "/a"), uri("exact", "/a"), true),
            (uri("exact", "/a"), uri("exact", "/b"), false),
            (uri("exact", "/a"), uri("prefix", "/a"), false),
            (uri("regex", "/a.*"), uri("exact", "/ab"), false),
            (uri("prefix", "/a"), uri("regex", "/ab"), false),
            (HttpMatch::default(), uri("regex", "/ab"), true),
            (uri("prefix", "/a"), HttpMatch { port: 80, ..HttpMatch::default() }, true),
            (HttpMatch { port: 81, ..HttpMatch::default() }, HttpMatch { port: 80, ..HttpMatch::default() }, false),
            (
                HttpMatch { gateways: vec!["mesh".into()], ..HttpMatch::default() },
                HttpMatch { gateways: vec!["gw".into()], ..HttpMatch::default() },
                false,
            ),
        ] {
            let found = all(&route(std::slice::from_ref(&root)), &[route(std::slice::from_ref(&leaf))]);
            assert_eq!(!found.is_empty(), fits, "{root:?} with {leaf:?}");
        }
    }

    fn all(root: &HttpRoute, delegate: &[HttpRoute]) -> Vec<(usize, HttpRoute)> {
        merged(root, delegate, "ns", &mut MAX_PAIRS.clone()).expect("there is room")
    }

    #[test]
    fn no_more_entries_are_put_together_than_there_is_room_for() {
        let many = route(&vec![uri("prefix", "/a"); 300]);
        let leaves = vec![many.clone(); 2];
        let mut room = 300 * 300 * 2 + 1;
        assert!(merged(&many, &leaves, "ns", &mut room).is_some());
        assert_eq!((room, merged(&many, &leaves, "ns", &mut room)), (1, None));
        assert!(merged(&route(&[]), &[route(&[])], "ns", &mut room).is_some(), "without entries it is one");
        assert!(merged(&route(&[]), &[route(&[])], "ns", &mut room).is_none());
    }

    #[test]
    fn one_entry_that_fits_nowhere_drops_the_route_and_no_other() {
        let root = route(&[uri("prefix", "/a"), uri("prefix", "/b")]);
        let leaves = [route(&[uri("exact", "/a/x"), uri("exact", "/c")]), route(&[uri("exact", "/b/x")]), route(&[])];
        let found = all(&root, &leaves);
        assert_eq!(found.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(found[1].1.r#match, root.r#match);
    }

    #[test]
    fn a_delegate_has_the_roots_parts_where_it_has_none() {
        let timeout = |seconds: i64| Some(Duration { nanos: seconds * 1_000_000_000 });
        let mirror = Destination { host: "shadow".into(), ..Destination::default() };
        let root = HttpRoute { name: "r".into(), timeout: timeout(1), mirror: Some(mirror), ..HttpRoute::default() };
        let leaf = HttpRoute { name: "l".into(), timeout: timeout(2), ..HttpRoute::default() };
        let found = all(&root, &[leaf]);
        let (name, timeout, mirror) = (&found[0].1.name, found[0].1.timeout, found[0].1.mirror.as_ref());
        assert_eq!((name.as_str(), timeout.map(|timeout| timeout.nanos)), ("r-l", Some(2_000_000_000)));
        assert_eq!(mirror.map(|mirror| mirror.host.as_str()), Some("shadow.ns.svc.cluster.local"));
    }
}
