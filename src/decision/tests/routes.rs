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
    port: Option<u16>,
    app: Option<&'static str>,
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
        parts.extend(self.port.map(|port| format!("port: {port}")));
        parts.extend(self.app.map(|app| format!("sourceLabels: {{app: {app}}}")));
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
            && self.app.is_none_or(|app| app == "sleep")
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
            && self.app.is_none()
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

/// The entries that can hold at a port, one by one, up to the first that takes everything.
fn flat(routes: &[Route], first_status: u16, port: u16) -> Vec<(Entry, u16)> {
    let mut flat = Vec::new();
    for (status, route) in (first_status..).zip(routes) {
        let all = [Entry::default()];
        let entries = if route.is_empty() { &all[..] } else { route.as_slice() };
        for entry in entries.iter().filter(|entry| entry.port.is_none_or(|own| own == port)) {
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
    (
        prop::option::weighted(0.8, path()),
        any::<bool>(),
        prop::option::weighted(0.2, method),
        (sometimes(value().boxed()), sometimes(value().boxed()), sometimes(value().boxed())),
        prop::option::weighted(0.2, prop::sample::select(vec![80_u16, 8080])),
        prop::option::weighted(0.1, app),
    )
        .prop_map(|(uri, ignore_case, method, (header, without, query), port, app)| Entry {
            uri,
            ignore_case,
            method,
            header,
            without,
            query,
            port,
            app,
        })
}

fn routes() -> impl Strategy<Value = Vec<Route>> {
    prop::collection::vec(prop::collection::vec(entry(), 0..3), 1..5)
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
    #![proptest_config(ProptestConfig::with_cases(96))]

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
            let expected = first(&flat(&routes, 200, port), &call(&snapshot, &request), &format!("site.example:{port}"));
            prop_assert_eq!(outcome(&snapshot, &request), expected, "{} of\n{}", request, http);
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
        let mut merged = flat(&one, 200, 80);
        merged.extend(flat(&other, 300, 80));
        merged.sort_by_key(|(entry, _)| entry.catches_all());
        for request in requests {
            let expected = first(&merged, &call(&snapshot, &request), "NoRoute");
            prop_assert_eq!(outcome(&snapshot, &request), expected, "{} of\n{}{}", request, http_one, http_other);
        }
    }
}

const SEPARATOR: &str = "\n---\n";
