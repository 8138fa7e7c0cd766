//! Hosts by how they end.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::hosts::covers;

/// Hosts and patterns, read backwards and in order: those that a wildcard covers stand beside each other.
#[derive(Debug, Default)]
pub(super) struct Endings(BTreeMap<Box<[u8]>, Arc<str>>);

impl Endings {
    /// Adds a host.
    pub(super) fn insert(&mut self, host: &Arc<str>) {
        self.0.insert(backwards(host), Arc::clone(host));
    }

    /// Takes a host out.
    pub(super) fn remove(&mut self, host: &str) {
        self.0.remove(&backwards(host));
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<str>> {
        self.0.values()
    }

    /// Those that a pattern covers: of a whole name, itself.
    pub(super) fn covered_by(&self, pattern: &str) -> impl Iterator<Item = &Arc<str>> {
        let end = backwards(pattern.strip_prefix('*').unwrap_or(pattern));
        let only = if pattern.starts_with('*') { None } else { self.0.get(&end) };
        let wide = pattern.starts_with('*').then(|| {
            let from = self.0.range(end.clone()..);
            from.take_while(move |(host, _)| host.starts_with(&end)).map(|(_, host)| host)
        });
        let wide = wide.into_iter().flatten().filter(move |host| covers(pattern, host));
        only.into_iter().chain(wide)
    }
}

fn backwards(host: &str) -> Box<[u8]> {
    host.bytes().rev().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_a_pattern_covers_is_found_as_by_asking_each(
            hosts in prop::collection::btree_set("\\*?(\\.?[ab]{1,2}){0,3}", 0..20),
            removed in prop::collection::btree_set("\\*?(\\.?[ab]{1,2}){0,3}", 0..5),
            pattern in "\\*?(\\.?[ab]{1,2}){0,2}",
        ) {
            let mut endings = Endings::default();
            hosts.iter().chain(&removed).for_each(|host| endings.insert(&host.as_str().into()));
            removed.iter().for_each(|host| endings.remove(host));
            let mut found: Vec<_> = endings.covered_by(&pattern).map(|host| host.to_string()).collect();
            found.sort();
            let expected: Vec<_> =
                hosts.difference(&removed).filter(|host| covers(&pattern, host)).cloned().collect();
            prop_assert_eq!(found, expected);
        }
    }
}
