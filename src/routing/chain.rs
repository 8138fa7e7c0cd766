//! What connections from outside meet at a gateway: its servers' filter chains, chosen by the name that TLS asks for.

use std::sync::Arc;

use crate::call::Call;

use super::credential::Pem;
use super::hosts::HostTable;
use super::tunnel::Carries;

/// The filter chains of one server port (Envoy's noun): what is done with a connection from outside.
#[derive(Debug, Default)]
pub struct Chains {
    /// The number of the server that takes calls to a host in plain text.
    pub(super) plain: HostTable<usize>,
    /// The number of the server that takes TLS which asks for a name.
    pub(super) tls: HostTable<usize>,
    /// One for each server, by its number.
    pub(super) servers: Vec<Chain>,
}

/// What one server does with a connection.
#[derive(Debug)]
pub struct Chain {
    /// What is spoken in it: of TLS that ends here, inside it; [`Carries::Tls`] for TLS that is passed through.
    pub carries: Carries,
    /// How TLS is ended, if it is.
    pub tls: Option<Arc<ServerTls>>,
}

/// How a server ends TLS.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServerTls {
    /// Certificates with their keys; of several the first is taken whose key the caller understands.
    pub certificates: Certificates,
    /// What is asked of callers.
    pub callers: Callers,
    /// Whether the oldest version is TLS 1.3, and whether the newest is TLS 1.2.
    pub versions: (bool, bool),
    /// The cipher suites of TLS 1.2 by BoringSSL's names; all where there are none.
    pub cipher_suites: Vec<String>,
    /// Whether HTTP is spoken, so that its version is agreed on.
    pub http: bool,
}

/// Whose certificates a server shows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Certificates {
    /// Those that it names.
    Own(Vec<KeyPair>),
    /// The mesh's own (ISTIO_MUTUAL).
    Mesh,
}

/// A certificate with its chain, and its key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyPair {
    /// The certificate, then those that issued it.
    pub certificate: Pem,
    /// Its key.
    pub key: Pem,
}

/// What a server asks of those who call it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Callers {
    /// Nothing.
    Any,
    /// A certificate that meets all that is said here.
    Verified {
        /// Who has to have issued it.
        authorities: Pem,
        /// Authorities' lists of certificates that they have revoked.
        revoked: Option<Pem>,
        /// Names of which it has to carry one.
        subject_alt_names: Vec<String>,
        /// SHA-256 of public keys in base64, of which it has to have one; or
        keys: Vec<String>,
        /// SHA-256 of certificates in hexadecimal digits, of which it has to be one.
        certificates: Vec<String>,
        /// Whether callers without one are taken too.
        optional: bool,
    },
}

impl Chain {
    fn asks_certificates(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.certificates == Certificates::Mesh || tls.callers != Callers::Any)
    }
}

impl Chains {
    /// Whether any server here takes TLS.
    pub fn takes_tls(&self) -> bool {
        self.tls.values().next().is_some()
    }

    /// Whether all servers ask callers for certificates.
    pub(super) fn asks_certificates(&self) -> bool {
        !self.servers.is_empty() && self.servers.iter().all(Chain::asks_certificates)
    }

    /// What is done with TLS that asks for a name, or for none.
    pub fn named(&self, server_name: Option<&str>) -> Option<&Chain> {
        self.servers.get(self.number(server_name)?)
    }

    /// What is spoken in plain text: where a server takes HTTP and another TCP, by the first.
    pub fn plain(&self) -> Option<Carries> {
        let first = self.plain.values().min()?;
        self.servers.get(*first).map(|chain| chain.carries)
    }

    fn number(&self, server_name: Option<&str>) -> Option<usize> {
        match server_name {
            Some(name) => self.tls.find(name),
            None => self.tls.pattern("*"),
        }
        .copied()
    }

    /// Whether a request that came in this way is for a host of the very server that took its connection: on TLS that asked
    /// for one host, calls to a host of another server would pass by what that one asks of its callers.
    pub(super) fn serves(&self, call: &Call) -> bool {
        let host = call.authority().host();
        match call.tls() {
            None => self.plain.find(host).is_some(),
            Some(tls) => {
                let wanted = self.tls.find(host);
                wanted.is_some() && wanted.copied() == self.number(tls.server_name.as_deref())
            }
        }
    }
}
