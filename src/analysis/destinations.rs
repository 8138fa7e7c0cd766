//! Where routes lead: hosts, ports and subsets that are not there.

use crate::diagnostic::FieldPath;
use crate::resource::kinds::virtual_service::{Destination, VirtualService};
use crate::routing::{exported, qualify};

use super::code::{NOT_FOUND, PORT_REQUIRED, SUBSET_WITHOUT_EFFECT};
use super::model::{Item, go_list};
use super::{Findings, Model};

/// A destination, where it is written, and what istioctl calls its host.
pub(super) struct Target<'r> {
    pub(super) to: &'r Destination,
    pub(super) at: FieldPath,
    what: &'static str,
}

pub(super) fn analyze(model: &Model<'_>, found: &mut Findings) {
    for item in &model.virtual_services {
        for target in targets(&item.spec) {
            host_and_port(model, item, &target, found);
            subset(model, item, &target, found);
        }
        subsets_elsewhere(model, item, found);
    }
}

/// All destinations of a VirtualService.
pub(super) fn targets(spec: &VirtualService) -> Vec<Target<'_>> {
    let mut found: Vec<Target<'_>> = Vec::new();
    for (index, route) in spec.http.iter().enumerate() {
        let at = FieldPath::of("spec.http").index(index);
        let routes = route.route.iter().map(|weighted| weighted.destination.as_ref()).enumerate();
        let routes = routes.map(|(index, to)| (to, at.field("route").index(index), "host"));
        let mirror = [(route.mirror.as_ref(), at.field("mirror"), "mirror host")];
        let mirrors = route.mirrors.iter().map(|mirror| mirror.destination.as_ref()).enumerate();
        let mirrors = mirrors.map(|(index, to)| (to, at.field("mirrors").index(index), "mirror host"));
        for (to, at, what) in routes.chain(mirrors) {
            found.extend(to.map(|to| Target { to, at: at.field("destination"), what }));
        }
        for (to, at, what) in mirror {
            found.extend(to.map(|to| Target { to, at, what }));
        }
    }
    let tls = spec.tls.iter().map(|route| &route.route).enumerate().map(|(index, routes)| ("spec.tls", index, routes));
    let tcp = spec.tcp.iter().map(|route| &route.route).enumerate().map(|(index, routes)| ("spec.tcp", index, routes));
    for (list, index, routes) in tls.chain(tcp) {
        let at = FieldPath::of(list).index(index).field("route");
        for (index, weighted) in routes.iter().enumerate() {
            let at = at.index(index).field("destination");
            found.extend(weighted.destination.as_ref().map(|to| Target { to, at, what: "host" }));
        }
    }
    found.retain(|target| !target.to.host.is_empty());
    found
}

fn host_and_port(model: &Model<'_>, item: &Item<VirtualService>, target: &Target<'_>, found: &mut Findings) {
    let Target { to, at, what } = target;
    let Some(host) = model.host(&to.host, item.namespace()) else {
        let message = format!("Referenced {what} not found: {:?}", to.host);
        return found.add(&NOT_FOUND, &item.resource, at.field("host"), message);
    };
    let ports = model.ports(host, item.namespace());
    match &to.port {
        None if ports.len() > 1 => {
            let message = format!(
                "This VirtualService routes to a service {:?} that exposes multiple ports {}. Specifying a port in the \
                 destination is required to disambiguate.",
                to.host,
                go_list(ports)
            );
            found.add(&PORT_REQUIRED, &item.resource, at.field("host"), message);
        }
        Some(port) if !ports.contains(&port.number) => {
            let message = format!("Referenced host:port not found: \"{}:{}\"", to.host, port.number);
            found.add(&NOT_FOUND, &item.resource, at.field("port").field("number"), message);
        }
        _ => {}
    }
}

fn subset(model: &Model<'_>, item: &Item<VirtualService>, target: &Target<'_>, found: &mut Findings) {
    let Target { to, at, what } = target;
    if to.subset.is_empty() {
        return;
    }
    let host = qualify(&to.host, item.namespace());
    let defined = model.destination_rules.iter().any(|rule| {
        qualify(&rule.spec.host, rule.namespace()) == host
            && exported(&rule.spec.export_to, rule.namespace(), item.namespace())
            && rule.spec.subsets.iter().any(|subset| subset.name == to.subset)
    });
    if !defined {
        let what = if *what == "host" { "host+subset" } else { "mirror+subset" };
        let message = format!("Referenced {what} in destinationrule not found: \"{}+{}\"", to.host, to.subset);
        found.add(&NOT_FOUND, &item.resource, at.field("subset"), message);
    }
}

/// A VirtualService of a gateway that leads to a host without a subset, while another one gives that host's callers a
/// subset: at the gateway the other one does not count.
fn subsets_elsewhere(model: &Model<'_>, item: &Item<VirtualService>, found: &mut Findings) {
    if item.spec.gateways.is_empty() {
        return;
    }
    let plain =
        targets(&item.spec).into_iter().filter(|target| target.to.subset.is_empty() && target.is_route_of_http());
    for target in plain {
        let gives = |other: &&Item<VirtualService>| {
            let same = |one: &Target<'_>| {
                !one.to.subset.is_empty() && one.to.host == target.to.host && other.spec.hosts.contains(&one.to.host)
            };
            targets(&other.spec).iter().any(same)
        };
        for other in model.virtual_services.iter().filter(gives) {
            let message = format!(
                "Subset in virtual service {} has no effect on ingress gateway {} requests",
                other.full_name(),
                item.full_name()
            );
            found.add(&SUBSET_WITHOUT_EFFECT, &item.resource, target.at.field("host"), message);
        }
    }
}

impl Target<'_> {
    fn is_route_of_http(&self) -> bool {
        self.what == "host" && self.at.to_string().starts_with("spec.http")
    }
}
