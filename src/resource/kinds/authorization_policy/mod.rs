//! AuthorizationPolicy: which calls a workload takes.

mod attribute;
mod rules;

use serde::Deserialize;

use super::{cells, check};
use crate::resource::{Column, Kind, Labels, Meta, Typed};

pub use attribute::Attribute;
pub use rules::PATH_OPERATORS;
pub(super) use rules::workloads;

/// The kind `AuthorizationPolicy` (security.istio.io).
pub static AUTHORIZATION_POLICY: Kind = Kind {
    group: "security.istio.io",
    versions: cells::SECURITY_VERSIONS,
    short: &["ap"],
    categories: cells::SECURITY,
    columns: &[Column { name: "ACTION", wide: false, cell: |r| cells::custom(r, &["spec", "action"]) }],
    check: |resource, problems| {
        check::spec::<AuthorizationPolicy>(resource, problems, rules::policy);
        rules::dry_run(resource, problems);
    },
    ..cells::kind("AuthorizationPolicy", "authorizationpolicies", "authorizationpolicy")
};

/// The annotation of policies that are only tried.
pub const DRY_RUN: &str = "istio.io/dry-run";

/// Whether a policy is only computed, and decides nothing.
pub fn is_dry_run(meta: &Meta) -> bool {
    meta.annotations.get(DRY_RUN).is_some_and(|value| rules::go_bool(value) == Some(true))
}

/// `spec` of an AuthorizationPolicy.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AuthorizationPolicy {
    /// Workloads that it is for; all of its namespace when absent, all of the mesh in the root namespace.
    pub selector: Option<Selector>,
    /// What it is for, instead of workloads.
    pub target_ref: Option<TargetRef>,
    /// The same, several.
    pub target_refs: Vec<TargetRef>,
    /// What becomes of calls that a rule matches.
    pub action: Action,
    /// Whom CUSTOM asks.
    pub provider: Option<Provider>,
    /// The rules, of which any may match; a policy without rules matches no call.
    pub rules: Option<Vec<Rule>>,
}

impl Typed for AuthorizationPolicy {
    const ROOT: Option<&'static str> = Some("spec");
}

/// Labels of the workloads meant.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Selector {
    /// Labels; all workloads when empty.
    pub match_labels: Labels,
}

/// A resource that a policy is attached to.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct TargetRef {
    /// Its API group.
    pub group: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its namespace, which must be the policy's.
    pub namespace: String,
}

/// What becomes of calls that a rule matches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Action {
    /// They go; calls that no rule of any such policy matches do not.
    #[default]
    Allow,
    /// They are refused.
    Deny,
    /// They are marked.
    Audit,
    /// A provider is asked.
    Custom,
}

impl Action {
    /// Its name in manifests.
    pub fn name(self) -> &'static str {
        match self {
            Action::Allow => "ALLOW",
            Action::Deny => "DENY",
            Action::Audit => "AUDIT",
            Action::Custom => "CUSTOM",
        }
    }
}

/// Whom CUSTOM asks.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Provider {
    /// Name of an extension provider of the mesh.
    pub name: String,
}

/// A rule: from any of its sources, to any of its operations, when all conditions hold.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Rule {
    /// Who calls; anybody when absent.
    pub from: Option<Vec<From>>,
    /// What is asked for; anything when absent.
    pub to: Option<Vec<To>>,
    /// What else must hold.
    pub when: Vec<Condition>,
}

/// One of the callers that a rule is for.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct From {
    /// Who; all fields that are given must match.
    pub source: Option<Source>,
}

/// One of the operations that a rule is for.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct To {
    /// What; all fields that are given must match.
    pub operation: Option<Operation>,
}

/// Who calls. Each field takes any of its values, and of its `not` form none.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Source {
    /// Identities of peers' certificates, without `spiffe://`.
    pub principals: Vec<String>,
    /// None of these.
    pub not_principals: Vec<String>,
    /// `ISSUER/SUBJECT` of a token.
    pub request_principals: Vec<String>,
    /// None of these.
    pub not_request_principals: Vec<String>,
    /// Namespaces of peers.
    pub namespaces: Vec<String>,
    /// None of these.
    pub not_namespaces: Vec<String>,
    /// Accounts of peers: `NAMESPACE/NAME`, or `NAME` in the policy's namespace.
    pub service_accounts: Vec<String>,
    /// None of these.
    pub not_service_accounts: Vec<String>,
    /// Trust domains of peers.
    pub trust_domains: Vec<String>,
    /// None of these.
    pub not_trust_domains: Vec<String>,
    /// Addresses of the connection's other end.
    pub ip_blocks: Vec<String>,
    /// None of these.
    pub not_ip_blocks: Vec<String>,
    /// Addresses of the client.
    pub remote_ip_blocks: Vec<String>,
    /// None of these.
    pub not_remote_ip_blocks: Vec<String>,
}

/// What is asked for. Each field takes any of its values, and of its `not` form none.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Operation {
    /// Hosts, with their port where it is not the default one.
    pub hosts: Vec<String>,
    /// None of these.
    pub not_hosts: Vec<String>,
    /// Ports of the workload.
    pub ports: Vec<String>,
    /// None of these.
    pub not_ports: Vec<String>,
    /// Methods.
    pub methods: Vec<String>,
    /// None of these.
    pub not_methods: Vec<String>,
    /// Paths without query.
    pub paths: Vec<String>,
    /// None of these.
    pub not_paths: Vec<String>,
}

/// A condition on an attribute.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// The attribute; see [`Attribute`].
    pub key: String,
    /// Any of these, if there are some.
    pub values: Vec<String>,
    /// And none of these.
    pub not_values: Vec<String>,
}

impl Source {
    /// Its fields by their names in manifests, each with its values.
    pub fn fields(&self) -> [(&'static str, &[String]); 14] {
        [
            ("principals", &self.principals),
            ("notPrincipals", &self.not_principals),
            ("requestPrincipals", &self.request_principals),
            ("notRequestPrincipals", &self.not_request_principals),
            ("namespaces", &self.namespaces),
            ("notNamespaces", &self.not_namespaces),
            ("serviceAccounts", &self.service_accounts),
            ("notServiceAccounts", &self.not_service_accounts),
            ("trustDomains", &self.trust_domains),
            ("notTrustDomains", &self.not_trust_domains),
            ("ipBlocks", &self.ip_blocks),
            ("notIpBlocks", &self.not_ip_blocks),
            ("remoteIpBlocks", &self.remote_ip_blocks),
            ("notRemoteIpBlocks", &self.not_remote_ip_blocks),
        ]
    }
}

impl Operation {
    /// Its fields by their names in manifests, each with its values.
    pub fn fields(&self) -> [(&'static str, &[String]); 8] {
        [
            ("hosts", &self.hosts),
            ("notHosts", &self.not_hosts),
            ("ports", &self.ports),
            ("notPorts", &self.not_ports),
            ("methods", &self.methods),
            ("notMethods", &self.not_methods),
            ("paths", &self.paths),
            ("notPaths", &self.not_paths),
        ]
    }
}

#[cfg(test)]
mod tests;
