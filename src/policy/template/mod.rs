//! Templates: what can be told to handlers, one file a template, one line each in [`TEMPLATES`].

pub mod apikey;
pub mod authorization;
pub mod listentry;
pub mod logentry;
pub mod metric;
pub mod nothing;
pub mod quota;

use std::fmt;

use crate::resource::Kind;

use super::instance::Filling;

/// In which phase of a call instances are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variety {
    /// Before the call leaves; a handler may refuse it.
    Check,
    /// After the checks; a handler may refuse it for want of quota.
    Quota,
    /// After the answer, or the refusal.
    Report,
}

/// A template.
pub struct Template {
    /// The kind of its instances, whose name is the template's.
    pub kind: &'static Kind,
    /// When they are made.
    pub variety: Variety,
    /// Compiles their params.
    pub fill: fn(&mut Filling<'_>),
}

/// Every template.
pub static TEMPLATES: &[&Template] = &[
    &logentry::LOGENTRY,
    &metric::METRIC,
    &nothing::REPORTNOTHING,
    &nothing::CHECKNOTHING,
    &listentry::LISTENTRY,
    &authorization::AUTHORIZATION,
    &apikey::APIKEY,
    &quota::QUOTA,
];

/// The template of a kind, or of a `compiledTemplate`.
pub fn by_name(name: &str) -> Option<&'static Template> {
    TEMPLATES.iter().copied().find(|template| template.kind.name == name)
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name)
    }
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}
