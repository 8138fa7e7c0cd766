//! The built-in certificate authority: what identities of a trust domain are vouched for with.
//!
//! All of it is one file in the state directory, which is only ever replaced as a whole: keys never stand beside
//! certificates of others. An authority that takes over is trusted first and signs later, so that every process knows it
//! before it meets a certificate of it; the one before stays trusted until its last certificate is over.

mod brought;
mod bundle;
mod error;
mod file;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject as _};

use super::x509;
use super::{SpiffeId, TrustDomain};

pub use brought::Brought;
pub use bundle::{Bundle, Unpacked};
pub use error::Error;
pub use file::{Stamp, Store};

/// How long certificates of workloads are valid, if nobody says otherwise (Istio's default).
pub const DEFAULT_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// Longest they may be (Istio's limit).
pub const MAX_TTL: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// How long an authority that takes over is only trusted, before it signs: far longer than running proxies need to take it
/// up.
pub const TAKEOVER: Duration = Duration::from_secs(60);

/// How long a root of our own is valid (Istio's ten years).
const ROOT_LIFE: Duration = Duration::from_secs(3650 * 24 * 60 * 60);

/// Certificates are valid from a little before they are made on, for clocks that are behind (Istio's two minutes).
const SKEW: i64 = 120;

/// The authorities of a trust domain: the one that signs, and those that are trusted besides.
#[derive(Debug)]
pub struct Authority {
    trust_domain: TrustDomain,
    /// The oldest first.
    signers: Vec<Signer>,
}

/// One authority, which signs in its time.
#[derive(Debug)]
struct Signer {
    /// Its certificate, and those that lead from it to the root; none for a root that signs itself.
    chain: Vec<CertificateDer<'static>>,
    /// What is trusted.
    root: CertificateDer<'static>,
    /// Gone when it signs no more.
    issuer: Option<Issuer<'static, KeyPair>>,
    /// In seconds since 1970.
    signs_from: i64,
    /// In seconds since 1970; none while no other follows.
    trusted_until: Option<i64>,
    /// The end of the shortest-lived of its certificates.
    not_after: i64,
    /// The last end of the certificates that it issued to programs, which nobody renews when another takes over; none where
    /// that was not noted.
    issued_until: Option<i64>,
}

/// A certificate of a workload, with its key.
#[derive(Debug)]
pub struct Issued {
    /// Whose it is.
    pub identity: SpiffeId,
    /// The certificate, then those that lead to the root.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key.
    pub key: KeyPair,
    /// From when it is valid, in seconds since 1970.
    pub not_before: i64,
    /// Until when.
    pub not_after: i64,
    /// By which authority: its own certificate.
    pub signed_by: CertificateDer<'static>,
}

/// What is told of one authority.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Described {
    /// The root's subject.
    pub subject: String,
    /// `Signing`, `Next` before it signs, `Retiring` while only its certificates are trusted.
    pub state: &'static str,
    /// Of the root, hexadecimal.
    pub serial_number: String,
    /// The root's beginning, in seconds since 1970.
    pub not_before: i64,
    /// The end of the shortest-lived of its certificates.
    pub not_after: i64,
    /// When it begins to sign.
    pub signs_from: i64,
    /// When it is no longer trusted.
    pub trusted_until: Option<i64>,
    /// The last end of the certificates that it issued to programs, or where that was not noted, the last that may be.
    pub issued_until: i64,
    /// Certificates between the root and those of workloads.
    pub intermediates: usize,
}

impl Authority {
    /// A new one with a root of its own.
    fn create(trust_domain: TrustDomain, now: i64) -> Result<Self, Error> {
        let signer = Signer::self_signed(&trust_domain, now)?;
        Ok(Self { trust_domain, signers: vec![signer] })
    }

    /// Whose identities it vouches for.
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// The roots that are trusted, the newest first; `now` in seconds since 1970.
    pub fn roots(&self, now: i64) -> impl Iterator<Item = &CertificateDer<'static>> {
        let trusted = move |signer: &&Signer| signer.trusted_until.is_none_or(|until| now <= until);
        self.signers.iter().rev().filter(trusted).map(|signer| &signer.root)
    }

    /// A certificate with a new key for an identity, valid for `ttl`, but no longer than the authority itself, or than it stays
    /// trusted where another takes over.
    ///
    /// # Errors
    /// [`Error::OtherDomain`] for identities of others, [`Error::Over`] where the authority has expired.
    pub fn issue(&self, identity: &SpiffeId, ttl: Duration, now: i64) -> Result<Issued, Error> {
        if identity.trust_domain() != self.trust_domain.as_str() {
            let (found, asked) = (self.trust_domain.to_string(), identity.trust_domain().to_owned());
            return Err(Error::OtherDomain { found, asked });
        }
        self.signer(now)?.issue(identity, ttl, now)
    }

    /// The certificate of the authority that signs at a time; none where none can.
    pub fn signing(&self, now: i64) -> Option<&CertificateDer<'static>> {
        self.signer(now).ok().map(Signer::own)
    }

    /// What is told of each authority, the newest first.
    pub fn describe(&self, now: i64) -> Vec<Described> {
        let signing = self.signing(now);
        let told = self.signers.iter().rev().map(|signer| {
            let state = match () {
                () if Some(signer.own()) == signing => "Signing",
                () if signer.signs_from > now => "Next",
                () => "Retiring",
            };
            let said = x509::read(&signer.root);
            Described {
                subject: said.as_ref().map(|said| said.subject.clone()).unwrap_or_default(),
                state,
                serial_number: said.as_ref().map(|said| said.serial_number.clone()).unwrap_or_default(),
                not_before: said.as_ref().map(|said| said.not_before).unwrap_or_default(),
                not_after: signer.not_after,
                signs_from: signer.signs_from,
                trusted_until: signer.trusted_until,
                issued_until: signer.issued_until(now),
                intermediates: signer.chain.len(),
            }
        });
        told.collect()
    }

    /// Lets another authority take over at a time; what was there stays trusted for `overlap` after that, or as long as its
    /// certificates are valid.
    fn succeed(&mut self, mut next: Signer, takeover: Duration, overlap: Option<Duration>, now: i64) {
        // Among who never signed nobody has to be waited for.
        self.signers.retain(|signer| signer.signs_from <= now && signer.trusted_until.is_none_or(|until| now <= until));
        next.signs_from = if self.signers.is_empty() { now } else { now + seconds(takeover) };
        let last = self.signers.len();
        for (place, signer) in self.signers.iter_mut().enumerate() {
            let until = match overlap {
                Some(overlap) => next.signs_from + seconds(overlap),
                None => signer.issued_until(now).max(next.signs_from + seconds(DEFAULT_TTL)),
            };
            signer.trusted_until.get_or_insert(until);
            if place + 1 < last {
                signer.issuer = None;
            }
        }
        self.signers.push(next);
    }

    /// Who signs at a time.
    fn signer(&self, now: i64) -> Result<&Signer, Error> {
        let signing = self.signers.iter().rev().find(|signer| signer.signs_from <= now && signer.issuer.is_some());
        // A clock that goes back must not leave us without.
        let signer = signing.or(self.signers.iter().find(|signer| signer.issuer.is_some())).ok_or(Error::Over)?;
        if signer.not_after <= now { Err(Error::Over) } else { Ok(signer) }
    }
}

impl Signer {
    fn self_signed(trust_domain: &TrustDomain, now: i64) -> Result<Self, Error> {
        let key = new_key()?;
        let mut root = CertificateParams::default();
        root.distinguished_name = DistinguishedName::new();
        root.distinguished_name.push(DnType::OrganizationName, trust_domain.as_str());
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let not_after = now + seconds(ROOT_LIFE);
        valid(&mut root, now - SKEW, not_after);
        let certificate = root.self_signed(&key)?.der().clone();
        let issuer = Some(Issuer::new(root, key));
        let (chain, trusted_until, issued_until) = (Vec::new(), None, Some(now));
        Ok(Self { chain, root: certificate, issuer, signs_from: now, trusted_until, not_after, issued_until })
    }

    /// The last end of what it issued to programs, as far as that can be known.
    fn issued_until(&self, now: i64) -> i64 {
        self.issued_until.unwrap_or_else(|| self.not_after.min(now + seconds(MAX_TTL)))
    }

    /// The certificate that it signs by.
    fn own(&self) -> &CertificateDer<'static> {
        self.chain.first().unwrap_or(&self.root)
    }

    fn issue(&self, identity: &SpiffeId, ttl: Duration, now: i64) -> Result<Issued, Error> {
        let issuer = self.issuer.as_ref().ok_or(Error::Over)?;
        let key = new_key()?;
        let mut leaf = CertificateParams::default();
        // Whoever reads it finds one name and no other (X509-SVID §2).
        leaf.distinguished_name = DistinguishedName::new();
        leaf.subject_alt_names = vec![SanType::URI(identity.to_string().try_into()?)];
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        leaf.use_authority_key_identifier_extension = true;
        // What outlives the trust in its authority is only seemingly valid.
        let last = self.not_after.min(self.trusted_until.unwrap_or(i64::MAX));
        let (not_before, not_after) = (now - SKEW, last.min(now + seconds(ttl.min(MAX_TTL))));
        valid(&mut leaf, not_before, not_after);
        let certificate = leaf.signed_by(&key, issuer)?.der().clone();
        let chain = std::iter::once(certificate).chain(self.chain.iter().cloned()).collect();
        Ok(Issued { identity: identity.clone(), chain, key, not_before, not_after, signed_by: self.own().clone() })
    }
}

/// ECDSA P-256, as all keys here are.
fn new_key() -> Result<KeyPair, Error> {
    Ok(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?)
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX / 4)
}

/// Sets from when until when a certificate is valid, in seconds since 1970; no certificate is valid past the year 9999
/// (RFC 5280 §4.1.2.5).
fn valid(parameters: &mut CertificateParams, not_before: i64, not_after: i64) {
    const LAST: u64 = 253_402_300_799;
    let date = |seconds: i64| {
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(u64::try_from(seconds).unwrap_or_default().min(LAST))
    };
    parameters.not_before = date(not_before);
    parameters.not_after = date(not_after);
}

/// The certificates in a PEM text.
fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    CertificateDer::pem_slice_iter(text).collect()
}

impl Issued {
    /// The chain as PEM.
    pub fn chain_pem(&self) -> String {
        self.chain.iter().map(to_pem).collect()
    }
}

/// A certificate as PEM (RFC 7468 §5).
pub fn to_pem(certificate: &CertificateDer<'_>) -> String {
    let text = STANDARD.encode(certificate);
    let lines = text.as_bytes().chunks(64).map(String::from_utf8_lossy);
    let body: String = lines.map(|line| format!("{line}\n")).collect();
    format!("-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n")
}

#[cfg(test)]
mod tests;
