//! What the tests of this module share.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Entry, Format, Level, LogStore, Outlet, Query, Row, Shape, line};
use crate::state::StateDir;

/// The microsecond of the scenario's first entry.
pub(crate) const START: i64 = 1_529_328_178_317_448;

/// The scenario's four lines.
pub(crate) const SCENARIO: [&str; 4] = [
    r#"{"level":"info","time":"2018-06-18T13:22:58.317448Z","instance":"egress-access.logentry.istio-system","destination":"edition.cnn.com","path":"/politics","responseCode":200,"responseSize":150448,"source":"sleep","user":"unknown"}"#,
    r#"{"level":"error","time":"2018-06-18T13:22:58.317448Z","instance":"egress-access.logentry.istio-system","destination":"edition.cnn.com","path":"/politics","responseCode":200,"responseSize":150448,"source":"sleep","user":"unknown"}"#,
    r#"{"level":"info","time":"2018-06-18T13:22:59.234426Z","instance":"egress-access.logentry.istio-system","destination":"edition.cnn.com","path":"/sport","responseCode":200,"responseSize":358651,"source":"sleep","user":"unknown"}"#,
    r#"{"level":"info","time":"2018-06-18T13:22:59.354943Z","instance":"egress-access.logentry.istio-system","destination":"edition.cnn.com","path":"/health","responseCode":200,"responseSize":332218,"source":"sleep","user":"unknown"}"#,
];

/// A directory that goes away with the first value, and a path for a store in it.
pub(crate) fn place() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = StateDir::open(directory.path().join("state")).unwrap().hot_db();
    (directory, path)
}

pub(crate) fn shape(name: &str, format: Format, outlet: Outlet) -> Arc<Shape> {
    Arc::new(Shape {
        instance: format!("{name}.logentry.istio-system"),
        handler: format!("{name}-handler.stdio.istio-system"),
        rule: format!("report-{name}.rule.istio-system"),
        format,
        outlet,
    })
}

/// An entry with one variable.
pub(crate) fn entry(shape: &Arc<Shape>, time: i64, level: Level, path: &str) -> Entry {
    let mut text = String::new();
    line::begin(&mut text, level, time, &shape.instance);
    line::name(&mut text, "path");
    line::string(&mut text, path);
    line::end(&mut text);
    Entry { time, level, shape: Arc::clone(shape), line: text }
}

/// Plain entries whose paths are the given numbers.
pub(crate) fn numbered(numbers: std::ops::Range<usize>) -> Vec<Entry> {
    let shape = shape("egress-access", Format::Json, Outlet::Stdout);
    numbers.map(|n| entry(&shape, START + n as i64, Level::Info, &format!("/{n}"))).collect()
}

/// The lines that a query prints.
pub(crate) fn ask(store: &LogStore, query: &Query) -> Vec<String> {
    let mut lines = Vec::new();
    store
        .query(query, &mut |row: &Row<'_>| {
            lines.push(row.printed().into_owned());
            true
        })
        .unwrap();
    lines
}

pub(crate) fn lines(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(|entry| line::printed(&entry.line, entry.shape.format).into_owned()).collect()
}
