//! What AuthorizationPolicies cost a call: `cargo bench --bench authorization`.
//!
//! 10, 1,000 and 10,000 policies, each for a host, a path and a caller of its own, one of which allows the call; and as many
//! that deny, none of which matches. Rounds take turns, and the best of each counts.

use std::fmt::Write as _;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use egressctl::call::{Arrival, Call, CallBag, Reporter, normalize};
use egressctl::diagnostic::Source;
use egressctl::expr::Timestamp;
use egressctl::identity::Caller;
use egressctl::manifest::parse;
use egressctl::policy::authorization::{Answers, Arrived, Authorization, Enforcer};
use egressctl::policy::verdict::Checked;
use egressctl::registry::{MemoryRegistry, Operation, Registry, Transaction};

const COUNTS: [usize; 3] = [10, 1_000, 10_000];
const CALLS: u32 = 10_000;
const ROUNDS: usize = 15;

fn main() {
    let scenes = COUNTS.map(|count| [compiled("ALLOW", count), compiled("DENY", count)]);
    let call = call();
    let reporter = Reporter::default();
    let bag = CallBag::new(&call, None, &reporter);
    let mut best = [[f64::INFINITY; 2]; COUNTS.len()];
    for _ in 0..ROUNDS {
        for (scenes, best) in scenes.iter().zip(&mut best) {
            for ((authorization, _), best) in scenes.iter().zip(best) {
                let start = Instant::now();
                for _ in 0..CALLS {
                    let (arrived, mut checked) = (Arrived { bag: &bag, port: 443 }, Checked::default());
                    let failure = authorization.check(arrived, &mut Answers::default(), false, &mut checked);
                    assert!(black_box(failure).is_none(), "it may go");
                }
                *best = best.min(start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS));
            }
        }
    }
    println!(
        "| policies | ALLOW, one matches, ns | DENY, none matches, ns | compiling the ALLOW ones, ms |\n|---|---|---|---|"
    );
    for ((count, [allow, deny]), [(_, compiling), _]) in COUNTS.iter().zip(best).zip(&scenes) {
        println!("| {count} | {allow:.0} | {deny:.0} | {compiling:.1} |");
    }
}

/// The call is `/p3` of `h3.example` by `sa3`.
fn call() -> Call {
    let caller =
        Caller::by_certificate(&"spiffe://cluster.local/ns/default/sa/sa3".parse().expect("an identity"), None);
    let head = http::Request::builder().uri("http://h3.example/p3").header("host", "h3.example");
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let arrival = Arrival { time: Timestamp::ZERO, chance: 7, caller: Some(caller), peer, tls: None };
    normalize(head.body(()).expect("a valid head").into_parts().0, arrival).expect("a valid call")
}

/// Policies for the calls of `saN` to `/pN` of `hN.example`, of which those that deny ask for another method, and the
/// milliseconds of compiling them.
fn compiled(action: &str, count: usize) -> (Authorization, f64) {
    let mut manifests = String::new();
    let method = if action == "DENY" { "DELETE" } else { "GET" };
    for n in 0..count {
        let _ = write!(
            manifests,
            "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: p{n}, namespace: \
             istio-system}}\nspec:\n  action: {action}\n  rules:\n  - from: [{{source: {{principals: \
             [cluster.local/ns/default/sa/sa{n}]}}}}]\n    to: [{{operation: {{hosts: [h{n}.example], paths: ['/p{n}', \
             '/p{n}/*'], methods: [{method}]}}}}]\n"
        );
    }
    let parsed = parse(&Source::new("policies", manifests));
    let registry = MemoryRegistry::new();
    let operations = parsed.resources.into_iter().map(Operation::Create).collect();
    registry.commit(Transaction { operations }).expect("a valid change");
    let enforcer = Enforcer {
        namespace: "istio-system".into(),
        labels: [("istio".to_owned(), "egressgateway".to_owned())].into(),
        trust_domain: "cluster.local".into(),
    };
    let start = Instant::now();
    let authorization = Authorization::compile(&registry, &enforcer, &mut Vec::new()).expect("it compiles");
    (authorization, start.elapsed().as_secs_f64() * 1e3)
}
