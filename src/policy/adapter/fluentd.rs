//! `fluentd`: sends logentries to a Fluentd, which gets their variables and severity as a record.

use std::collections::HashMap;
use std::sync::Arc;

use crate::accesslog::{Batch, Fluentd as Destination, Format, Level, Outlet, line};
use crate::expr::{ValueRef, ValueType};
use crate::policy::instance::{Fault, Instance, Values};
use crate::policy::template::logentry::{LOGENTRY, SEVERITY, TIMESTAMP, VARIABLES};
use crate::resource::kinds;
use crate::resource::kinds::fluentd::Fluentd as Spec;
use crate::resource::kinds::stdio::Stdio;

use super::stdio::level_of;
use super::{Adapter, Handler};

/// The variable that the severity becomes; one of that name which the instance has gives way.
const SEVERITY_NAME: &str = "severity";

/// The adapter `fluentd`.
pub static FLUENTD: Adapter = Adapter {
    kind: &kinds::FLUENTD,
    templates: &[&LOGENTRY],
    build: |setup| Ok(Arc::new(Fluentd::new(&setup.params()?))),
};

#[derive(Debug)]
struct Fluentd {
    levels: HashMap<String, Level>,
    integer_duration: bool,
    outlet: Outlet,
}

impl Fluentd {
    fn new(spec: &Spec) -> Self {
        // Fluentd gets the severity itself; the log needs a level, and stdio's default map gives one.
        let levels = Stdio::default().severity_levels.into_iter().map(|(severity, level)| (severity, level_of(level)));
        let size = |number: i64| usize::try_from(number).unwrap_or(1).max(1);
        let outlet = Outlet::Fluentd(Destination {
            address: spec.address.clone(),
            buffer: size(spec.instance_buffer_size),
            max_batch: size(spec.max_batch_size_bytes),
            push_interval: spec.push_interval_duration.to_std(),
            push_timeout: spec.push_timeout_duration.to_std(),
        });
        Self { levels: levels.collect(), integer_duration: spec.integer_duration, outlet }
    }

    fn write_variables<'v>(&self, values: &Values<'v>, severity: &str, text: &mut String) -> Result<(), Fault<'v>> {
        let mut severity = Some(severity);
        let mut write_severity = |text: &mut String| {
            if let Some(severity) = severity.take() {
                line::name(text, SEVERITY_NAME);
                line::string(text, severity);
            }
        };
        for (member, value) in values.map(VARIABLES) {
            if member.name.as_str() >= SEVERITY_NAME {
                write_severity(text);
            }
            if member.name != SEVERITY_NAME {
                text.push_str(&member.json_key);
                self.write_value(value?, text);
            }
        }
        write_severity(text);
        Ok(())
    }

    fn write_value(&self, value: ValueRef<'_>, text: &mut String) {
        const NANOS_PER_MILLI: i64 = 1_000_000;
        match value {
            ValueRef::Duration(nanos) if self.integer_duration => {
                ValueRef::Int64(nanos / NANOS_PER_MILLI).write_json(text);
            }
            value => value.write_json(text),
        }
    }
}

impl Handler for Fluentd {
    fn accepts(&self, instance: &Instance) -> Result<(), String> {
        match instance.member_type(VARIABLES, "tag") {
            None | Some(ValueType::String) => Ok(()),
            Some(other) => Err(format!("its variable tag is a {other}; a tag is a STRING")),
        }
    }

    fn lines(&self) -> Option<(Format, Outlet)> {
        Some((Format::Json, self.outlet.clone()))
    }

    fn report<'v>(&self, values: &Values<'v>, lines: &mut Batch) -> Result<(), Fault<'v>> {
        let severity = values.text(SEVERITY)?;
        let level = self.levels.get(severity).copied().unwrap_or(Level::Info);
        let time = match values.field(TIMESTAMP)? {
            Some(ValueRef::Timestamp(time)) => time,
            // Mixer sends year 1, which Fluentd cannot have: the time of the call is what was meant.
            _ => values.time(),
        };
        let Some(shape) = values.shape else { return Ok(()) };
        lines.write((values.time().micros(), level, shape), |text| {
            line::begin(text, level, time.micros(), &values.instance.name);
            self.write_variables(values, severity, text)?;
            line::end(text);
            Ok(())
        })
    }
}
