//! Reading what an origin sends, into buffers that are only held while something is in them.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{BufMut as _, BytesMut};
use tokio::io::AsyncRead;
use tokio_util::io::poll_read_buf;

use super::buffers::Buffers;
use super::turn::{LARGEST_TURN, most_at_once};

/// Bytes that there is room for: what is not filled takes no memory.
pub(super) const ROOM: usize = LARGEST_TURN;

/// What was read and not yet handed on.
pub(super) struct Reading {
    pub(super) bytes: BytesMut,
    buffers: Rc<Buffers>,
    /// Whether there is a buffer, which may have no room left that is not in use.
    held: bool,
}

impl Reading {
    /// Nothing yet; what there is room for comes from these buffers.
    pub(super) fn new(buffers: &Rc<Buffers>) -> Self {
        Self { bytes: BytesMut::new(), buffers: Rc::clone(buffers), held: false }
    }

    /// Reads once; how many bytes there were, none at the stream's end. `left` is how many are to come, where that is known.
    pub(super) fn poll(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        left: Option<u64>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.make_room(left.and_then(|left| usize::try_from(left).ok()).map_or(ROOM, |left| left.min(ROOM)));
        let read = poll_read_buf(Pin::new(stream), cx, &mut (&mut self.bytes).limit(most_at_once()));
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
        (self.bytes, self.held) = (fresh, true);
    }

    fn let_go(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        if std::mem::take(&mut self.held) {
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

    #[test]
    fn a_buffer_that_was_filled_is_used_again() {
        let buffers = Rc::new(Buffers::new(ROOM, 1));
        let mut reading = Reading::new(&buffers);
        assert_eq!(read(&mut reading, &vec![0; 2 * ROOM], None), ROOM);
        let place = reading.bytes.as_ptr();
        let all = reading.bytes.split();
        drop((reading, all));
        assert_eq!(buffers.take().as_ptr(), place);
    }
}
