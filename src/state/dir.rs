//! The state directory and the paths in it.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::Error;

/// Directories may be entered by their owner alone: they hold keys, sockets and records of who called what.
const DIRECTORY_MODE: u32 = 0o700;

/// A state directory that exists, with its sub-directories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDir {
    path: PathBuf,
}

impl StateDir {
    /// Opens the directory, creating it, its parents and its sub-directories where they are missing. What is created
    /// has mode 0700; a directory that is there already keeps its mode.
    ///
    /// # Errors
    /// [`Error::Unwritable`] with the path that cannot be created.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let dir = Self { path: path.into() };
        for directory in [dir.path.clone(), dir.segments(), dir.identity(), dir.run()] {
            create_directory(&directory)?;
        }
        Ok(dir)
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

    /// The directory of keys and certificates.
    pub fn identity(&self) -> PathBuf {
        self.path.join("identity")
    }

    /// The directory of run-time files: sockets of running nodes.
    pub fn run(&self) -> PathBuf {
        self.path.join("run")
    }

    /// The admin socket of a running proxy.
    pub fn node_socket(&self, node: &str) -> PathBuf {
        self.run().join(format!("{node}.sock"))
    }

    /// The admin sockets of all proxies, also of killed ones.
    pub fn node_sockets(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.run()).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "sock")).collect()
    }
}

fn create_directory(path: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path).map_err(|error| Error::unwritable(path, error))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_missing_directory_is_made_with_its_parents_for_the_owner_alone() {
        let root = tempfile::tempdir().unwrap();
        let dir = StateDir::open(root.path().join("a/b")).unwrap();
        for path in [root.path().join("a"), root.path().join("a/b"), dir.segments(), dir.identity(), dir.run()] {
            assert_eq!(mode(&path), 0o700, "{}", path.display());
        }
    }

    #[test]
    fn opening_it_again_is_no_error() {
        let root = tempfile::tempdir().unwrap();
        let first = StateDir::open(root.path()).unwrap();
        assert_eq!(StateDir::open(root.path()).unwrap(), first);
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
