//! What policies see of the calls to each host: all of a request, or of HTTPS that is passed through its server name alone.
//!
//! Nothing is guessed from manifests: calls of each workload are sent through the compiled routes, as the proxy would send
//! them, and looked at on their way.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use serde_json::Value as Json;

use crate::call::{Arrival, Call, CallBag, Failure, normalize};
use crate::decision::{HopStep, hops};
use crate::diagnostic::FieldPath;
use crate::expr::{Bag, EvalError, Program, Scratch, Slot, Timestamp, ValueRef, slot};
use crate::identity::Caller;
use crate::policy::{Rule, full_name};
use crate::registry::{ListQuery, LoadError, View};
use crate::resource::Resource;
use crate::resource::kinds::service_entry::ServiceEntry;
use crate::resource::kinds::virtual_service::VirtualService;
use crate::resource::kinds::{DEPLOYMENT, POD, VIRTUAL_SERVICE};
use crate::routing::{Carries, Cluster, GATEWAY_NAMESPACE, Target, covers, qualify};
use crate::snapshot::{Compiler, Hop, ListenerSpec, Snapshot};

use super::code::{HIDDEN_BY_ENCRYPTION, PAST_THE_GATEWAY};
use super::policy::instances;
use super::{Findings, Model};

/// Most workloads whose calls are looked at; with more their differences are no longer what anybody reads for.
const MAX_CALLERS: usize = 50;

/// What can be seen of a call, and so be decided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sees {
    /// Method, path and headers.
    Requests,
    /// The server name that its TLS asks for.
    ServerName,
    /// Where it goes, and how much.
    Bytes,
}

/// What is seen of the calls to one port of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visible {
    /// The host as it is registered; may begin with a wildcard.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The workloads whose calls are seen so; empty where it is the same for all.
    pub callers: Vec<String>,
    /// What.
    pub sees: Sees,
    /// The calls' way: `HTTP to the sidecar, TLS originated at the gateway`.
    pub way: String,
}

impl Sees {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Sees::Requests => "path, method, headers visible",
            Sees::ServerName => "only SNI, addresses, bytes",
            Sees::Bytes => "only addresses, bytes",
        }
    }
}

/// What policies see of the calls to the hosts of a ServiceEntry, by host and port.
///
/// # Errors
/// What cannot be read or compiled.
pub fn visible(view: &dyn View, entry: &Resource) -> Result<Vec<Visible>, LoadError> {
    let Ok(spec) = entry.typed::<ServiceEntry>() else { return Ok(Vec::new()) };
    let world = World::compile(view)?;
    let services = view.list(&ListQuery::all(&VIRTUAL_SERVICE))?;
    let services: Vec<_> = services
        .iter()
        .filter_map(|one| Some((one.namespace().to_owned(), one.typed::<VirtualService>().ok()?)))
        .collect();
    let mut found = Vec::new();
    for host in &spec.hosts {
        let host = qualify(host, entry.namespace());
        let paths = paths(services.iter().map(|(namespace, spec)| (namespace.as_str(), spec)), &host);
        for port in spec.ports.iter().filter_map(|port| u16::try_from(port.number).ok()) {
            found.extend(world.visible(&host, port, &paths));
        }
    }
    Ok(found)
}

/// The compiled configuration, with a listener for every workload that is declared.
pub(super) struct World {
    snapshot: Snapshot,
    /// By listener: the workload's name, with its namespace where that is not `default`.
    names: Vec<String>,
    callers: Vec<Option<Caller>>,
}

impl World {
    /// Compiles what a view shows.
    pub(super) fn compile(view: &dyn View) -> Result<Self, LoadError> {
        let mut workloads: Vec<(String, String)> = Vec::new();
        // Pods of Deployments are not stored, so these are Pods of their own.
        for kind in [&DEPLOYMENT, &POD] {
            let found = view.list(&ListQuery::all(kind))?;
            let outside = found.iter().filter(|one| one.namespace() != GATEWAY_NAMESPACE);
            workloads.extend(outside.map(|one| (one.meta.name.clone(), one.namespace().to_owned())));
        }
        workloads.truncate(MAX_CALLERS);
        let mut listeners: Vec<_> =
            workloads.iter().map(|workload| ListenerSpec { workload: Some(workload.clone()) }).collect();
        if listeners.is_empty() {
            listeners.push(ListenerSpec { workload: None });
        }
        let snapshot = Compiler { listeners, ..Compiler::default() }.compile(view)?;
        let name = |caller: Option<&Caller>| match caller {
            Some(caller) if caller.namespace == "default" => caller.name.clone(),
            Some(caller) => format!("{}.{}", caller.name, caller.namespace),
            None => "any workload".to_owned(),
        };
        let names = snapshot.callers().map(name).collect();
        let callers = snapshot.callers().map(Option::<&Caller>::cloned).collect();
        Ok(Self { snapshot, names, callers })
    }

    fn arrival(&self, listener: usize) -> Arrival {
        let caller = self.callers[listener].clone();
        Arrival { time: Timestamp::ZERO, chance: 0, caller, peer: IpAddr::V4(Ipv4Addr::LOCALHOST), tls: None }
    }

    fn tunnel(&self, listener: usize, host: &str, port: u16) -> Option<Call> {
        Call::tunnel_to(&format!("{}:{port}", one_of(host)), self.arrival(listener)).ok()
    }

    fn request(&self, listener: usize, host: &str, port: u16, path: &str) -> Option<Call> {
        let authority = format!("{}:{port}", one_of(host));
        let head = http::Request::builder().uri(format!("http://{authority}{path}"));
        let head = head.header(http::header::HOST, authority).body(()).ok()?;
        normalize(head.into_parts().0, self.arrival(listener)).ok()
    }

    /// What is seen of the calls to a port; a line for each group of callers that it is the same for.
    fn visible(&self, host: &str, port: u16, paths: &[String]) -> Vec<Visible> {
        let mut groups: BTreeMap<(Sees, String), Vec<String>> = BTreeMap::new();
        for (listener, name) in self.names.iter().enumerate() {
            if let Some(seen) = self.seen(listener, host, port, paths) {
                groups.entry(seen).or_default().push(name.clone());
            }
        }
        let same = groups.len() == 1;
        let visible = |((sees, way), callers)| Visible {
            host: host.to_owned(),
            port,
            callers: if same { Vec::new() } else { callers },
            sees,
            way,
        };
        groups.into_iter().map(visible).collect()
    }

    /// What is seen of one workload's calls to a port, and their way; nothing where there is none.
    fn seen(&self, listener: usize, host: &str, port: u16, paths: &[String]) -> Option<(Sees, String)> {
        let mut tunnel = self.tunnel(listener, host, port)?;
        let (sees, what) = match self.snapshot.routes.reached(self.snapshot.scope(listener), &tunnel)?.carries {
            Carries::Http => return Some((Sees::Requests, self.way_of_requests(listener, host, port, paths))),
            Carries::Tls => (Sees::ServerName, "HTTPS"),
            Carries::Tcp => (Sees::Bytes, "TCP"),
        };
        if sees == Sees::ServerName {
            tunnel.expect_tls();
        }
        let steps = hops(&self.snapshot, Hop::Sidecar(listener), &tunnel);
        let through = if steps.len() > 1 { "through sidecar and gateway" } else { "through the sidecar" };
        Some((sees, format!("{what} passed {through}{}", refused(&steps))))
    }

    fn way_of_requests(&self, listener: usize, host: &str, port: u16, paths: &[String]) -> String {
        let at_root = ["/".to_owned()];
        let mut refusal = String::new();
        for path in at_root.iter().chain(paths) {
            let Some(call) = self.request(listener, host, port, path) else { continue };
            let steps = hops(&self.snapshot, Hop::Sidecar(listener), &call);
            let place = if steps.len() > 1 { "the gateway" } else { "the sidecar" };
            match steps.last().map(|step| &step.found) {
                Some(Ok(Some(cluster))) if encrypts(cluster, &call) => {
                    return format!("HTTP to the sidecar, TLS originated at {place}");
                }
                Some(Ok(Some(_))) if steps.len() > 1 => {
                    return "HTTP to the sidecar, on through the gateway, unencrypted from there".to_owned();
                }
                Some(Ok(Some(_))) => return "HTTP to the sidecar, unencrypted from there".to_owned(),
                Some(Ok(None)) => return format!("HTTP to the sidecar, answered by a route of {place}"),
                Some(Err(_)) | None => refusal = refused(&steps),
            }
        }
        format!("HTTP to the sidecar{refusal}")
    }
}

/// `, refused there: …`, if the way ends so.
fn refused(steps: &[HopStep<'_>]) -> String {
    let failure = steps.last().and_then(|step| step.found.err());
    failure.map(|failure: Failure| format!(", refused there: {}", failure.reason())).unwrap_or_default()
}

/// Whether TLS is originated to a cluster.
fn encrypts(cluster: &Cluster, call: &Call) -> bool {
    match &cluster.target {
        Target::Endpoints(endpoints) if endpoints.is_empty() => {
            cluster.original(call).is_some_and(|endpoint| endpoint.tls.is_some())
        }
        Target::Endpoints(endpoints) => endpoints.iter().any(|endpoint| endpoint.tls.is_some()),
        Target::Gateway(_) => false,
    }
}

/// A name that a pattern stands for.
fn one_of(host: &str) -> String {
    host.replacen('*', "any", 1)
}

/// Paths that routes of a host ask for: where the root is not served, one of these is.
fn paths<'v>(services: impl Iterator<Item = (&'v str, &'v VirtualService)>, host: &str) -> Vec<String> {
    let of_host = services.filter(|(namespace, spec)| {
        spec.hosts.iter().any(|own| {
            let own = qualify(own, namespace);
            covers(&own, host) || covers(host, &own)
        })
    });
    let entries = of_host.flat_map(|(_, spec)| spec.http.iter().flat_map(|route| &route.r#match));
    let texts = entries.filter_map(|entry| {
        let uri = entry.uri.as_ref()?;
        uri.exact.clone().or_else(|| uri.prefix.clone()).filter(|path| path.starts_with('/'))
    });
    texts.collect()
}

/// Rules that ask for what encryption hides of calls that they are for, and calls that pass by the gateway.
pub(super) fn analyze(model: &Model<'_>, found: &mut Findings) {
    let Some(world) = &model.world else { return };
    hidden(model, world, found);
    past_the_gateway(model, world, found);
}

/// Hosts of which some ports are reached through the gateway, and others straight from the sidecar.
fn past_the_gateway(model: &Model<'_>, world: &World, found: &mut Findings) {
    for item in model.service_entries.iter().filter(|item| item.spec.ports.len() > 1) {
        let ports: Vec<u16> = item.spec.ports.iter().filter_map(|port| u16::try_from(port.number).ok()).collect();
        for host in item.spec.hosts.iter().map(|host| qualify(host, item.namespace())) {
            let mut direct: BTreeMap<(u16, u16), Vec<&str>> = BTreeMap::new();
            for (listener, name) in world.names.iter().enumerate() {
                let passes = |port: &&u16| world.passes_gateway(listener, &host, **port);
                let Some(through) = ports.iter().find(|port| passes(port) == Some(true)) else { continue };
                for port in ports.iter().filter(|port| passes(port) == Some(false)) {
                    direct.entry((*port, *through)).or_default().push(name);
                }
            }
            for ((port, through), callers) in direct {
                let message = format!(
                    "Calls to {host}:{port} from {} do not pass the gateway, as those to port {through} do.",
                    callers.join(", ")
                );
                found.add(&PAST_THE_GATEWAY, &item.resource, FieldPath::of("spec.hosts"), message);
            }
        }
    }
}

/// What a rule, or an instance that it hands on, reads though it is hidden: rule, whether it refuses calls, attribute, and
/// instance.
type Blind = (String, bool, String, String);

/// Most hosts that a rule is told of one by one.
const NAMED: usize = 3;

fn hidden(model: &Model<'_>, world: &World, found: &mut Findings) {
    // Of which host with its port it is hidden, and of whose calls.
    let mut hidden: BTreeMap<Blind, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for host in model.hosts.iter().filter(|host| host.selector.is_none() && !model.rules.is_empty()) {
        for port in host.ports.iter().filter(|port| !port.http).filter_map(|port| u16::try_from(port.number).ok()) {
            for (listener, name) in world.names.iter().enumerate() {
                for (rule, attribute, instance) in world.hidden_from(model, listener, &host.host, port) {
                    let of = hidden.entry((rule.name.to_string(), rule.is_checked(), attribute, instance)).or_default();
                    of.entry(format!("{}:{port}", host.host)).or_default().insert(name.clone());
                }
            }
        }
    }
    for (blind, places) in hidden {
        if let Some(rule) = model.rules.iter().find(|rule| full_name(&rule.resource) == blind.0) {
            let at = FieldPath::of("spec");
            let at = if blind.3.is_empty() { at.field(rule.field()) } else { at.field("actions") };
            let name = &rule.resource.meta.name;
            let told = if places.len() > NAMED {
                let callers = places.values().flatten().cloned().collect();
                vec![told(name, &blind, &listed(places.keys()), &callers)]
            } else {
                places.iter().map(|(place, callers)| told(name, &blind, place, callers)).collect()
            };
            told.into_iter().for_each(|told| found.add(&HIDDEN_BY_ENCRYPTION, &rule.resource, at.clone(), told));
        }
    }
}

/// The first of some names, and how many more there are.
fn listed<'n>(names: impl ExactSizeIterator<Item = &'n String>) -> String {
    let more = names.len().saturating_sub(NAMED);
    let told = names.take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if more == 0 { told } else { format!("{told} and {more} more") }
}

/// What is hidden, what comes of it, and the three ways out.
fn told(rule: &str, (_, checks, attribute, instance): &Blind, places: &str, callers: &BTreeSet<String>) -> String {
    let (by, effect) = match (instance.is_empty(), checks) {
        (true, false) => (String::new(), "it never applies to them"),
        (false, false) => (format!(" (by instance {instance})"), "nothing is recorded of them"),
        (true, true) => (String::new(), "its checks cannot be carried out, and the calls are refused"),
        (false, true) => {
            (format!(" (by instance {instance})"), "its checks cannot be carried out, and the calls are refused")
        }
    };
    let instead = match attribute.as_str() {
        "request.host" => "name the host by connection.requested_server_name as well".to_owned(),
        _ => format!("do without {attribute}, and decide by connection.requested_server_name"),
    };
    format!(
        "rule {rule} reads {attribute}{by}, but calls to {places} from {} are passed through encrypted: {effect}. Ways out: let the \
         workload speak HTTP, and originate TLS on the way (a port of protocol HTTP, and a DestinationRule with tls mode SIMPLE); \
         {instead}; or leave such calls to tls routes by SNI, and begin the match with context.protocol == \"http\".",
        listed(callers.iter())
    )
}

impl World {
    /// Whether calls to the root of a host go through the gateway; nothing where they are refused.
    fn passes_gateway(&self, listener: usize, host: &str, port: u16) -> Option<bool> {
        let mut call = self.tunnel(listener, host, port)?;
        match self.snapshot.routes.reached(self.snapshot.scope(listener), &call)?.carries {
            Carries::Http => call = self.request(listener, host, port, "/")?,
            Carries::Tls => call.expect_tls(),
            Carries::Tcp => {}
        }
        let steps = hops(&self.snapshot, Hop::Sidecar(listener), &call);
        steps.last().filter(|step| step.found.is_ok()).map(|_| steps.len() > 1)
    }

    /// The rules that are for calls to a port, as far as hosts tell, and need an attribute that those calls hide; with the
    /// instance that needs it, if it is not the match.
    fn hidden_from(&self, model: &Model<'_>, listener: usize, host: &str, port: u16) -> Vec<(&Rule, String, String)> {
        let Some(mut tunnel) = self.tunnel(listener, host, port) else { return Vec::new() };
        let scope = self.snapshot.scope(listener);
        match self.snapshot.routes.reached(scope, &tunnel).map(|reached| reached.carries) {
            Some(Carries::Tls) => tunnel.expect_tls(),
            _ => return Vec::new(),
        }
        let bag = CallBag::new(&tunnel, None, self.snapshot.reporter(Hop::Sidecar(listener)));
        let scratch = Scratch::new();
        let needs = |rule: &Rule| {
            let Some(condition) = &rule.condition else { return of_instances(model, rule, &bag) };
            let named = Named { bag: &bag, host: tunnel.authority().host() };
            match (condition.holds(&named, &scratch), condition.holds(&bag, &scratch)) {
                (Err(EvalError::Absent(name)), _) if name.starts_with("request.") => {
                    Some((name.to_owned(), String::new()))
                }
                // It asks for the host alone, by the name that only requests have.
                (Ok(true), Err(EvalError::Absent("request.host"))) => Some(("request.host".to_owned(), String::new())),
                (Ok(true), Ok(true)) => of_instances(model, rule, &bag),
                _ => None,
            }
        };
        let excluded =
            |rule: &Rule| rule.condition.as_ref().is_some_and(|one| excludes(one, tunnel.authority().host()));
        let rules = self.snapshot.policy.rules(&bag).filter(|rule| !excluded(rule));
        rules.filter_map(|rule| needs(rule).map(|(attribute, instance)| (rule, attribute, instance))).collect()
    }
}

/// An attribute of requests that an instance of a rule needs, and a call lacks; with the instance.
fn of_instances(model: &Model<'_>, rule: &Rule, bag: &CallBag<'_>) -> Option<(String, String)> {
    let item = model.rules.iter().find(|one| full_name(&one.resource) == *rule.name)?;
    instances(model, item).into_iter().find_map(|instance| {
        let mut texts = Vec::new();
        collect(instance.spec(), &mut texts);
        let lacking = texts.into_iter().find_map(|text| {
            let program = Program::compile(text, &model.vocabulary).ok()?;
            let lacking = program.may_lack(&|slot| bag.get(slot).is_some())?;
            lacking.starts_with("request.").then(|| lacking.to_owned())
        })?;
        Some((lacking, full_name(instance)))
    })
}

/// All texts of a tree.
fn collect<'t>(tree: &'t Json, texts: &mut Vec<&'t str>) {
    match tree {
        Json::String(text) => texts.push(text),
        Json::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Json::Object(fields) => fields.values().for_each(|field| collect(field, texts)),
        _ => {}
    }
}

/// Whether a condition requires another host.
fn excludes(condition: &Program, host: &str) -> bool {
    condition.demands().iter().any(|alternatives| {
        !alternatives.is_empty()
            && alternatives.iter().all(|one| one.slot == slot::REQUEST_HOST && !one.test.holds(host))
    })
}

/// What is known of a tunnel, as if the host were told as that of a request is.
struct Named<'a> {
    bag: &'a CallBag<'a>,
    host: &'a str,
}

impl Bag for Named<'_> {
    fn get(&self, slot: Slot) -> Option<ValueRef<'_>> {
        match slot {
            slot::REQUEST_HOST => Some(ValueRef::String(self.host)),
            _ => self.bag.get(slot),
        }
    }
}
