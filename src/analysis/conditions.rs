//! Conditions of rules: those that no call can meet.

use crate::diagnostic::FieldPath;
use crate::expr::{Program, Requirement, Slot, Test, reads, slot};
use crate::policy::{CONFIG_NAMESPACE, condition};
use crate::resource::kinds::destination_rule::{ClientTlsMode, DestinationRule};
use crate::resource::kinds::rule::Rule;
use crate::routing::{GATEWAY_NAMESPACE, covers, qualify};

use super::code::{NEVER_KNOWN, NEVER_MATCHES, NO_SUCH_HOST, UNPROVEN_CALLER};
use super::destinations::targets;
use super::model::{Item, has, is_mesh};
use super::{Findings, Model};

/// Attributes that no call of this program has: there are no tokens of end users, and nothing is known of who serves a
/// host outside.
const NEVER: [&str; 8] = [
    "destination.user",
    "destination.principal",
    "destination.labels",
    "destination.namespace",
    "destination.uid",
    "request.auth.principal",
    "request.auth.claims",
    "request.api_key",
];

pub(super) fn analyze(model: &Model<'_>, found: &mut Findings) {
    for rule in &model.rules {
        let compiled = condition(&rule.spec, &model.vocabulary).ok().and_then(|(program, _)| program);
        let at = FieldPath::of("spec").field(rule.field());
        let name = &rule.resource.meta.name;
        if let Some(why) = nobody(model, rule).or_else(|| compiled.as_ref().and_then(|one| impossible(one, model))) {
            found.add(&NEVER_MATCHES, &rule.resource, at.clone(), format!("Rule {name} can never match: {why}."));
        }
        let Some(compiled) = compiled else { continue };
        let never = |slot: Slot| !NEVER.contains(&model.vocabulary.name_of(slot));
        if let Some(attribute) = compiled.may_lack(&never) {
            let message = format!(
                "Rule {name} needs {attribute}, which no call has a value for here: its match cannot be decided. Give it a \
                 default, as in {attribute} | \"unknown\"."
            );
            found.add(&NEVER_KNOWN, &rule.resource, at.clone(), message);
        }
        unregistered(model, rule, &compiled, &at, found);
        unproven(model, rule, &compiled, &at, found);
    }
}

/// A rule outside the configuration namespace sees the calls of its own namespace's workloads.
fn nobody(model: &Model<'_>, rule: &Item<Rule>) -> Option<String> {
    let namespace = rule.namespace();
    let seen = namespace == CONFIG_NAMESPACE || model.pods.iter().any(|pod| pod.namespace() == namespace);
    (!seen).then(|| {
        format!(
            "it sees only calls of workloads of namespace {namespace}, where there is none (rules of {CONFIG_NAMESPACE} see \
             all)"
        )
    })
}

/// Why a condition is false for every call.
fn impossible(program: &Program, model: &Model<'_>) -> Option<String> {
    if program.constant() == Some(false) {
        return Some("its match is false, whatever the call".to_owned());
    }
    let demands = program.demands();
    let name = |one: &Requirement| match &one.key {
        Some(key) => format!("{}[\"{key}\"]", model.vocabulary.name_of(one.slot)),
        None => model.vocabulary.name_of(one.slot).to_owned(),
    };
    let alone = demands.iter().find_map(|alternatives| {
        let reasons: Vec<_> = alternatives.iter().filter_map(|one| unheard(one).map(|why| (one, why))).collect();
        let all = !alternatives.is_empty() && reasons.len() == alternatives.len();
        reasons.first().filter(|_| all).map(|(one, why)| format!("{} {}, but {why}", name(one), words(&one.test)))
    });
    alone.or_else(|| {
        let pairs =
            demands.iter().enumerate().flat_map(|(index, one)| demands[..index].iter().map(move |other| (other, one)));
        let excludes = |one: &Requirement, other: &Requirement| {
            (one.slot, &one.key) == (other.slot, &other.key) && one.test.contradicts(&other.test)
        };
        let mut pairs = pairs.filter(|(one, other)| !one.is_empty() && !other.is_empty());
        let (one, other) = pairs.find(|(one, other)| one.iter().all(|a| other.iter().all(|b| excludes(a, b))))?;
        let (a, b) = (one.first()?, other.first()?);
        Some(format!("{} cannot {} and {} at once", name(a), infinitive(&a.test), infinitive(&b.test)))
    })
}

/// Why an attribute never has such a value.
fn unheard(one: &Requirement) -> Option<&'static str> {
    let (Test::Equals(text) | Test::Prefix(text) | Test::Suffix(text)) = &one.test;
    let begins = !matches!(one.test, Test::Suffix(_));
    match one.slot {
        slot::REQUEST_PATH | slot::REQUEST_URL_PATH if begins && !text.starts_with(['/', '*']) => {
            Some("a path begins with /")
        }
        slot::REQUEST_METHOD if text.bytes().any(|byte| byte.is_ascii_lowercase()) => Some("methods are in capitals"),
        slot::REQUEST_HOST if text.contains(':') => Some("a host has no port here (destination.port has it)"),
        slot::REQUEST_HOST if text.bytes().any(|byte| byte.is_ascii_uppercase()) => Some("hosts are in lower case"),
        slot::CONTEXT_PROTOCOL if matches!(one.test, Test::Equals(_)) && !["http", "tcp"].contains(&&**text) => {
            Some("it is \"http\" or \"tcp\"")
        }
        _ => None,
    }
}

fn words(test: &Test) -> String {
    match test {
        Test::Equals(text) => format!("is to be {text:?}"),
        Test::Prefix(text) => format!("is to begin with {text:?}"),
        Test::Suffix(text) => format!("is to end with {text:?}"),
    }
}

fn infinitive(test: &Test) -> String {
    match test {
        Test::Equals(text) => format!("be {text:?}"),
        Test::Prefix(text) => format!("begin with {text:?}"),
        Test::Suffix(text) => format!("end with {text:?}"),
    }
}

/// Rules for hosts to which no call can go, because nothing registers them.
fn unregistered(model: &Model<'_>, rule: &Item<Rule>, program: &Program, at: &FieldPath, found: &mut Findings) {
    let any = model.sidecars.iter().any(|sidecar| super::hosts::allows_any(&sidecar.spec));
    if any || model.service_entries.is_empty() {
        return;
    }
    let of_host = |one: &Requirement| {
        matches!(one.slot, slot::REQUEST_HOST | slot::DESTINATION_SERVICE | slot::DESTINATION_SERVICE_HOST)
    };
    for alternatives in program.demands().iter().filter(|all| !all.is_empty() && all.iter().all(of_host)) {
        let names = |one: &Requirement| model.hosts.iter().any(|host| can_be(&host.host, &one.test));
        // A condition that fits no name at all is said to be impossible.
        if alternatives.iter().any(names) || alternatives.iter().all(|one| unheard(one).is_some()) {
            continue;
        }
        let wanted: Vec<_> = alternatives.iter().map(|one| words(&one.test).replacen("is to ", "", 1)).collect();
        let message = format!(
            "Rule {} is for hosts that {}, and no ServiceEntry registers one: calls there are refused before it is asked.",
            rule.resource.meta.name,
            wanted.join(" or ")
        );
        found.add(&NO_SUCH_HOST, &rule.resource, at.clone(), message);
    }
}

/// Whether a registered host, or a name that its wildcard covers, passes a test.
fn can_be(host: &str, test: &Test) -> bool {
    match (host.strip_prefix('*'), test) {
        (None, test) => test.holds(host),
        (Some(suffix), Test::Equals(name)) => name.len() > suffix.len() && name.ends_with(suffix),
        (Some(suffix), Test::Suffix(text)) => suffix.ends_with(&**text) || text.ends_with(suffix),
        (Some(_), Test::Prefix(_)) => true,
    }
}

/// A rule that asks who calls, while calls go to the gateway by a DestinationRule without ISTIO_MUTUAL: in Istio the gateway
/// knows callers by their certificates alone.
fn unproven(model: &Model<'_>, rule: &Item<Rule>, program: &Program, at: &FieldPath, found: &mut Findings) {
    let asks = reads(program.text()).attributes;
    let Some(attribute) = asks.iter().find(|name| ["source.principal", "source.user"].contains(&name.as_str())) else {
        return;
    };
    let here = match attribute.as_str() {
        "source.user" => "Here a Gateway's server has to ask for it, in tls mode ISTIO_MUTUAL.",
        _ => "Here the listener tells.",
    };
    for host in unproven_gateways(model) {
        let message = format!(
            "Rule {} reads {attribute}, but no DestinationRule for {host} has tls mode ISTIO_MUTUAL: Istio's gateway would \
             not know who calls, and the rule never match. {here}",
            rule.resource.meta.name
        );
        found.add(&UNPROVEN_CALLER, &rule.resource, at.clone(), message);
    }
}

/// The hosts of gateways to which VirtualServices lead calls, and no DestinationRule with ISTIO_MUTUAL.
pub(super) fn unproven_gateways(model: &Model<'_>) -> Vec<String> {
    let leads = |host: &String| {
        let mesh = model.virtual_services.iter().filter(|one| is_mesh(&one.spec));
        mesh.into_iter().any(|one| targets(&one.spec).iter().any(|to| qualify(&to.to.host, one.namespace()) == *host))
    };
    let mutual = |host: &String| {
        let mut rules = model.destination_rules.iter();
        rules.any(|one| qualify(&one.spec.host, one.namespace()) == *host && is_mutual(&one.spec))
    };
    gateway_hosts(model).into_iter().filter(|host| leads(host) && !mutual(host)).collect()
}

/// Whether a VirtualService of the mesh leads calls to a host to the gateway.
pub(super) fn leads_to_gateway(model: &Model<'_>, host: &str) -> bool {
    let gateways = gateway_hosts(model);
    let of_host = model.virtual_services.iter().filter(|one| {
        is_mesh(&one.spec) && one.spec.hosts.iter().any(|own| covers(&qualify(own, one.namespace()), host))
    });
    of_host
        .into_iter()
        .any(|one| targets(&one.spec).iter().any(|to| gateways.contains(&qualify(&to.to.host, one.namespace()))))
}

/// The full names of the Services that select a workload of the gateway's namespace which a Gateway selects.
pub(super) fn gateway_hosts(model: &Model<'_>) -> Vec<String> {
    let played = |labels: &crate::resource::Labels| {
        model.pods.iter().any(|pod| {
            pod.namespace() == GATEWAY_NAMESPACE
                && has(&pod.meta.labels, labels)
                && model.gateways.iter().any(|gateway| has(&pod.meta.labels, &gateway.spec.selector))
        })
    };
    let of_mesh = model.hosts.iter().filter(|host| host.namespace == GATEWAY_NAMESPACE);
    let selecting =
        of_mesh.filter(|host| host.selector.as_ref().is_some_and(|labels| !labels.is_empty() && played(labels)));
    selecting.map(|host| host.host.clone()).collect()
}

fn is_mutual(spec: &DestinationRule) -> bool {
    let policies =
        spec.traffic_policy.iter().chain(spec.subsets.iter().filter_map(|subset| subset.traffic_policy.as_ref()));
    let mut tls = policies.flat_map(|policy| {
        policy.tls.iter().chain(policy.port_level_settings.iter().filter_map(|settings| settings.tls.as_ref()))
    });
    tls.any(|tls| tls.mode == ClientTlsMode::IstioMutual)
}
