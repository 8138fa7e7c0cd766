//! Entries that were found and not yet handed over.

use parquet::errors::ParquetError;
use rusqlite::Statement;
use rusqlite::types::ValueRef;

use super::plan::{Hot, Plan};
use super::{Row, Sink};
use crate::accesslog::Level;
use crate::accesslog::segment::{Lines, Names};

/// A chunk is full when it has this many bytes of lines.
const BYTES: usize = 1 << 20;

/// Entries that were found and not yet handed over.
#[derive(Default)]
pub(super) struct Chunk {
    /// Their lines, one after the other.
    text: String,
    rows: Vec<ReadRow>,
    /// The shapes of entries of a segment; those of the hot store's rows are the plan's.
    shapes: Vec<Names>,
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
        lines.write(row, &mut self.text);
        let names = (lines.instance(row), lines.handler(row), lines.rule(row), lines.format(row));
        let is_it = |known: &Names| {
            (known.instance.as_str(), known.handler.as_str(), known.rule.as_str(), known.format) == names
        };
        // Mostly the one of the row before.
        let before = self.rows.last().map(|row| row.shape as usize).filter(|shape| is_it(&self.shapes[*shape]));
        let shape = before.or_else(|| self.shapes.iter().position(is_it)).unwrap_or_else(|| {
            let (instance, handler, rule, format) = names;
            let names = [instance, handler, rule].map(str::to_owned);
            let [instance, handler, rule] = names;
            self.shapes.push(Names { instance, handler, rule, format });
            self.shapes.len() - 1
        });
        let (seq, time, level, shape) = (lines.seq(row), lines.time(row), lines.level(row), shape as i64);
        self.rows.push(ReadRow { seq, time, level, shape, end: self.text.len() });
        Ok(())
    }

    /// Reads rows from `first` to `last` until there is enough; the number to go on with.
    pub(super) fn fill(
        &mut self,
        statement: &mut Statement<'_>,
        plan: &Plan<'_>,
        first: i64,
        last: i64,
    ) -> rusqlite::Result<i64> {
        self.clear();
        let mut rows = statement.query([first, last])?;
        while let Some(row) = rows.next()? {
            let (time, level) = (row.get(1)?, Level::from_code(row.get(2)?));
            let (shape, line) = (row.get(3)?, text(row.get_ref(4)?));
            if !plan.accepts(&Hot { time, level, shape, line }) {
                continue;
            }
            self.text.push_str(&String::from_utf8_lossy(line));
            let seq = row.get(0)?;
            self.rows.push(ReadRow { seq, time, level, shape, end: self.text.len() });
            if self.is_full() {
                return Ok(seq + 1);
            }
        }
        Ok(last + 1)
    }

    /// Hands the entries over; whether the sink wants more.
    pub(super) fn send(&self, plan: &Plan<'_>, sink: &mut dyn Sink) -> bool {
        let mut start = 0;
        for found in &self.rows {
            let line = &self.text[start..found.end];
            start = found.end;
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

/// The bytes of a text column; the schema allows nothing else there.
pub(super) fn text(value: ValueRef<'_>) -> &[u8] {
    value.as_bytes().unwrap_or_default()
}
