//! Buffers that the calls of a worker use one after the other, the one used last first: it is in the processor's cache.

use std::cell::RefCell;

use bytes::BytesMut;

/// Buffers of one size, of which only so many are kept.
#[derive(Debug)]
pub(crate) struct Buffers {
    spare: RefCell<Vec<BytesMut>>,
    /// Bytes of room that each has.
    room: usize,
    most: usize,
}

impl Buffers {
    /// Of so many bytes each, so many of them at most.
    pub(crate) fn new(room: usize, most: usize) -> Self {
        Self { spare: RefCell::default(), room, most }
    }

    /// An empty one with all its room.
    pub(crate) fn take(&self) -> BytesMut {
        let mut spare = self.spare.borrow_mut();
        while let Some(mut buffer) = spare.pop() {
            // Pieces of it may still wait for somebody.
            if buffer.try_reclaim(self.room) {
                return buffer;
            }
        }
        BytesMut::with_capacity(self.room)
    }

    /// Gives one back, whose pieces may still be in use. What it has is forgotten.
    pub(crate) fn give(&self, mut buffer: BytesMut) {
        let mut spare = self.spare.borrow_mut();
        if spare.len() < self.most {
            buffer.clear();
            spare.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_when_nobody_has_a_piece_of_it() {
        let buffers = Buffers::new(64, 1);
        let mut buffer = buffers.take();
        let place = buffer.as_ptr();
        buffer.extend_from_slice(b"head body");
        let head = buffer.split_to(5).freeze();
        buffers.give(buffer);
        let other = buffers.take();
        assert!(other.as_ptr() != place && &head[..] == b"head ");
        let mut buffer = other;
        let place = buffer.as_ptr();
        buffer.extend_from_slice(b"more");
        drop(buffer.split_to(2));
        buffers.give(buffer);
        let again = buffers.take();
        assert!(again.is_empty() && again.as_ptr() == place && again.capacity() >= 64);
    }

    #[test]
    fn no_more_are_kept_than_may_be() {
        let buffers = Buffers::new(64, 2);
        (0..3).for_each(|_| buffers.give(BytesMut::with_capacity(64)));
        assert_eq!(buffers.spare.borrow().len(), 2);
    }
}
