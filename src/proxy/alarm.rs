//! Limits of time that are hardly ever reached: they are looked at twice a second, all of a worker together, so that a call does
//! not pay for a timer of its own.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use slab::Slab;

/// How often they are looked at: so much later than its limit a call is given up at most.
const INTERVAL: Duration = Duration::from_millis(500);

/// Limits that a worker's calls wait within.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    set: RefCell<Slab<Set>>,
    /// Whether somebody looks.
    watched: Cell<bool>,
}

/// One of them.
#[derive(Debug)]
struct Set {
    until: Instant,
    rung: bool,
    waker: Waker,
}

impl Alarms {
    /// Waits for something, about so long at most.
    pub(super) async fn within<T>(
        self: &Rc<Self>,
        limit: Duration,
        mut awaited: Pin<&mut impl Future<Output = T>>,
    ) -> Option<T> {
        let mut alarm = None;
        poll_fn(|cx| match awaited.as_mut().poll(cx) {
            Poll::Ready(came) => Poll::Ready(Some(came)),
            Poll::Pending => alarm.get_or_insert_with(|| Alarm::set(self, limit, cx)).poll(cx).map(|()| None),
        })
        .await
    }

    fn watch(self: &Rc<Self>) {
        if self.watched.replace(true) {
            return;
        }
        let alarms = Rc::clone(self);
        tokio::task::spawn_local(async move {
            while !alarms.set.borrow().is_empty() {
                tokio::time::sleep(INTERVAL).await;
                alarms.ring(tokio::time::Instant::now().into_std());
            }
            alarms.watched.set(false);
        });
    }

    fn ring(&self, now: Instant) {
        for (_, set) in self.set.borrow_mut().iter_mut().filter(|(_, set)| set.until <= now) {
            set.rung = true;
            set.waker.wake_by_ref();
        }
    }
}

/// A limit, until it is dropped.
struct Alarm<'a> {
    alarms: &'a Alarms,
    key: usize,
}

impl<'a> Alarm<'a> {
    fn set(alarms: &'a Rc<Alarms>, limit: Duration, cx: &Context<'_>) -> Self {
        let now = tokio::time::Instant::now().into_std();
        // Later than anybody waits.
        let until = now.checked_add(limit).unwrap_or(now + Duration::from_secs(u64::from(u32::MAX)));
        let key = alarms.set.borrow_mut().insert(Set { until, rung: false, waker: cx.waker().clone() });
        alarms.watch();
        Self { alarms, key }
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        let mut all = self.alarms.set.borrow_mut();
        let set = &mut all[self.key];
        if set.rung {
            return Poll::Ready(());
        }
        set.waker.clone_from(cx.waker());
        Poll::Pending
    }
}

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        self.alarms.set.borrow_mut().remove(self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::pin::pin;

    use tokio::task::LocalSet;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_does_not_come_in_time_is_given_up_and_what_comes_leaves_nothing() {
        let begun = tokio::time::Instant::now();
        let alarms = Rc::<Alarms>::default();
        let local = LocalSet::new();
        local
            .run_until(async {
                let limit = Duration::from_secs(5);
                assert_eq!(alarms.within(limit, pin!(ready(1))).await, Some(1));
                assert_eq!(alarms.within(limit, pin!(pending::<u8>())).await, None);
                let late = pin!(async { tokio::time::sleep(limit).await });
                assert_eq!(alarms.within(Duration::MAX, late).await, Some(()));
            })
            .await;
        assert!(alarms.set.borrow().is_empty());
        let took = begun.elapsed();
        assert!(took >= Duration::from_secs(10) && took <= Duration::from_secs(11), "{took:?}");
    }
}
