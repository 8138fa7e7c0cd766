//! Where calls can be sent: Envoy's clusters.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::identity::SpiffeId;
use crate::resource::Provenance;

use super::addresses::Addresses;
use super::balance::{Balance, Called};
use super::connections::{Lasting, RetryLimits};
use super::credential::Pem;
use super::private::{Private, is_literal};
use super::tunnel::Original;

/// A destination: host, port and subset with everything that its DestinationRule says.
#[derive(Debug)]
pub struct Cluster {
    /// Envoy's name for it: `outbound|443||edition.cnn.com`.
    pub name: String,
    /// The service's host.
    pub host: String,
    /// The service's port; 0 of what is passed through, which has none.
    pub port: u16,
    /// Who answers there.
    pub target: Target,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How many calls it takes at a time, if that is limited.
    pub limits: Option<Limits>,
    /// How many calls are tried again at a time.
    pub retries: RetryLimits,
    /// Which endpoint a call goes to.
    pub balance: Balance,
    /// The ServiceEntry or Service that registers its host, if one does.
    pub(super) registered_by: Option<Arc<Provenance>>,
    /// The DestinationRules that apply to it, the oldest first.
    pub(super) rules: Vec<Arc<Provenance>>,
    /// How tunnels reach it, where that is for the caller to say.
    pub(super) original: Option<Box<Original>>,
}

impl Cluster {
    /// How long connections to it last, where its rule says.
    pub fn lasting(&self) -> Option<&Arc<Lasting>> {
        match &self.target {
            Target::Endpoints(endpoints) => endpoints.first()?.lasting.as_ref(),
            Target::Gateway(_) => None,
        }
    }
}

/// How many calls a [`Cluster`] takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// At a time: in HTTP/1.1 each has a connection of its own.
    pub at_once: u32,
    /// That wait for their turn; any number if not given.
    pub waiting: Option<u32>,
}

/// Who answers for a [`Cluster`].
#[derive(Debug)]
pub enum Target {
    /// The egress gateway's server on this port: the next hop.
    Gateway(u16),
    /// These; none of them for a service that nothing of ours can reach.
    Endpoints(Vec<Endpoint>),
}

impl Target {
    /// The port of the gateway's server, if that is the next hop.
    pub fn gateway(&self) -> Option<u16> {
        match self {
            Target::Gateway(port) => Some(*port),
            Target::Endpoints(_) => None,
        }
    }
}

/// One address of a [`Cluster`].
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// IP address, `unix:///PATH`, `unix://@NAME`, or a name that is resolved when a connection is made.
    pub address: String,
    /// The port that is dialled.
    pub port: u16,
    /// TLS that we originate.
    pub tls: Option<Arc<TlsSettings>>,
    /// The private addresses that the name may lead to.
    pub private: Private,
    /// Calls after which a connection to it is closed, if they are limited.
    pub calls_per_connection: Option<u32>,
    /// Calls that go side by side on one connection of HTTP/2, if its rule limits them.
    pub calls_at_once: Option<u32>,
    /// How long connections to it last, where its rule says.
    pub lasting: Option<Arc<Lasting>>,
    /// Whether HTTP/2 is spoken there.
    pub multiplexed: bool,
    /// The same with HTTP/2, for callers who speak that, where its rule says that callers choose.
    pub for_multiplexed: Option<Arc<Endpoint>>,
    /// How the addresses of its name do, where those that fail are left out.
    pub addresses: Option<Arc<Addresses>>,
    /// What is said before anything else.
    pub opening: Opening,
    /// Whether it is the egress gateway of another process, wherever that is at the moment.
    pub is_gateway: bool,
    /// Everything that makes connections to two endpoints unequal, as one text: connections are shared under it.
    pub pool_key: Arc<str>,
}

/// What is said on a connection before its calls.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Opening {
    /// Nothing.
    None,
    /// It is a proxy, which is asked for a tunnel to this host and port (a DestinationRule's `tunnel`).
    Tunnel(Arc<str>),
    /// Who calls, by the PROXY protocol: in its binary form or as text. Before a call there is nobody.
    Announced {
        /// Whether in the binary form (version 2).
        binary: bool,
        /// Who calls.
        caller: Option<IpAddr>,
    },
}

/// TLS that is originated to a destination.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TlsSettings {
    /// Server name that is sent, and verified where no subject alternative names are given.
    pub sni: String,
    /// If any: one of these must be in the certificate, instead of the server name.
    pub subject_alt_names: Vec<String>,
    /// The authorities that are trusted instead of the system's.
    pub ca_certificates: Option<Pem>,
    /// What they have revoked.
    pub revoked: Option<Pem>,
    /// Our certificate and its key, for mutual TLS.
    pub client_certificate: Option<(Pem, Pem)>,
    /// Whose certificate of the mesh we show (ISTIO_MUTUAL): then the mesh's roots alone are trusted, and subject
    /// alternative names may be identities.
    pub mesh: Option<Own>,
    /// Whether nothing is verified, because the rule says so.
    pub insecure: bool,
    /// Whether HTTP/2 is agreed upon in the handshake (ALPN).
    pub multiplexed: bool,
}

/// Whose certificate of the mesh is shown.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Own {
    /// That of the proxy that calls: a sidecar shows its workload's, the gateway its own.
    Proxys,
    /// This identity's.
    Of(SpiffeId),
}

impl TlsSettings {
    /// TLS of the mesh with a server of one of these identities.
    pub fn of_mesh(own: Own, sni: String, subject_alt_names: Vec<String>) -> Self {
        Self {
            sni,
            subject_alt_names,
            ca_certificates: None,
            revoked: None,
            client_certificate: None,
            mesh: Some(own),
            insecure: false,
            multiplexed: false,
        }
    }
}

impl Endpoint {
    /// The egress gateway of another process: its server on a port, as `own` calls it.
    pub fn gateway(port: u16, host: &str, own: SpiffeId, gateway: &SpiffeId) -> Self {
        let tls = TlsSettings::of_mesh(Own::Of(own), mesh_server_name(port, "", host), vec![gateway.to_string()]);
        Self { is_gateway: true, ..Self::new(host.to_owned(), port, Some(Arc::new(tls)), Private::Any) }
    }

    /// Whether whoever calls it shows its own certificate of the mesh.
    pub fn wants_identity(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.mesh == Some(Own::Proxys))
    }

    /// The same as it is called by a proxy of this identity.
    #[must_use]
    pub fn called_by(self, own: SpiffeId) -> Self {
        let Some(tls) = self.tls.as_ref().filter(|_| self.wants_identity()) else { return self };
        let pool_key = format!("{} {own}", self.pool_key).into();
        let tls = Some(Arc::new(TlsSettings { mesh: Some(Own::Of(own)), ..TlsSettings::clone(tls) }));
        Self { tls, pool_key, ..self }
    }

    /// Whether it is a name, which may lead to several addresses.
    pub(super) fn is_name(&self) -> bool {
        !self.address.starts_with("unix://") && !is_literal(&self.address)
    }

    /// The same, whose addresses are watched.
    pub(super) fn watched(self, addresses: Option<&Arc<Addresses>>) -> Self {
        let for_multiplexed =
            self.for_multiplexed.as_ref().map(|other| Arc::new(Endpoint::clone(other).watched(addresses)));
        Self { addresses: addresses.cloned(), for_multiplexed, ..self }
    }

    /// What of it was called, at this address if at any.
    pub fn called(&self, address: Option<IpAddr>) -> Called<'_> {
        self.addresses.as_ref().map_or(Called::Itself, |addresses| Called::AddressOf(addresses, address))
    }

    /// The same, spoken to in HTTP/2 or not.
    #[must_use]
    pub fn speaking(mut self, multiplexed: bool) -> Self {
        if multiplexed && !self.multiplexed {
            self.pool_key = format!("{} h2", self.pool_key).into();
            self.multiplexed = true;
            self.tls = self.tls.map(|tls| Arc::new(TlsSettings { multiplexed: true, ..TlsSettings::clone(&tls) }));
        }
        self
    }

    /// The same as it is told of a caller; `None` where it is told of nobody.
    #[must_use]
    pub fn called_for(&self, caller: IpAddr) -> Option<Self> {
        let Opening::Announced { binary, caller: None } = self.opening else { return None };
        let opening = Opening::Announced { binary, caller: Some(caller) };
        Some(Self { pool_key: format!("{} {caller}", self.pool_key).into(), opening, ..self.clone() })
    }

    /// The same, spoken to in HTTP/1.1 on a connection that carries nothing else.
    #[must_use]
    pub fn for_one_upgrade(mut self) -> Self {
        self.multiplexed = false;
        self.tls = self.tls.map(|tls| Arc::new(TlsSettings { multiplexed: false, ..TlsSettings::clone(&tls) }));
        self.calls_per_connection = Some(1);
        self
    }

    /// An address with the TLS that is spoken there.
    pub fn new(address: String, port: u16, tls: Option<Arc<TlsSettings>>, private: Private) -> Self {
        let private = if private != Private::None && is_literal(&address) { Private::Any } else { private };
        // Debug output names every field, so no two settings that differ share a connection.
        let pool_key = match &tls {
            Some(tls) => format!("{address} {port} {private:?} {tls:?}"),
            None => format!("{address} {port} {private:?}"),
        };
        let pool_key = pool_key.into();
        let (calls_per_connection, calls_at_once, lasting) = (None, None, None);
        let (multiplexed, for_multiplexed, opening, is_gateway) = (false, None, Opening::None, false);
        let addresses = None;
        Self {
            address,
            port,
            tls,
            private,
            calls_per_connection,
            calls_at_once,
            lasting,
            multiplexed,
            for_multiplexed,
            addresses,
            opening,
            is_gateway,
            pool_key,
        }
    }
}

/// The server name by which sidecars ask for a service's port and subset (Istio's): `outbound_.443_._.HOST`.
pub fn mesh_server_name(port: u16, subset: &str, host: &str) -> String {
    format!("outbound_.{port}_.{subset}_.{host}")
}

/// The port in such a name.
pub fn port_of_mesh(server_name: &str) -> Option<u16> {
    let (port, rest) = server_name.strip_prefix("outbound_.")?.split_once("_.")?;
    rest.contains("_.").then(|| port.parse().ok()).flatten().filter(|port| *port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_that_differ_in_anything_are_not_shared() {
        let base = TlsSettings {
            sni: "a.example".into(),
            subject_alt_names: vec![],
            ca_certificates: None,
            revoked: None,
            client_certificate: None,
            mesh: None,
            insecure: false,
            multiplexed: false,
        };
        let file = |path: &str| Pem::File(path.into());
        let variants = [
            base.clone(),
            TlsSettings { sni: "b.example".into(), ..base.clone() },
            TlsSettings { subject_alt_names: vec!["b.example".into()], ..base.clone() },
            TlsSettings { ca_certificates: Some(file("ca.pem")), ..base.clone() },
            TlsSettings { revoked: Some(file("ca.pem")), ..base.clone() },
            TlsSettings { client_certificate: Some((file("c.pem"), file("k.pem"))), ..base.clone() },
            TlsSettings { insecure: true, ..base.clone() },
            TlsSettings { mesh: Some(Own::Proxys), ..base.clone() },
            TlsSettings { multiplexed: true, ..base },
        ];
        let mut keys: Vec<_> = variants
            .into_iter()
            .map(|tls| Endpoint::new("a.test.com".into(), 443, Some(Arc::new(tls)), Private::Any).pool_key)
            .collect();
        for (address, port, private) in [
            ("a.test.com", 443, Private::Any),
            ("a.test.com", 444, Private::Any),
            ("b.test.com", 443, Private::Any),
            ("a.test.com", 443, Private::Only(Vec::new())),
        ] {
            keys.push(Endpoint::new(address.into(), port, None, private).pool_key);
        }
        let distinct: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }

    #[test]
    fn the_port_of_the_gateway_is_in_the_name_that_sidecars_ask_for() {
        let name = mesh_server_name(443, "", "istio-egressgateway.istio-system.svc.cluster.local");
        assert_eq!(name, "outbound_.443_._.istio-egressgateway.istio-system.svc.cluster.local");
        assert_eq!(port_of_mesh(&name), Some(443));
        assert_eq!(port_of_mesh(&mesh_server_name(80, "v1", "a.example")), Some(80));
        for other in ["a.example", "outbound_.443", "outbound_.0_._.a", "outbound_.x_._.a", "outbound_.443_.a"] {
            assert_eq!(port_of_mesh(other), None, "{other}");
        }
    }
}
