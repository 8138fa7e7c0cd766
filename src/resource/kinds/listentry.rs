//! listentry: a value that is looked up in a list (Mixer).

use serde::Deserialize;

use super::cells;
use super::check::{self, At};
use crate::resource::{Kind, Part, Role};

/// The kind `listentry` (config.istio.io).
pub static LISTENTRY: Kind = cells::part(
    "listentry",
    "listentries",
    Part { role: Role::Instance, check: |tree, at, problems| check::params::<Listentry>(tree, at, problems, rules) },
);

/// `spec` of a listentry.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Listentry {
    /// Expression of type STRING or IP_ADDRESS.
    pub value: String,
}

fn rules(at: &mut At<'_>, entry: &Listentry) {
    if entry.value.is_empty() {
        at.field("value").required();
    }
}
