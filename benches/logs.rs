//! How fast the log is asked, beside `rg` on the same entries as JSON lines: `cargo bench --bench logs`, with `ROWS=10000000`
//! and a folder for the data in `DIR` if the default of a million in a temporary folder is not meant. What lies in the folder
//! already (`lines-ROWS.jsonl`, and `state-ROWS` with them imported) is not made again. Whole processes are timed, in turn, with
//! the page cache warm as far as files fit into memory, nine times or for half a minute; the median counts. Ratios compare
//! within one run only. DuckDB is asked the same on the same files where `PYTHON` (or python3) has it: of it only the query is
//! timed, in a process that runs already.
//!
//! Behind it stand a slice of time in logs a hundredth, a tenth and all as long, and what recording costs (`recording.rs`).

#[path = "recording.rs"]
mod recording;

use std::fmt::Write as _;
use std::io::{BufWriter, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use egressctl::accesslog::{Importer, Input, Level, Redact, line};
use egressctl::state::StateDir;

const REPETITIONS: usize = 9;
/// How long a question is asked, all in all, unless it takes longer once.
const PATIENCE: Duration = Duration::from_secs(30);
/// Microseconds between two entries, on average.
const GAP: u64 = 86_400;
/// 2018-06-18T13:23:17Z
const START: i64 = 1_529_328_197_317_448;
const HOSTS: usize = 2_000;
const PATHS: usize = 200_000;
const SOURCES: usize = 300;
const SECTIONS: [&str; 8] = ["politics", "sport", "health", "world", "tech", "api/v1/items", "static/js", "img"];

fn main() {
    let rows: usize = std::env::var("ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(1_000_000);
    let temporary = tempfile::tempdir().expect("a temporary directory");
    let directory = std::env::var_os("DIR").map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    let (state, lines) = (directory.join(format!("state-{rows}")), directory.join(format!("lines-{rows}.jsonl")));
    if !lines.exists() {
        make(rows, &state, Some(&lines));
    }
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
    let sealed: u64 = files(&state.join("log/segments")).iter().map(|path| size(path)).sum();
    let text = size(&lines);
    println!("{rows} entries, {text} bytes of lines, {sealed} sealed: 1/{:.1}", text as f64 / sealed.max(1) as f64);
    println!("nothing asked: {:.1} ms of CPU", cpu_of_nothing(&state));
    let duckdb = duckdb("SELECT 1", &state);
    if duckdb.is_none() {
        println!("DuckDB is not compared: python3, or what PYTHON names, has it not");
    }
    let head = ("question", "egressctl", "rg", "times", "DuckDB", "times", "memory");
    let (question, us, rg, times, duck, times_duck, memory) = head;
    println!(
        "{question:<28} {us:>10} {rg:>10} {times:>7} {:>6} {duck:>10} {times_duck:>7} {memory:>8}  answer",
        "goal"
    );
    for (name, ours, theirs) in questions(rows) {
        let (hour, end) = hour(rows);
        compare((name, goal(name, rows)), &ours, theirs.as_deref(), (&state, &lines), sql(name, (&hour, &end)));
    }
    slices(rows, &directory);
    println!();
    recording::main();
}

/// How many times as fast as `rg` a question shall be answered, where that was said.
fn goal(name: &str, rows: usize) -> Option<f64> {
    match name {
        "count: one host"
        | "count: level error"
        | "count: --where"
        | "count: one hour"
        | "lines: rare literal"
        | "lines: regex over fields"
            if rows >= 100_000_000 =>
        {
            Some(50.0)
        }
        "count: one host" | "count: level error" | "count: --where" | "count: one hour" => Some(10.0),
        "lines: rare literal" => Some(3.0),
        "lines: regex over fields" => Some(2.0),
        _ => None,
    }
}

/// A slice of time in logs that are the longer the less of them it is.
fn slices(rows: usize, directory: &Path) {
    let span = (rows as u64 / 100 * GAP) as i64;
    let (mut since, mut until) = (String::new(), String::new());
    line::timestamp(&mut since, START + span / 4);
    line::timestamp(&mut until, START + span * 3 / 4);
    let words = ["logs", "--count", "--where", "responseCode >= 400", "--since-time", &since, "--until", &until];
    let words = words.map(str::to_owned);
    println!("\n{:<28} {:>10} {:>7}  answer", "a slice of time, of entries", "egressctl", "times");
    let mut first = None;
    for rows in [rows / 100, rows / 10, rows] {
        let state = directory.join(format!("state-{rows}"));
        if !state.exists() {
            make(rows, &state, None);
        }
        let answer = run(&mut egressctl(&state, &words)).1;
        let took = median((0..REPETITIONS).map(|_| run(&mut egressctl(&state, &words)).0).collect());
        let times = took.as_secs_f64() / first.get_or_insert(took).as_secs_f64();
        println!("{rows:<28} {} {times:>7.2}  {}", milliseconds(Some(took)), answer.trim());
    }
}

/// The CPU time of a process that opens the log and answers with nothing, in milliseconds.
fn cpu_of_nothing(state: &Path) -> f64 {
    const TIMES: u32 = 50;
    // Hundredths of a second of the children that were waited for (proc(5), fields 16 and 17).
    let ticks = || -> u64 {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let behind = stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace();
        behind.skip(13).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
    };
    let before = ticks();
    (0..TIMES).for_each(|_| drop(run(&mut egressctl(state, &["logs", "--tail", "0"].map(str::to_owned)))));
    (ticks() - before) as f64 * 10.0 / f64::from(TIMES)
}

fn egressctl(state: &Path, words: &[String]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_egressctl"));
    command.arg("--state-dir").arg(state).args(words);
    command
}

/// How long DuckDB takes for a query over the segments, and its first value; nothing where it is not installed.
fn duckdb(sql: &str, state: &Path) -> Option<(Duration, String)> {
    const SCRIPT: &str = "
import duckdb, sys, time
db = duckdb.connect()
sql = sys.argv[1].replace('LOG', f\"'{sys.argv[2]}'\")
took = []
for _ in range(10):
    start = time.perf_counter()
    rows = db.execute(sql).fetchall()
    took.append(time.perf_counter() - start)
print(sorted(took[1:])[4], rows[0][-1])";
    let python = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    let files = state.join("log/segments/*/*.parquet");
    let output = Command::new(python).args(["-c", SCRIPT, sql]).arg(files).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (took, value) = text.trim().split_once(' ')?;
    Some((Duration::from_secs_f64(took.parse().ok()?), value.to_owned()))
}

/// A question as DuckDB is asked it.
fn sql(name: &str, (hour, end): (&str, &str)) -> Option<String> {
    let counted = |condition: &str| Some(format!("SELECT count(*) FROM LOG WHERE {condition}"));
    let top = |condition: &str| {
        Some(format!("SELECT destination, count(*) AS n FROM LOG {condition} GROUP BY 1 ORDER BY n DESC, 1 LIMIT 10"))
    };
    match name {
        "count: level error" => counted("level = 'error'"),
        "count: one host" => counted("destination = 'edition.cnn.com'"),
        "count: --where" => counted("responseCode >= 400"),
        "count: --where, two fields" => counted("destination LIKE '%cnn.com' AND responseCode >= 400"),
        "count: one hour" => counted(&format!("time >= '{hour}' AND time < '{end}'")),
        "count: path prefix" => counted("path LIKE '/politics%'"),
        "top ten hosts" => top(""),
        "top ten hosts of errors" => top("WHERE responseCode >= 400"),
        _ => None,
    }
}

/// A question, our flags, and those of `rg`.
type Question = (&'static str, Vec<String>, Option<Vec<String>>);

/// An hour in the middle of the log.
fn hour(rows: usize) -> (String, String) {
    let middle = (START + rows as i64 * GAP as i64 / 2) / 3_600_000_000 * 3_600_000_000;
    let (mut hour, mut end) = (String::new(), String::new());
    line::timestamp(&mut hour, middle);
    line::timestamp(&mut end, middle + 3_600_000_000);
    (hour, end)
}

/// What is measured.
fn questions(rows: usize) -> Vec<Question> {
    let (hour, end) = hour(rows);
    let words = |text: &[&str]| text.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let regex = r#""path":"/politics[^"]*","responseCode":(403|50[0-9])"#;
    let slice = format!("\"time\":\"{}:", &hour[..13]);
    vec![
        ("nothing", words(&["--tail", "0"]), None),
        (
            "count: level error",
            words(&["--count", "--level", "error"]),
            Some(words(&["-c", "-F", "\"level\":\"error\""])),
        ),
        (
            "count: one host",
            words(&["--count", "--host", "edition.cnn.com"]),
            Some(words(&["-c", "-F", "\"destination\":\"edition.cnn.com\""])),
        ),
        (
            "count: --where",
            words(&["--count", "--where", "responseCode >= 400"]),
            Some(words(&["-c", "\"responseCode\":[4-9][0-9][0-9]"])),
        ),
        (
            "count: --where, two fields",
            words(&["--count", "--where", "destination.endsWith(\"cnn.com\") && responseCode >= 400"]),
            Some(words(&["-c", "\"destination\":\"[^\"]*cnn.com\".*\"responseCode\":[4-9][0-9][0-9]"])),
        ),
        (
            "count: one hour",
            words(&["--count", "--since-time", &hour, "--until", &end]),
            Some(words(&["-c", "-F", &slice])),
        ),
        (
            "count: rare literal",
            words(&["--count", "-F", "-g", "site1999.example"]),
            Some(words(&["-c", "-F", "site1999.example"])),
        ),
        (
            "count: common literal",
            words(&["--count", "-F", "-g", "edition.cnn.com"]),
            Some(words(&["-c", "-F", "edition.cnn.com"])),
        ),
        (
            "count: path prefix",
            words(&["--count", "-F", "-g", "\"path\":\"/politics"]),
            Some(words(&["-c", "-F", "\"path\":\"/politics"])),
        ),
        ("count: regex over fields", words(&["--count", "-g", regex]), Some(words(&["-c", regex]))),
        ("lines: rare literal", words(&["-F", "-g", "site1999.example"]), Some(words(&["-F", "site1999.example"]))),
        ("lines: regex over fields", words(&["-g", regex]), Some(words(&[regex]))),
        ("lines: level error", words(&["--level", "error"]), Some(words(&["-F", "\"level\":\"error\""]))),
        ("lines: one hour", words(&["--since-time", &hour, "--until", &end]), Some(words(&["-F", &slice]))),
        ("top ten hosts", words(&["stats", "--by", "destination", "-o", "json"]), None),
        (
            "top ten hosts of errors",
            words(&["stats", "--by", "destination", "-o", "json", "--where", "responseCode >= 400"]),
            None,
        ),
        ("last ten", words(&["--tail", "10"]), None),
        ("last ten errors", words(&["--tail", "10", "--level", "error"]), None),
    ]
}

fn compare(
    (name, goal): (&str, Option<f64>),
    ours: &[String],
    theirs: Option<&[String]>,
    (state, lines): (&Path, &Path),
    sql: Option<String>,
) {
    let words = [&["logs".to_owned()], ours].concat();
    let answer = run(&mut egressctl(state, &words)).1;
    let ask = || time(&mut egressctl(state, &words), &answer, name);
    let search = || {
        let mut command = Command::new("rg");
        command.args(["--no-config", "--no-filename"]).args(theirs.unwrap_or_default()).arg(lines);
        time(&mut command, &answer, name)
    };
    let has_rg = theirs.is_some() && Command::new("rg").arg("--version").stdout(Stdio::null()).status().is_ok();
    let (mut us, mut them) = (Vec::new(), Vec::new());
    let start = Instant::now();
    while us.is_empty() || us.len() < REPETITIONS && start.elapsed() < PATIENCE {
        // Lines that do not fit into memory push the segments out of it.
        ask();
        us.push(ask());
        if has_rg {
            them.push(search());
        }
    }
    let duckdb = sql.and_then(|sql| duckdb(&sql, state));
    if let Some((_, value)) = &duckdb
        && let Ok(count) = answer.trim().parse::<u64>()
    {
        assert_eq!(value.parse(), Ok(count), "{name}: DuckDB finds something else");
    }
    let shown = if answer.len() < 20 { answer.trim().to_owned() } else { format!("{} lines", answer.lines().count()) };
    let (us, them, duckdb) = (median(us), has_rg.then(|| median(them)), duckdb.map(|(took, _)| took));
    let beside = |other: Option<Duration>| {
        let times =
            other.map_or_else(|| "-".to_owned(), |took| format!("{:.1}", took.as_secs_f64() / us.as_secs_f64()));
        format!("{} {times:>7}", milliseconds(other))
    };
    let memory = if ours[0] == "stats" { "-".to_owned() } else { memory(state, &words) };
    let goal = goal.map_or_else(|| "-".to_owned(), |goal| goal.to_string());
    let (ours, rg, duckdb) = (milliseconds(Some(us)), beside(them), beside(duckdb));
    println!("{name:<28} {ours} {rg} {goal:>6} {duckdb} {memory:>8}  {shown}");
}

fn milliseconds(took: Option<Duration>) -> String {
    took.map_or_else(|| format!("{:>10}", "-"), |took| format!("{:>7.1} ms", took.as_secs_f64() * 1e3))
}

/// The most memory that a question took, as the command tells it.
fn memory(state: &Path, words: &[String]) -> String {
    let output = egressctl(state, words).arg("--stats").output().expect("the command runs");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    told.trim().rsplit_once("at most ").map_or("-", |(_, most)| most).to_owned()
}

/// How long a command takes, and what it prints.
fn run(command: &mut Command) -> (Duration, String) {
    let start = Instant::now();
    let output = command.stderr(Stdio::inherit()).output().expect("the command runs");
    (start.elapsed(), String::from_utf8(output.stdout).expect("text"))
}

/// How long a command takes to print what is expected. That is compared piece by piece, so that no memory has to be made for it
/// while it is found.
fn time(command: &mut Command, expected: &str, question: &str) -> Duration {
    let (mut buffer, mut left) = (vec![0; 1 << 16], expected.as_bytes());
    let start = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the command runs");
    let mut out = child.stdout.take().expect("piped");
    loop {
        let count = out.read(&mut buffer).expect("a pipe");
        if count == 0 {
            break;
        }
        left =
            left.strip_prefix(&buffer[..count]).unwrap_or_else(|| panic!("{question}: {command:?} finds other things"));
    }
    child.wait().expect("it runs");
    let took = start.elapsed();
    assert!(left.is_empty(), "{question}: {command:?} finds less");
    took
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort();
    all.get(all.len() / 2).copied().unwrap_or_default()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let inside = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    inside(folder).flat_map(|day| inside(&day)).collect()
}

/// Imports the entries, which seals them, and writes them as JSON lines where these are wanted.
fn make(rows: usize, state: &Path, lines: Option<&Path>) {
    let state = StateDir::open(state).expect("a state directory");
    let mut importer = Importer::open(&state, "access.egressctl.istio-system", Redact::None).expect("a new log");
    let file: Box<dyn std::io::Write> = match lines {
        Some(lines) => Box::new(std::fs::File::create(lines).expect("a file")),
        None => Box::new(std::io::sink()),
    };
    let out = BufWriter::with_capacity(1 << 20, file);
    let mut made = Made { source: Source::new(), left: rows, rest: Vec::new(), out };
    let mut fault = |number: u64, why: &str| panic!("{number}: {why}");
    importer
        .import(Input { name: "made", lines: &mut made, is_there: true }, START, &mut fault)
        .expect("room for the entries");
    made.out.flush().expect("room for the lines");
    assert!(
        Command::new(env!("CARGO_BIN_EXE_egressctl"))
            .args(["logs", "seal", "--state-dir"])
            .arg(state.path())
            .status()
            .is_ok()
    );
}

/// Lines as they are read, written to a file as well.
struct Made {
    source: Source,
    left: usize,
    rest: Vec<u8>,
    out: BufWriter<Box<dyn std::io::Write>>,
}

impl Read for Made {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.left > 0 && self.rest.len() < buffer.len() {
            self.rest.extend_from_slice(self.source.line().as_bytes());
            self.rest.push(b'\n');
            self.left -= 1;
        }
        let count = self.rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.rest[..count]);
        self.out.write_all(&self.rest[..count])?;
        self.rest.drain(..count);
        Ok(count)
    }
}

/// Makes entries: hosts, paths and sources by Zipf's law, drawn apart from each other, 2 % errors, sizes that mostly belong to
/// the path.
struct Source {
    random: u64,
    time: u64,
    hosts: Vec<f64>,
    paths: Vec<f64>,
    sources: Vec<f64>,
}

impl Source {
    fn new() -> Self {
        let [hosts, paths, sources] = [HOSTS, PATHS, SOURCES].map(zipf);
        Self { random: 0x9e37_79b9_7f4a_7c15, time: START as u64, hosts, paths, sources }
    }

    /// From 0 to 1.
    fn unit(&mut self) -> f64 {
        // xorshift64*
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A size whose logarithm is normal.
    fn size(&mut self) -> u64 {
        let normal = (-2.0 * self.unit().max(1e-12).ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos();
        (9.0 + 1.5 * normal).exp() as u64
    }

    fn line(&mut self) -> String {
        self.time += (self.unit() * 2.0 * GAP as f64) as u64;
        let unit = [self.unit(), self.unit(), self.unit(), self.unit(), self.unit()];
        let pick = |all: &[f64], unit: f64| all.partition_point(|sum| *sum < unit);
        let (host, path, source) =
            (pick(&self.hosts, unit[0]), pick(&self.paths, unit[1]), pick(&self.sources, unit[2]));
        let is_error = unit[3] < 0.02;
        let code = if is_error {
            [403, 403, 403, 403, 403, 403, 404, 502, 503, 504][(unit[4] * 10.0) as usize % 10]
        } else {
            [(0.92, 200), (0.93, 301), (0.97, 304), (0.995, 404), (1.0, 500)]
                .into_iter()
                .find(|(upto, _)| unit[4] <= *upto)
                .map_or(200, |(_, code)| code)
        };
        let drawn = self.size();
        let size = match code {
            304 => 0,
            400.. => 19,
            // Most answers of a path have one size.
            _ if self.unit() < 0.7 => 100 + (path as u64).wrapping_mul(2_654_435_761) % 60_000,
            _ => drawn,
        };
        let level = if is_error { Level::Error } else { Level::Info };
        let mut text = String::with_capacity(300);
        line::begin(&mut text, level, self.time as i64, "egress-access.logentry.istio-system");
        let namespace = if source.is_multiple_of(4) { "default".to_owned() } else { format!("team-{}", source % 11) };
        field(&mut text, "destination", &host_name(host));
        field(&mut text, "path", &path_name(path));
        write!(text, ",\"responseCode\":{code},\"responseSize\":{size}").expect("writing to a String does not fail");
        field(&mut text, "source", &if source == 0 { "sleep".to_owned() } else { format!("svc-{source}") });
        field(&mut text, "sourceNamespace", &namespace);
        field(&mut text, "user", "unknown");
        line::end(&mut text);
        text
    }
}

fn field(text: &mut String, name: &str, value: &str) {
    line::name(text, name);
    line::string(text, value);
}

fn host_name(number: usize) -> String {
    let (name, end) = (["api", "www", "www"][number % 3], ["com", "org", "net"][number % 3]);
    if number == 0 { "edition.cnn.com".to_owned() } else { format!("{name}.site{number}.example.{end}") }
}

fn path_name(number: usize) -> String {
    let section = SECTIONS[number % 8];
    if number < 8 { format!("/{section}") } else { format!("/{section}/{:x}", number * 2_654_435_761 % 1_000_003) }
}

/// The sums of the chances of `count` things by Zipf's law.
fn zipf(count: usize) -> Vec<f64> {
    let weights: Vec<f64> = (1..=count).map(|rank| (rank as f64).powf(-1.07)).collect();
    let all: f64 = weights.iter().sum();
    weights
        .iter()
        .scan(0.0, |sum, weight| {
            *sum += weight / all;
            Some(*sum)
        })
        .collect()
}
