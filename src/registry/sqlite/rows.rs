//! Rows of the registry's tables: reading, writing, and the SQL for it.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, ToSql, params};
use serde::de::DeserializeOwned;

use crate::resource::{Key, Kind, Meta, Origin, Resource};
use crate::state;

use super::super::transaction::Rows;
use super::super::{Change, Changes, HISTORY_REVISIONS, ListQuery, Requirement, Result, Revision, Selector, find_kind};

const REVISION: &str = "SELECT value FROM counter WHERE name = 'revision'";
const SET_REVISION: &str = "UPDATE counter SET value = ?1 WHERE name = 'revision'";

/// The columns that [`Table::decode`] takes, in its order.
const COLUMNS: &str = "r.namespace, r.name, r.version, r.uid, r.revision, r.generation, r.created, r.meta, r.body, \
                       r.origin_file, r.origin_line";

const INSERT: &str = "INSERT INTO resource (api_group, kind, namespace, name, version, uid, revision, generation, \
                      created, meta, body, origin_file, origin_line) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) RETURNING id";
const UPDATE: &str = "UPDATE resource SET version = ?5, uid = ?6, revision = ?7, generation = ?8, created = ?9, \
                      meta = ?10, body = ?11, origin_file = ?12, origin_line = ?13 \
                      WHERE api_group = ?1 AND kind = ?2 AND namespace = ?3 AND name = ?4 RETURNING id";
const DELETE: &str = "DELETE FROM resource WHERE api_group = ?1 AND kind = ?2 AND namespace = ?3 AND name = ?4";
const DELETE_CONTENTS: &str = "DELETE FROM resource WHERE namespace = ?1";

const INSERT_LABEL: &str = "INSERT INTO label (api_group, kind, key, value, resource) VALUES (?1, ?2, ?3, ?4, ?5)";
const DELETE_LABELS: &str = "DELETE FROM label WHERE resource = ?1";

// A resource can change twice in one commit.
const INSERT_CHANGE: &str = "INSERT OR IGNORE INTO change (revision, api_group, kind, namespace, name) \
                             VALUES (?1, ?2, ?3, ?4, ?5)";
const INSERT_CONTENT_CHANGES: &str = "INSERT OR IGNORE INTO change (revision, api_group, kind, namespace, name) \
                                      SELECT ?1, api_group, kind, namespace, name FROM resource WHERE namespace = ?2";
const FORGET_CHANGES: &str = "DELETE FROM change WHERE revision <= ?1";
const OLDEST_CHANGE: &str = "SELECT min(revision) FROM change";
const CHANGES: &str = "SELECT revision, api_group, kind, namespace, name FROM change WHERE revision > ?1 \
                       ORDER BY revision, api_group, kind, namespace, name";

/// The statement that reads one resource by its key.
pub(super) fn get_sql() -> String {
    format!(
        "SELECT {COLUMNS} FROM resource AS r \
         WHERE r.api_group = ?1 AND r.kind = ?2 AND r.namespace = ?3 AND r.name = ?4"
    )
}

/// The statement that lists a kind; `?1` group, `?2` kind, then `?3` namespace, `?4` label key and `?5` JSON list of
/// label values, as far as they are asked for.
///
/// The label index comes first in the join, and CROSS JOIN keeps it there: SQLite has no statistics that would tell
/// it that few resources carry a label.
pub(super) fn list_sql(in_namespace: bool, label: Option<&LabelProbe<'_>>) -> String {
    let mut sql = format!("SELECT {COLUMNS} FROM ");
    sql += match label {
        Some(_) => "label AS l CROSS JOIN resource AS r ON r.id = l.resource WHERE l.api_group = ?1 AND l.kind = ?2",
        None => "resource AS r WHERE r.api_group = ?1 AND r.kind = ?2",
    };
    if in_namespace {
        sql += " AND r.namespace = ?3";
    }
    if let Some(probe) = label {
        sql += " AND l.key = ?4";
        sql += if probe.values.is_some() { " AND l.value IN (SELECT value FROM json_each(?5))" } else { "" };
    }
    sql + " ORDER BY r.namespace, r.name"
}

/// The requirement of a selector that the label index answers; the others are checked on what it finds.
pub(super) struct LabelProbe<'a> {
    key: &'a str,
    /// A JSON list; `None` for any value.
    values: Option<String>,
}

impl<'a> LabelProbe<'a> {
    pub(super) fn of(selector: &'a Selector) -> Option<Self> {
        selector.0.iter().find_map(|requirement| match requirement {
            Requirement::In(key, values) => {
                Some(Self { key, values: Some(serde_json::Value::from(values.clone()).to_string()) })
            }
            Requirement::Exists(key) => Some(Self { key, values: None }),
            Requirement::NotIn(..) | Requirement::Absent(_) => None,
        })
    }
}

/// Reading through a connection.
#[derive(Clone, Copy)]
pub(in super::super) struct Table<'c> {
    pub(in super::super) connection: &'c Connection,
    pub(in super::super) path: &'c Path,
}

impl<'c> Table<'c> {
    fn sql<T>(&self, result: rusqlite::Result<T>) -> Result<T> {
        Ok(result.map_err(|error| state::Error::sqlite(self.path, error))?)
    }

    fn prepare(&self, sql: &str) -> Result<CachedStatement<'c>> {
        self.sql(self.connection.prepare_cached(sql))
    }

    fn execute(&self, sql: &str, params: &[&dyn ToSql]) -> Result<usize> {
        self.sql(self.prepare(sql)?.execute(params))
    }

    /// The newest revision.
    pub(in super::super) fn revision(&self) -> Result<Revision> {
        let value: i64 = self.sql(self.prepare(REVISION)?.query_row([], |row| row.get(0)))?;
        Ok(Revision(value.unsigned_abs()))
    }

    pub(super) fn get(&self, key: &Key) -> Result<Option<Resource>> {
        let mut statement = self.prepare(&get_sql())?;
        let mut rows = self.sql(statement.query(params![key.kind.group, key.kind.name, namespace(key), key.name]))?;
        self.sql(rows.next())?
            .map(|row| self.decode(key.kind, &Selector::default(), row))
            .transpose()
            .map(Option::flatten)
    }

    pub(super) fn visit(&self, query: &ListQuery, visit: &mut dyn FnMut(Resource)) -> Result<()> {
        let probe = LabelProbe::of(&query.selector);
        let mut statement = self.prepare(&list_sql(query.namespace.is_some(), probe.as_ref()))?;
        self.sql(bind(&mut statement, query, probe.as_ref()))?;
        let mut rows = statement.raw_query();
        while let Some(row) = self.sql(rows.next())? {
            self.decode(query.kind, &query.selector, row)?.into_iter().for_each(&mut *visit);
        }
        Ok(())
    }

    /// The resource of a row, unless its labels do not fit; they are read first because a body can be long.
    fn decode(&self, kind: &'static Kind, selector: &Selector, row: &Row<'_>) -> Result<Option<Resource>> {
        let stored = self.sql(StoredMeta::read(row))?;
        let meta = stored.into_meta(kind, |name, text| self.parse(kind, name, text))?;
        if !selector.matches(&meta.labels) {
            return Ok(None);
        }
        let body = self.parse(kind, &meta.name, self.sql(row.get_ref(8).and_then(|text| Ok(text.as_str()?)))?)?;
        let version = self.sql(row.get(2))?;
        Ok(Some(Resource { kind, version, meta, body, origin: self.sql(read_origin(row))? }))
    }

    fn parse<T: DeserializeOwned>(&self, kind: &Kind, name: &str, json: &str) -> Result<T> {
        let damaged = |error| state::Error::Corrupt {
            path: self.path.to_owned(),
            detail: format!("{}/{name} cannot be read: {error}", kind.qualified_singular()),
        };
        Ok(serde_json::from_str(json).map_err(damaged)?)
    }

    /// What changed after a revision. Resources of kinds that are not in the table, which a newer binary stored, are
    /// left out.
    pub(super) fn changes(&self, since: Revision, kinds: &'static [&'static Kind]) -> Result<Changes> {
        let newest = self.revision()?;
        let oldest: Option<i64> =
            self.sql(self.prepare(OLDEST_CHANGE)?.query_row([], |row| row.get(0)).optional())?.flatten();
        let forgotten = oldest.map_or(newest.0, |oldest| oldest.unsigned_abs().saturating_sub(1));
        // A revision that is yet to come was given out by another registry.
        if since < Revision(forgotten) || since > newest {
            return Ok(Changes::Relist(newest));
        }
        let mut statement = self.prepare(CHANGES)?;
        let rows = self.sql(statement.query_map([to_sql(since)], |row| read_change(row, kinds)))?;
        let known = rows.filter_map(|change| self.sql(change).transpose());
        Ok(Changes::Since(known.collect::<Result<_>>()?, newest))
    }
}

/// Binds the parameters of [`list_sql`] that are in use.
fn bind(
    statement: &mut CachedStatement<'_>,
    query: &ListQuery,
    probe: Option<&LabelProbe<'_>>,
) -> rusqlite::Result<()> {
    statement.raw_bind_parameter(1, query.kind.group)?;
    statement.raw_bind_parameter(2, query.kind.name)?;
    if let Some(namespace) = &query.namespace {
        statement.raw_bind_parameter(3, namespace)?;
    }
    if let Some(probe) = probe {
        statement.raw_bind_parameter(4, probe.key)?;
        if let Some(values) = &probe.values {
            statement.raw_bind_parameter(5, values)?;
        }
    }
    Ok(())
}

/// The metadata columns of a row.
struct StoredMeta<'r> {
    namespace: String,
    name: String,
    uid: String,
    revision: i64,
    generation: Option<i64>,
    created: String,
    written: &'r str,
}

impl<'r> StoredMeta<'r> {
    fn read(row: &'r Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            namespace: row.get(0)?,
            name: row.get(1)?,
            uid: row.get(3)?,
            revision: row.get(4)?,
            generation: row.get(5)?,
            created: row.get(6)?,
            written: row.get_ref(7)?.as_str()?,
        })
    }

    fn into_meta(self, kind: &Kind, parse: impl Fn(&str, &str) -> Result<Meta>) -> Result<Meta> {
        let written = parse(&self.name, self.written)?;
        Ok(Meta {
            namespace: kind.namespaced.then_some(self.namespace),
            name: self.name,
            uid: Some(self.uid),
            resource_version: Some(self.revision.to_string()),
            generation: self.generation,
            creation_timestamp: Some(self.created),
            ..written
        })
    }
}

/// The metadata without what has a column of its own.
fn written_meta(meta: &Meta) -> String {
    let written = Meta {
        name: String::new(),
        namespace: None,
        uid: None,
        resource_version: None,
        generation: None,
        creation_timestamp: None,
        ..meta.clone()
    };
    serde_json::to_string(&written).expect("metadata is maps of strings, which always serialize")
}

fn read_origin(row: &Row<'_>) -> rusqlite::Result<Option<Origin>> {
    let (file, line): (Option<Arc<str>>, Option<i64>) = (row.get(9)?, row.get(10)?);
    let line = line.and_then(|line| usize::try_from(line).ok());
    Ok(file.zip(line).map(|(file, line)| Origin { file, line }))
}

/// `None` for a kind that is not in the table.
fn read_change(row: &Row<'_>, kinds: &'static [&'static Kind]) -> rusqlite::Result<Option<Change>> {
    let Some(kind) = find_kind(kinds, row.get_ref(1)?.as_str()?, row.get_ref(2)?.as_str()?) else { return Ok(None) };
    let revision = Revision(row.get::<_, i64>(0)?.unsigned_abs());
    Ok(Some(Change { revision, key: Key::new(kind, row.get_ref(3)?.as_str()?, row.get_ref(4)?.as_str()?) }))
}

fn namespace(key: &Key) -> &str {
    key.namespace.as_deref().unwrap_or_default()
}

/// SQLite's integers are signed; a commit a microsecond would take 290,000 years to leave their range.
fn to_sql(revision: Revision) -> i64 {
    i64::try_from(revision.0).unwrap_or(i64::MAX)
}

/// Writing one transaction.
pub(super) struct Writer<'c> {
    pub(super) table: Table<'c>,
    /// The revision that the transaction will have.
    pub(super) revision: Revision,
}

impl Writer<'_> {
    /// Sets the new revision and forgets the oldest history.
    pub(super) fn finish(&self) -> Result<()> {
        self.table.execute(SET_REVISION, params![to_sql(self.revision)])?;
        let forgotten = Revision(self.revision.0.saturating_sub(HISTORY_REVISIONS));
        self.table.execute(FORGET_CHANGES, params![to_sql(forgotten)])?;
        Ok(())
    }

    fn write(&self, sql: &str, resource: &Resource) -> Result<()> {
        let (key, meta) = (resource.key(), &resource.meta);
        let body = serde_json::to_string(&resource.body).expect("a JSON tree always serializes");
        let origin = resource.origin.as_ref();
        let params = params![
            key.kind.group,
            key.kind.name,
            namespace(&key),
            key.name,
            resource.version,
            meta.uid,
            to_sql(self.revision),
            meta.generation,
            meta.creation_timestamp,
            written_meta(meta),
            body,
            origin.map(|origin| &*origin.file),
            origin.map(|origin| i64::try_from(origin.line).unwrap_or(i64::MAX)),
        ];
        let id = self.table.sql(self.table.prepare(sql)?.query_row(params, |row| row.get(0)))?;
        self.write_labels(id, resource)?;
        self.record(&key)
    }

    fn write_labels(&self, id: i64, resource: &Resource) -> Result<()> {
        self.table.execute(DELETE_LABELS, params![id])?;
        for (key, value) in &resource.meta.labels {
            self.table.execute(INSERT_LABEL, params![resource.kind.group, resource.kind.name, key, value, id])?;
        }
        Ok(())
    }

    fn record(&self, key: &Key) -> Result<()> {
        let params = params![to_sql(self.revision), key.kind.group, key.kind.name, namespace(key), key.name];
        self.table.execute(INSERT_CHANGE, params).map(drop)
    }
}

impl Rows for Writer<'_> {
    fn find(&self, key: &Key) -> Result<Option<Resource>> {
        self.table.get(key)
    }

    fn insert(&mut self, resource: &Resource) -> Result<()> {
        self.write(INSERT, resource)
    }

    fn update(&mut self, resource: &Resource) -> Result<()> {
        self.write(UPDATE, resource)
    }

    fn remove(&mut self, key: &Key) -> Result<()> {
        self.table.execute(DELETE, params![key.kind.group, key.kind.name, namespace(key), key.name])?;
        self.record(key)
    }

    fn remove_contents(&mut self, namespace: &str) -> Result<()> {
        self.table.execute(INSERT_CONTENT_CHANGES, params![to_sql(self.revision), namespace])?;
        self.table.execute(DELETE_CONTENTS, params![namespace]).map(drop)
    }
}
