//! What a look-up in a long list costs: nanoseconds, and the ratio to the standard library's set in the same run.
//!
//! `cargo bench --bench lists`. Every value is looked up once in an order that no cache can guess; half of them are on
//! the list. Time is that of the processor, so that others who use the machine count less. Linux only (reads /proc).

use std::collections::HashSet;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use egressctl::expr::ValueRef;
use egressctl::policy::list::{List, Sought};
use egressctl::resource::kinds::listchecker::EntryType;

const STRINGS: usize = 1_000_000;
const RANGES: usize = 100_000;
const LOOKUPS: usize = 1_000_000;
/// Rounds of which the best counts: the others were disturbed.
const ROUNDS: usize = 15;

fn main() {
    println!("| list | ns a look-up | std HashSet, ns | ratio |\n|---|---|---|---|");
    strings(EntryType::Strings, "1,000,000 strings");
    strings(EntryType::CaseInsensitiveStrings, "1,000,000 strings in any letter case");
    ranges();
    patterns();
}

/// Numbers without order, the same in each run.
fn scattered(count: usize) -> impl Iterator<Item = u64> {
    (0..count as u64).map(|n| {
        let mut x = n.wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    })
}

fn path(number: u64) -> String {
    format!("/articles/{number:07}/index.html")
}

/// Nanoseconds that this thread has had a processor.
fn busy() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    text.split(' ').next().and_then(|nanos| nanos.parse().ok()).expect("a number")
}

/// Best nanoseconds a look-up, and how many were found.
fn cost<T>(values: &[T], mut found: impl FnMut(&T) -> bool) -> (f64, usize) {
    let (mut best, mut count) = (f64::MAX, 0);
    for _ in 0..ROUNDS {
        let start = busy();
        count = values.iter().filter(|value| black_box(found(black_box(value)))).count();
        best = best.min((busy() - start) / values.len() as f64);
    }
    (best, count)
}

fn print(name: &str, ours: f64, theirs: f64) {
    println!("| {name} | {ours:.0} | {theirs:.0} | {:.2} |", ours / theirs);
}

fn strings(entry_type: EntryType, name: &str) {
    let entries: Vec<String> = (0..STRINGS as u64).map(|number| path(number * 2)).collect();
    let values: Vec<String> = scattered(LOOKUPS).map(|number| path(number % (2 * STRINGS as u64))).collect();
    let list = List::of(entry_type, entries.iter().map(String::as_str)).expect("texts");
    let set: HashSet<&str> = entries.iter().map(String::as_str).collect();
    let (theirs, expected) = cost(&values, |value| set.contains(value.as_str()));
    let (ours, found) =
        cost(&values, |value| list.has(&Sought::new(entry_type, &ValueRef::String(value)).expect("a text")));
    assert_eq!(found, expected);
    print(name, ours, theirs);
}

fn ranges() {
    // Every second /24 from 10.0.0.0 on: no two touch, so none can be joined.
    let network = |number: usize| Ipv4Addr::from_bits(0x0a00_0000 + (number as u32) * 512);
    let entries: Vec<String> = (0..RANGES).map(|number| format!("{}/24", network(number))).collect();
    let span = RANGES as u64 * 512;
    let values: Vec<IpAddr> =
        scattered(LOOKUPS).map(|number| Ipv4Addr::from_bits(0x0a00_0000 + (number % span) as u32).into()).collect();
    let list = List::of(EntryType::IpAddresses, entries.iter().map(String::as_str)).expect("ranges");
    // The set can only answer for networks of one size: it is the lower bound, not a rival.
    let set: HashSet<u32> = (0..RANGES).map(|number| network(number).to_bits() >> 8).collect();
    let (theirs, expected) = cost(&values, |value| match value {
        IpAddr::V4(address) => set.contains(&(address.to_bits() >> 8)),
        IpAddr::V6(_) => false,
    });
    let (ours, found) = cost(&values, |value| {
        list.has(&Sought::new(EntryType::IpAddresses, &ValueRef::IpAddress(*value)).expect("an address"))
    });
    assert_eq!(found, expected);
    print("100,000 CIDR ranges", ours, theirs);
    let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
    let (ours, _) = cost(&texts, |text| {
        list.has(&Sought::new(EntryType::IpAddresses, &ValueRef::String(text)).expect("an address"))
    });
    print("100,000 CIDR ranges, the address given as text", ours, theirs);
}

fn patterns() {
    let entries: Vec<String> = (0..1_000).map(|number| format!("^/section{number}/[a-z]+$")).collect();
    let values: Vec<String> = scattered(200_000).map(|number| format!("/section{}/world", number % 2_000)).collect();
    let list = List::of(EntryType::Regex, entries.iter().map(String::as_str)).expect("patterns");
    let set: HashSet<String> = (0..1_000).map(|number| format!("/section{number}/world")).collect();
    let (theirs, expected) = cost(&values, |value| set.contains(value));
    let (ours, found) =
        cost(&values, |value| list.has(&Sought::new(EntryType::Regex, &ValueRef::String(value)).expect("a text")));
    assert_eq!(found, expected);
    print("1,000 regular expressions", ours, theirs);
}
