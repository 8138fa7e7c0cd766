//! Service: a name under which workloads are called.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use serde_json::Value as Json;

use super::check::At;
use super::{cells, check};
use crate::diagnostic::{Code, FieldPath, Problem, Problems};
use crate::resource::decode::unsupported;
use crate::resource::{Column, Kind, Resource, Typed, name};

impl Typed for Service {
    const ROOT: Option<&'static str> = None;
}

/// The kind `Service` (core, v1).
pub static SERVICE: Kind = Kind {
    short: &["svc"],
    categories: &["all"],
    columns: &[
        Column { name: "TYPE", wide: false, cell: |r| cells::text(r, &["spec", "type"], "ClusterIP").to_owned() },
        Column {
            name: "CLUSTER-IP",
            wide: false,
            cell: |r| cells::text(r, &["spec", "clusterIP"], "<none>").to_owned(),
        },
        Column {
            name: "EXTERNAL-IP",
            wide: false,
            cell: |r| cells::text(r, &["spec", "externalName"], "<none>").to_owned(),
        },
        Column { name: "PORT(S)", wide: false, cell: ports },
        Column { name: "SELECTOR", wide: true, cell: |r| cells::selector(r, &["spec", "selector"]) },
    ],
    check: rules,
    ..cells::kind("Service", "services", "service")
};

/// Values of `spec.type`.
const TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
/// Values of a port's `protocol`.
const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];

fn ports(service: &Resource) -> String {
    let port = |port: &Json| {
        let number = port.get("port").and_then(Json::as_u64).unwrap_or_default();
        format!("{number}/{}", port.get("protocol").and_then(Json::as_str).unwrap_or("TCP"))
    };
    let ports = cells::items(service, &["spec", "ports"]).iter().map(port);
    cells::or_none(ports.collect::<Vec<_>>().join(","))
}

fn rules(resource: &Resource, problems: &mut Problems) {
    check::body::<Service>(resource, problems, |at, service| match &service.spec {
        Some(spec) => spec_rules(&mut at.field("spec"), spec),
        None => at.field("spec").required(),
    });
    let own = &resource.meta.name;
    if name::dns_subdomain(own).is_ok()
        && let Err(why) = name::dns_1035_label(own)
    {
        problems.push(name::invalid(FieldPath::of("metadata.name"), own, &why));
    }
}

fn spec_rules(at: &mut At<'_>, spec: &ServiceSpec) {
    one_of(&mut at.field("type"), spec.type_.as_deref(), &TYPES);
    let ports = spec.ports.as_deref().unwrap_or_default();
    let portless = spec.type_.as_deref() == Some("ExternalName") || spec.cluster_ip.as_deref() == Some("None");
    if ports.is_empty() && !portless {
        at.field("ports").required();
    }
    if spec.type_.as_deref() == Some("ExternalName") && spec.external_name.as_deref().unwrap_or_default().is_empty() {
        at.field("externalName").required();
    }
    let mut names = BTreeSet::new();
    at.each("ports", ports, |at, port| self::port(at, port, ports.len() > 1, &mut names));
    at.part("selector", spec.selector.as_ref(), check::labels);
}

fn port(at: &mut At<'_>, port: &ServicePort, name_required: bool, names: &mut BTreeSet<String>) {
    if !(1..=65535).contains(&port.port) {
        at.field("port").invalid(out_of_range(port.port));
    }
    one_of(&mut at.field("protocol"), port.protocol.as_deref(), &PROTOCOLS);
    let mut at = at.field("name");
    match port.name.as_deref().unwrap_or_default() {
        "" if name_required => at.required(),
        "" => {}
        name => {
            if let Err(why) = name::dns_label(name) {
                at.invalid(format!("Invalid value: \"{name}\": {why}"));
            } else if !names.insert(name.to_owned()) {
                at.duplicate(format!("Duplicate value: \"{name}\""));
            }
        }
    }
}

fn one_of(at: &mut At<'_>, value: Option<&str>, values: &[&'static str]) {
    if let Some(value) = value.filter(|value| !values.contains(value)) {
        let message = format!("Unsupported value: \"{value}\"");
        let problem = Problem::error(Code::NotSupported, at.path.clone(), message).expected(values.iter().copied());
        at.problems.push(problem.kubernetes(unsupported(value, values.iter().copied())));
    }
}

/// Kubernetes' words for a port that is none.
pub(super) fn out_of_range(port: i32) -> String {
    format!("Invalid value: {port}: must be between 1 and 65535, inclusive")
}
