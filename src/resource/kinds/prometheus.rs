//! prometheus: a handler that counts metrics and shows them in Prometheus' text form (Mixer).

use std::collections::HashSet;

use serde::Deserialize;

use super::cells;
use super::check::{self, At};
use crate::resource::{Duration, Kind, Part, Role};

/// Most buckets of a distribution; each is a line of every series of it.
const MAX_BUCKETS: usize = 200;

/// Most labels of a metric; Prometheus servers refuse samples with more than some dozens.
const MAX_LABELS: usize = 64;

/// Most metrics of a handler.
const MAX_METRICS: usize = 1000;

/// Names that begin so are those of the proxy itself.
const OWN_PREFIX: &str = "egressctl_";

/// The kind `prometheus` (config.istio.io).
pub static PROMETHEUS: Kind = cells::part(
    "prometheus",
    "prometheuses",
    Part { role: Role::Handler, check: |tree, at, problems| check::params::<Prometheus>(tree, at, problems, rules) },
);

/// `spec` of a prometheus handler.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Prometheus {
    /// What is counted, an entry for each instance.
    pub metrics: Vec<MetricInfo>,
    /// When series are forgotten; never where it is not given.
    pub metrics_expiration_policy: Option<Expiration>,
}

/// How the values of an instance are counted.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MetricInfo {
    /// First part of the exposed name.
    pub namespace: String,
    /// Rest of the exposed name; the instance's name where it is empty.
    pub name: String,
    /// Full name of the instance: `requestcount.metric.istio-system`.
    pub instance_name: String,
    /// What it says, shown as HELP; the name where it is empty.
    pub description: String,
    /// What values are to it.
    pub kind: MetricKind,
    /// The names of all dimensions of the instance.
    pub label_names: Vec<String>,
    /// Bounds of a distribution's buckets.
    pub buckets: Option<Buckets>,
}

impl Default for MetricInfo {
    fn default() -> Self {
        Self {
            namespace: "istio".into(),
            name: String::new(),
            instance_name: String::new(),
            description: String::new(),
            kind: MetricKind::Unspecified,
            label_names: Vec::new(),
            buckets: None,
        }
    }
}

/// What values are to a metric.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MetricKind {
    /// Not given, which is refused.
    #[default]
    Unspecified,
    /// The newest value counts.
    Gauge,
    /// Values are added up.
    Counter,
    /// Values are sorted into buckets.
    Distribution,
}

/// Bounds of buckets; exactly one form is given.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Buckets {
    /// Named one by one.
    pub explicit_buckets: Option<Explicit>,
    /// At equal distances.
    pub linear_buckets: Option<Linear>,
    /// At equal ratios.
    pub exponential_buckets: Option<Exponential>,
}

/// Bounds, rising.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Explicit {
    /// The bounds without +Inf, which every distribution has.
    pub bounds: Vec<f64>,
}

/// `offset + i * width` for i from 0 to `num_finite_buckets`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Linear {
    /// The last i.
    pub num_finite_buckets: i32,
    /// Distance of two bounds.
    pub width: f64,
    /// The first bound.
    pub offset: f64,
}

/// `scale * growth_factor^i` for i from 0 to `num_finite_buckets`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Exponential {
    /// The last i.
    pub num_finite_buckets: i32,
    /// Ratio of two bounds.
    pub growth_factor: f64,
    /// The first bound.
    pub scale: f64,
}

/// When series are forgotten.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Expiration {
    /// Time since a series' last value.
    pub metrics_expiry_duration: Duration,
    /// Time between two looks for such series; half the duration where it is not given.
    pub expiry_check_interval_duration: Duration,
}

impl MetricInfo {
    /// The exposed name: `istio_requests_total`.
    pub fn exposed_name(&self) -> String {
        let name = if self.name.is_empty() { &self.instance_name } else { &self.name };
        if self.namespace.is_empty() { safe_name(name) } else { safe_name(&format!("{}_{name}", self.namespace)) }
    }

    /// The bounds of its buckets without +Inf; meaningful where it is a distribution that its check found right.
    pub fn bounds(&self) -> Vec<f64> {
        const DEFAULT: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
        match self.buckets.as_ref() {
            Some(Buckets { explicit_buckets: Some(explicit), .. }) => explicit.bounds.clone(),
            Some(Buckets { linear_buckets: Some(linear), .. }) => {
                (0..=last(linear.num_finite_buckets)).map(|i| linear.offset + f64::from(i) * linear.width).collect()
            }
            Some(Buckets { exponential_buckets: Some(exponential), .. }) => {
                let bound = |i| exponential.scale * exponential.growth_factor.powi(i);
                (0..=last(exponential.num_finite_buckets)).map(bound).collect()
            }
            _ => DEFAULT.to_vec(),
        }
    }
}

/// Bounded here too: bounds are computed before the check has refused what is too many.
fn last(finite: i32) -> i32 {
    finite.clamp(0, MAX_BUCKETS as i32)
}

/// A name as Prometheus can have it: `/`, `.` and blanks become `_`, `-` is left out, and so is one `/` in front.
pub fn safe_name(name: &str) -> String {
    let name = name.strip_prefix('/').unwrap_or(name);
    let safe = |c| if matches!(c, '/' | '.' | ' ') { '_' } else { c };
    name.chars().filter(|c| *c != '-').map(safe).collect()
}

fn rules(at: &mut At<'_>, handler: &Prometheus) {
    if handler.metrics.len() > MAX_METRICS {
        return at.field("metrics").invalid(format!("more than {MAX_METRICS} metrics"));
    }
    let (mut instances, mut names) = (HashSet::new(), HashSet::new());
    at.each("metrics", &handler.metrics, |at, metric| {
        identity(at, metric);
        if !metric.instance_name.is_empty() && !instances.insert(metric.instance_name.clone()) {
            let name = &metric.instance_name;
            at.field("instanceName").duplicate(format!("another metric counts {name} already; make a second handler"));
        }
        let samples = samples(metric);
        if samples.iter().any(|name| names.contains(name)) {
            at.field("name").duplicate(format!("{} is shown by another metric of this handler", metric.exposed_name()));
        }
        names.extend(samples);
        labels(at, metric);
        buckets(at, metric);
    });
    at.part("metricsExpirationPolicy", handler.metrics_expiration_policy.as_ref(), expiration);
}

/// The names of the lines that show it.
fn samples(metric: &MetricInfo) -> Vec<String> {
    let name = metric.exposed_name();
    match metric.kind {
        MetricKind::Distribution => {
            ["", "_bucket", "_sum", "_count"].iter().map(|suffix| format!("{name}{suffix}")).collect()
        }
        _ => vec![name],
    }
}

/// Kind and names.
fn identity(at: &mut At<'_>, metric: &MetricInfo) {
    if metric.kind == MetricKind::Unspecified {
        at.field("kind").missing("a metric is a GAUGE, a COUNTER or a DISTRIBUTION");
    }
    if metric.instance_name.is_empty() {
        let mut at = at.field("instanceName");
        return at.missing("need the full name of the instance, such as requestcount.metric.istio-system");
    }
    if metric.instance_name.split('.').count() != 3 {
        at.field("instanceName").advise(
            format!("\"{}\" is not the full name of an instance", metric.instance_name),
            "write NAME.metric.NAMESPACE, or NAME.instance.NAMESPACE for an instance of kind `instance`",
        );
    }
    let field = if metric.name.is_empty() { "instanceName" } else { "name" };
    let name = metric.exposed_name();
    if !is_name(&name, true) {
        at.field(field).advise(
            format!("\"{name}\" is no name of a metric"),
            "letters, digits, _ and : make a name; it does not begin with a digit",
        );
    } else if name.starts_with(OWN_PREFIX) {
        at.field(field).invalid(format!("names that begin with {OWN_PREFIX} are those of the proxy itself"));
    }
}

fn labels(at: &mut At<'_>, metric: &MetricInfo) {
    if metric.label_names.len() > MAX_LABELS {
        return at.field("labelNames").invalid(format!("more than {MAX_LABELS} labels"));
    }
    let mut seen = HashSet::new();
    at.each("labelNames", &metric.label_names, |at, label| {
        let safe = safe_name(label);
        if !is_name(&safe, false) {
            at.advise(
                format!("\"{safe}\" is no name of a label"),
                "letters, digits and _ make a name; it does not begin with a digit",
            );
        } else if safe.starts_with("__") || (safe == "le" && metric.kind == MetricKind::Distribution) {
            at.invalid(format!("Prometheus keeps the label \"{safe}\" for itself"));
        }
        if !seen.insert(safe.clone()) {
            at.duplicate(format!("the label \"{safe}\" is there twice"));
        }
    });
}

/// Whether Prometheus takes a name, of a metric or of a label.
fn is_name(name: &str, colons: bool) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || (colons && c == ':');
    !name.is_empty() && name.chars().all(fits) && !name.starts_with(|c: char| c.is_ascii_digit())
}

fn buckets(at: &mut At<'_>, metric: &MetricInfo) {
    let Some(buckets) = &metric.buckets else { return };
    let mut at = at.field("buckets");
    if metric.kind != MetricKind::Distribution {
        at.ignored("only a DISTRIBUTION has buckets");
    }
    let given =
        [buckets.explicit_buckets.is_some(), buckets.linear_buckets.is_some(), buckets.exponential_buckets.is_some()];
    if given.into_iter().filter(|given| *given).count() != 1 {
        let forms = "exactly one of explicitBuckets, linearBuckets and exponentialBuckets";
        return at.advise("buckets are given in one form", format!("write {forms}"));
    }
    at.part("explicitBuckets", buckets.explicit_buckets.as_ref(), |at, explicit| {
        let mut at = at.field("bounds");
        if explicit.bounds.is_empty() {
            at.required();
        } else if explicit.bounds.len() > MAX_BUCKETS {
            at.invalid(format!("more than {MAX_BUCKETS} buckets"));
        }
        for (index, pair) in explicit.bounds.windows(2).enumerate() {
            if pair[0].partial_cmp(&pair[1]) != Some(std::cmp::Ordering::Less) {
                at.index(index + 1).invalid("each bound must be greater than the one before");
            }
        }
    });
    at.part("linearBuckets", buckets.linear_buckets.as_ref(), |at, linear| {
        finite(at, linear.num_finite_buckets);
        positive(&mut at.field("width"), linear.width, 0.0);
    });
    at.part("exponentialBuckets", buckets.exponential_buckets.as_ref(), |at, exponential| {
        finite(at, exponential.num_finite_buckets);
        positive(&mut at.field("growthFactor"), exponential.growth_factor, 1.0);
        positive(&mut at.field("scale"), exponential.scale, 0.0);
    });
    if metric.bounds().iter().any(|bound| !bound.is_finite()) {
        at.invalid("a bound is no finite number; +Inf is added by itself");
    }
}

fn finite(at: &mut At<'_>, number: i32) {
    if !(1..=MAX_BUCKETS as i32).contains(&number) {
        at.field("numFiniteBuckets").invalid(format!("must be from 1 to {MAX_BUCKETS}, it is {number}"));
    }
}

fn positive(at: &mut At<'_>, number: f64, limit: f64) {
    if number.partial_cmp(&limit) != Some(std::cmp::Ordering::Greater) {
        at.invalid(format!("must be greater than {limit}, it is {number}"));
    }
}

fn expiration(at: &mut At<'_>, policy: &Expiration) {
    if policy.metrics_expiry_duration.nanos <= 0 {
        at.field("metricsExpiryDuration").invalid("must be greater than 0s");
    }
    if policy.expiry_check_interval_duration.nanos < 0 {
        at.field("expiryCheckIntervalDuration").invalid("must not be negative");
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    fn metric(fields: &str) -> Vec<String> {
        check(&PROMETHEUS, &format!("metrics: [{{instanceName: a.metric.b, {fields}}}]"))
    }

    #[test]
    fn a_metric_has_a_kind_and_an_instance() {
        assert_eq!(metric("kind: COUNTER, label_names: [x, y.z]"), [""; 0]);
        assert_eq!(metric("kind: 3"), [""; 0]);
        assert_eq!(metric("kind: HISTOGRAM"), ["spec.metrics[0].kind: unsupported value \"HISTOGRAM\"".to_owned()]);
        assert_eq!(
            check(&PROMETHEUS, "metrics: [{name: x}]"),
            [
                "spec.metrics[0].kind: a metric is a GAUGE, a COUNTER or a DISTRIBUTION",
                "spec.metrics[0].instanceName: need the full name of the instance, such as \
                 requestcount.metric.istio-system"
            ]
        );
        assert_eq!(
            check(&PROMETHEUS, "metrics: [{instanceName: x, kind: GAUGE}]"),
            ["spec.metrics[0].instanceName: \"x\" is not the full name of an instance"]
        );
    }

    #[test]
    fn names_are_made_safe_and_then_must_be_names() {
        let named = |namespace: &str, name: &str| {
            MetricInfo { namespace: namespace.into(), name: name.into(), ..MetricInfo::default() }.exposed_name()
        };
        assert_eq!(named("istio", "requests_total"), "istio_requests_total");
        assert_eq!(named("", "/a/b.c d-e"), "a_b_c_de");
        assert_eq!(
            metric("kind: GAUGE, name: 'r\u{fc}ck'"),
            ["spec.metrics[0].name: \"istio_r\u{fc}ck\" is no name of a metric"]
        );
        assert_eq!(metric("kind: GAUGE, name: total, namespace: egressctl").len(), 1);
        assert_eq!(
            metric("kind: DISTRIBUTION, labelNames: [le, '9', a.b, a/b, __x]"),
            [
                "spec.metrics[0].labelNames[0]: Prometheus keeps the label \"le\" for itself",
                "spec.metrics[0].labelNames[1]: \"9\" is no name of a label",
                "spec.metrics[0].labelNames[3]: the label \"a_b\" is there twice",
                "spec.metrics[0].labelNames[4]: Prometheus keeps the label \"__x\" for itself"
            ]
            .map(str::to_owned)
        );
    }

    #[test]
    fn two_metrics_share_neither_instance_nor_lines() {
        let two = "metrics: [{instanceName: a.metric.b, name: x, kind: DISTRIBUTION}, {instanceName: c.metric.b, name: \
                   x_count, kind: COUNTER}, {instanceName: a.metric.b, name: z, kind: GAUGE}]";
        assert_eq!(
            check(&PROMETHEUS, two),
            [
                "spec.metrics[1].name: istio_x_count is shown by another metric of this handler",
                "spec.metrics[2].instanceName: another metric counts a.metric.b already; make a second handler"
            ]
        );
    }

    #[test]
    fn buckets_have_one_form_and_rise() {
        let buckets = |buckets: &str| metric(&format!("kind: DISTRIBUTION, buckets: {{{buckets}}}"));
        assert_eq!(buckets("explicit_buckets: {bounds: [0.5, 1]}"), [""; 0]);
        assert_eq!(buckets("exponentialBuckets: {numFiniteBuckets: 8, scale: 1, growthFactor: 10}"), [""; 0]);
        let both = "explicitBuckets: {bounds: [1]}, linearBuckets: {numFiniteBuckets: 1, width: 1}";
        for (wrong, place) in [
            (both, ""),
            ("", ""),
            ("explicitBuckets: {bounds: [1, 1]}", ".explicitBuckets.bounds[1]"),
            ("explicitBuckets: {}", ".explicitBuckets.bounds"),
            ("linearBuckets: {numFiniteBuckets: 3, width: 0}", ".linearBuckets.width"),
            ("linearBuckets: {numFiniteBuckets: 201, width: 1}", ".linearBuckets.numFiniteBuckets"),
            (
                "exponentialBuckets: {numFiniteBuckets: 2, scale: 1, growthFactor: 1}",
                ".exponentialBuckets.growthFactor",
            ),
            ("exponentialBuckets: {numFiniteBuckets: 200, scale: 1, growthFactor: 1000}", ""),
        ] {
            let told = buckets(wrong);
            assert_eq!(told.len(), 1, "{wrong}: {told:?}");
            assert!(told[0].starts_with(&format!("spec.metrics[0].buckets{place}: ")), "{wrong}: {told:?}");
        }
    }

    #[test]
    fn bounds_are_those_of_mixer() {
        let with = |buckets| MetricInfo { buckets: Some(buckets), ..MetricInfo::default() }.bounds();
        let exponential = Exponential { num_finite_buckets: 2, growth_factor: 10.0, scale: 1.0 };
        assert_eq!(with(Buckets { exponential_buckets: Some(exponential), ..Buckets::default() }), [1.0, 10.0, 100.0]);
        let linear = Linear { num_finite_buckets: 2, width: 5.0, offset: 1.0 };
        assert_eq!(with(Buckets { linear_buckets: Some(linear), ..Buckets::default() }), [1.0, 6.0, 11.0]);
        assert_eq!(MetricInfo::default().bounds().len(), 11);
    }

    #[test]
    fn series_expire_after_some_time() {
        let policy = |fields: &str| check(&PROMETHEUS, &format!("metricsExpirationPolicy: {{{fields}}}"));
        assert_eq!(policy("metricsExpiryDuration: 10m"), [""; 0]);
        assert_eq!(policy("metricsExpiryDuration: 0s, expiryCheckIntervalDuration: -1s").len(), 2);
    }
}
