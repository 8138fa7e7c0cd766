//! Gathering: the oldest rows of the hot store, behind each other as columns.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::ControlFlow;

use rusqlite::Connection;

use super::Names;
use super::columns::{Columns, Source};
use super::seal::Limits;
use crate::accesslog::chain::{Hash, Item, ORIGIN, Walk};
use crate::accesslog::group::{Bound, Extent};
use crate::accesslog::hot::pack::{OfColumns, Pack, Stored, each_row};
use crate::accesslog::{DAY, hot};

/// What is not sealed yet.
pub(super) struct Oldest {
    pub(super) seq: i64,
    pub(super) time: i64,
    pub(super) rows: i64,
    pub(super) bytes: i64,
}

/// The oldest row, and what there is in all.
pub(super) fn oldest(connection: &Connection) -> rusqlite::Result<Option<Oldest>> {
    let ends =
        "SELECT first, min_time, (SELECT last FROM pack ORDER BY first DESC LIMIT 1) FROM pack ORDER BY first LIMIT 1";
    let mut statement = connection.prepare_cached(ends)?;
    let mut rows = statement.query([])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let (seq, time, last): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let pages = pragma("page_count")? - pragma("freelist_count")?;
    Ok(Some(Oldest { seq, time, rows: last - seq + 1, bytes: pages * pragma("page_size")? }))
}

/// Rows that were taken apart.
pub(super) struct Gathered {
    pub(super) columns: Columns,
    pub(super) shapes: Vec<Names>,
    pub(super) levels: [i64; 3],
    pub(super) before: Hash,
    pub(super) link: Hash,
    pub(super) doubt: String,
}

/// Takes the oldest rows: as many as a segment gets, all of one day but for late ones.
pub(super) fn gather(connection: &Connection, limits: &Limits) -> rusqlite::Result<Option<Gathered>> {
    let Some(oldest) = oldest(connection)? else { return Ok(None) };
    let shapes = Shapes { known: hot::shapes(connection)?, names: Vec::new(), numbers: HashMap::default() };
    let (walk, before) = begin_walk(connection, oldest.seq)?;
    let mut gathering = Gathering { columns: Columns::default(), shapes, day: None, walk, limits };
    each_row(connection, (oldest.seq, i64::MAX), |row, unpacking| {
        Ok(match row.columns() {
            Some(of_columns) => gathering.add_columns(row.first, &of_columns),
            None => gathering.add_lines(&row.unpack(unpacking)),
        })
    })?;
    let Gathering { columns, shapes, walk, .. } = gathering;
    if columns.rows() == 0 {
        return Ok(None);
    }
    let mut levels = [0; 3];
    columns.level.iter().for_each(|level| levels[*level as usize] += 1);
    let doubt = walk.breaches.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let link = walk.here().1;
    Ok(Some(Gathered { columns, shapes: shapes.names, levels, before, link, doubt }))
}

/// What was gathered until now.
struct Gathering<'l> {
    columns: Columns,
    shapes: Shapes,
    /// That of the first entry.
    day: Option<i64>,
    walk: Walk,
    limits: &'l Limits,
}

impl Gathering<'_> {
    /// Adds a group that is stored as columns, without making its lines: its hash tells whether it is as it was.
    fn add_columns(&mut self, first: i64, of_columns: &OfColumns<'_>) -> ControlFlow<()> {
        let OfColumns { contents, columns, hash } = of_columns;
        let entries = columns.len();
        if !self.takes_group(entries) || !self.takes(columns.first_time()) {
            return ControlFlow::Break(());
        }
        let (numbers, shapes): (Vec<u32>, Vec<Hash>) = columns.shapes.iter().map(|id| self.shapes.of(*id)).unzip();
        self.columns.append(columns, first, &numbers);
        self.columns.groups.push(Extent { entries: entries as u32, columns: Some(*hash) });
        self.walk.pass_bound(&Bound { first, entries, shapes: &shapes, contents, columns: hash });
        ControlFlow::Continue(())
    }

    /// Adds entries that are stored as lines.
    fn add_lines(&mut self, pack: &Pack<'_>) -> ControlFlow<()> {
        let is_group = pack.is_group();
        if is_group && !self.takes_group(pack.len()) || !is_group && !self.columns.groups.is_empty() {
            return ControlFlow::Break(());
        }
        for (place, stored) in pack.entries().enumerate() {
            let Stored { seq, time, level, shape, line } = stored;
            if (place == 0 || !is_group) && !self.takes(time) {
                return ControlFlow::Break(());
            }
            let (number, digest) = self.shapes.of(shape);
            if !is_group {
                self.walk.pass(&Item { seq, time, level: level.code(), shape: &digest, line });
            }
            let instance = self.shapes.names[number as usize].instance.as_str();
            // Checking is quicker than replacing what is no UTF-8, of which there is none.
            let line = std::str::from_utf8(line).map_or_else(|_| String::from_utf8_lossy(line), Cow::Borrowed);
            self.columns.add(&Source { seq, time, level, shape: number, instance, line: &line });
        }
        if is_group && pack.len() > 0 {
            pack.pass(&mut self.walk, |id| self.shapes.of(id).1, |_| ());
            self.columns.groups.push(Extent { entries: pack.len() as u32, columns: None });
        }
        ControlFlow::Continue(())
    }

    /// Whether a group of so many entries has room. It stays together, and a segment has either groups or none.
    fn takes_group(&self, entries: usize) -> bool {
        let rows = self.columns.rows();
        rows == 0 || !self.columns.groups.is_empty() && entries <= self.limits.rows.saturating_sub(rows)
    }

    /// Whether an entry may come next, or a group that begins with it. Late entries stay with those that were stored beside
    /// them; a later day begins another segment.
    fn takes(&mut self, time: i64) -> bool {
        let day = time.div_euclid(DAY);
        !self.columns.is_full(self.limits) && *self.day.get_or_insert(day) >= day
    }
}

/// The shapes of rows, numbered in the order in which they come.
struct Shapes {
    /// By their ids.
    known: HashMap<i64, Names>,
    names: Vec<Names>,
    numbers: HashMap<i64, (u32, Hash), foldhash::fast::RandomState>,
}

impl Shapes {
    /// The number of a shape, and what the chain has for it.
    fn of(&mut self, id: i64) -> (u32, Hash) {
        *self.numbers.entry(id).or_insert_with(|| {
            let names = self.known.get(&id).cloned().unwrap_or_else(Names::missing);
            let digest = names.digest();
            self.names.push(names);
            (self.names.len() as u32 - 1, digest)
        })
    }
}

/// The committed values of the chain from before an entry on, and the first of them.
pub(in crate::accesslog) fn begin_walk(connection: &Connection, seq: i64) -> rusqlite::Result<(Walk, Hash)> {
    let links = "SELECT seq, hash FROM link WHERE seq < ?1 UNION ALL SELECT last, hash FROM pack ORDER BY 1";
    let mut statement = connection.prepare_cached(links)?;
    let links = statement.query_map([seq], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let links: Vec<(i64, Hash)> = links.collect::<rusqlite::Result<_>>()?;
    let before = links.first().map_or(ORIGIN, |(_, hash)| *hash);
    Ok((Walk::new(links), before))
}
