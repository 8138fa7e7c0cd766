//! What goes, and what stays.

use super::*;

pub(super) fn days() -> (Place, Vec<Entry>) {
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

pub(super) fn of_days(entries: &[Entry], is_kept: impl Fn(usize, &Entry) -> bool) -> Vec<String> {
    let kept = entries.iter().enumerate().filter(|(number, entry)| is_kept(number / 10, entry));
    kept.map(|(_, entry)| entry.line.clone()).collect()
}

pub(super) fn keep(days: u64) -> std::time::Duration {
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
