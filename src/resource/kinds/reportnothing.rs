//! reportnothing: tells a handler of a call, and nothing more (Mixer).

use super::cells;
use super::check;
use super::checknothing::Nothing;
use crate::resource::{Kind, Part, Role};

/// The kind `reportnothing` (config.istio.io).
pub static REPORTNOTHING: Kind = cells::part(
    "reportnothing",
    "reportnothings",
    Part { role: Role::Instance, check: |tree, at, problems| check::params::<Nothing>(tree, at, problems, |_, _| {}) },
);
