//! From a destination to a cluster: the service, its DestinationRule, its endpoints and TLS.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::call::{Failure, TlsFault};
use crate::resource::Labels;
use crate::resource::kinds::destination_rule::{ClientTls, ClientTlsMode, DestinationRule, TrafficPolicy};

use super::cluster::{Cluster, Endpoint, Target, TlsSettings};
use super::hosts::{HostTable, covers, qualify};
use super::services::{Address, Port, Reach, Service, exported};
use super::tunnel::Original;

/// Connection attempts without `connectTimeout` in the DestinationRule (Istio's default).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A DestinationRule with where it was declared.
#[derive(Debug)]
pub(super) struct HostRule {
    pub(super) namespace: String,
    /// Fully qualified.
    pub(super) host: String,
    pub(super) spec: DestinationRule,
}

impl HostRule {
    pub(super) fn new(namespace: &str, spec: DestinationRule) -> Self {
        Self { namespace: namespace.to_owned(), host: qualify(&spec.host, namespace), spec }
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
    made: HashMap<(String, u16, String), Result<Arc<Cluster>, Failure>>,
}

impl<'a> Destinations<'a> {
    pub(super) fn new(
        namespace: &'a str,
        root_namespace: &'a str,
        services: &'a HostTable<Service>,
        rules: &'a [HostRule],
        gateway_labels: &'a Labels,
    ) -> Self {
        Self { namespace, root_namespace, services, rules, gateway_labels, made: HashMap::new() }
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
        let target = match &service.reach {
            Reach::Selected(selector) => self.selected(selector, number),
            Reach::Endpoints(addresses) => {
                let addresses = addresses.iter().filter(|address| has_labels(&address.labels, labels));
                let tls = tls(policy.as_ref(), service, host)?;
                Target::Endpoints(addresses.flat_map(|address| endpoints(address, port, tls.as_ref())).collect())
            }
            // Of a wildcard nothing can be resolved.
            Reach::Host if service.host.starts_with('*') => Target::Endpoints(Vec::new()),
            Reach::Host => {
                let tls = tls(policy.as_ref(), service, host)?;
                Target::Endpoints(vec![Endpoint::new(host.to_owned(), port.target, tls)])
            }
        };
        let connect_timeout = policy.as_ref().and_then(connect_timeout).unwrap_or(CONNECT_TIMEOUT);
        let name = format!("outbound|{number}|{subset}|{host}");
        let original = original(service, port, policy.as_ref(), host);
        Ok(Cluster { name, host: host.to_owned(), port: number, target, connect_timeout, original })
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
            ..TrafficPolicy::default()
        },
    }
}

fn connect_timeout(policy: &TrafficPolicy) -> Option<Duration> {
    Some(policy.connection_pool.as_ref()?.tcp.as_ref()?.connect_timeout?.to_std())
}

fn endpoints(address: &Address, port: &Port, tls: Option<&Arc<TlsSettings>>) -> impl Iterator<Item = Endpoint> {
    let number = address.ports.get(&port.name).copied().unwrap_or(port.target);
    let (address, weight, tls) = (address.address.clone(), address.weight, tls.cloned());
    // A weight is as many entries: endpoints are chosen evenly.
    (0..weight.min(MAX_WEIGHT)).map(move |_| Endpoint::new(address.clone(), number, tls.clone()))
}

/// Entries that one endpoint may take in its cluster's list, which bounds the list whatever weights are declared.
const MAX_WEIGHT: u32 = 100;

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

/// How tunnels reach a service that is where the caller wants to go; never where TLS is to be originated, whose name would
/// be the caller's to choose.
fn original(service: &Service, port: &Port, policy: Option<&TrafficPolicy>, host: &str) -> Option<Original> {
    let plain = || tls(policy, service, host).is_ok_and(|tls| tls.is_none());
    (service.original && plain()).then(|| Original { port: port.target, addresses: service.addresses.clone() })
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
    }
}
