//! Hosts that are let out: which names they cover, and whether they can be told apart.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::diagnostic::FieldPath;
use crate::resource::Resource;
use crate::resource::host;
use crate::resource::kinds::service_entry::{Resolution, ServiceEntry};
use crate::resource::kinds::sidecar::{OutboundMode, Sidecar};

use super::code::{
    ALLOWS_ANY, EMPTY_POLICY, HOST_FORM, NAME_AGAINST_PROTOCOL, SAME_PORT, WILDCARD_BY_DNS, WILDCARD_GRANT,
};
use super::model::Item;
use super::{Findings, Model};

pub(super) fn analyze(model: &Model<'_>, found: &mut Findings) {
    for item in &model.service_entries {
        wildcards(item, found);
        port_names(item, found);
        forms(&item.resource, "spec.hosts", &item.spec.hosts, found);
    }
    for item in &model.virtual_services {
        forms(&item.resource, "spec.hosts", &item.spec.hosts, found);
    }
    for item in &model.gateways {
        for (index, server) in item.spec.servers.iter().enumerate() {
            forms(&item.resource, &format!("spec.servers[{index}].hosts"), &server.hosts, found);
        }
    }
    for item in &model.destination_rules {
        forms(&item.resource, "spec.host", std::slice::from_ref(&item.spec.host), found);
    }
    same_ports(model, found);
    for item in &model.sidecars {
        outbound(item, found);
    }
}

/// Wildcards that nothing can resolve, and what a wildcard lets out.
fn wildcards(item: &Item<ServiceEntry>, found: &mut Findings) {
    let by_dns = matches!(item.spec.resolution, Resolution::Dns | Resolution::DnsRoundRobin);
    for (index, host) in item.spec.hosts.iter().enumerate().filter(|(_, host)| host.starts_with('*')) {
        let at = FieldPath::of("spec.hosts").index(index);
        if by_dns && item.spec.endpoints.is_empty() {
            let message = format!(
                "{host} is no name that DNS could resolve. Set resolution to NONE, so that the name of each call is resolved, \
                 or list the hosts one by one."
            );
            found.add(&WILDCARD_BY_DNS, &item.resource, at.clone(), message);
        }
        let below = host.trim_start_matches(['*', '.']);
        let message = match below {
            "" => format!("{host} lets out calls to every name there is."),
            below => {
                format!("{host} lets out calls to every name below {below}, also to those that nobody wrote down.")
            }
        };
        found.add(&WILDCARD_GRANT, &item.resource, at, message);
    }
}

/// Names such as `https` at a port whose protocol is another: only the protocol counts.
fn port_names(item: &Item<ServiceEntry>, found: &mut Findings) {
    const FAMILIES: [&[&str]; 3] = [&["http", "http2", "grpc"], &["https", "tls"], &["tcp", "mongo", "mysql", "redis"]];
    let family = |word: &str| FAMILIES.iter().position(|family| family.contains(&word));
    for (index, port) in item.spec.ports.iter().enumerate() {
        let named = port.name.to_ascii_lowercase();
        let named = named.split('-').next().unwrap_or_default();
        let (name, protocol) = (family(named), family(&port.protocol.to_ascii_lowercase()));
        if let (Some(name), Some(protocol)) = (name, protocol)
            && name != protocol
        {
            let message = format!(
                "Port {} is named {}, but its protocol is {}, and only that counts: callers speak {} to it.",
                port.number,
                port.name,
                port.protocol,
                ["plain HTTP", "TLS", "what they like"][protocol]
            );
            found.add(
                &NAME_AGAINST_PROTOCOL,
                &item.resource,
                FieldPath::of("spec.ports").index(index).field("name"),
                message,
            );
        }
    }
}

/// Hosts in a form that covers nothing, with the nearest one that does.
fn forms(resource: &Resource, list: &str, hosts: &[String], found: &mut Findings) {
    for (index, written) in hosts.iter().enumerate() {
        let (scope, bare) = written.split_once('/').map_or(("", written.as_str()), |(scope, bare)| (scope, bare));
        let Some((near, why)) = nearest_form(bare) else { continue };
        let near = if scope.is_empty() { near } else { format!("{scope}/{near}") };
        let at = if list.ends_with("host") { FieldPath::of(list) } else { FieldPath::of(list).index(index) };
        found.add(&HOST_FORM, resource, at, format!("{written} {why}: write {near}."));
    }
}

/// What a host should have been, and why it is not.
fn nearest_form(written: &str) -> Option<(String, &'static str)> {
    if !written.is_ascii() {
        let ascii = idna::domain_to_ascii(written).ok().filter(|ascii| ascii.is_ascii() && !ascii.is_empty())?;
        return Some((ascii, "is never asked for in this form, but in punycode"));
    }
    let labels: Vec<&str> = written.split('.').collect();
    let last = labels.iter().rposition(|label| label.contains('*'))?;
    if last > 0 {
        return Some((
            format!("*.{}", labels[last + 1..].join(".")),
            "has a wildcard that does not stand first, alone",
        ));
    }
    if host::is_partial_wildcard(written) && labels.len() > 1 {
        let rest = written.trim_start_matches('*');
        let rest = if labels.len() > 2 { labels[1..].join(".") } else { rest.to_owned() };
        return Some((
            format!("*.{rest}"),
            "has a wildcard for a part of a label, which also covers other owners' names",
        ));
    }
    None
}

/// Hosts of plain TCP on one port, without addresses.
fn same_ports(model: &Model<'_>, found: &mut Findings) {
    let tcp = ["TCP", "MONGO", "MYSQL", "REDIS"];
    let mut first: BTreeMap<u32, (&Item<ServiceEntry>, &str)> = BTreeMap::new();
    for item in model.service_entries.iter().filter(|item| item.spec.addresses.is_empty()) {
        for (index, port) in item.spec.ports.iter().enumerate() {
            if !tcp.iter().any(|name| port.protocol.eq_ignore_ascii_case(name)) {
                continue;
            }
            for host in &item.spec.hosts {
                let (owner, known) = *first.entry(port.number).or_insert((item, host));
                if known == host {
                    continue;
                }
                let message = format!(
                    "{host} and {known} ({}) are both TCP on port {} without addresses: a connection to an address cannot be \
                     told apart, and in Istio all go to {known}, the older. Callers that name the host (CONNECT, SOCKS 5) \
                     reach both; give addresses for the others.",
                    owner.full_name(),
                    port.number
                );
                found.add(&SAME_PORT, &item.resource, FieldPath::of("spec.ports").index(index), message);
            }
        }
    }
}

/// Whether workloads may call what nobody registered.
pub(super) fn allows_any(sidecar: &Sidecar) -> bool {
    sidecar.outbound_traffic_policy.as_ref().is_some_and(|policy| policy.mode == OutboundMode::AllowAny)
}

/// What a Sidecar says of hosts that nobody registered, perhaps without its author's knowledge.
fn outbound(item: &Item<Sidecar>, found: &mut Findings) {
    let at = FieldPath::of("spec.outboundTrafficPolicy");
    if allows_any(&item.spec) {
        let message = "Mode ALLOW_ANY lets out calls to every host: ServiceEntries are no list of what is allowed.";
        found.add(&ALLOWS_ANY, &item.resource, at.field("mode"), message);
    }
    let written =
        item.resource.spec().get("outboundTrafficPolicy").or(item.resource.spec().get("outbound_traffic_policy"));
    if written.and_then(Json::as_object).is_some_and(|policy| !policy.contains_key("mode")) {
        let message = "An outboundTrafficPolicy without mode is REGISTRY_ONLY, not what the mesh has.";
        found.add(&EMPTY_POLICY, &item.resource, at, message);
    }
}
