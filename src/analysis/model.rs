//! Everything that analyzers look at, read and decoded once.

use std::collections::HashMap;

use k8s_openapi::api::core::v1::Service;

use crate::expr::Vocabulary;
use crate::identity::Cluster;
use crate::policy::vocabulary;
use crate::registry::{ListQuery, Result, View};
use crate::resource::kinds::destination_rule::DestinationRule;
use crate::resource::kinds::gateway::Gateway;
use crate::resource::kinds::rule::Rule;
use crate::resource::kinds::secret::Secret;
use crate::resource::kinds::service_entry::ServiceEntry;
use crate::resource::kinds::sidecar::Sidecar;
use crate::resource::kinds::virtual_service::{MESH, VirtualService};
use crate::resource::kinds::{
    DESTINATION_RULE, GATEWAY, HANDLER, INSTANCE, POD, RULE, SECRET, SERVICE, SERVICE_ENTRY, SIDECAR, VIRTUAL_SERVICE,
};
use crate::resource::{Kind, Labels, Resource, Role, Typed};
use crate::routing::{covers, exported, exports, qualify};

use super::visibility::World;

/// A resource with its decoded content.
#[derive(Debug)]
pub(super) struct Item<T> {
    pub(super) resource: Resource,
    pub(super) spec: T,
}

impl<T> Item<T> {
    /// The namespace.
    pub(super) fn namespace(&self) -> &str {
        self.resource.namespace()
    }

    /// `NAMESPACE/NAME`, as istioctl names resources in messages.
    pub(super) fn full_name(&self) -> String {
        full_name(&self.resource)
    }
}

impl Item<Rule> {
    /// The field of its condition.
    pub(super) fn field(&self) -> &'static str {
        if self.spec.r#match.is_empty() && !self.spec.selector.is_empty() { "selector" } else { "match" }
    }
}

/// `NAMESPACE/NAME`, as istioctl names resources in messages.
pub(super) fn full_name(resource: &Resource) -> String {
    format!("{}/{}", resource.namespace(), resource.meta.name)
}

/// A host that calls can be sent to, by a Service or a ServiceEntry.
#[derive(Debug)]
pub(super) struct Registered {
    /// In lower case, fully qualified; may begin with a wildcard.
    pub(super) host: String,
    pub(super) namespace: String,
    pub(super) ports: Vec<RegisteredPort>,
    /// Labels of the workloads that answer; none for hosts that nothing of ours answers for.
    pub(super) selector: Option<Labels>,
    /// Labels of its endpoints.
    pub(super) endpoints: Vec<Labels>,
    export_to: Vec<String>,
}

/// A port of a [`Registered`] host.
#[derive(Debug)]
pub(super) struct RegisteredPort {
    pub(super) number: u32,
    /// Whether routes of HTTP apply there.
    pub(super) http: bool,
}

/// Everything that is declared; what does not decode is said of it by the analyzer of schemas, and left out here.
pub(super) struct Model<'v> {
    pub(super) view: &'v dyn View,
    /// Oldest first, as all of these.
    pub(super) gateways: Vec<Item<Gateway>>,
    pub(super) virtual_services: Vec<Item<VirtualService>>,
    pub(super) destination_rules: Vec<Item<DestinationRule>>,
    pub(super) service_entries: Vec<Item<ServiceEntry>>,
    pub(super) services: Vec<Item<Service>>,
    pub(super) sidecars: Vec<Item<Sidecar>>,
    pub(super) secrets: Vec<Item<Secret>>,
    pub(super) rules: Vec<Item<Rule>>,
    /// Instances and handlers, by namespace and name.
    pub(super) parts: Vec<(Resource, Role)>,
    /// Stored ones and those that Deployments stand for.
    pub(super) pods: Vec<Resource>,
    /// Services of the mesh come before ServiceEntries.
    pub(super) hosts: Vec<Registered>,
    /// Their places by host.
    by_host: HashMap<String, Vec<usize>>,
    /// What is compiled of all; none where something does not compile.
    pub(super) world: Option<World>,
    /// What expressions may name.
    pub(super) vocabulary: Vocabulary,
}

impl<'v> Model<'v> {
    /// Reads what a view shows.
    pub(super) fn read(view: &'v dyn View) -> Result<Self> {
        let (services, service_entries) = (items(view, &SERVICE)?, items(view, &SERVICE_ENTRY)?);
        let hosts: Vec<_> = services.iter().map(of_service).chain(service_entries.iter().flat_map(of_entry)).collect();
        let mut by_host: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, host) in hosts.iter().enumerate() {
            by_host.entry(host.host.clone()).or_default().push(place);
        }
        Ok(Self {
            view,
            gateways: items(view, &GATEWAY)?,
            virtual_services: items(view, &VIRTUAL_SERVICE)?,
            destination_rules: items(view, &DESTINATION_RULE)?,
            service_entries,
            services,
            sidecars: items(view, &SIDECAR)?,
            secrets: items(view, &SECRET)?,
            pods: Cluster::new(view).list(&ListQuery::all(&POD))?,
            hosts,
            by_host,
            rules: items(view, &RULE)?,
            parts: parts(view)?,
            world: World::compile(view).ok(),
            vocabulary: vocabulary(view).unwrap_or_default(),
        })
    }

    /// The registered host that a name in a resource of a namespace means, the most specific one that it sees.
    pub(super) fn host(&self, written: &str, namespace: &str) -> Option<&Registered> {
        let name = qualify(written, namespace);
        let bare = name.strip_prefix('*').unwrap_or(&name);
        let wildcards = bare.match_indices('.').map(|(at, _)| format!("*{}", &bare[at..]));
        let mut patterns = std::iter::once(name.clone()).chain(wildcards).chain(["*".to_owned()]);
        patterns.find_map(|pattern| self.registered(&pattern, namespace).find(|one| covers(&one.host, &name)))
    }

    /// What registers exactly this host, as seen from a namespace.
    fn registered<'m>(&'m self, host: &str, namespace: &str) -> impl Iterator<Item = &'m Registered> + use<'m> {
        let places = self.by_host.get(host).map_or(&[][..], Vec::as_slice);
        let namespace = namespace.to_owned();
        let found = places.iter().map(|place| &self.hosts[*place]);
        found.filter(move |one| exported(&one.export_to, &one.namespace, &namespace))
    }

    /// The ports of a host: of two that register it, those of both count.
    pub(super) fn ports(&self, host: &Registered, namespace: &str) -> Vec<u32> {
        let mut ports: Vec<u32> = Vec::new();
        for port in self.registered(&host.host, namespace).flat_map(|one| &one.ports) {
            if !ports.contains(&port.number) {
                ports.push(port.number);
            }
        }
        ports
    }

    /// The Gateway that a VirtualService of a namespace names.
    pub(super) fn gateway(&self, written: &str, namespace: &str) -> Option<&Item<Gateway>> {
        let (namespace, name) = gateway_named(written, namespace);
        self.gateways.iter().find(|gateway| gateway.resource.meta.name == name && gateway.namespace() == namespace)
    }

    /// The Pods with these labels; every one has none.
    pub(super) fn pods_with<'m>(&'m self, labels: &'m Labels) -> impl Iterator<Item = &'m Resource> {
        self.pods.iter().filter(move |pod| has(&pod.meta.labels, labels))
    }
}

/// Namespace and name of the Gateway that a VirtualService of a namespace names: `name`, `namespace/name`, `./name`, or
/// the old full form.
pub(super) fn gateway_named<'a>(written: &'a str, namespace: &'a str) -> (&'a str, &'a str) {
    match written.split_once('/') {
        Some((".", name)) => (namespace, name),
        Some((namespace, name)) => (namespace, name),
        None => match written.strip_suffix(".svc.cluster.local").and_then(|short| short.split_once('.')) {
            Some((name, namespace)) => (namespace, name),
            None => (namespace, written),
        },
    }
}

/// Whether a VirtualService holds at the sidecars.
pub(super) fn is_mesh(spec: &VirtualService) -> bool {
    !spec.hosts.is_empty() && (spec.gateways.is_empty() || spec.gateways.iter().any(|gateway| gateway == MESH))
}

/// Whether labels have all that is wanted.
pub(super) fn has(labels: &Labels, wanted: &Labels) -> bool {
    wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// `a=b,c=d`, as Kubernetes prints a selector.
pub(super) fn selector_text(labels: &Labels) -> String {
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

/// `[a b]`, as Go prints a list.
pub(super) fn go_list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    format!("[{}]", items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(" "))
}

/// The resources of a kind that decode, oldest first; of one second, by name.
fn items<T: Typed>(view: &dyn View, kind: &'static Kind) -> Result<Vec<Item<T>>> {
    let mut resources = view.list(&ListQuery::all(kind))?;
    resources.sort_by(|a, b| {
        let age = |one: &Resource| (one.meta.creation_timestamp.clone(), one.meta.name.clone());
        age(a).cmp(&age(b))
    });
    let decoded = resources.into_iter().filter_map(|resource| Some(Item { spec: resource.typed().ok()?, resource }));
    Ok(decoded.collect())
}

/// Whether a ServiceEntry's protocol is one that routes of HTTP apply to; an empty one is told from what is sent.
fn is_http(protocol: &str) -> bool {
    ["", "HTTP", "HTTP2", "GRPC", "GRPC-WEB"].iter().any(|http| http.eq_ignore_ascii_case(protocol))
}

/// All instances and handlers, of the older form and of the newer.
fn parts(view: &dyn View) -> Result<Vec<(Resource, Role)>> {
    let own = view.kinds().iter().filter_map(|kind| Some((*kind, kind.part?.role)));
    let mut parts = Vec::new();
    for (kind, role) in own.chain([(&INSTANCE, Role::Instance), (&HANDLER, Role::Handler)]) {
        parts.extend(view.list(&ListQuery::all(kind))?.into_iter().map(|resource| (resource, role)));
    }
    Ok(parts)
}

fn of_service(service: &Item<Service>) -> Registered {
    let spec = service.spec.spec.clone().unwrap_or_default();
    let number = |port: i32| u32::try_from(port).unwrap_or_default();
    Registered {
        host: qualify(&service.resource.meta.name, service.namespace()),
        namespace: service.namespace().to_owned(),
        ports: spec
            .ports
            .unwrap_or_default()
            .iter()
            .map(|port| RegisteredPort { number: number(port.port), http: true })
            .collect(),
        selector: spec.selector,
        endpoints: Vec::new(),
        export_to: exports(&service.resource.meta),
    }
}

fn of_entry(entry: &Item<ServiceEntry>) -> impl Iterator<Item = Registered> {
    let (spec, namespace) = (&entry.spec, entry.namespace());
    spec.hosts.iter().map(move |host| Registered {
        host: qualify(host, namespace),
        namespace: namespace.to_owned(),
        ports: spec
            .ports
            .iter()
            .map(|port| RegisteredPort { number: port.number, http: is_http(&port.protocol) })
            .collect(),
        selector: spec.workload_selector.as_ref().map(|selector| selector.labels.clone()),
        endpoints: spec.endpoints.iter().map(|endpoint| endpoint.labels.clone()).collect(),
        export_to: spec.export_to.clone(),
    })
}
