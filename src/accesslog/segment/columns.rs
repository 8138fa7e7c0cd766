//! Entries taken apart into columns, so that every line can be built again to the byte.
//!
//! A line is what [`line::begin`] writes for its level, time and instance, then names and values. Each name with values of
//! one [`Type`] becomes a column. What names a line has, in which order, is its layout, of which there are few. A line that
//! would not come out of its columns as it was is kept as a whole beside them.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::Limits;
use super::interned::Interned;
use super::spelled::split_field;
use super::usual::{Field, Line, Usual, common};
use super::variable::{Type, Variable, kind_of};
use crate::accesslog::group::Extent;
use crate::accesslog::{Level, line};
use crate::expr::write_json_string;

/// An entry, of the hot store or out of another segment.
#[derive(Debug, Clone, Copy)]
pub(in crate::accesslog) struct Source<'a> {
    pub(in crate::accesslog) seq: i64,
    pub(in crate::accesslog) time: i64,
    pub(in crate::accesslog) level: Level,
    /// The number of its shape.
    pub(in crate::accesslog) shape: u32,
    pub(in crate::accesslog) instance: &'a str,
    pub(in crate::accesslog) line: &'a str,
}

/// Columns of the entries that were [added](Columns::add).
#[derive(Debug, Default)]
pub(in crate::accesslog) struct Columns {
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
    /// The groups of the chain; nothing where each row is a step of it.
    pub(super) groups: Vec<Extent>,
    /// For each name, as lines spell it, the variables that have it: one for each type of its values.
    named: HashMap<String, Vec<usize>>,
    /// The line that is taken apart.
    line: Line,
    /// Reused from line to line.
    scratch: String,
    /// For each shape what its last line was, and its layout, which its next one mostly has too.
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

impl Columns {
    /// How many rows there are.
    pub(in crate::accesslog) fn rows(&self) -> usize {
        self.seq.len()
    }

    /// Whether there is as much as a segment gets, or as may be in memory.
    pub(super) fn is_full(&self, limits: &Limits) -> bool {
        self.rows() >= limits.rows || self.bytes >= limits.bytes || self.texts >= MOST_TEXTS
    }

    /// Adds up what the different texts take.
    fn look(&mut self) {
        let whole = self.verbatim.iter().map(|(_, line)| line.len());
        let of_variables = self.variables.iter().map(|variable| variable.values.bytes_of_texts());
        (self.looked, self.texts) = (self.bytes, whole.chain(of_variables).sum());
    }

    /// Adds an entry.
    pub(in crate::accesslog) fn add(&mut self, entry: &Source<'_>) {
        let row = self.seq.len();
        self.seq.push(entry.seq);
        self.time.push(entry.time);
        self.level.push(entry.level);
        self.shape.push(entry.shape);
        self.line.clear();
        let shape = entry.shape as usize;
        if self.usual.len() <= shape {
            self.usual.resize_with(shape + 1, Usual::default);
        }
        let last = std::mem::take(&mut self.usual[shape].last);
        let begin = self.usual[shape].begin.set(entry.level, entry.time, entry.instance);
        // What follows a whole JSON string begins with a character.
        let rest = entry.line.as_bytes().starts_with(begin).then(|| &entry.line[begin.len()..]);
        if rest.and_then(|rest| self.take_apart(rest.strip_suffix('}')?, row, &last)).is_none() {
            self.verbatim.push((row, entry.line.to_owned()));
            self.take_fields(entry.line, row);
        }
        let layout = self.usual[shape].layout.filter(|_| self.line.variables().eq(last.variables()));
        let layout = layout.unwrap_or_else(|| self.new_layout());
        self.layout.push(layout);
        let line = std::mem::replace(&mut self.line, last);
        (self.usual[shape].last, self.usual[shape].layout) = (line, Some(layout));
        self.count_bytes(entry.line.len());
    }

    /// Notes that lines of so many bytes were added.
    pub(super) fn count_bytes(&mut self, bytes: usize) {
        self.bytes += bytes;
        if self.bytes - self.looked >= LOOK {
            self.look();
        }
    }

    /// Bytes of all lines.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets all rows, and keeps what is allocated for as many that are like them: variables too, but not those that none
    /// of these rows had, so that they do not become ever more.
    pub(in crate::accesslog) fn clear(&mut self) {
        if self.variables.iter().any(|variable| variable.presence.is_empty()) {
            *self = Self::default();
            return;
        }
        let Self { seq, time, level, shape, layout, layouts, verbatim, variables, groups, .. } = self;
        seq.clear();
        time.clear();
        level.clear();
        shape.clear();
        layout.clear();
        layouts.clear();
        verbatim.clear();
        groups.clear();
        variables.iter_mut().for_each(Variable::clear);
        self.usual.iter_mut().for_each(Usual::clear);
        (self.bytes, self.looked, self.texts) = (0, 0, 0);
    }

    /// The number of the layout that the line has.
    fn new_layout(&mut self) -> u32 {
        let line = std::mem::take(&mut self.line);
        let number = self.layout_of(line.variables());
        self.line = line;
        number
    }

    /// The number of the layout with some variables.
    pub(super) fn layout_of(&mut self, variables: impl Iterator<Item = usize>) -> u32 {
        self.scratch.clear();
        for (position, variable) in variables.enumerate() {
            let separator = if position > 0 { " " } else { "" };
            // Writing to a String does not fail.
            let _ = write!(self.scratch, "{separator}{variable}");
        }
        self.layouts.number(&self.scratch)
    }

    /// Takes `,"name":value` again and again; nothing if that is not what is there.
    fn take_apart(&mut self, line: &str, row: usize, last: &Line) -> Option<()> {
        let mut at = 0;
        loop {
            let same;
            (at, same) = self.repeat(line, at, row, last)?;
            if at == line.len() {
                break;
            }
            // Mostly it is the variable that stood in this place in the line before.
            let usual = last.fields.get(self.line.fields.len()).map(|field| field.variable);
            let expected = usual.filter(|usual| {
                let lead = self.variables[*usual].lead.as_str();
                // What is the same as in the line before has the lead that stood there.
                (at + lead.len() <= same || line[at..].starts_with(lead)) && !self.is_taken(*usual, row)
            });
            let read = expected.and_then(|number| {
                let variable = &mut self.variables[number];
                let (value, after) = variable.read(&line[at + variable.lead.len()..], row, &mut self.scratch)?;
                Some((number, value, after))
            });
            let (variable, value, after) = match read {
                Some(read) => read,
                None => self.take_field(&line[at..], row)?,
            };
            at = line.len() - after.len();
            self.line.fields.push(Field { variable, end: at, value });
        }
        self.line.text.push_str(line);
        Some(())
    }

    /// Takes the field that a text begins with, whatever it is: its variable, the place of its value there, and what follows.
    fn take_field<'l>(&mut self, text: &'l str, row: usize) -> Option<(usize, usize, &'l str)> {
        let (name, token, after) = split_field(text.strip_prefix(',')?)?;
        let variable = self.variable(name, token)?;
        if self.is_taken(variable, row) {
            return None;
        }
        let value = self.variables[variable].push(token, row, &mut self.scratch)?;
        Some((variable, value, after))
    }

    /// Takes what is spelled as in the same places of the line before, whose values it has: most of a line. How far it came,
    /// and to where the line is the same; nothing if a name occurs twice.
    fn repeat(&mut self, line: &str, at: usize, row: usize, last: &Line) -> Option<(usize, usize)> {
        let place = self.line.fields.len();
        let start = last.start(place);
        let same = common(&line.as_bytes()[at..], last.text.as_bytes().get(start..).unwrap_or_default());
        let mut reached = at;
        for field in last.fields.get(place..).unwrap_or_default() {
            let end = at + field.end.saturating_sub(start);
            // A number may go on.
            let is_whole = end > reached && end <= at + same && matches!(line.as_bytes().get(end), None | Some(b','));
            if !is_whole {
                break;
            }
            if self.is_taken(field.variable, row) {
                return None;
            }
            let value = self.variables[field.variable].repeat(field.value, row);
            self.line.fields.push(Field { end, value, ..*field });
            reached = end;
        }
        Some((reached, at + same))
    }

    /// Whether a row has a value of a variable's name already, of whatever type: of a name that occurs twice the first counts.
    fn is_taken(&self, number: usize, row: usize) -> bool {
        let has = |number: usize| self.variables[number].presence.has_newest(row);
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
                && let Some(value) = self.variables[number].push(&token, row, &mut self.scratch)
            {
                self.line.fields.push(Field { variable: number, end: 0, value });
            }
        }
    }

    /// The number of the variable with a name and a type.
    pub(super) fn named_variable(&mut self, name: &str, kind: Type) -> usize {
        let mut token = String::new();
        write_json_string(name, &mut token);
        self.typed_variable(&token, kind).expect("a name is spelled as we spell it")
    }

    /// The number of the variable whose name and value are spelled so.
    fn variable(&mut self, token: &str, value: &str) -> Option<usize> {
        self.typed_variable(token, kind_of(value))
    }

    /// The number of the variable of a type whose name is spelled so; nothing if we would spell it otherwise.
    pub(super) fn typed_variable(&mut self, token: &str, kind: Type) -> Option<usize> {
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
        let number = self.variables.len();
        namesakes.iter().for_each(|other| self.variables[*other].namesakes.push(number));
        self.variables.push(Variable::new(token, name, kind, namesakes));
        self.named.entry(token.to_owned()).or_default().push(number);
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::super::variable::Values;
    use super::*;

    #[test]
    fn what_is_as_in_the_line_before_is_taken_without_looking_and_nothing_else() {
        let lines = [
            r#","a":"x","n":12,"b":true"#,
            r#","a":"x","n":12,"b":true"#,
            // A number that goes on, one that ends before, and a text that does.
            r#","a":"x","n":123,"b":true"#,
            r#","a":"x","n":1,"b":true"#,
            r#","a":"xy","n":1,"b":true"#,
            // Fields that are missing, more, or in another order.
            r#","n":1,"b":true"#,
            r#","n":1,"b":true,"j":[1,{"a":"}"}]"#,
            r#","j":[1,{"a":"}"}],"n":1,"a":"xy""#,
            r#","a":"xy","n":1,"a":"xy""#,
            r#","a":"xy","n":1"#,
            "",
            r#","a":"xy""#,
        ];
        let mut columns = Columns::default();
        for (line, seq) in lines.iter().zip(0..) {
            let mut text = String::new();
            line::begin(&mut text, Level::Info, seq, "i");
            text = text + line + "}";
            columns.add(&Source { seq, time: seq, level: Level::Info, shape: 0, instance: "i", line: &text });
        }
        let whole: Vec<usize> = columns.verbatim.iter().map(|(row, _)| *row).collect();
        assert_eq!(whole, [8], "a name that occurs twice");
        let rows = |number: usize| -> Vec<usize> {
            let levels = columns.variables[number].presence.levels(lines.len()).unwrap();
            (0..lines.len()).filter(|row| levels[*row] == 1).collect()
        };
        assert_eq!(rows(0), [0, 1, 2, 3, 4, 7, 8, 9, 11]);
        let Values::Texts(texts, numbers) = &columns.variables[0].values else { panic!("texts") };
        let values: Vec<&str> = numbers.iter().map(|number| texts.text(*number)).collect();
        assert_eq!(values, ["x", "x", "x", "x", "xy", "xy", "xy", "xy", "xy"]);
        let Values::Ints(ints) = &columns.variables[1].values else { panic!("numbers") };
        assert_eq!((rows(1), &**ints), (vec![0, 1, 2, 3, 4, 5, 6, 7, 8, 9], &[12, 12, 123, 1, 1, 1, 1, 1, 1, 1][..]));
        assert_eq!((rows(2), rows(3)), (vec![0, 1, 2, 3, 4, 5, 6], vec![6, 7]));
    }

    #[test]
    fn different_texts_fill_columns_before_rows_and_bytes_do() {
        let limits = Limits { rows: usize::MAX, bytes: usize::MAX, ..Limits::default() };
        let long = "x".repeat(1 << 20);
        let full_at = |form: &dyn Fn(i64) -> String| {
            let mut columns = Columns::default();
            (0..40).find(|&seq| {
                let mut text = String::new();
                line::begin(&mut text, Level::Info, seq, "i");
                text = text + &form(seq) + "}";
                columns.add(&Source { seq, time: seq, level: Level::Info, shape: 0, instance: "i", line: &text });
                columns.is_full(&limits)
            })
        };
        assert_eq!(full_at(&|seq| format!(",\"a\":\"{seq}{long}\"")), Some(31));
        assert_eq!(full_at(&|_| format!(",\"a\":\"{long}\"")), None, "one text");
        // These have one text besides.
        assert_eq!(full_at(&|_| format!(", \"kept\":\"{long}\"")), Some(30), "lines that are kept whole");
    }
}
