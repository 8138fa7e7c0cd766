//! A hot store that is damaged is put aside, and a new one begun that lists the segments again from their own files.
//!
//! What was not sealed is in the damaged file alone; the rest of the log is served, and new entries are recorded.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rusqlite::{Connection, params};

use super::chain;
use super::head::SigningKey;
use super::segment::seal::{files, lock_file};
use super::segment::{Place, Segment};
use super::{Error, LogStore};
use crate::state;

/// Opens a store. One that is damaged is put aside first; one that is new, where segments are, lists them.
pub(super) fn open(path: PathBuf) -> Result<LogStore, Error> {
    match LogStore::open_undamaged(path.clone()) {
        Err(Error::Store(state::Error::Corrupt { .. })) => renew(path),
        Ok(store) if is_new_among_segments(&store)? => renew(path),
        opened => opened,
    }
}

/// Whether a store has never held anything, though segments lie beside it: its file was lost. It may not begin to count
/// entries from 1 again.
fn is_new_among_segments(store: &LogStore) -> Result<bool, Error> {
    let is_new =
        "SELECT next = 1 AND used = 0 AND NOT EXISTS (SELECT 1 FROM segment) AND NOT EXISTS (SELECT 1 FROM quarantine)
         FROM sequence";
    let is_new = store.sql(|| store.connection.query_row(is_new, [], |row| row.get::<_, bool>(0)))?;
    Ok(is_new && files(&store.segments).iter().any(|(file, _)| is_finished(file)))
}

fn is_finished(file: &Path) -> bool {
    file.extension().is_some_and(|end| end == "parquet")
}

fn renew(path: PathBuf) -> Result<LogStore, Error> {
    let segments = path.with_file_name("segments");
    fs::create_dir_all(&segments).map_err(|source| Error::file(&segments, source))?;
    let lock = lock_file(&segments)?;
    lock.lock().map_err(|source| Error::file(&segments, source))?;
    // Somebody else may have done it meanwhile.
    let detail = match LogStore::open_undamaged(path.clone()) {
        Err(Error::Store(state::Error::Corrupt { detail, .. })) => detail,
        Ok(store) if is_new_among_segments(&store)? => "it was missing".to_owned(),
        opened => return opened,
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_micros();
    let aside = with_suffix(&path, &format!(".damaged-{now}"));
    let fresh = with_suffix(&path, ".new");
    for suffix in ["", "-wal", "-shm"] {
        remove(&with_suffix(&fresh, suffix))?;
    }
    let store = LogStore::open_undamaged(fresh.clone())?;
    let (list, now) = (adopted(&path, &segments)?, i64::try_from(now).unwrap_or(i64::MAX));
    let name = aside.file_name().unwrap_or_default().to_string_lossy().into_owned();
    store.sql(|| fill(&store.connection, &list, (now, &name, &detail)))?;
    drop(store);
    // The log of a damaged file may not be taken for the new one's, so it goes first.
    for suffix in ["-wal", "-shm"] {
        rename(&with_suffix(&path, suffix), &with_suffix(&aside, suffix))?;
    }
    fs::hard_link(&path, &aside).map_err(|source| Error::file(&aside, source))?;
    rename(&fresh, &path)?;
    LogStore::open_undamaged(path)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn remove(path: &Path) -> Result<(), Error> {
    allow_missing(path, fs::remove_file(path))
}

fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    allow_missing(from, fs::rename(from, to))
}

fn allow_missing(path: &Path, done: std::io::Result<()>) -> Result<(), Error> {
    done.or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(Error::file(path, error)) })
}

/// Lists segments in a new store, which goes on behind them.
fn fill(connection: &Connection, list: &[(Segment, Vec<u8>)], aside: (i64, &str, &str)) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    for (segment, signature) in list {
        segment.insert(&transaction)?;
        if let Some(left) = &segment.left {
            left.insert(&transaction, segment.id, signature)?;
        }
    }
    if let Some((last, _)) = list.last() {
        transaction.execute("UPDATE sequence SET next = ?1", [last.last + 1])?;
        transaction.execute("UPDATE link SET seq = ?1, hash = ?2", params![last.last, last.link])?;
    }
    transaction.execute(
        "INSERT INTO quarantine (time, name, detail) VALUES (?1, ?2, ?3)",
        params![aside.0, aside.1, aside.2],
    )?;
    transaction.commit()?;
    // Nothing may be left beside the file when it is put in its place.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// The segments that the files tell of, signed anew, and the signatures of what is left of them.
fn adopted(path: &Path, segments: &Path) -> Result<Vec<(Segment, Vec<u8>)>, Error> {
    let log = path.parent().unwrap_or(Path::new(""));
    let key = SigningKey::open(&log.with_file_name("identity").join("log.key"))?;
    let mut list: Vec<Segment> = Vec::new();
    for (file, _) in files(segments) {
        // One that cannot be read stays where it is; `logs verify` names it.
        if is_finished(&file) {
            list.extend(read(&file, segments)?);
        }
    }
    // Of two files for one place, what was pruned later has a number behind its name, and so comes first.
    list.sort_by(|one, other| (one.id, &one.name).cmp(&(other.id, &other.name)));
    list.dedup_by_key(|segment| segment.id);
    let signed = list.into_iter().map(|mut segment| {
        segment.signature = key.sign(&segment.head().text());
        let signature = segment.left.as_ref().map(|left| key.sign(&left.text(&segment))).unwrap_or_default();
        (segment, signature)
    });
    Ok(signed.collect())
}

fn read(file: &Path, segments: &Path) -> Result<Option<Segment>, Error> {
    let Ok(name) = file.strip_prefix(segments) else { return Ok(None) };
    let (Some(place), Some(name)) = (Place::of_file(file), name.to_str()) else { return Ok(None) };
    let bytes = fs::metadata(file).map_err(|source| Error::file(file, source))?.len();
    Ok(place.segment(name, chain::file(file)?, i64::try_from(bytes).unwrap_or(i64::MAX)))
}
