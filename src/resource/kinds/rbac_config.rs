//! RbacConfig and ClusterRbacConfig: whether Istio's first authorization, by ServiceRoles, is enforced.

use serde::Deserialize;

use super::cells;
use super::check::{self, At};
use crate::resource::{Kind, Typed};

/// The kind `ClusterRbacConfig` (rbac.istio.io).
pub static CLUSTER_RBAC_CONFIG: Kind = Kind {
    group: "rbac.istio.io",
    versions: &["v1alpha1"],
    namespaced: false,
    categories: cells::RBAC,
    check: |resource, problems| {
        check::spec::<RbacConfig>(resource, problems, |at, config| {
            rules(at, config, "ClusterRbacConfig", &resource.meta.name);
        });
    },
    ..cells::kind("ClusterRbacConfig", "clusterrbacconfigs", "clusterrbacconfig")
};

/// The kind `RbacConfig` (rbac.istio.io).
pub static RBAC_CONFIG: Kind = Kind {
    group: "rbac.istio.io",
    versions: &["v1alpha1"],
    categories: cells::RBAC,
    check: |resource, problems| {
        check::spec::<RbacConfig>(resource, problems, |at, config| {
            at.deprecated("RbacConfig is deprecated, use ClusterRbacConfig instead.");
            rules(at, config, "RbacConfig", &resource.meta.name);
        });
    },
    ..cells::kind("RbacConfig", "rbacconfigs", "rbacconfig")
};

/// The only name of both.
pub const NAME: &str = "default";

/// `spec` of both.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct RbacConfig {
    /// For which services roles are enforced.
    pub mode: Mode,
    /// These alone, with [`Mode::OnWithInclusion`].
    pub inclusion: Option<Target>,
    /// All but these, with [`Mode::OnWithExclusion`].
    pub exclusion: Option<Target>,
    /// Whether they decide.
    pub enforcement_mode: EnforcementMode,
}

impl Typed for RbacConfig {
    const ROOT: Option<&'static str> = Some("spec");
}

/// Services, by their hosts or namespaces.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Target {
    /// Hosts.
    pub services: Vec<String>,
    /// Namespaces, with all of their services.
    pub namespaces: Vec<String>,
}

/// For which services roles are enforced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Mode {
    /// For none.
    #[default]
    Off,
    /// For all.
    On,
    /// For some.
    OnWithInclusion,
    /// For all but some.
    OnWithExclusion,
}

/// Whether what is declared decides, or is only computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EnforcementMode {
    /// It decides.
    #[default]
    Enforced,
    /// What it would refuse is only logged.
    Permissive,
}

fn rules(at: &mut At<'_>, config: &RbacConfig, kind: &str, name: &str) {
    if name != NAME {
        let message = format!("{kind} has invalid name({name}), name must be \"{NAME}\"");
        at.problems.error(crate::diagnostic::Code::Invalid, crate::diagnostic::FieldPath::of("metadata.name"), message);
    }
    if config.mode == Mode::OnWithInclusion && config.inclusion.is_none() {
        at.field("inclusion").missing("inclusion cannot be null (use 'inclusion: {}' for none)");
    }
    if config.mode == Mode::OnWithExclusion && config.exclusion.is_none() {
        at.field("exclusion").missing("exclusion cannot be null (use 'exclusion: {}' for none)");
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::checked_as;
    use super::*;

    #[test]
    fn there_is_one_by_name_and_a_mode_with_exceptions_has_some() {
        for (name, spec, problems) in [
            ("default", "mode: ON", &[][..]),
            ("default", "mode: ON_WITH_INCLUSION\ninclusion: {namespaces: [default]}", &[]),
            (
                "other",
                "mode: 'OFF'",
                &["error metadata.name: ClusterRbacConfig has invalid name(other), name must be \"default\""],
            ),
            (
                "default",
                "mode: ON_WITH_INCLUSION",
                &["error spec.inclusion: inclusion cannot be null (use 'inclusion: {}' for none)"],
            ),
            (
                "default",
                "mode: ON_WITH_EXCLUSION",
                &["error spec.exclusion: exclusion cannot be null (use 'exclusion: {}' for none)"],
            ),
        ] {
            assert_eq!(checked_as(&CLUSTER_RBAC_CONFIG, name, "", spec), problems, "{spec}");
        }
        assert_eq!(
            checked_as(&RBAC_CONFIG, "default", "default", "mode: ON"),
            ["warning spec: RbacConfig is deprecated, use ClusterRbacConfig instead."]
        );
    }
}
