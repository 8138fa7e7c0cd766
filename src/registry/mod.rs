//! What has been declared: the store of resources.
//!
//! [`View`] reads, [`Registry`] also writes. A [`Transaction`] is committed whole or not at all; every commit takes the
//! next [`Revision`], which is also the `resourceVersion` of what it changed. [`SqliteRegistry`] keeps a state
//! directory's resources, [`MemoryRegistry`] those of one command; [`Overlay`] shows a view with a change on top, and
//! [`Wakeups`] tells when a state directory's registry has news.

mod error;
mod load;
mod memory;
pub mod merge;
mod overlay;
mod seed;
mod selector;
mod server_fields;
mod sqlite;
#[cfg(test)]
pub(crate) mod testing;
mod transaction;
mod watch;

use std::fmt;

use crate::resource::{KINDS, Key, Kind, Resource};

pub use error::{Error, Result};
pub use load::{Declared, LoadError, Loaded, News, Renewed, load, load_mesh_config};
pub use memory::MemoryRegistry;
pub use overlay::Overlay;
pub use selector::{Requirement, Selector};
pub(crate) use server_fields::{generate_name, safe_text};
pub use sqlite::SqliteRegistry;
pub use watch::{Waker, Wakeups};

/// How many of the newest revisions the history of changes covers. A proxy that slept longer lists everything again;
/// at one change a second this is close to three hours.
const HISTORY_REVISIONS: u64 = 10_000;

/// A point in the registry's history; only ever grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What to list. The order is always namespace, then name.
#[derive(Debug, Clone)]
pub struct ListQuery {
    /// The kind.
    pub kind: &'static Kind,
    /// One namespace, or all.
    pub namespace: Option<String>,
    /// Labels.
    pub selector: Selector,
}

impl ListQuery {
    /// Everything of a kind.
    pub fn all(kind: &'static Kind) -> Self {
        Self { kind, namespace: None, selector: Selector::default() }
    }

    /// Everything of a kind in a namespace.
    pub fn within(kind: &'static Kind, namespace: &str) -> Self {
        Self { namespace: Some(namespace.to_owned()), ..Self::all(kind) }
    }

    /// Whether a resource is one of those asked for.
    pub fn matches(&self, resource: &Resource) -> bool {
        resource.kind == self.kind
            && self.namespace.as_deref().is_none_or(|namespace| namespace == resource.namespace())
            && self.selector.matches(&resource.meta.labels)
    }
}

/// One change.
#[derive(Debug, Clone)]
pub enum Operation {
    /// Refused with [`Error::AlreadyExists`] when the key is taken, and with [`Error::NoNamespace`] when its namespace
    /// is not there.
    Create(Resource),
    /// Refused with [`Error::NotFound`] when the key is free, and with [`Error::Conflict`] when the resource carries a
    /// `resourceVersion` that is not the stored one.
    Replace(Resource),
    /// Refused with [`Error::NotFound`] when the key is free. Deleting a Namespace deletes what is in it.
    Delete(Key),
}

/// Changes that are made together or not at all.
#[derive(Debug, Clone, Default)]
pub struct Transaction {
    /// In the order in which they are made; a later one sees the earlier ones.
    pub operations: Vec<Operation>,
}

/// What became of one [`Operation`], with the resource as it is stored now (for a deletion: as it was).
#[derive(Debug, Clone)]
pub enum Applied {
    /// New.
    Created(Resource),
    /// Replaced by something different.
    Changed(Resource),
    /// Replaced by the same; keeps its `resourceVersion`.
    Unchanged(Resource),
    /// Gone.
    Deleted(Resource),
}

impl Applied {
    /// The resource, whatever became of it.
    pub fn resource(&self) -> &Resource {
        match self {
            Applied::Created(resource)
            | Applied::Changed(resource)
            | Applied::Unchanged(resource)
            | Applied::Deleted(resource) => resource,
        }
    }
}

/// A committed [`Transaction`].
#[derive(Debug, Clone)]
pub struct Committed {
    /// The registry's revision after it; the one before if nothing changed.
    pub revision: Revision,
    /// One for each operation, in order.
    pub applied: Vec<Applied>,
}

/// A resource that was created, changed or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The commit.
    pub revision: Revision,
    /// What.
    pub key: Key,
}

/// Answer to "what happened since".
#[derive(Debug, Clone)]
pub enum Changes {
    /// These, oldest first; the newest revision comes with them.
    Since(Vec<Change>, Revision),
    /// The history does not reach back that far: list again.
    Relist(Revision),
}

/// Reading: the registry itself, or one with a change laid on top.
pub trait View {
    /// The resource under a key.
    fn get(&self, key: &Key) -> Result<Option<Resource>>;
    /// The resources that a query asks for, by namespace, then name.
    fn list(&self, query: &ListQuery) -> Result<Vec<Resource>>;
    /// Shows them one by one, in the same order. Where they are read for it, no two are in memory at a time: of many, the pieces
    /// that their bodies leave behind would lie between what is kept. The view must not be asked meanwhile.
    fn visit(&self, query: &ListQuery, visit: &mut dyn FnMut(Resource)) -> Result<()> {
        self.list(query).map(|all| all.into_iter().for_each(visit))
    }
    /// The revision of what is seen.
    fn revision(&self) -> Result<Revision>;
    /// What changed after a revision; a view without history has everything listed again.
    fn changes(&self, _since: Revision) -> Result<Changes> {
        self.revision().map(Changes::Relist)
    }
    /// The kinds that can be found here.
    fn kinds(&self) -> &'static [&'static Kind] {
        KINDS
    }
}

impl<V: View + ?Sized> View for &V {
    fn get(&self, key: &Key) -> Result<Option<Resource>> {
        (**self).get(key)
    }

    fn list(&self, query: &ListQuery) -> Result<Vec<Resource>> {
        (**self).list(query)
    }

    fn visit(&self, query: &ListQuery, visit: &mut dyn FnMut(Resource)) -> Result<()> {
        (**self).visit(query, visit)
    }

    fn revision(&self) -> Result<Revision> {
        (**self).revision()
    }

    fn changes(&self, since: Revision) -> Result<Changes> {
        (**self).changes(since)
    }

    fn kinds(&self) -> &'static [&'static Kind] {
        (**self).kinds()
    }
}

impl<V: View + ?Sized> View for Box<V> {
    fn get(&self, key: &Key) -> Result<Option<Resource>> {
        (**self).get(key)
    }

    fn list(&self, query: &ListQuery) -> Result<Vec<Resource>> {
        (**self).list(query)
    }

    fn visit(&self, query: &ListQuery, visit: &mut dyn FnMut(Resource)) -> Result<()> {
        (**self).visit(query, visit)
    }

    fn revision(&self) -> Result<Revision> {
        (**self).revision()
    }

    fn changes(&self, since: Revision) -> Result<Changes> {
        (**self).changes(since)
    }

    fn kinds(&self) -> &'static [&'static Kind] {
        (**self).kinds()
    }
}

/// Reading and writing.
pub trait Registry: View {
    /// Makes all changes of a transaction, or none.
    fn commit(&self, transaction: Transaction) -> Result<Committed>;
    /// The registry as it is now, unmoved by later commits: several reads of it never see half a transaction.
    fn frozen(&self) -> Result<Box<dyn View + Send>>;
}

/// The kind of a group and name, as a manifest spells it.
pub fn find_kind(kinds: &'static [&'static Kind], group: &str, name: &str) -> Option<&'static Kind> {
    kinds.iter().copied().find(|kind| kind.group == group && kind.name == name)
}

#[cfg(test)]
mod tests;
