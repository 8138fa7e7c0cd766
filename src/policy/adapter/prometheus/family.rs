//! The series of one metric, and adding to them from several threads at once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

use crate::resource::kinds::prometheus::{Expiration, MetricInfo, MetricKind};

/// Most series of a metric. Labels are made of what callers send, who must not fill the memory.
const MAX_SERIES: usize = 10_000;

/// Most bytes of labels of a metric's series: 16 MiB.
const MAX_LABEL_BYTES: usize = 16 << 20;

/// Parts of a metric's series, each under a lock of its own, so that workers seldom meet.
const SHARDS: usize = 16;

/// Counts families, so that of two definitions of a name the newer is known.
static SERIAL: AtomicU64 = AtomicU64::new(0);

/// What makes two metrics the same.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Definition {
    pub(super) name: String,
    pub(super) help: String,
    pub(super) kind: MetricKind,
    labels: Vec<String>,
    pub(super) bounds: Vec<f64>,
    expiry: Option<Expiry>,
}

/// When series are forgotten, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Expiry {
    after: i64,
    check_every: i64,
}

impl Definition {
    pub(super) fn new(info: &MetricInfo, expiry: Option<&Expiration>) -> Self {
        const NANOS_PER_MICRO: i64 = 1_000;
        let name = info.exposed_name();
        let help = if info.description.is_empty() { name.clone() } else { info.description.clone() };
        let mut labels = info.label_names.clone();
        labels.sort();
        let bounds = if info.kind == MetricKind::Distribution { info.bounds() } else { Vec::new() };
        let expiry = expiry.map(|policy| {
            let after = policy.metrics_expiry_duration.nanos / NANOS_PER_MICRO;
            let check_every = match policy.expiry_check_interval_duration.nanos {
                0 => after / 2,
                nanos => nanos / NANOS_PER_MICRO,
            };
            Expiry { after, check_every }
        });
        Self { name, help, kind: info.kind, labels, bounds, expiry }
    }

    /// A text that two definitions share only if they are the same.
    pub(super) fn key(&self) -> String {
        format!("{self:?}")
    }
}

/// All series of one metric. Handlers with the same definition share one.
#[derive(Debug)]
pub struct Family {
    pub(super) definition: Definition,
    /// Greater than that of every family made before.
    pub(super) serial: u64,
    shards: [RwLock<HashMap<Box<str>, Series>>; SHARDS],
    series: AtomicUsize,
    label_bytes: AtomicUsize,
    dropped: AtomicU64,
    /// When expired series were last looked for, in microseconds since 1970.
    swept: AtomicI64,
}

/// The values of one set of labels. Numbers are the bits of an `f64`.
#[derive(Debug)]
struct Series {
    /// The value of a gauge or counter, the sum of a distribution.
    number: AtomicU64,
    /// How many values fell in each bucket of a distribution, the last of which is +Inf.
    buckets: Box<[AtomicU64]>,
    /// When it last got a value, in microseconds since 1970.
    touched: AtomicI64,
}

/// What a series has come to.
#[derive(Debug, PartialEq)]
pub(super) struct Sample {
    /// `a="x",b="y"`.
    pub(super) labels: String,
    pub(super) number: f64,
    /// Not cumulative.
    pub(super) buckets: Vec<u64>,
}

impl Family {
    pub(super) fn new(definition: Definition) -> Self {
        Self {
            definition,
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            shards: std::array::from_fn(|_| RwLock::default()),
            series: AtomicUsize::new(0),
            label_bytes: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            swept: AtomicI64::new(0),
        }
    }

    /// Takes a value for a set of labels, written as lines show them. Allocates only for a set that is new; one that is
    /// new when there are too many is counted and not added.
    ///
    /// # Errors
    /// A value that the metric cannot take.
    pub(super) fn take(&self, labels: &str, number: f64, now: i64) -> Result<(), &'static str> {
        if number.is_nan() && self.definition.kind != MetricKind::Gauge {
            return Err("the value is not a number");
        }
        if number < 0.0 && self.definition.kind == MetricKind::Counter {
            return Err("a counter cannot go down");
        }
        self.sweep(now);
        let shard = &self.shards[shard_of(labels)];
        if let Some(series) = shard.read().unwrap_or_else(PoisonError::into_inner).get(labels) {
            series.take(&self.definition, number, now);
            return Ok(());
        }
        if !self.reserve(labels.len()) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = shard.get(labels) {
            // Another worker was faster.
            self.release(labels.len());
            series.take(&self.definition, number, now);
            return Ok(());
        }
        let series = Series::new(&self.definition);
        series.take(&self.definition, number, now);
        shard.insert(labels.into(), series);
        Ok(())
    }

    /// Values of series that were not added.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// All series, sorted by their labels.
    pub(super) fn samples(&self, now: i64) -> Vec<Sample> {
        self.sweep(now);
        let mut samples = Vec::with_capacity(self.series.load(Ordering::Relaxed));
        for shard in &self.shards {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            samples.extend(shard.iter().map(|(labels, series)| series.sample(labels)));
        }
        samples.sort_by(|a, b| a.labels.cmp(&b.labels));
        samples
    }

    /// Takes room for a series; `false` if there is none.
    fn reserve(&self, bytes: usize) -> bool {
        let series = self.series.fetch_add(1, Ordering::Relaxed);
        let held = self.label_bytes.fetch_add(bytes, Ordering::Relaxed);
        let fits = series < MAX_SERIES && held.saturating_add(bytes) <= MAX_LABEL_BYTES;
        if !fits {
            self.release(bytes);
        }
        fits
    }

    fn release(&self, bytes: usize) {
        self.series.fetch_sub(1, Ordering::Relaxed);
        self.label_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Forgets series that got no value for too long, when it is time to look.
    fn sweep(&self, now: i64) {
        let Some(Expiry { after, check_every }) = self.definition.expiry else { return };
        let swept = self.swept.load(Ordering::Relaxed);
        let is_due = now.saturating_sub(swept) >= check_every;
        if !is_due || self.swept.compare_exchange(swept, now, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return;
        }
        for shard in &self.shards {
            shard.write().unwrap_or_else(PoisonError::into_inner).retain(|labels, series| {
                let stays = now.saturating_sub(series.touched.load(Ordering::Relaxed)) <= after;
                if !stays {
                    self.release(labels.len());
                }
                stays
            });
        }
    }
}

impl Series {
    fn new(definition: &Definition) -> Self {
        let buckets = match definition.kind {
            MetricKind::Distribution => definition.bounds.len() + 1,
            _ => 0,
        };
        Self {
            number: AtomicU64::new(0_f64.to_bits()),
            buckets: (0..buckets).map(|_| AtomicU64::new(0)).collect(),
            touched: AtomicI64::new(i64::MIN),
        }
    }

    fn take(&self, definition: &Definition, number: f64, now: i64) {
        // Calls end in another order than they began in.
        self.touched.fetch_max(now, Ordering::Relaxed);
        if definition.kind == MetricKind::Gauge {
            return self.number.store(number.to_bits(), Ordering::Relaxed);
        }
        let add = |bits| Some((f64::from_bits(bits) + number).to_bits());
        // Never refused: `add` always has a value.
        let _ = self.number.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        let bucket = definition.bounds.partition_point(|bound| *bound < number);
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn sample(&self, labels: &str) -> Sample {
        Sample {
            labels: labels.to_owned(),
            number: f64::from_bits(self.number.load(Ordering::Relaxed)),
            buckets: self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect(),
        }
    }
}

/// FNV-1a. It only spreads: whoever chooses labels that fall in one shard makes workers wait for each other, no more.
fn shard_of(labels: &str) -> usize {
    let mix = |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    labels.bytes().fold(0x811c_9dc5, mix) as usize % SHARDS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Duration;

    fn family(kind: MetricKind, expiry: Option<i64>) -> Family {
        let info = MetricInfo { name: "x".into(), kind, ..MetricInfo::default() };
        let expiry =
            expiry.map(|nanos| Expiration { metrics_expiry_duration: Duration { nanos }, ..Default::default() });
        Family::new(Definition::new(&info, expiry.as_ref()))
    }

    fn numbers(family: &Family, now: i64) -> Vec<(String, f64)> {
        family.samples(now).into_iter().map(|sample| (sample.labels, sample.number)).collect()
    }

    #[test]
    fn counters_add_gauges_set_and_distributions_sort() {
        let (counter, gauge) = (family(MetricKind::Counter, None), family(MetricKind::Gauge, None));
        for number in [1.0, 2.5] {
            counter.take("a=\"1\"", number, 0).unwrap();
            gauge.take("a=\"1\"", number, 0).unwrap();
        }
        assert_eq!(numbers(&counter, 0), [("a=\"1\"".into(), 3.5)]);
        assert_eq!(numbers(&gauge, 0), [("a=\"1\"".into(), 2.5)]);
        let distribution = family(MetricKind::Distribution, None);
        for number in [0.005, 0.006, 100.0] {
            distribution.take("", number, 0).unwrap();
        }
        let sample = &distribution.samples(0)[0];
        assert_eq!(sample.buckets, [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(sample.number, 100.011);
    }

    #[test]
    fn a_counter_neither_falls_nor_loses_its_value_to_nan() {
        let counter = family(MetricKind::Counter, None);
        counter.take("", 1.0, 0).unwrap();
        assert!(counter.take("", -1.0, 0).is_err() && counter.take("", f64::NAN, 0).is_err());
        assert_eq!(numbers(&counter, 0), [(String::new(), 1.0)]);
    }

    #[test]
    fn series_past_the_bound_are_counted_and_not_added() {
        let counter = family(MetricKind::Counter, None);
        for n in 0..MAX_SERIES + 3 {
            counter.take(&format!("a=\"{n}\""), 1.0, 0).unwrap();
        }
        counter.take("a=\"0\"", 1.0, 0).unwrap();
        assert_eq!(counter.samples(0).len(), MAX_SERIES);
        assert_eq!(counter.dropped(), 3);
        let huge = family(MetricKind::Counter, None);
        let label = "x".repeat(MAX_LABEL_BYTES / 2);
        for n in 0..3 {
            huge.take(&format!("{n}{}", &label[1..]), 1.0, 0).unwrap();
        }
        assert_eq!((huge.samples(0).len(), huge.dropped()), (2, 1));
    }

    #[test]
    fn series_without_values_expire_and_make_room() {
        let counter = family(MetricKind::Counter, Some(10_000_000_000));
        counter.take("old", 1.0, 1_000_000).unwrap();
        counter.take("kept", 1.0, 1_000_000).unwrap();
        counter.take("kept", 1.0, 8_000_000).unwrap();
        assert_eq!(counter.samples(11_000_000).len(), 2);
        assert_eq!(numbers(&counter, 16_000_001), [("kept".into(), 2.0)]);
        assert_eq!(counter.series.load(Ordering::Relaxed), 1);
        assert_eq!(counter.label_bytes.load(Ordering::Relaxed), 4);
        counter.take("old", 1.0, 16_000_002).unwrap();
        assert_eq!(numbers(&counter, 16_000_003)[1], ("old".into(), 1.0));
    }

    #[test]
    fn workers_lose_no_value_to_each_other() {
        let counter = family(MetricKind::Counter, None);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|n| counter.take(&format!("{}", n % 7), 1.0, 0).unwrap()));
            }
        });
        assert_eq!(numbers(&counter, 0).iter().map(|(_, number)| number).sum::<f64>(), 4_000.0);
        assert_eq!(counter.series.load(Ordering::Relaxed), 7);
    }
}
