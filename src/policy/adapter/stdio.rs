//! `stdio`: prints instances as lines.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;

use crate::accesslog::{Entry, Format, Level, Outlet, Report, Rotation, line};
use crate::expr::{Timestamp, ValueRef};
use crate::policy::instance::{Fault, Values};
use crate::policy::template::{logentry, metric};
use crate::resource::kinds;
use crate::resource::kinds::stdio::{LogLevel, LogStream, Stdio as Spec};

use super::{Adapter, Handler};

/// First guess at the length of a line in bytes, so that most lines are one allocation.
const USUAL_LINE: usize = 320;

/// The adapter `stdio`.
pub static STDIO: Adapter = Adapter {
    kind: &kinds::STDIO,
    templates: &[&logentry::LOGENTRY, &metric::METRIC],
    build: |setup| Ok(Arc::new(Stdio::new(&setup.params()?))),
};

#[derive(Debug)]
struct Stdio {
    levels: HashMap<String, Level, RandomState>,
    least: Level,
    metric_level: Level,
    format: Format,
    outlet: Outlet,
}

impl Stdio {
    fn new(spec: &Spec) -> Self {
        let levels =
            spec.severity_levels.iter().map(|(severity, level)| (severity.clone(), level_of(*level))).collect();
        let outlet = match spec.log_stream {
            LogStream::Stdout => Outlet::Stdout,
            LogStream::Stderr => Outlet::Stderr,
            LogStream::File => Outlet::File(spec.output_path.clone().into()),
            LogStream::RotatedFile => Outlet::RotatedFile(spec.output_path.clone().into(), rotation(spec)),
        };
        let format = if spec.output_as_json { Format::Json } else { Format::Text };
        let (least, metric_level) = (level_of(spec.output_level), level_of(spec.metric_level));
        Self { levels, least, metric_level, format, outlet }
    }

    /// A line for each logentry whose level is not below the handler's `outputLevel`.
    fn entry<'v>(&self, values: &Values<'v>) -> Result<Option<Entry>, Fault<'v>> {
        let level = self.levels.get(values.text(logentry::SEVERITY)?).copied().unwrap_or(Level::Info);
        if level < self.least {
            return Ok(None);
        }
        let time = match values.field(logentry::TIMESTAMP)? {
            Some(ValueRef::Timestamp(time)) => time,
            // Year 1, as Mixer prints it.
            _ => Timestamp::ZERO,
        };
        let mut text = begin(level, time, values);
        write_map(values, logentry::VARIABLES, &mut text)?;
        Ok(end(level, values, text))
    }

    /// A metric's line: its value first, then its dimensions; its time is the call's.
    fn metric<'v>(&self, values: &Values<'v>) -> Result<Option<Entry>, Fault<'v>> {
        if self.metric_level < self.least {
            return Ok(None);
        }
        let mut text = begin(self.metric_level, values.time(), values);
        if let Some(value) = values.field(metric::VALUE)? {
            text.push_str(",\"value\":");
            value.write_json(&mut text);
        }
        write_map(values, metric::DIMENSIONS, &mut text)?;
        Ok(end(self.metric_level, values, text))
    }
}

impl Handler for Stdio {
    fn lines(&self) -> Option<(Format, Outlet)> {
        Some((self.format, self.outlet.clone()))
    }

    fn report<'v>(&self, values: &Values<'v>, report: &mut Report) -> Result<(), Fault<'v>> {
        let entry = if *values.instance.template == metric::METRIC { self.metric(values) } else { self.entry(values) };
        report.extend(entry?);
        Ok(())
    }
}

fn begin(level: Level, time: Timestamp, values: &Values<'_>) -> String {
    let mut text = String::with_capacity(USUAL_LINE);
    line::begin(&mut text, level, time.micros(), &values.instance.name);
    text
}

fn write_map<'v>(values: &Values<'v>, map: usize, text: &mut String) -> Result<(), Fault<'v>> {
    for (member, value) in values.map(map) {
        let value = value?;
        text.push_str(&member.json_key);
        value.write_json(text);
    }
    Ok(())
}

/// The entry; none where nobody would know how to print it, which compiling sees to.
fn end(level: Level, values: &Values<'_>, mut text: String) -> Option<Entry> {
    let shape = Arc::clone(values.shape?);
    text.push('}');
    Some(Entry { time: values.time().micros(), level, shape, line: text })
}

/// No limit where the spec has 0, but for the size, whose default 0 stands for.
fn rotation(spec: &Spec) -> Rotation {
    const DAY: Duration = Duration::from_secs(86_400);
    const MEGABYTE: u64 = 1 << 20;
    let positive = |number: i32| u32::try_from(number).ok().filter(|number| *number > 0);
    let megabytes = [spec.max_megabytes_before_rotation, Spec::default().max_megabytes_before_rotation];
    let megabytes = megabytes.into_iter().find_map(positive).unwrap_or(1);
    Rotation {
        max_bytes: u64::from(megabytes) * MEGABYTE,
        max_age: positive(spec.max_days_before_rotation).map(|days| DAY * days),
        max_files: positive(spec.max_rotated_files).and_then(|files| usize::try_from(files).ok()),
    }
}

pub(super) fn level_of(level: LogLevel) -> Level {
    match level {
        LogLevel::Info => Level::Info,
        LogLevel::Warning => Level::Warning,
        LogLevel::Error => Level::Error,
    }
}
