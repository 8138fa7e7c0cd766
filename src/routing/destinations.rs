//! From a destination to a cluster: the service, its DestinationRule, its endpoints and TLS.

use std::collections::HashMap;
use std::iter;
use std::sync::Arc;
use std::time::Duration;

use crate::call::{Failure, TlsFault};
use crate::policy::Kept;
use crate::resource::kinds::destination_rule::{
    ClientTls, ClientTlsMode, ConsistentHash, DestinationRule, H2UpgradePolicy, SimpleLb, TrafficPolicy,
};
use crate::resource::{Labels, Provenance, Resource};

use super::balance::{Balance, Choice, HashBy, HashCookie, Live, Ring};
use super::cluster::{Cluster, Endpoint, Limits, Target, TlsSettings};
use super::hosts::{HostTable, covers, qualify};
use super::outlier::Outlier;
use super::private::Private;
use super::services::{Address, Port, Reach, Service, exported};
use super::tunnel::Original;

/// Connection attempts without `connectTimeout` in the DestinationRule (Istio's default).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A DestinationRule with where it was declared.
#[derive(Debug)]
pub(super) struct HostRule {
    provenance: Arc<Provenance>,
    pub(super) namespace: String,
    /// Fully qualified.
    pub(super) host: String,
    pub(super) spec: DestinationRule,
}

impl HostRule {
    pub(super) fn new(resource: &Resource, spec: DestinationRule) -> Self {
        let namespace = resource.namespace();
        let provenance = Arc::new(Provenance::of(resource));
        Self { provenance, namespace: namespace.to_owned(), host: qualify(&spec.host, namespace), spec }
    }

    fn visible_from(&self, namespace: &str) -> bool {
        exported(&self.spec.export_to, &self.namespace, namespace)
    }
}

/// What clusters are made from, as seen by proxies of one namespace.
pub(super) struct Destinations<'a> {
    pub(super) namespace: &'a str,
    pub(super) root_namespace: &'a str,
    pub(super) services: &'a HostTable<Service>,
    pub(super) rules: &'a [HostRule],
    /// Labels of the egress gateway's workload, whose Service is the next hop.
    pub(super) gateway_labels: &'a Labels,
    /// What is known of endpoints.
    pub(super) live: &'a Kept<Live>,
    made: HashMap<(String, u16, String), Result<Arc<Cluster>, Failure>>,
}

impl<'a> Destinations<'a> {
    pub(super) fn new(
        namespace: &'a str,
        root_namespace: &'a str,
        services: &'a HostTable<Service>,
        rules: &'a [HostRule],
        gateway_labels: &'a Labels,
        live: &'a Kept<Live>,
    ) -> Self {
        Self { namespace, root_namespace, services, rules, gateway_labels, live, made: HashMap::new() }
    }

    /// The cluster of a host, port and subset (empty for none). Without a port: the service's only one, else `default`.
    ///
    /// # Errors
    /// [`Failure::NoCluster`] when the host, its port or the subset is not there, or why TLS to it is not to be had.
    pub(super) fn cluster(
        &mut self,
        host: &str,
        port: Option<u16>,
        default: u16,
        subset: &str,
    ) -> Result<Arc<Cluster>, Failure> {
        let service = self.services.find(host).ok_or(Failure::NoCluster)?;
        let number = match (port, service.ports.as_slice()) {
            (Some(port), _) => port,
            (None, [only]) => only.number,
            (None, _) => default,
        };
        let key = (host.to_owned(), number, subset.to_owned());
        if let Some(made) = self.made.get(&key) {
            return made.clone();
        }
        let made = self.make(service, host, number, subset).map(Arc::new);
        self.made.insert(key, made.clone());
        made
    }

    fn make(&self, service: &Service, host: &str, number: u16, subset: &str) -> Result<Cluster, Failure> {
        let port = service.port(number).ok_or(Failure::NoCluster)?;
        let rule = self.rule(host, &service.namespace);
        let labels = self.subset_labels(rule, subset)?;
        let policy = rule.and_then(|rule| policy(&rule.spec, number, subset));
        let mut weights = vec![1];
        let target = match &service.reach {
            Reach::Selected(selector) => self.selected(selector, number),
            Reach::Endpoints(addresses) => {
                let addresses = addresses.iter().filter(|address| has_labels(&address.labels, labels));
                let tls = tls(policy.as_ref(), service, host)?;
                weights = addresses.clone().map(|address| address.weight).collect();
                let endpoints = addresses.map(|address| endpoint(address, port, tls.as_ref(), &service.private));
                Target::Endpoints(endpoints.collect())
            }
            // Of a wildcard nothing can be resolved.
            Reach::Host if service.host.starts_with('*') => Target::Endpoints(Vec::new()),
            Reach::Host => {
                let tls = tls(policy.as_ref(), service, host)?;
                Target::Endpoints(vec![Endpoint::new(host.to_owned(), port.target, tls, service.private.clone())])
            }
        };
        let multiplexed = port.multiplexed || policy.as_ref().is_some_and(upgrades);
        let target = spoken_to(target, policy.as_ref(), multiplexed);
        let connect_timeout = policy.as_ref().and_then(connect_timeout).unwrap_or(CONNECT_TIMEOUT);
        let name = format!("outbound|{number}|{subset}|{host}");
        let limits = policy.as_ref().and_then(limits);
        let original = original(service, port, policy.as_ref(), host, multiplexed);
        let balance = self.balance(policy.as_ref(), &name, &target, &weights);
        Ok(Cluster {
            name,
            host: host.to_owned(),
            port: number,
            target,
            connect_timeout,
            limits,
            balance,
            registered_by: Some(Arc::clone(&service.provenance)),
            rule: rule.map(|rule| Arc::clone(&rule.provenance)),
            original,
        })
    }

    /// How calls are spread over endpoints, going on with what is known of each.
    fn balance(&self, policy: Option<&TrafficPolicy>, name: &str, target: &Target, weights: &[u32]) -> Balance {
        let Target::Endpoints(endpoints) = target else {
            return Balance::new(Choice::Random, &[], None, Arc::new(Live::new(0)));
        };
        let key: String =
            iter::once(name).chain(endpoints.iter().map(|one| &*one.pool_key)).collect::<Vec<_>>().join("\n");
        // A service that nothing of ours can reach has a weight, but no endpoint.
        let weights = &weights[..endpoints.len()];
        let live = self.live.get_or(&key, || Live::new(endpoints.len()));
        let outlier = policy.and_then(|policy| policy.outlier_detection.as_ref()).map(Outlier::new);
        let balancer = policy.and_then(|policy| policy.load_balancer.as_ref());
        let hash = balancer.and_then(|balancer| balancer.consistent_hash.as_ref());
        let choice = match hash.and_then(|hash| Some((hash, hash_by(hash)?))) {
            Some((hash, by)) => {
                let names = endpoints.iter().map(|one| &*one.pool_key).zip(weights.iter().copied());
                Choice::Hash(by, Ring::new(names, ring_size(hash)))
            }
            None => match balancer.and_then(|balancer| balancer.simple).unwrap_or_default() {
                SimpleLb::RoundRobin => Choice::RoundRobin,
                SimpleLb::Random | SimpleLb::Passthrough => Choice::Random,
                SimpleLb::LeastRequest | SimpleLb::LeastConn | SimpleLb::Unspecified => Choice::LeastRequest,
            },
        };
        Balance::new(choice, weights, outlier, live)
    }

    /// The gateway, if it is among the workloads that a Service selects; nothing else of the mesh runs here.
    fn selected(&self, selector: &Labels, port: u16) -> Target {
        if !selector.is_empty() && has_labels(self.gateway_labels, selector) {
            Target::Gateway(port)
        } else {
            Target::Endpoints(Vec::new())
        }
    }

    /// The DestinationRule of a host: of the proxy's namespace, else of the service's, else of the root namespace; in
    /// the first of them that has any, the most specific. A proxy of the root namespace (the gateway) begins with the
    /// service's (Istio's rule).
    fn rule(&self, host: &str, service_namespace: &str) -> Option<&'a HostRule> {
        let own = (self.namespace != self.root_namespace).then_some(self.namespace);
        let order = [own, Some(service_namespace), Some(self.root_namespace)];
        order.into_iter().flatten().find_map(|namespace| {
            let rules = self.rules.iter().filter(|rule| {
                rule.namespace == namespace && rule.visible_from(self.namespace) && covers(&rule.host, host)
            });
            // Rules are sorted by age, and the oldest of equals counts.
            rules.reduce(|best, rule| if specificity(&rule.host) > specificity(&best.host) { rule } else { best })
        })
    }

    fn subset_labels(&self, rule: Option<&'a HostRule>, subset: &str) -> Result<&'a Labels, Failure> {
        static NONE: Labels = Labels::new();
        if subset.is_empty() {
            return Ok(&NONE);
        }
        let subsets = rule.map(|rule| rule.spec.subsets.as_slice()).unwrap_or_default();
        subsets.iter().find(|candidate| candidate.name == subset).map(|found| &found.labels).ok_or(Failure::NoCluster)
    }
}

fn specificity(pattern: &str) -> (bool, usize) {
    (!pattern.starts_with('*'), pattern.len())
}

fn has_labels(labels: &Labels, wanted: &Labels) -> bool {
    wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// The policy of a port: port level replaces the destination's whole, and a subset's own settings come before both.
fn policy(rule: &DestinationRule, port: u16, subset: &str) -> Option<TrafficPolicy> {
    let general = rule.traffic_policy.as_ref().map(|policy| at_port(policy, port));
    let subset = rule.subsets.iter().find(|candidate| candidate.name == subset);
    match (general, subset.and_then(|subset| subset.traffic_policy.as_ref()).map(|policy| at_port(policy, port))) {
        (general, None) => general,
        (None, subset) => subset,
        (Some(general), Some(subset)) => Some(TrafficPolicy {
            tls: subset.tls.or(general.tls),
            connection_pool: subset.connection_pool.or(general.connection_pool),
            load_balancer: subset.load_balancer.or(general.load_balancer),
            outlier_detection: subset.outlier_detection.or(general.outlier_detection),
            ..general
        }),
    }
}

fn at_port(policy: &TrafficPolicy, port: u16) -> TrafficPolicy {
    let listed = policy
        .port_level_settings
        .iter()
        .find(|settings| settings.port.as_ref().is_some_and(|selector| selector.number == u32::from(port)));
    match listed {
        None => policy.clone(),
        Some(settings) => TrafficPolicy {
            tls: settings.tls.clone(),
            connection_pool: settings.connection_pool.clone(),
            load_balancer: settings.load_balancer.clone(),
            outlier_detection: settings.outlier_detection.clone(),
            ..TrafficPolicy::default()
        },
    }
}

fn connect_timeout(policy: &TrafficPolicy) -> Option<Duration> {
    Some(policy.connection_pool.as_ref()?.tcp.as_ref()?.connect_timeout?.to_std())
}

/// Limits of calls at a time; a limit of connections is one of calls, of which each has a connection.
fn limits(policy: &TrafficPolicy) -> Option<Limits> {
    let pool = policy.connection_pool.as_ref()?;
    let given = |number: i32| u32::try_from(number).ok().filter(|number| *number > 0);
    let (tcp, http) = (pool.tcp.as_ref(), pool.http.as_ref());
    let connections = tcp.and_then(|tcp| given(tcp.max_connections));
    let requests = http.and_then(|http| given(http.http2_max_requests));
    let at_once = connections.into_iter().chain(requests).min()?;
    Some(Limits { at_once, waiting: http.and_then(|http| given(http.http1_max_pending_requests)) })
}

/// Whether HTTP/2 is spoken to a port that is declared for HTTP/1.1.
fn upgrades(policy: &TrafficPolicy) -> bool {
    let http = policy.connection_pool.as_ref().and_then(|pool| pool.http.as_ref());
    http.is_some_and(|http| http.h2_upgrade_policy == H2UpgradePolicy::Upgrade)
}

/// The endpoints of a target with what connections to them are like.
fn spoken_to(target: Target, policy: Option<&TrafficPolicy>, multiplexed: bool) -> Target {
    let http = policy.and_then(|policy| policy.connection_pool.as_ref()?.http.as_ref());
    let most = http.and_then(|http| u32::try_from(http.max_requests_per_connection).ok()).filter(|most| *most > 0);
    match target {
        Target::Endpoints(endpoints) => Target::Endpoints(
            endpoints
                .into_iter()
                .map(|endpoint| Endpoint { calls_per_connection: most, ..endpoint.speaking(multiplexed) })
                .collect(),
        ),
        gateway @ Target::Gateway(_) => gateway,
    }
}

fn endpoint(address: &Address, port: &Port, tls: Option<&Arc<TlsSettings>>, private: &Private) -> Endpoint {
    let number = address.ports.get(&port.name).copied().unwrap_or(port.target);
    Endpoint::new(address.address.clone(), number, tls.cloned(), private.clone())
}

/// What calls of one endpoint have in common; none where the rule names nothing that can be.
fn hash_by(hash: &ConsistentHash) -> Option<HashBy> {
    match hash {
        ConsistentHash { http_header_name: Some(name), .. } => name.parse().ok().map(HashBy::Header),
        ConsistentHash { http_cookie: Some(cookie), .. } => Some(HashBy::Cookie(HashCookie {
            name: cookie.name.clone(),
            path: cookie.path.clone(),
            life: cookie.ttl.map(crate::resource::Duration::to_std),
        })),
        ConsistentHash { use_source_ip: Some(true), .. } => Some(HashBy::SourceIp),
        ConsistentHash { http_query_parameter_name: Some(name), .. } => Some(HashBy::Query(name.clone())),
        _ => None,
    }
}

/// A ring serves for Maglev too, which spreads no worse.
fn ring_size(hash: &ConsistentHash) -> u64 {
    match (&hash.ring_hash, &hash.maglev) {
        (Some(ring), _) => ring.minimum_ring_size,
        (None, Some(maglev)) => maglev.table_size,
        (None, None) => hash.minimum_ring_size,
    }
}

/// TLS to a service as its policy says.
///
/// # Errors
/// [`TlsFault::Unusable`] for a mode that cannot be spoken to it: plain text would be sent where TLS was asked for.
fn tls(policy: Option<&TrafficPolicy>, service: &Service, host: &str) -> Result<Option<Arc<TlsSettings>>, Failure> {
    let Some(spec) = policy.and_then(|policy| policy.tls.as_ref()) else { return Ok(None) };
    match spec.mode {
        ClientTlsMode::Disable => Ok(None),
        // Identities of a mesh end at its gateway; Secrets are not read yet.
        ClientTlsMode::IstioMutual => Err(Failure::Tls(TlsFault::Unusable)),
        _ if !spec.credential_name.is_empty() => Err(Failure::Tls(TlsFault::Unusable)),
        ClientTlsMode::Simple | ClientTlsMode::Mutual => Ok(Some(Arc::new(settings(spec, service, host)))),
    }
}

/// How a service is reached that is where the caller wants to go.
fn original(
    service: &Service,
    port: &Port,
    policy: Option<&TrafficPolicy>,
    host: &str,
    multiplexed: bool,
) -> Option<Original> {
    let tls = tls(policy, service, host).ok().filter(|_| service.original)?;
    let named_by_call = policy.and_then(|policy| policy.tls.as_ref()).is_none_or(|tls| tls.sni.is_empty());
    let (addresses, private) = (service.addresses.clone(), service.private.clone());
    Some(Original { port: Some(port.target), addresses, private, tls, named_by_call, multiplexed })
}

fn settings(spec: &ClientTls, service: &Service, host: &str) -> TlsSettings {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let names = if spec.subject_alt_names.is_empty() { &service.subject_alt_names } else { &spec.subject_alt_names };
    let mutual = spec.mode == ClientTlsMode::Mutual;
    TlsSettings {
        sni: given(&spec.sni).unwrap_or_else(|| host.to_owned()),
        subject_alt_names: names.clone(),
        ca_certificates: given(&spec.ca_certificates),
        client_certificate: mutual.then(|| (spec.client_certificate.clone(), spec.private_key.clone())),
        insecure: spec.insecure_skip_verify.unwrap_or(false),
        multiplexed: false,
    }
}
