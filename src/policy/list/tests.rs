//! What is on a list, and what is not.

use std::collections::HashSet;
use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::expr::ValueRef;

fn list(entry_type: EntryType, entries: &[&str]) -> List {
    List::of(entry_type, entries.iter().copied()).unwrap()
}

fn has(list: &List, entry_type: EntryType, value: ValueRef<'_>) -> bool {
    list.has(&Sought::new(entry_type, &value).unwrap())
}

fn text_is_on(entry_type: EntryType, entries: &[&str], text: &str) -> bool {
    has(&list(entry_type, entries), entry_type, ValueRef::String(text))
}

#[test]
fn texts_are_compared_whole_and_an_empty_one_is_on_no_list() {
    let entries = ["/health", "", "/sport"];
    assert!(text_is_on(EntryType::Strings, &entries, "/sport"));
    for other in ["/Sport", "/sport/", "/spor", "", "/health\n"] {
        assert!(!text_is_on(EntryType::Strings, &entries, other), "{other}");
    }
    assert_eq!(list(EntryType::Strings, &["a", "b", "a", ""]).len(), 2);
}

#[test]
fn letter_case_does_not_count_where_the_list_says_so() {
    let folded = |entries: &[&str], text: &str| text_is_on(EntryType::CaseInsensitiveStrings, entries, text);
    assert!(folded(&["/Sport", "STRASSE", "Ärger"], "/sPORT"));
    assert!(folded(&["Ärger"], "äRGER"));
    assert!(!folded(&["STRASSE"], "straße"));
    let long = "x".repeat(1000);
    assert!(folded(&[&long.to_uppercase()], &long));
}

#[test]
fn an_address_is_looked_up_in_a_list_of_texts_by_its_text() {
    let address = ValueRef::IpAddress("::ffff:10.0.0.1".parse().unwrap());
    assert!(has(&list(EntryType::Strings, &["10.0.0.1"]), EntryType::Strings, address));
    let address = ValueRef::IpAddress("2001:db8::a".parse().unwrap());
    let folded = EntryType::CaseInsensitiveStrings;
    assert!(has(&list(folded, &["2001:DB8::A"]), folded, address));
    assert!(has(&list(EntryType::Regex, &["^2001:"]), EntryType::Regex, address));
}

#[test]
fn addresses_are_in_ranges() {
    let on = |entries: &[&str], text: &str| text_is_on(EntryType::IpAddresses, entries, text);
    let entries = ["10.1.2.3/8", "192.0.2.7", "2001:db8::1", "fd00::/8", "::ffff:172.16.0.0/108"];
    for inside in [
        "10.0.0.0",
        "10.255.255.255",
        "192.0.2.7",
        "2001:db8::1",
        "fdff::1",
        "::ffff:10.9.9.9",
        "172.31.0.1",
        "::ffff:192.0.2.7",
    ] {
        assert!(on(&entries, inside), "{inside}");
    }
    for outside in ["9.255.255.255", "11.0.0.0", "192.0.2.8", "2001:db8::2", "2001:db8::", "fe00::", "172.32.0.0"] {
        assert!(!on(&entries, outside), "{outside}");
    }
    assert!(on(&["0.0.0.0/0"], "255.255.255.255") && on(&["::/0"], "ffff::") && !on(&["::/0"], "10.0.0.1"));
    assert!(!on(&[], "10.0.0.1"));
    assert!(Sought::new(EntryType::IpAddresses, &ValueRef::String("10.0.0.1:80")).is_none());
    assert!(List::of(EntryType::IpAddresses, ["10.0.0.0/33"].into_iter()).is_err());
}

#[test]
fn any_pattern_may_match_anywhere() {
    assert!(text_is_on(EntryType::Regex, &["^/sport", "ball$"], "/x/football"));
    assert!(!text_is_on(EntryType::Regex, &["^/sport", "ball$"], "/x/sport"));
    assert!(!text_is_on(EntryType::Regex, &[""], ""));
    assert!(List::of(EntryType::Regex, ["("].into_iter()).is_err());
}

#[test]
fn lines_end_with_lf_or_crlf_and_are_not_trimmed() {
    let list = read(EntryType::Strings, b"\xef\xbb\xbf/a\r\n\n /b\n/c").unwrap();
    let has = |text| has(&list, EntryType::Strings, ValueRef::String(text));
    assert!(has("/a") && has(" /b") && has("/c") && !has("/b") && !has("/a\r"));
    assert_eq!(list.len(), 3);
    assert!(read(EntryType::Strings, b"\xff").is_err());
    assert!(read(EntryType::Strings, b"a\0b").is_err());
}

#[test]
fn addresses_are_provided_as_yaml() {
    assert_eq!(read(EntryType::IpAddresses, b"whitelist:\n- 10.0.0.0/8\n- '::1'\n").unwrap().len(), 2);
    for body in [&b"10.0.0.0/8\n"[..], b"blacklist: [10.0.0.0/8]", b"whitelist: [x]", b"", b"whitelist: {"] {
        assert!(read(EntryType::IpAddresses, body).is_err(), "{body:?}");
    }
}

proptest! {
    #[test]
    fn a_list_of_texts_has_what_a_set_has(
        entries in prop::collection::vec("[ab]{0,4}|[a-zé]{0,9}", 0..80),
        others in prop::collection::vec("[ab]{0,4}|[a-zé]{0,9}", 0..40),
    ) {
        let list = List::of(EntryType::Strings, entries.iter().map(String::as_str)).unwrap();
        let set: HashSet<&String> = entries.iter().filter(|entry| !entry.is_empty()).collect();
        prop_assert_eq!(list.len(), set.len());
        for text in entries.iter().chain(&others) {
            prop_assert_eq!(has(&list, EntryType::Strings, ValueRef::String(text)), set.contains(text));
        }
    }

    #[test]
    fn joined_ranges_have_what_any_of_the_ranges_has(
        ranges in prop::collection::vec((any::<[u8; 4]>(), 0_u8..=32), 0..12),
        v6 in prop::collection::vec((any::<[u8; 16]>(), 0_u8..=128), 0..6),
        address in any::<[u8; 4]>(),
        wide in any::<[u8; 16]>(),
        near in any::<prop::sample::Index>(),
    ) {
        let all: Vec<(IpAddr, u8)> = ranges.iter().map(|(address, length)| (IpAddr::from(*address), *length))
            .chain(v6.iter().map(|(address, length)| (IpAddr::from(*address), *length))).collect();
        let joined = Ranges::of(&all);
        let mut asked = vec![IpAddr::from(address), IpAddr::from(wide)];
        if !all.is_empty() {
            asked.push(all[near.index(all.len())].0);
        }
        for address in asked {
            prop_assert_eq!(joined.have(address), all.iter().any(|range| within(*range, address)));
        }
    }
}

/// The obvious way, for ranges that are not IPv4-mapped.
fn within((range, length): (IpAddr, u8), address: IpAddr) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(v4) => (false, u128::from(v4.to_bits()) << 96),
        IpAddr::V6(v6) => (true, v6.to_bits()),
    };
    let ((range_v6, range), (address_v6, address)) = (bits(range), bits(address));
    range_v6 == address_v6 && (length == 0 || (range ^ address) >> (128 - u32::from(length)) == 0)
}
