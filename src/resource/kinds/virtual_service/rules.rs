//! The rules of a VirtualService as a whole, and of its TLS and TCP routes.

use std::collections::{BTreeMap, HashSet};

use super::{Destination, L4Match, MESH, RouteDestination, TcpRoute, TlsMatch, TlsRoute, VirtualService};
use super::{http_rules, match_rules};
use crate::resource::host;
use crate::resource::kinds::check::{self, At};

pub(super) fn virtual_service(at: &mut At<'_>, service: &VirtualService) {
    let delegate = service.hosts.is_empty();
    if delegate {
        delegate_rules(at, service);
    }
    let in_mesh = service.gateways.is_empty() || service.gateways.iter().any(|gateway| gateway == MESH);
    at.each("gateways", &service.gateways, |at, gateway| gateway_name(at, gateway));
    at.each("hosts", &service.hosts, |at, host| match host.as_str() {
        "*" if in_mesh => at.advise(
            "wildcard host * is not allowed for virtual services bound to the mesh gateway",
            "name a gateway under gateways, or the hosts",
        ),
        host if check::is_ip(host) => {}
        host => at.verdict(host::wildcard_domain(host)),
    });
    overlaps(&mut at.field("hosts"), &service.hosts);
    if service.http.is_empty() && service.tls.is_empty() && service.tcp.is_empty() {
        at.missing("http, tcp or tls must be provided in virtual service");
    }
    at.each("http", &service.http, |at, route| http_rules::http_route(at, route, delegate, in_mesh));
    at.each("tls", &service.tls, |at, route| tls_route(at, route, &service.hosts));
    at.each("tcp", &service.tcp, tcp_route);
    check::export_to(&mut at.field("exportTo"), &service.export_to, false);
}

fn delegate_rules(at: &mut At<'_>, service: &VirtualService) {
    let forbidden = [
        ("gateways", service.gateways.is_empty(), "delegate virtual service must have no gateways specified"),
        ("tls", service.tls.is_empty(), "delegate virtual service must have no tls route specified"),
        ("tcp", service.tcp.is_empty(), "delegate virtual service must have no tcp route specified"),
    ];
    for (field, _, message) in forbidden.into_iter().filter(|(_, absent, _)| !absent) {
        at.field(field).advise(message, "without hosts it is a delegate: give it hosts");
    }
}

/// Checks a gateway's name: `mesh`, `name`, `namespace/name`, `./name`, or a full service name of old.
pub(super) fn gateway_name(at: &mut At<'_>, gateway: &str) {
    let good = match gateway.split_once('/') {
        Some((namespace, name)) => (namespace == "." || check::is_label(namespace)) && check::is_label(name),
        None if gateway.contains('.') && host::domain(gateway).is_ok() => {
            return at.deprecated(format!(
                "using legacy gatewayName format \"{gateway}\"; prefer the namespace/name format"
            ));
        }
        None => check::is_label(gateway),
    };
    if !good {
        at.invalid(format!("invalid value for gateway name: \"{gateway}\""));
    }
}

/// Finds hosts of which one covers the other. Each host is looked up by its own endings, so the cost is linear.
fn overlaps(at: &mut At<'_>, hosts: &[String]) {
    let mut seen = HashSet::new();
    let wildcards: HashSet<&str> = hosts.iter().filter_map(|host| host.strip_prefix('*')).collect();
    for (index, host) in hosts.iter().enumerate() {
        let mut at = at.index(index);
        if !seen.insert(host) {
            at.duplicate(format!("duplicate hosts in virtual service: {host} & {host}"));
            continue;
        }
        let stem = host.strip_prefix('*');
        let endings = host.char_indices().map(|(start, _)| &host[start..]).chain([""]);
        let wider = endings.filter(|ending| stem != Some(*ending)).find(|ending| wildcards.contains(ending));
        if let Some(wider) = wider {
            at.duplicate(format!("duplicate hosts in virtual service: {host} & *{wider}"));
        }
    }
}

fn tls_route(at: &mut At<'_>, route: &TlsRoute, hosts: &[String]) {
    if route.r#match.is_empty() {
        at.field("match").missing("TLS route must have at least one match condition");
    }
    at.each("match", &route.r#match, |at, entry| tls_match(at, entry, hosts));
    l4_destinations(at, &route.route, "TLS route is required");
}

fn tls_match(at: &mut At<'_>, entry: &TlsMatch, hosts: &[String]) {
    if entry.sni_hosts.is_empty() {
        at.field("sniHosts").missing("TLS match must have at least one SNI host");
    }
    at.each("sniHosts", &entry.sni_hosts, |at, sni| {
        if check::is_ip(sni) {
            at.warn(format!(
                "using an IP address (\"{sni}\") goes against SNI spec and most clients do not support this"
            ));
        } else if let Err(why) = host::wildcard_domain(sni) {
            at.invalid(why);
        } else if !hosts.iter().any(|host| host::is_subset(sni, host)) {
            let hosts = hosts.join(" ");
            at.invalid(format!(
                "SNI host \"{sni}\" is not a compatible subset of any of the virtual service hosts: [{hosts}]"
            ));
        }
    });
    subnets(at, "destinationSubnets", &entry.destination_subnets);
    conditions(at, entry.port, &entry.source_labels, &entry.gateways, &entry.source_namespace);
}

fn tcp_route(at: &mut At<'_>, route: &TcpRoute) {
    at.each("match", &route.r#match, l4_match);
    l4_destinations(at, &route.route, "TCP route is required");
}

fn l4_match(at: &mut At<'_>, entry: &L4Match) {
    subnets(at, "destinationSubnets", &entry.destination_subnets);
    if !entry.source_subnet.is_empty() && !check::is_ip_or_cidr(&entry.source_subnet) {
        at.field("sourceSubnet").invalid(format!("{} is not a valid IP address or network", entry.source_subnet));
    }
    conditions(at, entry.port, &entry.source_labels, &entry.gateways, &entry.source_namespace);
}

fn subnets(at: &mut At<'_>, field: &str, subnets: &[String]) {
    at.each(field, subnets, |at, subnet| {
        if !check::is_ip_or_cidr(subnet) {
            at.invalid(format!("{subnet} is not a valid IP address or network"));
        }
    });
}

/// Checks the conditions that all sorts of matches have.
pub(super) fn conditions(
    at: &mut At<'_>,
    port: u32,
    source_labels: &BTreeMap<String, String>,
    gateways: &[String],
    source_namespace: &str,
) {
    if port != 0 {
        check::port(&mut at.field("port"), port);
    }
    check::labels(&mut at.field("sourceLabels"), source_labels);
    at.each("gateways", gateways, |at, gateway| gateway_name(at, gateway));
    if !source_namespace.is_empty() && !check::is_label(source_namespace) {
        at.field("sourceNamespace").invalid(format!("sourceNamespace match {source_namespace} is invalid"));
    }
}

fn l4_destinations(at: &mut At<'_>, routes: &[RouteDestination], missing: &str) {
    if routes.is_empty() {
        at.field("route").missing(missing);
    }
    at.each("route", routes, |at, route| destination(at, route.destination.as_ref()));
    weights(at, &routes.iter().map(|route| route.weight).collect::<Vec<_>>());
}

/// Checks a destination that must be there.
pub(super) fn destination(at: &mut At<'_>, destination: Option<&Destination>) {
    let mut at = at.field("destination");
    match destination {
        None => at.missing("destination is required"),
        Some(destination) => destination_fields(&mut at, destination),
    }
}

/// Checks a destination's own fields.
pub(in crate::resource::kinds) fn destination_fields(at: &mut At<'_>, destination: &Destination) {
    match destination.host.as_str() {
        "" => at.field("host").required(),
        "*" => at.field("host").invalid("invalid destination host *"),
        host if check::is_ip(host) => {}
        host => at.field("host").verdict(host::wildcard_domain(host)),
    }
    if !destination.subset.is_empty() && !check::is_label(&destination.subset) {
        at.field("subset").invalid(format!("subset name is invalid: {}", destination.subset));
    }
    at.part("port", destination.port.as_ref(), |at, port| check::port(&mut at.field("number"), port.number));
}

/// Checks the weights of the destinations of one route.
pub(super) fn weights(at: &mut At<'_>, weights: &[i32]) {
    for (index, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight < 0) {
        at.field("route").index(index).field("weight").invalid(format!("weight {weight} < 0"));
    }
    let sum: i64 = weights.iter().map(|weight| i64::from(*weight)).sum();
    if weights.len() > 1 && sum == 0 {
        at.field("route").invalid("total destination weight = 0");
    }
}

/// Checks the matches of an HTTP route.
pub(super) fn http_matches(at: &mut At<'_>, matches: &[super::HttpMatch], in_mesh: bool) {
    at.each("match", matches, |at, entry| match_rules::http_match(at, entry, in_mesh));
}
