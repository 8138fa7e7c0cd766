//! What grants change of a judgement, and audits.
//!
//! A grant lets a call go that checks or AuthorizationPolicies refuse, or that has no route, and nothing else: what cannot
//! be understood or sent, whose caller is not proven, what quotas have no room for, and addresses of private networks that
//! nobody registered stay refused. In an audit everything goes that a grant could let go, and what quotas refuse.

use std::sync::Arc;

use crate::call::{Call, Failure};
use crate::policy::Spend;
use crate::policy::verdict::Checked;
use crate::snapshot::{Grant, Hop, Snapshot};

use super::way::Way;
use super::{Decision, Forward, Judgement};

/// A call that may have a grant. It is looked for only where the call would be refused, so that nothing else uses it up.
pub(super) struct Granting<'s, 'c> {
    pub(super) snapshot: &'s Snapshot,
    /// As the caller made it.
    pub(super) call: &'c Call,
    pub(super) spend: Spend,
}

/// What a call goes by that would have been refused.
#[derive(Debug, Clone)]
pub struct Passed<'s> {
    /// The grant; none in an audit.
    pub grant: Option<&'s Arc<Grant>>,
    /// Why the call would have been refused.
    pub over: Failure,
}

impl<'s> Granting<'s, '_> {
    /// Lets a call go on that checks have refused. Whether there is a grant for it.
    pub(super) fn lifts(&self, over: Failure, checked: &mut Checked, passed: &mut Option<Passed<'s>>) -> bool {
        if passed.is_none() {
            let grant = self.snapshot.grants.take(self.call, self.spend);
            *passed = grant.map(|grant| Passed { grant: Some(grant), over });
        }
        match passed {
            Some(_) => {
                lift(checked);
                true
            }
            None => self.audits(over, checked, passed),
        }
    }

    /// Lets a call go on because it is made in an audit. Whether it is.
    pub(super) fn audits(&self, over: Failure, checked: &mut Checked, passed: &mut Option<Passed<'s>>) -> bool {
        let in_audit = self.is_in_audit();
        if in_audit {
            passed.get_or_insert(Passed { grant: None, over });
            lift(checked);
        }
        in_audit
    }

    fn is_in_audit(&self) -> bool {
        self.call.caller().is_some_and(|caller| caller.in_audit)
    }

    /// Lets a call that no route leads anywhere go straight to where its caller wants to go. Whether it goes.
    pub(super) fn leads(&self, hop: Hop, judgement: &mut Judgement<'s>) -> bool {
        let (Decision::Refuse(over), Hop::Sidecar(place)) = (&judgement.decision, hop) else { return false };
        let over = *over;
        if !matches!(over, Failure::UnknownHost | Failure::NoRoute | Failure::NoTunnelRoute) {
            return false;
        }
        let grants = &self.snapshot.grants;
        let known = judgement.passed.as_ref().and_then(|passed| passed.grant);
        let grant = known.or_else(|| grants.take(self.call, Spend::Peek));
        let (routes, scope) = (&self.snapshot.routes, self.snapshot.scope(place));
        let way = match grant {
            Some(grant) => grant.way(routes, scope, self.call),
            None if self.is_in_audit() => routes.around(scope, self.call),
            None => return false,
        };
        match way {
            Err(failure) => {
                judgement.decision = Decision::Refuse(failure);
                false
            }
            Ok(cluster) => {
                if known.is_none() && grant.is_some() && grants.take(self.call, self.spend).is_none() {
                    return false;
                }
                judgement.passed.get_or_insert(Passed { grant, over });
                judgement.decision = Decision::Forward(Forward { cluster, timeout: None });
                (judgement.hop, judgement.edited, judgement.way) = (hop, None, Way::default());
                true
            }
        }
    }
}

fn lift(checked: &mut Checked) {
    checked.refusals.iter_mut().for_each(|refusal| refusal.enforced = false);
}
