//! Connections to origins, counted: how many of a worker lead to one destination, and how many are on their way there.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use foldhash::fast::RandomState;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::either::Either;

use crate::call::Failure;
use crate::metrics::{Bound, Shard};

use super::connect::Wire;

/// An open stream to an origin, which counts as one of its destination's connections until it is dropped.
#[derive(Debug)]
pub struct Stream {
    wire: Wire,
    _place: Place,
}

/// How many connections a worker may have to one destination.
#[derive(Debug, Clone, Copy)]
pub struct Most {
    /// In all.
    pub connections: usize,
    /// That are being made.
    pub pending: usize,
}

/// The connections of one worker to each destination: what shares its connections among calls.
#[derive(Debug)]
pub(super) struct Destinations {
    shard: Arc<Shard>,
    most: Most,
    used: RefCell<HashMap<Arc<str>, Used, RandomState>>,
}

#[derive(Debug, Default)]
struct Used {
    /// Those being made among them.
    connections: usize,
    pending: usize,
}

/// One connection of a destination, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    destinations: Rc<Destinations>,
    key: Arc<str>,
    is_pending: bool,
}

impl Destinations {
    pub(super) fn new(shard: &Arc<Shard>, most: Most) -> Rc<Self> {
        Rc::new(Self { shard: Arc::clone(shard), most, used: RefCell::default() })
    }

    /// A place for a connection that is to be made.
    ///
    /// # Errors
    /// [`Failure::Overflow`] where the destination has as many as it may have.
    pub(super) fn take(self: &Rc<Self>, key: &Arc<str>) -> Result<Place, Failure> {
        let mut all = self.used.borrow_mut();
        let used = match all.get_mut(key) {
            Some(used) => used,
            None => all.entry(Arc::clone(key)).or_default(),
        };
        let full = if used.connections >= self.most.connections {
            Some(Bound::ConnectionsOfDestination)
        } else {
            (used.pending >= self.most.pending).then_some(Bound::PendingOfDestination)
        };
        if let Some(bound) = full {
            self.shard.reached(bound);
            return Err(Failure::Overflow);
        }
        used.connections += 1;
        used.pending += 1;
        Ok(Place { destinations: Rc::clone(self), key: Arc::clone(key), is_pending: true })
    }
}

impl Place {
    /// Counts the connection as made.
    pub(super) fn filled(mut self, wire: Wire) -> Stream {
        self.is_pending = false;
        if let Some(used) = self.destinations.used.borrow_mut().get_mut(&self.key) {
            used.pending -= 1;
        }
        Stream { wire, _place: self }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.destinations.used.borrow_mut();
        if let Some(used) = all.get_mut(&self.key) {
            used.connections -= 1;
            used.pending -= usize::from(self.is_pending);
            if used.connections == 0 {
                all.remove(&self.key);
            }
        }
    }
}

/// The address that a stream leads to.
pub fn peer_of(stream: &Stream) -> Option<IpAddr> {
    let socket = match &stream.wire {
        Either::Left(socket) => socket,
        Either::Right(tls) => tls.get_ref().0,
    };
    match socket {
        Either::Left(stream) => stream.peer_addr().ok().map(|peer| peer.ip()),
        Either::Right(_) => None,
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.wire.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_that_is_full_leaves_room_for_others_and_for_itself_when_something_ends() {
        let shard = Arc::<Shard>::default();
        let destinations = Destinations::new(&shard, Most { connections: 2, pending: 1 });
        let (a, b) = (Arc::from("a"), Arc::from("b"));
        let first = destinations.take(&a).expect("room");
        assert_eq!(destinations.take(&a).expect_err("one is pending"), Failure::Overflow);
        let other = destinations.take(&b).expect("room of its own");
        drop(first);
        drop(destinations.take(&a).expect("room again"));
        drop(other);
        assert!(destinations.used.borrow().is_empty());
    }

    #[tokio::test]
    async fn what_is_open_is_not_pending_any_more_and_still_counts() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let destinations = Destinations::new(&Arc::default(), Most { connections: 2, pending: 1 });
        let key = Arc::from("a");
        let mut open = Vec::new();
        for _ in 0..2 {
            let place = destinations.take(&key).expect("room");
            let socket = tokio::net::TcpStream::connect(address).await.expect("it listens");
            open.push(place.filled(Either::Left(Either::Left(socket))));
        }
        assert_eq!(destinations.take(&key).expect_err("two are open"), Failure::Overflow);
        open.pop();
        assert!(destinations.take(&key).is_ok());
    }
}
