//! Entries that become a segment without ever having been rows: so a large import costs no more than writing its files.

use std::collections::HashMap;
use std::fs::File;

use rusqlite::Transaction;

use super::columns::{Columns, Source};
use super::gather::Gathered;
use super::seal::Sealer;
use super::{Limits, Names};
use crate::accesslog::chain::{self, Hash, Item};
use crate::accesslog::import::Found;
use crate::accesslog::{DAY, Error, Format, hot};
use crate::state::begin_immediate;

/// A segment in the making. Nobody else seals or stores entries until it is finished or dropped; dropped, it was never there.
pub(in crate::accesslog) struct Direct<'s> {
    sealer: &'s Sealer,
    transaction: Transaction<'s>,
    _lock: File,
    handler: &'static str,
    columns: Columns,
    shapes: Vec<Names>,
    digests: Vec<Hash>,
    numbers: HashMap<(String, Format), usize>,
    levels: [i64; 3],
    day: i64,
    next: i64,
    before: Hash,
    link: Hash,
}

impl Sealer {
    /// Begins a segment behind all that is sealed; nothing if somebody else seals, or there are rows, which come first.
    pub(in crate::accesslog) fn direct(&self, handler: &'static str) -> Result<Option<Direct<'_>>, Error> {
        let Some(lock) = self.lock()? else { return Ok(None) };
        self.remove_leftovers()?;
        // On the disk before the first file: see the column.
        self.store.sql(|| self.store.connection.execute("UPDATE sequence SET used = 1 WHERE used = 0", []))?;
        let transaction = begin_immediate(&self.store.connection, self.store.path())?;
        let has_rows = "SELECT EXISTS (SELECT 1 FROM pack)";
        if self.store.sql(|| transaction.query_row(has_rows, [], |row| row.get(0)))? {
            return Ok(None);
        }
        let (next, link) = (self.store.newest()? + 1, self.store.sql(|| hot::link(&transaction))?);
        Ok(Some(Direct {
            sealer: self,
            transaction,
            _lock: lock,
            handler,
            columns: Columns::default(),
            shapes: Vec::new(),
            digests: Vec::new(),
            numbers: HashMap::new(),
            levels: [0; 3],
            day: i64::MAX,
            next,
            before: link,
            link,
        }))
    }
}

impl Direct<'_> {
    /// Takes an entry; `false` if it belongs into another segment.
    pub(in crate::accesslog) fn push(&mut self, found: &Found<'_>) -> bool {
        let day = found.time.div_euclid(DAY);
        if self.columns.is_full(&Limits::default()) || day > self.day {
            return false;
        }
        if self.columns.rows() == 0 {
            self.day = day;
        }
        let shape = self.shape(found);
        let (seq, time, level) = (self.next, found.time, found.level);
        let line = found.line.as_bytes();
        let item = Item { seq, time, level: level.code(), shape: &self.digests[shape], line };
        self.link = chain::entry(&self.link, &item);
        let instance = &*found.instance;
        self.columns.add(&Source { seq, time, level, shape: shape as u32, instance, line: &found.line });
        self.levels[level as usize] += 1;
        self.next += 1;
        true
    }

    fn shape(&mut self, found: &Found<'_>) -> usize {
        // Of one line after the other the instance is mostly the same.
        let last = self.shapes.len().wrapping_sub(1);
        let is_last = |names: &Names| names.instance == found.instance && names.format == found.format;
        if self.shapes.last().is_some_and(is_last) {
            return last;
        }
        *self.numbers.entry((found.instance.clone().into_owned(), found.format)).or_insert_with(|| {
            let (instance, handler) = (found.instance.clone().into_owned(), self.handler.to_owned());
            let names = Names { instance, handler, rule: String::new(), format: found.format };
            self.digests.push(chain::shape(&names.instance, &names.handler, "", names.format));
            self.shapes.push(names);
            self.shapes.len() - 1
        })
    }

    /// Writes the segment's file, and goes no further.
    #[cfg(test)]
    pub(in crate::accesslog) fn abandon_written(self) {
        let Self { sealer, columns, shapes, levels, before, link, .. } = self;
        let gathered = Gathered { columns, shapes, levels, before, link, doubt: String::new() };
        sealer.write(&gathered, 0).unwrap();
    }

    /// Writes the segment and lists it.
    pub(in crate::accesslog) fn finish(self, now: i64) -> Result<(), Error> {
        if self.columns.rows() == 0 {
            return Ok(());
        }
        let Self { sealer, transaction, columns, shapes, levels, before, link, next, .. } = self;
        let gathered = Gathered { columns, shapes, levels, before, link, doubt: String::new() };
        let segment = sealer.write(&gathered, now)?;
        sealer.store.sql(|| {
            segment.insert(&transaction)?;
            transaction.execute("UPDATE sequence SET next = ?1", [next])?;
            hot::set_start(&transaction, segment.last, &link)?;
            transaction.commit()
        })
    }
}
