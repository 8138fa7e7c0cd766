//! Entries as lines, JSON, or a table.

use std::collections::{HashMap, HashSet};
use std::io::{self, IsTerminal, Write};

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use regex::Regex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::Value as Json;

use super::pod::Origin;
use super::{csv, mark};
use crate::accesslog::{Export, Level, Row, Sink, line};
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Failures};
use crate::cli::output::age::in_words;
use crate::cli::output::table::{Headings, Table, terminal_width};
use crate::expr::ValueRef;

/// Fields of a line that have columns of their own.
const OWN_COLUMNS: &[&str] = &["level", "time", "instance"];

/// What of that and of the shape `wide` shows besides.
const WIDE_COLUMNS: &[&str] = &["instance", "handler", "rule"];

/// Columns that are of no use when they are cut.
const WHOLE: &[&str] = &["time", "level", "decision", "id", "requestId"];

/// How entries look.
#[derive(Debug, Clone, Args)]
pub(super) struct Look {
    /// line: as the handler printed it; json: as it is stored; table; wide: with handler and rule; csv; parquet; name: the instance
    #[arg(short, long, value_name = "FORMAT", default_value = "line", hide_possible_values = true)]
    pub(super) output: Form,
    /// Columns of a table or of csv
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    pub(super) columns: Vec<String>,
    /// The time before each line
    #[arg(long)]
    timestamps: bool,
    /// How long ago instead of times, in tables and before lines
    #[arg(long)]
    relative: bool,
    /// Times of this computer's zone instead of UTC, in tables and before lines
    #[arg(long, conflicts_with = "relative")]
    local: bool,
    /// Let this stand out, without leaving out other lines
    #[arg(short = 'H', long, value_name = "PATTERN", allow_hyphen_values = true)]
    pub(super) highlight: Vec<String>,
    /// Print only what the patterns find, each on a line
    #[arg(long)]
    only_matching: bool,
    /// The pod and container before each line
    #[arg(long)]
    pub(super) prefix: bool,
}

/// A form of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    #[value(alias = "raw")]
    Line,
    Json,
    Table,
    Wide,
    Csv,
    Parquet,
    Name,
}

/// Prints entries as they are found.
pub(super) struct Printed<'a> {
    /// The command's context.
    pub(super) context: &'a mut Context,
    look: Look,
    prefix: String,
    page: Page,
    marks: Vec<Regex>,
    /// The entries of a Parquet file.
    file: Export,
    zone: TimeZone,
    /// How many entries there were.
    pub(super) entries: u64,
    fault: Option<io::Error>,
}

/// The entries of a table that wait to be laid out.
#[derive(Default)]
struct Page {
    table: Table,
    levels: Vec<Level>,
    /// The places of variables among the columns of variables.
    variables: HashMap<String, usize>,
    /// The columns that were asked for.
    chosen: Vec<String>,
    /// Whether there are columns.
    begun: bool,
    headed: bool,
    /// Terminal cells of a line, where there is a terminal.
    width: Option<usize>,
}

impl Look {
    /// Makes ready to print; marks stand out.
    pub(super) fn open<'a>(
        &self,
        context: &'a mut Context,
        origin: Origin,
        marks: Vec<Regex>,
    ) -> Result<Printed<'a>, Failure> {
        if self.output == Form::Parquet && io::stdout().is_terminal() {
            let message = "a terminal shows no Parquet\nhint: send it to a file, or use logs export --to FILE.parquet";
            return Err(Failure::client(message));
        }
        let zone = if self.local { TimeZone::try_system().unwrap_or(TimeZone::UTC) } else { TimeZone::UTC };
        let page = Page { chosen: self.columns.clone(), width: terminal_width(), ..Page::default() };
        let prefix = origin.prefix;
        let file = Export::default();
        Ok(Printed { context, look: self.clone(), prefix, page, marks, file, zone, entries: 0, fault: None })
    }

    /// A time as it is to be shown.
    fn time(&self, micros: i64, now: Timestamp, zone: &TimeZone, digits: usize) -> String {
        let time = timestamp(micros);
        if self.relative {
            return format!("{} ago", in_words(now.duration_since(time).as_secs().max(0)));
        }
        if self.local {
            return format!("{:.digits$}", time.display_with_offset(zone.to_offset(time)));
        }
        format!("{time:.digits$}")
    }
}

impl Sink for Printed<'_> {
    fn entry(&mut self, row: &Row<'_>) -> bool {
        self.entries += 1;
        let printed = match self.look.output {
            Form::Line | Form::Json | Form::Name => self.line(row),
            Form::Table | Form::Wide => self.row(row),
            Form::Csv => self.csv(row),
            Form::Parquet => self.add_to_file(row),
        };
        self.keep(printed)
    }

    fn idle(&mut self) -> bool {
        let flushed = self.flush();
        self.keep(flushed) && !is_closed()
    }
}

impl Printed<'_> {
    /// Prints what is left, and a count if there is one; how many entries there were.
    pub(super) fn finish(mut self, count: Option<u64>) -> Result<u64, Failures> {
        if let Some(fault) = self.fault.take() {
            return Err(Failure::Output(fault).into());
        }
        if let Some(count) = count {
            writeln!(self.context.out, "{count}")?;
        }
        if !self.file.is_empty() {
            let mut bytes = Vec::new();
            std::mem::take(&mut self.file).write(&mut bytes, "standard output".as_ref()).map_err(Failure::from)?;
            self.context.out.write_all(&bytes)?;
        }
        self.flush()?;
        Ok(count.unwrap_or(self.entries))
    }

    /// Remembers a fault, which ends the query.
    fn keep(&mut self, printed: io::Result<()>) -> bool {
        self.fault = printed.err();
        self.fault.is_none()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.page.write(&mut self.context.out, self.context.color, &self.marks)?;
        self.context.out.flush()
    }

    /// A line that stands between groups of lines.
    pub(super) fn part(&mut self) -> bool {
        let printed = writeln!(self.context.out, "--");
        self.keep(printed)
    }

    fn add_to_file(&mut self, row: &Row<'_>) -> io::Result<()> {
        if self.file.is_full() {
            return Err(io::Error::other(
                "there are more entries than one Parquet file has room for; export them to a folder",
            ));
        }
        self.file.add(row);
        Ok(())
    }

    fn csv(&mut self, row: &Row<'_>) -> io::Result<()> {
        if self.entries == 1 {
            csv::write(&mut self.context.out, self.look.columns.iter().map(String::as_str))?;
        }
        let fields = line::fields(row.line).unwrap_or_default();
        let values: Vec<String> =
            self.look.columns.iter().map(|name| field(row, &fields, name).unwrap_or_default()).collect();
        csv::write(&mut self.context.out, values.iter().map(String::as_str))
    }

    fn line(&mut self, row: &Row<'_>) -> io::Result<()> {
        if self.look.only_matching {
            let printed = row.printed();
            let found = mark::places(&printed, &self.marks);
            return found.into_iter().try_for_each(|place| writeln!(self.context.out, "{}", &printed[place]));
        }
        let now = self.context.now;
        let out = &mut self.context.out;
        out.write_all(self.prefix.as_bytes())?;
        if self.look.timestamps {
            write!(out, "{} ", self.look.time(row.time, now, &self.zone, 9))?;
        }
        match self.look.output {
            Form::Json => writeln!(out, "{}", row.line),
            Form::Name => writeln!(out, "{}", row.instance),
            _ if self.context.color => writeln!(out, "{}", mark::line(&row.printed(), row.level, &self.marks)),
            _ => writeln!(out, "{}", row.printed()),
        }
    }

    fn row(&mut self, row: &Row<'_>) -> io::Result<()> {
        let mut fields = line::fields(row.line).unwrap_or_default();
        let wide = if self.look.output == Form::Wide { WIDE_COLUMNS } else { &[] };
        let own = wide.iter().map(|name| field(row, &fields, name).unwrap_or_default()).collect();
        let is_shown = |name: &str| self.page.chosen.is_empty() && wide.contains(&name);
        fields.retain(|(name, _)| !OWN_COLUMNS.contains(&name.as_str()) && !is_shown(name));
        let new = self.page.new_columns(&fields);
        if !new.is_empty() || !self.page.begun {
            if self.page.headed {
                self.page.write(&mut self.context.out, self.context.color, &self.marks)?;
                writeln!(self.context.out)?;
            }
            self.page.add(new, self.look.output == Form::Wide);
        }
        let time = self.look.time(row.time, self.context.now, &self.zone, 6);
        self.page.push(row, time, &fields, own);
        if self.page.table.is_page() {
            self.page.write(&mut self.context.out, self.context.color, &self.marks)
        } else {
            Ok(())
        }
    }
}

impl Page {
    /// The variables of an entry for which there are no columns.
    fn new_columns(&self, fields: &[(String, Json)]) -> Vec<String> {
        match (self.variables.is_empty(), self.chosen.is_empty()) {
            (true, false) => self.chosen.clone(),
            (false, false) => Vec::new(),
            _ => {
                let mut seen = HashSet::new();
                let names = fields.iter().map(|(name, _)| name);
                names.filter(|name| !self.variables.contains_key(*name) && seen.insert(*name)).cloned().collect()
            }
        }
    }

    /// Adds columns, and first those that every entry has; if headings stand above the table already, they come once more.
    fn add(&mut self, new: Vec<String>, wide: bool) {
        if !std::mem::replace(&mut self.begun, true) {
            let own = if wide { WIDE_COLUMNS } else { &[] };
            self.table = Table::new(["time", "level"].iter().chain(own));
            self.table.fit(self.width, WHOLE);
        }
        self.headed = false;
        self.table.add_columns(2 + self.variables.len(), &new);
        for name in new {
            let place = self.variables.len();
            self.variables.entry(name).or_insert(place);
        }
    }

    fn push(&mut self, row: &Row<'_>, time: String, fields: &[(String, Json)], own: Vec<String>) {
        let mut cells = vec![time, row.level.name().to_owned()];
        if self.chosen.is_empty() {
            let mut values = vec![None; self.variables.len()];
            for (name, value) in fields.iter().rev() {
                values[self.variables[name]] = Some(value);
            }
            cells.extend(values.into_iter().map(|value| value.map(text).unwrap_or_default()));
        } else {
            cells.extend(self.chosen.iter().map(|name| field(row, fields, name).unwrap_or_default()));
        }
        cells.extend(own);
        self.table.push(cells);
        self.levels.push(row.level);
    }

    fn write(&mut self, out: &mut dyn Write, color: bool, marks: &[Regex]) -> io::Result<()> {
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
        lines.zip(levels).try_for_each(|(line, level)| writeln!(out, "{}", mark::row(line, level, marks)))
    }
}

/// Whether nobody can read any more what is printed: the pipe's reader is gone, or the terminal.
fn is_closed() -> bool {
    let stdout = io::stdout();
    let mut watched = [PollFd::new(&stdout, PollFlags::empty())];
    let gone = PollFlags::ERR | PollFlags::HUP;
    poll(&mut watched, Some(&Timespec::default())).is_ok_and(|_| watched[0].revents().intersects(gone))
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

/// The value of an entry's field as text.
pub(super) fn field(row: &Row<'_>, fields: &[(String, Json)], name: &str) -> Option<String> {
    let of_line = fields.iter().find(|(field, _)| field == name).map(|(_, value)| text(value));
    let mut text = String::new();
    row.value(name, of_line.as_deref().map(ValueRef::String))?.write_text(&mut text);
    Some(text)
}
