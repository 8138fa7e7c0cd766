//! Compiling the expressions that stand in fields of resources.

use crate::diagnostic::{Code, FieldPath, Problem, Problems};
use crate::expr::{Program, ValueType, Vocabulary};
use crate::resource::kinds::rule::Rule as RuleSpec;

/// The compiled match of a rule, and what its author should know; none for an empty one, which matches every call.
///
/// # Errors
/// What does not parse or type-check, or is no truth value.
pub fn condition(spec: &RuleSpec, vocabulary: &Vocabulary) -> Result<(Option<Program>, Problems), Problems> {
    let text = spec.condition();
    // The second is the field's name in the oldest releases.
    let field = if spec.r#match.is_empty() { "spec.selector" } else { "spec.match" };
    let mut problems = Problems::new();
    if text.trim().is_empty() {
        return Ok((None, problems));
    }
    let compiled = program(text, FieldPath::of(field), &[ValueType::Bool], vocabulary, &mut problems);
    if problems.has_errors() { Err(problems) } else { Ok((compiled, problems)) }
}

/// Compiles the expression in a field that takes values of some types, of any where none is named; what is wrong with it
/// goes to `problems`.
pub(super) fn program(
    text: &str,
    at: FieldPath,
    types: &[ValueType],
    vocabulary: &Vocabulary,
    problems: &mut Problems,
) -> Option<Program> {
    let compiled = match types {
        [expected] => Program::compile_as(text, vocabulary, *expected),
        _ => Program::compile_with_warnings(text, vocabulary),
    };
    let compiled = match compiled {
        Ok(compiled) => compiled,
        Err(mut problem) => {
            problem.at = at;
            problems.push(problem);
            return None;
        }
    };
    problems.extend(compiled.warnings.into_iter().map(|mut problem| {
        problem.at = at.clone();
        problem
    }));
    let found = compiled.program.result_type();
    if types.is_empty() || types.contains(&found) {
        return Some(compiled.program);
    }
    let names: Vec<_> = types.iter().map(ValueType::to_string).collect();
    let message =
        format!("expression '{}' evaluated to type {found}, expected type {}", text.trim(), names.join(" or "));
    problems.push(Problem::error(Code::Expression, at, message));
    None
}
