use std::os::unix::fs::PermissionsExt;
use std::thread;

use super::*;
use crate::accesslog::testing::{ask, entry, lines, numbered, place, shape};
use crate::accesslog::{Level, Outlet, Query};
use crate::state;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn all_files_of_the_log_are_the_owners_alone() {
    let (_directory, path) = place();
    let mut store = LogStore::open(&path).unwrap();
    store.append(&numbered(0..1)).unwrap();
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    for suffix in ["", "-wal", "-shm"] {
        assert_eq!(mode(Path::new(&format!("{}{suffix}", path.display()))), 0o600, "{suffix}");
    }
}

#[test]
fn entries_come_back_in_the_order_they_were_given_in_batches_of_any_size() {
    let (_directory, path) = place();
    let mut store = LogStore::open(&path).unwrap();
    let entries = numbered(0..10_000);
    for batch in [0..0, 0..1, 1..4095, 4095..4096, 4096..10_000] {
        store.append(&entries[batch]).unwrap();
    }
    assert_eq!(ask(&store, &Query::default()), lines(&entries));
    assert_eq!(store.newest().unwrap(), 10_000);
    drop(store);
    assert_eq!(ask(&LogStore::open(&path).unwrap(), &Query::default()), lines(&entries));
}

#[test]
fn equal_shapes_are_stored_once() {
    let (_directory, path) = place();
    let mut store = LogStore::open(&path).unwrap();
    for _ in 0..3 {
        let shape = shape("a", Format::Text, Outlet::Stderr);
        store.append(&[entry(&shape, 0, Level::Info, "/")]).unwrap();
    }
    let shapes: i64 = store.connection.query_row("SELECT count(*) FROM shape", [], |row| row.get(0)).unwrap();
    assert_eq!(shapes, 1);
}

#[test]
fn a_batch_that_fails_leaves_nothing_and_can_be_tried_again() {
    let (_directory, path) = place();
    let mut store = LogStore::open(&path).unwrap();
    store.append(&numbered(0..10)).unwrap();
    store.connection.execute_batch("PRAGMA query_only = ON").unwrap();
    let shape = shape("new", Format::Json, Outlet::Stdout);
    let batch = [entry(&shape, 0, Level::Error, "/")];
    assert!(matches!(store.append(&batch), Err(Error::Store(state::Error::Unwritable { .. }))));
    store.connection.execute_batch("PRAGMA query_only = OFF").unwrap();
    assert_eq!(store.newest().unwrap(), 10);
    store.append(&batch).unwrap();
    assert_eq!(ask(&store, &Query { tail: Some(1), ..Query::default() }), lines(&batch));
}

#[test]
fn a_full_disk_is_called_so() {
    let (_directory, path) = place();
    let mut store = LogStore::open(&path).unwrap();
    let pages: i64 = store.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    store.connection.pragma_update(None, "max_page_count", pages).unwrap();
    let error = store.append(&numbered(0..1000)).unwrap_err();
    assert!(matches!(error, Error::Store(state::Error::Full { .. })), "{error}");
    assert_eq!(error.to_string(), format!("{} cannot grow: no space left on the disk", path.display()));
    assert_eq!(store.newest().unwrap(), 0);
    store.connection.pragma_update(None, "max_page_count", 100_000).unwrap();
    store.append(&numbered(0..1000)).unwrap();
    assert_eq!(store.newest().unwrap(), 1000);
}

#[test]
fn a_locked_file_is_called_so() {
    let (_directory, path) = place();
    let (mut store, other) = (LogStore::open(&path).unwrap(), LogStore::open(&path).unwrap());
    store.connection.busy_timeout(std::time::Duration::ZERO).unwrap();
    let _lock = Transaction::new_unchecked(&other.connection, TransactionBehavior::Immediate).unwrap();
    assert!(matches!(store.append(&numbered(0..1)), Err(Error::Store(state::Error::Busy { .. }))));
}

#[test]
fn a_newer_schema_is_refused() {
    let (_directory, path) = place();
    LogStore::open(&path).unwrap().connection.pragma_update(None, "user_version", 9).unwrap();
    assert!(matches!(LogStore::open(&path), Err(Error::Store(state::Error::Newer { found: 9, known: 5, .. }))));
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let (directory, _) = place();
    std::fs::write(directory.path().join("file"), "").unwrap();
    let error = LogStore::open(directory.path().join("file/hot.db")).unwrap_err();
    assert!(matches!(error, Error::Store(state::Error::Unwritable { .. })), "{error}");
}

#[test]
fn two_writers_at_once_lose_and_double_nothing() {
    let (_directory, path) = place();
    let writers: Vec<_> = (0..2)
        .map(|writer| {
            let path = path.clone();
            thread::spawn(move || {
                let mut store = LogStore::open(path).unwrap();
                let entries = numbered(writer * 1000..writer * 1000 + 500);
                for batch in entries.chunks(7) {
                    store.append(batch).unwrap();
                }
                lines(&entries)
            })
        })
        .collect();
    let written: Vec<_> = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
    let store = LogStore::open(&path).unwrap();
    let all = ask(&store, &Query::default());
    assert_eq!(all.len(), 1000);
    assert_eq!(store.count(&Query::default()).unwrap(), 1000);
    for lines in written {
        let of_one: Vec<_> = all.iter().filter(|line| lines.contains(line)).cloned().collect();
        assert_eq!(of_one, lines, "each writer's entries keep their order");
    }
}
