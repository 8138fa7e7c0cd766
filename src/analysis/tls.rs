//! DestinationRules that are in each other's way, or do less than they seem to: where a second host goes through a gateway.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::diagnostic::FieldPath;
use crate::resource::kinds::destination_rule::{ClientTls, ClientTlsMode, DestinationRule, TrafficPolicy};
use crate::resource::kinds::secret::Secret;
use crate::resource::kinds::virtual_service::VirtualService;
use crate::routing::{GATEWAY_NAMESPACE, covers, qualify};

use super::code::{FOREIGN_SNI, NOT_FOUND, PORT_REPLACES, RULES_OF_ONE_HOST, SNI_WITHOUT_NAMES};
use super::destinations::targets;
use super::model::Item;
use super::{Findings, Model};

/// TLS settings with where they stand, and the subset and port that they are for.
struct Setting<'m> {
    tls: &'m ClientTls,
    at: FieldPath,
    subset: &'m str,
    port: Option<u32>,
}

pub(super) fn analyze(model: &Model<'_>, found: &mut Findings) {
    let mut oldest: HashMap<(&str, String), &Item<DestinationRule>> = HashMap::new();
    let leading = leading(model);
    for item in &model.destination_rules {
        if item.spec.workload_selector.is_none() {
            match oldest.entry((item.namespace(), qualify(&item.spec.host, item.namespace()))) {
                Entry::Occupied(other) => same_host(other.get(), item, found),
                Entry::Vacant(place) => drop(place.insert(item)),
            }
        }
        port_replaces(item, found);
        for setting in settings(&item.spec) {
            unnamed(item, &setting, found);
            foreign(&leading, item, &setting, found);
            credential(model, item, &setting, found);
        }
    }
}

/// Two rules of one host: the older one's policy holds, whatever the younger says.
fn same_host(other: &Item<DestinationRule>, item: &Item<DestinationRule>, found: &mut Findings) {
    if item.spec.traffic_policy.is_some() && other.spec.traffic_policy.is_some() {
        let message = format!(
            "DestinationRule {} is for {} too, and older: its trafficPolicy holds, and this one is not used. Put them into one, \
             with a subset for each host that goes there, and its sni.",
            other.full_name(),
            item.spec.host
        );
        found.add(&RULES_OF_ONE_HOST, &item.resource, FieldPath::of("spec.trafficPolicy"), message);
    }
    for (index, subset) in item.spec.subsets.iter().enumerate() {
        if other.spec.subsets.iter().any(|one| one.name == subset.name) {
            let message = format!(
                "DestinationRule {} has a subset {} of {} too, and is older: its subset holds. Give this one another name.",
                other.full_name(),
                subset.name,
                item.spec.host
            );
            found.add(&RULES_OF_ONE_HOST, &item.resource, FieldPath::of("spec.subsets").index(index), message);
        }
    }
}

/// A Secret that is not there: in the rule's namespace where it selects workloads, else in the gateway's.
fn credential(model: &Model<'_>, item: &Item<DestinationRule>, setting: &Setting<'_>, found: &mut Findings) {
    let name = &setting.tls.credential_name;
    if name.is_empty() || setting.tls.mode == ClientTlsMode::Disable {
        return;
    }
    let at = setting.at.field("credentialName");
    let namespace = if item.spec.workload_selector.is_some() { item.namespace() } else { GATEWAY_NAMESPACE };
    let is_it = |secret: &Item<Secret>| {
        let own = &secret.resource.meta.name;
        secret.namespace() == namespace && (own == name || own.strip_suffix("-cacert") == Some(name))
    };
    if !model.secrets.iter().any(is_it) {
        let message = format!("Referenced credentialName not found: {name:?}");
        found.add(&NOT_FOUND, &item.resource, at, message);
    }
}

/// Settings of the destination that do not hold at a port which has settings of its own.
fn port_replaces(item: &Item<DestinationRule>, found: &mut Findings) {
    let Some(policy) = &item.spec.traffic_policy else { return };
    for (index, own) in policy.port_level_settings.iter().enumerate() {
        let fields = [
            ("loadBalancer", policy.load_balancer.is_some() && own.load_balancer.is_none()),
            ("connectionPool", policy.connection_pool.is_some() && own.connection_pool.is_none()),
            ("outlierDetection", policy.outlier_detection.is_some() && own.outlier_detection.is_none()),
            ("tls", policy.tls.is_some() && own.tls.is_none()),
        ];
        let lost: Vec<_> = fields.into_iter().filter(|(_, lost)| *lost).map(|(name, _)| name).collect();
        if !lost.is_empty() {
            let port = own.port.as_ref().map_or(0, |port| port.number);
            let message = format!(
                "Port {port} has settings of its own, which replace those of the destination whole: its {} does not hold there.",
                lost.join(", ")
            );
            let at = FieldPath::of("spec.trafficPolicy.portLevelSettings").index(index);
            found.add(&PORT_REPLACES, &item.resource, at, message);
        }
    }
}

/// All TLS settings of a rule.
fn settings(spec: &DestinationRule) -> Vec<Setting<'_>> {
    let whole = spec.traffic_policy.iter().map(|policy| (policy, FieldPath::of("spec.trafficPolicy"), ""));
    let subsets = spec.subsets.iter().enumerate().filter_map(|(index, subset)| {
        let at = FieldPath::of("spec.subsets").index(index).field("trafficPolicy");
        Some((subset.traffic_policy.as_ref()?, at, subset.name.as_str()))
    });
    whole.chain(subsets).flat_map(|(policy, at, subset)| of_policy(policy, &at, subset)).collect()
}

fn of_policy<'m>(policy: &'m TrafficPolicy, at: &FieldPath, subset: &'m str) -> Vec<Setting<'m>> {
    let own = policy.tls.iter().map(|tls| Setting { tls, at: at.field("tls"), subset, port: None });
    let ports = policy.port_level_settings.iter().enumerate().filter_map(|(index, settings)| {
        let at = at.field("portLevelSettings").index(index).field("tls");
        let port = settings.port.as_ref().map(|port| port.number);
        Some(Setting { tls: settings.tls.as_ref()?, at, subset, port })
    });
    own.chain(ports).collect()
}

/// A server name without names to verify: Istio then accepts any certificate of a known authority.
fn unnamed(item: &Item<DestinationRule>, setting: &Setting<'_>, found: &mut Findings) {
    let tls = setting.tls;
    let verifies =
        matches!(tls.mode, ClientTlsMode::Simple | ClientTlsMode::Mutual) && tls.insecure_skip_verify != Some(true);
    if verifies && !tls.sni.is_empty() && tls.subject_alt_names.is_empty() {
        let message = format!(
            "With an sni ({}), but without subjectAltNames, Istio verifies no name in the certificate; here the sni is verified.",
            tls.sni
        );
        found.add(&SNI_WITHOUT_NAMES, &item.resource, setting.at.field("sni"), message);
    }
}

/// The VirtualServices that lead to a host and subset, each with the port, if it names one.
type Leading<'m> = HashMap<(String, String), Vec<(&'m Item<VirtualService>, Option<u32>)>>;

fn leading<'m>(model: &'m Model<'_>) -> Leading<'m> {
    let mut leading = Leading::new();
    for item in model.virtual_services.iter().filter(|item| !item.spec.hosts.is_empty()) {
        for target in targets(&item.spec) {
            let place = (qualify(&target.to.host, item.namespace()), target.to.subset.clone());
            leading.entry(place).or_default().push((item, target.to.port.as_ref().map(|port| port.number)));
        }
    }
    leading
}

/// A VirtualService that sends its hosts' calls by the server name of another host.
fn foreign(leading: &Leading<'_>, item: &Item<DestinationRule>, setting: &Setting<'_>, found: &mut Findings) {
    let sni = setting.tls.sni.to_ascii_lowercase();
    let host = qualify(&item.spec.host, item.namespace());
    if sni.is_empty() || setting.tls.mode == ClientTlsMode::Disable || sni == host {
        return;
    }
    let same_port = |port: Option<u32>| setting.port.is_none() || port.is_none() || setting.port == port;
    let there = leading.get(&(host, setting.subset.to_owned())).into_iter().flatten();
    for (other, _) in there.filter(|(_, port)| same_port(*port)) {
        let own = |name: &String| covers(&qualify(name, other.namespace()), &sni);
        if !other.spec.hosts.iter().any(own) {
            let what = match setting.subset {
                "" => "this rule".to_owned(),
                subset => format!("subset {subset}"),
            };
            let message = format!(
                "VirtualService {} sends calls to {} by {what}, whose sni is {}: at the other end they are taken for calls to that \
                 host. Give {} a subset of its own, with its sni.",
                other.full_name(),
                other.spec.hosts.join(", "),
                setting.tls.sni,
                other.spec.hosts.first().map_or("it", String::as_str)
            );
            found.add(&FOREIGN_SNI, &item.resource, setting.at.field("sni"), message);
        }
    }
}
