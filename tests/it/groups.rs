//! A control group of a test's own, which bounds the memory of what runs in it.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::stage::until;

/// Where groups of either version are, and what bounds their memory.
const PLACES: [(&str, &str); 2] =
    [("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")];

/// A group; it goes away with the test, after what runs in it.
pub(crate) struct Group {
    folder: PathBuf,
    limit: &'static str,
}

impl Group {
    /// A group that may have so many bytes. Where a test may make none, those that need one pass by.
    pub(crate) fn new(bytes: u64) -> Option<Self> {
        let made = PLACES.into_iter().find_map(|(place, limit)| {
            let folder = Path::new(place).join(format!("egressctl-test-{}", std::process::id()));
            std::fs::create_dir(&folder).ok()?;
            let group = Self { folder, limit };
            group.write(limit, bytes).ok().map(|()| group)
        });
        if made.is_none() {
            eprintln!("passed by: no control group that bounds memory can be made on this machine");
        }
        made
    }

    /// Bounds it anew.
    pub(crate) fn bound(&self, bytes: u64) {
        self.write(self.limit, bytes).expect("it was bounded before");
    }

    /// The command, in this group.
    pub(crate) fn of(&self, command: &Command) -> Command {
        let script = format!("echo $$ > '{}' && exec \"$0\" \"$@\"", self.folder.join("cgroup.procs").display());
        let mut shell = Command::new("bash");
        shell.args(["-c", &script]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            shell.env(name, value.unwrap_or_default());
        }
        shell
    }

    /// Never makes a file: there is one where the kernel bounds memory.
    fn write(&self, file: &str, bytes: u64) -> std::io::Result<()> {
        OpenOptions::new().write(true).open(self.folder.join(file))?.write_all(bytes.to_string().as_bytes())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        until("nothing runs in the group any more", || std::fs::remove_dir(&self.folder).is_ok());
    }
}
