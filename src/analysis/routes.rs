//! Routes that do something else than their authors can have meant.

use std::collections::BTreeMap;

use crate::diagnostic::FieldPath;
use crate::resource::kinds::virtual_service::{HttpMatch, HttpRoute, MESH, VirtualService, asks_no_more};
use crate::routing::{covers, qualify};

use super::code::{DOUBLE_SLASH, MERGED_AT_GATEWAY, NEVER_INJECTED, NOT_AT_SIDECARS, OTHER_PROTOCOL, REFUSES_TOO_LATE};
use super::model::{Item, gateway_named, is_mesh};
use super::{Findings, Model};

pub(super) fn analyze(model: &Model<'_>, found: &mut Findings) {
    for item in &model.virtual_services {
        for (index, route) in item.spec.http.iter().enumerate() {
            let at = FieldPath::of("spec.http").index(index);
            faults(item, route, &at, found);
            rewrites(item, route, &at, found);
            refuses_too_late(item, index, route, &at, found);
        }
        protocols(model, item, found);
        not_at_sidecars(model, item, found);
    }
    merged(model, found);
}

/// Faults whose share is absent, which is none.
fn faults(item: &Item<VirtualService>, route: &HttpRoute, at: &FieldPath, found: &mut Findings) {
    let Some(fault) = &route.fault else { return };
    let delay = fault.delay.as_ref().filter(|delay| delay.percentage.is_none() && delay.percent == 0);
    let abort = fault.abort.as_ref().filter(|abort| abort.percentage.is_none());
    for field in [delay.map(|_| "delay"), abort.map(|_| "abort")].into_iter().flatten() {
        let message = format!("The {field} has no percentage, and so is never injected: an absent percentage is 0.");
        found.add(&NEVER_INJECTED, &item.resource, at.field("fault").field(field), message);
    }
}

/// `/api` replaced by `/` in `/api/x`, which leaves `//x`.
fn rewrites(item: &Item<VirtualService>, route: &HttpRoute, at: &FieldPath, found: &mut Findings) {
    let Some(uri) = route.rewrite.as_ref().map(|rewrite| rewrite.uri.as_str()).filter(|uri| uri.ends_with('/')) else {
        return;
    };
    let prefixes = route.r#match.iter().filter_map(|entry| entry.uri.as_ref()?.prefix.as_deref());
    if let Some(prefix) = prefixes.into_iter().find(|prefix| !prefix.ends_with('/')) {
        let message = format!(
            "The prefix {prefix} is replaced as it stands, by {uri}: {prefix}/x becomes {uri}/x. Match the prefix {prefix}/ in \
             an entry of its own."
        );
        found.add(&DOUBLE_SLASH, &item.resource, at.field("rewrite").field("uri"), message);
    }
}

/// The status with which a route refuses what it takes.
fn refusal(route: &HttpRoute) -> Option<u32> {
    let answered = route.direct_response.as_ref().map(|response| response.status);
    let aborted = route.fault.as_ref().and_then(|fault| {
        let abort = fault.abort.as_ref()?;
        let always = abort.percentage.is_some_and(|share| share.value >= 100.0);
        abort.http_status.filter(|_| always).and_then(|status| u32::try_from(status).ok())
    });
    answered.or(aborted).filter(|status| *status >= 400)
}

/// A route that refuses what an earlier one has let through already.
fn refuses_too_late(
    item: &Item<VirtualService>,
    index: usize,
    route: &HttpRoute,
    at: &FieldPath,
    found: &mut Findings,
) {
    let Some(status) = refusal(route) else { return };
    let everything = [HttpMatch::default()];
    let entries = |route: &'_ HttpRoute| match route.r#match.is_empty() {
        true => everything.to_vec(),
        false => route.r#match.clone(),
    };
    let takes = |(_, earlier): &(usize, &HttpRoute)| {
        refusal(earlier).is_none()
            && entries(route).iter().all(|late| entries(earlier).iter().any(|early| takes_all_of(early, late)))
    };
    if let Some((number, _)) = item.spec.http[..index].iter().enumerate().find(takes) {
        let message = format!(
            "Rule #{index} refuses ({status}) what rule #{number} lets through before: the first that matches decides, not the \
             most specific. Put it first."
        );
        found.add(&REFUSES_TOO_LATE, &item.resource, at.clone(), message);
    }
}

/// Whether every call that meets `late` meets `early`.
fn takes_all_of(early: &HttpMatch, late: &HttpMatch) -> bool {
    let path = match (&early.uri, &late.uri) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(early), Some(late)) => match (&early.prefix, &early.regex, &late.exact, &late.prefix) {
            (Some(early), _, Some(late), _) | (Some(early), _, _, Some(late)) => late.starts_with(early.as_str()),
            (_, Some(regex), ..) => matches!(regex.as_str(), ".*" | "/.*"),
            _ => early == late,
        },
    };
    path && asks_no_more(early, late)
}

/// Routes of HTTP for ports that are passed through unread, and of TLS for ports of HTTP.
fn protocols(model: &Model<'_>, item: &Item<VirtualService>, found: &mut Findings) {
    if !is_mesh(&item.spec) {
        return;
    }
    let ports: Vec<_> = item
        .spec
        .hosts
        .iter()
        .flat_map(|host| {
            let host = qualify(host, item.namespace());
            let entries = model.hosts.iter().filter(move |one| covers(&host, &one.host) || covers(&one.host, &host));
            entries.flat_map(|one| one.ports.iter().map(|port| (port.number, port.http)))
        })
        .collect();
    if ports.is_empty() {
        return;
    }
    let shown = |http: bool| {
        let mut numbers: Vec<_> = ports.iter().filter(|(_, of)| *of == http).map(|(number, _)| *number).collect();
        numbers.dedup();
        numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
    };
    if !item.spec.http.is_empty() && ports.iter().all(|(_, http)| !http) {
        let message = format!(
            "Routes of http are never used: what the hosts' ports ({}) speak is passed through unread. Use tls routes, or declare \
             a port of protocol HTTP.",
            shown(false)
        );
        found.add(&OTHER_PROTOCOL, &item.resource, FieldPath::of("spec.http"), message);
    }
    if !item.spec.tls.is_empty() && ports.iter().all(|(_, http)| *http) {
        let message = format!(
            "Routes of tls are never used: the hosts' ports ({}) speak HTTP, and protocol decides, not the number. Declare \
             protocol TLS for HTTPS that is to be passed through.",
            shown(true)
        );
        found.add(&OTHER_PROTOCOL, &item.resource, FieldPath::of("spec.tls"), message);
    }
}

/// Routes of HTTP of which none can apply at a sidecar, at any port of the hosts: calls go as if there were no VirtualService.
fn not_at_sidecars(model: &Model<'_>, item: &Item<VirtualService>, found: &mut Findings) {
    if !is_mesh(&item.spec) || item.spec.http.is_empty() {
        return;
    }
    let registered: Vec<_> = item.spec.hosts.iter().filter_map(|host| model.host(host, item.namespace())).collect();
    let ports: Vec<u32> =
        registered.iter().flat_map(|host| &host.ports).filter(|port| port.http).map(|port| port.number).collect();
    let here = |entry: &HttpMatch| {
        (entry.gateways.is_empty() || entry.gateways.iter().any(|name| name == MESH))
            && (entry.port == 0 || ports.contains(&entry.port))
    };
    let applies = |route: &HttpRoute| route.r#match.is_empty() || route.r#match.iter().any(here);
    if !ports.is_empty() && !item.spec.http.iter().any(applies) {
        let ports = ports.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        let message = format!(
            "No route applies at the sidecars, where calls come to the hosts' ports {ports}: they go straight to the hosts, as if \
             this VirtualService were not there."
        );
        found.add(&NOT_AT_SIDECARS, &item.resource, FieldPath::of("spec.http"), message);
    }
}

/// VirtualServices that a gateway puts together, because they are of one host.
fn merged(model: &Model<'_>, found: &mut Findings) {
    let mut by_host: BTreeMap<(String, String), Vec<&Item<VirtualService>>> = BTreeMap::new();
    for item in model.virtual_services.iter().filter(|item| !item.spec.http.is_empty()) {
        for written in item.spec.gateways.iter().filter(|written| *written != MESH) {
            let (namespace, name) = gateway_named(written, item.namespace());
            for host in &item.spec.hosts {
                let place = (format!("{namespace}/{name}"), qualify(host, item.namespace()));
                by_host.entry(place).or_default().push(item);
            }
        }
    }
    for ((gateway, host), items) in by_host.into_iter().filter(|(_, items)| items.len() > 1) {
        let names: Vec<_> = items.iter().map(|item| item.full_name()).collect();
        let message = format!(
            "The VirtualServices {} are of the same host {host} at gateway {gateway}: their routes are put together, the oldest \
             first, and those that take everything last.",
            names.join(", ")
        );
        for item in items {
            found.add(&MERGED_AT_GATEWAY, &item.resource, FieldPath::of("spec.hosts"), message.clone());
        }
    }
}
