//! quota: what is counted against a limit, by its dimensions (Mixer).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::cells;
use super::check;
use crate::resource::{Kind, Part, Role};

/// The kind `quota` (config.istio.io).
pub static QUOTA: Kind = cells::part(
    "quota",
    "quotas",
    Part { role: Role::Instance, check: |tree, at, problems| check::params::<Quota>(tree, at, problems, |_, _| {}) },
);

/// `spec` of a quota.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Quota {
    /// Expressions of any type; each combination of their values is counted by itself.
    pub dimensions: BTreeMap<String, String>,
}
