//! instance: what a rule sends, by the name of its template (the newer form of logentry, metric, …).

use serde::Deserialize;
use serde_json::Value as Json;

use super::cells;
use super::check::{self, At};
use super::handler::{named_part, out_of_process};
use crate::resource::{Kind, Role, Typed};

/// The kind `instance` (config.istio.io).
pub static INSTANCE: Kind = Kind {
    group: "config.istio.io",
    versions: &["v1alpha2"],
    categories: cells::POLICY,
    check: |resource, problems| check::spec::<Instance>(resource, problems, rules),
    ..cells::kind("instance", "instances", "instance")
};

/// `spec` of an instance.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Instance {
    /// Name of a template of ours.
    pub compiled_template: String,
    /// A template of an adapter outside the process.
    pub template: String,
    /// What the template's own kind has under `spec`.
    pub params: Json,
    /// Attributes from what an adapter produces.
    pub attribute_bindings: std::collections::BTreeMap<String, String>,
}

impl Typed for Instance {
    const ROOT: Option<&'static str> = Some("spec");
}

fn rules(at: &mut At<'_>, instance: &Instance) {
    if !instance.template.is_empty() {
        return out_of_process(&mut at.field("template"), "compiledTemplate");
    }
    named_part(at, "compiledTemplate", &instance.compiled_template, Role::Instance, &instance.params);
}
