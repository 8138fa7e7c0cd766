//! A stream of which the first bytes have been read already.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Gives the bytes that were read early first, then those of the stream.
pub(super) struct Early<S> {
    bytes: Vec<u8>,
    given: usize,
    stream: S,
}

impl<S> Early<S> {
    pub(super) fn new(bytes: Vec<u8>, stream: S) -> Self {
        Self { bytes, given: 0, stream }
    }

    /// The stream itself.
    pub(super) fn get_ref(&self) -> &S {
        &self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Early<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.given == self.bytes.len() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let end = self.bytes.len().min(self.given + buffer.remaining());
        buffer.put_slice(&self.bytes[self.given..end]);
        self.given = end;
        if end == self.bytes.len() {
            (self.bytes, self.given) = (Vec::new(), 0);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Early<S> {
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
    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test]
    async fn what_was_read_early_comes_first_and_what_is_left_is_given_back() {
        let mut stream = Early::new(b"early".to_vec(), &b" late"[..]);
        let mut two = [0; 2];
        stream.read_exact(&mut two).await.expect("there");
        let mut all = String::new();
        stream.read_to_string(&mut all).await.expect("text");
        assert_eq!((&two, all.as_str()), (b"ea", "rly late"));
    }
}
