//! Sees the bytes of requests before hyper does, which would mend some of what must be refused (see [`Framing`]), and refuse
//! some of what clients do send.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::call::{Failure, Framing, Landmark};

use super::early::Early;

/// What was read and answered of the requests on a connection. Hyper wants streams that may go to another thread; this one
/// never does, so nothing here has to be ordered.
#[derive(Debug, Default)]
pub(super) struct Turns {
    heads: AtomicU64,
    answered: AtomicU64,
    switched: AtomicBool,
    /// Why the newest of the heads, which is then the last, must be refused.
    fault: OnceLock<&'static str>,
}

impl Turns {
    /// All that was read is answered; what of a head was read will be read again.
    fn restart(&self) {
        self.heads.store(0, Relaxed);
        self.answered.store(0, Relaxed);
    }

    fn head(&self, fault: Option<&'static str>) {
        self.heads.fetch_add(1, Relaxed);
        if let Some(fault) = fault {
            self.fault.get_or_init(|| fault);
        }
    }

    /// The request whose turn it is was answered.
    pub(super) fn answered(&self) {
        self.answered.fetch_add(1, Relaxed);
    }

    /// The connection goes on with something else than HTTP.
    pub(super) fn switch(&self) {
        self.switched.store(true, Relaxed);
    }

    /// Why the request whose turn it is must be refused.
    pub(super) fn fault(&self) -> Option<Failure> {
        let fault = *self.fault.get()?;
        let is_last = self.answered.load(Relaxed) + 1 == self.heads.load(Relaxed);
        is_last.then_some(Failure::BadRequest(fault))
    }
}

/// A stream of which nothing is read behind what breaks the rules, nor behind a request that may end HTTP, until it is
/// known whether it does.
pub(super) struct Strict<S> {
    stream: Early<S>,
    framing: Framing,
    turns: Arc<Turns>,
    now: Now,
}

/// What is done with the bytes that come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Now {
    /// They are requests.
    Follow,
    /// They are kept until the request before them is answered.
    Wait,
    /// They are no HTTP.
    Pass,
    /// They belong to a request that is refused.
    Ignore,
    /// They break the rules in the midst of a body.
    Fail(&'static str),
}

impl<S> Strict<S> {
    /// The stream of a client, which tells what is read on it.
    pub(super) fn new(stream: Early<S>, turns: Arc<Turns>) -> Self {
        turns.restart();
        Self { stream, framing: Framing::default(), turns, now: Now::Follow }
    }

    /// The stream itself.
    pub(super) fn into_inner(self) -> Early<S> {
        self.stream
    }

    /// How many of these bytes are passed on.
    fn follow(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while taken < bytes.len() && self.now == Now::Follow {
            if let Some(escaped) = self.framing.escape_target(&bytes[taken..]) {
                // It is longer, and so is read again.
                self.stream.put_back(&escaped);
                break;
            }
            let (more, landmark) = self.framing.follow(&bytes[taken..]);
            taken += more;
            match landmark {
                Landmark::None | Landmark::End { switches: false } => {}
                Landmark::Head(fault) => {
                    self.turns.head(fault);
                    if fault.is_some() {
                        self.now = Now::Ignore;
                    }
                }
                Landmark::End { switches: true } => {
                    self.stream.put_back(&bytes[taken..]);
                    self.now = Now::Wait;
                }
                Landmark::Broken(fault) => self.now = Now::Fail(fault),
            }
        }
        taken
    }
}

impl<S: AsyncRead + Unpin> Strict<S> {
    /// Waits for the answer that says how it goes on; only the connection's end is told before that. Nobody needs to be
    /// woken: who has given the answer reads again.
    fn poll_waiting(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if self.stream.has_bytes() {
            return Poll::Pending;
        }
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() == before {
            return Poll::Ready(Ok(()));
        }
        self.stream.put_back(&buffer.filled()[before..]);
        buffer.set_filled(before);
        Poll::Pending
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Strict<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        loop {
            match self.now {
                Now::Follow => {}
                Now::Pass => return Pin::new(&mut self.stream).poll_read(cx, buffer),
                Now::Wait if self.turns.switched.load(Relaxed) => {
                    self.now = Now::Pass;
                    continue;
                }
                Now::Wait if self.turns.answered.load(Relaxed) == self.turns.heads.load(Relaxed) => {
                    self.now = Now::Follow;
                }
                Now::Wait => return self.poll_waiting(cx, buffer),
                Now::Ignore => return Poll::Pending,
                Now::Fail(fault) => return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, fault))),
            }
            ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
            let read = buffer.filled().len() - before;
            let passed = before + self.follow(&buffer.filled()[before..]);
            buffer.set_filled(passed);
            // Nothing at all is the end of the stream, and must not be said of what is only kept.
            if read == 0 || passed > before {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Strict<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::io::Cursor;
    use std::rc::Rc;

    use bytes::Bytes;
    use http::{Request, Response};
    use http_body_util::{BodyExt as _, Full};
    use hyper::body::Incoming;
    use hyper::server::conn::http1::Builder;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use proptest::prelude::*;
    use std::cell::Cell;
    use tokio::io::{AsyncReadExt as _, join, sink};

    use super::*;

    /// How many requests hyper finds whole in these bytes, and whether it finds nothing else.
    fn whole_requests(bytes: &[u8]) -> (usize, bool) {
        let whole = Rc::<Cell<usize>>::default();
        let service = service_fn(|request: Request<Incoming>| {
            let whole = Rc::clone(&whole);
            async move {
                if request.into_body().collect().await.is_ok() {
                    whole.set(whole.get() + 1);
                }
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
            }
        });
        let io = TokioIo::new(join(Cursor::new(bytes.to_vec()), sink()));
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let ended = runtime.block_on(Builder::new().half_close(true).serve_connection(io, service));
        (whole.get(), ended.is_ok())
    }

    /// The requests that are passed on whole: what lies between the places where they end.
    fn passed(bytes: &[u8]) -> Vec<&[u8]> {
        let (mut framing, mut requests, mut begun, mut place) = (Framing::default(), Vec::new(), 0, 0);
        while place < bytes.len() {
            let (taken, landmark) = framing.follow(&bytes[place..]);
            place += taken;
            match landmark {
                Landmark::End { .. } => {
                    requests.push(&bytes[begun..place]);
                    begun = place;
                }
                Landmark::Head(Some(_)) | Landmark::Broken(_) => break,
                Landmark::None | Landmark::Head(None) => {}
            }
        }
        requests
    }

    const LINES: [&str; 7] = [
        "GET / HTTP/1.1",
        "POST / HTTP/1.1",
        "POST / HTTP/1.0",
        "CONNECT a:1 HTTP/1.1",
        "GET /#a HTTP/1.1",
        " GET / HTTP/1.1",
        "",
    ];
    const FIELDS: [&str; 20] = [
        "host: a",
        "content-length: 0",
        "content-length: 3",
        "content-length: 03",
        "Content-Length:\t3 ",
        "content-length: 3, 3",
        "content-length: +3",
        "content-length : 3",
        "content-length: 3\r",
        "content-length: 3\u{c}",
        "transfer-encoding: chunked",
        "Transfer-Encoding: Chunked",
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: chunked, gzip",
        "transfer-encoding: \u{b}chunked",
        "transfer-encoding\0: chunked",
        " folded",
        "upgrade: x",
        "connection: close",
        ":",
    ];
    const BODIES: [&str; 14] = [
        "",
        "abc",
        "3\r\nabc\r\n0\r\n\r\n",
        "3;x\r\nabc\r\n0\r\na: b\r\n\r\n",
        "3 \r\nabc\r\n0\r\n\r\n",
        "3\nabc\r\n0\r\n\r\n",
        "0\r\n\r\n",
        "003\r\nabc\r\n00\r\n\r\n",
        "3\r\nab\n\r\n0\r\n\r\n",
        "ffffffffffffffff1\r\n",
        "0\r\na: b\n\r\n",
        "0\r\na\r\n\r\n",
        "0\r\n\n",
        "\r\n",
    ];

    fn requests() -> impl Strategy<Value = Vec<u8>> {
        let end = || prop_oneof![9 => Just("\r\n"), 1 => Just("\n")];
        let fields = prop::collection::vec((prop::sample::select(&FIELDS[..]), end()), 0..3);
        let request = (prop::sample::select(&LINES[..]), end(), fields, end(), prop::sample::select(&BODIES[..]));
        prop::collection::vec(request, 1..4).prop_map(|requests| {
            let mut text = String::new();
            for (line, end, fields, blank, body) in requests {
                text.extend([line, end]);
                fields.iter().for_each(|(field, end)| text.extend([*field, *end]));
                text.extend([blank, body]);
            }
            text.into_bytes()
        })
    }

    proptest! {
        #[test]
        fn what_is_passed_on_as_one_request_is_one_to_hyper_or_refused_by_it(bytes in requests()) {
            for request in passed(&bytes) {
                let (whole, clean) = whole_requests(request);
                prop_assert!((whole, clean) == (1, true) || whole == 0, "{:?}: {} {}", request.escape_ascii().to_string(), whole, clean);
            }
        }
    }

    fn reading(bytes: &str) -> (Strict<Cursor<Vec<u8>>>, Arc<Turns>) {
        let turns = Arc::<Turns>::default();
        let stream = Early::new(Vec::new(), Cursor::new(bytes.as_bytes().to_vec()));
        (Strict::new(stream, Arc::clone(&turns)), turns)
    }

    /// What can be read without waiting.
    async fn read(stream: &mut Strict<Cursor<Vec<u8>>>) -> String {
        let mut read = Vec::new();
        tokio::select! {
            biased;
            _ = stream.read_to_end(&mut read) => {}
            () = std::future::ready(()) => {}
        }
        String::from_utf8(read).expect("text")
    }

    #[tokio::test]
    async fn nothing_behind_a_refused_head_is_read() {
        let bad = "POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n";
        let (mut stream, turns) =
            reading(&format!("GET / HTTP/1.1\r\n\r\n{bad}0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n"));
        assert_eq!(read(&mut stream).await, format!("GET / HTTP/1.1\r\n\r\n{bad}"));
        assert!(turns.fault().is_none(), "the first request is sound");
        turns.answered();
        assert!(matches!(turns.fault(), Some(Failure::BadRequest(_))));
        assert_eq!(read(&mut stream).await, "");
    }

    #[tokio::test]
    async fn what_a_parser_would_refuse_in_a_target_is_escaped_before_it() {
        let (mut stream, _) = reading("GET /?\"a\" HTTP/1.1\r\n\r\nGET /<> HTTP/1.1\r\n\r\n");
        let mut read = Vec::new();
        stream.read_to_end(&mut read).await.expect("in memory");
        assert_eq!(read, b"GET /?%22a%22 HTTP/1.1\r\n\r\nGET /%3C%3E HTTP/1.1\r\n\r\n");
    }

    #[tokio::test]
    async fn what_follows_a_request_that_may_end_http_waits_for_its_answer() {
        let asks = "GET / HTTP/1.1\r\nupgrade: x\r\n\r\n";
        let (mut stream, turns) = reading(&format!("{asks}{asks}no HTTP\n\n"));
        assert_eq!(read(&mut stream).await, asks);
        assert_eq!(read(&mut stream).await, "");
        turns.answered();
        assert_eq!(read(&mut stream).await, asks, "it was declined");
        turns.switch();
        assert_eq!(read(&mut stream).await, "no HTTP\n\n");
    }

    #[tokio::test]
    async fn the_stream_is_given_back_with_what_was_kept() {
        let asks = "CONNECT a:443 HTTP/1.1\r\n\r\n";
        let (mut stream, _) = reading(&format!("{asks}hello"));
        assert_eq!(read(&mut stream).await, asks);
        let (kept, mut rest) = stream.into_inner().into_parts();
        let mut all = kept;
        rest.read_to_end(&mut all).await.expect("in memory");
        assert_eq!(all, b"hello");
    }
}
