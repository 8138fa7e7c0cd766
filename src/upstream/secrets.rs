//! What stands in the certificates that a proxy uses, for whoever looks after it. Keys are read only to see whether they
//! fit, and nothing of them is told.

use std::collections::BTreeMap;
use std::path::Path;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::expr::Timestamp;
use crate::routing::TlsSettings;

/// A certificate, or a bundle of them, and how it stands with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Secret {
    /// `file-cert:CERTIFICATE~KEY`, `file-root:FILE`, `ROOTCA`, or the cluster whose origin it is about.
    pub name: String,
    /// `Cert Chain`, `CA`, `Origin`.
    pub r#type: String,
    /// `ACTIVE`, `EXPIRED`, `NOT YET VALID`, `KEY MISMATCH`, `UNREADABLE`, `REFUSED`.
    pub status: String,
    /// Why, where that is not all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether it can be used now.
    pub valid: bool,
    /// Of the first certificate, of a bundle of the one that expires next: hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial_number: Option<String>,
    /// Its subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Its end: RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_after: Option<String>,
    /// Its beginning: RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
    /// How many certificates there are.
    pub certificates: usize,
    /// The clusters that use it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub used_by: Vec<String>,
}

/// What is told of one certificate.
struct Facts {
    serial_number: String,
    subject: String,
    /// Seconds since 1970.
    not_before: i64,
    not_after: i64,
}

/// The certificates that clusters use; `trusted` is the file whose authorities are trusted instead of the system's, `now`
/// in microseconds since 1970.
pub fn in_use<'c>(
    clusters: impl Iterator<Item = (&'c str, &'c TlsSettings)>,
    trusted: Option<&Path>,
    now: i64,
) -> Vec<Secret> {
    let mut found: BTreeMap<String, Secret> = BTreeMap::new();
    let mut used = |name: String, cluster: &str, read: &dyn Fn(String) -> Secret| {
        let secret = found.entry(name).or_insert_with_key(|name| read(name.clone()));
        secret.used_by.push(cluster.to_owned());
    };
    for (cluster, settings) in clusters {
        if let Some((certificate, key)) = &settings.client_certificate {
            let read = |name| chain(name, Path::new(certificate), Path::new(key), now);
            used(format!("file-cert:{certificate}~{key}"), cluster, &read);
        }
        match (&settings.ca_certificates, trusted) {
            _ if settings.insecure => {}
            (Some(file), _) => used(format!("file-root:{file}"), cluster, &|name| authorities(name, Path::new(file), now)),
            (None, Some(file)) => used("ROOTCA".to_owned(), cluster, &|name| authorities(name, file, now)),
            (None, None) => used("ROOTCA".to_owned(), cluster, &|name| systems(name, now)),
        }
    }
    found.into_values().collect()
}

/// An origin whose certificate, or TLS, was refused the last time.
pub fn refused(cluster: &str, reason: &str) -> Secret {
    let blank = Secret::blank(cluster.to_owned(), "Origin");
    Secret { status: "REFUSED".to_owned(), reason: Some(reason.to_owned()), used_by: vec![cluster.to_owned()], ..blank }
}

fn chain(name: String, certificate: &Path, key: &Path, now: i64) -> Secret {
    let blank = Secret::blank(name, "Cert Chain");
    let certificates = match read(certificate) {
        Ok(certificates) => certificates,
        Err(why) => return blank.unreadable(certificate, &why),
    };
    let secret = match certificates.first().map(facts) {
        Some(Ok(facts)) => blank.with(&facts, certificates.len(), now),
        Some(Err(why)) => return blank.unreadable(certificate, &why),
        None => return blank.unreadable(certificate, "it holds no certificate"),
    };
    let key_of = match PrivateKeyDer::from_pem_file(key) {
        Ok(key_of) => key_of,
        Err(error) => return secret.unreadable(key, &error.to_string()),
    };
    match CertifiedKey::from_der(certificates, key_of, &provider()) {
        Ok(_) => secret,
        Err(rustls::Error::InconsistentKeys(_)) => Secret {
            status: "KEY MISMATCH".to_owned(),
            reason: Some(format!("the key in {} is another certificate's", key.display())),
            valid: false,
            ..secret
        },
        Err(error) => secret.unreadable(key, &error.to_string()),
    }
}

fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

fn authorities(name: String, file: &Path, now: i64) -> Secret {
    let blank = Secret::blank(name, "CA");
    match read(file) {
        Ok(certificates) if certificates.is_empty() => blank.unreadable(file, "it holds no certificate"),
        Ok(certificates) => match certificates.iter().map(facts).collect::<Result<Vec<_>, _>>() {
            Ok(facts) => blank.bundle(&facts, now),
            Err(why) => blank.unreadable(file, &why),
        },
        Err(why) => blank.unreadable(file, &why),
    }
}

fn systems(name: String, now: i64) -> Secret {
    let blank = Secret::blank(name, "CA");
    // What cannot be read is not trusted either.
    let facts: Vec<_> =
        rustls_native_certs::load_native_certs().certs.iter().filter_map(|one| facts(one).ok()).collect();
    if facts.is_empty() {
        let reason = Some("the system has no authorities; name a file with --ca-file".to_owned());
        return Secret { status: "UNREADABLE".to_owned(), reason, ..blank };
    }
    blank.bundle(&facts, now)
}

fn read(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| error.to_string())?;
    certificates.collect::<Result<_, _>>().map_err(|error| error.to_string())
}

fn facts(certificate: &CertificateDer<'_>) -> Result<Facts, String> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| "it is no X.509 certificate".to_owned())?;
    let validity = parsed.validity();
    Ok(Facts {
        serial_number: parsed.raw_serial_as_string().replace(':', ""),
        subject: parsed.subject().to_string(),
        not_before: validity.not_before.timestamp(),
        not_after: validity.not_after.timestamp(),
    })
}

impl Facts {
    /// `ACTIVE`, or why not.
    fn status(&self, now: i64) -> &'static str {
        let now = now.div_euclid(1_000_000);
        match () {
            () if now > self.not_after => "EXPIRED",
            () if now < self.not_before => "NOT YET VALID",
            () => "ACTIVE",
        }
    }
}

impl Secret {
    fn blank(name: String, sort: &str) -> Self {
        Self {
            name,
            r#type: sort.to_owned(),
            status: String::new(),
            reason: None,
            valid: false,
            serial_number: None,
            subject: None,
            not_after: None,
            not_before: None,
            certificates: 0,
            used_by: Vec::new(),
        }
    }

    fn unreadable(self, file: &Path, why: &str) -> Self {
        let reason = Some(format!("{}: {why}", file.display()));
        Self { status: "UNREADABLE".to_owned(), reason, valid: false, ..self }
    }

    fn with(self, facts: &Facts, certificates: usize, now: i64) -> Self {
        let status = facts.status(now);
        Self {
            status: status.to_owned(),
            valid: status == "ACTIVE",
            serial_number: Some(facts.serial_number.clone()),
            subject: Some(facts.subject.clone()),
            not_after: Some(rfc3339(facts.not_after)),
            not_before: Some(rfc3339(facts.not_before)),
            certificates,
            ..self
        }
    }

    /// As the certificate that can be used longest no more, of those that can; else as the last one that could.
    fn bundle(self, all: &[Facts], now: i64) -> Self {
        let active = all.iter().filter(|facts| facts.status(now) == "ACTIVE").min_by_key(|facts| facts.not_after);
        let told = active.or_else(|| all.iter().max_by_key(|facts| facts.not_after));
        match told {
            Some(facts) => self.with(facts, all.len(), now),
            None => self,
        }
    }
}

fn rfc3339(seconds: i64) -> String {
    let mut text = String::new();
    Timestamp { seconds, nanos: 0 }.write_rfc3339(&mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noon of 2026-06-01.
    const NOW: i64 = 1_780_315_200_000_000;

    struct Files(tempfile::TempDir);

    impl Files {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("a directory"))
        }

        fn write(&self, name: &str, text: &str) -> String {
            let path = self.0.path().join(name);
            std::fs::write(&path, text).expect("writable");
            path.display().to_string()
        }
    }

    fn certificate(years: std::ops::Range<i32>) -> (String, String) {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut parameters = rcgen::CertificateParams::new(vec!["client.example".to_owned()]).expect("parameters");
        parameters.not_before = rcgen::date_time_ymd(years.start, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(years.end, 1, 1);
        parameters.serial_number = Some(rcgen::SerialNumber::from(0x1234_u64));
        let certificate = parameters.self_signed(&key).expect("signed");
        (certificate.pem(), key.serialize_pem())
    }

    fn settings(certificate: Option<(String, String)>, ca: Option<String>) -> TlsSettings {
        TlsSettings {
            sni: "a.example".to_owned(),
            subject_alt_names: Vec::new(),
            ca_certificates: ca,
            client_certificate: certificate,
            insecure: false,
            multiplexed: false,
        }
    }

    fn told(settings: &TlsSettings) -> Vec<Secret> {
        in_use([("outbound|443||a.example", settings)].into_iter(), None, NOW)
    }

    #[test]
    fn a_certificate_is_told_with_its_dates_and_its_key_is_not() {
        let files = Files::new();
        let (certificate, key) = certificate(2020..2120);
        let (certificate, key) = (files.write("c.pem", &certificate), files.write("k.pem", &key));
        let [root, chain] = told(&settings(Some((certificate.clone(), key.clone())), Some(certificate.clone())))
            .try_into()
            .expect("two");
        let (root, chain): (Secret, Secret) = if root.r#type == "CA" { (root, chain) } else { (chain, root) };
        assert_eq!(chain.name, format!("file-cert:{certificate}~{key}"));
        assert_eq!((chain.status.as_str(), chain.valid), ("ACTIVE", true));
        assert_eq!(chain.serial_number.as_deref(), Some("1234"));
        assert_eq!(chain.not_before.as_deref(), Some("2020-01-01T00:00:00Z"));
        assert_eq!(chain.not_after.as_deref(), Some("2120-01-01T00:00:00Z"));
        assert_eq!(chain.used_by, ["outbound|443||a.example"]);
        assert_eq!((root.status.as_str(), root.certificates), ("ACTIVE", 1));
        assert!(!serde_json::to_string(&chain).expect("JSON").contains("PRIVATE"));
    }

    #[test]
    fn what_is_wrong_with_a_certificate_is_told() {
        let files = Files::new();
        let write = |name: &str, (certificate, key): (String, String)| {
            (files.write(&format!("{name}.pem"), &certificate), files.write(&format!("{name}.key"), &key))
        };
        let (old, good) = (write("old", certificate(2010..2020)), write("good", certificate(2020..2120)));
        let (early, text) = (write("early", certificate(2100..2120)), files.write("text.pem", "hello"));
        for ((certificate, key), status, reason) in [
            (old.clone(), "EXPIRED", None),
            (early, "NOT YET VALID", None),
            ((good.0.clone(), old.1.clone()), "KEY MISMATCH", Some("old.key is another certificate's")),
            ((text.clone(), good.1.clone()), "UNREADABLE", Some("text.pem: it holds no certificate")),
            ((good.0.clone(), text.clone()), "UNREADABLE", Some("text.pem: ")),
            (("/nowhere.pem".to_owned(), good.1.clone()), "UNREADABLE", Some("/nowhere.pem: ")),
        ] {
            let settings = TlsSettings { insecure: true, ..settings(Some((certificate, key)), None) };
            let [secret] = told(&settings).try_into().expect("one");
            let secret: Secret = secret;
            assert_eq!((secret.status.as_str(), secret.valid), (status, false), "{secret:?}");
            let told = secret.reason.unwrap_or_default();
            assert!(told.contains(reason.unwrap_or_default()), "{told}");
        }
    }
}
