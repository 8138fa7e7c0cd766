//! Answers of our own, and what is taken off the origin's.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};
use smallvec::SmallVec;
use tokio::net::TcpStream;

use crate::call::{Failure, ServerFault, is_plain_option};
use crate::metrics::Counter;
use crate::routing::Answer;

use super::body::AnswerBody;
use super::debug;
use super::grpc;
use super::identify::challenges;
use super::report::Closing;
use super::worker::Worker;

/// Why a connection is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Away {
    /// There are as many as there may be.
    Connections,
    /// Its caller has as many as one may have.
    Crowded,
    /// There is no memory for it.
    Memory,
}

impl Away {
    /// What its client reads.
    fn text(self) -> &'static [u8] {
        match self {
            Away::Connections => {
                b"HTTP/1.1 503 Service Unavailable\r\nserver: egressctl\r\ncontent-type: text/plain\r\n\
                  content-length: 38\r\nconnection: close\r\n\r\negressctl: too many client connections"
            }
            Away::Crowded => {
                b"HTTP/1.1 429 Too Many Requests\r\nserver: egressctl\r\ncontent-type: text/plain\r\n\
                  content-length: 46\r\nconnection: close\r\n\r\negressctl: too many connections of this caller"
            }
            Away::Memory => {
                b"HTTP/1.1 503 Service Unavailable\r\nserver: egressctl\r\ncontent-type: text/plain\r\n\
                  content-length: 24\r\nconnection: close\r\n\r\negressctl: out of memory"
            }
        }
    }
}

/// Tells that a destination takes no more calls (Envoy's name).
const OVERLOADED: HeaderName = HeaderName::from_static("x-envoy-overloaded");

/// Names the decision in an answer of ours.
const DECISION_ID: HeaderName = HeaderName::from_static("x-egress-decision-id");

/// The answer to a call that failed.
pub(super) fn answer(failure: Failure, mut closing: Closing) -> Response<AnswerBody> {
    closing.failed(failure);
    let id = closing.call().decision_id();
    told(failure, Some(id), Some(closing))
}

/// The answer to what never became a call; `id` names the decision not to take it, where that was recorded.
pub(super) fn answer_unread(failure: Failure, id: Option<String>) -> Response<AnswerBody> {
    told(failure, id, None)
}

fn told(failure: Failure, id: Option<String>, closing: Option<Closing>) -> Response<AnswerBody> {
    let mut text = failure.body(closing.as_ref().map_or("", Closing::message));
    if let Some(id) = id.as_ref().filter(|_| !failure.is_verbatim()) {
        text.push_str(&format!("egressctl why {id}\n"));
    }
    let flags = closing.as_ref().map_or(Cow::Borrowed(failure.flag()), Closing::flags);
    let ends_here = gets_head_only(closing.as_ref());
    let grpc = closing.as_ref().and_then(|closing| grpc::status(closing.call(), failure));
    if let Some(status) = grpc {
        let headers = grpc::headers(status, text.lines().next().unwrap_or_default());
        let mut response = Response::new(AnswerBody::text(Bytes::new(), closing, ends_here));
        *response.headers_mut() = headers;
        response.headers_mut().extend(id.and_then(|id| HeaderValue::try_from(id).ok()).map(|id| (DECISION_ID, id)));
        debug::note(&mut response, flags);
        return response;
    }
    let mut response = Response::new(AnswerBody::text(Bytes::from(text), closing, ends_here));
    debug::note(&mut response, flags);
    *response.status_mut() = StatusCode::from_u16(failure.status()).unwrap_or(StatusCode::BAD_GATEWAY);
    let headers = response.headers_mut();
    headers.insert(header::SERVER, HeaderValue::from_static("egressctl"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    if let Some(id) = id.and_then(|id| HeaderValue::try_from(id).ok()) {
        headers.insert(DECISION_ID, id);
    }
    if let Failure::Unproven(why) = failure {
        headers.extend(challenges(why).map(|challenge| (header::PROXY_AUTHENTICATE, challenge)));
    }
    if failure == Failure::Overflow {
        headers.insert(OVERLOADED, HeaderValue::from_static("true"));
    }
    let ends = matches!(failure, Failure::BadRequest(_) | Failure::HeadTooLarge | Failure::NestedConnect);
    if ends || failure == Failure::Server(ServerFault::Changed) {
        // What follows on the connection may be the rest of what could not be understood, or meant for a tunnel, or is refused
        // too.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The answer of an authorizer that does not let a call go.
pub(super) fn unauthorized(failure: Failure, mut answer: Answer, mut closing: Closing) -> Response<AnswerBody> {
    closing.failed(failure);
    if let Ok(id) = HeaderValue::try_from(closing.call().decision_id()) {
        answer.headers.insert(DECISION_ID, id);
    }
    own(answer, closing)
}

/// The answer that a route gives instead of an origin.
pub(super) fn own(answer: Answer, mut closing: Closing) -> Response<AnswerBody> {
    let Answer { status, headers, body } = answer;
    closing.answered(status);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    // RFC 9110 sections 15.3.5 and 15.4.5: these have no body.
    let bare = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let body = if bare { Bytes::new() } else { body };
    let (flags, ends_here) = (closing.flags(), gets_head_only(Some(&closing)));
    let mut response = Response::new(AnswerBody::text(body, Some(closing), ends_here));
    debug::note(&mut response, flags);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response.headers_mut().entry(header::SERVER).or_insert(HeaderValue::from_static("egressctl"));
    response
}

/// Whether the caller asked for a head alone, so that nobody reads the body to its end.
fn gets_head_only(closing: Option<&Closing>) -> bool {
    closing.is_some_and(|closing| closing.call().method() == Method::HEAD)
}

/// The answer when there is no room for a report: nothing is forwarded that could not be recorded.
pub(super) fn overloaded(worker: &Worker) -> Response<AnswerBody> {
    worker.count_overload();
    answer_unread(Failure::Overload, None)
}

/// Tells a client why its connection is not taken, without ever waiting for it.
pub(super) fn turn_away(worker: &Worker, stream: TcpStream, why: Away) {
    worker.shard.count(Counter::ConnectionsRefused);
    // The socket buffer of a new connection has room; a client that does not read it loses nothing but the reason.
    let _ = stream.try_write(why.text());
}

/// Removes from an origin's head what is for its own connection only (RFC 9110 §7.6.1).
pub(super) fn strip(headers: &mut HeaderMap) {
    // Comparing text takes less than comparing names.
    let goes = |name: &&HeaderName| {
        matches!(
            name.as_str(),
            debug::FLAGS
                | "connection"
                | "proxy-authenticate"
                | "keep-alive"
                | "proxy-connection"
                | "transfer-encoding"
                | "upgrade"
        )
    };
    // Most answers have one of them at most.
    let mut present: SmallVec<[HeaderName; 4]> = SmallVec::new();
    present.extend(headers.keys().filter(goes).cloned());
    if present.contains(&header::CONNECTION) {
        for name in named_in_connection(headers) {
            headers.remove(name);
        }
    }
    for name in present {
        headers.remove(name);
    }
}

/// The headers that the origin declares to be for this connection; never those that frame or describe the answer.
fn named_in_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let names = values.flat_map(|value| value.split(',')).map(str::trim).filter(|name| !is_plain_option(name));
    let names = names.filter_map(|name| name.parse::<HeaderName>().ok());
    names.filter(|name| *name != header::CONTENT_LENGTH && *name != header::CONTENT_TYPE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_origin_says_to_its_connection_is_not_passed_on() {
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("connection", "x-hop, close"), ("x-hop", "1"), ("proxy-authenticate", "Basic"), ("x", "2")]
        {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        strip(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x"]);
    }

    #[test]
    fn the_turned_away_answer_has_the_length_it_says() {
        for away in [Away::Connections, Away::Crowded, Away::Memory] {
            let text = std::str::from_utf8(away.text()).expect("ASCII");
            let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
            assert!(head.contains(&format!("content-length: {}", body.len())), "{}", body.len());
        }
    }
}
