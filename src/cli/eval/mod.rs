//! Trying an expression: attributes as a person or a program gives them, the value or what is wrong, both as JSON.

mod attributes;
pub(crate) mod batch;
mod value;

use std::ops::Range;

use crate::diagnostic::{Problem, Problems};
use crate::expr::{Ast, Program, Scratch, ValueRef, ValueType, Vocabulary, place_of, write_json_string};

pub(crate) use attributes::{Attributes, Values};
pub(crate) use value::{write_json, write_text};

/// The step that found a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The text is no expression, or the input cannot be read.
    Parse,
    /// Names or types do not fit.
    Type,
    /// There is no value for these attributes.
    Eval,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Phase::Parse => "parse",
            Phase::Type => "type",
            Phase::Eval => "eval",
        }
    }
}

/// Why there is no value.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) phase: Phase,
    /// Its `within` is the place in the expression, where one is known.
    pub(crate) problem: Problem,
}

impl Fault {
    /// A fault outside the expression.
    pub(crate) fn new(phase: Phase, message: impl Into<String>) -> Self {
        let at = crate::diagnostic::FieldPath::root();
        Self { phase, problem: Problem::error(crate::diagnostic::Code::Expression, at, message) }
    }

    /// Appends `{"phase":…,"message":…,"column":…}`; columns are characters of the expression, from 1.
    pub(crate) fn write_json(&self, expression: &str, out: &mut String) {
        let start = self.problem.within.as_ref().map_or(0, |place| place.start);
        let column = expression.get(..start).map_or(0, |before| before.chars().count()) + 1;
        out.push_str("{\"phase\":\"");
        out.push_str(self.phase.name());
        out.push_str("\",\"message\":");
        write_json_string(&self.problem.message, out);
        out.push_str(&format!(",\"column\":{column}}}"));
    }
}

/// Compiles an expression.
pub(crate) fn compile(text: &str, vocabulary: &Vocabulary) -> Result<(Program, Problems), Fault> {
    match Program::compile_with_warnings(text, vocabulary) {
        Ok(compiled) => Ok((compiled.program, compiled.warnings)),
        Err(problem) => {
            let phase = if Ast::parse(text).is_ok() { Phase::Type } else { Phase::Parse };
            Err(Fault { phase, problem })
        }
    }
}

/// Evaluates a program and hands the value to `show`.
pub(crate) fn evaluate<T>(
    program: &Program,
    values: &Values,
    show: impl FnOnce(ValueType, ValueRef<'_>) -> T,
) -> Result<T, Fault> {
    let scratch = Scratch::new();
    match program.eval(values, &scratch) {
        Ok(value) => Ok(show(program.result_type(), value)),
        Err(error) => {
            let mut fault = Fault::new(Phase::Eval, error.to_string());
            let whole: Range<usize> = 0..program.text().len();
            fault.problem = fault.problem.within(place_of(program.text(), &error).unwrap_or(whole));
            Err(fault)
        }
    }
}
