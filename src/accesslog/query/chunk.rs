//! Entries that were found and not yet handed over.

use std::ops::ControlFlow;

use parquet::errors::ParquetError;
use rusqlite::Connection;

use super::plan::Plan;
use super::{Row, Sink};
use crate::accesslog::hot::pack::{Stored, each};
use crate::accesslog::segment::{Lines, Names};
use crate::accesslog::{Format, Level};

/// A chunk is full when it has this many bytes of lines.
const BYTES: usize = 1 << 20;

/// Bytes that one has room for at first: it would grow to as many in many steps.
const FIRST: usize = 1 << 18;

/// Entries that were found and not yet handed over.
#[derive(Default)]
pub(super) struct Chunk {
    /// Their lines, each with a newline behind it.
    text: String,
    rows: Vec<ReadRow>,
    /// The shapes of entries of a segment; those of the hot store's rows are the plan's.
    shapes: Vec<Names>,
    /// What the segment has for the shape of the last row, and its place: mostly the next row has it too.
    last: Option<([u32; 4], usize)>,
}

struct ReadRow {
    seq: i64,
    time: i64,
    level: Level,
    shape: i64,
    /// Where its line ends in the text.
    end: usize,
}

impl Chunk {
    /// Empties it.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.rows.clear();
    }

    /// Whether it has nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether it is time to hand it over.
    pub(super) fn is_full(&self) -> bool {
        self.text.len() >= BYTES
    }

    /// Adds a row of a segment.
    pub(super) fn add(&mut self, lines: &mut Lines<'_>, row: usize) -> Result<(), ParquetError> {
        lines.load(row)?;
        self.text.reserve(if self.rows.is_empty() { FIRST } else { 0 });
        lines.write(row, &mut self.text);
        let end = self.end_line();
        let numbers = lines.shape(row);
        let shape = match self.last {
            Some((last, shape)) if last == numbers => shape,
            _ => self.shape(lines, row),
        };
        self.last = Some((numbers, shape));
        let (seq, time, level, shape) = (lines.seq(row), lines.time(row), lines.level(row), shape as i64);
        self.rows.push(ReadRow { seq, time, level, shape, end });
        Ok(())
    }

    /// Where the line that was written ends.
    fn end_line(&mut self) -> usize {
        self.text.push('\n');
        self.text.len() - 1
    }

    /// The place of a row's shape.
    fn shape(&mut self, lines: &Lines<'_>, row: usize) -> usize {
        let [instance, handler, rule] = [lines.instance(row), lines.handler(row), lines.rule(row)].map(str::to_owned);
        let names = Names { instance, handler, rule, format: lines.format(row) };
        self.shapes.iter().position(|known| *known == names).unwrap_or_else(|| {
            self.shapes.push(names);
            self.shapes.len() - 1
        })
    }

    /// Reads entries of the hot store from `first` to `last` until there is enough; the number to go on with.
    pub(super) fn fill(
        &mut self,
        connection: &Connection,
        plan: &Plan<'_>,
        (first, last): (i64, i64),
    ) -> rusqlite::Result<i64> {
        self.clear();
        let mut next = last + 1;
        each(connection, (first, last), |stored| {
            if plan.accepts(stored) {
                self.text.push_str(&String::from_utf8_lossy(stored.line));
                let Stored { seq, time, level, shape, .. } = *stored;
                let end = self.end_line();
                self.rows.push(ReadRow { seq, time, level, shape, end });
                if self.is_full() {
                    next = seq + 1;
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        })?;
        Ok(next)
    }

    /// Hands the entries over; whether the sink wants more.
    pub(super) fn send(&self, plan: &Plan<'_>, sink: &mut dyn Sink) -> bool {
        // Those of the hot store have the plan's shapes.
        let are_printed_so = !self.shapes.is_empty() && self.shapes.iter().all(|names| names.format == Format::Json);
        if let Some(goes_on) = are_printed_so.then(|| sink.lines(&self.text, self.rows.len())).flatten() {
            return goes_on;
        }
        let mut start = 0;
        for found in &self.rows {
            let line = &self.text[start..found.end];
            start = found.end + 1;
            let (instance, handler, rule, format) =
                match usize::try_from(found.shape).ok().and_then(|at| self.shapes.get(at)) {
                    Some(Names { instance, handler, rule, format }) => {
                        (instance.as_str(), handler.as_str(), rule.as_str(), *format)
                    }
                    None => plan.names(found.shape),
                };
            let row =
                Row { seq: found.seq, time: found.time, level: found.level, instance, handler, rule, format, line };
            if !sink.entry(&row) {
                return false;
            }
        }
        true
    }
}
