//! From resources to the route table.

mod chains;
mod made;
mod sidecars;
mod tunnels;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use http::HeaderName;
use k8s_openapi::api::core::v1::Service as CoreService;

use crate::policy::Kept;
use crate::resource::kinds::destination_rule::DestinationRule;
use crate::resource::kinds::gateway::{Gateway, Server, ServerTlsMode};
use crate::resource::kinds::secret::Secret;
use crate::resource::kinds::service_entry::ServiceEntry;
use crate::resource::kinds::sidecar::Sidecar;
use crate::resource::kinds::virtual_service::{self, HttpMatch, HttpRoute, StringMatch, VirtualService};
use crate::resource::kinds::workload_entry::WorkloadEntry;
use crate::resource::{Labels, Origin, Resource};

use super::RouteTable;
use super::act::Act;
use super::balance::Live;
use super::credential::Secrets;
use super::delegate;
use super::destinations::Destinations;
use super::hosts::{HostTable, covers, qualify};
use super::matching::{Match, Part, PseudoHeader, Text};
use super::outbound::OutboundPolicy;
use super::route::{Route, RouteName, Routes};
use super::rules::HostRules;
use super::scope::{self, Scope, SidecarRule};
use super::services::{Service, Services, exported};
use super::tunnel::Servers;

use made::Key;
pub(super) use made::{Earlier, Made};

/// The namespace of the gateway and of what applies to the whole mesh.
pub const GATEWAY_NAMESPACE: &str = "istio-system";

/// All networking resources, decoded, oldest first.
#[derive(Debug, Default)]
pub struct Networking {
    services: Services,
    pub(super) rules: HostRules,
    pub(super) secrets: Secrets,
    sidecars: Vec<SidecarRule>,
    virtual_services: Vec<Declared<VirtualService>>,
    /// The places of those without hosts, to which others delegate, by `namespace/name`.
    delegates: HashMap<Arc<str>, usize>,
    /// The labels by which they tell callers apart.
    source_labels: BTreeSet<String>,
    gateways: Vec<Declared<Gateway>>,
    /// What the latest table was made of, by scope; `true` for the gateway's.
    made: HashMap<(Scope, bool), Made>,
    /// The labels of the gateway that it was made for.
    made_for: Labels,
}

#[derive(Debug)]
struct Declared<T> {
    name: String,
    namespace: String,
    origin: Option<Origin>,
    spec: Arc<T>,
}

impl<T> Declared<T> {
    fn new(resource: &Resource, spec: &Arc<T>) -> Self {
        let (name, namespace) = (resource.meta.name.clone(), resource.namespace().to_owned());
        Self { name, namespace, origin: resource.origin.clone(), spec: Arc::clone(spec) }
    }

    /// Its route at a place of one of its lists.
    fn route(&self, list: &'static str, index: usize) -> RouteName {
        let virtual_service = format!("{}/{}", self.namespace, self.name).into();
        RouteName { virtual_service, list, index, delegate: None, origin: self.origin.clone() }
    }
}

/// Where a route applies: bound to the sidecars, or to a Gateway by `namespace/name`.
#[derive(Clone, Copy)]
enum Place<'a> {
    Mesh,
    Gateway(&'a str, &'a str),
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

/// What the gateway's servers do with tunnels, by port.
type TunnelPorts = HashMap<u16, Servers>;

impl Networking {
    /// Takes up all WorkloadEntries, Services and ServiceEntries.
    pub fn services<'r>(
        &mut self,
        workloads: impl Iterator<Item = (&'r Resource, &'r Arc<WorkloadEntry>)>,
        services: impl Iterator<Item = (&'r Resource, &'r Arc<CoreService>)>,
        entries: impl Iterator<Item = (&'r Resource, &'r Arc<ServiceEntry>)>,
    ) {
        self.made.clear();
        self.services = Services::default();
        workloads.for_each(|(resource, spec)| self.services.add_workload(resource, spec));
        services.for_each(|(resource, spec)| self.services.add_core(resource, spec));
        entries.for_each(|(resource, spec)| self.services.add_entry(resource, spec));
    }

    /// Takes up all Secrets.
    pub fn secrets<'r>(&mut self, all: impl Iterator<Item = (&'r Resource, &'r Arc<Secret>)>) {
        self.made.clear();
        self.secrets = Secrets::default();
        all.for_each(|(resource, spec)| self.secrets.add(resource.namespace(), &resource.meta.name, spec));
    }

    /// Takes up all DestinationRules.
    pub fn destination_rules<'r>(&mut self, all: impl Iterator<Item = (&'r Resource, &'r Arc<DestinationRule>)>) {
        self.made.clear();
        self.rules = HostRules::default();
        all.for_each(|(resource, spec)| self.rules.add(resource, Arc::clone(spec)));
    }

    /// Takes up all Sidecars.
    pub fn sidecars<'r>(&mut self, all: impl Iterator<Item = (&'r Resource, &'r Arc<Sidecar>)>) {
        self.sidecars =
            all.map(|(resource, spec)| SidecarRule::new(resource.namespace(), Sidecar::clone(spec))).collect();
    }

    /// Takes up all VirtualServices.
    pub fn virtual_services<'r>(&mut self, all: impl Iterator<Item = (&'r Resource, &'r Arc<VirtualService>)>) {
        self.virtual_services = all.map(|(resource, spec)| Declared::new(resource, spec)).collect();
        let without_hosts = self.virtual_services.iter().enumerate().filter(|(_, one)| one.spec.hosts.is_empty());
        self.delegates =
            without_hosts.map(|(place, one)| (format!("{}/{}", one.namespace, one.name).into(), place)).collect();
        self.source_labels = self.virtual_services.iter().flat_map(|declared| source_labels(&declared.spec)).collect();
    }

    /// Takes up all Gateways.
    pub fn gateways<'r>(&mut self, all: impl Iterator<Item = (&'r Resource, &'r Arc<Gateway>)>) {
        self.gateways = all.map(|(resource, spec)| Declared::new(resource, spec)).collect();
    }

    /// What a proxy sees that stands in a namespace and has these labels, if they are known.
    pub fn scope(&self, namespace: &str, labels: Option<&Labels>) -> Scope {
        Scope {
            namespace: namespace.to_owned(),
            labels: labels.map(|labels| self.told_apart_by(labels)),
            sidecar: scope::applying(&self.sidecars, namespace, labels, GATEWAY_NAMESPACE),
            rules: labels.map(|labels| self.rules.selecting(namespace, labels)).unwrap_or_default(),
        }
    }

    /// The labels that VirtualServices look at.
    fn told_apart_by(&self, labels: &Labels) -> Labels {
        let known = labels.iter().filter(|(key, _)| self.source_labels.contains(*key));
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
        let mut earlier = std::mem::take(&mut self.made);
        if self.made_for != *gateway_labels {
            earlier.clear();
            self.made_for = gateway_labels.clone();
        }
        let mut sidecars = Vec::with_capacity(scopes.len());
        for scope in scopes {
            let key = (scope.clone(), false);
            let mut made = earlier.remove(&key).unwrap_or_default();
            sidecars.push(self.sidecar(scope, outbound, gateway_labels, live, &mut made));
            self.made.insert(key, made);
        }
        // A Sidecar says nothing of gateways.
        let scope = Scope { sidecar: None, ..self.scope(gateway_namespace, Some(gateway_labels)) };
        let mut made = earlier.remove(&(scope.clone(), true)).unwrap_or_default();
        let (gateways, gateway_tunnels) = self.gateway_ports(&scope, gateway_labels, live, &mut made);
        self.made.insert((scope, true), made);
        let chains = self.gateway_chains(gateway_labels);
        RouteTable { sidecars, gateways, gateway_tunnels, chains }
    }

    fn gateway_ports(
        &self,
        scope: &Scope,
        labels: &Labels,
        live: &Kept<Live>,
        made: &mut Made,
    ) -> (HashMap<u16, HostTable<Arc<Routes>>>, TunnelPorts) {
        let services = self.seen_from(scope, made);
        let mut destinations = Destinations::new(self, scope, true, &services, (labels, live), made);
        let mut parts: HashMap<u16, HostTable<Parts>> = HashMap::new();
        for gateway in self.selected_gateways(labels) {
            for server in &gateway.spec.servers {
                let Some(port) = server.port.as_ref().and_then(|port| u16::try_from(port.number).ok()) else {
                    continue;
                };
                let hosts = parts.entry(port).or_default();
                let scheme = if ends_tls(server) { "https" } else { "http" };
                let place = Place::Gateway(&gateway.namespace, &gateway.name);
                let spot = Spot { place, port, scheme, source: scope };
                self.add_server(gateway, &server.hosts, spot, hosts, &mut destinations);
                if server.tls.as_ref().is_some_and(|tls| tls.https_redirect) && scheme == "http" {
                    redirect(&server.hosts, hosts);
                }
            }
        }
        let mut table: HashMap<u16, HostTable<Arc<Routes>>> = HashMap::new();
        for (port, hosts) in parts {
            let merged = table.entry(port).or_default();
            for (host, parts) in hosts.iter() {
                merged.get_or_insert_with(&host, || parts.merged());
            }
        }
        let tunnels = self.gateway_tunnels(labels, &mut destinations);
        (table, tunnels)
    }

    /// The services that a scope sees.
    fn seen_from(&self, scope: &Scope, made: &mut Made) -> Arc<HostTable<Service>> {
        let seen = || Arc::new(self.services.seen_from(&scope.namespace));
        Arc::clone(made.services.get_or_insert_with(seen))
    }

    /// The Gateways that a gateway with these labels takes up.
    fn selected_gateways(&self, labels: &Labels) -> impl Iterator<Item = &Declared<Gateway>> {
        let selects = |gateway: &&Declared<Gateway>| {
            gateway.spec.selector.iter().all(|(key, value)| labels.get(key) == Some(value))
        };
        self.gateways.iter().filter(selects)
    }

    fn add_server(
        &self,
        gateway: &Declared<Gateway>,
        server_hosts: &[String],
        spot: Spot<'_>,
        table: &mut HostTable<Parts>,
        destinations: &mut Destinations<'_>,
    ) {
        for declared in self.virtual_services.iter().filter(|declared| is_bound(declared, spot.place)) {
            for pattern in &declared.spec.hosts {
                let pattern = qualify(pattern, &declared.namespace);
                let served = server_hosts.iter().filter_map(|host| serve(host, &pattern, declared, gateway));
                // The same host by two server patterns is still one.
                let served: BTreeSet<String> = served.collect();
                for host in served {
                    let routes = self.routes(declared, spot, destinations);
                    table.get_or_insert_with(&host, || Parts::new(spot.scheme)).of.push(routes);
                }
            }
        }
    }

    /// The HTTP routes of a VirtualService that apply at a place and port, up to the first that takes every call.
    fn routes(
        &self,
        declared: &Declared<VirtualService>,
        spot: Spot<'_>,
        destinations: &mut Destinations<'_>,
    ) -> Arc<Routes> {
        let key = match Key::of(declared, &spot) {
            None => None,
            Some(key) => match destinations.made.routes(key, &mut destinations.earlier, &declared.spec) {
                Ok(routes) => return routes,
                Err(key) => Some(key),
            },
        };
        let routes = self.make_routes(declared, spot, destinations);
        let routes = if matches!(spot.place, Place::Mesh) { routes } else { routes.in_gateway_order() };
        let routes = Arc::new(routes.sealed());
        if let Some(key) = key {
            destinations.made.keep(key, &declared.spec, &routes);
        }
        routes
    }

    fn make_routes(
        &self,
        declared: &Declared<VirtualService>,
        spot: Spot<'_>,
        destinations: &mut Destinations<'_>,
    ) -> Routes {
        let named = declared.route("http", 0);
        let (mut routes, mut room) = (Routes::new(spot.scheme), delegate::MAX_PAIRS);
        for (index, route) in declared.spec.http.iter().enumerate() {
            let name = RouteName { index, ..named.clone() };
            let leaves = match &route.delegate {
                None => vec![Leaf { name, namespace: &declared.namespace, route: Cow::Borrowed(route) }],
                Some(_) => self.leaves(declared, route, name, &mut room).unwrap_or_else(|lost| {
                    routes.elsewhere.push(lost);
                    Vec::new()
                }),
            };
            for leaf in leaves {
                add_leaf(leaf, &declared.namespace, spot, destinations, &mut routes);
                if routes.here.last().is_some_and(Route::takes_all) {
                    return routes;
                }
            }
        }
        routes
    }

    /// The routes of the VirtualService that a route delegates to. Where it is not there or not to be seen, or there is no
    /// room for the pairs of their entries, only this route is lost.
    fn leaves<'n>(
        &'n self,
        root: &Declared<VirtualService>,
        route: &HttpRoute,
        name: RouteName,
        room: &mut usize,
    ) -> Result<Vec<Leaf<'n>>, (RouteName, &'static str)> {
        let wanted = route.delegate.clone().unwrap_or_default();
        let namespace = if wanted.namespace.is_empty() { &root.namespace } else { &wanted.namespace };
        let full: Arc<str> = format!("{namespace}/{}", wanted.name).into();
        let found = self.delegates.get(&full).map(|place| &self.virtual_services[*place]);
        let seen = |other: &&Declared<VirtualService>| exported(&other.spec.export_to, namespace, &root.namespace);
        let Some(found) = found.filter(seen) else {
            return Err((name, "the VirtualService that it delegates to is not there"));
        };
        let Some(merged) = delegate::merged(route, &found.spec.http, &root.namespace, room) else {
            return Err((name, "with the VirtualService that it delegates to it makes too many pairs of entries"));
        };
        let leaf = |(index, route)| Leaf {
            name: RouteName { delegate: Some((Arc::clone(&full), index)), ..name.clone() },
            namespace: &found.namespace,
            route: Cow::Owned(route),
        };
        Ok(merged.into_iter().map(leaf).collect())
    }
}

/// The keys of the labels of callers that a VirtualService looks at.
fn source_labels(spec: &VirtualService) -> impl Iterator<Item = String> {
    let http = spec.http.iter().flat_map(|route| &route.r#match).map(|entry| &entry.source_labels);
    let tls = spec.tls.iter().flat_map(|route| &route.r#match).map(|entry| &entry.source_labels);
    let tcp = spec.tcp.iter().flat_map(|route| &route.r#match).map(|entry| &entry.source_labels);
    http.chain(tls).chain(tcp).flat_map(|labels| labels.keys().cloned())
}

/// A route as it is compiled: of the VirtualService itself, or of one that it delegates to.
struct Leaf<'r> {
    name: RouteName,
    /// In which its destinations are written.
    namespace: &'r str,
    route: Cow<'r, HttpRoute>,
}

/// Adds a route to those of a place, or says why it cannot apply there; `root` is the namespace in which its VirtualService
/// names gateways.
fn add_leaf(leaf: Leaf<'_>, root: &str, spot: Spot<'_>, destinations: &mut Destinations<'_>, routes: &mut Routes) {
    let Leaf { name, namespace, route } = leaf;
    let matches = match matches(&route, root, spot) {
        Ok(matches) => matches,
        Err(why) => return routes.elsewhere.push((name, why)),
    };
    let known_as = format!("{} {} {:?} {}", name.virtual_service, name.index, name.delegate, spot.port);
    let mut clusters = |to: &virtual_service::Destination| {
        let number = to.port.as_ref().and_then(|selector| u16::try_from(selector.number).ok());
        destinations.cluster(&qualify(&to.host, namespace), number, spot.port, &to.subset)
    };
    let act = Act::compile(&route, &known_as, (spot.scheme, spot.port), &mut clusters);
    routes.here.push(Route { name, matches, act: Arc::new(act) });
}

/// What the routes of a host at the gateway are made of.
#[derive(Clone)]
struct Parts {
    scheme: &'static str,
    redirects: bool,
    /// The routes of each VirtualService, the oldest first.
    of: Vec<Arc<Routes>>,
}

impl Parts {
    fn new(scheme: &'static str) -> Self {
        Self { scheme, redirects: false, of: Vec::new() }
    }

    /// All together; what is one VirtualService's alone stays as it is.
    fn merged(&self) -> Arc<Routes> {
        if let ([only], false) = (&*self.of, self.redirects)
            && only.scheme == self.scheme
        {
            return Arc::clone(only);
        }
        let mut merged = Routes::new(self.scheme);
        merged.redirects = self.redirects;
        self.of.iter().for_each(|routes| merged.extend(routes));
        Arc::new(merged.in_gateway_order().sealed())
    }
}

/// Sends all calls to the hosts of a server to https, whether they have routes or not.
fn redirect(hosts: &[String], table: &mut HostTable<Parts>) {
    for host in hosts {
        let host = host.split_once('/').map_or(host.as_str(), |(_, host)| host).to_ascii_lowercase();
        table.get_or_insert_with(&host, || Parts::new("http"));
        let known: Vec<String> = table.iter().map(|(pattern, _)| pattern).collect();
        for pattern in known.iter().filter(|pattern| covers(&host, pattern)) {
            table.get_or_insert_with(pattern, || Parts::new("http")).redirects = true;
        }
    }
}

/// Whether calls come to a server over TLS that ends there.
fn ends_tls(server: &Server) -> bool {
    server.tls.as_ref().is_some_and(|tls| {
        !tls.https_redirect && !matches!(tls.mode, ServerTlsMode::Passthrough | ServerTlsMode::AutoPassthrough)
    })
}

/// Whether a VirtualService names a gateway.
fn is_bound(declared: &Declared<VirtualService>, place: Place<'_>) -> bool {
    names_place(&declared.spec.gateways, &declared.namespace, place)
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

/// The narrower of a server's host and a VirtualService's, if they have calls in common.
fn serve(
    server_host: &str,
    pattern: &str,
    declared: &Declared<VirtualService>,
    gateway: &Declared<Gateway>,
) -> Option<String> {
    let host = match server_host.split_once('/') {
        None => server_host,
        Some((namespace, host)) => {
            let namespace = if namespace == "." { gateway.namespace.as_str() } else { namespace };
            (namespace == "*" || namespace == declared.namespace).then_some(host)?
        }
    };
    let host = host.to_ascii_lowercase();
    if covers(&host, pattern) {
        Some(pattern.to_owned())
    } else if covers(pattern, &host) {
        Some(host)
    } else {
        None
    }
}

/// The entries of a route's `match` that can hold at a place and port.
///
/// # Errors
/// Why not, if it has entries, but none of them can.
fn matches(route: &HttpRoute, namespace: &str, spot: Spot<'_>) -> Result<Vec<Match>, &'static str> {
    if route.r#match.is_empty() {
        return Ok(Vec::new());
    }
    let Spot { place, port, .. } = spot;
    let at_place = |entry: &&HttpMatch| entry.gateways.is_empty() || names_place(&entry.gateways, namespace, place);
    let mut at_place = route.r#match.iter().filter(at_place).peekable();
    if at_place.peek().is_none() {
        return Err(match place {
            Place::Mesh => "its match names gateways, not the sidecars (mesh)",
            Place::Gateway(..) => "its match names other gateways",
        });
    }
    let mut at_port = at_place.filter(|entry| entry.port == 0 || entry.port == u32::from(port)).peekable();
    if at_port.peek().is_none() {
        return Err("its match names another port");
    }
    // With gateways named, Istio looks at the source no more.
    let of_source = |entry: &&HttpMatch| {
        !entry.gateways.is_empty() || spot.source.is_source(&entry.source_labels, &entry.source_namespace)
    };
    let mut here = at_port.filter(of_source).peekable();
    if here.peek().is_none() {
        return Err("its match names other labels or another namespace than the proxy's workload has");
    }
    // A condition that cannot be compiled was refused when it was created; should one come up all the same, its entry
    // must not match more than was written, so it matches nothing.
    let compiled: Vec<_> = here.filter_map(condition).collect();
    if compiled.is_empty() { Err("its match cannot be compiled") } else { Ok(compiled) }
}

fn condition(entry: &HttpMatch) -> Option<Match> {
    let ignore_case = entry.ignore_uri_case;
    let mut pseudo_headers = pseudo_headers(&entry.headers, true)?;
    pseudo_headers.extend(self::pseudo_headers(&entry.without_headers, false)?);
    Some(Match {
        uri: text(entry.uri.as_ref(), |uri| Text::of_path(uri, ignore_case))?,
        scheme: text(entry.scheme.as_ref(), Text::compile)?,
        method: text(entry.method.as_ref(), Text::compile)?,
        authority: text(entry.authority.as_ref(), Text::compile)?,
        headers: headers(&entry.headers)?,
        without_headers: headers(&entry.without_headers)?,
        query: entry
            .query_params
            .iter()
            .map(|(name, condition)| Some((name.clone(), present_or(condition.as_ref())?)))
            .collect::<Option<_>>()?,
        pseudo_headers,
    })
}

type HeaderConditions = BTreeMap<String, Option<StringMatch>>;

fn headers(conditions: &HeaderConditions) -> Option<Vec<(HeaderName, Text)>> {
    let plain = conditions.iter().filter(|(name, _)| Part::of(name).is_none());
    plain.map(|(name, condition)| Some((name.parse().ok()?, present_or(condition.as_ref())?))).collect()
}

fn pseudo_headers(conditions: &HeaderConditions, wanted: bool) -> Option<Vec<PseudoHeader>> {
    let parts = conditions.iter().filter_map(|(name, condition)| Some((Part::of(name)?, condition)));
    parts.map(|(part, text)| Some(PseudoHeader { part, text: present_or(text.as_ref())?, wanted })).collect()
}

/// `None` if it cannot be compiled, `Some(None)` if there is no condition.
#[expect(clippy::option_option, reason = "absent and impossible are different answers")]
fn text(condition: Option<&StringMatch>, compile: impl FnOnce(&StringMatch) -> Option<Text>) -> Option<Option<Text>> {
    match condition {
        None => Some(None),
        Some(condition) => compile(condition).map(Some),
    }
}

/// A condition of headers and parameters, where `{}` and the regex `*` ask for presence only.
fn present_or(condition: Option<&StringMatch>) -> Option<Text> {
    let Some(condition) = condition else { return Some(Text::Present) };
    let empty = condition.exact.is_none() && condition.prefix.is_none() && condition.regex.is_none();
    if empty || condition.regex.as_deref() == Some("*") { Some(Text::Present) } else { Text::compile(condition) }
}
