//! Which DestinationRule holds for a host, and what it says for a port and subset.

use std::collections::HashMap;
use std::sync::Arc;

use crate::registry::Declared;
use crate::resource::kinds::destination_rule::{DestinationRule, PortTrafficPolicy, Subset, TrafficPolicy};
use crate::resource::{Labels, Provenance};

use super::hosts::{HostTable, qualify};
use super::scope::Scope;
use super::services::{exported, has_labels};

/// All DestinationRules.
#[derive(Debug, Default)]
pub(super) struct HostRules {
    /// By namespace and host, the oldest first.
    by_namespace: HashMap<String, HostTable<Vec<Arc<HostRule>>>>,
    /// By namespace: those for selected workloads, the oldest first.
    selecting: HashMap<String, Vec<Arc<HostRule>>>,
}

/// A DestinationRule with where it was declared.
#[derive(Debug)]
struct HostRule {
    provenance: Arc<Provenance>,
    declared: Arc<Declared<DestinationRule>>,
}

/// The DestinationRules that hold together for a host: of one namespace, for one host pattern, for the same workloads.
pub(super) struct Ruling<'r>(Vec<&'r Arc<HostRule>>);

impl HostRule {
    fn spec(&self) -> &DestinationRule {
        &self.declared.spec
    }

    fn namespace(&self) -> &str {
        self.declared.namespace()
    }

    fn is_visible_from(&self, namespace: &str) -> bool {
        exported(&self.spec().export_to, self.namespace(), namespace)
    }

    fn is_private(&self) -> bool {
        let to = &self.spec().export_to;
        !to.is_empty() && to.iter().all(|to| to == "." || *to == self.namespace())
    }

    fn selector(&self) -> Option<&Labels> {
        self.spec().workload_selector.as_ref().map(|selector| &selector.match_labels)
    }

    /// Whether a scope's workload is among those that it is for.
    fn selects(&self, scope: &Scope) -> bool {
        self.namespace() == scope.namespace && scope.rules.contains(&self.declared.resource.meta.name)
    }

    /// Whether it names a credential.
    fn needs(&self, credential: &str) -> bool {
        let spec = self.spec();
        let policies = spec.traffic_policy.iter().chain(spec.subsets.iter().flat_map(|subset| &subset.traffic_policy));
        let tls = policies.flat_map(|policy| {
            let ports = policy.port_level_settings.iter().flat_map(|settings| &settings.tls);
            policy.tls.iter().chain(ports)
        });
        tls.into_iter().any(|tls| tls.credential_name == credential)
    }
}

/// The host that a rule is for, in full.
pub(super) fn host_of(declared: &Declared<DestinationRule>) -> String {
    qualify(&declared.spec.host, declared.namespace())
}

/// Puts a rule in its place by age.
fn insert(rules: &mut Vec<Arc<HostRule>>, rule: Arc<HostRule>) {
    let place = rules.partition_point(|other| other.declared.age() <= rule.declared.age());
    rules.insert(place, rule);
}

impl HostRules {
    pub(super) fn add(&mut self, declared: &Arc<Declared<DestinationRule>>) {
        let provenance = Arc::new(Provenance::of(&declared.resource));
        let rule = Arc::new(HostRule { provenance, declared: Arc::clone(declared) });
        let namespace = declared.namespace();
        if rule.selector().is_some() {
            insert(self.selecting.entry(namespace.to_owned()).or_default(), Arc::clone(&rule));
        }
        let hosts = self.by_namespace.entry(namespace.to_owned()).or_default();
        insert(hosts.get_or_default(&host_of(declared)), rule);
    }

    pub(super) fn remove(&mut self, declared: &Arc<Declared<DestinationRule>>) {
        let (namespace, host) = (declared.namespace(), host_of(declared));
        let is_other = |rule: &Arc<HostRule>| !Arc::ptr_eq(&rule.declared, declared);
        if let Some(selecting) = self.selecting.get_mut(namespace) {
            selecting.retain(is_other);
        }
        if let Some(hosts) = self.by_namespace.get_mut(namespace) {
            let rules = hosts.get_or_default(&host);
            rules.retain(is_other);
            if rules.is_empty() {
                hosts.remove(&host);
            }
        }
    }

    /// The hosts of the rules that name a credential.
    pub(super) fn needing(&self, credential: &str) -> impl Iterator<Item = String> {
        let all = self.by_namespace.values().flat_map(HostTable::values).flatten();
        all.filter(move |rule| rule.needs(credential)).map(|rule| host_of(&rule.declared))
    }

    /// The names of the rules that select a workload; only those of its namespace can.
    pub(super) fn selecting(&self, namespace: &str, labels: &Labels) -> Vec<String> {
        let all = self.selecting.get(namespace).into_iter().flatten();
        let selecting = all.filter(|rule| rule.selector().is_some_and(|wanted| has_labels(labels, wanted)));
        selecting.map(|rule| rule.declared.resource.meta.name.clone()).collect()
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
        ruling(found, scope)
    }

    /// The rules for the most specific pattern of a namespace that covers a host and has any to be seen.
    fn within(&self, namespace: &str, host: &str, seen: impl Fn(&HostRule) -> bool) -> Option<Vec<&Arc<HostRule>>> {
        let mut covering = self.by_namespace.get(namespace)?.all_covering(host);
        covering.find_map(|rules| {
            let seen: Vec<_> = rules.iter().filter(|rule| seen(rule)).collect();
            (!seen.is_empty()).then_some(seen)
        })
    }
}

/// Rules that select the workload come first. If all there are select others, none holds, and none is looked for
/// elsewhere (Istio's rule). Rules that are seen by others are not put together.
fn ruling<'r>(found: Vec<&'r Arc<HostRule>>, scope: &Scope) -> Option<Ruling<'r>> {
    let selecting = found.iter().find(|rule| rule.selects(scope));
    let general = || found.iter().find(|rule| rule.selector().is_none());
    let first: &HostRule = selecting.or_else(general)?;
    let (selector, export_to) = (first.selector(), &first.spec().export_to);
    let alike = |rule: &&Arc<HostRule>| rule.selector() == selector && rule.spec().export_to == *export_to;
    Some(Ruling(found.iter().copied().filter(alike).collect()))
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
        self.0.iter().flat_map(|rule| &rule.spec().subsets).find(|subset| subset.name == name)
    }

    /// The policy of a port and subset: the oldest rule's that has one, of which the port level replaces the destination's
    /// whole; a subset's own settings come before both.
    pub(super) fn policy(&self, port: u16, subset: Option<&Subset>) -> Option<TrafficPolicy> {
        let general = self.0.iter().find_map(|rule| rule.spec().traffic_policy.as_ref());
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
