//! Calls whose proxy was killed: their intents are in the log, and nothing says what came of them.

use std::collections::{HashMap, HashSet};

use crate::accesslog::{Entry, Error, LogStore, Query, Row, line};
use crate::decision::access::{INSTANCE, INTENT, unfinished};

/// How far back intents are looked for: a call that has lasted longer is not missed.
const PERIOD_MICROS: i64 = 7 * 86_400 * 1_000_000;

/// Records calls of a node's ended processes that have no record, of those that began before a time: of all processes but
/// those that ran a moment ago, so that whatever the others recorded is there. Times are microseconds since 1970.
pub(super) fn close(
    store: &mut LogStore,
    node: &str,
    running: &HashSet<String>,
    before: i64,
    now: i64,
) -> Result<(), Error> {
    let query = Query { since: Some(now - PERIOD_MICROS), ..Query::default() };
    // Of calls that are under way at a time, which are few: an intent comes before its outcome.
    let mut open = HashMap::<String, (i64, String)>::new();
    store.query(&query, &mut |row: &Row<'_>| {
        if row.instance == INTENT && row.time < before {
            let own = field(row.line, "node").filter(|own| own == node);
            let own = own.filter(|_| field(row.line, "process").is_none_or(|process| !running.contains(&process)));
            let id = own.and_then(|_| field(row.line, "decision"));
            open.extend(id.map(|id| (id, (row.time, row.line.to_owned()))));
        } else if row.instance == INSTANCE
            && !open.is_empty()
            && let Some(id) = field(row.line, "decision")
        {
            open.remove(&id);
        }
        true
    })?;
    let mut open: Vec<_> = open.into_values().collect();
    open.sort();
    let records: Vec<Entry> = open.iter().filter_map(|(time, line)| unfinished(*time, line)).collect();
    store.append(&records)
}

fn field(text: &str, name: &str) -> Option<String> {
    let fields = line::fields(text).ok()?;
    fields.into_iter().find(|(field, _)| field == name)?.1.as_str().map(str::to_owned)
}
