//! Conditions on single fields of entries: flags such as `--host`, and the operands of `--where`.

use std::borrow::Cow;

use super::Query;
use super::plan::is_called;
use crate::accesslog::segment::split_field;
use crate::diagnostic::Problem;
use crate::expr::{Bag, Program, Scratch, Slot, ValueRef, ValueType, Vocabulary, conjuncts, reads};

/// A condition on one field, which may go by several names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Names of the field in entries; one that has none of them does not meet the condition.
    pub names: Vec<String>,
    /// What its value may be: one of these.
    pub tests: Vec<Test>,
    /// Whether entries that meet it are the unwanted ones.
    pub inverted: bool,
}

/// What a field's value may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// A text with `*` for any characters and `?` for any one.
    Glob(String),
    /// A whole number between these, both included.
    Between(i64, i64),
}

impl Test {
    fn accepts(&self, value: ValueRef<'_>) -> bool {
        match (self, value) {
            (Self::Glob(glob), ValueRef::String(text)) => is_like(text, glob),
            (Self::Glob(glob), other) => {
                let mut text = String::new();
                other.write_text(&mut text);
                is_like(&text, glob)
            }
            (Self::Between(least, most), ValueRef::Int64(number)) => (least..=most).contains(&&number),
            (Self::Between(least, most), ValueRef::String(text)) => {
                text.parse::<i64>().is_ok_and(|number| (least..=most).contains(&&number))
            }
            (Self::Between(..), _) => false,
        }
    }
}

/// Whether a text is like a pattern in which `*` stands for any characters and `?` for one.
fn is_like(text: &str, glob: &str) -> bool {
    let (text, glob): (Vec<char>, Vec<char>) = if text.is_ascii() && glob.is_ascii() {
        return is_like_of(text.as_bytes(), glob.as_bytes(), b'*', b'?');
    } else {
        (text.chars().collect(), glob.chars().collect())
    };
    is_like_of(&text, &glob, '*', '?')
}

fn is_like_of<T: Copy + PartialEq>(text: &[T], glob: &[T], many: T, one: T) -> bool {
    let (mut at, mut in_glob, mut star) = (0, 0, None);
    while at < text.len() {
        match glob.get(in_glob) {
            Some(&c) if c == many => {
                star = Some((in_glob, at));
                in_glob += 1;
            }
            Some(&c) if c == one || c == text[at] => {
                at += 1;
                in_glob += 1;
            }
            _ => match &mut star {
                None => return false,
                // The last `*` takes one more.
                Some((of, from)) => {
                    *from += 1;
                    (at, in_glob) = (*from, *of + 1);
                }
            },
        }
    }
    glob[in_glob..].iter().all(|c| *c == many)
}

/// A condition that is ready to be asked.
#[derive(Debug)]
pub(super) enum Condition<'q> {
    Field(&'q Field),
    /// The handler or rule, and what it is called.
    Called(&'static str, &'q str),
    /// An operand of `&&`, with the names that it reads.
    Operand {
        program: Program,
        names: Vec<(String, Slot, ValueType)>,
    },
}

impl<'q> Condition<'q> {
    /// The conditions of a query.
    pub(super) fn all(query: &'q Query, vocabulary: &Vocabulary) -> Result<Vec<Self>, Problem> {
        let mut all: Vec<Self> = query.fields.iter().map(Self::Field).collect();
        let called = [("handler", &query.handler), ("rule", &query.rule)];
        all.extend(called.into_iter().filter_map(|(field, name)| Some(Self::Called(field, name.as_deref()?))));
        let Some(filter) = query.filter.as_deref() else { return Ok(all) };
        Program::compile_as(filter, vocabulary, ValueType::Bool)?;
        for operand in conjuncts(filter) {
            let program = Program::compile(&operand, vocabulary)?;
            let named = |name: String| vocabulary.get(&name).map(|(slot, of)| (name, slot, of));
            let names = reads(&operand).attributes.into_iter().filter_map(named).collect();
            all.push(Self::Operand { program, names });
        }
        Ok(all)
    }

    /// The names of the fields that it looks at.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let (fields, called, operand) = match self {
            Self::Field(field) => (field.names.as_slice(), None, &[][..]),
            Self::Called(field, _) => (&[][..], Some(*field), &[][..]),
            Self::Operand { names, .. } => (&[][..], None, names.as_slice()),
        };
        fields.iter().map(String::as_str).chain(called).chain(operand.iter().map(|(name, ..)| name.as_str()))
    }

    /// Whether all that it looks at is one field, under whatever names.
    pub(super) fn is_of_one_field(&self) -> bool {
        matches!(self, Self::Field(_)) || self.names().count() == 1
    }

    /// Whether entries that meet what [`holds_of`](Self::holds_of) tells are the unwanted ones.
    pub(super) fn inverted(&self) -> bool {
        matches!(self, Self::Field(Field { inverted: true, .. }))
    }

    /// Whether it holds, but for the inversion, where one of its names has a value, or none has.
    pub(super) fn holds_of(&self, value: Option<ValueRef<'_>>, scratch: &mut Scratch) -> bool {
        match self {
            Self::Field(field) => value.is_some_and(|value| field.tests.iter().any(|test| test.accepts(value))),
            // Several rules may have refused a call.
            Self::Called(_, name) => {
                matches!(value, Some(ValueRef::String(text)) if text.split(',').any(|full| is_called(full, name)))
            }
            Self::Operand { program, names } => {
                let of = names.first().map(|(.., of)| *of);
                let bag = One(value.and_then(|value| fitting(value, of?)));
                let holds = program.holds(&bag, scratch) == Ok(true);
                scratch.reset();
                holds
            }
        }
    }

    /// Whether it holds of an entry.
    pub(super) fn holds<'v>(&self, get: &mut dyn FnMut(&str) -> Option<ValueRef<'v>>, scratch: &mut Scratch) -> bool {
        match self {
            Self::Field(field) => {
                let found = field.names.iter().any(|name| self.holds_of(get(name), scratch));
                found != field.inverted
            }
            Self::Called(field, _) => self.holds_of(get(field), scratch),
            Self::Operand { program, names } => {
                let values =
                    names.iter().map(|(name, slot, of)| (*slot, get(name).and_then(|value| fitting(value, *of))));
                let bag = Few(values.collect());
                let holds = program.holds(&bag, scratch) == Ok(true);
                scratch.reset();
                holds
            }
        }
    }
}

/// The value where it is of a type, or can be: a name may have values of several types in the log.
fn fitting(value: ValueRef<'_>, of: ValueType) -> Option<ValueRef<'_>> {
    match (value, of) {
        (ValueRef::Int64(int), ValueType::Double) => Some(ValueRef::Double(int as f64)),
        (value, of) => (value.value_type() == of).then_some(value),
    }
}

/// One value, whatever is asked for.
struct One<'v>(Option<ValueRef<'v>>);

impl Bag for One<'_> {
    fn get(&self, _: Slot) -> Option<ValueRef<'_>> {
        self.0
    }
}

/// Some values.
struct Few<'v>(Vec<(Slot, Option<ValueRef<'v>>)>);

impl Bag for Few<'_> {
    fn get(&self, slot: Slot) -> Option<ValueRef<'_>> {
        self.0.iter().find(|(of, _)| *of == slot)?.1
    }
}

/// The value of a field as a stored line has it; the first, where a name occurs twice.
pub(super) enum Token<'l> {
    Text(Cow<'l, str>),
    Int(i64),
    Double(f64),
    Bool(bool),
}

impl Token<'_> {
    pub(super) fn value(&self) -> ValueRef<'_> {
        match self {
            Token::Text(text) => ValueRef::String(text),
            Token::Int(int) => ValueRef::Int64(*int),
            Token::Double(double) => ValueRef::Double(*double),
            Token::Bool(bool) => ValueRef::Bool(*bool),
        }
    }
}

/// Finds the fields with certain names in a stored line, in the order of the names.
pub(super) fn find<'l>(line: &'l str, names: &[&str]) -> Vec<Option<Token<'l>>> {
    let mut found: Vec<Option<Token<'l>>> = names.iter().map(|_| None).collect();
    fields(line, |name, value| {
        if let Some(place) = names.iter().position(|wanted| *wanted == name).filter(|place| found[*place].is_none()) {
            found[place] = token(value);
        }
    });
    found
}

/// Calls with each name and value of a line as it is spelled, until what comes is no field.
pub(super) fn fields<'l>(line: &'l str, mut take: impl FnMut(&str, &'l str)) -> Option<()> {
    let mut rest = line.strip_prefix('{')?.strip_suffix('}')?;
    while !rest.is_empty() {
        let (name, value, after) = split_field(rest)?;
        let inner = &name[1..name.len() - 1];
        if inner.contains('\\') {
            take(&serde_json::from_str::<String>(name).ok()?, value);
        } else {
            take(inner, value);
        }
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    Some(())
}

/// What a value's spelling stands for; arrays, objects and null as they are spelled.
pub(super) fn token(spelled: &str) -> Option<Token<'_>> {
    Some(match spelled.as_bytes().first()? {
        b'"' if spelled.contains('\\') => Token::Text(Cow::Owned(serde_json::from_str(spelled).ok()?)),
        b'"' => Token::Text(Cow::Borrowed(&spelled[1..spelled.len() - 1])),
        b't' | b'f' => Token::Bool(spelled == "true"),
        _ => match (spelled.parse::<i64>(), spelled.parse::<f64>()) {
            (Ok(int), _) if int.to_string() == spelled => Token::Int(int),
            (_, Ok(double)) if double.to_string() == spelled => Token::Double(double),
            _ => Token::Text(Cow::Borrowed(spelled)),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_is_the_whole_text() {
        for (glob, text, expected) in [
            ("*", "", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("*.cnn.com", "edition.cnn.com", true),
            ("*.cnn.com", "cnn.com", false),
            ("*a*b*", "xaxxbx", true),
            ("*ab", "abxab", true),
            ("4??", "403", true),
            ("4??", "4033", false),
            ("\u{fc}*?", "\u{fc}\u{2603}", true),
        ] {
            assert_eq!(is_like(text, glob), expected, "{glob} {text}");
        }
    }

    #[test]
    fn fields_are_found_as_they_are_spelled() {
        let line = r#"{"level":"info","a\"b":"x\ny","n":-5,"r":0.5,"l":[1,"]"],"t":true,"n":6}"#;
        let found = find(line, &["n", "a\"b", "r", "l", "t", "missing"]);
        let shown: Vec<_> =
            found.iter().map(|token| token.as_ref().map(|token| format!("{:?}", token.value()))).collect();
        let expected = [
            Some(ValueRef::Int64(-5)),
            Some(ValueRef::String("x\ny")),
            Some(ValueRef::Double(0.5)),
            Some(ValueRef::String(r#"[1,"]"]"#)),
            Some(ValueRef::Bool(true)),
            None,
        ];
        assert_eq!(shown, expected.map(|value| value.map(|value| format!("{value:?}"))));
    }
}
