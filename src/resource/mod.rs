//! What can be declared: kinds, and resources of them.
//!
//! A [`Resource`] keeps its content as a JSON tree, exactly as it was written; [`Resource::typed`] decodes it on demand
//! into the kind's own struct (one file a kind in [`kinds`]). [`KINDS`] is the one table from which `get`, `create`,
//! `delete`, columns and completion follow.

pub mod decode;
mod duration;
pub mod host;
mod kind;
pub mod kinds;
mod meta;
pub mod metadata;
pub mod name;
mod provenance;
mod reference;

use serde_json::{Map, Value as Json};

use crate::diagnostic::{FieldPath, Problems};

pub use duration::Duration;
pub use kind::{Alias, Column, Kind, Part, Role};
pub use kinds::KINDS;
pub use meta::{Labels, Meta, Origin};
pub use provenance::Provenance;
pub use reference::Key;

/// A declared object of some kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// Its kind.
    pub kind: &'static Kind,
    /// The version it was written in, one of the kind's (`v1alpha3`).
    pub version: String,
    /// Its metadata.
    pub meta: Meta,
    /// Everything but `apiVersion`, `kind` and `metadata`: `spec`, and for core kinds also `data`, `status` and the like.
    pub body: Map<String, Json>,
    /// The file and line that declared it, where known.
    pub origin: Option<Origin>,
}

/// A struct that a resource's content decodes into.
pub trait Typed: serde::de::DeserializeOwned {
    /// The key of [`Resource::body`] that holds it; `None` when it is the whole body.
    const ROOT: Option<&'static str>;
}

impl Resource {
    /// Its key; a namespaced resource without namespace counts as one of `default`.
    pub fn key(&self) -> Key {
        Key::new(self.kind, self.meta.namespace.as_deref().unwrap_or("default"), &self.meta.name)
    }

    /// The namespace; empty for kinds that have none.
    pub fn namespace(&self) -> &str {
        self.meta.namespace.as_deref().unwrap_or_default()
    }

    /// `spec`, or JSON null.
    pub fn spec(&self) -> &Json {
        self.body.get("spec").unwrap_or(&Json::Null)
    }

    /// Decodes the content.
    ///
    /// # Errors
    /// Every field that is unknown or of a wrong type, each under its path from the document's root.
    pub fn typed<T: Typed>(&self) -> Result<T, Problems> {
        match T::ROOT {
            Some(root) => decode::decode(self.body.get(root).unwrap_or(&Json::Null), &FieldPath::of(root)),
            None => decode::decode(&Json::Object(self.body.clone()), &FieldPath::root()),
        }
    }

    /// The whole object as a tree: `apiVersion`, `kind`, `metadata`, then the body.
    pub fn to_json(&self) -> Json {
        let mut object = self.body.clone();
        object.insert("apiVersion".into(), self.kind.api_version(&self.version).into());
        object.insert("kind".into(), self.kind.name.into());
        let meta = serde_json::to_value(&self.meta).expect("metadata is maps of strings, which always serialize");
        object.insert("metadata".into(), meta);
        Json::Object(object)
    }
}
