//! Counters of quotas: how much was taken within a window.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::expr::{Timestamp, ValueRef};

/// Locks that keys are spread over: workers seldom meet, and none waits long while a shard is copied to be saved.
const SHARDS: usize = 64;

/// Most counters of a shard: 100,000 in all. What a caller can choose must not fill the memory.
const MAX_KEYS: usize = 100_000 / SHARDS;

/// Nanoseconds between two looks for counters that no longer count.
const SWEEP_PAUSE: i64 = 1_000_000_000;

/// Most parts of a rolling window: finer than a thousandth nobody notices, and a counter stays small.
const MAX_BUCKETS: i64 = 1_000;

/// Whether what handlers remember is changed by a call, or only looked at: `trace` changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spend {
    /// Quotas are taken and metrics counted.
    Take,
    /// They are not.
    Peek,
}

/// A limit, as it applies to one combination of dimensions. Times are nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit {
    pub(super) max: i64,
    pub(super) window: Window,
}

/// When what was taken is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Window {
    /// Never.
    Forever,
    /// A window's length after its first use.
    Fixed(i64),
    /// A window's length after it was taken, in steps of a bucket.
    Rolling { length: i64, bucket: i64 },
}

impl Window {
    /// A rolling window whose buckets are not too many.
    pub(super) fn rolling(length: i64, bucket: i64) -> Self {
        Window::Rolling { length, bucket: bucket.max(length / MAX_BUCKETS).max(1) }
    }
}

/// There were too many combinations of dimensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMany;

/// The counters of one handler.
#[derive(Debug)]
pub struct Counters {
    shards: [Mutex<Shard>; SHARDS],
    spread: RandomState,
    changed: AtomicBool,
}

/// Some of the counters.
#[derive(Debug, Default)]
struct Shard {
    used: HashMap<String, Used>,
    /// When it was last looked through for what no longer counts.
    swept: i64,
}

/// What was taken of one counter: amounts with the start of their bucket or window, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Used {
    taken: VecDeque<(i64, i64)>,
    /// The newest time seen: a clock that goes back gives nothing back early.
    newest: i64,
    /// How long the oldest counts, so that it can be forgotten without its limit; `None` for ever.
    length: Option<i64>,
}

/// A saved counter: its key and what was taken.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Saved {
    key: String,
    used: Used,
}

impl Counters {
    /// Counters that go on from what was saved.
    pub(super) fn new(saved: Vec<Saved>) -> Self {
        let counters = Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            spread: RandomState::new(),
            changed: AtomicBool::new(false),
        };
        counters.take_over(saved);
        counters
    }

    /// Goes on from what was saved, where it knows a counter already too.
    pub(super) fn take_over(&self, saved: Vec<Saved>) {
        for Saved { key, used } in saved {
            self.shard(&key).used.insert(key, used);
        }
    }

    fn shard(&self, key: &str) -> MutexGuard<'_, Shard> {
        let hash = usize::try_from(self.spread.hash_one(key) % SHARDS as u64).unwrap_or_default();
        self.shards[hash].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an amount, whole or not at all. Says whether it fitted.
    pub(super) fn take(
        &self,
        key: &str,
        amount: i64,
        limit: Limit,
        now: Timestamp,
        spend: Spend,
    ) -> Result<bool, TooMany> {
        let now = nanos(now);
        let mut shard = self.shard(key);
        if spend == Spend::Peek {
            // Nothing is changed, whatever time is asked about.
            let used = shard.used.get(key).map_or(0, |used| used.total_at(now, limit.window));
            return Ok(used.checked_add(amount).is_some_and(|total| total <= limit.max));
        }
        if !shard.used.contains_key(key) {
            if !shard.has_room(now) {
                return Err(TooMany);
            }
            shard.used.insert(key.to_owned(), Used::default());
        }
        let Some(used) = shard.used.get_mut(key) else { return Err(TooMany) };
        let now = now.max(used.newest);
        used.give_back(now, limit.window);
        let fits = used.total().checked_add(amount).is_some_and(|total| total <= limit.max);
        if fits && amount > 0 {
            used.add(now, amount, limit.window);
            self.changed.store(true, Ordering::Relaxed);
        }
        Ok(fits)
    }

    /// Whether anything was taken since this was asked last.
    pub fn changed(&self) -> bool {
        self.changed.swap(false, Ordering::Relaxed)
    }

    /// Everything that counts.
    pub fn all(&self) -> Vec<Saved> {
        let shards = self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner));
        let copied = shards.map(|shard| {
            let saved = shard.used.iter().map(|(key, used)| Saved { key: key.clone(), used: used.clone() });
            saved.collect::<Vec<_>>()
        });
        copied.flatten().collect()
    }
}

impl Shard {
    /// Whether there is room for another counter. A full shard is looked through once a second at most, so that a caller
    /// who makes up keys costs no more than others.
    fn has_room(&mut self, now: i64) -> bool {
        if self.used.len() >= MAX_KEYS && now.saturating_sub(self.swept) >= SWEEP_PAUSE {
            self.swept = now;
            self.used.retain(|_, used| used.holds(now));
        }
        self.used.len() < MAX_KEYS
    }
}

impl Used {
    fn total(&self) -> i64 {
        self.taken.iter().fold(0, |total: i64, (_, amount)| total.saturating_add(*amount))
    }

    /// What counts at a time.
    fn total_at(&self, now: i64, window: Window) -> i64 {
        let counts = |since: i64| match window {
            Window::Forever => true,
            Window::Fixed(length) | Window::Rolling { length, .. } => now.saturating_sub(since) < length,
        };
        let counted = self.taken.iter().filter(|(since, _)| counts(*since));
        counted.fold(0, |total: i64, (_, amount)| total.saturating_add(*amount))
    }

    fn give_back(&mut self, now: i64, window: Window) {
        self.newest = now;
        self.length = match window {
            Window::Forever => None,
            Window::Fixed(length) | Window::Rolling { length, .. } => Some(length),
        };
        if let Some(length) = self.length {
            while self.taken.front().is_some_and(|(since, _)| now.saturating_sub(*since) >= length) {
                self.taken.pop_front();
            }
        }
    }

    fn add(&mut self, now: i64, amount: i64, window: Window) {
        let since = match window {
            Window::Forever | Window::Fixed(_) => self.taken.front().map_or(now, |(since, _)| *since),
            Window::Rolling { bucket, .. } => now - now.rem_euclid(bucket),
        };
        match self.taken.back_mut() {
            Some((last, taken)) if *last == since => *taken = taken.saturating_add(amount),
            _ => self.taken.push_back((since, amount)),
        }
    }

    /// Whether it still counts for anything.
    fn holds(&self, now: i64) -> bool {
        let last = self.taken.back().map(|(since, _)| *since);
        last.is_some_and(|since| self.length.is_none_or(|length| now.saturating_sub(since) < length))
    }
}

fn nanos(time: Timestamp) -> i64 {
    time.seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(time.nanos))
}

/// Hands a key, made of a name and values, to a closure; the memory it is written in is used again.
pub(super) fn with_key<'v, R>(
    name: &str,
    values: impl Iterator<Item = ValueRef<'v>>,
    run: impl FnOnce(&str) -> R,
) -> R {
    thread_local!(static KEY: RefCell<String> = const { RefCell::new(String::new()) });
    KEY.with_borrow_mut(|key| {
        key.clear();
        key.push_str(name);
        for value in values {
            key.push(' ');
            value.write_json(key);
        }
        run(key)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn at(tenths: i64) -> Timestamp {
        let nanos = u32::try_from(tenths.rem_euclid(10) * SECOND / 10).expect("less than a second");
        Timestamp { seconds: tenths.div_euclid(10), nanos }
    }

    fn take(counters: &Counters, limit: Limit, tenths: i64) -> bool {
        counters.take("k", 1, limit, at(tenths), Spend::Take).expect("few keys")
    }

    #[test]
    fn a_rolling_window_gives_back_what_is_a_window_old() {
        let limit = Limit { max: 2, window: Window::rolling(SECOND, SECOND / 10) };
        let counters = Counters::new(Vec::new());
        let granted: Vec<bool> = [0, 5, 9, 10, 11, 15].into_iter().map(|time| take(&counters, limit, time)).collect();
        assert_eq!(granted, [true, true, false, true, false, true]);
    }

    #[test]
    fn a_fixed_window_gives_back_all_at_once() {
        let limit = Limit { max: 2, window: Window::Fixed(SECOND) };
        let counters = Counters::new(Vec::new());
        let granted: Vec<bool> = [3, 8, 12, 13, 14, 15].into_iter().map(|time| take(&counters, limit, time)).collect();
        assert_eq!(granted, [true, true, false, true, true, false]);
    }

    #[test]
    fn without_window_nothing_is_given_back() {
        let limit = Limit { max: 1, window: Window::Forever };
        let counters = Counters::new(Vec::new());
        assert!(take(&counters, limit, 0));
        assert!(!take(&counters, limit, 1_000_000));
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_back() {
        let limit = Limit { max: 1, window: Window::rolling(SECOND, SECOND / 10) };
        let counters = Counters::new(Vec::new());
        assert!(take(&counters, limit, 100));
        assert!(!take(&counters, limit, 20));
        assert!(!take(&counters, limit, 109));
    }

    #[test]
    fn looking_takes_nothing_and_what_was_saved_still_counts() {
        let limit = Limit { max: 1, window: Window::Fixed(SECOND) };
        let counters = Counters::new(Vec::new());
        for _ in 0..3 {
            assert_eq!(counters.take("k", 1, limit, at(0), Spend::Peek), Ok(true));
        }
        assert!(!counters.changed());
        assert!(take(&counters, limit, 0));
        assert_eq!(counters.take("k", 1, limit, at(5), Spend::Peek), Ok(false));
        assert_eq!(counters.take("k", 1, limit, at(1_000), Spend::Peek), Ok(true), "by then it is given back");
        assert!(!take(&counters, limit, 5), "asking about the future gives nothing back");
        assert!(counters.changed() && !counters.changed());
        let restored = Counters::new(counters.all());
        assert!(!take(&restored, limit, 5));
        assert!(take(&restored, limit, 10));
    }

    #[test]
    fn threads_together_never_take_too_much() {
        let limit = Limit { max: 1_000, window: Window::Forever };
        let counters = Counters::new(Vec::new());
        let granted = std::thread::scope(|scope| {
            let count = || (0..500).filter(|_| take(&counters, limit, 0)).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(count)).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).sum::<usize>()
        });
        assert_eq!(granted, 1_000);
    }

    #[test]
    fn keys_that_a_caller_makes_up_do_not_fill_the_memory() {
        let limit = Limit { max: 1, window: Window::Fixed(SECOND) };
        let counters = Counters::new(Vec::new());
        let take = |key: usize, tenths| counters.take(&format!("k{key}"), 1, limit, at(tenths), Spend::Take);
        let refused = (0..200_000).filter(|key| take(*key, 0) == Err(TooMany)).count();
        assert!(refused >= 100_000, "{refused}");
        assert_eq!(take(300_000, 10), Ok(true), "what no longer counts makes room");
    }
}
