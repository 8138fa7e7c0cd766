use std::os::unix::fs::PermissionsExt;
use std::thread;

use super::*;
use crate::accesslog::chain::Item;
use crate::accesslog::segment::packed;
use crate::accesslog::testing::{ask, entry, lines, numbered, place, shape};
use crate::accesslog::{Level, LevelFilter, Limits, Outlet, Query, Sealer, Stream, Verifier};
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
    let error = store.append(&numbered(0..20_000)).unwrap_err();
    assert!(matches!(error, Error::Store(state::Error::Full { .. })), "{error}");
    assert_eq!(error.to_string(), format!("{} cannot grow: no space left on the disk", path.display()));
    assert_eq!(store.newest().unwrap(), 0);
    store.connection.pragma_update(None, "max_page_count", 100_000).unwrap();
    store.append(&numbered(0..20_000)).unwrap();
    assert_eq!(store.newest().unwrap(), 20_000);
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
    LogStore::open(&path).unwrap().connection.pragma_update(None, "user_version", 10).unwrap();
    assert!(matches!(LogStore::open(&path), Err(Error::Store(state::Error::Newer { found: 10, known: 9, .. }))));
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

/// A store as it was before entries were kept in packs, with groups of seven.
fn store_of_rows(path: &Path, entries: &[Entry]) {
    let connection = open_store(path, &MIGRATIONS[..5], "log").unwrap();
    let mut link = chain::ORIGIN;
    for (entry, seq) in entries.iter().zip(1_i64..) {
        let (shape, level, line) = (&entry.shape, entry.level.code(), entry.line.as_bytes());
        let row = params![shape.instance, shape.handler, shape.rule, format_code(shape.format)];
        connection.execute(INSERT_SHAPE, row).unwrap();
        let id: i64 = connection.query_row(FIND_SHAPE, row, |row| row.get(0)).unwrap();
        let digest = chain::shape(&shape.instance, &shape.handler, &shape.rule, shape.format);
        link = chain::entry(&link, &Item { seq, time: entry.time, level, shape: &digest, line });
        let insert = "INSERT INTO entry (seq, time, level, shape, line) VALUES (?1, ?2, ?3, ?4, ?5)";
        connection.execute(insert, params![seq, entry.time, level, id, entry.line]).unwrap();
        if seq % 7 == 0 || seq as usize == entries.len() {
            connection.execute("INSERT INTO link (seq, hash) VALUES (?1, ?2)", params![seq, link]).unwrap();
        }
    }
    connection.execute("UPDATE sequence SET next = ?1", [entries.len() as i64 + 1]).unwrap();
}

#[test]
fn rows_of_an_earlier_version_are_packed_and_stay_chained() {
    let entries = numbered(0..100);
    for (harm, findings) in [
        ("", 0),
        ("UPDATE entry SET line = '{}' WHERE seq = 9", 1),
        ("DELETE FROM entry WHERE seq BETWEEN 15 AND 21", 1),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let state = crate::state::StateDir::open(directory.path().join("state")).unwrap();
        store_of_rows(&state.hot_db(), &entries);
        Connection::open(state.hot_db()).unwrap().execute_batch(harm).unwrap();
        let mut store = LogStore::open(state.hot_db()).unwrap();
        let verify = || Verifier::open(&state, Stream::Lines).unwrap().verify(None).unwrap().findings;
        assert_eq!(verify().len(), findings, "{harm}: {:?}", verify());
        if harm.is_empty() {
            assert_eq!(ask(&store, &Query::default()), lines(&entries));
        }
        store.append(&numbered(100..101)).unwrap();
        assert_eq!((verify().len(), store.newest().unwrap()), (findings, 101));
        assert_eq!(ask(&store, &Query { tail: Some(1), ..Query::default() }), lines(&numbered(100..101)));
        if harm.is_empty() {
            // What was chained entry by entry gets a segment of its own.
            let verifier = Verifier::open(&state, Stream::Lines).unwrap();
            let head = verifier.head(0).unwrap();
            let sealer = Sealer::open(&state, Stream::Lines, Limits::default()).unwrap();
            assert_eq!(sealer.seal_all(0).unwrap().segments, 2);
            assert_eq!(verifier.verify(Some(&head)).unwrap().findings, []);
            assert_eq!(ask(&store, &Query::default()), lines(&numbered(0..101)));
        }
    }
}

#[test]
fn entries_that_would_not_fit_into_a_pack_get_several() {
    let (_directory, path) = place();
    let mut store = LogStore::open(&path).unwrap();
    let shape = shape("a", Format::Json, Outlet::Stdout);
    let long = "long".repeat(packed::MOST_BYTES / 4);
    let mut entries = numbered(0..packed::MOST_ENTRIES * 2 + 1);
    entries.extend([&*long, "/", &*long, &long[..100]].map(|path| entry(&shape, 0, Level::Error, path)));
    store.append(&entries).unwrap();
    assert_eq!(ask(&store, &Query::default()), lines(&entries));
    let packs: i64 = store.connection.query_row("SELECT count(*) FROM pack", [], |row| row.get(0)).unwrap();
    assert_eq!(packs, 7);
    let errors = Query { level: Some(LevelFilter::Exactly(Level::Error)), ..Query::default() };
    assert_eq!((store.count(&errors).unwrap(), ask(&store, &errors).len()), (4, 4));
}

#[test]
fn what_was_recorded_while_the_clock_stood_elsewhere_is_found_by_its_time_and_keeps_its_place() {
    let (_directory, path) = place();
    let mut store = LogStore::open(&path).unwrap();
    let shape = shape("a", Format::Json, Outlet::Stdout);
    // An hour back, and forward again.
    let times = [10_000, 10_001, 6_400, 6_401, 10_002];
    let entries: Vec<_> = times.iter().map(|time| entry(&shape, *time, Level::Info, &format!("/{time}"))).collect();
    for some in [&entries[..1], &entries[1..3], &entries[3..]] {
        store.append(some).unwrap();
    }
    assert_eq!(ask(&store, &Query::default()), lines(&entries));
    let since = |since, until| Query { since: Some(since), until: Some(until), ..Query::default() };
    assert_eq!(ask(&store, &since(6_000, 7_000)), lines(&entries[2..4]));
    assert_eq!(ask(&store, &since(10_000, 10_002)), lines(&entries[..2]));
    assert_eq!(store.count(&since(6_401, 10_001)).unwrap(), 2);
}

#[test]
fn few_entries_are_stored_as_they_are_or_as_a_frame_and_many_as_columns_that_take_a_fraction_of_them() {
    let (_directory, path) = place();
    let mut store = LogStore::open(&path).unwrap();
    let entries = numbered(0..1065);
    let batches = [&entries[..2], &entries[2..65], &entries[65..]];
    batches.iter().for_each(|batch| store.append(batch).unwrap());
    let packs = "SELECT hex(substr(entries, 1, 5)), length(entries) FROM pack ORDER BY first";
    let mut statement = store.connection.prepare(packs).unwrap();
    let packs = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as usize))).unwrap();
    let packs: Vec<(String, usize)> = packs.map(Result::unwrap).collect();
    let lengths = |some: &[Entry]| 1 + some.iter().map(|one| one.line.len()).sum::<usize>() + some.len() * 17 + 8;
    assert_eq!(packs[0], ("FF7B226C65".to_owned(), lengths(batches[0])), "it begins with {{\"le");
    assert_eq!(packs[1].0, "FF28B52FFD");
    assert!(packs[1].1 * 4 < lengths(batches[1]), "{}", packs[1].1);
    assert_eq!(&packs[2].0[..2], "FE");
    assert!(packs[2].1 * 5 < lengths(batches[2]), "{}", packs[2].1);
    assert_eq!(ask(&store, &Query::default()), lines(&entries));
}

#[test]
fn a_pack_that_was_tampered_with_is_told_and_fills_no_memory() {
    // Frames that claim to have a terabyte, one that is cut, and others of other bytes.
    for harm in [
        "x'28B52FFDE000000000000100000100005061'",
        "x'FF28B52FFDE000000000000100000100005061'",
        "substr(entries, 1, length(entries) - 20)",
        "x'28B52FFD'",
        "x'FF28B52FFD'",
        "x'FFFFFFFFFF'",
        "x'FF'",
        "x''",
    ] {
        let harm = format!("UPDATE pack SET entries = CAST({harm} AS BLOB)");
        let directory = tempfile::tempdir().unwrap();
        let state = crate::state::StateDir::open(directory.path().join("state")).unwrap();
        let mut store = LogStore::open(state.hot_db()).unwrap();
        store.append(&numbered(0..100)).unwrap();
        store.connection.execute_batch(&harm).unwrap();
        assert_eq!(ask(&store, &Query::default()), [""; 0], "{harm}");
        let findings = Verifier::open(&state, Stream::Lines).unwrap().verify(None).unwrap().findings;
        assert!(findings[0].problem.contains("missing"), "{harm}: {findings:?}");
    }
}
