//! The state directory and the paths in it.

use std::fs::DirBuilder;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::Error;

/// Directories may be entered by their owner alone: they hold keys, sockets and records of who called what.
const DIRECTORY_MODE: u32 = 0o700;
/// Permissions of a directory with which others than its owner can replace files in it.
const WRITABLE_BY_OTHERS: u32 = 0o022;
/// Permissions with which others can do anything with a directory.
const OPEN_TO_OTHERS: u32 = 0o077;

/// A state directory that exists, with its sub-directories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDir {
    path: PathBuf,
}

impl StateDir {
    /// Opens the directory, creating it, its parents and its sub-directories where they are missing. What is created
    /// has mode 0700. A directory that is there already may not be one that others can write, because they could put
    /// files of their own in place of ours; its sub-directories may not be open to others at all.
    ///
    /// # Errors
    /// [`Error::Unwritable`] with the path that cannot be created, [`Error::Open`] with the one that is open to others.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let dir = Self { path: path.into() };
        for directory in
            [dir.path.clone(), dir.segments(), dir.access_segments(), dir.identity(), dir.quota(), dir.run()]
        {
            create_directory(&directory)?;
        }
        refuse(&dir.path, WRITABLE_BY_OTHERS)?;
        for directory in [dir.path.join("log"), dir.identity(), dir.quota(), dir.run()] {
            refuse(&directory, OPEN_TO_OTHERS)?;
        }
        Ok(dir)
    }

    /// The same for a directory that came along with a checkout, and so with the mode that the umask gave it: others'
    /// permissions are taken away first.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_checked_out(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        create_directory(&path)?;
        if refuse(&path, WRITABLE_BY_OTHERS).is_err() {
            std::fs::set_permissions(&path, Permissions::from_mode(DIRECTORY_MODE))
                .map_err(|error| Error::unwritable(&path, error))?;
        }
        Self::open(path)
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The database of declared resources.
    pub fn registry_db(&self) -> PathBuf {
        self.path.join("registry.db")
    }

    /// The database of the newest log entries.
    pub fn hot_db(&self) -> PathBuf {
        self.path.join("log/hot.db")
    }

    /// The directory of sealed log segments.
    pub fn segments(&self) -> PathBuf {
        self.path.join("log/segments")
    }

    /// The database of the newest records of calls.
    pub fn access_db(&self) -> PathBuf {
        self.path.join("access/hot.db")
    }

    /// The directory of sealed records of calls.
    pub fn access_segments(&self) -> PathBuf {
        self.path.join("access/segments")
    }

    /// The directory of keys and certificates.
    pub fn identity(&self) -> PathBuf {
        self.path.join("identity")
    }

    /// The key that bearer tokens are signed with.
    pub fn token_key(&self) -> PathBuf {
        self.identity().join("tokens.key")
    }

    /// The key that signs heads of the access log.
    pub fn log_key(&self) -> PathBuf {
        self.identity().join("log.key")
    }

    /// The directory of what quotas have counted.
    pub fn quota(&self) -> PathBuf {
        self.path.join("quota")
    }

    /// The file of what one node's quotas have counted.
    pub fn node_quota(&self, node: &str) -> PathBuf {
        self.quota().join(format!("{node}.json"))
    }

    /// The directory of run-time files: sockets of running nodes.
    pub fn run(&self) -> PathBuf {
        self.path.join("run")
    }

    /// The admin socket of a running proxy.
    pub fn node_socket(&self, node: &str) -> PathBuf {
        self.run().join(format!("{node}.sock"))
    }

    /// The socket of a running proxy by which sandboxes hand over theirs.
    pub fn node_door(&self, node: &str) -> PathBuf {
        self.run().join(format!("{node}.sandboxes"))
    }

    /// The file that one process of a node holds a lock on while it lives.
    pub fn node_process(&self, node: &str, process: &str) -> PathBuf {
        self.run().join(format!("{node}.{process}.process"))
    }

    /// Those files of all processes of a node, with the processes' names.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn node_processes(&self, node: &str) -> io::Result<Vec<(String, PathBuf)>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(self.run())? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let of_node = name.and_then(|name| name.strip_prefix(node)?.strip_prefix('.')?.strip_suffix(".process"));
            // With a dot it is of a node with a longer name.
            if let Some(process) = of_node.filter(|process| !process.contains('.')) {
                found.push((process.to_owned(), path));
            }
        }
        Ok(found)
    }

    /// The file in which the egress gateway says where sidecars of other processes reach it.
    pub fn gateway_address(&self) -> PathBuf {
        self.run().join("gateway.addr")
    }

    /// The admin sockets of all proxies, also of killed ones.
    pub fn node_sockets(&self) -> Vec<PathBuf> {
        self.in_run("sock")
    }

    /// The sockets for sandboxes of all proxies, also of killed ones.
    pub fn node_doors(&self) -> Vec<PathBuf> {
        self.in_run("sandboxes")
    }

    fn in_run(&self, extension: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.run()).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == extension)).collect()
    }
}

fn create_directory(path: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path).map_err(|error| Error::unwritable(path, error))
}

/// Refuses a directory with any of these permissions.
fn refuse(path: &Path, permissions: u32) -> Result<(), Error> {
    let found = std::fs::metadata(path).map_err(|error| Error::unwritable(path, error))?;
    let mode = found.permissions().mode() & 0o7777;
    if mode & permissions == 0 { Ok(()) } else { Err(Error::Open { path: path.to_owned(), mode }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_missing_directory_is_made_with_its_parents_for_the_owner_alone() {
        let root = tempfile::tempdir().unwrap();
        let dir = StateDir::open(root.path().join("a/b")).unwrap();
        for path in
            [root.path().join("a"), root.path().join("a/b"), dir.segments(), dir.identity(), dir.quota(), dir.run()]
        {
            assert_eq!(mode(&path), 0o700, "{}", path.display());
        }
    }

    #[test]
    fn opening_it_again_is_no_error() {
        let root = tempfile::tempdir().unwrap();
        let first = StateDir::open(root.path().join("s")).unwrap();
        assert_eq!(StateDir::open(root.path().join("s")).unwrap(), first);
    }

    #[test]
    fn a_directory_that_is_open_to_others_is_refused_with_what_to_do() {
        let root = tempfile::tempdir().unwrap();
        let dir = StateDir::open(root.path().join("s")).unwrap();
        for (path, mode) in [(dir.run(), 0o755), (dir.path().to_owned(), 0o777)] {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let error = StateDir::open(dir.path()).unwrap_err();
            let expected = format!("{} is open to others than its owner (its mode is {mode:04o})", path.display());
            assert_eq!(error.to_string(), expected);
            assert_eq!(error.hint().unwrap(), format!("make it private: chmod 700 '{}'", path.display()));
            std::fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
        }
    }

    #[test]
    fn a_directory_of_a_checkout_is_made_private() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("state");
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o775)).unwrap();
        StateDir::open_checked_out(&path).unwrap();
        assert_eq!(mode(&path), 0o700);
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_refused_by_name() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = StateDir::open(file.join("state")).unwrap_err();
        assert!(matches!(error, Error::Unwritable { .. }));
        let expected = format!("cannot use {}/state: Not a directory (os error 20)", file.display());
        assert_eq!(error.to_string(), expected);
        assert!(error.hint().is_some());
    }
}
