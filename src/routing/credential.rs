//! Certificates and keys that DestinationRules and Gateways name: in files, or in Secrets.

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use crate::resource::kinds::secret::Secret;

use super::chain::KeyPair;

/// Where PEM is found.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Pem {
    /// In a file, read when it is needed.
    File(String),
    /// In a Secret, by its name; without text where the Secret, or the key in it, is not there.
    Secret(String, Option<Arc<[u8]>>),
}

impl fmt::Debug for Pem {
    /// Of a Secret nothing but a number that is another for another text: connections are told apart by this.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pem::File(path) => write!(f, "{path:?}"),
            Pem::Secret(name, None) => write!(f, "secret {name}, missing"),
            Pem::Secret(name, Some(text)) => {
                let mut hasher = DefaultHasher::new();
                text.hash(&mut hasher);
                write!(f, "secret {name} #{:016x}", hasher.finish())
            }
        }
    }
}

/// What a Secret has for TLS.
#[derive(Debug, Clone)]
pub(super) struct Credential {
    /// The authorities that are trusted.
    pub(super) authorities: Pem,
    /// Certificate and key, if it has both.
    pub(super) identity: Option<(Pem, Pem)>,
}

/// All Secrets, by namespace and name.
#[derive(Debug, Default)]
pub(super) struct Secrets(HashMap<(String, String), Held>);

type Held = HashMap<&'static str, Pem>;

/// The end of the name of a Secret with authorities alone.
const AUTHORITIES: &str = "-cacert";

/// Keys of certificate, key and authorities: of Kubernetes' TLS Secrets, and of others (Istio reads both).
const CERTIFICATE: [&str; 2] = ["tls.crt", "cert"];
const KEY: [&str; 2] = ["tls.key", "key"];
const AUTHORITY: [&str; 2] = ["ca.crt", "cacert"];

/// The credentials that a Secret belongs to.
pub(super) fn credentials_of(secret: &str) -> impl Iterator<Item = &str> {
    [Some(secret), secret.strip_suffix(AUTHORITIES)].into_iter().flatten()
}

impl Secrets {
    pub(super) fn add(&mut self, namespace: &str, name: &str, secret: &Secret) {
        let held = [CERTIFICATE, KEY, AUTHORITY].concat().into_iter().filter_map(|key| {
            let text = secret.get(key).filter(|text| !text.is_empty())?;
            Some((key, Pem::Secret(format!("{namespace}/{name} {key}"), Some(text.into()))))
        });
        self.0.insert((namespace.to_owned(), name.to_owned()), held.collect());
    }

    pub(super) fn remove(&mut self, namespace: &str, name: &str) {
        self.0.remove(&(namespace.to_owned(), name.to_owned()));
    }

    /// Certificate and key of a server; where they are not there it cannot serve.
    pub(super) fn key_pair(&self, namespace: &str, name: &str) -> KeyPair {
        let held = self.0.get(&(namespace.to_owned(), name.to_owned()));
        let value = |keys: [&str; 2]| held.and_then(|held| keys.iter().find_map(|key| held.get(key)).cloned());
        let value = |keys| value(keys).unwrap_or_else(|| Pem::Secret(format!("{namespace}/{name}"), None));
        KeyPair { certificate: value(CERTIFICATE), key: value(KEY) }
    }

    /// The authorities that a server trusts; where they are not there it cannot serve.
    pub(super) fn authorities(&self, namespace: &str, name: &str) -> Pem {
        let found = self.find(namespace, name).map(|found| found.authorities);
        found.unwrap_or_else(|| Pem::Secret(format!("{namespace}/{name}"), None))
    }

    /// The credential of a name; `None` where there is no Secret, or none with authorities.
    pub(super) fn find(&self, namespace: &str, name: &str) -> Option<Credential> {
        let of = |name: &str| self.0.get(&(namespace.to_owned(), name.to_owned()));
        let value = |held: &Held, keys: [&str; 2]| keys.iter().find_map(|key| held.get(key)).cloned();
        let own = of(name);
        let beside = of(&format!("{name}{AUTHORITIES}")).and_then(|held| value(held, AUTHORITY));
        let authorities = beside.or_else(|| value(own?, AUTHORITY))?;
        let identity = own.and_then(|held| Some((value(held, CERTIFICATE)?, value(held, KEY)?)));
        Some(Credential { authorities, identity })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(values: &[(&str, &str)]) -> Secret {
        let string_data = values.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        Secret { string_data, ..Secret::default() }
    }

    #[test]
    fn authorities_are_beside_or_in_the_secret_and_an_identity_has_two_parts() {
        let mut secrets = Secrets::default();
        secrets.add("ns", "whole", &secret(&[("tls.crt", "c"), ("tls.key", "k"), ("ca.crt", "a")]));
        secrets.add("ns", "old", &secret(&[("cert", "c"), ("key", "k"), ("cacert", "a")]));
        secrets.add("ns", "split", &secret(&[("tls.crt", "c"), ("tls.key", "k")]));
        secrets.add("ns", "split-cacert", &secret(&[("ca.crt", "a")]));
        secrets.add("ns", "alone-cacert", &secret(&[("cacert", "a")]));
        secrets.add("ns", "half", &secret(&[("tls.crt", "c"), ("ca.crt", "a")]));
        secrets.add("ns", "bare", &secret(&[("tls.crt", "c"), ("tls.key", "k")]));
        for (name, identity) in [
            ("whole", Some(true)),
            ("old", Some(true)),
            ("split", Some(true)),
            ("alone", Some(false)),
            ("half", Some(false)),
            ("bare", None),
            ("none", None),
        ] {
            assert_eq!(secrets.find("ns", name).map(|found| found.identity.is_some()), identity, "{name}");
        }
        assert!(secrets.find("other", "whole").is_none());
    }

    #[test]
    fn a_secret_is_never_shown_and_another_text_is_told_from_it() {
        let shown = |text: &str| {
            let mut secrets = Secrets::default();
            secrets.add("ns", "a", &secret(&[("ca.crt", text)]));
            format!("{:?} {secrets:?}", secrets.find("ns", "a"))
        };
        assert!(!shown("PRIVATE").contains("PRIVATE"));
        assert!(!shown("PRIVATE").contains(&format!("{:?}", b"PRIVATE")));
        assert_ne!(shown("one"), shown("two"));
        assert_eq!(shown("one"), shown("one"));
    }
}
