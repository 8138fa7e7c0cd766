//! Which DestinationRule holds for a host, and what it says for a port and subset.

use std::collections::HashMap;
use std::sync::Arc;

use crate::resource::kinds::destination_rule::{DestinationRule, PortTrafficPolicy, Subset, TrafficPolicy};
use crate::resource::{Labels, Provenance, Resource};

use super::hosts::{HostTable, qualify};
use super::scope::Scope;
use super::services::{exported, has_labels};

/// All DestinationRules, oldest first.
#[derive(Debug, Default)]
pub(super) struct HostRules {
    rules: Vec<HostRule>,
    /// By namespace and host, the places of rules.
    by_namespace: HashMap<String, HostTable<Vec<usize>>>,
}

/// A DestinationRule with where it was declared.
#[derive(Debug)]
struct HostRule {
    provenance: Arc<Provenance>,
    namespace: String,
    spec: Arc<DestinationRule>,
}

/// The DestinationRules that hold together for a host: of one namespace, for one host pattern, for the same workloads.
pub(super) struct Ruling<'r>(Vec<&'r HostRule>);

impl HostRule {
    fn is_visible_from(&self, namespace: &str) -> bool {
        exported(&self.spec.export_to, &self.namespace, namespace)
    }

    fn is_private(&self) -> bool {
        let to = &self.spec.export_to;
        !to.is_empty() && to.iter().all(|to| to == "." || *to == self.namespace)
    }

    fn selector(&self) -> Option<&Labels> {
        self.spec.workload_selector.as_ref().map(|selector| &selector.match_labels)
    }
}

impl HostRules {
    pub(super) fn add(&mut self, resource: &Resource, spec: Arc<DestinationRule>) {
        let namespace = resource.namespace();
        let hosts = self.by_namespace.entry(namespace.to_owned()).or_default();
        hosts.get_or_default(&qualify(&spec.host, namespace)).push(self.rules.len());
        let provenance = Arc::new(Provenance::of(resource));
        self.rules.push(HostRule { provenance, namespace: namespace.to_owned(), spec });
    }

    /// The places of the rules that select a workload; only those of its namespace can.
    pub(super) fn selecting(&self, namespace: &str, labels: &Labels) -> Vec<usize> {
        let selects = |rule: &HostRule| {
            rule.namespace == namespace && rule.selector().is_some_and(|wanted| has_labels(labels, wanted))
        };
        self.rules.iter().enumerate().filter(|(_, rule)| selects(rule)).map(|(place, _)| place).collect()
    }

    /// The rules of a host: of the proxy's namespace, else of the service's, else of the root namespace; in the first of
    /// them that has any, the most specific. A proxy of the root namespace (the gateway) begins with those that are private
    /// to it (Istio's rule).
    pub(super) fn of(&self, host: &str, scope: &Scope, service_namespace: &str, root: &str) -> Option<Ruling<'_>> {
        let of_root = scope.namespace == root;
        let own = self.within(&scope.namespace, host, |rule| match of_root {
            true => rule.is_private(),
            false => rule.is_visible_from(&scope.namespace),
        });
        let found = own
            .or_else(|| self.within(service_namespace, host, |rule| rule.is_visible_from(&scope.namespace)))
            .or_else(|| self.within(root, host, |rule| rule.is_visible_from(&scope.namespace)))?;
        self.ruling(&found, scope)
    }

    /// The places of the rules for the most specific pattern of a namespace that covers a host and has any to be seen.
    fn within(&self, namespace: &str, host: &str, seen: impl Fn(&HostRule) -> bool) -> Option<Vec<usize>> {
        let mut covering = self.by_namespace.get(namespace)?.all_covering(host);
        covering.find_map(|places| {
            let seen: Vec<_> = places.iter().copied().filter(|place| seen(&self.rules[*place])).collect();
            (!seen.is_empty()).then_some(seen)
        })
    }

    /// Rules that select the workload come first. If all there are select others, none holds, and none is looked for
    /// elsewhere (Istio's rule). Rules that are seen by others are not put together.
    fn ruling(&self, found: &[usize], scope: &Scope) -> Option<Ruling<'_>> {
        let selecting = found.iter().find(|place| scope.rules.contains(place));
        let general = || found.iter().find(|place| self.rules[**place].selector().is_none());
        let first = &self.rules[*selecting.or_else(general)?];
        let alike =
            |rule: &&HostRule| rule.selector() == first.selector() && rule.spec.export_to == first.spec.export_to;
        Some(Ruling(found.iter().map(|place| &self.rules[*place]).filter(alike).collect()))
    }
}

impl<'r> Ruling<'r> {
    /// Which they are.
    pub(super) fn provenances(&self) -> Vec<Arc<Provenance>> {
        self.0.iter().map(|rule| Arc::clone(&rule.provenance)).collect()
    }

    /// Whether they are for selected workloads.
    pub(super) fn selects(&self) -> bool {
        self.0.iter().any(|rule| rule.selector().is_some())
    }

    /// The subset of a name: the oldest rule's.
    pub(super) fn subset(&self, name: &str) -> Option<&'r Subset> {
        self.0.iter().flat_map(|rule| &rule.spec.subsets).find(|subset| subset.name == name)
    }

    /// The policy of a port and subset: the oldest rule's that has one, of which the port level replaces the destination's
    /// whole; a subset's own settings come before both.
    pub(super) fn policy(&self, port: u16, subset: Option<&Subset>) -> Option<TrafficPolicy> {
        let general = self.0.iter().find_map(|rule| rule.spec.traffic_policy.as_ref());
        let general = general.map(|policy| at_port(policy, port));
        match subset.and_then(|subset| subset.traffic_policy.as_ref()) {
            None => general,
            Some(own) => Some(overlaid(general.unwrap_or_default(), own, port)),
        }
    }
}

/// A policy with a subset's on top, field by field; what the subset says of the port takes the place of all four parts that
/// can be said of ports (Istio's rule).
fn overlaid(general: TrafficPolicy, subset: &TrafficPolicy, port: u16) -> TrafficPolicy {
    let rest = TrafficPolicy {
        tunnel: subset.tunnel.clone().or(general.tunnel),
        proxy_protocol: subset.proxy_protocol.clone().or(general.proxy_protocol),
        retry_budget: subset.retry_budget.clone().or(general.retry_budget),
        ..TrafficPolicy::default()
    };
    if subset.port_level_settings.iter().any(|settings| is_for(settings, port)) {
        let TrafficPolicy { tls, connection_pool, load_balancer, outlier_detection, .. } = at_port(subset, port);
        return TrafficPolicy { tls, connection_pool, load_balancer, outlier_detection, ..rest };
    }
    TrafficPolicy {
        tls: subset.tls.clone().or(general.tls),
        connection_pool: subset.connection_pool.clone().or(general.connection_pool),
        load_balancer: subset.load_balancer.clone().or(general.load_balancer),
        outlier_detection: subset.outlier_detection.clone().or(general.outlier_detection),
        ..rest
    }
}

fn is_for(settings: &PortTrafficPolicy, port: u16) -> bool {
    settings.port.as_ref().is_some_and(|selector| selector.number == u32::from(port))
}

/// What a policy says of a port.
fn at_port(policy: &TrafficPolicy, port: u16) -> TrafficPolicy {
    match policy.port_level_settings.iter().find(|settings| is_for(settings, port)) {
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
