//! The supervisor: makes a sandbox, waits for its program, and passes signals and the terminal on.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command};

use crate::proxy::SIDECAR;

use super::attend::{Signals, attend};
use super::channel::{receive, send};
use super::init::{ARGUMENT, Order, Told};
use super::lease::Lease;
use super::namespaces::{self, Refused};
use super::terminal::Size;
use super::{mounts, network};

/// What is to run.
#[derive(Debug)]
pub struct Plan {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// Where it starts, if not here.
    pub directory: Option<PathBuf>,
    /// The state directory, which it must not see.
    pub state: PathBuf,
    /// Whether it has an empty /tmp and /var/tmp of its own, in which no socket of others can appear.
    pub private_tmp: bool,
    /// Whether it reads our standard input; else it has none.
    pub input: bool,
    /// Whether it has a terminal, which is passed on to ours.
    pub terminal: bool,
}

/// Why a program did not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There are no namespaces for it.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A part of the sandbox could not be made.
    #[error("the sandbox cannot be made: {part}: {why}")]
    Unmade {
        /// The part.
        part: String,
        /// What the system said.
        why: String,
        /// What could be done.
        hint: Option<String>,
    },
    /// The proxy does not take its calls.
    #[error("the proxy does not take the sandbox: {0}")]
    Proxy(String),
    /// The program cannot be executed; with the status that shells have for it.
    #[error("{0}")]
    Unstarted(String, u8),
}

fn unmade(part: &str, why: impl ToString) -> Error {
    Error::Unmade { part: part.to_owned(), why: why.to_string(), hint: None }
}

/// Runs a program to its end, with its calls taken by the proxy of the lease: its exit status; 128 and the signal's number if a
/// signal ended it.
///
/// The calling process must have one thread. It is in other namespaces afterwards, and can start neither threads nor
/// processes; all it should do is to end.
///
/// # Errors
/// Nothing has run then.
pub fn run(plan: &Plan, lease: &Lease) -> Result<u8, Error> {
    let standard = standard(plan).map_err(|error| unmade("standard descriptors", error))?;
    let signals = Signals::catch().map_err(|error| unmade("signals", error))?;
    // Outside, as long as we are there.
    let sockets = mounts::bound_sockets();
    namespaces::enter()?;
    let (network, mut datagrams) = network::set_up().map_err(|(part, error)| forbidden(part, &error))?;
    lease.begin(&network).map_err(Error::Proxy)?;
    // From here on they are the proxy's alone: without it, nobody takes a call.
    drop(network);
    let size = plan.terminal.then(|| Size::of(io::stdout()).or_else(|| Size::of(io::stdin()))).flatten();
    let (state, directory) = (plan.state.clone(), plan.directory.clone());
    let order = Order { state, sockets, private_tmp: plan.private_tmp, directory, terminal: size };
    let (mut init, control) = start(plan).map_err(|error| unmade("its first process", error))?;
    let handed: Vec<BorrowedFd<'_>> = standard.iter().map(AsFd::as_fd).collect();
    send(&control, &order, &handed).map_err(|error| unmade("its first process", error))?;
    drop(handed);
    drop(standard);
    match receive::<Told>(&control).map_err(|error| unmade("its first process", error))? {
        (Told::Started, master) => {
            let mut tell = || lease.tell_datagrams(&datagrams.news());
            let attended = attend(&control, lease.connection(), &signals, master.into_iter().next(), &mut tell);
            tell();
            attended.map_err(|error| unmade("signals and terminal", error))?;
            // Where it has not ended by itself, the proxy has, without which it could call nobody.
            drop(control);
            let status = init.wait().map_err(|error| unmade("its first process", error))?;
            Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
        }
        (Told::Unmade(part, why), _) => {
            let _ = init.wait();
            Err(Error::Unmade { part, why, hint: None })
        }
        (Told::Unstarted(why, status), _) => {
            let _ = init.wait();
            Err(Error::Unstarted(why, status))
        }
    }
}

/// What is forbidden within namespaces that could be made is forbidden by a security module, or not in the kernel.
fn forbidden(part: &str, error: &io::Error) -> Error {
    let hint = match error.kind() {
        io::ErrorKind::PermissionDenied => Some(namespaces::why()),
        _ => Some("the kernel needs nf_tables with tproxy (modules nf_tables and nft_tproxy)".to_owned()),
    };
    Error::Unmade { part: part.to_owned(), why: error.to_string(), hint }
}

/// The program's standard descriptors. A directory among them would lead around all mounts.
fn standard(plan: &Plan) -> io::Result<[OwnedFd; 3]> {
    let input = if plan.input { io::stdin().as_fd().try_clone_to_owned()? } else { File::open("/dev/null")?.into() };
    let all = [input, io::stdout().as_fd().try_clone_to_owned()?, io::stderr().as_fd().try_clone_to_owned()?];
    for descriptor in &all {
        if File::from(descriptor.try_clone()?).metadata()?.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
    }
    Ok(all)
}

/// Starts the first process, and the end by which it is spoken to.
fn start(plan: &Plan) -> io::Result<(Child, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    // This very binary, also where its file has been replaced.
    let mut command = Command::new("/proc/self/exe");
    command.arg(ARGUMENT).args(&plan.command).stdin(OwnedFd::from(theirs));
    with_proxy_variables(&mut command, &format!("http://{SIDECAR}"));
    Ok((command.spawn()?, ours))
}

/// Tells a program by the customary variables to use a proxy for what is not on the loopback.
pub fn with_proxy_variables(command: &mut Command, proxy: &str) {
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"] {
        command.env(name, proxy);
    }
    for name in ["no_proxy", "NO_PROXY"] {
        command.env(name, "localhost,127.0.0.1,::1");
    }
    for name in ["all_proxy", "ALL_PROXY", "ftp_proxy", "FTP_PROXY"] {
        command.env_remove(name);
    }
}
