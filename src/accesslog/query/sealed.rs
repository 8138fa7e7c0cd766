//! Reading sealed segments: which rows a query wants, decided column by column before any line is made.

use parquet::errors::ParquetError;

use super::plan::Plan;
use super::{LevelFilter, Query, Row, Sink};
use crate::accesslog::segment::{Lines, Name, Reader, Segment, Texts};
use crate::accesslog::{Error, Format, Level, LogStore, line};

impl LogStore {
    /// Opens a segment that was listed. Nothing if it was pruned since, or cannot be read, which is noted.
    pub(super) fn open_segment(&self, segment: &Segment) -> Result<Option<Reader>, Error> {
        let path = segment.path(&self.segments);
        let length = std::fs::metadata(&path).map(|found| i64::try_from(found.len()).unwrap_or(i64::MAX));
        let detail = match length {
            Ok(length) if length == segment.bytes => match Reader::open(&path) {
                Ok(reader) if reader.rows() as i64 == segment.rows() => return Ok(Some(reader)),
                Ok(_) => "it has not as many entries as it had when it was sealed".to_owned(),
                Err(error) => error.to_string(),
            },
            Ok(length) => format!("it has {length} bytes instead of {}", segment.bytes),
            Err(error) => error.to_string(),
        };
        match self.sql(|| Segment::from(&self.connection, segment.last))? {
            Some(listed) if listed == *segment => self.note_damage(path, detail),
            // What is left of it is in another file.
            Some(listed) if listed.id == segment.id && listed.rows() > 0 => return self.open_segment(&listed),
            _ => {}
        }
        Ok(None)
    }

    /// Runs what reads a segment; nothing if it cannot be read, which is noted.
    pub(super) fn reading<T>(&self, segment: &Segment, read: Result<T, ParquetError>) -> Option<T> {
        let told = |error: ParquetError| {
            self.note_damage(segment.path(&self.segments), error.to_string());
        };
        read.map_err(told).ok()
    }

    /// The rows of a segment that a plan wants.
    pub(super) fn selected(&self, segment: &Segment, plan: &Plan<'_>) -> Result<Option<(Reader, Vec<u32>)>, Error> {
        if !may_hold(segment, plan.query) {
            return Ok(None);
        }
        let Some(reader) = self.open_segment(segment)? else { return Ok(None) };
        let rows = self.reading(segment, select(&reader, segment, plan));
        Ok(rows.map(|rows| (reader, rows)))
    }

    /// Hands the entries of a segment that a plan wants to a sink; whether the sink wanted no more.
    pub(super) fn send_segment(&self, segment: &Segment, plan: &Plan<'_>, sink: &mut dyn Sink) -> Result<bool, Error> {
        let Some((reader, rows)) = self.selected(segment, plan)? else { return Ok(false) };
        if rows.is_empty() {
            return Ok(false);
        }
        let Some(lines) = self.reading(segment, reader.load_lines()) else { return Ok(false) };
        let mut text = String::new();
        for row in rows {
            let row = row as usize;
            text.clear();
            lines.write(row, &mut text);
            if !sink.entry(&entry(&lines, row, &text)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn entry<'a>(lines: &'a Lines<'_>, row: usize, line: &'a str) -> Row<'a> {
    Row {
        seq: lines.seq[row],
        time: lines.time[row],
        level: lines.level(row),
        instance: lines.instances.of_row(row),
        handler: lines.handlers.of_row(row),
        rule: lines.rules.of_row(row),
        format: lines.format(row),
        line,
    }
}

/// Whether what is listed of a segment leaves room for wanted entries.
fn may_hold(segment: &Segment, query: &Query) -> bool {
    query.since.is_none_or(|since| segment.max_time >= since)
        && query.until.is_none_or(|until| segment.min_time < until)
        && of_levels(query.level, segment.levels) > 0
}

/// How many entries of a segment a query wants, where its list tells so.
pub(super) fn listed_count(segment: &Segment, query: &Query) -> Option<i64> {
    if !may_hold(segment, query) {
        return Some(0);
    }
    let whole = query.since.is_none_or(|since| segment.min_time >= since)
        && query.until.is_none_or(|until| segment.max_time < until)
        && query.patterns.is_empty()
        && query.instance.is_none()
        && query.handler.is_none()
        && query.rule.is_none();
    whole.then(|| of_levels(query.level, segment.levels))
}

/// The sum of those levels' counts that a filter lets through.
pub(super) fn of_levels(filter: Option<LevelFilter>, counts: [i64; 3]) -> i64 {
    Level::ALL.into_iter().zip(counts).filter(|(level, _)| passes(filter, *level)).map(|(_, count)| count).sum()
}

fn passes(filter: Option<LevelFilter>, level: Level) -> bool {
    match filter {
        None => true,
        Some(LevelFilter::Exactly(wanted)) => level == wanted,
        Some(LevelFilter::AtLeast(least)) => level >= least,
    }
}

/// The rows that meet every condition.
fn select(reader: &Reader, segment: &Segment, plan: &Plan<'_>) -> Result<Vec<u32>, ParquetError> {
    let query = plan.query;
    let mut wanted = vec![true; reader.rows()];
    if segment.first < plan.first || segment.last > plan.last {
        keep(&mut wanted, reader.seq()?, |seq| (plan.first..=plan.last).contains(&seq));
    }
    if query.since.is_some_and(|since| segment.min_time < since)
        || query.until.is_some_and(|until| segment.max_time >= until)
    {
        let (since, until) = (query.since.unwrap_or(i64::MIN), query.until.unwrap_or(i64::MAX));
        keep(&mut wanted, reader.time()?, |time| (since..until).contains(&time));
    }
    if of_levels(query.level, segment.levels) < segment.rows() {
        let is_wanted =
            |name: &str| Level::ALL.into_iter().any(|level| level.name() == name && passes(query.level, level));
        keep_texts(&mut wanted, reader.levels()?, is_wanted);
    }
    let names = [(Name::Instance, &query.instance), (Name::Handler, &query.handler), (Name::Rule, &query.rule)];
    for (column, name) in names {
        if let Some(name) = name {
            keep_texts(&mut wanted, reader.names(column)?, |full| super::plan::is_called(full, name));
        }
    }
    if !plan.matchers.is_empty() && wanted.contains(&true) {
        grep(&mut wanted, &reader.load_lines()?, plan);
    }
    Ok((0_u32..).zip(wanted).filter(|(_, wanted)| *wanted).map(|(row, _)| row).collect())
}

fn keep(wanted: &mut [bool], values: &[i64], is_wanted: impl Fn(i64) -> bool) {
    for (wanted, value) in wanted.iter_mut().zip(values) {
        *wanted &= is_wanted(*value);
    }
}

/// Asks each text once, however many rows have it.
fn keep_texts(wanted: &mut [bool], texts: &Texts, is_wanted: impl Fn(&str) -> bool) {
    let answers: Vec<bool> = (0..texts.len()).map(|number| is_wanted(texts.text(number as u32))).collect();
    for (wanted, number) in wanted.iter_mut().zip(&texts.numbers) {
        *wanted &= answers.get(*number as usize).copied().unwrap_or_default();
    }
}

fn grep(wanted: &mut [bool], lines: &Lines<'_>, plan: &Plan<'_>) {
    let mut text = String::new();
    for (row, wanted) in wanted.iter_mut().enumerate().filter(|(_, wanted)| **wanted) {
        text.clear();
        lines.write(row, &mut text);
        let printed = match lines.format(row) {
            Format::Json => std::borrow::Cow::Borrowed(text.as_str()),
            Format::Text => line::printed(&text, Format::Text),
        };
        *wanted = plan.matchers.iter().all(|matcher| matcher.accepts(printed.as_bytes()));
    }
}
