//! What a line must contain.

use std::sync::OnceLock;

use memchr::memmem::Finder;
use regex::bytes::{Regex, RegexBuilder};

use super::automaton::Automaton;
use crate::accesslog::Error;

/// Upper limit of a compiled regular expression, in bytes: ten times what a list of a thousand host names takes.
const COMPILED_LIMIT: usize = 10 << 20;

/// A condition on the printed line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// What to search for.
    pub text: String,
    /// How to read it.
    pub syntax: Syntax,
    /// Whether `A` finds `a`.
    pub ignore_case: bool,
    /// Whether lines that contain it are the unwanted ones.
    pub inverted: bool,
}

/// How the text of a [`Pattern`] is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// As a regular expression of the `regex` crate; `^` and `$` are the line's ends.
    Regex,
    /// As it stands.
    Fixed,
}

impl Pattern {
    /// A regular expression that lines must match.
    pub fn regex(text: impl Into<String>) -> Self {
        Self { text: text.into(), syntax: Syntax::Regex, ignore_case: false, inverted: false }
    }

    /// A text that lines must contain.
    pub fn fixed(text: impl Into<String>) -> Self {
        Self { syntax: Syntax::Fixed, ..Self::regex(text) }
    }

    /// The pattern as a regular expression over text, to find where it is.
    ///
    /// # Errors
    /// [`Error::Pattern`].
    pub fn expression(&self) -> Result<regex::Regex, Error> {
        let escaped = match self.syntax {
            Syntax::Fixed => regex::escape(&self.text),
            Syntax::Regex => self.text.clone(),
        };
        regex::RegexBuilder::new(&escaped)
            .case_insensitive(self.ignore_case)
            .size_limit(COMPILED_LIMIT)
            .build()
            .map_err(|source| Error::Pattern { pattern: self.text.clone(), source: Box::new(source) })
    }

    pub(super) fn compile(&self) -> Result<Matcher, Error> {
        let search = match self.syntax {
            Syntax::Fixed if !self.ignore_case => Search::Text(Box::new(Finder::new(&self.text).into_owned())),
            Syntax::Fixed => Search::Regex(self.build(&regex::escape(&self.text))?),
            Syntax::Regex => Search::Regex(self.build(&self.text)?),
        };
        Ok(Matcher { search, inverted: self.inverted, pattern: self.clone(), automaton: OnceLock::new() })
    }

    fn build(&self, expression: &str) -> Result<Regex, Error> {
        RegexBuilder::new(expression)
            .case_insensitive(self.ignore_case)
            .size_limit(COMPILED_LIMIT)
            .build()
            .map_err(|source| Error::Pattern { pattern: self.text.clone(), source: Box::new(source) })
    }
}

/// A [`Pattern`], compiled. Searches bytes, so lines need not be checked for UTF-8 before.
#[derive(Debug)]
pub(super) struct Matcher {
    search: Search,
    pub(super) inverted: bool,
    pattern: Pattern,
    automaton: OnceLock<Option<Automaton>>,
}

#[derive(Debug)]
enum Search {
    Text(Box<Finder<'static>>),
    Regex(Regex),
}

impl Matcher {
    pub(super) fn accepts(&self, line: &[u8]) -> bool {
        let found = match &self.search {
            Search::Text(finder) => finder.find(line).is_some(),
            Search::Regex(regex) => regex.is_match(line),
        };
        found != self.inverted
    }

    /// The pattern as it goes on from value to value, made when it is first asked for; nothing if it would be too large.
    pub(super) fn automaton(&self) -> Option<&Automaton> {
        let Pattern { text, syntax, ignore_case, .. } = &self.pattern;
        let made = self.automaton.get_or_init(|| match (syntax, ignore_case) {
            (Syntax::Fixed, false) => Automaton::of_text(text),
            (Syntax::Fixed, true) => Automaton::of_expression(&regex::escape(text), true),
            (Syntax::Regex, false) if regex::escape(text) == *text => Automaton::of_text(text),
            (Syntax::Regex, _) => Automaton::of_expression(text, *ignore_case),
        });
        made.as_ref()
    }
}
