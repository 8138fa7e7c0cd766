//! What a client's bytes come by: a socket, TLS that ends here, or what HTTP has let go of.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::early::Early;

/// A client's end. A TLS session is far larger than a socket, so it is boxed.
pub(super) enum ClientStream {
    Socket(TcpStream),
    Tls(Box<TlsStream<Early<TcpStream>>>),
    LetGo(LetGo),
}

impl From<TcpStream> for ClientStream {
    fn from(socket: TcpStream) -> Self {
        ClientStream::Socket(socket)
    }
}

impl ClientStream {
    /// Whether its other end is known to send no more, whatever is still to be read; costs no system call.
    pub(super) fn is_read_closed(&self) -> bool {
        let socket = match self {
            ClientStream::Socket(socket) => socket,
            ClientStream::Tls(stream) => stream.get_ref().0.get_ref(),
            // Tells only who reads to its end.
            ClientStream::LetGo(_) => return false,
        };
        let ready = pin!(socket.ready(Interest::READABLE)).poll(&mut Context::from_waker(Waker::noop()));
        matches!(ready, Poll::Ready(Ok(ready)) if ready.is_read_closed())
    }
}

/// A connection that HTTP has let go of, or one stream of HTTP/2: a client that breaks that off must not look like one that
/// has said all.
pub(super) struct LetGo {
    stream: TokioIo<Upgraded>,
    ended: bool,
}

impl From<Upgraded> for ClientStream {
    fn from(upgraded: Upgraded) -> Self {
        ClientStream::LetGo(LetGo { stream: TokioIo::new(upgraded), ended: false })
    }
}

impl LetGo {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if !self.ended {
            ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
            if buffer.filled().len() > before || buffer.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            self.ended = true;
            // Whether it was broken off is known by what writes to it, which has its turn first.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match Pin::new(&mut self.stream).poll_flush(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(())),
        }
    }
}

/// Calls a function of whichever stream it is.
macro_rules! whichever {
    ($this:expr, $stream:ident => $call:expr) => {
        match $this.get_mut() {
            ClientStream::Socket($stream) => $call,
            ClientStream::Tls($stream) => $call,
            ClientStream::LetGo(LetGo { stream: $stream, .. }) => $call,
        }
    };
}

impl AsyncRead for ClientStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            ClientStream::Socket(stream) => Pin::new(stream).poll_read(cx, buffer),
            ClientStream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
            ClientStream::LetGo(stream) => stream.poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        whichever!(self, stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        whichever!(self, stream => Pin::new(stream).poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            ClientStream::Socket(stream) => stream.is_write_vectored(),
            ClientStream::Tls(stream) => stream.is_write_vectored(),
            ClientStream::LetGo(let_go) => let_go.stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        whichever!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        whichever!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
