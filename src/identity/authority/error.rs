//! Why there is no certificate to be had.

use std::path::PathBuf;

use crate::state;

/// Why the authority cannot be used, or a certificate is not issued.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its file cannot be read or written, or is open to others.
    #[error(transparent)]
    State(#[from] state::Error),
    /// An authority for another trust domain is there.
    #[error("the authority vouches for the trust domain {found}, not for {asked}")]
    OtherDomain {
        /// Its trust domain.
        found: String,
        /// What was asked for.
        asked: String,
    },
    /// Its certificates have expired.
    #[error("the authority's certificate has expired; let a new one take over with `egressctl identity rotate`")]
    Over,
    /// What somebody brought cannot be an authority.
    #[error("{}: {reason}", .path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// TLS does not take a certificate.
    #[error("TLS cannot use the certificate: {0}")]
    Tls(rustls::Error),
    /// A key or certificate could not be made.
    #[error("no certificate can be made: {0}")]
    Crypto(#[from] rcgen::Error),
}
