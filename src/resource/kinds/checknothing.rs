//! checknothing: asks a handler without telling it anything (Mixer).

use serde::Deserialize;

use super::cells;
use super::check;
use crate::resource::{Kind, Part, Role};

/// The kind `checknothing` (config.istio.io).
pub static CHECKNOTHING: Kind = cells::part(
    "checknothing",
    "checknothings",
    Part { role: Role::Instance, check: |tree, at, problems| check::params::<Nothing>(tree, at, problems, |_, _| {}) },
);

/// The params of what has none.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Nothing {}
