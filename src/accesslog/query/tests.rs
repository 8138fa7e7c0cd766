use std::sync::Arc;
use std::thread;

use proptest::prelude::*;

use super::*;
use crate::accesslog::testing::{SCENARIO, START, ask, entry, lines, numbered, place, shape};
use crate::accesslog::{Entry, Error, Limits, LogStore, Outlet, Sealer, Shape, Stream};
use crate::state::StateDir;

mod patterns;
mod random;
mod rg;

/// A number that the environment may say otherwise, for runs longer than people wait.
fn number(variable: &str, usual: u32) -> u32 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn filled(entries: &[Entry]) -> (tempfile::TempDir, LogStore) {
    let (directory, path) = place();
    let mut store = LogStore::open(path).unwrap();
    store.append(entries).unwrap();
    (directory, store)
}

fn scenario() -> Vec<Entry> {
    let (access, error) =
        (shape("egress-access", Format::Json, Outlet::Stdout), shape("x", Format::Json, Outlet::Stdout));
    let with = |shape: &Arc<Shape>, level, after, line: &str| Entry {
        line: line.to_owned(),
        ..entry(shape, START + after, level, "")
    };
    vec![
        with(&access, Level::Info, 0, SCENARIO[0]),
        with(&error, Level::Error, 0, SCENARIO[1]),
        with(&access, Level::Info, 916_978, SCENARIO[2]),
        with(&access, Level::Info, 1_037_495, SCENARIO[3]),
    ]
}

#[test]
fn the_scenarios_questions_are_answered() {
    let (_directory, store) = filled(&scenario());
    let patterns = vec![Pattern::regex("egress-access"), Pattern::regex("cnn")];
    assert_eq!(ask(&store, &Query { patterns, ..Query::default() }), SCENARIO);
    let level = Some(LevelFilter::Exactly(Level::Error));
    assert_eq!(ask(&store, &Query { level, ..Query::default() }), [SCENARIO[1]]);
    let patterns = vec![Pattern { inverted: true, ..Pattern::fixed("/politics") }];
    assert_eq!(ask(&store, &Query { patterns, ..Query::default() }), SCENARIO[2..]);
}

#[test]
fn a_row_says_where_its_entry_comes_from() {
    let (_directory, store) = filled(&scenario());
    let mut seen = Vec::new();
    let mut sink = |row: &Row<'_>| {
        assert_eq!(row.format, Format::Json);
        seen.push((row.seq, row.time - START, row.level, row.rule.to_owned(), row.handler.to_owned()));
        true
    };
    store.query(&Query { tail: Some(3), ..Query::default() }, &mut sink).unwrap();
    let names = |name: &str| (format!("report-{name}.rule.istio-system"), format!("{name}-handler.stdio.istio-system"));
    let row = |seq, time, level, (rule, handler)| (seq, time, level, rule, handler);
    assert_eq!(
        seen,
        [
            row(2, 0, Level::Error, names("x")),
            row(3, 916_978, Level::Info, names("egress-access")),
            row(4, 1_037_495, Level::Info, names("egress-access")),
        ]
    );
}

#[test]
fn an_empty_log_has_no_answer() {
    let (_directory, store) = filled(&[]);
    assert_eq!(store.query(&Query::default(), &mut |_: &Row<'_>| false).unwrap(), Answer { upto: 0, stopped: false });
    assert_eq!(store.count(&Query::default()).unwrap(), 0);
    assert!(ask(&store, &Query { tail: Some(3), ..Query::default() }).is_empty());
}

#[test]
fn a_sink_that_wants_no_more_gets_no_more() {
    let (_directory, store) = filled(&numbered(0..100));
    let mut taken = 0;
    let answer = store.query(&Query::default(), &mut |_: &Row<'_>| {
        taken += 1;
        taken < 3
    });
    assert_eq!((answer.unwrap(), taken), (Answer { upto: 100, stopped: true }, 3));
}

#[test]
fn what_is_no_regular_expression_is_refused_as_it_was_typed() {
    let (_directory, store) = filled(&[]);
    for text in ["(", "a{1000}{1000}{1000}"] {
        let query = Query { patterns: vec![Pattern::regex(text)], ..Query::default() };
        let error = store.query(&query, &mut |_: &Row<'_>| true).unwrap_err();
        assert!(matches!(&error, Error::Pattern { pattern, .. } if pattern == text), "{error}");
        assert!(store.count(&query).is_err());
    }
    let query = Query { patterns: vec![Pattern { ignore_case: true, ..Pattern::fixed("(") }], ..Query::default() };
    assert_eq!(store.count(&query).unwrap(), 0);
}

#[test]
fn lines_larger_than_a_chunk_are_handed_over_whole() {
    let shape = shape("a", Format::Json, Outlet::Stdout);
    let entries: Vec<_> = (0..4).map(|n| entry(&shape, n, Level::Info, &"x".repeat(700_000))).collect();
    let (_directory, store) = filled(&entries);
    assert_eq!(ask(&store, &Query::default()), lines(&entries));
}

#[test]
fn a_reader_that_is_stopped_holds_no_transaction() {
    let (_directory, mut store) = filled(&numbered(0..10));
    let reader = LogStore::open(store.path()).unwrap();
    let mut rows = 0;
    let answer = reader.query(&Query::default(), &mut |_: &Row<'_>| {
        store.append(&numbered(10..11)).unwrap();
        let busy: i64 = store.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
        assert_eq!(busy, 0);
        rows += 1;
        true
    });
    assert_eq!((answer.unwrap().upto, rows), (10, 10), "what comes meanwhile is not part of the answer");
}

/// Collects numbers until there are enough.
struct Until {
    seen: Vec<String>,
    enough: usize,
    idle: usize,
}

impl Sink for Until {
    fn entry(&mut self, row: &Row<'_>) -> bool {
        self.seen.push(row.line.to_owned());
        self.seen.len() < self.enough
    }

    fn idle(&mut self) -> bool {
        self.idle += 1;
        true
    }
}

#[test]
fn following_goes_on_where_the_query_ended_across_processes() {
    let (_directory, mut store) = filled(&numbered(0..10));
    let follower = LogStore::open(store.path()).unwrap();
    let mut sink = Until { seen: Vec::new(), enough: 300, idle: 0 };
    let answer = follower.query(&Query::default(), &mut sink).unwrap();
    store.append(&numbered(10..20)).unwrap();
    let writing = thread::spawn(move || {
        for batch in numbered(20..400).chunks(13) {
            store.append(batch).unwrap();
        }
    });
    follower.follow(&Query::default(), answer.upto, &mut sink).unwrap();
    writing.join().unwrap();
    assert_eq!(sink.seen, lines(&numbered(0..300)));
}

#[test]
fn following_keeps_the_conditions_and_knows_new_shapes() {
    let (_directory, mut store) = filled(&numbered(0..10));
    let follower = LogStore::open(store.path()).unwrap();
    let query = Query { rule: Some("report-new".to_owned()), tail: Some(1), ..Query::default() };
    let shape = shape("new", Format::Text, Outlet::Stdout);
    let (entries, mut appended, mut seen) = ([1, 2].map(|n| entry(&shape, n, Level::Info, "/")), false, Vec::new());
    struct Appending<'a>(&'a mut dyn FnMut() -> bool, &'a mut Vec<String>);
    impl Sink for Appending<'_> {
        fn entry(&mut self, row: &Row<'_>) -> bool {
            self.1.push(row.printed().into_owned());
            true
        }
        fn idle(&mut self) -> bool {
            (self.0)()
        }
    }
    let mut append = || {
        if !appended {
            store.append(&numbered(10..20)).unwrap();
            store.append(&entries).unwrap();
        }
        !std::mem::replace(&mut appended, true)
    };
    follower.follow(&query, 10, &mut Appending(&mut append, &mut seen)).unwrap();
    assert_eq!(seen, lines(&entries));
}

/// Numbers just below the end of a block, so that few entries reach into three.
const NEAR_BLOCK_END: i64 = 4096 * 3 - 20;

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let shapes = [
        shape("a", Format::Json, Outlet::Stdout),
        shape("a", Format::Text, Outlet::Stdout),
        shape("b.c", Format::Text, Outlet::Stderr),
    ];
    let one = (0..3_usize, 0..60_i64, 0..3_usize, "[ab/\"\u{e9}]{0,6}")
        .prop_map(move |(shape, time, level, path)| entry(&shapes[shape], time, Level::ALL[level], &path));
    proptest::collection::vec(one, 0..80)
}

fn level() -> impl Strategy<Value = Option<LevelFilter>> {
    let filter = (0..3_usize, any::<bool>()).prop_map(|(level, exactly)| {
        if exactly { LevelFilter::Exactly(Level::ALL[level]) } else { LevelFilter::AtLeast(Level::ALL[level]) }
    });
    proptest::option::of(filter)
}

fn patterns() -> impl Strategy<Value = Vec<Pattern>> {
    let text = prop_oneof!["[abAB/]{0,2}", Just("\": \"".to_owned()), Just("\t".to_owned()), Just("b\"}$".to_owned())];
    let one = (text, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(text, fixed, ignore_case, inverted)| {
        let syntax = if fixed { Syntax::Fixed } else { Syntax::Regex };
        Pattern { text, syntax, ignore_case, inverted }
    });
    proptest::collection::vec(one, 0..3)
}

fn fields() -> impl Strategy<Value = Vec<Field>> {
    let one = ("[ab/*?]{0,3}", any::<bool>(), 0..3_usize).prop_map(|(glob, inverted, names)| Field {
        names: [&["path"][..], &["level", "path"], &["missing"]][names].iter().map(|&name| name.to_owned()).collect(),
        tests: vec![Test::Glob(glob)],
        inverted,
    });
    proptest::collection::vec(one, 0..2)
}

/// Expressions with what they say of level and path.
type Filter = (&'static str, fn(&str, &str) -> bool);

const FILTERS: [Filter; 5] = [
    ("path == \"a\"", |_, path| path == "a"),
    ("path.startsWith(\"/\") && level != \"info\"", |level, path| path.starts_with('/') && level != "info"),
    ("level == \"error\" || path.endsWith(\"b\")", |level, path| level == "error" || path.ends_with('b')),
    ("path + level == \"awarn\"", |level, path| path == "a" && level == "warn"),
    ("time > timestamp(\"1970-01-01T00:00:00Z\") && path != \"\"", |_, path| !path.is_empty()),
];

prop_compose! {
    fn queries()(
        level in level(),
        since in proptest::option::of(0..60_i64),
        until in proptest::option::of(0..60_i64),
        tail in proptest::option::of(0..20_usize),
        instance in proptest::option::of(prop_oneof![Just("a"), Just("b.c.logentry"), Just("b")]),
        handler in proptest::option::of(Just("a-handler.stdio.istio-system".to_owned())),
        patterns in patterns(),
        fields in fields(),
        filter in proptest::option::of(0..FILTERS.len()),
        head in proptest::option::of(0..20_usize),
    ) -> Query {
        let filter = filter.map(|number| FILTERS[number].0.to_owned());
        let head = head.filter(|_| tail.is_none());
        Query { level, since, until, tail, instance: instance.map(str::to_owned), handler, patterns, fields, filter, head, rule: None, beside: Vec::new() }
    }
}

fn value(entry: &Entry, name: &str) -> Option<String> {
    match name {
        "level" => Some(entry.level.name().to_owned()),
        name => {
            let fields = line::fields(&entry.line).unwrap();
            fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str().unwrap().to_owned())
        }
    }
}

fn is_so(entry: &Entry, field: &Field) -> bool {
    let [Test::Glob(glob)] = &field.tests[..] else { unreachable!() };
    let expression = regex::escape(glob).replace(r"\*", ".*").replace(r"\?", ".");
    let glob = regex::Regex::new(&format!("^(?s:{expression})$")).unwrap();
    field.names.iter().any(|name| value(entry, name).is_some_and(|value| glob.is_match(&value))) != field.inverted
}

fn holds(entry: &Entry, filter: &str) -> bool {
    let (_, holds) = FILTERS.iter().find(|(text, _)| *text == filter).unwrap();
    // Times before 1970 are none of these tests.
    (entry.time > 0 || !filter.contains("time")) && holds(entry.level.name(), &value(entry, "path").unwrap())
}

/// The answer as somebody would get it from all lines with a text editor.
fn naive(entries: &[Entry], query: &Query) -> Vec<String> {
    let wanted = |entry: &&Entry| {
        let line = line::printed(&entry.line, entry.shape.format);
        let level = match query.level {
            None => true,
            Some(LevelFilter::Exactly(level)) => entry.level == level,
            Some(LevelFilter::AtLeast(level)) => entry.level >= level,
        };
        let named = |full: &str, name: &Option<String>| match name.as_deref() {
            None => true,
            Some("b") => false,
            Some(name) => full == name || full.starts_with(&format!("{name}.")),
        };
        let pattern = |pattern: &Pattern| {
            let text =
                if pattern.syntax == Syntax::Fixed { regex::escape(&pattern.text) } else { pattern.text.clone() };
            let flags = if pattern.ignore_case { "(?i)" } else { "" };
            regex::Regex::new(&format!("{flags}{text}")).unwrap().is_match(&line) != pattern.inverted
        };
        level
            && query.since.is_none_or(|since| entry.time >= since)
            && query.until.is_none_or(|until| entry.time < until)
            && named(&entry.shape.instance, &query.instance)
            && named(&entry.shape.handler, &query.handler)
            && query.patterns.iter().all(pattern)
            && query.fields.iter().all(|field| is_so(entry, field))
            && query.filter.as_ref().is_none_or(|filter| holds(entry, filter))
    };
    let mut found: Vec<Entry> = entries.iter().filter(wanted).cloned().collect();
    found.truncate(query.head.unwrap_or(usize::MAX));
    lines(&found[found.len() - query.tail.unwrap_or(usize::MAX).min(found.len())..])
}

/// The numbers of entries that are asked for, from 1 on.
fn found(store: &LogStore, query: &Query) -> Vec<i64> {
    let mut found = Vec::new();
    let mut sink = |row: &Row<'_>| {
        found.push(row.seq);
        true
    };
    store.query(query, &mut sink).unwrap();
    found
}

#[test]
fn a_rule_or_handler_that_a_line_names_counts_in_place_of_the_shapes() {
    let shape = shape("a", Format::Json, Outlet::Stdout);
    let named = |time, more: &str| {
        let plain = entry(&shape, time, Level::Info, "/");
        Entry { line: plain.line.replace('}', &format!("{more}}}")), ..plain }
    };
    let (both, own) = ("check.rule.ns,deny.rule.ns", "report-a.rule.istio-system");
    let entries = [
        named(START, r#","handler":"list.listchecker.ns","rule":"check.rule.ns""#),
        named(START + 1, ""),
        named(START + 2, &format!(r#","rule":"{both}""#)),
        named(START + 3, r#","rule":7"#),
    ];
    let filter = |text: &str| Query { filter: Some(text.to_owned()), ..Query::default() };
    let field = |names: &[&str], glob: &str, inverted| {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        Query { fields: vec![Field { names, tests: vec![Test::Glob(glob.to_owned())], inverted }], ..Query::default() }
    };
    let rule = |name: &str| Query { rule: Some(name.to_owned()), ..Query::default() };
    let handler = |name: &str| Query { handler: Some(name.to_owned()), ..Query::default() };
    let questions = [
        (filter("rule == \"check.rule.ns\""), vec![1]),
        (filter(&format!("rule == \"{own}\"")), vec![2]),
        // An expression takes `rule` for a text, which a number is not.
        (filter("rule == \"check.rule.ns\" || handler == \"a-handler.stdio.istio-system\""), vec![1, 2, 3]),
        (field(&["rule"], "check*", false), vec![1, 3]),
        (field(&["rule"], "report*", true), vec![1, 3, 4]),
        (field(&["rule"], "7", false), vec![4]),
        (field(&["missing", "rule"], "report*", false), vec![2]),
        (rule("check"), vec![1, 3]),
        (rule("deny.rule"), vec![3]),
        (rule("report-a"), vec![2]),
        (handler("list"), vec![1]),
        (handler("a-handler"), vec![2, 3, 4]),
    ];
    let (directory, store) = filled(&entries);
    let state = StateDir::open(directory.path().join("state")).unwrap();
    let sealer = Sealer::open(&state, Stream::Lines, Limits::default()).unwrap();
    for place in ["hot", "sealed"] {
        for (query, expected) in &questions {
            assert_eq!(found(&store, query), *expected, "{place}: {query:?}");
            assert_eq!(store.count(query).unwrap(), expected.len() as u64, "{place}: {query:?}");
        }
        for (by, interval) in [(&["rule"][..], None), (&["rule"], Some(1 << 40)), (&["rule", "path"], None)] {
            let by = by.iter().map(|&name| name.to_owned()).collect();
            let groups = store.tally(&Query::default(), &Grouping { by, interval, ..Grouping::default() });
            let mut rules: Vec<_> = groups.unwrap().unwrap().into_iter().map(|group| group.key[0].clone()).collect();
            rules.sort();
            let expected = ["7", "check.rule.ns", both, own].map(|rule| Some(rule.to_owned()));
            assert_eq!(rules, expected, "{place}");
        }
        sealer.seal_all(START).unwrap();
    }
}

#[test]
fn a_field_with_values_of_two_types_is_asked_alike_before_and_after_sealing() {
    let shape = shape("a", Format::Json, Outlet::Stdout);
    let with = |time, value: &str| {
        let plain = entry(&shape, time, Level::Info, "/");
        Entry { line: plain.line.replace('}', &format!(",\"size\":{value}}}")), ..plain }
    };
    let (text, int, double) = (with(START, "\"large\""), with(START, "7"), with(START, "0.5"));
    let questions: [(&str, &[usize]); 6] = [
        ("size == \"large\"", &[0]),
        ("size == 7", &[1]),
        ("size > 0.25", &[1, 2]),
        ("size.startsWith(\"la\")", &[0]),
        ("(size | \"none\") == \"none\"", &[1, 2]),
        ("size > 1 || path == \"/nowhere\"", &[1]),
    ];
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let entries = order.map(|one| [&text, &int, &double][one].clone());
        let (directory, store) = filled(&entries);
        let state = StateDir::open(directory.path().join("state")).unwrap();
        for place in ["hot", "sealed"] {
            for (filter, expected) in questions {
                let query = Query { filter: Some(filter.to_owned()), ..Query::default() };
                let mut found: Vec<usize> = found(&store, &query).iter().map(|seq| order[*seq as usize - 1]).collect();
                found.sort_unstable();
                assert_eq!(found, expected, "{place}, {order:?}: {filter}");
            }
            Sealer::open(&state, Stream::Lines, Limits::default()).unwrap().seal_all(START).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(number("EGRESSCTL_LOG_CASES", 64)))]

    #[test]
    fn every_query_answers_what_a_filter_over_all_lines_does(
        entries in entries(),
        batch in 1..40_usize,
        seal_after in proptest::collection::vec(any::<bool>(), 80),
        segment in 1..40_usize,
        queries in proptest::collection::vec(queries(), 8),
    ) {
        let (directory, mut store) = filled(&[]);
        let state = StateDir::open(directory.path().join("state")).unwrap();
        let sealer = Sealer::open(&state, Stream::Lines, Limits { rows: segment, ..Limits::default() }).unwrap();
        store.connection.execute("UPDATE sequence SET next = ?1", [NEAR_BLOCK_END]).unwrap();
        for (batch, seal) in entries.chunks(batch).zip(seal_after) {
            store.append(batch).unwrap();
            if seal {
                sealer.seal_all(START).unwrap();
            }
        }
        // Where nothing was recorded no field has a name.
        for query in queries.into_iter().filter(|query| query.filter.is_none() || !entries.is_empty()) {
            let expected = naive(&entries, &query);
            prop_assert_eq!(&ask(&store, &query), &expected, "{:?}", query);
            prop_assert_eq!(store.count(&query).unwrap(), expected.len() as u64, "{:?}", query);
        }
    }
}
