//! What can be seen of a node from outside: its metrics, how much of its bounds is in use, and whether it is ready.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use super::api::LimitStatus;
use super::control::Control;
use super::feeds;
use crate::metrics::{Bound, Use, uses_exposition};
use crate::policy::adapter::prometheus::exposition as exposition_of_handlers;
use crate::upstream::BreakerUse;

/// Calls under way and their records that are not stored yet share one bound.
const LOG_QUEUE: &str = "requests";

/// All metrics in Prometheus' text exposition format 0.0.4. Of two with one name that which a handler declares is shown.
pub(super) fn exposition(control: &Control) -> String {
    let of_handlers = exposition_of_handlers(&control.compiler.live, crate::proxy::now());
    let declared: HashSet<&str> =
        of_handlers.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let mut shown = control.metrics.exposition();
    shown.push_str(&uses_exposition(&uses(control)));
    shown.push_str(&recording(control));
    shown.push_str(&exported(control));
    shown.push_str(&breakers(&control.connector.breakers()));
    shown.push_str(&feeds::exposition(&control.feeds.status()));
    shown.push_str(&undecided(&control.compiler.live.undecided()));
    shown.push_str(&control.metrics.traffic(|name| declared.contains(name)));
    shown.push_str(&of_handlers);
    shown
}

/// Why calls should not be sent here, if so.
pub(super) fn unready(control: &Control) -> Option<String> {
    let health = control.recorder.health();
    if control.draining.load(Ordering::Relaxed) {
        Some("draining".to_owned())
    } else if health.is_failing() {
        let why = health.last_error().unwrap_or_default();
        Some(format!("the access log takes no entries: {why}"))
    } else if control.memory.is_full.load(Ordering::Relaxed) {
        Some("memory is nearly used up".to_owned())
    } else {
        None
    }
}

/// What is bounded, and how much of it is in use.
pub(super) fn limits(control: &Control) -> Vec<LimitStatus> {
    let status =
        |one: Use| LimitStatus { name: one.name.to_owned(), limit: one.limit, used: one.used, reached: one.reached };
    uses(control).into_iter().map(status).collect()
}

fn uses(control: &Control) -> Vec<Use> {
    let (limits, workers) = (&control.config.limits, control.config.workers.max(1));
    let all = |most: usize| Some((most * workers) as u64);
    let mut uses = control.metrics.uses(|bound| match bound {
        Bound::Connections => all(limits.connections),
        Bound::Handshakes => all(limits.handshakes),
        Bound::Tunnels => all(limits.tunnels),
        Bound::Mirrors => all(limits.mirrors),
        Bound::ConnectionsOfCaller => all(limits.connections_of_caller),
        Bound::RequestsOfCaller => limits.requests_of_caller.and_then(all),
        Bound::Head => Some(limits.head_bytes as u64),
        Bound::ConnectionsOfDestination => all(limits.destination.connections),
        Bound::PendingOfDestination => all(limits.destination.pending),
        Bound::Resets => Some(limits.resets as u64),
    });
    let recorder = &control.recorder;
    uses.push(Use {
        name: LOG_QUEUE,
        limit: Some(recorder.capacity() as u64),
        used: Some(recorder.waiting() as u64),
        reached: recorder.health().refused(),
    });
    uses.extend(control.memory.usage());
    uses
}

/// How recording goes.
fn recording(control: &Control) -> String {
    let health = control.recorder.health();
    let mut out = String::new();
    let mut one = |name: &str, kind: &str, help: &str, value: u64| {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
    };
    one("egressctl_log_entries_total", "counter", "Lines stored in the access log.", health.entries());
    one("egressctl_log_records_total", "counter", "Records of calls stored in the access log.", health.accesses());
    one("egressctl_log_commits_total", "counter", "Transactions that stored them.", health.groups());
    one("egressctl_log_failures_total", "counter", "Attempts to store that failed.", health.failures());
    one("egressctl_log_failing", "gauge", "Whether the newest attempt failed.", health.is_failing().into());
    one("egressctl_log_unprinted_total", "counter", "Lines that an outlet did not take.", health.unprinted());
    out
}

/// How exporting goes, where there is a collector.
fn exported(control: &Control) -> String {
    const NAME: &str = "egressctl_otlp_dropped_total";
    let Some(collector) = &control.collector else { return String::new() };
    let dropped = collector.count.dropped();
    format!("# HELP {NAME} Calls that the collector was not told of.\n# TYPE {NAME} counter\n{NAME} {dropped}\n")
}

/// A family of clusters' limits, and what it shows of one.
type OfBreakers = (&'static str, &'static str, &'static str, fn(&BreakerUse) -> Option<u64>);

/// What destinations with limits of their own take at a time.
fn breakers(uses: &[BreakerUse]) -> String {
    const FAMILIES: [OfBreakers; 5] = [
        ("egressctl_cluster_calls", "gauge", "Calls to a cluster at a time.", |one| Some(one.calls.into())),
        ("egressctl_cluster_calls_limit", "gauge", "Most of them.", |one| Some(one.most_calls.into())),
        ("egressctl_cluster_pending", "gauge", "Calls that wait for their turn.", |one| Some(one.waiting.into())),
        ("egressctl_cluster_pending_limit", "gauge", "Most of them.", |one| one.most_waiting.map(Into::into)),
        ("egressctl_cluster_overflow_total", "counter", "Calls refused for want of room.", |one| Some(one.overflows)),
    ];
    let mut out = String::new();
    for (name, kind, help, value) in FAMILIES.iter().filter(|_| !uses.is_empty()) {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (one, value) in uses.iter().filter_map(|one| Some((one, value(one)?))) {
            let _ = writeln!(out, "{name}{{cluster=\"{}\"}} {value}", one.cluster);
        }
    }
    out
}

/// Matches that could not be decided. Names of rules are plain.
fn undecided(rules: &[(String, u64)]) -> String {
    let mut text = String::new();
    for (position, (rule, times)) in rules.iter().enumerate() {
        if position == 0 {
            text.push_str("# HELP egressctl_rule_undecided_total Matches of a rule that could not be decided.\n");
            text.push_str("# TYPE egressctl_rule_undecided_total counter\n");
        }
        let _ = writeln!(text, "egressctl_rule_undecided_total{{rule=\"{rule}\"}} {times}");
    }
    text
}
