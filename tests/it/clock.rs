//! A clock of a program's own, which a test can step.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use crate::stage::Stage;

/// The clock of those programs that are started by it.
pub(crate) struct Clock {
    library: PathBuf,
    file: String,
}

impl Clock {
    /// As the system's is. Without a compiler, or for a processor that the library is not written for, there is none, and the tests
    /// that need it pass by.
    pub(crate) fn new(scene: &Stage) -> Option<Self> {
        let file = scene.write("clock", "\0\0\0\0\0\0\0\0");
        let library = scene.state().with_file_name("libclock.so");
        let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let mut compile = Command::new(compiler);
        compile.args(["--edition", "2024", "--crate-type", "cdylib", "-C", "panic=abort", "-o"]).arg(&library);
        compile.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/clock/shim.rs"));
        let compiled = compile.output().is_ok_and(|output| output.status.success());
        if !compiled {
            eprintln!("passed by: no clock can be made on this machine");
        }
        compiled.then_some(Self { library, file })
    }

    /// Shifts it from that of the system.
    pub(crate) fn shift(&self, seconds: i64) {
        // In place: what is mapped must not become shorter.
        let mut file = std::fs::OpenOptions::new().write(true).open(&self.file).expect("it was made");
        file.write_all(&seconds.to_ne_bytes()).expect("it is there");
    }

    /// The command, with this clock.
    pub(crate) fn of(&self, mut command: Command) -> Command {
        command.env("LD_PRELOAD", &self.library).env("CLOCK_SHIFT", &self.file);
        command
    }
}
