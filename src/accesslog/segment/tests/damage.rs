//! What was cut off, changed or lost, and what is served then.

use super::pruning::{days, keep, of_days};
use super::*;

fn change(path: &Path, how: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    how(&mut bytes);
    std::fs::write(path, bytes).unwrap();
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
            &[(2, "the list says otherwise of it than the file itself")],
        ),
        (
            |place, _| {
                let sql = "UPDATE segment SET info = 0, warning = 0, error = 0 WHERE id = 2";
                place.store.connection.execute(sql, []).unwrap();
            },
            &[(1, "the list says otherwise of it than the file itself")],
        ),
        (
            |place, _| {
                let sql = "DELETE FROM segment WHERE id = 1;
                     UPDATE segment SET id = id - 1 WHERE id = 2; UPDATE segment SET id = id - 1 WHERE id = 3";
                place.store.connection.execute_batch(sql).unwrap();
            },
            &[
                (1, "it does not begin where the log does"),
                (1, "it does not follow segment 0"),
                (1, "is not signed by this node"),
                (2, "is not signed by this node"),
                (1, "the list says otherwise of it than the file itself"),
                (2, "the list says otherwise of it than the file itself"),
                (0, "is not listed"),
            ],
        ),
        (
            |place, _| {
                place.store.connection.execute("UPDATE segment SET last = 31 WHERE id = 3", []).unwrap();
            },
            &[(2, "is not signed by this node"), (2, "the list says otherwise of it than the file itself")],
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
        ("UPDATE pack SET error = 1, info = 0 WHERE first = 32", "entries 32 to 32 have other times or levels"),
        ("UPDATE pack SET min_time = 1, max_time = 2 WHERE first = 32", "entries 32 to 32 have other times or levels"),
        ("UPDATE link SET hash = zeroblob(32) WHERE seq = 30", "they do not go on where segment 3 ends"),
    ];
    for (sql, expected) in table {
        let place = sealed_and_hot();
        place.store.connection.execute_batch(sql).unwrap();
        let found = place.findings();
        assert!(
            found.iter().any(|text| text == &format!("rows: {expected}")
                || text.starts_with(&format!("rows: {expected},"))
                || text.starts_with(&format!("rows: {expected} than the store says"))),
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
    // Nor by taking out of the list what it says of them.
    place.store.connection.execute("UPDATE segment SET doubt = ''", []).unwrap();
    let found = place.findings();
    assert!(found.len() == 1 && found[0].contains("the list says otherwise of it than the file itself"), "{found:?}");
}

#[test]
fn a_log_whose_beginning_was_cut_off_is_not_whole() {
    for seal in [false, true] {
        let mut place = Place::new();
        for entry in numbered(0..4) {
            place.store.append(&[entry]).unwrap();
        }
        let cut = "UPDATE link SET (seq, hash) = (SELECT last, hash FROM pack WHERE first = 2);
             DELETE FROM pack WHERE first <= 2";
        place.store.connection.execute_batch(cut).unwrap();
        if seal {
            place.seal(usize::MAX);
        }
        let found = place.findings();
        assert!(found.iter().any(|text| text.contains("where the log does")), "{found:?}");
    }
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
