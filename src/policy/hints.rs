//! What a refusal tells besides its message: the values that its rule compared, and the smallest change that would have
//! let the call go.

use crate::call::CallBag;
use crate::expr::{Program, Scratch, Vocabulary, reads};

/// Headers whose values are secrets, and are never recorded.
const SECRET: [&str; 7] =
    ["authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token", "api_key", "raw_claims"];

/// What a rule's match reads. Made at the rule's first refusal: most rules never have one.
#[derive(Debug)]
pub(super) struct Hints {
    reads: Vec<(String, Program)>,
    /// The last of the conditions that all hold: it would be enough that this one did not.
    last: String,
}

impl Hints {
    /// Of a match.
    pub(super) fn new(condition: &Program, vocabulary: &Vocabulary) -> Self {
        let read = reads(condition.text());
        let compiled = read.attributes.into_iter().filter_map(|name| {
            let program = Program::compile(&name, vocabulary).ok()?;
            Some((name, program))
        });
        Self { reads: compiled.collect(), last: read.last }
    }

    /// The values that the match read of a call, as a JSON object; secrets are left out.
    pub(super) fn values(&self, bag: &CallBag<'_>) -> String {
        let scratch = Scratch::new();
        let mut json = String::from("{");
        for (name, program) in &self.reads {
            let lower = name.to_ascii_lowercase();
            let is_map = matches!(program.result_type(), crate::expr::ValueType::StringMap);
            if is_map || SECRET.iter().any(|secret| lower.contains(secret)) {
                continue;
            }
            if json.len() > 1 {
                json.push(',');
            }
            crate::expr::write_json_string(name, &mut json);
            json.push(':');
            match program.eval(bag, &scratch) {
                Ok(value) => value.write_json(&mut json),
                Err(_) => json.push_str("null"),
            }
        }
        json.push('}');
        json
    }

    /// What would have to be otherwise for the rule not to match.
    pub(super) fn remedy(&self, rule: &str) -> String {
        format!("rule {rule} would not apply if this were false: {}", self.last)
    }
}
