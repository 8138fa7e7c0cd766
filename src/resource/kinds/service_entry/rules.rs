//! The rules of a ServiceEntry.

use std::collections::BTreeSet;

use super::{Resolution, ServiceEntry, ServicePort};
use crate::resource::host;
use crate::resource::kinds::check::{self, At};
use crate::resource::kinds::gateway::{self, HTTP, TLS};
use crate::resource::kinds::workload_entry::{self, WorkloadEntry};

/// Most hosts, ports or addresses (the schema of Istio's CRD).
const MAX_ITEMS: usize = 256;

pub(super) fn service_entry(at: &mut At<'_>, entry: &ServiceEntry, namespace: &str) {
    workload_selector(at, entry);
    if entry.hosts.is_empty() {
        at.field("hosts").missing("service entry must have at least one host");
    }
    let sizes = [("hosts", entry.hosts.len()), ("addresses", entry.addresses.len()), ("ports", entry.ports.len())];
    for (field, len) in sizes.into_iter().filter(|(_, len)| *len > MAX_ITEMS) {
        at.field(field).invalid(format!("Too many: {len}: must have at most {MAX_ITEMS} items"));
    }
    at.each("hosts", &entry.hosts, |at, host| self::host(at, host, entry.resolution));
    addresses(at, entry);
    ports(at, entry);
    match entry.resolution {
        Resolution::None => {
            if !entry.endpoints.is_empty() {
                at.field("endpoints").advise(
                    "no endpoints should be provided for resolution type none",
                    "set resolution to STATIC for addresses, or to DNS for names",
                );
            }
        }
        Resolution::Static => {
            at.each("endpoints", &entry.endpoints, |at, endpoint| static_endpoint(at, endpoint, entry))
        }
        Resolution::Dns => dns(at, entry, "DNS"),
        Resolution::DnsRoundRobin => {
            dns(at, entry, "DNS_ROUND_ROBIN");
            if entry.endpoints.len() > 1 {
                at.field("endpoints").invalid("there must only be 0 or 1 endpoint for resolution mode DNS_ROUND_ROBIN");
            }
        }
        Resolution::DynamicDns => dynamic_dns(at, entry),
    }
    several_hosts(at, entry);
    check::export_to(&mut at.field("exportTo"), &entry.export_to, namespace, true);
}

fn workload_selector(at: &mut At<'_>, entry: &ServiceEntry) {
    at.part("workloadSelector", entry.workload_selector.as_ref(), |at, selector| {
        if selector.labels.is_empty() {
            at.warn(
                "service entry: workload selector specified without labels, will be applied to all services in namespace",
            );
        }
        check::selector(&mut at.field("labels"), &selector.labels);
        if entry.resolution == Resolution::None {
            at.ignored("workloadSelector should not be set when resolution mode is NONE");
        }
    });
    if entry.workload_selector.is_some() && !entry.endpoints.is_empty() {
        at.field("endpoints").invalid("only one of WorkloadSelector or Endpoints is allowed in Service Entry");
    }
}

fn host(at: &mut At<'_>, host: &str, resolution: Resolution) {
    if host == "*" {
        at.invalid("invalid host *");
    } else if let Err(why) = host::wildcard_domain(host) {
        at.invalid(why);
    } else if host::is_partial_wildcard(host) && resolution != Resolution::DynamicDns {
        at.warn(format!("partial wildcard \"{host}\" not allowed"));
    }
}

fn addresses(at: &mut At<'_>, entry: &ServiceEntry) {
    let networks = matches!(entry.resolution, Resolution::None | Resolution::Static);
    at.each("addresses", &entry.addresses, |at, address| {
        check::subnet(at, address);
        if address.contains('/') && !networks {
            at.invalid("CIDR addresses are allowed only for NONE/STATIC resolution types");
        }
    });
}

fn ports(at: &mut At<'_>, entry: &ServiceEntry) {
    let (mut names, mut numbers) = (BTreeSet::new(), BTreeSet::new());
    at.each("ports", &entry.ports, |at, port| {
        check::port(&mut at.field("number"), port.number);
        if !numbers.insert(port.number) {
            at.field("number").duplicate(format!("service entry port {} already defined", port.number));
        }
        if port.target_port != 0 {
            check::port(&mut at.field("targetPort"), port.target_port);
        }
        gateway::optional_protocol(&mut at.field("protocol"), &port.protocol);
        let mut name = at.field("name");
        if port.name.is_empty() {
            name.required();
        } else if !check::is_label(&port.name) {
            name.invalid(format!("invalid port name: {}", port.name));
        } else if !names.insert(port.name.clone()) {
            name.duplicate(format!("service entry port name \"{}\" already defined", port.name));
        }
        if entry.addresses.is_empty() && entry.resolution != Resolution::DynamicDns && needs_address(port) {
            at.field("protocol").warn(
                "addresses are required for ports serving TCP (or unset) protocol: without them the whole port is claimed",
            );
        }
    });
}

/// Whether a port's services are told apart by nothing but address.
fn needs_address(port: &ServicePort) -> bool {
    gateway::is_one_of(&port.protocol, &["", "TCP", "MONGO", "REDIS", "MYSQL"])
}

/// Hosts on one port of TCP cannot be told apart, unless by the addresses that their callers dial.
fn several_hosts(at: &mut At<'_>, entry: &ServiceEntry) {
    if entry.hosts.len() < 2 || entry.resolution == Resolution::None {
        return;
    }
    let told_apart =
        |port: &ServicePort| gateway::is_one_of(&port.protocol, HTTP) || gateway::is_one_of(&port.protocol, TLS);
    let dns = matches!(entry.resolution, Resolution::Dns | Resolution::DnsRoundRobin);
    if !entry.ports.iter().all(told_apart) {
        at.field("hosts").advise(
            "multiple hosts provided with non-HTTP, non-TLS ports",
            "declare a ServiceEntry for each host, or give the ports a protocol that names hosts",
        );
    } else if dns
        && !entry.addresses.is_empty()
        && entry.ports.iter().any(|port| gateway::is_one_of(&port.protocol, TLS))
    {
        at.field("hosts")
            .warn("service entry can not have more than one host specified simultaneously with address and tcp port");
    }
}

fn static_endpoint(at: &mut At<'_>, endpoint: &WorkloadEntry, entry: &ServiceEntry) {
    let mut address = at.field("address");
    match endpoint.address.as_str() {
        "" if endpoint.network.is_empty() => return address.missing("address is required"),
        "" => address.warn(format!("address is unset with network \"{}\"", endpoint.network)),
        text if text.starts_with("unix://") => {
            workload_entry::address(&mut address, text);
            if entry.ports.len() != 1 {
                address.invalid("exactly 1 service port required for unix endpoints");
            }
        }
        text if !check::is_ip(text) => {
            let message = format!("endpoint address \"{text}\" is not a valid IP address");
            address.advise(message, "names need resolution: DNS");
        }
        _ => {}
    }
    endpoint_fields(at, endpoint, entry);
}

fn endpoint_fields(at: &mut At<'_>, endpoint: &WorkloadEntry, entry: &ServiceEntry) {
    for (name, number) in &endpoint.ports {
        if !entry.ports.iter().any(|port| port.name == *name) {
            let message = format!("endpoint port {number} is not defined by the service entry");
            at.field("ports").field(name).invalid_key(message);
        }
    }
    workload_entry::fields(at, endpoint);
}

fn dns(at: &mut At<'_>, entry: &ServiceEntry, mode: &str) {
    let no_name = |host: &String| host::wildcard_domain(host).is_ok() && host::domain(host).is_err();
    if entry.endpoints.is_empty()
        && let Some(position) = entry.hosts.iter().position(no_name)
    {
        at.field("hosts").index(position).advise(
            format!(
                "hosts must be FQDN or contain only prefix wildcards if no endpoints are provided for resolution mode {mode}"
            ),
            "name the hosts one by one, or give endpoints",
        );
    }
    at.each("endpoints", &entry.endpoints, |at, endpoint| {
        if !check::is_ip(&endpoint.address) && host::domain(&endpoint.address).is_err() {
            at.field("address")
                .invalid(format!("endpoint address \"{}\" is not a valid FQDN or an IP address", endpoint.address));
        }
        endpoint_fields(at, endpoint, entry);
    });
}

fn dynamic_dns(at: &mut At<'_>, entry: &ServiceEntry) {
    at.each("hosts", &entry.hosts, |at, host| {
        if !host::is_wildcard(host) {
            at.invalid("host must be wildcarded for resolution mode DYNAMIC_DNS");
        }
    });
    for (field, given) in [("addresses", !entry.addresses.is_empty()), ("endpoints", !entry.endpoints.is_empty())] {
        if given {
            at.field(field).invalid(format!("{field} cannot be set for resolution type DYNAMIC_DNS"));
        }
    }
    at.each("ports", &entry.ports, |at, port| {
        if !gateway::is_one_of(&port.protocol, &["HTTP", "HTTP2", "GRPC", "TLS"]) {
            at.field("protocol")
                .invalid("only HTTP, TLS, GRPC, and HTTP2 protocols are supported for resolution type DYNAMIC_DNS");
        }
    });
}
