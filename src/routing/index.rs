//! Which of many routes can take a call, found by its path and headers; whether one does is for its conditions to say.

use std::borrow::Cow;
use std::collections::HashMap;

use foldhash::fast::RandomState;
use http::HeaderName;
use smallvec::{SmallVec, smallvec};

use crate::call::Call;
use crate::policy::{Affixes, Candidates};

use super::matching::{Match, Text, beginnings, header};
use super::route::Route;

/// Most entries that are as quickly asked one after the other.
const FEW: usize = 8;

/// An index over the entries of the routes of one host. Each stands under what is most telling of its conditions.
#[derive(Debug)]
pub(super) struct Index {
    /// In the order in which they are looked at.
    entries: Vec<Entry>,
    /// Those with nothing telling.
    always: Vec<u32>,
    paths: Paths,
    /// In lower case, of entries that ignore it.
    folded: Paths,
    headers: Vec<(HeaderName, Exact)>,
    /// How many different expressions there are for paths.
    regexes: usize,
}

/// An entry of a route's `match`, or a route that has none.
#[derive(Debug, Clone, Copy)]
struct Entry {
    route: usize,
    condition: Option<usize>,
    /// Which expression its path has to match: a call's path is asked once by each.
    regex: Option<usize>,
}

type Exact = HashMap<Box<str>, Vec<u32>, RandomState>;

#[derive(Debug, Default)]
struct Paths {
    exact: Exact,
    prefixes: Affixes,
}

impl Paths {
    fn find(&self, path: &str, found: &mut Candidates) {
        found.extend_from_slice(self.exact.get(path).map(Vec::as_slice).unwrap_or_default());
        self.prefixes.find(path, found);
    }

    fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.prefixes.is_empty()
    }
}

impl Index {
    /// Over these routes; `None` where it would not pay.
    pub(super) fn of(routes: &[Route]) -> Option<Self> {
        if routes.iter().map(|route| route.matches.len().max(1)).sum::<usize>() <= FEW {
            return None;
        }
        let mut index = Self {
            entries: Vec::new(),
            always: Vec::new(),
            paths: Paths::default(),
            folded: Paths::default(),
            headers: Vec::new(),
            regexes: 0,
        };
        let mut regexes = HashMap::new();
        for (route, matches) in routes.iter().map(|route| &route.matches).enumerate() {
            if matches.is_empty() {
                index.always.push(index.next()?);
                index.entries.push(Entry { route, condition: None, regex: None });
            }
            for (condition, conditions) in matches.iter().enumerate() {
                let number = index.next()?;
                index.file(number, conditions);
                let regex = conditions.uri.as_ref().and_then(|uri| match uri {
                    Text::Regex(whole) => Some(whole.written()),
                    _ => None,
                });
                let known = regexes.len();
                let regex = regex.map(|regex| *regexes.entry(regex).or_insert(known));
                index.entries.push(Entry { route, condition: Some(condition), regex });
            }
        }
        index.regexes = regexes.len();
        index.paths.prefixes.seal();
        index.folded.prefixes.seal();
        Some(index)
    }

    fn next(&self) -> Option<u32> {
        u32::try_from(self.entries.len()).ok()
    }

    /// Puts an entry where calls that it may take will find it.
    fn file(&mut self, number: u32, conditions: &Match) {
        let telling_header = conditions.headers.iter().find_map(|(name, text)| match text {
            Text::Exact(text) => Some((name, text)),
            _ => None,
        });
        match (&conditions.uri, telling_header) {
            (Some(Text::Exact(path)), _) => self.paths.exact.entry(path.clone()).or_default().push(number),
            (Some(Text::ExactIgnoringCase(path)), _) => {
                self.folded.exact.entry(path.to_ascii_lowercase().into()).or_default().push(number);
            }
            (_, Some((name, text))) => self.header(name).entry(text.clone()).or_default().push(number),
            (Some(Text::Prefix(path)), _) if path.len() > 1 => self.paths.prefixes.push(path.clone(), number),
            (Some(Text::PrefixIgnoringCase(path)), _) if path.len() > 1 => {
                self.folded.prefixes.push(path.to_ascii_lowercase().into(), number);
            }
            (Some(Text::Regex(regex)), _) => {
                let beginnings = beginnings(regex);
                if beginnings.is_empty() {
                    self.always.push(number);
                }
                for beginning in beginnings {
                    self.paths.prefixes.push(beginning.into(), number);
                }
            }
            _ => self.always.push(number),
        }
    }

    fn header(&mut self, name: &HeaderName) -> &mut Exact {
        let place = self.headers.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            self.headers.push((name.clone(), Exact::default()));
            self.headers.len() - 1
        });
        &mut self.headers[place].1
    }

    /// The first of the routes, which are those that it was made of, that holds; with the entry that does.
    pub(super) fn first<'r>(
        &self,
        routes: &'r [Route],
        call: &Call,
        scheme: &str,
    ) -> Option<(&'r Route, Option<&'r Match>)> {
        let mut asked: SmallVec<[Option<bool>; 64]> = smallvec![None; self.regexes];
        self.candidates(call).into_iter().find_map(|number| {
            let entry = self.entries.get(number as usize)?;
            let route = routes.get(entry.route)?;
            let Some(condition) = entry.condition else { return Some((route, None)) };
            let conditions = route.matches.get(condition)?;
            let holds = match (entry.regex, &conditions.uri) {
                (Some(regex), Some(uri)) => {
                    *asked[regex].get_or_insert_with(|| uri.holds(call.path()))
                        && conditions.holds_besides_path(call, scheme)
                }
                _ => conditions.holds(call, scheme),
            };
            holds.then_some((route, Some(conditions)))
        })
    }

    /// The entries that may hold, in their order.
    fn candidates(&self, call: &Call) -> Candidates {
        let mut found = Candidates::from_slice(&self.always);
        let path = call.path();
        self.paths.find(path, &mut found);
        if !self.folded.is_empty() {
            let upper = path.bytes().any(|byte| byte.is_ascii_uppercase());
            let folded = if upper { Cow::Owned(path.to_ascii_lowercase()) } else { Cow::Borrowed(path) };
            self.folded.find(&folded, &mut found);
        }
        for (name, values) in &self.headers {
            let value = header(call.headers(), name);
            found.extend_from_slice(value.and_then(|value| values.get(&*value)).map(Vec::as_slice).unwrap_or_default());
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::Method;
    use proptest::prelude::*;

    use super::super::act::Act;
    use super::super::matching::Expressions;
    use super::super::route::{RouteName, first};
    use super::super::testing::call_of;
    use super::*;

    fn path() -> impl Strategy<Value = Text> {
        let text = "/[ab]{0,3}".prop_map(String::into_boxed_str);
        let regex =
            prop::sample::select(vec!["/a.*", "/a|/b", "(?i)/ab?", ".*b", "/(a|b)+", "/a{0,2}b?", "[/][ab]a", ""]);
        prop_oneof![
            text.clone().prop_map(Text::Exact),
            text.clone().prop_map(Text::Prefix),
            text.clone().prop_map(Text::ExactIgnoringCase),
            text.prop_map(Text::PrefixIgnoringCase),
            regex.prop_map(|regex| Text::Regex(Expressions::default().whole(regex).expect("it compiles"))),
            Just(Text::Present),
        ]
    }

    fn conditions() -> impl Strategy<Value = Match> {
        let value = prop_oneof!["[12]".prop_map(|text| Text::Exact(text.into())), Just(Text::Present)];
        let headers = prop::collection::vec((prop::sample::select(vec!["x-a", "x-b"]), value), 0..2);
        let method = prop::option::weighted(0.2, Just(Text::Exact("POST".into())));
        (prop::option::weighted(0.8, path()), headers, method).prop_map(|(uri, headers, method)| {
            let headers = headers.into_iter().map(|(name, text)| (HeaderName::from_static(name), text)).collect();
            Match { uri, headers, method, ..Match::default() }
        })
    }

    fn route((number, matches): (usize, Vec<Match>)) -> Route {
        let virtual_service = Arc::from("default/one");
        let name = RouteName { virtual_service, list: "http", index: number, delegate: None, origin: None };
        Route { name, matches, act: Arc::new(Act::nothing()) }
    }

    proptest! {
        #[test]
        fn what_the_index_finds_is_what_is_found_by_asking_one_after_the_other(
            entries in prop::collection::vec(prop::collection::vec(conditions(), 1..3), 9..30),
            calls in prop::collection::vec(("/[abAB]{0,4}", any::<bool>(), "[12]?", "[12]?"), 1..12),
        ) {
            let routes: Vec<Route> = entries.into_iter().enumerate().map(route).collect();
            let index = Index::of(&routes).expect("there are many");
            for (path, post, a, b) in calls {
                let mut head = http::Request::builder().uri(format!("http://a.example{path}")).version(http::Version::HTTP_2);
                head = head.method(if post { Method::POST } else { Method::GET });
                for (name, value) in [("x-a", a), ("x-b", b)].into_iter().filter(|(_, value)| !value.is_empty()) {
                    head = head.header(name, value);
                }
                let call = call_of(head);
                let place = |found: Option<(&Route, Option<&Match>)>| {
                    found.map(|(route, condition)| (route.name.index, condition.map(std::ptr::from_ref)))
                };
                prop_assert_eq!(place(index.first(&routes, &call, "http")), place(first(&routes, &call, "http")));
            }
        }
    }

    #[test]
    fn routes_for_other_paths_and_headers_are_not_asked() {
        let exact = |path: String| Match { uri: Some(Text::Exact(path.into())), ..Match::default() };
        let regex = |path: String| {
            let regex = Expressions::default().whole(&format!("{path}/(a|b)/.*")).expect("it compiles");
            Match { uri: Some(Text::Regex(regex)), ..Match::default() }
        };
        let tenant = |tenant: usize| {
            let tenant = (HeaderName::from_static("x-tenant"), Text::Exact(tenant.to_string().into()));
            Match { uri: Some(Text::Prefix("/".into())), headers: vec![tenant], ..Match::default() }
        };
        let all = (0..1000).map(|n| vec![exact(format!("/e/{n}")), regex(format!("/r/{n}")), tenant(n)]);
        let routes: Vec<Route> = all.enumerate().map(route).collect();
        let index = Index::of(&routes).expect("there are many");
        for (path, candidates) in [("/e/17", [17 * 3, 9 * 3 + 2]), ("/r/17/a/x", [9 * 3 + 2, 17 * 3 + 1])] {
            let head = http::Request::builder().uri(format!("http://a.example{path}")).version(http::Version::HTTP_2);
            let found = index.candidates(&call_of(head.header("x-tenant", "9")));
            let mut expected = candidates.map(|number| u32::try_from(number).expect("few"));
            expected.sort_unstable();
            assert_eq!(found.as_slice(), expected, "{path}");
        }
    }
}
