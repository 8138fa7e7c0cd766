//! What sealing makes of rows.

use super::*;

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
    let schema = super::super::read::tests::columns(&file);
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

#[test]
fn a_large_dictionary_is_read_in_parts_and_whole_by_other_readers() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;

    let mut place = Place::new();
    place.store.append(&numbered(0..5000)).unwrap();
    place.seal(usize::MAX);
    let expected = place.all();
    assert_eq!(expected, lines(&numbered(0..5000)));
    for wanted in [0, 2047, 2048, 4999] {
        let filter = Some(format!("path == \"/{wanted}\" || path == \"/{}\"", 4999 - wanted));
        let mut both = [wanted, 4999 - wanted];
        both.sort_unstable();
        assert_eq!(ask(&place.store, &Query { filter, ..Query::default() }), both.map(|one| expected[one].clone()));
        let tail = Some(5000 - wanted);
        assert_eq!(ask(&place.store, &Query { tail, head: None, ..Query::default() }), expected[wanted..]);
    }
    let file = SerializedFileReader::new(std::fs::File::open(&place.files()[0]).unwrap()).unwrap();
    let path = |row: parquet::record::Row| {
        let found = row.get_column_iter().find(|(name, _)| *name == "path").map(|(_, value)| value.clone());
        if let Some(Field::Str(text)) = found { text } else { String::new() }
    };
    let found: Vec<String> = file.get_row_iter(None).unwrap().map(|row| path(row.unwrap())).collect();
    assert_eq!(found, (0..5000).map(|number| format!("/{number}")).collect::<Vec<_>>());
}
