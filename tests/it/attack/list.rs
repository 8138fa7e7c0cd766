//! The list in SECURITY.md has a row for each id of a case, and no other.

use std::collections::BTreeSet;

use super::{framing, good, headers, hosts, log, mixed, multiplexed, names, paths, tunnels};

#[test]
fn the_list_of_attacks_is_that_of_the_tests() {
    let text = include_str!("../../../SECURITY.md");
    // `| P1 | what | stands for | becomes | test |`
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with("| "))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    let is_id = |id: &str| {
        let digits = id.trim_start_matches(|letter: char| letter.is_ascii_uppercase());
        digits.len() == id.len() - 1 && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let listed: Vec<_> = rows.iter().filter(|row| is_id(row[1])).collect();
    for row in &listed {
        assert!(row.len() == 7 && row[2..6].iter().all(|cell| !cell.is_empty()), "{row:?}");
    }
    let all = paths::PATHS.iter().map(|(id, ..)| *id).chain(hosts::ids()).chain(headers::ids()).chain(framing::ids());
    let all = all.chain(multiplexed::ids()).chain(tunnels::ids()).chain(mixed::ids()).chain(names::ids());
    let tested: BTreeSet<&str> = all.chain(log::ids()).chain(good::ids()).collect();
    let ids: BTreeSet<&str> = listed.iter().map(|row| row[1]).collect();
    assert_eq!(ids.len(), listed.len(), "an id is given twice");
    // Namespace escapes have tests of their own.
    assert_eq!(ids.into_iter().filter(|id| !id.starts_with('N')).collect::<BTreeSet<_>>(), tested);
}
