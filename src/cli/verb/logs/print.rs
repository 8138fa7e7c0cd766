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
use crate::cli::style;
use crate::expr::ValueRef;

/// Fields of a line that have columns of their own.
const OWN_COLUMNS: &[&str] = &["level", "time", "instance"];

/// What of that and of the shape `wide` shows besides.
const WIDE_COLUMNS: &[&str] = &["instance", "handler", "rule"];

/// What stands between groups of entries that do not touch.
const PART: &str = "--";

/// Columns that are of no use when they are cut.
const WHOLE: &[&str] = &["time", "level", "decision", "id", "requestId"];

/// Variables whose columns come before others': what people ask first, where a terminal has not room for all.
const FIRST: &[&str] = &["source", "method", "destination", "path", "responseCode", "verdict", "reason", "decision"];

/// How entries look.
#[derive(Debug, Clone, Args)]
pub(super) struct Look {
    /// line: as the handler printed it; json: as it is stored; table: as wide as the terminal; wide: all of it, with handler and rule; csv; parquet; name: the instance
    #[arg(short, long, value_name = "FORMAT", default_value = "line", hide_possible_values = true)]
    pub(super) output: Form,
    /// The columns of a table or of csv
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
    /// The columns that were asked for; if there are any there are no others.
    chosen: Vec<String>,
    /// Whether there are columns.
    begun: bool,
    headed: bool,
    /// Terminal cells of a line, where there is a terminal and all has to fit.
    width: Option<usize>,
    /// Whether it was told that columns are left out.
    told: bool,
}

impl Look {
    /// Refuses flags that would do nothing.
    ///
    /// # Errors
    /// The first of them.
    pub(super) fn check(&self, counts: bool) -> Result<(), Failure> {
        let is_table = matches!(self.output, Form::Table | Form::Wide);
        let is_line = matches!(self.output, Form::Line | Form::Json | Form::Name);
        let shows_time = is_table || is_line && self.timestamps;
        if counts && self.output != Form::Line {
            return Err(Failure::client("the argument '--output' cannot be used with '--count', which is one number"));
        }
        let idle = [
            ("--columns", !self.columns.is_empty() && !is_table && self.output != Form::Csv, "tables and csv"),
            ("--relative", self.relative && !shows_time, "tables, and lines with --timestamps"),
            ("--local", self.local && !shows_time, "tables, and lines with --timestamps"),
            ("--timestamps", self.timestamps && !is_line, "lines"),
            ("--only-matching", self.only_matching && !is_line, "lines"),
            ("--prefix", self.prefix && !is_line, "lines"),
        ];
        let idle = idle.iter().find(|(_, is_idle, _)| *is_idle);
        idle.map_or(Ok(()), |(flag, _, forms)| {
            let hint = if *flag == "--columns" { "\nhint: -o table" } else { "" };
            Err(Failure::client(format!("the argument '{flag}' is for {forms} only{hint}")))
        })
    }

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
        let width = terminal_width().filter(|_| self.output == Form::Table);
        let page = Page { chosen: self.columns.clone(), width, ..Page::default() };
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

    fn lines(&mut self, lines: &str, count: usize) -> Option<bool> {
        let is_plain = match self.look.output {
            Form::Line => !self.context.color,
            Form::Json => true,
            _ => false,
        };
        if !is_plain || self.look.only_matching || self.look.timestamps || !self.prefix.is_empty() {
            return None;
        }
        self.entries += count as u64;
        let printed = self.context.out.write_all(lines.as_bytes());
        Some(self.keep(printed))
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
        let out = &mut self.context.out;
        self.page.write(out, self.context.color, &self.marks)?;
        let more = self.page.table.left_out();
        if more > 0 && !std::mem::replace(&mut self.page.told, true) {
            let columns = if more == 1 { "column" } else { "columns" };
            let (faint, plain) = if self.context.color { (style::FAINT, style::PLAIN) } else { ("", "") };
            writeln!(out, "{faint}and {more} more {columns}: -o wide{plain}")?;
        }
        out.flush()
    }

    /// Stands between groups of entries, where people read them; what programs read has entries alone.
    pub(super) fn part(&mut self) -> bool {
        let printed = match self.look.output {
            Form::Line => writeln!(self.context.out, "{PART}"),
            Form::Table | Form::Wide => {
                self.page.part();
                Ok(())
            }
            Form::Json | Form::Csv | Form::Parquet | Form::Name => Ok(()),
        };
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
            _ => {
                out.write_all(row.printed().as_bytes())?;
                out.write_all(b"\n")
            }
        }
    }

    fn row(&mut self, row: &Row<'_>) -> io::Result<()> {
        let mut fields = line::fields(row.line).unwrap_or_default();
        let is_chosen = !self.page.chosen.is_empty();
        let wide = if self.look.output == Form::Wide && !is_chosen { WIDE_COLUMNS } else { &[] };
        let own = wide.iter().map(|name| field(row, &fields, name).unwrap_or_default()).collect();
        fields.retain(|(name, _)| is_chosen || !OWN_COLUMNS.contains(&name.as_str()) && !wide.contains(&name.as_str()));
        let new = self.page.new_columns(&fields);
        if !new.is_empty() || !self.page.begun {
            if self.page.headed && self.page.table.left_out() == 0 {
                self.page.write(&mut self.context.out, self.context.color, &self.marks)?;
                writeln!(self.context.out)?;
                self.page.headed = false;
            }
            self.page.add(new, wide);
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
        if !self.chosen.is_empty() {
            return Vec::new();
        }
        let mut seen = HashSet::new();
        let names = fields.iter().map(|(name, _)| name);
        let mut new: Vec<String> =
            names.filter(|name| !self.variables.contains_key(*name) && seen.insert(*name)).cloned().collect();
        new.sort_by_key(|name| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()));
        new
    }

    /// Adds columns, and first those that every entry has, unless all are chosen.
    fn add(&mut self, new: Vec<String>, wide: &[&str]) {
        if !std::mem::replace(&mut self.begun, true) {
            self.table = match self.chosen.is_empty() {
                true => Table::new(["time", "level"].iter().chain(wide)),
                false => Table::new(&self.chosen),
            };
            self.table.fit(self.width, WHOLE);
        }
        if new.is_empty() {
            return;
        }
        self.table.add_columns(2 + self.variables.len(), &new);
        for name in new {
            let place = self.variables.len();
            self.variables.entry(name).or_insert(place);
        }
    }

    fn push(&mut self, row: &Row<'_>, time: String, fields: &[(String, Json)], own: Vec<String>) {
        let cells = if self.chosen.is_empty() {
            let mut values = vec![None; self.variables.len()];
            for (name, value) in fields.iter().rev() {
                values[self.variables[name]] = Some(value);
            }
            let values = values.into_iter().map(|value| value.map(text).unwrap_or_default());
            [time, row.level.name().to_owned()].into_iter().chain(values).chain(own).collect()
        } else {
            let value = |name: &String| match name.as_str() {
                "time" => time.clone(),
                name => field(row, fields, name).unwrap_or_default(),
            };
            self.chosen.iter().map(value).collect::<Vec<_>>()
        };
        self.table.push(cells);
        self.levels.push(row.level);
    }

    /// Adds a row that stands between groups.
    fn part(&mut self) {
        self.table.push_part(PART);
        self.levels.push(Level::Info);
    }

    /// The column of the levels.
    fn level(&self) -> Option<usize> {
        if self.chosen.is_empty() { Some(1) } else { self.chosen.iter().position(|name| name == "level") }
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
        let place = self.level().and_then(|column| self.table.place_of(column));
        let page = String::from_utf8_lossy(&page);
        let mut lines = page.lines();
        if headings {
            writeln!(out, "{}", lines.next().unwrap_or_default())?;
        }
        lines.zip(levels).try_for_each(|(line, level)| writeln!(out, "{}", mark::row(line, (level, place), marks)))
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
