//! The kinds, one file each, and finding one by what a user typed.
//!
//! [`KINDS`] is the table. [`by_manifest`] finds a kind by a document's `apiVersion` and `kind`, [`by_name`] by a word of
//! the command line.

mod cells;
mod check;
mod workload;

pub mod apikey;
pub mod authorization;
pub mod authorization_policy;
pub mod checknothing;
pub mod config_map;
pub mod denier;
pub mod attributemanifest;
pub mod deployment;
pub mod destination_rule;
pub mod fluentd;
pub mod gateway;
pub mod grant;
pub mod handler;
pub mod instance;
pub mod listchecker;
pub mod listentry;
pub mod logentry;
pub mod memquota;
pub mod mesh_config;
pub mod metric;
pub mod namespace;
pub mod noop;
pub mod opa;
pub mod peer_authentication;
pub mod pod;
pub mod prometheus;
pub mod quota;
pub mod quota_spec;
pub mod quota_spec_binding;
pub mod rbac_config;
pub mod redisquota;
pub mod reportnothing;
pub mod request_authentication;
pub mod rule;
pub mod secret;
pub mod service;
pub mod service_account;
pub mod service_entry;
pub mod service_role;
pub mod service_role_binding;
pub mod sidecar;
pub mod stdio;
pub mod token;
pub mod virtual_service;
pub mod workload_entry;
pub mod workload_group;

use serde_json::{Map, Value as Json};

use super::{Kind, Part, Role};

pub use apikey::APIKEY;
pub use attributemanifest::ATTRIBUTEMANIFEST;
pub use authorization::AUTHORIZATION;
pub use authorization_policy::AUTHORIZATION_POLICY;
pub use checknothing::CHECKNOTHING;
pub use config_map::CONFIG_MAP;
pub use denier::DENIER;
pub use deployment::DEPLOYMENT;
pub use destination_rule::DESTINATION_RULE;
pub use fluentd::FLUENTD;
pub use gateway::GATEWAY;
pub use grant::GRANT;
pub use handler::HANDLER;
pub use instance::INSTANCE;
pub use listchecker::LISTCHECKER;
pub use listentry::LISTENTRY;
pub use logentry::LOGENTRY;
pub use memquota::MEMQUOTA;
pub use metric::METRIC;
pub use namespace::NAMESPACE;
pub use noop::NOOP;
pub use opa::OPA;
pub use peer_authentication::PEER_AUTHENTICATION;
pub use pod::POD;
pub use prometheus::PROMETHEUS;
pub use quota::QUOTA;
pub use quota_spec::QUOTA_SPEC;
pub use quota_spec_binding::QUOTA_SPEC_BINDING;
pub use rbac_config::{CLUSTER_RBAC_CONFIG, RBAC_CONFIG};
pub use redisquota::REDISQUOTA;
pub use reportnothing::REPORTNOTHING;
pub use request_authentication::REQUEST_AUTHENTICATION;
pub use rule::RULE;
pub use secret::SECRET;
pub use service::SERVICE;
pub use service_account::SERVICE_ACCOUNT;
pub use service_entry::SERVICE_ENTRY;
pub use service_role::SERVICE_ROLE;
pub use service_role_binding::SERVICE_ROLE_BINDING;
pub use sidecar::SIDECAR;
pub use stdio::STDIO;
pub use token::TOKEN;
pub use virtual_service::VIRTUAL_SERVICE;
pub use workload_entry::WORKLOAD_ENTRY;
pub use workload_group::WORKLOAD_GROUP;

/// Every kind, in the order in which a category such as `all` shows them.
pub static KINDS: &[&Kind] = &[
    &NAMESPACE,
    &SERVICE_ACCOUNT,
    &CONFIG_MAP,
    &SECRET,
    &POD,
    &SERVICE,
    &DEPLOYMENT,
    &GATEWAY,
    &VIRTUAL_SERVICE,
    &DESTINATION_RULE,
    &SERVICE_ENTRY,
    &SIDECAR,
    &WORKLOAD_ENTRY,
    &WORKLOAD_GROUP,
    &AUTHORIZATION_POLICY,
    &PEER_AUTHENTICATION,
    &REQUEST_AUTHENTICATION,
    &CLUSTER_RBAC_CONFIG,
    &RBAC_CONFIG,
    &SERVICE_ROLE,
    &SERVICE_ROLE_BINDING,
    &RULE,
    &HANDLER,
    &INSTANCE,
    &LOGENTRY,
    &METRIC,
    &CHECKNOTHING,
    &REPORTNOTHING,
    &LISTENTRY,
    &QUOTA,
    &AUTHORIZATION,
    &APIKEY,
    &STDIO,
    &PROMETHEUS,
    &FLUENTD,
    &DENIER,
    &LISTCHECKER,
    &MEMQUOTA,
    &REDISQUOTA,
    &NOOP,
    &QUOTA_SPEC,
    &QUOTA_SPEC_BINDING,
    &ATTRIBUTEMANIFEST,
    &OPA,
    &TOKEN,
    &GRANT,
];

/// The kind and part that a `compiledTemplate` or `compiledAdapter` names.
pub fn part_of(role: Role, name: &str) -> Option<(&'static Kind, &'static Part)> {
    let kinds = KINDS.iter().copied();
    let mut parts = kinds.filter_map(|kind| Some((kind, kind.part.as_ref()?)));
    parts.find(|(kind, part)| part.role == role && kind.name == name)
}

/// What a document's `apiVersion` and `kind` mean.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    /// The kind.
    pub kind: &'static Kind,
    /// The version as which the resource is kept: the one written, or the kind's preferred one for an alias or where
    /// none was written.
    pub version: &'static str,
    /// What makes a body of an alias one of `version`.
    pub upgrade: Option<fn(&mut Map<String, Json>)>,
}

/// The kind that a document declares; without `apiVersion` the only one of that name, in its newest version.
pub fn by_manifest(api_version: Option<&str>, kind: &str) -> Option<Found> {
    let mut named = KINDS.iter().filter(|candidate| candidate.name == kind);
    let Some(api_version) = api_version else {
        let only = named.next().filter(|_| named.next().is_none())?;
        return Some(Found { kind: only, version: only.versions.first()?, upgrade: None });
    };
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    named.find_map(|kind| {
        if let Some(version) = kind.versions.iter().find(|served| kind.group == group && **served == version) {
            return Some(Found { kind, version, upgrade: None });
        }
        let alias = kind.aliases.iter().find(|alias| alias.group == group && alias.version == version)?;
        Some(Found { kind, version: kind.versions.first()?, upgrade: Some(alias.upgrade) })
    })
}

/// The kind that a word of the command line names: plural, singular or short name, or one of the first two (or the
/// kind) followed by `.group` or `.version.group`, in any letter case.
pub fn by_name(word: &str) -> Option<&'static Kind> {
    let word = word.to_ascii_lowercase();
    let (name, suffix) = match word.split_once('.') {
        Some((name, suffix)) => (name, Some(suffix)),
        None => (word.as_str(), None),
    };
    KINDS.iter().copied().find(|kind| match suffix {
        None => goes_by(kind, name) || kind.short.contains(&name),
        Some(suffix) => goes_by(kind, name) && groups(kind).any(|(group, version)| is_suffix(suffix, group, version)),
    })
}

/// The kinds of a category such as `all` or `istio-io`.
pub fn in_category(category: &str) -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().copied().filter(move |kind| kind.categories.iter().any(|own| own.eq_ignore_ascii_case(category)))
}

fn goes_by(kind: &Kind, name: &str) -> bool {
    kind.plural == name || kind.singular == name || kind.name.eq_ignore_ascii_case(name)
}

/// Every group and version under which a kind may be declared.
fn groups(kind: &Kind) -> impl Iterator<Item = (&'static str, &'static str)> {
    let (group, versions, aliases) = (kind.group, kind.versions, kind.aliases);
    let served = versions.iter().map(move |version| (group, *version));
    served.chain(aliases.iter().map(|alias| (alias.group, alias.version)))
}

/// Whether `suffix` is `group` or `version.group`; the core group has no name, only versions.
fn is_suffix(suffix: &str, group: &str, version: &str) -> bool {
    let full = suffix.strip_prefix(version);
    if group.is_empty() {
        full.is_some_and(|rest| rest.is_empty() || rest == ".")
    } else {
        suffix == group || full.and_then(|rest| rest.strip_prefix('.')) == Some(group)
    }
}

#[cfg(test)]
mod tests;
