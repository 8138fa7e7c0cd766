//! What columns that are being made take of memory.

use super::columns::{Columns, Values};

/// Bytes of different texts that columns may have: writing them takes several times as much memory.
const MOST: usize = 32 << 20;

/// Lines of so many bytes are added between two looks.
const LOOK: usize = 1 << 20;

/// The texts of columns as lines are added to them: looked at now and then, because there may be many columns.
#[derive(Debug, Default)]
pub(super) struct Weight {
    since: usize,
    texts: usize,
}

impl Weight {
    /// Notes that a line of so many bytes was added.
    pub(super) fn add(&mut self, columns: &Columns, bytes: usize) {
        self.since += bytes;
        if self.since < LOOK {
            return;
        }
        self.since = 0;
        let whole = columns.verbatim.iter().map(|(_, line)| line.len());
        let of_variables = columns.variables.iter().map(|variable| match &variable.values {
            Values::Texts(texts, _) => texts.all().len(),
            _ => 0,
        });
        self.texts = whole.chain(of_variables).sum();
    }

    /// Whether there are as many texts as there may be.
    pub(super) fn is_full(&self) -> bool {
        self.texts >= MOST
    }
}
