//! What stands in the certificates that a proxy uses, for whoever looks after it. Keys are read only to see whether they
//! fit, and nothing of them is told.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::expr::Timestamp;
use crate::identity::{Mesh, SpiffeId};
use crate::routing::{Callers, Certificates, Pem, ServerTls, TlsSettings};

/// A certificate, or a bundle of them, and how it stands with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Secret {
    /// `default` for its own certificate of the mesh and `ROOTCA` for the mesh's roots; `file-cert:CERTIFICATE~KEY`,
    /// `file-root:FILE`, `file-root:system`, `kubernetes://NAMESPACE/SECRET`; or the cluster whose origin
    /// it is about.
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
    /// The clusters that use it, and `gateway` for its servers.
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

/// The certificates that a proxy uses, by name.
#[derive(Debug, Default)]
pub struct InUse {
    found: BTreeMap<String, Secret>,
    /// The file whose authorities are trusted instead of the system's.
    trusted: Option<PathBuf>,
    /// In microseconds since 1970.
    now: i64,
}

/// The names of the mesh's roots, of a proxy's own certificate, and of the system's authorities (Istio's).
const ROOTS: &str = "ROOTCA";
const OWN: &str = "default";
const SYSTEM: &str = "file-root:system";

/// Who uses certificates of the mesh, whatever the cluster.
const MESH: &str = "mesh";

impl InUse {
    /// None yet. `trusted` is the file whose authorities are trusted instead of the system's, `now` in microseconds since
    /// 1970.
    pub fn new(trusted: Option<&Path>, now: i64) -> Self {
        Self { found: BTreeMap::new(), trusted: trusted.map(Path::to_owned), now }
    }

    /// Those that a cluster uses.
    pub fn add_cluster(&mut self, cluster: &str, settings: &TlsSettings) {
        if let Some((certificate, key)) = &settings.client_certificate {
            self.add_chain(cluster, certificate, key);
        }
        match &settings.ca_certificates {
            _ if settings.insecure || settings.mesh.is_some() => {}
            Some(pem) => self.add_authorities(cluster, pem),
            None => {
                let now = self.now;
                match self.trusted.clone() {
                    Some(file) => self.add_authorities(cluster, &Pem::File(file.display().to_string())),
                    None => self.add(SYSTEM.to_owned(), cluster, |name| systems(name, now)),
                }
            }
        }
    }

    /// The mesh's roots, and a proxy's own certificate, if it has needed one.
    pub fn add_mesh(&mut self, mesh: &Mesh, own: Option<&SpiffeId>) {
        let now = self.now;
        let told =
            |certificates: &[CertificateDer<'_>]| certificates.iter().filter_map(|one| facts(one).ok()).collect();
        self.add(ROOTS.to_owned(), MESH, |name| {
            let roots: Vec<_> = told(&mesh.roots());
            Secret::blank(name, "CA").bundle(&roots, now)
        });
        for held in mesh.certificates().iter().filter(|held| Some(&held.identity) == own) {
            let chain: Vec<_> = told(held.chain());
            if let Some(first) = chain.first() {
                let secret = |name| Secret::blank(name, "Cert Chain").with(first, chain.len(), now);
                self.add(OWN.to_owned(), MESH, |name| Secret {
                    subject: Some(held.identity.to_string()),
                    ..secret(name)
                });
            }
        }
    }

    /// Those that a server of the gateway uses.
    pub fn add_server(&mut self, server: &ServerTls) {
        const GATEWAY: &str = "gateway";
        if let Certificates::Own(pairs) = &server.certificates {
            pairs.iter().for_each(|pair| self.add_chain(GATEWAY, &pair.certificate, &pair.key));
        }
        if let Callers::Verified { authorities, .. } = &server.callers {
            self.add_authorities(GATEWAY, authorities);
        }
    }

    /// An origin whose certificate, or TLS, was refused the last time.
    pub fn add_refused(&mut self, cluster: &str, reason: &str) {
        self.add(cluster.to_owned(), cluster, |name| {
            let blank = Secret::blank(name, "Origin");
            Secret { status: "REFUSED".to_owned(), reason: Some(reason.to_owned()), ..blank }
        });
    }

    /// All of them.
    pub fn into_secrets(self) -> Vec<Secret> {
        self.found.into_values().collect()
    }

    fn add_chain(&mut self, user: &str, certificate: &Pem, key: &Pem) {
        let name = match (certificate, key) {
            (Pem::File(certificate), Pem::File(key)) => format!("file-cert:{certificate}~{key}"),
            _ => format!("kubernetes://{}", secret_of(certificate)),
        };
        let now = self.now;
        self.add(name, user, |name| chain(name, certificate, key, now));
    }

    fn add_authorities(&mut self, user: &str, pem: &Pem) {
        let name = match pem {
            Pem::File(file) => format!("file-root:{file}"),
            // A Secret may hold both, so one of the two has another name (Istio's).
            Pem::Secret(..) => format!("kubernetes://{}-cacert", secret_of(pem).trim_end_matches("-cacert")),
        };
        let now = self.now;
        self.add(name, user, |name| authorities(name, pem, now));
    }

    fn add(&mut self, name: String, user: &str, read: impl FnOnce(String) -> Secret) {
        let secret = self.found.entry(name).or_insert_with_key(|name| read(name.clone()));
        if !secret.used_by.iter().any(|known| known == user) {
            secret.used_by.push(user.to_owned());
        }
    }
}

/// `NAMESPACE/NAME` of a Secret, without the key in it; a file as it is.
fn secret_of(pem: &Pem) -> &str {
    let name = place(pem);
    name.split_once(' ').map_or(name, |(secret, _)| secret)
}

fn place(pem: &Pem) -> &str {
    match pem {
        Pem::File(path) => path,
        Pem::Secret(name, _) => name,
    }
}

fn text_of(pem: &Pem) -> Result<Cow<'_, [u8]>, String> {
    match pem {
        Pem::File(path) => std::fs::read(path).map(Cow::Owned).map_err(|error| error.to_string()),
        Pem::Secret(_, Some(text)) => Ok(Cow::Borrowed(&**text)),
        Pem::Secret(_, None) => Err("it is not there".to_owned()),
    }
}

fn chain(name: String, certificate: &Pem, key: &Pem, now: i64) -> Secret {
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
    let read = text_of(key).and_then(|text| PrivateKeyDer::from_pem_slice(&text).map_err(|error| error.to_string()));
    let key_of = match read {
        Ok(key_of) => key_of,
        Err(why) => return secret.unreadable(key, &why),
    };
    match CertifiedKey::from_der(certificates, key_of, &provider()) {
        Ok(_) => secret,
        Err(rustls::Error::InconsistentKeys(_)) => Secret {
            status: "KEY MISMATCH".to_owned(),
            reason: Some(format!("the key in {} is another certificate's", place(key))),
            valid: false,
            ..secret
        },
        Err(error) => secret.unreadable(key, &error.to_string()),
    }
}

fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

fn authorities(name: String, file: &Pem, now: i64) -> Secret {
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

fn read(pem: &Pem) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(&text_of(pem)?).collect::<Result<_, _>>().map_err(|error| error.to_string())
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

    fn unreadable(self, pem: &Pem, why: &str) -> Self {
        let reason = Some(format!("{}: {why}", place(pem)));
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
            ca_certificates: ca.map(Pem::File),
            revoked: None,
            client_certificate: certificate.map(|(certificate, key)| (Pem::File(certificate), Pem::File(key))),
            mesh: None,
            insecure: false,
            multiplexed: false,
        }
    }

    fn told(settings: &TlsSettings) -> Vec<Secret> {
        let mut used = InUse::new(None, NOW);
        used.add_cluster("outbound|443||a.example", settings);
        used.into_secrets()
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
