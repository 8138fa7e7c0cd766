//! Text from resources and logs, made safe to stand in a table on a terminal.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

pub(crate) use crate::diagnostic::visible;

/// The first line of `text`, with `...` where more follows, and what could drive a terminal made visible.
pub(crate) fn cell(text: &str) -> Cow<'_, str> {
    match text.find(['\n', '\r', '\u{c}']) {
        None => visible(text),
        Some(end) => Cow::Owned(format!("{}...", visible(&text[..end]))),
    }
}

/// The terminal cells that `text` takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// As much of `text` as fits into so many terminal cells, with `…` where more follows.
pub(crate) fn fitted(text: &str, cells: usize) -> Cow<'_, str> {
    if width(text) <= cells {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{}\u{2026}", prefix(text, cells.saturating_sub(1))))
}

/// The beginning of `text` that takes no more than so many terminal cells.
pub(crate) fn prefix(text: &str, cells: usize) -> &str {
    let mut taken = 0;
    let end = text.char_indices().find(|(_, c)| {
        taken += c.width().unwrap_or_default();
        taken > cells
    });
    end.map_or(text, |(at, _)| &text[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_break_cuts_the_cell_and_an_escape_is_shown() {
        assert_eq!(cell("a\nb"), "a...");
        assert_eq!(cell("\u{1b}[31mred\u{202e}"), "^[[31mred\\u202e");
        assert_eq!(cell("plain"), "plain");
    }

    #[test]
    fn wide_characters_take_two_cells() {
        assert_eq!(width("漢字"), 4);
    }

    #[test]
    fn what_does_not_fit_is_cut() {
        for (cells, expected) in [(9, "politics"), (8, "politics"), (7, "politi\u{2026}"), (1, "\u{2026}")] {
            assert_eq!(fitted("politics", cells), expected);
        }
        assert_eq!(fitted("漢字漢", 4), "漢\u{2026}");
    }
}
