//! Fields that are understood and kept, but not carried out yet: a user must never believe that they are.

use serde_json::Value as Json;

use crate::diagnostic::{Code, FieldPath, Problem, Problems};
use crate::resource::kinds::destination_rule::DestinationRule;
use crate::resource::kinds::gateway::{Gateway, ServerTlsMode};
use crate::resource::kinds::{DESTINATION_RULE, GATEWAY, REQUEST_AUTHENTICATION, SIDECAR, WORKLOAD_GROUP};
use crate::resource::{Kind, Resource};
use crate::routing::GATEWAY_NAMESPACE;

/// Paths of such fields, `*` for every item of a list, with what happens instead.
const WITHOUT_EFFECT: &[(&Kind, &str, &str)] = &[
    (&SIDECAR, "spec.ingress", "calls to workloads do not come here"),
    (&SIDECAR, "spec.inboundConnectionPool", "calls to workloads do not come here"),
    (&WORKLOAD_GROUP, "spec.probe", "nobody looks whether workloads are ready"),
    (
        &REQUEST_AUTHENTICATION,
        "spec.jwtRules",
        "tokens are not verified, and policies and routes that ask for them take nobody",
    ),
    (&GATEWAY, "spec.servers.*.bind", "the port is served where proxy start --gateway-listen says"),
    (&GATEWAY, "spec.servers.*.defaultEndpoint", "calls go where routes lead, or nowhere"),
    (&SIDECAR, "spec.egress.*.bind", "workloads call by the listener of the proxy"),
    (&SIDECAR, "spec.egress.*.captureMode", "workloads call by the listener of the proxy"),
];

/// Where a DestinationRule has a policy.
const POLICIES: [&str; 4] = [
    "spec.trafficPolicy",
    "spec.trafficPolicy.portLevelSettings.*",
    "spec.subsets.*.trafficPolicy",
    "spec.subsets.*.trafficPolicy.portLevelSettings.*",
];

/// Such fields of a policy.
const WITHOUT_EFFECT_IN_POLICIES: &[(&str, &str)] = &[
    ("connectionPool.http.http2KeepAlive", "no PING is sent on connections at rest"),
    ("outlierDetection.outlierDetectionHttpErrorCodes", "statuses of 500 and above count as errors"),
    ("retryBudget.budgetInterval", "the budget is a share of the calls that are under way"),
    ("loadBalancer.localityLbSetting.failoverPriority", "regions, zones and their parts are compared, and no labels"),
    ("loadBalancer.zoneAwareLbSetting", ALIKE),
    ("loadBalancer.backendUtilization", "endpoints are not asked for their load"),
    ("loadBalancer.warmup", ALIKE),
    ("loadBalancer.warmupDurationSecs", ALIKE),
];

const ALIKE: &str = "endpoints of a zone are alike, from the start";

/// Warns of every such field that a resource uses.
pub(super) fn without_effect(resource: &Resource, problems: &mut Problems) {
    let mut warn = |path: &str, instead: &str| {
        find(resource, path, &mut |at, name| {
            let message = format!("{name} is kept, but not carried out by this version");
            problems.push(Problem::warning(Code::NoEffect, at, message).on_key().help(instead.to_owned()));
        });
    };
    for (_, path, instead) in WITHOUT_EFFECT.iter().filter(|(kind, ..)| resource.kind == *kind) {
        warn(path, instead);
    }
    if *resource.kind == DESTINATION_RULE {
        for policy in POLICIES {
            for (path, instead) in WITHOUT_EFFECT_IN_POLICIES {
                warn(&format!("{policy}.{path}"), instead);
            }
        }
        credential_of_sidecars(resource, problems);
        posts(resource, problems);
    } else if *resource.kind == GATEWAY {
        modes(resource, problems);
    }
}

/// Istio's sidecars send plain text where a rule without workloadSelector names a Secret; ours refuse.
fn credential_of_sidecars(resource: &Resource, problems: &mut Problems) {
    let selects = resource.spec().get("workloadSelector").or(resource.spec().get("workload_selector"));
    if resource.namespace() == GATEWAY_NAMESPACE || selects.is_some_and(|selector| !selector.is_null()) {
        return;
    }
    for policy in POLICIES {
        find(resource, &format!("{policy}.tls.credentialName"), &mut |at, _| {
            let message = "credentialName holds at gateways, and at sidecars only in a rule with workloadSelector";
            let help = "calls that go out from a sidecar get 503, as plain text is never sent in place of TLS";
            problems.push(Problem::warning(Code::NoEffect, at, message).on_key().help(help.to_owned()));
        });
    }
}

/// Warns of tunnels that are to be asked for by POST.
fn posts(resource: &Resource, problems: &mut Problems) {
    // What does not decode has been refused already.
    let Ok(spec) = resource.typed::<DestinationRule>() else { return };
    let own = spec.traffic_policy.iter().map(|policy| (FieldPath::of("spec.trafficPolicy"), policy));
    let of_subsets = spec.subsets.iter().enumerate().filter_map(|(position, subset)| {
        let at = FieldPath::of("spec.subsets").index(position).field("trafficPolicy");
        Some((at, subset.traffic_policy.as_ref()?))
    });
    for (at, policy) in own.chain(of_subsets) {
        if policy.tunnel.as_ref().is_some_and(|tunnel| tunnel.protocol == "POST") {
            let message = "POST is kept, but not carried out by this version";
            let problem = Problem::warning(Code::NoEffect, at.field("tunnel").field("protocol"), message);
            problems.push(problem.help("the proxy is asked by CONNECT".to_owned()));
        }
    }
}

/// Warns of modes of TLS that callers from outside cannot be served in; the hop from a sidecar of ours is inside one process.
fn modes(resource: &Resource, problems: &mut Problems) {
    // What does not decode has been refused already.
    let Ok(spec) = resource.typed::<Gateway>() else { return };
    for (position, server) in spec.servers.iter().enumerate() {
        let message = match server.tls.as_ref().map(|tls| tls.mode) {
            Some(ServerTlsMode::AutoPassthrough) => "AUTO_PASSTHROUGH is kept, but not carried out by this version",
            _ => continue,
        };
        let at = FieldPath::of("spec.servers").index(position).field("tls").field("mode");
        let help = "connections from outside (proxy start --gateway-listen) are refused";
        problems.push(Problem::warning(Code::NoEffect, at, message).help(help.to_owned()));
    }
}

/// Calls `found` for every place in a resource that a path leads to, with the name of the last field.
fn find(resource: &Resource, path: &str, found: &mut dyn FnMut(FieldPath, &str)) {
    let steps: Vec<&str> = path.split('.').collect();
    let Some(body) = resource.body.get(steps[0]) else { return };
    walk(body, &steps[1..], &FieldPath::of(steps[0]), &mut |at| found(at, steps[steps.len() - 1]));
}

/// Calls `found` for every place that the steps lead to; keys may be written in snake case too.
fn walk(tree: &Json, steps: &[&str], at: &FieldPath, found: &mut dyn FnMut(FieldPath)) {
    match (steps, tree) {
        ([], _) => found(at.clone()),
        (["*", rest @ ..], Json::Array(items)) => {
            for (position, item) in items.iter().enumerate() {
                walk(item, rest, &at.index(position), found);
            }
        }
        ([name, rest @ ..], Json::Object(fields)) => {
            for (key, value) in fields.iter().filter(|(key, value)| camel(key) == *name && !value.is_null()) {
                walk(value, rest, &at.field(key), found);
            }
        }
        _ => {}
    }
}

fn camel(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    let mut words = key.split('_');
    out.push_str(words.next().unwrap_or_default());
    for word in words {
        let mut letters = word.chars();
        out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        out.push_str(letters.as_str());
    }
    out
}
