//! From the registry to a snapshot.

use std::sync::{Arc, Mutex, PoisonError};

use crate::call::{PathNormalization, Peers, Reporter};
use crate::identity::{Holders, TrustDomain, Workload};
use crate::policy::authorization::{Authorization, Enforcer};
use crate::policy::{Enforcement, Kept, Live, Policy};
use crate::registry::{LoadError, News, View, load, load_mesh_config};
use crate::resource::Labels;
use crate::resource::kinds::token::Token;
use crate::resource::kinds::{DEPLOYMENT, POD, SERVICE, TOKEN};
use crate::routing::{Endpoints, GATEWAY_NAMESPACE, Networking, OutboundPolicy, RouteTable, Scope};

use super::Snapshot;
use super::enforcement::{GATEWAY_WORKLOAD, enforcer};
use super::grants::{Compiling, GrantState, Grants};
use super::sidecars::Sidecars;
use super::sources::{Sources, concerns_authorization, concerns_policy, concerns_routes};

/// What a sidecar listener was told to stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerSpec {
    /// Name and namespace of the workload whose calls it takes.
    pub workload: Option<(String, String)>,
}

/// The sidecar listeners of a proxy. More may come while it runs; none goes, so that each keeps its place.
#[derive(Debug, Default)]
pub struct Listeners(Mutex<Vec<ListenerSpec>>);

impl Listeners {
    /// The place of a listener that stands for a workload, made if there is none.
    pub fn place(&self, workload: (String, String)) -> usize {
        let mut listeners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = ListenerSpec { workload: Some(workload) };
        listeners.iter().position(|known| *known == wanted).unwrap_or_else(|| {
            listeners.push(wanted);
            listeners.len() - 1
        })
    }

    fn all(&self) -> Vec<ListenerSpec> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl FromIterator<ListenerSpec> for Listeners {
    fn from_iter<L: IntoIterator<Item = ListenerSpec>>(listeners: L) -> Self {
        Self(Mutex::new(listeners.into_iter().collect()))
    }
}

/// Makes snapshots for one proxy.
#[derive(Debug, Default)]
pub struct Compiler {
    /// Its sidecar listeners.
    pub listeners: Listeners,
    /// Name and namespace of the workload that plays the egress gateway, if it is not Istio's.
    pub gateway: Option<(String, String)>,
    /// The domain of all identities.
    pub trust_domain: TrustDomain,
    /// Whether anybody comes to it with a certificate of the mesh.
    pub takes_certificates: bool,
    /// Which hosts its workloads may call.
    pub outbound: OutboundPolicy,
    /// How far refusals go.
    pub enforcement: Enforcement,
    /// How paths are brought into the form in which they are judged, if not as the mesh's configuration says.
    pub paths: Option<PathNormalization>,
    /// What handlers take over from one snapshot to the next.
    pub live: Live,
    /// What is known of endpoints.
    pub endpoints: Kept<Endpoints>,
    /// Whether callers are known by the user that they run as.
    pub identify_users: bool,
    /// What has become of grants, by their uids.
    pub grants: Kept<GrantState>,
    /// The latest snapshot's parts: what no change touches is taken over.
    pub memory: Mutex<Memory>,
}

/// Whose routes a table has.
#[derive(Debug, PartialEq)]
struct Served {
    /// What sidecars see.
    scopes: Vec<Scope>,
    /// Host and port of those whom policies ask.
    asked: Vec<(String, u16)>,
    /// Namespace and labels of the gateway's workload.
    gateway: (String, Labels),
}

/// What a [`Compiler`] keeps.
#[derive(Debug, Default)]
pub struct Memory {
    sources: Sources,
    networking: Networking,
    /// With what it was made for.
    routes: Option<(Served, Arc<RouteTable>)>,
    /// With what it notes.
    policy: Option<(Arc<Policy>, Vec<String>)>,
    holders: Option<Arc<Holders>>,
    /// With what it was made for, and what it notes.
    authorization: Option<(Enforcer, Arc<Authorization>, Vec<String>)>,
}

impl Compiler {
    /// Compiles what is declared. All views given to one compiler must be of one registry, in the order of time.
    ///
    /// # Errors
    /// A resource that cannot be compiled; nothing of the change may then be put in force.
    pub fn compile(&self, view: &dyn View) -> Result<Snapshot, LoadError> {
        let mut memory = self.memory.lock().unwrap_or_else(|poisoned: PoisonError<_>| {
            let mut memory = poisoned.into_inner();
            *memory = Memory::default();
            memory
        });
        // What was half taken up is not to be gone on with.
        self.compile_on(&mut memory, view).inspect_err(|_| *memory = Memory::default())
    }

    fn compile_on(&self, memory: &mut Memory, view: &dyn View) -> Result<Snapshot, LoadError> {
        // Read first: what is read afterwards is at least as new.
        let revision = view.revision()?;
        let (name, namespace) = match &self.gateway {
            Some((name, namespace)) => (name.as_str(), namespace.as_str()),
            None => (GATEWAY_WORKLOAD, GATEWAY_NAMESPACE),
        };
        let gateway = Workload::find(view, name, namespace)?.map(|found| found.of_domain(&self.trust_domain));
        let mut notes = Vec::new();
        let news = memory.sources.follow(view, &mut memory.networking)?;
        let headers_read = memory.sources.headers.all();
        let specs = self.listeners.all();
        let listeners = specs.len();
        let tokens = load::<Token>(view, &TOKEN)?;
        let holders = self.holders(memory, &news, view, !tokens.is_empty())?;
        let (specs, bearers) = ((specs.as_slice(), self.identify_users), (tokens, &*holders));
        let Sidecars { all: mut sidecars, scopes, tokens, users } =
            Sidecars::compile(view, specs, bearers, &memory.networking, &mut notes)?;
        sidecars.iter_mut().for_each(|sidecar| sidecar.of_domain(&self.trust_domain));
        let labels = gateway.as_ref().map(|workload| workload.labels.clone()).unwrap_or_default();
        let gateway_identity = gateway.as_ref().and_then(Workload::identity);
        let enforcer = enforcer(namespace, gateway.as_ref());
        let authorization = authorization(memory, &news, view, enforcer, &mut notes)?;
        let asked = authorization.authorizers().iter().map(|one| (one.host.clone(), one.port)).collect();
        let routes = self.routes(memory, &news, (scopes, asked), (namespace, &labels));
        let policy = self.policy(memory, &news, view, &mut notes)?;
        let (networking, endpoints) = (&memory.networking, &self.endpoints);
        let grants =
            Grants::compile(view, Compiling { networking, gateway: &labels, endpoints, states: &self.grants })?;
        let gateway_name = format!("{name}.{namespace}");
        let uid = gateway.map(|workload| workload.uid).unwrap_or_default();
        let [gateway, certified_gateway] = [false, true]
            .map(|asks_certificates| Reporter { uid: uid.clone(), peers: Peers::Sidecars { asks_certificates } });
        Ok(Snapshot {
            revision,
            paths: self.paths.map_or_else(|| paths_of_mesh(view), Ok)?,
            routes,
            policy,
            authorization,
            headers_read,
            grants,
            notes,
            gateway_name,
            listeners,
            gateway_identity,
            holders,
            sidecars,
            tokens,
            users,
            gateway,
            certified_gateway,
        })
    }

    /// The route table, for a gateway in a namespace with labels.
    fn routes(
        &self,
        memory: &mut Memory,
        news: &News,
        (scopes, asked): (Vec<Scope>, Vec<(String, u16)>),
        gateway: (&str, &Labels),
    ) -> Arc<RouteTable> {
        let served = Served { scopes, asked, gateway: (gateway.0.to_owned(), gateway.1.clone()) };
        if let Some((known, routes)) = &memory.routes
            && !concerns_routes(news)
            && *known == served
        {
            return Arc::clone(routes);
        }
        memory.networking.asks(served.asked.clone());
        let routes = Arc::new(memory.networking.compile(&served.scopes, self.outbound, gateway, &self.endpoints));
        memory.routes = Some((served, Arc::clone(&routes)));
        routes
    }

    fn policy(
        &self,
        memory: &mut Memory,
        news: &News,
        view: &dyn View,
        notes: &mut Vec<String>,
    ) -> Result<Arc<Policy>, LoadError> {
        if concerns_policy(news) {
            memory.policy = None;
        }
        let (policy, noted) = match memory.policy.take() {
            Some(known) => known,
            None => {
                let mut noted = Vec::new();
                (Arc::new(Policy::compile(view, self.enforcement, &self.live, &mut noted)?), noted)
            }
        };
        notes.extend(noted.iter().cloned());
        memory.policy = Some((Arc::clone(&policy), noted));
        Ok(policy)
    }
}

impl Compiler {
    /// The workloads that certificates can be of, where anybody comes by one.
    /// What is known by service accounts, if anybody is known by one.
    fn holders(
        &self,
        memory: &mut Memory,
        news: &News,
        view: &dyn View,
        has_tokens: bool,
    ) -> Result<Arc<Holders>, LoadError> {
        if !(self.takes_certificates || has_tokens) {
            // What changes from now on is not followed.
            memory.holders = None;
            return Ok(Arc::default());
        }
        let others = [&DEPLOYMENT, &POD, &SERVICE];
        if let Some(known) = memory.holders.as_ref().filter(|_| !news.of(|kind| others.contains(&kind))) {
            return Ok(Arc::clone(known));
        }
        let holders = Arc::new(Holders::new(view, &self.trust_domain)?);
        memory.holders = Some(Arc::clone(&holders));
        Ok(holders)
    }
}

/// How paths are normalized by the configuration of the mesh; strictly where that says nothing.
fn paths_of_mesh(view: &dyn View) -> Result<PathNormalization, LoadError> {
    let said = load_mesh_config(view)?.normalization.and_then(|name| name.parse().ok());
    Ok(said.unwrap_or_default())
}

/// The policies of the gateway: those of before where nothing of them has changed.
fn authorization(
    memory: &mut Memory,
    news: &News,
    view: &dyn View,
    enforcer: Enforcer,
    notes: &mut Vec<String>,
) -> Result<Arc<Authorization>, LoadError> {
    let known =
        memory.authorization.take().filter(|(made_for, ..)| *made_for == enforcer && !concerns_authorization(news));
    let (enforcer, authorization, noted) = match known {
        Some(known) => known,
        None => {
            let mut noted = Vec::new();
            let made = Authorization::compile(view, &enforcer, &mut noted)?;
            (enforcer, Arc::new(made), noted)
        }
    };
    notes.extend(noted.iter().cloned());
    memory.authorization = Some((enforcer, Arc::clone(&authorization), noted));
    Ok(authorization)
}
