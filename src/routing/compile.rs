//! From resources to the route table.
//!
//! [`Networking`] finds resources by what they name, takes up what is new of them and notes what that touches. A table is
//! a function of names: compiling makes anew the entries of those names that a change can affect, and no others.

mod chains;
mod gateways;
mod made;
mod routes;
mod sidecars;
mod tunnels;

use std::collections::HashMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Service as CoreService;

use crate::call::Failure;
use crate::policy::Kept;
use crate::registry::{Declared, Renewed};
use crate::resource::Labels;
use crate::resource::kinds::destination_rule::DestinationRule;
use crate::resource::kinds::gateway::Gateway;
use crate::resource::kinds::secret::Secret;
use crate::resource::kinds::service_entry::ServiceEntry;
use crate::resource::kinds::sidecar::Sidecar;
use crate::resource::kinds::virtual_service::VirtualService;
use crate::resource::kinds::workload_entry::WorkloadEntry;

use super::RouteTable;
use super::balance::Live;
use super::cluster::Cluster;
use super::credential::{Secrets, credentials_of};
use super::destinations::Destinations;
use super::locality::Locality;
use super::outbound::{OutboundPolicy, Unregistered};
use super::rules::{HostRules, host_of};
use super::scope::{self, Scope, SidecarRule};
use super::services::{Registrar, Services};
use super::touched::{Affected, Touched};
use super::virtual_services::VirtualServices;

use gateways::GatewayMade;
pub(super) use made::Made;
use sidecars::SidecarMade;

/// The namespace of the gateway and of what applies to the whole mesh.
pub const GATEWAY_NAMESPACE: &str = "istio-system";

/// All networking resources, decoded, and what the latest table was made of.
#[derive(Debug, Default)]
pub struct Networking {
    pub(super) services: Services,
    pub(super) rules: HostRules,
    pub(super) secrets: Secrets,
    /// The oldest first.
    sidecars: Vec<(Arc<Declared<Sidecar>>, Arc<SidecarRule>)>,
    virtual_services: VirtualServices,
    /// The oldest first.
    gateways: Vec<Arc<Declared<Gateway>>>,
    /// Host and port of those whom policies ask.
    asked: Vec<(String, u16)>,
    /// What is new since the latest table.
    touched: Touched,
    /// What the latest table has for sidecars, by scope.
    of_sidecars: HashMap<Scope, SidecarMade>,
    /// And for the gateway, with the scope and labels of its workload.
    of_gateway: Option<(Scope, Labels, GatewayMade)>,
}

/// Where a route applies: bound to the sidecars, or to a Gateway by `namespace/name`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place<'a> {
    Mesh,
    Gateway(&'a str, &'a str),
}

impl<'a> Place<'a> {
    fn of(gateway: &'a Declared<Gateway>) -> Self {
        Place::Gateway(gateway.namespace(), &gateway.resource.meta.name)
    }
}

/// A place, the port there, and how calls come to it: `http` or `https`.
#[derive(Clone, Copy)]
struct Spot<'a> {
    place: Place<'a>,
    port: u16,
    scheme: &'static str,
    /// Whose proxy stands there: what `sourceLabels` and `sourceNamespace` are compared with.
    source: &'a Scope,
}

impl<'a> Spot<'a> {
    /// A port of the sidecars of a scope, to whom workloads speak plain text.
    fn mesh(port: u16, source: &'a Scope) -> Self {
        Self { place: Place::Mesh, port, scheme: "http", source }
    }
}

/// What there is for all proxies of a table: how known endpoints do, and the labels of the gateway's workload.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) gateway_labels: &'a Labels,
    pub(super) live: &'a Kept<Live>,
}

impl Networking {
    /// Takes up WorkloadEntries.
    pub fn workload_entries(&mut self, all: Vec<Renewed<WorkloadEntry>>) {
        all.into_iter().for_each(|one| self.services.renew_workload(one, &mut self.touched));
    }

    /// Takes up Services.
    pub fn services(&mut self, all: Vec<Renewed<CoreService>>) {
        for Renewed { before, now } in all {
            self.register(before.map(Registrar::Service), now.map(Registrar::Service));
        }
    }

    /// Takes up ServiceEntries.
    pub fn service_entries(&mut self, all: Vec<Renewed<ServiceEntry>>) {
        for Renewed { before, now } in all {
            self.register(before.map(Registrar::Entry), now.map(Registrar::Entry));
        }
    }

    fn register(&mut self, before: Option<Registrar>, now: Option<Registrar>) {
        before.iter().for_each(|before| self.services.remove(before, &mut self.touched));
        now.into_iter().for_each(|now| self.services.add(now, &mut self.touched));
    }

    /// Takes up DestinationRules.
    pub fn destination_rules(&mut self, all: Vec<Renewed<DestinationRule>>) {
        for Renewed { before, now } in all {
            before.iter().for_each(|before| self.rules.remove(before));
            now.iter().for_each(|now| self.rules.add(now));
            self.touched.ruled.extend(before.iter().chain(&now).map(|declared| host_of(declared)));
        }
    }

    /// Takes up Secrets.
    pub fn secrets(&mut self, all: Vec<Renewed<Secret>>) {
        for Renewed { before, now } in all {
            if let Some(secret) = &before {
                self.secrets.remove(secret.namespace(), &secret.resource.meta.name);
            }
            if let Some(secret) = &now {
                self.secrets.add(secret.namespace(), &secret.resource.meta.name, &secret.spec);
            }
            for secret in before.iter().chain(&now) {
                let credentials = credentials_of(&secret.resource.meta.name);
                self.touched.ruled.extend(credentials.flat_map(|credential| self.rules.needing(credential)));
            }
            self.touched.secrets = true;
        }
    }

    /// Takes up Sidecars.
    pub fn sidecars(&mut self, all: Vec<Renewed<Sidecar>>) {
        for Renewed { before, now } in all {
            self.sidecars.retain(|(other, _)| before.as_ref().is_none_or(|before| !Arc::ptr_eq(other, before)));
            if let Some(declared) = now {
                let rule = Arc::new(SidecarRule::new(declared.namespace(), &declared.spec));
                let place = self.sidecars.partition_point(|(other, _)| other.age() <= declared.age());
                self.sidecars.insert(place, (declared, rule));
            }
        }
    }

    /// Takes up VirtualServices.
    pub fn virtual_services(&mut self, all: Vec<Renewed<VirtualService>>) {
        for Renewed { before, now } in all {
            let before = before.and_then(|before| self.virtual_services.remove(&before));
            let now = now.map(|now| self.virtual_services.add(&now));
            self.touched.virtual_services.extend(before.into_iter().chain(now));
        }
    }

    /// Takes up Gateways.
    pub fn gateways(&mut self, all: Vec<Renewed<Gateway>>) {
        for Renewed { before, now } in all {
            self.gateways.retain(|other| before.as_ref().is_none_or(|before| !Arc::ptr_eq(other, before)));
            if let Some(declared) = now {
                let place = self.gateways.partition_point(|other| other.age() <= declared.age());
                self.gateways.insert(place, declared);
            }
            self.touched.gateways = true;
        }
    }

    /// What a proxy sees that stands in a namespace and has these labels, if they are known.
    pub fn scope(&self, namespace: &str, labels: Option<&Labels>) -> Scope {
        let sidecars = self.sidecars.iter().map(|(_, rule)| rule);
        Scope {
            namespace: namespace.to_owned(),
            labels: labels.map(|labels| self.told_apart_by(labels)),
            locality: labels.and_then(Locality::of),
            sidecar: scope::applying(sidecars, namespace, labels, GATEWAY_NAMESPACE),
            rules: labels.map(|labels| self.rules.selecting(namespace, labels)).unwrap_or_default(),
        }
    }

    /// Takes up whom policies ask, by host and port.
    pub fn asks(&mut self, asked: Vec<(String, u16)>) {
        self.asked = asked;
    }

    /// The labels that VirtualServices look at.
    fn told_apart_by(&self, labels: &Labels) -> Labels {
        let known = labels.iter().filter(|(key, _)| self.virtual_services.look_at(key));
        known.map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// The table for sidecars of some scopes, in their order, and for the gateway in a namespace with these labels.
    pub fn compile(
        &mut self,
        scopes: &[Scope],
        outbound: OutboundPolicy,
        (gateway_namespace, gateway_labels): (&str, &Labels),
        live: &Kept<Live>,
    ) -> RouteTable {
        let around = Around { gateway_labels, live };
        let affected = std::mem::take(&mut self.touched).affects(&self.services, &self.virtual_services);
        let (mut of_sidecars, of_gateway) = (std::mem::take(&mut self.of_sidecars), self.of_gateway.take());
        // Which service the gateway's is depends on its labels.
        let of_gateway = of_gateway.filter(|(_, labels, _)| labels == gateway_labels);
        if of_gateway.is_none() {
            of_sidecars.clear();
        }
        let mut sidecars = Vec::with_capacity(scopes.len());
        for scope in scopes {
            let mut made = of_sidecars.remove(scope);
            let table = self.sidecar(scope, outbound, around, &mut made, &affected);
            sidecars.push(table);
            self.of_sidecars.extend(made.map(|made| (scope.clone(), made)));
        }
        // A Sidecar says nothing of gateways.
        let scope = Scope { sidecar: None, ..self.scope(gateway_namespace, Some(gateway_labels)) };
        let made = of_gateway.filter(|(known, ..)| *known == scope).map(|(_, _, made)| made);
        let made = self.gateway(&scope, around, made, &affected);
        let authorizers = self.authorizers(&scope, around);
        let GatewayMade { hosts, tunnels, chains, .. } = &made;
        let (gateways, gateway_tunnels, chains) = (hosts.clone(), Arc::clone(tunnels), Arc::clone(chains));
        self.of_gateway = Some((scope, gateway_labels.clone(), made));
        let around = Unregistered::new(OutboundPolicy::AllowAny);
        RouteTable { sidecars, gateways, gateway_tunnels, chains, authorizers, around }
    }

    /// Where the gateway finds those whom its policies ask.
    fn authorizers(&self, scope: &Scope, around: Around<'_>) -> HashMap<(String, u16), Result<Arc<Cluster>, Failure>> {
        let mut made = Made::default();
        let mut destinations = Destinations::new(self, scope, true, around, &mut made);
        let found = |(host, port): &(String, u16)| {
            let cluster = destinations.cluster(host, Some(*port), *port, "");
            ((host.clone(), *port), cluster)
        };
        self.asked.iter().map(found).collect()
    }

    /// The clusters of a service as sidecars of a scope see it, port by port, without any route: none where the host is no
    /// service, or is the gateway's own.
    pub fn direct(
        &self,
        scope: &Scope,
        host: &str,
        gateway_labels: &Labels,
        live: &Kept<Live>,
    ) -> Vec<(u16, Result<Arc<Cluster>, Failure>)> {
        let Some(service) = self.services.seen(host, &scope.namespace) else { return Vec::new() };
        let mut made = Made::default();
        let mut destinations = Destinations::new(self, scope, false, Around { gateway_labels, live }, &mut made);
        let ports = service.ports.iter().map(|port| port.number);
        let clusters = ports.map(|port| (port, destinations.cluster(host, Some(port), port, "")));
        let is_gateway = |cluster: &Result<Arc<Cluster>, Failure>| {
            cluster.as_ref().is_ok_and(|cluster| cluster.target.gateway().is_some())
        };
        clusters.filter(|(_, cluster)| !is_gateway(cluster)).collect()
    }

    /// Everything there is, for proxies that nothing has been made for.
    fn everything(&self) -> Affected {
        Affected::everything(&self.services, &self.virtual_services)
    }

    /// The Gateways that a gateway with these labels takes up.
    fn selected_gateways(&self, labels: &Labels) -> impl Iterator<Item = &Arc<Declared<Gateway>>> {
        let selects = |gateway: &&Arc<Declared<Gateway>>| {
            gateway.spec.selector.iter().all(|(key, value)| labels.get(key) == Some(value))
        };
        self.gateways.iter().filter(selects)
    }
}

/// Whether a list of gateway names, written in a namespace, has a place: `mesh`, `name`, `namespace/name`, `./name`, or
/// the old full form.
fn names_place(gateways: &[String], namespace: &str, place: Place<'_>) -> bool {
    gateways.iter().any(|written| match place {
        Place::Mesh => written == "mesh",
        Place::Gateway(of, name) => match written.split_once('/') {
            Some((".", written)) => written == name && namespace == of,
            Some((written_namespace, written)) => written == name && written_namespace == of,
            None => match written.strip_suffix(".svc.cluster.local").and_then(|short| short.split_once('.')) {
                Some((written, written_namespace)) => written == name && written_namespace == of,
                None => written == name && namespace == of && name != "mesh",
            },
        },
    })
}
