//! ServiceRole: what may be asked of which services (Istio's first authorization).

use serde::Deserialize;

use super::cells;
use super::check::{self, At};
use super::rbac_config::EnforcementMode;
use crate::resource::{Alias, Kind, Typed};

/// The group and version of Istio 0.8.
pub(super) const OLD: &[Alias] = &[Alias { group: "config.istio.io", version: "v1alpha2", upgrade: |_| {} }];

/// The kind `ServiceRole` (rbac.istio.io).
pub static SERVICE_ROLE: Kind = Kind {
    group: "rbac.istio.io",
    versions: &["v1alpha1"],
    aliases: OLD,
    categories: cells::RBAC,
    check: |resource, problems| check::spec::<ServiceRole>(resource, problems, rules),
    ..cells::kind("ServiceRole", "serviceroles", "servicerole")
};

/// `spec` of a ServiceRole.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceRole {
    /// What is allowed: any of these.
    pub rules: Vec<AccessRule>,
    /// Whether it decides.
    pub enforcement_mode: EnforcementMode,
}

impl Typed for ServiceRole {
    const ROOT: Option<&'static str> = Some("spec");
}

/// Calls that are allowed. Values are exact, `PREFIX*`, `*SUFFIX`, or `*`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct AccessRule {
    /// Hosts of services.
    pub services: Vec<String>,
    /// Paths; any when empty.
    pub paths: Vec<String>,
    /// Methods; any when empty.
    pub methods: Vec<String>,
    /// What else must hold.
    pub constraints: Vec<Constraint>,
}

/// A condition: the attribute has one of the values.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Constraint {
    /// `request.headers[NAME]`, `destination.*`.
    pub key: String,
    /// Values.
    pub values: Vec<String>,
}

fn rules(at: &mut At<'_>, role: &ServiceRole) {
    if role.rules.is_empty() {
        at.field("rules").missing("at least 1 rule must be specified");
    }
    for (number, rule) in role.rules.iter().enumerate() {
        let mut list = at.field("rules");
        let mut at = list.index(number);
        if rule.services.is_empty() {
            at.field("services").missing(format!("at least 1 service must be specified for rule {number}"));
        }
        for (position, constraint) in rule.constraints.iter().enumerate() {
            let mut list = at.field("constraints");
            let mut at = list.index(position);
            if constraint.key.is_empty() {
                at.field("key").missing(format!("key cannot be empty for constraint {position} in rule {number}"));
            }
            if constraint.values.is_empty() {
                let message = format!("at least 1 value must be specified for constraint {position} in rule {number}");
                at.field("values").missing(message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn a_role_has_rules_and_each_names_services() {
        assert_eq!(check(&SERVICE_ROLE, "rules: [{services: ['*'], methods: [GET], paths: [/a*]}]"), [""; 0]);
        assert_eq!(check(&SERVICE_ROLE, "{}"), ["spec.rules: at least 1 rule must be specified"]);
        assert_eq!(
            check(&SERVICE_ROLE, "rules: [{constraints: [{}]}]"),
            [
                "spec.rules[0].services: at least 1 service must be specified for rule 0",
                "spec.rules[0].constraints[0].key: key cannot be empty for constraint 0 in rule 0",
                "spec.rules[0].constraints[0].values: at least 1 value must be specified for constraint 0 in rule 0",
            ]
        );
    }
}
