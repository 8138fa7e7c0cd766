//! `logs stats` and `logs facets`: counts instead of lines.

use std::io::{self, Write};

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde::Serializer as _;
use serde_json::{Map, Value as Json, json};

use super::files;
use super::filter::{self, Filter};
use crate::accesslog::{Group, Grouping, Logs, Measure};
use crate::cli::bar::{Bar, Unit};
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::output::table::{Headings, Table, terminal_width};
use crate::cli::time;
use crate::diagnostic::visible;
use crate::expr::ValueType;

const STATS_EXAMPLES: &str = "Examples:
  # How many entries there were when
  egressctl logs stats --since 1d

  # The ten hosts that were called most, and what they answered: of each call there is one record
  egressctl logs stats --all --instance access --by destination,responseCode

  # Sizes of answers by host: sum, least, greatest, and below which nine of ten and 99 of 100 lie
  egressctl logs stats --all --instance access --by destination --measure responseSize --percentiles p50,p90,p99

  # For the summary of a CI job
  egressctl logs stats --by destination --level error -o markdown >> \"$GITHUB_STEP_SUMMARY\"";

const FACETS_EXAMPLES: &str = "Examples:
  # What is in the log?
  egressctl logs facets

  # What do the refused calls have in common?
  egressctl logs facets --all --verdict deny --since 1h

Of fields of which nearly each entry has a value of its own, such as ids, times and sizes, nothing is shown unless --fields names them.";

/// Bars of a plot that nobody chose the interval of.
const BARS: i64 = 24;
/// The longest bar, in characters.
const BAR: u64 = 40;
/// Intervals that people think in, in seconds.
const INTERVALS: &[i64] =
    &[1, 5, 10, 30, 60, 300, 600, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86_400, 7 * 86_400, 30 * 86_400];
/// Fields that say nothing as a facet: each entry has its own, or nearly.
const NO_FACETS: &[&str] = &[
    "time",
    "decision",
    "details",
    "durationMicros",
    "firstByteMicros",
    "headers",
    "id",
    "remedy",
    "requestId",
    "requestSize",
    "responseSize",
    "revision",
    "sourceLabels",
    "values",
];

/// Count entries by time and by their fields: lines, or with --all --instance access calls
#[derive(Debug, Args)]
#[command(after_help = STATS_EXAMPLES)]
pub(super) struct Stats {
    /// Ask these files of lines instead of the log; - for standard input
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    #[command(flatten)]
    filter: Filter,
    /// Count by these fields
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    by: Vec<String>,
    /// Show only so many groups, those with most entries; 0 for all
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    top: usize,
    /// Add up the numbers of these fields
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    measure: Vec<String>,
    /// Below which numbers so many of a hundred lie
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "p50,p90,p99", value_parser = percentile)]
    percentiles: Vec<f64>,
    /// Count by time: 1m, 1h, 1d
    #[arg(long, value_name = "DURATION", value_parser = time::length)]
    interval: Option<SignedDuration>,
    /// table, json, markdown
    #[arg(short, long, value_name = "FORMAT", default_value = "table", hide_possible_values = true)]
    #[arg(value_parser = ["table", "json", "markdown"])]
    output: String,
}

fn too_many(by: &[String]) -> Failure {
    let by = visible(&by.join(", ")).into_owned();
    Failure::client(format!(
        "there are too many groups to count by {by}, or too long ones\nhint: narrow the question, as with --host or --since"
    ))
}

fn percentile(text: &str) -> Result<f64, String> {
    let number = text.strip_prefix('p').unwrap_or(text).parse::<f64>().ok();
    number.filter(|percent| (0.0..=100.0).contains(percent)).ok_or_else(|| "must be such as p50, p99 or p99.9".into())
}

impl Stats {
    /// Counts and prints.
    pub(super) fn run(self, context: &mut Context) -> Outcome {
        let _files = files::take(&self.files, context)?;
        let store = self.filter.log(context)?;
        filter::check_names(&store, &[self.by.as_slice(), &self.measure].concat())?;
        self.filter.check(&store)?;
        let query = self.filter.query(context);
        let interval = match self.interval {
            Some(interval) => Some(interval.as_micros() as i64),
            None if self.by.is_empty() && self.measure.is_empty() => {
                let (first, last) = store.ends(&query).map_err(Failure::from)?.unwrap_or_default();
                let wanted = (last - first) / BARS / 1_000_000;
                INTERVALS.iter().find(|interval| **interval >= wanted).or(INTERVALS.last()).map(|one| one * 1_000_000)
            }
            None => None,
        };
        let grouping = Grouping { by: self.by.clone(), measures: self.measure.clone(), interval };
        let bar = Bar::start("counting", Unit::Segments, store.progress(), false);
        let counted = store.tally(&query, &grouping).map_err(Failure::from)?;
        drop(bar);
        if counted.as_ref().is_some_and(Vec::is_empty) {
            self.filter.tell_unknown(&store, context)?;
        }
        let mut groups = counted.ok_or_else(|| too_many(&self.by))?;
        if self.filter.all && store.single().is_none() && !self.by.iter().any(|name| name == "instance") {
            context
                .say("note: lines and records of calls are counted together; --instance access counts calls alone")?;
        }
        self.check_measures(&groups, &store)?;
        groups.sort_by(|a, b| (a.start, b.count, &a.key).cmp(&(b.start, a.count, &b.key)));
        let all = groups.len();
        if self.top > 0 && !self.by.is_empty() {
            let (mut start, mut seen) = (None, 0);
            groups.retain(|group| {
                seen = if start == group.start { seen + 1 } else { 1 };
                start = group.start;
                seen <= self.top
            });
        }
        self.print(&groups, all, context)?;
        if groups.len() < all {
            let more = super::keep::count((all - groups.len()) as i64, "more group", "more groups");
            context.out.flush()?;
            context.say(&format!("{more}; --top 0 shows all."))?;
        }
        super::keep::damage(store.take_damage())
    }

    /// Refuses to add up what are no numbers.
    fn check_measures(&self, groups: &[Group], store: &Logs) -> Result<(), Failure> {
        let counted = |place: usize| groups.iter().any(|group| group.measures[place].count > 0);
        let Some(name) = (0..self.measure.len()).find(|place| !groups.is_empty() && !counted(*place)) else {
            return Ok(());
        };
        let (name, names) = (&self.measure[name], store.names()?);
        let is_number = |of: ValueType| matches!(of, ValueType::Int64 | ValueType::Double);
        if names.iter().any(|(known, of)| known == name && is_number(*of)) {
            return Ok(());
        }
        let numbers: Vec<String> = names.into_iter().filter(|(_, of)| is_number(*of)).map(|(name, _)| name).collect();
        let hint = match numbers.is_empty() {
            true => String::new(),
            false => format!("\nhint: numbers are {}", visible(&numbers.join(", "))),
        };
        Err(Failure::client(format!("the field \"{}\" has no numbers to be added up{hint}", visible(name))))
    }

    fn print(&self, groups: &[Group], all: usize, context: &mut Context) -> Outcome {
        let out = &mut context.out;
        if self.output == "json" {
            let groups = groups.iter().map(|group| self.json(group));
            serde_json::Serializer::pretty(&mut *out).collect_seq(groups).map_err(io::Error::from)?;
            return Ok(writeln!(out)?);
        }
        let headings = self.headings(groups);
        let most = groups.iter().map(|group| group.count).max().unwrap_or_default().max(1);
        let rows = groups.iter().map(|group| self.row(group, most));
        if self.output == "markdown" {
            markdown(&headings, rows, out)?;
            if groups.len() < all {
                // Who reads the summary does not see what is said beside.
                writeln!(out, "\n{} of {all} groups", groups.len())?;
            }
            return Ok(());
        }
        let mut table = Table::new(&headings);
        table.fit(terminal_width(), &["time", "count"]);
        let mut head = Headings::new(true, context.color);
        for row in rows {
            table.push(row);
            if table.is_page() {
                table.write_page(out, std::mem::replace(&mut head, Headings::None))?;
            }
        }
        Ok(table.write(out, head)?)
    }

    fn headings(&self, groups: &[Group]) -> Vec<String> {
        let mut headings = Vec::new();
        if groups.iter().any(|group| group.start.is_some()) {
            headings.push("time".to_owned());
        }
        headings.extend(self.by.iter().cloned());
        headings.push("count".to_owned());
        for name in &self.measure {
            headings.extend(["sum", "min", "max"].map(|what| format!("{name}.{what}")));
            headings.extend(self.percentiles.iter().map(|percent| format!("{name}.p{percent}")));
        }
        if self.output == "table" {
            headings.push(String::new());
        }
        headings
    }

    fn row(&self, group: &Group, most: u64) -> Vec<String> {
        let mut row: Vec<String> = group.start.map(time_of).into_iter().collect();
        row.extend(
            group
                .key
                .iter()
                .map(|value| value.as_deref().map_or("<none>".to_owned(), |value| visible(value).into_owned())),
        );
        row.push(group.count.to_string());
        for measure in &group.measures {
            let (least, greatest) = measure.ends().unzip();
            row.push(measure.sum.to_string());
            let percentiles = self.percentiles.iter().map(|percent| measure.percentile(*percent));
            let numbers = [least, greatest].into_iter().chain(percentiles);
            row.extend(numbers.map(|number| number.map_or("-".to_owned(), |number| number.to_string())));
        }
        if self.output == "table" {
            row.push("\u{2588}".repeat((group.count * BAR).div_ceil(most) as usize));
        }
        row
    }

    fn json(&self, group: &Group) -> Json {
        let mut object = Map::new();
        if let Some(start) = group.start {
            object.insert("time".into(), time_of(start).into());
        }
        for (name, value) in self.by.iter().zip(&group.key) {
            object.insert(name.clone(), value.clone().into());
        }
        object.insert("count".into(), group.count.into());
        for (name, measure) in self.measure.iter().zip(&group.measures) {
            object.insert(name.clone(), self.measured(measure));
        }
        Json::Object(object)
    }

    fn measured(&self, measure: &Measure) -> Json {
        let (least, greatest) = measure.ends().unzip();
        let sum = i64::try_from(measure.sum).map_or_else(|_| json!(measure.sum as f64), Json::from);
        let mut object = Map::from_iter([
            ("count".to_owned(), measure.count.into()),
            ("sum".to_owned(), sum),
            ("min".to_owned(), least.into()),
            ("max".to_owned(), greatest.into()),
        ]);
        object.extend(
            self.percentiles.iter().map(|percent| (format!("p{percent}"), measure.percentile(*percent).into())),
        );
        Json::Object(object)
    }
}

/// A table that Markdown shows as one.
fn markdown(headings: &[String], rows: impl Iterator<Item = Vec<String>>, out: &mut dyn Write) -> io::Result<()> {
    let line =
        |cells: &[String]| format!("| {} |", cells.iter().map(|cell| escaped(cell)).collect::<Vec<_>>().join(" | "));
    writeln!(out, "{}", line(headings))?;
    writeln!(out, "|{}", " --- |".repeat(headings.len()))?;
    for row in rows {
        writeln!(out, "{}", line(&row))?;
    }
    Ok(())
}

/// A text that Markdown shows as it is: values are what callers sent.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if "\\`*_[]<>|~&#!".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

fn time_of(micros: i64) -> String {
    Timestamp::from_microsecond(micros).map_or_else(|_| micros.to_string(), |time| time.to_string())
}

/// Show the most frequent values of each field
#[derive(Debug, Args)]
#[command(after_help = FACETS_EXAMPLES)]
pub(super) struct Facets {
    /// Ask these files of lines instead of the log; - for standard input
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    #[command(flatten)]
    filter: Filter,
    /// Only these fields
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    fields: Vec<String>,
    /// Show so many values of each field; 0 for all
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    top: usize,
    /// json for programs
    #[arg(short, long, value_name = "FORMAT", value_parser = ["json"])]
    output: Option<String>,
}

impl Facets {
    /// Counts and prints.
    pub(super) fn run(self, context: &mut Context) -> Outcome {
        let _files = files::take(&self.files, context)?;
        let store = self.filter.log(context)?;
        filter::check_names(&store, &self.fields)?;
        self.filter.check(&store)?;
        let query = self.filter.query(context);
        let top = if self.top == 0 { usize::MAX } else { self.top };
        let mut names = self.fields;
        if names.is_empty() {
            let known = store.names().map_err(Failure::from)?;
            names =
                known.into_iter().map(|(name, _)| name).filter(|name| !NO_FACETS.contains(&name.as_str())).collect();
        }
        let (mut facets, mut without) = (Shown::new(self.output.is_some(), context.color), Vec::new());
        let bar = Bar::start("counting", Unit::Segments, store.progress(), false);
        // One by one: the values of all together could be too many.
        for name in names {
            let grouping = Grouping { by: vec![name.clone()], ..Grouping::default() };
            match store.tally(&query, &grouping).map_err(Failure::from)? {
                Some(groups) => {
                    Facet::of(name, groups, top).map_or(Ok(()), |facet| facets.add(&facet, &mut context.out))?;
                }
                None => without.push(name),
            }
        }
        drop(bar);
        facets.finish(&mut context.out)?;
        if !without.is_empty() {
            context.say(&format!("note: too many different values to count: {}", visible(&without.join(", "))))?;
        }
        super::keep::damage(store.take_damage())
    }
}

/// Facets on their way out: those of `--top 0` are too many to be kept.
enum Shown {
    Json { first: bool },
    Table(Table, Headings),
}

impl Shown {
    fn new(json: bool, color: bool) -> Self {
        if json {
            return Self::Json { first: true };
        }
        let mut table = Table::new(["field", "value", "count", "share"]);
        table.fit(terminal_width(), &["field", "count", "share"]);
        Self::Table(table, Headings::new(true, color))
    }

    fn add(&mut self, facet: &Facet, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Json { first } => {
                let before = if std::mem::take(first) { "[" } else { "," };
                write!(out, "{before}\n  {}", format!("{:#}", facet.json()).replace('\n', "\n  "))
            }
            Self::Table(table, head) => facet.rows().try_for_each(|row| {
                table.push(row);
                match table.is_page() {
                    true => table.write_page(out, std::mem::replace(head, Headings::None)),
                    false => Ok(()),
                }
            }),
        }
    }

    fn finish(self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Json { first: true } => writeln!(out, "[]"),
            Self::Json { first: false } => writeln!(out, "\n]"),
            Self::Table(table, head) => table.write(out, head),
        }
    }
}

fn value(group: &Group) -> &str {
    group.key.first().and_then(Option::as_deref).unwrap_or_default()
}

/// What is shown of a field.
struct Facet {
    name: String,
    /// How many values there are, and how many entries have one.
    distinct: usize,
    entries: u64,
    /// Those that most entries have.
    top: Vec<Group>,
}

impl Facet {
    /// Nothing if no entry has a value.
    fn of(name: String, mut groups: Vec<Group>, top: usize) -> Option<Self> {
        groups.retain(|group| group.key != [None]);
        groups.sort_by(|a, b| (b.count, &a.key).cmp(&(a.count, &b.key)));
        let (distinct, entries) = (groups.len(), groups.iter().map(|group| group.count).sum());
        groups.truncate(top);
        groups.shrink_to_fit();
        (distinct > 0).then_some(Self { name, distinct, entries, top: groups })
    }

    fn json(&self) -> Json {
        let one = |group: &Group| json!({"value": value(group), "count": group.count});
        let values: Vec<Json> = self.top.iter().map(one).collect();
        json!({"field": self.name, "distinct": self.distinct, "values": values})
    }

    fn rows(&self) -> impl Iterator<Item = [String; 4]> {
        let share = |count: u64| format!("{:.1}%", count as f64 * 100.0 / self.entries as f64);
        let shown = self.top.iter().map(|group| group.count).sum::<u64>();
        let rest = (self.distinct > self.top.len()).then(|| {
            let (more, rest) = (format!("({} more)", self.distinct - self.top.len()), self.entries - shown);
            [String::new(), more, rest.to_string(), share(rest)]
        });
        let values = self.top.iter().enumerate().map(move |(place, group)| {
            let name = if place == 0 { visible(&self.name).into_owned() } else { String::new() };
            [name, visible(value(group)).into_owned(), group.count.to_string(), share(group.count)]
        });
        values.chain(rest)
    }
}
