//! What a proxy has compiled, row by row: the part of the admin endpoint that `proxy-config` asks.

use std::net::SocketAddr;
use std::path::Path;

use serde::Serialize;

use crate::identity::{Mesh, SpiffeId};
use crate::routing::describe::{self, Place};
use crate::snapshot::Snapshot;
use crate::upstream::secrets::{InUse, Secret};

use super::api::{GATEWAY, Listener, MAX_ROWS, Row, Rows, Section};
use super::start::Role;

/// Where sidecars hand calls to a gateway of the same process.
const INTERNAL: &str = "internal";

/// A node's snapshot with the names of those whom it plays.
pub(super) struct Compiled<'a> {
    pub(super) node: &'a str,
    pub(super) role: Role,
    pub(super) snapshot: &'a Snapshot,
    /// The sidecar listeners, in the snapshot's order: address, and `WORKLOAD.NAMESPACE` if it stands for one.
    pub(super) listeners: Vec<(SocketAddr, Option<String>)>,
    /// The listeners of the gateway's servers for callers from outside: address, and the server's port.
    pub(super) gateway_listeners: Vec<(SocketAddr, u16)>,
    /// What it proves itself with to others of its mesh.
    pub(super) mesh: &'a Mesh,
    /// Where its gateway takes the calls of sidecars of other processes.
    pub(super) mesh_address: Option<SocketAddr>,
    /// The file whose authorities are trusted instead of the system's.
    pub(super) ca_file: Option<&'a Path>,
    /// In microseconds since 1970.
    pub(super) now: i64,
}

/// One sidecar, or the gateway.
struct Proxy {
    name: String,
    place: Place,
    addresses: Vec<SocketAddr>,
    identity: Option<SpiffeId>,
}

impl Compiled<'_> {
    /// A section as JSON.
    pub(super) fn section(&self, section: Section) -> serde_json::Result<Vec<u8>> {
        let routes = &self.snapshot.routes;
        match section {
            Section::Listeners => self.rows(listeners(self.snapshot, &self.gateway_listeners)),
            Section::Routes => self.rows(|proxy| routes.routes(proxy.place)),
            Section::Clusters => self.rows(|proxy| routes.clusters(proxy.place)),
            Section::Endpoints => self.rows(|proxy| routes.endpoints(proxy.place, self.now)),
            Section::Secrets => self.rows(|proxy| self.secrets(proxy)),
            Section::Rules => self.rules(),
        }
    }

    fn secrets(&self, proxy: &Proxy) -> Vec<Secret> {
        let (routes, place) = (&self.snapshot.routes, proxy.place);
        let mut used = InUse::new(self.ca_file, self.now);
        used.add_mesh(self.mesh, proxy.identity.as_ref());
        routes.originated(place).iter().for_each(|(cluster, settings)| used.add_cluster(cluster, settings));
        if place == Place::Gateway {
            routes.server_tls().for_each(|server| used.add_server(server));
        }
        for cluster in routes.clusters(place) {
            if let Some(last) = cluster.last_failure.filter(|last| last.tls && last.lasts) {
                used.add_refused(&cluster.name, &last.reason);
            }
        }
        used.into_secrets()
    }

    fn rules(&self) -> serde_json::Result<Vec<u8>> {
        let rows = self.snapshot.policy.describe().into_iter().map(|(row, namespace)| {
            let proxy = namespace.map_or_else(|| "*".to_owned(), |namespace| format!("*.{namespace}"));
            Row { proxy, row }
        });
        self.answer(rows.collect())
    }

    fn rows<T: Serialize>(&self, of: impl Fn(&Proxy) -> Vec<T>) -> serde_json::Result<Vec<u8>> {
        let proxies = self.proxies();
        let mut rows = Vec::new();
        for proxy in &proxies {
            rows.extend(of(proxy).into_iter().map(|row| Row { proxy: proxy.name.clone(), row }));
        }
        self.answer(rows)
    }

    fn answer<T: Serialize>(&self, mut rows: Vec<Row<T>>) -> serde_json::Result<Vec<u8>> {
        let left_out = rows.len().saturating_sub(MAX_ROWS);
        rows.truncate(MAX_ROWS);
        let proxies = self.proxies().into_iter().map(|proxy| proxy.name).collect();
        serde_json::to_vec(&Rows { node: self.node.to_owned(), proxies, rows, left_out })
    }

    /// Who is played, each once: a workload may have several listeners.
    fn proxies(&self) -> Vec<Proxy> {
        let mut proxies: Vec<Proxy> = Vec::new();
        for (position, (address, workload)) in self.listeners.iter().enumerate() {
            let name = workload.clone().unwrap_or_else(|| "unknown.default".to_owned());
            match proxies.iter_mut().find(|known| known.name == name) {
                Some(known) => known.addresses.push(*address),
                None => {
                    let place = Place::Sidecar(self.snapshot.scope(position));
                    let caller = self.snapshot.callers().nth(position).flatten();
                    let identity = caller.and_then(|caller| caller.identity());
                    proxies.push(Proxy { name, place, addresses: vec![*address], identity });
                }
            }
        }
        if self.role != Role::Sidecar {
            let addresses = self.mesh_address.into_iter().collect();
            let identity = self.snapshot.gateway_identity.clone();
            proxies.push(Proxy { name: GATEWAY.to_owned(), place: Place::Gateway, addresses, identity });
        }
        proxies
    }
}

/// The listeners of a proxy: at each address of a sidecar the same.
fn listeners<'a>(snapshot: &'a Snapshot, outside: &'a [(SocketAddr, u16)]) -> impl Fn(&Proxy) -> Vec<Listener> + 'a {
    move |proxy| {
        let compiled = snapshot.routes.listeners(proxy.place);
        let of_gateway = compiled.iter().filter(|_| proxy.place == Place::Gateway).map(|one| Listener {
            address: INTERNAL.to_owned(),
            port: one.port.unwrap_or_default(),
            called_port: None,
            matches: one.matches.clone(),
            destination: one.destination.clone(),
        });
        // A gateway's addresses are those at which it takes calls of sidecars of other processes.
        let of_sidecar = proxy.addresses.iter().flat_map(|address| compiled.iter().map(|one| at(*address, one)));
        let from_outside = outside.iter().filter(|_| proxy.place == Place::Gateway).flat_map(|(address, server)| {
            compiled.iter().filter(|one| one.port == Some(*server)).map(|one| at(*address, one))
        });
        of_gateway.chain(from_outside).chain(of_sidecar).collect()
    }
}

/// A listener at an address, for the port that is called, or for the gateway's server's.
fn at(address: SocketAddr, one: &describe::Listener) -> Listener {
    Listener {
        address: address.ip().to_string(),
        port: address.port(),
        called_port: one.port,
        matches: called(one),
        destination: one.destination.clone(),
    }
}

fn called(listener: &describe::Listener) -> String {
    match (listener.port, listener.matches.as_str()) {
        (None, matches) => matches.to_owned(),
        (Some(port), "ALL") => format!("Port: {port}"),
        (Some(port), matches) => format!("Port: {port}; {matches}"),
    }
}
