//! `stdio`: prints instances as lines.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;

use crate::accesslog::{Batch, Format, Level, Outlet, Rotation, line};
use crate::expr::{Timestamp, ValueRef};
use crate::policy::instance::{Fault, Values};
use crate::policy::template::{logentry, metric};
use crate::resource::kinds;
use crate::resource::kinds::stdio::{LogLevel, LogStream, Stdio as Spec};

use super::{Adapter, Handler};

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
    fn entry<'v>(&self, values: &Values<'v>, lines: &mut Batch) -> Result<(), Fault<'v>> {
        let level = self.levels.get(values.text(logentry::SEVERITY)?).copied().unwrap_or(Level::Info);
        let time = match values.field(logentry::TIMESTAMP)? {
            Some(ValueRef::Timestamp(time)) => time,
            // Year 1, as Mixer prints it.
            _ => Timestamp::ZERO,
        };
        self.line((level, time), values, lines, |text| write_map(values, logentry::VARIABLES, text))
    }

    /// A metric's line: its value first, then its dimensions; its time is the call's.
    fn metric<'v>(&self, values: &Values<'v>, lines: &mut Batch) -> Result<(), Fault<'v>> {
        self.line((self.metric_level, values.time()), values, lines, |text| {
            if let Some(value) = values.field(metric::VALUE)? {
                text.push_str(",\"value\":");
                value.write_json(text);
            }
            write_map(values, metric::DIMENSIONS, text)
        })
    }

    /// Adds a line, unless its level is too low, or nobody would know how to print it, which compiling sees to.
    fn line<'v>(
        &self,
        (level, time): (Level, Timestamp),
        values: &Values<'v>,
        lines: &mut Batch,
        rest: impl FnOnce(&mut String) -> Result<(), Fault<'v>>,
    ) -> Result<(), Fault<'v>> {
        let Some(shape) = values.shape.filter(|_| level >= self.least) else { return Ok(()) };
        lines.write((values.time().micros(), level, shape), |text| {
            line::begin(text, level, time.micros(), &values.instance.name);
            rest(text)?;
            line::end(text);
            Ok(())
        })
    }
}

impl Handler for Stdio {
    fn lines(&self) -> Option<(Format, Outlet)> {
        Some((self.format, self.outlet.clone()))
    }

    fn report<'v>(&self, values: &Values<'v>, lines: &mut Batch) -> Result<(), Fault<'v>> {
        if *values.instance.template == metric::METRIC { self.metric(values, lines) } else { self.entry(values, lines) }
    }
}

fn write_map<'v>(values: &Values<'v>, map: usize, text: &mut String) -> Result<(), Fault<'v>> {
    for (member, value) in values.map(map) {
        let value = value?;
        text.push_str(&member.json_key);
        value.write_json(text);
    }
    Ok(())
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
