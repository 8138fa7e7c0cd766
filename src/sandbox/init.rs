//! The first process of a sandbox: it arranges the mounts, gives up all privileges and starts the program; then it reaps
//! what the program leaves behind, and passes on signals.
//!
//! It is this binary, executed anew, so that nothing of the supervisor's memory comes along. When it ends, for whatever
//! reason, the kernel ends all processes of the sandbox; and it ends when the supervisor does.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::thread;

use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};
use rustix::process::{
    Pid, Signal, WaitOptions, ioctl_tiocsctty, kill_process, set_parent_process_death_signal, setsid,
};
use rustix::termios::tcsetwinsize;
use rustix::thread::{UnshareFlags, unshare_unsafe};
use serde::{Deserialize, Serialize};

use super::channel::{receive, send};
use super::confine::confine;
use super::mounts;
use super::terminal::Size;

/// The argument by which this binary knows that it is to be the first process of a sandbox.
pub(super) const ARGUMENT: &str = "--sandbox-init";

/// What the supervisor tells, beside the program's three standard descriptors and the command line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    /// The state directory.
    pub(super) state: PathBuf,
    /// Unix sockets outside.
    pub(super) sockets: Vec<PathBuf>,
    /// Whether it has an empty /tmp of its own.
    pub(super) private_tmp: bool,
    /// Where the program starts, if not where the supervisor is.
    pub(super) directory: Option<PathBuf>,
    /// The terminal that the program is to have, if any.
    pub(super) terminal: Option<Size>,
}

/// What is told to the supervisor, with the terminal's other end.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Told {
    /// The program runs.
    Started,
    /// The sandbox could not be made: the step, and why.
    Unmade(String, String),
    /// The program could not be started, with the status that shells have for it.
    Unstarted(String, u8),
}

/// Exit statuses of shells: the program is not there, or cannot be executed.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;

/// The status of a program that a signal ended, less the signal's number.
const SIGNALLED: u8 = 128;

/// Whether this process was executed to be the first process of a sandbox; then what it ended with.
pub fn as_init() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    (arguments.next()? == ARGUMENT).then(|| run(arguments.collect()))
}

fn run(command: Vec<OsString>) -> ExitCode {
    let died = set_parent_process_death_signal(Some(Signal::KILL));
    let control = io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from);
    let (Ok(()), Ok(control)) = (died, control) else { return ExitCode::FAILURE };
    // A supervisor that died before it could be watched says nothing any more.
    let Ok((order, standard)) = receive::<Order>(&control) else { return ExitCode::FAILURE };
    let told = match prepare(&order, standard) {
        Ok((standard, master)) => start(&command, standard).map(|child| (child, master)),
        Err(told) => Err(told),
    };
    match told {
        Ok((child, master)) => {
            let handed: Vec<BorrowedFd<'_>> = master.iter().map(AsFd::as_fd).collect();
            if send(&control, &Told::Started, &handed).is_err() {
                return ExitCode::FAILURE;
            }
            drop(handed);
            drop(master);
            thread::spawn(move || pass_on(control, child));
            ExitCode::from(reap(child))
        }
        Err(told) => {
            // If nobody listens any more, nobody wants to know.
            let _ = send(&control, &told, &[]);
            ExitCode::FAILURE
        }
    }
}

/// Sets everything up and gives up all privileges: the program's standard descriptors, and its terminal's other end.
fn prepare(order: &Order, standard: Vec<OwnedFd>) -> Result<(Vec<OwnedFd>, Option<OwnedFd>), Told> {
    let unmade = |step: &str, error: io::Error| Told::Unmade(step.to_owned(), error.to_string());
    keep_inherited_out().map_err(|error| unmade("inherited descriptors", error))?;
    // SAFETY: there is one thread, and descriptors stay shared.
    #[allow(unsafe_code)]
    unsafe { unshare_unsafe(UnshareFlags::NEWNS) }.map_err(|error| unmade("mounts", error.into()))?;
    mounts::arrange(&order.state, &order.sockets, order.private_tmp)
        .map_err(|(path, error)| unmade(&format!("mounts at {}", path.display()), error))?;
    if let Some(directory) = &order.directory {
        let gone = |error: io::Error| {
            Told::Unstarted(format!("cannot change to the directory {}: {error}", directory.display()), NOT_EXECUTABLE)
        };
        std::env::set_current_dir(directory).map_err(gone)?;
    }
    // Away from the terminal of the supervisor, into which nothing shall be typed from here.
    setsid().map_err(|error| unmade("a session", error.into()))?;
    let (standard, master) = match order.terminal {
        None => (standard, None),
        Some(size) => {
            let (ours, theirs) = terminal(size).map_err(|error| unmade("a terminal", error))?;
            let copies = [theirs.try_clone(), theirs.try_clone()];
            let [Ok(second), Ok(third)] = copies else { return Err(unmade("a terminal", io::ErrorKind::Other.into())) };
            (vec![theirs, second, third], Some(ours))
        }
    };
    confine().map_err(|error| unmade("privileges", error))?;
    Ok((standard, master))
}

/// Lets descriptors that were inherited end with this process: whoever started the supervisor may have left some open.
fn keep_inherited_out() -> io::Result<()> {
    let numbers =
        std::fs::read_dir("/proc/self/fd")?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    for number in numbers.collect::<Vec<i32>>().into_iter().filter(|number| *number > 2) {
        // SAFETY: it is borrowed for two calls that do not close it; the one by which the directory was read is closed by
        // now, which the kernel then says.
        #[allow(unsafe_code)]
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        if let Ok(flags) = fcntl_getfd(descriptor) {
            fcntl_setfd(descriptor, flags | FdFlags::CLOEXEC)?;
        }
    }
    Ok(())
}

/// A terminal of the sandbox's own, which becomes that of this session: both ends.
fn terminal(size: Size) -> io::Result<(OwnedFd, OwnedFd)> {
    let open = |path: &str| File::options().read(true).write(true).custom_flags(libc::O_NOCTTY).open(path);
    let master: OwnedFd = open("/dev/ptmx")?.into();
    rustix::pty::unlockpt(&master)?;
    let name = rustix::pty::ptsname(&master, Vec::new())?;
    let theirs: OwnedFd = open(&name.to_string_lossy())?.into();
    tcsetwinsize(&master, size.into())?;
    ioctl_tiocsctty(&theirs)?;
    Ok((master, theirs))
}

fn start(command: &[OsString], standard: Vec<OwnedFd>) -> Result<Pid, Told> {
    let mut standard = standard.into_iter().map(Stdio::from);
    let (Some(program), Some(input), Some(output), Some(errors)) =
        (command.first(), standard.next(), standard.next(), standard.next())
    else {
        return Err(Told::Unmade("an order".into(), "it is not whole".into()));
    };
    let spawned = Command::new(program).args(&command[1..]).stdin(input).stdout(output).stderr(errors).spawn();
    let child = spawned.map_err(|error| {
        let status = if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE };
        Told::Unstarted(format!("cannot run {}: {error}", program.display()), status)
    })?;
    Pid::from_raw(child.id().cast_signed()).ok_or_else(|| Told::Unmade("a process".into(), "it has no number".into()))
}

/// Sends the signals on whose numbers the supervisor writes, until it writes no more.
fn pass_on(control: UnixStream, child: Pid) {
    let mut number = [0];
    while (&control).read_exact(&mut number).is_ok() {
        let Some(signal) = Signal::from_named_raw(i32::from(number[0])) else { break };
        // A program that has ended is about to be reaped.
        let _ = kill_process(child, signal);
    }
    std::process::exit(i32::from(SIGNALLED) + Signal::KILL.as_raw());
}

/// Reaps processes until the program has ended: its exit status.
fn reap(child: Pid) -> u8 {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == child => {
                let code = status
                    .exit_status()
                    .or_else(|| status.terminating_signal().map(|signal| i32::from(SIGNALLED) + signal));
                return code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX);
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return u8::MAX,
        }
    }
}
