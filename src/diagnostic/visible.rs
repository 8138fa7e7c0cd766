//! Text that others wrote, made safe to stand on a terminal.

use std::borrow::Cow;
use std::fmt::Write;

/// Whether a character can drive a terminal or make a line look like another one: control characters (C0, DEL, C1),
/// U+2028 and U+2029, which some readers take for a line's end, the marks that change the direction of writing (Unicode
/// Standard Annex #9, section 2), and what is not seen at all.
pub fn is_unsafe(c: char) -> bool {
    matches!(c, '\0'..='\x1f' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}')
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
        || matches!(c, '\u{ad}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// `text` with every unsafe character spelled out: `^[` for escape, as kubectl has it, and `^A` to `^_` and `^?` for the
/// other ASCII ones; `\u202e` for the rest.
pub fn visible(text: &str) -> Cow<'_, str> {
    if text.contains(is_unsafe) { Cow::Owned(spelled(text, |_| false)) } else { Cow::Borrowed(text) }
}

/// The same for a text of several lines: the ends of lines, and tabs, stay as they are.
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    let layout = |c: char| matches!(c, '\n' | '\t');
    if text.contains(|c| is_unsafe(c) && !layout(c)) { Cow::Owned(spelled(text, layout)) } else { Cow::Borrowed(text) }
}

fn spelled(text: &str, keeps: impl Fn(char) -> bool) -> String {
    text.chars().fold(String::with_capacity(text.len() + 8), |mut spelled, c| {
        match c {
            c if keeps(c) || !is_unsafe(c) => spelled.push(c),
            '\u{7f}' => spelled.push_str("^?"),
            c if c.is_ascii() => spelled.extend(['^', char::from(c as u8 + b'@')]),
            c => write!(spelled, "\\u{:04x}", u32::from(c)).expect("writing to a String does not fail"),
        }
        spelled
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_drive_a_terminal_is_spelled_out() {
        assert_eq!(visible("plain \u{e4}\u{5d0}"), "plain \u{e4}\u{5d0}");
        assert_eq!(visible("\u{1b}[2J\u{7}\r\n\t\u{7f}"), "^[[2J^G^M^J^I^?");
        assert_eq!(visible("\u{9b}31m\u{2028}\u{202e}cnn\u{2066}\u{61c}"), "\\u009b31m\\u2028\\u202ecnn\\u2066\\u061c");
    }

    #[test]
    fn the_layout_of_several_lines_stays() {
        assert_eq!(visible_lines("a\n\tb"), "a\n\tb");
        assert_eq!(visible_lines("a\n\u{1b}[1mb\r"), "a\n^[[1mb^M");
    }
}
