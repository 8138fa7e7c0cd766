//! Which resource a compiled thing came from.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Resource;

/// The resource that something was compiled from, in words that outlive it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Provenance {
    /// Name of its kind: `VirtualService`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// `FILE:LINE` that declared it, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declared_at: Option<String>,
}

impl Provenance {
    /// That of what is compiled from a resource.
    pub fn of(resource: &Resource) -> Self {
        let declared_at = resource.origin.as_ref().map(|origin| format!("{}:{}", origin.file, origin.line));
        Self {
            kind: resource.kind.name.to_owned(),
            name: resource.meta.name.clone(),
            namespace: resource.namespace().to_owned(),
            declared_at,
        }
    }

    /// `cnn.default`, as istioctl's tables have it.
    pub fn short(&self) -> String {
        format!("{}.{}", self.name, self.namespace)
    }
}

impl fmt::Display for Provenance {
    /// `VirtualService cnn.default (cnn.yaml:12)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}.{}", self.kind, self.name, self.namespace)?;
        match &self.declared_at {
            Some(place) => write!(f, " ({place})"),
            None => Ok(()),
        }
    }
}
