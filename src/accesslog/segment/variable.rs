//! A variable of lines: a name, and its values of one type.

use super::interned::Interned;
use super::presence::Presence;
use super::spelled::{split_int, split_plain, split_value};
use crate::expr::{is_plain, write_json_string};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Type {
    /// Texts.
    Text,
    /// Whole numbers of 64 bits.
    Int,
    /// Other numbers.
    Double,
    /// Truth values.
    Bool,
    /// Anything else, as its JSON.
    Json,
}

impl Type {
    /// All of them, in the order in which packs number them.
    pub(super) const ALL: [Self; 5] = [Type::Text, Type::Int, Type::Double, Type::Bool, Type::Json];

    /// As a column's name ends where another column has the name, and as the file's metadata spell it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Type::Text => "text",
            Type::Int => "int",
            Type::Double => "double",
            Type::Bool => "bool",
            Type::Json => "json",
        }
    }

    pub(super) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

/// The values of a column, without those rows that have none.
#[derive(Debug)]
pub(super) enum Values {
    /// Numbers of texts. [`Type::Text`] and [`Type::Json`].
    Texts(Interned, Vec<u32>),
    Ints(Vec<i64>),
    Doubles(Vec<f64>),
    Bools(Vec<bool>),
}

impl Values {
    /// None, of a type.
    fn of(kind: Type) -> Self {
        match kind {
            Type::Text | Type::Json => Values::Texts(Interned::default(), Vec::new()),
            Type::Int => Values::Ints(Vec::new()),
            Type::Double => Values::Doubles(Vec::new()),
            Type::Bool => Values::Bools(Vec::new()),
        }
    }

    /// Bytes of the different texts.
    pub(super) fn bytes_of_texts(&self) -> usize {
        match self {
            Values::Texts(texts, _) => texts.bytes(),
            _ => 0,
        }
    }

    fn clear(&mut self) {
        match self {
            Values::Texts(texts, numbers) => {
                texts.clear();
                numbers.clear();
            }
            Values::Ints(ints) => ints.clear(),
            Values::Doubles(doubles) => doubles.clear(),
            Values::Bools(bools) => bools.clear(),
        }
    }
}

/// One value, as its column has it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Text(&'a str),
    Json(&'a str),
    Int(i64),
    Double(f64),
    Bool(bool),
}

impl Value<'_> {
    /// Appends it as lines spell it.
    pub(super) fn write(self, out: &mut String) {
        match self {
            Value::Text(text) => write_json_string(text, out),
            Value::Json(json) => out.push_str(json),
            Value::Int(int) => push_int(int, out),
            Value::Double(double) => out.push_str(&double.to_string()),
            Value::Bool(bool) => out.push_str(if bool { "true" } else { "false" }),
        }
    }
}

/// Appends a whole number.
pub(crate) fn push_int(int: i64, out: &mut String) {
    out.push_str(itoa::Buffer::new().format(int));
}

/// A variable of lines.
#[derive(Debug)]
pub(super) struct Variable {
    /// What stands before its values in a line: a comma, its name in quotes, a colon.
    pub(super) lead: String,
    /// Its name.
    pub(super) name: String,
    pub(super) kind: Type,
    pub(super) values: Values,
    pub(super) presence: Presence,
    /// Variables of the same name and other types.
    pub(super) namesakes: Vec<usize>,
}

impl Variable {
    /// One without values, whose name lines spell as `token`.
    pub(super) fn new(token: &str, name: String, kind: Type, namesakes: Vec<usize>) -> Self {
        let (lead, values) = (format!(",{token}:"), Values::of(kind));
        Self { lead, name, kind, values, presence: Presence::default(), namesakes }
    }

    /// Forgets its values, and keeps what is allocated.
    pub(super) fn clear(&mut self) {
        self.values.clear();
        self.presence.clear();
    }

    /// Adds the value that a text begins with, if it is of its type. Its place among the values, and what follows.
    pub(super) fn read<'l>(&mut self, text: &'l str, row: usize, scratch: &mut String) -> Option<(usize, &'l str)> {
        // Most are texts without escapes, and numbers of few digits.
        let (place, after) = match &mut self.values {
            Values::Texts(texts, numbers)
                if self.kind == Type::Text
                    && let Some((value, after)) = split_plain(text) =>
            {
                (push(numbers, texts.number(value)), after)
            }
            Values::Ints(ints) if let Some((value, after)) = split_int(text) => (push(ints, value), after),
            _ => {
                let (token, after) = split_value(text)?;
                let place = if kind_of(token) == self.kind { self.push(token, row, scratch) } else { None };
                return Some((place?, after));
            }
        };
        self.presence.set(row);
        Some((place, after))
    }

    /// Adds a value as the line spells it, and gives its place among the values; nothing if it would be spelled otherwise.
    pub(super) fn push(&mut self, token: &str, row: usize, scratch: &mut String) -> Option<usize> {
        let place = match &mut self.values {
            Values::Texts(texts, numbers) if self.kind == Type::Json => {
                let known = texts.find(token);
                if known.is_none() {
                    serde_json::from_str::<serde::de::IgnoredAny>(token).ok()?;
                }
                push(numbers, known.unwrap_or_else(|| texts.number(token)))
            }
            Values::Texts(texts, numbers) => push(numbers, text_number(texts, token, scratch)?),
            Values::Ints(ints) => push(ints, token.parse().ok()?),
            Values::Doubles(doubles) => push(doubles, token.parse().ok()?),
            Values::Bools(bools) => push(bools, token == "true"),
        };
        self.presence.set(row);
        Some(place)
    }

    /// Adds the value that is in some place once more, and gives its new place.
    pub(super) fn repeat(&mut self, place: usize, row: usize) -> usize {
        let place = match &mut self.values {
            Values::Texts(_, numbers) => repeat(numbers, place),
            Values::Ints(ints) => repeat(ints, place),
            Values::Doubles(doubles) => repeat(doubles, place),
            Values::Bools(bools) => repeat(bools, place),
        };
        self.presence.set(row);
        place
    }
}

/// Adds a value; its place.
fn push<T>(values: &mut Vec<T>, value: T) -> usize {
    values.push(value);
    values.len() - 1
}

/// Adds the value of a place once more; its new place.
fn repeat<T: Copy>(values: &mut Vec<T>, place: usize) -> usize {
    let value = values[place];
    push(values, value)
}

/// The number of the text that a JSON string stands for; nothing if we would have written it otherwise.
fn text_number(texts: &mut Interned, token: &str, scratch: &mut String) -> Option<u32> {
    if is_plain(inner(token).as_bytes()) {
        return Some(texts.number(inner(token)));
    }
    let text: String = serde_json::from_str(token).ok()?;
    scratch.clear();
    write_json_string(&text, scratch);
    (scratch == token).then(|| texts.number(&text))
}

/// What stands between a JSON string's quotes.
fn inner(token: &str) -> &str {
    &token[1..token.len() - 1]
}

/// The type of a column that gives a value back as it is spelled.
pub(super) fn kind_of(token: &str) -> Type {
    match token.as_bytes().first() {
        Some(b'"') => Type::Text,
        Some(b'{' | b'[') => Type::Json,
        _ if token == "true" || token == "false" => Type::Bool,
        _ if is_int(token) => Type::Int,
        _ if token.parse::<f64>().is_ok_and(|double| double.is_finite() && double.to_string() == token) => Type::Double,
        _ => Type::Json,
    }
}

/// Whether a text is a whole number as we would write it.
fn is_int(token: &str) -> bool {
    match split_int(token) {
        Some((_, after)) => after.is_empty(),
        // Few have as many digits as that does not take.
        None => token.len() >= 19 && token.parse::<i64>().is_ok_and(|number| number.to_string() == token),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_those_that_are_written_so() {
        for token in ["0", "7", "-7", "10", "9223372036854775807", "-9223372036854775808", "100000000000000000"] {
            assert!(is_int(token) && token.parse::<i64>().unwrap().to_string() == token, "{token}");
        }
        for token in ["", "-", "-0", "00", "07", "+7", "7.", "7e1", " 7", "9223372036854775808", "99999999999999999999"]
        {
            assert!(!is_int(token), "{token}");
        }
    }
}
