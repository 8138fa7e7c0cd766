//! Where calls can be sent: Envoy's clusters.

use std::sync::Arc;
use std::time::Duration;

/// A destination: host, port and subset with everything that its DestinationRule says.
#[derive(Debug)]
pub struct Cluster {
    /// Envoy's name for it: `outbound|443||edition.cnn.com`.
    pub name: String,
    /// The service's host.
    pub host: String,
    /// The service's port.
    pub port: u16,
    /// Who answers there.
    pub target: Target,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
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
#[derive(Debug)]
pub struct Endpoint {
    /// IP address, or a name that is resolved when a connection is made.
    pub address: String,
    /// The port that is dialled.
    pub port: u16,
    /// TLS that we originate.
    pub tls: Option<Arc<TlsSettings>>,
    /// Everything that makes connections to two endpoints unequal, as one text: connections are shared under it.
    pub pool_key: Arc<str>,
}

/// TLS that is originated to a destination.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TlsSettings {
    /// Server name that is sent, and verified where no subject alternative names are given.
    pub sni: String,
    /// If any: one of these must be in the certificate, instead of the server name.
    pub subject_alt_names: Vec<String>,
    /// File with the authorities that are trusted instead of the system's.
    pub ca_certificates: Option<String>,
    /// Files with our certificate and its key, for mutual TLS.
    pub client_certificate: Option<(String, String)>,
    /// Whether nothing is verified, because the rule says so.
    pub insecure: bool,
}

impl Endpoint {
    /// An address with the TLS that is spoken there.
    pub fn new(address: String, port: u16, tls: Option<Arc<TlsSettings>>) -> Self {
        let pool_key = match &tls {
            // Debug output names every field, so no two settings that differ share a connection.
            Some(tls) => format!("{address} {port} {tls:?}"),
            None => format!("{address} {port}"),
        };
        Self { address, port, tls, pool_key: pool_key.into() }
    }
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
            client_certificate: None,
            insecure: false,
        };
        let variants = [
            base.clone(),
            TlsSettings { sni: "b.example".into(), ..base.clone() },
            TlsSettings { subject_alt_names: vec!["b.example".into()], ..base.clone() },
            TlsSettings { ca_certificates: Some("ca.pem".into()), ..base.clone() },
            TlsSettings { client_certificate: Some(("c.pem".into(), "k.pem".into())), ..base.clone() },
            TlsSettings { insecure: true, ..base },
        ];
        let mut keys: Vec<_> = variants
            .into_iter()
            .map(|tls| Endpoint::new("192.0.2.1".into(), 443, Some(Arc::new(tls))).pool_key)
            .collect();
        keys.push(Endpoint::new("192.0.2.1".into(), 443, None).pool_key);
        keys.push(Endpoint::new("192.0.2.1".into(), 444, None).pool_key);
        keys.push(Endpoint::new("192.0.2.2".into(), 443, None).pool_key);
        let distinct: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }
}
