//! Text from resources and logs, made safe to stand in a table on a terminal.

use std::borrow::Cow;

use unicode_width::UnicodeWidthStr;

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
}
