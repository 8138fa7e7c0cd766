//! What patterns and conditions find, beside what `rg` finds in the lines.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use super::*;

/// Random entries of several layouts and both forms, with values that need escapes, and some lines that are kept whole.
fn random_entries(count: usize, random: &mut impl FnMut(usize) -> usize) -> Vec<Entry> {
    let shapes = [
        shape("a", Format::Json, Outlet::Stdout),
        shape("b", Format::Json, Outlet::Stdout),
        shape("c", Format::Text, Outlet::Stderr),
    ];
    let hosts = ["edition.cnn.com", "api.example.org", "www.site7.example", "\u{fc}ber.example", "a\"b\\c", ""];
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
        line::string(&mut text, &format!("/{}/{:x}", ["politics", "sport", "a b", "\n"][random(4)], random(3000)));
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
fn random_pattern(line: &str, random: &mut impl FnMut(usize) -> usize) -> Pattern {
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

/// With `EGRESSCTL_LOG_ROWS=1000000 EGRESSCTL_LOG_PATTERNS=1000` it is the run that people wait for.
#[test]
fn patterns_find_the_lines_that_rg_would() {
    let mut random = chance();
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
fn expression(pattern: &Pattern) -> (regex::Regex, bool) {
    let text = if pattern.syntax == Syntax::Fixed { regex::escape(&pattern.text) } else { pattern.text.clone() };
    let expression = regex::RegexBuilder::new(&text).case_insensitive(pattern.ignore_case).build();
    (expression.unwrap(), pattern.inverted)
}

/// The same numbers in each run, each below another.
fn chance() -> impl FnMut(usize) -> usize {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % below
    }
}

/// Entries of each log that is asked.
const ENTRIES: usize = 1000;

/// A query, and what lines must contain, or must not, to be its answer.
type Question = (Query, Vec<(String, bool)>);

fn random_question(line: &str, random: &mut impl FnMut(usize) -> usize) -> Question {
    let (mut query, mut expressions) = (Query::default(), Vec::new());
    if random(5) > 0 {
        let pattern = random_pattern(line, random);
        let (expression, inverted) = expression(&pattern);
        let flags = if pattern.ignore_case { "(?i)" } else { "" };
        expressions.push((format!("{flags}(?:{expression})"), inverted));
        query.patterns.push(pattern);
    }
    if random(4) == 0 {
        let level = Level::ALL[random(3)];
        query.level = Some(LevelFilter::Exactly(level));
        expressions.push((format!("^(?:\\{{\"level\":\"{0}\"|[^\t]*\t{0}\t)", level.name()), false));
    }
    if random(4) == 0 {
        let (glob, host) =
            [("*cnn*", "[^\"]*cnn[^\"]*"), ("api.example.org", "api\\.example\\.org"), ("www.*", "www\\.[^\"]*")]
                [random(3)];
        let inverted = random(3) == 0;
        let tests = vec![Test::Glob(glob.to_owned())];
        query.fields.push(Field { names: vec!["destination".to_owned()], tests, inverted });
        expressions.push((format!("\"destination\": ?\"{host}\""), inverted));
    }
    if random(4) == 0 {
        query.filter = Some("responseCode >= 400 && responseCode < 500".to_owned());
        expressions.push(("\"responseCode\": ?4[0-9][0-9]".to_owned(), false));
    }
    (query, expressions)
}

/// The numbers of the lines that `rg` finds, from 0; nothing where it is not installed.
fn rg(lines: &Path, expression: &str, inverted: bool) -> Option<BTreeSet<usize>> {
    let mut command = Command::new("rg");
    command.args(["--no-config", "--line-number", "--no-filename", "--only-matching", "--replace", ""]);
    if inverted {
        // With it rg prints whole lines, whatever else is said.
        command.arg("--invert-match");
    }
    let found = command.arg("--regexp").arg(expression).arg(lines).output().ok()?;
    assert!(found.stderr.is_empty(), "{expression}: {}", String::from_utf8_lossy(&found.stderr));
    let number = |line: &[u8]| String::from_utf8_lossy(line.split(|byte| *byte == b':').next()?).parse::<usize>().ok();
    Some(found.stdout.split(|byte| *byte == b'\n').filter_map(number).map(|number| number - 1).collect())
}

/// Each question is put to each of some logs, sealed in part, and to `rg` over the lines of all of them. The run of a million
/// questions is `EGRESSCTL_RG_LOGS=100 EGRESSCTL_RG_QUESTIONS=10000 cargo test --release --lib what_rg_finds`.
#[test]
fn a_question_finds_what_rg_finds_in_the_lines() {
    let mut random = chance();
    let logs = number("EGRESSCTL_RG_LOGS", 2) as usize;
    let (directory, _) = place();
    let file = directory.path().join("lines");
    let mut out = std::io::BufWriter::new(std::fs::File::create(&file).unwrap());
    let (mut stores, mut printed) = (Vec::new(), Vec::new());
    for log in 0..logs {
        let entries = random_entries(ENTRIES, &mut random);
        let state = StateDir::open(directory.path().join(log.to_string())).unwrap();
        let mut store = LogStore::open(state.hot_db()).unwrap();
        let sealed = random(ENTRIES);
        store.append(&entries[..sealed]).unwrap();
        let limits = Limits { rows: 1 + random(2 * ENTRIES), ..Limits::default() };
        let limits = Limits { rows: limits.rows.max(100), ..limits };
        Sealer::open(&state, Stream::Lines, limits).unwrap().seal_all(START).unwrap();
        store.append(&entries[sealed..]).unwrap();
        stores.push(store);
        let lines = lines(&entries);
        lines.iter().for_each(|line| writeln!(out, "{line}").unwrap());
        printed.extend(lines);
    }
    out.flush().unwrap();
    for _ in 0..number("EGRESSCTL_RG_QUESTIONS", 60) {
        let line = printed[random(printed.len())].clone();
        let (query, expressions) = random_question(&line, &mut random);
        let mut expected: BTreeSet<usize> = (0..printed.len()).collect();
        for (expression, inverted) in &expressions {
            let found = rg(&file, expression, *inverted).unwrap_or_else(|| {
                let expression = regex::Regex::new(expression).unwrap();
                let matches = |number: &usize| expression.is_match(&printed[*number]) != *inverted;
                (0..printed.len()).filter(matches).collect()
            });
            expected.retain(|number| found.contains(number));
        }
        for (log, store) in stores.iter().enumerate() {
            let here = log * ENTRIES..(log + 1) * ENTRIES;
            let expected: Vec<usize> = expected.range(here.clone()).map(|number| number - here.start + 1).collect();
            let mut found = Vec::new();
            let mut sink = |row: &Row<'_>| {
                assert_eq!(row.printed(), printed[here.start + row.seq as usize - 1], "{query:?}");
                found.push(row.seq as usize);
                true
            };
            store.query(&query, &mut sink).unwrap();
            assert_eq!(found, expected, "{query:?}");
            assert_eq!(store.count(&query).unwrap(), expected.len() as u64, "{query:?}");
        }
    }
    if Command::new("rg").arg("--version").output().is_err() {
        eprintln!("rg is not installed: compared with regular expressions over the lines instead");
    }
}
