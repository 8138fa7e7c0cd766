//! Reading whole kinds, decoded, as compiling needs them.

use crate::diagnostic::Problems;
use crate::resource::{Kind, Resource, Typed};

use super::{Error, ListQuery, View};

/// Why what is declared cannot be compiled.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The registry cannot be read.
    #[error(transparent)]
    Registry(#[from] Error),
    /// A stored resource that this program does not understand, commonly written by another version of it.
    #[error("{resource}: {}", list(.problems))]
    Resource {
        /// `kind/name.namespace`.
        resource: String,
        /// What is wrong with it.
        problems: Problems,
    },
}

fn list(problems: &Problems) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl LoadError {
    /// A stored resource with problems.
    pub fn broken(resource: &Resource, problems: Problems) -> Self {
        Self::Resource { resource: resource.key().to_string(), problems }
    }
}

/// All resources of a kind with their decoded content, oldest first: among equals Istio takes the oldest; of one second,
/// by name, then namespace.
///
/// # Errors
/// When the registry cannot be read, or the first resource that does not decode.
pub fn load<T: Typed>(view: &dyn View, kind: &'static Kind) -> Result<Vec<(Resource, T)>, LoadError> {
    let mut resources = view.list(&ListQuery::all(kind))?;
    resources.sort_by(|a, b| age(a).cmp(&age(b)));
    resources
        .into_iter()
        .map(|resource| match resource.typed() {
            Ok(spec) => Ok((resource, spec)),
            Err(problems) => Err(LoadError::broken(&resource, problems)),
        })
        .collect()
}

fn age(resource: &Resource) -> (Option<&str>, &str, &str) {
    (resource.meta.creation_timestamp.as_deref(), &resource.meta.name, resource.namespace())
}
