//! From bytes of a scalar's value to bytes of its text.

use std::ops::Range;

use saphyr_parser::ScalarStyle;

/// The bytes of `raw` that the bytes `within` of its value come from; exact for plain and quoted scalars, close for
/// block scalars. `raw` is the scalar as it stands in the text, quotes included; of a block scalar all lines below its
/// header, see [`lines_of_block`].
pub(super) fn range(raw: &str, style: ScalarStyle, within: &Range<usize>) -> Range<usize> {
    let origins = match style {
        ScalarStyle::Plain => flow(raw, 0..raw.len(), Escapes::None),
        ScalarStyle::SingleQuoted => flow(raw, 1..raw.len().saturating_sub(1), Escapes::Doubled),
        ScalarStyle::DoubleQuoted => flow(raw, 1..raw.len().saturating_sub(1), Escapes::Backslash),
        ScalarStyle::Literal | ScalarStyle::Folded => block(raw),
    };
    let origin = |byte: usize| origins.get(byte).or(origins.last()).copied().unwrap_or(0);
    let start = origin(within.start);
    start..origin(within.end).max(start)
}

#[derive(Clone, Copy, PartialEq)]
enum Escapes {
    None,
    Doubled,
    Backslash,
}

/// For each byte of the value, and for its end, the byte of the text.
fn flow(raw: &str, inner: Range<usize>, escapes: Escapes) -> Vec<usize> {
    let text = raw.get(inner.clone()).unwrap_or_default();
    let mut origins = Vec::with_capacity(text.len() + 1);
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let (value_bytes, text_bytes) = match c {
            '\n' | '\r' | ' ' | '\t' if breaks(rest) > 0 => (breaks(rest).max(2) - 1, blank(rest)),
            '\'' if escapes == Escapes::Doubled => (1, 2.min(rest.len())),
            '\\' if escapes == Escapes::Backslash => escape(rest),
            c => (c.len_utf8(), c.len_utf8()),
        };
        for byte in 0..value_bytes {
            origins.push(inner.start + at + if value_bytes == text_bytes { byte } else { 0 });
        }
        at += text_bytes;
    }
    origins.push(inner.end.min(raw.len()));
    origins
}

/// Bytes of the blanks and line breaks at the start of a text.
fn blank(text: &str) -> usize {
    text.len() - text.trim_start_matches([' ', '\t', '\n', '\r']).len()
}

/// Line breaks among them; one is folded into a blank, further ones are kept.
fn breaks(text: &str) -> usize {
    text[..blank(text)].matches('\n').count()
}

/// Bytes of the value and of the text of an escape.
fn escape(text: &str) -> (usize, usize) {
    let Some(kind) = text[1..].chars().next() else { return (0, 1) };
    let digits = match kind {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        '\n' | '\r' => return (0, 1 + blank(&text[1..])),
        'N' | '_' => return (2, 2),
        'L' | 'P' => return (3, 2),
        other => return (1, 1 + other.len_utf8()),
    };
    let code = text.get(2..2 + digits).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    (code.and_then(char::from_u32).map_or(1, char::len_utf8), (2 + digits).min(text.len()))
}

/// Where the lines of a block scalar begin; `start` is where its first text begins, after indentation and blank lines.
pub(super) fn lines_of_block(text: &str, start: usize) -> usize {
    let header = text[..start].trim_end_matches([' ', '\t', '\n', '\r']).len();
    text[header..start].find('\n').map_or(start, |newline| header + newline + 1)
}

/// The same for `|` and `>`: lines without their indentation.
fn block(raw: &str) -> Vec<usize> {
    let lines = || raw.split_inclusive('\n');
    let indent = lines().filter(|line| !line.trim().is_empty()).map(|line| line.len() - line.trim_start().len()).next();
    let mut origins = Vec::with_capacity(raw.len());
    let mut start = 0;
    for line in lines() {
        let skipped = indent.unwrap_or(0).min(line.len() - line.trim_start_matches(' ').len());
        origins.extend(start + skipped..start + line.len());
        start += line.len();
    }
    origins.push(raw.trim_end().len());
    origins
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(raw: &str, style: ScalarStyle, within: Range<usize>) -> &str {
        &raw[range(raw, style, &within)]
    }

    #[test]
    fn plain_and_quoted_scalars_are_exact() {
        assert_eq!(shown("request.hots | \"x\"", ScalarStyle::Plain, 8..12), "hots");
        assert_eq!(shown("'it''s bad'", ScalarStyle::SingleQuoted, 5..8), "bad");
        assert_eq!(shown(r#""a\"b\u00e4 bad""#, ScalarStyle::DoubleQuoted, 6..9), "bad");
        assert_eq!(shown("one\n    two\n\n  bad", ScalarStyle::Plain, 8..11), "bad");
        assert_eq!(shown("\"x\"", ScalarStyle::DoubleQuoted, 0..1), "x");
    }

    #[test]
    fn block_scalars_are_close() {
        assert_eq!(shown("    one\n    bad\n", ScalarStyle::Literal, 4..7), "bad");
    }

    #[test]
    fn ranges_past_the_end_stay_inside() {
        assert_eq!(range("abc", ScalarStyle::Plain, &(7..9)), 3..3);
        assert_eq!(range("", ScalarStyle::DoubleQuoted, &(0..1)).start, 0);
    }
}
