//! The head of a request of HTTP/1.1, read once, from the bytes as they arrive.
//!
//! What could be read in two ways (two lengths, a length beside a transfer coding, a fragment in the target, lines that end with
//! LF alone) another server in the chain may read in the other way, so it is refused (RFC 9112 sections 2.2, 6.1, 6.3
//! and 11.2). Nothing is mended.

use bytes::{Buf as _, Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Uri, Version, request};
use memchr::memchr;

use super::Failure;
use super::framing::{Chunks, Ends, Rest, ends_of_fields, field, lines};

/// Most empty lines before a request: some clients send one behind a body (RFC 9112 §2.2).
const MAX_EMPTY_LINES: usize = 4;

/// A request as far as its head tells.
#[derive(Debug)]
pub struct RequestHead {
    /// The head itself.
    pub parts: request::Parts,
    /// Its body.
    pub rest: Rest,
    /// Whether the client lets the connection be kept (RFC 9112 §9.3).
    pub keeps: bool,
    /// Whether it waits to be told that its body is wanted (RFC 9110 §10.1.1).
    pub expects: bool,
    /// Whether it takes trailers of an answer (RFC 9110 §6.5.1).
    pub takes_trailers: bool,
}

/// Bounds of a head.
#[derive(Debug, Clone, Copy)]
pub struct HeadLimits {
    /// Most bytes.
    pub bytes: usize,
    /// Most header fields.
    pub fields: usize,
}

impl RequestHead {
    /// Takes a head off the front of the buffer; nothing as long as it is not there whole. `seen` is how much of the buffer
    /// was looked through before, and zero for a new one.
    ///
    /// # Errors
    /// [`Failure::BadRequest`] for what is no head, or may be another one to others, [`Failure::HeadTooLarge`] past the bounds. Nothing
    /// tells then where the request ends.
    pub fn take(buffer: &mut BytesMut, seen: &mut usize, limits: HeadLimits) -> Result<Option<Self>, Failure> {
        // They stay until the request is there, so that nobody can wait behind ever more of them.
        let empty = buffer.chunks_exact(2).take_while(|line| line == b"\r\n").count();
        if empty > MAX_EMPTY_LINES {
            return Err(Failure::BadRequest("too many empty lines before a request"));
        }
        let (empty, head) = (2 * empty, &buffer[2 * empty..]);
        let ends = ends_of_fields(head, seen.saturating_sub(empty)).map_err(Failure::BadRequest)?;
        match ends.as_ref().and_then(|ends| Some((ends, *ends.last()? + 1))) {
            Some((ends, length)) if length <= limits.bytes => {
                *seen = 0;
                buffer.advance(empty);
                Reading::of(&buffer.split_to(length).freeze(), ends, limits.fields).map(Some)
            }
            None if head.len() < limits.bytes => {
                *seen = buffer.len();
                begins(head).map_err(Failure::BadRequest)?;
                Ok(None)
            }
            Some(_) | None => Err(Failure::HeadTooLarge),
        }
    }
}

/// What was read of a head.
struct Reading {
    version: Version,
    headers: HeaderMap,
    length: Option<u64>,
    chunked: bool,
    closes: bool,
    keeps: bool,
    expects: bool,
    takes_trailers: bool,
}

impl Reading {
    fn of(bytes: &Bytes, ends: &Ends, most: usize) -> Result<RequestHead, Failure> {
        let mut lines = lines(bytes, ends);
        let line = lines.next().unwrap_or_default();
        let (method, uri, version) = request_line(&bytes.slice(line)).map_err(Failure::BadRequest)?;
        let mut reading = Self {
            version,
            // Most programs send no more than that, and its room is small enough to be had quickly.
            headers: HeaderMap::with_capacity(6),
            length: None,
            chunked: false,
            closes: false,
            keeps: version == Version::HTTP_11,
            expects: false,
            takes_trailers: false,
        };
        for (count, line) in lines.enumerate() {
            if count == most {
                return Err(Failure::HeadTooLarge);
            }
            let (name, value) = field(bytes, line).map_err(Failure::BadRequest)?;
            reading.note(&name, &value).map_err(Failure::BadRequest)?;
            reading.headers.append(name, value);
        }
        if reading.chunked && reading.length.is_some() {
            return Err(Failure::BadRequest("both Transfer-Encoding and Content-Length"));
        }
        Ok(reading.head(method, uri))
    }

    fn head(self, method: Method, uri: Uri) -> RequestHead {
        let rest = match self.chunked {
            true => Rest::Chunked(Chunks::default()),
            false => Rest::of_length(self.length.unwrap_or(0)),
        };
        let (mut parts, ()) = Request::new(()).into_parts();
        (parts.method, parts.uri, parts.version, parts.headers) = (method, uri, self.version, self.headers);
        RequestHead {
            parts,
            rest,
            keeps: self.keeps && !self.closes,
            expects: self.expects && self.version == Version::HTTP_11 && rest != Rest::Done,
            takes_trailers: self.takes_trailers,
        }
    }

    /// Notes what a field says of the message or of the connection.
    fn note(&mut self, name: &HeaderName, value: &HeaderValue) -> Result<(), &'static str> {
        match *name {
            header::CONTENT_LENGTH if self.length.is_some() => return Err("more than one Content-Length header"),
            header::CONTENT_LENGTH => self.length = Some(length(value).ok_or("Content-Length is no number")?),
            header::TRANSFER_ENCODING if self.version == Version::HTTP_10 => {
                return Err("a transfer coding in a request of HTTP/1.0");
            }
            header::TRANSFER_ENCODING => {
                if self.chunked || !value.as_bytes().eq_ignore_ascii_case(b"chunked") {
                    return Err("a transfer coding other than chunked");
                }
                self.chunked = true;
            }
            header::CONNECTION => {
                for option in value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                    self.closes |= option.eq_ignore_ascii_case(b"close");
                    self.keeps |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            header::EXPECT => self.expects = value.as_bytes().eq_ignore_ascii_case(b"100-continue"),
            header::TE => self.takes_trailers = value.as_bytes().eq_ignore_ascii_case(b"trailers"),
            _ => {}
        }
        Ok(())
    }
}

fn length(value: &HeaderValue) -> Option<u64> {
    let digits = value.as_bytes();
    let valid = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| valid)?.parse().ok()
}

/// Method, target and version, with one blank between each (RFC 9112 §3).
fn request_line(line: &Bytes) -> Result<(Method, Uri, Version), &'static str> {
    const NONE: &str = "what was sent is no HTTP/1.1 request";
    let first = memchr(b' ', line).ok_or(NONE)?;
    let second = first + 1 + memchr(b' ', &line[first + 1..]).ok_or(NONE)?;
    let version = match &line[second + 1..] {
        b"HTTP/1.1" => Version::HTTP_11,
        b"HTTP/1.0" => Version::HTTP_10,
        _ => return Err(NONE),
    };
    let method = Method::from_bytes(&line[..first]).map_err(|_| "the method is no token")?;
    let mut target = line.slice(first + 1..second);
    if target.iter().any(|byte| matches!(byte, b'#' | b'"' | b'<' | b'>' | b'`')) {
        target = escaped(&target)?;
    }
    let uri = Uri::from_maybe_shared(target).map_err(|_| "the target is no URI")?;
    Ok((method, uri, version))
}

/// A target in which characters are escaped that clients send and parsers refuse (RFC 3986 §2; browsers escape them).
fn escaped(target: &[u8]) -> Result<Bytes, &'static str> {
    if target.contains(&b'#') {
        return Err("the target has a fragment");
    }
    let is_escaped = |byte: &u8| matches!(byte, b'"' | b'<' | b'>' | b'`');
    let mut escaped = Vec::with_capacity(target.len() + 16);
    for byte in target {
        match is_escaped(byte) {
            true => escaped.extend_from_slice(format!("%{byte:02X}").as_bytes()),
            false => escaped.push(*byte),
        }
    }
    Ok(escaped.into())
}

/// Refuses early what cannot become a head: its first line does not begin with a method.
fn begins(bytes: &[u8]) -> Result<(), &'static str> {
    let word = &bytes[..memchr(b' ', bytes).unwrap_or(bytes.len()).min(64)];
    let is_line_end = matches!(word, b"" | b"\r") && bytes.len() == word.len();
    // A method may come in parts, but of its own bytes only.
    match is_line_end || Method::from_bytes(word).is_ok() {
        true => Ok(()),
        false => Err("what was sent is no HTTP/1.1 request"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::framing::Piece;
    use super::*;

    const LIMITS: HeadLimits = HeadLimits { bytes: 4096, fields: 20 };

    /// What ends a reading: nothing more to read, or why it cannot go on.
    type End = Result<(), &'static str>;

    /// The requests in some bytes that come in pieces: where each head and each request ends; and how it ends.
    fn requests(bytes: &[u8], piece: usize) -> (Vec<(usize, usize)>, End) {
        let (mut buffer, mut seen, mut found, mut open) = (BytesMut::new(), 0, Vec::new(), None);
        let (mut place, mut ended) = (0, Ok(()));
        for piece in bytes.chunks(piece) {
            buffer.extend_from_slice(piece);
            place += piece.len();
            while ended.is_ok() {
                let (head, mut rest) = match open.take() {
                    Some(open) => open,
                    None => match RequestHead::take(&mut buffer, &mut seen, LIMITS) {
                        Ok(Some(head)) => (place - buffer.len(), head.rest),
                        Ok(None) => break,
                        Err(failure) => {
                            ended = Err(failure.reason());
                            break;
                        }
                    },
                };
                let taken = loop {
                    match rest.take(&mut buffer) {
                        Ok(Piece::Data(_)) => {}
                        taken => break taken,
                    }
                };
                match taken {
                    Ok(Piece::More) => {
                        open = Some((head, rest));
                        break;
                    }
                    Ok(_) => found.push((head, place - buffer.len())),
                    Err(reason) => ended = Err(reason),
                }
            }
        }
        (found, ended)
    }

    fn read(text: &str) -> Result<RequestHead, &'static str> {
        let taken = RequestHead::take(&mut BytesMut::from(text), &mut 0, LIMITS);
        taken.map(|head| head.unwrap_or_else(|| panic!("{text:?} is not whole"))).map_err(Failure::reason)
    }

    #[test]
    fn heads_that_can_be_read_in_two_ways_are_refused() {
        const CODING: &str = "a transfer coding other than chunked";
        const LENGTH: &str = "Content-Length is no number";
        for (fields, expected) in [
            ("", None),
            ("content-length: 5\r\n", None),
            ("Content-LENGTH:\t05 \r\n", None),
            ("Transfer-Encoding: Chunked\r\n", None),
            ("transfer-encodings: gzip\r\nte: gzip\r\n", None),
            ("content-length: 5\r\ntransfer-encoding: chunked\r\n", Some("both Transfer-Encoding and Content-Length")),
            ("transfer-encoding: chunked\r\ncontent-length: 0\r\n", Some("both Transfer-Encoding and Content-Length")),
            ("content-length: 5\r\ncontent-length: 5\r\n", Some("more than one Content-Length header")),
            ("content-length: 5, 5\r\n", Some(LENGTH)),
            ("content-length: +5\r\n", Some(LENGTH)),
            ("content-length:\r\n", Some(LENGTH)),
            ("content-length: 18446744073709551616\r\n", Some(LENGTH)),
            ("transfer-encoding: gzip, chunked\r\n", Some(CODING)),
            ("transfer-encoding: chunked, chunked\r\n", Some(CODING)),
            ("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", Some(CODING)),
            ("transfer-encoding: identity\r\n", Some(CODING)),
            ("transfer-encoding:\r\n", Some(CODING)),
            ("x: y\n", Some("a line of the head ends with LF alone")),
            ("x: y\r\n z\r\n", Some("a header is folded into several lines")),
            ("x y: z\r\n", Some("the name of a header is not valid")),
            ("content-length : 5\r\n", Some("the name of a header is not valid")),
            ("x\r\n", Some("a line of the head is no header")),
            ("x: a\rb\r\n", Some("the value of a header has a control character")),
        ] {
            assert_eq!(read(&format!("POST / HTTP/1.1\r\n{fields}\r\n")).err(), expected, "{fields:?}");
        }
        assert_eq!(read("GET /a#b HTTP/1.1\r\n\r\n").err(), Some("the target has a fragment"));
        assert!(read("X# /a HTTP/1.1\r\n\r\n").is_ok());
        assert_eq!(read("GET / HTTP/1.1\r\n\n").err(), Some("a line of the head ends with LF alone"));
        let coded = "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n";
        assert_eq!(read(coded).err(), Some("a transfer coding in a request of HTTP/1.0"));
        for line in
            ["GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET / HTTP/1.2", "GET /", "GET / HTTP/1.1 ", " GET / HTTP/1.1"]
        {
            assert!(read(&format!("{line}\r\n\r\n")).is_err(), "{line:?}");
        }
    }

    #[test]
    fn what_is_no_http_is_refused_before_it_ends() {
        let taken = |text: &[u8]| RequestHead::take(&mut BytesMut::from(text), &mut 0, LIMITS);
        for text in [&b"\x16\x03\x01\x02"[..], b"G\0T", b"(", b"\x80", b"\r\r"] {
            assert!(taken(text).is_err(), "{text:?}");
        }
        for text in [&b""[..], b"\r", b"\r\n", b"\r\n\r", b"G", b"GET ", b"GET / HTTP/1.1\r\nx: y"] {
            assert!(matches!(taken(text), Ok(None)), "{text:?}");
        }
        let long = [b"GET /".as_slice(), &[b'a'; 4096]].concat();
        assert!(matches!(taken(&long), Err(Failure::HeadTooLarge)));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(21));
        assert!(matches!(taken(many.as_bytes()), Err(Failure::HeadTooLarge)));
        let empty = |count: usize| "\r\n".repeat(count);
        assert!(matches!(taken(empty(MAX_EMPTY_LINES).as_bytes()), Ok(None)));
        assert!(matches!(taken(empty(MAX_EMPTY_LINES + 1).as_bytes()), Err(Failure::BadRequest(_))));
        let ended = |count| requests(format!("{}GET / HTTP/1.1\r\n\r\n", empty(count)).as_bytes(), 1).1.is_ok();
        assert_eq!([ended(MAX_EMPTY_LINES), ended(MAX_EMPTY_LINES + 1)], [true, false]);
    }

    #[test]
    fn what_a_parser_would_refuse_in_a_target_is_escaped_before_it() {
        let target = |text: &str| read(&format!("GET {text} HTTP/1.1\r\n\r\n")).map(|head| head.parts.uri.to_string());
        assert_eq!(target("/?\"a\"").as_deref(), Ok("/?%22a%22"));
        assert_eq!(target("/<>`").as_deref(), Ok("/%3C%3E%60"));
    }

    #[test]
    fn connections_are_kept_as_the_head_says() {
        for (line, fields, keeps) in [
            ("HTTP/1.1", "", true),
            ("HTTP/1.1", "connection: x, Close\r\n", false),
            ("HTTP/1.1", "connection: close\r\nconnection: keep-alive\r\n", false),
            ("HTTP/1.0", "", false),
            ("HTTP/1.0", "connection: Keep-Alive\r\n", true),
            ("HTTP/1.0", "connection: keep-alive, close\r\n", false),
        ] {
            assert_eq!(read(&format!("GET / {line}\r\n{fields}\r\n")).map(|head| head.keeps), Ok(keeps), "{fields:?}");
        }
        let expects = |line: &str, length: u8| {
            read(&format!("PUT / {line}\r\nexpect: 100-Continue\r\ncontent-length: {length}\r\n\r\n"))
                .map(|head| head.expects)
        };
        assert_eq!(
            [expects("HTTP/1.1", 1), expects("HTTP/1.0", 1), expects("HTTP/1.1", 0)],
            [Ok(true), Ok(false), Ok(false)]
        );
    }

    #[test]
    fn requests_end_where_their_framing_says() {
        let more = b"GET / HTTP/1.1\r\n\r\n";
        for request in [
            "\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3;x=\"y\"\r\nabc\r\n0A \r\n0123456789\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n000\r\na: b\r\n\r\n",
            "CONNECT a:443 HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nupgrade: x\r\ncontent-length: 1\r\n\r\n.",
        ] {
            let bytes = [request.as_bytes(), more].concat();
            let whole = requests(&bytes, usize::MAX);
            let (ends, ended): (Vec<_>, _) = (whole.0.iter().map(|(_, end)| *end).collect(), whole.1);
            assert_eq!((ends, ended), (vec![request.len(), bytes.len()], Ok(())), "{request:?}");
            assert_eq!(requests(&bytes, 1), whole, "{request:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_read_the_same_however_they_are_cut(
            pieces in prop::collection::vec(
                prop::sample::select(&[
                    "GET / HTTP/1.1\r\n", "POST /x HTTP/1.1\r\n", "host: a\r\n", "content-length: 3\r\n", "\r\n", "\n", "\r",
                    "transfer-encoding: chunked\r\n", "3\r\nabc\r\n", "0\r\n", "abc", " x\r\n", ":", "\u{e4}",
                ][..]),
                0..12,
            ),
            size in 1_usize..9,
        ) {
            let bytes = pieces.concat();
            let (whole, ended) = requests(bytes.as_bytes(), usize::MAX);
            let (cut, cut_ended) = requests(bytes.as_bytes(), size);
            prop_assert_eq!(whole, cut);
            prop_assert_eq!(ended.is_ok(), cut_ended.is_ok());
        }
    }
}
