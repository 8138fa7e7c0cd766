//! A proxy for as long as one command runs.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};

use super::failure::Failure;
use crate::sandbox::{Asked, Lease, Tenant};
use crate::state::StateDir;

/// A process of our own, which ends when this does, however it does: it reads from us until there is nothing more.
#[derive(Debug)]
pub(crate) struct OwnProxy {
    child: Child,
    alive: Option<ChildStdin>,
    node: String,
}

impl OwnProxy {
    /// Starts one with a listener for a workload, and waits until it serves.
    ///
    /// # Errors
    /// What it says, if it does not.
    pub(crate) fn start(state: &StateDir, tenant: &Tenant) -> Result<Self, Failure> {
        let node = format!("run-{}", std::process::id());
        let listen = format!("127.0.0.1:0={}.{}", tenant.workload, tenant.namespace);
        let mut command = Command::new("/proc/self/exe");
        command.args(["proxy", "start", "--until-eof", "--workers", "1", "--drain-timeout", "1s"]);
        command.args(["--node", &node, "--listen", &listen, "--state-dir"]).arg(state.path());
        // Keys that end the command are not for the proxy, which has to record what it did.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let failed = |error: std::io::Error| Failure::client(format!("a proxy cannot be started: {error}"));
        let mut child = command.spawn().map_err(failed)?;
        let (alive, said) = (child.stdin.take(), child.stderr.take());
        let mut told = String::new();
        for line in said.into_iter().flat_map(|said| BufReader::new(said).lines().map_while(Result::ok)) {
            if line == "ready" {
                return Ok(Self { child, alive, node });
            }
            told.push_str(&line);
            told.push('\n');
        }
        let _ = child.wait();
        Err(Failure::Text(told))
    }

    /// A lease of it.
    ///
    /// # Errors
    /// It has ended already.
    pub(crate) fn lease(&self, state: &StateDir, asked: &Asked) -> Result<Lease, Failure> {
        Lease::ask(&state.node_door(&self.node), asked)
            .map_err(|error| Failure::client(format!("the proxy has left: {error}")))
    }

    /// Lets it end, and waits for that.
    pub(crate) fn finish(mut self) {
        drop(self.alive.take());
        let _ = self.child.wait();
    }
}

impl Drop for OwnProxy {
    fn drop(&mut self) {
        drop(self.alive.take());
    }
}
