//! `stdio`: prints instances as lines.

use std::collections::HashMap;
use std::sync::Arc;

use crate::accesslog::{Entry, Format, Level, Outlet, Shape, line};
use crate::call::CallBag;
use crate::expr::{EvalError, Scratch};
use crate::policy::template::logentry::LogEntry;
use crate::resource::kinds::stdio::{LogLevel, LogStream, Stdio as StdioSpec};

/// First guess at the length of a line in bytes, so that most lines are one allocation.
const USUAL_LINE: usize = 320;

/// A compiled stdio handler.
#[derive(Debug)]
pub struct Stdio {
    levels: HashMap<String, Level>,
    least: Level,
    /// Form of its lines.
    pub format: Format,
    /// Where they go.
    pub outlet: Outlet,
}

impl Stdio {
    /// Compiles a checked spec.
    pub fn compile(spec: &StdioSpec) -> Self {
        let levels =
            spec.severity_levels.iter().map(|(severity, level)| (severity.clone(), level_of(*level))).collect();
        let outlet = match spec.log_stream {
            LogStream::Stdout => Outlet::Stdout,
            LogStream::Stderr => Outlet::Stderr,
            LogStream::File | LogStream::RotatedFile => Outlet::File(spec.output_path.clone().into()),
        };
        let format = if spec.output_as_json { Format::Json } else { Format::Text };
        Self { levels, least: level_of(spec.output_level), format, outlet }
    }

    /// The entry of an instance; none where its level is below the handler's `outputLevel`.
    ///
    /// # Errors
    /// When a field of the instance cannot be evaluated: the whole instance is dropped.
    pub(crate) fn entry<'v>(
        &self,
        instance: &'v LogEntry,
        shape: &Arc<Shape>,
        bag: &'v CallBag<'v>,
        scratch: &'v Scratch,
    ) -> Result<Option<Entry>, EvalError<'v>> {
        let severity = instance.severity(bag, scratch)?;
        let level = self.levels.get(severity).copied().unwrap_or(Level::Info);
        if level < self.least {
            return Ok(None);
        }
        let time = instance.timestamp(bag, scratch)?;
        let mut text = String::with_capacity(USUAL_LINE);
        line::begin(&mut text, level, time.micros(), &shape.instance);
        instance.write_variables(bag, scratch, &mut text)?;
        text.push('}');
        Ok(Some(Entry { time: bag.call().time().micros(), level, shape: Arc::clone(shape), line: text }))
    }
}

fn level_of(level: LogLevel) -> Level {
    match level {
        LogLevel::Info => Level::Info,
        LogLevel::Warning => Level::Warning,
        LogLevel::Error => Level::Error,
    }
}
