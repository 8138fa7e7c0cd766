//! denier: a handler that refuses (Mixer).

use serde::Deserialize;

use super::cells;
use super::check::{self, At};
use crate::resource::{Duration, Kind, Part, Role};

/// The kind `denier` (config.istio.io).
pub static DENIER: Kind = cells::part(
    "denier",
    "deniers",
    Part { role: Role::Handler, check: |tree, at, problems| check::params::<Denier>(tree, at, problems, rules) },
);

/// `spec` of a denier.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Denier {
    /// The refusal.
    pub status: Status,
    /// How long Mixer's clients could keep the refusal; here each call is decided anew.
    pub valid_duration: Option<Duration>,
    /// How often Mixer's clients could use the refusal.
    pub valid_use_count: Option<i32>,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct Status {
    /// A code of google.rpc.
    pub code: i32,
    /// What the caller is told.
    pub message: String,
}

impl Default for Status {
    /// FAILED_PRECONDITION without a message.
    fn default() -> Self {
        Self { code: 9, message: String::new() }
    }
}

fn rules(at: &mut At<'_>, denier: &Denier) {
    let mut status = at.field("status");
    let mut code = status.field("code");
    match denier.status.code {
        0 => code.advise("code 0 is OK, which refuses nothing", "7 is PERMISSION_DENIED; use a noop to refuse nothing"),
        1..=16 => {}
        other => code.advise(
            format!("{other} is no code of google.rpc"),
            "codes are 1 to 16: 7 is PERMISSION_DENIED (403), 8 RESOURCE_EXHAUSTED (429), 16 UNAUTHENTICATED (401)",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn a_code_is_one_that_refuses() {
        assert_eq!(check(&DENIER, "status: {code: 7, message: no}"), [""; 0]);
        assert_eq!(check(&DENIER, "status: {code: 0}"), ["spec.status.code: code 0 is OK, which refuses nothing"]);
        assert_eq!(check(&DENIER, "status: {code: 77}"), ["spec.status.code: 77 is no code of google.rpc"]);
    }
}
