//! An explained decision for people: its path, a step a line.

use std::fmt::Write as _;

use http::{HeaderMap, header};
use serde_json::Value as Json;

use crate::call::{Call, Failure, Granted};
use crate::diagnostic::{style, visible};
use crate::expr::Explanation;
use crate::policy::authorization::{Policy, PolicyStep, Standing};
use crate::policy::verdict::Verdict;
use crate::resource::Origin;
use crate::routing::{Answer, Cluster, Considered, Target};
use crate::snapshot::{Grant, Hop};

use super::{CheckStep, Decision, Explained, HopStep, Passed, Protocol, RuleStep};

/// Rules that do not match and are shown; the others are counted.
const MAX_OTHERS: usize = 20;

/// Name and namespace of the workload that calls.
type Caller<'c> = Option<(&'c str, &'c str)>;
/// Bytes of a fixed answer's body that are shown.
const SHOWN_BODY: usize = 200;

/// The whole tree.
pub(super) fn text(
    call: &Call,
    protocol: Protocol,
    caller: Caller<'_>,
    explained: &Explained<'_>,
    color: bool,
) -> String {
    let mut out = String::new();
    let from = match caller {
        Some((name, namespace)) => format!("from {name}.{namespace}"),
        None => "from an unknown caller".to_owned(),
    };
    let _ = writeln!(out, "{}  {from}\n", visible(&target(call, protocol)));
    let seen = explained.judgement.edited.as_deref().unwrap_or(call);
    for step in &explained.hops {
        hop(&mut out, step, caller, seen, explained.gateway);
    }
    for one in &explained.asks {
        let _ = writeln!(out, "asks {} at {}:{}, who is taken to let it go\n", visible(&one.name), one.host, one.port);
    }
    policies(&mut out, &explained.authorization);
    rules(&mut out, &explained.rules);
    changes(&mut out, call, explained);
    verdict(&mut out, seen, explained, color);
    for line in &explained.lines {
        let _ = writeln!(out, "  logged: {}", visible(line));
    }
    if !explained.lines.is_empty() {
        out.push_str(
            "  (sizes and times, which only a real call has, stand there as 0, and an origin's status as 200)\n",
        );
    }
    for entry in &explained.refusals {
        let fields = entry.iter().map(|(name, value)| format!("{}:{value}", Json::from(name.as_str())));
        let fields = fields.collect::<Vec<_>>().join(",");
        let _ = writeln!(out, "  logged by egressctl itself: {}", visible(&format!("{{{fields}}}")));
    }
    for remedy in explained.remedies() {
        let _ = writeln!(out, "  would go: with {}", visible(remedy));
    }
    out
}

/// The call as its client would write it.
fn target(call: &Call, protocol: Protocol) -> String {
    let authority = call.authority();
    let Some(tunnel) = call.tunnel() else {
        return format!("{} {}://{}{}", call.method(), call.scheme(), authority.as_str(), call.path_and_query());
    };
    let target = format!("{}:{}", authority.host(), authority.port());
    match tunnel.server_name() {
        Some(name) if name != authority.host() => format!("tls://{target} for {name}"),
        Some(_) => format!("tls://{target}"),
        None if protocol == Protocol::Tls => format!("tls://{target}"),
        None => format!("tcp://{target}"),
    }
}

/// What the client of a failed call gets.
fn refused(status: u16, closed: bool, reason: &str) -> String {
    match closed {
        true => format!("deny: closed: {reason}"),
        false => format!("deny: {status} {reason}"),
    }
}

/// A call whose head is refused, so that nothing is judged.
pub(super) fn refused_head(protocol: Protocol, failure: Failure, color: bool) -> String {
    let text = refused(failure.status(), protocol != Protocol::Http, failure.reason());
    if color { format!("{}{text}{}\n", style::ERROR, style::PLAIN) } else { format!("{text}\n") }
}

fn hop(out: &mut String, step: &HopStep<'_>, caller: Caller<'_>, call: &Call, gateway: &str) {
    let _ = match (step.hop, caller) {
        (Hop::Sidecar(_), Some((name, namespace))) => writeln!(out, "sidecar of {name}.{namespace}"),
        (Hop::Sidecar(_), None) => writeln!(out, "sidecar of an unknown caller"),
        (Hop::Gateway(port) | Hop::Mesh(port), _) => writeln!(out, "gateway {gateway}, port {port}"),
    };
    for Considered { route, passed_over } in &step.routes {
        let delegate = route.delegate.as_ref().map(|(name, index)| format!(", delegate {name} http[{index}]"));
        let name = format!(
            "VirtualService {} {}[{}]{}{}",
            route.virtual_service,
            route.list,
            route.index,
            delegate.unwrap_or_default(),
            place(&route.origin)
        );
        let _ = match passed_over {
            Some(why) => writeln!(out, "  passed over: {name}: {}", visible(why)),
            None => writeln!(out, "  route: {name}"),
        };
    }
    let _ = match &step.found {
        Ok(Some(cluster)) => writeln!(out, "  to: {}\n", destination(cluster, call)),
        Ok(None) => writeln!(out, "  answers by itself\n"),
        Err(failure) => writeln!(out, "  stops here: {}\n", failure.reason()),
    };
}

fn destination(cluster: &Cluster, call: &Call) -> String {
    let original = cluster.original(call);
    let endpoints = match &cluster.target {
        Target::Gateway(port) => return format!("the egress gateway, port {port} ({})", cluster.name),
        Target::Endpoints(endpoints) => original.as_ref().map_or(endpoints.as_slice(), std::slice::from_ref),
    };
    let tls = match endpoints.first().and_then(|endpoint| endpoint.tls.as_ref()) {
        None => "plain text".to_owned(),
        Some(tls) => {
            let mode = if tls.client_certificate.is_some() { "MUTUAL" } else { "SIMPLE" };
            let unverified = if tls.insecure { ", not verified" } else { "" };
            format!("TLS {mode}, SNI {}{unverified}", tls.sni)
        }
    };
    let addresses: Vec<_> = endpoints.iter().map(|one| format!("{}:{}", one.address, one.port)).collect();
    let at = if addresses.is_empty() { "no endpoint".to_owned() } else { addresses.join(", ") };
    let (host, port) = cluster.service(call);
    format!("{host}:{port} at {at}, {tls}")
}

/// The policies of the gateway: what matches, and of the others where the call fails their rules.
fn policies(out: &mut String, steps: &[PolicyStep]) {
    let matching = |step: &&PolicyStep| matches!(step.standing(), Standing::Matches(_));
    let others = steps.iter().filter(|step| !matching(step));
    for step in steps.iter().filter(matching).chain(others.clone().take(MAX_OTHERS)) {
        policy(out, step);
    }
    let hidden = others.count().saturating_sub(MAX_OTHERS);
    if hidden > 0 {
        let _ = writeln!(out, "and {hidden} more policies that do not match\n");
    }
}

fn policy(out: &mut String, step: &PolicyStep) {
    let Policy { from, action, dry_run, .. } = &*step.policy;
    let tried = if *dry_run { ", only tried" } else { "" };
    let outcome = match step.standing() {
        Standing::Matches(index) => format!("rules[{index}] matches"),
        Standing::NoneMatches => "no rule matches".to_owned(),
        Standing::WithoutRules => "no rules, so that it matches no call".to_owned(),
    };
    let _ = writeln!(out, "{from}: {}: {outcome}{tried}", action.name());
    for (index, places) in step.rules.iter().filter(|(_, places)| !places.is_empty()).take(MAX_OTHERS) {
        for place in places {
            let _ = writeln!(out, "  rules[{index}]: {}", visible(&place.to_string()));
        }
    }
    out.push('\n');
}

fn rules(out: &mut String, rules: &[RuleStep<'_>]) {
    let matching = |step: &&RuleStep<'_>| step.matched != Ok(false);
    let others = rules.iter().filter(|step| !matching(step));
    for step in rules.iter().filter(matching).chain(others.clone().take(MAX_OTHERS)) {
        rule(out, step);
    }
    let hidden = others.count().saturating_sub(MAX_OTHERS);
    if hidden > 0 {
        let _ = writeln!(out, "and {hidden} more rules that do not match\n");
    }
}

fn rule(out: &mut String, step: &RuleStep<'_>) {
    let outcome = match &step.matched {
        Ok(true) => "matches".to_owned(),
        Ok(false) => "does not match".to_owned(),
        Err(why) => format!("cannot be decided: {why}"),
    };
    let mode = if step.rule.report_only { ", only reports" } else { "" };
    let _ = writeln!(out, "rule {}{}: {}{mode}", step.rule.name, place(&step.rule.origin), visible(&outcome));
    match &step.why {
        None => out.push_str("  no match given: every call\n"),
        Some(why) => why.leaves().into_iter().for_each(|leaf| self::leaf(out, leaf)),
    }
    for check in &step.checks {
        self::check(out, check);
    }
    if step.checks.is_empty() && step.matched == Ok(true) {
        for quota in step.rule.quotas() {
            let _ = writeln!(out, "  quota {quota}: not asked, for no QuotaSpec charges it to this call");
        }
    }
    out.push('\n');
}

fn leaf(out: &mut String, leaf: &Explanation) {
    let value = leaf.value.as_deref().unwrap_or("failed");
    let _ = write!(out, "  {value:<6} {}", visible(&leaf.text));
    let reads: Vec<_> = leaf
        .reads
        .iter()
        .map(|(name, value)| format!("{name} = {}", value.as_deref().map_or("absent".into(), visible)))
        .collect();
    if !reads.is_empty() {
        let _ = write!(out, "   ({})", reads.join(", "));
    }
    out.push('\n');
}

fn check(out: &mut String, step: &CheckStep) {
    if step.instance.is_empty() {
        // The match itself could not be decided, which is told above.
        return;
    }
    let asked = format!("check {} by {}", step.instance, step.handler);
    let _ = match &step.verdict {
        Ok(Verdict::Ok) => writeln!(out, "  {asked}: OK"),
        Ok(Verdict::Refused { code, message }) => writeln!(out, "  {asked}: {code}: {}", visible(message)),
        Err(why) => writeln!(out, "  {asked}: cannot be carried out: {}", visible(why)),
    };
}

fn verdict(out: &mut String, call: &Call, explained: &Explained<'_>, color: bool) {
    let message = explained.judgement.checked.message();
    let closed = call.tunnel().is_some();
    let text = match (explained.failure, &explained.judgement.decision) {
        (None, Decision::Forward(way)) => {
            let (host, port) = way.cluster.service(call);
            format!("allow: sent to {host}:{port}")
        }
        (Some(_), _) if !message.is_empty() => refused(explained.status, closed, &visible(&message)),
        (Some(failure), _) => refused(explained.status, closed, failure.reason()),
        (None, Decision::Answer(answer)) => answered(answer, &explained.response_headers),
        (None, Decision::Refuse(failure)) => format!("deny: {}", failure.reason()),
        (None, Decision::Ask(_)) => "asks whether it may go".to_owned(),
    };
    let _ = match (color, explained.failure.is_some()) {
        (false, _) => writeln!(out, "{text}"),
        (true, true) => writeln!(out, "{}{text}{}", style::ERROR, style::PLAIN),
        (true, false) => writeln!(out, "{}{text}{}", style::HEADING, style::PLAIN),
    };
    if let Some(Passed { grant: Some(grant), over }) = &explained.judgement.passed {
        granted(out, grant, *over);
    }
    for refusal in explained.judgement.checked.refusals.iter().filter(|refusal| !refusal.enforced) {
        let _ = writeln!(out, "  would deny, if it were enforced: {}", visible(&refusal.told()));
    }
}

/// The grant by which a call goes.
fn granted(out: &mut String, grant: &Grant, over: Failure) {
    let Granted { name, reason, expires } = &grant.granted;
    let mut until = String::new();
    expires.write_rfc3339(&mut until);
    let uses = grant.uses_left().map(|left| format!(", {left} uses left")).unwrap_or_default();
    let _ = writeln!(out, "  allowed by grant {name} until {until}{uses}: {}", visible(reason));
    let _ = writeln!(out, "  would be refused without: {}", over.reason());
}

/// What routes make of the call on its way, and of the answer.
fn changes(out: &mut String, call: &Call, explained: &Explained<'_>) {
    let delay = explained.judgement.way.delay;
    if !delay.is_zero() {
        let _ = writeln!(out, "held back on purpose for {delay:?}");
    }
    let Some(sent) = explained.sent.as_ref().filter(|_| call.tunnel().is_none()) else { return };
    let (target, authority) = (sent.target.as_str(), &*sent.authority);
    if target != call.path_and_query().as_str() || authority != call.authority().as_str() {
        let _ = writeln!(out, "sent as: {} {} with Host {authority}", call.method(), visible(target));
    }
}

/// What a route answers instead of an origin.
fn answered(answer: &Answer, headers: &HeaderMap) -> String {
    let location = headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
    match location {
        Some(location) => format!("answered: {} to {}", answer.status, visible(location)),
        None => {
            let body = String::from_utf8_lossy(&answer.body[..answer.body.len().min(SHOWN_BODY)]);
            format!("answered: {}, {} bytes of body: {}", answer.status, answer.body.len(), visible(&body))
        }
    }
}

fn place(origin: &Option<Origin>) -> String {
    origin.as_ref().map(|origin| format!(" ({}:{})", origin.file, origin.line)).unwrap_or_default()
}
