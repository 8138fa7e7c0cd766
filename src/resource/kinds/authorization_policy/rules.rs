//! What an AuthorizationPolicy must keep to: Istio's rules in Istio's words.

use super::super::check::{At, is_ip_or_cidr, selector};
use super::{Action, Attribute, AuthorizationPolicy, Condition, DRY_RUN, Operation, Rule, Selector, Source, TargetRef};
use crate::diagnostic::{Code, FieldPath, Problem, Problems};
use crate::resource::Resource;

/// Operators of a path template: one segment, and any number of segments.
pub const PATH_OPERATORS: [&str; 2] = ["{*}", "{**}"];

/// Most rules of a policy, and most service accounts of a field (the custom resource's schema).
const MAX_RULES: usize = 512;
const MAX_ACCOUNTS: usize = 16;

/// What a policy may be attached to.
const TARGETS: [(&str, &str); 4] = [
    ("", "Service"),
    ("networking.istio.io", "ServiceEntry"),
    ("gateway.networking.k8s.io", "Gateway"),
    ("gateway.networking.k8s.io", "GatewayClass"),
];

pub(super) fn policy(at: &mut At<'_>, policy: &AuthorizationPolicy) {
    targets(at, policy);
    action(at, policy);
    let rules = policy.rules.as_deref().unwrap_or_default();
    if rules.len() > MAX_RULES {
        at.field("rules").invalid(format!("must have at most {MAX_RULES} items"));
    }
    for (number, rule) in rules.iter().enumerate() {
        let mut list = at.field("rules");
        let mut at = list.index(number);
        self::rule(&mut at, rule, number);
        if policy.action == Action::Custom {
            unsupported(&mut at, rule);
        }
        if policy.action == Action::Deny && denies_tcp(rule) {
            at.warn(
                "configured AuthorizationPolicy will deny all traffic to TCP ports under its scope due to the use of only \
                 HTTP attributes in a DENY rule; it is recommended to explicitly specify the port",
            );
        }
    }
}

fn targets(at: &mut At<'_>, policy: &AuthorizationPolicy) {
    let given = [policy.selector.is_some(), policy.target_ref.is_some(), !policy.target_refs.is_empty()];
    if given.into_iter().filter(|given| *given).count() > 1 {
        at.invalid("only one of targetRefs or workloadSelector can be set");
    }
    at.part("selector", policy.selector.as_ref(), workloads);
    at.part("targetRef", policy.target_ref.as_ref(), target);
    at.each("targetRefs", &policy.target_refs, target);
}

/// Checks the labels of the workloads that a policy is for.
pub(in super::super) fn workloads(at: &mut At<'_>, chosen: &Selector) {
    if chosen.match_labels.is_empty() {
        at.warn("workload selector specified without labels");
    }
    selector(&mut at.field("matchLabels"), &chosen.match_labels);
}

fn target(at: &mut At<'_>, target: &TargetRef) {
    if target.name.is_empty() {
        at.field("name").missing("targetRef name must be set");
    }
    if !target.namespace.is_empty() {
        at.field("namespace")
            .invalid("targetRef namespace must not be set; cross namespace referencing is not supported");
    }
    let group = if target.group == "core" { "" } else { target.group.as_str() };
    if !TARGETS.contains(&(group, target.kind.as_str())) {
        let names = TARGETS.map(|(group, kind)| format!("{group}/{kind}"));
        let names = names.map(|name| name.trim_start_matches('/').to_owned()).join(" ");
        at.invalid(format!("targetRef must be to one of [{names}] but was {}/{}", target.group, target.kind));
    }
}

fn action(at: &mut At<'_>, policy: &AuthorizationPolicy) {
    let without_rules = policy.rules.as_ref().is_none_or(Vec::is_empty);
    let name = policy.action.name();
    if matches!(policy.action, Action::Deny | Action::Custom) && without_rules {
        at.field("rules").invalid(format!(
            "{name} action without `rules` is meaningless as it will never be triggered, add an empty rule `{{}}` if you \
             want it be triggered for every request"
        ));
    }
    match (&policy.provider, policy.action) {
        (None, Action::Custom) => at.field("provider").missing("`provider.name` must not be empty"),
        (Some(provider), Action::Custom) if provider.name.is_empty() => {
            at.field("provider").field("name").missing("`provider.name` must not be empty");
        }
        (Some(_), Action::Allow | Action::Deny | Action::Audit) => {
            at.field("provider").invalid(format!("`provider` must not be with non CUSTOM action, found {name}"));
        }
        _ => {}
    }
}

fn rule(at: &mut At<'_>, rule: &Rule, number: usize) {
    if rule.from.as_ref().is_some_and(Vec::is_empty) {
        at.field("from").invalid(format!("`from` must not be empty, found at rule {number}"));
    }
    at.each("from", rule.from.as_deref().unwrap_or_default(), |at, from| match &from.source {
        None => at.missing(format!("`from.source` must not be nil, found at rule {number}")),
        Some(source) => self::source(&mut at.field("source"), source, number),
    });
    if rule.to.as_ref().is_some_and(Vec::is_empty) {
        at.field("to").invalid(format!("`to` must not be empty, found at rule {number}"));
    }
    at.each("to", rule.to.as_deref().unwrap_or_default(), |at, to| match &to.operation {
        None => at.missing(format!("`to.operation` must not be nil, found at rule {number}")),
        Some(operation) => self::operation(&mut at.field("operation"), operation, number),
    });
    at.each("when", &rule.when, condition);
}

fn source(at: &mut At<'_>, source: &Source, number: usize) {
    let given = |names: &[&str]| source.fields().iter().any(|(name, of)| names.contains(name) && !of.is_empty());
    if given(&["principals", "notPrincipals", "namespaces", "notNamespaces"])
        && given(&["serviceAccounts", "notServiceAccounts"])
    {
        at.invalid(format!("cannot set serviceAccounts with namespaces or principals, found at rule {number}"));
    }
    if source.fields().iter().all(|(_, values)| values.is_empty()) {
        at.invalid(format!("`from.source` must not be empty, found at rule {number}"));
    }
    for (name, values) in source.fields() {
        let mut at = at.field(name);
        filled(&mut at, name, values);
        match name {
            "ipBlocks" | "notIpBlocks" | "remoteIpBlocks" | "notRemoteIpBlocks" => addresses(&mut at, values),
            "serviceAccounts" | "notServiceAccounts" => accounts(&mut at, values),
            "principals" | "notPrincipals" => principals(&mut at, values),
            _ => {}
        }
    }
}

fn operation(at: &mut At<'_>, operation: &Operation, number: usize) {
    if operation.fields().iter().all(|(_, values)| values.is_empty()) {
        at.invalid(format!("`to.operation` must not be empty, found at rule {number}"));
    }
    for (name, values) in operation.fields() {
        let mut at = at.field(name);
        filled(&mut at, name, values);
        match name {
            "ports" | "notPorts" => ports(&mut at, values),
            "paths" | "notPaths" => paths(&mut at, name, values),
            _ => {}
        }
    }
}

fn condition(at: &mut At<'_>, condition: &Condition) {
    let key = condition.key.as_str();
    if key.is_empty() {
        return at.field("key").missing("`key` must not be empty");
    }
    if condition.values.is_empty() && condition.not_values.is_empty() {
        return at.missing(format!("at least one of `values` or `notValues` must be set for key {key}"));
    }
    let attribute = match Attribute::parse(key) {
        Ok(attribute) => attribute,
        Err(why) => return at.field("key").invalid(format!("invalid `value` for `key` {key}: {why}")),
    };
    for (name, values) in [("values", &condition.values), ("notValues", &condition.not_values)] {
        let mut at = at.field(name);
        filled(&mut at, key, values);
        match &attribute {
            attribute if attribute.is_address() => addresses(&mut at, values),
            Attribute::Port => ports(&mut at, values),
            Attribute::ServiceAccount => accounts(&mut at, values),
            Attribute::Principal => principals(&mut at, values),
            _ => {}
        }
    }
}

/// Notes values that are empty; Istio names fields as its Go structs do.
fn filled(at: &mut At<'_>, name: &str, values: &[String]) {
    let mut letters = name.chars();
    let name = match letters.next() {
        Some(first) if !name.contains('.') => first.to_ascii_uppercase().to_string() + letters.as_str(),
        _ => name.to_owned(),
    };
    for (index, _) in values.iter().enumerate().filter(|(_, value)| value.is_empty()) {
        at.index(index).invalid(format!("empty value not allowed, found in {name}"));
    }
}

/// The values that are not empty, each at its place.
fn each(at: &mut At<'_>, values: &[String], mut check: impl FnMut(&mut At<'_>, &str)) {
    for (index, value) in values.iter().enumerate().filter(|(_, value)| !value.is_empty()) {
        check(&mut at.index(index), value);
    }
}

fn addresses(at: &mut At<'_>, values: &[String]) {
    each(at, values, |at, value| {
        if !is_ip_or_cidr(value) {
            let what = if value.contains('/') { "CIDR range" } else { "IP address" };
            at.advise(format!("bad {what} ({value})"), "write an IP address, or a network such as 10.0.0.0/8");
        }
    });
}

fn ports(at: &mut At<'_>, values: &[String]) {
    each(at, values, |at, value| {
        if !value.bytes().all(|byte| byte.is_ascii_digit()) || value.parse::<u16>().is_err() {
            at.advise(format!("bad port ({value})"), "write a number from 0 to 65535");
        }
    });
}

fn accounts(at: &mut At<'_>, values: &[String]) {
    if values.len() > MAX_ACCOUNTS {
        at.invalid(format!("must have at most {MAX_ACCOUNTS} items"));
    }
    each(at, values, |at, value| {
        if value.contains('*') {
            at.invalid(format!("wildcard not allowed in service account {value}"));
        } else if value.split('/').count() > 2 || value.split('/').any(str::is_empty) {
            at.advise(format!("invalid service account {value}"), "write NAMESPACE/NAME, or NAME");
        }
    });
}

/// Istio puts `spiffe://` in front of each.
fn principals(at: &mut At<'_>, values: &[String]) {
    each(at, values, |at, value| {
        if let Some(rest) = value.strip_prefix("spiffe://") {
            let problem = Problem::warning(Code::NoEffect, at.path.clone(), format!("no peer is called {value} here"));
            at.problems.push(problem.help(format!("principals are written without spiffe://: {rest}")));
        }
    });
}

fn paths(at: &mut At<'_>, field: &str, values: &[String]) {
    let field = if field == "paths" { "Paths" } else { "NotPaths" };
    each(at, values, |at, path| {
        if let Err(why) = template(path) {
            at.invalid(format!("invalid or unsupported path {path}, found in {field}. {why}"));
        }
    });
}

/// Whether the braces of a path are operators, and each where it may stand.
fn template(path: &str) -> Result<(), String> {
    let is_template = PATH_OPERATORS.iter().any(|operator| path.contains(operator));
    let mut any_number = false;
    for segment in path.trim_matches('/').split('/') {
        if PATH_OPERATORS.contains(&segment) {
            if any_number {
                return Err("{**} is not the last operator".to_owned());
            }
            any_number = segment == PATH_OPERATORS[1];
        } else if segment.contains(['{', '}']) {
            return Err("Contains '{' or '}' beyond a supported path template".to_owned());
        } else if is_template && !is_literal(segment) {
            return Err(format!("Contains segment {segment} with invalid string literal"));
        }
    }
    Ok(())
}

/// Characters of a path's segment (RFC 3986 appendix A, `pchar`), without `*`.
fn is_literal(segment: &str) -> bool {
    !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%!$&'()+,;:@=".contains(&b))
}

/// What Istio cannot ask before a provider has been asked.
fn unsupported(at: &mut At<'_>, rule: &Rule) {
    let names = [
        ("namespaces", "From.Namespaces"),
        ("notNamespaces", "From.NotNamespaces"),
        ("serviceAccounts", "From.ServiceAccounts"),
        ("notServiceAccounts", "From.NotServiceAccounts"),
        ("principals", "From.Principals"),
        ("notPrincipals", "From.NotPrincipals"),
        ("requestPrincipals", "From.RequestPrincipals"),
        ("notRequestPrincipals", "From.NotRequestPrincipals"),
        ("trustDomains", "From.TrustDomains"),
        ("notTrustDomains", "From.NotTrustDomains"),
    ];
    at.each("from", rule.from.as_deref().unwrap_or_default(), |at, from| {
        let mut at = at.field("source");
        for (field, values) in from.source.iter().flat_map(Source::fields).filter(|(_, values)| !values.is_empty()) {
            if let Some((_, name)) = names.iter().find(|(name, _)| *name == field && !values.is_empty()) {
                at.field(field).invalid_key(format!("{name} is currently not supported with CUSTOM action"));
            }
        }
    });
    at.each("when", &rule.when, |at, when| {
        let attribute = Attribute::parse(&when.key);
        if attribute.is_ok_and(|attribute| attribute.is_identity() || matches!(attribute, Attribute::Token(_))) {
            at.field("key").invalid(format!("{} is currently not supported with CUSTOM action", when.key));
        }
    });
}

/// Whether a DENY rule has nothing but fields of HTTP, so that it denies every connection of TCP.
fn denies_tcp(rule: &Rule) -> bool {
    let of_http = ["requestPrincipals", "notRequestPrincipals"];
    let sources = || rule.from.iter().flatten().filter_map(|from| from.source.as_ref());
    let operations = || rule.to.iter().flatten().filter_map(|to| to.operation.as_ref());
    let told_by_source = sources()
        .flat_map(|source| source.fields())
        .any(|(name, values)| !values.is_empty() && !of_http.contains(&name));
    let told_by_port = operations().any(|operation| !operation.ports.is_empty() || !operation.not_ports.is_empty());
    let (from, to) = (sources().next().is_some(), operations().next().is_some());
    (from && !to && !told_by_source) || (to && !told_by_port)
}

/// What Go reads as a truth value.
pub(super) fn go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// Checks the annotation of policies that are only tried.
pub(super) fn dry_run(resource: &Resource, problems: &mut Problems) {
    let Some(value) = resource.meta.annotations.get(DRY_RUN) else { return };
    let at = FieldPath::of("metadata.annotations").field(DRY_RUN);
    let (namespace, name) = (resource.meta.namespace.as_deref().unwrap_or("default"), &resource.meta.name);
    let action = resource.typed::<AuthorizationPolicy>().map(|policy| policy.action).unwrap_or_default();
    if !matches!(action, Action::Allow | Action::Deny) {
        let message = format!(
            "the annotation {DRY_RUN} currently only supports action ALLOW/DENY, found action {} in {namespace}/{name}",
            action.name()
        );
        problems.push(Problem::error(Code::Invalid, at, message).on_key());
    } else if go_bool(value).is_none() {
        let message = format!(
            "{namespace}/{name} has annotation {DRY_RUN} with invalid value ({value}): strconv.ParseBool: parsing \
             \"{value}\": invalid syntax"
        );
        problems.error(Code::Invalid, at, message);
    }
}
