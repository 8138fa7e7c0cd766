//! Packs that are stored as columns: what comes of them when they are sealed, and when somebody changed them.

use super::*;

/// Entries that are stored as columns, [`wild`] ones among them.
fn many() -> Vec<Entry> {
    let mut entries = numbered(0..100);
    (0..3).for_each(|_| entries.extend(wild()));
    entries
}

fn forms(place: &Place) -> Vec<u8> {
    let mut statement =
        place.store.connection.prepare("SELECT substr(entries, 1, 1) FROM pack ORDER BY first").unwrap();
    let forms = statement.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    forms.map(|form| form.unwrap()[0]).collect()
}

#[test]
fn columns_and_lines_make_one_segment_and_heads_between_them_are_found_in_it() {
    let mut place = Place::new();
    let verifier = Verifier::open(&place.state, Stream::Lines).unwrap();
    let (mut all, mut heads) = (Vec::new(), Vec::new());
    for batch in [numbered(0..3), many(), wild(), many(), numbered(3..200)] {
        place.store.append(&batch).unwrap();
        all.extend(lines(&batch));
        heads.push(verifier.head(START).unwrap());
    }
    assert_eq!(forms(&place), [0xff, 0xfe, 0xff, 0xfe, 0xfe]);
    let check = || heads.iter().for_each(|head| assert_eq!(verifier.verify(Some(head)).unwrap().findings, []));
    assert!(place.all() == all);
    check();
    assert_eq!(place.seal(usize::MAX).segments, 1);
    assert!(place.all() == all);
    check();
}

#[test]
fn whatever_was_changed_of_a_pack_is_told_and_sealing_does_not_make_it_good() {
    let stored = "SELECT entries FROM pack WHERE first = 1";
    let mut place = Place::new();
    place.store.append(&many()).unwrap();
    let bytes: Vec<u8> = place.store.connection.query_row(stored, [], |row| row.get(0)).unwrap();
    // Another log of the same shapes: its pack is sound, and would be where nobody had kept the chain.
    let mut other = Place::new();
    let mut entries = many();
    entries[50] = numbered(999..1000).remove(0);
    other.store.append(&entries).unwrap();
    let mut harms: Vec<Vec<u8>> = vec![other.store.connection.query_row(stored, [], |row| row.get(0)).unwrap()];
    // The form, the hash of the contents, and bytes from end to end.
    harms.extend((0..bytes.len()).step_by(bytes.len() / 60).chain([1, 32, bytes.len() - 1]).map(|at| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        bytes
    }));
    for (number, harm) in harms.iter().enumerate() {
        let mut place = Place::new();
        place.store.append(&many()).unwrap();
        place.store.connection.execute("UPDATE pack SET entries = ?1", [harm]).unwrap();
        place.store.append(&many()).unwrap();
        let found = place.findings();
        assert!(found.len() == 1 && found[0].starts_with("rows: "), "{number}: {found:?}");
        place.seal(usize::MAX);
        let found = place.findings();
        assert!(found.len() == 1 && found[0].contains("tampered with before they were sealed"), "{number}: {found:?}");
    }
}

#[test]
fn a_shape_that_was_changed_is_told_when_its_packs_are_sealed() {
    let mut place = Place::new();
    place.store.append(&many()).unwrap();
    place.store.connection.execute("UPDATE shape SET rule = 'other'", []).unwrap();
    assert_eq!(place.findings().len(), 1);
    place.seal(usize::MAX);
    let found = place.findings();
    assert!(found.len() == 1 && found[0].contains("tampered with before they were sealed"), "{found:?}");
}
