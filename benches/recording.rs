//! What it costs to record a call: `cargo bench --bench recording`, with `CALLS=1000000` if the default is not meant.
//!
//! Lines and records of the scenario's shape (2,000 hosts, 200,000 paths, 2 % errors) go through the real recorder, hot store
//! and sealer into a temporary directory. CPU time of the whole process is counted, not time that passed, and told for each
//! part: making the lines, handing them over and storing them, sealing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use egressctl::accesslog::{
    Batch, Config, Format, Level, Limits, LogStore, Outlet, Outlets, Recorder, Report, Sealer, Shape, Stream, line,
};
use egressctl::call::{Arrival, Call, Marks, Outcome, normalize};
use egressctl::decision::access::{Callers, Ended, Recording};
use egressctl::expr::Timestamp;
use egressctl::identity::{Caller, Workload};
use egressctl::policy::verdict::Checked;
use egressctl::registry::Revision;
use egressctl::snapshot::Hop;
use egressctl::state::StateDir;

const HOSTS: u64 = 2_000;
const PATHS: u64 = 200_000;
const SOURCES: u64 = 300;
const SECTIONS: [&str; 8] = ["politics", "sport", "health", "world", "tech", "api/v1/items", "static/js", "img"];

/// 2018-06-18T13:23:17Z
const START: i64 = 1_529_328_197_317_448;

/// Calls that are handed over at a time, which is what a worker does in some milliseconds.
const AT_ONCE: usize = 512;

/// Calls that are made beforehand and recorded again and again.
const MADE: usize = 20_000;

/// Microseconds between two calls.
const GAP: i64 = 86;

/// Prints it.
pub(crate) fn main() {
    let calls: usize = std::env::var("CALLS").ok().and_then(|calls| calls.parse().ok()).unwrap_or(1 << 20);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let state = StateDir::open(directory.path().join("state")).expect("a new directory");
    let mut made = Made::new();
    let (rendering, bytes) = measure(|| render(&mut made, calls));
    let (recording, ()) = measure(|| record(&state, &mut made, calls));
    let (sealing, sealed) = measure(|| seal(&state));
    let entries = 2.0 * calls as f64;
    println!("{calls} calls, a line and a record of each; {:.0} bytes an entry", bytes as f64 / entries);
    println!("{:<34} {:>14} {:>14}", "", "CPU µs/entry", "entries/s CPU");
    let (storing, total) = (recording.saturating_sub(rendering), recording + sealing);
    for (name, time) in [
        ("making lines and records", rendering),
        ("handing over and storing", storing),
        ("sealing", sealing),
        ("all", total),
    ] {
        let micros = time.as_secs_f64() * 1e6 / entries;
        println!("{name:<34} {micros:>14.3} {:>14.0}", 1e6 / micros);
    }
    println!("sealed: {sealed} bytes, 1/{:.1} of the lines", bytes as f64 / sealed as f64);
}

/// CPU time of the process that something takes.
fn measure<T>(run: impl FnOnce() -> T) -> (Duration, T) {
    let before = cpu();
    let value = run();
    (cpu() - before, value)
}

/// CPU time of all threads of the process until now, as the kernel counts it: in hundredths of a second.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields = stat.rsplit(") ").next().expect("fields behind the name").split(' ');
    let ticks: u64 = fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum();
    Duration::from_millis(ticks * 10)
}

/// Calls and what came of them.
struct Made {
    calls: Vec<(Call, Outcome)>,
    shape: Arc<Shape>,
    callers: Callers,
    number: usize,
}

impl Made {
    fn new() -> Self {
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        let sources: Vec<Caller> = (0..SOURCES).map(caller).collect();
        let calls = (0..MADE as i64).map(|number| call(&mut random, &sources, START + number * GAP)).collect();
        let shape = Arc::new(Shape {
            instance: "egress-access.logentry.istio-system".to_owned(),
            handler: "egress-access-handler.stdio.istio-system".to_owned(),
            rule: "report-cnn-access.rule.istio-system".to_owned(),
            format: Format::Json,
            outlet: Outlet::Stderr,
        });
        Self { calls, shape, callers: Callers::default(), number: 0 }
    }

    /// Makes the report of the next call, as a worker does.
    fn report(&mut self, report: &mut Report) {
        let (call, outcome) = &self.calls[self.number % MADE];
        self.number += 1;
        write_line(call, outcome, &self.shape, &mut report.lines);
        let checked = Checked::default();
        let ended = Ended {
            call,
            outcome,
            hop: Hop::Sidecar(0),
            checked: &checked,
            message: "",
            grant: None,
            lifted: None,
            revision: Revision(7),
            headers: &[],
        };
        ended.record(Recording::default(), &mut self.callers, &mut report.accesses);
    }
}

/// The scenario's line.
fn write_line(call: &Call, outcome: &Outcome, shape: &Arc<Shape>, lines: &mut Batch) {
    let time = call.time().micros();
    let level = if outcome.status < 400 { Level::Info } else { Level::Error };
    let source = call.caller().map_or("unknown", |caller| &caller.name);
    let result: Result<(), std::convert::Infallible> = lines.write((time, level, shape), |text| {
        line::begin(text, level, time, &shape.instance);
        for (name, value) in [("destination", call.authority().as_str()), ("path", call.path())] {
            line::name(text, name);
            line::string(text, value);
        }
        for (name, value) in [("responseCode", u64::from(outcome.status)), ("responseSize", outcome.response_bytes)] {
            line::name(text, name);
            text.push_str(itoa::Buffer::new().format(value));
        }
        for (name, value) in [("source", source), ("user", "unknown")] {
            line::name(text, name);
            line::string(text, value);
        }
        line::end(text);
        Ok(())
    });
    result.expect("nothing fails");
}

fn caller(number: u64) -> Caller {
    Caller::by_listener(Workload {
        name: format!("workload-{number}"),
        namespace: format!("namespace-{}", number % 20),
        principal: format!("cluster.local/ns/namespace-{}/sa/workload-{number}", number % 20),
        labels: [("app".to_owned(), format!("workload-{number}")), ("version".to_owned(), "v1".to_owned())].into(),
        ..Workload::default()
    })
}

fn call(random: &mut Random, sources: &[Caller], time: i64) -> (Call, Outcome) {
    let (host, path) = (random.skewed(HOSTS), random.skewed(PATHS));
    let uri = format!("http://host-{host}.example.com/{}/{path:x}", SECTIONS[(path % 8) as usize]);
    let head = http::Request::builder().uri(uri).version(http::Version::HTTP_2);
    let head = head.body(()).expect("a valid head").into_parts().0;
    let arrival = Arrival {
        time: Timestamp::from_micros(time),
        chance: random.next(),
        caller: Some(sources[random.skewed(SOURCES) as usize].clone()),
        peer: std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        tls: None,
    };
    let call = normalize(head, arrival).expect("a valid call");
    let outcome = Outcome {
        status: if random.next().is_multiple_of(50) { 503 } else { 200 },
        failure: None,
        abandoned: false,
        request_bytes: 0,
        response_bytes: random.next() % 400_000,
        response_time: Timestamp::from_micros(time + 500 + (random.next() % 9_000) as i64),
        duration: 1_000_000 + (random.next() % 9_000_000) as i64,
        marks: Marks::default(),
        closed_by: None,
    };
    (call, outcome)
}

/// Numbers that are the same in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Below a number, the small ones much more often.
    fn skewed(&mut self, below: u64) -> u64 {
        let uniform = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        (((below as f64 + 1.0).powf(uniform) - 1.0) as u64).min(below - 1)
    }
}

fn render(made: &mut Made, calls: usize) -> usize {
    let (mut report, mut bytes) = (Report::default(), 0);
    for _ in 0..calls {
        made.report(&mut report);
        bytes += report.bytes();
        report.lines.clear();
        report.accesses.clear();
    }
    bytes
}

fn record(state: &StateDir, made: &mut Made, calls: usize) {
    let [lines, accesses] = Stream::ALL.map(|stream| LogStore::open(stream.hot_db(state)).expect("a new store"));
    let outlets = Outlets::new(Box::new(std::io::sink()), Box::new(std::io::sink()));
    let (recorder, writer) = Recorder::start(lines, accesses, outlets, Config::default(), |_| ()).expect("a thread");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let mut report = Report::default();
    runtime.block_on(async {
        for number in 0..calls {
            let permit = recorder.permit().await.expect("the store keeps up");
            made.report(&mut report);
            permit.record(&mut report);
            if number % AT_ONCE == 0 {
                tokio::task::yield_now().await;
            }
        }
    });
    writer.close(Duration::from_secs(60)).expect("all is stored");
}

/// Seals all of both logs; bytes of the segments.
fn seal(state: &StateDir) -> i64 {
    let started = Instant::now();
    let sealed = Stream::ALL.map(|stream| {
        let sealer = Sealer::open(state, stream, Limits::default()).expect("the log");
        sealer.seal_all(START).expect("room for the segments").bytes
    });
    println!("sealing took {:.2} s", started.elapsed().as_secs_f64());
    sealed.iter().sum()
}
