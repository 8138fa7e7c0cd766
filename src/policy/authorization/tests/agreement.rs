//! Compiled rules decide as the tables of Istio's reference read, on any policies and calls.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;

/// A call in plain values.
#[derive(Debug, Clone)]
struct Plain {
    method: &'static str,
    host: &'static str,
    path: &'static str,
    namespace: Option<&'static str>,
    address: &'static str,
    header: Option<&'static str>,
    port: u16,
    tunnel: bool,
}

impl Plain {
    fn words(&self) -> String {
        let mut words = match self.tunnel {
            true => format!("tunnel {}:443", self.host),
            false => format!("{} http://{}{}", self.method, self.host, self.path),
        };
        words.push_str(&format!(" by {} at {}", self.address, self.port));
        self.namespace.iter().for_each(|namespace| words.push_str(&format!(" from cluster.local/ns/{namespace}/sa/x")));
        self.header.iter().for_each(|value| words.push_str(&format!(" x={value}")));
        words
    }

    /// The value of a field, and whether only HTTP has it.
    fn value(&self, field: &str) -> (Option<String>, bool) {
        let identity = |namespace: &&str| format!("cluster.local/ns/{namespace}/sa/x");
        match field {
            "principals" | "source.principal" => (self.namespace.as_ref().map(identity), false),
            "namespaces" => (self.namespace.map(str::to_owned), false),
            "ipBlocks" => (Some(self.address.to_owned()), false),
            "ports" => (Some(self.port.to_string()), false),
            "hosts" => (Some(self.host.to_owned()), true),
            "methods" => (Some(self.method.to_owned()), true),
            "paths" => (Some(self.path.to_owned()), true),
            "request.headers[x]" => (self.header.map(str::to_owned), true),
            other => panic!("{other}"),
        }
    }
}

fn fits(value: &str, pattern: &str) -> bool {
    match (pattern, pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        ("*", ..) => !value.is_empty(),
        (_, Some(suffix), _) => value.ends_with(suffix),
        (_, _, Some(prefix)) => value.starts_with(prefix),
        _ => value == pattern,
    }
}

/// Whether the fields of a source, an operation or a condition hold, as the reference reads.
fn holds(fields: &Json, call: &Plain, denies: bool) -> bool {
    fields.as_object().expect("a map").iter().all(|(name, values)| {
        let positive = name.strip_prefix("not").map(|rest| rest[..1].to_ascii_lowercase() + &rest[1..]);
        let (value, of_http) = call.value(positive.as_deref().unwrap_or(name));
        if of_http && call.tunnel {
            return denies;
        }
        let values = values.as_array().expect("a list").iter().map(|one| one.as_str().expect("a text"));
        let found = value.is_some_and(|value| values.into_iter().any(|pattern| fits(&value, pattern)));
        found == positive.is_none()
    })
}

fn is_of_http(fields: &Json, call: &Plain) -> bool {
    let names = fields.as_object().expect("a map").keys();
    names.into_iter().any(|name| {
        let positive = name.strip_prefix("not").map(|rest| rest[..1].to_ascii_lowercase() + &rest[1..]);
        call.value(positive.as_deref().unwrap_or(name)).1
    })
}

fn rule_matches(rule: &Json, call: &Plain, denies: bool) -> bool {
    let list = |name: &str, inner: &str| -> Vec<Json> {
        rule[name].as_array().into_iter().flatten().map(|one| one[inner].clone()).collect()
    };
    let (from, to) = (list("from", "source"), list("to", "operation"));
    let when: Vec<Json> = rule["when"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| json!({one["key"].as_str().expect("a key"): one["values"]}))
        .collect();
    if call.tunnel && !denies && from.iter().chain(&to).chain(&when).any(|fields| is_of_http(fields, call)) {
        return false;
    }
    let any = |all: &[Json]| all.is_empty() || all.iter().any(|fields| holds(fields, call, denies));
    any(&from) && any(&to) && when.iter().all(|fields| holds(fields, call, denies))
}

fn naive(policies: &[(bool, Vec<Json>)], call: &Plain) -> bool {
    let matched = |denies: bool| {
        let of = policies.iter().filter(move |(action, _)| *action == denies);
        of.flat_map(|(_, rules)| rules).any(|rule| rule_matches(rule, call, denies))
    };
    !matched(true) && (policies.iter().all(|(denies, _)| *denies) || matched(false))
}

fn values(of: &'static [&'static str]) -> impl Strategy<Value = Json> {
    proptest::collection::vec(proptest::sample::select(of), 1..3).prop_map(|values| json!(values))
}

fn field() -> impl Strategy<Value = (bool, String, Json)> {
    let namespaces = values(&["a", "b", "*"]).prop_map(|values| (true, "namespaces".to_owned(), values));
    let principals = values(&["cluster.local/ns/a/sa/x", "*/sa/x", "cluster.local/ns/b/*", "*"])
        .prop_map(|values| (true, "principals".to_owned(), values));
    let addresses = values(&["10.0.0.1", "10.0.0.2"]).prop_map(|values| (true, "ipBlocks".to_owned(), values));
    let hosts = values(&["h.a", "*.b", "h.*", "*"]).prop_map(|values| (false, "hosts".to_owned(), values));
    let ports = values(&["80", "443"]).prop_map(|values| (false, "ports".to_owned(), values));
    let methods = values(&["GET", "P*"]).prop_map(|values| (false, "methods".to_owned(), values));
    let paths = values(&["/x", "/x/*", "*/y", "*"]).prop_map(|values| (false, "paths".to_owned(), values));
    prop_oneof![namespaces, principals, addresses, hosts, ports, methods, paths]
}

fn rule() -> impl Strategy<Value = Json> {
    let fields = proptest::collection::vec((field(), any::<bool>(), any::<bool>()), 0..5);
    let header = proptest::option::of(values(&["1", "*", "2*"]));
    (fields, header).prop_map(|(fields, header)| {
        let mut rule = json!({});
        for ((is_source, name, values), negated, apart) in fields {
            let (list, inner) = if is_source { ("from", "source") } else { ("to", "operation") };
            let name = match negated {
                true => format!("not{}{}", name[..1].to_ascii_uppercase(), &name[1..]),
                false => name,
            };
            let entries = rule.as_object_mut().expect("a map").entry(list).or_insert_with(|| json!([]));
            let entries = entries.as_array_mut().expect("a list");
            if apart || entries.is_empty() {
                entries.push(json!({inner: {}}));
            }
            let place = entries.len() - 1;
            entries[place][inner][name] = values;
        }
        if let Some(values) = header {
            rule["when"] = json!([{"key": "request.headers[x]", "values": values}]);
        }
        rule
    })
}

fn plain() -> impl Strategy<Value = Plain> {
    let select = proptest::sample::select::<&'static str>;
    let request = (select(vec!["GET", "PUT"]), select(vec!["h.a", "g.b"]), select(vec!["/x", "/x/y", "/z"]));
    let caller = (proptest::option::of(select(vec!["a", "b"])), select(vec!["10.0.0.1", "10.0.0.3"]));
    let header = proptest::option::of(select(vec!["1", "22"]));
    (request, caller, header, proptest::sample::select(vec![80, 443]), proptest::bool::weighted(0.2)).prop_map(
        |((method, host, path), (namespace, address), header, port, tunnel)| Plain {
            method,
            host,
            path,
            namespace,
            address,
            header,
            port,
            tunnel,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn compiled_policies_decide_as_the_reference_reads(
        policies in proptest::collection::vec((any::<bool>(), proptest::collection::vec(rule(), 1..4)), 0..4),
        calls in proptest::collection::vec(plain(), 1..8),
    ) {
        let manifest: String = policies.iter().enumerate().map(|(number, (denies, rules))| {
            let action = if *denies { "DENY" } else { "ALLOW" };
            policy(&format!("p{number}"), &format!("action: {action}\nrules: {}", json!(rules)))
        }).collect();
        let authorization = compiled(&manifest, &enforcer());
        for call in calls {
            let words = call.words();
            prop_assert_eq!(said(&authorization, &words) == "allowed", naive(&policies, &call), "{}\n{}", words, manifest);
        }
    }
}
