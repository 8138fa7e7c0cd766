//! Entries of a query as a Parquet file of its own, in the form of a segment.

use std::io::Write;

use super::columns::{Columns, Source};
use super::{Limits, Names, write};
use crate::accesslog::{Error, Row};

/// Entries that are to be written as one Parquet file.
#[derive(Default)]
pub struct Export {
    columns: Columns,
    shapes: Vec<Names>,
}

impl std::fmt::Debug for Export {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Export").field("rows", &self.columns.rows()).finish_non_exhaustive()
    }
}

impl Export {
    /// Adds an entry.
    pub fn add(&mut self, row: &Row<'_>) {
        let Row { seq, time, level, instance, handler, rule, format, line } = *row;
        let is_it = |known: &Names| {
            known.instance == instance && known.handler == handler && known.rule == rule && known.format == format
        };
        let shape = self.shapes.iter().rposition(is_it).unwrap_or_else(|| {
            let [instance, handler, rule] = [instance, handler, rule].map(str::to_owned);
            self.shapes.push(Names { instance, handler, rule, format });
            self.shapes.len() - 1
        });
        self.columns.add(&Source { seq, time, level, shape: shape as u32, instance, line });
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.columns.rows() == 0
    }

    /// Whether it has as much as a segment, or texts that take as much memory as there may be.
    pub fn is_full(&self) -> bool {
        self.columns.is_full(&Limits::default())
    }

    /// Writes the file.
    ///
    /// # Errors
    /// [`Error::File`] where it cannot be written.
    pub fn write(self, out: impl Write + Send, path: &std::path::Path) -> Result<(), Error> {
        write::write(out, &self.columns, &self.shapes, Vec::new())
            .map_err(|error| Error::file(path, std::io::Error::other(error)))
    }
}
