//! Sidecars: for whom they are, and two of them for one workload.

use std::collections::BTreeMap;

use crate::diagnostic::FieldPath;
use crate::resource::kinds::sidecar::Sidecar;

use super::code::{NOT_FOUND, SIDECARS_OF_ONE_POD, SIDECARS_WITHOUT_SELECTOR};
use super::model::{Item, go_list, selector_text};
use super::{Findings, Model};

pub(super) fn analyze(model: &Model<'_>, found: &mut Findings) {
    let mut by_pod: BTreeMap<(&str, &str), Vec<&Item<Sidecar>>> = BTreeMap::new();
    let mut without: BTreeMap<&str, Vec<&Item<Sidecar>>> = BTreeMap::new();
    for item in &model.sidecars {
        let selector = item.spec.workload_selector.as_ref().filter(|selector| !selector.labels.is_empty());
        let Some(selector) = selector else {
            without.entry(item.namespace()).or_default().push(item);
            continue;
        };
        let pods = model.pods_with(&selector.labels).filter(|pod| pod.namespace() == item.namespace());
        let mut pods = pods.peekable();
        if pods.peek().is_none() {
            let message = format!("Referenced selector not found: {:?}", selector_text(&selector.labels));
            found.add(&NOT_FOUND, &item.resource, FieldPath::of("spec.workloadSelector.labels"), message);
        }
        pods.for_each(|pod| by_pod.entry((pod.namespace(), &pod.meta.name)).or_default().push(item));
    }
    let name = FieldPath::of("metadata.name");
    for ((namespace, pod), items) in by_pod.into_iter().filter(|(_, items)| items.len() > 1) {
        let message = format!(
            "The Sidecars {} in namespace {namespace:?} select the same workload pod {pod:?}, which can lead to undefined \
             behavior.",
            names(&items)
        );
        items.iter().for_each(|item| found.add(&SIDECARS_OF_ONE_POD, &item.resource, name.clone(), message.clone()));
    }
    for (namespace, items) in without.into_iter().filter(|(_, items)| items.len() > 1) {
        let message = format!(
            "The Sidecars {} in namespace {namespace:?} have no workload selector, which can lead to undefined behavior.",
            names(&items)
        );
        let code = &SIDECARS_WITHOUT_SELECTOR;
        items.iter().for_each(|item| found.add(code, &item.resource, name.clone(), message.clone()));
    }
}

fn names(items: &[&Item<Sidecar>]) -> String {
    go_list(items.iter().map(|item| &item.resource.meta.name))
}
