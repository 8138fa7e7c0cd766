//! What changes protocol at origins that are spoken to in HTTP/2: WebSocket by extended CONNECT (RFC 8441), on a connection
//! of its own.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::ext::Protocol;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use crate::call::Failure;

use super::multiplexed::{self, Answered};
use super::request_body::RequestBody;
use super::stream::Stream;

/// The only protocol that is asked for in HTTP/2.
const WEBSOCKET: &str = "websocket";

/// What is hashed with the key, to show that an origin knows WebSocket (RFC 6455 §1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// How long an origin has to say that it takes extended CONNECT; its settings are the first that it sends (RFC 9113 §3.4).
const SETTINGS_TIME: Duration = Duration::from_secs(2);

/// How often it is looked whether they have come: hyper does not tell.
const LOOK: Duration = Duration::from_millis(2);

/// How an origin answers a key (RFC 6455 §4.2.2).
pub fn accept(key: &[u8]) -> String {
    STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key, GUID.as_bytes()].concat()))
}

/// Whether a request asks for WebSocket.
pub(super) fn asks(request: &Request<RequestBody>) -> bool {
    let wanted = request.headers().get(header::UPGRADE);
    wanted.is_some_and(|wanted| wanted.as_bytes().eq_ignore_ascii_case(WEBSOCKET.as_bytes()))
}

/// Opens a WebSocket on a new connection, without TLS; the answer is as HTTP/1.1 would have it.
pub(super) async fn open(stream: Stream, mut request: Request<RequestBody>) -> Answered {
    let line = match multiplexed::begin(stream).await {
        Ok(line) => line,
        Err(failure) => return Err((failure, Some(request))),
    };
    // To ask an origin that has not said so would be an error of ours (RFC 8441 §3).
    let said = async {
        while !line.takes_extended_connect() {
            tokio::time::sleep(LOOK).await;
        }
    };
    if tokio::time::timeout(SETTINGS_TIME, said).await.is_err() {
        return Err((Failure::UpstreamProtocol, None));
    }
    let key = request.headers_mut().remove(header::SEC_WEBSOCKET_KEY);
    multiplexed::target(&mut request, false);
    *request.method_mut() = Method::CONNECT;
    request.extensions_mut().insert(Protocol::from_static(WEBSOCKET));
    Ok(opened(multiplexed::send(&mut line.sender(), request).await?, key.as_ref()))
}

/// The answer that opens it, as HTTP/1.1 has it.
fn opened(mut response: Response<Incoming>, key: Option<&HeaderValue>) -> Response<Incoming> {
    if response.status().is_success() {
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static(WEBSOCKET));
        if let Some(accepted) = key.and_then(|key| HeaderValue::try_from(accept(key.as_bytes())).ok()) {
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, accepted);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_key_is_answered_as_the_standards_example_is() {
        assert_eq!(super::accept(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
