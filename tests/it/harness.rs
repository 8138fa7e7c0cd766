//! Runs the real binary, each test in a state directory of its own.

use std::io::Write;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use tempfile::TempDir;

/// A state directory and a directory for files.
pub(crate) struct Scene {
    directory: TempDir,
}

/// A command that is about to run.
pub(crate) struct Run {
    command: Command,
    line: String,
    stdin: String,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) line: String,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Scene {
    /// A new one, which goes away with the test.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        // One that is named has to be there, for who only asks.
        let state = std::fs::DirBuilder::new().mode(0o700).create(directory.path().join("state"));
        state.expect("a directory can be made in it");
        Self { directory }
    }

    /// Where commands run and files lie.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file and gives back its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.path().join(name);
        std::fs::write(&path, text).expect("the directory is writable");
        path.to_str().expect("temporary directories have plain names").to_owned()
    }

    /// The binary with arguments that are separated by blanks.
    pub(crate) fn run(&self, line: &str) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_egressctl"));
        command.args(line.split_whitespace()).current_dir(self.path()).env_clear();
        command.env("EGRESSCTL_STATE_DIR", self.path().join("state"));
        Run { command, line: line.to_owned(), stdin: String::new() }
    }
}

impl Run {
    /// With a text on standard input.
    pub(crate) fn with_stdin(mut self, text: &str) -> Self {
        text.clone_into(&mut self.stdin);
        self
    }

    /// With these environment variables.
    pub(crate) fn with_variables(mut self, variables: &[(&str, &str)]) -> Self {
        self.command.envs(variables.iter().copied());
        self
    }

    /// Runs it to its end.
    pub(crate) fn finish(mut self) -> Done {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().expect("the binary was built");
        let mut stdin = child.stdin.take().expect("standard input is a pipe");
        // A command that does not read its input may be gone already.
        let writer = thread::spawn(move || drop(stdin.write_all(self.stdin.as_bytes())));
        let output = child.wait_with_output().expect("the process can be waited for");
        writer.join().expect("writing does not panic");
        Done {
            line: self.line,
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("output is text"),
            stderr: String::from_utf8(output.stderr).expect("messages are text"),
        }
    }

    /// Runs it and expects everything it does.
    #[track_caller]
    pub(crate) fn says(self, code: i32, stdout: &str, stderr: &str) {
        let done = self.finish();
        let as_expected = done.code == Some(code) && done.stdout == stdout && done.stderr == stderr;
        let expected = Done { line: done.line.clone(), code: Some(code), stdout: stdout.into(), stderr: stderr.into() };
        assert!(as_expected, "\nexpected {expected}\nfound {done}");
    }

    /// Runs it and expects success with this output; what it says besides does not matter.
    #[track_caller]
    pub(crate) fn succeeds(self, stdout: &str) {
        let done = self.finish();
        assert!(done.code == Some(0) && done.stdout == stdout, "\nexpected success and\n{stdout}\nfound {done}");
    }

    /// Runs it and expects failure with nothing but this message.
    #[track_caller]
    pub(crate) fn fails(self, stderr: &str) {
        self.says(1, "", stderr);
    }

    /// Runs it, expects success, and gives back its output.
    #[track_caller]
    pub(crate) fn output(self) -> String {
        let done = self.finish();
        assert!(done.code == Some(0), "\nexpected success, found {done}");
        done.stdout
    }

    /// Runs it, expects failure, and gives back its message.
    #[track_caller]
    pub(crate) fn error(self) -> String {
        let done = self.finish();
        assert!(done.code == Some(1) && done.stdout.is_empty(), "\nexpected failure, found {done}");
        done.stderr
    }

    /// Runs it with an output that nobody reads, and expects silent success.
    #[track_caller]
    pub(crate) fn without_reader(mut self) {
        let (reader, writer) = std::io::pipe().expect("a pipe can be made");
        drop(reader);
        let output = self.command.stdout(writer).stderr(Stdio::piped()).stdin(Stdio::null()).output();
        let output = output.expect("the binary was built");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && stderr.is_empty(), "{}: {:?}\n{stderr}", self.line, output.status);
    }
}

impl std::fmt::Display for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { line, code, stdout, stderr } = self;
        write!(f, "`egressctl {line}` ending with {code:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}
