//! Tests of the language as a whole, over a vocabulary that has every type, present and absent.

mod agreement;
mod checking;
mod evaluating;
mod naive;
mod parsing;
mod table;

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::*;

/// An attribute of each type, and its counterpart `no.…`, which the bag never has.
const ATTRIBUTES: &[(&str, ValueType)] = &[
    ("text", ValueType::String),
    ("int", ValueType::Int64),
    ("double", ValueType::Double),
    ("bool", ValueType::Bool),
    ("time", ValueType::Timestamp),
    ("span", ValueType::Duration),
    ("addr", ValueType::IpAddress),
    ("host", ValueType::DnsName),
    ("mail", ValueType::EmailAddress),
    ("link", ValueType::Uri),
    ("labels", ValueType::StringMap),
];

fn vocabulary() -> Vocabulary {
    let named = |prefix: &str| {
        let prefix = prefix.to_owned();
        ATTRIBUTES.iter().map(move |(name, of)| (Cow::Owned(format!("{prefix}{name}")), *of))
    };
    named("").chain(named("no.")).collect()
}

/// Has the first half of the vocabulary.
#[derive(Debug)]
struct Full {
    labels: BTreeMap<String, String>,
}

impl Full {
    fn new() -> Self {
        let labels = [("app", "web"), ("Ab", "cd"), ("empty", "")];
        Self { labels: labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect() }
    }
}

impl Bag for Full {
    fn get(&self, slot: Slot) -> Option<ValueRef<'_>> {
        Some(match ATTRIBUTES.get(usize::from(slot.0))?.1 {
            ValueType::String => ValueRef::String("Ab"),
            ValueType::Int64 => ValueRef::Int64(5),
            ValueType::Double => ValueRef::Double(1.5),
            ValueType::Bool => ValueRef::Bool(true),
            ValueType::Timestamp => ValueRef::Timestamp(Timestamp { seconds: 1_529_328_178, nanos: 0 }),
            ValueType::Duration => ValueRef::Duration(7_000_000),
            ValueType::IpAddress => ValueRef::IpAddress([10, 0, 0, 1].into()),
            ValueType::DnsName => ValueRef::DnsName("Edition.cnn.com"),
            ValueType::EmailAddress => ValueRef::EmailAddress("a@x.org"),
            ValueType::Uri => ValueRef::Uri("http://x.org/a"),
            ValueType::StringMap => ValueRef::StringMap(&self.labels),
        })
    }
}

/// The value as JSON, or the message.
fn evaluate(text: &str) -> Result<String, String> {
    let program = Program::compile(text, &vocabulary()).unwrap_or_else(|problem| panic!("{text}: {problem}"));
    run(&program)
}

fn run(program: &Program) -> Result<String, String> {
    let (bag, scratch) = (Full::new(), Scratch::new());
    let value = program.eval(&bag, &scratch).map_err(|fault| fault.to_string())?;
    assert_eq!(value.value_type(), program.result_type(), "{}", program.text());
    let mut out = String::new();
    value.write_json(&mut out);
    Ok(out)
}
