//! While the program runs: signals, keys and what is printed are passed on.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::tcsetwinsize;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};

use super::terminal::{Raw, Size};

/// How long nothing happens before there is time to look around.
const WHILE: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };

/// Signals that the program gets in our place.
const PASSED_ON: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];

/// Signals that can be read, each with its number. Caught from the moment this is made.
#[derive(Debug)]
pub(super) struct Signals {
    passed_on: Vec<(i32, UnixStream)>,
    resized: UnixStream,
}

impl Signals {
    pub(super) fn catch() -> io::Result<Self> {
        let catch = |signal| {
            let (read, write) = UnixStream::pair()?;
            read.set_nonblocking(true)?;
            signal_hook::low_level::pipe::register(signal, write)?;
            Ok::<_, io::Error>(read)
        };
        let passed_on = PASSED_ON.iter().map(|signal| Ok((*signal, catch(*signal)?))).collect::<io::Result<_>>()?;
        Ok(Self { passed_on, resized: catch(SIGWINCH)? })
    }
}

/// Passes on signals, and with a terminal keys and what is printed, until the first process of the sandbox has ended, or the
/// proxy has. Whenever nothing has happened for a while, `look` is called.
pub(super) fn attend(
    control: &UnixStream,
    lease: &UnixStream,
    signals: &Signals,
    master: Option<OwnedFd>,
    look: &mut dyn FnMut(),
) -> io::Result<()> {
    let mut terminal = master.map(Terminal::new).transpose()?;
    loop {
        let fixed = [control, lease, &signals.resized];
        let mut watched: Vec<_> = fixed.iter().map(|read| PollFd::new(*read, PollFlags::IN)).collect();
        watched.extend(signals.passed_on.iter().map(|(_, read)| PollFd::new(read, PollFlags::IN)));
        let (keys, prints) = terminal.as_ref().map_or((None, None), Terminal::watched);
        let places = (keys.is_some(), prints.is_some());
        watched.extend(
            keys.into_iter().chain(prints).map(|descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN)),
        );
        match poll(&mut watched, Some(&WHILE)) {
            Err(rustix::io::Errno::INTR) => continue,
            Ok(0) => {
                look();
                continue;
            }
            polled => polled?,
        };
        let ready: Vec<bool> = watched.iter().map(|one| !one.revents().is_empty()).collect();
        drop(watched);
        let (fixed, of_terminal) = ready.split_at(3 + signals.passed_on.len());
        for ((number, read), ready) in signals.passed_on.iter().zip(&fixed[3..]) {
            if *ready && drained(read) {
                // A first process that does not listen any more is about to end.
                let _ = (&*control).write(&[u8::try_from(*number).unwrap_or_default()]);
            }
        }
        if let Some(terminal) = &mut terminal {
            if fixed[2] && drained(&signals.resized) {
                terminal.resize();
            }
            let mut of_terminal = of_terminal.iter();
            if places.0 && of_terminal.next() == Some(&true) {
                terminal.type_in();
            }
            if places.1 && of_terminal.next() == Some(&true) {
                terminal.print();
            }
        }
        if fixed[0] || fixed[1] {
            // Both say nothing more, so this is an end.
            if let Some(mut terminal) = terminal {
                while terminal.has_more() {
                    terminal.print();
                }
            }
            return Ok(());
        }
    }
}

/// Takes what is there to be read; whether there was anything.
fn drained(mut read: &UnixStream) -> bool {
    let mut bytes = [0; 64];
    read.read(&mut bytes).is_ok_and(|read| read > 0)
}

/// Our terminal and the program's.
#[derive(Debug)]
struct Terminal {
    /// The program's, until nobody has it open any more.
    master: Option<File>,
    /// Ours, until its end.
    keys: Option<File>,
    /// Sets ours back when this is dropped.
    _raw: Option<Raw>,
}

impl Terminal {
    fn new(master: OwnedFd) -> io::Result<Self> {
        let keys = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        Ok(Self { master: Some(master.into()), keys: Some(keys), _raw: Raw::set(io::stdin())? })
    }

    fn watched(&self) -> (Option<std::os::fd::BorrowedFd<'_>>, Option<std::os::fd::BorrowedFd<'_>>) {
        let keys = self.keys.as_ref().filter(|_| self.master.is_some());
        (keys.map(AsFd::as_fd), self.master.as_ref().map(AsFd::as_fd))
    }

    fn resize(&self) {
        if let (Some(size), Some(master)) = (Size::of(io::stdin()), &self.master) {
            // Only the looks of what is printed depend on it.
            let _ = tcsetwinsize(master, size.into());
        }
    }

    /// Passes on the keys that were typed.
    fn type_in(&mut self) {
        let (Some(keys), Some(master)) = (&mut self.keys, &mut self.master) else { return };
        let mut buffer = [0; 4096];
        match keys.read(&mut buffer) {
            Ok(read) if read > 0 && master.write_all(&buffer[..read]).is_ok() => {}
            _ => self.keys = None,
        }
    }

    /// Prints what the program has printed. Where nobody reads it any more the program still runs to its end.
    fn print(&mut self) {
        let Some(master) = &mut self.master else { return };
        let mut buffer = [0; 16 * 1024];
        match master.read(&mut buffer) {
            Ok(read) if read > 0 => {
                let mut output = io::stdout();
                let _ = output.write_all(&buffer[..read]).and_then(|()| output.flush());
            }
            _ => self.master = None,
        }
    }

    /// Whether there is something to be printed at once.
    fn has_more(&self) -> bool {
        let Some(master) = &self.master else { return false };
        let mut watched = [PollFd::new(master, PollFlags::IN)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut watched, Some(&now)).is_ok_and(|ready| ready > 0)
    }
}
