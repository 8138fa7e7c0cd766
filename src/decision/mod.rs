//! The one judge: what shall be done with a call.
//!
//! A pure function of a [`Snapshot`], a place and a [`Call`]; the proxy, `trace` and `replay` all ask it.

pub mod access;
mod answer;
mod asked;
mod explain;
mod grant;
pub mod replay;
mod request;
mod tree;
mod tunnel;
mod way;

use std::sync::Arc;
use std::time::Duration;

use crate::call::{Call, CallBag, Failure, ServerFault};
use crate::expr::Scratch;
use crate::policy::authorization::{Answers, Arrived, Authorizer};
use crate::policy::verdict::Checked;
use crate::policy::{Seen, Spend};
use crate::routing::{Answer, Cluster, End, Found};
use crate::snapshot::{Hop, Snapshot};

use grant::Granting;
use way::handed_on;

pub use asked::{Asked, Place, Protocol, Scheme, Source, Told, tell};
pub use explain::{CheckStep, Explained, HopStep, RuleStep, explain, hops};
pub use grant::Passed;
pub use way::{Outgoing, Way};

/// Most hops of ours that one call may take: sidecar, gateway. A gateway route that leads to a gateway is a loop.
const MAX_HOPS: usize = 2;

/// Where the egress gateway is, as this process sees it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Gateway {
    /// In it: the gateway's routes and the policy are asked here.
    #[default]
    Here,
    /// In another, which is handed the call and asks them.
    Elsewhere,
}

/// What shall be done with a call.
#[derive(Debug)]
pub enum Decision<'s> {
    /// Send it to a cluster.
    Forward(Forward<'s>),
    /// Answer it ourselves, because its route says so.
    Answer(Box<Answer>),
    /// Ask somebody whether it may go.
    Ask(Asking<'s>),
    /// Answer it ourselves, because it has failed.
    Refuse(Failure),
}

/// A question about a call.
#[derive(Debug)]
pub struct Asking<'s> {
    /// Whom to ask.
    pub authorizer: &'s Arc<Authorizer>,
    /// What the routes have decided, for [`settle`].
    pub routed: Box<Decision<'s>>,
    /// What was said before, for the same.
    pub answers: Answers,
}

/// Where a call goes.
#[derive(Debug, Clone, Copy)]
pub struct Forward<'s> {
    /// The cluster.
    pub cluster: &'s Arc<Cluster>,
    /// How long the whole answer may take from the end of the request, if a route says.
    pub timeout: Option<Duration>,
}

/// The end of a call's way through our own hops.
#[derive(Debug)]
pub struct Judgement<'s> {
    /// The last hop that is ours: the one that reports.
    pub hop: Hop,
    /// What it decided.
    pub decision: Decision<'s>,
    /// What the policy said, of a call that has a way.
    pub checked: Checked,
    /// The call as the last hop saw it and the policy judged it, where the route of the one before changed it.
    pub edited: Option<Box<Call>>,
    /// The routes that led there.
    pub way: Way<'s>,
    /// What the call goes by, if it would have been refused without.
    pub passed: Option<Passed<'s>>,
}

impl Judgement<'_> {
    /// Whether the gateway of another process is to go on with it.
    pub fn is_handed_on(&self) -> bool {
        matches!(&self.decision, Decision::Forward(to) if to.cluster.target.gateway().is_some())
    }
}

/// Follows a call from the hop that it comes to, through the gateway, if a sidecar's route leads there, to the last
/// decision. At the gateway its AuthorizationPolicies come first. Unless the call has failed by then, or goes on elsewhere,
/// the policy is asked: checks, then quotas, which are taken or only looked at. Where a call would be refused a grant may let
/// it go. `see` is told of what is looked at.
pub fn judge<'s>(
    snapshot: &'s Snapshot,
    hop: Hop,
    call: &Call,
    spend: Spend,
    scratch: &mut Scratch,
    see: &mut impl FnMut(Seen<'_>),
) -> Judgement<'s> {
    judge_beside(Gateway::Here, snapshot, hop, call, spend, scratch, see)
}

/// The same in a process that the gateway is in, or not.
pub fn judge_beside<'s>(
    gateway: Gateway,
    snapshot: &'s Snapshot,
    hop: Hop,
    call: &Call,
    spend: Spend,
    scratch: &mut Scratch,
    see: &mut impl FnMut(Seen<'_>),
) -> Judgement<'s> {
    if let Hop::Gateway(port) = hop
        && snapshot.authorization.is_strict(port)
        && !call.tls().is_some_and(|tls| tls.mutual)
    {
        let decision = Decision::Refuse(Failure::Server(ServerFault::NotMutual));
        let (checked, way) = (Checked::default(), Way::default());
        return Judgement { hop, decision, checked, edited: None, way, passed: None };
    }
    let mut judgement = follow(snapshot, (hop, gateway), call, &mut |_| {});
    if judgement.is_handed_on() {
        return judgement;
    }
    let (edited, last) = (judgement.edited.take(), judgement.hop);
    let asked = Questioned { hop, made: call, seen: edited.as_deref().unwrap_or(call) };
    settle(snapshot, asked, &mut judgement, &mut Answers::default(), spend, scratch, see);
    // A grant may lead the call past the gateway, as it was made.
    judgement.edited = edited.filter(|_| judgement.hop == last);
    judgement
}

/// A call that policies are asked about.
#[derive(Debug, Clone, Copy)]
pub struct Questioned<'c> {
    /// Where its caller came to.
    pub hop: Hop,
    /// As its caller made it.
    pub made: &'c Call,
    /// As the last hop sees it.
    pub seen: &'c Call,
}

/// What policies and rules make of a decision of the routes. Where somebody is to be asked who is not among those who have
/// answered it becomes [`Decision::Ask`]: the caller of this asks, puts back what the routes have decided, and settles it once
/// more.
pub fn settle<'s>(
    snapshot: &'s Snapshot,
    asked: Questioned<'_>,
    judgement: &mut Judgement<'s>,
    answers: &mut Answers,
    spend: Spend,
    scratch: &mut Scratch,
    see: &mut impl FnMut(Seen<'_>),
) {
    let granting = Granting { snapshot, call: asked.made, spend };
    let mut checked = Checked::default();
    // Before the routes, as in Envoy: who may not call is not told what there is.
    if let Hop::Gateway(port) | Hop::Mesh(port) = judgement.hop {
        let bag = CallBag::new(asked.seen, None, snapshot.reporter(judgement.hop));
        let arrived = Arrived { bag: &bag, port };
        if let Some(authorizer) = snapshot.authorization.asks(arrived, answers) {
            let routed = std::mem::replace(&mut judgement.decision, Decision::Refuse(Failure::AccessDenied));
            judgement.decision =
                Decision::Ask(Asking { authorizer, routed: Box::new(routed), answers: std::mem::take(answers) });
            return;
        }
        let report_only = snapshot.policy.only_reports(&bag);
        if let Some(failure) = snapshot.authorization.check(arrived, answers, report_only, &mut checked)
            && !granting.lifts(failure, &mut checked, &mut judgement.passed)
        {
            return judgement.refuse(failure, checked);
        }
    }
    if let Decision::Refuse(failure) = judgement.decision
        && !matches!(failure, Failure::Fault(_))
        && !granting.leads(asked.hop, judgement)
    {
        judgement.checked = checked;
        return;
    }
    let judged = if judgement.hop == asked.hop { asked.made } else { asked.seen };
    let bag = CallBag::new(judged, None, snapshot.reporter(judgement.hop));
    snapshot.policy.check(&bag, spend, scratch, &mut checked, see);
    let lifted = match (checked.refused(), &mut judgement.passed) {
        (None, _) => true,
        (Some(code), passed) => granting.lifts(Failure::Denied(code), &mut checked, passed),
    };
    if lifted {
        let service = match &judgement.decision {
            Decision::Forward(way) => way.cluster.service(judged).0,
            Decision::Answer(_) | Decision::Ask(_) | Decision::Refuse(_) => judged.authority().host(),
        };
        snapshot.policy.quota(&bag, service, spend, scratch, &mut checked, see);
    }
    match checked.refused().map(Failure::Denied) {
        Some(failure) if !granting.audits(failure, &mut checked, &mut judgement.passed) => {
            judgement.refuse(failure, checked);
        }
        _ => judgement.checked = checked,
    }
}

impl Judgement<'_> {
    /// Policies or rules refuse it: then it is not held back besides.
    fn refuse(&mut self, failure: Failure, checked: Checked) {
        self.decision = Decision::Refuse(failure);
        self.way.delay = Duration::ZERO;
        self.checked = checked;
    }
}

/// What one hop did with a call.
struct Step<'a, 's> {
    hop: Hop,
    call: &'a Call,
    end: &'a Result<End<'s>, Failure>,
}

/// The way of a call through our hops, without the policy; `see` is told of each.
fn follow<'s>(
    snapshot: &'s Snapshot,
    (mut hop, gateway): (Hop, Gateway),
    call: &Call,
    see: &mut impl FnMut(Step<'_, 's>),
) -> Judgement<'s> {
    let hops = match hop {
        Hop::Sidecar(_) => MAX_HOPS,
        Hop::Gateway(_) | Hop::Mesh(_) => 1,
    };
    let (mut way, mut edited) = (Way::default(), None);
    let mut delays = [None; MAX_HOPS];
    for position in 0..hops {
        let seen = edited.as_deref().unwrap_or(call);
        let Found { taken, end } = found(snapshot, hop, seen, position == 0);
        see(Step { hop, call: seen, end: &end });
        way.last = taken;
        delays[position] = taken.and_then(|route| route.delay(seen));
        let next = match &end {
            Ok(End::Cluster(cluster)) => cluster.target.gateway(),
            _ => None,
        };
        let Some(port) = next else { return ended(hop, end, way, delays, position, edited) };
        match handed_on(taken, seen) {
            // It is sent as its route says, like any other call, and judged as it arrives.
            Ok(_) if gateway == Gateway::Elsewhere => return ended(hop, end, way, delays, position, edited),
            Ok(None) => {}
            Ok(changed) => edited = changed,
            Err(failure) => return ended(hop, Err(failure), way, delays, position, edited),
        }
        way.before = way.last.take();
        hop = Hop::Gateway(port);
    }
    ended(hop, Err(Failure::NoCluster), way, delays, hops - 1, edited)
}

/// What one hop finds for a call; `first` where the call came to it from outside.
fn found<'s>(snapshot: &'s Snapshot, hop: Hop, call: &Call, first: bool) -> Found<'s> {
    if call.tunnel().is_some() {
        return Found { taken: None, end: tunnel::decide(snapshot, hop, call, first).map(End::Cluster) };
    }
    match hop {
        Hop::Sidecar(listener) => snapshot.routes.sidecar(snapshot.scope(listener), call),
        Hop::Gateway(port) if first => snapshot.routes.gateway_from_outside(port, call),
        Hop::Gateway(port) | Hop::Mesh(port) => snapshot.routes.gateway(port, call),
    }
}

/// The judgement of a call whose way has ended at a hop.
fn ended<'s>(
    hop: Hop,
    end: Result<End<'s>, Failure>,
    mut way: Way<'s>,
    delays: [Option<Duration>; MAX_HOPS],
    position: usize,
    edited: Option<Box<Call>>,
) -> Judgement<'s> {
    // The delay of the only hop is that of the last one.
    let delays = if position == 0 { [None, delays[0]] } else { delays };
    let (timeout, delay) = way.times(delays);
    way.delay = delay;
    let decision = match end {
        // The hop before has given up while the last one held the call back.
        Ok(_) if timeout.is_some_and(|timeout| timeout.is_zero()) => Decision::Refuse(Failure::Timeout),
        Ok(End::Cluster(cluster)) => Decision::Forward(Forward { cluster, timeout }),
        Ok(End::Answer(answer)) => Decision::Answer(answer),
        Err(failure) => Decision::Refuse(failure),
    };
    Judgement { hop, decision, checked: Checked::default(), edited, way, passed: None }
}

#[cfg(test)]
mod tests;
