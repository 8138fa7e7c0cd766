//! Messages of HTTP/1.1 as they are sent: requests' heads, and bodies framed by a length or in chunks (RFC 9112 §6, §7.1).

use std::fmt::Write as _;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, header};
use http_body::Body;
use tokio::io::AsyncWrite;

use crate::decision::Outgoing;

use super::outward::Outward;
use super::request_body::RequestBody;
use super::turn::{TURN, end_turn, has_little};

/// Bytes of a body that are copied behind what is sent before them, which costs less than a piece of its own.
const COPIED: usize = 4 * 1024;

/// Bytes that are gathered before they are sent.
const GATHERED: usize = 16 * 1024;

/// A message on its way.
pub(crate) struct Sending<B> {
    /// Bytes that are sent next.
    out: BytesMut,
    /// What follows them: a piece of the body as it came.
    piece: Bytes,
    /// What follows that.
    after: &'static [u8],
    body: B,
    framing: Framing,
    /// Which trailers may follow chunks. They may be dropped (RFC 9110 §6.5.1), and some origins would take them for headers.
    trailers: Vec<HeaderName>,
    /// Whether anything was sent.
    begun: bool,
    /// Whether anything of the body was taken, so that the message is no longer whole.
    opened: bool,
}

/// How a body is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// So many bytes are still to come.
    Length(u64),
    /// In chunks.
    Chunked,
    /// Not at all: it ends with the connection.
    UntilClosed,
    /// All of it was taken, or there is none.
    Ended,
}

/// Why a message was not sent whole.
#[derive(Debug)]
pub(crate) enum Unsendable {
    /// Its body broke off, or is not as long as was said.
    Body,
    /// The connection broke.
    Connection,
}

impl From<io::Error> for Unsendable {
    fn from(_: io::Error) -> Self {
        Unsendable::Connection
    }
}

impl Sending<RequestBody> {
    /// A request with its body; its head says how that is framed.
    pub(super) fn request(request: Outward<'_>) -> Self {
        let Outward { method, head, body } = request;
        let mut out = BytesMut::with_capacity(512);
        for text in [method.as_str(), " ", head.target.as_str(), " HTTP/1.1\r\n"] {
            out.extend_from_slice(text.as_bytes());
        }
        let framing = fields(&mut out, head, &body);
        out.extend_from_slice(b"\r\n");
        Self::new(out, body, framing)
    }

    /// Whether anything was sent.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// The body, if the request can be sent elsewhere as if it had not been tried.
    pub(super) fn unsent(self) -> Option<RequestBody> {
        (!self.begun && !self.opened).then_some(self.body)
    }
}

impl<B: Body<Data = Bytes> + Unpin> Sending<B> {
    /// A head with its body, which is framed as it says.
    pub(crate) fn new(head: BytesMut, body: B, framing: Framing) -> Self {
        let (piece, after) = (Bytes::new(), &b""[..]);
        Self { out: head, piece, after, body, framing, trailers: Vec::new(), begun: false, opened: false }
    }

    /// The same, with these trailers where the body has them.
    #[must_use]
    pub(crate) fn with_trailers(self, trailers: Vec<HeaderName>) -> Self {
        Self { trailers, ..self }
    }

    /// The buffer of a message that was sent.
    pub(crate) fn into_buffer(self) -> BytesMut {
        self.out
    }

    /// What waits to be sent before the body.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> &[u8] {
        &self.out
    }

    /// Takes the first piece of the body that is there, without sending anything; whether what waits then is small enough to
    /// have been copied.
    ///
    /// # Errors
    /// Why it cannot go on.
    pub(crate) async fn gather(&mut self) -> Result<bool, Unsendable> {
        let taken = poll_fn(|cx| match self.poll_frame(cx) {
            Poll::Pending => Poll::Ready(Ok(())),
            taken => taken,
        });
        taken.await?;
        let is_small = self.piece.is_empty();
        if is_small {
            has_little();
        }
        Ok(is_small)
    }

    /// Sends as much as can be sent; ready when all of it was.
    ///
    /// # Errors
    /// Why it cannot go on.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<Result<(), Unsendable>> {
        let mut sent = 0;
        loop {
            let waits = self.poll_body(cx)?.is_pending();
            sent += ready!(self.poll_write(cx, stream))?;
            if waits || self.framing == Framing::Ended {
                ready!(Pin::new(&mut *stream).poll_flush(cx))?;
                return if waits { Poll::Pending } else { Poll::Ready(Ok(())) };
            }
            if sent >= TURN {
                end_turn(cx);
                return Poll::Pending;
            }
        }
    }

    /// Takes of the body what can be sent together with what waits. Pending where the caller has to go on first.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Unsendable>> {
        while self.framing != Framing::Ended && self.piece.is_empty() && self.out.len() < GATHERED {
            ready!(self.poll_frame(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Takes one piece of the body, if there is a body.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Unsendable>> {
        if self.framing == Framing::Ended {
            return Poll::Ready(Ok(()));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.opened = true;
        match frame.transpose().map_err(|_| Unsendable::Body)? {
            None => self.end(&HeaderMap::new())?,
            Some(frame) => match frame.into_data() {
                Ok(data) => self.add(data)?,
                Err(frame) => self.end(&frame.into_trailers().unwrap_or_default())?,
            },
        }
        Poll::Ready(Ok(()))
    }

    fn add(&mut self, data: Bytes) -> Result<(), Unsendable> {
        match &mut self.framing {
            _ if data.is_empty() => return Ok(()),
            Framing::Length(left) => {
                *left = left.checked_sub(data.len() as u64).ok_or(Unsendable::Body)?;
            }
            Framing::Chunked => {
                let size = data.len();
                write!(self.out, "{size:x}\r\n").expect("memory takes all");
                self.after = b"\r\n";
            }
            Framing::UntilClosed => {}
            Framing::Ended => return Err(Unsendable::Body),
        }
        if data.len() <= COPIED {
            self.out.extend_from_slice(&data);
            self.out.extend_from_slice(std::mem::take(&mut self.after));
        } else {
            self.piece = data;
        }
        if self.framing == Framing::Length(0) {
            self.framing = Framing::Ended;
        }
        Ok(())
    }

    fn end(&mut self, trailers: &HeaderMap) -> Result<(), Unsendable> {
        match self.framing {
            Framing::Length(1..) => return Err(Unsendable::Body),
            Framing::Chunked => {
                self.out.extend_from_slice(b"0\r\n");
                for (name, value) in trailers.iter().filter(|(name, _)| self.trailers.contains(name)) {
                    field(&mut self.out, name.as_str(), value.as_bytes());
                }
                self.out.extend_from_slice(b"\r\n");
            }
            Framing::Length(0) | Framing::UntilClosed | Framing::Ended => {}
        }
        self.framing = Framing::Ended;
        Ok(())
    }

    /// Sends what was taken of the body; how many bytes that were.
    fn poll_write(&mut self, cx: &mut Context<'_>, stream: &mut (impl AsyncWrite + Unpin)) -> Poll<io::Result<usize>> {
        let mut all = 0;
        while !(self.out.is_empty() && self.piece.is_empty() && self.after.is_empty()) {
            let mut stream = Pin::new(&mut *stream);
            let sent = if self.piece.is_empty() && self.after.is_empty() {
                ready!(stream.as_mut().poll_write(cx, &self.out))?
            } else {
                let slices = [IoSlice::new(&self.out), IoSlice::new(&self.piece), IoSlice::new(self.after)];
                let first = slices.iter().position(|slice| !slice.is_empty()).unwrap_or_default();
                ready!(stream.as_mut().poll_write_vectored(cx, &slices[first..]))?
            };
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.begun = true;
            all += sent;
            self.sent(sent);
        }
        Poll::Ready(Ok(all))
    }

    fn sent(&mut self, mut bytes: usize) {
        let of_out = bytes.min(self.out.len());
        if of_out == self.out.len() {
            // All of its room can be used again then.
            self.out.clear();
        } else {
            self.out.advance(of_out);
        }
        bytes -= of_out;
        let of_piece = bytes.min(self.piece.len());
        self.piece.advance(of_piece);
        if self.piece.is_empty() {
            // Not the room that was gathered for it as well.
            self.piece = Bytes::new();
        }
        self.after = &self.after[bytes - of_piece..];
    }
}

/// Writes a field of a head.
pub(crate) fn field(out: &mut BytesMut, name: &str, value: &[u8]) {
    for text in [name.as_bytes(), b": ", value, b"\r\n"] {
        out.extend_from_slice(text);
    }
}

/// Writes the fields of a head; those that frame are made of the body that follows.
fn fields(out: &mut BytesMut, head: &Outgoing<'_>, body: &RequestBody) -> Framing {
    let Outgoing { authority, headers, upgrade, .. } = head;
    let chunked = headers.contains_key(header::TRANSFER_ENCODING);
    let framing = match body.size_hint().exact().filter(|_| !chunked) {
        _ if body.is_end_stream() => Framing::Ended,
        Some(length) => Framing::Length(length),
        None => Framing::Chunked,
    };
    let mut told = false;
    for (name, value) in &**headers {
        match *name {
            // Which it is, the head says apart.
            header::HOST => continue,
            header::CONNECTION | header::UPGRADE if upgrade.is_some() => continue,
            _ => {}
        }
        let framed = *name == header::CONTENT_LENGTH || *name == header::TRANSFER_ENCODING;
        match framing {
            _ if !framed => field(out, name.as_str(), value.as_bytes()),
            // That nothing follows is only said where the caller said it (RFC 9110 §8.6).
            Framing::Ended if *name == header::CONTENT_LENGTH => field(out, name.as_str(), b"0"),
            _ if !told => {
                told = true;
                tell(out, framing);
            }
            _ => {}
        }
    }
    field(out, "host", authority.as_bytes());
    if let Some(protocol) = upgrade {
        field(out, "connection", b"upgrade");
        field(out, "upgrade", protocol.as_bytes());
    }
    if !told {
        tell(out, framing);
    }
    framing
}

/// Says how long a body is.
pub(crate) fn tell(out: &mut BytesMut, framing: Framing) {
    match framing {
        Framing::Length(length) => {
            field(out, header::CONTENT_LENGTH.as_str(), itoa::Buffer::new().format(length).as_bytes());
        }
        Framing::Chunked => field(out, header::TRANSFER_ENCODING.as_str(), b"chunked"),
        Framing::UntilClosed | Framing::Ended => {}
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;

    #[tokio::test]
    async fn a_large_message_is_sent_in_turns_however_fast_it_is_taken() {
        const PIECE: usize = 64 * 1024;
        let pieces = (0..64).map(|_| Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[0; PIECE]))));
        let body = StreamBody::new(tokio_stream::iter(pieces));
        let mut sending = Sending::new(BytesMut::new(), body, Framing::Length(64 * PIECE as u64));
        let mut turns = 0;
        let sent = poll_fn(|cx| {
            turns += 1;
            sending.poll(cx, &mut tokio::io::sink())
        });
        assert!(sent.await.is_ok());
        // The stream has turns of its own besides.
        assert!(turns >= 64 * PIECE / TURN, "{turns}");
    }
}
