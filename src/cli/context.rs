//! What a verb is given: where state is kept, what time it is, where output goes and how it may look.

use std::env;
use std::ffi::OsString;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::failure::Failure;
use super::style;
use crate::identity::TrustDomain;
use crate::identity::authority::Store;
use crate::registry::SqliteRegistry;
use crate::state::StateDir;

/// The namespace of a command that names none.
const DEFAULT_NAMESPACE: &str = "default";

/// What is written to standard output at a time, in bytes: a pipe takes as many.
const OUTPUT: usize = 1 << 16;

/// Flags that every verb takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Namespace of the resources
    #[arg(short, long, global = true, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// When to colour: a terminal alone, always or never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    pub(crate) color: When,
}

/// When something is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is.
    Auto,
    /// Anywhere.
    Always,
    /// Nowhere.
    Never,
}

/// What a verb is given.
pub(crate) struct Context {
    /// Results.
    pub(crate) out: Box<dyn Write>,
    /// All else.
    pub(crate) err: Box<dyn Write>,
    /// Whether results may be coloured.
    pub(crate) color: bool,
    /// Whether messages may be coloured.
    pub(crate) color_err: bool,
    /// When the command started.
    pub(crate) now: Timestamp,
    namespace: Option<String>,
    state_dir: Option<PathBuf>,
    /// Whether a state directory that is named and not there is made.
    makes_state: bool,
    /// How many warnings there were.
    warnings: usize,
}

/// Why state is kept where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chosen {
    /// By a flag or a variable.
    Named,
    /// It came along with a checkout.
    CheckedOut,
    /// Nobody said anything.
    Usual,
}

/// Most warnings that a command shows: more than a screen of them helps nobody.
const MAX_WARNINGS: usize = 50;

impl Context {
    /// The context of this process.
    pub(crate) fn new(global: Global) -> Self {
        let (out, err) = (io::stdout(), io::stderr());
        let color = |terminal| global.color.allows(terminal, |name| env::var_os(name));
        Self {
            color: color(out.is_terminal()),
            color_err: color(err.is_terminal()),
            // Not locked: a verb may start threads that write too.
            out: Box::new(BufWriter::with_capacity(OUTPUT, out)),
            err: Box::new(err),
            now: Timestamp::now(),
            // An empty one is none, as kubectl has it.
            namespace: global.namespace.filter(|namespace| !namespace.is_empty()),
            state_dir: global.state_dir,
            makes_state: false,
            warnings: 0,
        }
    }

    /// The namespace that the command speaks of.
    pub(crate) fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE)
    }

    /// The namespace that was typed.
    pub(crate) fn typed_namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// The state directory. The usual one is created if it is missing, and so is one that was named, by verbs that put something
    /// into it: to others it would look like one that is empty, and its name may be mistyped.
    ///
    /// # Errors
    /// It is not there or cannot be created, or nothing says where it should be.
    pub(crate) fn state_dir(&self) -> Result<StateDir, Failure> {
        let none = "no state directory: set --state-dir, EGRESSCTL_STATE_DIR or HOME";
        let (path, chosen) = self.state_path().ok_or_else(|| Failure::client(none))?;
        match chosen {
            Chosen::CheckedOut => Ok(StateDir::open_checked_out(path)?),
            Chosen::Named if !self.makes_state && matches!(path.try_exists(), Ok(false)) => {
                Err(Failure::client(format!(
                    "there is no state directory {}\nhint: is it meant by --state-dir or EGRESSCTL_STATE_DIR? The first `egressctl \
                 create` or `proxy start` makes it",
                    path.display()
                )))
            }
            Chosen::Named | Chosen::Usual => Ok(StateDir::open(path)?),
        }
    }

    /// Where state is kept, and why there.
    fn state_path(&self) -> Option<(PathBuf, Chosen)> {
        let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        let named = self.state_dir.clone().or_else(|| variable("EGRESSCTL_STATE_DIR").map(PathBuf::from));
        match (named, checkout_state_dir(variable)) {
            (Some(path), _) => Some((path, Chosen::Named)),
            (None, Some(path)) => Some((path, Chosen::CheckedOut)),
            (None, None) => default_state_dir(variable).map(|path| (path, Chosen::Usual)),
        }
    }

    /// From here on a state directory that is named and not there is made.
    pub(crate) fn make_state(&mut self) {
        self.makes_state = true;
    }

    /// Takes another state directory from here on.
    pub(crate) fn use_state_dir(&mut self, path: PathBuf) {
        self.state_dir = Some(path);
        // Who names it here knows that it is not there yet.
        self.makes_state = true;
    }

    /// The registry of the state directory.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(crate) fn registry(&self) -> Result<SqliteRegistry, Failure> {
        Ok(SqliteRegistry::open(&self.state_dir()?)?)
    }

    /// The registry of the state directory, if anything was ever declared there; nothing is made.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(crate) fn existing_registry(&self) -> Result<Option<SqliteRegistry>, Failure> {
        let exists = self.state_path().is_some_and(|(path, _)| path.join("registry.db").exists());
        exists.then(|| self.registry()).transpose()
    }

    /// Shows a warning, unless there have been many.
    ///
    /// # Errors
    /// As [`Context::say`].
    pub(crate) fn warn(&mut self, picture: impl FnOnce(bool) -> String) -> io::Result<()> {
        self.warnings += 1;
        if self.warnings > MAX_WARNINGS { Ok(()) } else { self.say(&picture(self.color_err)) }
    }

    /// Tells how many warnings were not shown.
    ///
    /// # Errors
    /// As [`Context::say`].
    pub(crate) fn count_warnings(&mut self) -> io::Result<()> {
        match self.warnings.saturating_sub(MAX_WARNINGS) {
            0 => Ok(()),
            more => self.say(&format!("warning: and {more} more warnings, which are not shown")),
        }
    }

    /// The trust domain of the state directory's authority, or that which it would have.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn trust_domain(&self) -> Result<TrustDomain, Failure> {
        let authority = Store::of(&self.state_dir()?).load()?;
        Ok(authority.map(|authority| authority.trust_domain().clone()).unwrap_or_default())
    }

    /// Writes a line to standard error, below what has been written to standard output before.
    ///
    /// # Errors
    /// Those of the two.
    pub(crate) fn say(&mut self, line: &str) -> io::Result<()> {
        self.out.flush()?;
        if self.color_err { writeln!(self.err, "{}", style::marked(line)) } else { writeln!(self.err, "{line}") }
    }
}

/// Where state is kept under `cargo run` when nobody says: in the checkout.
fn checkout_state_dir(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    variable("CARGO_PKG_NAME").filter(|name| name == env!("CARGO_PKG_NAME"))?;
    variable("CARGO_MANIFEST_DIR").map(|checkout| PathBuf::from(checkout).join("state"))
}

/// Where state is kept when nobody says: where the XDG specification has it.
fn default_state_dir(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let home = match variable("XDG_STATE_HOME") {
        Some(home) => PathBuf::from(home),
        None => PathBuf::from(variable("HOME")?).join(".local/state"),
    };
    Some(home.join("egressctl"))
}

impl When {
    /// Whether an output may be coloured.
    pub(super) fn allows(self, terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> bool {
        let set = |name: &str| variable(name).is_some_and(|value| !value.is_empty() && value != "0");
        match self {
            Self::Always => true,
            Self::Never => false,
            // https://no-color.org: any value that is not empty counts, also 0.
            Self::Auto if variable("NO_COLOR").is_some_and(|value| !value.is_empty()) => false,
            Self::Auto if set("CLICOLOR_FORCE") => true,
            Self::Auto => terminal && variable("TERM").is_none_or(|term| term != "dumb"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Variables = &'static [(&'static str, &'static str)];

    fn variables<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<OsString> + 'a {
        |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
    }

    #[test]
    fn state_is_kept_in_a_checkout_or_where_xdg_has_it() {
        const HOME: (&str, &str) = ("HOME", "/home/u");
        let table: [(Variables, Option<&str>); 6] = [
            (&[("CARGO_PKG_NAME", "egressctl"), ("CARGO_MANIFEST_DIR", "/src"), HOME], Some("/src/state")),
            (
                &[("CARGO_PKG_NAME", "other"), ("CARGO_MANIFEST_DIR", "/src"), HOME],
                Some("/home/u/.local/state/egressctl"),
            ),
            (&[("CARGO_PKG_NAME", "egressctl"), HOME], Some("/home/u/.local/state/egressctl")),
            (&[("XDG_STATE_HOME", "/var/x"), HOME], Some("/var/x/egressctl")),
            (&[HOME], Some("/home/u/.local/state/egressctl")),
            (&[], None),
        ];
        for (set, expected) in table {
            let found = checkout_state_dir(variables(set)).or_else(|| default_state_dir(variables(set)));
            assert_eq!(found, expected.map(PathBuf::from), "{set:?}");
        }
    }

    #[test]
    fn colour_follows_the_flag_then_the_environment_then_the_terminal() {
        let table: [(When, bool, Variables, bool); 8] = [
            (When::Auto, true, &[], true),
            (When::Auto, false, &[], false),
            (When::Auto, true, &[("NO_COLOR", "1")], false),
            (When::Auto, true, &[("NO_COLOR", "")], true),
            (When::Auto, false, &[("CLICOLOR_FORCE", "1")], true),
            (When::Auto, true, &[("TERM", "dumb")], false),
            (When::Always, false, &[("NO_COLOR", "1")], true),
            (When::Never, true, &[("CLICOLOR_FORCE", "1")], false),
        ];
        for (when, terminal, set, expected) in table {
            assert_eq!(when.allows(terminal, variables(set)), expected, "{when:?} {terminal} {set:?}");
        }
    }
}
