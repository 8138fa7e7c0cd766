//! An authority that somebody brings: a root, or an intermediate of one that is kept elsewhere.

use std::path::{Path, PathBuf};

use rcgen::{Issuer, KeyPair, PublicKeyData as _};
use rustls::RootCertStore;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;

use super::{DEFAULT_TTL, Error, Signer, SpiffeId, TrustDomain, certificates};
use crate::identity::x509;

/// The files of an authority.
#[derive(Debug, Clone)]
pub struct Brought {
    /// The certificate that signs: a root, or an intermediate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// What is trusted; the certificate itself where it is a root.
    pub root: Option<PathBuf>,
    /// Certificates between the two.
    pub chain: Option<PathBuf>,
}

impl Brought {
    /// The authority in the files.
    ///
    /// # Errors
    /// [`Error::Refused`] with the file that is at fault: one that cannot be read, a certificate that is no authority's or
    /// not valid now, a key that is another's, a chain that does not lead to the root.
    pub(super) fn signer(&self, domain: &TrustDomain, now: i64) -> Result<Signer, Error> {
        let certificate = one(&self.certificate)?;
        let root = self.root.as_deref().map(one).transpose()?.unwrap_or_else(|| certificate.clone());
        let between = match &self.chain {
            Some(path) => several(path)?,
            None => Vec::new(),
        };
        authority(&self.certificate, &certificate, now)?;
        authority(self.root.as_ref().unwrap_or(&self.certificate), &root, now)?;
        for certificate in &between {
            authority(self.chain.as_ref().unwrap_or(&self.certificate), certificate, now)?;
        }
        let text = String::from_utf8(read(&self.key)?).map_err(|_| refused(&self.key, "it is no PEM"))?;
        let key = KeyPair::from_pem(&text).map_err(|_| {
            refused(&self.key, "it holds no private key that can be used: ECDSA, Ed25519 or RSA, unencrypted, in PEM")
        })?;
        let own = x509::read(&certificate).map(|said| said.public_key == key.subject_public_key_info());
        if own != Some(true) {
            let certificate = self.certificate.display();
            return Err(refused(&self.key, &format!("the key is not that of the certificate in {certificate}")));
        }
        let issuer = Issuer::from_ca_cert_der(&certificate, key)?;
        let is_root = certificate == root;
        let chain: Vec<_> = if is_root { Vec::new() } else { std::iter::once(certificate).chain(between).collect() };
        let ends = chain.iter().chain([&root]).filter_map(|one| x509::read(one).map(|said| said.not_after));
        let not_after = ends.min().unwrap_or(now);
        let (issuer, trusted_until, issued_until) = (Some(issuer), None, Some(now));
        let signer = Signer { chain, root, issuer, signs_from: now, trusted_until, not_after, issued_until };
        self.tried(&signer, domain, now)?;
        Ok(signer)
    }

    /// Issues a certificate and checks it as a peer would: that tells whether the chain holds.
    fn tried(&self, signer: &Signer, domain: &TrustDomain, now: i64) -> Result<(), Error> {
        let nobody = SpiffeId::new(domain, "default", "default").expect("plain names are part of identities");
        let issued = signer.issue(&nobody, DEFAULT_TTL, now)?;
        let refuse = |why: &dyn std::fmt::Display| {
            refused(&self.certificate, &format!("a certificate that it issues is not trusted by the root: {why}"))
        };
        let mut roots = RootCertStore::empty();
        roots.add(signer.root.clone()).map_err(|error| refuse(&error))?;
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(u64::try_from(now).unwrap_or_default()));
        let leaf = ParsedCertificate::try_from(&issued.chain[0]).map_err(|error| refuse(&error))?;
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        verify_server_cert_signed_by_trust_anchor(&leaf, &roots, &issued.chain[1..], now, algorithms.all)
            .map_err(|error| refuse(&error))
    }
}

pub(super) fn refused(path: &Path, reason: &str) -> Error {
    Error::Refused { path: path.to_owned(), reason: reason.to_owned() }
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|error| refused(path, &error.to_string()))
}

pub(super) fn several(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    certificates(&read(path)?).map_err(|error| refused(path, &format!("it holds no certificate in PEM: {error}")))
}

fn one(path: &Path) -> Result<CertificateDer<'static>, Error> {
    match <[_; 1]>::try_from(several(path)?) {
        Ok([certificate]) => Ok(certificate),
        Err(found) => Err(refused(path, &format!("it holds {} certificates, and one is expected", found.len()))),
    }
}

/// Refuses what is no authority's certificate, or none at this time.
fn authority(path: &Path, certificate: &CertificateDer<'_>, now: i64) -> Result<(), Error> {
    let said = x509::read(certificate).ok_or_else(|| refused(path, "it is no X.509 certificate"))?;
    if !said.is_authority {
        return Err(refused(
            path,
            "it is no authority's certificate: its basic constraints do not say CA, or its key may not sign",
        ));
    }
    if now > said.not_after {
        return Err(refused(path, "the certificate has expired"));
    }
    if now < said.not_before {
        return Err(refused(path, "the certificate is not valid yet"));
    }
    Ok(())
}
