//! Cutting a text into documents.

use std::ops::Range;

/// Most documents of one text; far more than a cluster has resources of ours.
pub(super) const MAX_DOCUMENTS: usize = 100_000;

/// A document's piece of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// Its bytes.
    pub(super) range: Range<usize>,
    /// The line of its first content, from 1.
    pub(super) line: usize,
}

/// Cuts a YAML stream at its `---` and `...` lines; pieces without content are left out.
///
/// A marker stands at the start of a line, or as deep as the document's first line: texts that are indented as a whole,
/// as here-documents in documentation are, are understood too. YAML has no other use of such lines: inside a block
/// scalar they would end it.
pub(super) fn split(text: &str) -> Vec<Piece> {
    let mut pieces = Splitter::default();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        pieces.line(text, start..start + line.len());
        start += line.len();
    }
    pieces.end(text.len());
    pieces.done
}

#[derive(Default)]
struct Splitter {
    done: Vec<Piece>,
    /// Where the open document starts.
    start: usize,
    /// Line and indentation of the open document's first content.
    content: Option<(usize, usize)>,
    lines: usize,
}

impl Splitter {
    fn line(&mut self, text: &str, range: Range<usize>) {
        self.lines += 1;
        let line = &text[range.clone()];
        let bare = line.trim_start_matches('\u{feff}').trim_start_matches([' ', '\t']);
        let indent = line.len() - bare.len();
        if self.is_marker(bare, indent) {
            self.end(range.start);
            self.start = range.start + indent + 3;
            let rest = bare[3..].trim();
            if bare.starts_with('-') && !rest.is_empty() && !rest.starts_with('#') {
                self.content = Some((self.lines, 0));
            }
        } else if self.content.is_none() && !bare.trim().is_empty() && !bare.starts_with(['#', '%']) {
            self.content = Some((self.lines, indent));
        }
    }

    fn is_marker(&self, bare: &str, indent: usize) -> bool {
        let marks = bare.starts_with("---") || bare.starts_with("...");
        let alone = bare.as_bytes().get(3).is_none_or(u8::is_ascii_whitespace);
        marks && alone && (indent == 0 || self.content.is_none_or(|(_, own)| own == indent))
    }

    fn end(&mut self, end: usize) {
        if let Some((line, _)) = self.content.take() {
            self.done.push(Piece { range: self.start..end, line });
        }
        self.start = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<(usize, &str)> {
        split(text).into_iter().map(|piece| (piece.line, text[piece.range].trim())).collect()
    }

    #[test]
    fn documents_end_at_markers() {
        assert_eq!(pieces("a: 1\n---\nb: 2\n...\n---\n# nothing\n---\nc: 3"), [(1, "a: 1"), (3, "b: 2"), (8, "c: 3")]);
        assert_eq!(pieces("...\n---\r\na: 1\r\n---\r\n"), [(3, "a: 1")]);
        assert_eq!(pieces("--- {a: 1}\n--- # only a comment\n"), [(1, "{a: 1}")]);
        assert_eq!(pieces("%YAML 1.1\n---\na: 1\n"), [(3, "a: 1")]);
    }

    #[test]
    fn a_text_may_be_indented_as_a_whole() {
        assert_eq!(pieces("    # first\n    a: 1\n    ---\n    b: 2\n"), [(2, "# first\n    a: 1"), (4, "b: 2")]);
    }

    #[test]
    fn a_deeper_marker_inside_a_document_is_text() {
        let text = "a: |\n  ---\n  b\n---\nc: 1\n";
        assert_eq!(pieces(text), [(1, "a: |\n  ---\n  b"), (5, "c: 1")]);
        assert_eq!(pieces("a: ----\n----: 1\n").len(), 1);
    }
}
