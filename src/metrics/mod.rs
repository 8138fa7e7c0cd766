//! Counters of the data plane, a shard for each worker, summed when read.
//!
//! A worker writes only its own shard, so counting costs no shared cache line; a reader adds the shards up.

mod bounds;
mod traffic;

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

pub use bounds::{Bound, Bounded, One, Use, exposition as uses_exposition};
pub use traffic::{Ended, Labels, Series, Traffic};

/// Something that is counted. The order is that of the exposition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// Calls answered with 1xx to 3xx.
    Succeeded,
    /// Calls answered with 4xx.
    ClientErrors,
    /// Calls answered with 5xx.
    ServerErrors,
    /// Calls that we refused or failed ourselves.
    Refused,
    /// Quotas that were used up for a call.
    QuotaExhausted,
    /// Calls that a policy would have refused, and that went because it only reports.
    WouldDeny,
    /// Calls whose client left before the end.
    Abandoned,
    /// Entries that rules asked for.
    Entries,
    /// Rule matches or instances that could not be evaluated.
    EvaluationErrors,
    /// Connections accepted.
    Connections,
    /// Connections refused because the limit was reached.
    ConnectionsRefused,
    /// Connections that ended in something that is no HTTP, or went past a limit of the head.
    BadConnections,
    /// Connections made to upstreams.
    UpstreamConnections,
    /// Connections to upstreams that failed.
    UpstreamConnectFailures,
    /// Tries after the first.
    Retries,
    /// Tries that were not made again because too many others were.
    RetriesOverBudget,
    /// Copies sent to mirrors.
    Mirrored,
    /// Copies that were not sent: too large a body, too many at once, no endpoint.
    NotMirrored,
    /// Body bytes received from clients.
    RequestBytes,
    /// Body bytes sent to clients.
    ResponseBytes,
    /// Calls that were served although they could not be recorded.
    Unrecorded,
}

/// Name, help and labels of each [`Counter`], in its order.
const COUNTERS: &[(Counter, &str, &str, &str)] = &[
    (Counter::Succeeded, "egressctl_requests_total", "{class=\"success\"}", "Calls answered, by class of status."),
    (Counter::ClientErrors, "egressctl_requests_total", "{class=\"client_error\"}", ""),
    (Counter::ServerErrors, "egressctl_requests_total", "{class=\"server_error\"}", ""),
    (Counter::Refused, "egressctl_refused_total", "", "Calls that the proxy itself refused or failed."),
    (Counter::QuotaExhausted, "egressctl_quota_exhausted_total", "", "Quotas that had nothing left for a call."),
    (
        Counter::WouldDeny,
        "egressctl_would_deny_total",
        "",
        "Calls that went although a policy that only reports refused them.",
    ),
    (Counter::Abandoned, "egressctl_abandoned_total", "", "Calls whose client left before the end."),
    (Counter::Entries, "egressctl_entries_total", "", "Log entries that rules asked for."),
    (
        Counter::EvaluationErrors,
        "egressctl_evaluation_errors_total",
        "",
        "Matches and instances that could not be evaluated.",
    ),
    (Counter::Connections, "egressctl_connections_total", "", "Connections accepted."),
    (Counter::ConnectionsRefused, "egressctl_connections_refused_total", "", "Connections over the limit."),
    (Counter::BadConnections, "egressctl_bad_connections_total", "", "Connections that broke HTTP or its limits."),
    (Counter::UpstreamConnections, "egressctl_upstream_connections_total", "", "Connections made to upstreams."),
    (
        Counter::UpstreamConnectFailures,
        "egressctl_upstream_connect_failures_total",
        "",
        "Connections to upstreams that failed.",
    ),
    (Counter::Retries, "egressctl_upstream_retries_total", "", "Tries after the first."),
    (
        Counter::RetriesOverBudget,
        "egressctl_upstream_retries_over_budget_total",
        "",
        "Tries not made again because too many others were.",
    ),
    (Counter::Mirrored, "egressctl_mirrored_total", "", "Copies of calls sent to mirrors."),
    (Counter::NotMirrored, "egressctl_not_mirrored_total", "", "Copies of calls that mirrors could not be sent."),
    (Counter::RequestBytes, "egressctl_request_bytes_total", "", "Body bytes received from clients."),
    (Counter::ResponseBytes, "egressctl_response_bytes_total", "", "Body bytes sent to clients."),
    (Counter::Unrecorded, "egressctl_unrecorded_total", "", "Calls served although they could not be recorded."),
];

/// What one worker counts. Only the thread of the worker writes to it.
#[derive(Debug, Default)]
pub struct Shard {
    counters: [Count; COUNTERS.len()],
    bounds: [bounds::Filled; Bound::ALL.len()],
    /// Series of traffic, each once; the lock is taken for one that is new, and to read them.
    series: Mutex<Vec<Arc<Series>>>,
}

impl Shard {
    /// Adds one.
    pub fn count(&self, counter: Counter) {
        self.add(counter, 1);
    }

    /// Adds an amount.
    pub fn add(&self, counter: Counter, amount: u64) {
        self.counters[counter as usize].add(amount);
    }

    fn read(&self, counter: Counter) -> u64 {
        self.counters[counter as usize].read()
    }
}

/// A number that one thread writes and others read.
#[derive(Debug, Default)]
struct Count(AtomicU64);

impl Count {
    fn add(&self, amount: u64) {
        // As nobody else writes, nothing can come between; a locked addition would take longer.
        self.0.store(self.read().wrapping_add(amount), Ordering::Relaxed);
    }

    fn take_off(&self, amount: u64) {
        self.0.store(self.read().wrapping_sub(amount), Ordering::Relaxed);
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Parts of a [`Tally`]; more threads than that share some.
const PARTS: usize = 8;

/// A counter of which there are many, made while calls run: each thread adds to a part of its own, as to a [`Shard`]. Most never
/// count anything, so the parts are made by the first who does.
#[derive(Debug, Default)]
pub struct Tally(OnceLock<Box<[Part; PARTS]>>);

/// On a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Part(AtomicU64);

thread_local! {
    /// Which part of each tally is this thread's.
    static PART: usize = {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        THREADS.fetch_add(1, Ordering::Relaxed) % PARTS
    };
}

impl Tally {
    /// Adds one.
    pub fn count(&self) {
        let parts = self.0.get_or_init(Box::default);
        PART.with(|part| parts[*part].0.fetch_add(1, Ordering::Relaxed));
    }

    /// What was counted by all threads.
    pub fn total(&self) -> u64 {
        self.0.get().map_or(0, |parts| parts.iter().map(|part| part.0.load(Ordering::Relaxed)).sum())
    }
}

/// All shards of a process.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<[Arc<Shard>]>);

impl Metrics {
    /// Counters for so many workers, all zero.
    pub fn new(workers: usize) -> Self {
        Self((0..workers).map(|_| Arc::default()).collect())
    }

    /// The shard of a worker, numbered from 0.
    ///
    /// # Panics
    /// If there is no such worker.
    pub fn shard(&self, worker: usize) -> Arc<Shard> {
        self.0[worker].clone()
    }

    /// The sum over all workers.
    pub fn total(&self, counter: Counter) -> u64 {
        self.0.iter().map(|shard| shard.read(counter)).sum()
    }

    /// What workers have of what is bounded, by bound; each bound is that of all workers together.
    pub fn uses(&self, limit: impl Fn(Bound) -> Option<u64>) -> Vec<Use> {
        Bound::ALL.iter().map(|bound| bounds::sum(*bound, limit(*bound), &self.0)).collect()
    }

    /// The traffic in Istio's standard metrics, without those whose name is taken already.
    pub fn traffic(&self, is_taken: impl Fn(&str) -> bool) -> String {
        traffic::exposition(&self.0, is_taken)
    }

    /// All counters in Prometheus' text exposition format 0.0.4.
    pub fn exposition(&self) -> String {
        let mut out = String::new();
        for &(counter, name, labels, help) in COUNTERS {
            if !help.is_empty() {
                let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter");
            }
            let _ = writeln!(out, "{name}{labels} {}", self.total(counter));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_loses_nothing_that_threads_count() {
        let tally = Tally::default();
        std::thread::scope(|scope| {
            (0..20).for_each(|_| drop(scope.spawn(|| (0..1_000).for_each(|_| tally.count()))));
        });
        assert_eq!(tally.total(), 20_000);
    }

    #[test]
    fn the_table_is_in_the_order_of_the_counters() {
        for (position, entry) in COUNTERS.iter().enumerate() {
            assert_eq!(entry.0 as usize, position, "{}", entry.1);
        }
    }

    #[test]
    fn a_total_sums_the_workers() {
        let metrics = Metrics::new(2);
        metrics.shard(0).count(Counter::Succeeded);
        metrics.shard(1).add(Counter::Succeeded, 2);
        assert_eq!(metrics.total(Counter::Succeeded), 3);
        assert!(metrics.exposition().contains("egressctl_requests_total{class=\"success\"} 3\n"));
    }
}
