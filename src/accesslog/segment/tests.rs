use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;

use super::read::Reader;
use crate::accesslog::testing::{SCENARIO, START, ask, entry, lines, numbered, shape};
use crate::accesslog::{
    Entry, Error, Format, Level, LevelFilter, Limits, LogStore, Outlet, Query, Retention, Row, Sealed, Sealer, Stream,
    Verified, Verifier, line,
};
use crate::state::StateDir;

mod damage;
mod packs;
mod pruning;
mod sealing;

struct Place {
    _directory: tempfile::TempDir,
    state: StateDir,
    store: LogStore,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(directory.path().join("state")).unwrap();
        let store = LogStore::open(state.hot_db()).unwrap();
        Self { _directory: directory, state, store }
    }

    /// Entries that were committed one by one, so that a segment can end behind each.
    fn with(entries: &[Entry]) -> Self {
        let mut place = Self::new();
        entries.chunks(1).for_each(|one| place.store.append(one).unwrap());
        place
    }

    fn seal(&self, rows: usize) -> Sealed {
        let limits = Limits { rows, ..Limits::default() };
        Sealer::open(&self.state, Stream::Lines, limits).unwrap().seal_all(START).unwrap()
    }

    fn verify(&self) -> Verified {
        Verifier::open(&self.state, Stream::Lines).unwrap().verify(None).unwrap()
    }

    fn files(&self) -> Vec<PathBuf> {
        super::seal::files(&self.state.segments()).into_iter().map(|(path, _)| path).collect()
    }

    fn findings(&self) -> Vec<String> {
        let found = self.verify().findings;
        found.iter().map(|finding| format!("{}: {}", finding.place, finding.problem)).collect()
    }

    fn all(&self) -> Vec<String> {
        ask(&self.store, &Query::default())
    }
}

/// Lines of every sort that handlers make, and some that they do not.
fn wild() -> Vec<Entry> {
    let (json, text) =
        (shape("egress-access", Format::Json, Outlet::Stdout), shape("b.c", Format::Text, Outlet::Stderr));
    let with = |shape: &Arc<crate::accesslog::Shape>, level, rest: &str| {
        let mut line = String::new();
        line::begin(&mut line, level, START, &shape.instance);
        line.push_str(rest);
        line.push('}');
        Entry { line, ..entry(shape, START, level, "") }
    };
    let rests = [
        "",
        r#","path":"/politics","responseCode":200,"responseSize":150448"#,
        r#","path":"/\"quoted\"\\","responseCode":-5"#,
        ",\"path\":\"/\u{fc}\u{2603}\",\"ok\":true,\"ok2\":false",
        r#","path":7,"ratio":0.1,"big":12345678901234567890,"exp":1e3"#,
        r#","path":"/\u001b[2J","values":{"a":"}\"","b":"x,y"},"list":[1,"]"]"#,
        r#","responseCode":200,"path":"/other-order""#,
        r#","path":"/twice","path":"/again""#,
        r#","path":"/\u0041-needless-escape""#,
        r#","path":"/","PATH":"/","seq":1,"level":"x","rule":"r","_line":"l","":"empty name""#,
        r#", "blank":"before the name""#,
        r#","unfinished":{"a":"b""#,
        r#","nothing":null,"path":"""#,
    ];
    let mut entries: Vec<_> = rests.iter().map(|rest| with(&json, Level::Info, rest)).collect();
    entries.extend(rests.iter().map(|rest| with(&text, Level::Error, rest)));
    entries.push(Entry { line: "no object at all".to_owned(), ..entry(&json, START, Level::Warning, "") });
    entries.push(Entry { line: SCENARIO[1].to_owned(), ..entry(&json, START + 7, Level::Error, "") });
    entries.push(entry(&json, START + 1, Level::Info, &"long ".repeat(16_000)));
    entries
}
