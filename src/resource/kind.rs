//! What a kind is: its names, versions, columns and checks. One line in [`KINDS`](super::KINDS) a kind.

use std::fmt;
use std::hash::{Hash, Hasher};

use serde_json::{Map, Value as Json};

use crate::diagnostic::{FieldPath, Problems};

use super::Resource;

/// A printed column after NAME.
pub struct Column {
    /// Upper-case heading.
    pub name: &'static str,
    /// Shown by `-o wide` only.
    pub wide: bool,
    /// The cell; the empty text where there is no value.
    pub cell: fn(&Resource) -> String,
}

impl Column {
    /// The place of AGE, where it is not the last column.
    pub const AGE: Self = Self { name: "AGE", wide: false, cell: |_| String::new() };
    /// The name of a column whose cell is an RFC 3339 time; shown is how long it is till then.
    pub const EXPIRES: &'static str = "EXPIRES";
    /// What such a cell holds instead where it is over.
    pub const OVER: &'static str = "Expired";
}

/// Another group or version under which a kind may be declared; what is stored and shown is the kind's own.
pub struct Alias {
    /// API group.
    pub group: &'static str,
    /// Version.
    pub version: &'static str,
    /// Turns a body of the alias into one of the kind's preferred version, as the old API server's defaults did.
    pub upgrade: fn(&mut Map<String, Json>),
}

/// A kind of resource.
pub struct Kind {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Versions served, the preferred one first.
    pub versions: &'static [&'static str],
    /// Old groups and versions under which it may still be declared.
    pub aliases: &'static [Alias],
    /// `Gateway`, `logentry`, … in the spelling of manifests.
    pub name: &'static str,
    /// Lower-case plural.
    pub plural: &'static str,
    /// Lower-case singular.
    pub singular: &'static str,
    /// Short names.
    pub short: &'static [&'static str],
    /// Whether resources of the kind live in a namespace.
    pub namespaced: bool,
    /// `all`, `istio-io`, …
    pub categories: &'static [&'static str],
    /// Columns after NAME; AGE stands behind all but the wide ones, unless [`Column::AGE`] is among them.
    pub columns: &'static [Column],
    /// Decodes every field and applies the kind's own rules; looks at nothing but the resource.
    pub check: fn(&Resource, &mut Problems),
    /// Makes of a body as it was written the body that the API server keeps.
    pub stored: fn(&mut Map<String, Json>),
    /// For Mixer's kinds: which part of a policy it is.
    pub part: Option<Part>,
}

/// A kind whose resources rules put together. What stands under its `spec` also stands under the `params` of an
/// `instance` with that `compiledTemplate`, or of a `handler` with that `compiledAdapter`.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// What of.
    pub role: Role,
    /// Checks such params, which stand at the path.
    pub check: fn(&Json, FieldPath, &mut Problems),
}

/// What a rule puts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// What is sent: a template, filled with expressions.
    Instance,
    /// Where it is sent: an adapter, configured.
    Handler,
}

impl Kind {
    /// `gateway.networking.istio.io`, or `pod` for the core group: the name in success lines.
    pub fn qualified_singular(&self) -> String {
        qualify(&self.name.to_ascii_lowercase(), self.group)
    }

    /// `gateways.networking.istio.io`, or `pods`: the name in server errors.
    pub fn qualified_plural(&self) -> String {
        qualify(self.plural, self.group)
    }

    /// `networking.istio.io/v1alpha3`, or `v1` for the core group.
    pub fn api_version(&self, version: &str) -> String {
        if self.group.is_empty() { version.to_owned() } else { format!("{}/{version}", self.group) }
    }
}

fn qualify(name: &str, group: &str) -> String {
    if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.qualified_singular())
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.group == other.group && self.name == other.name
    }
}

impl Eq for Kind {}

impl Hash for Kind {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.group, self.name).hash(state);
    }
}
