//! A registry of files alone: what they declare, and what that takes for granted.

use serde_json::{Map, Value as Json};

use crate::registry::{self, MemoryRegistry, Operation, Registry as _, Transaction, View as _};
use crate::resource::kinds::NAMESPACE;
use crate::resource::{Key, Kind, Meta, Resource};

/// Creates the namespaces that resources stand in and that nothing declares.
///
/// # Errors
/// A namespace that cannot be.
pub(crate) fn imply_namespaces(registry: &MemoryRegistry, resources: &[Resource]) -> Result<(), String> {
    let declared = |name: &str| resources.iter().any(|one| *one.kind == NAMESPACE && one.meta.name == name);
    for name in resources.iter().map(Resource::namespace).filter(|name| !name.is_empty() && !declared(name)) {
        ensure(registry, &NAMESPACE, None, name, Map::new())?;
    }
    Ok(())
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
