//! Connections of a worker that wait for a request, and for how long: they are looked at every now and then, all together, so that
//! neither waiting nor a request costs a timer.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use slab::Slab;
use tokio::time::{Instant, sleep};

use super::limits::Limits;

/// The connections of a worker that have waited once.
#[derive(Debug)]
pub(super) struct Waits {
    all: RefCell<Slab<Wait>>,
    /// When they were looked at last: as exactly as that, times are known here.
    seen: Cell<Instant>,
    /// Whether somebody looks.
    watched: Cell<bool>,
    /// How often they are looked at.
    interval: Duration,
    /// After so much they have come to rest.
    little: Duration,
    /// After so much they have waited too long.
    most: Duration,
}

#[derive(Debug)]
struct Wait {
    /// None while a call is under way.
    since: Option<Instant>,
    waker: Waker,
}

/// How long it has been waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waited {
    Little,
    /// So long that what is only good for a next call is not to be kept.
    Long,
    TooLong,
}

impl Waits {
    pub(super) fn new(limits: &Limits) -> Rc<Self> {
        let (all, watched, most) = (RefCell::default(), Cell::default(), limits.head_timeout);
        let interval = limits.ready_time.min(most);
        // Times are known so exactly, and it is not to be less than was asked for.
        Rc::new(Self { all, seen: Cell::new(Instant::now()), watched, interval, little: 2 * interval, most })
    }

    /// A connection that begins to wait.
    pub(super) fn begin(self: &Rc<Self>, cx: &Context<'_>) -> Place {
        self.watch();
        let key = self.all.borrow_mut().insert(Wait { since: Some(self.seen.get()), waker: cx.waker().clone() });
        Place { waits: Rc::clone(self), key }
    }

    /// Has all of them look what has come to pass.
    pub(super) fn wake_all(&self) {
        self.all.borrow().iter().for_each(|(_, wait)| wait.waker.wake_by_ref());
    }

    fn watch(self: &Rc<Self>) {
        if self.watched.replace(true) {
            return;
        }
        self.seen.set(Instant::now());
        let waits = Rc::clone(self);
        tokio::task::spawn_local(async move {
            while !waits.all.borrow().is_empty() {
                sleep(waits.interval).await;
                waits.look(Instant::now());
            }
            waits.watched.set(false);
        });
    }

    fn look(&self, now: Instant) {
        let before = self.seen.replace(now);
        for (_, wait) in &*self.all.borrow() {
            let Some(since) = wait.since else { continue };
            let has_come_to_rest =
                (self.waited(since, before), self.waited(since, now)) == (Waited::Little, Waited::Long);
            if has_come_to_rest || now - since >= self.most {
                wait.waker.wake_by_ref();
            }
        }
    }

    fn waited(&self, since: Instant, now: Instant) -> Waited {
        match now.saturating_duration_since(since) {
            waited if waited >= self.most => Waited::TooLong,
            waited if waited >= self.little => Waited::Long,
            _ => Waited::Little,
        }
    }
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    waits: Rc<Waits>,
    key: usize,
}

impl Place {
    /// A call is under way.
    pub(super) fn ends(&self) {
        self.waits.all.borrow_mut()[self.key].since = None;
    }

    /// It is waited for something else from now on.
    pub(super) fn begins_anew(&self) {
        self.waits.all.borrow_mut()[self.key].since = Some(self.waits.seen.get());
    }

    /// Goes on waiting, or begins again after a call; for how long it has been.
    pub(super) fn poll(&self, cx: &Context<'_>) -> Waited {
        let (mut all, seen) = (self.waits.all.borrow_mut(), self.waits.seen.get());
        let wait = &mut all[self.key];
        wait.waker.clone_from(cx.waker());
        self.waits.waited(*wait.since.get_or_insert(seen), seen)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.waits.all.borrow_mut().remove(self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use tokio::task::LocalSet;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_told_when_it_has_come_to_rest_and_when_it_was_too_long_and_calls_do_not_count() {
        let (ready_time, head_timeout) = (Duration::from_millis(250), Duration::from_secs(5));
        let waits = Waits::new(&Limits { ready_time, head_timeout, ..Limits::default() });
        let until = async |place: &Place, waited: Waited| {
            let begun = Instant::now();
            poll_fn(|cx| if place.poll(cx) == waited { Poll::Ready(()) } else { Poll::Pending }).await;
            begun.elapsed()
        };
        LocalSet::new()
            .run_until(async {
                let place = poll_fn(|cx| Poll::Ready(waits.begin(cx))).await;
                assert!((ready_time..=3 * ready_time).contains(&until(&place, Waited::Long).await));
                place.ends();
                sleep(2 * head_timeout).await;
                assert!((ready_time..=3 * ready_time).contains(&until(&place, Waited::Long).await));
                sleep(head_timeout / 2).await;
                place.begins_anew();
                let waited = until(&place, Waited::TooLong).await;
                assert!((head_timeout - ready_time..=head_timeout + 2 * ready_time).contains(&waited), "{waited:?}");
                drop(place);
                sleep(2 * ready_time).await;
                assert!(!waits.watched.get(), "nobody is looked at");
            })
            .await;
    }
}
