//! Carrying out a forward: endpoint, request, answer, in time.

use std::cell::Cell;
use std::rc::Rc;
use std::slice;
use std::time::Duration;

use http::uri::{Parts, Uri};
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body::Body as _;
use hyper::body::Incoming;

use crate::call::{Call, Failure, Side};
use crate::decision::Forward;
use crate::policy::verdict::HeaderEdit;
use crate::resource::kinds::rule::Operation;
use crate::routing::{Endpoint, Target};
use crate::upstream::{RequestBody, ResponseBody};

use super::exchange::now;
use super::report::Closing;
use super::worker::Worker;

/// Sends a call to its cluster and waits for the head of the answer.
pub(super) async fn forward(
    worker: &Worker,
    way: Forward<'_>,
    closing: &Closing,
    body: Incoming,
    request_bytes: Rc<Cell<u64>>,
) -> Result<Response<ResponseBody>, Failure> {
    let (cluster, call) = (way.cluster, closing.call());
    let original = cluster.original(call);
    let (endpoints, place) = match (&original, &cluster.target) {
        (Some(original), _) => (slice::from_ref(original), 0),
        (None, Target::Gateway(_)) => return Err(Failure::NoEndpoint),
        (None, Target::Endpoints(endpoints)) => {
            let place = cluster.balance.pick(call, call.chance(), call.time().micros(), &[]);
            (endpoints.as_slice(), place.ok_or(Failure::NoEndpoint)?)
        }
    };
    let timeout = way.timeout.unwrap_or(worker.limits.response_timeout);
    let sent = async {
        let room = match &cluster.limits {
            Some(limits) => Some(worker.upstream.room(&cluster.name, limits).await?),
            None => None,
        };
        let busy = (endpoints.len() > 1).then(|| cluster.balance.enter(place));
        closing.keep((room, busy));
        send(worker, &endpoints[place], cluster.connect_timeout, closing, body, request_bytes).await
    };
    let mut answered = tokio::time::timeout(timeout, sent).await.unwrap_or(Err(Failure::Timeout));
    match &mut answered {
        Ok(response) => {
            cluster.balance.ended(place, Some(response.status().as_u16()), now().micros());
            let cookie = cluster.balance.cookie(call).and_then(|cookie| HeaderValue::try_from(cookie).ok());
            if let Some(cookie) = cookie {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
        }
        Err(failure) if failure.side() == Side::Upstream => cluster.balance.ended(place, None, now().micros()),
        Err(_) => {}
    }
    answered
}

async fn send(
    worker: &Worker,
    endpoint: &Endpoint,
    connect_timeout: Duration,
    closing: &Closing,
    body: Incoming,
    request_bytes: Rc<Cell<u64>>,
) -> Result<Response<ResponseBody>, Failure> {
    let (call, edits) = (closing.call(), &closing.checked().request_edits);
    let repeatable = body.is_end_stream() && is_idempotent(call.method());
    let request = request(call, edits, RequestBody::new(body, request_bytes));
    let first = worker.upstream.send(endpoint, connect_timeout, request).await;
    match first {
        // The origin closed a kept connection just then: a request without effects is asked once more.
        Err(failed) if failed.reused && repeatable && failed.failure == Failure::UpstreamClosed => {
            let again = self::request(call, edits, RequestBody::empty());
            worker.upstream.send_anew(endpoint, connect_timeout, again).await.map_err(|failed| failed.failure)
        }
        other => other.map_err(|failed| failed.failure),
    }
}

/// RFC 9110 §9.2.2.
fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE)
}

/// The request as it is sent: written from the call, and what rules change of its headers.
fn request(call: &Call, edits: &[HeaderEdit], body: RequestBody) -> Request<RequestBody> {
    let mut request = Request::new(body);
    *request.method_mut() = call.method().clone();
    let mut uri = Parts::default();
    uri.path_and_query = Some(call.path_and_query().clone());
    *request.uri_mut() = Uri::from_parts(uri).expect("a path alone is a valid URI");
    *request.headers_mut() = call.headers().clone();
    edit(request.headers_mut(), edits);
    let host = HeaderValue::from_str(call.authority().as_str()).expect("a normalized authority is plain ASCII");
    request.headers_mut().insert(header::HOST, host);
    if let Some(protocol) = call.upgrade() {
        request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        request.headers_mut().insert(header::UPGRADE, protocol.clone());
    }
    if !request.body().is_end_stream() && request.body().size_hint().exact().is_none() {
        // hyper would send a GET without its body otherwise.
        request.headers_mut().insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    request
}

/// Makes the changes that rules ask for.
pub(super) fn edit(headers: &mut HeaderMap, edits: &[HeaderEdit]) {
    for HeaderEdit { name, operation, values } in edits {
        if *operation != Operation::Append {
            headers.remove(name);
        }
        for value in values {
            headers.append(name, value.clone());
        }
    }
}
