//! What the lines of a segment have in common around their values, so that each is put together of few pieces.

use super::read::Variable;
use super::variable::{Type, push_int};
use crate::accesslog::{DAY, Level, line};
use crate::expr::write_json_string;

/// What stands around the values of lines of a layout.
#[derive(Debug, Default)]
pub(super) struct Frame {
    pub(super) fields: Vec<Field>,
    /// What stands behind the last value.
    pub(super) end: String,
}

/// A value of a line, and what stands between it and the one before.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) before: String,
    pub(super) kind: Type,
    pub(super) column: usize,
}

/// The value that all rows have.
pub(super) enum Same<'s> {
    Text(&'s str),
    Int(i64),
}

impl Frame {
    /// Adds a variable, which has its values in a column, unless all rows have the same.
    pub(super) fn add(&mut self, variable: &Variable, column: usize, same: Option<Same<'_>>) {
        let kind = variable.kind;
        self.end.push_str(&variable.before);
        match (kind, same) {
            (Type::Text, Some(Same::Text(text))) => write_json_string(text, &mut self.end),
            (Type::Json, Some(Same::Text(json))) => self.end.push_str(json),
            (Type::Int, Some(Same::Int(int))) => push_int(int, &mut self.end),
            _ => {
                let quote = if kind == Type::Text { "\"" } else { "" };
                self.end.push_str(quote);
                self.fields.push(Field { before: std::mem::take(&mut self.end), kind, column });
                self.end.push_str(quote);
            }
        }
    }

    /// Says that these are all variables.
    pub(super) fn finish(&mut self) {
        line::end(&mut self.end);
    }
}

/// What [`line::begin`] writes of lines with the same level and instance on the same day.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// Level, day, and the number of the instance.
    of: Option<(Level, i64, u32)>,
    /// What stands before the time of day, and behind it.
    before: String,
    behind: String,
}

impl Head {
    /// Appends it, given the number of the instance and its name.
    pub(super) fn write(&mut self, level: Level, time: i64, (number, name): (u32, &str), out: &mut String) {
        let of = Some((level, time.div_euclid(DAY), number));
        if self.of != of {
            self.before.clear();
            line::begin(&mut self.before, level, time, name);
            // Neither levels nor what stands before a second's decimals have a point.
            let point = self.before.find('.').unwrap_or_default();
            self.behind = self.before.split_off(point + ".000000Z".len());
            self.before.truncate(self.before.len() - line::CLOCK.len());
            self.of = of;
        }
        out.push_str(&self.before);
        line::push_clock(out, time);
        out.push_str(&self.behind);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_begin_as_ever() {
        let mut head = Head::default();
        let second = 1_529_328_178_317_448;
        for (level, time, of) in [
            (Level::Info, second, (0, "one")),
            (Level::Info, second + 1_000, (0, "one")),
            (Level::Error, second + 1_001, (0, "one")),
            (Level::Error, second + 1_001, (1, "o.t\"her")),
            (Level::Error, second + DAY, (1, "o.t\"her")),
            (Level::Info, -1, (1, "o.t\"her")),
            (Level::Info, i64::MAX, (1, "o.t\"her")),
            (Level::Info, i64::MIN, (1, "o.t\"her")),
        ] {
            let (mut here, mut there) = ("x".to_owned(), "x".to_owned());
            head.write(level, time, of, &mut here);
            line::begin(&mut there, level, time, of.1);
            assert_eq!(here, there);
        }
    }
}
