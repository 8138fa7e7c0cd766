//! Asking authorizers whether a call may go, before anything of it is sent.

use std::borrow::Cow;
use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::Body as _;

use crate::call::Failure;
use crate::decision::{Asking, Decision, Judgement, Outgoing, Questioned, settle};
use crate::policy::Spend;
use crate::policy::authorization::{Answered, Authorizer, Said};
use crate::routing::Answer;
use crate::snapshot::Snapshot;
use crate::upstream::{Outward, RequestBody, ResponseBody};

use super::forward::endpoint;
use super::report::{Closing, Judged};
use super::worker::Worker;

/// Most bytes of an authorizer's answer that the caller of a refused call reads; a longer body is no answer.
const MAX_ANSWER: usize = 64 * 1024;

/// Asks everybody who is to be asked about a call, one after the other, and settles it: what the caller of one that is
/// refused shall read. A caller who leaves meanwhile is reported as such.
pub(super) async fn asked<'s>(
    worker: &Rc<Worker>,
    snapshot: &'s Snapshot,
    judgement: &mut Judgement<'s>,
    closing: &mut Closing,
) -> Option<Answer> {
    let mut refusal = None;
    let last = judgement.hop;
    while matches!(judgement.decision, Decision::Ask(_)) {
        let question = std::mem::replace(&mut judgement.decision, Decision::Refuse(Failure::AccessDenied));
        let Decision::Ask(Asking { authorizer, routed, mut answers }) = question else { break };
        let (said, answer) = ask(worker, snapshot, authorizer, closing).await;
        refusal = answer;
        answers.add(Answered { authorizer: authorizer.name.clone(), said });
        judgement.decision = *routed;
        let questioned = Questioned { hop: closing.arrived(), made: closing.made(), seen: closing.call() };
        settle(
            snapshot,
            questioned,
            judgement,
            &mut answers,
            Spend::Take,
            &mut worker.scratch.borrow_mut(),
            &mut |_| {},
        );
        closing.judged(Judged::of(judgement));
    }
    if judgement.hop != last {
        // A grant leads it past the gateway.
        closing.goes_as_made();
    }
    refusal
}

/// What an authorizer says, and its answer where it refuses.
async fn ask(
    worker: &Worker,
    snapshot: &Snapshot,
    authorizer: &Authorizer,
    closing: &Closing,
) -> (Said, Option<Answer>) {
    let longest = worker.limits.response_timeout;
    let timeout = authorizer.timeout.map_or(longest, |timeout| timeout.min(longest));
    let answered = tokio::time::timeout(timeout, exchange(worker, snapshot, authorizer, closing)).await;
    let Ok(Ok((status, headers, body))) = answered else { return (Said::Nothing, None) };
    let said = authorizer.read(status, &headers);
    let answer =
        matches!(said, Said::Denied(_)).then(|| Answer { status, headers: authorizer.told_on_deny(&headers), body });
    (said, answer)
}

async fn exchange(
    worker: &Worker,
    snapshot: &Snapshot,
    authorizer: &Authorizer,
    closing: &Closing,
) -> Result<(u16, HeaderMap, Bytes), Failure> {
    let call = closing.call();
    let cluster = snapshot.routes.authorizer(&authorizer.host, authorizer.port)?;
    let _room = match &cluster.limits {
        Some(limits) => Some(worker.upstream.room(&cluster.name, limits).await?),
        None => None,
    };
    let (endpoint, place) = endpoint(cluster, closing, call.chance(), &[], false)?;
    let (target, headers) = authorizer.question(call).ok_or(Failure::Rewrite)?;
    let authority = call.authority().as_str().into();
    let head = Outgoing { target, authority, headers: Cow::Owned(headers), upgrade: None };
    let question = Outward { method: call.method(), head: &head, body: RequestBody::empty() };
    let reached = Cell::default();
    let sent = worker.upstream.send(&endpoint, cluster.connect_timeout, question, &reached).await;
    let sent = sent.map_err(|failed| failed.failure);
    let outcome = sent.as_ref().map(|answer| answer.status().as_u16()).map_err(|failure| *failure);
    cluster.balance.ended(place, &endpoint.called(reached.get()), outcome, || call.time().micros());
    let (head, body) = sent?.into_parts();
    Ok((head.status.as_u16(), head.headers, whole(body).await?))
}

/// A body, if it is not too long.
async fn whole(mut body: ResponseBody) -> Result<Bytes, Failure> {
    let mut read = BytesMut::new();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        if let Some(data) = frame?.data_ref() {
            read.extend_from_slice(data);
        }
        if read.len() > MAX_ANSWER {
            return Err(Failure::UpstreamProtocol);
        }
    }
    Ok(read.freeze())
}
