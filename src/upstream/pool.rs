//! Idle connections of one worker, shared under the endpoint's pool key.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;

/// Longest time a connection may lie idle, if its rule does not say; shorter than the minute after which common origins close, so that a
/// connection being closed is rarely picked.
pub(super) const MAX_IDLE: Duration = Duration::from_secs(50);

/// Most idle connections kept for one endpoint; each costs a descriptor here and at the origin.
const MAX_IDLE_CONNECTIONS: usize = 256;

/// A connection that can be lent.
pub(super) trait Lendable {
    /// Whether it is gone.
    fn closed(&mut self) -> bool;
}

/// Idle connections, with when they are closed.
#[derive(Debug)]
pub(super) struct Pool<T>(HashMap<Arc<str>, Vec<(Instant, T)>, RandomState>);

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<T: Lendable> Pool<T> {
    /// A connection that can be used, the one used last first: the others may then be closed in peace.
    pub(super) fn take(&mut self, key: &str, now: Instant) -> Option<T> {
        let idle = self.0.get_mut(key)?;
        while let Some((until, mut connection)) = idle.pop() {
            if until > now && !connection.closed() {
                return Some(connection);
            }
        }
        None
    }

    /// Gives a connection back, which may lie idle until then.
    pub(super) fn put(&mut self, key: &Arc<str>, mut connection: T, until: Instant) {
        if connection.closed() {
            return;
        }
        let idle = match self.0.get_mut(key) {
            Some(idle) => idle,
            None => self.0.entry(Arc::clone(key)).or_default(),
        };
        if idle.len() < MAX_IDLE_CONNECTIONS {
            idle.push((until, connection));
        }
    }

    /// Drops what is closed or has been idle for too long, and endpoints that are no longer used.
    pub(super) fn sweep(&mut self, now: Instant) {
        self.0.retain(|_, idle| {
            idle.retain_mut(|(until, connection)| !connection.closed() && *until > now);
            !idle.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scripted(u8, bool);

    impl Lendable for Scripted {
        fn closed(&mut self) -> bool {
            !self.1
        }
    }

    #[test]
    fn the_connection_used_last_is_lent_first_and_a_closed_one_never() {
        let (mut pool, now, key) = (Pool::default(), Instant::now(), Arc::from("a"));
        for connection in [Scripted(1, true), Scripted(2, true), Scripted(3, false)] {
            pool.put(&key, connection, now + MAX_IDLE);
        }
        assert_eq!(pool.take("a", now).map(|c| c.0), Some(2));
        assert_eq!(pool.take("b", now).map(|c| c.0), None);
        assert_eq!(pool.take("a", now).map(|c| c.0), Some(1));
        assert_eq!(pool.take("a", now).map(|c| c.0), None);
    }

    #[test]
    fn what_lies_idle_for_too_long_is_swept_and_not_lent() {
        let (mut pool, now, key) = (Pool::default(), Instant::now(), Arc::from("a"));
        pool.put(&key, Scripted(1, true), now + MAX_IDLE);
        assert!(pool.take("a", now + MAX_IDLE).is_none());
        pool.sweep(now + MAX_IDLE);
        assert!(pool.take("a", now).is_none());
    }
}
