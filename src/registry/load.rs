//! Reading whole kinds, decoded, as compiling needs them.

use std::hash::{BuildHasher as _, RandomState};
use std::mem::take;
use std::sync::Arc;

use hashbrown::HashTable;

use crate::diagnostic::Problems;
use crate::resource::kinds::CONFIG_MAP;
use crate::resource::kinds::mesh_config::{self, MeshConfig};
use crate::resource::{Key, Kind, Resource, Typed};

use super::merge::LAST_APPLIED;
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

/// All resources of a kind with their decoded content, of their bodies only the status, and without the copy of them that `apply`
/// leaves in an annotation. Oldest first: among equals Istio takes the oldest; of one second, by name, then namespace.
///
/// # Errors
/// When the registry cannot be read, or the first resource that does not decode.
pub fn load<T: Typed>(view: &dyn View, kind: &'static Kind) -> Result<Vec<(Resource, T)>, LoadError> {
    let (mut all, mut broken) = (Vec::new(), None);
    view.visit(&ListQuery::all(kind), &mut |resource| match resource.typed() {
        Ok(spec) => all.push((without_spec(resource), spec)),
        Err(problems) => _ = broken.get_or_insert_with(|| LoadError::broken(&resource, problems)),
    })?;
    all.sort_by(|(a, _), (b, _)| age(a).cmp(&age(b)));
    broken.map_or(Ok(all), Err)
}

fn without_spec(mut resource: Resource) -> Resource {
    resource.body = resource.body.remove_entry("status").into_iter().collect();
    resource.meta.annotations.remove(LAST_APPLIED);
    if resource.meta.annotations.is_empty() {
        // One that was emptied keeps the room of its last eleven.
        drop(take(&mut resource.meta.annotations));
    }
    resource
}

/// Of its metadata what something is compiled from: there may be very many of them.
fn without_versions(mut resource: Resource) -> Resource {
    let meta = &mut resource.meta;
    (meta.uid, meta.resource_version, meta.generate_name) = (None, None, None);
    resource.version = String::new();
    resource
}

/// What the configuration of the mesh says; nothing where there is none.
///
/// # Errors
/// When the registry cannot be read, or its ConfigMap does not decode.
pub fn load_mesh_config(view: &dyn View) -> Result<MeshConfig, LoadError> {
    let Some(resource) = view.get(&Key::new(&CONFIG_MAP, mesh_config::NAMESPACE, mesh_config::NAME))? else {
        return Ok(MeshConfig::default());
    };
    let map = resource.typed().map_err(|problems| LoadError::broken(&resource, problems))?;
    Ok(MeshConfig::of(&map))
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

/// A resource, of its body only the status and of its metadata no uid and no versions, and what its content decodes into.
#[derive(Debug)]
pub struct Declared<T> {
    /// The resource.
    pub resource: Resource,
    /// Its content.
    pub spec: T,
}

impl<T> Declared<T> {
    /// Its namespace.
    pub fn namespace(&self) -> &str {
        self.resource.namespace()
    }

    /// Its namespace and name.
    fn place(&self) -> (&str, &str) {
        (self.namespace(), &self.resource.meta.name)
    }

    /// What the older of two is told by: in this order [`load`] has them.
    pub fn age(&self) -> (Option<&str>, &str, &str) {
        age(&self.resource)
    }
}

/// A resource as it was and as it is.
#[derive(Debug)]
pub struct Renewed<T> {
    /// What is no longer true; `None` for one that was not there.
    pub before: Option<Arc<Declared<T>>>,
    /// What is true instead; `None` for one that is not there any more.
    pub now: Option<Arc<Declared<T>>>,
}

/// All resources of a kind with their decoded content; kept, so that of a change only what changed is read.
#[derive(Debug)]
pub struct Loaded<T> {
    kind: &'static Kind,
    /// By namespace and name, which are read where they stand.
    known: HashTable<Arc<Declared<T>>>,
    hasher: RandomState,
}

impl<T: Typed> Loaded<T> {
    /// None yet.
    pub fn new(kind: &'static Kind) -> Self {
        Self { kind, known: HashTable::new(), hasher: RandomState::new() }
    }

    /// Takes up what is new in a view, and tells it: where that is everything, all that there is, oldest first, as if
    /// nothing had been there.
    ///
    /// # Errors
    /// As [`load`]; afterwards everything is to be read again.
    pub fn follow(&mut self, view: &dyn View, news: &News) -> Result<Vec<Renewed<T>>, LoadError> {
        match news {
            News::Everything => {
                self.known.clear();
                let all = load(view, self.kind)?.into_iter();
                Ok(all.map(|(resource, spec)| Renewed { before: None, now: Some(self.put(resource, spec)) }).collect())
            }
            News::Of(keys) => {
                let kind = self.kind;
                keys.iter().filter(|key| key.kind == kind).map(|key| self.renew(view, key)).collect()
            }
        }
    }

    fn renew(&mut self, view: &dyn View, key: &Key) -> Result<Renewed<T>, LoadError> {
        let place = (key.namespace.as_deref().unwrap_or_default(), key.name.as_str());
        let found = self.known.find_entry(self.hasher.hash_one(place), |known| known.place() == place);
        let before = found.ok().map(|found| found.remove().0);
        let Some(resource) = view.get(key)? else { return Ok(Renewed { before, now: None }) };
        let spec = resource.typed().map_err(|problems| LoadError::broken(&resource, problems))?;
        Ok(Renewed { before, now: Some(self.put(without_spec(resource), spec)) })
    }

    fn put(&mut self, resource: Resource, spec: T) -> Arc<Declared<T>> {
        let declared = Arc::new(Declared { resource: without_versions(resource), spec });
        let hash = |one: &Declared<T>| self.hasher.hash_one(one.place());
        self.known.insert_unique(hash(&declared), Arc::clone(&declared), |one| hash(one));
        declared
    }
}

fn age(resource: &Resource) -> (Option<&str>, &str, &str) {
    (resource.meta.creation_timestamp.as_deref(), &resource.meta.name, resource.namespace())
}
