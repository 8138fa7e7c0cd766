//! The guided tour: the scenario from declaring to asking, on loopback, with every step checked.

pub mod origin;
mod steps;

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// Runs the tour in a temporary state directory and writes it to `out`.
///
/// # Errors
/// The first step that did not give what the scenario says.
pub fn run(out: &mut dyn Write) -> Result<()> {
    let tour = Tour::new()?;
    let outcome = steps::all(&tour, out);
    // The directory holds nothing that outlives the tour.
    let _ = std::fs::remove_dir_all(&tour.directory);
    outcome
}

/// Where the tour takes place.
struct Tour {
    exe: PathBuf,
    directory: PathBuf,
}

impl Tour {
    fn new() -> Result<Self> {
        let exe = std::env::current_exe().context("cannot find this program's own file")?;
        let directory = std::env::temp_dir().join(format!("egressctl-demo-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
        Ok(Self { exe, directory })
    }

    /// This program with arguments, on the tour's own state directory.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.exe);
        command.args(arguments).env("EGRESSCTL_STATE_DIR", self.directory.join("state")).env("NO_COLOR", "1");
        command
    }

    /// What it prints, if it ends well.
    fn ask(&self, arguments: &[&str]) -> Result<String> {
        self.tell(arguments, "")
    }

    /// [`Tour::ask`], with a text on standard input.
    fn tell(&self, arguments: &[&str], input: &str) -> Result<String> {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        // Dropped at the end of the statement, so that the child sees the end of its input.
        child.stdin.take().context("standard input is piped")?.write_all(input.as_bytes())?;
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!("egressctl {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// The tour's proxy; killed if the tour ends before it was stopped.
struct Proxy(Child);

impl Drop for Proxy {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
