//! `quota`: what is counted against a limit.

use crate::resource::kinds;
use crate::resource::kinds::quota::Quota;

use super::{Template, Variety};

/// Map: each combination of these values is counted by itself.
pub const DIMENSIONS: usize = 0;

/// The template `quota`.
pub static QUOTA: Template = Template {
    kind: &kinds::QUOTA,
    variety: Variety::Quota,
    fill: |filling| {
        let params: Quota = filling.params();
        filling.map("dimensions", &params.dimensions);
    },
};
