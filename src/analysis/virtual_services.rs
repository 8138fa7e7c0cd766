//! VirtualServices: whether they, and each of their routes, can ever apply.

use std::collections::BTreeMap;

use crate::diagnostic::FieldPath;
use crate::resource::Key;
use crate::resource::kinds::VIRTUAL_SERVICE;
use crate::resource::kinds::virtual_service::{HttpMatch, MESH, VirtualService};
use crate::routing::{covers, exported, qualify};

use super::code::{CLAIMS_WITHOUT_AUTHENTICATION, HOST_NOT_IN_GATEWAY, MESH_HOST_CONFLICT, NOT_FOUND};
use super::model::{Item, full_name, gateway_named, go_list, is_mesh};
use super::{Findings, Model};

/// What a header match on a claim of a token begins with.
const CLAIM: &str = "@request.auth.claims";

pub(super) fn analyze(model: &Model<'_>, found: &mut Findings) {
    mesh_conflicts(model, found);
    for item in &model.virtual_services {
        gateways(model, item, found);
        delegates(model, item, found);
        claims(model, item, found);
    }
}

/// At the sidecars there is one VirtualService for a host: of two the younger is dead.
fn mesh_conflicts(model: &Model<'_>, found: &mut Findings) {
    let mut by_host: BTreeMap<(String, String), Vec<&Item<VirtualService>>> = BTreeMap::new();
    for item in model.virtual_services.iter().filter(|item| is_mesh(&item.spec)) {
        let scopes = match item.spec.export_to.as_slice() {
            [] => vec!["*"],
            names if names.iter().any(|name| name == "*") => vec!["*"],
            names => names.iter().map(|name| if name == "." { item.namespace() } else { name.as_str() }).collect(),
        };
        for scope in scopes {
            for host in &item.spec.hosts {
                let same = by_host.entry((scope.to_owned(), qualify(host, item.namespace()))).or_default();
                same.push(item);
            }
        }
    }
    let public: Vec<(String, Vec<&Item<VirtualService>>)> = by_host
        .iter()
        .filter(|((scope, _), _)| scope == "*")
        .map(|((_, host), of)| (host.clone(), of.clone()))
        .collect();
    for ((scope, host), mut items) in by_host {
        // What a namespace keeps for itself stands beside what all see of the same calls.
        let beside = public.iter().filter(|(other, _)| scope != "*" && (covers(other, &host) || covers(&host, other)));
        for item in beside.flat_map(|(_, items)| items) {
            if !items.iter().any(|known| known.resource.key() == item.resource.key()) {
                items.push(item);
            }
        }
        if items.len() < 2 {
            continue;
        }
        let mut names: Vec<_> = items.iter().map(|item| item.full_name()).collect();
        names.sort_unstable();
        let message = format!(
            "The VirtualServices {} associated with mesh gateway define the same host {scope}/{host} which can lead to \
             undefined behavior. This can be fixed by merging the conflicting VirtualServices into a single resource.",
            names.join(",")
        );
        for item in items {
            found.add(&MESH_HOST_CONFLICT, &item.resource, FieldPath::of("metadata.name"), message.clone());
        }
    }
}

/// Gateways that are not there, or serve none of the hosts.
fn gateways(model: &Model<'_>, item: &Item<VirtualService>, found: &mut Findings) {
    for (index, written) in item.spec.gateways.iter().enumerate().filter(|(_, written)| *written != MESH) {
        let at = FieldPath::of("spec.gateways").index(index);
        let Some(gateway) = model.gateway(written, item.namespace()) else {
            found.add(&NOT_FOUND, &item.resource, at, format!("Referenced gateway not found: {written:?}"));
            continue;
        };
        let serves = |written: &String| {
            let (scope, host) = written.split_once('/').unwrap_or(("*", written));
            let scope = if scope == "." { gateway.namespace() } else { scope };
            let host = host.to_ascii_lowercase();
            let common = |own: &String| {
                let own = qualify(own, item.namespace());
                covers(&host, &own) || covers(&own, &host)
            };
            (scope == "*" || scope == item.namespace()) && item.spec.hosts.iter().any(common)
        };
        if !item.spec.hosts.is_empty() && !gateway.spec.servers.iter().flat_map(|server| &server.hosts).any(serves) {
            let (namespace, name) = gateway_named(written, item.namespace());
            let message = format!(
                "one or more host {} defined in VirtualService {} not found in Gateway {namespace}/{name}.",
                go_list(&item.spec.hosts),
                item.full_name()
            );
            found.add(&HOST_NOT_IN_GATEWAY, &item.resource, at, message);
        }
    }
}

/// Delegates that are not there, or are none.
fn delegates(model: &Model<'_>, item: &Item<VirtualService>, found: &mut Findings) {
    for (index, route) in item.spec.http.iter().enumerate() {
        let Some(delegate) = &route.delegate else { continue };
        let namespace = if delegate.namespace.is_empty() { item.namespace() } else { &delegate.namespace };
        let there = model.virtual_services.iter().any(|other| {
            other.resource.key() == Key::new(&VIRTUAL_SERVICE, namespace, &delegate.name)
                && other.spec.hosts.is_empty()
                && exported(&other.spec.export_to, other.namespace(), item.namespace())
        });
        if !there {
            let at = FieldPath::of("spec.http").index(index).field("delegate");
            let message = format!("Referenced delegate not found: \"{namespace}/{}\"", delegate.name);
            found.add(&NOT_FOUND, &item.resource, at, message);
        }
    }
}

/// Routes by claims of tokens that nothing verifies: there is no RequestAuthentication yet.
fn claims(model: &Model<'_>, item: &Item<VirtualService>, found: &mut Findings) {
    let headers = |entry: &HttpMatch| {
        let names = entry.headers.keys().chain(entry.without_headers.keys());
        names.filter(|name| name.starts_with(CLAIM)).cloned().collect::<Vec<_>>()
    };
    let matches = item.spec.http.iter().enumerate().flat_map(|(index, route)| {
        let at = FieldPath::of("spec.http").index(index).field("match");
        route.r#match.iter().enumerate().map(move |(index, entry)| (at.index(index), entry))
    });
    let Some((at, key)) =
        matches.flat_map(|(at, entry)| headers(entry).into_iter().map(move |key| (at.clone(), key))).next()
    else {
        return;
    };
    for written in item.spec.gateways.iter().filter(|written| *written != MESH) {
        let Some(gateway) = model.gateway(written, item.namespace()) else { continue };
        let pod = model.pods_with(&gateway.spec.selector).next().map(|pod| pod.meta.name.clone()).unwrap_or_default();
        let message = format!(
            "The virtual service uses the JWT claim based routing (key: {}) but found no request authentication for the \
             gateway ({}) pod ({pod}). The request authentication must first be applied for the gateway pods to validate \
             the JWT token and make the claims available for routing.",
            key.trim_start_matches('@'),
            full_name(&gateway.resource)
        );
        found.add(&CLAIMS_WITHOUT_AUTHENTICATION, &item.resource, at.clone(), message);
    }
}
