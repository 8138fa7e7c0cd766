//! Entries taken apart into columns, so that every line can be built again to the byte.
//!
//! A line is what [`line::begin`] writes for its level, time and instance, then names and values. Each name with values of
//! one [`Type`] becomes a column. What names a line has, in which order, is its layout, of which there are few. A line that
//! would not come out of its columns as it was is kept as a whole beside them.

use std::collections::HashMap;
use std::fmt::Write as _;

use memchr::memchr2;

use super::interned::Interned;
use crate::accesslog::{Level, line};
use crate::expr::write_json_string;

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
        [Type::Text, Type::Int, Type::Double, Type::Bool, Type::Json].into_iter().find(|one| one.name() == name)
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

/// A variable of lines.
#[derive(Debug)]
pub(super) struct Variable {
    /// Its name as the line spells it, in quotes.
    token: String,
    /// Its name.
    pub(super) name: String,
    pub(super) kind: Type,
    pub(super) values: Values,
    /// For each row, up to the last that has a value: whether it has (1).
    pub(super) present: Vec<i16>,
}

/// An entry, of the hot store or out of another segment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) seq: i64,
    pub(super) time: i64,
    pub(super) level: Level,
    /// The number of its shape.
    pub(super) shape: u32,
    pub(super) instance: &'a str,
    pub(super) line: &'a str,
}

/// Columns of the entries that were [added](Columns::add).
#[derive(Debug, Default)]
pub(super) struct Columns {
    pub(super) seq: Vec<i64>,
    pub(super) time: Vec<i64>,
    pub(super) level: Vec<Level>,
    pub(super) shape: Vec<u32>,
    /// For each row the number of its layout: numbers of variables, parted by blanks.
    pub(super) layout: Vec<u32>,
    pub(super) layouts: Interned,
    /// Lines that the other columns do not give, with their rows.
    pub(super) verbatim: Vec<(usize, String)>,
    pub(super) variables: Vec<Variable>,
    numbers: HashMap<(String, Type), usize>,
    /// Reused from line to line.
    before: String,
    fields: Vec<usize>,
    spelled: String,
    /// For each shape the layout of its last line, with its number, which its next one mostly has too.
    usual: Vec<(Vec<usize>, u32)>,
}

impl Columns {
    /// How many rows there are.
    pub(super) fn rows(&self) -> usize {
        self.seq.len()
    }

    /// Adds an entry.
    pub(super) fn add(&mut self, entry: &Source<'_>) {
        let row = self.seq.len();
        self.seq.push(entry.seq);
        self.time.push(entry.time);
        self.level.push(entry.level);
        self.shape.push(entry.shape);
        self.before.clear();
        line::begin(&mut self.before, entry.level, entry.time, entry.instance);
        self.fields.clear();
        let shape = entry.shape as usize;
        if self.usual.len() <= shape {
            self.usual.resize(shape + 1, (Vec::new(), u32::MAX));
        }
        let rest = entry.line.strip_prefix(self.before.as_str()).and_then(|rest| rest.strip_suffix('}'));
        if rest.and_then(|rest| self.take_apart(rest, row, shape)).is_none() {
            // Values that were taken before the fault stay in their columns: they are the entry's own.
            self.verbatim.push((row, entry.line.to_owned()));
        }
        if self.fields != self.usual[shape].0 || self.usual[shape].1 == u32::MAX {
            self.spelled.clear();
            for (position, field) in self.fields.iter().enumerate() {
                let separator = if position > 0 { " " } else { "" };
                // Writing to a String does not fail.
                let _ = write!(self.spelled, "{separator}{field}");
            }
            let number = self.layouts.number(&self.spelled);
            self.usual[shape] = (self.fields.clone(), number);
        }
        self.layout.push(self.usual[shape].1);
    }

    /// Takes `,"name":value` again and again; nothing if that is not what is there.
    fn take_apart(&mut self, mut rest: &str, row: usize, shape: usize) -> Option<()> {
        while !rest.is_empty() {
            let from_name = rest.strip_prefix(',')?;
            let (name, after) = split_text(from_name)?;
            let (token, after) = split_value(after.strip_prefix(':')?)?;
            rest = after;
            let kind = kind_of(token);
            let number = self.variable(name, kind, shape)?;
            // A name that occurs twice has one column.
            if self.variables[number].present.len() > row {
                return None;
            }
            self.variables[number].push(token, row, &mut self.before)?;
            self.fields.push(number);
        }
        Some(())
    }

    /// The number of a variable, which is mostly the one that stood in this place in the line before.
    fn variable(&mut self, token: &str, kind: Type, shape: usize) -> Option<usize> {
        let usual = self.usual[shape].0.get(self.fields.len()).copied();
        if let Some(number) = usual.filter(|&number| self.variables[number].is(token, kind)) {
            return Some(number);
        }
        if let Some(number) = self.numbers.get(&(token.to_owned(), kind)) {
            return Some(*number);
        }
        let name: String = serde_json::from_str(token).ok()?;
        self.before.clear();
        write_json_string(&name, &mut self.before);
        if self.before != token {
            return None;
        }
        let values = match kind {
            Type::Text | Type::Json => Values::Texts(Interned::default(), Vec::new()),
            Type::Int => Values::Ints(Vec::new()),
            Type::Double => Values::Doubles(Vec::new()),
            Type::Bool => Values::Bools(Vec::new()),
        };
        let number = self.variables.len();
        self.variables.push(Variable { token: token.to_owned(), name, kind, values, present: Vec::new() });
        self.numbers.insert((token.to_owned(), kind), number);
        Some(number)
    }
}

impl Variable {
    fn is(&self, token: &str, kind: Type) -> bool {
        self.kind == kind && self.token == token
    }

    /// Adds a value as the line spells it; nothing if it would be spelled otherwise.
    fn push(&mut self, token: &str, row: usize, scratch: &mut String) -> Option<()> {
        match &mut self.values {
            Values::Texts(texts, numbers) if self.kind == Type::Json => {
                let known = texts.find(token);
                if known.is_none() {
                    serde_json::from_str::<serde::de::IgnoredAny>(token).ok()?;
                }
                numbers.push(known.unwrap_or_else(|| texts.number(token)));
            }
            Values::Texts(texts, numbers) => numbers.push(text_number(texts, token, scratch)?),
            Values::Ints(ints) => ints.push(token.parse().ok()?),
            Values::Doubles(doubles) => doubles.push(token.parse().ok()?),
            Values::Bools(bools) => bools.push(token == "true"),
        }
        self.present.resize(row, 0);
        self.present.push(1);
        Some(())
    }
}

/// The number of the text that a JSON string stands for; nothing if we would have written it otherwise.
fn text_number(texts: &mut Interned, token: &str, scratch: &mut String) -> Option<u32> {
    let inner = &token[1..token.len() - 1];
    // All of them: many are compared at once where none ends the search.
    if inner.bytes().fold(true, |plain, byte| plain & (matches!(byte, 0x20..=0x7e) && byte != b'\\')) {
        return Some(texts.number(inner));
    }
    let text: String = serde_json::from_str(token).ok()?;
    scratch.clear();
    write_json_string(&text, scratch);
    (scratch == token).then(|| texts.number(&text))
}

/// The type of a column that gives a value back as it is spelled.
fn kind_of(token: &str) -> Type {
    match token.as_bytes().first() {
        Some(b'"') => Type::Text,
        _ if token == "true" || token == "false" => Type::Bool,
        _ if is_int(token) => Type::Int,
        _ if token.parse::<f64>().is_ok_and(|double| double.is_finite() && double.to_string() == token) => Type::Double,
        _ => Type::Json,
    }
}

/// Whether a text is a whole number as we would write it.
fn is_int(token: &str) -> bool {
    let digits = token.strip_prefix('-').unwrap_or(token).as_bytes();
    match digits {
        [b'0'] => digits.len() == token.len(),
        [b'1'..=b'9', rest @ ..] => {
            rest.iter().all(u8::is_ascii_digit) && (digits.len() < 19 || token.parse::<i64>().is_ok())
        }
        _ => false,
    }
}

/// The JSON string that a text begins with, and what follows.
pub(crate) fn split_text(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    if bytes.first() != Some(&b'"') {
        return None;
    }
    let mut at = 1;
    loop {
        at += memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return text.split_at_checked(at + 1);
        }
        at += 2;
    }
}

/// The value that a text begins with, and what follows: a string, an object or array, or whatever ends at a comma.
pub(crate) fn split_value(text: &str) -> Option<(&str, &str)> {
    match text.as_bytes().first()? {
        b'"' => split_text(text),
        b'{' | b'[' => {
            let (mut depth, mut at) = (0_usize, 0);
            while at < text.len() {
                match text.as_bytes()[at] {
                    b'"' => at += split_text(text.get(at..)?)?.0.len() - 1,
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    return text.split_at_checked(at);
                }
            }
            None
        }
        b',' => None,
        _ => Some(text.split_at(text.find(',').unwrap_or(text.len()))),
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
