//! A registry in memory: for judging files without a state directory, and for tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::resource::{KINDS, Key, Kind, Resource};

use super::server_fields::Stamp;
use super::transaction::{Rows, has_changes, perform};
use super::{
    Change, Changes, Committed, HISTORY_REVISIONS, ListQuery, Registry, Result, Revision, Transaction, View, seed,
};

/// A key in the order of lists.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) group: &'static str,
    pub(super) kind: &'static str,
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Place {
    /// The first place that resources of a kind can have.
    fn first(kind: &Kind) -> Self {
        Self { group: kind.group, kind: kind.name, namespace: String::new(), name: String::new() }
    }

    /// Whether it is one of a kind's.
    pub(super) fn is_of(&self, kind: &Kind) -> bool {
        self.group == kind.group && self.kind == kind.name
    }
}

impl From<&Key> for Place {
    fn from(key: &Key) -> Self {
        let namespace = key.namespace.clone().unwrap_or_default();
        Self { group: key.kind.group, kind: key.kind.name, namespace, name: key.name.clone() }
    }
}

/// Resources in memory. A new one holds what a new state directory holds. Nothing but the files knows how old what it is
/// given is, so their `creationTimestamp` counts.
#[derive(Debug)]
pub struct MemoryRegistry {
    kinds: &'static [&'static Kind],
    state: Mutex<State>,
}

impl MemoryRegistry {
    /// A new registry.
    pub fn new() -> Self {
        Self::with_kinds(KINDS)
    }

    /// A new registry with another table of kinds.
    pub fn with_kinds(kinds: &'static [&'static Kind]) -> Self {
        let registry = Self { kinds, state: Mutex::default() };
        let seeded = registry.commit(Transaction { operations: seed::operations(kinds) });
        seeded.expect("a test commits the embedded seed");
        registry
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A commit works on a copy, so a panic cannot leave half of one behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn snapshot(&self) -> Frozen {
        Frozen { kinds: self.kinds, state: self.lock().clone() }
    }
}

impl Default for MemoryRegistry {
    fn default() -> Self {
        Self::new()
    }
}

impl View for MemoryRegistry {
    fn get(&self, key: &Key) -> Result<Option<Resource>> {
        self.lock().find(key)
    }

    fn list(&self, query: &ListQuery) -> Result<Vec<Resource>> {
        Ok(self.lock().list(query))
    }

    fn revision(&self) -> Result<Revision> {
        Ok(self.lock().revision)
    }

    fn changes(&self, since: Revision) -> Result<Changes> {
        Ok(self.lock().changes(since))
    }

    fn kinds(&self) -> &'static [&'static Kind] {
        self.kinds
    }
}

impl Registry for MemoryRegistry {
    fn commit(&self, transaction: Transaction) -> Result<Committed> {
        let mut state = self.lock();
        let mut next = state.clone();
        next.revision.0 += 1;
        let stamp = Stamp::believing(next.revision);
        let applied = perform(&mut next, self.kinds, transaction.operations, &stamp)?;
        if has_changes(&applied) {
            next.forget();
            *state = next;
        }
        Ok(Committed { revision: state.revision, applied })
    }

    fn frozen(&self) -> Result<Box<dyn View + Send>> {
        Ok(Box::new(self.snapshot()))
    }
}

/// The registry at one moment.
struct Frozen {
    kinds: &'static [&'static Kind],
    state: State,
}

impl View for Frozen {
    fn get(&self, key: &Key) -> Result<Option<Resource>> {
        self.state.find(key)
    }

    fn list(&self, query: &ListQuery) -> Result<Vec<Resource>> {
        Ok(self.state.list(query))
    }

    fn revision(&self) -> Result<Revision> {
        Ok(self.state.revision)
    }

    fn changes(&self, since: Revision) -> Result<Changes> {
        Ok(self.state.changes(since))
    }

    fn kinds(&self) -> &'static [&'static Kind] {
        self.kinds
    }
}

#[derive(Debug, Clone, Default)]
struct State {
    rows: BTreeMap<Place, Arc<Resource>>,
    revision: Revision,
    /// In the order of [`Changes::Since`]; a resource that changes twice in a commit stands here once.
    history: BTreeMap<(Revision, Place), Key>,
}

impl State {
    fn list(&self, query: &ListQuery) -> Vec<Resource> {
        let of_kind = self.rows.range(Place::first(query.kind)..).take_while(|(place, _)| place.is_of(query.kind));
        of_kind.filter(|(_, resource)| query.matches(resource)).map(|(_, resource)| (**resource).clone()).collect()
    }

    fn changes(&self, since: Revision) -> Changes {
        let forgotten = self.history.keys().next().map_or(self.revision.0, |(oldest, _)| oldest.0 - 1);
        if since < Revision(forgotten) || since > self.revision {
            return Changes::Relist(self.revision);
        }
        let news = self.history.iter().filter(|((revision, _), _)| *revision > since);
        let news = news.map(|((revision, _), key)| Change { revision: *revision, key: key.clone() });
        Changes::Since(news.collect(), self.revision)
    }

    fn forget(&mut self) {
        let forgotten = Revision(self.revision.0.saturating_sub(HISTORY_REVISIONS));
        self.history.retain(|(revision, _), _| *revision > forgotten);
    }

    fn record(&mut self, key: Key) {
        self.history.insert((self.revision, Place::from(&key)), key);
    }

    fn put(&mut self, resource: &Resource) {
        let key = resource.key();
        self.rows.insert(Place::from(&key), Arc::new(resource.clone()));
        self.record(key);
    }
}

impl Rows for State {
    fn find(&self, key: &Key) -> Result<Option<Resource>> {
        Ok(self.rows.get(&Place::from(key)).map(|resource| (**resource).clone()))
    }

    fn insert(&mut self, resource: &Resource) -> Result<()> {
        self.put(resource);
        Ok(())
    }

    fn update(&mut self, resource: &Resource) -> Result<()> {
        self.put(resource);
        Ok(())
    }

    fn remove(&mut self, key: &Key) -> Result<()> {
        self.rows.remove(&Place::from(key));
        self.record(key.clone());
        Ok(())
    }

    fn remove_contents(&mut self, namespace: &str) -> Result<()> {
        let contents: Vec<Key> =
            self.rows.values().filter(|resource| resource.namespace() == namespace).map(|found| found.key()).collect();
        contents.iter().try_for_each(|key| self.remove(key))
    }
}
