//! What Pods and Deployments share: the rules of a pod's spec.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, PodSpec};

use super::check::At;
use crate::resource::name;

/// Checks a pod's spec, which stands at `at`.
pub(super) fn pod_spec(at: &mut At<'_>, spec: &PodSpec) {
    if spec.containers.is_empty() {
        at.field("containers").required();
    }
    let mut names = BTreeSet::new();
    at.each("containers", &spec.containers, |at, container| self::container(at, container, &mut names));
    at.each("initContainers", spec.init_containers.as_deref().unwrap_or_default(), |at, container| {
        self::container(at, container, &mut names);
    });
}

fn container(at: &mut At<'_>, container: &Container, names: &mut BTreeSet<String>) {
    let mut name = at.field("name");
    if container.name.is_empty() {
        name.required();
    } else if let Err(why) = name::dns_label(&container.name) {
        name.invalid(format!("Invalid value: \"{}\": {why}", container.name));
    } else if !names.insert(container.name.clone()) {
        name.duplicate(format!("Duplicate value: \"{}\"", container.name));
    }
    if container.image.as_deref().unwrap_or_default().is_empty() {
        at.field("image").required();
    }
    at.each("ports", container.ports.as_deref().unwrap_or_default(), |at, port| {
        if !(1..=65535).contains(&port.container_port) {
            at.field("containerPort").invalid(super::service::out_of_range(port.container_port));
        }
    });
}
