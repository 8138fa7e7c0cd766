//! What stands out in a line: its level where it is a bad one, and what was searched for.

use std::ops::Range;

use regex::Regex;

use crate::accesslog::Level;
use crate::cli::output::cell::prefix;
use crate::cli::style;

/// How found texts stand out.
const FOUND: &str = "\u{1b}[1m\u{1b}[36m";

/// The places of a line where any of some patterns is, in order, none in another.
pub(super) fn places(line: &str, patterns: &[Regex]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> =
        patterns.iter().flat_map(|pattern| pattern.find_iter(line)).map(|one| one.range()).collect();
    found.retain(|place| !place.is_empty());
    found.sort_by_key(|place| (place.start, std::cmp::Reverse(place.end)));
    let mut upto = 0;
    found.retain(|place| {
        let apart = place.start >= upto;
        upto = if apart { place.end } else { upto };
        apart
    });
    found
}

/// The line with its level and what was found in colour. The level is the first field of both forms of lines.
pub(super) fn line(line: &str, level: Level, patterns: &[Regex]) -> String {
    let name = level.name();
    let place = if line.starts_with('{') { format!("\"{name}\"") } else { format!("\t{name}\t") };
    let at = line.find(&place).map(|at| at + 1..at + 1 + name.len());
    painted(line, at, level, patterns)
}

/// The same for a row of a table with the level behind so many terminal cells, if it has one.
pub(super) fn row(line: &str, (level, place): (Level, Option<usize>), patterns: &[Regex]) -> String {
    let at = place.map(|cells| prefix(line, cells).len());
    let at = at.filter(|at| line[*at..].starts_with(level.name())).map(|at| at..at + level.name().len());
    painted(line, at, level, patterns)
}

fn painted(line: &str, level_at: Option<Range<usize>>, level: Level, patterns: &[Regex]) -> String {
    let code = match level {
        Level::Info => None,
        Level::Warning => Some(style::WARNING),
        Level::Error => Some(style::ERROR),
    };
    let mut spans: Vec<(Range<usize>, &str)> = places(line, patterns).into_iter().map(|place| (place, FOUND)).collect();
    if let Some((place, code)) = level_at.zip(code)
        && !spans.iter().any(|(found, _)| found.start < place.end && place.start < found.end)
    {
        spans.push((place, code));
        spans.sort_by_key(|(place, _)| place.start);
    }
    let (mut text, mut done) = (String::with_capacity(line.len() + spans.len() * 16), 0);
    for (place, code) in spans {
        text.push_str(&line[done..place.start]);
        text.push_str(code);
        text.push_str(&line[place.clone()]);
        text.push_str(style::PLAIN);
        done = place.end;
    }
    text.push_str(&line[done..]);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bad_levels_are_coloured() {
        let json = r#"{"level":"error","time":"t","path":"error"}"#;
        let expected = "{\"level\":\"\u{1b}[1m\u{1b}[91merror\u{1b}[0m\",\"time\":\"t\",\"path\":\"error\"}";
        assert_eq!(line(json, Level::Error, &[]), expected);
        assert_eq!(line(json, Level::Info, &[]), json);
        assert_eq!(line("t\twarn\ti\t{}", Level::Warning, &[]), "t\t\u{1b}[1m\u{1b}[33mwarn\u{1b}[0m\ti\t{}");
    }

    #[test]
    fn what_was_found_stands_out_once() {
        let patterns = ["ab+", "b", "x*"].map(|text| Regex::new(text).unwrap());
        assert_eq!(places("abb b", &patterns), [0..3, 4..5]);
        assert_eq!(line("cab", Level::Info, &patterns), "c\u{1b}[1m\u{1b}[36mab\u{1b}[0m");
    }
}
