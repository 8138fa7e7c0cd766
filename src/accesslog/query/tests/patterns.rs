//! What patterns find, beside a regular expression over the lines.

use super::random::{chance, random_entries, random_pattern};
use super::*;

/// With `EGRESSCTL_LOG_ROWS=1000000 EGRESSCTL_LOG_PATTERNS=1000` it is the run that people wait for.
#[test]
fn patterns_find_the_lines_that_rg_would() {
    let mut random = chance(0);
    let rows = number("EGRESSCTL_LOG_ROWS", 9_000) as usize;
    let entries = random_entries(rows, &mut random);
    let (directory, mut store) = filled(&[]);
    let state = StateDir::open(directory.path().join("state")).unwrap();
    let sealed = rows * 9 / 10;
    store.append(&entries[..sealed]).unwrap();
    // More than a page, so that pages are passed over.
    let limits = Limits { rows: (rows * 2 / 3).min(1 << 19), ..Limits::default() };
    Sealer::open(&state, Stream::Lines, limits).unwrap().seal_all(START).unwrap();
    store.append(&entries[sealed..]).unwrap();
    let printed = lines(&entries);
    for _ in 0..number("EGRESSCTL_LOG_PATTERNS", 120) {
        let one =
            |random: &mut dyn FnMut(usize) -> usize| random_pattern(&printed[random(rows)], &mut |below| random(below));
        let mut patterns = vec![one(&mut random)];
        if random(4) == 0 {
            patterns.push(one(&mut random));
        }
        let query = Query { patterns, ..Query::default() };
        let expressions: Vec<_> = query.patterns.iter().map(expression).collect();
        let matches = |line: &&String| expressions.iter().all(|(one, inverted)| one.is_match(line) != *inverted);
        let expected: Vec<&String> = printed.iter().filter(matches).collect();
        assert_eq!(ask(&store, &query), expected.iter().map(|line| line.as_str()).collect::<Vec<_>>(), "{query:?}");
        assert_eq!(store.count(&query).unwrap(), expected.len() as u64, "{query:?}");
    }
}

/// The pattern as one who reads lines would have it, and whether it is inverted.
pub(super) fn expression(pattern: &Pattern) -> (regex::Regex, bool) {
    let text = if pattern.syntax == Syntax::Fixed { regex::escape(&pattern.text) } else { pattern.text.clone() };
    let expression = regex::RegexBuilder::new(&text).case_insensitive(pattern.ignore_case).build();
    (expression.unwrap(), pattern.inverted)
}
