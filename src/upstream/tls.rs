//! TLS that is originated: one client configuration for each set of settings, built once.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::call::TlsFault;
use crate::identity::Mesh;
use crate::routing::{Own, Pem, TlsSettings};

/// The name of HTTP/2 in a handshake (RFC 9113 §3.2).
pub(super) const HTTP_2: &[u8] = b"h2";

/// Most configurations that are kept.
const MAX_BUILT: usize = 4_096;

/// The client configurations of a process.
#[derive(Debug)]
pub struct TlsConfigs {
    provider: Arc<CryptoProvider>,
    /// Authorities that are trusted where the rule names none; the system's are read at first use only.
    roots: OnceLock<Arc<RootCertStore>>,
    /// What proves us to others of the mesh, if we are part of one.
    mesh: Option<Arc<Mesh>>,
    /// Looked into when a connection is made, never per call.
    built: Mutex<HashMap<TlsSettings, Arc<ClientConfig>>>,
}

impl TlsConfigs {
    /// Configurations that trust the system's authorities, or those of a file instead; and of the mesh, if there is one.
    ///
    /// # Errors
    /// A text that names the file and what is wrong with it.
    pub fn new(ca_file: Option<&Path>, mesh: Option<Arc<Mesh>>) -> Result<Self, String> {
        let roots = OnceLock::new();
        if let Some(path) = ca_file {
            let read = std::fs::read(path).map_err(|error| error.to_string()).and_then(|text| roots_of(&text));
            let store = read.map_err(|why| format!("--ca-file {}: {why}", path.display()))?;
            let _ = roots.set(Arc::new(store));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Ok(Self { provider, roots, mesh, built: Mutex::default() })
    }

    /// The configuration for some settings.
    ///
    /// # Errors
    /// [`TlsFault::Unusable`] when a file of the settings cannot be used; that is tried anew for the next connection.
    pub(super) fn get(&self, settings: &TlsSettings) -> Result<Arc<ClientConfig>, TlsFault> {
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        // The server name is given with each connection, and callers may choose it.
        let unnamed = TlsSettings { sni: String::new(), ..settings.clone() };
        if let Some(config) = built.get(&unnamed) {
            return Ok(config.clone());
        }
        let config = Arc::new(self.build(settings).ok_or(TlsFault::Unusable)?);
        // Of settings of long ago nobody asks; what is asked for again is built again.
        if built.len() >= MAX_BUILT {
            built.clear();
        }
        built.insert(unnamed, config.clone());
        Ok(config)
    }

    fn build(&self, settings: &TlsSettings) -> Option<ClientConfig> {
        let mut config = match &settings.mesh {
            None => self.build_own(settings)?,
            Some(Own::Of(identity)) => self.mesh.as_ref()?.client(identity, &settings.subject_alt_names).ok()?,
            // Who calls is known by now.
            Some(Own::Proxys) => return None,
        };
        if settings.multiplexed {
            config.alpn_protocols = vec![HTTP_2.to_vec()];
        }
        Some(config)
    }

    fn build_own(&self, settings: &TlsSettings) -> Option<ClientConfig> {
        let builder =
            ClientConfig::builder_with_provider(self.provider.clone()).with_safe_default_protocol_versions().ok()?;
        let builder = builder.dangerous().with_custom_certificate_verifier(self.verifier(settings)?);
        match &settings.client_certificate {
            None => Some(builder.with_no_client_auth()),
            Some((certificate, key)) => {
                let chain =
                    CertificateDer::pem_slice_iter(&text_of(certificate)?).collect::<Result<Vec<_>, _>>().ok()?;
                // A key that is not the certificate's is refused here.
                builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(&text_of(key)?).ok()?).ok()
            }
        }
    }

    fn verifier(&self, settings: &TlsSettings) -> Option<Arc<dyn ServerCertVerifier>> {
        let algorithms = self.provider.signature_verification_algorithms;
        if settings.insecure {
            return Some(Arc::new(Verifier { accepted: Accepted::Everything, algorithms }));
        }
        let roots = match &settings.ca_certificates {
            Some(authorities) => Arc::new(roots_of(&text_of(authorities)?).ok()?),
            None => self.roots.get_or_init(|| Arc::new(system_roots())).clone(),
        };
        let mut builder = WebPkiServerVerifier::builder_with_provider(roots, self.provider.clone());
        if let Some(revoked) = &settings.revoked {
            let lists = CertificateRevocationListDer::pem_slice_iter(&text_of(revoked)?).collect::<Result<Vec<_>, _>>();
            // Of authorities without a list nothing is known to be revoked.
            builder = builder.with_crls(lists.ok()?).allow_unknown_revocation_status();
        }
        let chain = builder.build().ok()?;
        if settings.subject_alt_names.is_empty() {
            return Some(chain);
        }
        let names =
            settings.subject_alt_names.iter().filter_map(|name| ServerName::try_from(name.clone()).ok()).collect();
        Some(Arc::new(Verifier { accepted: Accepted::AnyName(chain, names), algorithms }))
    }
}

fn text_of(pem: &Pem) -> Option<Cow<'_, [u8]>> {
    match pem {
        Pem::File(path) => std::fs::read(path).ok().map(Cow::Owned),
        Pem::Secret(_, text) => text.as_deref().map(Cow::Borrowed),
    }
}

fn roots_of(text: &[u8]) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(text) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        store.add(certificate).map_err(|error| error.to_string())?;
    }
    if store.is_empty() { Err("it holds no certificate".into()) } else { Ok(store) }
}

fn system_roots() -> RootCertStore {
    let mut store = RootCertStore::empty();
    // A certificate that cannot be used is left out: then nothing that it issued is trusted.
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    store
}

/// Checks certificates in a way that rustls' own verifier does not.
#[derive(Debug)]
struct Verifier {
    accepted: Accepted,
    algorithms: WebPkiSupportedAlgorithms,
}

/// Which certificates are accepted; the holder's signature is checked in any case.
#[derive(Debug)]
enum Accepted {
    /// Those of a trusted chain for any of the names that the rule lists, whatever name was asked for.
    AnyName(Arc<WebPkiServerVerifier>, Vec<ServerName<'static>>),
    /// All: `insecureSkipVerify: true`.
    Everything,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Accepted::AnyName(chain, names) = &self.accepted else { return Ok(ServerCertVerified::assertion()) };
        // Without a usable name nothing is accepted.
        let mut fault = rustls::Error::InvalidCertificate(CertificateError::NotValidForName);
        for name in names {
            match chain.verify_server_cert(end_entity, intermediates, name, ocsp_response, now) {
                Ok(verified) => return Ok(verified),
                Err(error) => fault = error,
            }
        }
        Err(fault)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// What a failed handshake says about the origin.
pub(super) fn fault_of(error: &std::io::Error) -> TlsFault {
    let rustls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match rustls {
        Some(rustls::Error::InvalidCertificate(certificate)) => match certificate {
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => TlsFault::Expired,
            CertificateError::UnknownIssuer => TlsFault::UnknownIssuer,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => TlsFault::WrongName,
            _ => TlsFault::BadCertificate,
        },
        _ => TlsFault::Handshake,
    }
}
