//! Mutual TLS of the mesh: certificates of the identities that this process speaks for, kept fresh, and who is trusted.
//!
//! What is built here asks for certificates and roots at each handshake, so a renewed certificate or another root is in
//! force for new connections at once, and connections stay. No session is resumed: every connection is proven anew.

mod verifiers;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SignatureScheme};

use super::authority::{Authority, Bundle, Error, Stamp, Store, Unpacked};
use super::{SpiffeId, TrustDomain};
use verifiers::{Callers, Servers};

/// By how many parts in a thousand of its life the renewal of a certificate is moved, so that not all are renewed at a time.
const JITTER: u64 = 20;

/// What this process proves itself with to others of its mesh, and believes them by.
#[derive(Debug)]
pub struct Mesh {
    source: Source,
    ttl: Duration,
    provider: Arc<CryptoProvider>,
    trust: ArcSwap<Trust>,
    /// Looked into at handshakes, never per call.
    held: Mutex<HashMap<SpiffeId, Arc<Held>>>,
}

/// Where certificates and roots come from.
#[derive(Debug)]
pub enum Source {
    /// The authority of a state directory, which issues what is needed.
    Authority(Store),
    /// One certificate that was issued elsewhere, for the one identity that this process speaks for.
    Issued(Bundle),
}

impl Source {
    fn stamps(&self) -> [Option<Stamp>; 3] {
        match self {
            Source::Authority(store) => [store.stamp(), None, None],
            Source::Issued(bundle) => bundle.stamps(),
        }
    }
}

/// Who is trusted, as of the source's files.
#[derive(Debug)]
struct Trust {
    stamps: [Option<Stamp>; 3],
    authority: Authority,
    roots: Arc<RootCertStore>,
    callers: Arc<dyn ClientCertVerifier>,
}

/// A certificate of a workload that this process speaks for.
#[derive(Debug)]
pub struct Held {
    /// Whose it is.
    pub identity: SpiffeId,
    /// From when it is valid, in seconds since 1970.
    pub not_before: i64,
    /// Until when.
    pub not_after: i64,
    certified: Arc<CertifiedKey>,
    renewed_from: i64,
    signed_by: CertificateDer<'static>,
    /// Whether anybody has proven himself by it.
    used: AtomicBool,
}

impl Held {
    /// Whether it is to be renewed: it is past half its life, or another authority signs by now.
    fn is_due(&self, now: i64, signing: Option<&CertificateDer<'_>>) -> bool {
        self.renewed_from <= now || signing.is_some_and(|signing| *signing != self.signed_by)
    }

    /// The certificate, then those that lead to the root.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.certified.cert
    }
}

impl Mesh {
    /// The mesh of a source; an authority is made where there is none. Certificates that are issued are valid for `ttl`.
    ///
    /// # Errors
    /// Those of the source.
    pub fn open(source: Source, domain: Option<&TrustDomain>, ttl: Duration) -> Result<Self, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        // Before: what is written meanwhile is then read again.
        let stamps = source.stamps();
        let mut held = HashMap::new();
        let authority = match &source {
            Source::Authority(store) => store.open(domain, now())?,
            Source::Issued(bundle) => take_up(bundle.unpack(domain)?, &provider, &mut held)?,
        };
        let trust = ArcSwap::from_pointee(Trust::new(stamps, authority, &provider)?);
        Ok(Self { source, ttl, provider, trust, held: Mutex::new(held) })
    }

    /// Whose identities are believed.
    pub fn trust_domain(&self) -> TrustDomain {
        self.trust.load().authority.trust_domain().clone()
    }

    /// The roots that are trusted.
    pub fn roots(&self) -> Vec<CertificateDer<'static>> {
        self.trust.load().authority.roots(now()).cloned().collect()
    }

    /// The certificates that are held, by identity.
    pub fn certificates(&self) -> Vec<Arc<Held>> {
        let mut all: Vec<_> = self.held().values().cloned().collect();
        all.sort_by(|a, b| a.identity.cmp(&b.identity));
        all
    }

    /// The certificate of an identity, made or renewed if need be. Where it cannot be renewed it serves to its end.
    ///
    /// # Errors
    /// Those of the authority.
    pub fn certificate(&self, identity: &SpiffeId) -> Result<Arc<Held>, Error> {
        let now = now();
        let trust = self.trust.load();
        let signing = trust.authority.signing(now);
        let mut held = self.held();
        let known = held.get(identity).filter(|known| now < known.not_after).cloned();
        let certificate = match known {
            Some(known) if !known.is_due(now, signing) => known,
            known => match (self.issue(identity, now), known) {
                (Ok(issued), _) => {
                    held.insert(identity.clone(), Arc::clone(&issued));
                    issued
                }
                (Err(_), Some(known)) => known,
                (Err(error), None) => return Err(error),
            },
        };
        certificate.used.store(true, Ordering::Relaxed);
        Ok(certificate)
    }

    /// Takes up what was changed in the authority's file, and renews the certificates whose time has come; those that nobody
    /// used are let go of.
    ///
    /// # Errors
    /// What is in the way; all that was there stays.
    pub fn refresh(&self) -> Result<(), Error> {
        let now = now();
        self.follow(now)?;
        let trust = self.trust.load();
        let signing = trust.authority.signing(now);
        let mut held = self.held();
        held.retain(|_, one| now < one.renewed_from || one.used.load(Ordering::Relaxed));
        for one in held.values_mut().filter(|one| one.is_due(now, signing)) {
            *one = self.issue(&one.identity, now)?;
        }
        Ok(())
    }

    fn follow(&self, now: i64) -> Result<(), Error> {
        let (stamps, known) = (self.source.stamps(), self.trust.load());
        if stamps == known.stamps && known.authority.roots(now).count() == known.roots.len() {
            return Ok(());
        }
        let authority = match &self.source {
            Source::Authority(store) => store.load()?,
            Source::Issued(bundle) => {
                let domain = known.authority.trust_domain();
                Some(take_up(bundle.unpack(Some(domain))?, &self.provider, &mut self.held())?)
            }
        };
        if let Some(authority) = authority {
            self.trust.store(Arc::new(Trust::new(stamps, authority, &self.provider)?));
        }
        Ok(())
    }

    fn issue(&self, identity: &SpiffeId, now: i64) -> Result<Arc<Held>, Error> {
        if let Source::Issued(bundle) = &self.source {
            return Err(bundle.not_for(identity));
        }
        let issued = self.trust.load().authority.issue(identity, self.ttl, now)?;
        let key = PrivateKeyDer::Pkcs8(issued.key.serialize_der().into());
        let certified = CertifiedKey::from_der(issued.chain, key, &self.provider).map_err(Error::Tls)?;
        let life = u64::try_from(issued.not_after - now).unwrap_or_default();
        let moved = uuid::Uuid::new_v4().as_u64_pair().0 % JITTER;
        let half = life / 2 + life * moved / 1000 - life * (JITTER / 2) / 1000;
        Ok(Arc::new(Held {
            identity: issued.identity,
            not_before: issued.not_before,
            not_after: issued.not_after,
            certified: Arc::new(certified),
            renewed_from: now + i64::try_from(half).unwrap_or(i64::MAX / 2),
            signed_by: issued.signed_by,
            used: AtomicBool::new(false),
        }))
    }

    fn held(&self) -> MutexGuard<'_, HashMap<SpiffeId, Arc<Held>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a client of this identity speaks TLS with to servers that have one of these names: identities, or names of
    /// hosts; without names to whoever has an identity of the mesh.
    ///
    /// # Errors
    /// None that is known; what rustls says.
    pub fn client(self: &Arc<Self>, identity: &SpiffeId, names: &[String]) -> Result<ClientConfig, rustls::Error> {
        let own = Arc::new(Own { mesh: Arc::clone(self), identity: identity.clone() });
        let verifier = Arc::new(Servers { mesh: Arc::clone(self), names: names.to_vec() });
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider));
        let builder = builder.with_safe_default_protocol_versions()?.dangerous();
        let mut config = builder.with_custom_certificate_verifier(verifier).with_client_cert_resolver(own);
        config.resumption = Resumption::disabled();
        Ok(config)
    }

    /// What a server of this identity ends TLS with, of callers that have an identity of the mesh.
    ///
    /// # Errors
    /// None that is known; what rustls says.
    pub fn server(self: &Arc<Self>, identity: &SpiffeId) -> Result<ServerConfig, rustls::Error> {
        let own = Arc::new(Own { mesh: Arc::clone(self), identity: identity.clone() });
        let builder = ServerConfig::builder_with_provider(Arc::clone(&self.provider));
        let builder = builder.with_safe_default_protocol_versions()?;
        let verifier = Arc::new(Callers { mesh: Arc::clone(self) });
        let mut config = builder.with_client_cert_verifier(verifier).with_cert_resolver(own);
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }
}

impl Trust {
    fn new(stamps: [Option<Stamp>; 3], authority: Authority, provider: &Arc<CryptoProvider>) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        for root in authority.roots(now()) {
            roots.add(root.clone()).map_err(Error::Tls)?;
        }
        let roots = Arc::new(roots);
        let callers = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(provider)).build();
        let callers = callers.map_err(|error| Error::Tls(rustls::Error::General(error.to_string())))?;
        Ok(Self { stamps, authority, roots, callers })
    }
}

/// Holds the certificate of a bundle, instead of any before; gives back who is trusted.
fn take_up(
    unpacked: Unpacked,
    provider: &CryptoProvider,
    held: &mut HashMap<SpiffeId, Arc<Held>>,
) -> Result<Authority, Error> {
    let Unpacked { authority, identity, chain, key, not_before, not_after } = unpacked;
    let certified = CertifiedKey::from_der(chain, key, provider).map_err(Error::Tls)?;
    let signed_by = certified.cert.last().cloned().unwrap_or_else(|| CertificateDer::from(Vec::new()));
    held.clear();
    held.insert(
        identity.clone(),
        Arc::new(Held {
            identity,
            not_before,
            not_after,
            certified: Arc::new(certified),
            // Whoever issued it renews it.
            renewed_from: i64::MAX,
            signed_by,
            used: AtomicBool::new(true),
        }),
    );
    Ok(authority)
}

/// One's own certificate, as it is at each handshake.
#[derive(Debug)]
struct Own {
    mesh: Arc<Mesh>,
    identity: SpiffeId,
}

impl Own {
    fn certified(&self) -> Option<Arc<CertifiedKey>> {
        self.mesh.certificate(&self.identity).ok().map(|held| Arc::clone(&held.certified))
    }
}

impl ResolvesClientCert for Own {
    fn resolve(&self, _authorities: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.certified()
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl ResolvesServerCert for Own {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.certified()
    }
}

/// In seconds since 1970.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
