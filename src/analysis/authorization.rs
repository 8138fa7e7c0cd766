//! AuthorizationPolicies: rules that no call can match, and policies that hold elsewhere than they seem to.

use crate::diagnostic::{FieldPath, nearest};
use crate::policy::authorization::ROOT_NAMESPACE;
use crate::resource::kinds::authorization_policy::{
    Action, Attribute, AuthorizationPolicy, Operation, PATH_OPERATORS, Rule, Source, is_dry_run,
};
use crate::routing::covers;

use super::code::{
    ALLOWS_NOTHING, NO_WORKLOAD, ONLY_REPORTS, PASSES_NO_POLICY, POLICY_NEVER_MATCHES, UNKNOWN_CALLER, UNPROVEN_CALLER,
};
use super::conditions::{leads_to_gateway, unproven_gateways};
use super::model::{Item, Registered, has, selector_text};
use super::{Findings, Model};

/// Ports that Host leaves out.
const DEFAULT_PORTS: [u32; 2] = [80, 443];

pub(super) fn analyze(model: &Model<'_>, found: &mut Findings) {
    let unproven = unproven_gateways(model);
    for policy in &model.authorization_policies {
        workloads(model, policy, found);
        if is_dry_run(&policy.resource.meta) {
            let message = "What the policy refuses is only reported (annotation istio.io/dry-run): the calls go.";
            found.add(&ONLY_REPORTS, &policy.resource, FieldPath::of("metadata.annotations"), message);
        }
        if policy.spec.action == Action::Allow && policy.spec.rules.as_ref().is_none_or(Vec::is_empty) {
            let message = "The policy has no rules, so that it allows no call: where no other ALLOW policy does, everything \
                           is denied. A policy with the rule {} allows everything.";
            found.add(&ALLOWS_NOTHING, &policy.resource, FieldPath::of("spec"), message);
        }
        for (index, rule) in policy.spec.rules.iter().flatten().enumerate() {
            let at = FieldPath::of("spec.rules").index(index);
            each_field(&at, rule, &mut |at, name, values| field(model, policy, at, name, values, found));
        }
        if let (Some(host), Some(at)) = (unproven.first(), asks_identity(&policy.spec)) {
            let message = format!(
                "The policy asks who calls, but no DestinationRule for {host} has tls mode ISTIO_MUTUAL: Istio's gateway would \
                 not know, so that its positive fields never match and their not forms always do. Here the listener tells."
            );
            found.add(&UNPROVEN_CALLER, &policy.resource, at, message);
        }
    }
}

/// What is told of a field: where it stands, its name or `when` key, and its values.
type See<'s> = &'s mut dyn FnMut(&FieldPath, &str, &[String]);

/// Tells every field of a rule that has values.
fn each_field(at: &FieldPath, rule: &Rule, see: See<'_>) {
    let mut all = |at: FieldPath, fields: &[(&'static str, &[String])]| {
        for (name, values) in fields.iter().filter(|(_, values)| !values.is_empty()) {
            see(&at.field(*name), name, values);
        }
    };
    for (place, from) in rule.from.iter().flatten().enumerate() {
        let at = at.field("from").index(place).field("source");
        from.source.iter().for_each(|source| all(at.clone(), &Source::fields(source)));
    }
    for (place, to) in rule.to.iter().flatten().enumerate() {
        let at = at.field("to").index(place).field("operation");
        to.operation.iter().for_each(|operation| all(at.clone(), &Operation::fields(operation)));
    }
    for (place, when) in rule.when.iter().enumerate().filter(|(_, when)| !when.values.is_empty()) {
        see(&at.field("when").index(place).field("values"), &when.key, &when.values);
    }
}

/// A policy whose selector fits no workload (istioctl's message).
fn workloads(model: &Model<'_>, policy: &Item<AuthorizationPolicy>, found: &mut Findings) {
    let Some(selector) = policy.spec.selector.as_ref().filter(|selector| !selector.match_labels.is_empty()) else {
        return;
    };
    let seen = |namespace: &str| policy.namespace() == ROOT_NAMESPACE || namespace == policy.namespace();
    if model.pods.iter().any(|pod| seen(pod.namespace()) && has(&pod.meta.labels, &selector.match_labels)) {
        return;
    }
    let labels = selector_text(&selector.match_labels);
    let message = format!("No matching workloads for this resource with the following labels: {labels}");
    found.add(&NO_WORKLOAD, &policy.resource, FieldPath::of("spec.selector"), message);
}

/// Where a policy asks who calls, if it does.
fn asks_identity(spec: &AuthorizationPolicy) -> Option<FieldPath> {
    const FIELDS: [&str; 4] = ["principals", "namespaces", "serviceAccounts", "trustDomains"];
    let mut asked = None;
    for (index, rule) in spec.rules.iter().flatten().enumerate() {
        let at = FieldPath::of("spec.rules").index(index);
        each_field(&at, rule, &mut |_, name, _| {
            let by_key = || Attribute::parse(name).is_ok_and(|attribute| attribute.is_identity());
            if asked.is_none() && (FIELDS.contains(&name) || by_key()) {
                asked = Some(at.clone());
            }
        });
    }
    asked
}

fn field(
    model: &Model<'_>,
    policy: &Item<AuthorizationPolicy>,
    at: &FieldPath,
    name: &str,
    values: &[String],
    found: &mut Findings,
) {
    let reasons: Vec<_> = values.iter().map(|value| never(model, name, value)).collect();
    if let [Some(why), ..] = reasons.as_slice()
        && reasons.iter().all(Option::is_some)
    {
        let message = format!("No call can match {name}: {why}.");
        found.add(&POLICY_NEVER_MATCHES, &policy.resource, at.clone(), message);
    }
    match name {
        "principals" | "source.principal" | "serviceAccounts" | "source.serviceAccount" => {
            for value in values.iter().filter(|value| !value.contains('*')) {
                unknown_caller(model, policy, at, value, found);
            }
        }
        "hosts" if policy.spec.action != Action::Audit => {
            for value in values.iter().filter(|value| !value.contains('*')) {
                passes_by(model, policy, at, value, found);
            }
        }
        _ => {}
    }
}

/// Why no call has such a value.
fn never(model: &Model<'_>, name: &str, value: &str) -> Option<String> {
    match name {
        "paths" if !value.starts_with(['/', '*']) && !PATH_OPERATORS.iter().any(|one| value.contains(one)) => {
            Some(format!("a path begins with /, and {value:?} does not"))
        }
        "paths" if value.contains('?') => Some(format!("paths are compared without query, and {value:?} has one")),
        "methods" if value.bytes().any(|byte| byte.is_ascii_lowercase()) => {
            Some(format!("methods are in capitals, and {value:?} is not"))
        }
        "requestPrincipals" => Some("nobody verifies tokens here".to_owned()),
        _ if name.starts_with("request.auth.") => Some("nobody verifies tokens here".to_owned()),
        "ports" | "destination.port" => {
            let port: u32 = value.parse().ok()?;
            let mut servers = model.gateways.iter().flat_map(|gateway| &gateway.spec.servers);
            let served = servers.any(|server| server.port.as_ref().is_some_and(|own| own.number == port));
            (!served && !model.gateways.is_empty()).then(|| {
                format!("no Gateway has a server on port {value}, and only that port counts, not the origin's")
            })
        }
        "hosts" => no_such_host(model, value),
        _ => None,
    }
}

/// Why no call is for a host as it is written.
fn no_such_host(model: &Model<'_>, value: &str) -> Option<String> {
    let lower = value.to_ascii_lowercase();
    if lower.contains('*') || model.hosts.is_empty() {
        return None;
    }
    let (name, port) = match lower.split_once(':') {
        Some((name, port)) => (name, port.parse::<u32>().ok()),
        None => (lower.as_str(), None),
    };
    let registered: Vec<&Registered> = model.hosts.iter().filter(|host| covers(&host.host, name)).collect();
    if registered.is_empty() {
        let known = model.hosts.iter().map(|host| host.host.as_str());
        let meant = nearest(name, known).map(|known| format!(" (did you mean {known}?)")).unwrap_or_default();
        return Some(format!("nothing registers {name}{meant}"));
    }
    let ports: Vec<u32> = registered.iter().flat_map(|host| &host.ports).map(|port| port.number).collect();
    let fits = |number: &u32| port.map_or(DEFAULT_PORTS.contains(number), |port| port == *number);
    if ports.is_empty() || ports.iter().any(fits) {
        return None;
    }
    let number = ports[0];
    Some(format!("calls to {name} are for port {number}, which is part of their Host: write {name}:{number}"))
}

/// Who no workload is.
fn unknown_caller(
    model: &Model<'_>,
    policy: &Item<AuthorizationPolicy>,
    at: &FieldPath,
    value: &str,
    found: &mut Findings,
) {
    let parts: Vec<&str> = value.split('/').collect();
    let (namespace, account) = match parts.as_slice() {
        [_, "ns", namespace, "sa", account] => (*namespace, *account),
        [namespace, account] => (*namespace, *account),
        [account] => (policy.namespace(), *account),
        _ => return,
    };
    let account_of = |pod: &crate::resource::Resource| {
        pod.spec().get("serviceAccountName").and_then(|name| name.as_str()).unwrap_or("default").to_owned()
    };
    let known: Vec<(String, String)> =
        model.pods.iter().map(|pod| (pod.namespace().to_owned(), account_of(pod))).collect();
    if known.iter().any(|(of, name)| of == namespace && name == account) {
        return;
    }
    let neighbours = known.iter().filter(|(of, _)| of == namespace).map(|(_, name)| name.as_str());
    let elsewhere = known.iter().find(|(_, name)| name == account).map(|(of, _)| format!("; one does in {of}"));
    let meant = nearest(account, neighbours).map(|name| format!("; did you mean {name}?")).or(elsewhere);
    let message = format!("No workload of namespace {namespace} runs as {account}{}.", meant.unwrap_or_default());
    found.add(&UNKNOWN_CALLER, &policy.resource, at.clone(), message);
}

/// A policy for a host to which calls do not pass the gateway, where policies are enforced.
fn passes_by(model: &Model<'_>, policy: &Item<AuthorizationPolicy>, at: &FieldPath, value: &str, found: &mut Findings) {
    let name = value.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let registered = model.hosts.iter().any(|host| host.host == name && host.selector.is_none());
    if !registered || leads_to_gateway(model, &name) {
        return;
    }
    let message = format!(
        "No VirtualService leads calls to {name} through the egress gateway, where policies are enforced: they leave at the \
         caller's sidecar, and this policy is not asked."
    );
    found.add(&PASSES_NO_POLICY, &policy.resource, at.clone(), message);
}
