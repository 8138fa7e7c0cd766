//! Refusals as callers of gRPC read them: 200, and the status in a header (gRPC over HTTP/2, Trailers-Only).

use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, SERVER};

use crate::call::{Abort, Call, Failure};

/// gRPC's status for a failure, if the caller speaks gRPC.
pub(super) fn status(call: &Call, failure: Failure) -> Option<u8> {
    is_spoken(call).then(|| match failure {
        Failure::Denied(code) | Failure::Fault(Abort::Grpc(code)) => code.0,
        failure => of_http(failure.status()),
    })
}

/// Whether a caller speaks gRPC. `application/grpc-web` is read as HTTP.
pub(super) fn is_spoken(call: &Call) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    let said = call.headers().get(CONTENT_TYPE).and_then(|said| said.as_bytes().strip_prefix(GRPC));
    said.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// The status that gRPC gives to one of HTTP (its document "HTTP to gRPC status code mapping").
fn of_http(status: u16) -> u8 {
    match status {
        400 => 13,
        401 | 407 => 16,
        403 => 7,
        404 => 12,
        429 | 502..=504 => 14,
        _ => 2,
    }
}

/// The head of the answer.
pub(super) fn headers(status: u8, message: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(SERVER, HeaderValue::from_static("egressctl"));
    headers.insert(HeaderName::from_static("grpc-status"), HeaderValue::from(u16::from(status)));
    if let Ok(message) = HeaderValue::try_from(escaped(message)) {
        headers.insert(HeaderName::from_static("grpc-message"), message);
    }
    headers
}

/// A message with all but printable ASCII escaped, and `%`.
fn escaped(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_escaped_and_statuses_are_grpcs() {
        let head = headers(7, "no: 100% \u{e9}");
        assert_eq!(head["grpc-message"], "no: 100%25 %C3%A9");
        assert_eq!(head["grpc-status"], "7");
        assert_eq!([400, 404, 503, 500].map(of_http), [13, 12, 14, 2]);
    }
}
