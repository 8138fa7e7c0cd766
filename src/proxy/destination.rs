//! Where calls go, as metrics count them.

use std::cell::RefCell;
use std::sync::Arc;

use crate::identity::Workload;
use crate::metrics::{Ended, Labels, Series, Traffic};

/// What metrics call a host that calls go to, with the series that the last of them was counted in: most calls to a host are
/// alike, and looking a series up takes longer than counting.
#[derive(Debug)]
pub(super) struct Destination {
    name: Box<str>,
    last: RefCell<Option<(Alike, Arc<Series>)>>,
}

/// What tells the calls to one host apart. It holds on to the caller, so that no other one can have its place in memory.
#[derive(Debug)]
struct Alike {
    caller: Option<Arc<Workload>>,
    request_protocol: &'static str,
    response_code: u16,
    is_mutual: bool,
}

/// No flag at all.
const UNFLAGGED: &str = "-";

impl Destination {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.into(), last: RefCell::default() }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Counts a call that has ended; its labels are of this caller and this destination.
    pub(super) fn ended(&self, traffic: &Traffic, labels: &Labels<'_>, caller: Option<&Arc<Workload>>, ended: Ended) {
        if labels.response_flags != UNFLAGGED {
            return traffic.series(labels).ended(ended);
        }
        let mut last = self.last.borrow_mut();
        match &*last {
            Some((alike, series)) if alike.has(labels, caller) => series.ended(ended),
            _ => {
                let series = traffic.series(labels);
                series.ended(ended);
                *last = Some((Alike::new(labels, caller), series));
            }
        }
    }
}

impl Alike {
    fn new(labels: &Labels<'_>, caller: Option<&Arc<Workload>>) -> Self {
        let Labels { request_protocol, response_code, is_mutual, .. } = *labels;
        Self { caller: caller.cloned(), request_protocol, response_code, is_mutual }
    }

    fn has(&self, labels: &Labels<'_>, caller: Option<&Arc<Workload>>) -> bool {
        let same_caller = match (&self.caller, caller) {
            (Some(known), Some(caller)) => Arc::ptr_eq(known, caller),
            (None, None) => true,
            _ => false,
        };
        same_caller
            && self.response_code == labels.response_code
            && self.is_mutual == labels.is_mutual
            && self.request_protocol == labels.request_protocol
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn each_call_is_counted_by_its_own_labels_whatever_the_one_before_had() {
        let metrics = Metrics::new(1);
        let traffic = Traffic::new(&metrics.shard(0));
        let destination = Destination::new("a.example");
        let callers = ["one", "two"].map(|name| Arc::new(Workload { name: name.into(), ..Workload::default() }));
        let mut expected = std::collections::BTreeMap::<String, u64>::new();
        for number in 0..400_usize {
            // Each of these changes while the others stay as they are.
            let caller = [None, Some(&callers[0]), Some(&callers[1])][number / 2 % 3];
            let (response_code, is_mutual) = ([200, 404][number / 6 % 2], number / 12 % 2 == 1);
            let (request_protocol, response_flags) = (["http", "grpc"][number / 24 % 2], ["-", "DI"][number / 48 % 2]);
            let labels = Labels {
                source_workload: caller.map_or("", |caller| &caller.name),
                source_workload_namespace: "",
                source_principal: "",
                destination_service: destination.name(),
                request_protocol,
                response_code,
                response_flags,
                is_mutual,
            };
            destination.ended(&traffic, &labels, caller, Ended { duration: 1, request_bytes: 1, response_bytes: 1 });
            let caller = caller.map_or("unknown", |caller| &caller.name);
            let policy = if is_mutual { "mutual_tls" } else { "none" };
            let shown = [
                format!("source_workload=\"{caller}\""),
                format!("request_protocol=\"{request_protocol}\",response_flags=\"{response_flags}\""),
                format!("connection_security_policy=\"{policy}\",response_code=\"{response_code}\""),
            ];
            *expected.entry(shown.join("|")).or_default() += 1;
        }
        let text = metrics.traffic(|_| false);
        for (parts, count) in expected {
            let has = |line: &&str| parts.split('|').all(|part| line.contains(part));
            let line = text.lines().filter(|line| line.starts_with("istio_requests_total{")).find(has);
            assert!(line.is_some_and(|line| line.ends_with(&format!("}} {count}"))), "{parts}: {line:?}");
        }
    }
}
