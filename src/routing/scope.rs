//! What a proxy sees of the mesh, as its Sidecar resource and its place say.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::resource::Labels;
use crate::resource::kinds::sidecar::{EgressListener, OutboundTrafficPolicy, Sidecar};

use super::hosts::{covers, qualify};
use super::locality::Locality;
use super::services::has_labels;

/// What decides what a proxy sees: proxies of equal scope see the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    pub(super) namespace: String,
    /// The workload's labels by which VirtualServices tell callers apart; `None` of an unknown workload.
    pub(super) labels: Option<Labels>,
    /// Where the workload is, if it says so.
    pub(super) locality: Option<Locality>,
    /// The Sidecar that applies.
    pub(super) sidecar: Option<Applying>,
    /// The names of the DestinationRules of the namespace that select the workload.
    pub(super) rules: Vec<String>,
}

/// A Sidecar that applies: of equals, two are told apart.
#[derive(Debug, Clone)]
pub(super) struct Applying(pub(super) Arc<SidecarRule>);

impl PartialEq for Applying {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Applying {}

impl Hash for Applying {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl Scope {
    /// Whether `sourceLabels` and `sourceNamespace` are its workload's. Of an unknown one nothing can be said, so no
    /// condition on it holds.
    pub(super) fn is_source(&self, labels: &Labels, namespace: &str) -> bool {
        if labels.is_empty() && namespace.is_empty() {
            return true;
        }
        let own = self.labels.as_ref();
        own.is_some_and(|own| has_labels(own, labels)) && (namespace.is_empty() || namespace == self.namespace)
    }
}

/// A Sidecar with where it was declared.
#[derive(Debug)]
pub(super) struct SidecarRule {
    pub(super) namespace: String,
    selector: Option<Labels>,
    egress: Vec<Egress>,
    /// What becomes of calls to hosts that nobody registered, if it says.
    pub(super) unregistered: Option<OutboundTrafficPolicy>,
}

impl SidecarRule {
    pub(super) fn new(namespace: &str, spec: &Sidecar) -> Self {
        Self {
            namespace: namespace.to_owned(),
            selector: spec.workload_selector.as_ref().map(|selector| selector.labels.clone()),
            egress: spec.egress.iter().map(Egress::new).collect(),
            unregistered: spec.outbound_traffic_policy.clone(),
        }
    }
}

/// The Sidecar that applies to a workload, of all, the oldest first: one that selects it, else its namespace's, else the
/// mesh's; of equals the oldest. Of an unknown workload no labels are known, so that none selects it.
pub(super) fn applying<'r>(
    rules: impl Iterator<Item = &'r Arc<SidecarRule>> + Clone,
    namespace: &str,
    labels: Option<&Labels>,
    root: &str,
) -> Option<Applying> {
    let selects = |rule: &SidecarRule| {
        let wanted = rule.selector.as_ref();
        rule.namespace == namespace && wanted.zip(labels).is_some_and(|(wanted, labels)| has_labels(labels, wanted))
    };
    let of = |wanted: &str, rule: &SidecarRule| rule.namespace == wanted && rule.selector.is_none();
    let find = |holds: &dyn Fn(&SidecarRule) -> bool| rules.clone().find(|rule| holds(rule)).cloned().map(Applying);
    find(&selects).or_else(|| find(&|rule| of(namespace, rule))).or_else(|| find(&|rule| of(root, rule)))
}

/// A listener for calls that go out, with what is seen there.
#[derive(Debug)]
pub(super) struct Egress {
    /// The only port that it takes; all that no other one takes where there is none.
    port: Option<u16>,
    imports: Vec<Import>,
}

/// Hosts that are seen, or are not.
#[derive(Debug)]
struct Import {
    excluded: bool,
    home: Home,
    host: String,
}

/// Where what is imported must be declared.
#[derive(Debug)]
enum Home {
    Anywhere,
    /// In the namespace of the proxy: a Sidecar of the root namespace means that too.
    Proxys,
    Namespace(String),
}

impl Egress {
    fn new(listener: &EgressListener) -> Self {
        let port = listener.port.as_ref().and_then(|port| u16::try_from(port.number).ok()).filter(|port| *port > 0);
        Self { port, imports: listener.hosts.iter().filter_map(|host| Import::new(host)).collect() }
    }

    /// Whether proxies of the namespace `own` see a service of a namespace.
    pub(super) fn has_service(&self, host: &str, namespace: &str, own: &str) -> bool {
        let covering = |excluded| self.of(namespace, own, excluded).any(|import| covers(&import.host, host));
        covering(false) && !covering(true)
    }

    /// Whether they see a VirtualService: one of its hosts has calls in common with one that is imported.
    pub(super) fn has_virtual_service(&self, hosts: &[String], namespace: &str, own: &str) -> bool {
        hosts.iter().map(|host| qualify(host, namespace)).any(|host| {
            let mut imports = self.of(namespace, own, false);
            let seen = imports.any(|import| covers(&import.host, &host) || covers(&host, &import.host));
            seen && !self.of(namespace, own, true).any(|import| covers(&import.host, &host))
        })
    }

    fn of(&self, namespace: &str, own: &str, excluded: bool) -> impl Iterator<Item = &Import> {
        let from_there = move |import: &&Import| match &import.home {
            Home::Anywhere => true,
            Home::Proxys => namespace == own,
            Home::Namespace(home) => home == namespace,
        };
        self.imports.iter().filter(move |import| import.excluded == excluded).filter(from_there)
    }
}

impl Import {
    /// `~` leaves out what else is imported; alone, that of any namespace.
    fn new(written: &str) -> Option<Self> {
        let (namespace, host) = written.split_once('/')?;
        let (excluded, namespace) = match namespace.strip_prefix('~') {
            Some(namespace) => (true, namespace),
            None => (false, namespace),
        };
        let home = match namespace {
            "*" | "" => Home::Anywhere,
            "." => Home::Proxys,
            namespace => Home::Namespace(namespace.to_owned()),
        };
        Some(Self { excluded, home, host: host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase() })
    }
}

/// The listeners of a Sidecar; without one, or one that lists none, everything is seen on every port.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight<'r> {
    egress: &'r [Egress],
    /// The namespace of the proxy.
    own: &'r str,
}

impl<'r> Sight<'r> {
    pub(super) fn new(sidecar: Option<&'r SidecarRule>, own: &'r str) -> Self {
        Self { egress: sidecar.map_or(&[], |sidecar| &sidecar.egress), own }
    }

    /// Everything that is seen together: that of one listener, or all (`None`).
    pub(super) fn listeners(self) -> impl Iterator<Item = Option<&'r Egress>> {
        let all = self.egress.is_empty().then_some(None);
        all.into_iter().chain(self.egress.iter().map(Some))
    }

    /// Whether a listener, one of [`Sight::listeners`], takes calls to a port.
    pub(super) fn takes(self, listener: Option<&Egress>, port: u16) -> bool {
        let Some(listener) = listener else { return true };
        match listener.port {
            Some(own) => own == port,
            None => !self.egress.iter().any(|other| other.port == Some(port)),
        }
    }

    /// Whether a service is seen on a port.
    pub(super) fn has_service(self, host: &str, namespace: &str, port: u16) -> bool {
        self.at(port, |listener| listener.has_service(host, namespace, self.own))
    }

    /// Whether a VirtualService is seen on a port.
    pub(super) fn has_virtual_service(self, hosts: &[String], namespace: &str, port: u16) -> bool {
        self.at(port, |listener| listener.has_virtual_service(hosts, namespace, self.own))
    }

    fn at(self, port: u16, sees: impl Fn(&Egress) -> bool) -> bool {
        let mut taking = self.listeners().filter(|listener| self.takes(*listener, port));
        taking.any(|listener| listener.is_none_or(&sees))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::kinds::service_entry::WorkloadSelector;

    fn rule(namespace: &str, selector: Option<&[(&str, &str)]>) -> Arc<SidecarRule> {
        let labels =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        let workload_selector = selector.map(|pairs| WorkloadSelector { labels: labels(pairs) });
        Arc::new(SidecarRule::new(namespace, &Sidecar { workload_selector, ..Sidecar::default() }))
    }

    #[test]
    fn the_oldest_that_selects_then_the_namespaces_then_the_meshs() {
        let rules = [
            rule("istio-system", None),
            rule("default", None),
            rule("default", Some(&[("app", "sleep")])),
            rule("default", Some(&[("app", "sleep"), ("v", "1")])),
            rule("istio-system", Some(&[("app", "other")])),
        ];
        let labels: Labels = [("app".to_owned(), "sleep".to_owned()), ("v".to_owned(), "1".to_owned())].into();
        let other: Labels = [("app".to_owned(), "other".to_owned())].into();
        let of = |namespace, labels| {
            let found = applying(rules.iter(), namespace, labels, "istio-system")?;
            rules.iter().position(|rule| Arc::ptr_eq(rule, &found.0))
        };
        assert_eq!(of("default", Some(&labels)), Some(2));
        assert_eq!(of("default", Some(&other)), Some(1));
        assert_eq!(of("default", None), Some(1));
        assert_eq!(of("elsewhere", Some(&labels)), Some(0));
        assert_eq!(applying(rules[1..].iter(), "elsewhere", Some(&labels), "istio-system"), None);
    }

    fn egress(hosts: &[&str]) -> Egress {
        let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        Egress::new(&EgressListener { hosts, ..EgressListener::default() })
    }

    #[test]
    fn hosts_are_seen_by_namespace_and_name_and_left_out_by_tilde() {
        for (hosts, host, namespace, seen) in [
            (&["*/*"][..], "a.example", "x", true),
            (&["./*"], "a.example", "own", true),
            (&["./*"], "a.example", "x", false),
            (&["x/*.example"], "a.example", "x", true),
            (&["x/*.example"], "example", "x", false),
            (&["x/a.example"], "b.example", "x", false),
            (&["*/*", "~x/a.example"], "a.example", "x", false),
            (&["*/*", "~x/a.example"], "a.example", "own", true),
            (&["*/*", "~./*.example"], "a.example", "own", false),
            (&["~/*"], "a.example", "own", false),
            (&["*/*", "~/a.example"], "a.example", "x", false),
            (&["*/a.example"], "*.example", "x", false),
        ] {
            assert_eq!(egress(hosts).has_service(host, namespace, "own"), seen, "{hosts:?} {namespace}/{host}");
        }
    }

    #[test]
    fn a_virtual_service_is_seen_where_it_has_calls_in_common() {
        let listener = egress(&["x/a.example"]);
        let sees = |host: &str, namespace: &str| listener.has_virtual_service(&[host.to_owned()], namespace, "own");
        assert!(sees("a.example", "x") && sees("*.example", "x"));
        assert!(!sees("b.example", "x") && !sees("a.example", "own"));
    }

    #[test]
    fn a_listener_with_a_port_takes_that_port_from_the_others() {
        let mut with_port = egress(&["*/a.example"]);
        with_port.port = Some(8080);
        let both = [with_port, egress(&["*/b.example"])];
        let sight = Sight { egress: &both, own: "own" };
        let sees = |host: &str, port| sight.has_service(host, "x", port);
        assert!(sees("a.example", 8080) && !sees("b.example", 8080));
        assert!(!sees("a.example", 80) && sees("b.example", 80));
        assert!(
            !Sight { egress: &both[..1], ..sight }.has_service("a.example", "x", 80),
            "no listener is there for the port"
        );
        assert!(Sight { egress: &[], ..sight }.has_service("a.example", "x", 80));
    }
}
