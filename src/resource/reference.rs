//! Names of resources and of hosts.

use std::fmt;

use super::Kind;

/// What identifies a resource in the registry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The kind.
    pub kind: &'static Kind,
    /// Absent for kinds without namespace.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl Key {
    /// The key of a resource of a namespaced kind; of one without namespaces the namespace is dropped.
    pub fn new(kind: &'static Kind, namespace: &str, name: &str) -> Self {
        Self { kind, namespace: kind.namespaced.then(|| namespace.to_owned()), name: name.to_owned() }
    }
}

impl fmt::Display for Key {
    /// `rule/report-politics.istio-system`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.name, self.name)?;
        match &self.namespace {
            Some(namespace) => write!(f, ".{namespace}"),
            None => Ok(()),
        }
    }
}
