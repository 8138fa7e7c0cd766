//! The authority's file: read and replaced as a whole, by one process at a time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{Issuer, KeyPair};
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};

use crate::state::{self, StateDir};

use super::{Authority, Brought, Error, Issued, Signer, SpiffeId, TrustDomain, certificates, to_pem};
use crate::identity::x509;

/// Permissions of others than the owner.
pub(super) const OTHERS: u32 = 0o077;

/// Where a state directory's authority is kept.
#[derive(Debug, Clone)]
pub struct Store {
    directory: PathBuf,
}

/// By what a file that was written anew is told from what it was.
pub type Stamp = (u64, u64, i64, i64);

/// The file, in JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    trust_domain: String,
    authorities: Vec<WrittenSigner>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenSigner {
    root: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    chain: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    signs_from: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trusted_until: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issued_until: Option<i64>,
}

impl Store {
    /// That of a state directory.
    pub fn of(state: &StateDir) -> Self {
        Self { directory: state.identity() }
    }

    fn path(&self) -> PathBuf {
        self.directory.join("authority.json")
    }

    /// How the file is now; none while there is none.
    pub fn stamp(&self) -> Option<Stamp> {
        stamp(&self.path())
    }

    /// The authority, if there is one.
    ///
    /// # Errors
    /// A file that cannot be read, is damaged, or open to others.
    pub fn load(&self) -> Result<Option<Authority>, Error> {
        let path = self.path();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(state::Error::Unwritable { path, source }.into()),
        };
        let mode = fs::metadata(&path).map_or(0, |found| found.mode() & 0o7777);
        if mode & OTHERS != 0 {
            return Err(state::Error::Open { path, mode }.into());
        }
        let written: Written = serde_json::from_str(&text).map_err(|error| damaged(&path, &error))?;
        read(written).map(Some).map_err(|why| damaged(&path, &why))
    }

    /// The authority; made with a root of its own, for this trust domain, where there is none. Of several processes that do
    /// so at a time all get the same.
    ///
    /// # Errors
    /// As [`Store::load`]; [`Error::OtherDomain`] where one is there that is for another domain than was asked for.
    pub fn open(&self, wanted: Option<&TrustDomain>, now: i64) -> Result<Authority, Error> {
        let found = match self.load()? {
            Some(found) => found,
            None => {
                let _lock = self.lock()?;
                self.load_or_make(wanted, now)?
            }
        };
        match wanted.filter(|wanted| *wanted != found.trust_domain()) {
            None => Ok(found),
            Some(wanted) => {
                Err(Error::OtherDomain { found: found.trust_domain().to_string(), asked: wanted.to_string() })
            }
        }
    }

    /// That which is there, or a new one; the lock is held.
    fn load_or_make(&self, wanted: Option<&TrustDomain>, now: i64) -> Result<Authority, Error> {
        if let Some(found) = self.load()? {
            return Ok(found);
        }
        let made = Authority::create(wanted.cloned().unwrap_or_default(), now)?;
        self.write(&made)?;
        Ok(made)
    }

    /// Issues a certificate to a program that will not ask for the next by itself, and notes its end: so long the authority
    /// has to be trusted. Also gives back the authority.
    ///
    /// # Errors
    /// As [`Store::load`] and [`Authority::issue`].
    pub fn issue(&self, identity: &SpiffeId, ttl: Duration, now: i64) -> Result<(Authority, Issued), Error> {
        let _lock = self.lock()?;
        let mut authority = self.load_or_make(None, now)?;
        let issued = authority.issue(identity, ttl, now)?;
        let signer = authority.signers.iter_mut().find(|signer| *signer.own() == issued.signed_by);
        // Where nothing was noted before, what is not known is longer.
        let noted = signer.and_then(|signer| signer.issued_until.as_mut()).filter(|noted| **noted < issued.not_after);
        if let Some(noted) = noted {
            *noted = issued.not_after;
            self.write(&authority)?;
        }
        Ok((authority, issued))
    }

    /// Lets another authority take over: one that somebody brought, or a new root. It is trusted at once and signs after
    /// `takeover`; what was there stays trusted for `overlap` after that, or if none is given, until the last certificate that
    /// it issued is over, and for [`super::DEFAULT_TTL`] at least.
    ///
    /// # Errors
    /// As [`Store::load`], and what is wrong with what was brought.
    pub fn rotate(
        &self,
        brought: Option<&Brought>,
        wanted: Option<&TrustDomain>,
        (takeover, overlap): (Duration, Option<Duration>),
        now: i64,
    ) -> Result<Authority, Error> {
        let _lock = self.lock()?;
        let found = self.load()?;
        let mut authority = match found {
            Some(found) => match wanted.filter(|wanted| *wanted != found.trust_domain()) {
                Some(wanted) => {
                    let found = found.trust_domain().to_string();
                    return Err(Error::OtherDomain { found, asked: wanted.to_string() });
                }
                None => found,
            },
            None => Authority { trust_domain: wanted.cloned().unwrap_or_default(), signers: Vec::new() },
        };
        let next = match brought {
            Some(brought) => brought.signer(&authority.trust_domain, now)?,
            None => Signer::self_signed(&authority.trust_domain, now)?,
        };
        authority.succeed(next, takeover, overlap, now);
        self.write(&authority)?;
        Ok(authority)
    }

    /// Held by who changes the file, until it is dropped.
    fn lock(&self) -> Result<File, Error> {
        let path = self.directory.join("lock");
        let locked = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let locked = locked.and_then(|file| file.lock().map(|()| file));
        locked.map_err(|source| state::Error::Unwritable { path, source }.into())
    }

    /// Replaces the file as a whole.
    fn write(&self, authority: &Authority) -> Result<(), Error> {
        let (path, beside) = (self.path(), self.directory.join("authority.json.new"));
        let text = serde_json::to_string_pretty(&written(authority)).expect("texts and numbers are always JSON");
        let write = || {
            // Left by who was killed while writing; the lock is ours.
            let _ = fs::remove_file(&beside);
            let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&beside)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&beside, &path)?;
            File::open(&self.directory)?.sync_all()
        };
        write().map_err(|source| state::Error::Unwritable { path: path.clone(), source }.into())
    }
}

/// How a file is now; none while there is none.
pub(super) fn stamp(path: &Path) -> Option<Stamp> {
    let found = fs::metadata(path).ok()?;
    Some((found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
}

fn damaged(path: &Path, why: &dyn std::fmt::Display) -> Error {
    state::Error::Corrupt { path: path.to_owned(), detail: why.to_string() }.into()
}

fn written(authority: &Authority) -> Written {
    let signer = |signer: &Signer| WrittenSigner {
        root: to_pem(&signer.root),
        chain: signer.chain.iter().map(to_pem).collect(),
        key: signer.issuer.as_ref().map(|issuer| issuer.key().serialize_pem()),
        signs_from: signer.signs_from,
        trusted_until: signer.trusted_until,
        issued_until: signer.issued_until,
    };
    Written {
        trust_domain: authority.trust_domain.to_string(),
        authorities: authority.signers.iter().map(signer).collect(),
    }
}

fn read(written: Written) -> Result<Authority, String> {
    let trust_domain = written.trust_domain.parse().map_err(|error: crate::identity::NoIdentity| error.to_string())?;
    let signers = written.authorities.into_iter().map(read_signer).collect::<Result<Vec<_>, _>>()?;
    Ok(Authority { trust_domain, signers })
}

fn read_signer(written: WrittenSigner) -> Result<Signer, String> {
    let [root] = <[CertificateDer<'static>; 1]>::try_from(
        certificates(written.root.as_bytes()).map_err(|error| error.to_string())?,
    )
    .map_err(|_| "an authority has one root")?;
    let chain = certificates(written.chain.as_bytes()).map_err(|error| error.to_string())?;
    let issuer = match &written.key {
        None => None,
        Some(key) => {
            let key = KeyPair::from_pem(key).map_err(|_| "a key cannot be read")?;
            let own = chain.first().unwrap_or(&root);
            Some(Issuer::from_ca_cert_der(own, key).map_err(|error| error.to_string())?)
        }
    };
    let ends = chain.iter().chain([&root]).map(|one| x509::read(one).map(|said| said.not_after));
    let not_after = ends.min().flatten().ok_or("a certificate cannot be read")?;
    let WrittenSigner { signs_from, trusted_until, issued_until, .. } = written;
    Ok(Signer { chain, root, issuer, signs_from, trusted_until, not_after, issued_until })
}
