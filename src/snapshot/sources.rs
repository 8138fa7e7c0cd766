//! What routes are made of, decoded, and kept from one snapshot to the next.

use std::fmt;

use k8s_openapi::api::core::v1::Service;

use crate::registry::{LoadError, Loaded, News, Revision, View};
use crate::resource::Kind;
use crate::resource::kinds::destination_rule::DestinationRule;
use crate::resource::kinds::gateway::Gateway;
use crate::resource::kinds::secret::Secret;
use crate::resource::kinds::service_entry::ServiceEntry;
use crate::resource::kinds::sidecar::Sidecar;
use crate::resource::kinds::virtual_service::VirtualService;
use crate::resource::kinds::workload_entry::WorkloadEntry;
use crate::resource::kinds::{
    AUTHORIZATION_POLICY, CLUSTER_RBAC_CONFIG, CONFIG_MAP, DESTINATION_RULE, GATEWAY, GRANT, PEER_AUTHENTICATION,
    RBAC_CONFIG, SECRET, SERVICE, SERVICE_ENTRY, SERVICE_ROLE, SERVICE_ROLE_BINDING, SIDECAR, TOKEN, VIRTUAL_SERVICE,
    WORKLOAD_ENTRY,
};
use crate::routing::Networking;

use super::headers::HeadersRead;

/// Kinds of which only routes are made. Services also say who callers are.
const OF_ROUTES_ALONE: [&Kind; 7] =
    [&WORKLOAD_ENTRY, &SERVICE_ENTRY, &SECRET, &DESTINATION_RULE, &SIDECAR, &VIRTUAL_SERVICE, &GATEWAY];

/// The decoded resources of one view.
pub(super) struct Sources {
    seen: Option<Revision>,
    workload_entries: Loaded<WorkloadEntry>,
    services: Loaded<Service>,
    service_entries: Loaded<ServiceEntry>,
    secrets: Loaded<Secret>,
    destination_rules: Loaded<DestinationRule>,
    sidecars: Loaded<Sidecar>,
    virtual_services: Loaded<VirtualService>,
    gateways: Loaded<Gateway>,
    /// Which headers decisions depend on.
    pub(super) headers: HeadersRead,
}

impl fmt::Debug for Sources {
    /// Secrets are not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("seen", &self.seen).finish_non_exhaustive()
    }
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            seen: None,
            workload_entries: Loaded::new(&WORKLOAD_ENTRY),
            services: Loaded::new(&SERVICE),
            service_entries: Loaded::new(&SERVICE_ENTRY),
            secrets: Loaded::new(&SECRET),
            destination_rules: Loaded::new(&DESTINATION_RULE),
            sidecars: Loaded::new(&SIDECAR),
            virtual_services: Loaded::new(&VIRTUAL_SERVICE),
            gateways: Loaded::new(&GATEWAY),
            headers: HeadersRead::default(),
        }
    }
}

impl Sources {
    /// Takes up what is new in a view, which must be one of the registry that all before were of, and hands it on.
    ///
    /// # Errors
    /// A resource that does not decode; these sources, and what they were handed to, are of no use then.
    pub(super) fn follow(&mut self, view: &dyn View, networking: &mut Networking) -> Result<News, LoadError> {
        // Read first: what is read afterwards is at least as new.
        let revision = view.revision()?;
        let news = News::since(view, self.seen)?;
        if matches!(news, News::Everything) {
            *networking = Networking::default();
        }
        networking.workload_entries(self.workload_entries.follow(view, &news)?);
        networking.services(self.services.follow(view, &news)?);
        networking.service_entries(self.service_entries.follow(view, &news)?);
        networking.destination_rules(self.destination_rules.follow(view, &news)?);
        networking.secrets(self.secrets.follow(view, &news)?);
        networking.sidecars(self.sidecars.follow(view, &news)?);
        let virtual_services = self.virtual_services.follow(view, &news)?;
        self.headers.virtual_services(&virtual_services);
        self.headers.policies(view, &news)?;
        networking.virtual_services(virtual_services);
        networking.gateways(self.gateways.follow(view, &news)?);
        self.seen = Some(revision);
        Ok(news)
    }
}

/// Whether news are of interest to routes.
pub(super) fn concerns_routes(news: &News) -> bool {
    news.of(|kind| *kind == SERVICE || OF_ROUTES_ALONE.contains(&kind))
}

/// Kinds of which only the policies of the gateway are made.
pub(super) const OF_AUTHORIZATION: [&Kind; 7] = [
    &CONFIG_MAP,
    &PEER_AUTHENTICATION,
    &AUTHORIZATION_POLICY,
    &CLUSTER_RBAC_CONFIG,
    &RBAC_CONFIG,
    &SERVICE_ROLE,
    &SERVICE_ROLE_BINDING,
];

/// Whether news are of interest to the policies of the gateway.
pub(super) fn concerns_authorization(news: &News) -> bool {
    news.of(|kind| OF_AUTHORIZATION.contains(&kind))
}

/// Kinds that say who may call as whom, and by way of exception what: neither routes nor policy are made of them.
const OF_CALLERS_ALONE: [&Kind; 2] = [&TOKEN, &GRANT];

/// Whether news are of interest to the rules of policy.
pub(super) fn concerns_policy(news: &News) -> bool {
    let others = [&OF_ROUTES_ALONE[..], &OF_AUTHORIZATION, &OF_CALLERS_ALONE];
    news.of(|kind| !others.iter().any(|kinds| kinds.contains(&kind)))
}
