//! What must not be left behind, whether a command ends or is interrupted.

use std::fs;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::{emulate_default_handler, pipe};

/// Files and folders that go when the process is interrupted.
static LEFTOVERS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Whether interrupts are watched for.
static WATCH: Once = Once::new();

/// A file or folder that is gone when this is dropped, and when the process is interrupted before.
#[derive(Debug)]
pub(crate) struct Leftover(PathBuf);

impl Leftover {
    /// Takes over a file or folder that is about to be made.
    ///
    /// # Errors
    /// Interrupts cannot be watched for.
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        let mut watched = Ok(());
        WATCH.call_once(|| watched = watch());
        watched?;
        leftovers().push(path.to_owned());
        Ok(Self(path.to_owned()))
    }

    /// A new folder for what is needed only meanwhile, which nobody else reads.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn folder() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("egressctl-{}", uuid::Uuid::new_v4()));
        let folder = Self::new(&path)?;
        std::os::unix::fs::DirBuilderExt::mode(&mut fs::DirBuilder::new(), 0o700).create(&path)?;
        Ok(folder)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Leftover {
    fn drop(&mut self) {
        remove(&self.0);
        leftovers().retain(|path| *path != self.0);
    }
}

fn leftovers() -> MutexGuard<'static, Vec<PathBuf>> {
    LEFTOVERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How often a folder is removed in which something is made meanwhile.
const TRIES: usize = 100;

/// What is not there, because it has got its name meanwhile, is no fault; and nobody is left who could be told another.
fn remove(path: &Path) {
    for _ in 0..TRIES {
        let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        if !path.exists() {
            return;
        }
    }
}

/// On an interrupt removes what is left and ends the process as the signal would have.
fn watch() -> io::Result<()> {
    let mut reads = Vec::new();
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        let (read, write) = UnixStream::pair()?;
        pipe::register(signal, write)?;
        reads.push((signal, read));
    }
    for (signal, mut read) in reads {
        let end = move || {
            if read.read_exact(&mut [0]).is_ok() {
                // Held until the end, so that nothing new is made.
                let leftovers = leftovers();
                leftovers.iter().for_each(|path| remove(path));
                let _ = emulate_default_handler(signal);
            }
        };
        thread::Builder::new().name("interrupt".to_owned()).spawn(end)?;
    }
    Ok(())
}
