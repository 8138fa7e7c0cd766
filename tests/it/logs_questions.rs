//! `logs` asked by field, by expression and for counts, of rows and of sealed segments alike.

use std::fmt::Write as _;
use std::sync::Arc;

use egressctl::accesslog::{Entry, Format, Level, LogStore, Outlet, Shape, line};
use egressctl::state::StateDir;

use crate::harness::Scene;

/// 2018-06-18T13:22:58Z
const TIME: i64 = 1_529_328_178_000_000;

/// Host, path, code, size and source of calls, a minute apart.
const CALLS: [(&str, &str, i64, i64, &str); 6] = [
    ("edition.cnn.com", "/politics", 200, 150, "sleep"),
    ("edition.cnn.com", "/politics", 403, 19, "sleep"),
    ("edition.cnn.com", "/sport", 200, 350, "sleep"),
    ("api.example.org", "/v1/items", 503, 19, "web"),
    ("api.example.org", "/v1/items", 200, 1000, "web"),
    ("edition.cnn.com", "/health", 304, 0, "web"),
];

fn entries() -> Vec<Entry> {
    let shape = Arc::new(Shape {
        instance: "egress-access.logentry.istio-system".into(),
        handler: "egress-access-handler.stdio.istio-system".into(),
        rule: "report-cnn-access.rule.istio-system".into(),
        format: Format::Json,
        outlet: Outlet::Stdout,
    });
    let entry = |(number, (host, path, code, size, source)): (usize, &(&str, &str, i64, i64, &str))| {
        let time = TIME + number as i64 * 60_000_000;
        let level = if *code >= 400 { Level::Error } else { Level::Info };
        let mut text = String::new();
        line::begin(&mut text, level, time, &shape.instance);
        for (name, value) in [("destination", host), ("path", path)] {
            line::name(&mut text, name);
            line::string(&mut text, value);
        }
        write!(text, ",\"responseCode\":{code},\"responseSize\":{size}").expect("room");
        line::name(&mut text, "source");
        line::string(&mut text, source);
        line::end(&mut text);
        Entry { time, level, shape: Arc::clone(&shape), line: text }
    };
    CALLS.iter().enumerate().map(entry).collect()
}

/// A scene with the calls, the first four of them sealed.
fn scene() -> Scene {
    let scene = Scene::new();
    let state = StateDir::open(scene.path().join("state")).expect("the state directory can be made");
    let mut store = LogStore::open(state.hot_db()).expect("the log can be made");
    let entries = entries();
    store.append(&entries[..4]).expect("the log takes entries");
    scene.run("logs seal").output();
    store.append(&entries[4..]).expect("the log takes entries");
    scene
}

#[test]
fn entries_are_asked_by_their_fields() {
    let scene = scene();
    for (flags, expected) in [
        ("--host edition.cnn.com", "4\n"),
        ("--host *.org,nobody", "2\n"),
        ("--path /politics", "2\n"),
        ("--source web --host *cnn*", "1\n"),
        ("--code 4xx,5xx", "2\n"),
        ("--code 304", "1\n"),
        ("--code 400-499", "1\n"),
        ("--code 500+", "1\n"),
        ("--field path=/v?/*", "2\n"),
        ("--field source!=sleep", "3\n"),
        ("--method get", "0\n"),
        ("--rule report-cnn-access", "6\n"),
        ("--handler other", "0\n"),
        ("--where responseCode>=400&&destination.endsWith(\"cnn.com\")", "1\n"),
        ("--where responseCode+responseSize==219||path==\"/health\"", "1\n"),
        ("-w -g port", "0\n"),
        ("-w -g sport", "1\n"),
        ("-g cnn --exclude politics", "2\n"),
        ("--verdict deny", "0\n"),
        ("--verdict allow", "6\n"),
    ] {
        scene.run(&format!("logs --count {flags}")).succeeds(expected);
        let lines = scene.run(&format!("logs {flags}")).output().lines().count();
        assert_eq!(format!("{lines}\n"), expected, "{flags}");
    }
    let first = scene.run("logs --head 1 --code 4xx").output();
    assert!(first.contains("\"responseCode\":403"), "{first}");
}

#[test]
fn an_expression_that_does_not_fit_the_fields_is_shown_with_a_caret() {
    let scene = scene();
    let told = scene.run("logs --where responseCode>=\"x\"").error();
    assert!(told.contains("--where") && told.contains('^'), "{told}");
    let told = scene.run("logs --where nothing==1").error();
    assert!(told.contains('^') && told.contains("responseCode"), "{told}");
}

#[test]
fn entries_around_those_that_were_found_are_shown_in_groups() {
    let scene = scene();
    let shown = scene.run("logs -g /sport -B 1").output();
    assert_eq!(shown.lines().count(), 2, "{shown}");
    let shown = scene.run("logs --code 403,304 -A 1").output();
    let parts: Vec<usize> = shown.split("--\n").map(|part| part.lines().count()).collect();
    assert_eq!(parts, [2, 1], "{shown}");
    assert_eq!(scene.run("logs --code 403,503 -C 9").output().lines().count(), 6);
    // What stands between the groups is for people: programs get entries alone.
    for (form, lines) in [("json", 3), ("name", 3), ("csv", 4)] {
        let shown = scene.run(&format!("logs --code 403,304 -A 1 -o {form}")).output();
        assert!(!shown.contains("--") && shown.lines().count() == lines, "{shown}");
    }
    for form in ["table --columns path,level", "wide"] {
        let shown = scene.run(&format!("logs --code 403,304 -A 1 -o {form}")).output();
        let parts: Vec<usize> =
            shown.lines().enumerate().filter(|(_, row)| row.trim() == "--").map(|(at, _)| at).collect();
        assert!(parts == [3] && shown.contains("PATH"), "{shown}");
    }
}

#[test]
fn flags_that_would_do_nothing_are_refused() {
    let scene = scene();
    for (flags, flag) in [
        ("--columns path", "--columns"),
        ("--columns path -o json", "--columns"),
        ("--relative", "--relative"),
        ("--local -o csv", "--local"),
        ("--timestamps -o table", "--timestamps"),
        ("--prefix -o wide", "--prefix"),
        ("-g cnn --only-matching -o csv", "--only-matching"),
        ("--count -o name", "--output"),
    ] {
        let told = scene.run(&format!("logs {flags}")).error();
        assert!(told.starts_with(&format!("error: the argument '{flag}' ")), "{flags}: {told}");
    }
    assert!(scene.run("logs --relative --timestamps --head 1").output().contains(" ago {"));
}

#[test]
fn output_has_the_form_that_is_asked_for() {
    let scene = scene();
    scene.run("logs -g politics|sport --only-matching").succeeds("politics\npolitics\nsport\n");
    scene
        .run("logs --code 503 -o csv --columns destination,responseCode,level")
        .succeeds("destination,responseCode,level\r\napi.example.org,503,error\r\n");
    scene.run("logs --code 503 -o table --columns source").succeeds("SOURCE\nweb\n");
    let table = scene.run("logs --code 503 -o wide --color always --columns path,level").output();
    assert!(table.ends_with("/v1/items   \u{1b}[1m\u{1b}[91merror\u{1b}[0m\n"), "{table}");
    let marked = scene.run("logs --color always --head 1 --highlight sport|politics").output();
    assert!(marked.contains("\u{1b}[36mpolitics\u{1b}[0m"), "{marked}");
    let done = scene.run("logs --code 503 --exit-status --stats").finish();
    assert!(done.code == Some(0) && done.stderr.starts_with("1 entry; 1 segment read, 0 passed over; "), "{done}");
    assert_eq!(scene.run("logs --code 418 --exit-status").finish().code, Some(1));
    assert_eq!(scene.run("logs -g ( --exit-status").finish().code, Some(2));
}

#[test]
fn entries_are_counted_by_field_and_time() {
    let scene = scene();
    let markdown = scene.run("logs stats --by destination -o markdown").output();
    assert_eq!(markdown, "| destination | count |\n| --- | --- |\n| edition.cnn.com | 4 |\n| api.example.org | 2 |\n");
    // What could be taken for HTML or Markdown is text, and who reads it alone is told that there is more.
    scene.write(
        "odd.jsonl",
        concat!(
            r#"{"level":"info","time":"2018-06-18T13:22:58Z","instance":"a.b.c","host":"<b>|*x*","n":1}"#,
            "\n",
            r#"{"level":"info","time":"2018-06-18T13:22:58Z","instance":"a.b.c","host":"<b>|*x*","n":1}"#,
            "\n",
            r#"{"level":"info","time":"2018-06-18T13:22:58Z","instance":"a.b.c"}"#,
            "\n",
        ),
    );
    let odd = scene.run("logs stats odd.jsonl --by host -o markdown --top 1").finish();
    assert_eq!(odd.stdout, "| host | count |\n| --- | --- |\n| \\<b\\>\\|\\*x\\* | 2 |\n\n1 of 2 groups\n");
    assert_eq!(odd.stderr, "1 more group; --top 0 shows all.\n");
    assert!(scene.run("logs stats odd.jsonl --by host -o markdown").output().ends_with("| \\<none\\> | 1 |\n"));
    let json = scene.run("logs stats odd.jsonl --by host -o json --top 1").finish();
    assert_eq!(json.stderr, "1 more group; --top 0 shows all.\n");
    let stats: serde_json::Value = serde_json::from_str(
        &scene.run("logs stats --by source --measure responseSize --percentiles p50 -o json --host *cnn*").output(),
    )
    .expect("JSON");
    let expected = serde_json::json!([
        {"source": "sleep", "count": 3, "responseSize": {"count": 3, "sum": 519, "min": 19, "max": 350, "p50": 150}},
        {"source": "web", "count": 1, "responseSize": {"count": 1, "sum": 0, "min": 0, "max": 0, "p50": 0}},
    ]);
    assert_eq!(stats, expected);
    let by_time = scene.run("logs stats --interval 3m -o json").output();
    let by_time: serde_json::Value = serde_json::from_str(&by_time).expect("JSON");
    assert_eq!(by_time[0]["time"], "2018-06-18T13:21:00Z");
    let counts: Vec<i64> =
        by_time.as_array().expect("an array").iter().filter_map(|one| one["count"].as_i64()).collect();
    assert_eq!(counts, [2, 3, 1]);
    let plot = scene.run("logs stats").output();
    assert!(plot.contains('\u{2588}'), "{plot}");
    let facets: serde_json::Value =
        serde_json::from_str(&scene.run("logs facets --fields source,level --level error -o json").output())
            .expect("JSON");
    let expected = serde_json::json!([
        {"field": "source", "distinct": 2, "values": [{"value": "sleep", "count": 1}, {"value": "web", "count": 1}]},
        {"field": "level", "distinct": 1, "values": [{"value": "error", "count": 2}]},
    ]);
    assert_eq!(facets, expected);
    let facets = scene.run("logs facets").output();
    assert!(facets.contains("edition.cnn.com") && !facets.contains("responseSize"), "{facets}");
    assert!(scene.run("logs facets --fields responseSize").output().contains("responseSize"));
}

#[test]
fn entries_are_exported_for_other_tools() {
    let scene = scene();
    scene.run("logs export --to all.jsonl").succeeds("exported 6 entries to all.jsonl\n");
    let lines = std::fs::read_to_string(scene.path().join("all.jsonl")).expect("a file");
    assert_eq!(lines, scene.run("logs").output());
    assert_eq!(lines, scene.run("logs export --to -").output());
    scene
        .run("logs export --to some.csv --code 503 --columns path,responseCode")
        .succeeds("exported 1 entry to some.csv\n");
    let csv = std::fs::read_to_string(scene.path().join("some.csv")).expect("a file");
    assert_eq!(csv, "path,responseCode\r\n/v1/items,503\r\n");
    scene.run("logs export --to all.parquet").succeeds("exported 6 entries to all.parquet\n");
    let parquet = std::fs::read(scene.path().join("all.parquet")).expect("a file");
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
    scene.run("logs export --to folder/").succeeds("exported 6 entries to folder/\n");
    assert_eq!(std::fs::read(scene.path().join("folder/part-00001.parquet")).expect("a file"), parquet);
    let told = scene.run("logs export --to all.xml").error();
    assert!(told.contains("hint: let it end in"), "{told}");
    assert!(!scene.path().join("all.jsonl.part").exists());
}
