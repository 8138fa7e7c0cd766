//! HTTP/1.1 on one connection to an origin, a call at a time; no task runs for it, whoever waits for the call drives it.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use http::{Method, StatusCode, response};
use http_body::Frame;
use tokio::io::AsyncRead as _;
use tokio_util::io::poll_read_buf;

use crate::call::{Failure, Piece, Rest};

use super::decode::{self, Head, Seen};
use super::encode::{Sending, Unsendable};
use super::outward::Outward;
use super::request_body::RequestBody;
use super::stream::Stream;

/// Bytes that are read at first: most heads, and small bodies with them.
const FIRST_READ: usize = 8 * 1024;

/// Bytes of a body that are read at most at once.
const LARGEST_READ: usize = 128 * 1024;

/// What a caller whose body breaks off is told, should it still listen.
pub(super) const BROKEN_BODY: Failure = Failure::BadRequest("the body of the request broke off or breaks HTTP");

/// A connection between two calls, and what the answer before was read into, which can be used again.
#[derive(Debug)]
pub(super) struct Connection(Stream, BytesMut);

impl Connection {
    pub(super) fn new(stream: Stream) -> Self {
        Self(stream, BytesMut::new())
    }

    /// Whether the origin has closed it, or sent what nobody asked for. Costs no system call while nothing has happened.
    pub(super) fn is_over(&mut self) -> bool {
        let mut byte = [0; 1];
        let mut buffer = tokio::io::ReadBuf::new(&mut byte);
        Pin::new(&mut self.0).poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer).is_ready()
    }
}

/// A call that got no answer.
pub(super) struct Broken {
    pub(super) failure: Failure,
    /// The body, if not a byte of the request was sent.
    pub(super) unsent: Option<RequestBody>,
}

/// A call whose answer has begun.
pub(super) struct Exchange {
    stream: Stream,
    /// What was read and not yet handed on.
    buffer: BytesMut,
    /// Whether it had to be larger than most answers want.
    grown: bool,
    /// Whether the read that brought the end of the head filled all the room there was: then more is likely to be there.
    filled: bool,
    /// What is left of the request.
    sending: Option<Box<Sending<RequestBody>>>,
    rest: Rest,
    keeps: bool,
    /// Whether data were handed on that the caller may not have been sent yet.
    unsettled: bool,
    /// Why the body does not go on.
    failed: Option<Failure>,
}

/// Sends a request and waits for the head of its answer.
pub(super) async fn ask(connection: Connection, request: Outward<'_>) -> Result<(response::Parts, Exchange), Broken> {
    let to_head = *request.method == Method::HEAD;
    let mut sending = Some(Sending::request(request));
    let (Connection(mut stream, mut buffer), mut seen, mut whole) = (connection, Seen::default(), true);
    let mut filled = false;
    let asked = poll_fn(|cx| {
        if let Some(request) = &mut sending {
            match request.poll(cx, &mut stream) {
                Poll::Ready(Err(Unsendable::Body)) => return Poll::Ready(Err(BROKEN_BODY)),
                Poll::Ready(Err(Unsendable::Connection)) if !request.has_begun() => {
                    return Poll::Ready(Err(Failure::UpstreamClosed));
                }
                // The origin may have answered before it stopped to listen.
                Poll::Ready(Err(Unsendable::Connection)) => (sending, whole) = (None, false),
                Poll::Ready(Ok(())) => sending = None,
                Poll::Pending => {}
            }
        }
        loop {
            if !buffer.is_empty()
                && let Some(head) = decode::head(&mut buffer, &mut seen, to_head)?
            {
                let status = head.parts.status;
                if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
                    return Poll::Ready(Ok(head));
                }
                // What comes before the answer (RFC 9110 §15.2) is for us alone; its time is bounded by who waits.
                continue;
            }
            if ready!(poll_more(&mut stream, &mut buffer, FIRST_READ, cx)).unwrap_or_default() == 0 {
                return Poll::Ready(Err(Failure::UpstreamClosed));
            }
            filled = buffer.len() == buffer.capacity();
        }
    });
    match asked.await {
        Ok(Head { parts, rest, keeps }) => {
            let sending = sending.map(Box::new);
            let (grown, keeps, unsettled, failed) = (false, keeps && whole, false, None);
            Ok((parts, Exchange { stream, buffer, grown, filled, sending, rest, keeps, unsettled, failed }))
        }
        Err(failure) => Err(Broken { failure, unsent: sending.and_then(Sending::unsent) }),
    }
}

/// Reads once, at most so many bytes; how many there were, none at the stream's end.
fn poll_more(stream: &mut Stream, buffer: &mut BytesMut, most: usize, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    buffer.reserve(most);
    poll_read_buf(Pin::new(stream), cx, buffer)
}

impl Exchange {
    /// Whether all of the answer was handed on.
    pub(super) fn is_done(&self) -> bool {
        self.rest == Rest::Done
    }

    /// Whether the origin keeps the connection.
    pub(super) fn keeps(&self) -> bool {
        self.keeps
    }

    /// How much of the body is to come, where that is known.
    pub(super) fn left(&self) -> Option<u64> {
        self.rest.left()
    }

    /// The connection, if it can carry another call: this one is done both ways, and the origin has sent nothing besides.
    pub(super) fn into_connection(self) -> Option<Connection> {
        let reusable = self.keeps && self.is_done() && self.sending.is_none() && self.buffer.is_empty();
        let buffer = if self.grown { BytesMut::new() } else { self.buffer };
        reusable.then_some(Connection(self.stream, buffer))
    }

    /// The stream of a connection that goes on in another protocol, and what of that has been read.
    pub(super) fn into_stream(self) -> (Vec<u8>, Stream) {
        (self.buffer.into(), self.stream)
    }

    /// The next piece of the answer's body. What is left of the request is sent beside it.
    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        if let Some(failure) = self.failed {
            return Poll::Ready(Some(Err(failure)));
        }
        let polled = self.poll_next(cx);
        match &polled {
            Poll::Ready(Some(Ok(_))) => self.unsettled = true,
            // What came before it has to reach the caller first, whose connection is given up then.
            Poll::Ready(Some(Err(failure))) if self.unsettled => {
                self.failed = Some(*failure);
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(_) => {}
            Poll::Pending => self.unsettled = false,
        }
        polled
    }

    /// Whether some of the request is still to be sent.
    pub(super) fn is_uploading(&self) -> bool {
        self.sending.is_some()
    }

    /// Sends the rest of the request, as far as it can be sent. If it cannot, the connection carries no other call.
    pub(super) async fn upload(&mut self) {
        let sent = poll_fn(|cx| self.poll_upload(cx)).await;
        self.keeps &= sent.is_ok();
    }

    fn poll_upload(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let Some(sending) = &mut self.sending else { return Poll::Ready(Ok(())) };
        let sent = ready!(sending.poll(cx, &mut self.stream));
        self.sending = None;
        self.keeps &= sent.is_ok();
        Poll::Ready(match sent {
            Ok(()) | Err(Unsendable::Connection) => Ok(()),
            Err(Unsendable::Body) => Err(BROKEN_BODY),
        })
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        if self.is_done() {
            return Poll::Ready(None);
        }
        if let Poll::Ready(Err(failure)) = self.poll_upload(cx) {
            return Poll::Ready(Some(Err(failure)));
        }
        self.read_ahead(cx);
        loop {
            match self.rest.take(&mut self.buffer).map_err(|_| Failure::UpstreamProtocol)? {
                Piece::Data(data) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Piece::Trailers(trailers) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
                Piece::End => return Poll::Ready(None),
                Piece::More => {}
            }
            let most = match self.rest {
                Rest::Sized(left) => usize::try_from(left).unwrap_or(LARGEST_READ).min(LARGEST_READ),
                _ => LARGEST_READ / 4,
            };
            self.grown = true;
            match ready!(poll_more(&mut self.stream, &mut self.buffer, most, cx)) {
                Ok(0) if self.rest == Rest::UntilClosed => {
                    self.rest = Rest::Done;
                    return Poll::Ready(None);
                }
                Ok(0) | Err(_) => return Poll::Ready(Some(Err(Failure::UpstreamClosed))),
                Ok(_) => {}
            }
        }
    }

    /// Reads what is likely to be there already of a body that has begun, so that it is sent on in one piece and not in two.
    fn read_ahead(&mut self, cx: &mut Context<'_>) {
        let Rest::Sized(left) = self.rest else { return };
        let missing = usize::try_from(left).unwrap_or(LARGEST_READ).saturating_sub(self.buffer.len());
        if !self.filled || self.buffer.is_empty() || missing == 0 {
            return;
        }
        (self.grown, self.filled) = (true, false);
        // If nothing is there, or the end of the stream, what was read before comes first all the same.
        let _ = poll_more(&mut self.stream, &mut self.buffer, missing.min(LARGEST_READ), cx);
    }
}
