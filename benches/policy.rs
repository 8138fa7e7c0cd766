//! What a rule's match costs: `cargo bench --bench policy`.
//!
//! The four rules of the scenario's articles over one call, and a match of ten clauses beside the `cel` crate evaluating the
//! same predicate over the same values. Rounds take turns and the best of each counts, so that the ratio is of one run.

use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use cel::Value;
use egressctl::call::{Arrival, Call, CallBag, Reporter, normalize};
use egressctl::expr::{Bag, Program, Scratch, Slot, Timestamp, ValueRef, Vocabulary, slot};

const ROUNDS: usize = 15;
const EVALUATIONS: u32 = 100_000;

/// Two rules that record, two that check.
const RULES: [&str; 4] = [
    r#"request.host.endsWith("cnn.com") && request.path.startsWith("/politics")"#,
    r#"request.host.endsWith(".cnn.com")"#,
    r#"request.host.endsWith(".cnn.com") && (source.namespace | "unknown") != "politics""#,
    r#"request.host.endsWith(".cnn.com") && (request.path.startsWith("/health") == false)"#,
];

const TEN_CLAUSES: &str = r#"request.method == "GET" && request.host.endsWith(".cnn.com") &&
    request.path.startsWith("/politics") && request.scheme == "http" && request.headers["x-team"] == "web" &&
    request.size < 1000 && source.namespace == "default" && destination.port == 80 &&
    source.labels["app"] == "sleep" && request.useragent.startsWith("curl/")"#;

fn main() {
    four_rules();
    ten_clauses();
}

/// Nanoseconds of one run of each, best of all rounds.
fn best<const N: usize>(mut runs: [&mut dyn FnMut(); N]) -> [f64; N] {
    let mut best = [f64::INFINITY; N];
    for _ in 0..ROUNDS {
        for (run, best) in runs.iter_mut().zip(&mut best) {
            let start = Instant::now();
            (0..EVALUATIONS).for_each(|_| run());
            *best = best.min(start.elapsed().as_secs_f64() * 1e9 / f64::from(EVALUATIONS));
        }
    }
    best
}

fn four_rules() {
    let call = call();
    let reporter = Reporter::default();
    let bag = CallBag::new(&call, None, &reporter);
    let programs = RULES.map(|text| Program::compile(text, Vocabulary::standard()).expect("a valid match"));
    let scratch = Scratch::new();
    let holds = |program: &Program| program.holds(&bag, &scratch) == Ok(true);
    assert!(programs.iter().all(holds));
    let [nanos] = best([&mut || {
        for program in &programs {
            black_box(holds(black_box(program)));
        }
    }]);
    println!("the scenario's four rules against one call   {nanos:>8.1} ns");
}

fn call() -> Call {
    let head = http::Request::builder().uri("http://edition.cnn.com/politics").header("host", "edition.cnn.com");
    let head = head.body(()).expect("a valid head").into_parts().0;
    let arrival =
        Arrival { time: Timestamp::ZERO, chance: 7, caller: None, peer: IpAddr::V4(Ipv4Addr::LOCALHOST), tls: None };
    normalize(head, arrival).expect("a valid call")
}

fn ten_clauses() {
    let request = Request::new();
    let program = Program::compile(TEN_CLAUSES, Vocabulary::standard()).expect("a valid match");
    let scratch = Scratch::new();
    assert_eq!(program.holds(&request, &scratch), Ok(true));

    let env = Arc::new(cel::Env::stdlib());
    let theirs = env.compile(TEN_CLAUSES).expect("CEL spells it the same");
    let mut context = cel::Context::with_env(Arc::clone(&env));
    for (name, value) in variables() {
        context.add_variable_from_value(name, value);
    }
    assert_eq!(theirs.execute(&context).expect("a value"), Value::Bool(true));

    let [ours, cel] = best([&mut || assert!(black_box(&program).holds(&request, &scratch) == Ok(true)), &mut || {
        assert!(black_box(&theirs).execute(&context).is_ok_and(|value| value == Value::Bool(true)))
    }]);
    println!("ten clauses, all true                        {ours:>8.1} ns");
    println!("the same in the cel crate                    {cel:>8.1} ns, {:.1} times", cel / ours);
}

/// The values of both sides.
#[derive(Debug)]
struct Request {
    headers: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
}

impl Request {
    fn new() -> Self {
        Self { headers: map([("x-team", "web"), ("accept", "*/*")]), labels: map([("app", "sleep")]) }
    }
}

fn map<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

impl Bag for Request {
    fn get(&self, slot: Slot) -> Option<ValueRef<'_>> {
        Some(match slot {
            slot::REQUEST_METHOD => ValueRef::String("GET"),
            slot::REQUEST_HOST => ValueRef::String("edition.cnn.com"),
            slot::REQUEST_PATH => ValueRef::String("/politics"),
            slot::REQUEST_SCHEME => ValueRef::String("http"),
            slot::REQUEST_HEADERS => ValueRef::StringMap(&self.headers),
            slot::REQUEST_SIZE => ValueRef::Int64(512),
            slot::REQUEST_USERAGENT => ValueRef::String("curl/8.5.0"),
            slot::SOURCE_NAMESPACE => ValueRef::String("default"),
            slot::SOURCE_LABELS => ValueRef::StringMap(&self.labels),
            slot::DESTINATION_PORT => ValueRef::Int64(80),
            _ => return None,
        })
    }
}

/// CEL's messages are maps from field to value.
fn variables() -> [(&'static str, Value); 3] {
    let request = Request::new();
    let texts = |map: BTreeMap<String, String>| Value::from(map.into_iter().collect::<HashMap<String, String>>());
    let message = |fields: Vec<(&str, Value)>| Value::from(fields.into_iter().collect::<HashMap<&str, Value>>());
    let fields = vec![
        ("method", Value::from("GET")),
        ("host", Value::from("edition.cnn.com")),
        ("path", Value::from("/politics")),
        ("scheme", Value::from("http")),
        ("headers", texts(request.headers)),
        ("size", Value::Int(512)),
        ("useragent", Value::from("curl/8.5.0")),
    ];
    let source = vec![("namespace", Value::from("default")), ("labels", texts(request.labels))];
    [
        ("request", message(fields)),
        ("source", message(source)),
        ("destination", message(vec![("port", Value::Int(80))])),
    ]
}
