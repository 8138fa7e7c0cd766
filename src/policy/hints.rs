//! What a refusal tells besides its message: the values that were compared, and the smallest change that would have let the
//! call go. Credentials among the values are masked wherever they would be recorded or shown.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::accesslog::{is_credential, path_credentials};
use crate::call::CallBag;
use crate::expr::{Program, Scratch, ValueRef, ValueType, Vocabulary, reads};

/// What stands in place of a credential.
pub(super) const MASKED: &str = "(masked)";

/// What is told in place of a message that may hold a credential.
const MASKED_TEXT: &str = "(the message is masked, because what was compared may be a credential)";

/// Longest value that is recorded, in characters: callers decide how long their paths and headers are, and the start of a
/// long one tells enough.
const MAX_VALUE: usize = 256;

/// What some expressions read. Made at the first refusal: most rules never have one.
#[derive(Debug)]
pub(super) struct Hints {
    reads: Vec<Read>,
    /// The last of the conditions that all hold: it would be enough that this one did not.
    last: String,
}

#[derive(Debug)]
struct Read {
    name: String,
    program: Program,
    secret: bool,
}

impl Hints {
    /// Of a rule's match, or of an instance's fields.
    pub(super) fn new<'p>(programs: impl Iterator<Item = &'p Program>, vocabulary: &Vocabulary) -> Self {
        let mut hints = Hints { reads: Vec::new(), last: String::new() };
        for program in programs {
            let found = reads(program.text());
            hints.last = found.last;
            for name in found.attributes {
                if let Ok(program) = Program::compile(&name, vocabulary) {
                    // Of a whole map nobody knows which values were compared, and among them may be credentials.
                    // A parameter is part of the query, whatever its name is.
                    let secret = program.result_type() == ValueType::StringMap
                        || name.starts_with("request.query_params")
                        || is_credential(&name);
                    hints.reads.push(Read { name, program, secret });
                }
            }
        }
        hints
    }

    /// Adds the values that were read of a call, by name, as JSON.
    pub(super) fn add_values(&self, bag: &CallBag<'_>, values: &mut BTreeMap<String, String>) {
        let scratch = Scratch::new();
        for Read { name, program, secret } in &self.reads {
            let mut json = String::new();
            match program.eval(bag, &scratch) {
                Err(_) => json.push_str("null"),
                Ok(_) if *secret => ValueRef::String(MASKED).write_json(&mut json),
                Ok(ValueRef::String(text)) if holds_query(text, bag) => {
                    ValueRef::String(&shortened(&without_query(text, bag))).write_json(&mut json);
                }
                Ok(ValueRef::String(text)) => ValueRef::String(&shortened(text)).write_json(&mut json),
                Ok(value) => value.write_json(&mut json),
            }
            values.insert(name.clone(), json);
        }
    }

    /// A text that may hold values that were read: nothing of it where one of them is a credential, for it may be spelled in
    /// another way there, and never the call's query.
    pub(super) fn masked(&self, text: String, bag: &CallBag<'_>) -> String {
        if self.have_secrets() {
            return MASKED_TEXT.to_owned();
        }
        if holds_query(&text, bag) { without_query(&text, bag) } else { text }
    }

    /// Whether credentials were read.
    pub(super) fn have_secrets(&self) -> bool {
        self.reads.iter().any(|read| read.secret)
    }

    /// What would have to be otherwise for the rule not to match.
    pub(super) fn remedy(&self, rule: &str) -> String {
        match self.have_secrets() {
            true => format!("a match of {rule} that does not hold"),
            false => format!("a match of {rule} that does not hold, as when this is false: {}", self.last),
        }
    }
}

/// As much of a text as is recorded.
pub(super) fn shortened(text: &str) -> Cow<'_, str> {
    match text.chars().nth(MAX_VALUE) {
        Some(_) => Cow::Owned(text.chars().take(MAX_VALUE).chain(['…']).collect()),
        None => Cow::Borrowed(text),
    }
}

/// What of a call's path and query is masked: its query, in which credentials are often sent, and credentials in its path.
fn hidden<'b>(bag: &'b CallBag<'_>) -> impl Iterator<Item = &'b str> {
    let target = bag.call().path_and_query();
    let query = target.query().filter(|query| !query.is_empty());
    query.into_iter().chain(path_credentials(target.path()))
}

/// Whether a text has something of a call's path and query that is masked.
fn holds_query(text: &str, bag: &CallBag<'_>) -> bool {
    hidden(bag).any(|part| text.contains(part))
}

fn without_query(text: &str, bag: &CallBag<'_>) -> String {
    hidden(bag).fold(text.to_owned(), |text, part| text.replace(part, MASKED))
}

/// Values by name as a JSON object.
pub(super) fn object(values: &BTreeMap<String, String>) -> String {
    let mut json = String::new();
    for (name, value) in values {
        json.push(if json.is_empty() { '{' } else { ',' });
        crate::expr::write_json_string(name, &mut json);
        json.push(':');
        json.push_str(value);
    }
    if !json.is_empty() {
        json.push('}');
    }
    json
}
