//! The sidecars that a proxy plays: one behind each listener, and one for each caller who is known by what it shows.

use std::collections::HashMap;
use std::sync::Arc;

use crate::call::{Peers, Reporter};
use crate::expr::Timestamp;
use crate::identity::{Caller, Claims, Holders, TrustDomain, Unproven, Workload, subject};
use crate::registry::{LoadError, View};
use crate::resource::kinds::token::Token;
use crate::resource::kinds::{DEPLOYMENT, SERVICE_ACCOUNT};
use crate::resource::{Key, Labels, Resource};
use crate::routing::{Networking, Scope};

use super::{Hop, ListenerSpec};

/// The namespace of a listener without workload.
const DEFAULT_NAMESPACE: &str = "default";

/// A sidecar that is played.
#[derive(Debug)]
pub(super) struct Sidecar {
    /// Whose it is, where that is one workload's or service account's.
    pub(super) caller: Option<Caller>,
    /// Which of the route table's scopes it sees.
    pub(super) scope: usize,
    pub(super) reporter: Reporter,
    /// Whether its callers are told apart by what they show.
    pub(super) is_shared: bool,
}

impl Sidecar {
    /// Its caller as one of a trust domain.
    pub(super) fn of_domain(&mut self, domain: &TrustDomain) {
        if let Some(caller) = &mut self.caller {
            caller.workload = Arc::new(Workload::clone(&caller.workload).of_domain(domain));
        }
    }
}

/// The sidecars of a snapshot.
#[derive(Debug, Default)]
pub(super) struct Sidecars {
    /// Those of listeners, in their order, then those of other callers.
    pub(super) all: Vec<Sidecar>,
    /// What they see, each scope once.
    pub(super) scopes: Vec<Scope>,
    pub(super) tokens: Tokens,
    pub(super) users: Users,
}

/// The Tokens that are good, by their uids.
#[derive(Debug, Default)]
pub(super) struct Tokens(HashMap<String, Bearer>);

/// Whose a token is.
#[derive(Debug)]
struct Bearer {
    subject: String,
    /// Seconds since 1970.
    expires: i64,
    /// The place of its service account's sidecar.
    sidecar: usize,
}

/// The places of the sidecars of workloads whose Pods run as a user; nothing where several do.
#[derive(Debug, Default)]
pub(super) struct Users(HashMap<u32, Option<usize>>);

impl Users {
    pub(super) fn workload(&self, user: u32) -> Option<Hop> {
        self.0.get(&user).copied().flatten().map(Hop::Sidecar)
    }
}

impl Sidecars {
    /// Of listeners, and of users if these are told apart.
    pub(super) fn compile(
        view: &dyn View,
        (listeners, identify_users): (&[ListenerSpec], bool),
        bearers: (Vec<(Resource, Token)>, &Holders),
        networking: &Networking,
        notes: &mut Vec<String>,
    ) -> Result<Self, LoadError> {
        let mut sidecars = Self::default();
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
                    found.map(Caller::by_listener)
                }
            };
            let namespace = listener.workload.as_ref().map_or(DEFAULT_NAMESPACE, |(_, namespace)| namespace);
            sidecars.push(caller, namespace, listener.workload.is_none(), networking);
        }
        sidecars.add_bearers(view, bearers, networking)?;
        if identify_users {
            sidecars.add_users(view, networking, notes)?;
        }
        Ok(sidecars)
    }

    /// Adds the sidecars of service accounts that have tokens; a token of one that was deleted is no longer good.
    fn add_bearers(
        &mut self,
        view: &dyn View,
        (tokens, holders): (Vec<(Resource, Token)>, &Holders),
        networking: &Networking,
    ) -> Result<(), LoadError> {
        let mut places: HashMap<String, usize> = HashMap::new();
        for (resource, token) in tokens {
            let (namespace, name) = (resource.namespace(), token.service_account_name.as_str());
            let account = view.get(&Key::new(&SERVICE_ACCOUNT, namespace, name))?;
            let same = account.is_some_and(|account| account.meta.uid.as_ref() == Some(&token.service_account_uid));
            let expires = Timestamp::parse_rfc3339(&token.expiration_timestamp);
            let (true, Some(expires), Some(uid)) = (same, expires, resource.meta.uid.clone()) else { continue };
            let subject = subject(namespace, name);
            let sidecar = match places.get(&subject) {
                Some(place) => *place,
                None => {
                    let caller = Caller::by_token(holders.of_account(namespace, name));
                    let place = self.push(Some(caller), namespace, false, networking);
                    *places.entry(subject.clone()).or_insert(place)
                }
            };
            self.tokens.0.insert(uid, Bearer { subject, expires: expires.seconds, sidecar });
        }
        Ok(())
    }

    /// Adds the sidecars of workloads whose Pods say as which user they run.
    fn add_users(
        &mut self,
        view: &dyn View,
        networking: &Networking,
        notes: &mut Vec<String>,
    ) -> Result<(), LoadError> {
        for (user, workload) in Workload::by_user(view)? {
            if let Some(known) = self.users.0.get_mut(&user) {
                *known = None;
                notes.push(format!("several workloads run as user {user}: its callers are unknown"));
                continue;
            }
            let namespace = workload.namespace.clone();
            let place = self.push(Some(Caller::by_socket_owner(workload)), &namespace, false, networking);
            self.users.0.insert(user, Some(place));
        }
        Ok(())
    }

    /// Adds a sidecar that stands in a namespace; its place.
    fn push(&mut self, caller: Option<Caller>, namespace: &str, is_shared: bool, networking: &Networking) -> usize {
        let scope = self.scope(networking, namespace, caller.as_ref().map(|caller| &caller.labels));
        let uid = caller.as_ref().map(|caller| caller.uid.clone()).unwrap_or_default();
        let reporter = Reporter { uid, peers: Peers::Workload };
        self.all.push(Sidecar { caller, scope, reporter, is_shared });
        self.all.len() - 1
    }

    /// The place of a scope among those known.
    fn scope(&mut self, networking: &Networking, namespace: &str, labels: Option<&Labels>) -> usize {
        let scope = networking.scope(namespace, labels);
        self.scopes.iter().position(|known| *known == scope).unwrap_or_else(|| {
            self.scopes.push(scope);
            self.scopes.len() - 1
        })
    }
}

impl Tokens {
    /// Where the calls of who shows a token are judged.
    pub(super) fn bearer(&self, claims: &Claims, now: Timestamp) -> Result<Hop, Unproven> {
        if claims.expires() <= now.seconds {
            return Err(Unproven::Expired);
        }
        match self.0.get(claims.id()).filter(|bearer| bearer.subject == claims.subject()) {
            None => Err(Unproven::Revoked),
            Some(bearer) if bearer.expires <= now.seconds => Err(Unproven::Expired),
            Some(bearer) => Ok(Hop::Sidecar(bearer.sidecar)),
        }
    }
}
