//! Heads of answers of HTTP/1.1 as they arrive, and where their bodies end (RFC 9112 §6).

use bytes::BytesMut;
use http::{HeaderMap, HeaderValue, Response, StatusCode, Version, header, response};
use memchr::memchr;

use crate::call::{Chunks, Ends, Failure, Rest, field, lines};

/// Most header fields of an answer.
const MAX_FIELDS: usize = 100;

/// Header fields that most answers have no more of.
const USUAL_FIELDS: usize = 12;

/// Most bytes of an answer's head.
pub(super) const MAX_HEAD: usize = 256 * 1024;

/// The head of an answer.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) parts: response::Parts,
    pub(super) rest: Rest,
    /// Whether the origin keeps the connection (RFC 9112 §9.3).
    pub(super) keeps: bool,
}

/// How far a head that is not there whole was looked through, so that one that drips is looked through once.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Where its lines end.
    ends: Ends,
    bytes: usize,
}

/// Takes the head of an answer off the front of the buffer; nothing as long as it is not there whole. Lines may end with LF alone,
/// as some origins write them.
///
/// # Errors
/// [`Failure::UpstreamProtocol`] for what is no head of HTTP/1, or too large.
pub(super) fn head(buffer: &mut BytesMut, seen: &mut Seen, to_head: bool) -> Result<Option<Head>, Failure> {
    if !seen.is_whole(buffer)? {
        let none = buffer.len() > MAX_HEAD || !begins(buffer);
        return if none { Err(Failure::UpstreamProtocol) } else { Ok(None) };
    }
    let Seen { ends, bytes: length } = std::mem::take(seen);
    let bytes = buffer.split_to(length).freeze();
    let mut lines = lines(&bytes, &ends);
    let (version, status) = lines.next().and_then(|line| status_line(&bytes[line])).ok_or(Failure::UpstreamProtocol)?;
    let mut headers = HeaderMap::with_capacity(USUAL_FIELDS);
    for line in lines {
        let (name, value) = field(&bytes, line).map_err(|_| Failure::UpstreamProtocol)?;
        headers.append(name, value);
    }
    let (rest, doubtful) = rest(status, version, &headers, to_head)?;
    let goes_on = status == StatusCode::SWITCHING_PROTOCOLS || rest == Rest::UntilClosed;
    let keeps = !goes_on && !doubtful && keeps(version, &headers);
    let (mut parts, ()) = Response::new(()).into_parts();
    (parts.status, parts.version, parts.headers) = (status, version, headers);
    Ok(Some(Head { parts, rest, keeps }))
}

impl Seen {
    /// Looks on through a head, up to the empty line behind which it ends; whether that is there.
    fn is_whole(&mut self, buffer: &[u8]) -> Result<bool, Failure> {
        while let Some(found) = memchr(b'\n', &buffer[self.bytes..]) {
            let end = self.bytes + found;
            let begin = self.ends.last().map_or(0, |last| last + 1);
            self.ends.push(end);
            self.bytes = end + 1;
            if begin > 0 && matches!(&buffer[begin..end], b"" | b"\r") {
                return Ok(true);
            }
            // The first line tells the status.
            if self.ends.len() > 1 + MAX_FIELDS {
                return Err(Failure::UpstreamProtocol);
            }
        }
        self.bytes = buffer.len();
        Ok(false)
    }
}

/// Whether an answer begins so.
fn begins(bytes: &[u8]) -> bool {
    const BEGIN: &[u8] = b"HTTP/1.";
    let there = bytes.len().min(BEGIN.len());
    bytes[..there] == BEGIN[..there]
}

/// RFC 9112 §4. What the reason says is of no matter.
fn status_line(line: &[u8]) -> Option<(Version, StatusCode)> {
    let version = match line.get(..9)? {
        b"HTTP/1.1 " => Version::HTTP_11,
        b"HTTP/1.0 " => Version::HTTP_10,
        _ => return None,
    };
    match line.get(12) {
        None | Some(b' ') => Some((version, StatusCode::from_bytes(line.get(9..12)?).ok()?)),
        Some(_) => None,
    }
}

/// What follows a head, and whether that may be taken for something else (RFC 9112 §6.3). Refused is what could be read in two ways,
/// or is coded for the transfer by more than chunks.
fn rest(status: StatusCode, version: Version, headers: &HeaderMap, to_head: bool) -> Result<(Rest, bool), Failure> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let rest = match (codings.next(), lengths.next()) {
        (None, None) => Rest::UntilClosed,
        // HTTP/1.0 knows no transfer codings: who sends one anyway may mean something else by it.
        (Some(coding), None) if version == Version::HTTP_11 && coding.as_bytes().eq_ignore_ascii_case(b"chunked") => {
            Rest::Chunked(Chunks::default())
        }
        (None, Some(length)) => Rest::of_length(number(length).ok_or(Failure::UpstreamProtocol)?),
        (Some(_), _) => return Err(Failure::UpstreamProtocol),
    };
    if codings.next().is_some() || lengths.next().is_some() {
        return Err(Failure::UpstreamProtocol);
    }
    let bare = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    // A length may be told of what is not modified (RFC 9110 §8.6), but its bytes may not follow. An origin that means them to
    // would have them taken for the answer to another call.
    let doubtful = bare && matches!(rest, Rest::Sized(_) | Rest::Chunked(_));
    let none = bare || to_head || status.is_informational();
    Ok((if none { Rest::Done } else { rest }, doubtful))
}

fn number(length: &HeaderValue) -> Option<u64> {
    let digits = length.as_bytes().iter().all(u8::is_ascii_digit);
    length.to_str().ok().filter(|_| digits)?.parse().ok()
}

fn keeps(version: Version, headers: &HeaderMap) -> bool {
    let options = headers.get_all(header::CONNECTION).iter();
    let mut options = options.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    match version {
        Version::HTTP_10 => options.any(|option| option.eq_ignore_ascii_case(b"keep-alive")),
        _ => !options.any(|option| option.eq_ignore_ascii_case(b"close")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Option<(u16, Rest, bool)>, Failure> {
        let found = head(&mut BytesMut::from(text), &mut Seen::default(), false)?;
        Ok(found.map(|head| (head.parts.status.as_u16(), head.rest, head.keeps)))
    }

    #[test]
    fn a_body_ends_where_the_head_says() {
        let chunked = || Rest::Chunked(Chunks::Size);
        for (text, rest, keeps) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", Rest::Sized(5), true),
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Rest::Done, true),
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: x, Close\r\n\r\n", Rest::Sized(5), false),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", chunked(), true),
            ("HTTP/1.1 200\r\n\r\n", Rest::UntilClosed, false),
            ("HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\n", Rest::Sized(1), false),
            ("HTTP/1.0 200 OK\r\ncontent-length: 1\r\nconnection: keep-alive\r\n\r\n", Rest::Sized(1), true),
            ("HTTP/1.1 204 No Content\r\n\r\n", Rest::Done, true),
            ("HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n", Rest::Done, false),
            ("HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n", Rest::Done, false),
        ] {
            let (_, found, kept) = read(text).expect(text).expect(text);
            assert_eq!((found, kept), (rest, keeps), "{text}");
        }
        let mut answer = BytesMut::from("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
        let to_head = head(&mut answer, &mut Seen::default(), true);
        assert_eq!(to_head.expect("a head").expect("whole").rest, Rest::Done);
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for text in [
            "HTTP/2 200 OK\r\n\r\n",
            "220 smtp.example ESMTP\r\n",
            "HTTP/1.1 99 x\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 5x\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\na : b\r\n\r\n",
            "HTTP/1.1 200 OK\r\n folded\r\n\r\n",
            "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, Chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, gzip\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: g\u{8e}ip, chunked\r\ncontent-length: 1\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\ncontent-length: 42\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length:\r\n\r\n",
        ] {
            assert!(matches!(read(text), Err(Failure::UpstreamProtocol)), "{text}");
        }
        for text in ["", "HT", "HTTP/1.1 200 OK\r\ncontent-le", "HTTP/1.1 200 OK\r\na: b\r\n"] {
            assert!(matches!(read(text), Ok(None)), "{text}");
        }
        for text in ["H2", "\r\nHTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 200\tOK\r\n\r\n"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(matches!(read("HTTP/1.1 200 OK\ncontent-length: 5\n\n"), Ok(Some((200, Rest::Sized(5), true)))));
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(MAX_FIELDS + 1));
        assert!(read(&many).is_err());
        assert!(read(&format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(MAX_HEAD))).is_err());
    }

    #[test]
    fn a_head_that_drips_is_looked_through_once_and_no_further_than_its_fields_may_go() {
        let (mut buffer, mut seen) = (BytesMut::from("HTTP/1.1 200 OK\r\na: b"), Seen::default());
        assert!(matches!(head(&mut buffer, &mut seen, false), Ok(None)));
        assert_eq!(seen.bytes, buffer.len());
        // Would be the end of the head if it was looked at again.
        let at = buffer.len();
        buffer[at - 2..].copy_from_slice(b"\n\n");
        buffer.extend_from_slice(b"c");
        assert!(matches!(head(&mut buffer, &mut seen, false), Ok(None)));
        buffer[at - 2..at].copy_from_slice(b" b");
        buffer.extend_from_slice(b"\r\n\r\nrest");
        let whole = head(&mut buffer, &mut seen, false).expect("a head").expect("whole");
        assert_eq!((whole.parts.headers["a"].as_bytes(), &buffer[..]), (&b"bc"[..], &b"rest"[..]));
        // Refused before its end is there.
        let begun = |lines: usize| read(&format!("HTTP/1.1 200 OK\r\n{}", "x\n".repeat(lines)));
        assert!(matches!(begun(MAX_FIELDS), Ok(None)));
        assert!(begun(MAX_FIELDS + 1).is_err());
        assert!(read(&format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(MAX_FIELDS))).is_ok());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = head(&mut BytesMut::from(&bytes[..]), &mut Seen::default(), false);
        }
    }
}
