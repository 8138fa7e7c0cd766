//! What a certificate says of itself (RFC 5280 §4.1), as far as is asked: no signature is checked here.

use std::net::IpAddr;

use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::SpiffeId;

/// What a certificate says.
#[derive(Debug, PartialEq, Eq)]
pub struct Said<'c> {
    /// From when, in seconds since 1970.
    pub not_before: i64,
    /// Until when.
    pub not_after: i64,
    /// Its public key, as it is hashed.
    pub public_key: &'c [u8],
    /// Names of hosts, addresses, URIs and mail addresses that it is for.
    pub names: Vec<String>,
    /// Whether it may issue others: its basic constraints say so, and its key usage does not say otherwise.
    pub is_authority: bool,
    /// Whose it is.
    pub subject: String,
    /// Its number, hexadecimal.
    pub serial_number: String,
}

/// Reads a certificate in DER; `None` for what is none.
pub fn read(certificate: &[u8]) -> Option<Said<'_>> {
    let parsed = parse(certificate)?;
    let names = parsed.subject_alternative_name().ok()?;
    Some(Said {
        not_before: parsed.validity().not_before.timestamp(),
        not_after: parsed.validity().not_after.timestamp(),
        names: names.map(|names| names.value.general_names.iter().filter_map(name).collect()).unwrap_or_default(),
        is_authority: is_authority(&parsed),
        subject: parsed.subject().to_string(),
        serial_number: parsed.raw_serial_as_string().replace(':', ""),
        public_key: parsed.tbs_certificate.subject_pki.raw,
    })
}

/// Whose certificate of a workload it is: it has exactly one URI, which is an identity by Istio's rules, and is no
/// authority's (X509-SVID §2, §4.1).
pub fn identity(certificate: &[u8]) -> Option<SpiffeId> {
    let parsed = parse(certificate)?;
    if parsed.is_ca() {
        return None;
    }
    let names = parsed.subject_alternative_name().ok()??;
    let mut uris = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) => Some(*uri),
        _ => None,
    });
    match (uris.next(), uris.next()) {
        (Some(uri), None) => uri.parse().ok(),
        _ => None,
    }
}

fn parse(certificate: &[u8]) -> Option<X509Certificate<'_>> {
    X509Certificate::from_der(certificate).ok().filter(|(rest, _)| rest.is_empty()).map(|(_, parsed)| parsed)
}

fn is_authority(parsed: &X509Certificate<'_>) -> bool {
    parsed.is_ca() && parsed.key_usage().is_ok_and(|usage| usage.is_none_or(|usage| usage.value.key_cert_sign()))
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
    fn an_identity_is_the_only_uri_of_a_certificate_that_issues_nothing() {
        let (sleep, other) =
            ("spiffe://cluster.local/ns/default/sa/sleep", "spiffe://cluster.local/ns/default/sa/other");
        let uri = |text: &str| SanType::URI(text.try_into().expect("ASCII"));
        let host = |text: &str| SanType::DnsName(text.try_into().expect("ASCII"));
        for (names, is_ca, found) in [
            (vec![uri(sleep)], false, Some(sleep)),
            (vec![uri(sleep), host("a.example")], false, Some(sleep)),
            (vec![uri(sleep)], true, None),
            (vec![uri(sleep), uri(other)], false, None),
            (vec![uri(sleep), uri("https://a.example/")], false, None),
            (vec![uri("https://a.example/")], false, None),
            // A name of another kind is none, however it reads.
            (vec![host(sleep)], false, None),
            (vec![], false, None),
        ] {
            let mut parameters = CertificateParams::default();
            parameters.subject_alt_names = names;
            if is_ca {
                parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            }
            let certificate = parameters.self_signed(&KeyPair::generate().expect("a key")).expect("a certificate");
            let said = identity(certificate.der()).map(|id| id.to_string());
            assert_eq!(said.as_deref(), found, "{:?}", parameters.subject_alt_names);
        }
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
            let _ = (read(&bytes), identity(&bytes));
            let mut certificate = certificate(&KeyPair::generate().expect("a key"));
            let place = place.min(certificate.len() - 1);
            certificate[place] = byte;
            let _ = (read(&certificate), identity(&certificate));
        }
    }
}
