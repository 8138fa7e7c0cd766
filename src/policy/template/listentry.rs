//! `listentry`: a value to be looked up in a list.

use crate::expr::ValueType;
use crate::resource::kinds;
use crate::resource::kinds::listentry::Listentry;

use super::{Template, Variety};

/// Field: the value, STRING or IP_ADDRESS.
pub const VALUE: usize = 0;

/// The template `listentry`.
pub static LISTENTRY: Template = Template {
    kind: &kinds::LISTENTRY,
    variety: Variety::Check,
    fill: |filling| {
        let params: Listentry = filling.params();
        filling.field("value", &params.value, &[ValueType::String, ValueType::IpAddress]);
    },
};
