//! One call from head to report.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, Method, Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;

use crate::call::{Arrival, Failure, normalize};
use crate::decision::{Decision, Judgement, Way, judge};
use crate::expr::Timestamp;
use crate::policy::Spend;
use crate::upstream::{ResponseBody, Upload};

use super::body::AnswerBody;
use super::forward::{Forwarded, forward};
use super::report::{Closing, Judged, refused_head};
use super::respond::{answer, overloaded, own, strip};
use super::worker::Worker;

/// Judges a request, carries the decision out and sees to the report.
///
/// The snapshot and the permit (room for one report) are held from here to the end of the answer's body; the report is
/// made when [`Closing`] is dropped, so exactly once, also when the caller leaves in between.
pub(super) async fn exchange(
    worker: Rc<Worker>,
    listener: usize,
    peer: IpAddr,
    request: Request<Incoming>,
) -> Response<AnswerBody> {
    let time = now();
    // Before anything is done: a call that could not be recorded is not made.
    let Ok(permit) = worker.recorder.permit().await else { return overloaded(&worker) };
    let held = worker.held();
    let (head, body) = request.into_parts();
    let arrival = Arrival { time, chance: worker.draw(), caller: held.caller(listener), peer };
    let call = match normalize(head, arrival) {
        Ok(call) => call,
        Err(failure) => {
            refused_head(&worker, permit, time, failure);
            return answer(failure, None);
        }
    };
    let Judgement { hop, decision, checked, edited, way } =
        judge(&held.snapshot, listener, &call, Spend::Take, &mut worker.scratch.borrow_mut(), &mut |_| {});
    // From here on it is what the last hop saw.
    let call = edited.map_or(call, |edited| *edited);
    let upload = Rc::<Upload>::default();
    let mut closing = Closing::new(&worker, &held, permit, call, Judged::new(hop, checked), Rc::clone(&upload));
    if !way.delay.is_zero() {
        closing.delayed();
        tokio::time::sleep(way.delay).await;
    }
    match decision {
        Decision::Forward(to) => {
            let Forwarded { answer, used_up, deadline } = forward(&worker, to, way, &closing, body, upload).await;
            if used_up {
                closing.used_up();
            }
            match answer.and_then(well_framed) {
                Ok(response) => pass_on(response, (worker.limits.response_timeout, deadline), way, closing),
                Err(failure) => failed(failure, way, closing),
            }
        }
        Decision::Answer(mut answer) => {
            way.edit_own_answer(closing.call(), closing.checked(), &mut answer.headers);
            own(*answer, closing)
        }
        Decision::Refuse(failure) => failed(failure, way, closing),
    }
}

/// The answer to a call that failed, as the hop before the one that failed it passes it on.
fn failed(failure: Failure, way: Way<'_>, closing: Closing) -> Response<AnswerBody> {
    let mut headers = HeaderMap::new();
    way.edit_before(closing.call(), &mut headers);
    let mut response = answer(failure, Some(closing));
    response.headers_mut().extend(headers);
    response
}

/// Refuses answers that could be read in two ways (RFC 9112 §6.3), are coded for the transfer by more than chunks, or switch to a protocol that nobody asked for.
fn well_framed(response: Response<ResponseBody>) -> Result<Response<ResponseBody>, Failure> {
    let headers = response.headers();
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let framed = codings.next().is_none_or(|coding| {
        coding.as_bytes().eq_ignore_ascii_case(b"chunked")
            && codings.next().is_none()
            && !headers.contains_key(header::CONTENT_LENGTH)
    });
    if !framed || response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Failure::UpstreamProtocol);
    }
    Ok(response)
}

fn pass_on(
    response: Response<ResponseBody>,
    patience: (Duration, Option<Instant>),
    way: Way<'_>,
    mut closing: Closing,
) -> Response<AnswerBody> {
    let (mut head, body) = response.into_parts();
    strip(&mut head.headers);
    // The version is the connection's, not the answer's (RFC 9110 §2.5); hyper lowers it for clients of HTTP/1.0.
    head.version = Version::HTTP_11;
    way.edit_answer(closing.call(), closing.checked(), &mut head.headers);
    closing.answered(head.status.as_u16());
    let ends_here = closing.call().method() == Method::HEAD;
    Response::from_parts(head, AnswerBody::upstream(body, patience, closing, ends_here))
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
