//! From the registry to a snapshot.

use crate::call::Reporter;
use crate::identity::Workload;
use crate::policy::{Enforcement, Kept, Live, Policy};
use crate::registry::{LoadError, View, load};
use crate::resource::kinds::{
    DEPLOYMENT, DESTINATION_RULE, GATEWAY, SECRET, SERVICE, SERVICE_ENTRY, SIDECAR, VIRTUAL_SERVICE, WORKLOAD_ENTRY,
};
use crate::routing::{Endpoints, GATEWAY_NAMESPACE, Networking, OutboundPolicy, Scope};

use super::{SidecarListener, Snapshot};

/// The workload that plays the gateway.
const GATEWAY_WORKLOAD: &str = "istio-egressgateway";

/// The namespace of a listener without workload.
const DEFAULT_NAMESPACE: &str = "default";

/// What a sidecar listener was told to stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerSpec {
    /// Name and namespace of the workload whose calls it takes.
    pub workload: Option<(String, String)>,
}

/// Makes snapshots for one proxy.
#[derive(Debug, Default)]
pub struct Compiler {
    /// Its sidecar listeners.
    pub listeners: Vec<ListenerSpec>,
    /// Which hosts its workloads may call.
    pub outbound: OutboundPolicy,
    /// How far refusals go.
    pub enforcement: Enforcement,
    /// What handlers take over from one snapshot to the next.
    pub live: Live,
    /// What is known of endpoints.
    pub endpoints: Kept<Endpoints>,
}

impl Compiler {
    /// Compiles what is declared.
    ///
    /// # Errors
    /// A resource that cannot be compiled; nothing of the change may then be put in force.
    pub fn compile(&self, view: &dyn View) -> Result<Snapshot, LoadError> {
        // Read first: what is read afterwards is at least as new.
        let revision = view.revision()?;
        let gateway = Workload::find(view, GATEWAY_WORKLOAD, GATEWAY_NAMESPACE)?;
        let mut notes = Vec::new();
        let networking = networking(view)?;
        let sidecars = sidecars(view, &self.listeners, &networking, &mut notes)?;
        let labels = gateway.as_ref().map(|workload| workload.labels.clone()).unwrap_or_default();
        let routes = networking.compile(&sidecars.scopes, self.outbound, &labels, &self.endpoints);
        let policy = Policy::compile(view, self.enforcement, &self.live, &mut notes)?;
        let gateway = Reporter { uid: gateway.map(|workload| workload.uid).unwrap_or_default() };
        let sidecars = sidecars.listeners;
        Ok(Snapshot { revision, routes, policy, notes, sidecars, gateway })
    }
}

/// All that routes are made of.
fn networking(view: &dyn View) -> Result<Networking, LoadError> {
    let mut networking = Networking::default();
    load(view, &WORKLOAD_ENTRY)?.iter().for_each(|(resource, spec)| networking.workload_entry(resource, spec));
    load(view, &SERVICE)?.iter().for_each(|(resource, spec)| networking.service(resource, spec));
    load(view, &SERVICE_ENTRY)?.iter().for_each(|(resource, spec)| networking.service_entry(resource, spec));
    load(view, &SECRET)?.iter().for_each(|(resource, spec)| networking.secret(resource, spec));
    load(view, &DESTINATION_RULE)?
        .into_iter()
        .for_each(|(resource, spec)| networking.destination_rule(&resource, spec));
    load(view, &SIDECAR)?.into_iter().for_each(|(resource, spec)| networking.sidecar_resource(&resource, spec));
    load(view, &VIRTUAL_SERVICE)?.into_iter().for_each(|(resource, spec)| networking.virtual_service(&resource, spec));
    load(view, &GATEWAY)?.into_iter().for_each(|(resource, spec)| networking.gateway(&resource, spec));
    Ok(networking)
}

struct Sidecars {
    listeners: Vec<SidecarListener>,
    /// What listeners see, each scope once.
    scopes: Vec<Scope>,
}

fn sidecars(
    view: &dyn View,
    listeners: &[ListenerSpec],
    networking: &Networking,
    notes: &mut Vec<String>,
) -> Result<Sidecars, LoadError> {
    let mut sidecars = Sidecars { listeners: Vec::with_capacity(listeners.len()), scopes: Vec::new() };
    for listener in listeners {
        let caller = match &listener.workload {
            None => None,
            Some((name, namespace)) => {
                let found = Workload::find(view, name, namespace)?;
                if found.is_none() {
                    notes.push(format!(
                        "no {} or Pod {name} in namespace {namespace}: its listener's callers are unknown",
                        DEPLOYMENT.name
                    ));
                }
                found
            }
        };
        let namespace = listener.workload.as_ref().map_or(DEFAULT_NAMESPACE, |(_, namespace)| namespace);
        let labels = caller.as_ref().map(|workload| &workload.labels);
        let scope = place_of(&mut sidecars.scopes, networking.scope(namespace, labels));
        let uid = caller.as_ref().map(|workload: &Workload| workload.uid.clone()).unwrap_or_default();
        sidecars.listeners.push(SidecarListener { caller, scope, reporter: Reporter { uid } });
    }
    Ok(sidecars)
}

/// The place of a scope among those known.
fn place_of(scopes: &mut Vec<Scope>, scope: Scope) -> usize {
    scopes.iter().position(|known| *known == scope).unwrap_or_else(|| {
        scopes.push(scope);
        scopes.len() - 1
    })
}
