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

#[test]
fn sealed_lines_are_the_recorded_ones_to_the_byte() {
    let place = Place::with(&wild());
    let stored = |store: &LogStore| {
        let mut stored = Vec::new();
        let mut sink = |row: &Row<'_>| {
            let names = [row.instance, row.handler, row.rule, row.line].map(str::to_owned);
            stored.push((row.seq, row.time, row.level, row.format, names));
            true
        };
        store.query(&Query::default(), &mut sink).unwrap();
        stored
    };
    let before = stored(&place.store);
    let sealed = place.seal(usize::MAX);
    assert_eq!((sealed.segments, sealed.entries), (1, before.len() as i64));
    assert_eq!(stored(&place.store), before);
    let rows: i64 = place.store.connection.query_row("SELECT count(*) FROM pack", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 0);
    assert_eq!(place.findings(), [""; 0]);
}

#[test]
fn variables_have_columns_of_their_own_names_and_types() {
    let place = Place::with(&wild());
    place.seal(usize::MAX);
    let [file] = place.files().try_into().unwrap();
    let shown = file.strip_prefix(place.state.segments()).unwrap().display().to_string();
    assert_eq!(shown, format!("2018-06-18/{:012}-{:012}.parquet", 1, wild().len()));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let schema = super::read::tests::columns(&file);
    for expected in
        ["time TIMESTAMP_MICROS", "path UTF8", "path_int INT64", "responseCode INT64", "ok BOOLEAN", "values JSON"]
    {
        assert!(schema.iter().any(|column| column == expected), "{expected} in {schema:?}");
    }
    assert!(schema.iter().any(|column| column == "ratio DOUBLE"), "{schema:?}");
}

#[test]
fn a_segment_ends_with_its_day_and_late_entries_stay_where_they_came() {
    const DAY: i64 = 86_400_000_000;
    let shape = shape("a", Format::Json, Outlet::Stdout);
    let times = [0, 1, DAY, DAY + 1, 2, 3 * DAY, 5].map(|after| START + after);
    let entries: Vec<_> = times.iter().map(|time| entry(&shape, *time, Level::Info, "/")).collect();
    for at_once in [1, 2, 7] {
        let mut place = Place::new();
        entries.chunks(at_once).for_each(|some| place.store.append(some).unwrap());
        assert_eq!(place.seal(usize::MAX).segments, 3);
        assert_eq!(place.all(), lines(&entries));
        let query = Query { since: Some(START + 2), until: Some(START + 6), ..Query::default() };
        assert_eq!(ask(&place.store, &query), lines(&[entries[4].clone(), entries[6].clone()]));
        assert_eq!(place.store.count(&query).unwrap(), 2);
        assert_eq!(place.findings(), [""; 0]);
    }
}

#[test]
fn enough_rows_or_old_ones_are_sealed() {
    let place = Place::with(&numbered(0..100));
    let seal = |rows, age, now| {
        let limits = Limits { rows, age: std::time::Duration::from_micros(age), ..Limits::default() };
        Sealer::open(&place.state, Stream::Lines, limits).unwrap().seal_due(now).unwrap().entries
    };
    assert_eq!(seal(101, 1000, START + 999), 0);
    assert_eq!(seal(40, u64::MAX, START), 80);
    assert_eq!(seal(40, 1000, START + 1000), 0, "the rest came 80 µs later");
    assert_eq!(seal(40, 1000, START + 1080), 20);
    assert_eq!(place.all(), lines(&numbered(0..100)));
}

#[test]
fn sealing_goes_on_where_it_ended_and_following_misses_nothing() {
    let mut place = Place::with(&numbered(0..10));
    let mut seen = Vec::new();
    let mut collect = |store: &LogStore, after| {
        struct Take<'a>(&'a mut Vec<String>);
        impl crate::accesslog::Sink for Take<'_> {
            fn entry(&mut self, row: &Row<'_>) -> bool {
                self.0.push(row.line.to_owned());
                true
            }
            fn idle(&mut self) -> bool {
                false
            }
        }
        store.follow(&Query::default(), after, &mut Take(&mut seen)).unwrap();
        store.newest().unwrap()
    };
    let after = collect(&place.store, 0);
    place.seal(3);
    place.store.append(&numbered(10..20)).unwrap();
    place.seal(usize::MAX);
    place.store.append(&numbered(20..25)).unwrap();
    collect(&place.store, after);
    assert_eq!(seen, lines(&numbered(0..25)));
    assert_eq!(place.findings(), [""; 0]);
}

#[test]
fn a_sealer_that_was_killed_before_it_could_list_its_file_is_cleaned_up_after() {
    let place = Place::with(&numbered(0..10));
    place.seal(4);
    let files = place.files();
    let mut place = place;
    place.store.append(&numbered(10..20)).unwrap();
    let sealer = Sealer::open(&place.state, Stream::Lines, Limits::default()).unwrap();
    let left = sealer.write(&sealer.gather().unwrap().unwrap(), START).unwrap().path(&place.state.segments());
    std::fs::write(left.with_extension("tmp"), "half").unwrap();
    let foreign = files[0].with_file_name("notes.txt");
    std::fs::write(&foreign, "mine").unwrap();
    let verified = place.verify();
    assert_eq!((verified.findings, verified.notes.len()), (Vec::new(), 2));
    place.seal(usize::MAX);
    assert_eq!(place.files().len(), 4);
    assert!(foreign.exists() && !left.with_extension("tmp").exists());
    assert_eq!(place.all(), lines(&numbered(0..20)));
    assert_eq!(place.findings(), [""; 0]);
}

#[test]
fn of_two_sealers_one_seals() {
    let place = Place::with(&numbered(0..2000));
    let sealed: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..4).map(|_| scope.spawn(|| place_sealer(&place.state).seal_all(START).unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(sealed.iter().map(|sealed| sealed.entries).sum::<i64>(), 2000, "{sealed:?}");
    assert_eq!(place.all(), lines(&numbered(0..2000)));
    assert_eq!(place.findings(), [""; 0]);
}

fn place_sealer(state: &StateDir) -> Sealer {
    Sealer::open(state, Stream::Lines, Limits { rows: 100, ..Limits::default() }).unwrap()
}

/// Three segments of ten entries, and five rows.
fn sealed_and_hot() -> Place {
    let mut place = Place::with(&numbered(0..30));
    place.seal(10);
    for number in 30..35 {
        place.store.append(&numbered(number..number + 1)).unwrap();
    }
    place
}

fn change(path: &Path, how: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    how(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn what_was_done_to_a_segment_is_named() {
    type Do = fn(&Place, &[PathBuf]);
    let table: &[(Do, &[(usize, &str)])] = &[
        (|_, files| change(&files[1], |bytes| bytes[9] ^= 1), &[(1, "it was changed after it had been sealed")]),
        (|_, files| change(&files[2], |bytes| bytes.truncate(40)), &[(2, "it was cut to 40 of")]),
        (|_, files| std::fs::remove_file(&files[0]).unwrap(), &[(0, "it is missing")]),
        (
            |_, files| {
                let aside = files[0].with_extension("aside");
                std::fs::rename(&files[0], &aside).unwrap();
                std::fs::rename(&files[1], &files[0]).unwrap();
                std::fs::rename(&aside, &files[1]).unwrap();
            },
            &[(0, "files were put in another order"), (1, "files were put in another order")],
        ),
        (
            |place, _| {
                place.store.connection.execute("DELETE FROM segment WHERE id = 2", []).unwrap();
            },
            &[(2, "segment 2 before it is missing from the list"), (1, "is not listed")],
        ),
        (
            |place, _| {
                place.store.connection.execute("UPDATE segment SET error = 1 WHERE id = 3", []).unwrap();
            },
            &[],
        ),
        (
            |place, _| {
                place.store.connection.execute("UPDATE segment SET last = 31 WHERE id = 3", []).unwrap();
            },
            &[(2, "is not signed by this node")],
        ),
    ];
    for (number, (harm, expected)) in table.iter().enumerate() {
        let place = sealed_and_hot();
        assert_eq!(place.findings(), [""; 0]);
        let files = place.files();
        harm(&place, &files);
        let found = place.findings();
        let of_files: Vec<_> = found.iter().filter(|text| text.starts_with("log/segments/")).collect();
        assert_eq!(of_files.len(), expected.len(), "{number}: {found:?}");
        for ((file, text), found) in expected.iter().zip(of_files) {
            let name = files[*file].strip_prefix(place.state.segments()).unwrap().display().to_string();
            assert!(found.contains(&name) && found.contains(text), "{number}: {found}");
        }
    }
}

const REPLACE_32: &str = "UPDATE pack SET entries = CAST(replace(entries, '/31', '/99') AS BLOB) WHERE first = 32";

#[test]
fn what_was_done_to_rows_is_named() {
    let table = [
        (REPLACE_32, "entry 32 is not as it was recorded"),
        (
            "UPDATE pack SET entries = CAST(x'07' || substr(entries, 2) AS BLOB) WHERE first = 33",
            "entry 33 is not as it was recorded",
        ),
        ("UPDATE pack SET entries = substr(entries, 1, 10) WHERE first = 34", "entry 34 is missing"),
        ("DELETE FROM pack WHERE first = 32", "of entries 32 to 33 some are missing"),
        ("DELETE FROM pack WHERE first = 35", "entry 35 is missing"),
        (
            "UPDATE pack SET first = CASE first WHEN 32 THEN -33 ELSE -32 END WHERE first IN (32, 33);
             UPDATE pack SET first = -first, last = -first WHERE first < 0",
            "entry 32 is not as it was recorded",
        ),
        ("UPDATE shape SET rule = 'other'", "entry 31 is not as it was recorded"),
        ("UPDATE link SET hash = zeroblob(32) WHERE seq = 30", "they do not go on where segment 3 ends"),
    ];
    for (sql, expected) in table {
        let place = sealed_and_hot();
        place.store.connection.execute_batch(sql).unwrap();
        let found = place.findings();
        assert!(
            found
                .iter()
                .any(|text| text == &format!("rows: {expected}") || text.starts_with(&format!("rows: {expected},"))),
            "{sql}: {found:?}"
        );
    }
}

#[test]
fn rows_that_were_changed_before_sealing_are_not_made_good_by_it() {
    let place = sealed_and_hot();
    place.store.connection.execute(REPLACE_32, []).unwrap();
    place.seal(usize::MAX);
    let found = place.findings();
    assert!(found.len() == 1 && found[0].contains("tampered with before they were sealed"), "{found:?}");
}

#[test]
fn a_head_that_was_kept_tells_what_was_cut_or_made_anew() {
    let place = sealed_and_hot();
    let verifier = Verifier::open(&place.state, Stream::Lines).unwrap();
    let head = verifier.head(START).unwrap();
    let check = |place: &Place| {
        let found = Verifier::open(&place.state, Stream::Lines).unwrap().verify(Some(&head)).unwrap().findings;
        found.into_iter().map(|finding| finding.problem).collect::<Vec<_>>()
    };
    assert_eq!(check(&place), [""; 0]);
    // Also when its entries were sealed since, not all in one segment.
    let mut place = place;
    place.store.append(&numbered(35..40)).unwrap();
    assert_eq!(check(&place), [""; 0]);
    place.seal(3);
    assert_eq!(check(&place), [""; 0]);
    let other = Place::with(&numbered(0..50));
    std::fs::copy(place.state.log_key(), other.state.log_key()).unwrap();
    let found = check(&other);
    assert_eq!(found, ["the log was cut: it had 3 segments, and has 0"]);
    other.seal(17);
    assert_eq!(check(&other), ["segment 3 is another one than when the head was exported"]);
    place
        .store
        .connection
        .execute_batch(
            "DELETE FROM segment WHERE last > 30; DELETE FROM pack; UPDATE sequence SET next = 31;
        UPDATE link SET (seq, hash) = (SELECT last, link FROM segment ORDER BY id DESC LIMIT 1)",
        )
        .unwrap();
    for file in &place.files()[3..] {
        std::fs::remove_file(file).unwrap();
    }
    assert_eq!(place.findings(), [""; 0], "without the head a clean cut leaves no trace");
    assert_eq!(check(&place), ["the log was cut: it went to entry 35, and goes to 30"]);
    let forged = serde_json::to_string(&head).unwrap().replace("\"sequence\":35", "\"sequence\":30");
    let forged = serde_json::from_str(&forged).unwrap();
    let found = verifier.verify(Some(&forged)).unwrap().findings;
    assert!(found[0].problem.contains("not signed by the key that it names"), "{found:?}");
}

#[test]
fn groups_stay_together_and_heads_between_them_are_found_in_what_was_sealed() {
    let mut place = Place::new();
    let other = shape("b", Format::Text, Outlet::Stderr);
    let mut entries = numbered(0..60);
    entries.extend((60..70).map(|n| entry(&other, START + n, Level::Error, "/")));
    entries.extend(numbered(70..100));
    let verifier = Verifier::open(&place.state, Stream::Lines).unwrap();
    let mut heads = Vec::new();
    for (from, to) in [(0, 25), (25, 30), (30, 33), (33, 65), (65, 100)] {
        place.store.append(&entries[from..to]).unwrap();
        heads.push(verifier.head(START).unwrap());
    }
    let check = || {
        for (number, head) in heads.iter().enumerate() {
            assert_eq!(verifier.verify(Some(head)).unwrap().findings, [], "{number}");
        }
    };
    check();
    // What does not fit in begins another segment, and may alone be more than one gets.
    assert_eq!(place.seal(10).segments, 4);
    let ends: Vec<String> = place.files().iter().map(|file| file.file_stem().unwrap().display().to_string()).collect();
    assert_eq!(ends[1], format!("{:012}-{:012}", 26, 33));
    check();
    assert_eq!(place.all(), lines(&entries));
    // Another log, made with the same key: a head that ends within one of its groups is no head of it.
    let mut forged = Place::new();
    std::fs::copy(place.state.log_key(), forged.state.log_key()).unwrap();
    forged.store.append(&entries[..40]).unwrap();
    let findings = |place: &Place| {
        let verifier = Verifier::open(&place.state, Stream::Lines).unwrap();
        let found = verifier.verify(Some(&heads[1])).unwrap().findings;
        found.into_iter().map(|finding| finding.problem).collect::<Vec<_>>()
    };
    let expected = ["entries up to 30 are others than when the head was exported"];
    assert_eq!(findings(&forged), expected);
    forged.seal(usize::MAX);
    assert_eq!(findings(&forged), expected);
}

#[test]
fn the_rest_of_the_log_is_served_when_a_segment_cannot_be_read() {
    let harms: [fn(&Path); 4] = [
        |path| std::fs::remove_file(path).unwrap(),
        |path| change(path, |bytes| bytes.truncate(bytes.len() / 2)),
        |path| change(path, |bytes| bytes.fill(0)),
        |path| {
            change(path, |bytes| {
                let middle = bytes.len() / 3;
                bytes[4..middle].fill(0xff)
            })
        },
    ];
    for harm in harms {
        let place = sealed_and_hot();
        let file = place.files().remove(1);
        harm(&file);
        let expected: Vec<_> = [lines(&numbered(0..10)), lines(&numbered(20..35))].concat();
        assert_eq!(place.all(), expected);
        let damage = place.store.take_damage();
        assert!(matches!(&damage[..], [Error::Segment { path, .. }] if *path == file), "{damage:?}");
        assert_eq!(ask(&place.store, &Query { tail: Some(20), ..Query::default() }).len(), 20);
    }
}

#[test]
fn any_bytes_in_a_segments_place_are_an_error_and_no_panic() {
    let place = Place::with(&numbered(0..300));
    place.seal(usize::MAX);
    let file = place.files().remove(0);
    let good = std::fs::read(&file).unwrap();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(300));
    let harm = (any::<prop::sample::Index>(), any::<u8>(), any::<prop::sample::Index>());
    let outcome = runner.run(&harm, |(at, byte, length)| {
        let mut bytes = good.clone();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if length.index(4) == 0 {
            bytes.truncate(at);
        }
        std::fs::write(&file, &bytes).unwrap();
        let _ = Reader::open(&file).and_then(|reader| {
            let mut lines = reader.lines()?;
            let mut text = String::new();
            (0..reader.rows()).try_for_each(|row| {
                lines.load(row)?;
                lines.write(row, &mut text);
                Ok(())
            })
        });
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn a_stop_in_the_middle_of_a_query_and_sealing_meanwhile_lose_nothing() {
    let place = Place::with(&numbered(0..200));
    place.seal(50);
    let mut place = place;
    place.store.append(&numbered(200..400)).unwrap();
    let (mut seen, mut sealed) = (Vec::new(), false);
    let mut sink = |row: &Row<'_>| {
        seen.push(row.line.to_owned());
        if seen.len() == 120 && !std::mem::replace(&mut sealed, true) {
            place.seal(30);
        }
        true
    };
    place.store.query(&Query::default(), &mut sink).unwrap();
    assert_eq!(seen, lines(&numbered(0..400)));
    let tail = Query { tail: Some(7), level: Some(LevelFilter::AtLeast(Level::Info)), ..Query::default() };
    assert_eq!(ask(&place.store, &tail), lines(&numbered(393..400)));
}

/// Five segments of ten entries, a day apart, each with two errors, and a row that is an hour younger than the last.
fn days() -> (Place, Vec<Entry>) {
    const DAY: i64 = 86_400_000_000;
    let shape = shape("a", Format::Json, Outlet::Stdout);
    let level = |number: i64| if number % 5 == 3 { Level::Error } else { Level::Info };
    let entries: Vec<_> = (0..50)
        .map(|number| entry(&shape, START + number / 10 * DAY + number, level(number), &format!("/{number}")))
        .collect();
    let mut place = Place::with(&entries);
    place.seal(usize::MAX);
    let newest = entry(&shape, START + 4 * DAY + 3_600_000_000, Level::Info, "/newest");
    place.store.append(std::slice::from_ref(&newest)).unwrap();
    (place, entries.into_iter().chain([newest]).collect())
}

fn of_days(entries: &[Entry], is_kept: impl Fn(usize, &Entry) -> bool) -> Vec<String> {
    let kept = entries.iter().enumerate().filter(|(number, entry)| is_kept(number / 10, entry));
    kept.map(|(_, entry)| entry.line.clone()).collect()
}

fn keep(days: u64) -> std::time::Duration {
    std::time::Duration::from_secs(days * 86_400)
}

#[test]
fn old_entries_go_and_levels_that_are_kept_longer_stay() {
    let (place, entries) = days();
    let now = entries[50].time;
    let mut sealer = Sealer::open(&place.state, Stream::Lines, Limits::default()).unwrap();
    let retention = Retention { age: Some(keep(2)), levels: vec![(Level::Error, keep(3))], bytes: None };
    let planned = sealer.prunable(&retention, now).unwrap();
    assert_eq!(planned.iter().map(|one| (one.entries, one.stay)).collect::<Vec<_>>(), [(10, 0), (10, 0), (8, 2)]);
    assert_eq!(place.all(), lines(&entries), "a plan takes nothing");
    let head = Verifier::open(&place.state, Stream::Lines).unwrap().head(now).unwrap();
    assert_eq!(sealer.prune(&retention, now).unwrap(), Some(planned));
    let expected = of_days(&entries, |day, entry| day > 2 || day == 2 && entry.level == Level::Error);
    assert_eq!(place.all(), expected);
    assert_eq!(place.store.count(&Query::default()).unwrap(), expected.len() as u64);
    let query = Query { level: Some(LevelFilter::Exactly(Level::Error)), tail: Some(5), ..Query::default() };
    assert_eq!(ask(&place.store, &query).len(), 5);
    assert_eq!(place.files().len(), 3);
    let verified = Verifier::open(&place.state, Stream::Lines).unwrap().verify(Some(&head)).unwrap();
    assert_eq!(verified.findings, []);
    assert_eq!(verified.notes, ["entries up to 20 were pruned"]);
    assert_eq!(sealer.prune(&retention, now).unwrap(), Some(Vec::new()), "once is enough");
    let later = sealer.prune(&retention, now + 86_400_000_000).unwrap().unwrap();
    assert_eq!(later.iter().map(|one| (one.entries, one.stay)).collect::<Vec<_>>(), [(2, 0), (8, 2)]);
    assert_eq!(place.findings(), [""; 0]);
    place.seal(usize::MAX);
    assert_eq!(place.findings(), [""; 0]);
}

#[test]
fn above_a_size_the_oldest_go() {
    let (place, entries) = days();
    let mut sealer = Sealer::open(&place.state, Stream::Lines, Limits::default()).unwrap();
    let size = |files: &[PathBuf]| files.iter().map(|file| std::fs::metadata(file).unwrap().len()).sum::<u64>();
    let bytes = Some(size(&place.files()[2..]));
    let pruned = sealer.prune(&Retention { bytes, ..Retention::default() }, START).unwrap().unwrap();
    assert_eq!(pruned.len(), 2);
    assert_eq!(place.all(), of_days(&entries, |day, _| day > 1));
    assert_eq!(place.findings(), [""; 0]);
}

#[test]
fn a_hole_that_pruning_did_not_make_is_found() {
    let hide: [&str; 3] = [
        "DELETE FROM segment WHERE id < 4; DELETE FROM pruned WHERE id < 4",
        "UPDATE pruned SET error = 0 WHERE id = 3",
        "INSERT INTO pruned SELECT 4, time, prefix, name, min_time, max_time, 0, 0, 0, 0, digest, signature FROM pruned",
    ];
    for sql in hide {
        let (place, entries) = days();
        let mut sealer = Sealer::open(&place.state, Stream::Lines, Limits::default()).unwrap();
        let retention = Retention { age: Some(keep(2)), levels: vec![(Level::Error, keep(3))], bytes: None };
        sealer.prune(&retention, entries[50].time).unwrap();
        let changed = place.store.connection.execute_batch(&format!("DELETE FROM pruned WHERE id = 2; {sql}"));
        changed.unwrap();
        assert!(!place.findings().is_empty(), "{sql}");
    }
}

#[test]
fn a_reader_that_comes_while_a_segment_is_pruned_gets_what_is_left() {
    let (place, entries) = days();
    let mut sealer = Sealer::open(&place.state, Stream::Lines, Limits::default()).unwrap();
    let retention = Retention { levels: vec![(Level::Info, keep(0))], ..Retention::default() };
    let (mut seen, mut pruned) = (Vec::new(), false);
    let mut sink = |row: &Row<'_>| {
        seen.push(row.line.to_owned());
        if !std::mem::replace(&mut pruned, true) {
            sealer.prune(&retention, entries[50].time + 1).unwrap();
        }
        true
    };
    place.store.query(&Query::default(), &mut sink).unwrap();
    // The first segment was open when its file went, and some of those behind it may have been.
    let left = of_days(&entries, |day, entry| day == 0 || day == 5 || entry.level == Level::Error);
    assert!(left.iter().all(|line| seen.contains(line)), "{seen:?}");
    let mut all = entries.iter();
    assert!(seen.iter().all(|line| all.any(|entry| entry.line == *line)), "each once, in order: {seen:?}");
    assert!(place.store.take_damage().is_empty());
    assert_eq!(place.findings(), [""; 0]);
}

#[test]
fn a_pruner_that_was_killed_before_the_old_file_was_gone_is_cleaned_up_after() {
    let (place, entries) = days();
    let old = place.files()[0].clone();
    let bytes = std::fs::read(&old).unwrap();
    let retention = Retention { levels: vec![(Level::Info, keep(1))], ..Retention::default() };
    let mut sealer = Sealer::open(&place.state, Stream::Lines, Limits::default()).unwrap();
    sealer.prune(&retention, entries[50].time).unwrap();
    std::fs::write(&old, bytes).unwrap();
    let verified = place.verify();
    assert_eq!((verified.findings, verified.notes.len()), (Vec::new(), 1));
    sealer.prune(&retention, entries[50].time).unwrap();
    assert!(!old.exists());
    assert_eq!(place.all(), of_days(&entries, |day, entry| day > 3 || entry.level == Level::Error));
}

#[test]
fn a_damaged_or_missing_store_is_put_aside_and_the_segments_are_served() {
    let harms: [fn(&Path); 4] = [
        |path| std::fs::write(path, "something else entirely, and long enough for a header".repeat(100)).unwrap(),
        |path| std::fs::write(path, "").unwrap(),
        |path| std::fs::remove_file(path).unwrap(),
        |path| change(path, |bytes| bytes[16..60].fill(0xff)),
    ];
    for (number, harm) in harms.iter().enumerate() {
        let (place, entries) = days();
        let mut sealer = Sealer::open(&place.state, Stream::Lines, Limits::default()).unwrap();
        let retention = Retention { levels: vec![(Level::Info, keep(3))], ..Retention::default() };
        sealer.prune(&retention, entries[50].time).unwrap();
        drop(sealer);
        let Place { _directory, state, store } = place;
        drop(store);
        for suffix in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", state.hot_db().display()));
        }
        harm(&state.hot_db());
        let store = LogStore::open(state.hot_db()).unwrap();
        let mut place = Place { _directory, state, store };
        let sealed = of_days(&entries, |day, entry| day < 5 && (day > 1 || entry.level == Level::Error));
        assert_eq!(place.all(), sealed, "{number}");
        place.store.append(&numbered(100..103)).unwrap();
        place.seal(usize::MAX);
        let all: Vec<_> = sealed.into_iter().chain(lines(&numbered(100..103))).collect();
        assert_eq!(place.all(), all, "{number}");
        let found = place.findings();
        assert!(found.len() == 1 && found[0].contains("put aside"), "{number}: {found:?}");
        for entry in std::fs::read_dir(place.state.hot_db().parent().unwrap()).unwrap().flatten() {
            if entry.file_name().to_string_lossy().contains("damaged") {
                std::fs::remove_file(entry.path()).unwrap();
            }
        }
        assert_eq!(place.findings(), [""; 0], "{number}");
        assert!(place.verify().notes[0].contains("is gone"));
    }
}
