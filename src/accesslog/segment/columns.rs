//! Entries taken apart into columns, so that every line can be built again to the byte.
//!
//! A line is what [`line::begin`] writes for its level, time and instance, then names and values. Each name with values of
//! one [`Type`] becomes a column. What names a line has, in which order, is its layout, of which there are few. A line that
//! would not come out of its columns as it was is kept as a whole beside them.

use std::collections::HashMap;
use std::fmt::Write as _;

use memchr::memchr2;

use super::Limits;
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
    /// What stands before its values in a line: a comma, its name in quotes, a colon.
    lead: String,
    /// Its name.
    pub(super) name: String,
    pub(super) kind: Type,
    pub(super) values: Values,
    /// For each row, up to the last that has a value: whether it has (1).
    pub(super) present: Vec<i16>,
    /// Variables of the same name and other types.
    namesakes: Vec<usize>,
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
    /// For each name, as lines spell it, the variables that have it: one for each type of its values.
    named: HashMap<String, Vec<usize>>,
    /// Reused from line to line.
    fields: Vec<usize>,
    scratch: String,
    /// For each shape what its last line began with, and its layout, which its next one mostly has too.
    usual: Vec<Usual>,
    /// Bytes of all lines; how many there were when the different texts were added up the last time, and what they took.
    bytes: usize,
    looked: usize,
    texts: usize,
}

/// Bytes of different texts that columns may have: writing them takes several times as much memory.
const MOST_TEXTS: usize = 32 << 20;

/// Lines of so many bytes are added between two looks at what the texts take, because there may be many columns.
const LOOK: usize = 1 << 20;

/// What lines of a shape mostly have in common.
#[derive(Debug, Default)]
struct Usual {
    begin: Begin,
    fields: Vec<usize>,
    /// The number of the layout; nothing before the first line.
    layout: Option<u32>,
}

/// What [`line::begin`] writes. For lines of one second it differs in a few digits.
#[derive(Debug, Default)]
struct Begin {
    of: Option<(Level, i64)>,
    text: Vec<u8>,
    /// Where the digits of the microseconds are.
    micros: std::ops::Range<usize>,
}

impl Begin {
    fn set(&mut self, level: Level, time: i64, instance: &str) -> &[u8] {
        let (second, micros) = (time.div_euclid(MICROS), time.rem_euclid(MICROS));
        if self.of != Some((level, second)) {
            let mut text = String::new();
            line::begin(&mut text, level, time, instance);
            // Neither levels nor what stands before a second's decimals have a point.
            let start = text.find('.').map_or(0, |point| point + 1);
            (self.of, self.micros, self.text) = (Some((level, second)), start..start + 6, text.into_bytes());
        }
        let mut rest = micros as u32;
        for digit in self.text[self.micros.clone()].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        &self.text
    }
}

/// Microseconds of a second.
const MICROS: i64 = 1_000_000;

impl Columns {
    /// How many rows there are.
    pub(super) fn rows(&self) -> usize {
        self.seq.len()
    }

    /// Whether there is as much as a segment gets, or as may be in memory.
    pub(super) fn is_full(&self, limits: &Limits) -> bool {
        self.rows() >= limits.rows || self.bytes >= limits.bytes || self.texts >= MOST_TEXTS
    }

    /// Adds up what the different texts take.
    fn look(&mut self) {
        let whole = self.verbatim.iter().map(|(_, line)| line.len());
        let of_variables = self.variables.iter().map(|variable| match &variable.values {
            Values::Texts(texts, _) => texts.bytes(),
            _ => 0,
        });
        (self.looked, self.texts) = (self.bytes, whole.chain(of_variables).sum());
    }

    /// Adds an entry.
    pub(super) fn add(&mut self, entry: &Source<'_>) {
        let row = self.seq.len();
        self.seq.push(entry.seq);
        self.time.push(entry.time);
        self.level.push(entry.level);
        self.shape.push(entry.shape);
        self.fields.clear();
        let shape = entry.shape as usize;
        if self.usual.len() <= shape {
            self.usual.resize_with(shape + 1, Usual::default);
        }
        let begin = self.usual[shape].begin.set(entry.level, entry.time, entry.instance);
        // What follows a whole JSON string begins with a character.
        let rest = entry.line.as_bytes().starts_with(begin).then(|| &entry.line[begin.len()..]);
        if rest.and_then(|rest| self.take_apart(rest.strip_suffix('}')?, row, shape)).is_none() {
            self.verbatim.push((row, entry.line.to_owned()));
            self.take_fields(entry.line, row);
        }
        let layout = self.usual[shape].layout.filter(|_| self.fields == self.usual[shape].fields);
        let layout = layout.unwrap_or_else(|| self.new_layout(shape));
        self.layout.push(layout);
        self.bytes += entry.line.len();
        if self.bytes - self.looked >= LOOK {
            self.look();
        }
    }

    /// The number of the layout that the last line has, which is its shape's usual one from now on.
    fn new_layout(&mut self, shape: usize) -> u32 {
        self.scratch.clear();
        for (position, field) in self.fields.iter().enumerate() {
            let separator = if position > 0 { " " } else { "" };
            // Writing to a String does not fail.
            let _ = write!(self.scratch, "{separator}{field}");
        }
        let number = self.layouts.number(&self.scratch);
        let usual = &mut self.usual[shape];
        (usual.fields, usual.layout) = (self.fields.clone(), Some(number));
        number
    }

    /// Takes `,"name":value` again and again; nothing if that is not what is there.
    fn take_apart(&mut self, mut rest: &str, row: usize, shape: usize) -> Option<()> {
        let is_plain = is_plain(rest);
        while !rest.is_empty() {
            // Mostly it is the variable that stood in this place in the line before.
            let usual = self.usual[shape].fields.get(self.fields.len()).copied();
            let expected = usual.and_then(|number| {
                let (token, after) = split_value(rest.strip_prefix(&*self.variables[number].lead)?)?;
                self.variables[number].takes(token).then_some((number, token, after))
            });
            let (number, token, after) = match expected {
                Some(expected) => expected,
                None => {
                    let (name, after) = split_text(rest.strip_prefix(',')?)?;
                    let (token, after) = split_value(after.strip_prefix(':')?)?;
                    (self.variable(name, token)?, token, after)
                }
            };
            if self.is_taken(number, row) {
                return None;
            }
            self.variables[number].push(token, row, is_plain, &mut self.scratch)?;
            self.fields.push(number);
            rest = after;
        }
        Some(())
    }

    /// Whether a row has a value of a variable's name already, of whatever type: of a name that occurs twice the first counts.
    fn is_taken(&self, number: usize, row: usize) -> bool {
        let has = |number: usize| self.variables[number].present.len() > row;
        has(number) || self.variables[number].namesakes.iter().any(|number| has(*number))
    }

    /// Gives the fields of a line that is kept as a whole, however they are spelled, columns too, but for those that were taken
    /// before the fault: they are found as the fields of other lines are.
    fn take_fields(&mut self, line: &str, row: usize) {
        // What is no object has no fields.
        for (name, value) in line::fields(line).unwrap_or_default() {
            if ["level", "time", "instance"].contains(&&*name) {
                continue;
            }
            let (mut spelled, mut token) = (String::new(), String::new());
            line::string(&mut spelled, &name);
            line::value(&mut token, &value);
            if let Some(number) = self.variable(&spelled, &token).filter(|number| !self.is_taken(*number, row))
                && self.variables[number].push(&token, row, false, &mut self.scratch).is_some()
            {
                self.fields.push(number);
            }
        }
    }

    /// The number of the variable whose name and value are spelled so.
    fn variable(&mut self, token: &str, value: &str) -> Option<usize> {
        let kind = kind_of(value);
        let namesakes = self.named.get(token).map_or(&[][..], |known| known);
        if let Some(number) = namesakes.iter().find(|number| self.variables[**number].kind == kind) {
            return Some(*number);
        }
        let namesakes = namesakes.to_vec();
        let name: String = serde_json::from_str(token).ok()?;
        self.scratch.clear();
        write_json_string(&name, &mut self.scratch);
        if self.scratch != token {
            return None;
        }
        let values = match kind {
            Type::Text | Type::Json => Values::Texts(Interned::default(), Vec::new()),
            Type::Int => Values::Ints(Vec::new()),
            Type::Double => Values::Doubles(Vec::new()),
            Type::Bool => Values::Bools(Vec::new()),
        };
        let number = self.variables.len();
        namesakes.iter().for_each(|other| self.variables[*other].namesakes.push(number));
        let lead = format!(",{token}:");
        self.variables.push(Variable { lead, name, kind, values, present: Vec::new(), namesakes });
        self.named.entry(token.to_owned()).or_default().push(number);
        Some(number)
    }
}

impl Variable {
    /// Whether a value belongs to it, of all with its name.
    fn takes(&self, token: &str) -> bool {
        match self.kind {
            Type::Text => token.starts_with('"'),
            Type::Int => is_int(token),
            kind => kind_of(token) == kind,
        }
    }

    /// Adds a value as the line spells it; nothing if it would be spelled otherwise. `is_plain` if there is nothing in it but
    /// printable ASCII without backslashes.
    fn push(&mut self, token: &str, row: usize, is_plain: bool, scratch: &mut String) -> Option<()> {
        match &mut self.values {
            Values::Texts(texts, numbers) if self.kind == Type::Json => {
                let known = texts.find(token);
                if known.is_none() {
                    serde_json::from_str::<serde::de::IgnoredAny>(token).ok()?;
                }
                numbers.push(known.unwrap_or_else(|| texts.number(token)));
            }
            Values::Texts(texts, numbers) if is_plain => numbers.push(texts.number(inner(token))),
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
    if is_plain(inner(token)) {
        return Some(texts.number(inner(token)));
    }
    let text: String = serde_json::from_str(token).ok()?;
    scratch.clear();
    write_json_string(&text, scratch);
    (scratch == token).then(|| texts.number(&text))
}

/// Whether a text has nothing but printable ASCII without backslashes. All bytes are looked at: many are compared at once
/// where none ends the search.
fn is_plain(text: &str) -> bool {
    text.bytes().fold(true, |plain, byte| plain & (matches!(byte, 0x20..=0x7e) && byte != b'\\'))
}

/// What stands between a JSON string's quotes.
fn inner(token: &str) -> &str {
    &token[1..token.len() - 1]
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
        _ => Some(text.split_at(text.bytes().position(|byte| byte == b',').unwrap_or(text.len()))),
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
