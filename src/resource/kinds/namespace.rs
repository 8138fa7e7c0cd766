//! Namespace: what names of resources are unique in.

use k8s_openapi::api::core::v1::Namespace;

use super::{cells, check};
use crate::diagnostic::{FieldPath, Problems};
use crate::resource::{Column, Kind, Resource, Typed, name};

impl Typed for Namespace {
    const ROOT: Option<&'static str> = None;
}

/// The kind `Namespace` (core, v1).
pub static NAMESPACE: Kind = Kind {
    short: &["ns"],
    namespaced: false,
    columns: &[Column {
        name: "STATUS",
        wide: false,
        cell: |r| cells::text(r, &["status", "phase"], "Active").to_owned(),
    }],
    check: rules,
    ..cells::kind("Namespace", "namespaces", "namespace")
};

fn rules(resource: &Resource, problems: &mut Problems) {
    check::body::<Namespace>(resource, problems, |_, _| {});
    let own = &resource.meta.name;
    if name::dns_subdomain(own).is_ok()
        && let Err(why) = name::dns_label(own)
    {
        problems.push(name::invalid(FieldPath::of("metadata.name"), own, &why));
    }
}
