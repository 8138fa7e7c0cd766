//! What a certificate says of itself (RFC 5280 §4.1), as far as servers ask: no signature is checked here.

use std::net::IpAddr;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Tags of DER (X.690 §8).
const INTEGER: u8 = 0x02;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const OCTET_STRING: u8 = 0x04;
const BOOLEAN: u8 = 0x01;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
/// Kinds of names (RFC 5280 §4.2.1.6).
const EMAIL: u8 = 0x81;
const DNS_NAME: u8 = 0x82;
const URI: u8 = 0x86;
const IP_ADDRESS: u8 = 0x87;

/// The extension with the names of the certificate's holder: 2.5.29.17.
const SUBJECT_ALT_NAME: [u8; 3] = [0x55, 0x1d, 0x11];

/// What a certificate says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said<'c> {
    /// Its number, most significant byte first.
    pub(super) serial: &'c [u8],
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
    let mut certificate = Der(Der(certificate).take(SEQUENCE)?);
    let mut signed = Der(certificate.take(SEQUENCE)?);
    signed.skip(VERSION);
    let serial = signed.take(INTEGER)?;
    // The algorithm of the signature, the issuer.
    signed.take(SEQUENCE)?;
    signed.take(SEQUENCE)?;
    let mut validity = Der(signed.take(SEQUENCE)?);
    let (not_before, not_after) = (validity.time()?, validity.time()?);
    // The subject.
    signed.take(SEQUENCE)?;
    let begin = signed.0;
    signed.take(SEQUENCE)?;
    let public_key = &begin[..begin.len() - signed.0.len()];
    let mut names = Vec::new();
    while let Some((tag, content)) = signed.next() {
        if tag == EXTENSIONS {
            names = self::names(Der(content).take(SEQUENCE)?)?;
        }
    }
    Some(Said { serial, not_before, not_after, public_key, names })
}

fn names(extensions: &[u8]) -> Option<Vec<String>> {
    let mut extensions = Der(extensions);
    while !extensions.0.is_empty() {
        let mut extension = Der(extensions.take(SEQUENCE)?);
        let wanted = extension.take(OBJECT_IDENTIFIER)? == SUBJECT_ALT_NAME;
        extension.skip(BOOLEAN);
        let mut value = Der(extension.take(OCTET_STRING)?);
        if !wanted {
            continue;
        }
        let (mut names, mut found) = (Vec::new(), Der(value.take(SEQUENCE)?));
        while let Some((tag, content)) = found.next() {
            match tag {
                EMAIL | DNS_NAME | URI => names.push(std::str::from_utf8(content).ok()?.to_owned()),
                IP_ADDRESS => names.push(address(content)?.to_string()),
                _ => {}
            }
        }
        return Some(names);
    }
    Some(Vec::new())
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// What is left to read of DER.
struct Der<'d>(&'d [u8]);

impl<'d> Der<'d> {
    /// The next value with its tag; `None` at the end, and for what is cut short.
    fn next(&mut self) -> Option<(u8, &'d [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let mut length = usize::from(first);
        if first >= 0x80 {
            let bytes = usize::from(first & 0x7f);
            // More than any certificate has; without a length of its own nothing is in DER.
            if bytes == 0 || bytes > 3 {
                return None;
            }
            let (written, after) = rest.split_at_checked(bytes)?;
            length = written.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
            rest = after;
        }
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// The next value, which must have this tag.
    fn take(&mut self, tag: u8) -> Option<&'d [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }

    /// Passes over the next value if it has this tag.
    fn skip(&mut self, tag: u8) {
        if self.0.first() == Some(&tag) {
            self.next();
        }
    }

    /// A time of either form, in seconds since 1970.
    fn time(&mut self) -> Option<i64> {
        let (tag, content) = self.next()?;
        let digits = std::str::from_utf8(content).ok()?.strip_suffix('Z')?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let (year, rest) = match tag {
            UTC_TIME => {
                let (year, rest) = digits.split_at_checked(2)?;
                let year = year.parse::<i16>().ok()?;
                // RFC 5280 §4.1.2.5.1.
                (if year < 50 { 2000 + year } else { 1900 + year }, rest)
            }
            GENERALIZED_TIME => {
                let (year, rest) = digits.split_at_checked(4)?;
                (year.parse().ok()?, rest)
            }
            _ => return None,
        };
        let part = |at: usize| rest.get(at..at + 2)?.parse::<i8>().ok();
        let time = DateTime::new(year, part(0)?, part(2)?, part(4)?, part(6)?, part(8)?, 0).ok()?;
        Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, PublicKeyData as _, SanType, SerialNumber};

    use super::*;

    fn certificate(key: &KeyPair) -> Vec<u8> {
        let mut parameters = CertificateParams::new(vec!["a.example".into(), "192.0.2.1".into()]).expect("names");
        let identity = "spiffe://cluster.local/ns/default/sa/sleep";
        parameters.subject_alt_names.push(SanType::URI(identity.try_into().expect("ASCII")));
        parameters.serial_number = Some(SerialNumber::from_slice(&[1, 2, 3]));
        parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(2050, 1, 1);
        parameters.self_signed(key).expect("a certificate").der().to_vec()
    }

    #[test]
    fn a_certificate_says_from_when_until_when_and_for_whom_it_is() {
        let key = KeyPair::generate().expect("a key");
        let certificate = certificate(&key);
        let said = read(&certificate).expect("a certificate");
        assert_eq!(said.serial, [1, 2, 3]);
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
