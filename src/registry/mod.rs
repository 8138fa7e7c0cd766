//! What has been declared: the store of resources.
//!
//! [`View`] reads, [`Registry`] also writes. A [`Transaction`] is committed whole or not at all; every commit takes the
//! next [`Revision`], which is also the `resourceVersion` of what it changed.

use std::fmt;

use crate::resource::{Key, Kind, Resource};

/// A point in the registry's history; only ever grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which labels a resource must have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector(pub Vec<Requirement>);

/// One condition of a [`Selector`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requirement {
    /// `key in (a, b)`; `key=a` has one value.
    In(String, Vec<String>),
    /// `key notin (a, b)`; holds too where the key is absent.
    NotIn(String, Vec<String>),
    /// `key`.
    Exists(String),
    /// `!key`.
    Absent(String),
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
}

/// One change.
#[derive(Debug, Clone)]
pub enum Operation {
    /// Refused with [`Error::AlreadyExists`] when the key is taken.
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

/// A committed [`Transaction`].
#[derive(Debug, Clone)]
pub struct Committed {
    /// The registry's revision after it; the one before if nothing changed.
    pub revision: Revision,
    /// One for each operation, in order.
    pub applied: Vec<Applied>,
}

/// A resource that was created, changed or deleted.
#[derive(Debug, Clone)]
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

/// Why the registry did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing under this key.
    #[error("{} \"{}\" not found", .0.kind.qualified_plural(), .0.name)]
    NotFound(Key),
    /// The key is taken.
    #[error("{} \"{}\" already exists", .0.kind.qualified_plural(), .0.name)]
    AlreadyExists(Key),
    /// Somebody else changed it first.
    #[error(
        "Operation cannot be fulfilled on {} \"{}\": the object has been modified; please apply your changes to the latest version and try again",
        .0.kind.qualified_plural(), .0.name
    )]
    Conflict(Key),
    /// The namespace is not there.
    #[error("namespaces \"{0}\" not found")]
    NoNamespace(String),
    /// The store itself: its file and what is wrong with it.
    #[error(transparent)]
    Store(#[from] crate::state::Error),
}

/// Result with the registry's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Reading: the registry itself, or one with a change laid on top.
pub trait View {
    /// The resource under a key.
    fn get(&self, key: &Key) -> Result<Option<Resource>>;
    /// The resources that a query asks for, by namespace, then name.
    fn list(&self, query: &ListQuery) -> Result<Vec<Resource>>;
}

/// Reading and writing.
pub trait Registry: View {
    /// Makes all changes of a transaction, or none.
    fn commit(&self, transaction: Transaction) -> Result<Committed>;
    /// What changed after a revision.
    fn changes(&self, since: Revision) -> Result<Changes>;
}
