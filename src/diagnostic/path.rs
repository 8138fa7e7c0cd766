//! Where in a resource something stands, independent of any text.

use std::fmt;

/// One step into a document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// A key of a map, as the user spelled it.
    Field(String),
    /// A position in a list, from 0.
    Index(usize),
}

/// A path such as `spec.http[0].route[1].destination.host`.
///
/// Checks name a path, never a line: the same [`Problem`](super::Problem) then serves a file, the registry and an
/// API client. The text is searched for it only when a picture is drawn.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath(Vec<Step>);

impl FieldPath {
    /// The document itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// Reads `a.b[0].c`; meant for paths written in our own source, where keys are plain identifiers.
    pub fn of(text: &str) -> Self {
        let mut path = Self::root();
        for part in text.split('.').filter(|part| !part.is_empty()) {
            let mut pieces = part.split('[');
            path = path.field(pieces.next().unwrap_or_default());
            for index in pieces.filter_map(|piece| piece.trim_end_matches(']').parse().ok()) {
                path = path.index(index);
            }
        }
        path
    }

    /// This path, one key deeper.
    #[must_use]
    pub fn field(&self, name: impl Into<String>) -> Self {
        self.then(Step::Field(name.into()))
    }

    /// This path, one list position deeper.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.then(Step::Index(index))
    }

    fn then(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// The path without its last step; the root's parent is the root.
    #[must_use]
    pub fn parent(&self) -> Self {
        Self(self.0[..self.0.len().saturating_sub(1)].to_vec())
    }

    /// The steps from the document inwards.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// Whether this is the document itself.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Field(name) if name.contains(['.', '[', '/']) => write!(f, "[{name}]")?,
                Step::Field(name) if position == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_back_as_it_prints() {
        let text = "spec.http[0].route[1].destination.host";
        assert_eq!(FieldPath::of(text).to_string(), text);
    }

    #[test]
    fn a_key_with_a_dot_is_bracketed() {
        let path = FieldPath::of("metadata.labels").field("app.kubernetes.io/name");
        assert_eq!(path.to_string(), "metadata.labels[app.kubernetes.io/name]");
    }
}
