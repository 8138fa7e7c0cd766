//! Routes that others before them leave nothing to do.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use super::{HttpMatch, HttpRoute, TcpRoute, TlsRoute};
use crate::diagnostic::{Code, Problem};
use crate::resource::kinds::check::At;

/// A route as far as its order matters.
struct Ordered<'r, M> {
    /// `#2`, or its name in quotes.
    name: String,
    matches: &'r [M],
}

/// Warns of routes and matches of HTTP that are never used.
pub(super) fn http(at: &mut At<'_>, routes: &[HttpRoute]) {
    let named =
        |text: &str, position: usize| if text.is_empty() { format!("#{position}") } else { format!("{text:?}") };
    let ordered: Vec<_> = routes
        .iter()
        .enumerate()
        .map(|(position, route)| Ordered { name: named(&route.name, position), matches: &route.r#match })
        .collect();
    let match_name = |entry: &HttpMatch, position: usize| named(&entry.name, position);
    // Its name is no condition.
    let conditions = |entry: &HttpMatch| format!("{:?}", HttpMatch { name: String::new(), ..entry.clone() });
    unused(at, &ordered, match_name, conditions);
    covered(at, &ordered, match_name);
}

/// Warns of routes and matches of TLS that are never used.
pub(super) fn tls(at: &mut At<'_>, routes: &[TlsRoute]) {
    l4(at, &routes.iter().map(|route| route.r#match.as_slice()).collect::<Vec<_>>());
}

/// Warns of routes and matches of TCP that are never used.
pub(super) fn tcp(at: &mut At<'_>, routes: &[TcpRoute]) {
    l4(at, &routes.iter().map(|route| route.r#match.as_slice()).collect::<Vec<_>>());
}

fn l4<M: Debug>(at: &mut At<'_>, routes: &[&[M]]) {
    let ordered: Vec<_> = routes
        .iter()
        .enumerate()
        .map(|(position, matches)| Ordered { name: format!("#{position}"), matches })
        .collect();
    unused(at, &ordered, |_, position| format!("#{position}"), |entry| format!("{entry:?}"));
}

/// `conditions` are two matches' the same if they match the same calls.
fn unused<M>(
    at: &mut At<'_>,
    routes: &[Ordered<'_, M>],
    match_name: impl Fn(&M, usize) -> String,
    conditions: impl Fn(&M) -> String,
) {
    let mut met: HashMap<String, usize> = HashMap::new();
    let mut takes_all = false;
    for (position, route) in routes.iter().enumerate() {
        let mut at = at.index(position);
        if route.matches.is_empty() {
            if takes_all {
                unreachable_rule(&mut at, &route.name, "only the last rule can have no matches");
            }
            takes_all = true;
            continue;
        }
        if takes_all {
            unreachable_rule(&mut at, &route.name, "route without matches defined before");
            continue;
        }
        let mut repeated = 0;
        for (number, entry) in route.matches.iter().enumerate() {
            let conditions = conditions(entry);
            let Some(earlier) = met.get(&conditions) else {
                met.insert(conditions, position);
                continue;
            };
            let name = match_name(entry, number);
            ineffective(&mut at.field("match").index(number), &route.name, &name, &routes[*earlier].name);
            repeated += 1;
        }
        if repeated == route.matches.len() {
            unreachable_rule(&mut at, &route.name, "all matches used by prior rules");
        }
    }
}

/// Warns of prefixes that lie under shorter ones of earlier matches that ask for nothing else.
fn covered(at: &mut At<'_>, routes: &[Ordered<'_, HttpMatch>], match_name: impl Fn(&HttpMatch, usize) -> String) {
    let mut met: HashMap<&str, Vec<(&HttpMatch, String)>> = HashMap::new();
    for (position, route) in routes.iter().enumerate() {
        for (number, entry) in route.matches.iter().enumerate() {
            let Some(prefix) = prefix(entry) else { continue };
            let name = match_name(entry, number);
            let shorter = prefix.char_indices().skip(1).map(|(end, _)| &prefix[..end]);
            let mut earlier = shorter.filter_map(|shorter| met.get(shorter)).flatten();
            if let Some((_, wider)) = earlier.find(|(earlier, _)| asks_no_more(earlier, entry)) {
                let name = format!("{name} of prefix {prefix}");
                ineffective(&mut at.index(position).field("match").index(number), &route.name, &name, wider);
            }
            let described = format!("{name} of prefix {prefix} on {}", route.name);
            met.entry(prefix).or_default().push((entry, described));
        }
    }
}

fn prefix(entry: &HttpMatch) -> Option<&str> {
    entry.uri.as_ref()?.prefix.as_deref().filter(|prefix| !prefix.is_empty())
}

/// Whether a call that meets `narrow` meets `wide` too, leaving `uri` aside.
pub fn asks_no_more(wide: &HttpMatch, narrow: &HttpMatch) -> bool {
    fn same<T: PartialEq>(wide: Option<&T>, narrow: Option<&T>) -> bool {
        wide.is_none() || wide == narrow
    }
    fn all<T: PartialEq>(wide: &BTreeMap<String, T>, narrow: &BTreeMap<String, T>) -> bool {
        wide.iter().all(|(name, value)| narrow.get(name) == Some(value))
    }
    let narrower_gateways =
        !narrow.gateways.is_empty() && narrow.gateways.iter().all(|name| wide.gateways.contains(name));
    same(wide.method.as_ref(), narrow.method.as_ref())
        && same(wide.authority.as_ref(), narrow.authority.as_ref())
        && same(wide.scheme.as_ref(), narrow.scheme.as_ref())
        && (wide.port == 0 || wide.port == narrow.port)
        && (wide.ignore_uri_case || !narrow.ignore_uri_case)
        && all(&wide.headers, &narrow.headers)
        && all(&wide.without_headers, &narrow.without_headers)
        && all(&wide.query_params, &narrow.query_params)
        && all(&wide.source_labels, &narrow.source_labels)
        && (wide.source_namespace.is_empty() || wide.source_namespace == narrow.source_namespace)
        && (wide.gateways.is_empty() || narrower_gateways)
}

fn unreachable_rule(at: &mut At<'_>, rule: &str, why: &str) {
    let message = format!("VirtualService rule {rule} not used ({why})");
    at.problems.push(Problem::warning(Code::UnreachableRule, at.path.clone(), message));
}

fn ineffective(at: &mut At<'_>, rule: &str, entry: &str, by: &str) {
    let message =
        format!("VirtualService rule {rule} match {entry} is not used (duplicate/overlapping match in rule {by})");
    at.problems.push(Problem::warning(Code::IneffectiveMatch, at.path.clone(), message));
}
