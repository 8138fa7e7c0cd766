//! Why the registry did not do what it was asked.

use crate::resource::Key;

/// Why the registry did not do what it was asked; the texts are those of a Kubernetes API server.
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
    /// The change is never allowed, whoever asks.
    #[error("{} \"{}\" is forbidden: {why}", .key.kind.qualified_plural(), .key.name)]
    Forbidden {
        /// What was to be changed.
        key: Key,
        /// Half a sentence.
        why: &'static str,
    },
    /// The namespace is not there.
    #[error("namespaces \"{0}\" not found")]
    NoNamespace(String),
    /// A resource that is to be created has neither name nor prefix for one.
    #[error("metadata.name: Required value: name or generateName is required")]
    NoName,
    /// The body is nested so deeply that it could not be read back.
    #[error("{} \"{}\" is nested more than {limit} levels deep", .key.kind.qualified_plural(), .key.name)]
    TooDeep {
        /// What was to be stored.
        key: Key,
        /// The most levels that are stored.
        limit: usize,
    },
    /// The store itself: its file and what is wrong with it.
    #[error(transparent)]
    Store(#[from] crate::state::Error),
}

/// Result with the registry's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
