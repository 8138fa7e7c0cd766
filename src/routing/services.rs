//! Which hosts are registered: ServiceEntries and Services, and where each can be reached.

use std::collections::HashMap;

use k8s_openapi::api::core::v1::{Service as CoreService, ServiceSpec};

use crate::resource::kinds::service_entry::{Location, Resolution, ServiceEntry};
use crate::resource::kinds::workload_entry::WorkloadEntry;
use crate::resource::{Labels, Resource};

use super::hosts::{HostTable, qualify};
use super::private::Private;
use super::subnet::{Subnet, subnets};

/// A registered host.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) host: String,
    pub(super) namespace: String,
    pub(super) ports: Vec<Port>,
    pub(super) reach: Reach,
    /// The private addresses that its names may lead to.
    pub(super) private: Private,
    /// Networks that clients dial for it.
    pub(super) addresses: Vec<Subnet>,
    /// Whether it is reached where the caller wanted to go.
    pub(super) original: bool,
    /// Names that certificates of its endpoints carry, if not its host.
    pub(super) subject_alt_names: Vec<String>,
    export_to: Vec<String>,
}

/// One port of a [`Service`].
#[derive(Debug, Clone)]
pub(super) struct Port {
    pub(super) number: u16,
    pub(super) name: String,
    /// Port that is dialled, where it is another.
    pub(super) target: u16,
    /// Whether HTTP is spoken there, so that routes and policies apply.
    pub(super) http: bool,
    /// Whether that is HTTP/2.
    pub(super) multiplexed: bool,
    /// What is spoken there if its bytes are passed on unread.
    pub(super) bytes: Option<Bytes>,
}

/// Protocols whose bytes are passed on unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bytes {
    /// Told apart by server name.
    Tls,
    /// Told apart by nothing.
    Tcp,
}

/// How a [`Service`] is reached.
#[derive(Debug, Clone)]
pub(super) enum Reach {
    /// Its endpoints.
    Endpoints(Vec<Address>),
    /// Its own name.
    Host,
    /// Workloads with these labels; of them only the egress gateway is here.
    Selected(Labels),
}

/// An endpoint of a ServiceEntry.
#[derive(Debug, Clone)]
pub(super) struct Address {
    pub(super) address: String,
    pub(super) ports: HashMap<String, u16>,
    pub(super) labels: Labels,
    pub(super) weight: u32,
}

impl Service {
    /// Whether resources and calls of a namespace see it (`exportTo`; all do by default).
    pub(super) fn visible_from(&self, namespace: &str) -> bool {
        exported(&self.export_to, &self.namespace, namespace)
    }

    pub(super) fn port(&self, number: u16) -> Option<&Port> {
        self.ports.iter().find(|port| port.number == number)
    }
}

/// Whether `exportTo` of a resource of `own` lets `namespace` see it.
pub fn exported(export_to: &[String], own: &str, namespace: &str) -> bool {
    export_to.is_empty()
        || export_to.iter().any(|to| match to.as_str() {
            "*" => true,
            "." => own == namespace,
            name => name == namespace,
        })
}

/// All registered hosts; of two with one name the Service wins, then the older ServiceEntry.
#[derive(Debug, Default)]
pub(super) struct Services(Vec<Service>);

impl Services {
    /// Adds the hosts of a ServiceEntry.
    pub(super) fn add_entry(&mut self, resource: &Resource, spec: &ServiceEntry) {
        let ports: Vec<_> = spec
            .ports
            .iter()
            .filter_map(|port| {
                let number = u16::try_from(port.number).ok()?;
                let target = u16::try_from(port.target_port).ok().filter(|target| *target > 0);
                let (http, bytes) = (is_http(&port.protocol), bytes(&port.protocol));
                let multiplexed = ["HTTP2", "GRPC"].iter().any(|name| port.protocol.eq_ignore_ascii_case(name));
                let (name, target) = (port.name.clone(), target.unwrap_or(number));
                Some(Port { number, name, target, http, multiplexed, bytes })
            })
            .collect();
        let reach = match spec.resolution {
            _ if !spec.endpoints.is_empty() => Reach::Endpoints(spec.endpoints.iter().map(address).collect()),
            Resolution::Static => Reach::Endpoints(Vec::new()),
            _ => Reach::Host,
        };
        let private = match spec.location {
            Location::MeshInternal => Private::Any,
            Location::MeshExternal => Private::Only(spec.addresses.iter().filter_map(|one| one.parse().ok()).collect()),
        };
        self.0.extend(spec.hosts.iter().map(|host| Service {
            host: qualify(host, resource.namespace()),
            namespace: resource.namespace().to_owned(),
            ports: ports.clone(),
            reach: reach.clone(),
            private: private.clone(),
            addresses: subnets(&spec.addresses),
            original: matches!(spec.resolution, Resolution::None | Resolution::DynamicDns) && spec.endpoints.is_empty(),
            subject_alt_names: spec.subject_alt_names.clone(),
            export_to: spec.export_to.clone(),
        }));
    }

    /// Adds a Service of the mesh under its full name.
    pub(super) fn add_core(&mut self, resource: &Resource, service: &CoreService) {
        let ServiceSpec { ports, selector, .. } = service.spec.clone().unwrap_or_default();
        let ports = ports.unwrap_or_default().into_iter().filter_map(|port| {
            let number = u16::try_from(port.port).ok()?;
            Some(Port {
                number,
                name: port.name.unwrap_or_default(),
                target: number,
                http: true,
                multiplexed: false,
                bytes: None,
            })
        });
        self.0.push(Service {
            host: qualify(&resource.meta.name, resource.namespace()),
            namespace: resource.namespace().to_owned(),
            ports: ports.collect(),
            reach: Reach::Selected(selector.unwrap_or_default().into_iter().collect()),
            private: Private::Any,
            addresses: Vec::new(),
            original: false,
            subject_alt_names: Vec::new(),
            export_to: Vec::new(),
        });
    }

    /// The hosts that a namespace sees. Ports of a second entry for one host are added to the first's.
    pub(super) fn seen_from(&self, namespace: &str) -> HostTable<Service> {
        let mut table: HostTable<Service> = HostTable::default();
        for service in self.0.iter().filter(|service| service.visible_from(namespace)) {
            let known = table.entry(&service.host).or_insert_with(|| service.clone());
            let more: Vec<_> = service.ports.iter().filter(|port| known.port(port.number).is_none()).cloned().collect();
            known.ports.extend(more);
        }
        table
    }
}

fn address(endpoint: &WorkloadEntry) -> Address {
    let ports = endpoint.ports.iter().filter_map(|(name, port)| Some((name.clone(), u16::try_from(*port).ok()?)));
    Address {
        address: endpoint.address.clone(),
        ports: ports.collect(),
        labels: endpoint.labels.clone(),
        weight: endpoint.weight.max(1),
    }
}

/// Whether a port's protocol is one that HTTP routes apply to; an empty one is told from what is sent, which is HTTP
/// here.
fn is_http(protocol: &str) -> bool {
    ["", "HTTP", "HTTP2", "GRPC", "GRPC-WEB"].iter().any(|http| http.eq_ignore_ascii_case(protocol))
}

/// How the bytes of a protocol are passed on, if they are.
pub(super) fn bytes(protocol: &str) -> Option<Bytes> {
    match protocol.to_ascii_uppercase().as_str() {
        "TLS" | "HTTPS" => Some(Bytes::Tls),
        "TCP" | "MONGO" | "REDIS" | "MYSQL" => Some(Bytes::Tcp),
        _ => None,
    }
}
