//! kubectl's dialect of JSONPath: templates such as `{range .items[*]}{.metadata.name}{"\n"}{end}`.
//!
//! The grammar and its oddities are those of the [Kubernetes page](https://kubernetes.io/docs/reference/kubectl/jsonpath/):
//! `$` and `@` both mean the current value, a missing field prints nothing, a wrong index is an error.

mod eval;
mod parse;

use std::cmp::Ordering;
use std::io::Write;

use serde_json::Value as Json;

use super::{Objects, Printer, go};
use crate::cli::failure::Failure;

/// A template that was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Template {
    text: String,
    nodes: Vec<Node>,
}

/// Why a template cannot be read, or not be applied to a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Error(String);

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
enum Node {
    /// Printed as it is.
    Text(String),
    /// The values found by a path, joined by blanks.
    Path(Path),
    /// The nodes once for each value found.
    Range(Path, Vec<Node>),
}

/// Steps from the current value to others.
type Path = Vec<Step>;

/// One step of a path; maps a list of values to another.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    Field(String),
    Wildcard,
    Recursive,
    Index(i64),
    Slice { start: Option<i64>, end: Option<i64>, step: Option<i64> },
    Union(Vec<Path>),
    Filter(Box<Filter>),
}

/// The condition in `[?(…)]`.
#[derive(Debug, Clone, PartialEq)]
enum Filter {
    Exists(Operand),
    Compare(Operand, Comparison, Operand),
}

#[derive(Debug, Clone, PartialEq)]
enum Operand {
    Path(Path),
    Literal(Json),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    fn holds(self, ordering: Option<Ordering>) -> bool {
        match self {
            Self::Equal => ordering == Some(Ordering::Equal),
            Self::NotEqual => ordering != Some(Ordering::Equal),
            Self::Less => ordering == Some(Ordering::Less),
            Self::LessOrEqual => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
            Self::Greater => ordering == Some(Ordering::Greater),
            Self::GreaterOrEqual => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
        }
    }
}

impl Template {
    /// Reads a template as it is given to `-o jsonpath=`; a bare path without braces is taken as one.
    ///
    /// # Errors
    /// What is wrong with the template, in kubectl's words.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let bare = !text.contains('{') && text.starts_with(['.', '$', '@', '[']);
        let read = if bare { parse::template(&format!("{{{text}}}")) } else { parse::template(text) };
        read.map(|nodes| Self { text: text.to_owned(), nodes })
            .map_err(|Error(why)| Error(format!("error parsing jsonpath {text}, {why}")))
    }

    /// What the template makes of `document`.
    ///
    /// # Errors
    /// A step that does not fit the document, such as an index past the end; with template and document, as kubectl.
    pub(crate) fn fill(&self, document: &Json) -> Result<String, Error> {
        let mut out = String::new();
        eval::print(&self.nodes, document, &mut out).map_err(|Error(why)| {
            let text = &self.text;
            Error(format!(
                "error executing jsonpath {quoted}: Error executing template: {why}. Printing more information for \
                 debugging the template:\n\ttemplate was:\n\t\t{text}\n\tobject given to jsonpath engine was:\n\t\t{object}\n\n",
                quoted = go::quoted(text),
                object = go::source(document),
            ))
        })?;
        Ok(out)
    }
}

impl Printer for Template {
    fn print(&self, objects: Objects<'_>, out: &mut dyn Write) -> Result<(), Failure> {
        let text = self.fill(&objects.tree()).map_err(|error| Failure::client(error.to_string()))?;
        Ok(out.write_all(text.as_bytes())?)
    }
}

/// What kubectl says of something that is no path.
const UNEXPECTED_PATH: &str =
    "unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or '{.name1.name2}'";

/// A single path, as columns and `--sort-by` take it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query(Path);

impl Query {
    /// Reads `.spec.host`, `spec.host`, `{.spec.host}` or `{spec.host}`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let unexpected = || Error(UNEXPECTED_PATH.to_owned());
        let inner = match (text.strip_prefix('{'), text.strip_suffix('}')) {
            (Some(_), Some(_)) => &text[1..text.len() - 1],
            (None, None) => text,
            _ => return Err(unexpected()),
        };
        let dot = if inner.starts_with(['.', '[', '$', '@']) { "" } else { "." };
        match parse::template(&format!("{{{dot}{inner}}}"))?.as_slice() {
            [Node::Path(path)] => Ok(Self(path.clone())),
            _ => Err(unexpected()),
        }
    }

    /// The values that it finds.
    ///
    /// # Errors
    /// A step that does not fit the document.
    pub(crate) fn find<'a>(&'a self, document: &'a Json) -> Result<Vec<&'a Json>, Error> {
        eval::walk(&self.0, vec![document])
    }
}

#[cfg(test)]
mod tests;
