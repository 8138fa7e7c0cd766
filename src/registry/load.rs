//! Reading whole kinds, decoded, as compiling needs them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Map;

use crate::diagnostic::Problems;
use crate::resource::{Key, Kind, Resource, Typed};

use super::{Changes, Error, ListQuery, Revision, View};

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

/// What is new to somebody who has seen a revision.
#[derive(Debug)]
pub enum News {
    /// Nobody can tell.
    Everything,
    /// These.
    Of(Vec<Key>),
}

impl News {
    /// What a view has that was not there, or was another, at a revision.
    ///
    /// # Errors
    /// When the registry cannot be read.
    pub fn since(view: &dyn View, seen: Option<Revision>) -> Result<Self, Error> {
        Ok(match seen.map(|seen| view.changes(seen)).transpose()? {
            Some(Changes::Since(changes, _)) => News::Of(changes.into_iter().map(|change| change.key).collect()),
            Some(Changes::Relist(_)) | None => News::Everything,
        })
    }

    /// Whether anything of such kinds may be new.
    pub fn of(&self, kinds: impl Fn(&Kind) -> bool) -> bool {
        match self {
            News::Everything => true,
            News::Of(keys) => keys.iter().any(|key| kinds(key.kind)),
        }
    }
}

/// All resources of a kind with their decoded content, in the order of [`load`]; kept, so that of a change only what
/// changed is read.
#[derive(Debug)]
pub struct Loaded<T> {
    kind: &'static Kind,
    /// Without their bodies, which have been decoded.
    by_age: BTreeMap<Age, (Resource, Arc<T>)>,
    /// By namespace and name.
    ages: HashMap<(String, String), Age>,
}

/// Time of creation, name and namespace.
type Age = (Option<String>, String, String);

impl<T: Typed> Loaded<T> {
    /// None yet.
    pub fn new(kind: &'static Kind) -> Self {
        Self { kind, by_age: BTreeMap::new(), ages: HashMap::new() }
    }

    /// Takes up what is new in a view.
    ///
    /// # Errors
    /// As [`load`]; afterwards everything is to be read again.
    pub fn follow(&mut self, view: &dyn View, news: &News) -> Result<(), LoadError> {
        match news {
            News::Everything => {
                (self.by_age, self.ages) = Default::default();
                view.list(&ListQuery::all(self.kind))?.into_iter().try_for_each(|resource| self.put(resource))
            }
            News::Of(keys) => {
                let kind = self.kind;
                keys.iter().filter(|key| key.kind == kind).try_for_each(|key| self.renew(view, key))
            }
        }
    }

    fn renew(&mut self, view: &dyn View, key: &Key) -> Result<(), LoadError> {
        let place = (key.namespace.clone().unwrap_or_default(), key.name.clone());
        if let Some(age) = self.ages.remove(&place) {
            self.by_age.remove(&age);
        }
        view.get(key)?.into_iter().try_for_each(|resource| self.put(resource))
    }

    fn put(&mut self, mut resource: Resource) -> Result<(), LoadError> {
        let spec = resource.typed().map_err(|problems| LoadError::broken(&resource, problems))?;
        resource.body = Map::new();
        let (time, name, namespace) = age(&resource);
        let age = (time.map(str::to_owned), name.to_owned(), namespace.to_owned());
        self.ages.insert((namespace.to_owned(), name.to_owned()), age.clone());
        self.by_age.insert(age, (resource, Arc::new(spec)));
        Ok(())
    }

    /// All of them, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (&Resource, &Arc<T>)> {
        self.by_age.values().map(|(resource, spec)| (resource, spec))
    }
}

fn age(resource: &Resource) -> (Option<&str>, &str, &str) {
    (resource.meta.creation_timestamp.as_deref(), &resource.meta.name, resource.namespace())
}
