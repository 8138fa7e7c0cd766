//! Unix sockets of a node in the state directory.

use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

/// A bound socket; its file goes with it, unless that is another process's by now.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) listener: UnixListener,
    path: PathBuf,
    inode: u64,
}

impl Socket {
    /// Binds a socket. A file left by a process that was killed is replaced.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrInUse`] where somebody answers on it.
    pub(super) fn bind(path: &Path) -> io::Result<Self> {
        if path.exists() {
            if std::os::unix::net::UnixStream::connect(path).is_ok() {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            std::fs::remove_file(path)?;
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, path: path.to_owned(), inode: std::fs::metadata(path)?.ino() })
    }

    /// Binds a socket that is to [take](Self::take_place) the place of one on which another process answers.
    pub(super) fn bind_beside(path: &Path) -> io::Result<Self> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".next");
        Self::bind(Path::new(&beside))
    }

    /// From now on clients come here.
    pub(super) fn take_place(&mut self, path: &Path) -> io::Result<()> {
        if self.path != path {
            std::fs::rename(&self.path, path)?;
            path.clone_into(&mut self.path);
        }
        Ok(())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if std::fs::metadata(&self.path).is_ok_and(|found| found.ino() == self.inode) {
            // If it cannot be removed the next start replaces it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_that_another_socket_has_taken_over_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("node.sock");
        let old = Socket::bind(&path).unwrap();
        assert_eq!(Socket::bind(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        let mut new = Socket::bind_beside(&path).unwrap();
        new.take_place(&path).unwrap();
        drop(old);
        assert!(std::os::unix::net::UnixStream::connect(&path).is_ok());
        drop(new);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
