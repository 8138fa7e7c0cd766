//! The rules of a VirtualService as a whole, and of its TLS and TCP routes.

use std::collections::{BTreeMap, HashMap};

use super::match_rules::Expressions;
use super::{Destination, L4Match, MESH, RouteDestination, TcpRoute, TlsMatch, TlsRoute, VirtualService};
use super::{http_rules, order};
use crate::resource::host;
use crate::resource::kinds::check::{self, At};

/// Which part of the mesh a VirtualService holds for.
pub(super) struct Bound<'a> {
    /// It has no hosts.
    pub(super) delegate: bool,
    /// It holds at sidecars.
    pub(super) in_mesh: bool,
    /// Its gateways.
    pub(super) gateways: &'a [String],
    /// What its expressions have in common.
    pub(super) expressions: Expressions,
}

pub(super) fn virtual_service(at: &mut At<'_>, service: &VirtualService, namespace: &str) {
    let delegate = service.hosts.is_empty();
    if delegate {
        delegate_rules(at, service);
    }
    let in_mesh = service.gateways.is_empty() || service.gateways.iter().any(|gateway| gateway == MESH);
    let bound = Bound { delegate, in_mesh, gateways: &service.gateways, expressions: Expressions::default() };
    at.each("gateways", &service.gateways, |at, gateway| gateway_name(at, gateway));
    hosts(at, service, in_mesh);
    if service.http.is_empty() && service.tls.is_empty() && service.tcp.is_empty() {
        at.missing("http, tcp or tls must be provided in virtual service");
    }
    at.each("http", &service.http, |at, route| http_rules::http_route(at, route, &bound));
    at.each("tls", &service.tls, |at, route| tls_route(at, route, &service.hosts, in_mesh));
    at.each("tcp", &service.tcp, tcp_route);
    check::export_to(&mut at.field("exportTo"), &service.export_to, namespace, false);
    order::http(&mut at.field("http"), &service.http);
    order::tls(&mut at.field("tls"), &service.tls);
    order::tcp(&mut at.field("tcp"), &service.tcp);
}

fn hosts(at: &mut At<'_>, service: &VirtualService, in_mesh: bool) {
    let by_name =
        !in_mesh && service.tls.iter().flat_map(|route| &route.r#match).any(|entry| !entry.sni_hosts.is_empty());
    let mut valid = true;
    at.each("hosts", &service.hosts, |at, host| match host.as_str() {
        "*" if in_mesh => {
            valid = false;
            at.advise(
                "wildcard host * is not allowed for virtual services bound to the mesh gateway",
                "name a gateway under gateways, or the hosts",
            );
        }
        host if check::is_ip(host) || (by_name && is_cluster_name(host)) => {}
        host => {
            if let Err(why) = host::wildcard_domain(host) {
                valid = false;
                at.invalid(why);
            }
        }
    });
    if valid {
        overlaps(&mut at.field("hosts"), &service.hosts);
    }
}

/// Whether a text is a name that sidecars ask for by TLS: `outbound_.80_._.e2e.foobar.mesh`.
fn is_cluster_name(text: &str) -> bool {
    let parts: Vec<&str> = text.split('_').collect();
    let filled = |part: Option<&&str>, has: fn(&u8) -> bool| part.is_some_and(|part| part.bytes().any(|b| has(&b)));
    parts.len() > 3
        && parts[0] == "outbound"
        && filled(parts.get(1), u8::is_ascii_digit)
        && filled(parts.get(3), u8::is_ascii_alphabetic)
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
    let Some((namespace, name)) = gateway.split_once('/') else {
        return match gateway.split('.').collect::<Vec<_>>()[..] {
            [name, namespace, ..] if host::domain(gateway).is_ok() => at.deprecated(format!(
                "using legacy gatewayName format \"{gateway}\"; prefer the <namespace>/<name> format: \"{namespace}/{name}\""
            )),
            _ if host::domain(gateway).is_ok() => {}
            _ => at.invalid(format!("invalid value for gateway name: \"{gateway}\"")),
        };
    };
    if namespace.is_empty() || name.is_empty() {
        return at.invalid("config namespace and gateway name cannot be empty");
    }
    if namespace != "." && !check::is_label(namespace) {
        at.invalid(format!("invalid value for namespace: \"{namespace}\""));
    }
    if !check::is_label(name) {
        at.invalid(format!("invalid value for gateway name: \"{name}\""));
    }
}

/// Finds hosts of which one covers the other. Each host is looked up by its own endings, so the cost is linear.
fn overlaps(at: &mut At<'_>, hosts: &[String]) {
    let mut seen = HashMap::new();
    let wildcards: HashMap<&str, usize> = hosts
        .iter()
        .enumerate()
        .rev()
        .filter_map(|(position, host)| Some((host.strip_prefix('*')?, position)))
        .collect();
    for (position, host) in hosts.iter().enumerate() {
        let other = match seen.insert(host, position) {
            Some(earlier) => Some(earlier),
            None => {
                let stem = host.strip_prefix('*');
                let endings = host.char_indices().map(|(start, _)| &host[start..]).chain([""]);
                endings.filter(|ending| stem != Some(*ending)).find_map(|ending| wildcards.get(ending).copied())
            }
        };
        if let Some(other) = other {
            let (first, second) = (position.min(other), position.max(other));
            at.index(second)
                .duplicate(format!("duplicate hosts in virtual service: {} & {}", hosts[first], hosts[second]));
        }
    }
}

fn tls_route(at: &mut At<'_>, route: &TlsRoute, hosts: &[String], in_mesh: bool) {
    if route.r#match.is_empty() {
        at.field("match").missing("TLS route must have at least one match condition");
    }
    at.each("match", &route.r#match, |at, entry| tls_match(at, entry, hosts, in_mesh));
    l4_destinations(at, &route.route, "TLS route is required");
}

fn tls_match(at: &mut At<'_>, entry: &TlsMatch, hosts: &[String], in_mesh: bool) {
    if entry.sni_hosts.is_empty() {
        at.field("sniHosts").missing("TLS match must have at least one SNI host");
    }
    at.each("sniHosts", &entry.sni_hosts, |at, sni| {
        if check::is_ip(sni) {
            at.warn(format!(
                "using an IP address (\"{sni}\") goes against SNI spec and most clients do not support this"
            ));
        } else if (in_mesh || !is_cluster_name(sni))
            && let Err(why) = host::wildcard_domain(sni)
        {
            at.invalid(why);
        } else if !hosts.iter().any(|host| host::is_subset(sni, host)) {
            let hosts = hosts.join(", ");
            at.invalid(format!(
                "SNI host \"{sni}\" is not a compatible subset of any of the virtual service hosts: [{hosts}]"
            ));
        }
    });
    at.each("destinationSubnets", &entry.destination_subnets, |at, subnet| check::subnet(at, subnet));
    conditions(at, entry.port, &entry.source_labels, &entry.gateways, &entry.source_namespace);
}

fn tcp_route(at: &mut At<'_>, route: &TcpRoute) {
    at.each("match", &route.r#match, l4_match);
    l4_destinations(at, &route.route, "TCP route is required");
}

fn l4_match(at: &mut At<'_>, entry: &L4Match) {
    at.each("destinationSubnets", &entry.destination_subnets, |at, subnet| check::subnet(at, subnet));
    if !entry.source_subnet.is_empty() {
        check::subnet(&mut at.field("sourceSubnet"), &entry.source_subnet);
    }
    conditions(at, entry.port, &entry.source_labels, &entry.gateways, &entry.source_namespace);
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
