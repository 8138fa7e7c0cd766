//! Keys with which a state directory signs: Ed25519, as PKCS #8, in files of their owner alone.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;

/// What stands in a key's file, which is made if there is none. Of several processes that make one at the same time all get
/// the same.
///
/// # Errors
/// The file cannot be read or made.
pub fn signing_key(path: &Path) -> io::Result<Vec<u8>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(path).and_then(|()| fs::read(path)),
        known => known,
    }
}

/// Writes a new key, unless somebody else is faster. The file is whole from the moment it is there.
fn make(path: &Path) -> io::Result<()> {
    let no_randomness = |_| io::Error::other("the system gives no randomness");
    let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(no_randomness)?;
    let new = path.with_extension(format!("{}.new", uuid::Uuid::new_v4()));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    let linked = file.write_all(key.as_ref()).and_then(|()| file.sync_all()).and_then(|()| fs::hard_link(&new, path));
    fs::remove_file(&new)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    }
}
