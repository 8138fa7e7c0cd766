//! Identities by Istio's rules: `spiffe://TRUSTDOMAIN/ns/NAMESPACE/sa/ACCOUNT`.

use std::fmt;
use std::str::FromStr;

/// What every SPIFFE id begins with (SPIFFE-ID §2).
const SCHEME: &str = "spiffe://";

/// Longest trust domain (SPIFFE-ID §2.1) and part of a path: what a host name may have.
const MAX_PART: usize = 255;

/// The trust domain of a mesh that names none.
const DEFAULT_DOMAIN: &str = "cluster.local";

/// The name of everyone whose identities one authority vouches for: `cluster.local`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrustDomain(Box<str>);

/// Who a workload is: its service account in a namespace of a trust domain.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpiffeId {
    /// `DOMAIN/ns/NAMESPACE/sa/ACCOUNT`.
    text: Box<str>,
    /// Where the domain ends in it.
    domain: u16,
    /// Where the namespace ends in it.
    namespace: u16,
}

/// Why a text is no identity, or no trust domain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {what}: expected {expected}")]
pub struct NoIdentity {
    text: String,
    what: &'static str,
    expected: &'static str,
}

impl TrustDomain {
    /// The name as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for TrustDomain {
    fn default() -> Self {
        Self(DEFAULT_DOMAIN.into())
    }
}

impl FromStr for TrustDomain {
    type Err = NoIdentity;

    fn from_str(text: &str) -> Result<Self, NoIdentity> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
        if !text.is_empty() && text.len() <= MAX_PART && text.bytes().all(allowed) {
            return Ok(Self(text.into()));
        }
        let expected = "lower-case letters, digits, `.`, `-` and `_`, as in cluster.local";
        Err(NoIdentity { text: text.to_owned(), what: "trust domain", expected })
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl SpiffeId {
    /// The identity of a service account.
    ///
    /// # Errors
    /// Namespaces and accounts that have no place in a path (SPIFFE-ID §2.2).
    pub fn new(domain: &TrustDomain, namespace: &str, account: &str) -> Result<Self, NoIdentity> {
        format!("{SCHEME}{domain}/ns/{namespace}/sa/{account}").parse()
    }

    /// The trust domain.
    pub fn trust_domain(&self) -> &str {
        &self.text[..usize::from(self.domain)]
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.text[usize::from(self.domain) + "/ns/".len()..usize::from(self.namespace)]
    }

    /// The service account.
    pub fn account(&self) -> &str {
        &self.text[usize::from(self.namespace) + "/sa/".len()..]
    }

    /// As policies and attributes have it, without `spiffe://`: `cluster.local/ns/default/sa/sleep`.
    pub fn principal(&self) -> &str {
        &self.text
    }
}

impl FromStr for SpiffeId {
    type Err = NoIdentity;

    /// Reads `spiffe://DOMAIN/ns/NAMESPACE/sa/ACCOUNT`, to the letter: whatever another reader could take for another
    /// identity (an escape, a port, an empty part, a slash at the end) is none.
    fn from_str(text: &str) -> Result<Self, NoIdentity> {
        let expected = "spiffe://TRUSTDOMAIN/ns/NAMESPACE/sa/ACCOUNT";
        let refused = || NoIdentity { text: text.to_owned(), what: "SPIFFE identity", expected };
        let whole = text.strip_prefix(SCHEME).ok_or_else(refused)?;
        let parts: Vec<&str> = whole.split('/').collect();
        let [domain, "ns", namespace, "sa", account] = parts.as_slice() else { return Err(refused()) };
        domain.parse::<TrustDomain>().map_err(|_| refused())?;
        if ![namespace, account].iter().all(|part| is_part(part)) {
            return Err(refused());
        }
        let place = |length: usize| u16::try_from(length).expect("all parts together are shorter than 2 KiB");
        Ok(Self {
            text: whole.into(),
            domain: place(domain.len()),
            namespace: place(domain.len() + "/ns/".len() + namespace.len()),
        })
    }
}

/// Whether a text can be one part of a path (SPIFFE-ID §2.2).
fn is_part(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    !matches!(text, "" | "." | "..") && text.len() <= MAX_PART && text.bytes().all(allowed)
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_identity_is_read_in_its_parts_and_printed_as_it_was() {
        let id: SpiffeId = "spiffe://cluster.local/ns/default/sa/sleep".parse().unwrap();
        assert_eq!((id.trust_domain(), id.namespace(), id.account()), ("cluster.local", "default", "sleep"));
        assert_eq!(id.principal(), "cluster.local/ns/default/sa/sleep");
        assert_eq!(id.to_string(), "spiffe://cluster.local/ns/default/sa/sleep");
        assert_eq!(SpiffeId::new(&TrustDomain::default(), "default", "sleep"), Ok(id));
    }

    #[test]
    fn whatever_could_be_read_as_another_identity_is_none() {
        for text in [
            "",
            "cluster.local/ns/default/sa/sleep",
            "SPIFFE://cluster.local/ns/default/sa/sleep",
            "spiffe://cluster.local/ns/default/sa/sleep/",
            "spiffe://cluster.local/ns/default/sa/sleep/more",
            "spiffe://cluster.local//ns/default/sa/sleep",
            "spiffe://cluster.local/ns//sa/sleep",
            "spiffe://cluster.local/ns/default/sa/",
            "spiffe://cluster.local/ns/default/sa/..",
            "spiffe://cluster.local/ns/de%66ault/sa/sleep",
            "spiffe://cluster.local/ns/default/sa/sleep?x",
            "spiffe://cluster.local/ns/default/sa/sleep#x",
            "spiffe://cluster.local:443/ns/default/sa/sleep",
            "spiffe://user@cluster.local/ns/default/sa/sleep",
            "spiffe://Cluster.local/ns/default/sa/sleep",
            "spiffe:///ns/default/sa/sleep",
            "spiffe://cluster.local/sa/sleep/ns/default",
            "spiffe://cluster.local/ns/default/sa/sl\u{e9}ep",
            "spiffe://cluster.local/ns/default/sa/sleep\n",
        ] {
            let error = text.parse::<SpiffeId>().unwrap_err().to_string();
            assert!(error.ends_with("expected spiffe://TRUSTDOMAIN/ns/NAMESPACE/sa/ACCOUNT"), "{error}");
        }
    }

    #[test]
    fn long_parts_are_refused() {
        let id = |part: usize| SpiffeId::new(&TrustDomain::default(), &"n".repeat(part), &"s".repeat(part));
        assert!(id(255).is_ok() && id(256).is_err());
        assert!("d".repeat(255).parse::<TrustDomain>().is_ok());
        assert!("d".repeat(256).parse::<TrustDomain>().is_err());
    }

    proptest! {
        #[test]
        fn nothing_panics_and_what_is_read_prints_the_same(text in "(spiffe://)?[a-z./ns%A]{0,40}") {
            if let Ok(id) = text.parse::<SpiffeId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
