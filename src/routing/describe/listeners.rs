//! What calls to each port meet first.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::super::tunnel;
use super::{Listener, Place, Port, RouteTable};

/// Where calls go that nobody has registered a host for (Envoy's name in Istio).
const BLACK_HOLE: &str = "BlackHoleCluster";

impl RouteTable {
    /// What calls to each port of a proxy meet first, by port.
    pub fn listeners(&self, place: Place) -> Vec<Listener> {
        let mut found = match place {
            Place::Sidecar(scope) => self.of_sidecar(scope),
            Place::Gateway => self.of_gateway(),
        };
        // Of two routes for one name the first is taken, whatever the second says.
        let mut seen = HashSet::new();
        found.retain(|one| one.matches.ends_with(SOME_ADDRESSES) || seen.insert((one.port, one.matches.clone())));
        found.sort_by_key(|one| (one.port.is_none(), one.port, one.matches == ALL));
        found
    }

    fn of_sidecar(&self, scope: usize) -> Vec<Listener> {
        let Some(scope) = self.sidecars.get(scope) else { return Vec::new() };
        let ports: BTreeSet<u16> = scope.hosts.values().flat_map(|host| host.0.iter().map(|(port, _)| *port)).collect();
        let mut found: Vec<_> = ports.into_iter().map(|port| Listener::to_routes(port, &port.to_string())).collect();
        for (port, table) in &scope.tunnels.ports {
            // By the longest of the names that a service is known by.
            let mut longest: BTreeMap<*const Port, (String, &Port)> = BTreeMap::new();
            for (name, known) in table.iter() {
                let entry = longest.entry(Arc::as_ptr(known)).or_insert_with(|| (String::new(), known));
                if name.len() > entry.0.len() {
                    entry.0 = name;
                }
            }
            let mut by_name: Vec<_> = longest.into_values().collect();
            by_name.sort_by(|(one, _), (other, _)| one.cmp(other));
            for (name, known) in by_name {
                found.extend(of_bytes(*port, &name, known));
            }
        }
        let others = scope.unregistered.cluster().map_or(BLACK_HOLE, |cluster| &cluster.name);
        found.push(Listener { port: None, matches: ALL.to_owned(), destination: format!("Cluster: {others}") });
        found
    }

    fn of_gateway(&self) -> Vec<Listener> {
        let mut found = Vec::new();
        for (port, hosts) in &self.gateways {
            if hosts.values().next().is_some() {
                found.push(Listener::to_routes(*port, &format!("http.{port}")));
            }
        }
        for (port, servers) in &*self.gateway_tunnels {
            found.extend(servers.tls.iter().map(|route| Listener::to_clusters(*port, "SNI", None, route)));
            found.extend(servers.tcp.iter().map(|route| Listener::to_clusters(*port, "Host", None, route)));
        }
        found
    }
}

const ALL: &str = "ALL";

/// What stands behind a name where more than the name must fit.
const SOME_ADDRESSES: &str = "; some addresses only";

/// What tunnels to a host and port meet.
fn of_bytes(port: u16, host: &str, known: &Port) -> Vec<Listener> {
    let Port::Bytes { tls, routes, service } = known else { return Vec::new() };
    let what = if *tls { "SNI" } else { "Host" };
    if routes.is_empty() {
        let destination = match service {
            Ok(cluster) => format!("Cluster: {}", cluster.name),
            Err(failure) => failure.reason().to_owned(),
        };
        return vec![Listener { port: Some(port), matches: format!("{what}: {host}"), destination }];
    }
    routes.iter().map(|route| Listener::to_clusters(port, what, Some(host), route)).collect()
}

impl Listener {
    fn to_routes(port: u16, table: &str) -> Self {
        Self { port: Some(port), matches: ALL.to_owned(), destination: format!("Route: {table}") }
    }

    fn to_clusters(port: u16, what: &str, host: Option<&str>, route: &tunnel::Route) -> Self {
        let name = route.name.as_deref().or(host).unwrap_or("*");
        let mut matches = format!("{what}: {name}");
        if !route.subnets.is_empty() || route.source_subnet.is_some() {
            matches.push_str(SOME_ADDRESSES);
        }
        let names = route.destinations.iter().map(|to| match &to.cluster {
            Ok(cluster) => cluster.name.clone(),
            Err(failure) => failure.reason().to_owned(),
        });
        let destination = format!("Cluster: {}", names.collect::<Vec<_>>().join(", "));
        Self { port: Some(port), matches, destination }
    }
}
