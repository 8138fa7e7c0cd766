//! Where the body of a message of HTTP/1.1 ends (RFC 9112 §6, §7.1), read from the bytes as they arrive.
//!
//! Sizes are digits and nothing else, and every line ends in CR LF: what another server in the chain may read in another way is
//! refused (RFC 9112 sections 2.2, 6.3 and 11.2).

use std::ops::Range;

use bytes::{Buf as _, Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use memchr::memchr;
use smallvec::SmallVec;

/// Most bytes of a line that tells the size of a chunk, its extensions included.
const MAX_CHUNK_LINE: usize = 4 * 1024;

/// Most bytes of trailers.
const MAX_TRAILERS: usize = 64 * 1024;

/// Most fields of trailers.
const MAX_TRAILER_FIELDS: usize = 100;

/// What is still to come of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// So many bytes.
    Sized(u64),
    /// Chunks.
    Chunked(Chunks),
    /// All, until the connection is closed.
    UntilClosed,
    /// Nothing.
    Done,
}

/// What was found next of a body.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes of it.
    Data(Bytes),
    /// What stands behind it, which then has ended.
    Trailers(HeaderMap),
    /// Its end.
    End,
    /// More bytes are needed.
    More,
}

/// How far the chunks of a body have been read.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Chunks {
    /// A size comes next.
    #[default]
    Size,
    /// So many bytes of a chunk are to come.
    Data(u64),
    /// The end of a chunk's line comes next.
    DataEnd,
    /// Trailers, or an empty line. So many bytes of them were looked through already.
    Trailers(usize),
}

impl Rest {
    /// So many bytes are to come.
    pub fn of_length(length: u64) -> Self {
        if length == 0 { Rest::Done } else { Rest::Sized(length) }
    }

    /// How much is to come, where that is known.
    pub fn left(self) -> Option<u64> {
        match self {
            Rest::Sized(left) => Some(left),
            Rest::Done => Some(0),
            Rest::Chunked(_) | Rest::UntilClosed => None,
        }
    }

    /// Takes what comes next of the body off the front of the buffer.
    ///
    /// # Errors
    /// Why what is there is no body.
    pub fn take(&mut self, buffer: &mut BytesMut) -> Result<Piece, &'static str> {
        let piece = match self {
            Rest::Done => return Ok(Piece::End),
            Rest::Chunked(chunks) => chunks.take(buffer)?,
            _ if buffer.is_empty() => return Ok(Piece::More),
            Rest::UntilClosed => return Ok(Piece::Data(buffer.split().freeze())),
            Rest::Sized(left) => {
                let data = split(buffer, left);
                if *left == 0 {
                    *self = Rest::Done;
                }
                return Ok(Piece::Data(data));
            }
        };
        if matches!(piece, Piece::Trailers(_) | Piece::End) {
            *self = Rest::Done;
        }
        Ok(piece)
    }
}

/// Takes what there is of so many bytes.
fn split(buffer: &mut BytesMut, left: &mut u64) -> Bytes {
    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(buffer.len());
    *left -= taken as u64;
    buffer.split_to(taken).freeze()
}

impl Chunks {
    fn take(&mut self, buffer: &mut BytesMut) -> Result<Piece, &'static str> {
        loop {
            match self {
                Chunks::Size => {
                    let Some(line) = chunk_line(buffer)? else { return Ok(Piece::More) };
                    *self = match size(&line).ok_or("the size of a chunk is no number")? {
                        0 => Chunks::Trailers(0),
                        size => Chunks::Data(size),
                    };
                }
                Chunks::Data(0) => *self = Chunks::DataEnd,
                Chunks::Data(_) if buffer.is_empty() => return Ok(Piece::More),
                Chunks::Data(left) => return Ok(Piece::Data(split(buffer, left))),
                Chunks::DataEnd => {
                    match (buffer.first(), buffer.get(1)) {
                        (Some(b'\r'), Some(b'\n')) => buffer.advance(2),
                        (None, _) | (Some(b'\r'), None) => return Ok(Piece::More),
                        _ => return Err("a chunk does not end where its size says"),
                    }
                    *self = Chunks::Size;
                }
                Chunks::Trailers(seen) => return trailers(buffer, seen),
            }
        }
    }
}

/// A line without its end; nothing as long as it is not there whole.
fn chunk_line(buffer: &mut BytesMut) -> Result<Option<BytesMut>, &'static str> {
    let Some(end) = memchr(b'\n', &buffer[..buffer.len().min(MAX_CHUNK_LINE)]) else {
        return if buffer.len() < MAX_CHUNK_LINE { Ok(None) } else { Err("the line of a chunk's size is too long") };
    };
    let mut line = buffer.split_to(end + 1);
    if !line.ends_with(b"\r\n") {
        return Err("the line of a chunk's size ends with LF alone");
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

const TOO_LARGE: &str = "the trailers are too large";

fn trailers(buffer: &mut BytesMut, seen: &mut usize) -> Result<Piece, &'static str> {
    if buffer.starts_with(b"\r\n") {
        buffer.advance(2);
        return Ok(Piece::End);
    }
    let ends = ends_of_fields(buffer, *seen)?;
    let Some((ends, last)) = ends.and_then(|ends| ends.last().copied().map(|last| (ends, last))) else {
        *seen = buffer.len();
        return if buffer.len() < MAX_TRAILERS { Ok(Piece::More) } else { Err(TOO_LARGE) };
    };
    if last >= MAX_TRAILERS {
        return Err(TOO_LARGE);
    }
    let bytes = buffer.split_to(last + 1).freeze();
    let mut trailers = HeaderMap::new();
    for (count, line) in lines(&bytes, &ends).enumerate() {
        if count == MAX_TRAILER_FIELDS {
            return Err("the trailers are too many");
        }
        let (name, value) = field(&bytes, line)?;
        trailers.append(name, value);
    }
    Ok(Piece::Trailers(trailers))
}

/// Where lines end, the last of them an empty one; most heads have no more.
pub(crate) type Ends = SmallVec<[usize; 16]>;

/// Where the lines of header fields end; nothing as long as they are not there whole. So many bytes were looked through already.
///
/// # Errors
/// A line ends with LF alone.
pub(super) fn ends_of_fields(bytes: &[u8], seen: usize) -> Result<Option<Ends>, &'static str> {
    let mut ends = Ends::new();
    if !scan(bytes, seen, &mut ends)? {
        return Ok(None);
    }
    if seen > 0 {
        ends.clear();
        scan(bytes, 0, &mut ends)?;
    }
    Ok(Some(ends))
}

/// Notes the ends of lines up to an empty one; whether there is one.
fn scan(bytes: &[u8], from: usize, ends: &mut Ends) -> Result<bool, &'static str> {
    let mut at = from;
    while let Some(found) = memchr(b'\n', &bytes[at..]) {
        let end = at + found;
        if end == 0 || bytes[end - 1] != b'\r' {
            return Err("a line of the head ends with LF alone");
        }
        ends.push(end);
        if end >= 2 && bytes[end - 2] == b'\n' {
            return Ok(true);
        }
        at = end + 1;
    }
    Ok(false)
}

/// The places of the lines before the empty one, without their ends.
pub(crate) fn lines<'a>(bytes: &'a [u8], ends: &'a [usize]) -> impl Iterator<Item = Range<usize>> + 'a {
    let mut at = 0;
    ends[..ends.len().saturating_sub(1)].iter().map(move |end| {
        let line = at..if *end > at && bytes[*end - 1] == b'\r' { *end - 1 } else { *end };
        at = *end + 1;
        line
    })
}

/// A header field. Its value is a piece of the bytes: it is not copied.
///
/// # Errors
/// Why the line is none.
pub(crate) fn field(bytes: &Bytes, line: Range<usize>) -> Result<(HeaderName, HeaderValue), &'static str> {
    let text = &bytes[line.clone()];
    if matches!(text.first(), Some(b' ' | b'\t')) {
        return Err("a header is folded into several lines");
    }
    // Names are short: this takes less than to search many bytes at once.
    let colon = text.iter().position(|byte| *byte == b':').ok_or("a line of the head is no header")?;
    let name = name(&text[..colon]).ok_or("the name of a header is not valid")?;
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let from = colon + 1 + text[colon + 1..].iter().take_while(|byte| is_blank(byte)).count();
    let blank = text[from..].iter().rev().take_while(|byte| is_blank(byte)).count();
    let value = bytes.slice(line.start + from..line.end - blank);
    let value = HeaderValue::from_maybe_shared(value).map_err(|_| "the value of a header has a control character")?;
    Ok((name, value))
}

/// The name of a field. Those that nearly every message has are known by their usual spellings, without a look at each of their
/// letters.
fn name(text: &[u8]) -> Option<HeaderName> {
    let usual = match text {
        b"host" | b"Host" => header::HOST,
        b"user-agent" | b"User-Agent" => header::USER_AGENT,
        b"accept" | b"Accept" => header::ACCEPT,
        b"accept-encoding" | b"Accept-Encoding" => header::ACCEPT_ENCODING,
        b"accept-language" | b"Accept-Language" => header::ACCEPT_LANGUAGE,
        b"authorization" | b"Authorization" => header::AUTHORIZATION,
        b"connection" | b"Connection" => header::CONNECTION,
        b"content-length" | b"Content-Length" => header::CONTENT_LENGTH,
        b"content-type" | b"Content-Type" => header::CONTENT_TYPE,
        b"cookie" | b"Cookie" => header::COOKIE,
        b"date" | b"Date" => header::DATE,
        b"server" | b"Server" => header::SERVER,
        b"cache-control" | b"Cache-Control" => header::CACHE_CONTROL,
        b"etag" | b"ETag" => header::ETAG,
        b"last-modified" | b"Last-Modified" => header::LAST_MODIFIED,
        b"transfer-encoding" | b"Transfer-Encoding" => header::TRANSFER_ENCODING,
        b"vary" | b"Vary" => header::VARY,
        _ => return HeaderName::from_bytes(text).ok(),
    };
    Some(usual)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a chunked body holds, its trailers, and what is left behind it.
    type Unchunked = (Vec<u8>, usize, usize);

    /// What a chunked body is, whose bytes come in pieces of these sizes.
    fn unchunk(body: &[u8], sizes: &[usize]) -> Result<Option<Unchunked>, &'static str> {
        let (mut rest, mut buffer, mut data) = (Rest::Chunked(Chunks::Size), BytesMut::new(), Vec::new());
        let (mut at, mut turn) = (0, 0);
        loop {
            match rest.take(&mut buffer)? {
                Piece::Data(bytes) => data.extend_from_slice(&bytes),
                Piece::Trailers(trailers) => return Ok(Some((data, trailers.len(), buffer.len() + body.len() - at))),
                Piece::End => return Ok(Some((data, 0, buffer.len() + body.len() - at))),
                Piece::More if at == body.len() => return Ok(None),
                Piece::More => {
                    let more = sizes[turn % sizes.len()].min(body.len() - at);
                    buffer.extend_from_slice(&body[at..at + more]);
                    (at, turn) = (at + more, turn + 1);
                }
            }
        }
    }

    #[test]
    fn a_usual_name_is_the_one_that_its_letters_say() {
        for spelled in [
            "Host User-Agent Accept Accept-Encoding Accept-Language Authorization Connection Content-Length Content-Type",
            "Cookie Date Server Cache-Control ETag Last-Modified Transfer-Encoding Vary HOST hosT X-Own x-own",
        ]
        .iter()
        .flat_map(|names| names.split(' '))
        {
            for spelled in [spelled.to_owned(), spelled.to_lowercase()] {
                assert_eq!(name(spelled.as_bytes()), HeaderName::from_bytes(spelled.as_bytes()).ok(), "{spelled}");
            }
        }
        assert_eq!(name(b"a b"), None);
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
            "0\r\na: b\n\r\n",
            "0\r\n\n",
            "0\r\n a: b\r\n\r\n",
            " 3\r\nabc\r\n",
            "3;\rx\r\nabc\r\n",
        ] {
            assert!(unchunk(body.as_bytes(), &[64]).is_err(), "{body:?}");
        }
        assert!(unchunk("1".repeat(MAX_CHUNK_LINE).as_bytes(), &[64]).is_err());
        assert!(unchunk(format!("0\r\na: {}", "b".repeat(MAX_TRAILERS)).as_bytes(), &[4096]).is_err());
        let many = format!("0\r\n{}\r\n", "a: b\r\n".repeat(MAX_TRAILER_FIELDS + 1));
        assert!(unchunk(many.as_bytes(), &[4096]).is_err());
    }

    #[test]
    fn trailers_that_drip_are_looked_through_once() {
        let mut rest = Rest::Chunked(Chunks::Size);
        let mut buffer = BytesMut::from("0\r\na: b\r\nc: d");
        assert_eq!(rest.take(&mut buffer), Ok(Piece::More));
        assert_eq!(rest, Rest::Chunked(Chunks::Trailers(buffer.len())));
        // Would be refused if it was looked at again.
        buffer[1] = b'\n';
        buffer.extend_from_slice(b"e");
        assert_eq!(rest.take(&mut buffer), Ok(Piece::More));
    }

    #[test]
    fn a_body_with_a_length_ends_there() {
        let (mut rest, mut buffer) = (Rest::of_length(3), BytesMut::from("ab"));
        assert_eq!(rest.take(&mut buffer), Ok(Piece::Data(Bytes::from("ab"))));
        assert_eq!((rest.take(&mut buffer), rest.left()), (Ok(Piece::More), Some(1)));
        buffer.extend_from_slice(b"cd");
        assert_eq!(rest.take(&mut buffer), Ok(Piece::Data(Bytes::from("c"))));
        assert_eq!((rest.take(&mut buffer), &buffer[..]), (Ok(Piece::End), &b"d"[..]));
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
            let _ = unchunk(&bytes, &[7]);
        }
    }
}
