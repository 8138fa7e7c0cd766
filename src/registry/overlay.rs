//! A view with a change on top: the registry as it would be.

use std::collections::BTreeMap;

use crate::resource::{Key, Kind, Resource};

use super::memory::Place;
use super::server_fields::Stamp;
use super::transaction::{Rows, perform};
use super::{ListQuery, Result, Revision, Transaction, View};

/// A view as it would be after a transaction, which is not made. Resources that the transaction writes carry the
/// revision that would come next.
pub struct Overlay<'a> {
    base: &'a dyn View,
    revision: Revision,
    /// What differs from the base; `None` where something is gone.
    layer: BTreeMap<Place, Option<Resource>>,
}

impl<'a> Overlay<'a> {
    /// Lays a transaction on top of a view.
    ///
    /// # Errors
    /// Those that committing the transaction would have.
    pub fn new(base: &'a dyn View, transaction: &Transaction) -> Result<Self> {
        let revision = Revision(base.revision()?.0.saturating_add(1));
        let mut overlay = Self { base, revision, layer: BTreeMap::new() };
        perform(&mut overlay, base.kinds(), transaction.operations.clone(), &Stamp::now(revision))?;
        Ok(overlay)
    }

    fn put(&mut self, key: &Key, resource: Option<Resource>) {
        self.layer.insert(Place::from(key), resource);
    }
}

impl View for Overlay<'_> {
    fn get(&self, key: &Key) -> Result<Option<Resource>> {
        match self.layer.get(&Place::from(key)) {
            Some(changed) => Ok(changed.clone()),
            None => self.base.get(key),
        }
    }

    fn list(&self, query: &ListQuery) -> Result<Vec<Resource>> {
        let mut found = self.base.list(query)?;
        found.retain(|resource| !self.layer.contains_key(&Place::from(&resource.key())));
        let laid = self.layer.values().flatten().filter(|resource| query.matches(resource));
        found.extend(laid.cloned());
        found.sort_by(|a, b| (a.namespace(), &a.meta.name).cmp(&(b.namespace(), &b.meta.name)));
        Ok(found)
    }

    fn revision(&self) -> Result<Revision> {
        Ok(self.revision)
    }

    fn kinds(&self) -> &'static [&'static Kind] {
        self.base.kinds()
    }
}

impl Rows for Overlay<'_> {
    fn find(&self, key: &Key) -> Result<Option<Resource>> {
        self.get(key)
    }

    fn insert(&mut self, resource: &Resource) -> Result<()> {
        self.put(&resource.key(), Some(resource.clone()));
        Ok(())
    }

    fn update(&mut self, resource: &Resource) -> Result<()> {
        self.insert(resource)
    }

    fn remove(&mut self, key: &Key) -> Result<()> {
        self.put(key, None);
        Ok(())
    }

    fn remove_contents(&mut self, namespace: &str) -> Result<()> {
        for kind in self.kinds().iter().filter(|kind| kind.namespaced) {
            for resource in self.list(&ListQuery::within(kind, namespace))? {
                self.put(&resource.key(), None);
            }
        }
        Ok(())
    }
}
