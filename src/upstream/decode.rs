//! Answers of HTTP/1.1 as they arrive: heads, and where their bodies end (RFC 9112 §6).

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version, header, response};
use memchr::memchr;
use smallvec::SmallVec;

use crate::call::Failure;

/// Most header fields of an answer.
const MAX_FIELDS: usize = 100;

/// Most bytes of an answer's head.
pub(super) const MAX_HEAD: usize = 256 * 1024;

/// Most bytes of a line that tells the size of a chunk, its extensions included.
const MAX_CHUNK_LINE: usize = 4 * 1024;

/// Most bytes of trailers.
const MAX_TRAILERS: usize = 64 * 1024;

/// What is still to come of an answer's body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// So many bytes.
    Sized(u64),
    /// Chunks.
    Chunked(Chunks),
    /// All, until the origin closes.
    UntilClosed,
    /// Nothing.
    Done,
}

/// The head of an answer.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) parts: response::Parts,
    pub(super) rest: Rest,
    /// Whether the origin keeps the connection (RFC 9112 §9.3).
    pub(super) keeps: bool,
}

/// Takes the head of an answer off the front of the buffer; nothing as long as it is not there whole.
///
/// # Errors
/// [`Failure::UpstreamProtocol`] for what is no head of HTTP/1, or too large.
pub(super) fn head(buffer: &mut BytesMut, to_head: bool) -> Result<Option<Head>, Failure> {
    let mut room = [const { std::mem::MaybeUninit::uninit() }; MAX_FIELDS];
    let mut found = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default()
        .parse_response_with_uninit_headers(&mut found, buffer, &mut room)
        .map_err(|_| Failure::UpstreamProtocol)?;
    let httparse::Status::Complete(length) = parsed else {
        return if buffer.len() > MAX_HEAD { Err(Failure::UpstreamProtocol) } else { Ok(None) };
    };
    let status = found.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(Failure::UpstreamProtocol)?;
    let version = if found.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    let start = buffer.as_ptr() as usize;
    let place = |text: &[u8]| {
        let from = text.as_ptr() as usize - start;
        from..from + text.len()
    };
    let fields: SmallVec<[_; 24]> =
        found.headers.iter().map(|field| (place(field.name.as_bytes()), place(field.value))).collect();
    let bytes = buffer.split_to(length).freeze();
    let mut headers = HeaderMap::with_capacity(fields.len());
    for (name, value) in fields {
        let name = HeaderName::from_bytes(&bytes[name]).map_err(|_| Failure::UpstreamProtocol)?;
        // The value is a piece of the head: it is not copied.
        let value = HeaderValue::from_maybe_shared(bytes.slice(value)).map_err(|_| Failure::UpstreamProtocol)?;
        headers.append(name, value);
    }
    let rest = rest(status, version, &headers, to_head)?;
    let goes_on = status == StatusCode::SWITCHING_PROTOCOLS || rest == Rest::UntilClosed;
    let keeps = !goes_on && !is_doubtful(status, &headers) && keeps(version, &headers);
    let (mut parts, ()) = Response::new(()).into_parts();
    (parts.status, parts.version, parts.headers) = (status, version, headers);
    Ok(Some(Head { parts, rest, keeps }))
}

/// RFC 9112 §6.3.
fn rest(status: StatusCode, version: Version, headers: &HeaderMap, to_head: bool) -> Result<Rest, Failure> {
    let bare = status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if bare || to_head {
        return Ok(Rest::Done);
    }
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    if let Some(last) = codings.next_back() {
        // HTTP/1.0 knows no transfer codings: who sends one anyway may mean something else by it.
        if version == Version::HTTP_10 {
            return Err(Failure::UpstreamProtocol);
        }
        let last = last.as_bytes().rsplit(|byte| *byte == b',').next().unwrap_or_default();
        let chunked = last.trim_ascii().eq_ignore_ascii_case(b"chunked");
        return Ok(if chunked { Rest::Chunked(Chunks::default()) } else { Rest::UntilClosed });
    }
    let Some(length) = headers.get(header::CONTENT_LENGTH) else { return Ok(Rest::UntilClosed) };
    let digits = length.as_bytes().iter().all(u8::is_ascii_digit);
    let length: Option<u64> = length.to_str().ok().filter(|_| digits).and_then(|text| text.parse().ok());
    match length {
        Some(0) => Ok(Rest::Done),
        Some(length) => Ok(Rest::Sized(length)),
        None => Err(Failure::UpstreamProtocol),
    }
}

/// Whether an origin may mean that something follows, where nothing does, or may frame what follows in another way than we
/// read it: then it is not waited for on the same connection for the answer to another call.
fn is_doubtful(status: StatusCode, headers: &HeaderMap) -> bool {
    let bare = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let length = lengths.next();
    let coded = headers.contains_key(header::TRANSFER_ENCODING);
    let told = length.is_some_and(|length| length != "0") || coded;
    // A length may be told of what is not modified (RFC 9110 §8.6), but its bytes may not follow.
    (bare && told) || (length.is_some() && coded) || lengths.next().is_some()
}

fn keeps(version: Version, headers: &HeaderMap) -> bool {
    let options = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let mut options = options.flat_map(|value| value.split(',')).map(str::trim);
    match version {
        Version::HTTP_10 => options.any(|option| option.eq_ignore_ascii_case("keep-alive")),
        _ => !options.any(|option| option.eq_ignore_ascii_case("close")),
    }
}

/// How far the chunks of a body have been read (RFC 9112 §7.1).
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Chunks {
    /// A size comes next.
    #[default]
    Size,
    /// So many bytes of a chunk are to come.
    Data(u64),
    /// The end of a chunk's line comes next.
    DataEnd,
    /// Trailers, or an empty line.
    Trailers,
}

/// What was found next in a chunked body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    Data(Bytes),
    Trailers(HeaderMap),
    End,
    /// More bytes are needed.
    More,
}

impl Chunks {
    /// Takes what comes next off the front of the buffer.
    ///
    /// # Errors
    /// [`Failure::UpstreamProtocol`] for chunks that are none: a size is at least one hexadecimal digit, and every line ends
    /// in CR LF.
    pub(super) fn next(&mut self, buffer: &mut BytesMut) -> Result<Chunk, Failure> {
        loop {
            match self {
                Chunks::Size => {
                    let Some(line) = line(buffer)? else { return Ok(Chunk::More) };
                    *self = match size(&line).ok_or(Failure::UpstreamProtocol)? {
                        0 => Chunks::Trailers,
                        size => Chunks::Data(size),
                    };
                }
                Chunks::Data(0) => *self = Chunks::DataEnd,
                Chunks::Data(_) if buffer.is_empty() => return Ok(Chunk::More),
                Chunks::Data(left) => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(buffer.len());
                    *left -= taken as u64;
                    return Ok(Chunk::Data(buffer.split_to(taken).freeze()));
                }
                Chunks::DataEnd => {
                    match (buffer.first(), buffer.get(1)) {
                        (Some(b'\r'), Some(b'\n')) => buffer.advance(2),
                        (None, _) | (Some(b'\r'), None) => return Ok(Chunk::More),
                        _ => return Err(Failure::UpstreamProtocol),
                    }
                    *self = Chunks::Size;
                }
                Chunks::Trailers => return trailers(buffer),
            }
        }
    }
}

/// A line without its end; nothing as long as it is not there whole.
fn line(buffer: &mut BytesMut) -> Result<Option<BytesMut>, Failure> {
    let Some(end) = memchr(b'\n', &buffer[..buffer.len().min(MAX_CHUNK_LINE)]) else {
        return if buffer.len() < MAX_CHUNK_LINE { Ok(None) } else { Err(Failure::UpstreamProtocol) };
    };
    let mut line = buffer.split_to(end + 1);
    if !line.ends_with(b"\r\n") {
        return Err(Failure::UpstreamProtocol);
    }
    line.truncate(end - 1);
    Ok(Some(line))
}

/// The size that a line tells, whatever its extensions are.
fn size(line: &[u8]) -> Option<u64> {
    let told = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii_end();
    let valid = !told.is_empty() && told.iter().all(u8::is_ascii_hexdigit);
    let clean = line.iter().all(|byte| !byte.is_ascii_control() || *byte == b'\t');
    std::str::from_utf8(told).ok().filter(|_| valid && clean).and_then(|digits| u64::from_str_radix(digits, 16).ok())
}

fn trailers(buffer: &mut BytesMut) -> Result<Chunk, Failure> {
    if buffer.starts_with(b"\r\n") {
        buffer.advance(2);
        return Ok(Chunk::End);
    }
    let mut room = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let (length, trailers) = match httparse::parse_headers(buffer, &mut room) {
        Ok(httparse::Status::Complete((length, fields))) => {
            let field = |field: &httparse::Header<'_>| {
                let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
                Some((name, HeaderValue::from_bytes(field.value).ok()?))
            };
            let mut trailers = HeaderMap::with_capacity(fields.len());
            for found in fields {
                let (name, value) = field(found).ok_or(Failure::UpstreamProtocol)?;
                trailers.append(name, value);
            }
            (length, trailers)
        }
        Ok(httparse::Status::Partial) if buffer.len() < MAX_TRAILERS => return Ok(Chunk::More),
        Ok(httparse::Status::Partial) | Err(_) => return Err(Failure::UpstreamProtocol),
    };
    buffer.advance(length);
    Ok(Chunk::Trailers(trailers))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Option<(u16, Rest, bool)>, Failure> {
        let found = head(&mut BytesMut::from(text), false)?;
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
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, Chunked\r\n\r\n", chunked(), true),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, gzip\r\n\r\n", Rest::UntilClosed, false),
            ("HTTP/1.1 200\r\n\r\n", Rest::UntilClosed, false),
            ("HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\n", Rest::Sized(1), false),
            ("HTTP/1.0 200 OK\r\ncontent-length: 1\r\nconnection: keep-alive\r\n\r\n", Rest::Sized(1), true),
            ("HTTP/1.1 204 No Content\r\n\r\n", Rest::Done, true),
            ("HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n", Rest::Done, false),
            ("HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n", Rest::Done, false),
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\ncontent-length: 42\r\n\r\n", Rest::Done, false),
        ] {
            let (_, found, kept) = read(text).expect(text).expect(text);
            assert_eq!((found, kept), (rest, keeps), "{text}");
        }
        let to_head = head(&mut BytesMut::from("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"), true);
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
        ] {
            assert!(matches!(read(text), Err(Failure::UpstreamProtocol)), "{text}");
        }
        assert!(matches!(read("HTTP/1.1 200 OK\r\ncontent-le"), Ok(None)));
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(MAX_FIELDS + 1));
        assert!(read(&many).is_err());
        assert!(read(&format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(MAX_HEAD))).is_err());
    }

    /// What a chunked body holds, its trailers, and what is left behind it; the bytes come in pieces of these sizes.
    fn unchunk(body: &[u8], sizes: &[usize]) -> Result<Option<(Vec<u8>, usize, usize)>, Failure> {
        let (mut chunks, mut buffer, mut data) = (Chunks::default(), BytesMut::new(), Vec::new());
        let (mut at, mut turn) = (0, 0);
        loop {
            match chunks.next(&mut buffer)? {
                Chunk::Data(bytes) => data.extend_from_slice(&bytes),
                Chunk::Trailers(trailers) => return Ok(Some((data, trailers.len(), buffer.len() + body.len() - at))),
                Chunk::End => return Ok(Some((data, 0, buffer.len() + body.len() - at))),
                Chunk::More if at == body.len() => return Ok(None),
                Chunk::More => {
                    let more = sizes[turn % sizes.len()].min(body.len() - at);
                    buffer.extend_from_slice(&body[at..at + more]);
                    (at, turn) = (at + more, turn + 1);
                }
            }
        }
    }

    #[test]
    fn chunks_are_read_strictly() {
        for (body, expected) in [
            ("3\r\nabc\r\n0\r\n\r\n", Some(("abc", 0))),
            ("3;a=\"b\"\r\nabc\r\n0A \r\n0123456789\r\n0\r\na: b\r\n\r\n", Some(("abc0123456789", 1))),
            ("3\r\nabc", None),
            ("0\r\n", None),
        ] {
            let read = unchunk(body.as_bytes(), &[1]).expect(body);
            assert_eq!(
                read.as_ref().map(|(data, trailers, _)| (data.as_slice(), *trailers)),
                expected.map(|(d, n)| (d.as_bytes(), n)),
                "{body}"
            );
        }
        for body in [
            "\r\n",
            "x\r\n",
            "3\nabc\r\n",
            "3\r\nabcd\r\n",
            "-1\r\n",
            "0x3\r\nabc\r\n",
            "11111111111111111\r\n",
            "3\r\nabc\r0",
            "0\r\na b\r\n\r\n",
            " 3\r\nabc\r\n",
            "3;\rx\r\nabc\r\n",
        ] {
            assert!(unchunk(body.as_bytes(), &[64]).is_err(), "{body:?}");
        }
        assert!(unchunk("1".repeat(MAX_CHUNK_LINE).as_bytes(), &[64]).is_err());
        assert!(unchunk(format!("0\r\na: {}", "b".repeat(MAX_TRAILERS)).as_bytes(), &[4096]).is_err());
    }

    proptest! {
        #[test]
        fn a_body_reads_the_same_however_it_is_cut(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6),
            sizes in prop::collection::vec(1_usize..50, 1..5),
            behind in prop::collection::vec(any::<u8>(), 0..9),
        ) {
            let mut body = Vec::new();
            for piece in &pieces {
                body.extend(format!("{:x}\r\n", piece.len()).bytes());
                body.extend(piece);
                body.extend(b"\r\n");
            }
            body.extend(b"0\r\n\r\n");
            let whole = body.len();
            body.extend(&behind);
            let (data, _, left) = unchunk(&body, &sizes).expect("sound").expect("whole");
            prop_assert_eq!(data, pieces.concat());
            prop_assert_eq!(left, body.len() - whole);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = head(&mut BytesMut::from(&bytes[..]), false);
            let _ = unchunk(&bytes, &[7]);
        }
    }
}
