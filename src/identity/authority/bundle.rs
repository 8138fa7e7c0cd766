//! One certificate that was issued elsewhere, with its key and what is trusted: all that a process needs that speaks for one
//! identity, and with which it can vouch for nobody else.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::brought::{read, refused, several};
use super::file::{OTHERS, stamp};
use super::{Authority, Error, Signer, Stamp, TrustDomain};
use crate::identity::{SpiffeId, x509};
use crate::state;

/// The directory that `identity issue` writes.
#[derive(Debug, Clone)]
pub struct Bundle {
    directory: PathBuf,
}

/// What is in it.
#[derive(Debug)]
pub struct Unpacked {
    /// Whom the roots vouch for. It signs nothing.
    pub authority: Authority,
    /// Whose the certificate is.
    pub identity: SpiffeId,
    /// The certificate, then those that lead to a root.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key.
    pub key: PrivateKeyDer<'static>,
    /// From when it is valid, in seconds since 1970.
    pub not_before: i64,
    /// Until when.
    pub not_after: i64,
}

impl Bundle {
    /// The file of the certificate and those that lead to a root, named as Istio's agents name it.
    pub const CHAIN: &str = "cert-chain.pem";
    /// That of its key.
    pub const KEY: &str = "key.pem";
    /// That of the roots that are trusted.
    pub const ROOTS: &str = "root-cert.pem";

    /// That of a directory.
    pub fn of(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// How its files are now.
    pub fn stamps(&self) -> [Option<Stamp>; 3] {
        [Self::CHAIN, Self::KEY, Self::ROOTS].map(|name| stamp(&self.directory.join(name)))
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`Error::Refused`] with the file that is at fault, [`Error::OtherDomain`] where another trust domain is wanted, and
    /// where others can read the key.
    pub fn unpack(&self, wanted: Option<&TrustDomain>) -> Result<Unpacked, Error> {
        let [path, key, roots] = [Self::CHAIN, Self::KEY, Self::ROOTS].map(|name| self.directory.join(name));
        let chain = several(&path)?;
        let said = chain.first().and_then(|own| Some((x509::identity(own)?, x509::read(own)?)));
        let (identity, said) = said.ok_or_else(|| refused(&path, "its first certificate names no identity"))?;
        let authority = trusting(&identity, several(&roots)?, &roots)?;
        if let Some(wanted) = wanted.filter(|wanted| *wanted != authority.trust_domain()) {
            let found = authority.trust_domain().to_string();
            return Err(Error::OtherDomain { found, asked: wanted.to_string() });
        }
        let mode = fs::metadata(&key).map_or(0, |found| found.mode() & 0o7777);
        if mode & OTHERS != 0 {
            return Err(state::Error::Open { path: key, mode }.into());
        }
        let key = PrivateKeyDer::from_pem_slice(&read(&key)?).map_err(|_| refused(&key, "it holds no key in PEM"))?;
        let (not_before, not_after) = (said.not_before, said.not_after);
        Ok(Unpacked { authority, identity, chain, key, not_before, not_after })
    }

    /// Why there is no certificate of another identity.
    pub fn not_for(&self, identity: &SpiffeId) -> Error {
        let reason = format!("there is no certificate for {identity} that is valid now");
        Error::Refused { path: self.directory.clone(), reason }
    }
}

/// What trusts roots, and signs nothing.
fn trusting(identity: &SpiffeId, roots: Vec<CertificateDer<'static>>, path: &Path) -> Result<Authority, Error> {
    let trust_domain =
        identity.trust_domain().parse().map_err(|_| refused(path, "the trust domain has no such name"))?;
    let signer = |root: CertificateDer<'static>| {
        let not_after = x509::read(&root).map(|said| said.not_after).unwrap_or_default();
        Signer {
            chain: Vec::new(),
            root,
            issuer: None,
            signs_from: 0,
            trusted_until: None,
            not_after,
            issued_until: None,
        }
    };
    if roots.is_empty() {
        return Err(refused(path, "it holds no certificate"));
    }
    Ok(Authority { trust_domain, signers: roots.into_iter().map(signer).collect() })
}
