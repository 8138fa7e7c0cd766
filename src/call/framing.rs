//! Where the requests on a connection of HTTP/1.1 begin and end, read from the bytes as they arrive.
//!
//! Whoever parses requests for us brings some of what can be read in two ways into one form before we see it (a length
//! beside a transfer coding, a fragment in the target, lines that end with LF alone). Another server in the chain may read
//! it in the other way, so it must be refused, and only the bytes tell (RFC 9112 sections 2.2, 6.1, 6.3 and 11.2).

use std::borrow::Cow;

use memchr::memchr;

use super::MAX_HEAD;

/// Follows the bytes of one connection. It keeps nothing but a line that has come in parts.
#[derive(Debug, Default)]
pub struct Framing {
    state: State,
    /// A line that has not ended.
    begun: Vec<u8>,
    head: Head,
}

/// What the bytes that were taken have come to.
#[derive(Debug, PartialEq, Eq)]
pub enum Landmark {
    /// Nothing yet: all of them were taken.
    None,
    /// The end of a request's head, and why that must be refused, if it must: then nothing tells where the request ends.
    Head(Option<&'static str>),
    /// The end of a request. It may have changed the protocol (`switches`): whether it has is for its answer to say.
    End {
        /// Whether it asks for that.
        switches: bool,
    },
    /// What breaks the rules in the midst of a body; it was not taken.
    Broken(&'static str),
}

#[derive(Debug, Default, Clone, Copy)]
enum State {
    #[default]
    Head,
    Sized(u64),
    Chunked(Chunk),
    Trailers,
}

/// Where in a chunk it is; the numbers are sizes.
#[derive(Debug, Clone, Copy)]
enum Chunk {
    Start,
    Size(u64),
    Space(u64),
    Extension(u64),
    SizeEnd(u64),
    Data(u64),
    DataReturn,
    DataEnd,
}

/// What was read of a head.
#[derive(Debug, Default)]
struct Head {
    begun: bool,
    switches: bool,
    length: Option<u64>,
    chunked: bool,
    fault: Option<&'static str>,
}

impl Framing {
    /// Takes bytes up to the next landmark; how many.
    pub fn follow(&mut self, bytes: &[u8]) -> (usize, Landmark) {
        let mut taken = 0;
        while taken < bytes.len() {
            let rest = &bytes[taken..];
            let (more, landmark) = match self.state {
                State::Head => self.line(rest, Self::head_line),
                State::Trailers => self.line(rest, Self::trailer),
                State::Sized(left) => self.sized(rest.len(), left),
                State::Chunked(chunk) => self.chunked(rest, chunk),
            };
            taken += more;
            if landmark != Landmark::None {
                return (taken, landmark);
            }
        }
        (taken, Landmark::None)
    }

    /// These bytes, where they begin within a request line whose target has characters that clients send and parsers refuse
    /// (RFC 3986 §2; browsers escape them): the same with those escaped. None where there are none.
    pub fn escape_target(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        if !matches!(self.state, State::Head) || self.head.begun {
            return None;
        }
        let blank = match &self.begun[..] {
            b"" | b"\r" => bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count(),
            _ => 0,
        };
        let line = &bytes[blank..];
        let end = memchr(b'\n', line).map_or(bytes.len(), |end| blank + end);
        let in_target = memchr(b' ', &self.begun).is_some();
        let target = if in_target { 0 } else { blank + memchr(b' ', &bytes[blank..end])? };
        let is_escaped = |byte: &u8| matches!(byte, b'"' | b'<' | b'>' | b'`');
        let first = target + bytes[target..end].iter().position(is_escaped)?;
        let mut escaped = Vec::with_capacity(bytes.len() + 64);
        escaped.extend_from_slice(&bytes[..first]);
        for byte in &bytes[first..end] {
            match is_escaped(byte) {
                true => escaped.extend_from_slice(format!("%{byte:02X}").as_bytes()),
                false => escaped.push(*byte),
            }
        }
        escaped.extend_from_slice(&bytes[end..]);
        Some(escaped)
    }

    /// Reads on to the end of a line, and looks at the line when it is whole.
    fn line(&mut self, bytes: &[u8], look: fn(&mut Self, &[u8]) -> Landmark) -> (usize, Landmark) {
        let end = memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1);
        let part = &bytes[..end];
        // Who parses the head gives up before that, and has an answer for it.
        if self.begun.len() + part.len() > 2 * MAX_HEAD {
            return (0, Landmark::Broken("a line that is too long"));
        }
        if !part.ends_with(b"\n") {
            self.begun.extend_from_slice(part);
            return (end, Landmark::None);
        }
        let line = if self.begun.is_empty() {
            Cow::Borrowed(part)
        } else {
            self.begun.extend_from_slice(part);
            Cow::Owned(std::mem::take(&mut self.begun))
        };
        match look(self, &line) {
            Landmark::Broken(fault) => (0, Landmark::Broken(fault)),
            landmark => (end, landmark),
        }
    }

    fn head_line(&mut self, line: &[u8]) -> Landmark {
        let head = &mut self.head;
        let text = match line.strip_suffix(b"\r\n") {
            Some(text) => text,
            None => {
                head.refuse("a line of the head ends with LF alone");
                &line[..line.len() - 1]
            }
        };
        match (head.begun, text.is_empty()) {
            // Empty lines before a request (RFC 9112 §2.2).
            (false, true) => Landmark::None,
            (false, false) => {
                head.begin(text);
                Landmark::None
            }
            (true, false) => {
                head.field(text);
                Landmark::None
            }
            (true, true) => self.head_end(),
        }
    }

    fn head_end(&mut self) -> Landmark {
        if self.head.chunked && self.head.length.is_some() {
            self.head.refuse("both Transfer-Encoding and Content-Length");
        }
        self.state = match self.head.chunked {
            true => State::Chunked(Chunk::Start),
            false => State::Sized(self.head.length.unwrap_or(0)),
        };
        Landmark::Head(self.head.fault)
    }

    fn sized(&mut self, there: usize, left: u64) -> (usize, Landmark) {
        let taken = there.min(usize::try_from(left).unwrap_or(usize::MAX));
        match left - taken as u64 {
            0 => (taken, self.end()),
            left => {
                self.state = State::Sized(left);
                (taken, Landmark::None)
            }
        }
    }

    fn chunked(&mut self, bytes: &[u8], chunk: Chunk) -> (usize, Landmark) {
        if let Chunk::Data(left) = chunk {
            let taken = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let left = left - taken as u64;
            self.state = State::Chunked(if left == 0 { Chunk::DataReturn } else { Chunk::Data(left) });
            return (taken, Landmark::None);
        }
        match chunk.next(bytes[0]) {
            Ok(next) => {
                self.state = next;
                (1, Landmark::None)
            }
            Err(fault) => (0, Landmark::Broken(fault)),
        }
    }

    fn trailer(&mut self, line: &[u8]) -> Landmark {
        match line.strip_suffix(b"\r\n") {
            Some([]) => self.end(),
            Some(_) => Landmark::None,
            None => Landmark::Broken("a line of the trailers ends with LF alone"),
        }
    }

    fn end(&mut self) -> Landmark {
        self.state = State::Head;
        Landmark::End { switches: std::mem::take(&mut self.head).switches }
    }
}

impl Head {
    fn refuse(&mut self, fault: &'static str) {
        self.fault.get_or_insert(fault);
    }

    fn begin(&mut self, line: &[u8]) {
        self.begun = true;
        self.switches = line.starts_with(b"CONNECT ");
        // A method may have one.
        if memchr(b' ', line).is_some_and(|blank| memchr(b'#', &line[blank..]).is_some()) {
            self.refuse("the target has a fragment");
        }
    }

    fn field(&mut self, line: &[u8]) {
        match line[0] {
            b'c' | b'C' | b't' | b'T' | b'u' | b'U' => {}
            b' ' | b'\t' => return self.refuse("a header is folded into several lines"),
            _ => return,
        }
        let Some(colon) = memchr(b':', line) else { return };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            self.length(value);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                self.refuse("a transfer coding other than chunked");
            }
            self.chunked = true;
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            self.switches = true;
        }
    }

    fn length(&mut self, value: &[u8]) {
        if self.length.is_some() {
            self.refuse("more than one Content-Length header");
        }
        let digits = (!value.is_empty() && value.iter().all(u8::is_ascii_digit)).then_some(value);
        let length = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        if length.is_none() {
            self.refuse("Content-Length is no number");
        }
        self.length = length.or(Some(0));
    }
}

impl Chunk {
    /// Where one more byte leads (RFC 9112 §7.1).
    fn next(self, byte: u8) -> Result<State, &'static str> {
        const SIZE: &str = "the size of a chunk is no number";
        let digit = char::from(byte).to_digit(16).map(u64::from);
        let next = match (self, byte) {
            (Chunk::Start, _) => Chunk::Size(digit.ok_or(SIZE)?),
            (Chunk::Size(size), _) if let Some(digit) = digit => {
                Chunk::Size(size.checked_mul(16).and_then(|size| size.checked_add(digit)).ok_or(SIZE)?)
            }
            (Chunk::Size(size) | Chunk::Space(size), b' ' | b'\t') => Chunk::Space(size),
            (Chunk::Size(size) | Chunk::Space(size), b';') => Chunk::Extension(size),
            (Chunk::Size(size) | Chunk::Space(size) | Chunk::Extension(size), b'\r') => Chunk::SizeEnd(size),
            (Chunk::Size(_) | Chunk::Space(_), _) => return Err(SIZE),
            (Chunk::Extension(size), 0x20..=0x7e | 0x80.. | b'\t') => Chunk::Extension(size),
            (Chunk::Extension(_), _) => return Err("a chunk extension with a control character"),
            (Chunk::SizeEnd(0), b'\n') => return Ok(State::Trailers),
            (Chunk::SizeEnd(size), b'\n') => Chunk::Data(size),
            (Chunk::DataReturn, b'\r') => Chunk::DataEnd,
            (Chunk::DataEnd, b'\n') => Chunk::Start,
            _ => return Err("a chunk does not end where its size says"),
        };
        Ok(State::Chunked(next))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The landmarks in some bytes that come in pieces, each with its place, up to the first after which nothing is known.
    fn landmarks(bytes: &[u8], piece: usize) -> Vec<(usize, Landmark)> {
        let (mut framing, mut found, mut place) = (Framing::default(), Vec::new(), 0);
        for piece in bytes.chunks(piece) {
            let mut rest = piece;
            while !rest.is_empty() {
                let (taken, landmark) = framing.follow(rest);
                (place, rest) = (place + taken, &rest[taken..]);
                let last = matches!(landmark, Landmark::Head(Some(_)) | Landmark::Broken(_));
                if landmark != Landmark::None {
                    found.push((place, landmark));
                }
                if last {
                    return found;
                }
            }
        }
        found
    }

    /// Why the first head in a text must be refused.
    fn fault(text: &str) -> Option<&'static str> {
        match landmarks(text.as_bytes(), usize::MAX).first() {
            Some((_, Landmark::Head(fault))) => *fault,
            other => panic!("{text:?}: {other:?}"),
        }
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
        ] {
            assert_eq!(fault(&format!("POST / HTTP/1.1\r\n{fields}\r\n")), expected, "{fields:?}");
        }
        assert_eq!(fault("GET /a#b HTTP/1.1\r\n\r\n"), Some("the target has a fragment"));
        assert_eq!(fault("X# /a HTTP/1.1\r\n\r\n"), None);
        assert_eq!(fault("GET / HTTP/1.1\r\n\n"), Some("a line of the head ends with LF alone"));
    }

    #[test]
    fn requests_end_where_their_framing_says() {
        let end = |switches| Landmark::End { switches };
        let (head, more) = (Landmark::Head(None), b"GET / HTTP/1.1\r\n\r\n");
        for (request, switches) in [
            ("\r\n\r\nGET / HTTP/1.1\r\n\r\n", false),
            ("POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc", false),
            (
                "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3;x=\"y\"\r\nabc\r\n0A \r\n0123456789\r\n0\r\n\r\n",
                false,
            ),
            ("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n000\r\na: b\r\n\r\n", false),
            ("CONNECT a:443 HTTP/1.1\r\n\r\n", true),
            ("GET / HTTP/1.1\r\nupgrade: x\r\ncontent-length: 1\r\n\r\n.", true),
        ] {
            let bytes = [request.as_bytes(), more].concat();
            let whole = landmarks(&bytes, usize::MAX);
            let blank = whole[0].0;
            assert_eq!(whole[0].1, head, "{request:?}");
            assert_eq!(whole[1], (request.len(), end(switches)), "{request:?} {blank}");
            assert_eq!(whole[2], (bytes.len(), Landmark::Head(None)), "{request:?}");
        }
    }

    #[test]
    fn bodies_that_break_off_their_rules_are_told() {
        for (body, good) in [
            ("\r\n", 0),
            ("x\r\n", 0),
            ("-1\r\n", 0),
            ("0x1\r\n", 1),
            ("1\nz", 1),
            ("1 1\r\n", 2),
            ("10000000000000000\r\n", 16),
            ("1;a\nb\r\n", 3),
            ("1;\0\r\n", 2),
            ("1\r\nab\r\n", 4),
            ("1\r\na\n", 4),
            ("1\r\na\r\n\r\n", 6),
        ] {
            let head = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n";
            let found = landmarks(format!("{head}{body}").as_bytes(), usize::MAX);
            assert!(
                matches!(found[1], (place, Landmark::Broken(_)) if place == head.len() + good),
                "{body:?}: {found:?}"
            );
        }
        let trailers = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\na: b\n\r\n";
        assert!(matches!(landmarks(trailers.as_bytes(), usize::MAX)[1], (_, Landmark::Broken(_))));
    }

    #[test]
    fn what_clients_send_unescaped_in_a_target_is_escaped_in_whatever_pieces_it_comes() {
        for (sent, escaped) in [
            ("GET /?q=\"a\" HTTP/1.1\r\nx: \"y\"\r\n\r\n", "GET /?q=%22a%22 HTTP/1.1\r\nx: \"y\"\r\n\r\n"),
            ("\r\n\r\nGET /<a>`? HTTP/1.1\r\n\r\n", "\r\n\r\nGET /%3Ca%3E%60? HTTP/1.1\r\n\r\n"),
            ("\"GET\" / HTTP/1.1\r\n\r\n", "\"GET\" / HTTP/1.1\r\n\r\n"),
            (
                "PUT / HTTP/1.1\r\ncontent-length: 2\r\n\r\n <GET /> HTTP/1.1\r\n\r\n",
                "PUT / HTTP/1.1\r\ncontent-length: 2\r\n\r\n <GET /%3E HTTP/1.1\r\n\r\n",
            ),
        ] {
            for size in [1, 2, 3, 7, 1000] {
                let (mut framing, mut passed) = (Framing::default(), Vec::new());
                for piece in sent.as_bytes().chunks(size) {
                    let mut rest = piece.to_vec();
                    while !rest.is_empty() {
                        rest = framing.escape_target(&rest).unwrap_or(rest);
                        let taken = framing.follow(&rest).0;
                        passed.extend(rest.drain(..taken));
                    }
                }
                assert_eq!(String::from_utf8(passed).expect("text"), escaped, "pieces of {size}");
            }
        }
    }

    #[test]
    fn a_line_that_never_ends_is_not_kept_for_ever() {
        let endless = vec![b'a'; 3 * MAX_HEAD];
        assert!(matches!(landmarks(&endless, 1024)[..], [(_, Landmark::Broken(_))]));
    }

    proptest! {
        #[test]
        fn it_does_not_matter_in_which_pieces_the_bytes_come(parts in prop::collection::vec(prop::sample::select(vec![
            "GET / HTTP/1.1\r\n", "POST / HTTP/1.1\r\n", "content-length: 3\r\n", "transfer-encoding: chunked\r\n", "\r\n", "\n",
            "abc", "3\r\nabc\r\n", "0\r\n", "upgrade: x\r\n", "x: y\r\n", "\0", "#",
        ]), 0..12), piece in 1..9_usize) {
            let bytes = parts.concat().into_bytes();
            // Of a line that is no good, more or less may have been taken before its end came.
            let told = |(place, landmark)| match landmark {
                Landmark::Broken(fault) => (0, Landmark::Broken(fault)),
                other => (place, other),
            };
            let all = |piece| landmarks(&bytes, piece).into_iter().map(told).collect::<Vec<_>>();
            prop_assert_eq!(all(piece), all(usize::MAX));
        }
    }
}
