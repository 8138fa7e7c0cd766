//! `checknothing` and `reportnothing`: that there is a call, and nothing of it.

use crate::resource::kinds;

use super::{Template, Variety};

/// The template `checknothing`.
pub static CHECKNOTHING: Template = Template { kind: &kinds::CHECKNOTHING, variety: Variety::Check, fill: |_| {} };

/// The template `reportnothing`.
pub static REPORTNOTHING: Template = Template { kind: &kinds::REPORTNOTHING, variety: Variety::Report, fill: |_| {} };
