//! One thing that is wrong with what a user wrote, and a set of them.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use super::FieldPath;

/// Whether a problem refuses the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The change is accepted; the user is told.
    Warning,
    /// The change is refused.
    Error,
}

/// What sort of problem it is; the words are those of Kubernetes' field causes where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// The text is no YAML or JSON, or goes past a limit of the reader.
    Syntax,
    /// No kind of this name and version.
    UnknownKind,
    /// A key that the kind does not have.
    UnknownField,
    /// A value of another type than the field takes.
    WrongType,
    /// A required field that is not there.
    Required,
    /// A value outside an enumeration.
    NotSupported,
    /// A value that breaks a rule of its field.
    Invalid,
    /// A value that must not stand twice.
    Duplicate,
    /// An expression that does not parse or type-check.
    Expression,
    /// A name of something that is not there.
    NotFound,
    /// Accepted as it is, but does not do what it seems to.
    NoEffect,
    /// An old form, understood all the same.
    Deprecated,
    /// A route that no call reaches.
    UnreachableRule,
    /// A match that no call meets, because an earlier one takes what it would.
    IneffectiveMatch,
}

impl Code {
    /// The name in JSON output, for example `UnknownField`.
    pub fn name(self) -> &'static str {
        match self {
            Code::Syntax => "Syntax",
            Code::UnknownKind => "UnknownKind",
            Code::UnknownField => "UnknownField",
            Code::WrongType => "WrongType",
            Code::Required => "Required",
            Code::NotSupported => "NotSupported",
            Code::Invalid => "Invalid",
            Code::Duplicate => "Duplicate",
            Code::Expression => "Expression",
            Code::NotFound => "NotFound",
            Code::NoEffect => "NoEffect",
            Code::Deprecated => "Deprecated",
            Code::UnreachableRule => "UnreachableRule",
            Code::IneffectiveMatch => "IneffectiveMatch",
        }
    }
}

/// Something wrong at a place of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What sort of problem.
    pub code: Code,
    /// Error or warning.
    pub severity: Severity,
    /// The field; its nearest existing ancestor if the field is what is missing.
    pub at: FieldPath,
    /// Whether the key, rather than the value, is at fault (unknown fields).
    pub on_key: bool,
    /// The bytes at fault inside the scalar value, for expressions and references.
    pub within: Option<Range<usize>>,
    /// One sentence without full stop, for example `unknown field "portz"`.
    pub message: String,
    /// How Kubernetes words it, where that is not the message: `Unsupported value: "FOO": supported values: "NONE"`.
    pub kubernetes: Option<String>,
    /// What could have stood there: names of fields, values of an enumeration.
    pub expected: Vec<Cow<'static, str>>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Problem {
    /// An error at a field.
    pub fn error(code: Code, at: FieldPath, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            at,
            on_key: false,
            within: None,
            message: message.into(),
            kubernetes: None,
            expected: Vec::new(),
            help: None,
        }
    }

    /// A warning at a field.
    pub fn warning(code: Code, at: FieldPath, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, at, message) }
    }

    /// Points at the key instead of the value.
    #[must_use]
    pub fn on_key(mut self) -> Self {
        self.on_key = true;
        self
    }

    /// Points at bytes inside the scalar.
    #[must_use]
    pub fn within(mut self, range: Range<usize>) -> Self {
        self.within = Some(range);
        self
    }

    /// Adds what could have stood there.
    #[must_use]
    pub fn expected<T: Into<Cow<'static, str>>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.expected.extend(names.into_iter().map(Into::into));
        self
    }

    /// Adds Kubernetes' words for it, which [`headline`](Self::headline) shows.
    #[must_use]
    pub fn kubernetes(mut self, words: impl Into<String>) -> Self {
        self.kubernetes = Some(words.into());
        self
    }

    /// Adds advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The field and the fault in one line, as Kubernetes' API server words it.
    pub fn headline(&self) -> String {
        match &self.kubernetes {
            Some(words) if self.at.is_root() => words.clone(),
            Some(words) => format!("{}: {words}", self.at),
            None => self.to_string(),
        }
    }

    /// Whether it refuses the change.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Problem {
    /// `spec.hosts: Required value`, the form without a text to point into.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.at.is_root() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.at, self.message) }
    }
}

/// All problems found, in the order found: a user sees every mistake at once, not the first one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// Adds an error at a field.
    pub fn error(&mut self, code: Code, at: FieldPath, message: impl Into<String>) {
        self.push(Problem::error(code, at, message));
    }

    /// Adds a warning at a field.
    pub fn warning(&mut self, code: Code, at: FieldPath, message: impl Into<String>) {
        self.push(Problem::warning(code, at, message));
    }

    /// Whether any of them refuses the change.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(Problem::is_error)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The problems in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl Extend<Problem> for Problems {
    fn extend<T: IntoIterator<Item = Problem>>(&mut self, problems: T) {
        self.0.extend(problems);
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
