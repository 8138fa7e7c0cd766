//! Random queries over random logs, each beside what `rg` finds in the printed lines.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::patterns::expression;
use super::random::{chance, random_entries, random_pattern};
use super::*;

/// Entries of each log.
const ENTRIES: usize = 1000;

/// Random patterns that `rg` is asked of each log. Queries have none of them, one or two.
const PATTERNS: usize = 20;

/// What a query may ask.
#[derive(Clone)]
enum Ask {
    Pattern(Pattern),
    Level(LevelFilter),
    Field(&'static str, Test),
    Where(&'static str),
    /// From one microsecond to before another.
    Slice(i64, i64),
}

/// Something to ask, and the lines of which `rg` says that it is so.
struct Known {
    ask: Ask,
    lines: Vec<bool>,
}

impl Ask {
    /// Adds it to a query, inverted if that is wanted and there is such a thing; whether it was.
    fn add(self, query: &mut Query, inverted: bool) -> bool {
        match self {
            Self::Pattern(pattern) => {
                query.patterns.push(Pattern { inverted, ..pattern });
                return inverted;
            }
            Self::Field(name, test) => {
                query.fields.push(Field { names: vec![name.to_owned()], tests: vec![test], inverted });
                return inverted;
            }
            Self::Level(level) => query.level = Some(level),
            Self::Where(filter) => query.filter = Some(filter.to_owned()),
            Self::Slice(since, until) => (query.since, query.until) = (Some(since), Some(until)),
        }
        false
    }
}

/// What is asked of each log beside patterns, by what a query has at most one of, as an expression over the line as well.
fn usual() -> [Vec<(Ask, &'static str)>; 4] {
    let second = |seconds: i64| START / 60_000_000 * 60_000_000 + seconds * 1_000_000;
    let glob = |name, glob: &str| Ask::Field(name, Test::Glob(glob.to_owned()));
    [
        vec![
            (Ask::Level(LevelFilter::Exactly(Level::Info)), "^(?:\\{\"level\":\"info\"|[^\t]*\tinfo\t)"),
            (Ask::Level(LevelFilter::Exactly(Level::Error)), "^(?:\\{\"level\":\"error\"|[^\t]*\terror\t)"),
            (
                Ask::Level(LevelFilter::AtLeast(Level::Warning)),
                "^(?:\\{\"level\":\"(?:warn|error)\"|[^\t]*\t(?:warn|error)\t)",
            ),
        ],
        vec![
            (glob("destination", "*cnn*"), "\"destination\": ?\"[^\"]*cnn[^\"]*\""),
            (glob("destination", "api.example.org"), "\"destination\": ?\"api\\.example\\.org\""),
            (glob("destination", "www.*"), "\"destination\": ?\"www\\.[^\"]*\""),
            (glob("path", "/politics/*"), "\"path\": ?\"/politics/[^\"]*\""),
            (glob("path", "*/?a*f"), "\"path\": ?\"[^\"]*/[^\"]a[^\"]*f\""),
            (Ask::Field("responseCode", Test::Between(400, 499)), "\"responseCode\": ?4[0-9][0-9]\\b"),
            (glob("responseSize", "*7?"), "\"responseSize\": ?[0-9]*7[0-9]\\b"),
            (glob("ok", "true"), "\"ok\": ?true"),
            (glob("nothing", "*"), "\"nothing\":"),
        ],
        vec![
            (Ask::Where("responseCode >= 400 && responseCode < 500"), "\"responseCode\": ?4[0-9][0-9]\\b"),
            (Ask::Where("responseSize < 1000"), "\"responseSize\": ?[0-9]{1,3}\\b"),
            (Ask::Where("path.startsWith(\"/sport/\")"), "\"path\": ?\"/sport/"),
            (Ask::Where("destination.endsWith(\"example\")"), "\"destination\": ?\"[^\"]*example\""),
            (
                Ask::Where("responseCode == 503 || path.endsWith(\"f\")"),
                "\"responseCode\": ?503\\b|\"path\": ?\"[^\"]*f\"",
            ),
            (
                Ask::Where("destination == \"edition.cnn.com\" && responseSize >= 50000"),
                "\"destination\": ?\"edition\\.cnn\\.com\".*\"responseSize\": ?[5-9][0-9]{4}\\b",
            ),
        ],
        vec![
            (Ask::Slice(second(60), second(120)), "T13:23:"),
            (Ask::Slice(second(70), second(90)), "T13:23:[12]"),
            (Ask::Slice(second(0), second(60)), "T13:22:"),
            (Ask::Slice(second(83), second(84)), "T13:23:23"),
        ],
    ]
}

/// The lines of a file that `rg` finds; nothing where it is not installed.
fn rg(file: &Path, expression: &str) -> Option<Vec<bool>> {
    let mut command = Command::new("rg");
    command.args(["--no-config", "--line-number", "--no-filename", "--only-matching", "--replace", ""]);
    let found = command.arg("--threads=1").arg("--regexp").arg(expression).arg(file).output().ok()?;
    assert!(found.stderr.is_empty(), "{expression}: {}", String::from_utf8_lossy(&found.stderr));
    let mut lines = vec![false; ENTRIES];
    for number in String::from_utf8_lossy(&found.stdout).lines() {
        lines[number.trim_end_matches(':').parse::<usize>().unwrap() - 1] = true;
    }
    Some(lines)
}

/// A log, sealed in part, with its lines, also as a file.
struct Log {
    directory: tempfile::TempDir,
    store: LogStore,
    printed: Vec<String>,
    /// How often `rg` was asked.
    asked: usize,
}

impl Log {
    fn new(random: &mut impl FnMut(usize) -> usize) -> Self {
        let (directory, mut store) = filled(&[]);
        let entries = random_entries(ENTRIES, random);
        let sealed = random(ENTRIES);
        store.append(&entries[..sealed]).unwrap();
        let state = StateDir::open(directory.path().join("state")).unwrap();
        let limits = Limits { rows: 100 + random(2 * ENTRIES), ..Limits::default() };
        Sealer::open(&state, Stream::Lines, limits).unwrap().seal_all(START).unwrap();
        store.append(&entries[sealed..]).unwrap();
        let printed = lines(&entries);
        std::fs::write(directory.path().join("lines"), printed.join("\n") + "\n").unwrap();
        Self { directory, store, printed, asked: 0 }
    }

    fn know(&mut self, ask: Ask, expression: &str) -> Known {
        let found = rg(&self.directory.path().join("lines"), expression);
        self.asked += usize::from(found.is_some());
        let lines = found.unwrap_or_else(|| {
            let expression = regex::Regex::new(expression).unwrap();
            self.printed.iter().map(|line| expression.is_match(line)).collect()
        });
        Known { ask, lines }
    }

    /// What may be asked: patterns first.
    fn known(&mut self, random: &mut impl FnMut(usize) -> usize) -> [Vec<Known>; 5] {
        let mut patterns = Vec::new();
        for _ in 0..PATTERNS {
            let line = self.printed[random(ENTRIES)].clone();
            let pattern = random_pattern(&line, random);
            let (expression, _) = expression(&pattern);
            let flags = if pattern.ignore_case { "(?i)" } else { "" };
            patterns.push(self.know(Ask::Pattern(pattern), &format!("{flags}(?:{expression})")));
        }
        let [levels, fields, filters, slices] =
            usual().map(|usual| usual.into_iter().map(|(ask, expression)| self.know(ask, expression)).collect());
        [patterns, levels, fields, filters, slices]
    }

    /// Compares the answer to a query; how many entries it has.
    fn compare(&self, query: &Query, expected: &[usize]) -> usize {
        let mut found = Vec::new();
        let mut sink = |row: &Row<'_>| {
            assert_eq!(row.printed(), self.printed[row.seq as usize - 1], "{query:?}");
            found.push(row.seq as usize - 1);
            true
        };
        self.store.query(query, &mut sink).unwrap();
        assert_eq!(found, expected, "{query:?}");
        assert_eq!(self.store.count(query).unwrap(), expected.len() as u64, "{query:?}");
        found.len()
    }
}

/// A query of what may be asked, and the places of the lines that answer it.
fn random_query(known: &[Vec<Known>; 5], random: &mut impl FnMut(usize) -> usize) -> (Query, Vec<usize>) {
    let (mut query, mut wanted) = (Query::default(), vec![true; ENTRIES]);
    let times = [[0, 1, 1, 1, 2, 2][random(6)], random(3) / 2, random(3) / 2, random(3) / 2, random(4) / 3];
    for (known, times) in known.iter().zip(times) {
        for _ in 0..times {
            let one = &known[random(known.len())];
            let inverted = one.ask.clone().add(&mut query, random(4) == 0);
            wanted.iter_mut().zip(&one.lines).for_each(|(wanted, is_so)| *wanted &= *is_so != inverted);
        }
    }
    let mut places: Vec<usize> = (0..ENTRIES).filter(|place| wanted[*place]).collect();
    match random(12) {
        0 => {
            let head = random(20);
            query.head = Some(head);
            places.truncate(head);
        }
        1 => {
            let tail = random(20);
            query.tail = Some(tail);
            places.drain(..places.len().saturating_sub(tail));
        }
        _ => {}
    }
    (query, places)
}

/// What was asked of a log, or of several.
#[derive(Default)]
struct Told {
    queries: usize,
    /// Hashes of queries.
    different: HashSet<u64>,
    found: usize,
    asked: usize,
}

/// Asks a log, which a seed makes, so many questions.
fn ask_log(seed: u64, questions: u32) -> Told {
    let mut random = chance(seed);
    let mut log = Log::new(&mut random);
    let known = log.known(&mut random);
    let mut told = Told { asked: log.asked, ..Told::default() };
    for _ in 0..questions {
        let (query, expected) = random_query(&known, &mut random);
        told.found += log.compare(&query, &expected);
        told.queries += 1;
        let mut hasher = DefaultHasher::new();
        format!("{query:?}").hash(&mut hasher);
        told.different.insert(hasher.finish());
    }
    told
}

/// Random entries make logs; of each log `rg` is asked random patterns, and an expression for each of the usual conditions;
/// each random query joins some of these, plain or inverted, often with a level, a field, `--where`, a slice of time or a
/// limit, and both what it finds and what it counts must be the lines that are left of `rg`'s. What is printed are the numbers
/// of entries, of queries and how many of them are different, and of decisions: one for each entry of the log and query.
///
/// A million random entries, a million random queries and a thousand million decisions, on all cores, on two in half an hour:
/// `EGRESSCTL_RG_LOGS=1000 EGRESSCTL_RG_QUESTIONS=1000 cargo test --release --lib what_rg_finds -- --nocapture`.
#[test]
fn a_query_finds_what_rg_finds_in_the_lines() {
    let [logs, questions] = [number("EGRESSCTL_RG_LOGS", 4), number("EGRESSCTL_RG_QUESTIONS", 60)];
    let next = AtomicU32::new(0);
    let ask_logs = || {
        let seeds = std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < logs));
        seeds.fold(Told::default(), |mut all, seed| {
            let one = ask_log(u64::from(seed), questions);
            all.queries += one.queries;
            all.found += one.found;
            all.asked += one.asked;
            all.different.extend(one.different);
            all
        })
    };
    let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let all: Vec<Told> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(ask_logs)).collect();
        threads.into_iter().map(|thread| thread.join().expect("all answers are right")).collect()
    });
    let sum = |of: fn(&Told) -> usize| -> usize { all.iter().map(of).sum() };
    let (queries, found, asked) = (sum(|told| told.queries), sum(|told| told.found), sum(|told| told.asked));
    let different = all.iter().flat_map(|told| &told.different).collect::<HashSet<_>>().len();
    let mut told = format!("{} entries, {queries} queries ({different} different), ", logs as usize * ENTRIES);
    write!(told, "{} decisions, {found} entries found; rg was asked {asked} times", queries * ENTRIES).unwrap();
    eprintln!("{told}");
    if asked == 0 {
        eprintln!("rg is not installed: compared with regular expressions over the lines instead");
    }
}
