//! `logentry`: severity, time and variables of a line.

use crate::call::CallBag;
use crate::diagnostic::{FieldPath, Problems};
use crate::expr::{EvalError, Program, Scratch, Timestamp, ValueRef, ValueType, Vocabulary};
use crate::resource::kinds::logentry::Logentry;

/// A compiled logentry.
#[derive(Debug)]
pub struct LogEntry {
    severity: Option<Program>,
    timestamp: Option<Program>,
    /// In byte order of their names; each with `,"name":` ready to be written.
    variables: Vec<(String, Program)>,
}

impl LogEntry {
    /// Compiles every field that is an expression.
    ///
    /// # Errors
    /// Each field that does not parse or type-check, with the place inside it.
    pub fn compile(spec: &Logentry, vocabulary: &Vocabulary) -> Result<Self, Problems> {
        let at = FieldPath::of("spec");
        let mut problems = Problems::new();
        let mut field = |text: &str, at: FieldPath, expected: Option<ValueType>| {
            super::super::compile::program(text, at, expected, vocabulary, &mut problems)
        };
        let severity =
            given(&spec.severity).and_then(|text| field(text, at.field("severity"), Some(ValueType::String)));
        let timestamp =
            given(&spec.timestamp).and_then(|text| field(text, at.field("timestamp"), Some(ValueType::Timestamp)));
        let mut variables = Vec::with_capacity(spec.variables.len());
        for (name, text) in &spec.variables {
            if let Some(program) = field(text, at.field("variables").field(name), None) {
                variables.push((format!(",{}:", serde_json::Value::from(name.as_str())), program));
            }
        }
        if problems.has_errors() { Err(problems) } else { Ok(Self { severity, timestamp, variables }) }
    }

    /// The severity's text; empty where the logentry has none.
    pub(crate) fn severity<'v>(&'v self, bag: &'v CallBag<'v>, scratch: &'v Scratch) -> Result<&'v str, EvalError<'v>> {
        match &self.severity {
            None => Ok(""),
            Some(program) => match program.eval(bag, scratch)? {
                ValueRef::String(text) => Ok(text),
                _ => Ok(""),
            },
        }
    }

    /// The time of the entry; year 1 where the logentry has none, as Mixer prints it.
    pub(crate) fn timestamp<'v>(
        &'v self,
        bag: &'v CallBag<'v>,
        scratch: &'v Scratch,
    ) -> Result<Timestamp, EvalError<'v>> {
        match &self.timestamp {
            None => Ok(Timestamp::ZERO),
            Some(program) => match program.eval(bag, scratch)? {
                ValueRef::Timestamp(time) => Ok(time),
                _ => Ok(Timestamp::ZERO),
            },
        }
    }

    /// Writes `,"name":value` for each variable.
    pub(crate) fn write_variables<'v>(
        &'v self,
        bag: &'v CallBag<'v>,
        scratch: &'v Scratch,
        line: &mut String,
    ) -> Result<(), EvalError<'v>> {
        for (prefix, program) in &self.variables {
            let value = program.eval(bag, scratch)?;
            line.push_str(prefix);
            value.write_json(line);
        }
        Ok(())
    }
}

fn given(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
