//! Entries as lines, JSON, or a table.

use std::io::{self, Write};

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::Value as Json;

use super::pod::Origin;
use crate::accesslog::{Level, Row, Sink, line};
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::output::table::{Headings, Table};
use crate::cli::style;

/// Entries of a table that are laid out together.
const PAGE: usize = 500;
/// Fields of a line that have columns of their own.
const OWN_COLUMNS: &[&str] = &["level", "time", "instance"];

/// How entries look.
#[derive(Debug, Clone, Args)]
pub(super) struct Look {
    /// line: as the handler printed it; json: as it is stored; table; wide: with handler and rule; name: the instance
    #[arg(short, long, value_name = "FORMAT", default_value = "line", hide_possible_values = true)]
    output: Form,
    /// The time before each line
    #[arg(long)]
    timestamps: bool,
    /// The pod and container before each line
    #[arg(long)]
    pub(super) prefix: bool,
}

/// A form of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Line,
    Json,
    Table,
    Wide,
    Name,
}

/// Prints entries as they are found.
pub(super) struct Printed<'a> {
    /// The command's context.
    pub(super) context: &'a mut Context,
    look: Look,
    prefix: String,
    follows: bool,
    page: Page,
    fault: Option<io::Error>,
}

/// The entries of a table that wait to be laid out.
#[derive(Default)]
struct Page {
    table: Table,
    levels: Vec<Level>,
    variables: Vec<String>,
    headed: bool,
}

impl Look {
    /// Makes ready to print.
    pub(super) fn open<'a>(&self, context: &'a mut Context, origin: Origin, follows: bool) -> Printed<'a> {
        Printed { context, look: self.clone(), prefix: origin.prefix, follows, page: Page::default(), fault: None }
    }
}

impl Sink for Printed<'_> {
    fn entry(&mut self, row: &Row<'_>) -> bool {
        let printed = match self.look.output {
            Form::Line | Form::Json | Form::Name => self.line(row),
            Form::Table | Form::Wide => self.row(row),
        };
        self.keep(printed)
    }

    fn idle(&mut self) -> bool {
        let flushed = self.flush();
        self.keep(flushed)
    }
}

impl Printed<'_> {
    /// Prints what is left, and a count if there is one.
    pub(super) fn finish(mut self, count: Option<u64>) -> Outcome {
        if let Some(fault) = self.fault.take() {
            return Err(Failure::Output(fault).into());
        }
        if let Some(count) = count {
            writeln!(self.context.out, "{count}")?;
        }
        Ok(self.flush()?)
    }

    /// Remembers a fault, which ends the query.
    fn keep(&mut self, printed: io::Result<()>) -> bool {
        self.fault = printed.err();
        self.fault.is_none()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.page.write(&mut self.context.out, self.context.color)?;
        self.context.out.flush()
    }

    fn line(&mut self, row: &Row<'_>) -> io::Result<()> {
        let out = &mut self.context.out;
        out.write_all(self.prefix.as_bytes())?;
        if self.look.timestamps {
            write!(out, "{:.9} ", timestamp(row.time))?;
        }
        match self.look.output {
            Form::Json => writeln!(out, "{}", row.line),
            Form::Name => writeln!(out, "{}", row.instance),
            _ if self.context.color => writeln!(out, "{}", coloured(&row.printed(), row.level)),
            _ => writeln!(out, "{}", row.printed()),
        }
    }

    fn row(&mut self, row: &Row<'_>) -> io::Result<()> {
        let mut fields = line::fields(row.line).unwrap_or_default();
        fields.retain(|(name, _)| !OWN_COLUMNS.contains(&name.as_str()));
        if self.page.lacks_column(&fields) {
            self.page.write(&mut self.context.out, self.context.color)?;
            self.page.start(&fields, self.look.output == Form::Wide, &mut self.context.out)?;
        }
        let own = if self.look.output == Form::Wide { &[row.instance, row.handler, row.rule][..] } else { &[][..] };
        self.page.push(row, &fields, own);
        if self.page.table.len() >= PAGE && !self.follows {
            self.page.write(&mut self.context.out, self.context.color)
        } else {
            Ok(())
        }
    }
}

impl Page {
    /// Whether an entry has a variable for which there is no column.
    fn lacks_column(&self, fields: &[(String, Json)]) -> bool {
        self.variables.is_empty() || fields.iter().any(|(name, _)| !self.variables.contains(name))
    }

    /// Starts a table with the variables of an entry; below another table after an empty line.
    fn start(&mut self, fields: &[(String, Json)], wide: bool, out: &mut dyn Write) -> io::Result<()> {
        if self.headed {
            writeln!(out)?;
        }
        self.variables = fields.iter().map(|(name, _)| name.clone()).collect();
        let own: &[&str] = if wide { &["instance", "handler", "rule"] } else { &[] };
        let names = ["time", "level"].into_iter().chain(self.variables.iter().map(String::as_str));
        self.table = Table::new(names.chain(own.iter().copied()));
        self.headed = false;
        Ok(())
    }

    fn push(&mut self, row: &Row<'_>, fields: &[(String, Json)], own: &[&str]) {
        let value = |name: &String| fields.iter().find(|(field, _)| field == name).map(|(_, value)| text(value));
        let mut cells = vec![format!("{:.6}", timestamp(row.time)), row.level.name().to_owned()];
        cells.extend(self.variables.iter().map(|name| value(name).unwrap_or_default()));
        cells.extend(own.iter().map(|&name| name.to_owned()));
        self.table.push(cells);
        self.levels.push(row.level);
    }

    fn write(&mut self, out: &mut dyn Write, color: bool) -> io::Result<()> {
        if self.table.is_empty() {
            return Ok(());
        }
        let headings = !std::mem::replace(&mut self.headed, true);
        let levels = std::mem::take(&mut self.levels);
        if !color {
            return self.table.write_page(out, Headings::new(headings, false));
        }
        let mut page = Vec::new();
        self.table.write_page(&mut page, Headings::new(headings, true))?;
        let page = String::from_utf8_lossy(&page);
        let mut lines = page.lines();
        if headings {
            writeln!(out, "{}", lines.next().unwrap_or_default())?;
        }
        lines.zip(levels).try_for_each(|(line, level)| writeln!(out, "{}", tinted(line, level)))
    }
}

fn timestamp(micros: i64) -> Timestamp {
    let limit = if micros < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_microsecond(micros).unwrap_or(limit)
}

fn text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The line with its level coloured where it is a bad one. The level is the first field of both forms of lines.
fn coloured(line: &str, level: Level) -> String {
    let name = level.name();
    let place = if line.starts_with('{') { format!("\"{name}\"") } else { format!("\t{name}\t") };
    match line.find(&place) {
        None => line.to_owned(),
        Some(at) => in_colour(line, at + 1, level),
    }
}

/// The same for a row of a table, whose second cell it is.
fn tinted(line: &str, level: Level) -> String {
    let gap = line.find(' ').unwrap_or(line.len());
    let at = line.len() - line[gap..].trim_start().len();
    if line[at..].starts_with(level.name()) { in_colour(line, at, level) } else { line.to_owned() }
}

/// The line, whose level stands at this byte, with the level's colour.
fn in_colour(line: &str, at: usize, level: Level) -> String {
    let code = match level {
        Level::Info => return line.to_owned(),
        Level::Warning => style::WARNING,
        Level::Error => style::ERROR,
    };
    let (before, name, after) = (&line[..at], level.name(), &line[at + level.name().len()..]);
    format!("{before}{code}{name}{}{after}", style::PLAIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bad_levels_are_coloured() {
        let json = r#"{"level":"error","time":"t","path":"error"}"#;
        let expected = "{\"level\":\"\u{1b}[1m\u{1b}[91merror\u{1b}[0m\",\"time\":\"t\",\"path\":\"error\"}";
        assert_eq!(coloured(json, Level::Error), expected);
        assert_eq!(coloured(json, Level::Info), json);
        assert_eq!(coloured("t\twarn\ti\t{}", Level::Warning), "t\t\u{1b}[1m\u{1b}[33mwarn\u{1b}[0m\ti\t{}");
    }
}
