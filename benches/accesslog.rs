//! How fast the access log takes and gives entries: `cargo bench --bench accesslog`. Prints rates of one run on this
//! machine, which compare with nothing but another run on it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use egressctl::accesslog::{
    Config, Entry, Format, Level, LevelFilter, LogStore, Outlet, Outlets, Pattern, Query, Recorder, Report, Row, Shape,
    line,
};

/// What is written and asked.
const ROWS: usize = 300_000;

/// A group at 60,000 requests a second and 50 ms.
const GROUP: usize = 3_000;

fn main() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let entries = entries();
    let mut store = LogStore::open(directory.path().join("hot.db")).expect("a new store");
    measure("append, groups of 3,000", || {
        entries.chunks(GROUP).for_each(|group| store.append(group).expect("room for the entries"));
        ROWS
    });
    for (name, query) in queries() {
        measure(&format!("{name}: lines"), || read(&store, &query));
        measure(&format!("{name}: count"), || {
            store.count(&query).expect("an answer");
            ROWS
        });
    }
    let recorded = LogStore::open(directory.path().join("recorded.db")).expect("a new store");
    let accesses = LogStore::open(directory.path().join("accesses.db")).expect("a new store");
    measure("permit and record, one thread", || record(recorded, accesses, entries));
}

fn measure(name: &str, run: impl FnOnce() -> usize) {
    let start = Instant::now();
    let rows = run();
    let took = start.elapsed();
    println!("{name:<34} {:>12.0} rows/s {:>9.2} ms", rows as f64 / took.as_secs_f64(), took.as_secs_f64() * 1e3);
}

/// The scenario's entry with other paths; every fiftieth is an error.
fn entries() -> Vec<Entry> {
    let shape = Arc::new(Shape {
        instance: "egress-access.logentry.istio-system".to_owned(),
        handler: "egress-access-handler.stdio.istio-system".to_owned(),
        rule: "report-cnn-access.rule.istio-system".to_owned(),
        format: Format::Json,
        outlet: Outlet::Stdout,
    });
    (0..ROWS).map(|n| entry(&shape, n)).collect()
}

fn entry(shape: &Arc<Shape>, n: usize) -> Entry {
    let level = if n.is_multiple_of(50) { Level::Error } else { Level::Info };
    let time = 1_529_328_178_317_448 + n as i64 * 86_400;
    let mut text = String::with_capacity(256);
    line::begin(&mut text, level, time, &shape.instance);
    let path = format!("/sport/{:x}", n * 2_654_435_761 % 1_000_003);
    for (name, value) in [("destination", "edition.cnn.com"), ("path", &path), ("source", "sleep"), ("user", "unknown")]
    {
        line::name(&mut text, name);
        line::string(&mut text, value);
    }
    line::end(&mut text);
    Entry { time, level, shape: Arc::clone(shape), line: text }
}

fn queries() -> Vec<(&'static str, Query)> {
    let middle = 1_529_328_178_317_448 + (ROWS / 2) as i64 * 86_400;
    let errors = Some(LevelFilter::Exactly(Level::Error));
    let with = |pattern| Query { patterns: vec![pattern], ..Query::default() };
    vec![
        ("all", Query::default()),
        ("level error", Query { level: errors, ..Query::default() }),
        ("one minute", Query { since: Some(middle), until: Some(middle + 60_000_000), ..Query::default() }),
        ("fixed text", with(Pattern::fixed("/sport/abc"))),
        ("regular expression", with(Pattern::regex("sport/[0-9]+\""))),
        ("last ten", Query { tail: Some(10), ..Query::default() }),
    ]
}

fn read(store: &LogStore, query: &Query) -> usize {
    let mut bytes = 0;
    let mut sink = |row: &Row<'_>| {
        bytes += row.line.len();
        true
    };
    store.query(query, &mut sink).expect("an answer");
    assert!(bytes > 0, "every query finds something");
    ROWS
}

fn record(lines: LogStore, accesses: LogStore, entries: Vec<Entry>) -> usize {
    let outlets = Outlets::new(Box::new(std::io::sink()), Box::new(std::io::sink()));
    let (recorder, writer) = Recorder::start(lines, accesses, outlets, Config::default(), |_| ()).expect("a thread");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        for entry in entries {
            let permit = recorder.permit().await.expect("the store keeps up");
            permit.record(&mut Report::from_iter([entry]));
        }
    });
    writer.close(Duration::from_secs(60)).expect("all is stored");
    ROWS
}
