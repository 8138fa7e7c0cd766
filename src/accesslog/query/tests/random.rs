//! Entries and patterns by chance.

use super::*;

/// The same numbers in each run, each below another; others for each seed.
pub(super) fn chance(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(2 * seed + 1);
    move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % below
    }
}

/// Random entries of several layouts and both forms, with some lines that are kept whole. Half of the logs have paths that need
/// escapes.
pub(super) fn random_entries(count: usize, random: &mut impl FnMut(usize) -> usize) -> Vec<Entry> {
    let shapes = [
        shape("a", Format::Json, Outlet::Stdout),
        shape("b", Format::Json, Outlet::Stdout),
        shape("c", Format::Text, Outlet::Stderr),
    ];
    let hosts = ["edition.cnn.com", "api.example.org", "www.site7.example", "\u{fc}ber.example", "a\"b\\c", ""];
    let sections = ["politics", "sport", "a b", ["\u{e9}t\u{e9}", "\n"][random(2)]];
    // Of few different texts a segment has a dictionary.
    let paths = [50, 120, 3000][random(3)];
    let mut one = |number: usize| {
        let (which, level) = (random(3), Level::ALL[random(3)]);
        let time = START + number as i64 * 86_400 + random(1000) as i64;
        let mut text = String::new();
        line::begin(&mut text, level, time, &shapes[which].instance);
        if which != 1 {
            line::name(&mut text, "destination");
            line::string(&mut text, hosts[random(hosts.len())]);
        }
        line::name(&mut text, "path");
        line::string(&mut text, &format!("/{}/{:x}", sections[random(4)], random(paths) * 7));
        let code = [200, 200, 304, 403, 404, 503][random(6)];
        text.push_str(&format!(",\"responseCode\":{code},\"responseSize\":{}", random(100_000)));
        if which == 0 {
            let more =
                [",\"ok\":true", ",\"ok\":false", ",\"ratio\":0.5", ",\"labels\":{\"app\":\"x,y\"}", ""][random(5)];
            text.push_str(more);
        }
        if random(200) == 0 {
            text.push_str(", \"kept\":\"whole\"");
        }
        line::end(&mut text);
        Entry { time, level, shape: Arc::clone(&shapes[which]), line: text }
    };
    (0..count).map(&mut one).collect()
}

/// A piece of a line as a pattern, with what makes expressions of it.
pub(super) fn random_pattern(line: &str, random: &mut impl FnMut(usize) -> usize) -> Pattern {
    let characters: Vec<char> = line.chars().collect();
    let start = random(characters.len());
    let end = (start + 1 + random(24)).min(characters.len());
    let piece: String = characters[start..end].iter().collect();
    if random(2) == 0 {
        return Pattern { ignore_case: random(4) == 0, inverted: random(6) == 0, ..Pattern::fixed(piece) };
    }
    let middle = (start + end) / 2;
    let [before, after] = [&characters[start..middle], &characters[middle..end]]
        .map(|part| regex::escape(&part.iter().collect::<String>()));
    let text = match random(7) {
        0 => format!("{before}.*{after}"),
        1 => format!("{before}[^\"]*\",.*{after}"),
        2 => format!("{before}(?:{after}|[0-9]+)"),
        3 => format!("^.*{after}"),
        4 => format!("{before}.{{0,9}}$"),
        5 => format!("\\b{}\\b", regex::escape(&piece)),
        _ => format!("\"responseCode\": ?(?:403|50[0-9]).*{after}"),
    };
    Pattern { ignore_case: random(4) == 0, inverted: random(6) == 0, ..Pattern::regex(text) }
}
