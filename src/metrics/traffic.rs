//! Istio's standard metrics: calls and connections by who calls, where to, and what came of it
//! (<https://istio.io/latest/docs/reference/config/metrics/>).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::BuildHasher as _;
use std::sync::{Arc, PoisonError};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::{Count, Shard};

/// Most series of a worker. Callers choose some of the labels, and must not fill the memory: each series takes some 700 bytes,
/// and 20 KB of the exposition.
const MAX_SERIES: usize = 1_024;

/// What is counted where there are too many series: all labels are this.
const OTHER: &str = "other";

/// What is not known (Istio's word).
const UNKNOWN: &str = "unknown";

/// Upper bounds of buckets, in milliseconds or bytes: Envoy's, as Istio's proxies show them.
const BOUNDS: [f64; 19] = [
    0.5,
    1.0,
    5.0,
    10.0,
    25.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1_000.0,
    2_500.0,
    5_000.0,
    10_000.0,
    30_000.0,
    60_000.0,
    300_000.0,
    600_000.0,
    1_800_000.0,
    3_600_000.0,
];

/// Nanoseconds of a millisecond.
const MILLISECOND: f64 = 1_000_000.0;

/// By what a call is counted. What is empty is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels<'a> {
    /// Name of the workload that calls.
    pub source_workload: &'a str,
    /// Its namespace.
    pub source_workload_namespace: &'a str,
    /// Its identity, without `spiffe://`.
    pub source_principal: &'a str,
    /// The host that is declared for where the call goes.
    pub destination_service: &'a str,
    /// `http`, `grpc` or `tcp`.
    pub request_protocol: &'static str,
    /// Status of the answer; 0 where there was none.
    pub response_code: u16,
    /// Envoy's flags.
    pub response_flags: &'a str,
    /// Whether both ends of the caller's connection were proven.
    pub is_mutual: bool,
}

impl Labels<'_> {
    fn write(&self, out: &mut String) {
        let principal = match self.source_principal {
            known @ ("" | OTHER) => known.to_owned(),
            principal => format!("spiffe://{principal}"),
        };
        let or_unknown = |text: &str| if text.is_empty() { UNKNOWN.to_owned() } else { escaped(text) };
        let policy = if self.is_mutual { "mutual_tls" } else { "none" };
        let _ = write!(
            out,
            "reporter=\"source\",source_workload=\"{}\",source_workload_namespace=\"{}\",source_principal=\"{}\",\
             destination_service=\"{}\",request_protocol=\"{}\",response_flags=\"{}\",connection_security_policy=\"{policy}\"",
            or_unknown(self.source_workload),
            or_unknown(self.source_workload_namespace),
            or_unknown(&principal),
            or_unknown(self.destination_service),
            self.request_protocol,
            escaped(self.response_flags),
        );
        if self.request_protocol != TCP {
            let _ = write!(out, ",response_code=\"{}\"", self.response_code);
        }
    }
}

/// The protocol of what is no request.
const TCP: &str = "tcp";

/// A label's value in the text format.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// What a call came to.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// Nanoseconds from its head to its end.
    pub duration: u64,
    /// Bytes of its body.
    pub request_bytes: u64,
    /// Bytes of its answer's body.
    pub response_bytes: u64,
}

/// What one worker has counted by one set of labels. Only the thread of the worker writes to it.
#[derive(Debug)]
pub struct Series {
    workload: Box<str>,
    namespace: Box<str>,
    principal: Box<str>,
    destination: Box<str>,
    flags: Box<str>,
    protocol: &'static str,
    code: u16,
    is_mutual: bool,
    opened: Count,
    closed: Count,
    duration: Distribution,
    received: Distribution,
    sent: Distribution,
}

/// How many values fell in each bucket, the last of which has no bound.
#[derive(Debug, Default)]
struct Distribution {
    buckets: [Count; BOUNDS.len() + 1],
    sum: Count,
}

impl Distribution {
    /// Takes a value, whose unit is so many times finer than that of the bounds.
    fn take(&self, value: u64, finer: f64) {
        let shown = value as f64 / finer;
        self.buckets[BOUNDS.partition_point(|bound| *bound < shown)].add(1);
        self.sum.add(value);
    }
}

impl Series {
    /// A call has ended.
    pub fn ended(&self, ended: Ended) {
        self.closed.add(1);
        self.duration.take(ended.duration, MILLISECOND);
        self.received.take(ended.request_bytes, 1.0);
        self.sent.take(ended.response_bytes, 1.0);
    }

    /// A tunnel was opened.
    pub fn opened(&self) {
        self.opened.add(1);
    }

    fn new(labels: &Labels<'_>) -> Self {
        Self {
            workload: labels.source_workload.into(),
            namespace: labels.source_workload_namespace.into(),
            principal: labels.source_principal.into(),
            destination: labels.destination_service.into(),
            flags: labels.response_flags.into(),
            protocol: labels.request_protocol,
            code: labels.response_code,
            is_mutual: labels.is_mutual,
            opened: Count::default(),
            closed: Count::default(),
            duration: Distribution::default(),
            received: Distribution::default(),
            sent: Distribution::default(),
        }
    }

    fn labels(&self) -> Labels<'_> {
        Labels {
            source_workload: &self.workload,
            source_workload_namespace: &self.namespace,
            source_principal: &self.principal,
            destination_service: &self.destination,
            request_protocol: self.protocol,
            response_code: self.code,
            response_flags: &self.flags,
            is_mutual: self.is_mutual,
        }
    }
}

/// A worker's table of series: a set of labels that is known costs a look-up, and neither a lock nor memory.
#[derive(Debug)]
pub struct Traffic {
    shard: Arc<Shard>,
    known: RefCell<HashTable<Arc<Series>>>,
    hasher: RandomState,
}

impl Traffic {
    /// Of the worker with this shard.
    pub fn new(shard: &Arc<Shard>) -> Self {
        Self { shard: Arc::clone(shard), known: RefCell::default(), hasher: RandomState::default() }
    }

    /// What calls with these labels are counted in. A code that HTTP does not have, which an origin may make up, counts as none
    /// (RFC 9110, section 15).
    pub fn series(&self, labels: &Labels<'_>) -> Arc<Series> {
        let response_code = if (100..600).contains(&labels.response_code) { labels.response_code } else { 0 };
        self.find(&Labels { response_code, ..*labels })
    }

    fn find(&self, labels: &Labels<'_>) -> Arc<Series> {
        let hash = self.hasher.hash_one(labels);
        let mut known = self.known.borrow_mut();
        if let Some(series) = known.find(hash, |series| series.labels() == *labels) {
            return Arc::clone(series);
        }
        let other = other(labels);
        if known.len() >= MAX_SERIES && *labels != other {
            drop(known);
            return self.find(&other);
        }
        let series = Arc::new(Series::new(labels));
        self.shard.series.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&series));
        known.insert_unique(hash, Arc::clone(&series), |series| self.hasher.hash_one(series.labels()));
        series
    }
}

/// In place of labels for which there is no room. These are few, and get room of their own.
fn other(labels: &Labels<'_>) -> Labels<'static> {
    Labels {
        source_workload: OTHER,
        source_workload_namespace: OTHER,
        source_principal: OTHER,
        destination_service: OTHER,
        request_protocol: labels.request_protocol,
        response_code: 0,
        response_flags: OTHER,
        is_mutual: false,
    }
}

/// What all workers have counted by one set of labels.
#[derive(Default)]
struct Sum {
    opened: u64,
    closed: u64,
    duration: ([u64; BOUNDS.len() + 1], u64),
    received: ([u64; BOUNDS.len() + 1], u64),
    sent: ([u64; BOUNDS.len() + 1], u64),
}

impl Sum {
    fn add(&mut self, series: &Series) {
        let add = |to: &mut ([u64; BOUNDS.len() + 1], u64), of: &Distribution| {
            to.0.iter_mut().zip(&of.buckets).for_each(|(sum, bucket)| *sum += bucket.read());
            to.1 += of.sum.read();
        };
        self.opened += series.opened.read();
        self.closed += series.closed.read();
        add(&mut self.duration, &series.duration);
        add(&mut self.received, &series.received);
        add(&mut self.sent, &series.sent);
    }
}

/// A family: its name, its help, whether it is of tunnels, and how its lines are written.
type Family = (&'static str, &'static str, bool, fn(&mut String, &str, &str, &Sum));

const FAMILIES: [Family; 8] = [
    ("istio_requests_total", "Requests.", false, |out, name, labels, sum| counter(out, name, labels, sum.closed)),
    ("istio_request_duration_milliseconds", "Time from head to end.", false, |out, name, labels, sum| {
        distribution(out, name, labels, &sum.duration, MILLISECOND);
    }),
    ("istio_request_bytes", "Sizes of requests' bodies.", false, |out, name, labels, sum| {
        distribution(out, name, labels, &sum.received, 1.0);
    }),
    ("istio_response_bytes", "Sizes of answers' bodies.", false, |out, name, labels, sum| {
        distribution(out, name, labels, &sum.sent, 1.0);
    }),
    ("istio_tcp_connections_opened_total", "Tunnels opened.", true, |out, name, labels, sum| {
        counter(out, name, labels, sum.opened);
    }),
    ("istio_tcp_connections_closed_total", "Tunnels closed.", true, |out, name, labels, sum| {
        counter(out, name, labels, sum.closed);
    }),
    ("istio_tcp_received_bytes_total", "Bytes from callers.", true, |out, name, labels, sum| {
        counter(out, name, labels, sum.received.1);
    }),
    ("istio_tcp_sent_bytes_total", "Bytes to callers.", true, |out, name, labels, sum| {
        counter(out, name, labels, sum.sent.1);
    }),
];

pub(super) fn exposition(shards: &[Arc<Shard>], is_taken: impl Fn(&str) -> bool) -> String {
    let all: Vec<Arc<Series>> =
        shards.iter().flat_map(|shard| shard.series.lock().unwrap_or_else(PoisonError::into_inner).clone()).collect();
    let mut sums = BTreeMap::<Labels<'_>, Sum>::new();
    all.iter().for_each(|series| sums.entry(series.labels()).or_default().add(series));
    let shown: Vec<_> = sums
        .into_iter()
        .map(|(labels, sum)| {
            let mut text = String::new();
            labels.write(&mut text);
            (labels.request_protocol == TCP, text, sum)
        })
        .collect();
    let mut out = String::new();
    for (name, help, of_tunnels, write) in FAMILIES.iter().filter(|family| !is_taken(family.0)) {
        let kind = if name.ends_with("_total") { "counter" } else { "histogram" };
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (_, labels, sum) in shown.iter().filter(|(is_tunnel, ..)| is_tunnel == of_tunnels) {
            write(&mut out, name, labels, sum);
        }
    }
    out
}

fn counter(out: &mut String, name: &str, labels: &str, value: u64) {
    let _ = writeln!(out, "{name}{{{labels}}} {value}");
}

fn distribution(out: &mut String, name: &str, labels: &str, of: &([u64; BOUNDS.len() + 1], u64), finer: f64) {
    let mut count = 0;
    for (bucket, bound) in of.0.iter().zip(BOUNDS.map(Some).into_iter().chain([None])) {
        count += bucket;
        let bound = bound.map_or_else(|| "+Inf".to_owned(), |bound| bound.to_string());
        let _ = writeln!(out, "{name}_bucket{{{labels},le=\"{bound}\"}} {count}");
    }
    let _ = writeln!(out, "{name}_sum{{{labels}}} {}\n{name}_count{{{labels}}} {count}", of.1 as f64 / finer);
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;
    use super::*;

    fn labels(destination: &str) -> Labels<'_> {
        Labels {
            source_workload: "sleep",
            source_workload_namespace: "default",
            source_principal: "",
            destination_service: destination,
            request_protocol: "http",
            response_code: 200,
            response_flags: "-",
            is_mutual: false,
        }
    }

    const ENDED: Ended = Ended { duration: 3_000_000, request_bytes: 0, response_bytes: 7 };

    #[test]
    fn workers_are_summed_and_buckets_add_up() {
        let metrics = Metrics::new(2);
        for worker in [0, 1, 1] {
            Traffic::new(&metrics.shard(worker)).series(&labels("a\"b")).ended(ENDED);
        }
        let shown = metrics.traffic(|_| false);
        let with = "reporter=\"source\",source_workload=\"sleep\",source_workload_namespace=\"default\",source_principal=\"unknown\",\
                    destination_service=\"a\\\"b\",request_protocol=\"http\",response_flags=\"-\",\
                    connection_security_policy=\"none\",response_code=\"200\"";
        for line in [
            format!("istio_requests_total{{{with}}} 3\n"),
            format!("istio_request_duration_milliseconds_bucket{{{with},le=\"1\"}} 0\n"),
            format!("istio_request_duration_milliseconds_bucket{{{with},le=\"5\"}} 3\n"),
            format!("istio_request_duration_milliseconds_bucket{{{with},le=\"+Inf\"}} 3\n"),
            format!("istio_request_duration_milliseconds_sum{{{with}}} 9\n"),
            format!("istio_request_bytes_bucket{{{with},le=\"0.5\"}} 3\n"),
            format!("istio_response_bytes_sum{{{with}}} 21\n"),
        ] {
            assert!(shown.contains(&line), "{line}{shown}");
        }
        assert!(!metrics.traffic(|name| name == "istio_requests_total").contains("istio_requests_total"));
    }

    #[test]
    fn codes_that_http_does_not_have_are_counted_as_none() {
        let metrics = Metrics::new(1);
        let traffic = Traffic::new(&metrics.shard(0));
        for response_code in [99, 100, 599, 600, 999] {
            traffic.series(&Labels { response_code, ..labels("a") }).ended(ENDED);
        }
        let shown = metrics.traffic(|_| false);
        let counted: Vec<_> = shown.lines().filter(|line| line.starts_with("istio_requests_total{")).collect();
        for (line, end) in counted.iter().zip(["\"0\"} 3", "\"100\"} 1", "\"599\"} 1"]) {
            assert!(line.ends_with(end), "{line}");
        }
        assert_eq!(counted.len(), 3);
    }

    #[test]
    fn labels_that_callers_make_up_do_not_fill_the_memory() {
        let metrics = Metrics::new(1);
        let traffic = Traffic::new(&metrics.shard(0));
        for host in 0..2 * MAX_SERIES {
            traffic.series(&labels(&host.to_string())).ended(ENDED);
        }
        let shown = metrics.traffic(|_| false);
        let series = shown.lines().filter(|line| line.starts_with("istio_requests_total{")).count();
        assert!(series > MAX_SERIES && series <= MAX_SERIES + 10, "{series}");
        assert!(shown.contains("destination_service=\"other\""), "what has no room is counted all the same");
    }
}
