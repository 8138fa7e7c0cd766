//! Bodies of requests on their way to an origin: counted, and where a route may need them twice, kept.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::Notify;

use crate::call::strip_trailers;

/// What a kept piece costs besides its bytes.
const PIECE_COST: usize = 64;

/// How far the body of a request has come.
#[derive(Debug, Default)]
pub struct Upload {
    bytes: Cell<u64>,
    ended: Cell<Option<Instant>>,
    waiting: Notify,
}

impl Upload {
    /// Bytes received from the caller so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// When nothing of it was left to come.
    pub fn ended_at(&self) -> Option<Instant> {
        self.ended.get()
    }

    /// Waits until nothing of it is left to come.
    pub async fn ended(&self) {
        while self.ended.get().is_none() {
            self.waiting.notified().await;
        }
    }

    /// So many bytes were received by a way of their own, as in a tunnel.
    pub fn passed(&self, bytes: u64) {
        self.bytes.set(self.bytes.get() + bytes);
    }

    fn end(&self) {
        if self.ended.get().is_none() {
            self.ended.set(Some(Instant::now()));
            self.waiting.notify_waiters();
        }
    }

    fn pass(&self, frame: Option<&Frame<Bytes>>) {
        if let Some(data) = frame.and_then(Frame::data_ref) {
            self.passed(data.len() as u64);
        }
    }
}

/// The body of a request as its caller sends it.
pub enum CallerBody {
    /// There is none.
    None,
    /// All that a connection of HTTP/1.1 carries for now.
    Alone(Box<dyn Body<Data = Bytes, Error = io::Error> + Unpin>),
    /// On one stream of several.
    Beside(Incoming),
}

impl fmt::Debug for CallerBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallerBody").field("size", &self.size_hint()).finish()
    }
}

impl Body for CallerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            CallerBody::None => Poll::Ready(None),
            CallerBody::Alone(body) => Pin::new(body).poll_frame(cx),
            CallerBody::Beside(body) => {
                let frame = ready!(Pin::new(body).poll_frame(cx));
                Poll::Ready(frame.map(|frame| frame.map_err(io::Error::other)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            CallerBody::None => true,
            CallerBody::Alone(body) => body.is_end_stream(),
            CallerBody::Beside(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            CallerBody::None => SizeHint::with_exact(0),
            CallerBody::Alone(body) => body.size_hint(),
            CallerBody::Beside(body) => body.size_hint(),
        }
    }
}

/// The body of one request to an origin.
#[derive(Debug)]
pub struct RequestBody(Content);

#[derive(Debug)]
enum Content {
    None,
    Passing(Passing),
    Kept(Reader),
}

/// One passage of a kept body.
#[derive(Debug)]
struct Reader {
    kept: Rc<Kept>,
    /// The next piece to be sent.
    next: usize,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.kept.readers.set(self.kept.readers.get() - 1);
        self.kept.end_if_unread();
    }
}

/// A body that goes through once.
#[derive(Debug)]
struct Passing {
    body: CallerBody,
    upload: Rc<Upload>,
}

impl Drop for Passing {
    fn drop(&mut self) {
        // Nobody will read on.
        self.upload.end();
    }
}

impl RequestBody {
    /// A body that goes through once.
    pub fn new(body: CallerBody, upload: Rc<Upload>) -> Self {
        if body.is_end_stream() {
            upload.end();
            return Self::empty();
        }
        Self(Content::Passing(Passing { body, upload }))
    }

    /// No body.
    pub fn empty() -> Self {
        Self(Content::None)
    }

    /// A body from its beginning, which must not be lost.
    pub fn again(kept: &Rc<Kept>) -> Self {
        kept.readers.set(kept.readers.get() + 1);
        Self(Content::Kept(Reader { kept: Rc::clone(kept), next: 0 }))
    }
}

/// A body that is kept while it passes, up to a limit, so that it can be sent again.
#[derive(Debug)]
pub struct Kept {
    state: RefCell<State>,
    upload: Rc<Upload>,
    size: SizeHint,
    /// Passages that are under way.
    readers: Cell<usize>,
    /// Whether no further one will begin before the body has passed whole.
    last: Cell<bool>,
}

#[derive(Debug)]
struct State {
    /// What is still to come.
    rest: Option<CallerBody>,
    pieces: Vec<Bytes>,
    /// What the pieces may still cost, in bytes; `None` where it was too little.
    room: Option<usize>,
}

impl Kept {
    /// Keeps a body of so many bytes at most.
    pub fn new(body: CallerBody, upload: Rc<Upload>, limit: usize) -> Rc<Self> {
        let size = body.size_hint();
        let room = (size.lower() <= limit as u64).then_some(limit);
        let state = RefCell::new(State { rest: Some(body), pieces: Vec::new(), room });
        Rc::new(Self { state, upload, size, readers: Cell::new(0), last: Cell::new(false) })
    }

    /// Says that the passage that is under way, if any, is the last: when it ends, nobody reads the rest.
    pub fn no_more(&self) {
        self.last.set(true);
        self.end_if_unread();
    }

    fn end_if_unread(&self) {
        if self.last.get() && self.readers.get() == 0 {
            self.upload.end();
        }
    }

    /// Whether it can be sent from its beginning: nothing of it is lost.
    pub fn is_repeatable(&self) -> bool {
        self.state.borrow().room.is_some()
    }

    /// Waits until it has passed whole; whether all of it was kept.
    pub async fn whole(&self) -> bool {
        self.upload.ended().await;
        let state = self.state.borrow();
        state.room.is_some() && state.rest.is_none()
    }

    fn poll_piece(&self, next: &mut usize, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let mut state = self.state.borrow_mut();
        if let Some(piece) = state.pieces.get(*next) {
            *next += 1;
            return Poll::Ready(Some(Ok(Frame::data(piece.clone()))));
        }
        let Some(rest) = &mut state.rest else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(&mut *rest).poll_frame(cx));
        let ended = frame.is_none() || rest.is_end_stream();
        match &frame {
            Some(Ok(frame)) => {
                self.upload.pass(Some(frame));
                state.keep(frame);
                *next = state.pieces.len();
            }
            Some(Err(_)) => state.lose(),
            None => {}
        }
        if ended {
            state.rest = None;
            self.upload.end();
        }
        Poll::Ready(frame)
    }
}

impl State {
    fn keep(&mut self, frame: &Frame<Bytes>) {
        let Some(room) = self.room else { return };
        // Trailers are not kept.
        let left = frame.data_ref().and_then(|data| room.checked_sub(data.len() + PIECE_COST));
        match (left, frame.data_ref()) {
            (Some(left), Some(data)) => {
                self.room = Some(left);
                self.pieces.push(data.clone());
            }
            _ => self.lose(),
        }
    }

    fn lose(&mut self) {
        self.room = None;
        self.pieces = Vec::new();
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut frame = ready!(self.0.poll_frame(cx));
        if let Some(Ok(frame)) = &mut frame
            && let Some(trailers) = frame.trailers_mut()
        {
            strip_trailers(trailers);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Content::None => true,
            Content::Passing(Passing { body, .. }) => body.is_end_stream(),
            Content::Kept(reader) => {
                let state = reader.kept.state.borrow();
                state.rest.is_none() && reader.next >= state.pieces.len()
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Content::None => SizeHint::with_exact(0),
            Content::Passing(Passing { body, .. }) => body.size_hint(),
            // Only asked for before anything was sent.
            Content::Kept(reader) => reader.kept.size,
        }
    }
}

impl Content {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self {
            Content::None => Poll::Ready(None),
            Content::Kept(reader) => reader.kept.poll_piece(&mut reader.next, cx),
            Content::Passing(Passing { body, upload }) => {
                let frame = ready!(Pin::new(&mut *body).poll_frame(cx));
                upload.pass(frame.as_ref().and_then(|frame| frame.as_ref().ok()));
                if frame.is_none() || body.is_end_stream() {
                    upload.end();
                }
                Poll::Ready(frame)
            }
        }
    }
}
