//! What only a client that debugs on this very machine is told: Envoy's response flags, in a header of the answer.

use std::borrow::Cow;

use http::Response;
use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::call::DEBUG;

use super::body::AnswerBody;
use super::client::Client;
use super::worker::Worker;

/// Carries the flags. An origin's header of this name is not passed on.
pub(super) const FLAGS: &str = "x-egress-response-flags";

/// The flags of an answer that has any, until it is known whether they are told.
#[derive(Debug, Clone)]
struct Flags(Cow<'static, str>);

/// Whether a client is told: it asks for it, and its connection comes from this machine. What a balancer says of where a
/// connection comes from does not count.
pub(super) fn is_asked(worker: &Worker, client: &Client, headers: &HeaderMap) -> bool {
    let asks = headers.get(DEBUG).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true"));
    asks && !worker.proxy_protocol && client.peer.to_canonical().is_loopback()
}

/// Notes the flags of an answer.
pub(super) fn note(response: &mut Response<AnswerBody>, flags: Cow<'static, str>) {
    if flags != "-" {
        response.extensions_mut().insert(Flags(flags));
    }
}

/// An answer with its flags told, if they are asked for.
pub(super) fn told(asked: bool, mut response: Response<AnswerBody>) -> Response<AnswerBody> {
    if !asked {
        return response;
    }
    let flags = response.extensions_mut().remove::<Flags>().map_or(Cow::Borrowed("-"), |flags| flags.0);
    if let Ok(flags) = HeaderValue::from_str(&flags) {
        response.headers_mut().insert(HeaderName::from_static(FLAGS), flags);
    }
    response
}
