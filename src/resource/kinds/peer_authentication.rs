//! PeerAuthentication: whether a workload takes plain text, or mutual TLS alone.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::authorization_policy::{Selector, workloads};
use super::check::At;
use super::{cells, check};
use crate::resource::{Column, Kind, Typed};

/// The kind `PeerAuthentication` (security.istio.io).
pub static PEER_AUTHENTICATION: Kind = Kind {
    group: "security.istio.io",
    versions: cells::SECURITY_VERSIONS,
    short: &["pa"],
    categories: cells::SECURITY,
    columns: &[Column { name: "MODE", wide: false, cell: |r| cells::custom(r, &["spec", "mtls", "mode"]) }],
    check: |resource, problems| check::spec::<PeerAuthentication>(resource, problems, rules),
    ..cells::kind("PeerAuthentication", "peerauthentications", "peerauthentication")
};

/// `spec` of a PeerAuthentication.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PeerAuthentication {
    /// Workloads that it is for; all of its namespace when absent, all of the mesh in the root namespace.
    pub selector: Option<Selector>,
    /// What they take.
    pub mtls: Option<MutualTls>,
    /// What they take at some of their ports.
    pub port_level_mtls: Option<BTreeMap<String, MutualTls>>,
}

impl Typed for PeerAuthentication {
    const ROOT: Option<&'static str> = Some("spec");
}

/// What a workload takes.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct MutualTls {
    /// Mode.
    pub mode: Mode,
}

/// Mode of [`MutualTls`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Mode {
    /// As it is said of the namespace, or of the mesh.
    #[default]
    Unset,
    /// Plain text.
    Disable,
    /// Both.
    Permissive,
    /// Mutual TLS.
    Strict,
}

fn rules(at: &mut At<'_>, spec: &PeerAuthentication) {
    at.part("selector", spec.selector.as_ref(), workloads);
    let Some(ports) = &spec.port_level_mtls else { return };
    let mut at = at.field("portLevelMtls");
    if spec.selector.as_ref().is_none_or(|selector| selector.match_labels.is_empty()) && !ports.is_empty() {
        at.invalid_key("mesh/namespace peer authentication cannot have port level mTLS");
    }
    if ports.is_empty() {
        at.invalid("port level mTLS, if defined, must have at least one element");
    }
    for port in ports.keys().filter(|port| !port.parse::<u16>().is_ok_and(|port| port > 0)) {
        at.field(port).invalid_key("port must be in range 1..65535");
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::checked;
    use super::*;

    #[test]
    fn port_levels_need_a_selector_and_ports() {
        for (spec, problems) in [
            ("{}", &[][..]),
            ("mtls: {mode: STRICT}", &[]),
            ("selector: {matchLabels: {a: b}}\nportLevelMtls: {80: {mode: DISABLE}, '443': {}}", &[]),
            ("selector: {}", &["warning spec.selector: workload selector specified without labels"]),
            (
                "portLevelMtls: {80: {mode: DISABLE}}",
                &["error spec.portLevelMtls: mesh/namespace peer authentication cannot have port level mTLS"],
            ),
            (
                "selector: {matchLabels: {a: b}}\nportLevelMtls: {}",
                &["error spec.portLevelMtls: port level mTLS, if defined, must have at least one element"],
            ),
            (
                "selector: {matchLabels: {a: b}}\nportLevelMtls: {0: {}, 70000: {}, x: {}}",
                &[
                    "error spec.portLevelMtls.0: port must be in range 1..65535",
                    "error spec.portLevelMtls.70000: port must be in range 1..65535",
                    "error spec.portLevelMtls.x: port must be in range 1..65535",
                ],
            ),
            (
                "selector: {matchLabels: {a: '*'}}",
                &["error spec.selector.matchLabels.a: wildcard is not supported in selector: \"a=*\""],
            ),
        ] {
            assert_eq!(checked(&PEER_AUTHENTICATION, spec), problems, "{spec}");
        }
    }

    #[test]
    fn modes_are_those_of_istio() {
        assert_eq!(
            checked(&PEER_AUTHENTICATION, "mtls: {mode: strict}"),
            ["error spec.mtls.mode: unsupported value \"strict\""]
        );
    }
}
