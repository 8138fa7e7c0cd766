//! How much of what is bounded is in use, and how often there was no more.

use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::Arc;

use super::{Count, Shard};

/// Something that a worker has only so much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Client connections.
    Connections,
    /// TLS handshakes of callers.
    Handshakes,
    /// Tunnels and switched protocols.
    Tunnels,
    /// Copies on their way to mirrors.
    Mirrors,
    /// Client connections of one caller.
    ConnectionsOfCaller,
    /// Calls under way of one caller.
    RequestsOfCaller,
    /// Bytes and fields of a head.
    Head,
    /// Connections to one destination.
    ConnectionsOfDestination,
    /// Connections to one destination that are being made.
    PendingOfDestination,
    /// Calls of one connection that its client broke off.
    Resets,
}

impl Bound {
    /// All of them, in the order of the exposition.
    pub const ALL: [Bound; 10] = [
        Bound::Connections,
        Bound::Handshakes,
        Bound::Tunnels,
        Bound::Mirrors,
        Bound::ConnectionsOfCaller,
        Bound::RequestsOfCaller,
        Bound::Head,
        Bound::ConnectionsOfDestination,
        Bound::PendingOfDestination,
        Bound::Resets,
    ];

    /// Its name in metrics and for people.
    pub fn name(self) -> &'static str {
        match self {
            Bound::Connections => "connections",
            Bound::Handshakes => "handshakes",
            Bound::Tunnels => "tunnels",
            Bound::Mirrors => "mirrors",
            Bound::ConnectionsOfCaller => "connections_of_caller",
            Bound::RequestsOfCaller => "requests_of_caller",
            Bound::Head => "head",
            Bound::ConnectionsOfDestination => "connections_of_destination",
            Bound::PendingOfDestination => "pending_of_destination",
            Bound::Resets => "resets",
        }
    }
}

impl Shard {
    /// Notes that a bound was reached.
    pub fn reached(&self, bound: Bound) {
        self.bounds[bound as usize].reached.add(1);
    }
}

/// What one worker has of it.
#[derive(Debug, Default)]
pub(super) struct Filled {
    used: Count,
    reached: Count,
}

/// A worker's hold on something that it has only so much of.
#[derive(Debug)]
pub struct Bounded {
    shard: Arc<Shard>,
    bound: Bound,
    most: usize,
    /// So that it stays with the thread of the worker, who alone may write to the shard.
    _thread: std::marker::PhantomData<Rc<()>>,
}

impl Bounded {
    /// At most so many, counted in a worker's shard.
    pub fn new(shard: &Arc<Shard>, bound: Bound, most: usize) -> Self {
        Self { shard: Arc::clone(shard), bound, most, _thread: std::marker::PhantomData }
    }

    /// One more, until it is dropped; none where there is no room.
    pub fn take(&self) -> Option<One> {
        let filled = &self.shard.bounds[self.bound as usize];
        if filled.used.read() >= self.most as u64 {
            filled.reached.add(1);
            return None;
        }
        filled.used.add(1);
        let Self { shard, bound, .. } = self;
        Some(One { shard: Arc::clone(shard), bound: *bound, _thread: std::marker::PhantomData })
    }
}

/// One of what is bounded.
#[derive(Debug)]
pub struct One {
    shard: Arc<Shard>,
    bound: Bound,
    _thread: std::marker::PhantomData<Rc<()>>,
}

impl Drop for One {
    fn drop(&mut self) {
        self.shard.bounds[self.bound as usize].used.take_off(1);
    }
}

/// How much there is of something that is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use {
    /// What it is.
    pub name: &'static str,
    /// How much there may be, if that is one number.
    pub limit: Option<u64>,
    /// How much there is, if that is one number.
    pub used: Option<u64>,
    /// How often there was no more.
    pub reached: u64,
}

pub(super) fn sum(bound: Bound, limit: Option<u64>, shards: &[Arc<Shard>]) -> Use {
    let filled = || shards.iter().map(|shard| &shard.bounds[bound as usize]);
    let is_one = matches!(bound, Bound::Connections | Bound::Handshakes | Bound::Tunnels | Bound::Mirrors);
    let used = is_one.then(|| filled().map(|filled| filled.used.read()).sum());
    Use { name: bound.name(), limit, used, reached: filled().map(|filled| filled.reached.read()).sum() }
}

/// Uses in Prometheus' text exposition format.
pub fn exposition(uses: &[Use]) -> String {
    let mut out = String::new();
    let mut family = |name: &str, kind: &str, help: &str, value: &dyn Fn(&Use) -> Option<u64>| {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for one in uses {
            if let Some(value) = value(one) {
                let _ = writeln!(out, "{name}{{limit=\"{}\"}} {value}", one.name);
            }
        }
    };
    family("egressctl_limit", "gauge", "How much there may be of what is limited.", &|one| one.limit);
    family("egressctl_limit_used", "gauge", "How much there is of what is limited.", &|one| one.used);
    family(
        "egressctl_limit_reached_total",
        "counter",
        "How often something was refused because a limit was reached.",
        &|one| Some(one.reached),
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_full_gives_no_more_until_something_is_given_back() {
        let shard = Arc::<Shard>::default();
        let tunnels = Bounded::new(&shard, Bound::Tunnels, 1);
        let first = tunnels.take().unwrap();
        assert!(tunnels.take().is_none() && tunnels.take().is_none());
        let one = sum(Bound::Tunnels, Some(1), &[Arc::clone(&shard)]);
        assert_eq!(one, Use { name: "tunnels", limit: Some(1), used: Some(1), reached: 2 });
        drop(first);
        assert!(tunnels.take().is_some());
        let shown = exposition(&[one]);
        assert!(shown.contains("egressctl_limit_reached_total{limit=\"tunnels\"} 2\n"), "{shown}");
    }

    #[test]
    fn bounds_stand_in_the_order_of_their_numbers() {
        assert!(Bound::ALL.iter().enumerate().all(|(position, bound)| *bound as usize == position));
    }
}
