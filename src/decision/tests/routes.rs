//! Compiled routes agree with the plainest reading of the rules: the first that matches, entry by entry.

use proptest::prelude::*;

use super::{SCENARIO, SITE, call, outcome, snapshot};
use crate::call::Call;

/// A condition on a text, with what it means.
#[derive(Debug, Clone, Copy)]
enum Text {
    Exact(&'static str),
    Prefix(&'static str),
    Regex(&'static str, fn(&str) -> bool),
}

impl Text {
    fn yaml(self) -> String {
        match self {
            Text::Exact(text) => format!("{{exact: {text:?}}}"),
            Text::Prefix(text) => format!("{{prefix: {text:?}}}"),
            Text::Regex(text, _) => format!("{{regex: {text:?}}}"),
        }
    }

    fn holds(self, value: &str, ignore_case: bool) -> bool {
        let (small, own) = (value.to_ascii_lowercase(), |text: &str| text.to_ascii_lowercase());
        match self {
            Text::Exact(text) => {
                if ignore_case {
                    small == own(text)
                } else {
                    value == text
                }
            }
            Text::Prefix(text) => {
                if ignore_case {
                    small.starts_with(&own(text))
                } else {
                    value.starts_with(text)
                }
            }
            Text::Regex(_, holds) => holds(value),
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Entry {
    uri: Option<Text>,
    ignore_case: bool,
    method: Option<Text>,
    header: Option<Text>,
    without: Option<Text>,
    query: Option<Text>,
    authority: Option<Text>,
    scheme: Option<Text>,
    port: Option<u16>,
    app: Option<&'static str>,
    namespace: Option<&'static str>,
}

impl Entry {
    fn yaml(&self) -> String {
        let mut parts = Vec::new();
        let mut add = |name: &str, text: Option<Text>, open: &str, close: &str| {
            parts.extend(text.map(|text| format!("{name}: {open}{}{close}", text.yaml())));
        };
        add("uri", self.uri, "", "");
        add("method", self.method, "", "");
        add("headers", self.header, "{x-h: ", "}");
        add("withoutHeaders", self.without, "{x-w: ", "}");
        add("queryParams", self.query, "{q: ", "}");
        add("authority", self.authority, "", "");
        add("scheme", self.scheme, "", "");
        parts.extend(self.port.map(|port| format!("port: {port}")));
        parts.extend(self.app.map(|app| format!("sourceLabels: {{app: {app}}}")));
        parts.extend(self.namespace.map(|namespace| format!("sourceNamespace: {namespace}")));
        parts.extend(self.ignore_case.then(|| "ignoreUriCase: true".to_owned()));
        format!("{{{}}}", parts.join(", "))
    }

    fn holds(&self, call: &Call) -> bool {
        // Repeated headers count as one value.
        let header = |name: &str| {
            let values: Vec<_> = call.headers().get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
            (!values.is_empty()).then(|| values.join(","))
        };
        let query = call.path_and_query().query().unwrap_or_default();
        let parameter = query.split('&').find_map(|pair| pair.strip_prefix("q="));
        self.uri.is_none_or(|uri| uri.holds(call.path(), self.ignore_case))
            && self.method.is_none_or(|method| method.holds(call.method().as_str(), false))
            && self.header.is_none_or(|text| header("x-h").is_some_and(|value| text.holds(&value, false)))
            && !self.without.is_some_and(|text| header("x-w").is_some_and(|value| text.holds(&value, false)))
            && self.query.is_none_or(|text| parameter.is_some_and(|value| text.holds(value, false)))
            && self.authority.is_none_or(|text| text.holds(call.authority().as_str(), false))
            && self.scheme.is_none_or(|text| text.holds("http", false))
    }

    fn catches_all(&self) -> bool {
        let path = match self.uri {
            None => true,
            Some(Text::Prefix(text)) => text == "/",
            Some(Text::Regex(text, _)) => text == ".*",
            Some(Text::Exact(_)) => false,
        };
        path && self.method.is_none()
            && self.header.is_none()
            && self.without.is_none()
            && self.query.is_none()
            && self.authority.is_none()
            && self.scheme.is_none()
    }
}

/// A route is its entries; what it answers tells which it was.
type Route = Vec<Entry>;

fn yaml(routes: &[Route], first_status: u16) -> String {
    let mut text = String::new();
    for (status, route) in (first_status..).zip(routes) {
        let entries: Vec<_> = route.iter().map(Entry::yaml).collect();
        let entries = if route.is_empty() { String::new() } else { format!("match: [{}]\n    ", entries.join(", ")) };
        text.push_str(&format!("  - {entries}directResponse: {{status: {status}}}\n"));
    }
    text
}

/// The entries that can hold at a port of a workload with this name and namespace, one by one, up to the first that takes
/// everything.
fn flat(routes: &[Route], first_status: u16, port: u16, source: (&str, &str)) -> Vec<(Entry, u16)> {
    let can_hold = |entry: &&Entry| {
        entry.port.is_none_or(|own| own == port)
            && entry.app.is_none_or(|app| app == source.0)
            && entry.namespace.is_none_or(|namespace| namespace == source.1)
    };
    let mut flat = Vec::new();
    for (status, route) in (first_status..).zip(routes) {
        let all = [Entry::default()];
        let entries = if route.is_empty() { &all[..] } else { route.as_slice() };
        for entry in entries.iter().filter(can_hold) {
            flat.push((entry.clone(), status));
            if entry.catches_all() {
                return flat;
            }
        }
    }
    flat
}

fn first(flat: &[(Entry, u16)], call: &Call, otherwise: &str) -> String {
    if flat.is_empty() {
        return otherwise.to_owned();
    }
    let found = flat.iter().find(|(entry, _)| entry.holds(call));
    found.map_or("NoRoute".to_owned(), |(_, status)| format!("answer {status}"))
}

fn path() -> impl Strategy<Value = Text> {
    prop::sample::select(vec![
        Text::Exact("/"),
        Text::Exact("/a"),
        Text::Exact("/A/b"),
        Text::Prefix("/"),
        Text::Prefix("/a"),
        Text::Prefix("/A/"),
        Text::Regex(".*", |_| true),
        Text::Regex("/[ab]", |text| matches!(text, "/a" | "/b")),
        Text::Regex("/a|/a/b", |text| matches!(text, "/a" | "/a/b")),
        Text::Regex("(?i)/A(/b)?", |text| matches!(text.to_ascii_lowercase().as_str(), "/a" | "/a/b")),
        Text::Regex("/a/?b*", |text| {
            let rest = text.strip_prefix("/a").map(|rest| rest.strip_prefix('/').unwrap_or(rest));
            rest.is_some_and(|rest| rest.bytes().all(|byte| byte == b'b'))
        }),
    ])
}

fn value() -> impl Strategy<Value = Text> {
    prop::sample::select(vec![
        Text::Exact("1"),
        Text::Prefix("1"),
        Text::Regex("1+", |text| !text.is_empty() && text.bytes().all(|byte| byte == b'1')),
    ])
}

fn entry() -> impl Strategy<Value = Entry> {
    let method = prop::sample::select(vec![Text::Exact("GET"), Text::Prefix("P"), Text::Exact("get")]);
    let app = prop::sample::select(vec!["sleep", "web"]);
    let sometimes = |text| prop::option::weighted(0.2, text);
    let authority = prop::sample::select(vec![
        Text::Exact("site.example"),
        Text::Prefix("site.example"),
        Text::Regex(".*:8080", |text| text.ends_with(":8080")),
    ]);
    let scheme = prop::sample::select(vec![Text::Exact("http"), Text::Prefix("https")]);
    let namespace = prop::sample::select(vec!["default", "other"]);
    (
        prop::option::weighted(0.8, path()),
        any::<bool>(),
        prop::option::weighted(0.2, method),
        (sometimes(value().boxed()), sometimes(value().boxed()), sometimes(value().boxed())),
        (prop::option::weighted(0.1, authority), prop::option::weighted(0.1, scheme)),
        prop::option::weighted(0.2, prop::sample::select(vec![80_u16, 8080])),
        (prop::option::weighted(0.1, app), prop::option::weighted(0.1, namespace)),
    )
        .prop_map(|(uri, ignore_case, method, texts, (authority, scheme), port, (app, namespace))| Entry {
            uri,
            ignore_case,
            method,
            header: texts.0,
            without: texts.1,
            query: texts.2,
            authority,
            scheme,
            port,
            app,
            namespace,
        })
}

fn routes() -> impl Strategy<Value = Vec<Route>> {
    // Few are searched one after the other, many by an index; a route without entries ends all.
    let route = prop_oneof![9 => prop::collection::vec(entry(), 1..3), 1 => Just(Route::new())];
    prop_oneof![prop::collection::vec(route.clone(), 1..5), prop::collection::vec(route, 8..20)]
}

fn request() -> impl Strategy<Value = String> {
    let method = prop::sample::select(vec!["GET", "POST", "PUT"]);
    let path =
        prop::sample::select(vec!["/", "/a", "/A", "/a/b", "/A/b", "/b", "/a/../b", "/%61?q=1", "/c?p&q=11&q=2"]);
    let headers = prop::sample::select(vec!["", " x-h=1", " x-h=12 x-w=1", " x-w=2", " x-h=1 x-h=1"]);
    (method, path, headers).prop_map(|(method, path, headers)| format!("{method} http://site.example{path}{headers}"))
}

const VIRTUAL_SERVICE: &str = "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: ";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_sidecar_takes_the_first_route_that_matches(
        routes in routes(),
        requests in prop::collection::vec((request(), any::<bool>()), 8),
    ) {
        let http = yaml(&routes, 200);
        let manifest = format!("{SITE}{VIRTUAL_SERVICE}site}}\nspec:\n  hosts: [site.example]\n  http:\n{http}");
        let snapshot = snapshot(&manifest);
        for (request, alternative) in requests {
            let port = if alternative { 8080 } else { 80 };
            let request = request.replace("site.example", &format!("site.example:{port}"));
            let expected = first(&flat(&routes, 200, port, ("sleep", "default")), &call(&snapshot, &request), &format!("site.example:{port}"));
            prop_assert_eq!(outcome(&snapshot, &request), expected, "{} of\n{}", request, http);
        }
    }

    #[test]
    fn a_sidecar_follows_the_virtual_service_of_the_most_specific_host(
        patterns in prop::collection::btree_set(prop::sample::select(PATTERNS.to_vec()), 1..6),
        requests in prop::collection::vec(prop::sample::select(NAMES.to_vec()), 8),
    ) {
        let registered = SITE.replace("[site.example]", &format!("{REGISTERED:?}"));
        let manifest = patterns.iter().enumerate().fold(registered, |manifest, (number, pattern)| format!(
            "{manifest}{VIRTUAL_SERVICE}vs-{number}}}\nspec:\n  hosts: ['{pattern}']\n  http: [{{directResponse: {{status: \
             {}}}}}]\n",
            300 + number
        ));
        let snapshot = snapshot(&manifest);
        for name in requests {
            let covers = |pattern: &str, name: &str| match pattern.strip_prefix('*') {
                Some(suffix) => name.len() > suffix.len() && name.ends_with(suffix),
                None => name == pattern,
            };
            let specific = |pattern: &&str| (!pattern.starts_with('*'), pattern.len());
            let best = |name: &str| patterns.iter().copied().filter(|own| covers(own, name)).max_by_key(specific);
            let place = |pattern: &str| patterns.iter().position(|own| *own == pattern).map(|place| 300 + place);
            // A wildcard that covers registered hosts stands for these alone.
            let stands = |pattern: &str| !pattern.starts_with('*') || !REGISTERED.iter().any(|host| covers(pattern, host));
            let known = REGISTERED.contains(&name);
            let followed = if known {
                best(name)
            } else {
                patterns.iter().copied().filter(|own| stands(own) && covers(own, name)).max_by_key(specific)
            };
            let expected = match followed.and_then(place) {
                Some(status) => format!("answer {status}"),
                None if known => format!("{name}:80"),
                None => "UnknownHost".to_owned(),
            };
            prop_assert_eq!(outcome(&snapshot, &format!("GET http://{name}/")), expected, "{} of\n{}", name, manifest);
        }
    }

    #[test]
    fn a_gateway_merges_routes_and_puts_last_what_takes_everything(
        one in routes(),
        other in routes(),
        requests in prop::collection::vec(request(), 8),
    ) {
        let at_gateway = |name: &str, http: &str| format!(
            "{VIRTUAL_SERVICE}{name}}}\nspec:\n  hosts: [site.example]\n  gateways: [out]\n  http:\n{http}"
        );
        let (http_one, http_other) = (yaml(&one, 200), yaml(&other, 300));
        let gateway = "---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: out}\nspec:\n  selector: \
                       {istio: egressgateway}\n  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: \
                       ['*']}]\n";
        let mesh = format!(
            "{VIRTUAL_SERVICE}mesh}}\nspec:\n  hosts: [site.example]\n  http: [{{route: [{{destination: {{host: \
             istio-egressgateway.istio-system.svc.cluster.local, port: {{number: 80}}}}}}]}}]\n"
        );
        let manifest = format!(
            "{SCENARIO}{SEPARATOR}{SITE}{gateway}{mesh}{}{}",
            at_gateway("one", &http_one),
            at_gateway("other", &http_other)
        );
        let snapshot = snapshot(&manifest);
        let mut merged = flat(&one, 200, 80, GATEWAY);
        merged.extend(flat(&other, 300, 80, GATEWAY));
        merged.sort_by_key(|(entry, _)| entry.catches_all());
        for request in requests {
            let expected = first(&merged, &call(&snapshot, &request), "NoRoute");
            prop_assert_eq!(outcome(&snapshot, &request), expected, "{} of\n{}{}", request, http_one, http_other);
        }
    }
}

/// The gateway's workload: what routes of the gateway compare `sourceLabels` with.
const GATEWAY: (&str, &str) = ("istio-egressgateway", "istio-system");

/// Registered hosts, hosts of VirtualServices, and names that are called.
const REGISTERED: [&str; 4] = ["site.example", "a.site.example", "b.a.site.example", "other.example"];
const PATTERNS: [&str; 8] = [
    "site.example",
    "a.site.example",
    "*.site.example",
    "*.a.site.example",
    "*.example",
    "*.free.test",
    "x.free.test",
    "*.test",
];
const NAMES: [&str; 9] = [
    "site.example",
    "a.site.example",
    "b.a.site.example",
    "c.a.site.example",
    "other.example",
    "x.free.test",
    "y.free.test",
    "free.test",
    "y.x.free.test",
];

const SEPARATOR: &str = "\n---\n";
