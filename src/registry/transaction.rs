//! What a transaction does, whatever store it is done to: preconditions, namespaces, server-set fields.

use serde_json::Value as Json;

use crate::resource::{Key, Kind, Resource};

use super::server_fields::{Stamp, generate_name};
use super::{Applied, Error, Operation, Result, find_kind};

/// Namespaces that egressctl itself needs.
const PROTECTED_NAMESPACES: [&str; 2] = ["default", "istio-system"];

/// How often a generated name that is taken is made anew; a second time is already unlikely (1 in 14 million a name).
const NAME_ATTEMPTS: usize = 8;

/// How deep lists and maps may be nested in a body, in levels. The JSON reader gives up at 128: what is stored must be
/// readable again.
const BODY_DEPTH: usize = 100;

/// A store in which a transaction is under way. Its owner throws everything away if the transaction fails.
pub(super) trait Rows {
    /// The resource under a key.
    fn find(&self, key: &Key) -> Result<Option<Resource>>;
    /// Stores a resource under a free key.
    fn insert(&mut self, resource: &Resource) -> Result<()>;
    /// Stores a resource in place of the one under its key.
    fn update(&mut self, resource: &Resource) -> Result<()>;
    /// Removes the resource under a key.
    fn remove(&mut self, key: &Key) -> Result<()>;
    /// Removes all that lives in a namespace.
    fn remove_contents(&mut self, namespace: &str) -> Result<()>;
}

/// Makes all changes in order.
///
/// # Errors
/// The first operation's that cannot be made.
pub(super) fn perform(
    rows: &mut dyn Rows,
    kinds: &'static [&'static Kind],
    operations: Vec<Operation>,
    stamp: &Stamp,
) -> Result<Vec<Applied>> {
    let mut under_way = UnderWay { rows, namespace: find_kind(kinds, "", "Namespace"), stamp };
    operations.into_iter().map(|operation| under_way.make(operation)).collect()
}

/// Whether a transaction left any trace.
pub(super) fn has_changes(applied: &[Applied]) -> bool {
    applied.iter().any(|applied| !matches!(applied, Applied::Unchanged(_)))
}

struct UnderWay<'a> {
    rows: &'a mut dyn Rows,
    /// Absent only where the table of kinds has no Namespace; then no namespace exists.
    namespace: Option<&'static Kind>,
    stamp: &'a Stamp,
}

impl UnderWay<'_> {
    fn make(&mut self, operation: Operation) -> Result<Applied> {
        match operation {
            Operation::Create(resource) => self.create(resource),
            Operation::Replace(resource) => self.replace(resource),
            Operation::Delete(key) => self.delete(&key),
        }
    }

    fn create(&mut self, resource: Resource) -> Result<Applied> {
        let mut resource = self.stamp.created(resource);
        self.require_namespace(&resource)?;
        self.give_name(&mut resource)?;
        let key = resource.key();
        if self.rows.find(&key)?.is_some() {
            return Err(Error::AlreadyExists(key));
        }
        require_readable(&resource)?;
        self.rows.insert(&resource)?;
        Ok(Applied::Created(resource))
    }

    fn require_namespace(&self, resource: &Resource) -> Result<()> {
        let Some(namespace) = &resource.meta.namespace else { return Ok(()) };
        let found = match self.namespace {
            Some(kind) => self.rows.find(&Key::new(kind, "", namespace))?.is_some(),
            None => false,
        };
        if found { Ok(()) } else { Err(Error::NoNamespace(namespace.clone())) }
    }

    fn give_name(&self, resource: &mut Resource) -> Result<()> {
        if !resource.meta.name.is_empty() {
            return Ok(());
        }
        let prefix = resource.meta.generate_name.clone().filter(|prefix| !prefix.is_empty()).ok_or(Error::NoName)?;
        for _ in 0..NAME_ATTEMPTS {
            resource.meta.name = generate_name(&prefix);
            if self.rows.find(&resource.key())?.is_none() {
                return Ok(());
            }
        }
        Err(Error::AlreadyExists(resource.key()))
    }

    fn replace(&mut self, resource: Resource) -> Result<Applied> {
        let key = resource.key();
        let old = self.require(&key)?;
        let expected = resource.meta.resource_version.as_deref().filter(|version| !version.is_empty());
        if expected.is_some() && expected != old.meta.resource_version.as_deref() {
            return Err(Error::Conflict(key));
        }
        let Some(new) = self.stamp.replaced(&old, resource) else { return Ok(Applied::Unchanged(old)) };
        require_readable(&new)?;
        self.rows.update(&new)?;
        Ok(Applied::Changed(new))
    }

    fn delete(&mut self, key: &Key) -> Result<Applied> {
        let old = self.require(key)?;
        if Some(key.kind) == self.namespace {
            if PROTECTED_NAMESPACES.contains(&key.name.as_str()) {
                return Err(Error::Forbidden { key: key.clone(), why: "this namespace may not be deleted" });
            }
            self.rows.remove_contents(&key.name)?;
        }
        self.rows.remove(key)?;
        Ok(Applied::Deleted(old))
    }

    fn require(&self, key: &Key) -> Result<Resource> {
        self.rows.find(key)?.ok_or_else(|| Error::NotFound(key.clone()))
    }
}

fn require_readable(resource: &Resource) -> Result<()> {
    let readable = resource.body.values().all(|value| fits(value, BODY_DEPTH));
    if readable { Ok(()) } else { Err(Error::TooDeep { key: resource.key(), limit: BODY_DEPTH }) }
}

/// Whether a tree has at most so many levels; looks no deeper than that.
fn fits(value: &Json, levels: usize) -> bool {
    match value {
        Json::Array(items) => levels > 0 && items.iter().all(|item| fits(item, levels - 1)),
        Json::Object(fields) => levels > 0 && fields.values().all(|field| fits(field, levels - 1)),
        _ => true,
    }
}
