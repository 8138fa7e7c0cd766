//! A client's connection of HTTP/1.1, as who serves it and the body of the request under way see it.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::io::poll_read_buf;

use crate::call::{Failure, HeadLimits, Piece, RequestHead, Rest};
use crate::upstream::CallerBody;

use super::super::patient::Patient;
use super::super::stream::ClientStream;

/// Bytes of a body that are read at most at once.
const LARGEST_READ: usize = 128 * 1024;

/// How often is looked whether a client has gone that has sent ahead as much as is read of it.
const LOOK: Duration = Duration::from_millis(500);

/// Tells a client that its body is wanted (RFC 9110 §15.2.1).
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What all of a worker's connections read heads into: between two requests a connection has no buffer of its own.
pub(super) type Scratch = RefCell<Box<[u8]>>;

/// A connection and the request whose turn it is.
pub(super) struct Line {
    stream: RefCell<Patient<ClientStream>>,
    request: RefCell<Incoming>,
    /// Whether the head of an answer was begun: then nobody waits to be told to go on.
    pub(super) answered: Cell<bool>,
}

/// What was read.
struct Incoming {
    /// What was read and not yet taken.
    input: BytesMut,
    /// How much of the input was looked through for the end of a head.
    seen: usize,
    rest: Rest,
    /// Whether the client waits to be told that its body is wanted.
    expects: bool,
    /// Whether anybody may read on in the body.
    wanted: bool,
    /// Why there can be no further request.
    broken: bool,
    /// Who waits for the end of the body.
    waiting: Option<Waker>,
    /// When to look for a client of which no more is read; most connections never need it.
    look: Option<Pin<Box<Sleep>>>,
}

impl Line {
    pub(super) fn new(stream: ClientStream, early: BytesMut, patience: Duration) -> Self {
        let request = Incoming {
            input: early,
            seen: 0,
            rest: Rest::Done,
            expects: false,
            wanted: false,
            broken: false,
            waiting: None,
            look: None,
        };
        Self {
            stream: RefCell::new(Patient::new(stream, patience)),
            request: RefCell::new(request),
            answered: Cell::new(false),
        }
    }

    /// The stream, and what was read of what comes next.
    pub(super) fn into_parts(self) -> (BytesMut, ClientStream) {
        (self.request.into_inner().input, self.stream.into_inner().into_inner())
    }

    /// Whether dropping the connection ends it as well as it can be ended.
    pub(super) fn ends_by_closing(&self) -> bool {
        matches!(self.stream.borrow().get_ref(), ClientStream::Socket(_))
    }

    /// Whether nothing is there, not even of an empty line.
    pub(super) fn is_empty(&self) -> bool {
        self.request.borrow().input.is_empty()
    }

    /// Whether nothing of a next request is there but empty lines before it.
    pub(super) fn is_blank(&self) -> bool {
        self.request.borrow().input.iter().all(|byte| matches!(byte, b'\r' | b'\n'))
    }

    /// Gives back what only a next request would use.
    pub(super) fn rest(&self) {
        let mut request = self.request.borrow_mut();
        if request.input.is_empty() {
            request.input = BytesMut::new();
        }
        request.look = None;
    }

    /// The next head; none where the client is done.
    ///
    /// # Errors
    /// Why what came is no head.
    pub(super) fn poll_head(
        &self,
        cx: &mut Context<'_>,
        limits: HeadLimits,
        scratch: &Scratch,
    ) -> Poll<Result<Option<RequestHead>, Failure>> {
        let mut request = self.request.borrow_mut();
        let Incoming { input, seen, .. } = &mut *request;
        loop {
            if !input.is_empty()
                && let Some(head) = RequestHead::take(input, seen, limits)?
            {
                return Poll::Ready(Ok(Some(head)));
            }
            if ready!(self.poll_fill(cx, input, scratch)).unwrap_or_default() == 0 {
                return Poll::Ready(Ok(None));
            }
        }
    }

    /// Reads once by way of the scratch; how many bytes there were, none at the end.
    fn poll_fill(&self, cx: &mut Context<'_>, input: &mut BytesMut, scratch: &Scratch) -> Poll<io::Result<usize>> {
        let mut scratch = scratch.borrow_mut();
        let mut buffer = ReadBuf::new(&mut scratch);
        ready!(Pin::new(&mut *self.stream.borrow_mut()).poll_read(cx, &mut buffer))?;
        input.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Begins a request: its body.
    pub(super) fn begin(self: &Rc<Self>, rest: Rest, expects: bool) -> CallerBody {
        let mut request = self.request.borrow_mut();
        (request.rest, request.expects) = (rest, expects);
        self.answered.set(false);
        if rest == Rest::Done {
            return CallerBody::None;
        }
        request.wanted = true;
        CallerBody::Alone(Box::new(LineBody(Rc::clone(self))))
    }

    /// Whether the client has gone while it was waiting. What it sends ahead behind a request that it has ended is kept
    /// meanwhile, up to so many bytes; past them it is let wait.
    pub(super) fn poll_gone(&self, cx: &mut Context<'_>, scratch: &Scratch, most: usize) -> Poll<()> {
        let mut request = self.request.borrow_mut();
        let Incoming { input, rest, look, .. } = &mut *request;
        if *rest != Rest::Done {
            return Poll::Pending;
        }
        while input.len() < most {
            if ready!(self.poll_fill(cx, input, scratch)).unwrap_or_default() == 0 {
                return Poll::Ready(());
            }
        }
        // A socket with bytes unread tells nobody who waits for it of its end.
        let look = look.get_or_insert_with(|| Box::pin(sleep(LOOK)));
        while look.as_mut().poll(cx).is_ready() {
            if self.stream.borrow().get_ref().is_read_closed() {
                return Poll::Ready(());
            }
            look.as_mut().reset(Instant::now() + LOOK);
        }
        Poll::Pending
    }

    /// Whether the request was read to its end, or nobody wants the rest and that is there.
    pub(super) fn is_read(&self, scratch: &Scratch) -> bool {
        let mut request = self.request.borrow_mut();
        if !request.wanted && request.rest != Rest::Done && !request.broken {
            let mut cx = Context::from_waker(Waker::noop());
            let Incoming { input, .. } = &mut *request;
            let _ = self.poll_fill(&mut cx, input, scratch);
            request.skip();
        }
        request.rest == Rest::Done
    }

    /// Whether somebody still reads on in the request.
    pub(super) fn is_wanted(&self) -> bool {
        self.request.borrow().wanted
    }

    /// Waits until nobody reads on in the request.
    pub(super) fn poll_let_go(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut request = self.request.borrow_mut();
        if !request.wanted {
            return Poll::Ready(());
        }
        request.waiting = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Reads and forgets; how many bytes there were, none at the end.
    pub(super) fn poll_forget(&self, cx: &mut Context<'_>, scratch: &Scratch) -> Poll<io::Result<usize>> {
        let mut scratch = scratch.borrow_mut();
        let mut buffer = ReadBuf::new(&mut scratch);
        ready!(Pin::new(&mut *self.stream.borrow_mut()).poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    fn poll_piece(&self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let mut request = self.request.borrow_mut();
        if std::mem::take(&mut request.expects) && !self.answered.get() {
            // Nothing was sent before it since the last answer, so there is room, or the client is given up.
            let sent = Pin::new(&mut *self.stream.borrow_mut()).poll_write(cx, CONTINUE);
            if !matches!(sent, Poll::Ready(Ok(sent)) if sent == CONTINUE.len()) {
                return request.fail(io::ErrorKind::BrokenPipe.into());
            }
            ready!(Pin::new(&mut *self.stream.borrow_mut()).poll_flush(cx))?;
        }
        loop {
            let Incoming { input, rest, .. } = &mut *request;
            match rest.take(input) {
                Ok(Piece::More) => {}
                Ok(Piece::End) => return Poll::Ready(None),
                Ok(Piece::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Ok(Piece::Trailers(trailers)) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
                Err(fault) => return request.fail(io::Error::new(io::ErrorKind::InvalidData, fault)),
            }
            let most = match *rest {
                Rest::Sized(left) => usize::try_from(left).unwrap_or(LARGEST_READ).min(LARGEST_READ),
                _ => LARGEST_READ / 8,
            };
            input.reserve(most);
            match ready!(poll_read_buf(Pin::new(&mut *self.stream.borrow_mut()), cx, input)) {
                Ok(0) => return request.fail(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) => return request.fail(error),
            }
        }
    }
}

impl Incoming {
    fn fail(&mut self, error: io::Error) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.broken = true;
        Poll::Ready(Some(Err(error)))
    }

    /// Takes what is there of a body that nobody wants.
    fn skip(&mut self) {
        while matches!(self.rest.take(&mut self.input), Ok(Piece::Data(_))) {}
    }

    fn let_go(&mut self) {
        self.wanted = false;
        if self.input.is_empty() {
            // Not the room that was made for the body.
            self.input = BytesMut::new();
        }
        if let Some(waiting) = self.waiting.take() {
            waiting.wake();
        }
    }
}

/// The body of the request whose turn it is.
struct LineBody(Rc<Line>);

impl Body for LineBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_piece(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.request.borrow().rest == Rest::Done
    }

    fn size_hint(&self) -> SizeHint {
        let left = self.0.request.borrow().rest.left();
        left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for LineBody {
    fn drop(&mut self) {
        self.0.request.borrow_mut().let_go();
    }
}

/// What is written to a connection.
pub(super) struct Outgoing<'l>(pub(super) &'l Line);

impl AsyncWrite for Outgoing<'_> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.stream.borrow_mut()).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.stream.borrow_mut()).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.stream.borrow().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.stream.borrow_mut()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.stream.borrow_mut()).poll_shutdown(cx)
    }
}
