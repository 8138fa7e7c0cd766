//! The metadata that every resource carries.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The annotation that says whether what a rule or a workload is refused for counts.
pub(super) const MODE: &str = "egressctl.io/mode";

/// The annotation that says what is left out of an instance's lines.
pub(super) const REDACT: &str = "egressctl.io/redact";

/// Its values: nothing, the query, the path and headers too.
pub(super) const REDACTS: [&str; 3] = ["none", "query", "all"];

/// How the annotations begin that mean something to this program.
pub(super) const OURS: &str = "egressctl.io/";

/// Its values: refusals are only reported, or enforced as without it.
pub(super) const MODES: [&str; 2] = ["report", "enforce"];

/// Label or annotation keys with their values.
pub type Labels = BTreeMap<String, String>;

/// `metadata` of a resource, as Kubernetes keeps it. Fields that only the registry sets are empty until it has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Meta {
    /// Annotations; an empty map is not kept.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Labels,
    /// RFC 3339 in UTC, whole seconds; set at creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creation_timestamp: Option<String>,
    /// Prefix to which the registry adds five random characters when there is no name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generate_name: Option<String>,
    /// 1 at creation, one more whenever anything outside metadata and status changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// Labels; an empty map is not kept.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: Labels,
    /// Unique within kind and namespace.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Absent for kinds that have no namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The registry's revision of the last change, as an opaque text; on a write: the revision the change is based on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<String>,
    /// A UUID, new for every creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
}

impl Meta {
    /// Whether what the rule, or the workload, is refused for is only reported.
    pub fn only_reports(&self) -> bool {
        self.annotations.get(MODE).is_some_and(|mode| mode == MODES[0])
    }

    /// What is left out of the instance's lines, if it says so.
    pub fn redact(&self) -> Option<&str> {
        self.annotations.get(REDACT).map(String::as_str)
    }
}

/// Where a resource was declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// File, URL or `STDIN`.
    pub file: Arc<str>,
    /// Line on which its document starts, from 1.
    pub line: usize,
}
