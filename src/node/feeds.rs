//! Lists of providers, kept fresh: fetched as soon as a configuration names them, and again whenever they are due.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::{Certificate, Client, StatusCode};
use tokio::sync::{Semaphore, oneshot};

use crate::expr::Timestamp;
use crate::policy::feed::{Feed, Source};
use crate::proxy::now;
use crate::snapshot::Compiler;

use super::api::FeedStatus;
use super::messages::Messages;

/// Longest body in bytes: some three million paths.
const MAX_BODY: usize = 64 << 20;

/// How long a provider has for its whole answer; less where the list is refreshed more often.
const FETCH_LIMIT: Duration = Duration::from_secs(30);

/// How long a configuration waits for lists that are new before it is put in force without them.
const FIRST_LIMIT: Duration = Duration::from_secs(5);

/// Time between fetches while there is no list at all, and calls are refused for want of it.
const RETRY: Duration = Duration::from_secs(5);

/// Lists that are fetched at one time, so that their bodies take a bounded amount of memory.
const MAX_FETCHES: usize = 4;

/// Fetches the lists of a proxy's handlers.
#[derive(Clone)]
pub(super) struct Feeds(Arc<Shared>);

struct Shared {
    compiler: Arc<Compiler>,
    messages: Messages,
    /// Stands in for the system's authorities.
    ca_file: Option<PathBuf>,
    /// Made for the first list: most proxies have none.
    client: OnceLock<Result<Client, String>>,
    running: Semaphore,
}

impl std::fmt::Debug for Feeds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Feeds")
    }
}

impl Feeds {
    /// Fetches for the handlers that a compiler builds.
    pub(super) fn new(compiler: &Arc<Compiler>, ca_file: Option<&Path>, messages: &Messages) -> Self {
        Self(Arc::new(Shared {
            compiler: Arc::clone(compiler),
            messages: messages.clone(),
            ca_file: ca_file.map(Path::to_owned),
            client: OnceLock::new(),
            running: Semaphore::new(MAX_FETCHES),
        }))
    }

    /// Begins to fetch the lists that are new, and waits until each has been fetched once, or for a while.
    pub(super) async fn begin(&self) {
        let all = self.0.compiler.live.feeds.all().into_iter();
        let firsts: Vec<_> = all.filter(|(_, feed)| feed.claim()).map(|(_, feed)| self.keep(feed)).collect();
        let fetched = async {
            for first in firsts {
                // Done when the other end is dropped.
                let _ = first.await;
            }
        };
        let _ = tokio::time::timeout(FIRST_LIMIT, fetched).await;
    }

    /// Keeps a list fresh while a handler holds it. What comes back ends with the first fetch.
    fn keep(&self, feed: Arc<Feed>) -> oneshot::Receiver<()> {
        let (feeds, (first, fetched)) = (self.clone(), oneshot::channel::<()>());
        tokio::spawn(async move {
            let held = Arc::downgrade(&feed);
            let mut pause = feeds.refresh(feed).await;
            drop(first);
            loop {
                tokio::time::sleep(pause).await;
                let Some(feed) = held.upgrade() else { return };
                pause = feeds.refresh(feed).await;
            }
        });
        fetched
    }

    /// Fetches a list once. Returns how long to wait before the next time.
    async fn refresh(&self, feed: Arc<Feed>) -> Duration {
        let before = feed.condition().last_error;
        let permit = self.0.running.acquire().await;
        let client = self.0.client.get_or_init(|| client(self.0.ca_file.as_deref()));
        let fetched = match client {
            Ok(client) => fetch(client, feed.source()).await,
            Err(why) => Err(why.clone()),
        };
        match fetched {
            Ok(body) => {
                let fetched = Arc::clone(&feed);
                // A long list takes a second to read, in which the proxy must answer its admin endpoint.
                let read = tokio::task::spawn_blocking(move || fetched.accept(&body, now())).await;
                if let Err(panicked) = read {
                    feed.fail(panicked.to_string(), now());
                }
            }
            Err(why) => feed.fail(why, now()),
        }
        drop(permit);
        let after = feed.condition();
        self.tell(feed.source(), before.as_deref(), after.last_error.as_deref(), after.entries);
        let refresh = feed.source().refresh;
        if after.entries.is_none() { refresh.min(RETRY) } else { refresh }
    }

    /// Says when a list begins or ceases to fail, not each time that it does.
    fn tell(&self, source: &Source, before: Option<&str>, after: Option<&str>, entries: Option<usize>) {
        let (handler, url) = (&source.handler, source.shown_url());
        match (before, after, entries) {
            (None, Some(why), Some(_)) => self.0.messages.say(&format!(
                "the list of {handler} cannot be fetched from {url}, the last good one serves until its ttl: {why}"
            )),
            (None, Some(why), None) => self.0.messages.say(&format!(
                "the list of {handler} cannot be fetched from {url}, and its checks fail for want of one: {why}"
            )),
            (Some(_), None, _) => self.0.messages.say(&format!("the list of {handler} is fetched from {url} again")),
            _ => {}
        }
    }

    /// How each handler's list does, by name.
    pub(super) fn status(&self) -> Vec<FeedStatus> {
        let now = now();
        let mut newest = BTreeMap::<String, Arc<Feed>>::new();
        for (_, feed) in self.0.compiler.live.feeds.all() {
            // Of a handler whose configuration has just changed the old list may still be held by a call.
            let known = newest.get(&feed.source().handler);
            if known.is_none_or(|known| known.serial() < feed.serial()) {
                newest.insert(feed.source().handler.clone(), feed);
            }
        }
        newest.values().map(|feed| status(feed, now)).collect()
    }
}

/// The lists in Prometheus' text exposition format 0.0.4; nothing where there are none.
pub(super) fn exposition(lists: &[FeedStatus]) -> String {
    let mut out = String::new();
    if lists.is_empty() {
        return out;
    }
    let _ = writeln!(out, "# HELP egressctl_list_fetches_total Fetches of lists, by what came of them.");
    let _ = writeln!(out, "# TYPE egressctl_list_fetches_total counter");
    for list in lists {
        let counts = [("replaced", list.replaced), ("unchanged", list.unchanged), ("failed", list.failed)];
        for (result, count) in counts {
            let labels = format!("handler=\"{}\",result=\"{result}\"", list.handler);
            let _ = writeln!(out, "egressctl_list_fetches_total{{{labels}}} {count}");
        }
    }
    let _ = writeln!(out, "# HELP egressctl_list_entries Entries of the fetched list that serves; 0 without one.");
    let _ = writeln!(out, "# TYPE egressctl_list_entries gauge");
    for list in lists {
        let entries = list.entries.filter(|_| list.serves).unwrap_or(0);
        let _ = writeln!(out, "egressctl_list_entries{{handler=\"{}\"}} {entries}", list.handler);
    }
    out
}

fn status(feed: &Feed, now: Timestamp) -> FeedStatus {
    let (condition, source) = (feed.condition(), feed.source());
    let age = condition.fetched.map(|fetched| u64::try_from(now.seconds - fetched.seconds).unwrap_or(0));
    FeedStatus {
        handler: source.handler.clone(),
        url: source.shown_url(),
        entries: condition.entries.map(|entries| entries as u64),
        age_seconds: age,
        serves: feed.list_at(now).is_ok(),
        replaced: condition.counts.replaced,
        unchanged: condition.counts.unchanged,
        failed: condition.counts.failed,
        last_error: condition.last_error,
    }
}

/// A client that trusts the authorities in a file, or else the system's.
pub(super) fn client(ca_file: Option<&Path>) -> Result<Client, String> {
    // Fails only if a provider is installed already, which then serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Not through a proxy: that might be this very one, whose policy waits for the list.
    let mut builder = Client::builder().no_proxy().user_agent(concat!("egressctl/", env!("CARGO_PKG_VERSION")));
    if let Some(path) = ca_file {
        let pem = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        builder = builder.tls_certs_only(Certificate::from_pem_bundle(&pem).map_err(|error| told(&error))?);
    }
    builder.build().map_err(|error| told(&error))
}

/// Fetches what a provider has now.
async fn fetch(client: &Client, source: &Source) -> Result<Vec<u8>, String> {
    let limit = source.refresh.min(FETCH_LIMIT);
    let worded = |error: reqwest::Error| match error.is_timeout() {
        true => format!("no whole answer within {} s", limit.as_secs_f32()),
        false => told(&error.without_url()),
    };
    let mut answer = client.get(&source.url).timeout(limit).send().await.map_err(worded)?;
    if answer.status() != StatusCode::OK {
        return Err(format!("the server answered {}", answer.status()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(worded)? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(format!("the answer has more than {} MiB", MAX_BODY >> 20));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// An error with its causes: the outermost one of a request says only that it failed.
pub(super) fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
