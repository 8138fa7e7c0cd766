//! `exec -it` at a real terminal: size, keys and hanging up.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use rustix::pty::OpenptFlags;
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::proxied::PATIENCE;
use crate::sandbox::{Inside, possible};
use crate::stage::until;

/// `egressctl exec -it` at a terminal of its own.
struct Typed {
    child: Child,
    /// The user's end; without it the terminal is hung up.
    keys: Option<File>,
    prints: Receiver<Vec<u8>>,
    printed: String,
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
        let keys = File::from(keys);
        let (sent, prints) = channel();
        let mut reader = keys.try_clone().expect("room");
        std::thread::spawn(move || {
            let mut buffer = [0; 1024];
            while let Ok(read) = reader.read(&mut buffer) {
                if read == 0 || sent.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { child, keys: Some(keys), prints, printed: String::new(), terminal }
    }

    fn keys(&mut self, keys: &[u8]) {
        self.keys.as_mut().expect("not hung up").write_all(keys).expect("a terminal");
    }

    /// Waits until something is printed; what was printed before it is forgotten.
    fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.printed.find(text) {
                self.printed.drain(..at + text.len());
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let read = self.prints.recv_timeout(left);
            let read = read.unwrap_or_else(|_| panic!("never printed {text:?}, only {:?}", self.printed));
            self.printed.push_str(&String::from_utf8_lossy(&read));
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
    set_size(typed.keys.as_ref().expect("not hung up").as_fd(), (50, 132));
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
    let mut printed = String::new();
    let printed = std::cell::RefCell::new(&mut printed);
    until("the job is stopped", || {
        typed.keys.as_ref().expect("not hung up").write_all(b"\x1a").expect("a terminal");
        typed.prints.try_iter().for_each(|read| printed.borrow_mut().push_str(&String::from_utf8_lossy(&read)));
        printed.borrow().contains("Stopped")
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
    let mut typed = Typed::start(&inside, &["bash", "-c", &script]);
    typed.wait_for("ready");
    let Typed { mut child, keys, prints, terminal, .. } = typed;
    drop((keys, prints, terminal));
    assert_eq!(child.wait().expect("a child").code(), Some(5));
    assert!(left.exists(), "the program was told");
}
