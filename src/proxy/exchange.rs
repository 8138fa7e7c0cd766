//! One call from head to report.

use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};

use crate::call::{Arrival, Call, Failure, Unread, normalize_by};
use crate::decision::{Decision, Judgement, Way, judge_beside};
use crate::expr::Timestamp;
use crate::policy::Spend;
use crate::policy::verdict::Checked;
use crate::upstream::{CallerBody, ResponseBody, Upload};

use super::ask::asked;
use super::body::AnswerBody;
use super::client::Client;
use super::debug;
use super::forward::{Deadline, Forwarded, forward};
use super::identify::{Identified, Shown, identify};
use super::report::{Closing, Judged, refused_head};
use super::respond::{answer, answer_unread, overloaded, own, strip, unauthorized};
use super::tunnel;
use super::websocket::{self, Handshake};
use super::worker::Worker;

/// Judges a request, carries the decision out and sees to the report.
///
/// The snapshot and the permit (room for one report) are held from here to the end of the answer's body; the report is
/// made when [`Closing`] is dropped, so exactly once, also when the caller leaves in between.
pub(super) async fn exchange(
    worker: Rc<Worker>,
    client: Rc<Client>,
    mut request: Request<CallerBody>,
) -> Response<AnswerBody> {
    let chance = || u128::from(worker.draw()) << 64 | u128::from(worker.draw());
    let (handshake, refused) = match websocket::translate(&mut request, chance) {
        Ok(handshake) => (handshake, None),
        Err(failure) => (None, Some(failure)),
    };
    if refused.is_none() && request.method() == Method::CONNECT && client.opens_tunnels() {
        // Boxed, so that other calls, which are most, do not carry its room around.
        return Box::pin(tunnel::connect(&worker, &client, request)).await;
    }
    let time = now();
    // Before anything is done: a call that could not be recorded is not made.
    let Ok(permit) = worker.recorder.permit().await else { return overloaded(&worker) };
    let held = worker.held();
    let identified = identify(&worker, &held, &client, Shown::Head(request.headers()), time);
    let upgrade = hyper::upgrade::on(&mut request);
    let (head, body) = request.into_parts();
    let version = head.version;
    let (hop, caller, bearer, unproven) = match identified {
        Ok(Identified { hop, caller, bearer }) => (hop, caller, bearer, None),
        Err(why) => (client.hop, None, None, Some(Failure::Unproven(why))),
    };
    let (peer, tls) = (client.peer, client.tls.clone());
    let arrival = Arrival { time, chance: worker.draw(), caller, peer, tls };
    let call = match refused.map_or_else(|| client.handed(&head.headers), Err) {
        Ok(handed) => normalize_by(held.snapshot.paths, head, arrival).map(|call| handed.complete(call)),
        Err(failure) => Err(Box::new(Unread::of_head(failure, &head, arrival))),
    };
    let call = match call.and_then(|call| client.admit(call)) {
        Ok(call) => call,
        Err(unread) => {
            refused_head(&worker, permit, hop, &unread);
            return answer_unread(unread.failure, Some(unread.decision_id()));
        }
    };
    let place = worker.requests_of.take_for(&call);
    let full = || place.is_err().then_some(Failure::Crowded);
    let untaken =
        unproven.or_else(|| client.stands(&worker, &held).err()).or_else(|| worker.overloaded()).or_else(full);
    if let Some(failure) = untaken {
        let judged = Judged::new(hop, Checked::default());
        let mut closing = Closing::new(&worker, &held, permit, call, judged, Rc::default());
        closing.tell_in(client.audit.clone());
        return failed(failure, Way::default(), closing);
    }
    let mut judgement = judge_beside(
        worker.gateway,
        &held.snapshot,
        hop,
        &call,
        Spend::Take,
        &mut worker.scratch.borrow_mut(),
        &mut |_| {},
    );
    // From here on it is what the last hop saw.
    let (mut call, mut made) = (call, judgement.edited.take());
    if let Some(made) = &mut made {
        std::mem::swap(&mut **made, &mut call);
    }
    let upload = Rc::<Upload>::default();
    let handed_on = judgement.is_handed_on();
    let judged = Judged::of(&mut judgement).handed_on(handed_on);
    let closing = Closing::new(&worker, &held, permit, call, judged, Rc::clone(&upload));
    let mut closing = closing.came_to(hop, made);
    closing.tell_in(client.audit.clone());
    closing.takes(place.ok().flatten());
    let mut refusal = None;
    if matches!(judgement.decision, Decision::Ask(_)) {
        // Boxed, so that other calls, which are most, do not carry its room around.
        refusal = Box::pin(asked(&worker, &held.snapshot, &mut judgement, &mut closing)).await;
    }
    let Judgement { decision, way, .. } = judgement;
    if !way.delay.is_zero() {
        closing.delayed();
        tokio::time::sleep(way.delay).await;
    }
    match decision {
        Decision::Forward(to) => {
            if let Err(failure) = closing.goes_to(held.destination(to.cluster)).intend().await {
                return failed(failure, way, closing);
            }
            let cluster = to.cluster;
            let Forwarded { answer, used_up, deadline } = {
                // In place, here and below it: moved into what waits for it, its room would be copied.
                pin!(forward(&worker, to, way, &closing, (body, version), upload)).await
            };
            if used_up {
                closing.used_up();
            }
            match answer.and_then(|response| well_framed(response, closing.call(), handshake.as_ref())) {
                Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                    let response = switched(response, way, &closing);
                    let (lasting, standing) = (cluster.lasting().cloned(), client.standing.clone());
                    let ends = (closing, upgrade, tunnel::Hangs { lasting, bearer, standing });
                    match tunnel::switch(&worker, &client, response, ends, handshake.as_ref()) {
                        Ok(response) => response,
                        Err(refused) => failed(refused.0, way, refused.1),
                    }
                }
                Ok(response) => pass_on(response, (worker.limits.response_timeout, deadline), way, closing),
                Err(failure) => failed(failure, way, closing),
            }
        }
        Decision::Answer(mut answer) => {
            way.edit_own_answer(closing.call(), closing.checked(), &mut answer.headers);
            own(*answer, closing)
        }
        // Everybody who is to be asked has been.
        Decision::Ask(_) => failed(Failure::AccessDenied, way, closing),
        Decision::Refuse(failure) => match refusal {
            Some(mut answer) if matches!(failure, Failure::Unauthorized(_)) => {
                way.edit_before(closing.call(), &mut answer.headers);
                unauthorized(failure, answer, closing)
            }
            _ => failed(failure, way, closing),
        },
    }
}

/// The answer to a call that failed, as the hop before the one that failed it passes it on.
fn failed(failure: Failure, way: Way<'_>, closing: Closing) -> Response<AnswerBody> {
    let mut headers = HeaderMap::new();
    way.edit_before(closing.call(), &mut headers);
    let mut response = answer(failure, closing);
    response.headers_mut().extend(headers);
    response
}

/// Refuses answers that could be read in two ways (RFC 9113 §8.1.1), or switch to a protocol that nobody asked for.
fn well_framed(
    response: Response<ResponseBody>,
    call: &Call,
    handshake: Option<&Handshake>,
) -> Result<Response<ResponseBody>, Failure> {
    let headers = response.headers();
    // Of HTTP/1.1 that was seen to when the head was read.
    let framed = response.version() != Version::HTTP_2 || {
        let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
        let sized = lengths.next().is_none_or(|length| length.as_bytes().iter().all(u8::is_ascii_digit));
        sized && lengths.next().is_none() && !headers.contains_key(header::TRANSFER_ENCODING)
    };
    let switches = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let fits = handshake.is_none_or(|handshake| handshake.fits(response.status(), headers));
    if !framed || !fits || (switches && !switches_to(headers, call.upgrade())) {
        return Err(Failure::UpstreamProtocol);
    }
    Ok(response)
}

/// Whether an answer goes on in the protocol that was asked for.
fn switches_to(headers: &HeaderMap, asked: Option<&HeaderValue>) -> bool {
    let mut said = headers.get_all(header::UPGRADE).iter();
    match (asked, said.next(), said.next()) {
        (Some(asked), Some(said), None) => said.as_bytes().eq_ignore_ascii_case(asked.as_bytes()),
        _ => false,
    }
}

/// The head of an answer that goes on in another protocol, as it is passed on.
fn switched(mut response: Response<ResponseBody>, way: Way<'_>, closing: &Closing) -> Response<ResponseBody> {
    let headers = response.headers_mut();
    strip(headers);
    way.edit_answer(closing.call(), closing.checked(), headers);
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.extend(closing.call().upgrade().map(|protocol| (header::UPGRADE, protocol.clone())));
    response
}

fn pass_on(
    response: Response<ResponseBody>,
    patience: (Duration, Option<Deadline>),
    way: Way<'_>,
    mut closing: Closing,
) -> Response<AnswerBody> {
    let (mut head, body) = response.into_parts();
    strip(&mut head.headers);
    // The version is the connection's, not the answer's (RFC 9110 §2.5); hyper lowers it for clients of HTTP/1.0.
    head.version = Version::HTTP_11;
    way.edit_answer(closing.call(), closing.checked(), &mut head.headers);
    closing.answered(head.status.as_u16());
    let (flags, ends_here) = (closing.flags(), closing.call().method() == Method::HEAD);
    let mut response = Response::from_parts(head, AnswerBody::upstream(body, patience, closing, ends_here));
    debug::note(&mut response, flags);
    response
}

/// The wall clock, as the log shows it.
pub(crate) fn now() -> Timestamp {
    match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => {
            Timestamp { seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX), nanos: since.subsec_nanos() }
        }
        // A clock before 1970: no time at all is closer to the truth than a wrong one.
        Err(_) => Timestamp::ZERO,
    }
}
