//! A registry of files alone: what they declare, and what that takes for granted.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use crate::registry::{self, MemoryRegistry, Operation, Registry as _, Transaction, View as _};
use crate::resource::kinds::NAMESPACE;
use crate::resource::{Key, Kind, Meta, Resource};

/// What puts resources of files into a registry of their own. What they take for granted is there: the namespaces that they
/// stand in, Istio's own Services; what they declare themselves takes its place.
///
/// # Errors
/// A namespace that cannot be.
pub(crate) fn declarations(registry: &MemoryRegistry, resources: &[Resource]) -> Result<Vec<Operation>, String> {
    for name in resources.iter().map(Resource::namespace).filter(|name| !name.is_empty()) {
        ensure(registry, &NAMESPACE, None, name, Map::new())?;
    }
    let mut declared = BTreeSet::new();
    let operation = |resource: &Resource| {
        let key = resource.key();
        let is_first = declared.insert(format!("{}/{key}", key.kind.group));
        Ok(match is_first && registry.get(&key)?.is_some() {
            true => {
                let meta = Meta { resource_version: None, ..resource.meta.clone() };
                Operation::Replace(Resource { meta, ..resource.clone() })
            }
            false => Operation::Create(resource.clone()),
        })
    };
    resources.iter().map(operation).collect::<registry::Result<_>>().map_err(|error| error.to_string())
}

/// Creates a resource unless there is one of its name.
///
/// # Errors
/// Why it cannot be.
pub(crate) fn ensure(
    registry: &MemoryRegistry,
    kind: &'static Kind,
    namespace: Option<&str>,
    name: &str,
    body: Map<String, Json>,
) -> Result<(), String> {
    let told = |error: registry::Error| error.to_string();
    if registry.get(&Key::new(kind, namespace.unwrap_or_default(), name)).map_err(told)?.is_some() {
        return Ok(());
    }
    crate::resource::name::dns_label(name).map_err(|why| format!("\"{name}\": {why}"))?;
    let meta = Meta { name: name.to_owned(), namespace: namespace.map(str::to_owned), ..Meta::default() };
    let resource = Resource { kind, version: kind.versions[0].to_owned(), meta, body, origin: None };
    registry.commit(Transaction { operations: vec![Operation::Create(resource)] }).map(drop).map_err(told)
}
