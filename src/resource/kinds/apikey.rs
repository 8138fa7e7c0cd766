//! apikey: the key that a caller shows, and the operation it is shown for (Mixer).

use serde::Deserialize;

use super::cells;
use super::check;
use crate::resource::{Kind, Part, Role};

/// The kind `apikey` (config.istio.io).
pub static APIKEY: Kind = cells::part(
    "apikey",
    "apikeys",
    Part { role: Role::Instance, check: |tree, at, problems| check::params::<Apikey>(tree, at, problems, |_, _| {}) },
);

/// `spec` of an apikey; expressions of type STRING, but for `timestamp`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Apikey {
    /// The API.
    pub api: String,
    /// Its version.
    pub api_version: String,
    /// The operation.
    pub api_operation: String,
    /// The key.
    pub api_key: String,
    /// When, TIMESTAMP.
    pub timestamp: String,
}
