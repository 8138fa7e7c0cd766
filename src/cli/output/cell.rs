//! Text from resources and logs, made safe to stand in a table on a terminal.

use std::borrow::Cow;

use unicode_width::UnicodeWidthStr;

/// The escape character, with which a value could otherwise move the cursor or change colours.
const ESC: char = '\u{1b}';

/// The first line of `text`, with `...` where more follows, and escapes made visible.
pub(crate) fn cell(text: &str) -> Cow<'_, str> {
    match text.find(['\n', '\r', '\u{c}']) {
        None => visible(text),
        Some(end) => Cow::Owned(format!("{}...", visible(&text[..end]))),
    }
}

/// `text` with each escape character shown as `^[`.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if text.contains(ESC) { Cow::Owned(text.replace(ESC, "^[")) } else { Cow::Borrowed(text) }
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
        assert_eq!(cell("\u{1b}[31mred"), "^[[31mred");
        assert_eq!(cell("plain"), "plain");
    }

    #[test]
    fn wide_characters_take_two_cells() {
        assert_eq!(width("漢字"), 4);
    }
}
