//! The expressions of a document that is refused already: its author shall see their faults in the same run.

use serde_json::Value as Json;

use crate::diagnostic::{Code, FieldPath, Problem, Problems};
use crate::expr::Vocabulary;
use crate::manifest::{Finding, Parsed, Subject};
use crate::policy::{Live, Parts, condition};
use crate::resource::Resource;
use crate::resource::decode::{Spelling, decode_all};
use crate::resource::kinds::RULE;
use crate::resource::kinds::rule::Rule;

/// Adds what is wrong with expressions to the findings of a text that has errors; of one without, the review of the
/// change finds it.
pub(super) fn add_faults(parsed: &mut Parsed) {
    if !parsed.has_errors() {
        return;
    }
    for (resource, place) in parsed.resources.iter().zip(&parsed.places) {
        let found = faults(resource).into_iter().map(|problem| place.finding(problem));
        let of_place = |finding: &Finding| {
            finding.document == place.document && finding.problem.at.steps().starts_with(place.at.steps())
        };
        // Behind what else is wrong with the resource, or at the end of the text's findings.
        let last = parsed.findings.iter().rposition(of_place);
        let at = last.map_or(parsed.findings.len(), |last| last + 1);
        let subject = match last {
            Some(last) => parsed.findings[last].subject.clone(),
            None => Some(Subject::from(resource)),
        };
        let known: Vec<FieldPath> =
            parsed.findings.iter().filter(|f| of_place(f)).map(|f| f.problem.at.clone()).collect();
        let fresh: Vec<Finding> = found.filter(|finding| !known.contains(&finding.problem.at)).collect();
        parsed.findings.splice(at..at, fresh.into_iter().map(|f| Finding { subject: subject.clone(), ..f }));
    }
}

fn faults(resource: &Resource) -> Vec<Problem> {
    let spec = resource.body.get("spec").unwrap_or(&Json::Null);
    let at = FieldPath::of("spec");
    let found = if *resource.kind == RULE {
        let (rule, _) = decode_all::<Rule>(spec, &at, Spelling::Protobuf);
        rule.and_then(|rule| condition(&rule, Vocabulary::standard()).err())
    } else {
        Parts::default().add(resource, Vocabulary::standard(), &Live::default()).err()
    };
    let of_expressions = |problem: &Problem| problem.code == Code::Expression;
    found.unwrap_or_else(Problems::new).into_iter().filter(of_expressions).collect()
}
