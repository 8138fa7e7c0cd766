use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use super::*;
use crate::accesslog::testing::{SCENARIO, ask, entry, lines, numbered, place, shape};
use crate::accesslog::{Batch, Entry, Error, Format, Level, LogStore, Outlet, Query, line};
use crate::state;

/// Longer than anything takes; tests that pass never wait for it.
const LONG: Duration = Duration::from_secs(60);

/// A store in memory that answers as the test says.
#[derive(Clone, Default)]
struct Scripted {
    groups: Arc<Mutex<Vec<Vec<String>>>>,
    errors: Arc<Mutex<VecDeque<Error>>>,
    /// Each group waits for one of these, if there is a gate.
    gate: Option<Arc<Mutex<sync::Receiver<()>>>>,
}

impl Scripted {
    fn gated() -> (Self, sync::Sender<()>) {
        let (open, gate) = sync::channel();
        (Self { gate: Some(Arc::new(Mutex::new(gate))), ..Self::default() }, open)
    }

    fn groups(&self) -> Vec<Vec<String>> {
        self.groups.lock().unwrap().clone()
    }
}

impl Append for Scripted {
    fn append(&mut self, batch: &Batch) -> Result<(), Error> {
        if let Some(gate) = &self.gate {
            let _ = gate.lock().unwrap().recv();
        }
        if let Some(error) = self.errors.lock().unwrap().pop_front() {
            return Err(error);
        }
        self.groups
            .lock()
            .unwrap()
            .push(batch.iter().map(|entry| line::printed(entry.line, entry.shape.format).into_owned()).collect());
        Ok(())
    }
}

fn config(capacity: usize, patience: Duration) -> Config {
    Config { capacity, interval: Duration::from_millis(1), patience, when_full: WhenFull::Refuse }
}

fn silent() -> Outlets {
    Outlets::new(Box::new(io::sink()), Box::new(io::sink()))
}

fn start(store: impl Append + 'static, config: Config) -> (Recorder, Writer) {
    Recorder::start(store, Scripted::default(), silent(), config, |_| ()).unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

fn record(recorder: &Recorder, entry: Entry) {
    block_on(recorder.permit()).unwrap().record(&mut Report::from_iter([entry]));
}

fn full() -> Error {
    Error::from(state::Error::Full { path: "hot.db".into() })
}

#[test]
fn the_scenarios_lines_are_stored_and_printed_in_their_order() {
    let (directory, path) = place();
    let printed = directory.path().join("printed");
    let shape = shape("egress-access", Format::Json, Outlet::File(printed.clone()));
    let entries = SCENARIO.map(|line| Entry { line: line.to_owned(), ..entry(&shape, 0, Level::Info, "") });
    let (recorder, writer) = start(LogStore::open(&path).unwrap(), config(9, LONG));
    let [politics, forbidden, sport, health] = entries;
    for mut report in
        [Report::from_iter([politics, forbidden]), Report::from_iter([sport]), Report::from_iter([health])]
    {
        block_on(recorder.permit()).unwrap().record(&mut report);
    }
    writer.close(LONG).unwrap();
    assert_eq!(ask(&LogStore::open(&path).unwrap(), &Query::default()), SCENARIO);
    assert_eq!(std::fs::read_to_string(printed).unwrap(), SCENARIO.join("\n") + "\n");
    assert_eq!(recorder.health().entries(), 4);
}

#[test]
fn a_call_that_finds_no_room_is_refused_after_its_patience() {
    let (store, open) = Scripted::gated();
    let (recorder, writer) = start(store, config(2, Duration::from_millis(5)));
    record(&recorder, numbered(0..1).remove(0));
    let _second = block_on(recorder.permit()).unwrap();
    assert_eq!(recorder.waiting(), 2);
    assert_eq!(block_on(recorder.permit()).unwrap_err(), Overload::Full);
    drop(open);
    drop(_second);
    writer.close(LONG).unwrap();
}

#[test]
fn a_call_that_is_to_be_served_all_the_same_is_counted_and_the_log_tells_of_it() {
    let store = Scripted::default();
    // Until the errors are taken away it takes nothing.
    store.errors.lock().unwrap().extend((0..1000).map(|_| full()));
    let patience = Duration::from_millis(5);
    let serving = Config { when_full: WhenFull::Serve, ..config(2, patience) };
    let (recorder, writer) = start(store.clone(), serving);
    for entry in numbered(0..5) {
        record(&recorder, entry);
    }
    assert_eq!((recorder.waiting(), recorder.health().unrecorded_calls()), (2, 3));
    store.errors.lock().unwrap().clear();
    recorder.flush(LONG).unwrap();
    record(&recorder, numbered(5..6).remove(0));
    writer.close(LONG).unwrap();
    let stored = store.groups().concat();
    let (gap, entries): (Vec<_>, Vec<_>) = stored.into_iter().partition(|line| line.contains("gap.egressctl"));
    assert_eq!(entries, [lines(&numbered(0..2)), lines(&numbered(5..6))].concat());
    // In one entry, unless the store had not failed yet when the first of them were counted.
    let calls = |line: &String| serde_json::from_str::<serde_json::Value>(line).unwrap()["calls"].as_u64().unwrap();
    assert_eq!(gap.iter().map(calls).sum::<u64>(), 3, "{gap:?}");
}

#[test]
fn a_call_waits_for_room_until_a_report_is_stored() {
    let (store, open) = Scripted::gated();
    let (recorder, writer) = start(store, config(2, LONG));
    for entry in numbered(0..2) {
        record(&recorder, entry);
    }
    block_on(async {
        let third = std::pin::pin!(recorder.permit());
        // The gate is opened only after the third call was seen waiting.
        let (third, ()) = tokio::join!(third, async { drop(open) });
        third.unwrap().record(&mut Report::from_iter(numbered(2..3)));
    });
    writer.close(LONG).unwrap();
    assert_eq!(recorder.health().entries(), 3);
}

#[test]
fn a_permit_that_is_dropped_or_reports_nothing_gives_its_room_back() {
    let (recorder, _writer) = start(Scripted::default(), config(1, LONG));
    drop(block_on(recorder.permit()).unwrap());
    block_on(recorder.permit()).unwrap().record(&mut Report::default());
    drop(block_on(recorder.permit()).unwrap());
    assert_eq!(recorder.waiting(), 0);
    assert_eq!(recorder.health().groups(), 0);
}

#[test]
fn reports_that_come_while_a_group_is_stored_make_one_group() {
    let (store, open) = Scripted::gated();
    let (recorder, writer) = start(store.clone(), config(1000, LONG));
    let entries = numbered(0..501);
    record(&recorder, entries[0].clone());
    // Whether or not the first is already being stored, the gate stops whichever group has it.
    for entry in &entries[1..] {
        record(&recorder, entry.clone());
    }
    drop(open);
    recorder.flush(LONG).unwrap();
    let groups = store.groups();
    assert!(groups.len() <= 2, "{} groups", groups.len());
    assert_eq!(groups.concat(), lines(&entries));
    assert_eq!(recorder.health().groups(), groups.len() as u64);
    writer.close(LONG).unwrap();
}

#[test]
fn a_group_is_one_transaction_of_the_store() {
    let (_directory, path) = place();
    let store = LogStore::open(&path).unwrap();
    let observer = LogStore::open(&path).unwrap();
    let version = || -> i64 { observer.connection.pragma_query_value(None, "data_version", |row| row.get(0)).unwrap() };
    let (recorder, writer) = start(store, config(1000, LONG));
    let before = version();
    let mut groups = 0;
    for round in 0..5 {
        for entry in numbered(round * 100..round * 100 + 100) {
            record(&recorder, entry);
        }
        recorder.flush(LONG).unwrap();
        assert_ne!(version(), before);
        groups += 1;
    }
    writer.close(LONG).unwrap();
    // A slow machine may take several intervals for a hundred reports, but never a transaction for each.
    assert!((groups..500).contains(&recorder.health().groups()), "{}", recorder.health().groups());
    assert_eq!(ask(&observer, &Query::default()), lines(&numbered(0..500)));
}

#[test]
fn a_store_that_fails_gets_the_same_group_again_and_the_change_is_told_once() {
    let store = Scripted::default();
    store.errors.lock().unwrap().extend([full(), full()]);
    let notices = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&notices);
    let notice = move |notice: Notice<'_>| {
        log.lock().unwrap().push(match notice {
            Notice::StoreFails(error) => format!("fails: {error}"),
            other => format!("{other:?}"),
        })
    };
    let (recorder, writer) =
        Recorder::start(store.clone(), Scripted::default(), silent(), config(9, LONG), notice).unwrap();
    let entries = numbered(0..3);
    block_on(recorder.permit()).unwrap().record(&mut Report::from_iter(entries.clone()));
    recorder.flush(LONG).unwrap();
    assert_eq!(store.groups(), [lines(&entries)]);
    assert_eq!(*notices.lock().unwrap(), ["fails: hot.db cannot grow: no space left on the disk", "StoreRecovered"]);
    let health = recorder.health();
    assert_eq!((health.failures(), health.entries(), health.is_failing()), (2, 3, false));
    assert_eq!(health.last_error().unwrap(), full().to_string());
    writer.close(LONG).unwrap();
}

#[test]
fn closing_gives_a_store_up_that_takes_nothing_and_says_so() {
    let store = Scripted::default();
    store.errors.lock().unwrap().extend((0..1000).map(|_| full()));
    let (recorder, writer) = start(store, config(9, LONG));
    record(&recorder, numbered(0..1).remove(0));
    assert_eq!(writer.close(Duration::from_millis(20)), Err(Unstored { waiting: 1 }));
    assert!(recorder.health().is_failing());
}

#[test]
fn closing_waits_for_calls_under_way_and_refuses_new_ones() {
    let store = Scripted::default();
    let (recorder, writer) = start(store.clone(), config(9, LONG));
    let (used, unused) = block_on(async { (recorder.permit().await.unwrap(), recorder.permit().await.unwrap()) });
    let closing = thread::spawn(move || writer.close(LONG));
    while block_on(recorder.permit()).is_ok() {
        thread::yield_now();
    }
    assert_eq!(block_on(recorder.permit()).unwrap_err(), Overload::Closed);
    used.record(&mut Report::from_iter(numbered(0..1)));
    drop(unused);
    closing.join().unwrap().unwrap();
    assert_eq!(store.groups().concat(), lines(&numbered(0..1)));
}

#[test]
fn a_report_after_the_end_is_counted() {
    let (recorder, Writer { ended, .. }) = start(Scripted::default(), config(9, LONG));
    let late = block_on(recorder.permit()).unwrap();
    recorder.state().closing.set(Instant::now()).unwrap();
    recorder.flush(LONG).unwrap();
    assert_eq!(ended.recv_timeout(LONG), Err(sync::RecvTimeoutError::Disconnected));
    late.record(&mut Report::from_iter(numbered(0..1)));
    assert_eq!(recorder.health().unstored(), 1);
}

#[test]
fn without_recorders_the_thread_stores_what_is_left_and_ends() {
    let store = Scripted::default();
    let (recorder, Writer { recorder: other, ended }) = start(store.clone(), config(9, LONG));
    record(&recorder, numbered(0..1).remove(0));
    drop((recorder, other));
    assert_eq!(ended.recv_timeout(LONG), Err(sync::RecvTimeoutError::Disconnected));
    assert_eq!(store.groups().len(), 1);
}

#[test]
fn an_outlet_that_fails_is_counted_and_stops_nothing() {
    let (directory, path) = place();
    let shape = shape("a", Format::Json, Outlet::File(directory.path().to_owned()));
    let (recorder, writer) = start(LogStore::open(&path).unwrap(), config(9, LONG));
    for n in 0..2 {
        record(&recorder, entry(&shape, n, Level::Info, "/"));
        recorder.flush(LONG).unwrap();
    }
    writer.close(LONG).unwrap();
    let health = recorder.health();
    assert_eq!((health.entries(), health.unprinted()), (2, 2));
    assert!(health.last_error().unwrap().contains("directory"), "{:?}", health.last_error());
}

#[test]
fn many_runtimes_record_at_once_through_little_room() {
    let store = Scripted::default();
    let (recorder, writer) = start(store.clone(), config(3, LONG));
    let workers: Vec<_> = (0..4)
        .map(|worker| {
            let recorder = recorder.with_own_desk();
            thread::spawn(move || {
                for entry in numbered(worker * 50..worker * 50 + 50) {
                    record(&recorder, entry);
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().unwrap();
    }
    writer.close(LONG).unwrap();
    let mut stored = store.groups().concat();
    stored.sort();
    let mut expected = lines(&numbered(0..200));
    expected.sort();
    assert_eq!(stored, expected);
}

/// Where [`records_until_it_is_killed`] keeps its log; not set in an ordinary run of the tests.
const CHILD: &str = "EGRESSCTL_TEST_LOG";

/// Not a test by itself: what the next one runs in a process of its own.
#[test]
fn records_until_it_is_killed() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let (recorder, _writer) = Recorder::start(
        LogStore::open(path).unwrap(),
        Scripted::default(),
        Outlets::standard(),
        config(64, LONG),
        |_| (),
    )
    .unwrap();
    for start in (0..).step_by(100) {
        for entry in numbered(start..start + 100) {
            record(&recorder, entry);
        }
    }
}

#[test]
fn what_was_seen_before_a_kill_is_stored_exactly_once() {
    let (_directory, path) = place();
    let name = "accesslog::recorder::tests::records_until_it_is_killed";
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut seen: Vec<String> = output.by_ref().filter(|line| line.starts_with('{')).take(3000).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    // What was in the pipe; the last line may have been cut by the kill.
    seen.extend(output.filter(|line| line.starts_with('{') && line.ends_with('}')));
    let store = LogStore::open(&path).unwrap();
    let integrity: String = store.connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(integrity, "ok");
    let stored = ask(&store, &Query::default());
    assert!(seen.len() >= 3000 && stored.len() >= seen.len(), "{} seen, {} stored", seen.len(), stored.len());
    assert_eq!(stored, lines(&numbered(0..stored.len())), "no hole, nothing twice");
    assert_eq!(seen, stored[..seen.len()]);
}
