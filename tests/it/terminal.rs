//! `exec -it` at a real terminal: size, keys and hanging up.

use std::cell::RefCell;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::OpenptFlags;
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::proxied::PATIENCE;
use crate::sandbox::{Inside, possible};
use crate::stage::until;

/// `egressctl exec -it` at a terminal of its own.
struct Typed {
    child: Child,
    /// The user's end; without it the terminal is hung up.
    keys: File,
    printed: RefCell<String>,
    /// The other end, by which is seen how the terminal is set.
    terminal: OwnedFd,
}

impl Typed {
    fn start(inside: &Inside, command: &[&str]) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let keys = rustix::pty::openpt(flags).expect("a terminal");
        rustix::pty::unlockpt(&keys).expect("a terminal");
        let name = rustix::pty::ptsname(&keys, Vec::new()).expect("a name").into_string().expect("text");
        let terminal: OwnedFd = File::options().read(true).write(true).open(name).expect("a terminal").into();
        set_size(&keys, (24, 80));
        let end = || Stdio::from(terminal.try_clone().expect("room"));
        let mut exec = inside.scene.command(&["exec", "-it", "deployment/sleep", "--"]);
        exec.args(command).env("TERM", "dumb").stdin(end()).stdout(end()).stderr(end());
        // SAFETY: both are system calls alone, and nothing of this process's memory is touched.
        #[allow(unsafe_code)]
        unsafe {
            exec.pre_exec(|| {
                rustix::process::setsid()?;
                Ok(rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?)
            });
        }
        let child = exec.spawn().expect("it was built");
        Self { child, keys: File::from(keys), printed: RefCell::default(), terminal }
    }

    fn keys(&self, keys: &[u8]) {
        (&self.keys).write_all(keys).expect("a terminal");
    }

    /// Reads what is printed, if anything is in this time; whether there was.
    fn read(&self, patience: Duration) -> bool {
        let mut watched = [PollFd::new(&self.keys, PollFlags::IN)];
        let patience = Timespec::try_from(patience).expect("short");
        if poll(&mut watched, Some(&patience)).expect("a terminal") == 0 {
            return false;
        }
        let mut buffer = [0; 1024];
        let read = (&self.keys).read(&mut buffer).expect("a terminal");
        self.printed.borrow_mut().push_str(&String::from_utf8_lossy(&buffer[..read]));
        true
    }

    /// Waits until something is printed; what was printed before it is forgotten.
    fn wait_for(&self, text: &str) {
        loop {
            let found = self.printed.borrow().find(text);
            if let Some(at) = found {
                self.printed.borrow_mut().drain(..at + text.len());
                return;
            }
            assert!(self.read(PATIENCE), "never printed {text:?}, only {:?}", self.printed.borrow());
        }
    }

    /// Whether keys are passed on as they are typed.
    fn is_raw(&self) -> bool {
        !tcgetattr(&self.terminal).expect("a terminal").local_modes.contains(LocalModes::ICANON)
    }

    fn status(&mut self) -> Option<i32> {
        self.child.wait().expect("a child").code()
    }
}

fn set_size(keys: impl std::os::fd::AsFd, (rows, columns): (u16, u16)) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(keys, size).expect("a terminal");
}

/// Says that it is ready, and then waits.
fn ready(more: &str) -> String {
    format!("{more}; echo ready; while :; do read -t 1 _; done")
}

#[test]
fn the_programs_terminal_is_as_large_as_the_users_and_follows_it() {
    if !possible() {
        return;
    }
    let inside = Inside::new("");
    let script = ready("trap 'stty size; exit 4' WINCH; stty size");
    let mut typed = Typed::start(&inside, &["bash", "-c", &script]);
    typed.wait_for("24 80");
    typed.wait_for("ready");
    assert!(typed.is_raw(), "the program's terminal makes signals of keys, not the user's");
    set_size(&typed.keys, (50, 132));
    typed.wait_for("50 132");
    assert_eq!(typed.status(), Some(4));
    assert!(!typed.is_raw(), "it is as before");
}

#[test]
fn keys_that_are_signals_are_the_programs() {
    if !possible() {
        return;
    }
    let inside = Inside::new("");
    let script = ready("trap 'echo interrupted; exit 3' INT");
    let mut typed = Typed::start(&inside, &["bash", "-c", &script]);
    typed.wait_for("ready");
    typed.keys(b"\x03");
    typed.wait_for("interrupted");
    assert_eq!(typed.status(), Some(3));
    // A shell inside has jobs of its own, which can be stopped and continued.
    let mut typed = Typed::start(&inside, &["bash", "--norc", "--noprofile", "-i"]);
    typed.keys(b"echo rea''dy; sleep 1000\r");
    typed.wait_for("ready");
    // It sleeps a moment after it has said so, and a key that comes before is for the shell, which ignores it.
    until("the job is stopped", || {
        typed.keys(b"\x1a");
        while typed.read(Duration::ZERO) {}
        typed.printed.borrow().contains("Stopped")
    });
    typed.keys(b"kill -KILL %1\r");
    // The first is only a warning that there is a job.
    typed.keys(b"exit 6\r");
    typed.keys(b"exit 6\r");
    assert_eq!(typed.status(), Some(6));
}

#[test]
fn a_terminal_that_is_hung_up_ends_the_program_and_all_that_it_started() {
    if !possible() {
        return;
    }
    let inside = Inside::new("");
    let left = inside.scene.state().with_file_name("hung-up");
    let script = ready(&format!("trap 'echo > {}; exit 5' HUP; sleep 1000 & true", left.display()));
    let typed = Typed::start(&inside, &["bash", "-c", &script]);
    typed.wait_for("ready");
    let Typed { mut child, keys, terminal, .. } = typed;
    drop((keys, terminal));
    assert_eq!(child.wait().expect("a child").code(), Some(5));
    assert!(left.exists(), "the program was told");
}
