//! `apikey`: the key that a caller shows.

use crate::expr::ValueType;
use crate::resource::kinds;
use crate::resource::kinds::apikey::Apikey;

use super::{Template, Variety};

/// The template `apikey`.
pub static APIKEY: Template = Template {
    kind: &kinds::APIKEY,
    variety: Variety::Check,
    fill: |filling| {
        let params: Apikey = filling.params();
        filling.field("api", &params.api, &[ValueType::String]);
        filling.field("apiVersion", &params.api_version, &[ValueType::String]);
        filling.field("apiOperation", &params.api_operation, &[ValueType::String]);
        filling.field("apiKey", &params.api_key, &[ValueType::String]);
        filling.field("timestamp", &params.timestamp, &[ValueType::Timestamp]);
    },
};
