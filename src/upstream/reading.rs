//! Reading what an origin sends, into buffers that are only held while something is in them.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use tokio::io::AsyncRead;
use tokio_util::io::poll_read_buf;

use super::buffers::Buffers;

/// Bytes that are read at most at once: each read, and each write of what it brought, wakes somebody up. What is not filled
/// takes no memory.
pub(super) const ROOM: usize = 512 * 1024;

/// What was read and not yet handed on.
pub(super) struct Reading {
    pub(super) bytes: BytesMut,
    buffers: Rc<Buffers>,
}

impl Reading {
    /// Nothing yet; what there is room for comes from these buffers.
    pub(super) fn new(buffers: &Rc<Buffers>) -> Self {
        Self { bytes: BytesMut::new(), buffers: Rc::clone(buffers) }
    }

    /// Reads once; how many bytes there were, none at the stream's end. `left` is how many are to come, where that is known.
    pub(super) fn poll(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        left: Option<u64>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.make_room(left.and_then(|left| usize::try_from(left).ok()).map_or(ROOM, |left| left.min(ROOM)));
        let read = poll_read_buf(Pin::new(stream), cx, &mut self.bytes);
        if self.bytes.is_empty() {
            self.let_go();
        }
        read
    }

    fn make_room(&mut self, bytes: usize) {
        if bytes <= self.bytes.capacity() - self.bytes.len() || self.bytes.try_reclaim(bytes) {
            return;
        }
        let room = bytes + self.bytes.len();
        let mut fresh = if room <= ROOM { self.buffers.take() } else { BytesMut::with_capacity(room) };
        fresh.extend_from_slice(&self.bytes);
        self.let_go();
        self.bytes = fresh;
    }

    fn let_go(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        if bytes.capacity() > 0 {
            self.buffers.give(bytes);
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.let_go();
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn read(reading: &mut Reading, mut from: &[u8], left: Option<u64>) -> usize {
        let cx = &mut Context::from_waker(Waker::noop());
        match reading.poll(&mut from, left, cx) {
            Poll::Ready(Ok(read)) => read,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nothing_is_held_while_nothing_is_there() {
        let buffers = Rc::new(Buffers::new(ROOM, 1));
        let mut reading = Reading::new(&buffers);
        let cx = &mut Context::from_waker(Waker::noop());
        let (mut here, _there) = tokio::io::duplex(16);
        assert!(reading.poll(&mut here, None, cx).is_pending() && reading.bytes.capacity() == 0);
        assert_eq!(read(&mut reading, b"abc", None), 3);
        assert_eq!(read(&mut reading, b"de", None), 2);
        assert_eq!(&reading.bytes.split()[..], b"abcde");
        let place = reading.bytes.as_ptr();
        drop(reading);
        assert!(buffers.take().as_ptr() < place);
    }
}
