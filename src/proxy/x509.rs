//! What a certificate says of itself (RFC 5280 §4.1), as far as servers ask: no signature is checked here.

use std::net::IpAddr;

use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// What a certificate says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said<'c> {
    /// From when, in seconds since 1970.
    pub(super) not_before: i64,
    /// Until when.
    pub(super) not_after: i64,
    /// Its public key, as it is hashed.
    pub(super) public_key: &'c [u8],
    /// Names of hosts, addresses, URIs and mail addresses that it is for.
    pub(super) names: Vec<String>,
}

/// Reads a certificate in DER; `None` for what is none.
pub(super) fn read(certificate: &[u8]) -> Option<Said<'_>> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok().filter(|(rest, _)| rest.is_empty())?;
    let names = parsed.subject_alternative_name().ok()?;
    Some(Said {
        not_before: parsed.validity().not_before.timestamp(),
        not_after: parsed.validity().not_after.timestamp(),
        public_key: parsed.tbs_certificate.subject_pki.raw,
        names: names.map(|names| names.value.general_names.iter().filter_map(name).collect()).unwrap_or_default(),
    })
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
        _ => None,
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, PublicKeyData as _, SanType};

    use super::*;

    fn certificate(key: &KeyPair) -> Vec<u8> {
        let mut parameters = CertificateParams::new(vec!["a.example".into(), "192.0.2.1".into()]).expect("names");
        let identity = "spiffe://cluster.local/ns/default/sa/sleep";
        parameters.subject_alt_names.push(SanType::URI(identity.try_into().expect("ASCII")));
        parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(2050, 1, 1);
        parameters.self_signed(key).expect("a certificate").der().to_vec()
    }

    #[test]
    fn a_certificate_says_from_when_until_when_and_for_whom_it_is() {
        let key = KeyPair::generate().expect("a key");
        let certificate = certificate(&key);
        let said = read(&certificate).expect("a certificate");
        assert_eq!((said.not_before, said.not_after), (1_577_836_800, 2_524_608_000));
        assert_eq!(said.names, ["a.example", "192.0.2.1", "spiffe://cluster.local/ns/default/sa/sleep"]);
        assert_eq!(said.public_key, key.subject_public_key_info());
    }

    #[test]
    fn what_is_cut_short_is_no_certificate() {
        let certificate = certificate(&KeyPair::generate().expect("a key"));
        for length in 0..certificate.len() {
            assert_eq!(read(&certificate[..length]), None, "{length}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), place in 0_usize..300, byte in any::<u8>()) {
            let _ = read(&bytes);
            let mut certificate = certificate(&KeyPair::generate().expect("a key"));
            let place = place.min(certificate.len() - 1);
            certificate[place] = byte;
            let _ = read(&certificate);
        }
    }
}
