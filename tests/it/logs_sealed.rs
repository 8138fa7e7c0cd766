//! The sealed log: sealing, verifying, and what a killed sealer leaves.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use egressctl::accesslog::{Entry, Format, Level, LogStore, Outlet, Query, Row, Shape, Stream, Verifier, line};
use egressctl::state::StateDir;

use crate::harness::Scene;

/// 2018-06-18T13:22:58.317448Z, the time of the scenario's first call.
const TIME: i64 = 1_529_328_178_317_448;

fn state(scene: &Scene) -> StateDir {
    StateDir::open(scene.path().join("state")).expect("the state directory can be made")
}

fn store(scene: &Scene) -> LogStore {
    LogStore::open(state(scene).hot_db()).expect("the log can be made")
}

/// Entries with the numbers as their sizes, a second apart.
fn entries(numbers: std::ops::Range<i64>) -> Vec<Entry> {
    let shape = Arc::new(Shape {
        instance: "egress-access.logentry.istio-system".into(),
        handler: "egress-access-handler.stdio.istio-system".into(),
        rule: "report-cnn-access.rule.istio-system".into(),
        format: Format::Json,
        outlet: Outlet::Stdout,
    });
    let entry = |number| {
        let (time, level) = (TIME + number * 1_000_000, if number % 50 == 0 { Level::Error } else { Level::Info });
        let mut text = String::new();
        line::begin(&mut text, level, time, &shape.instance);
        line::name(&mut text, "path");
        line::string(&mut text, ["/politics", "/sport", "/health"][number as usize % 3]);
        text.push_str(&format!(",\"responseSize\":{number}"));
        line::end(&mut text);
        Entry { time, level, shape: Arc::clone(&shape), line: text }
    };
    numbers.map(entry).collect()
}

fn lines(store: &LogStore) -> Vec<String> {
    let mut lines = Vec::new();
    let mut sink = |row: &Row<'_>| {
        lines.push(row.line.to_owned());
        true
    };
    store.query(&Query::default(), &mut sink).expect("the log can be asked");
    lines
}

#[test]
fn sealing_changes_where_entries_are_and_nothing_that_is_shown() {
    let scene = Scene::new();
    store(&scene).append(&entries(0..200)).expect("the log takes entries");
    let questions = [
        "logs",
        "logs --level error",
        "logs -g politics --tail 3",
        "logs --count --level warn+",
        "logs -o table --since-time 2018-06-18T13:23:50Z --until 2018-06-18T13:24:00Z",
        "logs -v -g sport -g health -F --count",
        "logs --instance egress-access --count",
    ];
    let before = questions.map(|question| scene.run(question).output());
    let said = scene.run("logs seal").output();
    assert!(said.starts_with("sealed 200 entries in 1 segment, "), "{said}");
    scene.run("logs seal").succeeds("sealed 0 entries in 0 segments, 0 bytes\n");
    assert_eq!(questions.map(|question| scene.run(question).output()), before);
    store(&scene).append(&entries(200..203)).expect("the log takes entries");
    assert_eq!(scene.run("logs --count").output(), "203\n");
    assert!(scene.run("logs --tail 4").output().starts_with(lines(&store(&scene))[199].as_str()));
    scene.run("logs verify").succeeds("the log is whole: 200 entries in 1 segment, 3 not sealed yet\n");
}

#[test]
fn fields_of_lines_that_are_spelled_otherwise_are_found_after_sealing_as_before() {
    let scene = Scene::new();
    let with = |time: &str, fields: &str| {
        format!("{{\"level\":\"warn\",\"time\":\"{time}\",\"instance\":\"a.logentry.b\",{fields}}}\n")
    };
    let usual = "2018-06-18T13:22:58.317448Z";
    let lines = [
        with("2018-06-18T13:22:58.317Z", r#""destination":"a.example","path":"/1","responseCode":200"#),
        with("2018-06-18T13:22:58.3+02:00", r#""destination":"a.example","path":"/2","responseCode":404"#),
        with(usual, r#""responseCode":200,"responseCode":500,"destination":"b.example","path":"/3""#),
        with(usual, r#""responseCode":"none","responseCode":200,"destination":"b.example","path":"/4""#),
        with(usual, r#" "destination" : "c.example", "path":"\u002f5","responseCode" :200"#),
    ]
    .concat();
    scene.run("logs import -").with_stdin(&lines).output();
    let ask = || {
        [
            ["--host", "a.example"],
            ["--host", "b.example"],
            ["--host", "c.example"],
            ["--path", "/5"],
            ["--code", "200"],
            ["--code", "5xx"],
            ["--field", "responseCode=none"],
        ]
        .map(|[flag, value]| scene.run(&format!("logs --count {flag} {value}")).output().trim().to_owned())
    };
    let before = ask();
    assert_eq!(before[..4], ["2", "2", "1", "1"]);
    scene.run("logs seal").output();
    assert_eq!(ask(), before);
    assert!(scene.run("logs stats --by destination").output().contains("b.example"));
}

#[test]
fn a_changed_segment_is_named_and_a_kept_head_finds_a_cut() {
    let scene = Scene::new();
    store(&scene).append(&entries(0..10)).expect("the log takes entries");
    scene.run("logs seal").output();
    scene.run("logs verify --export-head head.json").output();
    scene.run("logs verify --head head.json").output();
    let head = std::fs::read_to_string(scene.path().join("head.json")).expect("a head was written");
    scene.run("logs verify --head -").with_stdin(&head).output();
    let missing = scene.run("logs verify --head other.json").error();
    assert!(missing.starts_with("error: cannot read other.json"), "{missing}");

    let name = "log/segments/2018-06-18/000000000001-000000000010.parquet";
    let file = scene.path().join("state").join(name);
    let mut bytes = std::fs::read(&file).expect("a segment was written");
    bytes[100] ^= 1;
    std::fs::write(&file, &bytes).expect("it can be written");
    let found = format!("{name}: it was changed after it had been sealed\n");
    scene.run("logs verify").says(1, &found, "error: the log is not whole: 1 finding\n");
    let json = scene.run("logs verify -o json").finish();
    let json: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!((&json["whole"], &json["log"]["findings"][0]["place"]), (&false.into(), &name.into()));

    std::fs::remove_dir_all(scene.path().join("state/log")).expect("somebody cuts all of the log");
    scene.run("logs verify").succeeds("the log is whole: 0 entries in 0 segments, 0 not sealed yet\n");
    let cut = "head: the log was cut: it had 1 segments, and has 0\n";
    scene.run("logs verify --head head.json").says(1, cut, "error: the log is not whole: 1 finding\n");
}

#[test]
fn a_segment_that_cannot_be_read_is_told_beside_the_rest() {
    let scene = Scene::new();
    store(&scene).append(&entries(0..10)).expect("the log takes entries");
    scene.run("logs seal").output();
    store(&scene).append(&entries(10..12)).expect("the log takes entries");
    let file = scene.path().join("state/log/segments/2018-06-18/000000000001-000000000010.parquet");
    std::fs::write(&file, "torn").expect("it can be written");
    let done = scene.run("logs").finish();
    assert_eq!((done.code, done.stdout.lines().count()), (Some(1), 2), "{done}");
    assert!(done.stderr.contains("it has 4 bytes instead of"), "{done}");
    assert!(done.stderr.contains("hint: the rest of the log was read"), "{done}");
    // What cannot be shown is not counted either, though the list knows how much it was.
    let count = |flags: &str| {
        let done = scene.run(&format!("logs --count {flags}")).finish();
        assert!(done.stderr.contains("000000000001-000000000010.parquet"), "{done}");
        (done.code, done.stdout)
    };
    assert_eq!(count(""), (Some(1), "2\n".to_owned()));
    std::fs::remove_file(&file).expect("it is there");
    assert_eq!(count("--level info+"), (Some(1), "2\n".to_owned()));
    scene.run("logs --count --level error --since-time 2018-06-19T00:00:00Z").succeeds("0\n");
}

/// How often a sealer is killed; more by the environment.
fn kills() -> u64 {
    std::env::var("EGRESSCTL_TEST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(150)
}

#[test]
fn killed_at_any_moment_sealing_loses_and_doubles_no_entry() {
    let scene = Scene::new();
    let mut store = store(&scene);
    let (mut chance, mut number) = (0x9E37_79B9_7F4A_7C15_u64 ^ u64::from(std::process::id()), 0);
    let mut random = |below: u64| {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        chance % below
    };
    let (mut killed, mut expected) = (0, Vec::new());
    for round in 0..kills() {
        let batch = entries(number..number + 1 + random(400) as i64);
        number += batch.len() as i64;
        store.append(&batch).expect("the log takes entries");
        expected.extend(batch.into_iter().map(|entry| entry.line));
        let mut sealer = Command::new(env!("CARGO_BIN_EXE_egressctl"));
        sealer.args(["logs", "seal"]).env("EGRESSCTL_STATE_DIR", scene.path().join("state"));
        let mut sealer = sealer.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary was built");
        // The moment is what is tried, not a wait for something.
        thread::sleep(Duration::from_micros(random(40_000)));
        sealer.kill().expect("it can be killed");
        killed += u64::from(!sealer.wait().expect("it can be waited for").success());
        if round % 10 == 0 {
            assert_eq!(lines(&store), expected, "after {round} rounds");
        }
    }
    assert_eq!(lines(&store), expected);
    assert!(killed > 0, "no sealer was killed before its end");
    let whole =
        |scene: &Scene| Verifier::open(&state(scene), Stream::Lines).expect("a log").verify(None).expect("an answer");
    assert_eq!(whole(&scene).findings, []);
    scene.run("logs seal").output();
    assert_eq!(lines(&store), expected);
    let verified = whole(&scene);
    assert_eq!((verified.findings, verified.notes, verified.sealed), (Vec::new(), Vec::new(), number));
}

#[test]
fn killed_at_any_moment_pruning_takes_only_what_is_old() {
    let scene = Scene::new();
    let mut store = store(&scene);
    let (mut errors, mut number) = (Vec::new(), 0);
    for round in 0..kills() / 2 {
        let batch = entries(number..number + 120);
        number += 120;
        store.append(&batch).expect("the log takes entries");
        errors.extend(batch.into_iter().filter(|entry| entry.level == Level::Error).map(|entry| entry.line));
        scene.run("logs seal").output();
        let mut pruner = Command::new(env!("CARGO_BIN_EXE_egressctl"));
        pruner.args(["logs", "prune", "--keep", "info=1h"]).env("EGRESSCTL_STATE_DIR", scene.path().join("state"));
        let mut pruner = pruner.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary was built");
        // The moment is what is tried, not a wait for something.
        thread::sleep(Duration::from_micros(round * 7_919 % 40_000));
        pruner.kill().expect("it can be killed");
        pruner.wait().expect("it can be waited for");
        let shown = lines(&store);
        let (found, others): (Vec<_>, Vec<_>) =
            shown.into_iter().partition(|line| line.starts_with("{\"level\":\"error"));
        assert_eq!(found, errors, "after {round} rounds");
        assert!(others.is_sorted() && others.windows(2).all(|pair| pair[0] != pair[1]), "after {round} rounds");
    }
    let dry = scene.run("logs prune --keep info=1h --dry-run").output();
    let done = scene.run("logs prune --keep info=1h").output();
    assert_eq!(dry.replace(" would be pruned (dry run)", " pruned"), done);
    assert_eq!(lines(&store), errors);
    let verified = Verifier::open(&state(&scene), Stream::Lines).expect("a log").verify(None).expect("an answer");
    assert_eq!((verified.findings, verified.sealed), (Vec::new(), errors.len() as i64));
    scene.run("logs prune").fails("error: nothing says what should go\nhint: --keep 30d keeps the last thirty days\n");
}

#[test]
fn a_segment_opens_as_it_is_in_other_peoples_tools() {
    let scene = Scene::new();
    store(&scene).append(&entries(0..500)).expect("the log takes entries");
    scene.run("logs seal").output();
    let file = scene.path().join("state/log/segments/2018-06-18/000000000001-000000000500.parquet");
    let python = |script: &str| {
        let run = Command::new("python3").args(["-c", script]).arg(&file).output().ok()?;
        run.status.success().then(|| String::from_utf8_lossy(&run.stdout).trim().to_owned())
    };
    let duckdb = "import duckdb, sys
print(duckdb.sql(f\"\"\"SELECT count(*), sum(responseSize), count(DISTINCT path), min(epoch_us(time)),
  count(*) FILTER (level = 'error') FROM '{sys.argv[1]}' WHERE rule LIKE 'report-cnn%'\"\"\").fetchall()[0])";
    let pandas = "import pandas, sys
t = pandas.read_parquet(sys.argv[1])
print((len(t), int(t.responseSize.sum()), t.path.nunique(), int(t.time.astype('int64').min()), int((t.level == 'error').sum())))";
    let expected = format!("(500, {}, 3, {TIME}, 10)", (0..500).sum::<i64>());
    let answers: Vec<_> = [("import duckdb", duckdb), ("import pandas, pyarrow", pandas)]
        .into_iter()
        .filter(|(import, _)| python(import).is_some())
        .map(|(_, script)| python(script))
        .collect();
    if answers.is_empty() {
        eprintln!("skipped: neither duckdb nor pandas is there for python3");
    }
    for answer in answers {
        assert_eq!(answer.as_deref(), Some(expected.as_str()));
    }
}
