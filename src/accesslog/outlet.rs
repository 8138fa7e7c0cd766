//! Where lines go besides the log.

mod detached;
mod forward;
mod message;
mod rotated;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Instant, SystemTime};

use super::{Batch, Entry, Outlet, Recorded, line};
use detached::Detached;
use forward::{Forwarder, LAST_WORDS};
use rotated::RotatedFile;

/// Lines say who called what, so files are their owner's alone.
const FILE_MODE: u32 = 0o600;

/// How many files stay open. A configuration names a few; changing it again and again may name many.
const OPEN_FILES: usize = 64;

/// The outlets in use: opened when first printed to, kept open.
///
/// An outlet that fails is counted and stops nothing. Standard output and error, and what goes over the network, are
/// written by threads of their own: a reader that sleeps loses lines when it is too far behind, which are in the log all
/// the same.
pub struct Outlets {
    stdout: Box<dyn Write + Send>,
    stderr: Box<dyn Write + Send>,
    targets: Vec<Target>,
}

/// What became of an outlet's lines.
#[derive(Debug)]
pub(super) enum Event<'a> {
    /// It did not take so many lines, or, with none, will not soon; `news` if it took the lines before.
    Failed { outlet: &'a Outlet, lines: u64, error: io::Error, news: bool },
    /// It took lines for the first time after it had failed.
    Recovered(&'a Outlet),
}

/// One outlet, and the lines of the group that is printed.
struct Target {
    outlet: Outlet,
    way: Way,
    buffer: Vec<u8>,
    lines: u64,
    failing: bool,
}

/// What an outlet keeps open.
enum Way {
    /// Standard output or error, which are open anyway.
    Stream,
    File(Option<File>),
    Rotated(RotatedFile),
    Forwarder(Forwarder),
}

/// Lines that an outlet did not take, all of the group where no number is given, and why.
#[derive(Debug)]
struct Failure {
    lost: Option<u64>,
    error: io::Error,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self { lost: None, error }
    }
}

impl Outlets {
    /// The process's own standard output and error, and files.
    pub fn standard() -> Self {
        Self::new(stream(io::stdout().as_fd()), stream(io::stderr().as_fd()))
    }

    /// Other writers in place of standard output and error.
    pub fn new(stdout: Box<dyn Write + Send>, stderr: Box<dyn Write + Send>) -> Self {
        Self { stdout, stderr, targets: Vec::new() }
    }

    /// Prints the entries' lines, one write for each outlet. An outlet that fails loses its lines of this group; the
    /// others get theirs.
    pub(super) fn print(&mut self, entries: &Batch, event: &mut dyn FnMut(Event<'_>)) {
        for entry in entries.iter() {
            target(&mut self.targets, &entry.shape.outlet).take(&entry);
        }
        for target in &mut self.targets {
            if target.lines > 0 {
                let result = target.write(&mut *self.stdout, &mut *self.stderr);
                target.finish(result, event);
            }
        }
        if self.targets.len() > OPEN_FILES {
            self.targets.clear();
        }
    }

    /// Gives memory back: nothing is coming.
    pub(super) fn rest(&mut self) {
        self.targets.iter_mut().for_each(|target| target.buffer = Vec::new());
    }
}

/// This process's standard error, for messages that must neither block nor fail.
pub(crate) fn standard_error() -> Box<dyn Write + Send> {
    stream(io::stderr().as_fd())
}

/// A standard stream under a descriptor of its own: a write that hangs must not hold the lock that the rest of the process
/// prints under.
fn stream(standard: BorrowedFd<'_>) -> Box<dyn Write + Send> {
    match standard.try_clone_to_owned() {
        Ok(own) => Box::new(Detached::new(File::from(own))),
        // It is closed: every line is counted as not printed.
        Err(error) => Box::new(Closed(error.kind())),
    }
}

/// A stream that was closed before we started.
struct Closed(io::ErrorKind);

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl std::fmt::Debug for Outlets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.targets.iter().map(|target| &target.outlet)).finish()
    }
}

/// The target of an outlet; there are few, and neighbours in a group mostly have the same.
fn target<'t>(targets: &'t mut Vec<Target>, outlet: &Outlet) -> &'t mut Target {
    let at = targets.iter().position(|target| target.outlet == *outlet).unwrap_or_else(|| {
        let outlet = outlet.clone();
        targets.push(Target::new(outlet));
        targets.len() - 1
    });
    &mut targets[at]
}

impl Target {
    fn new(outlet: Outlet) -> Self {
        let way = match &outlet {
            Outlet::Stdout | Outlet::Stderr => Way::Stream,
            Outlet::File(_) => Way::File(None),
            Outlet::RotatedFile(..) => Way::Rotated(RotatedFile::default()),
            Outlet::Fluentd(fluentd) => Way::Forwarder(Forwarder::new(fluentd)),
        };
        Self { outlet, way, buffer: Vec::new(), lines: 0, failing: false }
    }

    fn take(&mut self, entry: &Recorded<'_>) {
        self.lines += 1;
        if let Way::Forwarder(forwarder) = &mut self.way {
            return forwarder.offer(&entry.to_entry());
        }
        self.buffer.extend_from_slice(line::printed(entry.line, entry.shape.format).as_bytes());
        self.buffer.push(b'\n');
    }

    fn write(&mut self, stdout: &mut dyn Write, stderr: &mut dyn Write) -> Result<(), Failure> {
        match (&self.outlet, &mut self.way) {
            (Outlet::File(path), Way::File(open_file)) => {
                // Taken out: after an error the file is opened anew.
                let mut file = match open_file.take() {
                    Some(file) if is_still(&file, path) => file,
                    _ => open(path)?,
                };
                file.write_all(&self.buffer)?;
                *open_file = Some(file);
                Ok(())
            }
            (Outlet::RotatedFile(path, rotation), Way::Rotated(file)) => {
                file.write(path, rotation, &self.buffer, SystemTime::now())
            }
            (_, Way::Forwarder(forwarder)) => forwarder.outcome(),
            (Outlet::Stderr, _) => Ok(write_through(stderr, &self.buffer)?),
            _ => Ok(write_through(stdout, &self.buffer)?),
        }
    }

    fn finish(&mut self, result: Result<(), Failure>, event: &mut dyn FnMut(Event<'_>)) {
        let lines = std::mem::take(&mut self.lines);
        self.buffer.clear();
        let was_failing = std::mem::replace(&mut self.failing, result.is_err());
        match result {
            Err(Failure { lost, error }) => {
                let lines = lost.unwrap_or(lines);
                event(Event::Failed { outlet: &self.outlet, lines, error, news: !was_failing });
            }
            Ok(()) if was_failing => event(Event::Recovered(&self.outlet)),
            Ok(()) => {}
        }
    }
}

impl Drop for Outlets {
    /// What goes over the network has a moment for its last batches, all at once.
    fn drop(&mut self) {
        let forwarders = |target: &mut Target| match std::mem::replace(&mut target.way, Way::Stream) {
            Way::Forwarder(forwarder) => Some(forwarder),
            _ => None,
        };
        let mut forwarders: Vec<Forwarder> = self.targets.iter_mut().filter_map(forwarders).collect();
        forwarders.iter_mut().for_each(Forwarder::close);
        let until = Instant::now() + LAST_WORDS;
        forwarders.iter().for_each(|forwarder| forwarder.wait(until));
    }
}

fn write_through(out: &mut dyn Write, bytes: &[u8]) -> io::Result<()> {
    out.write_all(bytes)?;
    out.flush()
}

fn open(path: &Path) -> io::Result<File> {
    // Opening a named pipe waits for its reader, and writing to one as long as it pleases.
    if path.metadata().is_ok_and(|metadata| metadata.file_type().is_fifo()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a named pipe, not a file"));
    }
    OpenOptions::new().append(true).create(true).mode(FILE_MODE).open(path)
}

/// Whether the path still leads to the open file; after a rotation it leads to another one or to none.
fn is_still(file: &File, path: &Path) -> bool {
    let id = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), path.metadata()) {
        (Ok(open), Ok(named)) => id(open) == id(named),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
