//! ServiceRoleBinding: who has a ServiceRole (Istio's first authorization).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::cells;
use super::check::{self, At};
use super::rbac_config::EnforcementMode;
use super::service_role::OLD;
use crate::resource::{Kind, Typed};

/// The kind `ServiceRoleBinding` (rbac.istio.io).
pub static SERVICE_ROLE_BINDING: Kind = Kind {
    group: "rbac.istio.io",
    versions: &["v1alpha1"],
    aliases: OLD,
    categories: cells::RBAC,
    check: |resource, problems| check::spec::<ServiceRoleBinding>(resource, problems, rules),
    ..cells::kind("ServiceRoleBinding", "servicerolebindings", "servicerolebinding")
};

/// `spec` of a ServiceRoleBinding.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceRoleBinding {
    /// Who: any of these.
    pub subjects: Vec<Subject>,
    /// The role, of the binding's namespace.
    pub role_ref: Option<RoleRef>,
    /// Whether it decides.
    pub enforcement_mode: EnforcementMode,
}

impl Typed for ServiceRoleBinding {
    const ROOT: Option<&'static str> = Some("spec");
}

/// A caller: all that is given must fit.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Subject {
    /// A principal; `*` is anybody, known or not.
    pub user: String,
    /// A group of a token.
    pub group: String,
    /// Attributes with the value that they must have.
    pub properties: BTreeMap<String, String>,
}

/// A role.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct RoleRef {
    /// `ServiceRole`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// The only kind of roles.
const ROLE: &str = "ServiceRole";

fn rules(at: &mut At<'_>, binding: &ServiceRoleBinding) {
    if binding.subjects.is_empty() {
        at.field("subjects").missing("at least 1 subject must be specified");
    }
    for (number, subject) in binding.subjects.iter().enumerate() {
        if subject.user.is_empty() && subject.group.is_empty() && subject.properties.is_empty() {
            let message = format!("at least 1 of user, group or properties must be specified for subject {number}");
            at.field("subjects").index(number).missing(message);
        }
    }
    let Some(role) = &binding.role_ref else { return at.field("roleRef").missing("roleRef must be specified") };
    let mut at = at.field("roleRef");
    if role.kind != ROLE {
        let message = format!("kind set to \"{}\", currently the only supported value is \"{ROLE}\"", role.kind);
        at.field("kind").invalid(message);
    }
    if role.name.is_empty() {
        at.field("name").missing("name cannot be empty");
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn a_binding_names_subjects_and_a_role() {
        let spec = "subjects: [{user: '*'}]\nroleRef: {kind: ServiceRole, name: a}";
        assert_eq!(check(&SERVICE_ROLE_BINDING, spec), [""; 0]);
        assert_eq!(
            check(&SERVICE_ROLE_BINDING, "subjects: [{}]\nroleRef: {kind: Role}"),
            [
                "spec.subjects[0]: at least 1 of user, group or properties must be specified for subject 0",
                "spec.roleRef.kind: kind set to \"Role\", currently the only supported value is \"ServiceRole\"",
                "spec.roleRef.name: name cannot be empty",
            ]
        );
        assert_eq!(
            check(&SERVICE_ROLE_BINDING, "{}"),
            ["spec.subjects: at least 1 subject must be specified", "spec.roleRef: roleRef must be specified"]
        );
    }
}
