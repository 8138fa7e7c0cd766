//! HTTP/1.1 on one connection to an origin, a call at a time; no task runs for it, whoever waits for the call drives it.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http::{Method, StatusCode, response};
use http_body::Frame;
use tokio::io::AsyncRead as _;

use crate::call::{Failure, Piece, Rest};

use super::buffers::Buffers;
use super::decode::{self, Head, Seen};
use super::encode::{Sending, Unsendable};
use super::outward::Outward;
use super::reading::Reading;
use super::request_body::RequestBody;
use super::stream::Stream;
use super::turn::others_first;

/// What a caller whose body breaks off is told, should it still listen.
pub(super) const BROKEN_BODY: Failure = Failure::BadRequest("the body of the request broke off or breaks HTTP");

/// A connection between two calls.
#[derive(Debug)]
pub(super) struct Connection(Stream);

impl Connection {
    pub(super) fn new(stream: Stream) -> Self {
        Self(stream)
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
    reading: Reading,
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
pub(super) async fn ask(
    Connection(mut stream): Connection,
    request: Outward<'_>,
    buffers: &Rc<Buffers>,
) -> Result<(response::Parts, Exchange), Broken> {
    let to_head = *request.method == Method::HEAD;
    let mut sending = Some(Sending::request(request));
    let (mut reading, mut seen, mut whole) = (Reading::new(buffers), Seen::default(), true);
    others_first().await;
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
            if !reading.bytes.is_empty()
                && let Some(head) = decode::head(&mut reading.bytes, &mut seen, to_head)?
            {
                let status = head.parts.status;
                if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
                    return Poll::Ready(Ok(head));
                }
                // What comes before the answer (RFC 9110 §15.2) is for us alone; its time is bounded by who waits.
                continue;
            }
            if ready!(reading.poll(&mut stream, None, cx)).unwrap_or_default() == 0 {
                return Poll::Ready(Err(Failure::UpstreamClosed));
            }
        }
    });
    match asked.await {
        Ok(Head { parts, rest, keeps }) => {
            let sending = sending.map(Box::new);
            let (keeps, unsettled, failed) = (keeps && whole, false, None);
            Ok((parts, Exchange { stream, reading, sending, rest, keeps, unsettled, failed }))
        }
        Err(failure) => Err(Broken { failure, unsent: sending.and_then(Sending::unsent) }),
    }
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
        let reusable = self.keeps && self.is_done() && self.sending.is_none() && self.reading.bytes.is_empty();
        reusable.then_some(Connection(self.stream))
    }

    /// The stream of a connection that goes on in another protocol, and what of that has been read.
    pub(super) fn into_stream(self) -> (Vec<u8>, Stream) {
        (self.reading.bytes.to_vec(), self.stream)
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
        loop {
            match self.rest.take(&mut self.reading.bytes).map_err(|_| Failure::UpstreamProtocol)? {
                Piece::Data(data) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Piece::Trailers(trailers) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
                Piece::End => return Poll::Ready(None),
                Piece::More => {}
            }
            match ready!(self.reading.poll(&mut self.stream, self.rest.left(), cx)) {
                Ok(0) if self.rest == Rest::UntilClosed => {
                    self.rest = Rest::Done;
                    return Poll::Ready(None);
                }
                Ok(0) | Err(_) => return Poll::Ready(Some(Err(Failure::UpstreamClosed))),
                Ok(_) => {}
            }
        }
    }
}
