//! Grants: exceptions that end. A grant lets calls of one workload to one host go that policy or routes would refuse.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::call::{Call, Failure, Granted};
use crate::expr::Timestamp;
use crate::identity::Workload;
use crate::policy::{Kept, Spend};
use crate::registry::{LoadError, View, load};
use crate::resource::kinds::GRANT;
use crate::resource::kinds::grant::{Grant as GrantSpec, GrantStatus};
use crate::resource::{Key, Labels, Resource};
use crate::routing::{Cluster, Endpoints, Networking, RouteTable};

/// The port of a service, with the cluster of calls that go straight to it.
type Direct = Vec<(u16, Result<Arc<Cluster>, Failure>)>;

/// A grant.
#[derive(Debug)]
pub struct Grant {
    /// What is told of it.
    pub granted: Granted,
    /// Its key in the registry.
    pub key: Key,
    /// Its uid there.
    pub uid: String,
    /// What has become of it.
    pub state: Arc<GrantState>,
    host: String,
    port: Option<u16>,
    path: String,
    created: i64,
    uses: u64,
    /// Where calls go that have no route: straight to the service, if the host is one.
    direct: Direct,
}

/// What has become of a grant; outlives configurations.
#[derive(Debug, Default)]
pub struct GrantState {
    ended: AtomicBool,
    /// Calls that it has let go, as far as is known.
    used: AtomicU64,
    /// Of these the ones that are not in the registry yet.
    unsaved: AtomicU64,
}

impl GrantState {
    /// Ends it for good. Whether it had not ended before.
    pub fn end(&self) -> bool {
        !self.ended.swap(true, Ordering::AcqRel)
    }

    /// Whether it has ended, by its time, or because it was deleted.
    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// How many uses are to be written down. They count as written from now on.
    pub fn unsaved(&self) -> u64 {
        self.unsaved.swap(0, Ordering::AcqRel)
    }

    /// Uses that could not be written down after all.
    pub fn still_unsaved(&self, uses: u64) {
        self.unsaved.fetch_add(uses, Ordering::AcqRel);
    }

    /// So many uses are known by now, those of other proxies among them.
    pub fn known(&self, used: u64) {
        self.used.fetch_max(used, Ordering::AcqRel);
    }
}

impl Grant {
    /// Whether it is for such a call.
    fn covers(&self, call: &Call) -> bool {
        let authority = call.authority();
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        host == self.host && self.port.is_none_or(|port| port == authority.port()) && self.covers_path(call)
    }

    /// Of bytes that are passed on unread nobody knows the path.
    fn covers_path(&self, call: &Call) -> bool {
        let Some(rest) = call.path().strip_prefix(self.path.as_str()) else { return self.path.is_empty() };
        let whole_segments =
            rest.is_empty() || self.path.is_empty() || self.path.ends_with('/') || rest.starts_with('/');
        whole_segments && (self.path.is_empty() || call.tunnel().is_none())
    }

    /// Whether it lives. Before it was given, which a clock says that was set back, it does not.
    fn lives(&self, now: Timestamp) -> bool {
        !self.state.has_ended() && self.created <= now.seconds && now < self.granted.expires
    }

    /// How many more calls it lets go, if they are counted.
    pub fn uses_left(&self) -> Option<u64> {
        let used = self.state.used.load(Ordering::Acquire);
        (self.uses > 0).then(|| self.uses.saturating_sub(used))
    }

    /// Takes one use, if one is left.
    fn take(&self, spend: Spend) -> bool {
        if self.uses == 0 {
            return true;
        }
        if spend == Spend::Peek {
            return self.uses_left() != Some(0);
        }
        let one_more = |used| (used < self.uses).then_some(used + 1);
        let taken = self.state.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more).is_ok();
        if taken {
            self.state.unsaved.fetch_add(1, Ordering::AcqRel);
        }
        taken
    }
}

/// The grants of a snapshot.
#[derive(Debug, Default)]
pub struct Grants {
    /// By namespace and name of the workload.
    by_workload: HashMap<(String, String), Vec<Arc<Grant>>>,
}

/// What grants are compiled with.
pub(super) struct Compiling<'a> {
    pub(super) networking: &'a Networking,
    pub(super) gateway: &'a Labels,
    pub(super) endpoints: &'a Kept<Endpoints>,
    pub(super) states: &'a Kept<GrantState>,
}

impl Grants {
    pub(super) fn compile(view: &dyn View, with: Compiling<'_>) -> Result<Self, LoadError> {
        let mut grants = Self::default();
        for (resource, spec) in load::<GrantSpec>(view, &GRANT)? {
            if let Some(grant) = with.grant(view, &resource, spec.clone())? {
                let workload = (resource.namespace().to_owned(), spec.workload);
                grants.by_workload.entry(workload).or_default().push(Arc::new(grant));
            }
        }
        Ok(grants)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Grant>> {
        self.by_workload.values().flatten()
    }

    /// Those that are for a call, whose caller must be proven to be the very workload.
    fn covering(&self, call: &Call) -> impl Iterator<Item = &Arc<Grant>> {
        // Most configurations have none.
        let caller = call.caller().filter(|_| !self.by_workload.is_empty());
        let of = caller.and_then(|caller| self.by_workload.get(&(caller.namespace.clone(), caller.name.clone())));
        of.into_iter().flatten().filter(|grant| grant.covers(call) && grant.lives(call.time()))
    }

    /// The grant that lets a call go which was refused; its use is taken, or only looked at.
    pub fn take(&self, call: &Call, spend: Spend) -> Option<&Arc<Grant>> {
        self.covering(call).find(|grant| grant.take(spend))
    }

    /// Whether there is a grant for some call of a workload to a host.
    pub fn has_host(&self, workload: &Workload, host: &str, now: Timestamp) -> bool {
        let key = (workload.namespace.clone(), workload.name.clone());
        let of = self.by_workload.get(&key).into_iter().flatten();
        of.into_iter().any(|grant| grant.host == host && grant.lives(now) && grant.take(Spend::Peek))
    }
}

impl Grant {
    /// Where a call goes that has no route.
    ///
    /// # Errors
    /// What no grant overrides: an address of a private network.
    pub fn way<'s>(&'s self, routes: &'s RouteTable, scope: usize, call: &Call) -> Result<&'s Arc<Cluster>, Failure> {
        match self.direct.iter().find(|(port, _)| *port == call.authority().port()) {
            Some((_, cluster)) => cluster.as_ref().map_err(|failure| *failure),
            None => routes.around(scope, call),
        }
    }
}

impl Compiling<'_> {
    /// Nothing of one that has ended.
    fn grant(&self, view: &dyn View, resource: &Resource, spec: GrantSpec) -> Result<Option<Grant>, LoadError> {
        let (namespace, status) = (resource.namespace(), GrantStatus::of(resource));
        let created = resource.meta.creation_timestamp.as_deref().and_then(Timestamp::parse_rfc3339);
        let expires = Timestamp::parse_rfc3339(&spec.expiration_timestamp);
        let (Some(uid), Some(expires), None) = (resource.meta.uid.clone(), expires, status.ended_at) else {
            return Ok(None);
        };
        let state = self.states.get_or(&uid, GrantState::default);
        state.known(status.used);
        let workload = Workload::find(view, &spec.workload, namespace)?;
        let scope = self.networking.scope(namespace, workload.as_ref().map(|workload| &workload.labels));
        Ok(Some(Grant {
            granted: Granted { name: format!("{}.{namespace}", resource.meta.name), reason: spec.reason, expires },
            key: resource.key(),
            uid,
            state,
            direct: self.networking.direct(&scope, &spec.host, self.gateway, self.endpoints),
            host: spec.host,
            port: spec.port.and_then(|port| u16::try_from(port).ok()),
            path: spec.path,
            created: created.map_or(i64::MIN, |created| created.seconds),
            uses: spec.uses.unwrap_or_default(),
        }))
    }
}
