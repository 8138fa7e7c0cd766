//! What lies in a segment's file beside its columns: read when it is first asked for.

use std::cell::OnceCell;
use std::os::unix::fs::FileExt;

use parquet::errors::ParquetError;

use super::fences::{self, Fences};
use super::grams::{self, Grams};
use super::read::Reader;
use super::{counts, damaged, groups};
use crate::accesslog::group::Extent;

/// What was read of it, by columns.
#[derive(Default)]
pub(super) struct Beside {
    /// How often values occur; nothing where they were not counted.
    counts: OnceCell<Vec<Option<Vec<u32>>>>,
    /// Filters of what texts have; nothing where there is none.
    grams: OnceCell<Vec<(usize, Option<Grams>)>>,
    /// Between what the texts of parts lie.
    fences: OnceCell<Vec<(usize, Fences)>>,
}

impl Reader {
    /// How often each value of a column's dictionary occurs, where that was counted.
    pub(crate) fn counts(&self, column: usize) -> Option<&[u32]> {
        let all = self.beside.counts.get_or_init(|| self.read_counts().unwrap_or_default());
        all.get(column)?.as_deref()
    }

    fn read_counts(&self) -> Option<Vec<Option<Vec<u32>>>> {
        counts::read(&self.read_beside(counts::KEY)?, self.columns.len())
    }

    /// How far its groups go; nothing where each entry is a step of the chain.
    pub(in crate::accesslog) fn groups(&self) -> Result<Option<Vec<Extent>>, ParquetError> {
        if self.metadata(groups::KEY).is_err() {
            return Ok(None);
        }
        let read = || {
            let has_columns = self.metadata(groups::COLUMNS_KEY).is_ok();
            let columns = if has_columns { Some(self.read_beside(groups::COLUMNS_KEY)?) } else { None };
            groups::read(&self.read_beside(groups::KEY)?, columns.as_deref(), self.rows())
        };
        read().map(Some).ok_or_else(|| damaged("its groups cannot be read"))
    }

    /// Bytes that lie beside the columns, where the metadata say.
    fn read_beside(&self, key: &str) -> Option<Vec<u8>> {
        let place = self.metadata(key).ok()?;
        let (start, length) = place.split_once(' ')?;
        let length = length.parse().ok().filter(|length| *length <= self.rows().saturating_mul(64).max(1 << 16))?;
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, start.parse().ok()?).ok()?;
        Some(bytes)
    }

    /// Whether a text may be part of what lines have of a column, as far as can be told without reading its texts.
    pub(crate) fn may_have(&self, column: usize, text: &[u8]) -> bool {
        let all = self.beside.grams.get_or_init(|| self.read_grams().unwrap_or_default());
        let found = all.iter().find(|(of, _)| *of == column).and_then(|(_, grams)| grams.as_ref());
        found.is_none_or(|grams| grams.may_have(text))
    }

    fn read_grams(&self) -> Option<Vec<(usize, Option<Grams>)>> {
        let read = |place: &str| {
            let (column, place) = place.split_once(':')?;
            let (start, length) = place.split_once(':')?;
            let length = length.parse().ok().filter(|length| *length <= grams::MOST_BYTES)?;
            let mut bytes = vec![0; length];
            self.file.read_exact_at(&mut bytes, start.parse().ok()?).ok()?;
            Some((column.parse().ok()?, Grams::from_bytes(&bytes)))
        };
        self.metadata(grams::KEY).ok()?.split_ascii_whitespace().map(read).collect()
    }

    /// Between what the texts of a dictionary's parts lie, if these are in order.
    pub(crate) fn fences(&self, column: usize) -> Result<Option<&Fences>, ParquetError> {
        let all = self.beside.fences.get_or_init(|| self.read_fences().unwrap_or_default());
        let Some((_, fences)) = all.iter().find(|(of, _)| *of == column) else { return Ok(None) };
        Ok((self.column(column)?.parts() == fences.parts()).then_some(fences))
    }

    fn read_fences(&self) -> Option<Vec<(usize, Fences)>> {
        fences::read(&self.read_beside(fences::KEY)?)
    }
}
