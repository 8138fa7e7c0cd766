//! Gateways: the workload that plays them, and two of them in each other's way.

use std::collections::BTreeSet;

use crate::diagnostic::FieldPath;
use crate::resource::Labels;
use crate::resource::kinds::gateway::{Gateway, ServerTls};
use crate::resource::kinds::secret::Secret;
use crate::routing::covers;

use super::code::{DUPLICATE_CERTIFICATE, GATEWAY_CONFLICT, INVALID_CREDENTIAL, NOT_FOUND, PORT_NOT_ON_SERVICE};
use super::model::{Item, go_list, has, selector_text};
use super::{Findings, Model};

pub(super) fn analyze(model: &Model<'_>, found: &mut Findings) {
    for item in &model.gateways {
        if model.pods_with(&item.spec.selector).next().is_none() {
            let message = format!("Referenced selector not found: {:?}", selector_text(&item.spec.selector));
            found.add(&NOT_FOUND, &item.resource, FieldPath::of("spec.selector"), message);
        } else {
            ports(model, item, found);
            credentials(model, item, found);
        }
        conflicts(model, item, found);
        certificates(model, item, found);
    }
}

/// Servers on ports that the Service of the gateway's workload does not have: sidecars cannot route to them.
fn ports(model: &Model<'_>, item: &Item<Gateway>, found: &mut Findings) {
    let mut served = BTreeSet::new();
    for pod in model.pods_with(&item.spec.selector) {
        for service in model.services.iter().filter(|service| service.namespace() == pod.namespace()) {
            let spec = service.spec.spec.clone().unwrap_or_default();
            let selector = spec.selector.unwrap_or_default();
            if !selector.is_empty() && has(&pod.meta.labels, &selector) {
                served.extend(spec.ports.unwrap_or_default().iter().map(|port| i64::from(port.port)));
            }
        }
    }
    for (index, server) in item.spec.servers.iter().enumerate() {
        let Some(port) = server.port.as_ref().filter(|port| !served.contains(&i64::from(port.number))) else {
            continue;
        };
        let at = FieldPath::of("spec.servers").index(index).field("port").field("number");
        let message = format!(
            "The gateway is listening on a target port (port {}) that is not defined in the Service associated with its \
             workload instances (Pod selector {}). If you need to access the gateway port through the gateway Service, \
             it will not be available.",
            port.number,
            selector_text(&item.spec.selector)
        );
        found.add(&PORT_NOT_ON_SERVICE, &item.resource, at, message);
    }
}

/// Secrets that are not there, in the namespace of the gateway's workload, or hold no certificate.
fn credentials(model: &Model<'_>, item: &Item<Gateway>, found: &mut Findings) {
    let Some(pod) = model.pods_with(&item.spec.selector).next() else { return };
    for (index, server) in item.spec.servers.iter().enumerate() {
        let Some(tls) = server.tls.as_ref().filter(|tls| !tls.credential_name.is_empty()) else { continue };
        let at = FieldPath::of("spec.servers").index(index).field("tls").field("credentialName");
        let secret = model
            .secrets
            .iter()
            .find(|secret| secret.namespace() == pod.namespace() && secret.resource.meta.name == tls.credential_name);
        match secret {
            None => {
                let message = format!("Referenced credentialName not found: {:?}", tls.credential_name);
                found.add(&NOT_FOUND, &item.resource, at, message);
            }
            Some(secret) if !holds_certificate(&secret.spec) => {
                let message = format!(
                    "The credential referenced by the Gateway {} in namespace {} is invalid, which can cause the traffic not \
                     to work as expected.",
                    item.resource.meta.name,
                    item.namespace()
                );
                found.add(&INVALID_CREDENTIAL, &item.resource, at, message);
            }
            Some(_) => {}
        }
    }
}

/// Whether a Secret has a certificate and a key in PEM, under either of the names that Istio reads.
fn holds_certificate(secret: &Secret) -> bool {
    let pem = |names: [&str; 2], what: &str| {
        let value = names.iter().find_map(|name| secret.get(name)).unwrap_or_default();
        String::from_utf8_lossy(&value).contains(&format!("{what}-----"))
    };
    pem(["tls.crt", "cert"], "-----BEGIN CERTIFICATE") && pem(["tls.key", "key"], "PRIVATE KEY")
}

/// Other Gateways of the same workload with a server on the same port for hosts of this one.
fn conflicts(model: &Model<'_>, item: &Item<Gateway>, found: &mut Findings) {
    for (index, server) in item.spec.servers.iter().enumerate() {
        let Some(port) = &server.port else { continue };
        let shares = |other: &&Item<Gateway>| {
            other.resource.key() != item.resource.key()
                && of_one_workload(model, &other.spec.selector, &item.spec.selector)
                && other.spec.servers.iter().any(|one| {
                    one.port.as_ref().is_some_and(|own| own.number == port.number)
                        && one.hosts.iter().any(|theirs| server.hosts.iter().any(|ours| overlap(ours, theirs)))
                })
        };
        let others: Vec<_> = model.gateways.iter().filter(shares).map(|other| other.full_name()).collect();
        if !others.is_empty() {
            let message = format!(
                "Conflict with gateways {} (workload selector {}, port {}, hosts {}).",
                others.join(","),
                selector_text(&item.spec.selector),
                port.number,
                server.hosts.join(",")
            );
            found.add(&GATEWAY_CONFLICT, &item.resource, FieldPath::of("spec.servers").index(index), message);
        }
    }
}

/// Whether two selectors select one workload: the same one, or, of two of which one is narrower, any that is there.
fn of_one_workload(model: &Model<'_>, one: &Labels, other: &Labels) -> bool {
    let nested = has(one, other) || has(other, one);
    one == other || (nested && model.pods_with(one).any(|pod| has(&pod.meta.labels, other)))
}

/// Whether two hosts of servers have calls in common; hosts for different namespaces have none.
fn overlap(ours: &str, theirs: &str) -> bool {
    let parts = |written: &str| match written.split_once('/') {
        Some((scope, host)) => (scope.to_owned(), host.to_ascii_lowercase()),
        None => ("*".to_owned(), written.to_ascii_lowercase()),
    };
    let ((scope, ours), (other_scope, theirs)) = (parts(ours), parts(theirs));
    (scope == "*" || other_scope == "*" || scope == other_scope) && (covers(&ours, &theirs) || covers(&theirs, &ours))
}

/// The same certificate in another Gateway of the workload: a client's HTTP/2 connection to one is used for the other.
fn certificates(model: &Model<'_>, item: &Item<Gateway>, found: &mut Findings) {
    let tls = |gateway: &Item<Gateway>| {
        gateway.spec.servers.iter().filter_map(|server| server.tls.clone()).collect::<Vec<_>>()
    };
    let own = tls(item);
    for other in model.gateways.iter().filter(|other| other.resource.key() != item.resource.key()) {
        let shares = tls(other).iter().any(|theirs| own.iter().any(|ours| same_certificate(ours, theirs)));
        if shares && has(&other.spec.selector, &item.spec.selector) {
            let message = format!(
                "Duplicate certificate in multiple gateways {} may cause 404s if clients re-use HTTP2 connections.",
                go_list([item.full_name(), other.full_name()])
            );
            found.add(&DUPLICATE_CERTIFICATE, &item.resource, FieldPath::of("metadata.name"), message);
        }
    }
}

fn same_certificate(ours: &ServerTls, theirs: &ServerTls) -> bool {
    let same = |a: &str, b: &str| !a.is_empty() && a == b;
    match (ours.credential_name.is_empty(), theirs.credential_name.is_empty()) {
        (false, false) => ours.credential_name == theirs.credential_name,
        (true, true) => {
            same(&ours.server_certificate, &theirs.server_certificate) && same(&ours.private_key, &theirs.private_key)
        }
        _ => false,
    }
}
