//! `prometheus`: counts metrics, shown in Prometheus' text form by [`exposition`].
//!
//! A handler finds the [`Family`] of an instance and adds the instance's value to the series of its labels. Families are
//! live state: they are kept from snapshot to snapshot while their definition stays the same.

mod exposition;
mod family;

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use crate::accesslog::Batch;
use crate::diagnostic::Problems;
use crate::expr::{ValueRef, ValueType};
use crate::policy::Live;
use crate::policy::instance::{Fault, Instance, Values};
use crate::policy::template::metric::{DIMENSIONS, METRIC, VALUE};
use crate::resource::kinds;
use crate::resource::kinds::prometheus::{Expiration, MetricInfo, Prometheus as Spec, safe_name};

use super::{Adapter, Handler, Setup};
use family::Definition;

pub use exposition::exposition;
pub use family::Family;

/// The adapter `prometheus`.
pub static PROMETHEUS: Adapter = Adapter { kind: &kinds::PROMETHEUS, templates: &[&METRIC], build };

fn build(setup: &Setup<'_>) -> Result<Arc<dyn Handler>, Problems> {
    let spec: Spec = setup.params()?;
    let expiry = spec.metrics_expiration_policy.as_ref();
    let metrics = spec.metrics.iter().map(|info| (info.instance_name.clone(), Metric::new(info, expiry, setup.live)));
    Ok(Arc::new(Prometheus { metrics: metrics.collect() }))
}

#[derive(Debug)]
struct Prometheus {
    /// By full name of the instance.
    metrics: HashMap<String, Metric>,
}

/// How an instance is counted.
#[derive(Debug)]
struct Metric {
    family: Arc<Family>,
    labels: Vec<Label>,
}

/// A label, in byte order of the dimensions' names: the order in which an instance has its values.
#[derive(Debug)]
struct Label {
    dimension: String,
    /// `name="`, after a comma unless it is the first.
    opening: String,
}

thread_local! {
    /// Where the labels of a value are written, reused from call to call.
    static LABELS: RefCell<String> = const { RefCell::new(String::new()) };
}

/// A buffer that one call with huge labels made larger than this many bytes is given back.
const KEPT_BUFFER: usize = 64 << 10;

impl Metric {
    fn new(info: &MetricInfo, expiry: Option<&Expiration>, live: &Live) -> Self {
        let definition = Definition::new(info, expiry);
        let family = live.families.get_or(&definition.key(), || Family::new(definition));
        let mut dimensions = info.label_names.clone();
        dimensions.sort();
        let label = |(position, dimension): (usize, String)| Label {
            opening: format!("{}{}=\"", if position > 0 { "," } else { "" }, safe_name(&dimension)),
            dimension,
        };
        Self { family, labels: dimensions.into_iter().enumerate().map(label).collect() }
    }

    /// Writes the labels of a value as lines show them.
    fn write_labels<'v>(&self, values: &Values<'v>, out: &mut String) -> Result<(), Fault<'v>> {
        for (label, (_, value)) in self.labels.iter().zip(values.map(DIMENSIONS)) {
            out.push_str(&label.opening);
            exposition::write_label_value(value?, out);
            out.push('"');
        }
        Ok(())
    }
}

impl Handler for Prometheus {
    fn accepts(&self, instance: &Instance) -> Result<(), String> {
        let Some(metric) = self.metrics.get(&instance.name) else {
            return Err(format!("no metric of the handler has the instanceName {}", instance.name));
        };
        let has_label = |name: &str| metric.labels.iter().any(|label| label.dimension == name);
        let dimensions = instance.members(DIMENSIONS);
        if let Some(extra) = dimensions.iter().find(|dimension| !has_label(&dimension.name)) {
            return Err(format!("the dimension {} is not among the labelNames of its metric", extra.name));
        }
        let has_dimension = |label: &&Label| dimensions.iter().any(|dimension| dimension.name == label.dimension);
        if let Some(missing) = metric.labels.iter().find(|label| !has_dimension(label)) {
            return Err(format!(
                "{} has no dimension {}, which its metric has a label for",
                instance.name, missing.dimension
            ));
        }
        match instance.field_type(VALUE) {
            Some(ValueType::Int64 | ValueType::Double | ValueType::Duration | ValueType::String) => Ok(()),
            Some(other) => Err(format!("its value is a {other}, which is no number")),
            None => Err("it has no value".into()),
        }
    }

    fn report<'v>(&self, values: &Values<'v>, _: &mut Batch) -> Result<(), Fault<'v>> {
        let metric = self.metrics.get(&values.instance.name);
        let metric = metric.ok_or(Fault::Handler("the instance is not one of its metrics".into()))?;
        let number = values.field(VALUE)?.and_then(number).ok_or(Fault::Handler("the value is no number".into()))?;
        LABELS.with_borrow_mut(|labels| {
            labels.clear();
            labels.shrink_to(KEPT_BUFFER);
            metric.write_labels(values, labels)?;
            metric.family.take(labels, number, values.time().micros()).map_err(|why| Fault::Handler(why.into()))
        })
    }
}

/// A value as Prometheus has it: spans in seconds, texts if they are numbers.
fn number(value: ValueRef<'_>) -> Option<f64> {
    const NANOS_PER_SECOND: f64 = 1e9;
    match value {
        ValueRef::Int64(number) => Some(number as f64),
        ValueRef::Double(number) => Some(number),
        ValueRef::Duration(nanos) => Some(nanos as f64 / NANOS_PER_SECOND),
        ValueRef::String(text) => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
