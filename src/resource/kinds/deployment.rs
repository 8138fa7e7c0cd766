//! Deployment: a workload and how many of it.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use serde_json::{Map, Value as Json, json};

use super::check::At;
use super::{cells, check, workload};
use crate::resource::{Alias, Column, Kind, Labels, Resource, Typed};

impl Typed for Deployment {
    const ROOT: Option<&'static str> = None;
}

/// The kind `Deployment` (apps/v1); manifests of 2018 say `extensions/v1beta1`.
pub static DEPLOYMENT: Kind = Kind {
    group: "apps",
    aliases: &[
        Alias { group: "extensions", version: "v1beta1", upgrade },
        Alias { group: "apps", version: "v1beta1", upgrade },
        Alias { group: "apps", version: "v1beta2", upgrade: |_| {} },
    ],
    short: &["deploy"],
    categories: &["all"],
    columns: &[
        Column { name: "READY", wide: false, cell: ready },
        Column {
            name: "UP-TO-DATE",
            wide: false,
            cell: |r| cells::number(r, &["status", "updatedReplicas"]).to_string(),
        },
        Column {
            name: "AVAILABLE",
            wide: false,
            cell: |r| cells::number(r, &["status", "availableReplicas"]).to_string(),
        },
        Column { name: "CONTAINERS", wide: true, cell: |r| cells::joined(cells::items(r, CONTAINERS), "name") },
        Column { name: "IMAGES", wide: true, cell: |r| cells::joined(cells::items(r, CONTAINERS), "image") },
        Column { name: "SELECTOR", wide: true, cell: |r| cells::selector(r, &["spec", "selector", "matchLabels"]) },
    ],
    check: |resource, problems| {
        check::body::<Deployment>(resource, problems, |at, deployment| rules(&mut at.field("spec"), &deployment.spec));
    },
    ..cells::kind("Deployment", "deployments", "deployment")
};

const CONTAINERS: &[&str] = &["spec", "template", "spec", "containers"];

fn ready(deployment: &Resource) -> String {
    let wanted = deployment.spec().get("replicas").and_then(Json::as_u64).unwrap_or(1);
    format!("{}/{wanted}", cells::number(deployment, &["status", "readyReplicas"]))
}

/// Before apps/v1beta2 the selector could be left out and was taken from the template, and there was `rollbackTo`.
fn upgrade(body: &mut Map<String, Json>) {
    let Some(spec) = body.get_mut("spec").and_then(Json::as_object_mut) else { return };
    spec.remove("rollbackTo");
    let labels = spec.get("template").and_then(|template| template.pointer("/metadata/labels")).cloned();
    if let Some(labels) = labels.filter(|_| spec.get("selector").is_none_or(Json::is_null)) {
        spec.insert("selector".into(), json!({ "matchLabels": labels }));
    }
}

fn rules(at: &mut At<'_>, spec: &DeploymentSpec) {
    if spec.replicas.is_some_and(|replicas| replicas < 0) {
        at.field("replicas").invalid("Invalid value: must be greater than or equal to 0");
    }
    let labels = spec.template.metadata.as_ref().and_then(|metadata| metadata.labels.clone()).unwrap_or_default();
    if is_empty(&spec.selector) {
        at.field("selector").required();
    } else if !selects(&spec.selector, &labels) {
        let message = format!("Invalid value: {}: `selector` does not match template `labels`", json!(labels));
        at.field("template").field("metadata").field("labels").invalid(message);
    }
    let mut template = at.field("template");
    match &spec.template.spec {
        Some(pod) => workload::pod_spec(&mut template.field("spec"), pod),
        None => template.field("spec").required(),
    }
}

fn is_empty(selector: &LabelSelector) -> bool {
    selector.match_labels.as_ref().is_none_or(Labels::is_empty)
        && selector.match_expressions.as_ref().is_none_or(Vec::is_empty)
}

fn selects(selector: &LabelSelector, labels: &Labels) -> bool {
    let equal = selector.match_labels.iter().flatten().all(|(key, value)| labels.get(key) == Some(value));
    equal && selector.match_expressions.iter().flatten().all(|requirement| holds(requirement, labels))
}

fn holds(requirement: &LabelSelectorRequirement, labels: &Labels) -> bool {
    let value = labels.get(&requirement.key);
    let listed = value.is_some_and(|value| requirement.values.iter().flatten().any(|listed| listed == value));
    match requirement.operator.as_str() {
        "In" => listed,
        "NotIn" => !listed,
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    const TEMPLATE: &str =
        "template:\n  metadata:\n    labels: {app: x}\n  spec:\n    containers:\n    - {name: c, image: i}";

    #[test]
    fn a_selector_is_required_and_must_match() {
        assert_eq!(check(&DEPLOYMENT, TEMPLATE), ["spec.selector: Required value"]);
        assert_eq!(
            check(&DEPLOYMENT, &format!("selector:\n  matchLabels: {{app: y}}\n{TEMPLATE}")),
            [
                "spec.template.metadata.labels: Invalid value: {\"app\":\"x\"}: `selector` does not match template `labels`"
            ]
        );
        assert!(check(&DEPLOYMENT, &format!("selector:\n  matchLabels: {{app: x}}\n{TEMPLATE}")).is_empty());
    }

    #[test]
    fn containers_need_a_name_an_image_and_known_fields() {
        let spec = "selector: {matchLabels: {app: x}}\ntemplate:\n  metadata:\n    labels: {app: x}\n  spec:\n    \
                    serviceAccount: x\n    service_account: x\n    containers:\n    - {imagePullPolice: Never}";
        assert_eq!(
            check(&DEPLOYMENT, spec),
            [
                "spec.template.spec.service_account: unknown field \"service_account\"",
                "spec.template.spec.containers[0].imagePullPolice: unknown field \"imagePullPolice\"",
            ]
        );
    }

    #[test]
    fn the_old_group_takes_the_selector_from_the_template() {
        let mut body = json!({"spec": {"rollbackTo": {}, "template": {"metadata": {"labels": {"app": "x"}}}}});
        upgrade(body.as_object_mut().expect("an object"));
        assert_eq!(body["spec"]["selector"], json!({"matchLabels": {"app": "x"}}));
        assert!(body["spec"].get("rollbackTo").is_none());
    }
}
