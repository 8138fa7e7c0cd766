//! Circuit breakers: how many calls a destination takes at a time, and how many may wait (a DestinationRule's
//! `connectionPool`).

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::call::Failure;
use crate::routing::Limits;

/// The breakers of a process, by cluster; only clusters with limits have one, and only their calls look here.
#[derive(Debug, Default)]
pub(super) struct Breakers(Mutex<HashMap<String, Arc<Breaker>>>);

/// Room for one call; given back when dropped.
#[derive(Debug)]
pub struct Room {
    _permit: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct Breaker {
    limits: Limits,
    room: Arc<Semaphore>,
    waiting: AtomicU32,
    /// Calls that were refused.
    overflows: AtomicU64,
}

/// How much of its limits a cluster has in use, and what it has refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BreakerUse {
    /// The cluster's name.
    pub cluster: String,
    /// Calls at a time.
    pub calls: u32,
    /// Most of them.
    pub most_calls: u32,
    /// Calls that wait.
    pub waiting: u32,
    /// Most of them, if they are limited.
    pub most_waiting: Option<u32>,
    /// Calls that were refused.
    pub overflows: u64,
}

/// Counts a call as waiting, until it is dropped.
struct Waiting<'b>(&'b AtomicU32);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Breakers {
    /// Room for a call to a cluster, now or when there is some.
    ///
    /// # Errors
    /// [`Failure::Overflow`] when too many wait already.
    pub(super) async fn room(&self, cluster: &str, limits: &Limits) -> Result<Room, Failure> {
        self.of(cluster, limits).room().await
    }

    /// How much of their limits clusters have in use.
    pub(super) fn uses(&self) -> Vec<BreakerUse> {
        let breakers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut uses: Vec<_> = breakers.iter().map(|(cluster, breaker)| breaker.in_use(cluster)).collect();
        uses.sort();
        uses
    }

    fn of(&self, cluster: &str, limits: &Limits) -> Arc<Breaker> {
        let mut breakers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = breakers.get(cluster).filter(|known| known.limits == *limits) {
            return Arc::clone(known);
        }
        // What holds room of a breaker with other limits gives it back there.
        breakers.retain(|_, known| Arc::strong_count(known) > 1 || known.room.available_permits() < known.permits());
        let made = Arc::new(Breaker::new(limits.clone()));
        breakers.insert(cluster.to_owned(), Arc::clone(&made));
        made
    }
}

impl Breaker {
    fn new(limits: Limits) -> Self {
        let room = Arc::new(Semaphore::new(limits.at_once as usize));
        Self { limits, room, waiting: AtomicU32::new(0), overflows: AtomicU64::new(0) }
    }

    fn permits(&self) -> usize {
        self.limits.at_once as usize
    }

    fn in_use(&self, cluster: &str) -> BreakerUse {
        let free = u32::try_from(self.room.available_permits()).unwrap_or(u32::MAX);
        BreakerUse {
            cluster: cluster.to_owned(),
            calls: self.limits.at_once.saturating_sub(free),
            most_calls: self.limits.at_once,
            waiting: self.waiting.load(Ordering::Relaxed),
            most_waiting: self.limits.waiting,
            overflows: self.overflows.load(Ordering::Relaxed),
        }
    }

    async fn room(&self) -> Result<Room, Failure> {
        if let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() {
            return Ok(Room { _permit: permit });
        }
        if self.waiting.fetch_add(1, Ordering::AcqRel) >= self.limits.waiting.unwrap_or(u32::MAX - 1) {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            self.overflows.fetch_add(1, Ordering::Relaxed);
            return Err(Failure::Overflow);
        }
        let waiting = Waiting(&self.waiting);
        // Never closed.
        let permit = Arc::clone(&self.room).acquire_owned().await.map_err(|_| Failure::Overflow)?;
        drop(waiting);
        Ok(Room { _permit: permit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn as_many_as_fit_go_as_many_as_may_wait_and_the_rest_is_refused() {
        let breakers = Breakers::default();
        let limits = Limits { at_once: 1, waiting: Some(1) };
        let first = breakers.room("a", &limits).await.expect("there is room");
        let mut second = Box::pin(breakers.room("a", &limits));
        assert!(futures_poll(&mut second).await.is_none(), "it waits");
        assert_eq!(breakers.room("a", &limits).await.expect_err("full"), Failure::Overflow);
        drop(first);
        drop(second.await.expect("room again"));
        drop(breakers.room("b", &limits).await.expect("another cluster has its own"));
    }

    /// What a future gives when it is polled once.
    async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        std::future::poll_fn(|cx| match std::pin::Pin::new(&mut *future).poll(cx) {
            std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
            std::task::Poll::Pending => std::task::Poll::Ready(None),
        })
        .await
    }

    #[tokio::test]
    async fn who_gives_up_waiting_makes_room_for_another() {
        let breakers = Breakers::default();
        let limits = Limits { at_once: 1, waiting: Some(1) };
        let _first = breakers.room("a", &limits).await.expect("there is room");
        for _ in 0..3 {
            let mut waiting = Box::pin(breakers.room("a", &limits));
            assert!(futures_poll(&mut waiting).await.is_none());
        }
    }
}
