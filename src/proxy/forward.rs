//! Carrying out a forward: endpoint, request, answer, in time.

use std::cell::Cell;
use std::rc::Rc;

use http::uri::{Parts, Uri};
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body::Body as _;
use hyper::body::Incoming;

use crate::call::{Call, Failure};
use crate::decision::Forward;
use crate::policy::verdict::HeaderEdit;
use crate::resource::kinds::rule::Operation;
use crate::routing::{Cluster, Endpoint, Target};
use crate::upstream::{RequestBody, ResponseBody};

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
    let timeout = way.timeout.unwrap_or(worker.limits.response_timeout);
    let sent = send(worker, way.cluster, closing, body, request_bytes);
    tokio::time::timeout(timeout, sent).await.unwrap_or(Err(Failure::Timeout))
}

async fn send(
    worker: &Worker,
    cluster: &Cluster,
    closing: &Closing,
    body: Incoming,
    request_bytes: Rc<Cell<u64>>,
) -> Result<Response<ResponseBody>, Failure> {
    let (call, edits) = (closing.call(), &closing.checked().request_edits);
    let endpoint = choose(cluster, call.chance()).ok_or(Failure::NoEndpoint)?;
    let repeatable = body.is_end_stream() && is_idempotent(call.method());
    let request = request(call, edits, RequestBody::new(body, request_bytes));
    let first = worker.upstream.send(endpoint, cluster.connect_timeout, request).await;
    match first {
        // The origin closed a kept connection just then: a request without effects is asked once more.
        Err(failed) if failed.reused && repeatable && failed.failure == Failure::UpstreamClosed => {
            let again = self::request(call, edits, RequestBody::empty());
            worker.upstream.send_anew(endpoint, cluster.connect_timeout, again).await.map_err(|failed| failed.failure)
        }
        other => other.map_err(|failed| failed.failure),
    }
}

/// RFC 9110 §9.2.2.
fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE)
}

pub(super) fn choose(cluster: &Cluster, chance: u64) -> Option<&Endpoint> {
    let Target::Endpoints(endpoints) = &cluster.target else { return None };
    match endpoints.as_slice() {
        [] => None,
        [only] => Some(only),
        several => Some(&several[usize::try_from(chance % several.len() as u64).ok()?]),
    }
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
