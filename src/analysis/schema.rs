//! What the kinds' own checks and admission say of each resource, under istioctl's codes.

use crate::diagnostic::{Code as ProblemCode, Problem, Problems};
use crate::registry::ListQuery;
use crate::snapshot::admission::Reviewer;

use super::code::{Code, DEPRECATED, DOUBTFUL, INEFFECTIVE_MATCH, INVALID, UNREACHABLE_RULE};
use super::{Findings, Model};

/// Says of every resource what `create` would say.
pub(super) fn analyze(model: &Model<'_>, found: &mut Findings) {
    let reviewer = Reviewer::new(model.view);
    for kind in model.view.kinds() {
        // A registry that could be read a moment ago can be read now.
        for resource in model.view.list(&ListQuery::all(kind)).unwrap_or_default() {
            let mut problems = Problems::new();
            (kind.check)(&resource, &mut problems);
            if !problems.has_errors() {
                problems.extend(reviewer.review(&resource).unwrap_or_default());
            }
            for problem in problems.iter().filter(|problem| !is_analyzed(problem)) {
                let (code, message) = worded(problem);
                found.add(code, &resource, problem.at.clone(), message);
            }
        }
    }
}

/// Whether an analyzer says the same in istioctl's words.
fn is_analyzed(problem: &Problem) -> bool {
    problem.code == ProblemCode::NotFound
}

/// The code of a problem, and istioctl's words for it.
pub(super) fn worded(problem: &Problem) -> (&'static Code, String) {
    match (problem.is_error(), problem.code) {
        (true, _) => (&INVALID, format!("Schema validation error: {problem}")),
        (false, ProblemCode::UnreachableRule) => (&UNREACHABLE_RULE, format!("{}.", problem.message)),
        (false, ProblemCode::IneffectiveMatch) => (&INEFFECTIVE_MATCH, format!("{}.", problem.message)),
        (false, ProblemCode::Deprecated) => (&DEPRECATED, format!("Deprecated: {problem}")),
        (false, _) => (&DOUBTFUL, format!("Schema validation warning: {problem}")),
    }
}
