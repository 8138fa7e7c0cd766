//! DestinationRules: hosts and subsets that are not there, and TLS that verifies less than it seems to.

use crate::diagnostic::FieldPath;
use crate::resource::Labels;
use crate::resource::kinds::destination_rule::{ClientTls, ClientTlsMode, DestinationRule};

use super::code::{NO_CA, NO_CA_AT_PORT, NO_WORKLOAD, SUBSET_WITHOUT_PODS, UNKNOWN_HOST};
use super::model::{Item, Registered, has, selector_text};
use super::{Findings, Model};

pub(super) fn analyze(model: &Model<'_>, found: &mut Findings) {
    for item in &model.destination_rules {
        match model.host(&item.spec.host, item.namespace()) {
            Some(host) => subsets(model, item, host, found),
            // A wildcard may be for hosts that are registered under narrower names.
            None if item.spec.host.starts_with('*') => {}
            None => {
                let message = format!(
                    "The host {} defined in the DestinationRule does not match any services in the mesh.",
                    item.spec.host
                );
                found.add(&UNKNOWN_HOST, &item.resource, FieldPath::of("spec.host"), message);
            }
        }
        workloads(model, item, found);
        authorities(item, found);
    }
}

/// Subsets whose labels no endpoint has.
fn subsets(model: &Model<'_>, item: &Item<DestinationRule>, host: &Registered, found: &mut Findings) {
    for (index, subset) in item.spec.subsets.iter().enumerate().filter(|(_, subset)| !subset.labels.is_empty()) {
        let mut wanted: Labels = host.selector.clone().unwrap_or_default();
        wanted.extend(subset.labels.clone());
        let by_endpoint = host.endpoints.iter().any(|labels| has(labels, &subset.labels));
        if !by_endpoint && model.pods_with(&wanted).next().is_none() {
            let message = format!(
                "The Subset {} defined in the DestinationRule does not select any pods, which may lead to 503 UH \
                 (NoHealthyUpstream).",
                subset.name
            );
            let at = FieldPath::of("spec.subsets").index(index).field("labels");
            found.add(&SUBSET_WITHOUT_PODS, &item.resource, at, message);
        }
    }
}

/// A rule for callers that are not there.
fn workloads(model: &Model<'_>, item: &Item<DestinationRule>, found: &mut Findings) {
    let Some(selector) = &item.spec.workload_selector else { return };
    let labels = &selector.match_labels;
    if !labels.is_empty() && !model.pods_with(labels).any(|pod| pod.namespace() == item.namespace()) {
        let message =
            format!("No matching workloads for this resource with the following labels: {}", selector_text(labels));
        found.add(&NO_WORKLOAD, &item.resource, FieldPath::of("spec.workloadSelector.matchLabels"), message);
    }
}

/// TLS without authorities of its own, which Istio before 1.21 did not verify at all.
fn authorities(item: &Item<DestinationRule>, found: &mut Findings) {
    let Some(policy) = &item.spec.traffic_policy else { return };
    let said = |mode| {
        format!(
            "DestinationRule {} in namespace {} has TLS mode set to {mode} but no caCertificates are set to validate server \
             identity for host: {}",
            item.full_name(),
            item.namespace(),
            item.spec.host
        )
    };
    if let Some(mode) = policy.tls.as_ref().and_then(unverified) {
        found.add(&NO_CA, &item.resource, FieldPath::of("spec.trafficPolicy.tls"), said(mode));
    }
    for (index, settings) in policy.port_level_settings.iter().enumerate() {
        if let Some(mode) = settings.tls.as_ref().and_then(unverified) {
            let port = settings.port.as_ref().map_or(0, |port| port.number);
            let at = FieldPath::of("spec.trafficPolicy.portLevelSettings").index(index).field("tls");
            found.add(&NO_CA_AT_PORT, &item.resource, at, format!("{} at port number:{port}", said(mode)));
        }
    }
}

fn unverified(tls: &ClientTls) -> Option<&'static str> {
    let mode = match tls.mode {
        ClientTlsMode::Simple => "SIMPLE",
        ClientTlsMode::Mutual => "MUTUAL",
        ClientTlsMode::Disable | ClientTlsMode::IstioMutual => return None,
    };
    // A credential brings its own.
    (tls.ca_certificates.is_empty() && tls.credential_name.is_empty()).then_some(mode)
}
