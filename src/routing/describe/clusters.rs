//! Clusters and their endpoints, with how they do.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::call::Failure;
use crate::expr::Timestamp;
use crate::resource::Provenance;

use super::super::act::Purpose;
use super::super::cluster::{self, Target, TlsSettings};
use super::super::route::Routes;
use super::super::trouble::Told;
use super::super::tunnel;
use super::{Cluster, Endpoint, HostTable, LastFailure, Place, Port, PortRoutes, RouteTable, Tls};

/// Clusters by host, port and name.
type Found<'t> = BTreeMap<(&'t str, u16, &'t str), &'t Arc<cluster::Cluster>>;

impl RouteTable {
    /// The clusters of a proxy, by host.
    pub fn clusters(&self, place: Place) -> Vec<Cluster> {
        self.all_clusters(place).into_values().map(|cluster| Cluster::of(cluster)).collect()
    }

    /// The endpoints of a proxy's clusters; `now` is in microseconds since 1970.
    pub fn endpoints(&self, place: Place, now: i64) -> Vec<Endpoint> {
        self.all_clusters(place).into_values().flat_map(|cluster| endpoints(cluster, now)).collect()
    }

    /// TLS that a proxy originates, with the names of the clusters.
    pub fn originated(&self, place: Place) -> Vec<(&str, Arc<TlsSettings>)> {
        let all = self.all_clusters(place).into_values();
        all.filter_map(|cluster| Some((cluster.name.as_str(), tls_of(cluster)?))).collect()
    }

    fn all_clusters(&self, place: Place) -> Found<'_> {
        let mut found = Found::new();
        match place {
            Place::Sidecar(scope) => {
                let Some(scope) = self.sidecars.get(scope) else { return found };
                for (_, routes) in scope.hosts.values().flat_map(|host| &host.0) {
                    match &**routes {
                        PortRoutes::Routes(routes) => of_routes(routes, &mut found),
                        PortRoutes::Service(cluster) => add(cluster.as_ref(), &mut found),
                    }
                }
                for port in scope.tunnels.ports.values().flat_map(HostTable::values) {
                    if let Port::Bytes { routes, service, .. } = &**port {
                        of_tunnels(routes, &mut found);
                        add(service.as_ref(), &mut found);
                    }
                }
                scope.unregistered.cluster().into_iter().for_each(|cluster| add(Ok(cluster), &mut found));
            }
            Place::Gateway => {
                self.gateways.values().flat_map(HostTable::values).for_each(|routes| of_routes(routes, &mut found));
                for servers in self.gateway_tunnels.values() {
                    of_tunnels(&servers.tls, &mut found);
                    of_tunnels(&servers.tcp, &mut found);
                }
            }
        }
        found
    }
}

fn add<'t>(cluster: Result<&'t Arc<cluster::Cluster>, &Failure>, found: &mut Found<'t>) {
    if let Ok(cluster) = cluster {
        found.insert((&cluster.host, cluster.port, &cluster.name), cluster);
    }
}

fn of_routes<'t>(routes: &'t Routes, found: &mut Found<'t>) {
    for route in &routes.here {
        if let Purpose::Forward(destinations) = &route.act.purpose {
            destinations.iter().for_each(|to| add(to.cluster.as_ref(), found));
        }
        route.act.mirrors().for_each(|cluster| add(Ok(cluster), found));
    }
}

fn of_tunnels<'t>(routes: &'t [tunnel::Route], found: &mut Found<'t>) {
    routes.iter().flat_map(|route| route.destinations.iter()).for_each(|to| add(to.cluster.as_ref(), found));
}

fn tls_of(cluster: &cluster::Cluster) -> Option<Arc<TlsSettings>> {
    let of_endpoint = || match &cluster.target {
        Target::Endpoints(endpoints) => endpoints.iter().find_map(|endpoint| endpoint.tls.clone()),
        Target::Gateway(_) => None,
    };
    of_endpoint().or_else(|| cluster.original.as_ref()?.tls.clone())
}

impl Cluster {
    fn of(cluster: &cluster::Cluster) -> Self {
        let endpoints = match &cluster.target {
            Target::Endpoints(endpoints) => endpoints.as_slice(),
            Target::Gateway(_) => &[],
        };
        let trouble = cluster.balance.trouble();
        Self {
            name: cluster.name.clone(),
            fqdn: cluster.host.clone(),
            port: (cluster.port > 0).then_some(cluster.port),
            subset: cluster.name.split('|').nth(2).unwrap_or_default().to_owned(),
            direction: "outbound".to_owned(),
            r#type: sort(cluster, endpoints).to_owned(),
            registered_by: cluster.registered_by.as_deref().cloned(),
            destination_rules: cluster.rules.iter().map(|rule| Provenance::clone(rule)).collect(),
            load_balancing: cluster.balance.in_words().to_owned(),
            outlier_detection: cluster.balance.watches(),
            connect_timeout_ms: u64::try_from(cluster.connect_timeout.as_millis()).unwrap_or(u64::MAX),
            max_calls: cluster.limits.as_ref().map(|limits| limits.at_once),
            max_waiting: cluster.limits.as_ref().and_then(|limits| limits.waiting),
            http2: endpoints.iter().any(|endpoint| endpoint.multiplexed)
                || cluster.original.as_ref().is_some_and(|original| original.spoken.multiplexed),
            tls: tls_of(cluster).as_deref().map(Tls::of),
            failures: trouble.map_or(0, |told| told.failures),
            last_failure: trouble.map(LastFailure::of),
        }
    }
}

fn sort(cluster: &cluster::Cluster, endpoints: &[cluster::Endpoint]) -> &'static str {
    let is_fixed = |endpoint: &cluster::Endpoint| {
        let address = endpoint.address.trim_matches(['[', ']']);
        address.starts_with("unix:") || address.parse::<IpAddr>().is_ok()
    };
    match (&cluster.target, &cluster.original) {
        (Target::Gateway(_), _) => "INTERNAL",
        (_, Some(_)) => "ORIGINAL_DST",
        _ if endpoints.iter().all(is_fixed) => "STATIC",
        _ => "STRICT_DNS",
    }
}

impl Tls {
    fn of(settings: &TlsSettings) -> Self {
        let mode = match settings {
            TlsSettings { mesh: Some(_), .. } => "ISTIO_MUTUAL",
            TlsSettings { client_certificate: Some(_), .. } => "MUTUAL",
            _ => "SIMPLE",
        };
        Self { mode: mode.to_owned(), sni: settings.sni.clone(), insecure: settings.insecure }
    }
}

impl LastFailure {
    fn of(told: Told) -> Self {
        Self {
            time: rfc3339(told.last_at),
            flag: told.last.flag().to_owned(),
            reason: told.last.reason().to_owned(),
            tls: matches!(told.last, Failure::Tls(_)),
            lasts: told.lasts,
        }
    }
}

fn endpoints(cluster: &cluster::Cluster, now: i64) -> Vec<Endpoint> {
    let known = |endpoint: String| Endpoint {
        endpoint,
        status: "HEALTHY".to_owned(),
        outlier_check: "OK".to_owned(),
        cluster: cluster.name.clone(),
        active: None,
        ejected_until: None,
        ejections: 0,
    };
    let listed = match &cluster.target {
        Target::Gateway(port) => return vec![known(format!("internal:{port}"))],
        Target::Endpoints(endpoints) => endpoints,
    };
    let doing = cluster.balance.doing(now);
    let with_health = listed.iter().zip(doing).map(|(endpoint, doing)| {
        let out = doing.out_until.is_some();
        Endpoint {
            status: if out { "UNHEALTHY" } else { "HEALTHY" }.to_owned(),
            outlier_check: if out { "FAILED" } else { "OK" }.to_owned(),
            active: doing.active,
            ejected_until: doing.out_until.map(rfc3339),
            ejections: doing.ejections,
            ..known(address(endpoint))
        }
    });
    with_health.collect()
}

fn address(endpoint: &cluster::Endpoint) -> String {
    let (address, port) = (&endpoint.address, endpoint.port);
    match address.parse::<IpAddr>() {
        _ if address.starts_with("unix:") => address.clone(),
        Ok(IpAddr::V6(_)) => format!("[{address}]:{port}"),
        _ => format!("{address}:{port}"),
    }
}

fn rfc3339(micros: i64) -> String {
    let mut text = String::new();
    Timestamp::from_micros(micros).write_rfc3339(&mut text);
    text
}
