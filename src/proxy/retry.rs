//! How often a call is tried: by the gateway's route, and around that by the sidecar's.

use std::time::Duration;

use http::{HeaderMap, Response};

use crate::call::Failure;
use crate::decision::Way;
use crate::routing::{Retries, Tried};
use crate::upstream::ResponseBody;

/// What the routes of a call still allow.
pub(super) struct Patience<'s> {
    /// Of the last hop.
    inner: Level<'s>,
    /// Of the sidecar before it, which sees the gateway's answers only.
    outer: Option<Level<'s>>,
    /// Whether a further try was wanted when there were none left.
    pub(super) used_up: bool,
}

struct Level<'s> {
    retries: &'s Retries,
    made: u32,
}

/// One more try, after a pause.
pub(super) struct Again {
    pub(super) pause: Duration,
}

impl<'s> Level<'s> {
    /// The number of the retry, counted from 1; `None` where they are used up.
    fn next(&mut self) -> Option<u32> {
        (self.made < self.retries.attempts).then(|| {
            self.made += 1;
            self.made
        })
    }

    fn new(retries: &'s Retries) -> Self {
        Self { retries, made: 0 }
    }
}

impl<'s> Patience<'s> {
    /// Of a call that is tried for the first time.
    pub(super) fn of(way: &Way<'s>) -> Self {
        let outer = way.before.map(|route| Level::new(route.retries()));
        Self { inner: Level::new(way.retries()), outer, used_up: false }
    }

    /// Whether what an origin has not begun with is tried again.
    pub(super) fn repeats_refused(&self) -> bool {
        let asks = |level: &Level<'_>| level.retries.attempts > 0 && level.retries.repeats_refused();
        asks(&self.inner) || self.outer.as_ref().is_some_and(asks)
    }

    /// Whether more than connections that failed is tried again, so that bodies are worth keeping.
    pub(super) fn repeats_answers(&self) -> bool {
        let asks = |level: &Level<'_>| level.retries.attempts > 0 && level.retries.repeats_answers();
        asks(&self.inner) || self.outer.as_ref().is_some_and(asks)
    }

    /// Longest time for one try.
    pub(super) fn per_try(&self) -> Option<Duration> {
        let outer = self.outer.as_ref().and_then(|level| level.retries.per_try_timeout);
        [self.inner.retries.per_try_timeout, outer].into_iter().flatten().min()
    }

    /// Whether to try again after this.
    pub(super) fn again(&mut self, answer: &Result<Response<ResponseBody>, Failure>, chance: u64) -> Option<Again> {
        let tried = match answer {
            Ok(answer) => Tried::Answered(answer.status().as_u16(), answer.headers()),
            Err(failure) => Tried::Failed(*failure),
        };
        if self.inner.retries.wants_again(tried) {
            if let Some(number) = self.inner.next() {
                return Some(Again { pause: self.inner.retries.pause(number, chance.wrapping_add(u64::from(number))) });
            }
            self.used_up = self.inner.retries.attempts > 0;
        }
        let none = HeaderMap::new();
        let seen_outside = match tried {
            Tried::Failed(failure) => Tried::Answered(failure.status(), &none),
            answered => answered,
        };
        let outer = self.outer.as_mut().filter(|outer| outer.retries.wants_again(seen_outside))?;
        let Some(number) = outer.next() else {
            self.used_up |= outer.retries.attempts > 0;
            return None;
        };
        // The gateway sees a new call.
        self.inner.made = 0;
        self.used_up = false;
        Some(Again { pause: outer.retries.pause(number, chance.wrapping_sub(u64::from(number))) })
    }
}
