//! Who is believed at the other end of mutual TLS.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use super::Mesh;
use crate::identity::{SpiffeId, x509};

const OTHER: Error = Error::InvalidCertificate(CertificateError::NotValidForName);

/// Who may call: whoever a trusted root vouches for, by an identity of the trust domain.
#[derive(Debug)]
pub(super) struct Callers {
    pub(super) mesh: Arc<Mesh>,
}

/// Who may answer: as a caller, and by one of these names, if there are any.
#[derive(Debug)]
pub(super) struct Servers {
    pub(super) mesh: Arc<Mesh>,
    pub(super) names: Vec<String>,
}

impl Mesh {
    fn algorithms(&self) -> &WebPkiSupportedAlgorithms {
        &self.provider.signature_verification_algorithms
    }

    /// The identity in a certificate, if it is one of the trust domain.
    fn identity_of(&self, certificate: &CertificateDer<'_>) -> Result<SpiffeId, Error> {
        let trust = self.trust.load();
        let ours = |identity: &SpiffeId| identity.trust_domain() == trust.authority.trust_domain().as_str();
        x509::identity(certificate).filter(ours).ok_or(OTHER)
    }
}

impl ClientCertVerifier for Callers {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // Roots come and go; whoever calls has one certificate.
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.mesh.trust.load().callers.verify_client_cert(end_entity, intermediates, now)?;
        self.mesh.identity_of(end_entity).map(|_| verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, self.mesh.algorithms())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, self.mesh.algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.mesh.algorithms().supported_schemes()
    }
}

impl Servers {
    fn means(&self, identity: &SpiffeId, certificate: &CertificateDer<'_>) -> bool {
        let Some(said) = x509::read(certificate) else { return false };
        // An identity is compared with the identity alone: as the name of a host it could be anybody's.
        self.names.is_empty()
            || self.names.iter().any(|name| match name.parse::<SpiffeId>() {
                Ok(wanted) => wanted == *identity,
                Err(_) => said.names.contains(name),
            })
    }
}

impl ServerCertVerifier for Servers {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let roots = Arc::clone(&self.mesh.trust.load().roots);
        let algorithms = self.mesh.algorithms().all;
        verify_server_cert_signed_by_trust_anchor(&certificate, &roots, intermediates, now, algorithms)?;
        let identity = self.mesh.identity_of(end_entity)?;
        if self.means(&identity, end_entity) { Ok(ServerCertVerified::assertion()) } else { Err(OTHER) }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, self.mesh.algorithms())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, self.mesh.algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.mesh.algorithms().supported_schemes()
    }
}
