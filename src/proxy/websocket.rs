//! WebSocket from clients of HTTP/2 (RFC 8441), as origins of HTTP/1.1 are asked for it (RFC 6455 §4).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use hyper::ext::Protocol;

use crate::call::Failure;
use crate::upstream::accept;

/// The only protocol that can be asked for.
const WEBSOCKET: &str = "websocket";

/// A handshake that an origin has to answer with this.
pub(super) struct Handshake(HeaderValue);

/// Makes of a request that asks for WebSocket by extended CONNECT the one that HTTP/1.1 has for it, with a key that is made of
/// chance: HTTP/2 has none. All others stay as they are.
///
/// # Errors
/// [`Failure::Upgrade`] for other protocols.
pub(super) fn translate<B>(
    request: &mut Request<B>,
    chance: impl FnOnce() -> u128,
) -> Result<Option<Handshake>, Failure> {
    let Some(protocol) = request.extensions_mut().remove::<Protocol>() else { return Ok(None) };
    if !protocol.as_str().eq_ignore_ascii_case(WEBSOCKET) {
        return Err(Failure::Upgrade);
    }
    let key = STANDARD.encode(chance().to_be_bytes());
    let value = |text: &str| HeaderValue::try_from(text).map_err(|_| Failure::Upgrade);
    *request.method_mut() = Method::GET;
    let headers = request.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static(WEBSOCKET));
    headers.insert(header::SEC_WEBSOCKET_KEY, value(&key)?);
    Ok(Some(Handshake(value(&accept(key.as_bytes()))?)))
}

impl Handshake {
    /// Whether the client may be told of this answer: a success that opens nothing would be taken for an open WebSocket.
    pub(super) fn fits(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        match status {
            StatusCode::SWITCHING_PROTOCOLS => headers.get(header::SEC_WEBSOCKET_ACCEPT) == Some(&self.0),
            status => !status.is_success(),
        }
    }

    /// The answer that opens it, as HTTP/2 has it.
    pub(super) fn opened<B>(response: &mut Response<B>) {
        *response.status_mut() = StatusCode::OK;
        for name in [header::CONNECTION, header::UPGRADE, header::SEC_WEBSOCKET_ACCEPT] {
            response.headers_mut().remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_must_answer_the_key() {
        let mut request = Request::connect("http://a.example/chat").body(()).expect("a request");
        request.extensions_mut().insert(Protocol::from_static("websocket"));
        let handshake = translate(&mut request, || 7).expect("it is WebSocket").expect("it is asked for");
        assert_eq!((request.method(), request.headers()["upgrade"].as_bytes()), (&Method::GET, &b"websocket"[..]));
        let key = request.headers()["sec-websocket-key"].to_str().expect("text");
        let answer =
            |accept: &str| HeaderMap::from_iter([(header::SEC_WEBSOCKET_ACCEPT, accept.parse().expect("a value"))]);
        assert!(handshake.fits(StatusCode::SWITCHING_PROTOCOLS, &answer(&accept(key.as_bytes()))));
        assert!(!handshake.fits(StatusCode::SWITCHING_PROTOCOLS, &answer("other")));
        assert!(!handshake.fits(StatusCode::OK, &answer(&accept(key.as_bytes()))));
        assert!(handshake.fits(StatusCode::FORBIDDEN, &HeaderMap::new()));
    }

    #[test]
    fn other_protocols_are_refused_and_other_requests_left_alone() {
        let mut request = Request::connect("http://a.example/chat").body(()).expect("a request");
        assert!(matches!(translate(&mut request, || 7), Ok(None)));
        request.extensions_mut().insert(Protocol::from_static("connect-udp"));
        assert!(matches!(translate(&mut request, || 7), Err(Failure::Upgrade)));
    }
}
