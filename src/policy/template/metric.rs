//! `metric`: a measured value and its dimensions.

use crate::expr::ValueType;
use crate::resource::kinds;
use crate::resource::kinds::metric::Metric;

use super::{Template, Variety};

/// Field: the value, of any type.
pub const VALUE: usize = 0;
/// Map: what it is counted under.
pub const DIMENSIONS: usize = 0;

/// The template `metric`.
pub static METRIC: Template = Template {
    kind: &kinds::METRIC,
    variety: Variety::Report,
    fill: |filling| {
        let params: Metric = filling.params();
        filling.field("value", &params.value, &[]);
        filling.field("monitored_resource_type", &params.monitored_resource_type, &[ValueType::String]);
        filling.map("dimensions", &params.dimensions);
        filling.map("monitored_resource_dimensions", &params.monitored_resource_dimensions);
    },
};
