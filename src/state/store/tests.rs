use std::path::PathBuf;

use super::*;

const FIRST: &str = "CREATE TABLE a (x INTEGER) STRICT;";
const SECOND: &str = "ALTER TABLE a ADD COLUMN y TEXT; INSERT INTO a VALUES (1, 'migrated');";

fn directory() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("test.db");
    (directory, path)
}

fn version(connection: &Connection) -> i64 {
    connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

#[test]
fn all_files_of_a_store_are_the_owners_alone() {
    let (directory, path) = directory();
    let connection = open_store(&path, &[FIRST], "test").unwrap();
    connection.execute("INSERT INTO a VALUES (1)", []).unwrap();
    let files: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap()).collect();
    assert_eq!(files.len(), 3, "database, -wal and -shm: {files:?}");
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
}

#[test]
fn the_connection_is_durable_and_enforces_foreign_keys() {
    let (_directory, path) = directory();
    let connection = open_store(&path, &[FIRST], "test").unwrap();
    let pragma = |name: &str| -> i64 { connection.pragma_query_value(None, name, |row| row.get(0)).unwrap() };
    assert_eq!((pragma("synchronous"), pragma("foreign_keys"), pragma("busy_timeout")), (2, 1, 5000));
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn an_older_schema_is_migrated() {
    let (_directory, path) = directory();
    drop(open_store(&path, &[FIRST], "test").unwrap());
    let connection = open_store(&path, &[FIRST, SECOND], "test").unwrap();
    assert_eq!(version(&connection), 2);
    let text: String = connection.query_row("SELECT y FROM a", [], |row| row.get(0)).unwrap();
    assert_eq!(text, "migrated");
}

#[test]
fn a_migration_that_fails_leaves_the_old_schema() {
    let (_directory, path) = directory();
    drop(open_store(&path, &[FIRST], "test").unwrap());
    assert!(open_store(&path, &[FIRST, "CREATE TABLE b (x) STRICT; garbage;"], "test").is_err());
    let connection = open_store(&path, &[FIRST], "test").unwrap();
    assert_eq!(version(&connection), 1);
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let (_directory, path) = directory();
    open_store(&path, &[FIRST], "test").unwrap().pragma_update(None, "user_version", 7).unwrap();
    let error = open_store(&path, &[FIRST], "test").unwrap_err();
    let expected = format!("{} was written by a newer egressctl (schema 7, this one knows 1)", path.display());
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_file_that_is_no_database_is_reported_as_damaged() {
    let (_directory, path) = directory();
    std::fs::write(&path, "not a database, and longer than a header: ".repeat(100)).unwrap();
    let error = open_store(&path, &[FIRST], "test").unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
    assert!(error.to_string().contains(path.to_str().unwrap()));
    assert!(error.hint().is_some());
}

#[test]
fn a_database_cut_short_is_reported_as_damaged() {
    let (_directory, path) = directory();
    let connection = open_store(&path, &[FIRST, SECOND], "test").unwrap();
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    drop(connection);
    OpenOptions::new().write(true).open(&path).unwrap().set_len(4096).unwrap();
    let error = open_store(&path, &[FIRST, SECOND], "test").and_then(|connection| {
        connection
            .query_row("SELECT y FROM a", [], |row| row.get::<_, String>(0))
            .map_err(|error| Error::sqlite(&path, error))
    });
    assert!(matches!(error, Err(Error::Corrupt { .. })), "{error:?}");
}

#[test]
fn another_programs_database_is_left_alone() {
    let (_directory, path) = directory();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    let error = open_store(&path, &[FIRST], "test").unwrap_err();
    assert_eq!(error.to_string(), format!("{} is an SQLite database, but not egressctl's test", path.display()));
}

#[test]
fn another_store_is_not_taken_for_this_one() {
    let (_directory, path) = directory();
    drop(open_store(&path, &[FIRST], "log").unwrap());
    assert!(matches!(open_store(&path, &[FIRST], "registry"), Err(Error::Foreign { .. })));
}

#[test]
fn a_directory_in_place_of_the_file_is_refused() {
    let (_directory, path) = directory();
    std::fs::create_dir(&path).unwrap();
    assert!(matches!(open_store(&path, &[FIRST], "test"), Err(Error::Unwritable { .. })));
}

#[test]
fn a_full_disk_is_told_apart() {
    let (_directory, path) = directory();
    let connection = open_store(&path, &[FIRST], "test").unwrap();
    connection.query_row("PRAGMA max_page_count = 2", [], |_| Ok(())).unwrap();
    let error = connection.execute_batch("CREATE TABLE b (x); CREATE TABLE c (x); CREATE TABLE d (x);").unwrap_err();
    assert!(matches!(Error::sqlite(&path, error), Error::Full { .. }));
}

#[test]
fn a_lock_that_is_never_released_is_told_apart() {
    let (_directory, path) = directory();
    let holder = open_store(&path, &[FIRST], "test").unwrap();
    let other = open_store(&path, &[FIRST], "test").unwrap();
    let _lock = begin_immediate(&holder, &path).unwrap();
    other.busy_timeout(Duration::ZERO).unwrap();
    let error = Transaction::new_unchecked(&other, TransactionBehavior::Immediate).unwrap_err();
    assert!(matches!(Error::sqlite(&path, error), Error::Busy { .. }));
}

#[test]
fn many_may_open_and_migrate_a_new_store_at_once() {
    let (_directory, path) = directory();
    thread::scope(|scope| {
        let openers: Vec<_> = (0..8).map(|_| scope.spawn(|| open_store(&path, &[FIRST, SECOND], "test"))).collect();
        for opener in openers {
            assert_eq!(version(&opener.join().unwrap().unwrap()), 2);
        }
    });
    let connection = open_store(&path, &[FIRST, SECOND], "test").unwrap();
    let rows: i64 = connection.query_row("SELECT count(*) FROM a", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 1, "each migration ran once");
}

/// To close a descriptor of a file gives up all locks that the process has on it.
#[test]
fn opening_a_store_once_more_leaves_the_locks_of_who_has_it_open() {
    use std::os::unix::fs::MetadataExt as _;

    let (_directory, path) = directory();
    let first = open_store(&path, &[FIRST], "test").unwrap();
    assert_eq!(version(&first), 1);
    let file = format!(":{} ", std::fs::metadata(&path).unwrap().ino());
    let locked = || std::fs::read_to_string("/proc/locks").is_ok_and(|locks| locks.contains(&file));
    if !locked() {
        return eprintln!("skipped: this system does not tell of locks");
    }
    let second = open_store(&path, &[FIRST], "test").unwrap();
    assert_eq!(version(&second), 1);
    drop(second);
    assert!(locked());
}
