//! ServiceEntries: what cannot be told apart, and what two of them say differently.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::FieldPath;
use crate::resource::kinds::service_entry::ServiceEntry;
use crate::routing::exported;

use super::code::{ADDRESSES_REQUIRED, NO_WORKLOAD, PROTOCOL_CONFLICT};
use super::model::{Item, selector_text};
use super::{Findings, Model};

pub(super) fn analyze(model: &Model<'_>, found: &mut Findings) {
    for item in &model.service_entries {
        addresses(item, found);
        workloads(model, item, found);
    }
    protocols(model, found);
}

/// Ports of bytes that nothing tells apart but an address, which is not given.
fn addresses(item: &Item<ServiceEntry>, found: &mut Findings) {
    if !item.spec.addresses.is_empty() {
        return;
    }
    let tcp = |protocol: &str| protocol.is_empty() || protocol.eq_ignore_ascii_case("TCP");
    for (index, _) in item.spec.ports.iter().enumerate().filter(|(_, port)| tcp(&port.protocol)) {
        let at = FieldPath::of("spec.ports").index(index);
        found.add(&ADDRESSES_REQUIRED, &item.resource, at, "ServiceEntry addresses are required for this protocol.");
    }
}

fn workloads(model: &Model<'_>, item: &Item<ServiceEntry>, found: &mut Findings) {
    let Some(selector) = &item.spec.workload_selector else { return };
    if !model.pods_with(&selector.labels).any(|pod| pod.namespace() == item.namespace()) {
        let message = format!(
            "No matching workloads for this resource with the following labels: {}",
            selector_text(&selector.labels)
        );
        found.add(&NO_WORKLOAD, &item.resource, FieldPath::of("spec.workloadSelector.labels"), message);
    }
}

/// A ServiceEntry and the place of one of its ports.
type Entry<'m> = (&'m Item<ServiceEntry>, usize);

/// Entries that some namespace sees together, with different protocols for one host and port: the older decides.
fn protocols(model: &Model<'_>, found: &mut Findings) {
    let mut by_place: BTreeMap<(&str, u32), Vec<Entry<'_>>> = BTreeMap::new();
    for item in &model.service_entries {
        for (index, port) in item.spec.ports.iter().enumerate() {
            for host in &item.spec.hosts {
                by_place.entry((host, port.number)).or_default().push((item, index));
            }
        }
    }
    for ((host, number), entries) in by_place {
        let protocol = |(item, index): &Entry<'_>| item.spec.ports[*index].protocol.to_ascii_uppercase();
        for one in &entries {
            let together: Vec<_> = entries.iter().filter(|other| see_each_other(one.0, other.0)).collect();
            let protocols: BTreeSet<_> = together.iter().map(|entry| protocol(entry)).collect();
            if protocols.len() > 1 {
                let names: BTreeSet<_> = together.iter().map(|(item, _)| item.full_name()).collect();
                let message = format!(
                    "The ServiceEntries {} define the same host {host} and port {number} with different protocols ({}); \
                     that of the oldest counts.",
                    names.into_iter().collect::<Vec<_>>().join(", "),
                    protocols.into_iter().collect::<Vec<_>>().join(", ")
                );
                let at = FieldPath::of("spec.ports").index(one.1).field("protocol");
                found.add(&PROTOCOL_CONFLICT, &one.0.resource, at, message);
            }
        }
    }
}

/// Whether some namespace sees both.
fn see_each_other(one: &Item<ServiceEntry>, other: &Item<ServiceEntry>) -> bool {
    let sees =
        |entry: &Item<ServiceEntry>, namespace: &str| exported(&entry.spec.export_to, entry.namespace(), namespace);
    let named = one.spec.export_to.iter().chain(&other.spec.export_to).map(String::as_str);
    let mut namespaces =
        named.chain([one.namespace(), other.namespace()]).filter(|name| !matches!(*name, "*" | "." | "~"));
    namespaces.any(|namespace| sees(one, namespace) && sees(other, namespace))
}
