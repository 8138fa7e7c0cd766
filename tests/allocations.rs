//! How many allocations a call costs, from its head to its report, and a match alone: counted, not timed.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Mutex;

use egressctl::accesslog::Batch;
use egressctl::call::{Arrival, Call, CallBag, Marks, Outcome, normalize};
use egressctl::decision::{Decision, judge};
use egressctl::diagnostic::Source;
use egressctl::expr::{Bag, Program, Scratch, Slot, Timestamp, ValueRef, Vocabulary, slot};
use egressctl::manifest::parse;
use egressctl::policy::Spend;
use egressctl::policy::list::{List, Sought};
use egressctl::registry::{MemoryRegistry, Operation, Registry, Transaction};
use egressctl::resource::kinds::listchecker::EntryType;
use egressctl::snapshot::{Compiler, Hop, ListenerSpec, Snapshot};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Allocations are counted for the whole process: one test at a time.
static COUNTING: Mutex<()> = Mutex::new(());

const SCENARIO: [&str; 3] = [
    include_str!("../fixtures/scenario/sleep.yaml"),
    include_str!("../fixtures/scenario/01-egress-gateway.yaml"),
    include_str!("../fixtures/scenario/02-egress-monitoring.yaml"),
];

const WHITELIST: &str = include_str!("../fixtures/policy/whitelist.yaml");

const AUTHORIZATION: &str = include_str!("../fixtures/policy/authorization.yaml");

/// Three calls an hour to each page.
const QUOTA: &str = include_str!("../fixtures/policy/quota.yaml");

fn snapshot(more: &[&str]) -> Snapshot {
    let registry = MemoryRegistry::new();
    for text in SCENARIO.iter().chain(more) {
        let mut operations = Vec::new();
        for mut resource in parse(&Source::new("fixture", *text)).resources {
            resource.meta.namespace.get_or_insert_with(|| "default".into());
            operations.push(Operation::Create(resource));
        }
        registry.commit(Transaction { operations }).expect("the scenario is valid");
    }
    let listener = ListenerSpec { workload: Some(("sleep".into(), "default".into())) };
    Compiler { listeners: [listener].into_iter().collect(), ..Compiler::default() }
        .compile(&registry)
        .expect("the scenario compiles")
}

fn call(snapshot: &Snapshot, path: &str) -> Call {
    let head = http::Request::builder()
        .uri(format!("http://edition.cnn.com{path}"))
        .header("host", "edition.cnn.com")
        .body(())
        .expect("a valid head")
        .into_parts()
        .0;
    let caller = snapshot.callers().next().flatten().cloned();
    let time = Timestamp::from_micros(1_529_328_178_317_448);
    let arrival = Arrival { time, chance: 7, caller, peer: IpAddr::V4(Ipv4Addr::LOCALHOST), tls: None };
    normalize(head, arrival).expect("a valid call")
}

/// Allocations of judging and reporting one call into a batch that was used before, and the lines it makes.
fn cost(snapshot: &Snapshot, call: &Call, scratch: &mut Scratch, lines: &mut Batch) -> (u64, Vec<String>) {
    lines.clear();
    let before = dhat::HeapStats::get().total_blocks;
    let judgement = judge(snapshot, Hop::Sidecar(0), call, Spend::Take, scratch, &mut |_| {});
    assert!(matches!(judgement.decision, Decision::Forward(_)), "{judgement:?}");
    let outcome = Outcome {
        status: 200,
        failure: None,
        abandoned: false,
        request_bytes: 0,
        response_bytes: 150_448,
        response_time: call.time(),
        duration: 1_000_000,
        marks: Marks::default(),
        closed_by: None,
    };
    let bag = CallBag::new(call, Some(&outcome), snapshot.reporter(judgement.hop));
    assert_eq!(snapshot.policy.report(&bag, Spend::Take, scratch, lines), 0);
    let allocations = dhat::HeapStats::get().total_blocks - before;
    (allocations, lines.iter().map(|entry| entry.line.to_owned()).collect())
}

/// Allocations of looking up a text and an address, of which at least one is on the list.
fn look_up(list: &List, entry_type: EntryType) -> u64 {
    let before = dhat::HeapStats::get().total_blocks;
    let values = [ValueRef::String("/sport"), ValueRef::IpAddress(IpAddr::V4(Ipv4Addr::new(10, 1, 2, 3)))];
    let found = values.iter().filter_map(|value| Sought::new(entry_type, value)).filter(|sought| list.has(sought));
    assert_eq!(found.count(), 1);
    dhat::HeapStats::get().total_blocks - before
}

#[test]
fn judging_and_reporting_allocates_nothing() {
    let _counting = COUNTING.lock();
    let _profiler = dhat::Profiler::builder().testing().build();
    let mut scratch = Scratch::new();
    let (open, listed) = (snapshot(&[]), snapshot(&[WHITELIST]));
    let charged = snapshot(&[&QUOTA.replace("a.example", "edition.cnn.com")]);
    let authorized = snapshot(&[AUTHORIZATION]);
    let calls = [
        (&open, "/politics", 2),
        (&open, "/sport", 1),
        (&listed, "/sport", 1),
        (&charged, "/sport", 1),
        (&authorized, "/sport", 1),
    ];
    for (snapshot, path, lines) in calls {
        let call = call(snapshot, path);
        let mut batch = Batch::default();
        cost(snapshot, &call, &mut scratch, &mut batch);
        let (allocations, made) = cost(snapshot, &call, &mut scratch, &mut batch);
        assert_eq!(made.len(), lines, "{made:?}");
        assert_eq!(allocations, 0, "for {made:?}");
        assert!(made[0].contains(r#""sourceNamespace":"default","user":"unknown"}"#), "{}", made[0]);
    }
    for (entry_type, entry) in [
        (EntryType::Strings, "/sport"),
        (EntryType::CaseInsensitiveStrings, "/SPORT"),
        (EntryType::IpAddresses, "10.0.0.0/8"),
        (EntryType::Regex, "^/sp"),
    ] {
        let list = List::of(entry_type, std::iter::once(entry)).expect("a valid list");
        assert_eq!([look_up(&list, entry_type), look_up(&list, entry_type)][1], 0, "{entry_type:?}");
    }
}

/// Has a host, a path and labels.
struct Request {
    labels: std::collections::BTreeMap<String, String>,
}

impl Bag for Request {
    fn get(&self, slot: Slot) -> Option<ValueRef<'_>> {
        match slot {
            slot::REQUEST_HOST => Some(ValueRef::String("Edition.cnn.com")),
            slot::REQUEST_PATH => Some(ValueRef::String("/politics")),
            slot::SOURCE_LABELS => Some(ValueRef::StringMap(&self.labels)),
            slot::SOURCE_IP => Some(ValueRef::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST))),
            slot::REQUEST_TIME => Some(ValueRef::Timestamp(Timestamp::ZERO)),
            _ => None,
        }
    }
}

#[test]
fn a_match_allocates_nothing() {
    let _counting = COUNTING.lock();
    let _profiler = dhat::Profiler::builder().testing().build();
    let request = Request { labels: [("app".to_owned(), "web".to_owned())].into() };
    let mut scratch = Scratch::new();
    for text in [
        r#"request.host.endsWith("cnn.com") && request.path.startsWith("/politics")"#,
        r#"request.host.endsWith(".cnn.com")"#,
        r#"source.labels["app"] == "web" && (source.labels["none"] | request.useragent | "x") == "x""#,
        r#""^/pol".matches(request.path) || match(request.path, "/sport*")"#,
        r#"source.ip == ip("127.0.0.1") && request.time < timestamp("2018-06-18T13:22:58Z")"#,
        r#"toLower(request.host) + request.path == "edition.cnn.com/politics" && size(request.path) > 3"#,
        r#"dnsName(request.host) == dnsName("EDITION.CNN.com.") && uri(request.path) != uri("/")"#,
        r#"dnsName(request.host + "\u00fc") == dnsName("edition.cnn.COM\u00dc")"#,
        r#"conditional(request.size | 0 == 0, request.path, request.id).startsWith("/")"#,
        r#"(request.size > 5) == false"#,
    ] {
        let program =
            Program::compile(text, Vocabulary::standard()).unwrap_or_else(|problem| panic!("{text}: {problem}"));
        // The first evaluation makes the scratch's room and the regular expression's.
        let first = program.holds(&request, &scratch);
        assert!(first.is_err() || first == Ok(true), "{text}: {first:?}");
        scratch.reset();
        let before = dhat::HeapStats::get().total_blocks;
        let _ = program.holds(&request, &scratch);
        assert_eq!(dhat::HeapStats::get().total_blocks - before, 0, "{text}");
        scratch.reset();
    }
}
