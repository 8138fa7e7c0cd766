//! metric: a measured value of a call, and the dimensions it is counted under (Mixer). Every value is an expression.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::cells;
use super::check::{self, At};
use crate::resource::{Kind, Part, Role};

/// The kind `metric` (config.istio.io).
pub static METRIC: Kind = cells::part(
    "metric",
    "metrics",
    Part { role: Role::Instance, check: |tree, at, problems| check::params::<Metric>(tree, at, problems, rules) },
);

/// `spec` of a metric.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metric {
    /// The value, of a type that the handler decides.
    pub value: String,
    /// Values of any type.
    pub dimensions: BTreeMap<String, String>,
    /// STRING; for monitoring services.
    #[serde(rename = "monitored_resource_type")]
    pub monitored_resource_type: String,
    /// Values of any type; for monitoring services.
    #[serde(rename = "monitored_resource_dimensions")]
    pub monitored_resource_dimensions: BTreeMap<String, String>,
}

fn rules(at: &mut At<'_>, metric: &Metric) {
    if metric.value.is_empty() {
        at.field("value").required();
    }
}
