//! Why a command failed, in kubectl's words.

use std::fmt;
use std::io;

use super::style;
use crate::accesslog;
use crate::diagnostic::{Source, render, visible, visible_lines};
use crate::identity::authority;
use crate::registry;
use crate::state;

/// One reason; each is printed on a line of its own.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What kubectl finds out itself: `error: …`.
    Client(String),
    /// What an API server would have answered: `Error from server (NotFound): …`.
    Server {
        /// The word in brackets.
        reason: &'static str,
        /// The rest of the line.
        message: String,
    },
    /// What an API server would have said of a resource that breaks rules; kubectl words it in two ways.
    Invalid {
        /// By itself: `The rule "x" is invalid: `, and what follows.
        alone: String,
        /// Beside other failures: `error when creating "F": rule.config.istio.io "x" is invalid: `, and what follows.
        among: String,
    },
    /// A failure, and below it pictures of its places.
    Pictured(Box<Failure>, String),
    /// A text that is printed as it is.
    Text(String),
    /// The same, with an exit status of its own.
    Status(u8, String),
    /// The output could not be written.
    Output(io::Error),
}

/// All reasons of a command, in the order found.
#[derive(Debug, Default)]
pub(crate) struct Failures(Vec<Failure>);

/// What a verb gives back.
pub(crate) type Outcome = Result<(), Failures>;

impl Failure {
    /// `error: …`.
    pub(crate) fn client(message: impl Into<String>) -> Self {
        Self::Client(message.into())
    }

    /// A store's fault, and what can be done about it.
    fn with_hint(error: &dyn fmt::Display, hint: Option<&str>) -> Self {
        let hint = hint.map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
        Self::Client(format!("{error}{hint}"))
    }

    /// A resource of a kind that breaks rules: its kind and name as written, the kind and group, and the causes.
    pub(crate) fn invalid(kind: &str, qualified: &str, name: &str, causes: &[String], doing: Option<&str>) -> Self {
        let (kind, name, doing) = (visible(kind), visible(name), doing.unwrap_or_default());
        let causes: Vec<_> = causes.iter().map(|cause| visible(cause)).collect();
        let (block, line) = match causes.as_slice() {
            [one] => (one.to_string(), one.to_string()),
            several => {
                let block: String = several.iter().map(|cause| format!("\n* {cause}")).collect();
                (block, format!("[{}]", several.join(", ")))
            }
        };
        Self::Invalid {
            alone: format!("The {kind} \"{name}\" is invalid: {block}"),
            among: format!("{doing}{} \"{name}\" is invalid: {line}", visible(qualified)),
        }
    }

    /// Puts `error when creating "F": ` in front of a server's message.
    #[must_use]
    pub(crate) fn when(self, doing: &str, file: &str) -> Self {
        match self {
            Self::Server { reason, message } => {
                Self::Server { reason, message: format!("error when {doing} \"{file}\": {message}") }
            }
            other => other,
        }
    }

    /// The text for a user.
    pub(crate) fn message(&self) -> String {
        self.text(true)
    }

    /// The text for a user; of several failures, those of the client lose their `error: `, as kubectl has it.
    fn text(&self, alone: bool) -> String {
        match self {
            Self::Client(message) if alone => format!("error: {}", visible_lines(message)),
            Self::Client(message) => visible_lines(message).into_owned(),
            Self::Text(message) | Self::Status(_, message) => message.clone(),
            Self::Server { reason, message } => format!("Error from server ({reason}): {}", visible_lines(message)),
            Self::Invalid { alone: message, .. } if alone => visible_lines(message).into_owned(),
            Self::Invalid { among, .. } => format!("Error from server (Invalid): {}", visible_lines(among)),
            Self::Pictured(failure, pictures) => failure.text(alone) + pictures,
            Self::Output(error) => format!("error: cannot write the output: {error}"),
        }
    }
}

impl Failures {
    /// Adds one.
    pub(crate) fn push(&mut self, failure: impl Into<Failure>) {
        self.0.push(failure.into());
    }

    /// Success if there are none.
    ///
    /// # Errors
    /// Itself, if there are some.
    pub(crate) fn into_outcome(self) -> Outcome {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }

    /// The exit status of the command.
    pub(crate) fn status(&self) -> u8 {
        let own = |failure: &Failure| match failure {
            Failure::Status(status, _) => Some(*status),
            _ => None,
        };
        self.0.iter().find_map(own).unwrap_or(1)
    }

    /// Whether all that went wrong is that the reader of our output has left, which is no failure.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        let broken = |failure: &Failure| matches!(failure, Failure::Output(e) if e.kind() == io::ErrorKind::BrokenPipe);
        self.0.iter().any(broken)
    }
}

impl Failures {
    /// All of them, a line or more each; with what sort of fault it is in colour, if `color`.
    pub(crate) fn text(&self, color: bool) -> String {
        let alone = self.0.len() == 1;
        let line = |failure: &Failure| {
            let text = failure.text(alone);
            let text = text.trim_end_matches('\n');
            if color { style::marked(text) + "\n" } else { format!("{text}\n") }
        };
        // One that is a status alone says nothing.
        self.0.iter().map(line).filter(|text| text != "\n").collect()
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(false))
    }
}

impl Extend<Failure> for Failures {
    fn extend<T: IntoIterator<Item = Failure>>(&mut self, failures: T) {
        self.0.extend(failures);
    }
}

impl<T: Into<Failure>> From<T> for Failures {
    fn from(failure: T) -> Self {
        Self(vec![failure.into()])
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<state::Error> for Failure {
    fn from(error: state::Error) -> Self {
        Self::with_hint(&error, error.hint().as_deref())
    }
}

impl From<accesslog::Error> for Failure {
    fn from(error: accesslog::Error) -> Self {
        if let accesslog::Error::Filter { text, problem } = &error {
            let source = Source::new("--where", text.as_str());
            let place = problem.within.clone().map(|span| (&source, span));
            return Self::Text(render(problem, place, false));
        }
        Self::with_hint(&error, error.hint().as_deref())
    }
}

impl From<authority::Error> for Failure {
    fn from(error: authority::Error) -> Self {
        match error {
            authority::Error::State(error) => error.into(),
            other => Self::client(other.to_string()),
        }
    }
}

impl From<registry::Error> for Failure {
    fn from(error: registry::Error) -> Self {
        use registry::Error;
        let message = error.to_string();
        let reason = match error {
            Error::NotFound(_) | Error::NoNamespace(_) => "NotFound",
            Error::AlreadyExists(_) => "AlreadyExists",
            Error::Conflict(_) => "Conflict",
            Error::Forbidden { .. } => "Forbidden",
            Error::NoName | Error::TooDeep { .. } => "Invalid",
            Error::Store(error) => return error.into(),
        };
        Self::Server { reason, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn not_found() -> Failure {
        Failure::Server { reason: "NotFound", message: "rules.config.istio.io \"x\" not found".into() }
    }

    #[test]
    fn one_failure_has_its_prefix() {
        assert_eq!(Failures::from(Failure::client("unknown flag: --foo")).to_string(), "error: unknown flag: --foo\n");
        assert_eq!(
            Failures::from(not_found().when("deleting", "STDIN")).to_string(),
            "Error from server (NotFound): error when deleting \"STDIN\": rules.config.istio.io \"x\" not found\n"
        );
    }

    #[test]
    fn of_several_failures_the_clients_lose_their_prefix() {
        let mut failures = Failures::from(Failure::client("the path \"a\" does not exist"));
        failures.push(not_found());
        assert_eq!(
            failures.to_string(),
            "the path \"a\" does not exist\nError from server (NotFound): rules.config.istio.io \"x\" not found\n"
        );
    }

    #[test]
    fn a_reader_that_left_is_told_from_other_faults_of_the_output() {
        assert!(Failures::from(io::Error::from(io::ErrorKind::BrokenPipe)).is_broken_pipe());
        assert!(!Failures::from(io::Error::from(io::ErrorKind::StorageFull)).is_broken_pipe());
        assert!(!Failures::default().is_broken_pipe());
    }
}
