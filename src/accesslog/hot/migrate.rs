//! Entries that an earlier version stored as a row each become packs.

use rusqlite::{Connection, params};

use super::packing::Packing;
use super::shapes;
use crate::accesslog::Level;
use crate::accesslog::chain::{self, Hash, Item, ORIGIN};

/// Whether a store has a table of rows still.
pub(super) fn has_rows(connection: &Connection) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM sqlite_schema WHERE name = 'entry'")?.exists([])
}

/// Puts rows into packs, within a transaction. Where a group was committed a pack ends, with the chain's value of then: what
/// was done to rows stays visible.
pub(super) fn pack_rows(connection: &Connection) -> rusqlite::Result<()> {
    let links: Vec<(i64, Hash)> = {
        let mut statement = connection.prepare("SELECT seq, hash FROM link ORDER BY seq")?;
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?
    };
    let first: Option<i64> = connection.query_row("SELECT min(seq) FROM entry", [], |row| row.get(0))?;
    let start = links.iter().rfind(|(seq, _)| first.is_none_or(|first| *seq < first)).copied();
    // Entries that are older than the chain are chained now, and those behind them anew.
    let is_chained = start.is_some();
    let start = start.unwrap_or_else(|| (first.unwrap_or(1) - 1, ORIGIN));
    move_rows(connection, start, if is_chained { &links } else { &[] })?;
    connection.execute("DELETE FROM link", [])?;
    connection.execute("INSERT INTO link (seq, hash) VALUES (?1, ?2)", params![start.0, start.1])?;
    connection.execute_batch("DROP TABLE entry")
}

fn move_rows(connection: &Connection, start: (i64, Hash), links: &[(i64, Hash)]) -> rusqlite::Result<()> {
    let names = shapes(connection)?;
    let mut statement = connection.prepare("SELECT seq, time, level, shape, line FROM entry ORDER BY seq")?;
    let mut rows = statement.query([])?;
    let (mut packing, mut next, mut value) = (Packing::default(), start.0 + 1, start.1);
    while let Some(row) = rows.next()? {
        let (seq, time, level, shape): (i64, i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        let line = row.get_ref(4)?.as_bytes().unwrap_or_default();
        if packing.is_full(line.len()) || seq != next + packing.len() as i64 {
            packing.insert(connection, next, &value)?;
            next = seq;
        }
        let digest = names.get(&shape).map_or(ORIGIN, |one| one.digest());
        value = chain::entry(&value, &Item { seq, time, level, shape: &digest, line });
        packing.push(time, Level::from_code(level), u32::try_from(shape).unwrap_or_default(), line);
        if let Ok(at) = links.binary_search_by_key(&seq, |(seq, _)| *seq) {
            value = links[at].1;
            next = packing.insert(connection, next, &value)?;
        }
    }
    packing.insert(connection, next, &value).map(drop)
}
