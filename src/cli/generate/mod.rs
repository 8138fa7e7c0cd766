//! The least policy that allows the calls that were seen, and nothing else.

mod paths;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use crate::call::Failure;
use crate::cli::replay::{Judge, Made};
use crate::decision::replay::{Access, Seen};
use crate::diagnostic::is_unsafe;

use paths::{Merged, merge};
pub(crate) use yaml::Style;

/// Stands for what is not known of a caller, in lists.
const NOBODY: &str = "-";

/// Calls that are allowed together: of one caller to one place, in one way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Sort {
    /// `NAMESPACE/WORKLOAD`, as lists have it.
    caller: String,
    /// Who that is in certificates; empty where it is not known.
    principal: String,
    port: u16,
    /// Host as policies see it, with a port that is not the scheme's own.
    authority: String,
    host: String,
    /// Empty for a tunnel.
    method: String,
    /// `http`, `tls` or `tcp`.
    protocol: String,
}

/// Everything that is to be allowed.
#[derive(Debug, Default)]
pub(crate) struct Policy {
    /// Paths, merged where they differ in ids alone.
    allowed: BTreeMap<Sort, Vec<Merged>>,
    /// Hosts that nothing declares, with their ports and protocols.
    undeclared: BTreeMap<String, BTreeSet<(u16, String)>>,
    /// How many calls were looked at.
    calls: u64,
    /// The workload that it is for; all, if none.
    from: Option<(String, String)>,
    /// How old the oldest of them may be.
    pub(crate) since: Option<SignedDuration>,
    /// Calls of which the path is not known, which cannot be allowed.
    pub(crate) unknown: u64,
}

/// Whether nothing in a record could be more than a value where it is written.
fn is_plain(access: &Access) -> bool {
    let texts = [&access.source, &access.source_namespace, &access.source_principal, &access.protocol];
    let plain = |text: &String| text.bytes().all(|byte| byte.is_ascii_graphic() && !b"'\"*{}[],#".contains(&byte));
    texts.into_iter().all(plain) && !access.path.chars().any(is_unsafe)
}

impl Policy {
    /// Looks at recorded calls that went, of a workload if it is for one.
    pub(crate) fn of(calls: &[Made], judge: &Judge, from: Option<(String, String)>) -> Self {
        let mut policy = Self { from, ..Self::default() };
        let mut paths = BTreeMap::<Sort, BTreeMap<String, u64>>::new();
        for Made { access, times } in calls.iter().filter(|made| made.access.went()) {
            policy.calls += times;
            // Of an imported record anything may be said, and of one without outcome some things are not known.
            if access.destination_port == 0 || access.protocol.is_empty() || !is_plain(access) {
                policy.unknown += times;
                continue;
            }
            if access.protocol == "http" && access.known_path().is_empty() {
                policy.unknown += times;
                continue;
            }
            let judged = judge.judge(access).ok();
            if judged.as_ref().is_none_or(|(rejudged, _)| rejudged.failure == Some(Failure::UnknownHost)) {
                let ports = policy.undeclared.entry(Seen::of_access(access).host).or_default();
                ports.insert((access.destination_port, access.protocol.clone()));
            }
            let seen = judged.map_or_else(|| Seen::of_access(access), |(_, seen)| seen);
            let name = if access.source.is_empty() { &access.source_principal } else { &access.source };
            let or_nobody = |text: &str| if text.is_empty() { NOBODY.to_owned() } else { text.to_owned() };
            let sort = Sort {
                caller: format!("{}/{}", or_nobody(&access.source_namespace), or_nobody(name)),
                principal: access.source_principal.clone(),
                port: seen.port,
                authority: seen.authority,
                host: seen.host,
                method: seen.method,
                protocol: access.protocol.clone(),
            };
            *paths.entry(sort).or_default().entry(seen.path).or_default() += times;
        }
        policy.allowed = paths.into_iter().map(|(sort, paths)| (sort, merge(&paths))).collect();
        policy
    }

    /// Whether there is nothing to be allowed.
    pub(crate) fn is_empty(&self) -> bool {
        self.allowed.is_empty()
    }

    fn ports(&self) -> BTreeSet<u16> {
        self.allowed.keys().map(|sort| sort.port).collect()
    }
}
