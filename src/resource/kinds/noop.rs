//! noop: a handler that agrees with everything and does nothing (Mixer).

use super::cells;
use super::check;
use super::checknothing::Nothing;
use crate::resource::{Kind, Part, Role};

/// The kind `noop` (config.istio.io).
pub static NOOP: Kind = cells::part(
    "noop",
    "noops",
    Part { role: Role::Handler, check: |tree, at, problems| check::params::<Nothing>(tree, at, problems, |_, _| {}) },
);
