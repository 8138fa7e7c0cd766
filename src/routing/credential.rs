//! Certificates and keys that resources name: files, and Secrets by `credentialName`.

use std::collections::HashMap;
use std::sync::Arc;

use crate::resource::Resource;
use crate::resource::kinds::secret::Secret;

/// Where PEM is found.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Pem {
    /// In a file.
    File(String),
    /// In a Secret, by its name; without text where the Secret, or the key in it, is not there.
    Secret(String, Option<Arc<[u8]>>),
}

/// Without its text: it may be a key.
impl std::fmt::Debug for Pem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Pem::File(path) => write!(f, "file {path}"),
            Pem::Secret(name, _) => write!(f, "Secret {name}"),
        }
    }
}

/// A certificate with its chain, and its key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyPair {
    /// The certificate, then those that issued it.
    pub certificate: Pem,
    /// Its key.
    pub key: Pem,
}

/// The Secrets that there are.
#[derive(Default)]
pub(super) struct Secrets(HashMap<(String, String), Secret>);

/// What a Secret holds is nobody's business.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} Secrets", self.0.len())
    }
}

/// Keys by which Secrets of either form have their parts: Kubernetes' TLS Secrets, and Istio's generic ones.
const CERTIFICATE: [&str; 2] = ["tls.crt", "cert"];
const KEY: [&str; 2] = ["tls.key", "key"];
const AUTHORITIES: [&str; 2] = ["ca.crt", "cacert"];

impl Secrets {
    pub(super) fn add(&mut self, resource: &Resource, spec: Secret) {
        self.0.insert((resource.namespace().to_owned(), resource.meta.name.clone()), spec);
    }

    /// Certificate and key of a Secret.
    pub(super) fn key_pair(&self, namespace: &str, name: &str) -> KeyPair {
        KeyPair { certificate: self.pem(namespace, name, &CERTIFICATE), key: self.pem(namespace, name, &KEY) }
    }

    /// The authorities of a Secret; where it has none those of its neighbour `NAME-cacert` (Istio's rule).
    pub(super) fn authorities(&self, namespace: &str, name: &str) -> Pem {
        let own = self.pem(namespace, name, &AUTHORITIES);
        if let Pem::Secret(_, None) = own {
            let beside = self.pem(namespace, &format!("{name}-cacert"), &AUTHORITIES);
            if let Pem::Secret(_, Some(_)) = beside {
                return beside;
            }
        }
        own
    }

    fn pem(&self, namespace: &str, name: &str, keys: &[&str]) -> Pem {
        let secret = self.0.get(&(namespace.to_owned(), name.to_owned()));
        let text = secret.and_then(|secret| keys.iter().find_map(|key| secret.get(key)));
        Pem::Secret(name.to_owned(), text.map(Arc::from))
    }
}
