//! Certificates of callers: which a gateway's server takes.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme};

use crate::call::ServerFault;
use crate::identity::x509;
use crate::routing::Callers;

use super::certificates::read;

/// What asks callers for their certificates; `None` where its files cannot be used.
pub(super) fn verifier(callers: &Callers, provider: Arc<CryptoProvider>) -> Option<Arc<dyn ClientCertVerifier>> {
    let Callers::Verified { authorities, revoked, subject_alt_names, keys, certificates, optional } = callers else {
        return None;
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&read(authorities).ok()?) {
        roots.add(certificate.ok()?).ok()?;
    }
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    if let Some(revoked) = revoked {
        let text = read(revoked).ok()?;
        let lists = CertificateRevocationListDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
        builder = builder.with_crls(lists.ok()?);
    }
    let builder = if *optional { builder.allow_unauthenticated() } else { builder };
    let chain = builder.build().ok()?;
    if subject_alt_names.is_empty() && keys.is_empty() && certificates.is_empty() {
        return Some(chain);
    }
    let certificates = certificates.iter().map(|hash| hash.replace(':', "").to_ascii_lowercase()).collect();
    Some(Arc::new(Particular { chain, names: subject_alt_names.clone(), keys: keys.clone(), certificates }))
}

/// Takes certificates of a trusted chain only if they are among those that are meant.
#[derive(Debug)]
struct Particular {
    chain: Arc<dyn ClientCertVerifier>,
    names: Vec<String>,
    /// Base64 of SHA-256.
    keys: Vec<String>,
    /// SHA-256 in lower case.
    certificates: Vec<String>,
}

impl Particular {
    /// One of the names, if there are any; and one of the keys or certificates, if there are any (Envoy's rule).
    fn means(&self, certificate: &CertificateDer<'_>) -> bool {
        let Some(said) = x509::read(certificate) else { return false };
        let named = self.names.is_empty() || said.names.iter().any(|name| self.names.contains(name));
        let key = STANDARD.encode(digest(&SHA256, said.public_key));
        let hash: String = digest(&SHA256, certificate).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let pinned = (self.keys.is_empty() && self.certificates.is_empty())
            || self.keys.contains(&key)
            || self.certificates.contains(&hash);
        named && pinned
    }
}

impl ClientCertVerifier for Particular {
    fn offer_client_auth(&self) -> bool {
        self.chain.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.chain.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verified = self.chain.verify_client_cert(end_entity, intermediates, now)?;
        let refused = rustls::Error::InvalidCertificate(CertificateError::NotValidForName);
        if self.means(end_entity) { Ok(verified) } else { Err(refused) }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// What a failed handshake says about a caller.
pub(super) fn fault_of(error: &std::io::Error) -> ServerFault {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::NoCertificatesPresented) => ServerFault::NoCallerCertificate,
        Some(rustls::Error::InvalidCertificate(fault)) => match fault {
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => ServerFault::CallerExpired,
            CertificateError::NotValidForName
            | CertificateError::InvalidPurpose
            | CertificateError::InvalidPurposeContext { .. } => ServerFault::CallerOther,
            _ => ServerFault::CallerUnknown,
        },
        _ => ServerFault::Handshake,
    }
}
