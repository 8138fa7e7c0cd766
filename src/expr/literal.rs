//! Numbers and quoted texts as Go spells them.

use std::ops::Range;

use super::lexer::{TokenKind, is_letter};

/// What is wrong with a literal; the bytes are counted from its start.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) span: Range<usize>,
    pub(super) message: String,
}

fn fault<T>(span: Range<usize>, message: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { span, message: message.into() })
}

/// The three ways to quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quote {
    /// `"…"` with escapes.
    Double,
    /// `'x'`: one character, with escapes.
    Single,
    /// `` `…` `` as it is, line ends included.
    Raw,
}

impl Quote {
    pub(super) fn starting(c: char) -> Option<Self> {
        match c {
            '"' => Some(Quote::Double),
            '\'' => Some(Quote::Single),
            '`' => Some(Quote::Raw),
            _ => None,
        }
    }

    fn mark(self) -> char {
        match self {
            Quote::Double => '"',
            Quote::Single => '\'',
            Quote::Raw => '`',
        }
    }
}

/// The content of the quoted text that `text` starts with, and the length of the whole literal.
pub(super) fn unquote(text: &str, quote: Quote) -> Result<(String, usize), Fault> {
    let end = closing_quote(text, quote)?;
    let (content, length) = (&text[1..end], end + 1);
    // Go drops carriage returns from raw strings.
    let content = match quote {
        Quote::Raw => content.replace('\r', ""),
        Quote::Double | Quote::Single => unescape(content, quote)?,
    };
    if quote == Quote::Single && content.chars().count() != 1 {
        return fault(0..length, "single quotes hold one character; a string stands in double quotes");
    }
    Ok((content, length))
}

fn closing_quote(text: &str, quote: Quote) -> Result<usize, Fault> {
    let mut escaped = false;
    for (place, c) in text.char_indices().skip(1) {
        match c {
            '\n' if quote != Quote::Raw => return fault(0..place, "this string is not closed on its line"),
            _ if escaped => escaped = false,
            '\\' => escaped = quote != Quote::Raw,
            c if c == quote.mark() => return Ok(place),
            _ => {}
        }
    }
    fault(0..text.len(), "this string is not closed")
}

fn unescape(content: &str, quote: Quote) -> Result<String, Fault> {
    let mut bytes = Vec::with_capacity(content.len());
    let mut place = 0;
    while let Some(c) = content[place..].chars().next() {
        if c != '\\' {
            bytes.extend_from_slice(&content.as_bytes()[place..place + c.len_utf8()]);
            place += c.len_utf8();
            continue;
        }
        let Some(length) = escape(&content[place + 1..], quote, &mut bytes) else {
            let escaped = content[place + 1..].chars().next().map_or(0, char::len_utf8);
            let message = "unknown escape in a string; a backslash is written `\\\\`";
            return fault(place + 1..place + 2 + escaped, message);
        };
        place += 1 + length;
    }
    String::from_utf8(bytes).or_else(|_| fault(0..content.len() + 2, "the escapes of this string make no UTF-8"))
}

/// Appends what the escape after a backslash stands for; its length.
fn escape(text: &str, quote: Quote, out: &mut Vec<u8>) -> Option<usize> {
    let byte = match *text.as_bytes().first()? {
        b'a' => 7,
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 11,
        b'\\' => b'\\',
        mark @ (b'"' | b'\'') if char::from(mark) == quote.mark() => mark,
        b'x' => u8::from_str_radix(digits_of(text, 1, 2, 16)?, 16).ok()?,
        b'0'..=b'7' => u8::from_str_radix(digits_of(text, 0, 3, 8)?, 8).ok()?,
        b'u' => return push_character(digits_of(text, 1, 4, 16)?, out),
        b'U' => return push_character(digits_of(text, 1, 8, 16)?, out),
        _ => return None,
    };
    out.push(byte);
    Some(match text.as_bytes()[0] {
        b'x' | b'0'..=b'7' => 3,
        _ => 1,
    })
}

fn digits_of(text: &str, start: usize, count: usize, radix: u32) -> Option<&str> {
    text.get(start..start + count).filter(|digits| digits.chars().all(|c| c.is_digit(radix)))
}

fn push_character(digits: &str, out: &mut Vec<u8>) -> Option<usize> {
    let character = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    Some(1 + digits.len())
}

/// The number that `text` starts with, and its length.
pub(super) fn number(text: &str) -> Result<(TokenKind, usize), Fault> {
    let digits = |from: usize| text[from..].bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(0);
    let mut end = whole;
    if text[end..].starts_with('.') {
        end += 1;
        end += digits(end);
    }
    if text[end..].starts_with(['e', 'E']) {
        end += 1;
        end += usize::from(text[end..].starts_with(['+', '-']));
        end += digits(end);
    }
    let tail = text[end..].find(|c| !is_letter(c) && !c.is_numeric()).map_or(text.len(), |length| end + length);
    let spelled = &text[..tail];
    if tail == whole {
        let number = spelled.parse().or_else(|_| fault(0..tail, format!("{spelled} does not fit in INT64")))?;
        return Ok((TokenKind::Int64(number), tail));
    }
    match spelled.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok((TokenKind::Double(number), tail)),
        Ok(_) => fault(0..tail, format!("{spelled} does not fit in DOUBLE")),
        Err(_) => fault(0..tail, format!("{spelled} is no number; numbers are decimal")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(literal: &str) -> Option<String> {
        let quote = Quote::starting(literal.chars().next()?)?;
        unquote(literal, quote).ok().filter(|&(_, length)| length == literal.len()).map(|(content, _)| content)
    }

    #[test]
    fn escapes_are_those_of_go() {
        assert_eq!(text(r#""\a\b\f\n\r\t\v\\\"""#).as_deref(), Some("\x07\x08\x0c\n\r\t\x0b\\\""));
        assert_eq!(text(r#""\x41\101\u00fc\U0001F600""#).as_deref(), Some("AA\u{fc}\u{1f600}"));
        assert_eq!(text(r#""\xc3\xbc""#).as_deref(), Some("\u{fc}"));
        for refused in [
            r#""\'""#,
            r#""\q""#,
            r#""\x4""#,
            r#""\8""#,
            r#""\400""#,
            r#""\ud800""#,
            r#""\xff""#,
            "\"a\nb\"",
            "\"",
            "\"\\\"",
        ] {
            assert_eq!(text(refused), None, "{refused}");
        }
    }

    #[test]
    fn raw_strings_keep_all_but_carriage_returns() {
        assert_eq!(text("`a\\n\r\n\"b`").as_deref(), Some("a\\n\n\"b"));
    }

    #[test]
    fn single_quotes_hold_one_character() {
        assert_eq!(text("'a'").as_deref(), Some("a"));
        assert_eq!(text("'\\''").as_deref(), Some("'"));
        assert_eq!(text("'\u{fc}'").as_deref(), Some("\u{fc}"));
        for refused in ["''", "'ab'", "'\\\"'"] {
            assert_eq!(text(refused), None, "{refused}");
        }
    }

    #[test]
    fn numbers_are_decimal() {
        let parsed = |text| number(text).ok().map(|found| found.0);
        assert_eq!(parsed("007"), Some(TokenKind::Int64(7)));
        assert_eq!(parsed("9223372036854775807"), Some(TokenKind::Int64(i64::MAX)));
        for (text, value) in
            [("1.5", 1.5), (".5", 0.5), ("2.", 2.0), ("1e3", 1000.0), ("1.5E-1", 0.15), ("2.e+1", 20.0)]
        {
            assert_eq!(parsed(text), Some(TokenKind::Double(value)), "{text}");
        }
        for refused in ["9223372036854775808", "0x1F", "1_000", "1e", "1e+", "1e999", "5s", "1i"] {
            assert_eq!(parsed(refused), None, "{refused}");
        }
    }
}
