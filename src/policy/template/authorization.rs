//! `authorization`: who wants to do what.

use crate::expr::ValueType;
use crate::resource::kinds;
use crate::resource::kinds::authorization::Authorization;

use super::{Template, Variety};

/// Field: the user.
pub const USER: usize = 0;
/// Field: groups of the user.
pub const GROUPS: usize = 1;
/// Field: namespace of the service.
pub const NAMESPACE: usize = 2;
/// Field: the service.
pub const SERVICE: usize = 3;
/// Field: the method.
pub const METHOD: usize = 4;
/// Field: the path.
pub const PATH: usize = 5;
/// Map: further attributes of who.
pub const SUBJECT_PROPERTIES: usize = 0;
/// Map: further attributes of what.
pub const ACTION_PROPERTIES: usize = 1;

/// The template `authorization`.
pub static AUTHORIZATION: Template = Template {
    kind: &kinds::AUTHORIZATION,
    variety: Variety::Check,
    fill: |filling| {
        let params: Authorization = filling.params();
        let texts = [
            ("subject.user", &params.subject.user),
            ("subject.groups", &params.subject.groups),
            ("action.namespace", &params.action.namespace),
            ("action.service", &params.action.service),
            ("action.method", &params.action.method),
            ("action.path", &params.action.path),
        ];
        for (name, text) in texts {
            filling.field(name, text, &[ValueType::String]);
        }
        filling.map("subject.properties", &params.subject.properties);
        filling.map("action.properties", &params.action.properties);
    },
};
