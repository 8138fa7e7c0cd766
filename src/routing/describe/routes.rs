//! Routes of HTTP by table, virtual host and order.

use std::collections::BTreeMap;
use std::iter;
use std::sync::Arc;

use crate::call::Failure;
use crate::resource::Provenance;

use super::super::act::Purpose;
use super::super::cluster::Cluster;
use super::super::route::{RouteName, Routes};
use super::{Destination, HostTable, Place, PortRoutes, Route, RouteTable, SidecarHost, matches};

impl RouteTable {
    /// The routes of a proxy, in the order in which they are looked at, by name of table and host.
    pub fn routes(&self, place: Place) -> Vec<Route> {
        let mut found = match place {
            Place::Sidecar(scope) => self.sidecars.get(scope).map(|scope| of_sidecar(&scope.hosts)).unwrap_or_default(),
            Place::Gateway => self.gateways.iter().flat_map(|(port, hosts)| of_gateway(*port, hosts)).collect(),
        };
        // Keeps the order of one host's routes.
        found.sort_by(|a, b| (table(&a.name), &a.virtual_host).cmp(&(table(&b.name), &b.virtual_host)));
        found
    }
}

/// `80` before `443`.
fn table(name: &str) -> u16 {
    name.trim_start_matches("http.").parse().unwrap_or_default()
}

fn of_sidecar(hosts: &HostTable<SidecarHost>) -> Vec<Route> {
    type Ports = Vec<(u16, *const PortRoutes)>;
    // A service of the mesh is known by several names.
    let mut names: BTreeMap<Ports, (Vec<String>, &SidecarHost)> = BTreeMap::new();
    for (pattern, host) in hosts.iter() {
        let same = host.0.iter().map(|(port, routes)| (*port, Arc::as_ptr(routes))).collect();
        names.entry(same).or_insert_with(|| (Vec::new(), host)).0.push(pattern);
    }
    let mut found = Vec::new();
    for (mut domains, host) in names.into_values() {
        // The longest is the full one.
        domains.sort_by_key(|name| (std::cmp::Reverse(name.len()), name.clone()));
        for (port, routes) in &host.0 {
            let virtual_host = VirtualHost { table: port.to_string(), port: *port, domains: &domains };
            match &**routes {
                PortRoutes::Routes(routes) => found.extend(virtual_host.routes(routes)),
                PortRoutes::Service(cluster) => found.push(virtual_host.service(cluster)),
            }
        }
    }
    found
}

fn of_gateway(port: u16, hosts: &HostTable<Arc<Routes>>) -> Vec<Route> {
    let all = hosts.iter().flat_map(|(domain, routes)| {
        let domains = [domain];
        VirtualHost { table: format!("http.{port}"), port, domains: &domains }.routes(routes)
    });
    all.collect()
}

/// A host and port that routes are for.
struct VirtualHost<'a> {
    table: String,
    port: u16,
    domains: &'a [String],
}

impl VirtualHost<'_> {
    fn route(&self, matches: String) -> Route {
        let host = self.domains.first().map(String::as_str).unwrap_or_default();
        Route {
            name: self.table.clone(),
            virtual_host: format!("{host}:{}", self.port),
            domains: self.domains.to_vec(),
            matches,
            virtual_service: None,
            place: None,
            delegate: None,
            destinations: Vec::new(),
            answer: None,
            mirrors: Vec::new(),
        }
    }

    fn service(&self, cluster: &Result<Arc<Cluster>, Failure>) -> Route {
        Route { destinations: vec![destination(1, cluster)], ..self.route(matches::shown(None)) }
    }

    fn routes(&self, routes: &Routes) -> Vec<Route> {
        if routes.redirects {
            return vec![Route {
                answer: Some("redirect 301 to https".to_owned()),
                ..self.route(matches::shown(None))
            }];
        }
        let mut found = Vec::new();
        for route in &routes.here {
            let conditions = route.matches.iter().map(Some);
            // One without conditions takes all.
            let conditions = conditions.chain(iter::once(None).filter(|_| route.matches.is_empty()));
            found.extend(conditions.map(|condition| {
                let (destinations, answer) = match &route.act.purpose {
                    Purpose::Forward(to) => (to.iter().map(|to| destination(to.weight, &to.cluster)).collect(), None),
                    Purpose::Answer(reply) => (Vec::new(), Some(reply.in_words())),
                    Purpose::Impossible => (Vec::new(), Some("500, it cannot be carried out".to_owned())),
                };
                Route {
                    virtual_service: Some(declared(&route.name)),
                    place: Some(format!("http[{}]", route.name.index)),
                    delegate: route.name.delegate.as_ref().map(|(to, index)| format!("{to} http[{index}]")),
                    destinations,
                    answer,
                    mirrors: route.act.mirrors().map(|cluster| cluster.name.clone()).collect(),
                    ..self.route(matches::shown(condition))
                }
            }));
        }
        if found.is_empty() {
            found.push(Route { answer: Some("404".to_owned()), ..self.route(matches::shown(None)) });
        }
        found
    }
}

fn declared(route: &RouteName) -> Provenance {
    let (namespace, name) = route.virtual_service.split_once('/').unwrap_or_default();
    Provenance {
        kind: "VirtualService".to_owned(),
        name: name.to_owned(),
        namespace: namespace.to_owned(),
        declared_at: route.origin.as_ref().map(|origin| format!("{}:{}", origin.file, origin.line)),
    }
}

fn destination(weight: u64, cluster: &Result<Arc<Cluster>, Failure>) -> Destination {
    Destination {
        cluster: cluster.as_ref().ok().map(|cluster| cluster.name.clone()),
        weight,
        problem: cluster.as_ref().err().map(|failure| failure.reason().to_owned()),
    }
}
