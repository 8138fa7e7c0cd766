//! Where the process spends its time: its stacks are sampled, a number of times in each second that it computes, and drawn as a
//! flame graph, with a column for each thread.
//!
//! Samples are taken in a signal handler (SIGPROF). It walks the stack by tables that the C library finds without a lock since
//! glibc 2.35; with an older one a sample could meet the lock of whatever it interrupts, so it is nothing to leave on for ever.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use pprof::flamegraph::Options;
use pprof::{ProfilerGuard, ProfilerGuardBuilder};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::messages::Messages;

/// Samples a second of computing: not a round number, so as not to keep time with what happens at round times.
const FREQUENCY: i32 = 199;

/// Samples, and where they are drawn.
#[derive(Clone)]
pub(super) struct Profile {
    /// One is drawn at a time.
    sampling: Arc<Mutex<ProfilerGuard<'static>>>,
    file: PathBuf,
    node: String,
}

impl std::fmt::Debug for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Profile({})", self.file.display())
    }
}

impl Profile {
    /// Samples from now on. That the file can be written is seen at once, and not when it is needed; it is not there before there
    /// is a graph.
    ///
    /// # Errors
    /// It cannot be written, or the system lets nothing be sampled.
    pub(super) fn start(file: &Path, node: &str) -> io::Result<Self> {
        if file.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let beside = beside(file);
        File::create(&beside)?;
        std::fs::remove_file(beside)?;
        let sampling = ProfilerGuardBuilder::default().frequency(FREQUENCY).build().map_err(io::Error::other)?;
        Ok(Self { sampling: Arc::new(Mutex::new(sampling)), file: file.to_owned(), node: node.to_owned() })
    }

    /// What asks for a graph while the process runs.
    ///
    /// # Errors
    /// The signal cannot be caught.
    pub(super) fn asked() -> io::Result<Signal> {
        signal(SignalKind::user_defined1())
    }

    /// Draws what was sampled until now, each time it is asked for.
    pub(super) async fn serve(self, mut asked: Signal, messages: Messages) {
        while asked.recv().await.is_some() {
            let (profile, messages) = (self.clone(), messages.clone());
            // Looking names up takes a while.
            let _ = tokio::task::spawn_blocking(move || profile.tell(&messages)).await;
        }
    }

    /// Draws what was sampled, and says whether it could be.
    pub(super) fn tell(&self, messages: &Messages) {
        let file = self.file.display();
        messages.say(&match self.draw() {
            Ok(()) => format!("a flame graph is in {file}"),
            Err(error) => format!("no flame graph was written to {file}: {error}"),
        });
    }

    /// Whoever looks at the file sees a whole graph, this or the one before.
    fn draw(&self) -> io::Result<()> {
        let sampling = self.sampling.lock().unwrap_or_else(PoisonError::into_inner);
        let report = sampling.report().build().map_err(io::Error::other)?;
        if report.data.is_empty() {
            return Err(io::Error::other(format!("no sample met anything, of {FREQUENCY} in a second of CPU time")));
        }
        let mut options = Options::default();
        options.title = format!("egressctl proxy {}", self.node);
        options.subtitle = Some(format!("{FREQUENCY} samples a second of CPU time"));
        let beside = beside(&self.file);
        let mut writer = BufWriter::new(File::create(&beside)?);
        report.flamegraph_with_options(&mut writer, &mut options).map_err(io::Error::other)?;
        writer.flush()?;
        std::fs::rename(beside, &self.file)
    }
}

/// Where a graph is written before it is whole; each process has its own, for one may go on instead of another.
fn beside(file: &Path) -> PathBuf {
    file.with_extension(format!("svg.{}", std::process::id()))
}
