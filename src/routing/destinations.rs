//! From a destination to a cluster: the service, its DestinationRule, its endpoints and TLS.

use std::iter;
use std::sync::Arc;
use std::time::Duration;

use crate::call::{Failure, TlsFault};
use crate::policy::Kept;
use crate::resource::Labels;
use crate::resource::kinds::destination_rule::{ClientTls, ClientTlsMode, ConsistentHash, SimpleLb, TrafficPolicy};

use super::balance::{Balance, Choice, HashBy, HashCookie, Live, Ring};
use super::cluster::{Cluster, Endpoint, Limits, Own, Target, TlsSettings, mesh_server_name};
use super::compile::{Around, GATEWAY_NAMESPACE, Made, Networking};
use super::connections::{RetryLimits, Spoken};
use super::credential::{Pem, Secrets};
use super::locality::Level;
use super::outlier::Outlier;
use super::rules::HostRules;
use super::scope::Scope;
use super::services::{Address, How, Port, Protocol, Service, Services, has_labels};
use super::tunnel::Original;

/// Connection attempts without `connectTimeout` in the DestinationRule (Istio's default).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What clusters are made from, as seen by proxies of one scope.
pub(super) struct Destinations<'a> {
    pub(super) scope: &'a Scope,
    /// Whether the proxy is the gateway.
    is_gateway: bool,
    pub(super) services: &'a Services,
    rules: &'a HostRules,
    secrets: &'a Secrets,
    /// Labels of the egress gateway's workload, whose Service is the next hop.
    gateway_labels: &'a Labels,
    /// What is known of endpoints.
    live: &'a Kept<Live>,
    pub(super) made: &'a mut Made,
}

/// A service's port, and what is said of calls to it.
struct Meant<'a> {
    host: &'a str,
    service: &'a Service,
    port: &'a Port,
    subset: &'a str,
    policy: Option<TrafficPolicy>,
    /// Whether the policy is for selected workloads.
    selects: bool,
}

/// Who answers for a destination.
struct Answering {
    target: Target,
    /// One for each endpoint.
    weights: Vec<u32>,
    /// How far each is, where they are not alike.
    levels: Option<Box<[Level]>>,
}

impl Answering {
    fn alone(target: Target, weights: Vec<u32>) -> Self {
        Self { target, weights, levels: None }
    }

    fn nobody() -> Self {
        Self::alone(Target::Endpoints(Vec::new()), Vec::new())
    }
}

impl<'a> Destinations<'a> {
    pub(super) fn new(
        networking: &'a Networking,
        scope: &'a Scope,
        is_gateway: bool,
        Around { gateway_labels, live }: Around<'a>,
        made: &'a mut Made,
    ) -> Self {
        let Networking { services, rules, secrets, .. } = networking;
        Self { scope, is_gateway, services, rules, secrets, gateway_labels, live, made }
    }

    /// The cluster of a host, port and subset (empty for none). Without a port it is `default`, the port that the call came
    /// to, and at the gateway that of a service with only one. Only what is registered under just this name is a
    /// destination, not what a wildcard covers (Istio's rules).
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
        let service = self.services.seen(host, &self.scope.namespace).ok_or(Failure::NoCluster)?;
        let number = match (port, service.ports.as_slice()) {
            (Some(port), _) => port,
            (None, [only]) if self.is_gateway => only.number,
            (None, _) => default,
        };
        if let Some(made) = self.made.cluster(host, number, subset) {
            return Ok(made);
        }
        let mut made = self.make(&service, host, number, subset)?;
        self.made.share_pools(&mut made);
        let made = Arc::new(made);
        self.made.keep_cluster(host, number, subset, &made);
        Ok(made)
    }

    fn make(&self, service: &Service, host: &str, number: u16, subset: &str) -> Result<Cluster, Failure> {
        let port = service.port(number).ok_or(Failure::NoCluster)?;
        let ruling = self.rules.of(host, self.scope, service.namespace(), GATEWAY_NAMESPACE);
        let part = ruling.as_ref().and_then(|ruling| ruling.subset(subset));
        if !subset.is_empty() && part.is_none() {
            return Err(Failure::NoCluster);
        }
        let policy = ruling.as_ref().and_then(|ruling| ruling.policy(number, part));
        let selects = ruling.as_ref().is_some_and(|ruling| ruling.selects());
        let meant = Meant { host, service, port, subset, policy, selects };
        let policy = meant.policy.as_ref();
        let spoken = Spoken::new(policy, port.protocol == Protocol::Http { multiplexed: true });
        let Answering { target, weights, levels } = self.target(&meant, part.map(|part| &part.labels))?;
        let target = spoken_to(target, &spoken);
        let connect_timeout = policy.and_then(connect_timeout).unwrap_or(CONNECT_TIMEOUT);
        let name = format!("outbound|{number}|{subset}|{host}");
        let limits = policy.and_then(limits);
        let original = self.original(&meant, spoken);
        let balance = self.balance(policy, &name, &target, &weights).by_levels(levels);
        let target = watched(target, &balance);
        Ok(Cluster {
            name,
            host: host.to_owned(),
            port: number,
            target,
            connect_timeout,
            limits,
            retries: RetryLimits::new(policy),
            balance,
            registered_by: Some(Arc::clone(&service.provenance)),
            rules: ruling.as_ref().map(|ruling| ruling.provenances()).unwrap_or_default(),
            original,
        })
    }

    /// Who answers; of endpoints those that have the labels of a subset.
    fn target(&self, meant: &Meant<'_>, labels: Option<&Labels>) -> Result<Answering, Failure> {
        let Meant { service, port, host, .. } = *meant;
        let addresses = match &port.reach.how {
            How::Selected(selector, addresses) if !self.is_the_gateway(selector) => addresses,
            How::Selected(..) => return Ok(Answering::alone(Target::Gateway(port.number), Vec::new())),
            How::Endpoints(addresses) => addresses,
            // The gateway does not know what the caller dialled, and of a wildcard nothing can be resolved.
            How::Original if self.is_gateway => return Ok(Answering::nobody()),
            _ if service.host.starts_with('*') => return Ok(Answering::nobody()),
            How::Host | How::Original | How::Dynamic => {
                let endpoint =
                    Endpoint::new(host.to_owned(), port.target, self.tls(meant)?, port.reach.private.clone());
                return Ok(Answering::alone(Target::Endpoints(vec![endpoint]), vec![1]));
            }
        };
        let wanted = |address: &&Address| labels.is_none_or(|wanted| has_labels(&address.labels, wanted));
        let mut addresses: Vec<(&Address, u32)> =
            addresses.iter().filter(wanted).map(|address| (address, address.weight)).collect();
        let levels = self.near(meant, &mut addresses);
        let tls = self.tls(meant)?;
        let endpoints = addresses.iter().map(|(address, _)| endpoint(address, port, tls.as_ref())).collect();
        let weights = addresses.iter().map(|(_, weight)| *weight).collect();
        Ok(Answering { target: Target::Endpoints(endpoints), weights, levels })
    }

    /// Gives addresses the weights that they have from where the proxy is, and tells how far they are. That counts only where
    /// it is known where the proxy is, and that who is near does not answer (Istio's rule).
    fn near(&self, meant: &Meant<'_>, addresses: &mut Vec<(&Address, u32)>) -> Option<Box<[Level]>> {
        let own = self.scope.locality.as_ref()?;
        let policy = meant.policy.as_ref();
        let setting = policy.and_then(|policy| policy.load_balancer.as_ref()?.locality_lb_setting.as_ref());
        if setting.is_some_and(|setting| setting.enabled == Some(false)) {
            return None;
        }
        let places: Vec<_> = addresses.iter().map(|(address, weight)| (address.locality.as_str(), *weight)).collect();
        if let Some(shares) = setting.and_then(|setting| own.shares(setting, &places)) {
            addresses.iter_mut().zip(shares).for_each(|((_, weight), share)| *weight = share);
            addresses.retain(|(_, weight)| *weight > 0);
            return None;
        }
        policy?.outlier_detection.as_ref()?;
        own.levels(setting, &places)
    }

    /// Whether the gateway is among the workloads that a Service selects.
    fn is_the_gateway(&self, selector: &Labels) -> bool {
        !selector.is_empty() && has_labels(self.gateway_labels, selector)
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

/// The endpoints of a target, spoken to as their rule says.
fn spoken_to(target: Target, spoken: &Spoken) -> Target {
    match target {
        Target::Endpoints(endpoints) => {
            Target::Endpoints(endpoints.into_iter().map(|endpoint| spoken.to(endpoint)).collect())
        }
        gateway @ Target::Gateway(_) => gateway,
    }
}

/// The endpoints of a target, of whose names the balance watches the addresses.
fn watched(target: Target, balance: &Balance) -> Target {
    let watched = |(place, endpoint): (usize, Endpoint)| match endpoint.is_name() {
        true => endpoint.watched(balance.addresses(place).as_ref()),
        false => endpoint,
    };
    match target {
        Target::Endpoints(endpoints) if balance.watches() => {
            Target::Endpoints(endpoints.into_iter().enumerate().map(watched).collect())
        }
        target => target,
    }
}

fn endpoint(address: &Address, port: &Port, tls: Option<&Arc<TlsSettings>>) -> Endpoint {
    let number = address.ports.get(&port.name).copied().unwrap_or(port.target);
    Endpoint::new(address.address.clone(), number, tls.cloned(), port.reach.private.clone())
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

impl Destinations<'_> {
    /// TLS to a service as its policy says.
    ///
    /// # Errors
    /// What of it is not to be had: plain text would be sent where TLS was asked for.
    fn tls(&self, meant: &Meant<'_>) -> Result<Option<Arc<TlsSettings>>, Failure> {
        let Some(spec) = meant.policy.as_ref().and_then(|policy| policy.tls.as_ref()) else { return Ok(None) };
        let settings = match spec.mode {
            ClientTlsMode::Disable => return Ok(None),
            ClientTlsMode::IstioMutual => Ok(of_mesh(spec, meant)),
            ClientTlsMode::Simple | ClientTlsMode::Mutual if spec.credential_name.is_empty() => {
                Ok(by_files(spec, meant))
            }
            ClientTlsMode::Simple | ClientTlsMode::Mutual => self.by_secret(spec, meant),
        };
        settings.map(|settings| Some(Arc::new(settings))).map_err(Failure::Tls)
    }

    fn by_secret(&self, spec: &ClientTls, meant: &Meant<'_>) -> Result<TlsSettings, TlsFault> {
        // Istio's sidecars would send plain text.
        if !self.is_gateway && !meant.selects {
            return Err(TlsFault::Unselected);
        }
        let found = self.secrets.find(&self.scope.namespace, &spec.credential_name).ok_or(TlsFault::NoCredential)?;
        let client_certificate = match spec.mode {
            ClientTlsMode::Mutual => Some(found.identity.ok_or(TlsFault::NoCredential)?),
            _ => None,
        };
        Ok(TlsSettings { ca_certificates: Some(found.authorities), client_certificate, ..settings(spec, meant) })
    }

    /// How a service is reached that is where the caller wants to go, or has the name in the request.
    fn original(&self, meant: &Meant<'_>, spoken: Spoken) -> Option<Box<Original>> {
        let reach = &meant.port.reach;
        match reach.how {
            How::Original if !self.is_gateway => {}
            How::Dynamic => {}
            _ => return None,
        }
        let tls = self.tls(meant).ok()?;
        let named = meant.policy.as_ref().and_then(|policy| policy.tls.as_ref());
        let named_by_call = named.is_none_or(|tls| tls.sni.is_empty());
        let (addresses, private) = (meant.service.addresses.clone(), reach.private.clone());
        let port = Some(meant.port.target);
        Some(Box::new(Original { port, addresses, private, tls, named_by_call, spoken }))
    }
}

fn of_mesh(spec: &ClientTls, meant: &Meant<'_>) -> TlsSettings {
    let named = settings(spec, meant);
    let sni = match spec.sni.is_empty() {
        true => mesh_server_name(meant.port.number, meant.subset, meant.host),
        false => named.sni,
    };
    TlsSettings::of_mesh(Own::Proxys, sni, named.subject_alt_names)
}

fn by_files(spec: &ClientTls, meant: &Meant<'_>) -> TlsSettings {
    let file = |path: &str| Pem::File(path.to_owned());
    let mutual = spec.mode == ClientTlsMode::Mutual;
    TlsSettings {
        ca_certificates: (!spec.ca_certificates.is_empty()).then(|| file(&spec.ca_certificates)),
        client_certificate: mutual.then(|| (file(&spec.client_certificate), file(&spec.private_key))),
        ..settings(spec, meant)
    }
}

/// What both have in common.
fn settings(spec: &ClientTls, meant: &Meant<'_>) -> TlsSettings {
    let own = &meant.port.reach.subject_alt_names;
    let names = if spec.subject_alt_names.is_empty() { own } else { &spec.subject_alt_names };
    TlsSettings {
        sni: if spec.sni.is_empty() { meant.host.to_owned() } else { spec.sni.clone() },
        subject_alt_names: names.clone(),
        ca_certificates: None,
        revoked: (!spec.ca_crl.is_empty()).then(|| Pem::File(spec.ca_crl.clone())),
        client_certificate: None,
        mesh: None,
        insecure: spec.insecure_skip_verify.unwrap_or(false),
        multiplexed: false,
    }
}
