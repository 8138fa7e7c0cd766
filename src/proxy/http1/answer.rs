//! Heads of answers as clients of HTTP/1.1 and HTTP/1.0 get them (RFC 9112 §6, §9.3).

use bytes::BytesMut;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode, Version, response};
use http_body::Body as _;

use crate::upstream::{Framing, Sending, field, tell};

use super::super::body::AnswerBody;
use super::date::Date;

/// What of a request matters for its answer.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) version: Version,
    pub(super) takes_trailers: bool,
    /// Whether the connection may carry another request.
    pub(super) keeps: bool,
}

/// An answer as it is sent, by way of this buffer, and whether the connection is kept after it.
pub(super) fn sending(
    asked: &Asked,
    response: Response<AnswerBody>,
    (mut out, date): (BytesMut, &Date),
) -> (Sending<AnswerBody>, bool) {
    let (head, body) = response.into_parts();
    let framing = framing(asked, &head, &body);
    let keeps = asked.keeps && framing != Framing::UntilClosed && !says_close(&head.headers);
    status_line(&mut out, asked.version, head.status);
    fields(&mut out, asked, &head, &body, framing);
    connection(&mut out, asked, &head, keeps);
    if !head.headers.contains_key(header::DATE) {
        field(&mut out, "date", &date.now());
    }
    out.extend_from_slice(b"\r\n");
    let trailers =
        if framing == Framing::Chunked && asked.takes_trailers { trailers(&head.headers) } else { Vec::new() };
    (Sending::new(out, body, framing).with_trailers(trailers), keeps)
}

/// How the body of an answer ends (RFC 9112 §6.3).
fn framing(asked: &Asked, head: &response::Parts, body: &AnswerBody) -> Framing {
    if body.is_end_stream() || asked.method == Method::HEAD || is_bare(asked, head.status) {
        return Framing::Ended;
    }
    match body.size_hint().exact() {
        Some(length) => Framing::Length(length),
        None if asked.version == Version::HTTP_10 => Framing::UntilClosed,
        None => Framing::Chunked,
    }
}

/// Whether an answer has no body, nor says how long it would be (RFC 9110 sections 8.6, 9.3.6, 15.2, 15.3.5, 15.4.5).
fn is_bare(asked: &Asked, status: StatusCode) -> bool {
    opens(asked, status)
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// Whether what follows is a tunnel.
fn opens(asked: &Asked, status: StatusCode) -> bool {
    asked.method == Method::CONNECT && status.is_success()
}

fn status_line(out: &mut BytesMut, version: Version, status: StatusCode) {
    if version == Version::HTTP_11 && status == StatusCode::OK {
        return out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    }
    let version = if version == Version::HTTP_10 { "HTTP/1.0 " } else { "HTTP/1.1 " };
    for text in [version, status.as_str(), " ", status.canonical_reason().unwrap_or_default(), "\r\n"] {
        out.extend_from_slice(text.as_bytes());
    }
}

/// Writes the fields that are the answer's own; those that frame are made of the body.
fn fields(out: &mut BytesMut, asked: &Asked, head: &response::Parts, body: &AnswerBody, framing: Framing) {
    let bare = is_bare(asked, head.status);
    let mut told = bare || framing == Framing::UntilClosed;
    for (name, value) in &head.headers {
        match *name {
            header::TRANSFER_ENCODING => {}
            header::CONNECTION if head.status != StatusCode::SWITCHING_PROTOCOLS => {}
            header::TRAILER if framing != Framing::Chunked => {}
            header::CONTENT_LENGTH if told => {}
            // What a GET would get (RFC 9110 §8.6).
            header::CONTENT_LENGTH if asked.method == Method::HEAD => {
                told = true;
                field(out, name.as_str(), value.as_bytes());
            }
            header::CONTENT_LENGTH => {
                told = true;
                length(out, framing);
            }
            _ => field(out, name.as_str(), value.as_bytes()),
        }
    }
    if told {
        return;
    }
    match (asked.method == Method::HEAD, body.size_hint().exact()) {
        (true, None | Some(0)) => {}
        (true, Some(length)) => tell(out, Framing::Length(length)),
        (false, _) => length(out, framing),
    }
}

/// Says how long a body is, also that there is none.
fn length(out: &mut BytesMut, framing: Framing) {
    tell(out, if framing == Framing::Ended { Framing::Length(0) } else { framing });
}

/// Says what becomes of the connection, where that is not what its version says.
fn connection(out: &mut BytesMut, asked: &Asked, head: &response::Parts, keeps: bool) {
    match (asked.version, keeps) {
        _ if head.status == StatusCode::SWITCHING_PROTOCOLS || opens(asked, head.status) => {}
        (Version::HTTP_10, true) => field(out, "connection", b"keep-alive"),
        (_, false) => field(out, "connection", b"close"),
        (_, true) => {}
    }
}

fn says_close(headers: &HeaderMap) -> bool {
    let closes = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"close");
    headers.get_all(header::CONNECTION).iter().any(closes)
}

/// The trailers that an answer announces.
fn trailers(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(header::TRAILER).iter();
    let names = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    names.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok()).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    /// What is sent of an answer before its body, but for the date.
    fn sent(asked: (Method, Version, bool), response: Response<AnswerBody>) -> (String, bool) {
        let (method, version, keeps) = asked;
        let asked = Asked { method, version, takes_trailers: false, keeps };
        let (sending, kept) = sending(&asked, response, (BytesMut::new(), &Date::default()));
        let text = String::from_utf8(sending.waiting().to_vec()).expect("text");
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("date: ")).collect();
        (lines.join("\n"), kept)
    }

    fn response(status: u16, fields: &[(&'static str, &'static str)], text: &'static str) -> Response<AnswerBody> {
        let mut response = Response::new(AnswerBody::text(Bytes::from(text), None, false));
        *response.status_mut() = StatusCode::from_u16(status).expect("a status");
        for (name, value) in fields {
            response.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        response
    }

    #[test]
    fn a_head_says_how_its_body_ends_and_what_becomes_of_the_connection() {
        use Version as V;
        let table = [
            (
                (Method::GET, V::HTTP_11, true),
                response(200, &[("x", "y")], "abc"),
                "200 OK\nx: y\ncontent-length: 3\n",
                true,
            ),
            (
                (Method::GET, V::HTTP_11, true),
                response(200, &[("content-length", "9")], "abc"),
                "200 OK\ncontent-length: 3\n",
                true,
            ),
            ((Method::GET, V::HTTP_11, true), response(200, &[], ""), "200 OK\ncontent-length: 0\n", true),
            ((Method::GET, V::HTTP_11, true), response(299, &[], ""), "299 \ncontent-length: 0\n", true),
            (
                (Method::HEAD, V::HTTP_11, true),
                response(200, &[("content-length", "9")], ""),
                "200 OK\ncontent-length: 9\n",
                true,
            ),
            ((Method::HEAD, V::HTTP_11, true), response(200, &[], ""), "200 OK\n", true),
            ((Method::HEAD, V::HTTP_11, true), response(403, &[], "abc"), "403 Forbidden\ncontent-length: 3\n", true),
            ((Method::GET, V::HTTP_11, true), response(204, &[("content-length", "9")], ""), "204 No Content\n", true),
            (
                (Method::GET, V::HTTP_11, true),
                response(304, &[("content-length", "9")], ""),
                "304 Not Modified\n",
                true,
            ),
            ((Method::CONNECT, V::HTTP_11, true), response(200, &[], ""), "200 OK\n", true),
            (
                (Method::GET, V::HTTP_11, false),
                response(200, &[], ""),
                "200 OK\ncontent-length: 0\nconnection: close\n",
                false,
            ),
            (
                (Method::GET, V::HTTP_11, true),
                response(400, &[("connection", "close")], ""),
                "400 Bad Request\ncontent-length: 0\nconnection: close\n",
                false,
            ),
            (
                (Method::GET, V::HTTP_11, true),
                response(101, &[("connection", "upgrade"), ("upgrade", "x")], ""),
                "101 Switching Protocols\nconnection: upgrade\nupgrade: x\n",
                true,
            ),
            (
                (Method::GET, V::HTTP_10, true),
                response(200, &[], ""),
                "200 OK\ncontent-length: 0\nconnection: keep-alive\n",
                true,
            ),
        ];
        for (asked, response, expected, keeps) in table {
            let shown = format!("{asked:?}");
            let version = if asked.1 == V::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" };
            assert_eq!(sent(asked, response), (format!("{version} {expected}"), keeps), "{shown}");
        }
    }
}
