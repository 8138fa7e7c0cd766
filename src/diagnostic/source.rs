//! A text that a user wrote, and places in it.

use std::ops::Range;
use std::sync::Arc;

/// The name of standard input.
pub const STDIN: &str = "STDIN";

/// A named text: a file, a URL or standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What the user typed to name it; [`STDIN`] for standard input.
    pub name: Arc<str>,
    /// The whole text.
    pub text: Arc<str>,
}

/// A range of bytes of a [`Source`].
pub type Span = Range<usize>;

impl Source {
    /// A text under a name.
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// Line and column of a byte, both from 1; the column counts characters.
    pub fn line_column(&self, byte: usize) -> (usize, usize) {
        let mut byte = byte.min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        let before = &self.text[..byte];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_not_bytes() {
        let source = Source::new("f", "a: 1\nä: x\n");
        assert_eq!(source.line_column(0), (1, 1));
        assert_eq!(source.line_column("a: 1\nä: ".len()), (2, 4));
    }
}
