//! Lists that a provider keeps: what was fetched last, how old it is, and how fetching goes.
//!
//! A feed is shared by the handler that looks values up in it and the task that fetches it (in `node`); it touches
//! neither network nor clock itself.

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwapOption, Guard};

use crate::expr::Timestamp;
use crate::resource::kinds::listchecker::{EntryType, Listchecker};

use super::list::{self, List};

/// Where a list comes from, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Name of the handler, as messages have it.
    pub handler: String,
    /// Where it is fetched from; may hold a password.
    pub url: String,
    /// What an entry is.
    pub entry_type: EntryType,
    /// Time between fetches.
    pub refresh: Duration,
    /// How long a list serves after it was fetched.
    pub ttl: Duration,
}

impl Source {
    /// That of a handler; none if it has no provider.
    pub fn of(handler: &str, spec: &Listchecker) -> Option<Self> {
        (!spec.provider_url.is_empty()).then(|| Self {
            handler: handler.to_owned(),
            url: spec.provider_url.clone(),
            entry_type: spec.entry_type,
            refresh: spec.refresh_interval.to_std(),
            ttl: spec.ttl.to_std(),
        })
    }

    /// What tells it from all others: two handlers never share a feed, nor does a handler with a new configuration take
    /// over the old one's list.
    pub fn key(&self) -> String {
        format!("{self:?}")
    }

    /// The URL without what may be secret in it.
    pub fn shown_url(&self) -> String {
        shown_url(&self.url)
    }
}

/// A URL without what may be secret in it: user, password and query.
pub fn shown_url(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

/// A provider's list.
#[derive(Debug)]
pub struct Feed {
    source: Source,
    serial: u64,
    list: ArcSwapOption<List>,
    /// When the list was fetched last, in microseconds since 1970; it means nothing while there is no list.
    fetched: AtomicI64,
    claimed: AtomicBool,
    hasher: RandomState,
    progress: Mutex<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    /// Length and hash of the last good body.
    body: Option<(usize, u64)>,
    counts: Counts,
    last_error: Option<String>,
}

/// How often a list was fetched, by what came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// A new list.
    pub replaced: u64,
    /// The list that was there already.
    pub unchanged: u64,
    /// No list.
    pub failed: u64,
}

/// How a feed does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Entries of the list that serves; none without one.
    pub entries: Option<usize>,
    /// When a list was fetched last.
    pub fetched: Option<Timestamp>,
    /// How often a list was fetched.
    pub counts: Counts,
    /// Why the last fetch failed, if it did.
    pub last_error: Option<String>,
}

/// What a good fetch came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetched {
    /// The list is another one.
    Replaced,
    /// The list is the same as before.
    Unchanged,
}

impl Feed {
    /// A feed that was never fetched.
    pub fn new(source: Source) -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        Self {
            source,
            serial: MADE.fetch_add(1, Ordering::Relaxed),
            list: ArcSwapOption::empty(),
            fetched: AtomicI64::new(0),
            claimed: AtomicBool::new(false),
            hasher: RandomState::new(),
            progress: Mutex::default(),
        }
    }

    /// Where it comes from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Greater than that of every feed made before.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// True for the first who asks, who then has to fetch it.
    pub fn claim(&self) -> bool {
        !self.claimed.swap(true, Ordering::AcqRel)
    }

    /// The list that serves at a time.
    ///
    /// # Errors
    /// That there is none: it was never fetched, or too long ago.
    pub fn list_at(&self, time: Timestamp) -> Result<Guard<Option<Arc<List>>>, Cow<'static, str>> {
        let list = self.list.load();
        if list.is_none() {
            return Err(format!("no list from {} serves", self.source.shown_url()).into());
        }
        if self.expired(time) {
            return Err(format!("the list from {} is older than its ttl", self.source.shown_url()).into());
        }
        Ok(list)
    }

    fn expired(&self, time: Timestamp) -> bool {
        let age = time.micros().saturating_sub(self.fetched.load(Ordering::Acquire));
        age > i64::try_from(self.source.ttl.as_micros()).unwrap_or(i64::MAX)
    }

    /// Takes a fetched body; a long one takes a while to read.
    ///
    /// # Errors
    /// Why it is no list; the one before serves on.
    pub fn accept(&self, body: &[u8], time: Timestamp) -> Result<Fetched, String> {
        let mark = Some((body.len(), self.hasher.hash_one(body)));
        let unchanged = self.progress().body == mark;
        if !unchanged {
            let read = list::read(self.source.entry_type, body).inspect_err(|why| self.fail(why.clone(), time))?;
            self.list.store(Some(Arc::new(read)));
        }
        self.fetched.store(time.micros(), Ordering::Release);
        let mut progress = self.progress();
        progress.body = mark;
        progress.last_error = None;
        let counts = &mut progress.counts;
        if unchanged {
            counts.unchanged += 1;
            return Ok(Fetched::Unchanged);
        }
        counts.replaced += 1;
        Ok(Fetched::Replaced)
    }

    /// Notes that no list could be fetched. One that is too old by then is forgotten.
    pub fn fail(&self, why: String, time: Timestamp) {
        let mut progress = self.progress();
        progress.counts.failed += 1;
        progress.last_error = Some(why);
        if self.expired(time) {
            progress.body = None;
            self.list.store(None);
        }
    }

    /// How it does.
    pub fn condition(&self) -> Condition {
        let progress = self.progress();
        let list = self.list.load();
        let fetched = list.is_some().then(|| Timestamp::from_micros(self.fetched.load(Ordering::Acquire)));
        Condition {
            entries: list.as_ref().map(|list| list.len()),
            fetched,
            counts: progress.counts,
            last_error: progress.last_error.clone(),
        }
    }

    fn progress(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60;

    fn feed(url: &str) -> Feed {
        let spec = Listchecker { provider_url: url.into(), ..Listchecker::default() };
        Feed::new(Source::of("paths.listchecker.default", &spec).unwrap())
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp { seconds: 1_500_000_000 + seconds, nanos: 0 }
    }

    fn entries(feed: &Feed, time: Timestamp) -> Result<usize, String> {
        let list = feed.list_at(time).map_err(Cow::into_owned)?;
        Ok(list.as_ref().map_or(0, |list| list.len()))
    }

    #[test]
    fn the_last_good_list_serves_until_its_ttl() {
        let feed = feed("http://lists.example/a");
        assert_eq!(entries(&feed, at(0)).unwrap_err(), "no list from http://lists.example/a serves");
        assert_eq!(feed.accept(b"/a\n/b", at(0)), Ok(Fetched::Replaced));
        assert!(feed.accept(b"\xff", at(MINUTE)).is_err());
        feed.fail("down".into(), at(2 * MINUTE));
        assert_eq!(entries(&feed, at(5 * MINUTE)), Ok(2));
        let late = entries(&feed, at(5 * MINUTE + 1)).unwrap_err();
        assert_eq!(late, "the list from http://lists.example/a is older than its ttl");
        let condition = feed.condition();
        assert_eq!(condition.counts, Counts { replaced: 1, unchanged: 0, failed: 2 });
        assert_eq!((condition.entries, condition.last_error.as_deref()), (Some(2), Some("down")));
    }

    #[test]
    fn a_list_that_is_too_old_is_forgotten_and_the_same_one_may_come_again() {
        let feed = feed("http://lists.example/a");
        feed.accept(b"/a", at(0)).unwrap();
        feed.fail("down".into(), at(6 * MINUTE));
        assert_eq!(feed.condition().entries, None);
        assert_eq!(feed.accept(b"/a", at(7 * MINUTE)), Ok(Fetched::Replaced));
        assert_eq!(entries(&feed, at(8 * MINUTE)), Ok(1));
    }

    #[test]
    fn the_same_body_makes_the_list_young_again() {
        let feed = feed("http://lists.example/a");
        feed.accept(b"/a", at(0)).unwrap();
        assert_eq!(feed.accept(b"/a", at(4 * MINUTE)), Ok(Fetched::Unchanged));
        assert_eq!(entries(&feed, at(8 * MINUTE)), Ok(1));
        assert_eq!(feed.condition().fetched, Some(at(4 * MINUTE)));
    }

    #[test]
    fn no_secret_of_the_url_is_shown() {
        for (url, shown) in [
            ("http://user:p@ss@lists.example:81/a/b?token=x#y", "http://lists.example:81/a/b"),
            ("https://lists.example", "https://lists.example"),
            ("http://lists.example/a@b", "http://lists.example/a@b"),
        ] {
            assert_eq!(feed(url).source().shown_url(), shown);
        }
    }
}
