//! A decision with everything that led to it: what `trace` shows.

use std::sync::Arc;

use http::HeaderMap;
use serde_json::Value as Json;

use crate::accesslog::{Batch, Redact, line};
use crate::call::{Call, CallBag, Failure, Marks, Outcome};
use crate::expr::{self, Explanation, Scratch};
use crate::policy::authorization::{Answered, Arrived, Authorizer, PolicyStep, Said};
use crate::policy::verdict::{Refusal, Refuser, Verdict};
use crate::policy::{Rule, Seen, Spend, refusal};
use crate::routing::{Cluster, Considered, End, Target};
use crate::snapshot::{Hop, Snapshot};

use super::request::Broken;
use super::{Asking, Decision, Gateway, Judgement, Outgoing, Questioned, Step, follow, judge, settle};

/// The status that an origin is assumed to answer with.
const ASSUMED_STATUS: u16 = 200;

/// A decision and its reasons.
#[derive(Debug)]
pub struct Explained<'s> {
    /// Our hops, in order.
    pub hops: Vec<HopStep<'s>>,
    /// Those whom the gateway would ask first, who are taken to let the call go.
    pub asks: Vec<&'s Arc<Authorizer>>,
    /// The policies of the gateway, if the call comes there, in the order in which they are asked.
    pub authorization: Vec<PolicyStep>,
    /// Every rule that sees the call, in order.
    pub rules: Vec<RuleStep<'s>>,
    /// The decision.
    pub judgement: Judgement<'s>,
    /// Why the call would not get its origin's answer, if so.
    pub failure: Option<Failure>,
    /// What the caller would be answered; for a call that goes, what its origin is assumed to answer.
    pub status: u16,
    /// Envoy's response flags; `-` where there are none.
    pub flags: String,
    /// What would be sent to the origin of a call that goes.
    pub sent: Option<Outgoing<'static>>,
    /// Headers of an answer of our own, or those that routes and rules make of an origin's without any.
    pub response_headers: HeaderMap,
    /// The lines that rules would make.
    pub lines: Vec<String>,
    /// The fields of the entries that are recorded of every call that is refused or would be, whatever the rules say.
    pub refusals: Vec<Vec<(String, Json)>>,
    /// Name and namespace of the workload that plays the gateway.
    pub gateway: &'s str,
}

impl Explained<'_> {
    /// What would let the call go, as those entries have it.
    pub fn remedies(&self) -> impl Iterator<Item = &str> {
        self.refusals.iter().flatten().filter(|(name, _)| name == "remedy").filter_map(|(_, remedy)| remedy.as_str())
    }
}

/// What one hop does.
#[derive(Debug)]
pub struct HopStep<'s> {
    /// Which.
    pub hop: Hop,
    /// The routes that it looked at, up to the one that it took.
    pub routes: Vec<Considered>,
    /// Where it sends the call; `None` where it answers it itself.
    pub found: Result<Option<&'s Arc<Cluster>>, Failure>,
}

/// What a rule says.
#[derive(Debug)]
pub struct RuleStep<'s> {
    /// The rule.
    pub rule: &'s Rule,
    /// Whether it matches; in words why that cannot be decided.
    pub matched: Result<bool, String>,
    /// Why; `None` for a rule that matches every call.
    pub why: Option<Explanation>,
    /// Its checks, if it was asked for them.
    pub checks: Vec<CheckStep>,
}

/// What a check said.
#[derive(Debug)]
pub struct CheckStep {
    /// Full name of the rule.
    pub rule: Arc<str>,
    /// The handler, as messages have it.
    pub handler: String,
    /// Full name of the instance.
    pub instance: String,
    /// The verdict, or why there is none.
    pub verdict: Result<Verdict, String>,
}

/// Judges a call as the proxy does, and tells everything that was looked at.
pub fn explain<'s>(snapshot: &'s Snapshot, hop: Hop, call: &Call) -> Explained<'s> {
    explain_broken(snapshot, hop, call, None)
}

/// The same for a tunnel that may be opened and then not carried on.
pub(super) fn explain_broken<'s>(
    snapshot: &'s Snapshot,
    hop: Hop,
    call: &Call,
    broken: Option<&Broken>,
) -> Explained<'s> {
    let mut scratch = Scratch::new();
    let mut checks = Vec::new();
    let mut see = |seen: Seen<'_>| {
        if let Seen::Check { rule, handler, instance, verdict } = seen {
            checks.push(CheckStep {
                rule: Arc::clone(&rule.name),
                handler: handler.to_owned(),
                instance: instance.to_owned(),
                verdict: verdict.clone(),
            });
        }
    };
    let mut judgement = judge(snapshot, hop, call, Spend::Peek, &mut scratch, &mut see);
    let asks = granted(snapshot, (hop, call), &mut judgement, &mut scratch, &mut see);
    // A match that cannot be decided refuses before any check of its rule is asked.
    let by_match = |refusal: &&Refusal| refusal.by == Refuser::Check && refusal.instance.is_empty();
    checks.extend(judgement.checked.refusals.iter().filter(by_match).map(|refusal| {
        let (rule, handler) = (Arc::clone(&refusal.rule), refusal.handler.to_string());
        CheckStep { rule, handler, instance: String::new(), verdict: Err(refusal.message.clone()) }
    }));
    let asked = call;
    let call = judgement.edited.as_deref().unwrap_or(call);
    let (call, failure, sent) = match (outcome_of(&judgement, call), broken) {
        ((failure, _), Some(broken)) if failure.is_none() || broken.unjudged => {
            (&*broken.call, Some(broken.failure), None)
        }
        ((failure, sent), _) => (call, failure, sent),
    };
    let outcome = outcome(&judgement, failure, call);
    let message = judgement.checked.message();
    // Whoever asks is in no audit.
    let passed = judgement.passed.as_ref().and_then(|passed| Some((passed.grant?, passed.over)));
    let granted = passed.map(|(grant, _)| &grant.granted);
    let mut bag = CallBag::new(call, Some(&outcome), snapshot.reporter(judgement.hop)).granted(granted);
    if !message.is_empty() {
        bag = bag.refused(&message).detailed(judgement.checked.details());
    }
    let authorization = match judgement.hop {
        Hop::Gateway(port) | Hop::Mesh(port) => snapshot.authorization.explain(Arrived { bag: &bag, port }),
        Hop::Sidecar(_) => Vec::new(),
    };
    let rules = rules(snapshot, call, &judgement, &bag, checks);
    let mut lines = Batch::default();
    snapshot.policy.report(&bag, Spend::Peek, &mut scratch, &mut lines);
    let lines = lines.iter().map(|entry| entry.line.to_owned()).collect();
    let (status, flags) = (outcome.status, outcome.flags(call).into_owned());
    let hops = hops(snapshot, hop, asked);
    let response_headers = response_headers(&judgement, call);
    let checked = &judgement.checked;
    let refused = failure.map(|failure| refusal::entry(call, failure, &outcome, checked, &message, Redact::None));
    let aside = match passed {
        Some((grant, over)) => Some(refusal::granted(call, status, checked, &grant.granted, over, Redact::None)),
        None => refusal::would_deny(call, status, checked, None, Redact::None),
    };
    let entries = refused.into_iter().chain(aside);
    let entries = entries.chain(refusal::audited(call, status, checked, Redact::None));
    let refusals = entries.filter_map(|entry| undecided(&entry.line)).collect();
    let gateway = &snapshot.gateway_name;
    Explained {
        hops,
        asks,
        authorization,
        rules,
        failure,
        status,
        flags,
        sent,
        response_headers,
        lines,
        refusals,
        gateway,
        judgement,
    }
}

/// Settles a call as if everybody who is to be asked let it go: nobody is asked for the sake of an explanation.
fn granted<'s>(
    snapshot: &'s Snapshot,
    (hop, made): (Hop, &Call),
    judgement: &mut Judgement<'s>,
    scratch: &mut Scratch,
    see: &mut impl FnMut(Seen<'_>),
) -> Vec<&'s Arc<Authorizer>> {
    let mut asked = Vec::new();
    while matches!(judgement.decision, Decision::Ask(_)) {
        let question = std::mem::replace(&mut judgement.decision, Decision::Refuse(Failure::AccessDenied));
        let Decision::Ask(Asking { authorizer, routed, mut answers }) = question else { break };
        asked.push(authorizer);
        let said = Said::Allowed { request: Vec::new(), response: Vec::new() };
        answers.add(Answered { authorizer: authorizer.name.clone(), said });
        judgement.decision = *routed;
        let (edited, last) = (judgement.edited.take(), judgement.hop);
        let questioned = Questioned { hop, made, seen: edited.as_deref().unwrap_or(made) };
        settle(snapshot, questioned, judgement, &mut answers, Spend::Peek, scratch, see);
        judgement.edited = edited.filter(|_| judgement.hop == last);
    }
    asked
}

/// An entry without the name of a decision, for none was made.
fn undecided(line: &str) -> Option<Vec<(String, Json)>> {
    let mut fields = line::fields(line).ok()?;
    fields.retain(|(name, _)| name != "decision");
    Some(fields)
}

/// Why a call would not get its origin's answer, or what its origin would be sent.
fn outcome_of(judgement: &Judgement<'_>, call: &Call) -> (Option<Failure>, Option<Outgoing<'static>>) {
    match &judgement.decision {
        Decision::Refuse(failure) => (Some(*failure), None),
        Decision::Answer(_) | Decision::Ask(_) => (None, None),
        Decision::Forward(forward) => match &forward.cluster.target {
            Target::Endpoints(endpoints) if endpoints.is_empty() && forward.cluster.original(call).is_none() => {
                (Some(Failure::NoEndpoint), None)
            }
            Target::Endpoints(_) | Target::Gateway(_) => {
                match judgement.way.outgoing(call, &judgement.checked.request_edits) {
                    Ok(sent) => (None, Some(sent.into_owned())),
                    Err(failure) => (Some(failure), None),
                }
            }
        },
    }
}

fn outcome(judgement: &Judgement<'_>, failure: Option<Failure>, call: &Call) -> Outcome {
    let status = match (failure, &judgement.decision) {
        (Some(failure), _) => failure.status(),
        (None, Decision::Answer(answer)) => answer.status,
        (None, _) => ASSUMED_STATUS,
    };
    Outcome {
        status,
        failure,
        abandoned: false,
        request_bytes: 0,
        response_bytes: 0,
        response_time: call.time(),
        duration: 0,
        marks: Marks { delayed: !judgement.way.delay.is_zero(), retries_used_up: false },
        closed_by: None,
    }
}

fn response_headers(judgement: &Judgement<'_>, call: &Call) -> HeaderMap {
    let mut headers = HeaderMap::new();
    match &judgement.decision {
        Decision::Forward(_) => judgement.way.edit_answer(call, &judgement.checked, &mut headers),
        Decision::Answer(answer) => {
            headers.clone_from(&answer.headers);
            judgement.way.edit_own_answer(call, &judgement.checked, &mut headers);
        }
        Decision::Ask(_) | Decision::Refuse(_) => judgement.way.edit_before(call, &mut headers),
    }
    headers
}

/// The hops of a call, in order.
pub fn hops<'s>(snapshot: &'s Snapshot, hop: Hop, call: &Call) -> Vec<HopStep<'s>> {
    let mut hops = Vec::new();
    follow(snapshot, (hop, Gateway::Here), call, &mut |Step { hop, call, end }| {
        let routes = match hop {
            Hop::Sidecar(listener) => snapshot.routes.considered_by_sidecar(snapshot.scope(listener), call),
            Hop::Gateway(port) => snapshot.routes.considered_by_gateway(port, call, hops.is_empty()),
            Hop::Mesh(port) => snapshot.routes.considered_by_gateway(port, call, false),
        };
        let found = match end {
            Ok(End::Cluster(cluster)) => Ok(Some(*cluster)),
            Ok(End::Answer(_)) => Ok(None),
            Err(failure) => Err(*failure),
        };
        hops.push(HopStep { hop, routes, found });
    });
    hops
}

/// Rules that check are explained by what was known before the call left, the others by what is known at its end.
fn rules<'s>(
    snapshot: &'s Snapshot,
    call: &Call,
    judgement: &Judgement<'s>,
    after: &CallBag<'_>,
    mut checks: Vec<CheckStep>,
) -> Vec<RuleStep<'s>> {
    let before = CallBag::new(call, None, snapshot.reporter(judgement.hop));
    let scratch = Scratch::new();
    let rules = snapshot.policy.rules(after);
    let step = |rule: &'s Rule| {
        let bag = if rule.is_checked() { &before } else { after };
        let matched = rule.holds(bag, &scratch).map_err(|error| error.to_string());
        let condition = rule.condition.as_ref();
        let why = condition.and_then(|condition| expr::explain(condition.text(), snapshot.policy.vocabulary(), bag));
        let own = checks.extract_if(.., |check| check.rule == rule.name).collect();
        RuleStep { rule, matched, why, checks: own }
    };
    rules.map(step).collect()
}
