//! `logentry`: severity, time and variables of a line.

use crate::expr::ValueType;
use crate::resource::kinds;
use crate::resource::kinds::logentry::Logentry;

use super::{Template, Variety};

/// Field: the severity, STRING.
pub const SEVERITY: usize = 0;
/// Field: the time of the entry, TIMESTAMP.
pub const TIMESTAMP: usize = 1;
/// Map: what the line holds.
pub const VARIABLES: usize = 0;

/// The template `logentry`.
pub static LOGENTRY: Template = Template {
    kind: &kinds::LOGENTRY,
    variety: Variety::Report,
    fill: |filling| {
        let params: Logentry = filling.params();
        filling.field("severity", &params.severity, &[ValueType::String]);
        filling.field("timestamp", &params.timestamp, &[ValueType::Timestamp]);
        filling.field("monitored_resource_type", &params.monitored_resource_type, &[ValueType::String]);
        filling.map("variables", &params.variables);
        filling.map("monitored_resource_dimensions", &params.monitored_resource_dimensions);
    },
};
