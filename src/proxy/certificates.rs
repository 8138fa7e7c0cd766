//! What gateway servers end TLS with, built when the configuration is compiled: no file is read for a handshake.

use std::collections::HashMap;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use arc_swap::{ArcSwap, ArcSwapOption};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, ServerConfig};

use crate::call::ServerFault;
use crate::identity::{Mesh, SpiffeId, x509};
use crate::routing::{Callers, Certificates as Named, KeyPair, Pem, RouteTable, ServerTls};

use super::callers::verifier;

/// The names of HTTP's versions in a handshake, the preferred one first.
const HTTP_VERSIONS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Most bytes of a file with certificates or a key; bundles of authorities have some 300 KiB.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// Everything that gateway servers end TLS with, shared by all workers.
#[derive(Debug)]
pub struct Certificates {
    provider: Arc<CryptoProvider>,
    built: ArcSwap<HashMap<Arc<ServerTls>, Arc<Built>>>,
    generation: AtomicU64,
    mesh: Option<Arc<Mesh>>,
    /// As whom the gateway ends TLS of the mesh.
    gateway: ArcSwapOption<(SpiffeId, Arc<ServerConfig>)>,
}

/// What one server ends TLS with, or why it cannot.
#[derive(Debug)]
struct Built {
    config: Result<Arc<ServerConfig>, ServerFault>,
    /// From when until when its certificates are valid, in seconds since 1970.
    valid: (i64, i64),
    /// How its files were when they were read.
    files: Vec<(String, Option<Stamp>)>,
}

/// By what a file that was written anew is told from what it was.
type Stamp = (u64, u64, i64, i64);

impl Certificates {
    /// None yet; for a gateway that is part of a mesh, if it is.
    pub fn new(mesh: Option<Arc<Mesh>>) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Self {
            provider,
            built: ArcSwap::default(),
            generation: AtomicU64::default(),
            mesh,
            gateway: ArcSwapOption::empty(),
        }
    }

    /// Builds what the servers of a configuration need, before it is put in force; files are read again. What cannot be
    /// read any more stays as it was: files are rarely replaced all at once. `gateway` is who the gateway is.
    pub fn prepare(&self, routes: &RouteTable, gateway: Option<&SpiffeId>) {
        let known = self.gateway.load_full();
        if known.as_ref().map(|known| &known.0) != gateway {
            let server = self.mesh.as_ref().zip(gateway).and_then(|(mesh, identity)| {
                let mut config = mesh.server(identity).ok()?;
                config.alpn_protocols = HTTP_VERSIONS.map(<[u8]>::to_vec).to_vec();
                Some(Arc::new((identity.clone(), Arc::new(config))))
            });
            self.gateway.store(server);
            // What servers show may be another's now.
            self.built.store(Arc::default());
        }
        let known = self.built.load();
        let built = routes.server_tls().map(|tls| (Arc::clone(tls), self.anew(tls, known.get(tls))));
        let built = built.collect();
        self.store(built);
    }

    fn store(&self, built: HashMap<Arc<ServerTls>, Arc<Built>>) {
        self.built.store(Arc::new(built));
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// A number that is another when anything may be shown or asked for that was not before.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Reads files again that were written anew; whether there were any.
    pub fn refresh(&self) -> bool {
        let known = self.built.load();
        if known.values().all(|built| built.is_fresh()) {
            return false;
        }
        let built = known.iter().map(|(tls, built)| (Arc::clone(tls), self.anew(tls, Some(built)))).collect();
        self.store(built);
        true
    }

    fn anew(&self, tls: &ServerTls, known: Option<&Arc<Built>>) -> Arc<Built> {
        if let Some(known) = known.filter(|known| known.is_fresh()) {
            return Arc::clone(known);
        }
        let built = self.build(tls);
        match known {
            Some(known) if built.config.is_err() && known.config.is_ok() => Arc::clone(known),
            _ => Arc::new(built),
        }
    }

    /// What a server ends TLS with at this moment.
    ///
    /// # Errors
    /// Why it cannot.
    pub(super) fn config(&self, tls: &ServerTls) -> Result<Arc<ServerConfig>, ServerFault> {
        let built = self.built.load();
        let built = built.get(tls).ok_or(ServerFault::Unusable)?;
        let config = built.config.as_ref().map_err(|fault| *fault)?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        let (begin, end) = built.valid;
        if now < begin || now > end { Err(ServerFault::Expired) } else { Ok(Arc::clone(config)) }
    }

    /// What sidecars of other processes are taken with; none where the gateway has no identity.
    pub(super) fn of_mesh(&self) -> Option<Arc<ServerConfig>> {
        self.gateway.load().as_ref().map(|known| Arc::clone(&known.1))
    }

    /// TLS of the mesh as the gateway ends it, for a server that says so.
    fn own(&self, http: bool) -> Result<Arc<ServerConfig>, ServerFault> {
        let config = self.of_mesh().ok_or(ServerFault::Mesh)?;
        if http {
            return Ok(config);
        }
        let mut config = ServerConfig::clone(&config);
        config.alpn_protocols.clear();
        Ok(Arc::new(config))
    }

    fn build(&self, tls: &ServerTls) -> Built {
        if tls.certificates == Named::Mesh {
            return Built { config: self.own(tls.http), valid: (i64::MIN, i64::MAX), files: Vec::new() };
        }
        let files = files(tls).map(|path| (path.to_owned(), stamp(path))).collect();
        let (config, valid) = match self.config_of(tls) {
            Ok((config, valid)) => (Ok(Arc::new(config)), valid),
            Err(fault) => (Err(fault), (0, 0)),
        };
        Built { config, valid, files }
    }

    fn config_of(&self, tls: &ServerTls) -> Result<(ServerConfig, (i64, i64)), ServerFault> {
        let Named::Own(pairs) = &tls.certificates else { return Err(ServerFault::Mesh) };
        let keys = pairs.iter().map(|pair| self.certified(pair)).collect::<Result<Vec<_>, _>>()?;
        let valid = keys.iter().map(|key| validity(key)).collect::<Option<Vec<_>>>().ok_or(ServerFault::Unusable)?;
        let begin = valid.iter().map(|(begin, _)| *begin).max().ok_or(ServerFault::Unusable)?;
        let end = valid.iter().map(|(_, end)| *end).min().ok_or(ServerFault::Unusable)?;
        let provider = Arc::new(self.provider_of(&tls.cipher_suites));
        let versions: &[&rustls::SupportedProtocolVersion] = match tls.versions {
            (true, _) => &[&rustls::version::TLS13],
            (false, true) => &[&rustls::version::TLS12],
            (false, false) => &[&rustls::version::TLS13, &rustls::version::TLS12],
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .map_err(|_| ServerFault::Unusable)?;
        let builder = match &tls.callers {
            Callers::Any => builder.with_no_client_auth(),
            callers @ Callers::Verified { .. } => {
                builder.with_client_cert_verifier(verifier(callers, provider).ok_or(ServerFault::Unusable)?)
            }
        };
        let mut config = builder.with_cert_resolver(Arc::new(Several(keys)));
        if tls.http {
            config.alpn_protocols = HTTP_VERSIONS.map(<[u8]>::to_vec).to_vec();
        }
        Ok((config, (begin, end)))
    }

    fn certified(&self, pair: &KeyPair) -> Result<Arc<CertifiedKey>, ServerFault> {
        let (certificate, key) = (read(&pair.certificate)?, read(&pair.key)?);
        let chain = CertificateDer::pem_slice_iter(&certificate).collect::<Result<Vec<_>, _>>();
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|_| ServerFault::Unusable)?;
        let certified = CertifiedKey::from_der(chain.map_err(|_| ServerFault::Unusable)?, key, &self.provider);
        certified.map(Arc::new).map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => ServerFault::OtherKey,
            _ => ServerFault::Unusable,
        })
    }

    /// Cipher suites of TLS 1.2 are chosen by name; those of TLS 1.3 are not to be chosen (BoringSSL's rule).
    fn provider_of(&self, wanted: &[String]) -> CryptoProvider {
        let mut provider = CryptoProvider::clone(&self.provider);
        if !wanted.is_empty() {
            provider.cipher_suites.retain(|suite| {
                suite.tls13().is_some() || wanted.iter().any(|name| suite_name(name) == format!("{:?}", suite.suite()))
            });
        }
        provider
    }
}

impl Built {
    fn is_fresh(&self) -> bool {
        self.files.iter().all(|(path, known)| known.is_some() && stamp(path) == *known)
    }
}

/// `ECDHE-RSA-AES128-GCM-SHA256` as the standard has it: `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`.
fn suite_name(name: &str) -> String {
    let name = name.replace("AES128", "WITH_AES_128").replace("AES256", "WITH_AES_256");
    let name = match name.strip_suffix("CHACHA20-POLY1305") {
        Some(start) => format!("{start}WITH_CHACHA20_POLY1305_SHA256"),
        None => name,
    };
    format!("TLS_{}", name.replace('-', "_"))
}

/// The files that a server names.
fn files(tls: &ServerTls) -> impl Iterator<Item = &str> {
    let pairs = match &tls.certificates {
        Named::Own(pairs) => pairs.as_slice(),
        Named::Mesh => &[],
    };
    let own = pairs.iter().flat_map(|pair| [&pair.certificate, &pair.key]);
    let of_callers = match &tls.callers {
        Callers::Any => [None, None],
        Callers::Verified { authorities, revoked, .. } => [Some(authorities), revoked.as_ref()],
    };
    own.chain(of_callers.into_iter().flatten()).filter_map(|pem| match pem {
        Pem::File(path) => Some(path.as_str()),
        Pem::Secret(..) => None,
    })
}

fn stamp(path: &str) -> Option<Stamp> {
    let of = |found: Metadata| (found.ino(), found.len(), found.mtime(), found.mtime_nsec());
    std::fs::metadata(path).ok().map(of)
}

/// The text of PEM.
pub(super) fn read(pem: &Pem) -> Result<Vec<u8>, ServerFault> {
    match pem {
        Pem::Secret(_, text) => text.as_ref().map(|text| text.to_vec()).ok_or(ServerFault::Unusable),
        Pem::File(path) => read_file(path).map_err(|_| ServerFault::Unusable),
    }
}

fn read_file(path: &str) -> io::Result<Vec<u8>> {
    let found = std::fs::metadata(path)?;
    // Others may never end, or be too large.
    if !found.is_file() || found.len() > MAX_FILE {
        return Err(io::ErrorKind::InvalidData.into());
    }
    std::fs::read(path)
}

/// From when until when a certificate is valid, in seconds since 1970.
fn validity(key: &CertifiedKey) -> Option<(i64, i64)> {
    let leaf = key.cert.first()?;
    let said = x509::read(leaf)?;
    Some((said.not_before, said.not_after))
}

/// One of several certificates: the first whose key the caller understands.
#[derive(Debug)]
struct Several(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for Several {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let understood = |one: &&Arc<CertifiedKey>| one.key.choose_scheme(hello.signature_schemes()).is_some();
        self.0.iter().find(understood).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cipher_suites_have_the_names_of_the_standard() {
        for (name, standard) in [
            ("ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
            ("ECDHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
            ("ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
        ] {
            assert_eq!(suite_name(name), standard);
            let known = rustls::crypto::ring::default_provider().cipher_suites;
            assert!(known.iter().any(|suite| format!("{:?}", suite.suite()) == standard), "{standard}");
        }
    }
}
