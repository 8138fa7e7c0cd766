//! What rules cost a call that they do not apply to, and what compiling many of them costs.
//!
//! `cargo bench --bench rules` prints times of one run beside each other and, where valgrind is installed, instructions,
//! which do not depend on what else the machine does.

use std::fmt::Write as _;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::time::{Duration, Instant};

use egressctl::accesslog::Batch;
use egressctl::call::{Arrival, Call, CallBag, Marks, Outcome, normalize};
use egressctl::decision::judge;
use egressctl::diagnostic::Source;
use egressctl::expr::{Scratch, Timestamp};
use egressctl::manifest::parse;
use egressctl::policy::Spend;
use egressctl::policy::verdict::Checked;
use egressctl::registry::{MemoryRegistry, Operation, Registry, Transaction};
use egressctl::snapshot::{Compiler, Hop, ListenerSpec, Snapshot};

const SCENARIO: [&str; 3] = [
    include_str!("../fixtures/scenario/sleep.yaml"),
    include_str!("../fixtures/scenario/01-egress-gateway.yaml"),
    include_str!("../fixtures/scenario/02-egress-monitoring.yaml"),
];

/// Calls of one measurement: long enough for the clock, short enough to be repeated.
const CALLS: u32 = 100_000;
const ROUNDS: usize = 9;
const MANY: usize = 10_000;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(place) = arguments.iter().position(|argument| argument == "--count") {
        let number = |offset: usize| arguments[place + offset].parse().expect("a number");
        return run(&Scene::new(number(1)), u32::try_from(number(2)).expect("few calls"));
    }
    let (one, many) = (Scene::new(1), Scene::new(MANY));
    println!("| | one rule | {MANY} rules | ratio |\n|---|---|---|---|");
    let (few, lots) = alternate(&one, &many);
    row("judging and reporting a call that none applies to, ns", few, lots);
    match (instructions(1), instructions(MANY)) {
        (Some(few), Some(lots)) => row("the same, instructions", few, lots),
        _ => println!("| instructions: no valgrind on this machine | | | |"),
    }
    row("compiling, ms", compiling(&one.registry), compiling(&many.registry));
    println!("\nThe scenario's rules and one request that they log: {:.0} ns", scenario());
}

fn row(name: &str, few: f64, lots: f64) {
    println!("| {name} | {few:.1} | {lots:.1} | {:.2} |", lots / few);
}

struct Scene {
    registry: MemoryRegistry,
    snapshot: Snapshot,
    call: Call,
}

/// So many rules that deny a path of a host of their own.
fn rules(count: usize) -> String {
    let mut text = String::from(
        "apiVersion: config.istio.io/v1alpha2\nkind: denier\nmetadata: {name: blocker, namespace: istio-system}\nspec: \
         {status: {code: 7}}\n---\napiVersion: config.istio.io/v1alpha2\nkind: checknothing\nmetadata: {name: any, \
         namespace: istio-system}\nspec: {}\n",
    );
    for number in 0..count {
        let _ = write!(
            text,
            "---\napiVersion: config.istio.io/v1alpha2\nkind: rule\nmetadata: {{name: deny-{number}, namespace: \
             istio-system}}\nspec:\n  match: request.host == \"site-{number}.example\" && \
             request.path.startsWith(\"/private\")\n  actions: [{{handler: blocker.denier, instances: [any.checknothing]}}]\n"
        );
    }
    text
}

fn registry(manifests: &[&str]) -> MemoryRegistry {
    let registry = MemoryRegistry::new();
    let mut operations = Vec::new();
    for manifest in manifests {
        for mut resource in parse(&Source::new("bench", (*manifest).to_owned())).resources {
            if resource.kind.namespaced {
                resource.meta.namespace.get_or_insert_with(|| "default".into());
            }
            operations.push(Operation::Create(resource));
        }
    }
    registry.commit(Transaction { operations }).expect("a valid change");
    registry
}

fn compiler() -> Compiler {
    let listener = ListenerSpec { workload: Some(("sleep".into(), "default".into())) };
    Compiler { listeners: [listener].into_iter().collect(), ..Compiler::default() }
}

fn call(snapshot: &Snapshot, path: &str) -> Call {
    let caller = snapshot.callers().next().flatten().cloned();
    let time = Timestamp::from_micros(1_529_328_178_317_448);
    let arrival = Arrival { time, chance: 0, caller, peer: IpAddr::V4(Ipv4Addr::LOCALHOST), tls: None };
    let head = http::Request::builder().uri(format!("http://edition.cnn.com{path}")).header("host", "edition.cnn.com");
    normalize(head.body(()).expect("a head").into_parts().0, arrival).expect("a call")
}

impl Scene {
    fn new(count: usize) -> Self {
        let rules = rules(count);
        let registry = registry(&[SCENARIO[0], SCENARIO[1], &rules]);
        let snapshot = compiler().compile(&registry).expect("it compiles");
        let call = call(&snapshot, "/sport");
        Self { registry, snapshot, call }
    }
}

/// Judges and reports, as the proxy does.
fn run(scene: &Scene, calls: u32) {
    let mut scratch = Scratch::new();
    for _ in 0..calls {
        black_box(cost(&scene.snapshot, &scene.call, &mut scratch));
    }
}

fn cost(snapshot: &Snapshot, call: &Call, scratch: &mut Scratch) -> Batch {
    let judged = judge(snapshot, Hop::Sidecar(0), call, Spend::Take, scratch, &mut |_| {});
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
    let bag = CallBag::new(call, Some(&outcome), snapshot.reporter(judged.hop));
    let mut report = Batch::default();
    snapshot.policy.report(&bag, Spend::Take, scratch, &mut report);
    report
}

fn nanos(scene: &Scene) -> f64 {
    let started = Instant::now();
    run(scene, CALLS);
    started.elapsed().as_nanos() as f64 / f64::from(CALLS)
}

/// Medians of rounds in turns, so that both feel the same machine.
fn alternate(one: &Scene, many: &Scene) -> (f64, f64) {
    let (mut few, mut lots): (Vec<_>, Vec<_>) = (0..ROUNDS).map(|_| (nanos(one), nanos(many))).unzip();
    (median(&mut few), median(&mut lots))
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Instructions of one call, by valgrind's count of runs with and without calls.
fn instructions(rules: usize) -> Option<f64> {
    const COUNTED: u32 = 1_000;
    Some((counted(rules, COUNTED)? - counted(rules, 0)?) / f64::from(COUNTED))
}

fn counted(rules: usize, calls: u32) -> Option<f64> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(std::env::current_exe().ok()?);
    let output = command.args(["--count", &rules.to_string(), &calls.to_string()]).output().ok()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    said.lines().find_map(|line| line.split("Collected :").nth(1)?.trim().parse().ok())
}

fn compiling(registry: &MemoryRegistry) -> f64 {
    let once = || {
        let started = Instant::now();
        black_box(compiler().compile(registry).expect("it compiles"));
        started.elapsed().as_secs_f64() * 1_000.0
    };
    let mut times: Vec<f64> = (0..ROUNDS).map(|_| once()).collect();
    median(&mut times)
}

/// Only the policy: what matching the scenario's rules costs a request, without the lines that it makes.
fn scenario() -> f64 {
    let registry = registry(&SCENARIO);
    let snapshot = compiler().compile(&registry).expect("it compiles");
    let call = call(&snapshot, "/sport");
    let mut scratch = Scratch::new();
    let reporter =
        snapshot.reporter(judge(&snapshot, Hop::Sidecar(0), &call, Spend::Take, &mut scratch, &mut |_| {}).hop);
    let bag = CallBag::new(&call, None, reporter);
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        for _ in 0..CALLS {
            let mut checked = Checked::default();
            snapshot.policy.check(black_box(&bag), Spend::Take, &mut scratch, &mut checked, &mut |_| {});
            black_box(&checked);
            let mut report = Batch::default();
            snapshot.policy.report(black_box(&bag), Spend::Take, &mut scratch, &mut report);
            black_box(&report);
        }
        best = best.min(started.elapsed());
    }
    best.as_nanos() as f64 / f64::from(CALLS)
}
