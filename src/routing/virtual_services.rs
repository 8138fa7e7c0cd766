//! All VirtualServices, found by what they name.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::registry::Declared;
use crate::resource::kinds::virtual_service::{Destination, RouteDestination, VirtualService};

use super::endings::Endings;
use super::hosts::{HostTable, qualify};
use super::route::RouteName;
use super::services::exported;

/// All VirtualServices.
#[derive(Debug, Default)]
pub(super) struct VirtualServices {
    /// By `namespace/name`.
    all: HashMap<Arc<str>, Arc<Virtual>>,
    /// Those with a host, the oldest first.
    by_host: HostTable<Vec<At>>,
    /// All hosts.
    endings: Endings,
    /// By the host of a destination: the names of those that lead there.
    by_destination: Names,
    /// By the name of one that others delegate to: the names of those.
    by_delegate: Names,
    /// Those with routes for bytes, the oldest first.
    of_bytes: Vec<Arc<Virtual>>,
    /// The labels by which they tell callers apart, with how many do.
    source_labels: BTreeMap<String, usize>,
}

/// Names of VirtualServices by something that they name.
type Names = HashMap<String, BTreeSet<Arc<str>>>;

/// A VirtualService, with names in full.
#[derive(Debug)]
pub(super) struct Virtual {
    /// `namespace/name`.
    pub(super) name: Arc<str>,
    /// Its hosts; one without any is there for others to delegate to.
    pub(super) hosts: Vec<String>,
    declared: Arc<Declared<VirtualService>>,
}

/// One of the hosts of a VirtualService.
#[derive(Debug, Clone)]
pub(super) struct At {
    pub(super) of: Arc<Virtual>,
    /// Its place among them.
    pub(super) place: usize,
}

impl At {
    /// What the first of several is told by.
    pub(super) fn order(&self) -> (Age<'_>, usize) {
        (self.of.age(), self.place)
    }

    /// The host itself.
    pub(super) fn host(&self) -> &str {
        &self.of.hosts[self.place]
    }
}

type Age<'a> = (Option<&'a str>, &'a str, &'a str);

impl Virtual {
    fn new(declared: &Arc<Declared<VirtualService>>) -> Self {
        let namespace = declared.namespace();
        Self {
            name: format!("{namespace}/{}", declared.resource.meta.name).into(),
            hosts: declared.spec.hosts.iter().map(|host| qualify(host, namespace)).collect(),
            declared: Arc::clone(declared),
        }
    }

    pub(super) fn spec(&self) -> &VirtualService {
        &self.declared.spec
    }

    pub(super) fn namespace(&self) -> &str {
        self.declared.namespace()
    }

    /// What the older of two is told by.
    pub(super) fn age(&self) -> Age<'_> {
        self.declared.age()
    }

    /// How public it is, where proxies of a namespace see it at all: first come those that only the namespace itself sees,
    /// then those that are exported to it by name, then those that all see.
    pub(super) fn publicity(&self, namespace: &str) -> Option<u8> {
        let to = &self.spec().export_to;
        let publicity = match to.is_empty() || to.iter().any(|name| name == "*") {
            true => 2,
            false => u8::from(self.namespace() != namespace),
        };
        exported(to, self.namespace(), namespace).then_some(publicity)
    }

    /// Whether sidecars follow it.
    pub(super) fn is_in_mesh(&self) -> bool {
        let gateways = &self.spec().gateways;
        gateways.is_empty() || gateways.iter().any(|gateway| gateway == "mesh")
    }

    /// Whether it has routes for bytes that are passed on unread.
    pub(super) fn is_of_bytes(&self) -> bool {
        !self.spec().tls.is_empty() || !self.spec().tcp.is_empty()
    }

    /// Its route at a place of one of its lists.
    pub(super) fn route(&self, list: &'static str, index: usize) -> RouteName {
        let origin = self.declared.resource.origin.clone();
        RouteName { virtual_service: Arc::clone(&self.name), list, index, delegate: None, origin }
    }

    /// The hosts that its own routes lead to.
    fn destinations(&self) -> impl Iterator<Item = String> {
        let spec = self.spec();
        let http = spec.http.iter().flat_map(|route| {
            let to = route.route.iter().filter_map(|weighted| weighted.destination.as_ref());
            let mirrors = route.mirrors.iter().filter_map(|mirror| mirror.destination.as_ref());
            to.chain(&route.mirror).chain(mirrors)
        });
        let bytes =
            spec.tls.iter().flat_map(|route| &route.route).chain(spec.tcp.iter().flat_map(|route| &route.route));
        let bytes = bytes.filter_map(|weighted: &RouteDestination| weighted.destination.as_ref());
        http.chain(bytes).map(|to: &Destination| qualify(&to.host, self.namespace()))
    }

    /// The names of those that its routes delegate to.
    fn delegates(&self) -> impl Iterator<Item = String> {
        self.spec().http.iter().filter_map(|route| route.delegate.as_ref()).map(|delegate| {
            let namespace = if delegate.namespace.is_empty() { self.namespace() } else { &delegate.namespace };
            format!("{namespace}/{}", delegate.name)
        })
    }

    /// The keys of the labels of callers that it looks at.
    fn source_labels(&self) -> impl Iterator<Item = &String> {
        let spec = self.spec();
        let http = spec.http.iter().flat_map(|route| &route.r#match).map(|entry| &entry.source_labels);
        let tls = spec.tls.iter().flat_map(|route| &route.r#match).map(|entry| &entry.source_labels);
        let tcp = spec.tcp.iter().flat_map(|route| &route.r#match).map(|entry| &entry.source_labels);
        http.chain(tls).chain(tcp).flat_map(|labels| labels.keys())
    }
}

impl VirtualServices {
    /// Adds one.
    pub(super) fn add(&mut self, declared: &Arc<Declared<VirtualService>>) -> Arc<Virtual> {
        let added = Arc::new(Virtual::new(declared));
        for (place, host) in added.hosts.iter().enumerate() {
            let at = At { of: Arc::clone(&added), place };
            let all = self.by_host.get_or_default(host);
            all.insert(all.partition_point(|other| other.order() <= at.order()), at);
            self.endings.insert(&host.as_str().into());
        }
        for host in added.destinations() {
            self.by_destination.entry(host).or_default().insert(Arc::clone(&added.name));
        }
        for delegate in added.delegates() {
            self.by_delegate.entry(delegate).or_default().insert(Arc::clone(&added.name));
        }
        if added.is_of_bytes() {
            let place = self.of_bytes.partition_point(|other| other.age() <= added.age());
            self.of_bytes.insert(place, Arc::clone(&added));
        }
        for label in added.source_labels() {
            *self.source_labels.entry(label.clone()).or_default() += 1;
        }
        self.all.insert(Arc::clone(&added.name), Arc::clone(&added));
        added
    }

    /// Takes one out.
    pub(super) fn remove(&mut self, declared: &Arc<Declared<VirtualService>>) -> Option<Arc<Virtual>> {
        let name = format!("{}/{}", declared.namespace(), declared.resource.meta.name);
        let removed = self.all.remove(name.as_str())?;
        for host in &removed.hosts {
            let all = self.by_host.get_or_default(host);
            all.retain(|at| !Arc::ptr_eq(&at.of, &removed));
            if all.is_empty() {
                self.by_host.remove(host);
                self.endings.remove(host);
            }
        }
        removed.destinations().for_each(|host| forget(&mut self.by_destination, &host, &name));
        removed.delegates().for_each(|delegate| forget(&mut self.by_delegate, &delegate, &name));
        self.of_bytes.retain(|other| !Arc::ptr_eq(other, &removed));
        for label in removed.source_labels() {
            if let Some(count) = self.source_labels.get_mut(label) {
                *count -= 1;
                if *count == 0 {
                    self.source_labels.remove(label);
                }
            }
        }
        Some(removed)
    }

    /// The one of a `namespace/name`.
    pub(super) fn get(&self, name: &str) -> Option<&Arc<Virtual>> {
        self.all.get(name)
    }

    /// All of them, in no order.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Virtual>> {
        self.all.values()
    }

    /// Those with routes for bytes, the oldest first.
    pub(super) fn of_bytes(&self) -> impl Iterator<Item = &Arc<Virtual>> {
        self.of_bytes.iter()
    }

    /// Those with exactly this host, the oldest first.
    pub(super) fn with_host(&self, host: &str) -> &[At] {
        self.by_host.pattern(host).map(Vec::as_slice).unwrap_or_default()
    }

    /// Those with a host that covers a name or pattern: by host, of which the most specific comes first, the oldest first.
    pub(super) fn covering(&self, pattern: &str) -> impl Iterator<Item = &[At]> {
        self.by_host.all_covering(pattern).map(Vec::as_slice)
    }

    /// Those with a host that a pattern covers.
    pub(super) fn covered_by(&self, pattern: &str) -> impl Iterator<Item = &At> {
        self.endings.covered_by(pattern).flat_map(|host| self.with_host(host))
    }

    /// The names of those that lead to a host.
    pub(super) fn leading_to(&self, host: &str) -> impl Iterator<Item = &Arc<str>> {
        self.by_destination.get(host).into_iter().flatten()
    }

    /// The names of those that delegate to one.
    pub(super) fn delegating_to(&self, name: &str) -> impl Iterator<Item = &Arc<str>> {
        self.by_delegate.get(name).into_iter().flatten()
    }

    /// Whether any looks at a label of callers.
    pub(super) fn look_at(&self, label: &str) -> bool {
        self.source_labels.contains_key(label)
    }
}

fn forget(names: &mut Names, of: &str, name: &str) {
    if let Some(known) = names.get_mut(of) {
        known.remove(name);
        if known.is_empty() {
            names.remove(of);
        }
    }
}
