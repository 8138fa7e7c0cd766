//! Fields that are understood and kept, but not carried out yet: a user must never believe that they are.

use serde_json::Value as Json;

use crate::diagnostic::{Code, FieldPath, Problem, Problems};
use crate::resource::kinds::gateway::{Gateway, ServerTlsMode};
use crate::resource::kinds::{DESTINATION_RULE, GATEWAY, SERVICE_ENTRY};
use crate::resource::{Kind, Resource};

/// Paths of such fields, `*` for every item of a list, with what happens instead.
const WITHOUT_EFFECT: &[(&Kind, &str, &str)] = &[
    (&SERVICE_ENTRY, "spec.workloadSelector", "no workload of the mesh answers for it"),
    (&DESTINATION_RULE, "spec.workloadSelector", "the rule holds for every caller"),
    (&DESTINATION_RULE, "spec.trafficPolicy.tunnel", "the origin is dialled directly"),
    (&DESTINATION_RULE, "spec.trafficPolicy.proxyProtocol", "no PROXY header is sent"),
    (&DESTINATION_RULE, "spec.trafficPolicy.tls.credentialName", UNREACHABLE),
    (&DESTINATION_RULE, "spec.trafficPolicy.tls.caCrl", "revocation lists are not read"),
    (&DESTINATION_RULE, "spec.trafficPolicy.portLevelSettings.*.tls.credentialName", UNREACHABLE),
    (&DESTINATION_RULE, "spec.trafficPolicy.portLevelSettings.*.tls.caCrl", "revocation lists are not read"),
    (&DESTINATION_RULE, "spec.trafficPolicy.connectionPool.tcp.tcpKeepalive", KEPT_SHORT),
    (&DESTINATION_RULE, "spec.trafficPolicy.connectionPool.tcp.maxConnectionDuration", KEPT_SHORT),
    (&DESTINATION_RULE, "spec.trafficPolicy.connectionPool.tcp.idleTimeout", KEPT_SHORT),
    (&DESTINATION_RULE, "spec.trafficPolicy.connectionPool.http.idleTimeout", KEPT_SHORT),
    (&DESTINATION_RULE, "spec.trafficPolicy.connectionPool.http.useClientProtocol", ONE_PROTOCOL),
    (&DESTINATION_RULE, "spec.trafficPolicy.connectionPool.http.maxConcurrentStreams", ONE_PROTOCOL),
    (&DESTINATION_RULE, "spec.trafficPolicy.loadBalancer.localityLbSetting", ALIKE),
    (&DESTINATION_RULE, "spec.trafficPolicy.loadBalancer.warmup", ALIKE),
    (&DESTINATION_RULE, "spec.trafficPolicy.loadBalancer.warmupDurationSecs", ALIKE),
    (&DESTINATION_RULE, "spec.trafficPolicy.portLevelSettings.*.connectionPool.tcp.tcpKeepalive", KEPT_SHORT),
    (&DESTINATION_RULE, "spec.trafficPolicy.portLevelSettings.*.connectionPool.tcp.maxConnectionDuration", KEPT_SHORT),
    (&DESTINATION_RULE, "spec.trafficPolicy.portLevelSettings.*.connectionPool.tcp.idleTimeout", KEPT_SHORT),
    (&DESTINATION_RULE, "spec.trafficPolicy.portLevelSettings.*.connectionPool.http.idleTimeout", KEPT_SHORT),
    (&DESTINATION_RULE, "spec.trafficPolicy.portLevelSettings.*.connectionPool.http.useClientProtocol", ONE_PROTOCOL),
    (
        &DESTINATION_RULE,
        "spec.trafficPolicy.portLevelSettings.*.connectionPool.http.maxConcurrentStreams",
        ONE_PROTOCOL,
    ),
    (&DESTINATION_RULE, "spec.trafficPolicy.portLevelSettings.*.loadBalancer.localityLbSetting", ALIKE),
    (&DESTINATION_RULE, "spec.trafficPolicy.portLevelSettings.*.loadBalancer.warmup", ALIKE),
    (&DESTINATION_RULE, "spec.trafficPolicy.portLevelSettings.*.loadBalancer.warmupDurationSecs", ALIKE),
];

const KEPT_SHORT: &str = "idle connections are closed after 50 s, those in use live as long as their calls";
const ONE_PROTOCOL: &str = "the port's protocol, or h2UpgradePolicy, says what is spoken";
const ALIKE: &str = "endpoints are alike wherever they are, from the start";
const UNREACHABLE: &str = "calls get 503; name files instead";

/// Warns of every such field that a resource uses.
pub(super) fn without_effect(resource: &Resource, problems: &mut Problems) {
    if *resource.kind == GATEWAY {
        modes(resource, problems);
    }
    for (_, path, instead) in WITHOUT_EFFECT.iter().filter(|(kind, ..)| resource.kind == *kind) {
        let steps: Vec<&str> = path.split('.').collect();
        let Some(body) = resource.body.get(steps[0]) else { continue };
        find(body, &steps[1..], &FieldPath::of(steps[0]), &mut |at| {
            let name = steps[steps.len() - 1];
            let message = format!("{name} is kept, but not carried out by this version");
            problems.push(Problem::warning(Code::NoEffect, at, message).on_key().help((*instead).to_owned()));
        });
    }
}

/// Warns of modes of TLS that callers from outside cannot be served in; the hop from a sidecar of ours is inside one process.
fn modes(resource: &Resource, problems: &mut Problems) {
    // What does not decode has been refused already.
    let Ok(spec) = resource.typed::<Gateway>() else { return };
    for (position, server) in spec.servers.iter().enumerate() {
        let message = match server.tls.as_ref().map(|tls| tls.mode) {
            Some(ServerTlsMode::IstioMutual) => {
                "the mesh has no certificates yet: only sidecars of ours reach the server"
            }
            Some(ServerTlsMode::AutoPassthrough) => "AUTO_PASSTHROUGH is kept, but not carried out by this version",
            _ => continue,
        };
        let at = FieldPath::of("spec.servers").index(position).field("tls").field("mode");
        let help = "connections from outside (proxy start --gateway-listen) are refused";
        problems.push(Problem::warning(Code::NoEffect, at, message).help(help.to_owned()));
    }
}

/// Calls `found` for every place that the steps lead to; keys may be written in snake case too.
fn find(tree: &Json, steps: &[&str], at: &FieldPath, found: &mut dyn FnMut(FieldPath)) {
    match (steps, tree) {
        ([], _) => found(at.clone()),
        (["*", rest @ ..], Json::Array(items)) => {
            for (position, item) in items.iter().enumerate() {
                find(item, rest, &at.index(position), found);
            }
        }
        ([name, rest @ ..], Json::Object(fields)) => {
            for (key, value) in fields.iter().filter(|(key, value)| camel(key) == *name && !value.is_null()) {
                find(value, rest, &at.field(key), found);
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
