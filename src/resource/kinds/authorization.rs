//! authorization: who wants to do what (Mixer). Every value is an expression.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::cells;
use super::check;
use crate::resource::{Kind, Part, Role};

/// The kind `authorization` (config.istio.io).
pub static AUTHORIZATION: Kind = cells::part(
    "authorization",
    "authorizations",
    Part {
        role: Role::Instance,
        check: |tree, at, problems| check::params::<Authorization>(tree, at, problems, |_, _| {}),
    },
);

/// `spec` of an authorization.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Authorization {
    /// Who.
    pub subject: Subject,
    /// What.
    pub action: Action,
}

/// Who wants to do something; expressions of type STRING.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Subject {
    /// The user.
    pub user: String,
    /// Groups of the user.
    pub groups: String,
    /// Further attributes, of any type.
    pub properties: BTreeMap<String, String>,
}

/// What is to be done; expressions of type STRING.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Action {
    /// Namespace of the service.
    pub namespace: String,
    /// The service.
    pub service: String,
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// Further attributes, of any type.
    pub properties: BTreeMap<String, String>,
}
